//! What notifications hold: secrets that they should not, and addresses that they should.

use super::text::{LISTENING, count, names};
use crate::doctor::facts::Facts;
use crate::doctor::heard::Heard;
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;

/// From fewer messages with an address nothing is concluded: somebody may just have been alone.
const WITH_ADDRESS_MIN: u64 = 10;
/// One user has one address as a rule.
const USERS_MIN: usize = 2;

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    match &facts.heard {
        Ok(heard) => {
            tokens(heard, report);
            addresses(heard, report);
        }
        Err(why) => {
            report.unchecked(Id::TokenOnBus, LISTENING, why);
            report.unchecked(Id::OneInitiatorAddress, LISTENING, why);
        }
    }
}

fn tokens(heard: &Heard, report: &mut Report) {
    let of = format!("{} with a context", count(heard.with_context, "message"));
    if heard.with_token > 0 {
        let seen = format!("{} of {of}, by {}", heard.with_token, names(heard.token_exchanges.iter()));
        report.found(Id::TokenOnBus, LISTENING, seen);
    } else if heard.with_context == 0 {
        let why = "no message with a context was heard, in which a token would be (Keystone's have none)";
        report.unchecked(Id::TokenOnBus, LISTENING, why);
    } else {
        report.clear(Id::TokenOnBus, LISTENING, format!("none in {of}"));
    }
}

fn addresses(heard: &Heard, report: &mut Report) {
    let seen = format!(
        "{} of {} from {}",
        count(heard.with_address, "message"),
        count(heard.users.len() as u64, "user"),
        match heard.addresses.len() {
            1 => names(heard.addresses.iter()),
            many => format!("{many} addresses"),
        }
    );
    if heard.with_address < WITH_ADDRESS_MIN || heard.users.len() < USERS_MIN {
        report.unchecked(Id::OneInitiatorAddress, LISTENING, format!("too little to tell: {seen}"));
    } else {
        report.judged(Id::OneInitiatorAddress, LISTENING, heard.addresses.len() == 1, seen);
    }
}
