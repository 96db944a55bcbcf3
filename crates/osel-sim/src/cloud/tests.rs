//! The cloud against the recordings and against itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Cloud, CloudOptions, Message, Release};
use crate::corpus::{Corpus, directory, notification};
use crate::judge;
use crate::listener::Listener;

fn cloud(release: Release, seed: u64) -> Cloud {
    Cloud::new(CloudOptions { release, seed, ..CloudOptions::default() })
}

/// What is sent by a cloud in that many steps, without what was sent at its start.
fn ran(mut cloud: Cloud, steps: usize) -> (Cloud, Vec<Message>) {
    cloud.drain();
    cloud.run(steps);
    let messages = cloud.drain();
    (cloud, messages)
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

/// Each object of a notification with what it is: event type, place in the payload, whether the caller sees
/// everything.
fn shapes(notification: &Value) -> Vec<(String, BTreeSet<String>)> {
    let event_type = notification["event_type"].as_str().unwrap();
    let admin = if event_type.starts_with("port.") || event_type.starts_with("network.") {
        notification["_context_is_admin"].to_string()
    } else {
        String::new()
    };
    let mut found = vec![(format!("{event_type} payload"), one_for_many(&notification["payload"]))];
    if event_type.ends_with(".start") && !event_type.contains("delete") {
        // The body of the call, as the caller liked to write it.
        return Vec::new();
    }
    for (key, value) in notification["payload"].as_object().into_iter().flatten() {
        for object in value.as_array().into_iter().flatten().chain(std::iter::once(value)) {
            if object.is_object() {
                let mut keys = keys(object);
                if event_type == "network.update.end" {
                    // Shown of external networks only, of which no member changed one in the recordings.
                    keys.remove("is_default");
                }
                found.push((format!("{event_type} {admin} {}", key.trim_end_matches('s')), keys));
            }
            for rule in object["security_group_rules"].as_array().into_iter().flatten() {
                found.push(("rule in a group".to_owned(), keys(rule)));
            }
        }
    }
    found
}

/// The keys of a payload; a bulk call's list counts as one object.
fn one_for_many(payload: &Value) -> BTreeSet<String> {
    keys(payload).into_iter().map(|key| key.strip_suffix('s').unwrap_or(&key).to_owned()).collect()
}

fn known_shapes(recordings: &[&str]) -> BTreeMap<String, BTreeSet<BTreeSet<String>>> {
    let mut known: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for name in recordings {
        for message in Corpus::load(&directory(), name).unwrap().messages {
            for (place, keys) in shapes(&notification(&message.body).unwrap()) {
                known.entry(place).or_default().insert(keys);
            }
        }
    }
    known
}

fn assert_shapes(release: Release, recordings: &[&str], at_least: usize) {
    let known = known_shapes(recordings);
    let mut compared = BTreeSet::new();
    for seed in 0..4 {
        let mut cloud = cloud(release, seed);
        cloud.run(400);
        for message in cloud.drain() {
            for (place, keys) in shapes(&message.notification) {
                if let Some(recorded) = known.get(&place) {
                    assert!(recorded.contains(&keys), "{place}\nhere {keys:?}\nrecorded {recorded:?}");
                    compared.insert(place);
                }
            }
        }
    }
    assert!(compared.len() >= at_least, "only {} shapes compared: {compared:?}", compared.len());
}

#[test]
fn bodies_have_the_keys_of_2026() {
    assert_shapes(Release::TwentyTwentySix, &["dev-2026", "dev-race", "dev-v1basic"], 50);
}

#[test]
fn bodies_have_the_keys_of_zed() {
    assert_shapes(Release::Zed, &["dev-zed"], 50);
}

#[test]
fn bodies_have_the_keys_of_icehouse() {
    assert_shapes(Release::Icehouse, &["icehouse"], 6);
}

#[test]
fn notifications_and_envelopes_have_the_keys_of_the_recordings() {
    for (release, name) in
        [(Release::TwentyTwentySix, "dev-2026"), (Release::Zed, "dev-zed"), (Release::Icehouse, "icehouse")]
    {
        let recorded = Corpus::load(&directory(), name).unwrap().messages;
        let outer = |body: &str| keys(&serde_json::from_str(body).unwrap());
        let ours = |message: &Message| message.exchange == "neutron";
        let is_neutron = |value: &Value| value["event_type"].as_str().unwrap().starts_with("port.");
        let recorded =
            recorded.iter().find(|message| is_neutron(&notification(&message.body).unwrap())).unwrap();
        let (_, messages) = ran(cloud(release, 1), 50);
        for message in messages.iter().filter(|message| ours(message)) {
            assert_eq!(outer(&message.body()), outer(&recorded.body), "{name}");
            assert_eq!(keys(&message.notification), keys(&notification(&recorded.body).unwrap()), "{name}");
            assert_eq!(notification(&message.body()).unwrap(), message.notification);
        }
    }
}

#[test]
fn lines_have_the_keys_of_a_recording() {
    let recorded = &Corpus::load(&directory(), "dev-2026").unwrap().messages[0];
    let (cloud, messages) = ran(cloud(Release::TwentyTwentySix, 1), 5);
    let line = messages[0].line(1, cloud.now());
    assert_eq!(keys(&line), keys(&recorded.line));
    assert_eq!(keys(&line["properties"]), keys(&recorded.line["properties"]));
}

#[test]
fn the_state_has_the_keys_of_the_apis() {
    let snapshot = Corpus::load(&directory(), "dev-2026").unwrap().snapshots.pop().unwrap();
    let (cloud, _) = ran(cloud(Release::TwentyTwentySix, 3), 400);
    let state = cloud.state();
    for collection in
        ["ports", "security_groups", "security_group_rules", "floatingips", "routers", "networks", "subnets"]
    {
        let recorded: BTreeSet<_> = snapshot.state[collection].as_array().unwrap().iter().map(keys).collect();
        for object in state[collection].as_array().unwrap() {
            assert!(recorded.contains(&keys(object)), "{collection}: {:?}\n{recorded:?}", keys(object));
        }
    }
}

#[test]
fn a_seed_is_a_cloud() {
    let bodies = |seed| ran(cloud(Release::Zed, seed), 200).1.iter().map(Message::body).collect::<Vec<_>>();
    assert_eq!(bodies(5), bodies(5));
    assert_ne!(bodies(5), bodies(6));
}

#[test]
fn every_end_has_its_start_and_some_starts_have_no_end() {
    let (_, messages) = ran(cloud(Release::TwentyTwentySix, 2), 500);
    let mut open = BTreeSet::new();
    for message in &messages {
        let request = message.notification["_context_request_id"].to_string();
        let event_type = message.notification["event_type"].as_str().unwrap();
        if let Some(stem) = event_type.strip_suffix(".start") {
            open.insert((stem.to_owned(), request));
        } else if let Some(stem) = event_type.strip_suffix(".end") {
            assert!(open.remove(&(stem.to_owned(), request)), "{event_type} without start");
        }
    }
    assert!(open.len() > 20, "calls are refused now and then");
}

#[test]
fn what_is_sent_is_enough_to_know_every_row() {
    for release in Release::ALL {
        for seed in 0..4 {
            let mut cloud = cloud(release, seed);
            let mut listener = Listener::new(cloud.inventory());
            cloud.drain();
            let mut most = 0;
            for _ in 0..6 {
                cloud.run(100);
                listener.hear(cloud.drain().iter().map(|message| &message.notification));
                let truth = judge::rows(&cloud.state(), None);
                most = most.max(truth.len());
                assert_eq!(judge::rows(&listener.state, None), truth, "{release:?} seed {seed}");
            }
            assert!(most > 50, "{release:?} seed {seed}: a cloud that exposes something ({most} rows)");
        }
    }
}

#[test]
fn silent_things_happen_where_they_are_asked_for() {
    let mut options = CloudOptions { seed: 4, silent: true, ..CloudOptions::default() };
    let mut differs = false;
    for seed in 0..5 {
        options.seed = seed;
        let mut cloud = Cloud::new(options.clone());
        let mut listener = Listener::new(cloud.inventory());
        cloud.drain();
        cloud.run(800);
        listener.hear(cloud.drain().iter().map(|message| &message.notification));
        differs |= judge::rows(&listener.state, None) != judge::rows(&cloud.state(), None);
    }
    assert!(differs);
}

#[test]
fn racing_workers_send_late_and_stale_bodies_and_everything_in_the_end() {
    let options = CloudOptions { racing: true, seed: 9, ..CloudOptions::default() };
    let (_, messages) = ran(Cloud::new(options), 1500);
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let mut stale = 0;
    for message in &messages {
        for (_, object) in message.notification["payload"].as_object().into_iter().flatten() {
            let (Some(id), Some(revision)) = (object["id"].as_str(), object["revision_number"].as_u64())
            else {
                continue;
            };
            let known = newest.entry(id.to_owned()).or_default();
            stale += usize::from(revision < *known);
            *known = revision.max(*known);
        }
    }
    assert!(stale > 0, "no body came after a newer one");
}

#[test]
fn racing_workers_deceive_nobody_who_minds_revisions_and_deletions() {
    for seed in 0..4 {
        let mut cloud = Cloud::new(CloudOptions { racing: true, seed, ..CloudOptions::default() });
        let mut listener = Listener::new(cloud.inventory());
        cloud.drain();
        cloud.run(600);
        listener.hear(cloud.drain().iter().map(|message| &message.notification));
        assert_eq!(judge::rows(&listener.state, None), judge::rows(&cloud.state(), None), "seed {seed}");
    }
}
