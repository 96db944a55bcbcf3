//! `osel config`, and the store of the configuration where no other is named.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::broker::Certificates;
use crate::command::{Place, recording, run};

/// Runs `osel` with these variables and no others of osel's.
fn osel(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_osel"));
    command.args(arguments).env_remove("OSEL_STORE__PATH").env_remove("OSEL_CONFIG");
    command.envs(variables.iter().copied()).output().unwrap()
}

/// What it said: exit code, standard output, standard error.
fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const URL: (&str, &str) = ("URL", "rabbit://osel:hunter2@rabbit:5672/");

fn good_file(place: &Place) -> String {
    let text = format!(
        "[store]\npath = '{}'\n[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = {{ env = 'URL' }}\n",
        place.path("store")
    );
    place.write("osel.toml", text)
}

#[test]
fn a_good_configuration_is_good() {
    let place = Place::new("config-good");
    let file = good_file(&place);
    let good = (0, format!("{file}: good\n"), String::new());
    assert_eq!(said(osel(&[URL], &["config", "check", "-c", &file])), good);
    assert_eq!(said(osel(&[URL, ("OSEL_CONFIG", &file)], &["config", "check"])), good);
    let warned = said(osel(&[URL, ("OSEL_LOG__LEVLE", "info")], &["config", "check", "-c", &file]));
    let warning = "warning: OSEL_LOG__LEVLE: sets no key of osel: did you mean OSEL_LOG__LEVEL?\n";
    assert_eq!(warned, (0, format!("{file}: good\n"), warning.to_owned()));
    assert!(!Path::new(&place.path("store")).exists(), "a check writes nothing");
}

#[test]
fn an_entry_of_expected_exposure_that_is_over_is_a_warning() {
    let place = Place::new("config-expected");
    let text = std::fs::read_to_string(good_file(&place)).unwrap();
    let entry = |until: &str| format!("[[expected]]\nports = '443'\nreason = 'shop'\nuntil = '{until}'\n");
    let file = place.write("osel.toml", text + &entry("9999-01-01") + &entry("2020-01-31"));
    let what = "is over since 2020-01-31T00:00:00.000000Z: the entry covers nothing any more";
    let wanted = (0, format!("{file}: good\n"), format!("warning: {file}: expected[1].until: {what}\n"));
    assert_eq!(said(osel(&[URL], &["config", "check", "-c", &file])), wanted);
}

/// What only the unit has is no problem of the configuration; all else that is wrong is.
#[test]
fn credentials_of_the_unit_are_a_warning_at_a_terminal() {
    let place = Place::new("config-credentials");
    let file = good_file(&place);
    let text = std::fs::read_to_string(&file).unwrap().replace("env = 'URL'", "credential = 'url'");
    let file = place.write("osel.toml", &text);
    let (code, out, error) = said(osel(&[], &["config", "check", "-c", &file]));
    assert_eq!((code, out.starts_with(&format!("{file}: good, as far as"))), (0, true), "{out}");
    assert!(error.starts_with("warning: ") && error.contains("systemd-run --pipe"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    let file = place.write("osel.toml", text + "topics = 7\n");
    let (code, out, error) = said(osel(&[], &["config", "check", "-c", &file]));
    assert_eq!((code, out.as_str()), (2, ""), "{error}");
    assert!(error.contains("source[0].topics") && error.contains("systemd-run --pipe"), "{error}");
}

#[test]
fn a_bad_configuration_is_refused_with_every_problem() {
    let place = Place::new("config-bad");
    let file = place.write(
        "osel.toml",
        "[store]\npath = 7\n[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = 'rabbit://osel:hunter2@'\n",
    );
    let problems = [
        (2, "store.path", "must be a text, not a number"),
        (
            6,
            "source[0].transport_url",
            "has no name or address that can be read for host 1; in user and password, `:`, `@`, `,`, `/`, `?`, `#`, `%`, `[` and `]` have to \
             be percent-encoded, as `%40` for `@`",
        ),
    ];
    let warning = (
        6,
        "source[0].transport_url",
        "is a secret in the file itself: keep it in a file of its own and name it by { file = \"…\" }",
    );
    let line = |(line, key, what): (u64, &str, &str)| format!("{file}:{line}: {key}: {what}\n");
    let (code, out, error) = said(osel(&[], &["config", "check", "-c", &file]));
    let wanted = format!("{}{}warning: {}", line(problems[0]), line(problems[1]), line(warning));
    assert_eq!((code, out.as_str(), error), (2, "", wanted));

    let (code, out, error) = said(osel(&[], &["config", "check", "-c", &file, "-o", "json"]));
    assert_eq!((code, error.as_str()), (2, ""));
    let document: Value = serde_json::from_str(&out).unwrap();
    let object = |(line, key, what): (u64, &str, &str)| serde_json::json!({"line": line, "variable": null, "key": key, "what": what});
    let wanted = serde_json::json!({
        "file": file, "good": false, "problems": problems.map(object), "untold": 0, "warnings": [object(warning)],
    });
    assert_eq!(document, wanted);
}

#[test]
fn files_that_are_not_what_they_are_to_be_are_told_by_their_keys() {
    let place = Place::new("config-files");
    let file = place.write(
        "osel.toml",
        "[store]\npath = 'store'\n\
         [[source]]\nname = 'one'\ntype = 'file'\npath = 'folder'\n\
         [[source]]\nname = 'two'\ntype = 'file'\npath = 'bus.jsonl'\n\
         [[source]]\nname = 'three'\ntype = 'rabbitmq'\ntransport_url = { env = 'URL' }\n\
         [source.tls]\nca_file = 'ca.pem'\ncert_file = 'client.pem'\nkey_file = 'other.key'\n\
         [[forward]]\nname = 'siem'\ntype = 'hec'\nurls = ['https://siem.example']\ntoken = { env = 'URL' }\ncert_file = 'ca.pem'\n",
    );
    place.write("store", "");
    std::fs::create_dir(place.path("folder")).unwrap();
    let certificates = Certificates::make(Path::new(&place.path("made")), "osel");
    place.write("client.pem", std::fs::read_to_string(&certificates.client).unwrap());
    place.write("other.key", std::fs::read_to_string(&certificates.server_key).unwrap());
    place.write("ca.pem", "nothing");
    let path = |name: &str| format!("`{}`", place.path(name));
    let (code, out, error) = said(osel(&[URL], &["config", "check", "-c", &file]));
    let wanted = [
        format!("{file}:2: store.path: {} is no directory: ", path("store")),
        format!("{file}:6: source[0].path: {} is a directory: ", path("folder")),
        format!("{file}:16: source[2].tls.ca_file: {} has no certificate: ", path("ca.pem")),
        format!("{file}:18: source[2].tls.key_file: {} is not the key of ", path("other.key")),
        format!("{file}:24: forward[0].cert_file: {} has no certificate: ", path("ca.pem")),
    ];
    let problems: Vec<&str> = error.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert_eq!((code, out.as_str(), problems.len()), (2, "", wanted.len()), "{error}");
    for (problem, wanted) in problems.iter().zip(&wanted) {
        assert!(problem.starts_with(wanted), "{problem}");
    }
}

#[test]
fn two_sources_of_one_file_are_told() {
    let place = Place::new("config-one-file");
    let source =
        |name: &str, path: &str| format!("[[source]]\nname = '{name}'\ntype = 'file'\npath = '{path}'\n");
    let sources = ["bus.jsonl", "other.jsonl", "./bus.jsonl", "folder/../other.jsonl"];
    std::fs::create_dir(place.path("folder")).unwrap();
    place.write("other.jsonl", "");
    let tables: String =
        ["a", "b", "c", "d"].iter().zip(sources).map(|(name, path)| source(name, path)).collect();
    let file = place.write("osel.toml", format!("[store]\npath = 'store'\n{tables}"));
    let (code, _, error) = said(osel(&[], &["config", "check", "-c", &file]));
    let line = |at: usize, other: &str| {
        let line = 3 + 4 * at;
        format!(
            "{file}:{line}: source[{at}].path: is the file of source `{other}`: each of its messages would be read twice; leave one of the two out\n"
        )
    };
    assert_eq!((code, error), (2, line(2, "a") + &line(3, "b")));
}

#[test]
fn a_template_that_makes_nothing_of_records_is_told_before_it_buries_them() {
    let place = Place::new("config-template");
    let check = |template: &str| {
        let file = good_file(&place);
        let text = std::fs::read_to_string(&file).unwrap();
        let table = "[[forward]]\nname = 'chat'\ntype = 'webhook'\nurl = 'http://localhost/'\n";
        place.write("osel.toml", format!("{text}{table}template = '{template}'\n"));
        said(osel(&[URL], &["config", "check", "-c", &file]))
    };
    let (code, _, error) = check(r#"{"text": {{ record.summary }}, "who": {{ record.actor.user_name }}}"#);
    assert_eq!((code, error.as_str()), (0, ""));
    // Quotation marks around what has its own.
    let (code, out, error) = check(r#"{"text": "{{ record.summary }}"}"#);
    assert_eq!((code, out.as_str()), (2, ""), "{error}");
    assert!(
        error.contains("osel.toml:7: forward[0].template: would make a dead letter of every record"),
        "{error}"
    );
    // Of some records alone.
    let (code, _, error) = check(r#"{"text": {% if kind == "change" %}"{{ kind }}"{% else %}1{% endif %}}"#);
    assert_eq!(code, 0, "{error}");
    assert!(error.contains("would make a dead letter of a change"), "{error}");
}

#[test]
fn the_example_is_checked_good_but_for_its_files() {
    let place = Place::new("config-example");
    let file = place.write("osel.toml", run(&["config", "example"]));
    let secret = place.write("transport_url", URL.1);
    let variables = [("OSEL_SOURCE__0__TRANSPORT_URL__FILE", secret.as_str())];
    let (code, out, _) = said(osel(&variables, &["config", "check", "-c", &file]));
    assert_eq!((code, out), (0, format!("{file}: good\n")));
}

#[test]
fn a_store_is_that_of_the_flag_then_of_the_variable_then_of_the_configuration() {
    let place = Place::new("config-store");
    // The secret is out of reach of whoever only reads: it is not asked for.
    let file = good_file(&place);
    let configured = place.path("store");
    run(&["replay", "--store", &configured, "--until", "3", &recording("dev-aodh")]);
    let named = ("OSEL_CONFIG", file.as_str());
    let (code, out, error) = said(osel(&[named], &["ledger", "-o", "json"]));
    assert_eq!((code, error.as_str()), (0, ""));
    let by_flag = run(&["ledger", "--store", &configured, "-o", "json"]);
    assert_eq!(out, by_flag);
    // The file of the command line comes before that of the variable, which need not be there then.
    let none = ("OSEL_CONFIG", "/nonexistent/osel.toml");
    let by_file = osel(&[none], &["ledger", "-c", &file, "-o", "json"]);
    assert_eq!(said(by_file), (0, by_flag, String::new()));
    // Before the name of a command within a command as behind it.
    let rows = said(osel(&[], &["exposure", "diff", "--store", &configured, "--from", "0"]));
    assert_eq!(rows.0, 0, "{rows:?}");
    for arguments in
        [["exposure", "-c", &file, "diff", "--from", "0"], ["exposure", "diff", "-c", &file, "--from", "0"]]
    {
        assert_eq!(said(osel(&[none], &arguments)), rows, "{arguments:?}");
    }

    let missing = |variables: &[(&str, &str)], arguments: &[&str], directory: &str| {
        let wanted = (3, String::new(), format!("osel: there is no store at `{directory}`\n"));
        assert_eq!(said(osel(variables, arguments)), wanted, "{arguments:?}");
    };
    let (flag, variable) = (place.path("flag"), place.path("variable"));
    missing(&[named, ("OSEL_STORE__PATH", &variable)], &["ledger"], &variable);
    missing(&[named, ("OSEL_STORE__PATH", &variable)], &["ledger", "--store", &flag], &flag);
    missing(&[("OSEL_STORE__PATH", &variable)], &["ledger", "-c", &file], &variable);
    missing(&[], &["ledger", "-c", &file, "--store", &flag], &flag);
}

#[test]
fn a_configuration_that_cannot_be_read_is_told_by_commands_that_need_its_store() {
    let place = Place::new("config-none");
    let file = place.path("none.toml");
    let (code, out, error) = said(osel(&[("OSEL_CONFIG", &file)], &["ledger"]));
    let wanted = format!(
        "osel: no store is named by --store, and the configuration's cannot be told: {file}: cannot be read: No such file or directory (os error 2); \
         name another file by -c FILE\n"
    );
    assert_eq!((code, out.as_str(), error), (2, "", wanted));
}

#[test]
fn a_replay_does_not_write_to_the_store_of_the_configuration_unasked() {
    let place = Place::new("config-replay");
    let file = good_file(&place);
    let output = osel(&[("OSEL_CONFIG", &file)], &["replay", "--until", "1", &recording("dev-aodh")]);
    assert!(output.status.success());
    assert!(!Path::new(&place.path("store")).exists());
}

#[test]
fn a_clouds_file_is_looked_into() {
    let place = Place::new("config-clouds");
    let clouds = place.write(
        "clouds.yaml",
        "clouds:\n  one:\n    auth: {auth_url: 'http://127.0.0.1:1/v3', username: u, password: hunter2, project_name: p, user_domain_id: \
         default, project_domain_id: default}\n",
    );
    let mode = |mode| {
        std::fs::set_permissions(&clouds, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    let check = |cloud: &str| {
        let sources = good_file(&place);
        let text = std::fs::read_to_string(&sources).unwrap();
        let text = format!("{text}[[openstack]]\ncloud = '{cloud}'\nclouds_file = 'clouds.yaml'\n");
        let file = place.write("osel.toml", text);
        let (code, out, error) = said(osel(&[URL], &["config", "check", "-c", &file]));
        assert!(!error.contains("hunter2"), "{error}");
        (code, out, error.replace(&format!("{file}:"), "osel.toml:").replace(&clouds, "clouds.yaml"))
    };
    mode(0o600);
    let (code, out, error) = check("one");
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    let (code, _, error) = check("two");
    assert_eq!(code, 2);
    assert!(
        error.starts_with("osel.toml:7: openstack[0].cloud: gives no account: ") && error.contains("`two`"),
        "{error}"
    );
    mode(0o644);
    let (code, _, error) = check("one");
    let warning = "warning: osel.toml:7: openstack[0].clouds_file: `clouds.yaml` is open to others than its owner: chmod 600 it\n";
    assert_eq!((code, error.as_str()), (0, warning));
}
