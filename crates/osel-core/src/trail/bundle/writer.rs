//! Writing a bundle: line by line, each given as bytes to whoever keeps them.
//!
//! The writer knows how lines look and what the last one says. Whether they fit together is not its matter: whoever writes a bundle has a
//! [`Checker`](super::Checker) read along, so that nobody gets one that does not hold.

use sha2::{Digest, Sha256};

use super::super::hash::{Hash, Salt};
use super::super::log::VerifierKey;
use super::form::{write_bytes, write_hashes, write_text};
use super::line;

/// What of the log a bundle holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All records up to its checkpoint.
    Whole,
    /// Some records, each with its path.
    Some,
}

/// A record, to be written.
#[derive(Clone, Copy, Debug)]
pub struct BundleRecord<'a> {
    /// Its number.
    pub seq: u64,
    /// Its canonical bytes.
    pub canonical: &'a [u8],
    /// Its parts in their order; none for one that is missing.
    pub parts: &'a [Option<BundlePart<'a>>],
    /// The path to the checkpoint's root; not written in a whole bundle.
    pub path: &'a [Hash],
}

/// A part that is there.
#[derive(Clone, Copy, Debug)]
pub struct BundlePart<'a> {
    /// What it was sealed with.
    pub salt: &'a Salt,
    /// Its bytes.
    pub content: &'a [u8],
}

/// Makes the lines of one bundle. Each call puts one whole line into a buffer, in place of what is there.
#[derive(Clone, Debug)]
pub struct Writer {
    scope: Scope,
    digest: Sha256,
}

impl Writer {
    /// Begins a bundle of so many records, which are proved by a checkpoint of the log that has had these keys; the last one signed it. Of
    /// several each but the last is to be handed on before anything else follows.
    pub fn begin(
        scope: Scope,
        keys: &[VerifierKey],
        records: u64,
        checkpoint: &str,
        out: &mut String,
    ) -> Self {
        out.clear();
        out.push_str(line::HEADER);
        if let [key] = keys {
            out.push_str("1,\"key\":");
            write_text(&key.to_string(), out);
        } else {
            out.push_str("2,\"keys\":[");
            for (place, key) in keys.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_text(&key.to_string(), out);
            }
            out.push(']');
        }
        out.push_str(match scope {
            Scope::Whole => ",\"whole\":true",
            Scope::Some => ",\"whole\":false",
        });
        out.push_str(&format!(",\"records\":{records},\"checkpoint\":"));
        write_text(checkpoint, out);
        out.push_str("}\n");
        Self { scope, digest: Sha256::new_with_prefix(out.as_bytes()) }
    }

    /// The next key is handed on: the last checkpoint by the one before, the proof that the bundle's checkpoint begins with its tree, and
    /// the record that names both, with its path to that earlier checkpoint.
    pub fn handover(&mut self, note: &str, proof: &[Hash], record: &BundleRecord<'_>, out: &mut String) {
        out.clear();
        out.push_str(line::HANDOVER);
        write_text(note, out);
        out.push_str(",\"proof\":");
        write_hashes(proof, out);
        out.push_str(",\"seq\":");
        write_record(record, true, out);
        self.close(out);
    }

    /// The second line of a bundle of some records, behind those that hand on a key: an earlier checkpoint, and the proof that the later one's tree begins with its.
    pub fn since(&mut self, note: &str, proof: &[Hash], out: &mut String) {
        out.clear();
        out.push_str(line::SINCE);
        write_text(note, out);
        out.push_str(",\"proof\":");
        write_hashes(proof, out);
        self.close(out);
    }

    /// The next record.
    pub fn record(&mut self, record: &BundleRecord<'_>, out: &mut String) {
        out.clear();
        out.push_str(line::RECORD);
        write_record(record, self.scope == Scope::Some, out);
        self.close(out);
    }

    /// An earlier checkpoint of a whole bundle, right after the last record that it stands for.
    pub fn checkpoint(&mut self, note: &str, out: &mut String) {
        out.clear();
        out.push_str(line::CHECKPOINT);
        write_text(note, out);
        self.close(out);
    }

    /// The last line.
    pub fn end(self, out: &mut String) {
        let digest = Hash(self.digest.finalize().into());
        out.clear();
        out.push_str(&format!("{}\"{digest}\"}}\n", line::END));
    }

    fn close(&mut self, out: &mut String) {
        out.push_str("}\n");
        self.digest.update(out.as_bytes());
    }
}

/// A record from its number on, without the brace at its end.
fn write_record(record: &BundleRecord<'_>, has_path: bool, out: &mut String) {
    out.push_str(&record.seq.to_string());
    out.push_str(",\"canonical\":");
    write_bytes(record.canonical, out);
    out.push_str(",\"parts\":[");
    for (place, part) in record.parts.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        match part {
            None => out.push_str("null"),
            Some(BundlePart { salt, content }) => {
                out.push_str("{\"salt\":");
                write_bytes(&salt[..], out);
                out.push_str(",\"content\":");
                write_bytes(content, out);
                out.push('}');
            }
        }
    }
    out.push(']');
    if has_path {
        out.push_str(",\"path\":");
        write_hashes(record.path, out);
    }
}
