//! Holds `docs/trail-format.md`, its test vectors, the independent verifier in Python and the code together.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use osel_core::ids::Id;
use osel_core::time::Timestamp;
use osel_core::trail::log::{
    Checkpoint, CosigningKey, LogProof, Note, Resource, SigningKey, VerifierKey, check_entries, read_entries,
    read_hashes,
};
use osel_core::trail::{
    CANONICAL_BYTES_MAX, Canonical, Chain, Draft, Hash, NotedHead, PARTS_ALWAYS_FIT, PROJECT_BYTES_MAX, Part,
    PartClass, Prover, RecordKind, StoredContent, StoredPart, StoredRecord, VERSION, Verifier, commitment,
    inclusion_plan, leaf_hash, tree_root, verify_inclusion,
};
use serde::Deserialize;

const DOCUMENT: &str = include_str!("../../../docs/trail-format.md");
const VECTORS: &str = include_str!("../../../docs/trail-format-vectors.json");

#[derive(Deserialize)]
struct Vectors {
    records: Vec<Record>,
    head: String,
    malformed: Vec<Refused>,
    proofs: Vec<Proof>,
    log: Log,
}

/// Keys, and what they signed.
#[derive(Deserialize)]
struct Log {
    name: String,
    seed: String,
    key: String,
    private_key: String,
    witness_name: String,
    witness_seed: String,
    witness_seconds: u64,
    witness_key: String,
    sizes: Vec<u64>,
    checkpoints: Vec<String>,
    proved: u64,
    proof: String,
    files: BTreeMap<String, String>,
    paths: Vec<NamedPath>,
}

#[derive(Deserialize)]
struct NamedPath {
    folder: String,
    index: u64,
    width: u16,
    path: String,
}

/// As `osel audit prove` prints it.
#[derive(Debug, PartialEq, Deserialize)]
struct Proof {
    seq: u64,
    index: u64,
    tree_size: u64,
    leaf_hash: String,
    root_hash: String,
    path: Vec<String>,
}

#[derive(Deserialize)]
struct Record {
    seq: u64,
    time: i64,
    recorded_at: i64,
    as_of: i64,
    kind: String,
    parts: Vec<RecordPart>,
    canonical: String,
    hash: String,
}

#[derive(Deserialize)]
struct RecordPart {
    class: String,
    project: Option<String>,
    salt: String,
    content: String,
    commitment: String,
}

#[derive(Deserialize)]
struct Refused {
    canonical: String,
    why: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).expect("the vectors have the shape this test expects")
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn class(part: &RecordPart) -> PartClass {
    PartClass::from_word(&part.class).expect("a class")
}

#[test]
fn sealing_gives_the_vectors() {
    let vectors = vectors();
    let mut chain = Chain::new();
    for record in &vectors.records {
        let parts: Vec<Part> = record
            .parts
            .iter()
            .map(|part| Part {
                class: class(part),
                project: part.project.as_deref().map(Id::new),
                person: None,
                bytes: unhex(&part.content),
            })
            .collect();
        let draft = Draft {
            time: Timestamp::from_micros(record.time),
            recorded_at: Timestamp::from_micros(record.recorded_at),
            kind: RecordKind::from_word(&record.kind).expect("a kind"),
            parts: &parts,
        };
        let mut salts = record.parts.iter().map(|part| unhex(&part.salt).try_into().expect("16 bytes"));
        let sealed =
            chain.seal(&draft, &mut || salts.next().expect("one salt for each part")).expect("parts fit");
        assert_eq!((sealed.seq, sealed.as_of.micros()), (record.seq, record.as_of));
        assert_eq!(sealed.canonical, unhex(&record.canonical), "record {}", record.seq);
        assert_eq!(sealed.hash.to_string(), record.hash);
        for (sealed, part) in sealed.parts.iter().zip(&record.parts) {
            assert_eq!(sealed.commitment.to_string(), part.commitment);
        }
    }
    assert_eq!(chain.head().to_string(), vectors.head);
    for kind in RecordKind::ALL {
        assert!(
            vectors.records.iter().any(|record| record.kind == kind.as_str()),
            "no vector of kind {kind}"
        );
    }
}

#[test]
fn the_vectors_verify() {
    let vectors = vectors();
    let mut verifier = Verifier::new(Some(vectors.head.parse().expect("a head")));
    for record in &vectors.records {
        let contents: Vec<_> =
            record.parts.iter().map(|part| (unhex(&part.salt), unhex(&part.content))).collect();
        let parts: Vec<_> = record
            .parts
            .iter()
            .zip(&contents)
            .map(|(part, (salt, bytes))| StoredPart {
                class: class(part),
                project: part.project.as_deref(),
                content: StoredContent::Present { salt, bytes },
            })
            .collect();
        let (canonical, hash) = (unhex(&record.canonical), unhex(&record.hash));
        let stored =
            StoredRecord { seq: record.seq, canonical: &canonical, hash: Some(&hash), parts: &parts };
        verifier.push(&stored).expect("the vectors are good");
    }
    let verified = verifier.finish().expect("the vectors are good");
    assert_eq!(verified.records, vectors.records.len() as u64);
}

#[test]
fn malformed_bytes_are_refused_for_the_reason_given() {
    for refused in vectors().malformed {
        let error = Canonical::read(&unhex(&refused.canonical)).expect_err(&refused.why);
        assert_eq!(error.to_string(), refused.why);
    }
}

#[test]
fn the_document_says_what_the_code_does() {
    for kind in RecordKind::ALL {
        assert!(DOCUMENT.contains(&format!("\n| {} | `{kind}` |\n", kind.code())), "kind {kind}");
    }
    for class in PartClass::ALL {
        assert!(DOCUMENT.contains(&format!("\n| {} | `{class}` | ", class.code())), "class {class}");
    }
    for said in [
        format!("| 4 | 1 | version: {VERSION} |"),
        format!("at most {PROJECT_BYTES_MAX}; 65535"),
        format!("at most {CANONICAL_BYTES_MAX} bytes"),
        format!("; {PARTS_ALWAYS_FIT} parts fit always"),
        format!("({} to {})", Timestamp::MIN.micros(), Timestamp::MAX.micros()),
    ] {
        assert!(DOCUMENT.contains(&said), "the document should say `{said}`");
    }
}

#[test]
fn the_example_in_the_document_is_a_vector() {
    let vectors = vectors();
    let (_, block) = DOCUMENT.split_once("```record 2\n").expect("the document has an example");
    let (block, after) = block.split_once("```").expect("the example ends");
    let hex: String = block.lines().filter_map(|line| line.split("  ").next()).collect();
    let record = &vectors.records[1];
    assert_eq!(hex, record.canonical);

    let mut quoted = after.split('`').skip(1).step_by(2);
    let mut next = || quoted.next().expect("content, salt and hash are quoted");
    let (content, salt, hash) = (next(), next(), next());
    assert_eq!(hash, record.hash);
    assert_eq!(leaf_hash(&unhex(&hex)).to_string(), hash);
    let salt = unhex(salt).try_into().expect("16 bytes");
    assert_eq!(commitment(&salt, content.as_bytes()).to_string(), record.parts[2].commitment);

    let empty = NotedHead { seq: 0, hash: Hash::ZERO };
    assert_eq!(format!("0:{}", "0".repeat(64)).parse(), Ok(empty));
}

#[test]
fn the_proofs_are_the_ones_of_the_code() {
    let vectors = vectors();
    let hash = |text: &String| text.parse::<Hash>().expect("a hash");
    let leaves: Vec<Hash> = vectors.records.iter().map(|record| hash(&record.hash)).collect();
    for proof in &vectors.proofs {
        let size = usize::try_from(proof.tree_size).expect("a small tree");
        let mut prover = Prover::new(inclusion_plan(proof.index, proof.tree_size).expect("in the tree"));
        leaves.iter().for_each(|&leaf| prover.push(leaf));
        let path: Vec<Hash> = proof.path.iter().map(hash).collect();
        assert_eq!(prover.finish().as_deref(), Some(&path[..]));
        let root = tree_root(leaves[..size].iter().copied());
        assert_eq!((root, proof.seq), (hash(&proof.root_hash), proof.index + 1));
        let checked = verify_inclusion(hash(&proof.leaf_hash), proof.index, proof.tree_size, &path, root);
        assert_eq!(checked, Ok(()));
    }
    let (_, block) = DOCUMENT.split_once("```proof 2\n").expect("the document has a proof");
    let (block, _) = block.split_once("```").expect("the proof ends");
    let shown: Proof = serde_json::from_str(block).expect("a proof");
    assert_eq!(shown, vectors.proofs[0]);
}

#[test]
fn the_log_is_the_one_of_the_code() {
    let vectors = vectors();
    let log = &vectors.log;
    let hash = |text: &String| text.parse::<Hash>().expect("a hash");
    let leaves: Vec<Hash> = vectors.records.iter().map(|record| hash(&record.hash)).collect();
    let seed = |text| unhex(text).try_into().expect("32 bytes");
    let key = SigningKey::from_seed(log.name.parse().expect("a name"), &seed(&log.seed));
    let witness =
        CosigningKey::from_seed(log.witness_name.parse().expect("a name"), &seed(&log.witness_seed));
    assert_eq!((key.verifier().to_string(), key.text()), (log.key.clone(), log.private_key.clone()));
    assert_eq!(witness.verifier().to_string(), log.witness_key);

    let known = [key.verifier()];
    for (&size, note) in log.sizes.iter().zip(&log.checkpoints) {
        let root = tree_root(leaves[..size as usize].iter().copied());
        let checkpoint = Checkpoint { origin: key.verifier().name().clone(), size, root };
        assert!(note.starts_with(&checkpoint.sign(&key)), "size {size}");
        assert_eq!(Checkpoint::open(note.as_bytes(), &known), Ok(checkpoint));
    }
    let last = log.checkpoints.last().expect("there are some");
    let note = Note::read(last.as_bytes()).expect("a note");
    assert!(last.ends_with(&witness.cosign(note.text, log.witness_seconds)));
    assert_eq!(note.cosigned_at(&log.witness_key.parse().expect("a key")), Some(log.witness_seconds));

    let proof = LogProof::read(log.proof.as_bytes()).expect("a proof");
    assert_eq!((proof.index, &proof.text(), &proof.checkpoint), (log.proved, &log.proof, last));
    assert!(proof.verify(leaves[log.proved as usize], &known).is_ok());
    assert!(proof.verify(leaves[0], &known).is_err());

    let file = |path: &str| unhex(&log.files[path]);
    let (entries, tile) = (file("tile/entries/000.p/10"), file("tile/0/000.p/10"));
    let (entries, hashes) = (read_entries(&entries).expect("a bundle"), read_hashes(&tile).expect("a tile"));
    assert_eq!((check_entries(&entries, &hashes), hashes), (Ok(()), leaves));
    for NamedPath { folder, index, width, path } in &log.paths {
        let (index, width) = (*index, *width);
        let resource = match folder.as_str() {
            "entries" => Resource::Entries { index, width },
            level => Resource::Tile { level: level.parse().expect("a level"), index, width },
        };
        assert_eq!((&resource.path(), Resource::parse(path)), (path, Some(resource)));
    }

    // What the document shows.
    let block = |name: &str| {
        let (_, block) = DOCUMENT.split_once(&format!("```{name}\n")).expect("the document shows it");
        block.split_once("```").expect("it ends").0
    };
    assert_eq!(block("checkpoint"), last);
    assert_eq!(block("log proof").trim_end(), log.proof.split_once("\n\n").expect("a proof").0);
    assert_eq!(block("keys"), format!("{}\n{}\n", log.key, log.private_key));
    assert!(block("keys").lines().next().is_some_and(|key| key.parse::<VerifierKey>().is_ok()));
}

#[test]
fn the_verifiers_in_python_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (script, wanted) in [
        ("trail_format.py", "10 records and 21 malformed ones as expected"),
        ("trail_log.py", "4 checkpoints and a proof as expected"),
    ] {
        let output = Command::new("python3")
            .arg("-B")
            .arg(root.join("tests").join(script))
            .arg(root.join("../../docs/trail-format-vectors.json"))
            .output()
            .expect("this test runs the independent verifiers and needs `python3` on the PATH");
        let (said, complained) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "`{script}` disagrees: {complained}");
        assert!(said.starts_with(wanted), "{said}");
    }
}
