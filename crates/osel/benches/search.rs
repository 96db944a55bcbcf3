//! How long a search takes in a large trail, and what its index costs.
//!
//! `cargo bench -p osel --bench search [-- --records N]`. Records as they come of a cloud's day (logins, changes of ports and rules, calls of
//! APIs; thousands of users, hundreds of projects, an exposed address in each fifth) are written to a store by big commits and without
//! messages, then the index is made, then each field is asked for, in turn, by values that are there. Everything is removed at the end. Ten
//! million records need about 10 GB for as long as it runs.
//!
//! To read: `first 100` ends when as many records were judged and given, `all` when there are no more. `read through` is the same question
//! without an index, measured over the last part of the same store and reckoned up. The goal is a second for an indexed field.

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use osel::runtime::search::{Lacking, Wanted, look, next_step};
use osel::store::{
    Commit, Head, Journal, NewRecords, NewStore, PartContent, Reader, Store, StoredPart, StoredRecord, Whose,
};
use osel_core::engine::record::{Detail, RecordBody};
use osel_core::event::{Actor, Outcome, Target};
use osel_core::exposure::{Judged, JudgedRow};
use osel_core::ids::Id;
use osel_core::model::{Permission, Row, Source, Via, host};
use osel_core::search::{Query, parse_net};
use osel_core::time::Timestamp;
use osel_core::trail::{Chain, Draft, RecordKind};
use osel_sim::random::Random;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const RECORDS: u64 = 1_000_000;
const AT_ONCE: u64 = 8192;
const ROUNDS: usize = 30;
const GOAL: Duration = Duration::from_secs(1);
/// So many of the last records are read through without an index.
const READ_THROUGH: u64 = 100_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments.iter().position(|argument| argument == "--records");
    let records = given.and_then(|at| arguments.get(at + 1)).map_or(Ok(RECORDS), |count| count.parse())?;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("search-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let result = measure(&directory.join("store"), records);
    fs::remove_dir_all(&directory)?;
    result
}

fn measure(path: &Path, records: u64) -> Result<()> {
    let mut journal = Store::create(path, &NewStore { id: [7; 16], created_at: Timestamp::EPOCH })?;
    let begun = Instant::now();
    write(&mut journal, records)?;
    println!("written       {records} records in {:.0} s", begun.elapsed().as_secs_f64());
    let bytes = |path: &Path| Ok::<_, Box<dyn Error>>(fs::metadata(path.join("journal.db"))?.len() as f64);
    let count = records as f64;
    let without = bytes(path)?;
    let mut reader = journal.reader()?;

    let (read_through, found) =
        ask(&mut *reader, &by_actor("user-0007"), records - READ_THROUGH.min(records) + 1, usize::MAX)?;
    let reckoned = read_through.as_secs_f64() * count / READ_THROUGH.min(records) as f64;
    println!(
        "read through  {reckoned:.1} s (reckoned from {} records, {found} found)",
        READ_THROUGH.min(records)
    );

    let begun = Instant::now();
    while let Some(segment) = next_step(&mut *reader, Lacking::Any)? {
        journal.put_segment(&segment)?;
    }
    let took = begun.elapsed().as_secs_f64();
    println!("indexed       {:.1} µs a record, {:.0} records/s", took * 1e6 / count, count / took);
    println!(
        "index         {:.0} bytes a record, beside {:.0} of the record itself",
        (bytes(path)? - without) / count,
        without / count
    );
    println!("\n{:<34} {:>9} {:>21} {:>21}", "ms: median, 99th percentile", "found", "first 100", "all");
    let mut random = Random::new(5);
    let mut met = true;
    for (name, make, is_indexed) in fields() {
        met &= field(&mut *reader, records, &mut random, (name, make, is_indexed))?;
    }
    println!(
        "\ngoal of {} s for the first 100 by each indexed field: {}",
        GOAL.as_secs(),
        if met { "met" } else { "MISSED" }
    );
    Ok(())
}

/// Asks by one field some times, and says whether the slowest was within the goal.
fn field(
    reader: &mut dyn Reader,
    records: u64,
    random: &mut Random,
    (name, make, is_indexed): Field,
) -> Result<bool> {
    let (mut first, mut all, mut most) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let query = make(random, records);
        first.push(ask(reader, &query, 1, 100)?.0);
        // What finds much is printed for as long as it takes: a few times are enough.
        if most < 100_000 || round < 2 {
            let (took, found) = ask(reader, &query, 1, usize::MAX)?;
            all.push(took);
            most = most.max(found);
        }
    }
    println!("{name:<34} {most:>9} {:>21} {:>21}", told(&mut first), told(&mut all));
    Ok(!is_indexed || first.last().is_some_and(|slowest| *slowest <= GOAL))
}

fn told(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize].as_secs_f64() * 1e3;
    format!("{:.1}, {:.1}", at(0.5), at(0.99))
}

fn ask(reader: &mut dyn Reader, query: &Query, from: u64, count: usize) -> Result<(Duration, usize)> {
    let last = reader.head()?.seq;
    let begun = Instant::now();
    let mut found = 0;
    let wanted = Wanted { records: from..=last, latest_first: true };
    look(reader, query, &wanted, &mut |_, _| {}, &mut |_: &mut dyn Reader, _, _| {
        found += 1;
        Ok::<_, Infallible>(if found < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok((begun.elapsed(), found))
}

/// A name, how a question is made, and whether the goal holds for it: a part of a word is looked for in all words.
type Field = (&'static str, fn(&mut Random, u64) -> Query, bool);

fn by_actor(actor: &str) -> Query {
    Query { actors: vec![actor.to_owned()], ..Query::default() }
}

fn fields() -> [Field; 15] {
    [
        ("actor, by name", |random, _| by_actor(&user_name(random.below(USERS))), true),
        ("actor, by id", |random, _| by_actor(&id(1, random.below(USERS))), true),
        ("actor that there is not", |_, _| by_actor("nobody"), true),
        (
            "project",
            |random, _| Query { projects: vec![id(2, random.below(PROJECTS))], ..Query::default() },
            true,
        ),
        (
            "address of a row or client",
            |random, _| Query {
                addresses: parse_net(&address(random.below(ADDRESSES))).into_iter().collect(),
                ..Query::default()
            },
            true,
        ),
        (
            "addresses within a /24",
            |random, _| Query {
                addresses: parse_net(&format!("10.0.{}.0/24", random.below(256))).into_iter().collect(),
                ..Query::default()
            },
            true,
        ),
        (
            "event type, beginning",
            |_, _| Query { event_types: vec!["security_group_rule.".into()], ..Query::default() },
            true,
        ),
        (
            "kind and outcome",
            |_, _| Query {
                kinds: [RecordKind::Authentication].into(),
                outcomes: vec![Outcome::Failure],
                ..Query::default()
            },
            true,
        ),
        (
            "target, by id",
            |random, records| Query { targets: vec![id(3, random.below(records))], ..Query::default() },
            true,
        ),
        (
            "message id",
            |random, records| Query { messages: vec![id(4, random.below(records))], ..Query::default() },
            true,
        ),
        (
            "an hour",
            |random, records| {
                let since = time(random.below(records));
                Query { since: Some(since), until: Some(since.plus_seconds(3600)), ..Query::default() }
            },
            true,
        ),
        (
            "actor, failures, a day",
            |random, records| {
                let since = time(random.below(records));
                Query {
                    since: Some(since),
                    until: Some(since.plus_seconds(86_400)),
                    outcomes: vec![Outcome::Failure],
                    ..by_actor(&user_name(random.below(USERS)))
                }
            },
            true,
        ),
        (
            "cause",
            |random, records| Query { causes: vec![1 + random.below(records)], ..Query::default() },
            true,
        ),
        (
            "a word and the beginning of one",
            |random, _| Query {
                text: Some(format!("port web-{}", random.below(10_000))),
                ..Query::default()
            },
            true,
        ),
        (
            "part of a word",
            |random, _| Query { text: Some(format!("b-{}", 1000 + random.below(9000))), ..Query::default() },
            false,
        ),
    ]
}

const USERS: u64 = 5000;
const PROJECTS: u64 = 400;
const ADDRESSES: u64 = 65_536;
/// Records of a second: ten million are eleven days.
const RECORDS_A_SECOND: u64 = 10;

fn user_name(number: u64) -> String {
    format!("user-{number:04}")
}

fn address(number: u64) -> String {
    format!("10.0.{}.{}", number / 256 % 256, number % 256)
}

/// An id whose digits look like chance.
fn id(kind: u64, number: u64) -> String {
    let mut random = Random::new(kind << 40 | number);
    random.uuid()
}

fn time(seq: u64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(1_700_000_000 + (seq / RECORDS_A_SECOND) as i64)
}

fn write(journal: &mut dyn Journal, records: u64) -> Result<()> {
    let mut random = Random::new(3);
    let (mut chain, mut head, epoch) = (Chain::new(), Head::EMPTY, journal.info().epoch);
    let mut seq = 0;
    while seq < records {
        let last = records.min(seq + AT_ONCE);
        let batch: Vec<StoredRecord> =
            (seq + 1..=last).map(|seq| record(seq, &mut random, &mut chain)).collect::<Result<_>>()?;
        head = journal.commit(&Commit { records: &NewRecords::of(&batch), ..Commit::empty(epoch, head) })?;
        seq = last;
    }
    Ok(())
}

fn record(seq: u64, random: &mut Random, chain: &mut Chain) -> Result<StoredRecord> {
    let user = random.below(USERS);
    let project = Id::new(&id(2, user % PROJECTS));
    let what = random.below(10);
    let kind = if what < 4 {
        RecordKind::Authentication
    } else if what < 6 {
        RecordKind::Access
    } else {
        RecordKind::Change
    };
    let is_change = kind == RecordKind::Change;
    let event_type = match what {
        0..4 => "identity.authenticate",
        4..6 => "audit.http.response",
        6..8 => "port.update.end",
        _ => "security_group_rule.create.end",
    };
    let place = (random.below(ADDRESSES) as u16).to_be_bytes();
    let row = || JudgedRow {
        row: Row {
            address: host([10, 0, place[0], place[1]].into()),
            via: Via::Fixed,
            fixed_ip: None,
            port_id: Id::new(&id(3, seq)),
            device_id: None,
            device_owner: None,
            project_id: Some(project.clone()),
            network_id: None,
            region: None,
            permission: Permission::new(false, Some("tcp"), Some(22), Some(22), Source::family(false)),
            security_group_id: Some(project.clone()),
            rule_id: Some(project.clone()),
        },
        redundant: false,
        covered_before: false,
    };
    let opened = if what >= 8 { vec![row()] } else { Vec::new() };
    let target = is_change.then(|| Target {
        kind: "port".into(),
        id: Some(Id::new(&id(3, seq))),
        name: Some(format!("web-{}", random.below(10_000)).into()),
        project_id: Some(project.clone()),
    });
    let at = time(seq);
    let body = RecordBody {
        kind,
        time: at,
        recorded_at: at,
        source: Some("region-one".into()),
        region: Some("RegionOne".into()),
        message_id: Some(id(4, seq).into()),
        request_id: Some(Id::new(&format!("req-{}", id(5, seq)))),
        event_type: Some(event_type.into()),
        outcome: if random.below(20) == 0 { Outcome::Failure } else { Outcome::Success },
        actor: Actor {
            user_id: Some(Id::new(&id(1, user))),
            user_name: Some(user_name(user).into()),
            user_domain_id: None,
            project_id: Some(project.clone()),
            project_name: Some(format!("project-{}", user % PROJECTS).into()),
            address: (!is_change).then(|| address(user).into()),
            agent: None,
        },
        target,
        cause: (random.below(5) == 0 && seq > 1).then(|| seq - 1),
        conflicting: false,
        exposure: Judged { opened, ..Judged::default() },
        wide: Vec::new(),
        detail: Detail::from([("verb".into(), "update".into())]),
        personal: Detail::new(),
    };
    let parts = body.parts();
    let draft = Draft { kind, time: at, recorded_at: at, parts: &parts };
    let sealed = chain.seal(&draft, &mut || [seq as u8 | 1; 16])?;
    let stored = sealed.parts.iter().zip(parts).map(|(sealed, part)| StoredPart {
        class: sealed.class.code(),
        project: sealed.project.as_ref().map(|id| id.with_text(|text| text.into())),
        whose: part.person.map_or(Whose::Nobody, |person| Whose::Person(person.to_string())),
        salt: [1; 16],
        content: PartContent::Bytes(part.bytes),
    });
    Ok(StoredRecord {
        seq,
        entry: 0,
        kind: kind.code(),
        time: at,
        as_of: sealed.as_of,
        canonical: sealed.canonical,
        hash: sealed.hash.0,
        parts: stored.collect(),
    })
}
