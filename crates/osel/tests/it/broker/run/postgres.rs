//! A store in PostgreSQL: a server that goes and comes, a disk of it that is full, and the change of leaders.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::super::{Broker, Certificates, Client, Postgres, free_port, give, until};
use super::disk::Disk;
use super::{LIMIT, Osel, add_user, publish, source, url};
use crate::command::{Place, osel, program, recording, refused, run};
use crate::http;

/// A dead leader's connection ends after a few of these.
const QUICK: &str = "heartbeat_seconds = 1";
const LED: &str = "another process leads the store";

struct Ground {
    broker: Broker,
    client: Client,
    postgres: Postgres,
    database: String,
}

impl Ground {
    fn new() -> Self {
        Self::with(Postgres::start(free_port(), ""))
    }

    fn with(postgres: Postgres) -> Self {
        let database = postgres.database("osel");
        let broker = Broker::start();
        add_user(&broker);
        let client = Client::connect(&broker.url()).unwrap();
        client.declare_exchange("neutron", false).unwrap();
        Self { broker, client, postgres, database }
    }

    fn osel(&self, name: &str) -> Osel {
        Osel::sharing(name, &self.database, &url(self.broker.port()), QUICK)
    }
}

#[test]
fn a_database_that_goes_and_comes_loses_nothing_and_is_told_once() {
    let ground = Ground::new();
    let mut osel = ground.osel("run-postgres");
    // It is away when osel starts.
    ground.postgres.stop("fast");
    osel.start();
    osel.await_log(&["the store cannot be opened"]);
    ground.postgres.run();
    osel.await_log(&["exchange bound", "neutron"]);
    let mut ids = publish(&ground.client, "first", 100);
    osel.await_recorded(ids.len());
    // The second is told as one that comes again, and what follows not at all: the log has a budget.
    for (mode, said) in [("fast", "trouble began"), ("immediate", "trouble comes and goes")] {
        ground.postgres.stop(mode);
        ids.extend(publish(&ground.client, mode, 2_000));
        osel.await_log(&["store not writable", said]);
        ground.postgres.run();
        osel.await_recorded(ids.len());
    }
    // While messages come, so that it happens in the middle of a commit.
    ids.extend(publish(&ground.client, "more", 3_000));
    ground.postgres.stop("immediate");
    ground.postgres.run();
    osel.await_recorded(ids.len());
    assert!(osel.lines(&["store not writable"]).len() <= 3, "{}", osel.log());
    let queue = osel.queue();
    assert!(osel.stop().success());
    ground.client.await_messages(&queue, 0);
    ids.sort_unstable();
    assert_eq!(osel.recorded_ids(), ids);
    assert_eq!(osel.gaps(), [[""; 3]; 0]);
}

/// A database that hangs says nothing for half a minute. Nobody has to believe for so long that what happens is being recorded.
#[test]
fn a_database_that_hangs_is_not_ready() {
    let ground = Ground::new();
    let mut osel = ground.osel("run-postgres-hangs");
    osel.start();
    osel.await_log(&["exchange bound", "neutron"]);
    let line = osel.lines(&["HTTP answers"]).swap_remove(0);
    let address = line.split_once("address=").unwrap().1.parse().unwrap();
    until("it is ready", LIMIT, || http::get(address, "/readyz").code == 200);
    let pids = ground.postgres.sql("osel", "SELECT pid FROM pg_stat_activity WHERE usename = 'osel'");
    let signal = |signal: Signal| {
        for pid in pids.lines() {
            // One that has ended meanwhile does not matter.
            let _ = kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), signal);
        }
    };
    signal(Signal::STOP);
    publish(&ground.client, "held", 1);
    until("it is not ready", LIMIT, || http::get(address, "/readyz").body.contains("it does not answer"));
    assert_eq!(osel.lines(&["store not writable"]), [""; 0], "sooner than it is given up");
    signal(Signal::CONT);
    osel.await_recorded(1);
    until("it is ready again", LIMIT, || http::get(address, "/readyz").code == 200);
    assert!(osel.stop().success());
}

#[test]
fn who_stands_by_takes_over_and_nothing_is_lost_or_told_twice() {
    let ground = Ground::new();
    let (mut one, mut other) = (ground.osel("run-lead-one"), ground.osel("run-lead-other"));
    one.start_and_listen();
    one.await_log(&["exchange bound", "neutron"]);
    let mut ids = publish(&ground.client, "first", 200);
    one.await_recorded(ids.len());
    other.start();
    other.await_log(&["standing by", LED]);
    other.await_log(&["ready to take the lead"]);
    assert_eq!(other.lines(&["listening"]), [""; 0], "who stands by touches nothing");
    other.await_log(&["HTTP answers"]);
    let address = http::address_in(&other.log());
    until("it says why it is not ready", LIMIT, || http::get(address, "/readyz").body.contains(LED));
    assert_eq!(http::get(address, "/readyz").code, 503);
    assert_eq!(http::get(address, "/healthz").code, 200);
    // A command that writes needs the lead as well; one that reads does not.
    let store = one.store();
    let error = refused(3, &["replay", "--store", &store, &recording("dev-aodh")]);
    assert!(error.contains("is in use by process"), "{error}");

    // Killed in the middle of its work.
    ids.extend(publish(&ground.client, "killed", 3_000));
    one.kill();
    other.await_log(&["takes the lead"]);
    other.await_lines(&["listening"], 1);
    ids.extend(publish(&ground.client, "second", 200));
    other.await_recorded(ids.len());

    // The other way round, in order: at once, and without an outage of the lease.
    one.start();
    one.await_log(&["standing by", LED]);
    one.await_log(&["ready to take the lead"]);
    assert!(other.stop().success());
    one.await_log(&["takes the lead"]);
    one.await_lines(&["listening"], 2);
    ids.extend(publish(&ground.client, "third", 200));
    one.await_recorded(ids.len());

    // Paused, and back when another leads: what it believes is refused, and it ends.
    other.start();
    other.await_lines(&["ready to take the lead"], 2);
    one.signal(Signal::STOP);
    ids.extend(publish(&ground.client, "paused", 500));
    other.await_lines(&["takes the lead"], 2);
    other.await_recorded(ids.len());
    one.signal(Signal::CONT);
    let status = one.await_end();
    assert_eq!(status.code(), Some(3), "{}", one.log());
    assert!(one.log().contains(LED), "{}", one.log());
    ids.extend(publish(&ground.client, "fourth", 200));
    other.await_recorded(ids.len());
    let queue = other.queue();
    assert!(other.stop().success());
    ground.client.await_messages(&queue, 0);
    ids.sort_unstable();
    assert_eq!(other.recorded_ids(), ids);
    assert_eq!(other.gaps(), [[""; 3]; 0]);
}

/// Hands an inventory in by the configuration of one of them: how it ended, and what was said.
fn import(osel: &Osel, inventory: &str) -> (Option<i32>, String) {
    let mut command = program();
    command.env("OSEL_CONFIG", osel.place.path("osel.toml")).args(["inventory", "import", inventory]);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Who stands by has no socket (decision 0010): a command there finds the store taken, and says by whom.
#[test]
fn orders_are_taken_by_who_leads_and_who_stands_by_names_it() {
    let ground = Ground::new();
    let (mut one, mut other) = (ground.osel("run-orders-one"), ground.osel("run-orders-other"));
    for osel in [&one, &other] {
        let control = format!("[control]\nsocket = '{}'\n", osel.place.path("s"));
        osel.configure(&(control + &source("one", "url", QUICK)));
    }
    let inventory = one.place.write("cloud.json", "{\"networks\": [{\"id\": \"n\"}]}");
    let taken = |osel: &Osel| {
        let mut said = String::new();
        until("it takes orders", LIMIT, || {
            let (code, words) = import(osel, &inventory);
            said = words;
            code == Some(0)
        });
        assert_eq!(said, format!("{inventory}: 1 objects read\n"));
    };
    let refused = |osel: &Osel, leader: &str| {
        let (code, words) = import(osel, &inventory);
        let absent = format!("osel: no osel listens at `{}` (OSEL_CONTROL__SOCKET", osel.place.path("s"));
        assert!(words.starts_with(&absent) && words.contains("is in use by process"), "{words}");
        assert!(words.contains(leader), "{words} {leader}");
        assert_eq!((code, words.lines().count()), (Some(3), 1), "{words}");
        assert!(!Path::new(&osel.place.path("s")).exists());
    };
    let leader = |osel: &Osel| {
        let line = osel.lines(&["standing by", LED]).pop().unwrap();
        let (_, name) = line.split_once("leader=\"").unwrap();
        name.split_once('"').unwrap().0.to_owned()
    };
    one.start_and_listen();
    taken(&one);
    other.start();
    other.await_log(&["ready to take the lead"]);
    refused(&other, &leader(&other));
    // With the lead goes who takes orders.
    assert!(one.stop().success());
    other.await_log(&["takes the lead"]);
    taken(&other);
    one.start();
    one.await_log(&["ready to take the lead"]);
    refused(&one, &leader(&one));
    assert!(one.stop().success() && other.stop().success());
    let records = other.records();
    let imported = records.iter().filter(|record| record["detail"]["imported_by"].is_string());
    assert!(imported.count() >= 2, "{records:?}");
}

#[test]
fn a_full_disk_of_the_database_loses_nothing() {
    let place = Place::new("postgres-disk");
    let directory = format!("/tmp/osel-postgres-disk-{}", std::process::id());
    let Some(disk) = Disk::mount(directory.clone().into(), "size=160m") else {
        eprintln!("not tried: only root may mount a small disk");
        return;
    };
    let ground = Ground::with(Postgres::start_in(directory.into(), free_port(), ""));
    let mut osel = ground.osel("run-postgres-disk");
    osel.start_and_listen();
    osel.await_log(&["exchange bound", "neutron"]);
    let mut ids = publish(&ground.client, "room", 100);
    osel.await_recorded(ids.len());
    disk.fill();
    // The log of the database has files in store: they are used up first.
    let mut number = 0;
    until("the database takes no more", LIMIT, || {
        number += 1;
        ids.extend(publish(&ground.client, &format!("full-{number}"), 3_000));
        !osel.lines(&["store not writable", "trouble began"]).is_empty()
    });
    osel.expect_running();
    disk.free();
    // Without room for its log a server ends, and whoever keeps it starts it again.
    if !ground.postgres.is_running() {
        ground.postgres.run();
    }
    osel.await_recorded(ids.len());
    assert!(osel.stop().success());
    ids.sort_unstable();
    assert_eq!(osel.recorded_ids(), ids);
    assert_eq!(osel.gaps(), [[""; 3]; 0]);
    drop(place);
}

#[test]
fn a_check_of_the_configuration_says_what_the_database_loses() {
    let postgres = Postgres::start(free_port(), "synchronous_commit=off");
    let place = Place::new("postgres-check");
    place.write("url", "rabbit://later/");
    let database = postgres.database("osel");
    let file = place.write(
        "osel.toml",
        format!(
            "[store]\nurl = '{database}'\n[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = {{ file = 'url' }}\n"
        ),
    );
    let check = || {
        let output = osel(&["config", "check", "-c", &file]);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let mut standby = postgres.follow();
    let said = check();
    for words in [
        "`fsync` is off",
        "`synchronous_commit` is off for this role: commits are acknowledged before",
        "replication to `pg_receivewal` is asynchronous",
    ] {
        assert!(said.contains(words), "{said}");
    }
    // Its absence is advice, too.
    postgres.stop("immediate");
    standby.wait().unwrap();
    let said = check();
    assert!(
        said.contains("store.url: cannot be looked at, so that what it would lose is not known"),
        "{said}"
    );
    // A copy of a database is its own affair.
    let error = refused(2, &["store", "backup", "--store", &database, &place.path("copy")]);
    assert!(error.contains("pg_dump"), "{error}");
}

#[test]
fn tls_verifies_what_the_url_asks_for() {
    let directory = std::path::PathBuf::from(format!("/tmp/osel-postgres-tls-{}", std::process::id()));
    let port = free_port();
    // The server's user reads the files, which therefore stand beside its own.
    let files = directory.join("tls");
    let certificates = Certificates::make(&files, "osel");
    fs::set_permissions(&certificates.server_key, fs::Permissions::from_mode(0o600)).unwrap();
    for path in [&certificates.server, &certificates.server_key] {
        give(path);
    }
    let name = |path: &Path| path.display().to_string();
    let settings = format!(
        "ssl=on\nssl_cert_file={}\nssl_key_file={}",
        name(&certificates.server),
        name(&certificates.server_key)
    );
    let postgres = Postgres::start_in(directory.clone(), port, &settings);
    postgres.database("osel");
    let other = Certificates::make(&directory.join("other"), "osel");
    let (ours, other) = (name(&certificates.authority), name(&other.authority));
    let url = |host: &str, options: &str| format!("postgresql://osel@{host}:{port}/osel?{options}");

    // Whoever comes without TLS is refused, so that what is taken has used it.
    postgres.authenticate("hostssl all all all trust");
    let verified = url("localhost", &format!("sslmode=verify-full&sslrootcert={ours}"));
    run(&["replay", "--store", &verified, &recording("dev-glance")]);
    for options in ["sslmode=prefer", "sslmode=require", &format!("sslmode=verify-ca&sslrootcert={ours}")] {
        run(&["ledger", "--store", &url("127.0.0.1", options)]);
    }
    let error = refused(3, &["ledger", "--store", &url("127.0.0.1", "sslmode=disable")]);
    assert!(error.contains("no permission"), "{error}");
    for (host, options) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}")),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={other}")),
        ("localhost", format!("sslmode=require&sslrootcert={other}")),
        ("localhost", "sslmode=verify-full".to_owned()),
    ] {
        let error = refused(3, &["ledger", "--store", &url(host, &options)]);
        assert!(error.contains("connect to the store at"), "{options}: {error}");
    }
}
