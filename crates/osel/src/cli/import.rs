//! `osel inventory import`: to the daemon that has the store, part by part, or into the store itself where no daemon runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use osel_core::decode::ItemPage;
use osel_core::engine::ReadRun;
use osel_core::event::Assignment;
use serde_json::value::RawValue;

use super::StoreArg;
use super::actor::user_name;
use super::config::variable;
use super::open::now;
use super::order::{self, unexpected};
use super::output::{Failure, note, progress};
use super::replay::{admitted, import, say_unread};
use crate::config::Config;
use crate::openstack::PAGE_OBJECTS;
use crate::runtime::control::client::{ClientError, Conversation};
use crate::runtime::control::import::{Begin, CLIENT_TIME, OBJECT_BYTES_MAX, Part};
use crate::runtime::control::{Answer, Ask, Request};
use crate::runtime::{Recorder, admission};
use crate::source::inventory::{self, Summary};

/// How many bytes of objects make a part, if one of them alone is not more: a step of a few milliseconds for the daemon, as a page of an API
/// is with its [`PAGE_OBJECTS`].
const PART_BYTES: usize = 128 << 10;

/// A file that was looked at as a whole.
struct Looked<'a> {
    path: &'a Path,
    summary: Summary,
    /// The bytes of the longest object, as text.
    longest: usize,
}

/// What became of a file.
enum Handed {
    /// It is in the store, durable.
    Done,
    /// No daemon runs: why that is said.
    Absent(ClientError),
}

pub(super) fn run(store: &StoreArg, region: Option<&str>, files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let config = store.config()?;
    let sources = Config::source_regions(store.file(), &variable, &config);
    admission::of_a_source(region, sources.iter().map(Option::as_deref))
        .map_err(|unfit| Failure::Usage(unfit.to_string()))?;
    let files = files.iter().map(|file| look_at(file)).collect::<anyhow::Result<Vec<_>>>()?;
    // A store that cannot be read yet has no daemon that has come far.
    let id = store.reader().and_then(|mut reader| Ok(reader.info()?.id)).ok();
    let socket = store.socket(&config);
    let mut own: Option<Recorder> = None;
    for file in &files {
        let mut absent = None;
        if let (None, Some(id)) = (&own, &id) {
            match hand_in(&socket, id, region, file)? {
                Handed::Done => {
                    said(file);
                    continue;
                }
                Handed::Absent(error) => absent = Some(error.to_string()),
            }
        }
        let recorder = match &mut own {
            Some(recorder) => recorder,
            None => {
                let writer = store.writer();
                let writer = match absent {
                    Some(absent) => writer.context(absent),
                    None => writer,
                };
                own.insert(order::recorder(writer?, &config, store.file())?)
            }
        };
        let known = recorder.engine().regions().map(|known| known.map(|name| &**name));
        admission::region(region, known).map_err(|unfit| Failure::Usage(unfit.to_string()))?;
        write(recorder, region, file)?;
        said(file);
    }
    if let Some(mut recorder) = own {
        recorder.finish()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn said(Looked { path, summary, .. }: &Looked<'_>) {
    say_unread(path, summary);
    note(format_args!("{}: {} objects read", path.display(), summary.objects));
}

/// Looks at all of a file, so that what is wrong with it is said before anything is changed.
fn look_at(path: &Path) -> anyhow::Result<Looked<'_>> {
    let mut longest = 0;
    let mut summary = inventory::read(path, &mut |page| {
        longest = objects(&page).map(|(_, json)| json.len()).fold(longest, usize::max);
    })?;
    summary.taken_at = admitted(path, &summary)?;
    Ok(Looked { path, summary, longest })
}

/// Into a store that is ours.
fn write(recorder: &mut Recorder, region: Option<&str>, file: &Looked<'_>) -> anyhow::Result<()> {
    let (now, region) = (now(), region.map(Arc::from));
    let taken_at = file.summary.taken_at;
    let run = recorder.begin_read(region.as_ref(), taken_at.unwrap_or(now), taken_at.is_some());
    let run = ReadRun { actor: Some(user_name().into()), ..run };
    import(recorder, file.path, &file.summary, run, now)
}

/// To the daemon, if there is one.
fn hand_in(socket: &Path, id: &str, region: Option<&str>, file: &Looked<'_>) -> anyhow::Result<Handed> {
    let name = file.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let taken_at = file.summary.taken_at;
    let begin = Ask::ImportInventory(Begin { name, region: region.map(str::to_owned), taken_at });
    let begun = Conversation::begin(socket, &Request { store: id.to_owned(), order: begin });
    let mut daemon = match begun {
        Ok((daemon, Answer::GoOn)) => daemon,
        Ok((_, other)) => return Err(unexpected(other)),
        Err(error @ (ClientError::Absent(_) | ClientError::TooLong(_))) => return Ok(Handed::Absent(error)),
        Err(error) => return Err(error.into()),
    };
    if file.longest > OBJECT_BYTES_MAX {
        bail!(
            "`{}`: an object has {} bytes, and a running osel takes at most {OBJECT_BYTES_MAX}: stop it for this import",
            file.path.display(),
            file.longest
        );
    }
    let bar = progress("objects");
    let mut failed = None;
    let summary = inventory::read(file.path, &mut |page| {
        if failed.is_none() {
            failed = hand_over(&mut daemon, &page).err();
            bar.inc(page.items.len() as u64);
        }
    });
    bar.finish_and_clear();
    if let Some(failed) = failed {
        return Err(failed);
    }
    let summary = summary?;
    if (Summary { taken_at: file.summary.taken_at, ..summary }) != file.summary {
        bail!("`{}` was changed while it was read", file.path.display());
    }
    let complete = file.summary.complete().into_iter().map(|kind| kind.plural().to_owned());
    let assignments = file.summary.has_all_assignments().then(|| Assignment::PLURAL.to_owned());
    match daemon.say(&Part::<&RawValue>::End(complete.chain(assignments).collect()), CLIENT_TIME)? {
        Answer::Done(_) => Ok(Handed::Done),
        other => Err(unexpected(other)),
    }
}

/// Says the objects of a page, in as many parts as they take.
fn hand_over(daemon: &mut Conversation, page: &ItemPage) -> anyhow::Result<()> {
    let mut part = Vec::new();
    let mut bytes = 0;
    let mut objects = objects(page).peekable();
    while let Some((collection, json)) = objects.next() {
        bytes += json.len();
        part.push((collection.to_owned(), serde_json::from_str::<&RawValue>(json)?));
        let is_full = objects.peek().is_none_or(|(_, next)| bytes + next.len() > PART_BYTES);
        if is_full || part.len() == PAGE_OBJECTS {
            match daemon.say(&Part::Page(std::mem::take(&mut part)), CLIENT_TIME)? {
                Answer::GoOn => bytes = 0,
                other => return Err(unexpected(other)),
            }
        }
    }
    Ok(())
}

/// The objects of a page as text, each with its collection.
fn objects(page: &ItemPage) -> impl Iterator<Item = (&str, &str)> {
    // What was read from JSON text is UTF-8.
    let text = std::str::from_utf8(&page.text).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once('\t'))
}
