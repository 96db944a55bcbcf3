//! Holds `docs/bundle-format.md` and its vectors to the code. `OSEL_WRITE_VECTORS=1` writes the vectors anew.

use std::path::Path;

use osel_core::trail::bundle::{Checker, LINE_BYTES_MAX, Summary, VERSION};
use serde::{Deserialize, Serialize};

use super::log::{Line, Log, bytes, check, key, push_all, witness};

const DOCUMENT: &str = include_str!("../../../../docs/bundle-format.md");
const VECTORS: &str = "../../docs/bundle-format-vectors.json";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vectors {
    /// The key of the log, and one that is not.
    keys: [String; 2],
    /// Keys of witnesses.
    witnesses: Vec<String>,
    bundles: Vec<Bundle>,
    tampered: Vec<Tampered>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Bundle {
    name: String,
    records: u64,
    /// When each of the witnesses has cosigned its checkpoint.
    cosigned: Vec<Option<u64>>,
    text: String,
}

/// A bundle in which bytes were exchanged.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tampered {
    of: String,
    /// The place in bytes, how many go, and what stands there instead.
    at: usize,
    remove: usize,
    insert: String,
    /// The first bad record, if one was hit.
    record: Option<u64>,
    /// How many records are good all the same.
    confirmed: u64,
}

/// The witnesses of the vectors.
const WITNESSES: [u8; 3] = [1, 2, 3];

/// The vectors as the code makes them.
fn made() -> Vectors {
    let log = Log::new(7, 0);
    let large = Log::new(20, 0);
    let rotated = Log::rotated(8, 0, &[3, 6]);
    let bundles = [
        ("whole", log.whole(&[2, 5])),
        ("some", large.some(&[2, 3, 11, 20], None)),
        ("since", large.some(&[19, 20], Some(18))),
        ("nothing new", large.some(&[], Some(20))),
        ("empty", Log::new(0, 0).whole(&[])),
        ("example", Log::new(2, 0).whole(&[1])),
        ("keys, whole", rotated.whole(&[2, 3, 5])),
        ("keys, some", rotated.some(&[2, 5, 8], Some(4))),
        ("cosigned", Log::new(6, 0).cosigned(&[(1, 1_790_000_001), (3, 1_790_000_003)]).some(&[2, 5], None)),
    ];
    let mut vectors = Vectors {
        keys: [&log.key, &key("log.example/osel", 1)].map(|key| key.verifier().to_string()),
        witnesses: WITNESSES.map(|number| witness(number).verifier().to_string()).to_vec(),
        bundles: Vec::new(),
        tampered: Vec::new(),
    };
    for (name, lines) in bundles {
        let good = bytes(&lines);
        let witnesses = WITNESSES.map(|number| witness(number).verifier()).to_vec();
        let mut checker = Checker::new(Some(log.key.verifier())).witnessed_by(witnesses, 0);
        push_all(&mut checker, &good).unwrap();
        let Summary { records, witnesses, .. } = checker.finish().unwrap();
        let cosigned = witnesses.iter().map(|one| one.seconds).collect();
        for (at, remove, insert) in changes(&lines) {
            let changed = [&good[..at], insert.as_bytes(), &good[at + remove..]].concat();
            if changed == good || std::str::from_utf8(&changed).is_err() {
                continue;
            }
            let bad = check(&changed, None).unwrap_err();
            let (record, confirmed) = (bad.record, bad.confirmed);
            vectors.tampered.push(Tampered { of: name.into(), at, remove, insert, record, confirmed });
        }
        let text = String::from_utf8(good).unwrap();
        vectors.bundles.push(Bundle { name: name.into(), records, cosigned, text });
    }
    vectors
}

/// Changes all over a bundle: single bytes, and lines removed, repeated and swapped.
fn changes(lines: &[Line]) -> Vec<(usize, usize, String)> {
    /// A number that shares no factor with the sizes of what stands in lines, so that every kind of place is met.
    const STEP: usize = 89;
    let mut changes = Vec::new();
    let mut start = 0;
    for (at, line) in lines.iter().enumerate() {
        let (text, length) = (&line.text, line.text.len());
        for place in (7..length).step_by(STEP).chain([0, 3, 7, length - 1]) {
            let byte = text.as_bytes()[place];
            let other = char::from(if byte.is_ascii_alphanumeric() { byte ^ 1 } else { b'0' });
            changes.push((start + place, 1, other.to_string()));
        }
        changes.push((start, length, String::new()));
        changes.push((start, 0, text.clone()));
        changes.push((
            start + length / 2,
            lines[at..].iter().map(|line| line.text.len()).sum::<usize>() - length / 2,
            String::new(),
        ));
        if let Some(next) = lines.get(at + 1) {
            changes.push((start, length + next.text.len(), format!("{}{text}", next.text)));
        }
        start += length;
    }
    changes
}

#[test]
fn the_vectors_are_what_the_code_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(VECTORS);
    let made = made();
    if std::env::var_os("OSEL_WRITE_VECTORS").is_some() {
        let lines = |items: Vec<String>| items.join(",\n    ");
        let bundles = lines(made.bundles.iter().map(|item| serde_json::to_string(item).unwrap()).collect());
        let tampered = lines(made.tampered.iter().map(|item| serde_json::to_string(item).unwrap()).collect());
        let [keys, witnesses] =
            [serde_json::to_string(&made.keys), serde_json::to_string(&made.witnesses)].map(Result::unwrap);
        let text = format!(
            "{{\n  \"keys\": {keys},\n  \"witnesses\": {witnesses},\n  \"bundles\": [\n    {bundles}\n  ],\n  \"tampered\": [\n    {tampered}\n  ]\n}}\n"
        );
        std::fs::write(&path, text).unwrap();
    }
    let kept: Vectors = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(kept == made, "the vectors are not what the code makes: see the head of this file");
    let named = kept.tampered.iter().filter(|tampered| tampered.record.is_some()).count();
    assert!(named > 100 && kept.tampered.len() > named + 100);
}

#[test]
fn the_document_says_what_the_code_does() {
    for said in [
        format!(
            "`{{\"osel-bundle\":{VERSION},\"key\":KEY,\"whole\":true|false,\"records\":M,\"checkpoint\":NOTE}}`"
        ),
        format!("at most {} MiB", LINE_BYTES_MAX >> 20),
    ] {
        assert!(DOCUMENT.contains(&said), "the document should say `{said}`");
    }
}

/// The example is short and whole: it is read from the page as it stands there.
#[test]
fn the_example_in_the_document_is_good() {
    let (_, block) = DOCUMENT.split_once("```bundle\n").expect("the document has an example");
    let (block, _) = block.split_once("```").expect("the example ends");
    assert!(
        block.as_bytes() == bytes(&Log::new(2, 0).whole(&[1])),
        "it is the bundle `example` of the vectors"
    );
    let mut checker = Checker::new(Some(key("log.example/osel", 0).verifier()));
    push_all(&mut checker, block.as_bytes()).unwrap();
    assert_eq!(checker.finish().unwrap().records, 2);
}
