//! How fast the stores take batches, beside a bare insert loop of the same bytes in the same run.
//!
//! `cargo bench -p osel --bench store [-- RECORDS]`. Every entry is a notification of about 1.8 KB as they
//! look on a bus (distinct ids, names, times and addresses), every record has about 700 bytes. The two are
//! measured in turns and the medians compared; a flush of this machine's disk is part of both. So is a PostgreSQL
//! of the benchmark's own on the same machine, which flushes as well.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use osel::config::PostgresConfig;
use osel::store::code::ContentView;
use osel::store::{
    ALL, Commit, Entry, EntryKind, Head, Journal, NewRecords, NewStore, PartContent, PostgresJournal, Reader,
    Store, StoredPart, StoredRecord, Whose,
};
use osel_core::time::Timestamp;
use rusqlite::{Connection, params};

#[path = "../tests/support/postgres.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "it is a helper of tests, which stop and start the server")]
mod postgres;

use postgres::Postgres;

const BATCH: usize = 512;
const RECORDS: usize = 200_000;
const ROUNDS: usize = 3;
const NEW: NewStore = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
/// Below the ports that the kernel gives to outgoing connections, and not PostgreSQL's own.
const PORT: u16 = 15_432;

fn main() -> Result<(), Box<dyn Error>> {
    let records = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(RECORDS);
    let directory = std::env::temp_dir().join(format!("osel-bench-store-{}", std::process::id()));
    let batches: Vec<_> = (0..records.div_ceil(BATCH)).map(batch).collect();
    let entry_bytes: usize =
        batches.iter().flat_map(|(entries, _)| entries).map(|entry| entry.body.len()).sum();
    let count = batches.len() * BATCH;
    println!("{count} records in batches of {BATCH}, entries of {} bytes", entry_bytes / count);
    let server = Postgres::start(PORT, "fsync=on\nshared_buffers=128MB");
    let (mut ours, mut bare, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ours.push(timed(&directory, |path| store(path, &batches))?);
        bare.push(timed(&directory, |path| loop_of_inserts(path, &batches))?);
        let config = PostgresConfig::parse(&server.database(&format!("round_{round}")), &|_| None)?;
        shared
            .push(timed(&directory, |_| write(&mut PostgresJournal::open(&config, Some(&NEW))?, &batches))?);
    }
    let (ours, bare, shared) = (median(&mut ours), median(&mut bare), median(&mut shared));
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    println!("store      {:>9.0} records/s", rate(ours));
    println!("bare loop  {:>9.0} records/s", rate(bare));
    println!("ratio      {:>9.2}", rate(ours) / rate(bare));
    println!("postgresql {:>9.0} records/s", rate(shared));
    println!("to sqlite  {:>9.2}", rate(shared) / rate(ours));
    reading(&directory, &batches)?;
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed(
    directory: &Path,
    run: impl FnOnce(&Path) -> Result<(), Box<dyn Error>>,
) -> Result<Duration, Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    let path = directory.join("store");
    let start = Instant::now();
    let result = run(&path);
    let time = start.elapsed();
    fs::remove_dir_all(directory)?;
    result.map(|()| time)
}

fn store(path: &Path, batches: &[(Vec<Entry>, NewRecords)]) -> Result<(), Box<dyn Error>> {
    write(&mut Store::create(path, &NEW)?, batches)
}

fn write(journal: &mut dyn Journal, batches: &[(Vec<Entry>, NewRecords)]) -> Result<(), Box<dyn Error>> {
    let (epoch, mut head) = (journal.info().epoch, Head::EMPTY);
    for (entries, records) in batches {
        head = journal.commit(&Commit { entries, records, ..Commit::empty(epoch, head) })?;
    }
    Ok(())
}

fn loop_of_inserts(path: &Path, batches: &[(Vec<Entry>, NewRecords)]) -> Result<(), Box<dyn Error>> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE entries (number INTEGER PRIMARY KEY, body BLOB);
         CREATE TABLE records (seq INTEGER PRIMARY KEY, canonical BLOB, parts BLOB);",
    )?;
    for (entries, records) in batches {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO entries VALUES (?1, ?2)")?;
            for entry in entries {
                insert.execute(params![entry.number as i64, entry.body])?;
            }
            let mut insert = transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3)")?;
            for record in records.iter() {
                if let Some(ContentView::Bytes(part)) = record.parts().next().map(|part| part.content) {
                    insert.execute(params![record.head.seq as i64, record.canonical, part])?;
                }
            }
        }
        transaction.commit()?;
    }
    Ok(())
}

fn reading(directory: &Path, batches: &[(Vec<Entry>, NewRecords)]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    let path = directory.join("store");
    store(&path, batches)?;
    let count = (batches.len() * BATCH) as f64;
    let bytes = fs::metadata(path.join("journal.db"))?.len() as f64;
    println!("on disk    {:>9.0} bytes a record with its entry", bytes / count);
    let mut reader = Store::open_reader(&path)?;
    let start = Instant::now();
    reader.records(ALL, &mut |_| std::ops::ControlFlow::Continue(()))?;
    println!("read       {:>9.0} records/s", count / start.elapsed().as_secs_f64());
    let start = Instant::now();
    reader.entries(ALL, &mut |_| std::ops::ControlFlow::Continue(()))?;
    println!("read       {:>9.0} entries/s", count / start.elapsed().as_secs_f64());
    drop(reader);
    fs::remove_dir_all(directory)?;
    Ok(())
}

/// Numbers that look like chance and are the same in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }
}

fn batch(index: usize) -> (Vec<Entry>, NewRecords) {
    let mut chance = Chance(index as u64);
    let numbers = (index * BATCH) as u64 + 1..=((index + 1) * BATCH) as u64;
    let (entries, records): (_, Vec<_>) =
        numbers.map(|number| (entry(number, &mut chance), record(number, &mut chance))).unzip();
    (entries, NewRecords::of(&records))
}

/// A port's notification: what is shared within a cloud repeats, what is not is random.
fn entry(number: u64, chance: &mut Chance) -> Entry {
    let seconds = number / 1000;
    let time = format!("2026-11-21 {:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let project = format!("{:032x}", chance.next() % 200);
    let (message, unique, request) = (chance.uuid(), chance.uuid().replace('-', ""), chance.uuid());
    let (port, network, device) = (chance.uuid(), chance.next() % 500, chance.uuid());
    let (address, group) = (chance.next() % 65_536, chance.next() % 1000);
    let message = format!(
        "{{\"message_id\": \"{message}\", \"publisher_id\": \"network.ctl1\", \"event_type\": \
         \"port.update.end\", \
         \"priority\": \"INFO\", \"payload\": {{\"port\": {{\"id\": \"{port}\", \"name\": \"vm-{number}\", \
         \"network_id\": \"0{network:07x}-c4c1-408f-b0fe-79a4c43fd1ac\", \"tenant_id\": \"{project}\", \
         \"mac_address\": \"fa:16:3e:{:02x}:{:02x}:{:02x}\", \"admin_state_up\": true, \"status\": \
         \"ACTIVE\", \
         \"device_id\": \"{device}\", \"device_owner\": \"compute:nova\", \"fixed_ips\": [{{\"subnet_id\": \
         \"1{network:07x}-aa31-4e0e-9c42-0d3e0d9a55b1\", \"ip_address\": \"10.{}.{}.{}\"}}], \"project_id\": \
         \"{project}\", \"allowed_address_pairs\": [], \"extra_dhcp_opts\": [], \"security_groups\": \
         [\"2{group:07x}-5d7c-4f6d-8f0c-6f7a1a1f9a11\"], \"description\": \"\", \"binding:vnic_type\": \
         \"normal\", \
         \"binding:profile\": {{}}, \"binding:host_id\": \"compute-{}\", \"binding:vif_type\": \"ovs\", \
         \"binding:vif_details\": {{\"port_filter\": true, \"connectivity\": \"l2\"}}, \
         \"port_security_enabled\": \
         true, \"dns_name\": \"\", \"dns_assignment\": [], \"tags\": [], \"created_at\": \
         \"2026-11-21T00:41:04Z\", \
         \"updated_at\": \"{time}\", \"revision_number\": {}}}}}, \"timestamp\": \"{time}.{:06}\", \
         \"_unique_id\": \
         \"{unique}\", \"_context_user_id\": \"0134e963d2cb47acb1cbded3d170eb51\", \"_context_project_id\": \
         \"{project}\", \"_context_project_name\": \"aster-{}\", \"_context_request_id\": \"req-{request}\", \
         \"_context_roles\": [\"member\", \"reader\"], \"_context_user_name\": \"ada\", \
         \"_context_is_admin\": false}}",
        address >> 8,
        address & 255,
        number & 255,
        network & 255,
        address >> 8,
        address & 255,
        chance.next() % 200,
        chance.next() % 50,
        chance.next() % 1_000_000,
        chance.next() % 200,
    );
    let body = format!(
        "{{\"oslo.version\": \"2.0\", \"oslo.message\": \"{}\"}}",
        message.replace('\\', "\\\\").replace('"', "\\\"")
    );
    Entry {
        number,
        at: Timestamp::EPOCH.plus_seconds(seconds as i64),
        kind: EntryKind::MESSAGE,
        source: "region-one".into(),
        head: b"{\"exchange\":\"neutron\",\"routing_key\":\"notifications.info\",\"redelivered\":false}"
            .to_vec(),
        body: body.into_bytes(),
        erased: false,
    }
}

/// Canonical bytes with their commitments, and a body part.
fn record(seq: u64, chance: &mut Chance) -> StoredRecord {
    let mut canonical = b"osel-record-1".to_vec();
    canonical.extend_from_slice(&seq.to_le_bytes());
    for _ in 0..4 {
        canonical.extend_from_slice(&chance.bytes::<32>());
    }
    let body = format!(
        "{{\"summary\":\"ada of aster changed port {}\",\
         \"actor\":{{\"user_id\":\"0134e963d2cb47acb1cbded3d170eb51\",\
         \"user_name\":\"ada\",\"project_name\":\"aster\"}},\"target\":{{\"type\":\"port\",\"id\":\"{}\"}},\
         \"request_id\":\"req-{}\",\"message_id\":\"{}\",\"event_type\":\"port.update.end\",\
         \"outcome\":\"success\"}}",
        chance.uuid(),
        chance.uuid(),
        chance.uuid(),
        chance.uuid(),
    );
    let part =
        |class, content, salt| StoredPart { class, project: None, whose: Whose::Nobody, salt, content };
    StoredRecord {
        seq,
        entry: seq,
        kind: 1,
        time: Timestamp::EPOCH.plus_seconds((seq / 1000) as i64),
        as_of: Timestamp::EPOCH.plus_seconds((seq / 1000) as i64),
        canonical,
        hash: chance.bytes(),
        parts: vec![
            part(1, PartContent::Bytes(body.into_bytes()), chance.bytes()),
            part(3, PartContent::InEntry, chance.bytes()),
        ],
    }
}
