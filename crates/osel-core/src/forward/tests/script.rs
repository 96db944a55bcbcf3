//! The words of a forwarder's scripts (`pace::script`).

use std::time::Duration;

use super::super::*;
use crate::pace::script::Scripted;
use crate::time::Timestamp;

impl Scripted for Forward {
    fn time(milliseconds: i64) -> Timestamp {
        Timestamp::from_micros(milliseconds * 1000)
    }

    fn milliseconds_of(time: Timestamp) -> i64 {
        (time.micros() + 500) / 1000
    }

    fn take(&mut self, now: Timestamp, words: &str) -> Vec<String> {
        let mut orders = Vec::new();
        self.step(now, u64::MAX, input(words), &mut orders);
        assert!(self.account().is_balanced(), "{:?}", self.account());
        orders.iter().map(show).collect()
    }

    fn wake_at(&self) -> Option<Timestamp> {
        Self::wake_at(self)
    }
}

/// One that begins at the begin, of a receiver that takes batches of three lines and a hundred bytes, two of them before they have arrived.
pub(super) fn forward() -> Forward {
    Forward::new(
        BatchLimits { items: 3, bytes: 100, awaited: 2, linger: Duration::ZERO },
        Account::default(),
        [],
    )
}

fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}

fn batches(words: &[&str]) -> Vec<BatchNumber> {
    words.iter().map(|word| BatchNumber(number(word))).collect()
}

/// `SEQ` has one line of ten bytes, `SEQ:20,30` lines of so many; `SEQ<TOLD/COVERS` tells so many records of so many up to it.
fn rendered(word: &str) -> Rendered {
    let (seq, lines) = word.split_once(':').unwrap_or((word, "10"));
    let (seq, together) = seq.split_once('<').unwrap_or((seq, "1/1"));
    let (told, covers) = together.split_once('/').expect("TOLD/COVERS");
    let bytes = |word: &str| word.parse().expect("bytes");
    let lines = lines.split(',').filter(|word| !word.is_empty()).map(bytes).collect();
    Rendered { seq: number(seq), covers: number(covers), told: number(told), lines }
}

fn which(words: &[&str]) -> Which {
    match words {
        ["all"] => Which::All,
        records => Which::Records(records.iter().map(|word| number(word)).collect()),
    }
}

fn refused(kind: RefusalKind, taken: usize, wait: Option<&&str>) -> Refusal {
    let wait = wait.map(|seconds| Duration::from_secs(number(seconds)));
    Refusal { kind, words: "no".to_owned(), taken, wait }
}

fn input(words: &str) -> ForwardInput {
    let words: Vec<&str> = words.split(' ').collect();
    let place = |at: usize| words[at].parse::<usize>().expect("a place");
    let sent = |answer| ForwardInput::Sent(BatchNumber(number(words[1])), answer);
    let not_taken = |kind, taken| sent(Err(refused(kind, taken, words.get(2))));
    match words[0] {
        "head" => ForwardInput::Head(number(words[1])),
        "read" => {
            let (after, through) = words[1].split_once('-').expect("a range");
            let records = words[2..].iter().map(|word| rendered(word)).collect();
            ForwardInput::Read(Page { after: number(after), through: number(through), records })
        }
        "fetched" => ForwardInput::Fetched(words[1..].iter().map(|word| rendered(word)).collect()),
        "kept" => sent(Ok(Taken::Kept)),
        "taken" => sent(Ok(Taken::Awaited)),
        "away" => not_taken(RefusalKind::Unavailable, 0),
        "silent" => not_taken(RefusalKind::Silent, 0),
        "fails" => not_taken(RefusalKind::Failed, 0),
        "denied" => not_taken(RefusalKind::Denied, 0),
        "large" => not_taken(RefusalKind::TooLarge, 0),
        // `suspect BATCH TAKEN`
        "suspect" => sent(Err(refused(RefusalKind::Suspect, place(2), None))),
        // `item BATCH PLACE TAKEN`, `part BATCH TAKEN`
        "item" => sent(Err(refused(RefusalKind::Item(place(2)), place(3), None))),
        "part" => sent(Err(refused(RefusalKind::Unavailable, place(2), None))),
        "arrived" => ForwardInput::Confirmed(Asked(number(words[1])), Ok(batches(&words[2..]))),
        "lost" => {
            let taken = words.get(2).map_or(0, |word| word.parse().expect("a count"));
            let refusal = refused(RefusalKind::Unavailable, taken, None);
            ForwardInput::Confirmed(Asked(number(words[1])), Err(refusal))
        }
        "closed" => ForwardInput::Closed(Ok(batches(&words[1..]))),
        "rewind" => ForwardInput::Rewind(number(words[1])),
        "resend" => ForwardInput::Resend(which(&words[1..])),
        "discard" => ForwardInput::Discard(which(&words[1..])),
        "renewed" => ForwardInput::Renewed,
        "stop" => ForwardInput::Stop,
        "tick" => ForwardInput::Tick,
        other => panic!("no such input: `{other}`"),
    }
}

fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| format!(" {}", item.to_string())).collect()
}

fn show(order: &ForwardOrder) -> String {
    match order {
        ForwardOrder::Read { after, .. } => format!("read {after}"),
        ForwardOrder::Fetch(records) => format!("fetch{}", listed(records)),
        ForwardOrder::Send { batch, is_fetched, lines } => {
            let what = if *is_fetched { "again" } else { "send" };
            format!("{what} {}:{}", batch.0, listed(lines))
        }
        ForwardOrder::Confirm(asked) => format!("confirm {}", asked.0),
        ForwardOrder::Reset => "reset".to_owned(),
        ForwardOrder::Close => "close".to_owned(),
        ForwardOrder::Place(progress) => {
            let Account { place, delivered, filtered, dead, .. } = progress.account;
            let mut text = format!("place {place} = {delivered} + {filtered} + {dead}");
            match progress.mark {
                Mark::Same => {}
                Mark::After(batch) => text += &format!(", mark {}", batch.0),
                Mark::Nothing => text += ", no mark",
            }
            if !progress.dead.is_empty() {
                text += &format!(", dead{}", listed(progress.dead.iter().map(|letter| letter.id)));
            }
            if !progress.gone.is_empty() {
                text += &format!(", gone{}", listed(&progress.gone));
            }
            text
        }
        ForwardOrder::Log(line) => match line {
            ForwardLine::Began(ongoing) => format!("log began {}", ongoing.why),
            ForwardLine::Ended(ongoing) => format!("log ended {}", ongoing.why),
            ForwardLine::NothingLeft(ongoing) => format!("log nothing left, {}", ongoing.why),
            ForwardLine::Unsteady(ongoing) => format!("log unsteady {}", ongoing.why),
            ForwardLine::Dead { letter, letters } => format!("log dead {}, {letters} in all", letter.id),
            other => format!("log {other:?}"),
        },
    }
}
