//! Whether osel may read the exchanges that it listens to, and have a queue of its own for that.

use super::pattern::permits;
use super::text::{LISTENING, MANAGEMENT, names, quoted};
use crate::doctor::facts::{Bus, Facts, Management, Permission, Wanted};
use crate::doctor::heard::Heard;
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;

const ID: Id = Id::ExchangeUnreadable;
const OWN: Id = Id::OwnQueueForbidden;
/// As its queues are called.
const OWN_NAME: &str = "osel.any";

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    match &facts.heard {
        Ok(heard) => by_listening(heard, report),
        Err(why) => [ID, OWN].into_iter().for_each(|id| report.unchecked(id, LISTENING, why)),
    }
    match &facts.management {
        Ok(management) => {
            let bus = facts.bus.as_ref().ok();
            for (id, judged) in [
                (ID, by_permissions(management, bus, &facts.wanted)),
                (OWN, own_by_permissions(management, bus)),
            ] {
                match judged {
                    Ok((is_found, seen)) => report.judged(id, &management.name, is_found, seen),
                    Err(why) => report.unchecked(id, &management.name, why),
                }
            }
        }
        Err(why) => [ID, OWN].into_iter().for_each(|id| report.unchecked(id, MANAGEMENT, why)),
    }
}

fn by_listening(heard: &Heard, report: &mut Report) {
    let shown = |exchanges: &[String]| names(exchanges.iter().map(String::as_str));
    if !heard.deaf.is_empty() {
        report.found(ID, LISTENING, format!("not allowed to listen to {}", shown(&heard.deaf)));
    } else if heard.bound.is_empty() {
        report.unchecked(ID, LISTENING, "there was no exchange to listen to");
    } else {
        report.clear(ID, LISTENING, format!("listened to {}", shown(&heard.bound)));
    }
    if !heard.forbidden.is_empty() {
        let seen = format!("not allowed to bind a queue of its own to {}", shown(&heard.forbidden));
        report.found(OWN, LISTENING, seen);
    } else if heard.bound.is_empty() {
        report.unchecked(OWN, LISTENING, "there was no exchange to listen to");
    } else {
        report.clear(OWN, LISTENING, "made a queue of its own and bound it");
    }
}

/// The permissions of osel's user.
fn row<'a>(management: &'a Management, bus: Option<&Bus>) -> Result<&'a Permission, String> {
    let rows = management.permissions.as_ref()?;
    let bus = bus.ok_or("as whom osel logs in is not known: give -c FILE or --transport-url-file FILE")?;
    let row = rows.iter().find(|row| row.user == bus.user);
    row.ok_or_else(|| format!("there are no permissions of {}", quoted(&bus.user)))
}

/// The same of what osel's own queue needs.
fn own_by_permissions(management: &Management, bus: Option<&Bus>) -> Result<(bool, String), String> {
    let row = row(management, bus)?;
    let user = quoted(&row.user);
    let mut lacking = Vec::new();
    for (what, pattern) in [("configure", &row.configure), ("write", &row.write), ("read", &row.read)] {
        if !permits(pattern, OWN_NAME).map_err(|why| format!("{user}: {why}"))? {
            lacking.push(format!("may not {what} `osel.*` ({})", quoted(pattern)));
        }
    }
    let is_found = !lacking.is_empty();
    let seen = if is_found { lacking.join(", ") } else { "may do all that with `osel.*`".to_owned() };
    Ok((is_found, format!("{user} {seen}")))
}

/// Whether something is found, and what was seen; or why nothing can be said.
fn by_permissions(
    management: &Management,
    bus: Option<&Bus>,
    wanted: &Wanted,
) -> Result<(bool, String), String> {
    let (row, exchanges) = (row(management, bus)?, management.exchanges.as_ref()?);
    let user = quoted(&row.user);
    let there: Vec<&str> = exchanges.iter().map(|exchange| exchange.name.as_str()).collect();
    let there = there.into_iter().filter(|name| wanted.exchanges.iter().any(|wanted| wanted == name));
    let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
    for name in there {
        let may = permits(&row.read, name).map_err(|why| format!("{user}: {why}"))?;
        if may { readable.push(name) } else { unreadable.push(name) }
    }
    let may = format!("{user} may read {}", quoted(&row.read));
    if !unreadable.is_empty() {
        Ok((true, format!("{may}, which leaves out {}", names(unreadable))))
    } else if readable.is_empty() {
        Err("there is no exchange of a service".to_owned())
    } else {
        Ok((false, format!("{may}, which means {}", names(readable))))
    }
}
