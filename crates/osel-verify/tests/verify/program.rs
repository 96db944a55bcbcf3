//! The program as somebody calls it: on the vectors of `docs/bundle-format.md`, beside the checker in Python.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

const VECTORS: &str = "../../docs/bundle-format-vectors.json";

#[derive(Deserialize)]
struct Vectors {
    keys: [String; 2],
    witnesses: Vec<String>,
    bundles: Vec<Bundle>,
    tampered: Vec<Tampered>,
}

#[derive(Deserialize)]
struct Bundle {
    name: String,
    records: u64,
    text: String,
}

#[derive(Debug, Deserialize)]
struct Tampered {
    of: String,
    at: usize,
    remove: usize,
    insert: String,
    record: Option<u64>,
    confirmed: u64,
}

#[test]
fn witnesses_are_told_and_asked_for() {
    let Vectors { keys: [key, _], witnesses, bundles, .. } = vectors();
    let [one, two, three] = &witnesses[..] else { panic!("three witnesses") };
    let bundle = bundles.iter().find(|bundle| bundle.name == "cosigned").unwrap().text.as_bytes();
    let (code, out, err) = verify(&["-", "-k", &key, "-w", one, "--witness", three], bundle);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for (witness, at) in [(one, "2026-09-21T14:13:21.000000Z"), (three, "2026-09-21T14:13:23.000000Z")] {
        let told = format!("witness    {witness}\n           has cosigned that checkpoint at {at}\n");
        assert!(out.contains(&told), "{out}");
    }
    let (code, out, _) = verify(&["-", "-w", one, "-w", two, "--witnesses", "1"], bundle);
    let told = format!("witness    {two}\n           has not cosigned that checkpoint\n");
    assert!(code == Some(0) && out.contains(&told), "{out}");
    let (code, out, err) = verify(&["-", "-w", one, "-w", two], bundle);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    let why = "its checkpoint is cosigned by 1 of the witnesses given, and 2 are asked for";
    assert!(err.starts_with(&format!("osel-verify: line 1 is bad: {why}\n")), "{err}");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn vectors() -> Vectors {
    serde_json::from_str(&std::fs::read_to_string(root().join(VECTORS)).unwrap()).unwrap()
}

/// Runs it with a bundle on its standard input.
fn verify(arguments: &[&str], bundle: &[u8]) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_osel-verify"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It stops reading where a bundle is bad.
    let _ = child.stdin.take().unwrap().write_all(bundle);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn good_bundles_are_told() {
    let Vectors { keys: [key, other], bundles, .. } = vectors();
    for Bundle { name, records, text } in bundles {
        let (code, out, err) = verify(&["-"], text.as_bytes());
        assert_eq!((code, err.as_str()), (Some(0), ""), "{name}");
        assert!(out.contains("nobody vouches for it") && out.contains(&key), "{out}");
        let told = if records == 0 { "records    none".to_owned() } else { format!("records    {records}") };
        assert!(out.contains(&told), "{name}: {out}");

        let (code, out, _) = verify(&["-", "--key", &key], text.as_bytes());
        assert!(code == Some(0) && out.contains("\n           the one given\n"), "{out}");
        let (code, out, err) = verify(&["--key", &other, "-"], text.as_bytes());
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(err.contains("which is not the one given"), "{err}");
    }
}

#[test]
fn a_whole_bundle_is_described() {
    let text = vectors().bundles.into_iter().find(|bundle| bundle.name == "example").unwrap().text;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("example.bundle");
    std::fs::write(&path, text).unwrap();
    let (code, out, _) = verify(&[path.to_str().unwrap()], b"");
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = out.lines().collect();
    let begins = [
        "good       the whole log up to its checkpoint: nothing changed, removed, inserted or swapped",
        "log        log.example/osel",
        "key        log.example/osel+6ae2a71d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "           the bundle's own: nobody vouches for it",
        "checkpoint 2 records, root 0bcBUtDBleOGmRny8ejEx5y5ug4gncnQlz7P0cZR4DU=",
        "           and an earlier one",
        "records    2, from 1 to 2",
        "parts      2 body, 2 personal, 2 payload (1 missing), 2 exposure",
    ];
    assert_eq!(lines.len(), begins.len(), "{out}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}\n{begin}");
    }
}

#[test]
fn keys_that_followed_are_told_from_the_given_one_on() {
    let text = vectors().bundles.into_iter().find(|bundle| bundle.name == "keys, some").unwrap().text;
    let first = text.lines().next().unwrap();
    let keys: Vec<String> = serde_json::from_str::<serde_json::Value>(first).unwrap()["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key.as_str().unwrap().to_owned())
        .collect();
    for (at, key) in keys.iter().enumerate() {
        let (code, out, _) = verify(&["-", "--key", key], text.as_bytes());
        assert_eq!(code, Some(0));
        let told: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("then       ")).collect();
        assert_eq!(told, keys[at + 1..]);
        assert!(out.contains(&format!("key        {key}\n")), "{out}");
        assert!(out.contains("without some of the records since"), "{out}");
    }
}

#[test]
fn tampered_bundles_are_named() {
    let Vectors { bundles, tampered, .. } = vectors();
    for vector in tampered {
        let good = bundles.iter().find(|bundle| bundle.name == vector.of).unwrap().text.as_bytes();
        let end = vector.at + vector.remove;
        let bundle = [&good[..vector.at], vector.insert.as_bytes(), &good[end..]].concat();
        let (code, out, err) = verify(&["-"], &bundle);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{vector:?}: {err}");
        let place = match vector.record {
            Some(record) => format!("osel-verify: record {record} (line "),
            None => "osel-verify: line ".to_owned(),
        };
        assert!(err.starts_with(&place), "{vector:?}: {err}");
        let confirmed = match vector.confirmed {
            0 => "nothing before it is confirmed\n".to_owned(),
            1 => "the first record of the bundle is confirmed\n".to_owned(),
            count => format!("the first {count} records of the bundle are confirmed\n"),
        };
        assert!(err.ends_with(&confirmed), "{vector:?}: {err}");
    }
}

#[test]
fn other_troubles_have_codes_of_their_own() {
    let (code, out, _) = verify(&["--help"], b"");
    assert!(code == Some(0) && out.contains("Usage: osel-verify [--key VERIFIER-KEY]"));
    assert!(out.lines().all(|line| line.chars().count() <= 140), "{out}");
    let (code, out, _) = verify(&["--version"], b"");
    assert_eq!((code, out), (Some(0), format!("osel-verify {}\n", env!("CARGO_PKG_VERSION"))));
    let (code, _, err) = verify(&[], b"");
    assert_eq!((code, err.as_str()), (Some(2), "osel-verify: no bundle is named; see osel-verify --help\n"));
    for path in ["/nowhere/to\nbe/found", "/"] {
        let (code, _, err) = verify(&[path], b"");
        assert_eq!((code, err.lines().count()), (Some(3), 1), "{err}");
        assert!(err.starts_with("osel-verify: cannot read `/"), "{err}");
    }
    // What is no bundle at all is bad, not unreadable.
    for text in [&b""[..], b"\0\xff\n", b"{}\n", b"{\"osel-bundle\":3,\"key\":\"\"}\n"] {
        assert_eq!(verify(&["-"], text).0, Some(1));
    }
}

#[test]
fn the_checker_in_python_agrees() {
    let checker = root().join("tests/python/bundle.py");
    let output = Command::new("python3")
        .arg("-B")
        .arg(&checker)
        .arg("--vectors")
        .arg(root().join(VECTORS))
        .output()
        .expect("this test runs the independent checker and needs `python3` on the PATH");
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the checker in Python disagrees: {complained}");
    assert!(said.starts_with("9 bundles and 793 tampered ones as expected"), "{said}");
}
