//! The log's key from Barbican: from the real one, and from an emulated one that fails in every way.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use osel::openstack::{self, REQUESTS_PER_SECOND, SECRET_BYTES_MAX};
use osel::store::{Reader, Store};
use osel_core::trail::bundle::Checker;
use osel_core::trail::log::SigningKey;
use osel_sim::api::{Account as User, Cloud, Emulated, Fault, Options, Secret, What};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::broker::{beside, until};
use crate::command::{Place, program, recording, run};
use crate::daemon::{Daemon, LIMIT};
use crate::openstack::{ADMIN, account, now};

const ID: &str = "0b1d0000-0000-4000-8000-00000000b1d0";
const OTHER_ID: &str = "0b1d0000-0000-4000-8000-00000000b1d1";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed("log.example/osel".parse().unwrap(), &[seed; 32])
}

fn secret(payload: &str) -> Secret {
    Secret {
        project: User::ADMIN_PROJECT.to_owned(),
        content_type: "text/plain".to_owned(),
        payload: Some(payload.to_owned()),
    }
}

/// An emulated cloud whose Barbican has these, from outside of whatever runtime the test has.
fn emulated(secrets: &[(&str, Secret)]) -> Emulated {
    let secrets = secrets.iter().map(|(id, secret)| ((*id).to_owned(), secret.clone())).collect();
    let options = Options { secrets, ..Options::default() };
    let start = || Emulated::start(Cloud::from_inventory(&json!({})), options).unwrap();
    std::thread::scope(|scope| scope.spawn(start).join().unwrap())
}

/// What comes of asking for the secret, as text or in the words of an error.
async fn asked(emulated: &Emulated, variables: &[(&str, &str)]) -> Result<String, String> {
    let cloud = account(emulated, &[&ADMIN[..], variables].concat());
    let account = openstack::Account { cloud, requests_per_second: REQUESTS_PER_SECOND, insecure: false };
    let told = openstack::secret(account, ID, now).await;
    told.map(|text| text.to_string()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_secret_is_had_as_what_it_is() {
    for content_type in ["text/plain", "application/octet-stream"] {
        let own = Secret { content_type: content_type.to_owned(), ..secret("a key") };
        let emulated = emulated(&[(ID, own)]);
        assert_eq!(asked(&emulated, &[]).await, Ok("a key".to_owned()), "{content_type}");
        assert_eq!(emulated.asked("/key-manager/v1/secrets/").len(), 2);
    }
}

#[tokio::test]
async fn a_token_that_has_just_expired_is_renewed() {
    let emulated = emulated(&[(ID, secret("a key"))]);
    emulated.fail(Fault::new(What::ExpiredToken).on("/payload").times(1));
    assert_eq!(asked(&emulated, &[]).await, Ok("a key".to_owned()));
    assert_eq!(emulated.asked("POST /identity/v3/auth/tokens").len(), 2);
    emulated.fail(Fault::new(What::ExpiredToken).on("/payload"));
    let error = asked(&emulated, &[]).await.unwrap_err();
    assert!(error.contains("refuses the token, also a new one"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_had_is_told_without_a_byte_of_it() {
    let large = "hunter2".repeat(SECRET_BYTES_MAX);
    let secrets = [
        ("is larger than 4096 bytes", secret(&large)),
        (
            "is `application/pkix-cert`",
            Secret { content_type: "application/pkix-cert".to_owned(), ..secret("hunter2") },
        ),
        ("has no payload", Secret { payload: None, ..secret("hunter2") }),
        (
            "is refused: Secret retrieval attempt not allowed",
            Secret { project: "another".to_owned(), ..secret("hunter2") },
        ),
    ];
    for (words, secret) in secrets {
        let emulated = emulated(&[(ID, secret)]);
        let error = asked(&emulated, &[]).await.unwrap_err();
        assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
    }
    let status = |code| What::Status { code, retry_after: None };
    for (words, what) in [
        // It is never followed: the token is for whom the catalog names.
        ("answers 302", status(302)),
        ("is refused", status(403)),
        ("is not there", status(404)),
        ("answers 406", status(406)),
        ("asks to be left alone", status(503)),
        ("broke", What::Down),
        ("broke", What::CutBody),
    ] {
        for part in ["/secrets/", "/payload"] {
            let emulated = emulated(&[(ID, secret("hunter2"))]);
            emulated.fail(Fault::new(what.clone()).on(part));
            let error = asked(&emulated, &[]).await.unwrap_err();
            assert!(error.contains(words) && !error.contains("hunter2"), "{what:?}: {error}");
        }
    }
    let emulated = emulated(&[(OTHER_ID, secret("hunter2"))]);
    let error = asked(&emulated, &[]).await.unwrap_err();
    assert!(error.contains("Secret not found"), "{error}");
    emulated.adjust(|options| options.secrets.clear());
    let error = asked(&emulated, &[]).await.unwrap_err();
    assert!(error.contains("has no service `KeyManager`"), "{error}");
    let error = asked(&emulated, &[("OS_PASSWORD", "hunter2")]).await.unwrap_err();
    assert!(error.contains("does not let this account in") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn one_that_does_not_answer_is_not_waited_for_beyond_what_the_account_says() {
    let emulated = emulated(&[(ID, secret("a key"))]);
    emulated.fail(Fault::new(What::Hang).on("/payload"));
    // There is no variable for it, as there is none of OpenStack's own clients.
    let cloud =
        openstack::clouds::Cloud { timeout: Some(Duration::from_millis(300)), ..account(&emulated, &ADMIN) };
    let account = openstack::Account { cloud, requests_per_second: REQUESTS_PER_SECOND, insecure: false };
    let error = openstack::secret(account, ID, now).await.unwrap_err().to_string();
    assert!(error.contains("no answer from") && error.contains("in time"), "{error}");
}

/// A clouds file with the account, in the folder of a test.
fn write_clouds(place: &Place, auth_url: &str, more: &str) {
    let clouds = json!({"clouds": {"own": {"auth": {
        "auth_url": auth_url, "username": "admin", "password": "admin-secret", "project_id": User::ADMIN_PROJECT,
        "user_domain_id": "default", "project_domain_id": "default"}}}});
    place.write("clouds.yaml", format!("{clouds}\n").replace("\"auth\":", &format!("{more}\"auth\":")));
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(place.path("clouds.yaml"), private).unwrap();
}

/// The table of a key in Barbican.
fn trail(id: &str) -> String {
    format!("[trail]\nkey = {{ barbican = '{id}', cloud = 'own', clouds_file = 'clouds.yaml' }}\n")
}

/// For how many records the last checkpoint stands, and the key that signed first of all and last.
fn signed(store: &str) -> (u64, Vec<String>) {
    let read = || {
        let mut reader = Store::open_reader(Path::new(store)).ok()?;
        let size = reader.checkpoint(None).ok()??.size;
        Some((size, reader.log_keys().ok()?.into_iter().map(|row| row.key).collect()))
    };
    read().unwrap_or_default()
}

#[test]
fn a_daemon_runs_without_its_key_and_signs_once_barbican_gives_it() {
    let emulated =
        emulated(&[(ID, secret(&format!("{}\n", key(1).text()))), (OTHER_ID, secret(&key(2).text()))]);
    emulated.fail(Fault::new(What::Down));
    let mut osel = Daemon::new("log-barbican", &trail(ID));
    write_clouds(&osel.place, &emulated.auth_url(), "");
    let store = osel.place.path("store");
    osel.capture("bus.jsonl", "a", 20);
    osel.start();
    osel.await_received(20);
    osel.await_lines("the log cannot be signed", 1);
    assert_eq!(signed(&store), (0, Vec::new()));
    // Somebody has mended it, and nobody wants to wait for the next try.
    emulated.heal();
    osel.signal(Signal::HUP);
    osel.await_lines("the log's key is there again", 1);
    until("a checkpoint", LIMIT, || signed(&store).0 >= 20);
    assert_eq!(signed(&store).1, [key(1).verifier().to_string()]);
    // A secret of Barbican's never changes: another key is another secret.
    osel.configure(&trail(&format!("https://barbican.example:9311/v1/secrets/{OTHER_ID}")));
    osel.signal(Signal::HUP);
    osel.capture("bus.jsonl", "b", 20);
    until("another key", LIMIT, || signed(&store).1.len() == 2);
    assert_eq!(signed(&store).1[1], key(2).verifier().to_string());
    // One that holds no key signs nothing, and stops nothing.
    emulated.adjust(|options| {
        options.secrets.insert(OTHER_ID.to_owned(), secret(&key(2).text().replace('K', "hunter2")));
    });
    osel.signal(Signal::HUP);
    osel.await_lines("`trail.key` is no key to sign with", 1);
    osel.capture("bus.jsonl", "c", 20);
    osel.await_received(60);
    assert!(osel.stop().success());
    let log = osel.log();
    for payload in ["hunter2", &key(1).text(), &key(2).text(), "admin-secret"] {
        assert!(!log.contains(payload));
    }
    // Nothing but what the account's own catalog names was asked.
    assert!(
        emulated.asked("/v1/secrets/").iter().all(|line| line.starts_with("GET /key-manager/v1/secrets/"))
    );
}

#[test]
fn a_key_that_was_exchanged_over_a_restart_hands_the_log_on_from_barbican() {
    let emulated = emulated(&[(ID, secret(&key(1).text())), (OTHER_ID, secret(&key(2).text()))]);
    let mut osel = Daemon::new("log-barbican-previous", &trail(ID));
    write_clouds(&osel.place, &emulated.auth_url(), "");
    let store = osel.place.path("store");
    osel.capture("bus.jsonl", "a", 20);
    osel.start();
    until("a checkpoint", LIMIT, || signed(&store).0 >= 20);
    assert!(osel.stop().success());
    let previous =
        format!("previous_key = {{ barbican = '{ID}', cloud = 'own', clouds_file = 'clouds.yaml' }}\n");
    osel.configure(&format!("{}{previous}", trail(OTHER_ID)));
    // The new one alone would sign what only the old one can hand on.
    emulated.fail(Fault::new(What::Down).on(ID));
    osel.start();
    osel.await_lines("the log cannot be signed", 1);
    assert!(osel.log().contains("`trail.previous_key` cannot be had from Barbican"), "{}", osel.log());
    osel.capture("bus.jsonl", "b", 20);
    osel.await_received(40);
    assert_eq!(signed(&store).1, [key(1).verifier().to_string()]);
    emulated.heal();
    osel.signal(Signal::HUP);
    osel.await_lines("the log is handed on to another key", 1);
    until("the second key", LIMIT, || signed(&store).1.len() == 2);
    assert!(osel.stop().success());
    let bundle = osel.place.path("bundle");
    run(&["audit", "export", "--store", &store, "--bundle", &bundle]);
    let mut checker = Checker::new(Some(key(1).verifier()));
    for line in fs::read(&bundle).unwrap().split_inclusive(|&byte| byte == b'\n') {
        checker.push(line).unwrap();
    }
    assert_eq!(
        checker.finish().unwrap().later_keys.len(),
        1,
        "whoever trusts the old key is led to the new one"
    );
    let log = osel.log();
    assert!([key(1), key(2)].iter().all(|key| !log.contains(&key.text())));
}

#[test]
fn a_check_of_the_configuration_asks_nobody() {
    let emulated = emulated(&[(ID, secret("no key at all"))]);
    let place = Place::new("barbican-check");
    write_clouds(&place, &emulated.auth_url(), "");
    let check = |trail: &str| {
        let source = "[[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n";
        let file = place.write("osel.toml", format!("[store]\npath = 'store'\n{trail}{source}"));
        let output = program().args(["config", "check", "-c", &file]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = check(&trail(ID));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("trail.key.cloud: is asked without TLS"), "{said}");
    let previous = format!(
        "previous_key = {{ barbican = '{OTHER_ID}', cloud = 'other', clouds_file = 'clouds.yaml' }}\n"
    );
    let (code, said) = check(&format!("{}{previous}", trail(ID)));
    assert_eq!(code, Some(2));
    assert!(said.contains("trail.previous_key.cloud: gives no account: there is no cloud `other`"), "{said}");
    let (code, said) = check(&trail(ID).replace("own", "other"));
    assert_eq!(code, Some(2));
    assert!(said.contains("trail.key.cloud: gives no account: there is no cloud `other`"), "{said}");
    write_clouds(&place, &emulated.auth_url(), "\"verify\": false, ");
    let (code, said) = check(&trail(ID));
    assert_eq!(code, Some(2));
    assert!(said.contains("trail.key.cloud: is a cloud whose certificate is not to be verified"), "{said}");
    assert_eq!(emulated.requests(), 0);
}

/// A real Barbican, which ends with this value.
struct Barbican {
    process: Child,
    address: String,
    references: Value,
}

impl Barbican {
    /// One that believes this Keystone, with these secrets in it.
    fn start(place: &Place, keystone: &str, secrets: &Value) -> Self {
        let (python, path) = beside("barbican");
        let home = place.path("barbican");
        fs::create_dir(&home).unwrap();
        let log = fs::File::create(place.path("barbican.txt")).unwrap();
        let mut process = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/barbican_server.py"))
            .args([&home, keystone])
            .env("PYTHONPATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let wanted = json!({"user": "admin", "password": "admin-secret", "project": User::ADMIN_PROJECT, "secrets": secrets});
        writeln!(process.stdin.as_mut().unwrap(), "{wanted}").unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told = serde_json::from_str::<Value>(&line);
        let Ok(told) = told else { panic!("{}", fs::read_to_string(place.path("barbican.txt")).unwrap()) };
        let address = told["address"].as_str().unwrap().to_owned();
        Self { process, address, references: told["references"].clone() }
    }

    fn reference(&self, name: &str) -> &str {
        self.references[name].as_str().unwrap()
    }
}

impl Drop for Barbican {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_barbican_gives_the_key() {
    let emulated = emulated(&[]);
    let place = Place::new("barbican-real");
    let (one, two) = (key(1).text(), key(2).text());
    let secrets = json!({
        "text": {"payload": one},
        "bytes": {"bytes": two.as_bytes(), "secret_type": "opaque"},
        "binary": {"bytes": [255, 254, 0]},
    });
    let barbican = Barbican::start(&place, &emulated.auth_url(), &secrets);
    // The reference has an address that nobody listens at.
    assert!(barbican.reference("text").starts_with("http://127.0.0.1:1/v1/secrets/"));
    let own = format!("\"key_manager_endpoint_override\": \"{}\", ", barbican.address);
    write_clouds(&place, &emulated.auth_url(), &own);
    let replay = |name: &str, reference: &str| {
        let store = place.path(name);
        let file = place.write("osel.toml", format!("[store]\npath = '{store}'\n{}", trail(reference)));
        let mut command = program();
        command.env("OSEL_CONFIG", &file).args(["replay", "--store", &store, &recording("dev-v1basic")]);
        let output = command.output().unwrap();
        assert!(output.status.success());
        (signed(&store).1, String::from_utf8(output.stderr).unwrap())
    };
    let (keys, said) = replay("one", barbican.reference("text"));
    assert_eq!(keys, [key(1).verifier().to_string()], "{said}");
    let (keys, said) = replay("two", barbican.reference("bytes"));
    assert_eq!(keys, [key(2).verifier().to_string()], "{said}");
    for (name, reference, words) in [
        ("three", barbican.reference("binary"), "is not UTF-8"),
        ("four", ID, "is not there: Secret not found."),
    ] {
        let (keys, said) = replay(name, reference);
        assert_eq!(keys, [""; 0]);
        assert!(said.contains("the log is not signed by this command") && said.contains(words), "{said}");
    }
}
