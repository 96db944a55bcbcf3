//! `osel demo`: the whole job on a recorded cloud, with nothing else installed.
//!
//! The messages are real and so are the scans: exposed addresses are mapped to sockets on 127.0.0.0/8 that the demo opens itself
//! (see `stage`). Everything between, from decoding to the verified trail, is what the daemon does.

mod stage;

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use osel_core::decode::decode;
use osel_core::engine::record::Record;
use osel_core::engine::{ATTEMPT_SECONDS, EngineOptions};
use osel_core::finding::FindingState;
use osel_core::plan::ScanPolicy;
use osel_core::scan::{BUILTIN, ScanCommand, ScanEnd, ScanOutcome, ScanReport, ScanStep, Severity};
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;

use self::stage::Stage;
use super::audit::record;
use super::open::writer_at;
use super::output::{colours, note, stdout};
use super::replay::{Scratch, import};
use super::trail_key;
use crate::config::StoreConfig;
use crate::runtime::Recorder;
use crate::runtime::log::BadLog;
use crate::runtime::verification::{Finding, verify};
use crate::source::inventory;
use crate::source::recording::Recording;
use crate::store::{Reader, Store};

const MESSAGES: &[u8] = include_bytes!("../../../demo/cloud.jsonl.gz");
const INVENTORY: &[u8] = include_bytes!("../../../demo/inventory.json");

/// Writes a line, and ends the demo quietly when nobody reads on.
macro_rules! say {
    ($($text:tt)*) => {{
        let mut out = stdout();
        writeln!(out, $($text)*)?;
        out.flush()?;
    }};
}

/// How long a line stays alone on a terminal before the next one: the whole story takes half a minute.
const PACE: Duration = Duration::from_millis(400);

/// Plays a recorded cloud: follows every change, works out its exposure, scans it, keeps a verified trail.
///
/// Needs nothing else. The notifications are those of a real Keystone and Neutron; the scans go to sockets that the demo opens on
/// 127.0.0.0/8 in place of the cloud's addresses: some listen, some do not, and one listens though nothing exposes it.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Do not pause between changes, end when all is done.
    #[arg(long)]
    once: bool,
    /// Where the web page will listen; there is none yet, so that nothing listens there.
    #[arg(long, value_name = "ADDR")]
    listen: Option<std::net::SocketAddr>,
    /// Keep the store in this new directory, to look at it afterwards.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

pub(super) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let scratch = Scratch::new("osel-demo")?;
    let directory = args.store.clone().unwrap_or_else(|| scratch.path().join("store"));
    if Store::exists(&directory) {
        let text = format!("`{}` holds a store already: the demo starts with a new one", directory.display());
        return Err(super::Failure::Usage(text).into());
    }
    if args.listen.is_some() {
        note("--listen: there is no web page yet; nothing listens");
    }
    std::fs::create_dir_all(scratch.path())?;
    let inventory_file = scratch.path().join("inventory.json");
    std::fs::write(&inventory_file, INVENTORY)?;

    // Of this recorded cloud every address may be scanned, since none of it is where it says: all lead to 127.0.0.0/8.
    let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let everywhere = everywhere.map(|address| ipnet::IpNet::new(address, 0));
    let allowed_prefixes = everywhere.into_iter().flatten().collect();
    let policy = ScanPolicy { allowed_prefixes, ..ScanPolicy::default() };
    let options = EngineOptions { scan: Some(policy), ..EngineOptions::default() };
    let store = StoreConfig::Directory(directory.clone());
    let journal = writer_at(&store)?;
    let store_id = journal.info().id.clone();
    let mut recorder = Recorder::resume(journal, &options)?;
    trail_key::sign(&mut recorder, &store, None, &store_id);
    let reader = Box::new(Store::open_reader(&directory)?);
    let paced = !args.once && std::io::stdout().is_terminal();
    let mut demo = Demo { recorder, reader, stage: Stage::new()?, told: 0, paced, sums: Sums::default() };
    demo.start(&inventory_file)?;
    demo.play()?;
    demo.end(args.store.as_deref())
}

#[derive(Default)]
struct Sums {
    messages: u64,
    changes: u64,
    opened: usize,
    closed: usize,
    failures: u64,
    scans: u64,
    surprises: u64,
}

struct Demo {
    recorder: Recorder,
    reader: Box<dyn Reader>,
    stage: Stage,
    /// The last record that was told.
    told: u64,
    paced: bool,
    sums: Sums,
}

impl Demo {
    fn start(&mut self, inventory_file: &Path) -> anyhow::Result<()> {
        say!(
            "A recorded cloud: the notifications of a real Keystone and Neutron, as they lay on the message bus."
        );
        say!(
            "Each change is followed to what it exposes; exactly that is scanned, on sockets of this machine.\n"
        );
        let summary = inventory::check(inventory_file)?;
        let at = summary.taken_at.unwrap_or(Timestamp::EPOCH);
        let run = self.recorder.begin_read(None, at, true);
        import(&mut self.recorder, inventory_file, &summary, run, at)?;
        self.recorder.flush()?;
        self.told = self.recorder.head().seq;
        Ok(())
    }

    fn play(&mut self) -> anyhow::Result<()> {
        let reader = std::io::BufReader::new(flate2::read::GzDecoder::new(MESSAGES));
        let mut recording =
            Recording::new("cloud.jsonl.gz".into(), Arc::from("demo"), None, Box::new(reader));
        let mut last = Timestamp::EPOCH;
        while let Some(recorded) = recording.next_message()? {
            let message = recorded.message;
            last = message.received_at;
            self.sums.messages += 1;
            self.recorder.message(message.received_at, &message, decode(&message))?;
            self.carry_out_all(message.received_at)?;
        }
        // The bus is silent now: what began and has not ended by then was denied or failed, and what was odd is looked at once more.
        let odd_since = i64::from(ScanPolicy::default().confirm_seconds);
        let silent = last.plus_seconds(odd_since.max(ATTEMPT_SECONDS) + 1);
        self.recorder.tick(silent)?;
        self.carry_out_all(silent)
    }

    /// Carries out what follows from what was recorded, and what a scan's end sets free.
    fn carry_out_all(&mut self, now: Timestamp) -> anyhow::Result<()> {
        loop {
            let commands = self.recorder.flush()?;
            self.tell()?;
            if commands.is_empty() {
                return Ok(());
            }
            for life in commands {
                let report = self.carry_out(&life.command)?;
                self.recorder.scan_reported(now, report)?;
            }
        }
    }

    fn carry_out(&mut self, command: &ScanCommand) -> anyhow::Result<ScanReport> {
        let mut hosts = Vec::new();
        for target in &command.targets {
            self.stage.set(target);
            hosts.push(self.stage.scan(target)?);
        }
        let outcome = ScanOutcome { scanner: BUILTIN.to_owned(), end: ScanEnd::Finished, hosts };
        Ok(ScanReport { id: command.id.clone(), step: ScanStep::Ended(outcome) })
    }

    /// Tells the records that have become durable.
    fn tell(&mut self) -> anyhow::Result<()> {
        let head = self.recorder.head().seq;
        let mut records = Vec::new();
        if head > self.told {
            self.reader.records(self.told + 1..=head, &mut |stored| {
                records.extend(record(&stored));
                ControlFlow::Continue(())
            })?;
        }
        self.told = head;
        let mut out = stdout();
        for record in &records {
            if let Some(line) = self.line(record) {
                writeln!(out, "{line}")?;
                out.flush()?;
                if self.paced {
                    std::thread::sleep(PACE);
                }
            }
        }
        Ok(())
    }

    /// A record as a line of the story; most records are quiet.
    fn line(&mut self, record: &Record) -> Option<String> {
        let time = record.header.time.to_string();
        let time = time.get(11..19).unwrap_or_default();
        let sentence = record.document().summary;
        let failed = record.header.kind != RecordKind::Scan && &*record.body.outcome == "failure";
        let (opened, closed) = (record.opened_count(), record.closed_count());
        let (sign, colour) = match record.header.kind {
            RecordKind::Scan => {
                self.sums.scans += 1;
                let surprise = record.body.detail.contains_key("open_though_not_exposed");
                self.sums.surprises += u64::from(surprise);
                (if surprise { "  !" } else { "  ?" }, if surprise { "31" } else { "36" })
            }
            _ if failed => {
                self.sums.failures += 1;
                ("✗", "35")
            }
            RecordKind::Change if opened + closed > 0 => {
                self.sums.changes += 1;
                self.sums.opened += opened;
                self.sums.closed += closed;
                if opened == 0 { ("-", "32") } else { ("+", "33") }
            }
            RecordKind::Finding => {
                let detail = |key: &str| record.body.detail.get(key).map(String::as_str);
                let resolved = detail("state") == Some(FindingState::Resolved.as_str());
                // Of the others the summary tells: each port that answers is one.
                if detail("severity") != Some(Severity::High.as_str()) {
                    return None;
                }
                if resolved { ("  ✓", "32") } else { ("  ⚑", "31") }
            }
            RecordKind::Gap => ("…", "2"),
            _ => return None,
        };
        let text = format!("{time} {sign} {sentence}");
        Some(if colours() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text })
    }

    fn end(mut self, kept: Option<&Path>) -> anyhow::Result<ExitCode> {
        self.recorder.finish()?;
        let exposed = osel_core::engine::all_rows(self.recorder.engine(), |_, _| true).len();
        let balanced =
            self.recorder.engine().ledger().values().all(osel_core::engine::SourceLedger::balances);
        let sums = &self.sums;
        say!(
            "\n{} notifications, each with its record; the ledger {}.",
            sums.messages,
            if balanced { "balances" } else { "does NOT balance" }
        );
        say!(
            "{} changes of exposure opened {} rows and closed {}; {exposed} rows are exposed now.",
            sums.changes,
            sums.opened,
            sums.closed
        );
        say!("{} logins and requests were denied or failed.", sums.failures);
        say!("{} scans came back; {} found something open that nothing exposes.", sums.scans, sums.surprises);
        let findings = self.recorder.engine().findings();
        let (resolved, open): (Vec<_>, Vec<_>) = findings.partition(|finding| finding.is_resolved());
        let is_silent = |finding: &&osel_core::finding::Finding| finding.severity == Severity::Info;
        let (silent, open): (Vec<_>, Vec<_>) = open.into_iter().partition(is_silent);
        say!(
            "{} findings are open, {} more are of exposed ports that nothing answers at; {} were resolved.",
            open.len(),
            silent.len(),
            resolved.len()
        );
        let good = match verify(&mut *self.reader, None, &mut || {})? {
            Finding::Good { records, head, untold, .. } if untold.is_nothing() => {
                say!(
                    "The trail is verified: {records} records, nothing changed, removed, inserted or swapped."
                );
                say!("Its head, to be noted elsewhere: {head}");
                true
            }
            Finding::Good { untold, .. } => {
                let missing = untold.parts + untold.locked;
                say!("The trail is NOT good: {missing} parts are missing that no record tells of.");
                false
            }
            Finding::Bad { seq, why } => {
                say!("The trail is NOT good: record {seq}: {why}");
                false
            }
            Finding::BadLog(BadLog { size, why }) => {
                say!("The trail is NOT good: its log of {size} records: {why}");
                false
            }
        };
        if let Some(directory) = kept {
            say!("\nLook at it:");
            let commands = [
                "exposure",
                "findings list",
                "scans list",
                "audit search --exposing",
                "audit verify",
                "ledger",
            ];
            for command in commands {
                say!("  osel {command} --store {}", directory.display());
            }
        } else {
            say!("\nTo look at the store afterwards: osel demo --store DIR");
        }
        Ok(if good && balanced { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
