//! Whether osel may read the exchanges that it listens to.

use super::pattern::permits;
use super::text::{LISTENING, MANAGEMENT, names, quoted};
use crate::doctor::facts::{Bus, Facts, Management, Wanted};
use crate::doctor::heard::Heard;
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;

const ID: Id = Id::ExchangeUnreadable;

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    match &facts.heard {
        Ok(heard) => by_listening(heard, report),
        Err(why) => report.unchecked(ID, LISTENING, why),
    }
    match &facts.management {
        Ok(management) => {
            match by_permissions(management, facts.bus.as_ref().ok(), &facts.wanted) {
                Ok((is_found, seen)) => report.judged(ID, &management.name, is_found, seen),
                Err(why) => report.unchecked(ID, &management.name, why),
            };
        }
        Err(why) => report.unchecked(ID, MANAGEMENT, why),
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
}

/// Whether something is found, and what was seen; or why nothing can be said.
fn by_permissions(
    management: &Management,
    bus: Option<&Bus>,
    wanted: &Wanted,
) -> Result<(bool, String), String> {
    let (rows, exchanges) = (management.permissions.as_ref()?, management.exchanges.as_ref()?);
    let bus = bus.ok_or("as whom osel logs in is not known: give -c FILE or --transport-url-file FILE")?;
    let user = quoted(&bus.user);
    let row = rows.iter().find(|row| row.user == bus.user);
    let row = row.ok_or_else(|| format!("there are no permissions of {user}"))?;
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
