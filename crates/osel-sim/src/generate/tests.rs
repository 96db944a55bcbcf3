//! The generator against the recording and against itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{GenerateOptions, Generator};
use crate::corpus::{Corpus, directory, notification};
use crate::judge;
use crate::listener::Listener;

fn generator(ports: usize, seed: u64) -> Generator {
    Generator::new(GenerateOptions { ports, seed, ..GenerateOptions::default() })
}

fn bodies(generator: &mut Generator, count: usize) -> Vec<String> {
    let mut body = String::new();
    let next = |_| {
        generator.next_body(&mut body);
        body.clone()
    };
    (0..count).map(next).collect()
}

fn inventory(generator: &Generator) -> Value {
    let mut out = Vec::new();
    generator.write_inventory(&mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// How many and how large, by event type.
fn measure<'a>(bodies: impl Iterator<Item = &'a String>) -> BTreeMap<String, (f64, f64)> {
    let mut found: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for body in bodies {
        let event_type = notification(body).unwrap()["event_type"].as_str().unwrap().to_owned();
        let (count, bytes) = found.entry(event_type).or_default();
        *count += 1.0;
        *bytes += body.len() as f64;
    }
    found
}

#[test]
fn the_stream_has_the_types_and_sizes_of_the_recording() {
    let recorded = Corpus::load(&directory(), "dev-2026").unwrap().messages;
    let recorded_types = measure(recorded.iter().map(|message| &message.body));
    let total = recorded.len() as f64;
    let count = 25_000;
    let made = bodies(&mut generator(2000, 1), count);
    let made_types = measure(made.iter());

    let mean = |bodies: &mut dyn Iterator<Item = usize>| {
        let (sum, count) = bodies.fold((0, 0), |(sum, count), length| (sum + length, count + 1));
        sum as f64 / f64::from(count)
    };
    let recorded_mean = mean(&mut recorded.iter().map(|message| message.body.len()));
    let made_mean = mean(&mut made.iter().map(String::len));
    assert!((made_mean / recorded_mean - 1.0).abs() < 0.05, "{made_mean} for {recorded_mean}");

    for (event_type, (number, bytes)) in recorded_types.iter().filter(|(_, (number, _))| *number >= 10.0) {
        let (made_number, made_bytes) =
            made_types.get(event_type).copied().unwrap_or_else(|| panic!("no {event_type}"));
        let share = (made_number / count as f64) / (number / total);
        assert!((0.6..1.6).contains(&share), "{event_type}: {share} of its share");
        let size = (made_bytes / made_number) / (bytes / number);
        assert!((0.85..1.25).contains(&size), "{event_type}: {size} of its size");
    }
}

#[test]
fn bodies_have_the_keys_of_the_recording() {
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let mut recorded: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    let shapes = |body: &str| {
        let notification = notification(body).unwrap();
        let event_type = notification["event_type"].as_str().unwrap().to_owned();
        let mut shapes = vec![(event_type.clone(), keys(&notification))];
        for (key, value) in notification["payload"].as_object().into_iter().flatten() {
            if value.is_object() && !event_type.ends_with(".start") {
                shapes.push((format!("{event_type} {key}"), keys(value)));
            }
        }
        shapes
    };
    for message in Corpus::load(&directory(), "dev-2026").unwrap().messages {
        for (place, keys) in shapes(&message.body) {
            recorded.entry(place).or_default().insert(keys);
        }
    }
    for body in bodies(&mut generator(500, 2), 5000) {
        for (place, keys) in shapes(&body) {
            assert!(recorded[&place].contains(&keys), "{place}: {keys:?}");
        }
    }
}

#[test]
fn who_hears_the_stream_knows_the_cloud() {
    for seed in 0..2 {
        let mut generator = generator(300, seed);
        let mut listener = Listener::new(inventory(&generator));
        let notifications: Vec<Value> =
            bodies(&mut generator, 4000).iter().map(|body| notification(body).unwrap()).collect();
        listener.hear(notifications.iter());
        // What is still to be said of the last call.
        let mut body = String::new();
        while !generator.is_between_calls() {
            generator.next_body(&mut body);
            listener.hear(std::iter::once(notification(&body).unwrap()));
        }
        let truth = judge::rows(&inventory(&generator), None);
        assert!(truth.len() > 1000, "{}", truth.len());
        assert_eq!(judge::rows(&listener.state, None), truth, "seed {seed}");
    }
}

#[test]
fn messages_are_distinct_and_a_seed_is_a_stream() {
    let made = bodies(&mut generator(1000, 7), 8_000);
    let ids: BTreeSet<String> =
        made.iter().map(|body| notification(body).unwrap()["message_id"].to_string()).collect();
    assert_eq!(ids.len(), made.len());
    assert_eq!(bodies(&mut generator(1000, 7), 2000), made[..2000]);
    assert_ne!(bodies(&mut generator(1000, 8), 2000), made[..2000]);
}

#[test]
fn a_line_holds_the_body() {
    let (mut by_body, mut by_line) = (generator(100, 3), generator(100, 3));
    let (mut body, mut line) = (String::new(), String::new());
    for seq in 1..500 {
        let exchange = by_body.next_body(&mut body);
        by_line.next_line(&mut line);
        let parsed: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["body"], body.as_str());
        assert_eq!((&parsed["seq"], &parsed["exchange"]), (&seq.into(), &exchange.into()));
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
    }
}

#[test]
fn boot_storms_come_and_pass() {
    let mut generator = generator(1000, 1);
    let mut body = String::new();
    let mut longest = 0;
    let mut run = 0;
    for _ in 0..200_000 {
        generator.next_body(&mut body);
        let says = |text: &str| body.contains(text);
        if says("port.create.end") && says("_context_is_admin\\\": true") {
            run += 1;
        } else if !says("port.create.start") && !says("audit.http") {
            run = 0;
        }
        longest = longest.max(run);
        if longest >= 20 && run == 0 {
            return;
        }
    }
    assert!(longest >= 20, "{longest}");
}

#[test]
fn without_the_audit_middleware_there_is_no_audit() {
    let mut generator = Generator::new(GenerateOptions { audit: false, ..GenerateOptions::default() });
    assert!(bodies(&mut generator, 2000).iter().all(|body| !body.contains("audit.http")));
}

#[test]
fn a_silent_change_is_said_by_nobody() {
    let (mut told, mut silent) = (generator(300, 5), generator(300, 5));
    let before = inventory(&silent);
    for _ in 0..50 {
        silent.change_silently();
        assert!(silent.is_between_calls());
    }
    assert_ne!(inventory(&silent), before);
    // The messages that follow are those of other calls than the ones that were kept back.
    let (told, said) = (bodies(&mut told, 200), bodies(&mut silent, 200));
    assert!(said.iter().all(|body| !told.contains(body)));
}
