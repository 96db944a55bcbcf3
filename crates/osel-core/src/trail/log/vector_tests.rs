//! The formats by literal texts: what two other implementations, Go's `sumdb` among them, made of the same leaves and keys.
//!
//! Leaf `i` is the entry that is `i` in decimal.

use std::convert::Infallible;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::super::hash::{Hash, leaf_hash};
use super::super::merkle::{
    ProofError, Tree, consistency_plan, empty_root, inclusion_plan, tree_root, verify_consistency,
    verify_inclusion,
};
use super::text::{base64, hash_from_base64};
use super::*;

pub(super) const LOG: &str = "log.example/osel";
pub(super) const LOG_KEY: &str = "log.example/osel+6ae2a71d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
pub(super) const LOG_PRIVATE: &str =
    "PRIVATE+KEY+log.example/osel+6ae2a71d+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
pub(super) const WITNESS: &str = "witness.example/w1";
pub(super) const WITNESS_KEY: &str =
    "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
pub(super) const COSIGNED: &str = "\
log.example/osel
8
O4WpYmwcy2TGuV7H+mSIje/izxLjnnfhCBLOX8uctY4=

— log.example/osel auKnHWnmbak8zsz/vmFnmKbYAJj2Otf5DbvBPbkTMFvjnWRDFnZE6KbP/fia/6ASG1zjw+EoNMz8TOTfTkyE2JhKEgs=
— witness.example/w1 IDJKvgAAAABlU/EA/gS/+oqm+OvoDEINc+ODpcgoNIy5n/DqpNXBIXliy3EmQpLDhD29Wat5SjWArEVOvv8sVrRosX3RxQo+FmWjDQ==
";
/// When the witness of the vectors saw the checkpoint.
pub(super) const SEEN_AT: u64 = 1_700_000_000;

fn entry(index: u64) -> String {
    index.to_string()
}

pub(super) fn leaves(range: Range<u64>) -> Vec<Hash> {
    range.map(|index| leaf_hash(entry(index).as_bytes())).collect()
}

fn root(size: u64) -> Hash {
    tree_root(leaves(0..size))
}

fn hash(text: &str) -> Hash {
    hash_from_base64(text).expect("a hash in base64")
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Hash(Sha256::digest(bytes).into()).to_string()
}

/// What is kept of a tree of these leaves: all that is asked for, worked out from them.
fn kept(leaves: &[Hash]) -> impl FnMut(u8, Range<u64>) -> Result<Vec<Hash>, Infallible> {
    |level, range| {
        let width = 256_usize.pow(level.into());
        let node = |index| tree_root(leaves[index as usize * width..][..width].iter().copied());
        Ok(range.map(node).collect())
    }
}

fn inclusion(leaves: &[Hash], index: u64, size: u64) -> Vec<Hash> {
    let plan = inclusion_plan(index, size).expect("within the tree");
    prove(plan, &mut kept(leaves)).expect("all is kept")
}

fn consistency(leaves: &[Hash], old: u64, new: u64) -> Vec<Hash> {
    prove(consistency_plan(old, new).expect("the tree grew"), &mut kept(leaves)).expect("all is kept")
}

pub(super) fn seed(first: u8) -> [u8; 32] {
    std::array::from_fn(|place| first + place as u8)
}

pub(super) fn name(text: &str) -> KeyName {
    text.parse().expect("a name")
}

pub(super) fn log_key() -> SigningKey {
    SigningKey::from_seed(name(LOG), &seed(0))
}

pub(super) fn witness_key() -> CosigningKey {
    CosigningKey::from_seed(name(WITNESS), &seed(0x20))
}

pub(super) fn keys(texts: &[&str]) -> Vec<VerifierKey> {
    texts.iter().map(|text| text.parse().expect("a key")).collect()
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { origin: name(LOG), size, root: root(size) }
}

#[test]
fn leaves_and_roots() {
    let wanted = [
        "2zQm6HgGjSjSabbIcXIyLOU3K2V1bQeJAB00g19gHAM=",
        "IhXorE4rhxwqSBieeXOMlWwIHiOsLyQVv3faGZ39kgw=",
        "+mHj3sNDlYn0eEyJO/Mh0AhPBMVyx68raOPzNgo1tIY=",
        "kGxdJIXK5yIHOkMPTQT+F2dQdZLO8iZimurbhaLskJ0=",
        "EeH1WCI/THG2vhzs/R8N6HFG0llId8J7KexRn5BAITw=",
        "UzBPXj/UvNILOave8v4RgDHMWughe86gCN6n4nhpNIo=",
        "O/nIHCMcrnC2eNPzA4+fT21rnXrc+bN48lkZrlPRdoY=",
        "eXQnz4NoBR/nuOPp1a3pxbydDPlvTz+tKh4deEg2gYg=",
    ];
    assert_eq!(leaves(0..8), wanted.map(hash));
    assert_eq!(leaf_hash(b""), hash("bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="));
    let all = leaves(0..300);
    for (size, wanted) in [
        (0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        (1, "2zQm6HgGjSjSabbIcXIyLOU3K2V1bQeJAB00g19gHAM="),
        (2, "ywCYnZSlacCmeK4EK2Pc1GJduWRAUX83put5duok7Us="),
        (3, "cl1SMNto9VdHDcNfHYhlgTrNfrsHrRUndBQd7LrnEyc="),
        (4, "n0o/wg1BYtw31OI9kHhIcxp2BD//9taSiL8av7z/R44="),
        (5, "tnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc="),
        (6, "MoBcxelBNHQ9CqWA7y7jMmh7aH/C5OL3L+4cxxLgugw="),
        (7, "o+I7Msy2v5bQktFl2KpUbgmCnejwOw6JV1gdHha5K98="),
        (8, "O4WpYmwcy2TGuV7H+mSIje/izxLjnnfhCBLOX8uctY4="),
        (255, "Mvhbyqh9e80Fco8J6a66NQumovczgwCH8Fl2goSL5cs="),
        (256, "goUV0DPBnYyQHzfsy4rtkZZncDSG+NL/8c9wQDIcXbE="),
        (257, "HtoEmkNR2G92JSvX7At3Rq11t/oDFq1fVB29pFijEsQ="),
        (300, "hOE+weA3FVrmGXV1mbLNIa2lpWXg/ZsxOcDDxsG4rak="),
    ] {
        assert_eq!(tree_root(all[..size as usize].iter().copied()), hash(wanted), "{size}");
        assert_eq!(Tree::resume(size, &mut kept(&all)).map(|tree| tree.root()), Ok(hash(wanted)), "{size}");
        assert_eq!(range_hash(0..size, &mut kept(&all)), Ok(hash(wanted)), "{size}");
    }
}

#[test]
fn named_proofs() {
    let [a, b, c, d, e] = [
        "1R8t/stZVm2r27a0C/ZRzfOeZ3tEJRZeIXWQ/z4BDts=",
        "0nN9zop98dfVz01fUtJ0gCxxv+IKLgeGguccGC05jJA=",
        "84SgD/FIOtEjwFy1A1yb+kai2SVUil+jas8Xdsmw9Eg=",
        "lz8IOVfHNZ+xlDrPnmaJvKbKXqcZfYCKrTwUSYaJ7+A=",
        "MfKXOrY+GTdd/g0WWpLr2aE9KLXm/HgHLEBovXu/vDc=",
    ]
    .map(hash);
    let all = leaves(0..300);
    let [_, l1, l2, l3, l4, _, l6, l7, ..] = all[..] else { panic!("300 leaves") };
    let (r2, r4) = (root(2), root(4));
    for (index, size, wanted) in [
        (0, 1, vec![]),
        (0, 7, vec![l1, a, d]),
        (6, 7, vec![b, r4]),
        (3, 5, vec![l2, r2, l4]),
        (4, 5, vec![r4]),
        (5, 8, vec![l4, c, r4]),
    ] {
        assert_eq!(inclusion(&all, index, size), wanted, "{index} in {size}");
    }
    let long = inclusion(&all, 299, 300);
    assert_eq!((long.len(), long.last()), (5, Some(&root(256))));
    for (old, new, wanted) in [
        (1, 2, vec![l1]),
        (3, 7, vec![l2, l3, r2, d]),
        (4, 7, vec![d]),
        (6, 8, vec![b, c, r4]),
        (4, 8, vec![e]),
        (7, 8, vec![l6, l7, b, r4]),
        (3, 8, vec![l2, l3, r2, e]),
        (5, 5, vec![]),
        (256, 300, vec![hash("mMRJ1qM3XsOYczG/+Rm4IMbDOeNnkBcO1KnqcOi0tYM=")]),
    ] {
        assert_eq!(consistency(&all, old, new), wanted, "{old} to {new}");
    }
}

#[test]
fn all_proofs_of_small_trees_from_kept_hashes() {
    let digest = |hashes: &[Hash]| sha256(hashes.iter().flat_map(|hash| hash.0).collect::<Vec<_>>());
    let leaves = leaves(0..300);
    let all = &leaves[..];
    let mut tree = Tree::default();
    let grow = |leaf: &Hash| {
        tree.push(*leaf);
        tree.root()
    };
    let roots: Vec<Hash> = all.iter().map(grow).collect();
    assert_eq!(digest(&roots), "f39d6887188246346fe6f8f1d9bd617fee2782bf80004b41396ab91f9f220338");
    let sizes = 1..=64_u64;
    let proofs: Vec<_> = sizes.clone().flat_map(|n| (0..n).flat_map(move |i| inclusion(all, i, n))).collect();
    assert_eq!(proofs.len(), 11376);
    assert_eq!(digest(&proofs), "bbc6047f50324b0e174128779a1a326d40461bb4256e00fcdcc57359523a298d");
    let proofs: Vec<_> = sizes.flat_map(|n| (1..=n).flat_map(move |m| consistency(all, m, n))).collect();
    assert_eq!(proofs.len(), 11055);
    assert_eq!(digest(&proofs), "11ad42e399adf119b37249c9dd98ae0359cab86c54145b7fce63f1410511da9e");
}

#[test]
fn wrong_proofs_prove_nothing() {
    let all = leaves(0..8);
    let (leaf, root) = (all[5], root(8));
    let path = inclusion(&all, 5, 8);
    let check = |index, path: &[Hash]| verify_inclusion(leaf, index, 8, path, root);
    assert_eq!(check(5, &path), Ok(()));
    assert_eq!(check(5, &path[1..]), Err(ProofError::Length { found: 2, expected: 3 }));
    assert_eq!(
        check(5, &[&path[..], &path[..1]].concat()),
        Err(ProofError::Length { found: 4, expected: 3 })
    );
    assert_eq!(check(5, &[path[1], path[0], path[2]]), Err(ProofError::Root));
    assert_eq!(check(8, &path), Err(ProofError::NoSuchLeaf { index: 8, size: 8 }));
    let path = consistency(&all, 3, 8);
    let old = tree_root(leaves(0..3));
    let check = |path: &[Hash]| verify_consistency(3, old, 8, root, path);
    assert_eq!(check(&path), Ok(()));
    assert_eq!(check(&path[..3]), Err(ProofError::Length { found: 3, expected: 4 }));
    assert_eq!(check(&[path[1], path[0], path[2], path[3]]), Err(ProofError::OldRoot));
    assert_eq!(check(&[path[0], path[1], path[2], path[2]]), Err(ProofError::Root));
    assert!(verify_consistency(0, empty_root(), 8, root, &path).is_err());
    assert_eq!(verify_consistency(8, root, 3, old, &path), Err(ProofError::Smaller { old: 8, new: 3 }));
}

#[test]
fn tiles_and_bundles() {
    let tile = |range: Range<u64>| leaves(range).iter().flat_map(|hash| hash.0).collect::<Vec<_>>();
    let bundle = |range: Range<u64>| {
        let mut bytes = Vec::new();
        range.for_each(|index| push_entry(&mut bytes, entry(index).as_bytes()).expect("short"));
        bytes
    };
    assert_eq!(tile(0..256).len(), 8192);
    assert_eq!(sha256(tile(0..256)), "b9704a8bfbee2c61185ceb38904a49f3f703c81e194b5b2ccdc254c2bdaaa62b");
    assert_eq!(sha256(tile(256..300)), "03c8b91297109114834f4ea4b4043313b3abf15301439b30371d874810427409");
    assert_eq!(sha256(tile(0..3)), "638b6fbfd46eda6f696d6f335d8356fd9569c7a19cdb080f7544ff24939672c8");
    assert_eq!(sha256(bundle(0..256)), "94693d5c6d6a0355ec07bac8214516c1ce6a5100b0588f226fd95f26571157d7");
    assert_eq!(bundle(0..3), b"\0\x010\0\x011\0\x012");

    let mut nodes = Vec::new();
    let mut tree = Tree::default();
    leaves(0..300).into_iter().for_each(|leaf| tree.push_with(leaf, &mut |node| nodes.push(node)));
    assert_eq!(nodes, [Node { level: 1, index: 0, hash: root(256) }]);
    assert_eq!(tree.root(), root(300));

    let entries = bundle(256..300);
    let entries = read_entries(&entries).expect("a bundle");
    let hashes = read_hashes(&tile(256..300)).expect("a tile");
    assert_eq!(check_entries(&entries, &hashes), Ok(()));
    assert_eq!(check_entries(&entries[1..], &hashes), Err(TileError::Widths { entries: 43, hashes: 44 }));
    let mut other = entries.clone();
    other[7] = b"264";
    assert_eq!(check_entries(&other, &hashes), Err(TileError::Hash { entry: 7 }));
}

#[test]
fn keys_in_writing() {
    let key = log_key();
    assert_eq!(key.verifier().to_string(), LOG_KEY);
    assert_eq!(key.text(), LOG_PRIVATE);
    assert_eq!(key.verifier().id(), [0x6a, 0xe2, 0xa7, 0x1d]);
    assert_eq!(LOG_KEY.parse(), Ok(key.verifier()));
    let read: SigningKey = LOG_PRIVATE.parse().expect("a private key");
    assert_eq!((read.text(), read.verifier()), (key.text(), key.verifier()));
    assert_eq!(format!("{key:?}"), format!("SigningKey({LOG_KEY:?})"));
    assert_eq!(witness_key().verifier().to_string(), WITNESS_KEY);
    assert_eq!(WITNESS_KEY.parse(), Ok(witness_key().verifier()));
    assert_eq!(witness_key().verifier().kind(), KeyKind::Cosignature);
}

#[test]
fn the_cosigned_checkpoint() {
    let checkpoint = checkpoint(8);
    let note = checkpoint.sign(&log_key()) + &witness_key().cosign(&checkpoint.text(), SEEN_AT);
    assert_eq!(note, COSIGNED);
    assert_eq!(note.len(), 307);
    assert_eq!(sha256(&note), "2c688da04019e403ce0487b27c3518d2b5370bf876b0df3f69f5626684cdfd45");
    let both = keys(&[WITNESS_KEY, LOG_KEY]);
    assert_eq!(Checkpoint::open(note.as_bytes(), &both), Ok(checkpoint));
    let read = Note::read(note.as_bytes()).expect("a note");
    assert_eq!(read.verify(&both), Ok(vec![&both[1], &both[0]]));
    assert_eq!(read.cosigned_at(&both[0]), Some(SEEN_AT));
    assert_eq!(read.cosigned_at(&both[1]), None);
    assert_eq!(
        read.signers().collect::<Vec<_>>(),
        [(LOG, [0x6a, 0xe2, 0xa7, 0x1d]), (WITNESS, [0x20, 0x32, 0x4a, 0xbe])]
    );
}

#[test]
fn a_proof_in_writing() {
    let proof = LogProof { index: 5, path: inclusion(&leaves(0..8), 5, 8), checkpoint: COSIGNED.to_owned() };
    let text = proof.text();
    assert_eq!(text.len(), 474);
    assert_eq!(sha256(&text), "d21cad23750f662e36786153478b8687e870ab8516316a36b1d22fd5b263383f");
    assert_eq!(LogProof::read(text.as_bytes()), Ok(proof.clone()));
    let known = keys(&[LOG_KEY]);
    assert_eq!(proof.verify(leaves(5..6)[0], &known), Ok(checkpoint(8)));
    assert_eq!(proof.verify(leaves(4..5)[0], &known), Err(LogProofError::Inclusion(ProofError::Root)));
}

/// The request to a witness (C2SP `tlog-witness`) is made of these texts and no others.
#[test]
fn the_body_for_a_witness() {
    let path: String = consistency(&leaves(0..8), 3, 8).iter().map(|hash| base64(&hash.0) + "\n").collect();
    let body = format!("old 3\n{path}\n{}", checkpoint(8).sign(&log_key()));
    assert_eq!(body.len(), 366);
    assert_eq!(sha256(&body), "76ba716bd1bc51c53a924ca336dece37ee38c71dd6468d6213294742ece30d7b");
}
