//! A log in memory, the bundles that can be made of it, and checking them.

use std::convert::Infallible;
use std::ops::Range;

use osel_core::ids::Id;
use osel_core::time::Timestamp;
use osel_core::trail::bundle::{BadBundle, BundlePart, BundleRecord, Checker, Scope, Summary, Writer};
use osel_core::trail::log::{Checkpoint, CosigningKey, SigningKey, VerifierKey, prove};
use osel_core::trail::{
    Chain, Draft, Hash, Part, PartClass, RecordKind, SALT_BYTES, Salt, Tree, consistency_plan, inclusion_plan,
};

const PROJECT: &str = "0134e963d2cb47acb1cbded3d170eb51";

/// A log that is whole in memory.
pub struct Log {
    pub key: SigningKey,
    /// The records that tell of another key, and those keys.
    pub rotations: Vec<(u64, SigningKey)>,
    pub records: Vec<Row>,
    /// The leaves, and the nodes of the levels above.
    levels: Vec<Vec<Hash>>,
    roots: Vec<Hash>,
    /// Which witnesses have seen its last size, and when.
    cosigned: Vec<(u8, u64)>,
}

pub struct Row {
    pub canonical: Vec<u8>,
    pub parts: Vec<Option<(Salt, Vec<u8>)>>,
}

/// A line of a bundle, and the record that it is of.
#[derive(Clone)]
pub struct Line {
    pub text: String,
    pub record: Option<u64>,
}

/// A bundle in lines.
pub type Lines = Vec<Line>;

/// The key of our notes' vectors.
pub fn key(name: &str, first_byte: u8) -> SigningKey {
    let seed = std::array::from_fn(|at| first_byte + at as u8);
    SigningKey::from_seed(name.parse().unwrap(), &seed)
}

/// A witness of that number.
pub fn witness(number: u8) -> CosigningKey {
    CosigningKey::from_seed(format!("witness.example/{number}").parse().unwrap(), &[number; 32])
}

impl Log {
    /// The same with its last checkpoint cosigned by these witnesses at these times.
    pub fn cosigned(self, cosigned: &[(u8, u64)]) -> Self {
        Self { cosigned: cosigned.to_vec(), ..self }
    }

    /// So many records of one to five parts with some `bytes` each; a few parts are missing.
    pub fn new(count: u64, bytes: usize) -> Self {
        Self::rotated(count, bytes, &[])
    }

    /// The same where these records tell that another key signs, one after the other.
    pub fn rotated(count: u64, bytes: usize, rotations: &[u64]) -> Self {
        let keys = (1..).map(|byte| key("log.example/osel", byte * 16));
        let (mut chain, mut tree) = (Chain::new(), Tree::default());
        let mut log = Self {
            key: key("log.example/osel", 0),
            rotations: rotations.iter().copied().zip(keys).collect(),
            records: Vec::new(),
            levels: vec![Vec::new()],
            roots: vec![],
            cosigned: Vec::new(),
        };
        log.roots.push(tree.root());
        for number in 1..=count {
            let mut next = 0;
            let mut salts = || {
                next += 1;
                std::array::from_fn::<u8, SALT_BYTES, _>(|at| (number as u8) ^ (next << 4) ^ at as u8)
            };
            let part = |class, project: Option<&str>, content: String| Part {
                class,
                project: project.map(Id::new),
                person: None,
                bytes: content.repeat(1 + bytes / 16).into_bytes(),
            };
            let mut parts = vec![part(PartClass::Body, None, format!("{{\"what\":{number}}}"))];
            if number % 3 != 0 {
                parts.push(part(PartClass::Personal, Some(PROJECT), format!("who {number}")));
                parts.push(part(PartClass::Payload, None, format!("message {number}\n")));
            }
            if number % 5 == 2 {
                parts.push(part(PartClass::Exposure, Some(PROJECT), String::new()));
                parts.push(part(PartClass::Exposure, Some("default"), "rows".into()));
            }
            let mut kind = RecordKind::ALL[number as usize % RecordKind::ALL.len()];
            if let Some(turn) = log.rotations.iter().position(|(seq, _)| *seq == number) {
                let keys = log.verifiers();
                let (previous, next) = (&keys[turn], &keys[turn + 1]);
                let body = format!(
                    "{{\"v\":1,\"detail\":{{\"log\":\"key\",\"next\":\"{next}\",\"previous\":\"{previous}\",\"text\":\"\"}}}}"
                );
                parts[0].bytes = body.into_bytes();
                kind = RecordKind::System;
            }
            // Some come late, some say that they are of the future.
            let happened =
                1_790_000_000_000_000 + number as i64 * 1000 + [0, -5000, 1_000_000][number as usize % 3];
            let draft = Draft {
                time: Timestamp::from_micros(happened),
                recorded_at: Timestamp::from_micros(1_790_000_000_000_500 + number as i64 * 1000),
                kind,
                parts: &parts,
            };
            let sealed = chain.seal(&draft, &mut salts).unwrap();
            tree.push_with(sealed.hash, &mut |node| {
                let level = usize::from(node.level);
                log.levels.resize(log.levels.len().max(level + 1), Vec::new());
                log.levels[level].push(node.hash);
            });
            log.levels[0].push(sealed.hash);
            log.roots.push(tree.root());
            let stored = sealed.parts.iter().zip(parts).map(|(sealed, part)| {
                let is_gone = part.class == PartClass::Payload && number % 4 == 1;
                (!is_gone).then_some((sealed.salt, part.bytes))
            });
            log.records.push(Row { parts: stored.collect(), canonical: sealed.canonical });
        }
        log
    }

    pub fn size(&self) -> u64 {
        self.records.len() as u64
    }

    pub fn note(&self, size: u64) -> String {
        let root = self.roots[size as usize];
        let checkpoint = Checkpoint { origin: self.key.verifier().name().clone(), size, root };
        // That of the record which tells of a key is signed by both.
        let of = |size: u64| {
            let (_, key) = self.rotations.iter().rfind(|(seq, _)| *seq <= size)?;
            Some(key)
        };
        let (old, new) = (of(size.saturating_sub(1)).unwrap_or(&self.key), of(size).unwrap_or(&self.key));
        let signed = if old.verifier() == new.verifier() {
            checkpoint.sign(old)
        } else {
            checkpoint.sign_by(&[old, new])
        };
        let of_last = self.cosigned.iter().filter(|_| size == self.size());
        let text = checkpoint.text();
        of_last.fold(signed, |note, (number, seconds)| note + &witness(*number).cosign(&text, *seconds))
    }

    /// The keys, to verify with.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        let later = self.rotations.iter().map(|(_, key)| key);
        std::iter::once(&self.key).chain(later).map(SigningKey::verifier).collect()
    }

    /// The lines that begin a bundle: the first, and those that hand on a key.
    fn begin(&self, scope: Scope, count: u64, lines: &mut Lines) -> Writer {
        let (size, mut text) = (self.size(), String::new());
        let mut writer = Writer::begin(scope, &self.verifiers(), count, &self.note(size), &mut text);
        lines.push(Line { text: text.clone(), record: None });
        for (seq, _) in &self.rotations {
            let prove = |plan| prove(plan, &mut |level, range| self.kept(level, range)).unwrap();
            let proof = prove(consistency_plan(*seq, size).unwrap());
            let path = prove(inclusion_plan(seq - 1, *seq).unwrap());
            let Row { canonical, parts } = &self.records[*seq as usize - 1];
            let parts: Vec<_> = parts
                .iter()
                .map(|part| part.as_ref().map(|(salt, content)| BundlePart { salt, content }))
                .collect();
            let record = BundleRecord { seq: *seq, canonical, parts: &parts, path: &path };
            writer.handover(&self.note(*seq), &proof, &record, &mut text);
            lines.push(Line { text: text.clone(), record: None });
        }
        writer
    }

    fn kept(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Infallible> {
        Ok(self.levels[usize::from(level)][range.start as usize..range.end as usize].to_vec())
    }

    /// All records, and checkpoints of these sizes between them.
    pub fn whole(&self, checkpoints: &[u64]) -> Lines {
        let (mut lines, mut text) = (Lines::new(), String::new());
        let size = self.size();
        let mut writer = self.begin(Scope::Whole, size, &mut lines);
        for seq in 1..=size {
            self.record(&mut writer, seq, &[], &mut lines);
            if checkpoints.contains(&seq) {
                writer.checkpoint(&self.note(seq), &mut text);
                lines.push(Line { text: text.clone(), record: None });
            }
        }
        writer.end(&mut text);
        lines.push(Line { text, record: None });
        lines
    }

    /// Some records, behind an earlier checkpoint if there is one.
    pub fn some(&self, seqs: &[u64], since: Option<u64>) -> Lines {
        let (mut lines, mut text) = (Lines::new(), String::new());
        let size = self.size();
        let count = seqs.len() as u64;
        let mut writer = self.begin(Scope::Some, count, &mut lines);
        if let Some(since) = since {
            let plan = consistency_plan(since, size).unwrap();
            let proof = prove(plan, &mut |level, range| self.kept(level, range)).unwrap();
            writer.since(&self.note(since), &proof, &mut text);
            lines.push(Line { text: text.clone(), record: None });
        }
        for &seq in seqs {
            let plan = inclusion_plan(seq - 1, size).unwrap();
            let path = prove(plan, &mut |level, range| self.kept(level, range)).unwrap();
            self.record(&mut writer, seq, &path, &mut lines);
        }
        writer.end(&mut text);
        lines.push(Line { text, record: None });
        lines
    }

    fn record(&self, writer: &mut Writer, seq: u64, path: &[Hash], lines: &mut Lines) {
        let Row { canonical, parts } = &self.records[seq as usize - 1];
        let parts: Vec<_> = parts
            .iter()
            .map(|part| part.as_ref().map(|(salt, content)| BundlePart { salt, content }))
            .collect();
        let mut text = String::new();
        writer.record(&BundleRecord { seq, canonical, parts: &parts, path }, &mut text);
        lines.push(Line { text, record: Some(seq) });
    }
}

/// The bytes of a bundle.
pub fn bytes(lines: &[Line]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.text.bytes()).collect()
}

/// Gives what is there line by line.
pub fn push_all(checker: &mut Checker, bytes: &[u8]) -> Result<(), BadBundle> {
    bytes.split_inclusive(|&byte| byte == b'\n').try_for_each(|line| checker.push(line))
}

pub fn check(bytes: &[u8], key: Option<VerifierKey>) -> Result<Summary, BadBundle> {
    let mut checker = Checker::new(key);
    push_all(&mut checker, bytes)?;
    checker.finish()
}

/// The checkers that stand before each line of a good bundle, so that a change of one line is judged from there on.
pub fn checkers(lines: &[Line]) -> Vec<Checker> {
    let mut checker = Checker::new(None);
    let before = |line: &Line| {
        let before = checker.clone();
        checker.push(line.text.as_bytes()).unwrap();
        before
    };
    lines.iter().map(before).collect()
}

/// Goes on with what stands in place of the lines before `after`, and expects it to be bad.
pub fn judge(before: &Checker, changed: &[u8], after: &[Line]) -> BadBundle {
    let mut checker = before.clone();
    let (changed, after) = match after.split_first() {
        // Without a line feed the next line is a part of this one.
        Some((next, rest)) if !changed.ends_with(b"\n") => ([changed, next.text.as_bytes()].concat(), rest),
        _ => (changed.to_vec(), after),
    };
    let found = push_all(&mut checker, &changed)
        .and_then(|()| after.iter().try_for_each(|line| checker.push(line.text.as_bytes())));
    match found.and_then(|()| checker.finish().map(|_| ())) {
        Err(bad) => bad,
        Ok(()) => panic!("a change was not found: {}", String::from_utf8_lossy(&changed)),
    }
}

/// How many records are confirmed before each line: those up to the last checkpoint, or each one among some.
pub fn confirmed(lines: &[Line], whole: bool) -> Vec<u64> {
    let all = lines.iter().filter(|line| line.record.is_some()).count() as u64;
    let (mut confirmed, mut records) = (0, 0);
    let before = |line: &Line| {
        let before = confirmed;
        records += u64::from(line.record.is_some());
        if !whole || line.text.starts_with("{\"checkpoint\"") || records == all {
            confirmed = records;
        }
        before
    };
    lines.iter().map(before).collect()
}
