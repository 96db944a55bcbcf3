//! `osel audit verify`: walks the chain and names the first bad record.

use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use osel_core::trail::{Bad, NotedHead, PartClass, StoredContent, StoredPart, StoredRecord, Verifier};
use serde_json::json;

use super::payload::Payloads;
use crate::cli::StoreArg;
use crate::cli::output::{Failure, OutputFormat, json_line, progress, stdout};
use crate::store::{self, PartContent, Place, Reader};

/// Checks the whole trail and names the first bad record.
///
/// Every record's hash covers its content and its predecessor's hash, so that a flipped, removed, inserted or swapped one shows. A cut
/// tail does not show by itself: note the head that this prints somewhere else, and give it back with --head.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    store: StoreArg,
    /// A head noted earlier, as this command prints it (SEQ:HASH).
    #[arg(long, value_name = "HEAD")]
    head: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

/// What verification found.
pub(in crate::cli) enum Finding {
    /// Nothing bad: how many records, the head, and what parts were there.
    Good { records: u64, head: NotedHead, parts: String },
    /// The first bad record, and why.
    Bad { seq: u64, why: String },
}

pub(in crate::cli) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let noted = args.head.as_deref().map(str::parse::<NotedHead>).transpose();
    let noted = noted.map_err(|error| Failure::Usage(format!("--head: {error}")))?;
    let finding = verify(&mut *args.store.reader()?, noted)?;
    let mut out = stdout();
    let code = match (&finding, args.output) {
        (Finding::Good { records, head, parts }, OutputFormat::Json) => {
            json_line(&mut out, &json!({"verified": true, "records": records, "head": head.to_string()}))?;
            let _ = parts;
            ExitCode::SUCCESS
        }
        (Finding::Good { records, head, parts }, _) => {
            writeln!(out, "{records} records verified: nothing changed, removed, inserted or swapped")?;
            writeln!(out, "parts: {parts}")?;
            writeln!(out, "head: {head}")?;
            ExitCode::SUCCESS
        }
        (Finding::Bad { seq, why }, OutputFormat::Json) => {
            json_line(&mut out, &json!({"verified": false, "bad": seq, "reason": why}))?;
            ExitCode::from(1)
        }
        (Finding::Bad { seq, why }, _) => {
            writeln!(out, "record {seq} is the first bad one: {why}")?;
            ExitCode::from(1)
        }
    };
    out.flush()?;
    Ok(code)
}

/// Walks the trail of a store.
///
/// # Errors
/// When the store cannot be read; damage that the trail explains is a finding, not an error.
pub(in crate::cli) fn verify(reader: &mut dyn Reader, noted: Option<NotedHead>) -> anyhow::Result<Finding> {
    let head = reader.head()?;
    let bar = progress("records");
    let mut verifier = Verifier::new(noted);
    let mut bad: Option<(u64, String)> = None;
    let mut last = 0;
    let mut payloads = Payloads::default();
    // Two readers would see two moments: entries are fetched between pages of records.
    const PAGE: u64 = 1000;
    let mut from = 1;
    while bad.is_none() {
        let mut page = Vec::new();
        let read = reader.records(from..=from + PAGE - 1, &mut |record| {
            page.push(record);
            ControlFlow::Continue(())
        });
        let page_len = page.len();
        for record in page {
            bar.inc(1);
            last = record.seq;
            if let Err(found) = push(&mut payloads, reader, &mut verifier, &record)? {
                bad = Some(found);
                break;
            }
        }
        if bad.is_none()
            && let Err(error) = read
        {
            match error.place() {
                Some(Place::Record(seq)) => bad = Some((seq, error.to_string())),
                _ => return Err(error.into()),
            }
        }
        if page_len == 0 {
            break;
        }
        from = last + 1;
    }
    bar.finish_and_clear();
    if let Some((seq, why)) = bad {
        return Ok(Finding::Bad { seq, why });
    }
    Ok(match verifier.finish() {
        Err(Bad { seq, why }) => Finding::Bad { seq, why: why.to_string() },
        Ok(verified) if verified.head.seq != head.seq || verified.head.hash.0 != head.hash => Finding::Bad {
            seq: verified.head.seq.min(head.seq) + 1,
            why: format!(
                "the store says that its last record is {}, found is {}",
                head.seq, verified.head.seq
            ),
        },
        Ok(verified) => Finding::Good {
            records: verified.records,
            head: verified.head.noted(),
            parts: verified.parts.to_string(),
        },
    })
}

/// Checks one record with the entry that it stems from.
fn push(
    payloads: &mut Payloads,
    reader: &mut dyn Reader,
    verifier: &mut Verifier,
    record: &store::StoredRecord,
) -> anyhow::Result<Result<(), (u64, String)>> {
    let in_entry = record.parts.iter().any(|part| part.content == PartContent::InEntry);
    let payload = if in_entry {
        match payloads.body(reader, record.entry) {
            Ok(body) => body,
            Err(error) if error.place().is_some() => return Ok(Err((record.seq, error.to_string()))),
            Err(error) => return Err(error.into()),
        }
    } else {
        None
    };
    let mut parts = Vec::new();
    for part in &record.parts {
        let Some(class) = PartClass::from_code(part.class) else {
            return Ok(Err((record.seq, format!("a part has the unknown class {}", part.class))));
        };
        let bytes = match &part.content {
            PartContent::Bytes(bytes) => Some(bytes.as_slice()),
            PartContent::InEntry => payload.as_deref(),
            PartContent::Gone => None,
        };
        let content = match bytes {
            Some(bytes) => StoredContent::Present { salt: &part.salt, bytes },
            None => StoredContent::Missing,
        };
        parts.push(StoredPart { class, project: part.project.as_deref(), content });
    }
    let stored = StoredRecord {
        seq: record.seq,
        canonical: &record.canonical,
        hash: Some(&record.hash),
        parts: &parts,
    };
    Ok(match verifier.push(&stored) {
        Ok(_) => Ok(()),
        Err(Bad { seq, why }) => Err((seq, why.to_string())),
    })
}
