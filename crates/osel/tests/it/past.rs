//! Part of a cloud as it was, against all of it: the same rows at every record, for every project and every address, and the same steps
//! between.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use osel::runtime::Recorder;
use osel::runtime::past::{Asked, Change, Excerpt, Sight, Timeline, in_parts};
use osel::runtime::state;
use osel::store::{JournalError, NewStore, Reader, Store};
use osel_core::decode::decode;
use osel_core::engine::{Engine, EngineOptions, all_rows};
use osel_core::exposure::{SourceFilter, rows_in_order};
use osel_core::ids::Id;
use osel_core::model::{CloudModel, Row, address_head};
use osel_core::time::Timestamp;
use osel_sim::corpus::{Corpus, directory};
use serde_json::json;

use crate::broker::{Postgres, free_port};
use crate::command::{Place, json_lines, osel, recording, refused};
use crate::fold::message;
use crate::retention::{Listener, days};

/// What each record changed, from all of the clouds.
struct Whole {
    first: u64,
    before: Vec<Row>,
    changes: BTreeMap<u64, (Vec<Row>, Vec<Row>)>,
    /// All rows there ever were.
    rows: Vec<Row>,
}

fn options() -> EngineOptions {
    EngineOptions::default()
}

fn rows_of(engine: &Engine) -> Vec<Row> {
    let mut rows = all_rows(engine, |_, _| true);
    sort(&mut rows);
    rows
}

fn sort(rows: &mut [Row]) {
    rows.sort_by(|one, other| one.cmp_exposure(other).then_with(|| one.region.cmp(&other.region)));
}

fn without(rows: &[Row], others: &[Row]) -> Vec<Row> {
    rows.iter().filter(|row| !others.contains(row)).cloned().collect()
}

impl Whole {
    fn read(reader: &mut dyn Reader) -> Self {
        let (first, last) = (reader.expiry().unwrap().checkpoint.seq, reader.head().unwrap().seq);
        let mut engine = state::at(reader, first, &options()).unwrap();
        let before = rows_of(&engine);
        let (mut changes, mut now, mut rows) = (BTreeMap::new(), before.clone(), before.clone());
        for seq in first + 1..=last {
            assert!(state::advance(&mut engine, reader, seq).unwrap());
            let after = rows_of(&engine);
            if after != now {
                let (opened, closed) = (without(&after, &now), without(&now, &after));
                rows.extend(opened.iter().cloned());
                changes.insert(seq, (opened, closed));
                now = after;
            }
        }
        Self { first, before, changes, rows }
    }

    /// Without what the records up to this one changed.
    fn since(&self, seq: u64) -> Self {
        let changes = self.changes.range(seq + 1..).map(|(seq, change)| (*seq, change.clone())).collect();
        Self { first: seq, before: Vec::new(), changes, rows: Vec::new() }
    }

    /// Steps through a part beside the whole, and looks at those rows that are `wanted`.
    fn check(&self, part: Timeline, what: &str, wanted: impl Fn(&Row) -> bool) {
        let before = |rows: Vec<Row>| rows.into_iter().filter(&wanted).collect::<Vec<_>>();
        assert_eq!(before(rows_of(part.engine())), before(self.before.clone()), "{what}: in the beginning");
        self.check_steps(part, what, wanted);
    }

    /// The same without what was there in the beginning.
    fn check_steps(&self, mut part: Timeline, what: &str, wanted: impl Fn(&Row) -> bool) {
        let kept = |rows: &[Row]| {
            let mut rows: Vec<Row> = rows.iter().filter(|row| wanted(row)).cloned().collect();
            sort(&mut rows);
            rows
        };
        let mut found = BTreeMap::new();
        while let Some(Change { seq, opened, closed }) = part.next_change() {
            let change = (kept(&opened), kept(&closed));
            if change != (vec![], vec![]) {
                found.insert(seq, change);
            }
        }
        let changes = self.changes.iter().map(|(seq, (opened, closed))| (*seq, (kept(opened), kept(closed))));
        let all: BTreeMap<_, _> = changes.filter(|(_, change)| *change != (vec![], vec![])).collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), all.keys().collect::<Vec<_>>(), "{what}");
        assert!(found == all, "{what}: {found:#?} {all:#?}");
    }
}

fn of_address(address: IpNet) -> (Asked, impl Fn(&Row) -> bool) {
    let meets = move |net: IpNet| net.contains(&address) || address.contains(&net);
    (Asked::Addresses(Arc::new(meets)), move |row: &Row| meets(row.address))
}

/// Every question that can be asked of a store.
fn check(reader: &mut dyn Reader, addresses_max: usize, changes_min: usize) {
    let whole = Whole::read(reader);
    let last = reader.head().unwrap().seq;
    assert!(whole.changes.len() >= changes_min, "only {} records changed anything", whole.changes.len());
    let range = (whole.first, last);
    let load = |reader: &mut dyn Reader, range: (u64, u64), asked: &Asked, sources: bool| {
        Excerpt::load(reader, range, asked, sources, &options()).unwrap().at(range.0, &options())
    };

    let projects: BTreeSet<Option<Id>> = whole.rows.iter().map(|row| row.project_id.clone()).collect();
    for project in projects.into_iter().flatten() {
        let part = load(reader, range, &Asked::Project(project.clone()), false);
        whole.check(part, &format!("project {project}"), |row| row.project_id.as_ref() == Some(&project));
    }
    let addresses: BTreeSet<IpNet> = whole.rows.iter().map(|row| row.address).collect();
    for address in addresses.iter().take(addresses_max) {
        let (asked, wanted) = of_address(*address);
        whole.check(load(reader, range, &asked, false), &format!("address {address}"), wanted);
    }
    for from in [whole.first, (whole.first + last) / 2] {
        let part = load(reader, (from, last), &Asked::ChangedAfter(from), false);
        whole.since(from).check_steps(part, "all that changed", |_| true);
        check_sights(reader, (from, last));
    }

    let asked = Asked::ChangedAfter(whole.first);
    match Excerpt::load_within(reader, range, &asked, false, &options(), 100) {
        Err(JournalError::TooMuchChanged { bytes_max: 100, seq }) => assert!(seq > whole.first),
        found => panic!("{found:?}"),
    }

    // At some records all rows, in order, with what is known of groups as sources.
    let heads: BTreeSet<u128> = addresses.iter().map(|address| address_head(*address)).collect();
    let middle = *heads.iter().nth(heads.len() / 3).unwrap();
    for seq in (0..4).map(|part| whole.first + (last - whole.first) * part / 3) {
        let engine = state::at(reader, seq, &options()).unwrap();
        let expected = all_rows(&engine, |_, _| true);
        assert_eq!(in_order(&engine, &|_| true), expected);
        let behind = in_order(&engine, &|net| address_head(net) >= middle);
        let asked = Asked::Addresses(Arc::new(move |net| address_head(net) < middle));
        let part = load(reader, (seq, seq), &asked, false);
        let front = in_order(part.engine(), &|net| address_head(net) < middle);
        assert_eq!([front, behind].concat(), expected, "record {seq}");
        assert_eq!(parts(reader, seq).concat(), expected, "record {seq}");

        let projects: BTreeSet<&Id> = expected.iter().filter_map(|row| row.project_id.as_ref()).collect();
        for project in projects {
            let part = load(reader, (seq, seq), &Asked::Project(project.clone()), true);
            for filter in [SourceFilter::internet(), SourceFilter::prefix("10.0.0.0/9".parse().unwrap())] {
                let seen = |engine: &Engine| {
                    let mut filter = filter.clone();
                    all_rows(engine, |cloud, row| {
                        row.project_id.as_ref() == Some(project) && filter.keeps(cloud, row)
                    })
                };
                assert_eq!(seen(part.engine()), seen(&engine), "project {project}, record {seq}");
            }
        }
    }
}

fn in_order(engine: &Engine, wanted: &dyn Fn(IpNet) -> bool) -> Vec<Row> {
    let clouds: Vec<&CloudModel> = engine.clouds().collect();
    let mut rows = Vec::new();
    let whole = rows_in_order(
        &clouds,
        wanted,
        |_, _| true,
        |row| {
            rows.push(row);
            ControlFlow::Continue(())
        },
    );
    assert!(whole.is_continue());
    rows
}

/// The rows as they are listed for all of the clouds, however small the snapshot is.
fn parts(reader: &mut dyn Reader, seq: u64) -> Vec<Vec<Row>> {
    let mut parts = Vec::new();
    let listed = in_parts(reader, seq, true, &options(), 0, |engine, wanted| {
        parts.push(in_order(engine, wanted));
        Ok::<_, JournalError>(())
    });
    listed.unwrap();
    parts
}

/// What comes into sight and goes out of it is what the lists of all records show, as they are seen from there.
fn check_sights(reader: &mut dyn Reader, (first, last): (u64, u64)) {
    for filter in [SourceFilter::internet(), SourceFilter::prefix("10.0.0.0/9".parse().unwrap())] {
        let seen = |engine: &Engine| {
            let mut filter = filter.clone();
            let mut rows = all_rows(engine, |cloud, row| filter.keeps(cloud, row));
            sort(&mut rows);
            rows.dedup();
            rows
        };
        let mut engine = state::at(reader, first, &options()).unwrap();
        let mut before = seen(&engine);
        let asked = Asked::ChangedAfter(first);
        let part = Excerpt::load(reader, (first, last), &asked, true, &options()).unwrap();
        let (mut part, mut sight) = (part.at(first, &options()), Sight::new(filter.clone()));
        let mut change = sight.next_change(&mut part);
        for seq in first + 1..=last {
            assert!(state::advance(&mut engine, reader, seq).unwrap());
            let after = seen(&engine);
            let (mut opened, mut closed) = (without(&after, &before), without(&before, &after));
            if let Some(found) = change.take_if(|change| change.seq == seq) {
                let Change { opened: mut came, closed: mut went, .. } = found;
                [&mut opened, &mut closed, &mut came, &mut went].into_iter().for_each(|rows| sort(rows));
                assert_eq!((came, went), (opened, closed), "record {seq}");
                change = sight.next_change(&mut part);
            } else {
                assert_eq!((opened, closed), (vec![], vec![]), "record {seq}");
            }
            before = after;
        }
        assert!(change.is_none());
    }
}

/// Every project has the same subnet, as they have unless told otherwise, and a router has its first address. In two regions ports have the
/// same ids.
#[test]
fn the_first_rows_of_clouds_that_share_a_subnet_are_a_part() {
    let place = Place::new("past-shared");
    let store = place.path("store");
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let journal = Store::create(Path::new(&store), &new).unwrap();
    let mut recorder = Recorder::resume(Box::new(journal), &options()).unwrap();
    for second in 0..200 {
        let (project, number) = (second / 5, second % 5 + 1);
        let owner = if number == 1 { "network:router_interface" } else { "compute:nova" };
        let payload = json!({"port": {"id": format!("p{}", project / 2 * 5 + number), "network_id": format!("n{project}"),
            "project_id": format!("project{project}"), "security_groups": [], "port_security_enabled": false,
            "device_owner": owner,
            "fixed_ips": [{"ip_address": format!("10.0.0.{number}"), "subnet_id": format!("s{project}")}]}});
        let mut raw = message(second, "port.create.end", &payload);
        raw.region = Some(Arc::from(if project % 2 == 0 { "east" } else { "west" }));
        recorder.message(raw.received_at, &raw, decode(&raw)).unwrap();
        recorder.flush().unwrap();
    }
    recorder.want_snapshot();
    recorder.flush().unwrap();
    recorder.finish().unwrap();
    drop(recorder);
    let reader = &mut Store::open_reader(Path::new(&store)).unwrap();
    let seq = reader.head().unwrap().seq;
    let parts = parts(reader, seq);
    let expected = all_rows(&state::at(reader, seq, &options()).unwrap(), |_, _| true);
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [40, 120]);
    assert_eq!(parts.concat(), expected);
    check(reader, 20, 150);
}

/// A recording in a store that has snapshots of the beginning, the middle and the end.
fn check_recording(name: &str) {
    let corpus = Corpus::load(&directory(), name).unwrap();
    let place = Place::new("past");
    let store = place.path("store");
    let inventory = place.write("inventory.json", corpus.snapshots[0].inventory().to_string());
    let half = (corpus.messages.len() / 2).to_string();
    let replay = ["replay", "--store", &store, "-o", "json"];
    json_lines(&[&replay[..], &["--inventory", &inventory, "--until", &half, &recording(name)]].concat());
    json_lines(&[&replay[..], &[&recording(name)]].concat());
    check(&mut Store::open_reader(Path::new(&store)).unwrap(), 25, 50);
}

#[test]
fn a_part_of_dev_2026_is_as_in_the_whole() {
    check_recording("dev-2026");
}

#[test]
fn a_part_of_dev_zed_is_as_in_the_whole() {
    check_recording("dev-zed");
}

/// A simulated cloud does what no recording has: forwardings, address groups, floating IPs that move, silent changes that a read shows.
/// One has its snapshots in dozens of chunks, as a large cloud has: what is found in one tells what is wanted of others.
#[test]
fn a_part_of_a_simulated_cloud_is_as_in_the_whole() {
    for (seed, chunk_bytes) in [(1, None), (2, Some(2_000))] {
        let place = Place::new("past-sim");
        let mut listener = Listener::new(&place, "store", seed);
        listener.chunk_bytes = chunk_bytes;
        listener.listen(12);
        check(&mut *listener.reader(), 40, 10);

        // The same from the horizon on, and from before it nothing.
        listener.decide(&days(4));
        listener.expire();
        check(&mut *listener.reader(), 20, 2);
        let horizon = listener.reader().expiry().unwrap().checkpoint.seq;
        assert!(horizon > 1);
        let (store, earlier) = (place.path("store"), (horizon - 1).to_string());
        let refusal = refused(2, &["exposure", "diff", "--store", &store, "--from", &earlier]);
        assert!(refusal.contains(&format!("--from {earlier}: before ")) && refusal.contains("the horizon"));
        let asked = ["exposure", "history", "--store", &store, "--address"];
        let rows = json_lines(&["exposure", "--store", &store, "--at", &horizon.to_string(), "-o", "json"]);
        let address = rows[0]["address"].as_str().unwrap();
        let output = osel(&[&asked[..], &[address]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with(&format!("what was before record {horizon} (")), "{said}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("before"));
    }
}

#[test]
fn a_part_of_what_a_database_has_is_as_in_the_whole() {
    let postgres = Postgres::start(free_port(), "");
    let mut listener = Listener::sharing(postgres.database("osel"), 5);
    listener.listen(6);
    check(&mut *listener.reader(), 10, 4);
}

#[test]
fn of_a_time_before_the_first_record_it_is_said_that_nothing_is_known() {
    let place = Place::new("past-before");
    let store = place.path("store");
    json_lines(&["replay", "--store", &store, "-o", "json", &recording("dev-glance")]);
    let first = &json_lines(&["audit", "export", "--store", &store, "--seq", "1..1"])[0];
    let asked = |at: &str| {
        let output = osel(&["exposure", "--store", &store, "--at", at]);
        assert!(output.status.success() && output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = asked("2000-01-01T00:00:00Z");
    let wanted =
        format!("osel knew nothing then, its first record is of {}", first["as_of"].as_str().unwrap());
    assert!(said.contains(&wanted), "{said}");
    assert!(!asked("0").contains("knew nothing"));
}
