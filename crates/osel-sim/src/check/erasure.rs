//! Erasing a person: the engine that was told, the one that folds the messages without the person, and the one that goes on from a snapshot without the person are
//! the same, and none knows a name any more.

use osel_core::decode::{ERASED, Forgotten, Subject, forget};
use osel_core::engine::{Named, Sought};
use osel_core::names::NameKind;
use serde_json::Value;

use super::failure::{Failure, ensure};
use super::machine::{Kept, Machine};
use super::plan::Plan;
use super::script::{Arrival, Script, text};
use super::trail::{Journal, same_lines};
use crate::random::Random;

/// The name of the check.
const CHECK: &str = "an erased person";
/// How a message begins around which the bus's envelope still is: that could not be read.
const WRAPPED: &[u8] = br#"{"oslo."#;

/// Erases one of those who acted, after everything came; says how many messages were rewritten.
pub(super) fn leaves_all_else(
    plan: &Plan,
    script: &Script,
    journal: &Journal,
    end: &Machine,
    random: &mut Random,
) -> Result<usize, Failure> {
    let Some(user) = somebody(script, random) else { return Ok(0) };
    let sought = Sought { user: Some(user.clone()), address: None };
    let subject = end.engine().person(&sought).map_err(|error| Failure::new(CHECK, error))?;
    let Some(now) = script.arrivals.last().map(|arrival| arrival.at) else { return Ok(0) };

    let mut told = end.restarted()?;
    told.erase(now, &user)?;
    let (mut folded, rewritten) = folded_without(plan, &script.arrivals, journal, &subject)?;
    folded.erase(now, &user)?;
    let mut resumed = end.restarted_from(end.lines_without(&subject))?;
    names_nobody("a snapshot", &resumed.lines(), &subject)?;
    resumed.erase(now, &user)?;

    names_nobody("the state", &told.lines(), &subject)?;
    same_lines("a snapshot without a person gives the same state", &resumed.lines(), &told.lines())?;
    same_lines("messages without a person give the same state", &folded.uncounted(), &told.uncounted())?;
    ensure(folded.rows() == told.rows(), CHECK, || "the rows are others".to_owned())?;
    Ok(rewritten)
}

/// A user of the messages that came, by id.
fn somebody(script: &Script, random: &mut Random) -> Option<String> {
    let message = script.heard.get(random.index(script.heard.len().max(1)))?;
    let initiator = &message.notification["payload"]["initiator"]["user_id"];
    let context = Some(text(message, "_context_user_id")).filter(|id| !id.is_empty());
    context.or(initiator.as_str()).map(str::to_owned)
}

/// The journal without the person, folded into a new engine; and how many messages it was in.
fn folded_without(
    plan: &Plan,
    arrivals: &[Arrival],
    journal: &Journal,
    subject: &Subject,
) -> Result<(Machine, usize), Failure> {
    let (mut machine, mut rewritten) = (Machine::new(plan), 0);
    for (at, kept) in journal {
        let Some(arrival) = arrivals.get(*at) else { continue };
        let mut kept = kept.clone();
        match &mut kept {
            Kept::Message { body, .. } => match forget(body, subject) {
                Forgotten::NotThere => {
                    names_nobody("a message", &[String::from_utf8_lossy(body).into_owned()], subject)?;
                }
                Forgotten::Text(left) => {
                    names_nobody("a message", &[String::from_utf8_lossy(&left).into_owned()], subject)?;
                    *body = left;
                    rewritten += 1;
                }
                // One that was cut on its way: it was not read either.
                Forgotten::Unreadable => {
                    let what = || format!("unreadable: {}", String::from_utf8_lossy(body));
                    let is_cut = serde_json::from_slice::<Value>(body).is_err();
                    ensure(is_cut || body.starts_with(WRAPPED), CHECK, what)?;
                }
            },
            Kept::Read { names, .. } => names.iter_mut().for_each(|named| rename(named, subject)),
            Kept::Tick => {}
        }
        machine.take_again(arrival, &kept)?;
    }
    Ok((machine, rewritten))
}

/// What becomes of a line of a read.
fn rename(named: &mut Named, subject: &Subject) {
    if named.kind == NameKind::User && subject.is(Some(&named.id), None, None) {
        named.name = ERASED.into();
    }
}

/// The names that are nothing but a user's: projects have names too, and `admin` is one of both.
fn telling(subject: &Subject) -> impl Iterator<Item = &str> {
    subject.names.iter().map(String::as_str).filter(|name| name.contains("-user"))
}

fn names_nobody(what: &str, lines: &[String], subject: &Subject) -> Result<(), Failure> {
    for name in telling(subject) {
        let line = lines.iter().find(|line| line.contains(name));
        ensure(line.is_none(), CHECK, || format!("{what} has {name}: {line:?}"))?;
    }
    Ok(())
}
