//! `osel inventory export`: what a cloud's API shows, into a file that `osel inventory import` reads.
//!
//! It is the daemon's own driver, run once where the API can be reached. Objects are written as they come; a file gets its name when all
//! is in it, so that nobody takes a part for the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use osel_core::decode::Item;
use osel_core::event::{Assignment, Kind};
use osel_core::ids::{FixedState, Set};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;

use super::at_least_one;
use super::open::now;
use super::output::{Failure, note, progress, stdout};
use super::whole_file::WholeFile;
use crate::openstack::clouds::{self, Interface, Selection};
use crate::openstack::words::{ApiEvent, ApiOrder, Refusal, Ticket};
use crate::openstack::{self, Account, REQUESTS_PER_SECOND, Settings, is_everywhere};

/// Writes what a cloud's API shows into a file that import reads.
///
/// To be run where Keystone and Neutron can be reached; the daemon need not. The account comes from clouds.yaml and secure.yaml or from the
/// OS_ variables, as for the openstack command. Nothing is changed in the cloud. What the account was not shown is told, and what osel
/// does not know without it; when that makes the view of the network a partial one, nothing is written unless --partial is given.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The cloud in clouds.yaml; else OS_CLOUD, else what the OS_ variables say, else the only cloud there is.
    #[arg(long, value_name = "NAME")]
    cloud: Option<String>,
    /// The file to look into, with secure.yaml beside it; else clouds.yaml as the openstack command finds it.
    #[arg(long, value_name = "FILE")]
    clouds: Option<PathBuf>,
    /// The region in the cloud's catalog; else the cloud's first.
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Which of the services' addresses; else the cloud's own choice, which is public unless it says otherwise.
    #[arg(long, value_name = "WHICH")]
    interface: Option<InterfaceArg>,
    /// The file to write, readable for its owner only; - is standard output, which gets what is read as it comes, and its end only when all is well.
    #[arg(long, short = 'O', value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Write a partial view too. Collections that are not whole are named in the file, so that import takes nothing of them as gone.
    #[arg(long)]
    partial: bool,
    /// Leave out the names of users, projects, domains, groups, roles and servers.
    #[arg(long)]
    no_names: bool,
    /// Ask a cloud whose clouds.yaml says that its certificate is not to be verified: whoever answers then gets the password.
    #[arg(long)]
    insecure: bool,
    /// How many requests a second are sent at most.
    #[arg(long, value_name = "N", default_value_t = REQUESTS_PER_SECOND, value_parser = at_least_one)]
    requests_per_second: NonZeroU32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum InterfaceArg {
    Public,
    Internal,
    Admin,
}

pub(super) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let account = account(args)?;
    let cloud = account.cloud.name.clone();
    let settings = Settings {
        name: cloud.as_str().into(),
        account: Arc::new(move || Ok(account.clone())),
        names: !args.no_names,
        clock: now,
    };
    let mut target = Target::open(&args.output)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the reader of the API")?;
    let read = runtime.block_on(async {
        tokio::select! {
            summary = read(settings, &mut target) => summary,
            () = stopped() => bail!("interrupted: nothing is exported"),
        }
    });
    // A name that nobody resolves is not waited for.
    runtime.shutdown_background();
    let summary = read?;
    summary.tell(&cloud);
    if summary.is_partial() && !args.partial {
        bail!(
            "this is a partial view of cloud `{cloud}`, so {}: give the account more rights, or --partial",
            match target.out {
                Out::Stdout(_) => "its end is left out, without which import refuses it",
                Out::File(_) => "nothing is exported",
            }
        );
    }
    if summary.counts.counts.is_empty() {
        bail!(
            "nothing of cloud `{cloud}` was shown to this account, so nothing is exported: give it more rights"
        );
    }
    target.keep(&summary.not_whole())?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until somebody wants this to end; what was written so far goes then.
async fn stopped() {
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        // Without them the process ends as it would have.
        _ => pending().await,
    }
}

fn account(args: &ExportArgs) -> anyhow::Result<Account> {
    let mut selection = Selection::of_process();
    selection.cloud.clone_from(&args.cloud);
    selection.file.clone_from(&args.clouds);
    selection.region.clone_from(&args.region);
    let mut cloud = clouds::read(&selection).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::Usage(format!("{error}{cause}"))
    })?;
    if let Some(interface) = args.interface {
        cloud.interface = match interface {
            InterfaceArg::Public => Interface::Public,
            InterfaceArg::Internal => Interface::Internal,
            InterfaceArg::Admin => Interface::Admin,
        };
    }
    if !cloud.verify && !args.insecure {
        let text = format!(
            "cloud `{}` says that its certificate is not to be verified: name the authority's file by `cacert`, or give --insecure",
            cloud.name
        );
        return Err(Failure::Usage(text).into());
    }
    Ok(Account { cloud, requests_per_second: args.requests_per_second, insecure: args.insecure })
}

/// What was read and what was not.
#[derive(Debug, Default)]
struct Summary {
    counts: Counts,
    complete: Vec<Kind>,
    has_all_assignments: bool,
    refused: Vec<Refusal>,
}

/// How many objects each collection has.
#[derive(Debug, Default)]
struct Counts {
    counts: BTreeMap<String, u64>,
    /// Those of the collection that is open, by the hash of what tells them apart: a list that changes while it is read may show one on
    /// two of its pages, and both are written, since nobody knows which is later for whoever reads the file.
    shown: Set<u64>,
}

impl Counts {
    fn has(&self, collection: &str) -> bool {
        self.counts.contains_key(collection)
    }

    /// Another collection begins; collections come one after the other.
    fn begin(&mut self, collection: &str) {
        self.counts.entry(collection.to_owned()).or_default();
        self.shown.clear();
    }

    /// One more, unless it was counted before.
    fn count(&mut self, collection: &str, item: &Item) {
        let hasher = FixedState::default();
        let key = match item {
            Item::Object(object) => object.id().map(|id| hasher.hash_one(id)),
            Item::Named { id, .. } => Some(hasher.hash_one(id)),
            Item::Assignment(assignment) => Some(hasher.hash_one(assignment)),
        };
        if key.is_none_or(|key| self.shown.insert(key)) {
            *self.counts.entry(collection.to_owned()).or_default() += 1;
        }
    }
}

impl Summary {
    /// Whether a part of the network that every cloud has was not shown whole, or something of a kind that was not.
    fn is_partial(&self) -> bool {
        self.refused.iter().any(|refusal| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.plural() == refusal.what);
            kind.is_some_and(|kind| is_everywhere(kind) || self.counts.has(kind.plural()))
        })
    }

    /// The collections in the file that are not whole.
    fn not_whole(&self) -> BTreeSet<&str> {
        let kinds = Kind::ALL.into_iter().filter(|kind| !self.complete.contains(kind));
        let assignments = (!self.has_all_assignments).then_some(Assignment::PLURAL);
        kinds.map(Kind::plural).chain(assignments).filter(|name| self.counts.has(name)).collect()
    }

    fn tell(&self, cloud: &str) {
        let counts: Vec<String> =
            self.counts.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        note(format_args!(
            "{cloud}: {}",
            if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") }
        ));
        for Refusal { what, hides, why } in &self.refused {
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            note(format_args!("{cloud}: {what} not shown whole{why}: osel does not know {hides}"));
        }
    }
}

/// Reads everything into the target.
async fn read(settings: Settings, target: &mut Target) -> anyhow::Result<Summary> {
    let (ticket, cloud) = (Ticket(1), Arc::clone(&settings.name));
    let (order, orders) = unbounded_channel();
    let (tell, mut events) = unbounded_channel();
    let driver = tokio::spawn(openstack::run(settings, orders, move |event| {
        // Whoever no longer listens has given up.
        let _ = tell.send(event);
    }));
    order.send(ApiOrder::ReadAll { ticket })?;
    let bar = progress("objects");
    let mut summary = Summary::default();
    while let Some(event) = events.recv().await {
        match event {
            ApiEvent::Began { at, .. } => target.begin(at).with_context(|| target.failure())?,
            ApiEvent::Page { page, .. } => {
                bar.inc(page.items.len() as u64);
                let lines = page.text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
                for (line, item) in lines.zip(&page.items) {
                    target.object(line, item, &mut summary.counts).with_context(|| target.failure())?;
                }
                order.send(ApiOrder::Taken { ticket })?;
            }
            ApiEvent::Ended { complete, has_all_assignments, refused, .. } => {
                bar.finish_and_clear();
                let assignments = has_all_assignments.then_some(Assignment::PLURAL);
                for collection in complete.iter().map(|kind| kind.plural()).chain(assignments) {
                    let written = target.nothing(collection, &mut summary.counts);
                    written.with_context(|| target.failure())?;
                }
                summary = Summary { complete, has_all_assignments, refused, ..summary };
                return Ok(summary);
            }
            ApiEvent::Failed { words, .. } => bail!("cannot read cloud `{cloud}`: {words}"),
            ApiEvent::Found { .. } | ApiEvent::Absent { .. } => {}
        }
    }
    // It only ends before its order when it broke.
    driver.await?;
    bail!("cannot read cloud `{cloud}`: its reader ended")
}

/// Where the inventory goes.
struct Target {
    out: Out,
    /// The collection whose list is open.
    collection: Option<String>,
}

enum Out {
    Stdout(Box<dyn Write>),
    File(WholeFile),
}

impl Target {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let out = if path == Path::new("-") {
            Out::Stdout(Box::new(stdout()))
        } else {
            Out::File(WholeFile::create(path)?)
        };
        Ok(Self { out, collection: None })
    }

    /// What is said when it cannot be written.
    fn failure(&self) -> String {
        match &self.out {
            Out::Stdout(_) => "cannot write `standard output`".to_owned(),
            Out::File(file) => file.failure(),
        }
    }

    fn begin(&mut self, at: osel_core::time::Timestamp) -> io::Result<()> {
        write!(self.out, "{{\"taken_at\": \"{at}\"")
    }

    /// Writes a line of a page: collection, tabulator, object.
    fn object(&mut self, line: &[u8], item: &Item, counts: &mut Counts) -> io::Result<()> {
        let Some(tab) = line.iter().position(|&byte| byte == b'\t') else { return Ok(()) };
        let collection = String::from_utf8_lossy(&line[..tab]);
        if self.collection.as_deref() == Some(&*collection) {
            self.out.write_all(b",\n")?;
        } else {
            self.close()?;
            write!(self.out, ",\n\"{collection}\": [\n")?;
            counts.begin(&collection);
            self.collection = Some(collection.clone().into_owned());
        }
        counts.count(&collection, item);
        self.out.write_all(&line[tab + 1..])
    }

    /// Writes that there is nothing in a collection, unless there was something.
    fn nothing(&mut self, collection: &str, counts: &mut Counts) -> io::Result<()> {
        if counts.has(collection) {
            return Ok(());
        }
        self.close()?;
        counts.begin(collection);
        write!(self.out, ",\n\"{collection}\": []")
    }

    fn close(&mut self) -> io::Result<()> {
        match self.collection.take() {
            Some(_) => self.out.write_all(b"\n]"),
            None => Ok(()),
        }
    }

    fn end(&mut self, partial: &BTreeSet<&str>) -> io::Result<()> {
        self.close()?;
        if !partial.is_empty() {
            write!(self.out, ",\n\"partial\": {}", serde_json::to_string(partial)?)?;
        }
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }

    /// Ends it, and gives the file its name.
    fn keep(mut self, partial: &BTreeSet<&str>) -> anyhow::Result<()> {
        self.end(partial).with_context(|| self.failure())?;
        match self.out {
            Out::Stdout(_) => Ok(()),
            Out::File(file) => file.keep(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use osel_core::decode::ItemPage;

    use super::*;

    /// A list that grows at its front while it is read shows an object on two pages.
    #[test]
    fn an_object_on_two_pages_was_counted_as_two() {
        let mut target = Target { out: Out::Stdout(Box::new(io::sink())), collection: None };
        let mut counts = Counts::default();
        for (collection, objects) in [
            ("networks", ["a", "b"]),
            ("networks", ["b", "c"]),
            // The same id in another collection is another object.
            ("subnets", ["a", "a"]),
            ("users", ["u", "u"]),
        ] {
            let mut page = ItemPage::default();
            for id in objects {
                page.push(collection, &format!(r#"{{"id": "{id}", "name": "n"}}"#));
            }
            let lines = page.text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            for (line, item) in lines.zip(&page.items) {
                target.object(line, item, &mut counts).unwrap();
            }
        }
        target.nothing("routers", &mut counts).unwrap();
        let counts: Vec<_> = counts.counts.iter().map(|(name, count)| (&**name, *count)).collect();
        assert_eq!(counts, [("networks", 3), ("routers", 0), ("subnets", 1), ("users", 1)]);
    }
}
