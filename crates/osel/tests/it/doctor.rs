//! `osel doctor` without a broker: what it refuses, and what files alone tell it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::command::Place;

const KEYSTONE: &str = "[DEFAULT]\ntransport_url = rabbit://keystone:hunter2@ctl1:5672/\nnotification_opt_out = identity.authenticate.success\n";

/// Exit code, standard output and standard error.
fn doctor(variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_osel"));
    command.arg("doctor").args(arguments);
    for name in ["OSEL_CONFIG", "OSEL_TRANSPORT_URL", "OSEL_MANAGEMENT_URL"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!out.contains("hunter2") && !error.contains("hunter2"), "a secret is told: {out}{error}");
    (output.status.code().unwrap(), out, error)
}

#[track_caller]
fn refused(variables: &[(&str, &str)], arguments: &[&str], words: &str) {
    let (code, out, error) = doctor(variables, arguments);
    assert_eq!((code, out.as_str()), (2, ""), "{error}");
    assert!(error.starts_with("osel: ") && error.trim_end().lines().count() == 1, "{error}");
    assert!(error.contains(words), "{error}");
}

#[test]
fn wrong_usage_is_refused_and_passwords_do_not_go_onto_the_command_line() {
    let place = Place::new("doctor-usage");
    let url = place.write("url", "rabbit://osel:hunter2@127.0.0.1:1/");
    refused(&[], &[], "nothing to look at");
    refused(&[], &["--management", "https://a:hunter2@rabbit:15671"], "--management-url-file FILE");
    refused(&[], &["--management", "https://rabbit:15671"], "no user and password");
    refused(&[], &["--transport-url-file", &place.path("none")], "cannot be read");
    refused(&[], &["--transport-url-file", &url, "--management", "rabbit"], "is not a URL");
    refused(&[("OSEL_TRANSPORT_URL", "kafka://u:hunter2@h")], &[], "OSEL_TRANSPORT_URL has a scheme");
    refused(&[], &["--service-config", &url, "--listen", "5"], "--listen needs a bus");
    let by_url = ["--transport-url-file", &url];
    let plain = "the password of the bus is not sent in the clear";
    refused(&[], &[&by_url[..], &["--management", "http://rabbit:15672"]].concat(), plain);
    let file = place.write("interface", "http://osel@10.0.0.1:15672");
    refused(&[], &[&by_url[..], &["--management-url-file", &file]].concat(), plain);
    refused(
        &[],
        &[&by_url[..], &["--vhost", "other"]].concat(),
        "--vhost differs from the virtual host of the bus, `/`",
    );
    let file = place.write(
        "osel.toml",
        format!(
            "[store]\npath = 'store'\n[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = {{ file = '{url}' }}\n\
             [[source]]\nname = 'two'\ntype = 'rabbitmq'\ntransport_url = {{ env = 'TWO' }}\n"
        ),
    );
    let two = [("TWO", "rabbit://osel:hunter2@127.0.0.2:1/")];
    let (code, _, error) = doctor(&two, &["-c", &file]);
    assert_eq!(code, 2);
    assert!(error.contains("choose one source by --source NAME: `one`, `two`"), "{error}");
    let (code, _, error) = doctor(&two, &["-c", &file, "--source", "two"]);
    assert_eq!(code, 3);
    assert!(error.contains("the bus cannot be reached: cannot reach `127.0.0.2:1`"), "{error}");
    let (code, _, error) = doctor(&two, &["-c", &file, "--source", "three"]);
    assert!(code == 2 && error.contains("choose one source by --source NAME: `one`, `two`"), "{error}");

    // What is no bus is not offered.
    let buses = std::fs::read_to_string(&file).unwrap();
    let of_file = "[[source]]\nname = 'recorded'\ntype = 'file'\npath = 'messages.jsonl'\n";
    place.write("messages.jsonl", "");
    let mixed = place.write("mixed.toml", format!("{buses}{of_file}"));
    for arguments in [&["-c", &mixed][..], &["-c", &mixed, "--source", "three"]] {
        let (code, _, error) = doctor(&two, arguments);
        let wanted = "choose one source by --source NAME: `one`, `two`\n";
        assert!(code == 2 && error.ends_with(wanted), "{error}");
    }
    let (code, _, error) = doctor(&two, &["-c", &mixed, "--source", "recorded"]);
    assert!(code == 2 && error.contains("source `recorded` is not of the type `rabbitmq`"), "{error}");
    let files = place.write("files.toml", format!("[store]\npath = 'store'\n{of_file}"));
    for arguments in [&["-c", &files][..], &["-c", &files, "--source", "three"]] {
        let (code, _, error) = doctor(&[], arguments);
        assert!(code == 2 && error.contains("no source of the type `rabbitmq`"), "{error}");
    }

    // Of a source that is not asked about no secret is needed.
    let secrets =
        std::fs::read_to_string(&file).unwrap().replace("{ env = 'TWO' }", "{ credential = 'two' }");
    let file = place.write("credentials.toml", secrets);
    let (code, _, error) = doctor(&[], &["-c", &file, "--source", "one"]);
    assert!(code == 3 && error.contains("the bus cannot be reached"), "{error}");
    let (code, _, error) = doctor(&[], &["-c", &file, "--source", "two"]);
    assert!(code == 2 && error.contains("systemd-run --pipe"), "{error}");
}

#[test]
fn files_alone_are_judged_and_the_rest_is_unchecked() {
    let place = Place::new("doctor-files");
    let keystone = place.write("keystone.conf", KEYSTONE);
    let missing = place.path("trove.conf");
    let arguments = ["--service-config", &keystone, "--trove-config", &missing];
    let (code, out, error) = doctor(&[], &[&arguments[..], &["-o", "json"]].concat());
    // A file that was named and cannot be read is no success.
    assert_eq!(code, 3);
    assert!(error.starts_with(&format!("osel: `{missing}` cannot be read")), "{error}");
    let verdicts: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |state: &str| -> Vec<&str> {
        let of = verdicts.iter().filter(|verdict| verdict["state"] == state);
        of.map(|verdict| verdict["id"].as_str().unwrap()).collect()
    };
    let found = [
        "no-notifications",
        "exchange-not-durable",
        "no-tls",
        "login-success-hidden",
        "proxy-headers-ignored",
    ];
    assert_eq!(of("found"), found);
    assert_eq!(of("clear"), ["basic-format"]);
    let trove = verdicts.iter().find(|verdict| verdict["id"] == "trove-default-keys").unwrap();
    assert_eq!(
        (&trove["state"], trove["source"].as_str()),
        (&Value::from("unchecked"), Some(missing.as_str()))
    );
    assert!(trove["why"].as_str().unwrap().starts_with("cannot be read"));
    let mut told: Vec<&str> = verdicts.iter().map(|verdict| verdict["id"].as_str().unwrap()).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), osel::doctor::Id::ALL.len());

    let (code, out, _) = doctor(&[], &["--service-config", &keystone, "--exit-code"]);
    assert_eq!(code, 1);
    assert!(out.contains("critical no-notifications: services send no notifications\n"), "{out}");
    assert!(out.contains("[oslo_messaging_notifications]: driver = messagingv2"), "{out}");
    assert!(out.ends_with("1 critical, 3 warning, 1 advice; 1 clear\n"), "{out}");
}

#[test]
fn with_nothing_but_files_a_configuration_that_is_there_is_not_used() {
    let place = Place::new("doctor-only-files");
    let keystone = place.write("keystone.conf", KEYSTONE);
    let url = place.write("url", "rabbit://osel:hunter2@127.0.0.1:1/");
    let config = format!(
        "[store]\npath = 'store'\n[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = {{ file = '{url}' }}\n"
    );
    let config = place.write("osel.toml", config);
    let there = [("OSEL_CONFIG", config.as_str())];
    let (code, _, error) = doctor(&there, &["--service-config", &keystone]);
    assert_eq!((code, error.as_str()), (0, ""));
    let (code, _, error) = doctor(&there, &[]);
    assert!(code == 3 && error.contains("the bus cannot be reached"), "{error}");
}

#[test]
fn an_interface_that_was_named_and_cannot_be_asked_is_no_success() {
    let place = Place::new("doctor-unreachable");
    let url = place.write("url", "http://a:hunter2@127.0.0.1:1");
    let arguments = ["--management-url-file", &url, "--vhost", "cloud", "-o", "json"];
    let (code, out, error) = doctor(&[], &arguments);
    assert_eq!(code, 3);
    assert!(error.starts_with("osel: the management interface cannot be asked: "), "{error}");
    assert!(!out.contains("\"state\":\"found\""), "{out}");
    // The virtual host that was asked about is said.
    let nothing = format!("{}[]", ok(2)).into_bytes();
    let url = place.write("url", format!("http://a:hunter2@127.0.0.1:{}", interface(nothing)));
    let (code, out, _) = doctor(&[], &["--management-url-file", &url, "--vhost", "cloud", "-o", "json"]);
    assert!(code == 0 && out.contains(" vhost cloud\""), "{out}");
}

/// An interface that lets everybody in and answers every other question so. Gives its port.
fn interface(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|stream| answer_all(stream.unwrap(), &answer)));
    port
}

fn answer_all(mut stream: TcpStream, answer: &[u8]) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(first)) = lines.next() {
        assert!(first.starts_with("GET /api/"), "it only asks: {first}");
        for line in lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            assert!(!line.contains("hunter2"), "{line}");
        }
        let whoami = br#"{"name":"a","tags":["monitoring"]}"#;
        let of_whoami = [ok(whoami.len()).as_bytes(), whoami].concat();
        let answer = if first.contains("/whoami") { &of_whoami } else { answer };
        // Whoever has read enough hangs up.
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

fn ok(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn an_interface_that_answers_nonsense_ends_nothing_and_holds_nobody_up() {
    let place = Place::new("doctor-nonsense");
    let body = |text: &str| format!("{}{text}", ok(text.len())).into_bytes();
    let large = 40 << 20;
    let row = r#"{"name":"x","durable":true}"#;
    for (answer, words) in [
        (body("nonsense"), "not what RabbitMQ would say"),
        (body(r#"{"items":[],"page_count":18446744073709551615}"#), "more than 200 pages"),
        (body(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))), "not what RabbitMQ would say"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "the answer is 302",
        ),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_vec(), "needs the tag `monitoring`"),
        ([ok(large).into_bytes(), vec![b' '; large]].concat(), "larger than 8388608 bytes"),
        (b"\0\0\0".to_vec(), "the connection broke"),
        (
            body(&format!(r#"{{"items":[{row}{}],"page_count":1}}"#, format!(",{row}").repeat(500))),
            "more rows",
        ),
    ] {
        let url = place.write("url", format!("http://a:hunter2@127.0.0.1:{}", interface(answer)));
        let (code, out, error) = doctor(&[], &["--management-url-file", &url, "-o", "json"]);
        assert_eq!(code, 0, "{error}");
        let line =
            out.lines().find(|line| line.contains("`/api/exchanges/%2F`")).unwrap_or_else(|| panic!("{out}"));
        assert!(line.contains("unchecked") && line.contains(words), "{words}: {line}");
        // That it speaks without TLS is seen, whatever it says.
        assert_eq!(out.matches("\"state\":\"found\"").count(), 1, "{out}");
    }
    // Each of these answers is small enough, all together they are not.
    let padded = body(&format!("[]{}", " ".repeat(5 << 20)));
    let url = place.write("url", format!("http://a:hunter2@127.0.0.1:{}", interface(padded)));
    let (_, out, _) = doctor(&[], &["--management-url-file", &url, "-o", "json"]);
    let line = out.lines().find(|line| line.contains("`/api/vhosts/%2F/connections`")).unwrap();
    assert!(line.contains("larger than 33554432 bytes"), "{line}");
}
