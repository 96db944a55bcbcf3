//! What osel has kept, asked of the program as an operator would.

use osel_core::time::Timestamp;
use serde_json::Value;

use super::super::{Osel, gap};
use super::fault::Loss;
use super::judge::{Gap, Kept, Ledger};
use crate::command::{self, json_lines};

/// Asks for all of it.
pub fn gather(osel: &Osel) -> Kept {
    let store = osel.store();
    let verified = command::osel(&["audit", "verify", "--store", &store]);
    let said = || [&verified.stdout[..], &verified.stderr].map(String::from_utf8_lossy).concat();
    let unverified = (!verified.status.success()).then(said);
    let records = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    let ids = records.iter().filter_map(|record| record["message_id"].as_str()).map(str::to_owned);
    let gaps = records.iter().filter(|record| record["kind"] == "gap").map(gap_of);
    let ledger = json_lines(&["ledger", "--store", &store, "-o", "json"]);
    Kept {
        ids: ids.collect(),
        gaps: gaps.collect(),
        ledger: ledger.first().map(ledger_of).unwrap_or_default(),
        unverified,
        log_lines: osel.lines(&[""]).len(),
    }
}

fn gap_of(record: &Value) -> Gap {
    let [from, to, why] = gap(record);
    let time = |text: &str| Timestamp::parse(text).unwrap();
    let loss = if why.contains("not bound") { Loss::Bindings } else { Loss::Content };
    Gap { from: time(&from), to: time(&to), loss }
}

fn ledger_of(line: &Value) -> Ledger {
    let count = |key: &str| line[key].as_u64().unwrap();
    Ledger {
        received: count("received"),
        recorded: count("recorded"),
        duplicate: count("duplicate"),
        ignored: count("ignored"),
        quarantined: count("quarantined"),
    }
}
