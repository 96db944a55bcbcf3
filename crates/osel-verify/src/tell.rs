//! What is said of a bundle, to people.

use std::error::Error;
use std::fmt::Write;

use osel_core::format::harmless;
use osel_core::time::Timestamp;
use osel_core::trail::bundle::{BadBundle, Scope, Summary, Witnessed};
use osel_core::trail::log::Checkpoint;

/// What a good bundle proves, and by whose word.
pub fn good(summary: &Summary, is_key_given: bool) -> String {
    let Summary {
        scope,
        key,
        later_keys,
        checkpoint,
        witnesses,
        since,
        checkpoints,
        records,
        span,
        runs,
        parts,
    } = summary;
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<11}{value}");
    };
    let what = match scope {
        Scope::Whole => "the whole log up to its checkpoint: nothing changed, removed, inserted or swapped",
        Scope::Some => "some records of the log: each is in it, unchanged",
    };
    line("good", &what);
    line("log", &checkpoint.origin);
    line("key", key);
    let vouched = match is_key_given {
        true => "the one given",
        false => "the bundle's own: nobody vouches for it, compare it with one from elsewhere",
    };
    line("", &vouched);
    for (size, key) in later_keys {
        line("then", &key);
        line("", &format_args!("as the one before it signed in its checkpoint of {size}"));
    }
    line("checkpoint", &size_and_root(checkpoint));
    match checkpoints {
        0 => {}
        1 => line("", &"and an earlier one"),
        _ => line("", &format_args!("and {checkpoints} earlier ones")),
    }
    for Witnessed { witness, seconds } in witnesses {
        line("witness", witness);
        match seconds {
            Some(seconds) => line("", &format_args!("has cosigned that checkpoint at {}", time(*seconds))),
            None => line("", &"has not cosigned that checkpoint"),
        }
    }
    if let Some(since) = since {
        line("goes on", &format_args!("from {}", size_and_root(since)));
        let all = match summary.has_all_since() {
            true => "with every record since",
            false => "without some of the records since",
        };
        line("", &all);
    }
    let range = match (span, runs) {
        (None, _) => "none".to_owned(),
        (Some((first, last)), 1) => format!("{records}, from {first} to {last}"),
        (Some((first, last)), runs) => format!("{records} from {first} to {last}, in {runs} runs"),
    };
    line("records", &range);
    line("parts", parts);
    text
}

/// A time in seconds since 1970; the last that can be written stands for later ones.
fn time(seconds: u64) -> Timestamp {
    let micros = seconds.checked_mul(1_000_000).and_then(|micros| i64::try_from(micros).ok());
    micros.map_or(Timestamp::MAX, Timestamp::from_micros)
}

/// As a checkpoint's own text has them, so that it can be compared with one that somebody kept.
fn size_and_root(checkpoint: &Checkpoint) -> String {
    let text = checkpoint.text();
    format!("{} records, root {}", checkpoint.size, text.lines().last().unwrap_or_default())
}

/// Where a bundle is bad and why, in one line, and how much of it holds all the same.
pub fn bad(bad: &BadBundle) -> String {
    let mut text = bad.to_string();
    let mut cause = bad.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    let confirmed = match bad.confirmed {
        0 => "nothing before it is confirmed".to_owned(),
        1 => "the first record of the bundle is confirmed".to_owned(),
        count => format!("the first {count} records of the bundle are confirmed"),
    };
    format!("{}\n{confirmed}", plain(&text))
}

/// A text of a bundle or the command line on one line, harmless to terminals.
pub fn plain(text: &str) -> String {
    text.chars().map(harmless).collect()
}
