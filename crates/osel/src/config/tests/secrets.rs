//! Secrets by reference: each way, and what is wrong with each.

use super::*;
use crate::config::KeyReference;

/// Loads the smallest configuration with this as `transport_url`.
fn load(place: &Place, reference: &str, variables: &[(&str, &str)]) -> Result<(String, Vec<String>), String> {
    place.write("osel.toml", SMALLEST.replace("{ env = 'URL' }", reference));
    match place.load(variables) {
        Ok((config, warnings)) => {
            let host =
                config.sources.first().unwrap().rabbitmq().unwrap().transport_url.hosts.first().unwrap();
            let warnings = warnings.iter().map(|warning| place.without_path(&warning.to_string())).collect();
            Ok((host.password.expose().to_owned(), warnings))
        }
        Err(problems) => {
            assert!(!problems.to_string().contains("hunter2"), "{problems}");
            Err(place.without_path(&problems.to_string()))
        }
    }
}

#[test]
fn each_way_gives_the_secret() {
    let place = Place::new();
    place.write("url", format!("{}\n", URL.1));
    let none = Vec::<String>::new();
    let check = |reference: &str, variables: &[(&str, &str)]| {
        assert_eq!(
            load(&place, reference, variables),
            Ok(("hunter2".to_owned(), none.clone())),
            "{reference}"
        );
    };
    check("{ file = 'url' }", &[]);
    check("{ env = 'URL' }", &[URL]);
    check("{ credential = 'url' }", &[("CREDENTIALS_DIRECTORY", place.0.to_str().unwrap())]);
}

#[test]
fn a_secret_in_the_file_is_advised_against() {
    let place = Place::new();
    let (password, warnings) = load(&place, &format!("'{}'", URL.1), &[]).unwrap();
    assert_eq!(password, "hunter2");
    assert_eq!(
        warnings,
        [
            "osel.toml:6: source[0].transport_url: is a secret in the file itself: keep it in a file of its own and name it by { file = \"…\" }"
        ]
    );
}

#[test]
fn a_secret_that_others_can_read_is_warned_of() {
    let place = Place::new();
    let path = place.write("url", URL.1);
    for (mode, is_warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let (_, warnings) = load(&place, "{ file = 'url' }", &[]).unwrap();
        let wanted =
            "osel.toml:6: source[0].transport_url.file: `url` is open to others than its owner: chmod 600 it";
        assert_eq!(warnings, if is_warned { vec![wanted] } else { vec![] }, "{mode:o}");
    }
}

#[test]
fn references_that_lead_nowhere() {
    let place = Place::new();
    let credentials = ("CREDENTIALS_DIRECTORY", place.0.to_str().unwrap());
    place.write("empty", "\n");
    place.write("bytes", b"rabbit://u:\xff@h/");
    place.write("large", vec![b'x'; 100_000]);
    let check = |reference: &str, wanted: &str| {
        let told = load(&place, reference, &[credentials, ("EMPTY", "")]).unwrap_err();
        assert_eq!(told, format!("osel.toml:6: source[0].transport_url{wanted}"));
    };
    check("{ file = 'none' }", ".file: `none` cannot be read: No such file or directory (os error 2)");
    check("{ file = 'empty' }", ".file: `empty` is empty");
    check("{ file = 'bytes' }", ".file: `bytes` is not UTF-8");
    check("{ file = 'large' }", ".file: `large` is larger than 65536 bytes");
    check("{ file = '/dev/zero' }", ".file: `/dev/zero` is not a file");
    check("{ file = '/' }", ".file: `/` is a directory");
    check("{ env = 'NOT_SET' }", ".env: the variable `NOT_SET` is not set");
    check("{ env = 'EMPTY' }", ".env: the variable `EMPTY` is not set");
    check("{ credential = '../url' }", ".credential: must be the name of a credential, not a path");
    check(
        "{ credential = 'none' }",
        ".credential: `none` cannot be read: No such file or directory (os error 2)",
    );
    check("{ file = 'a', env = 'B' }", ": must have exactly one of `file`, `env` and `credential`");
    check("{ env = 'rabbit://u:hunter2@h/' }", ".env: holds a URL: it takes the name of where the URL is");
    check("{}", ": must have exactly one of `file`, `env` and `credential`");
    check("''", ": is empty");
    check("7", ": must be a text or a table with `file`, `env` or `credential`, not a number");
    let told = load(&place, "{ credential = 'url' }", &[]).unwrap_err();
    assert_eq!(
        told,
        "osel.toml:6: source[0].transport_url.credential: there are no credentials: systemd sets CREDENTIALS_DIRECTORY for units with \
         LoadCredential=; by hand it does with `systemd-run --pipe --wait -p LoadCredential=NAME:FILE osel ...`"
    );
}

#[test]
fn a_bad_url_is_not_shown() {
    let place = Place::new();
    place.write("url", "rabbit://osel:hunter2/x@rabbit:5672/");
    assert_eq!(
        load(&place, "{ file = 'url' }", &[]).unwrap_err(),
        "osel.toml:6: source[0].transport_url: has a port of host 1 that is not a number from 1 to 65535; in user and password, `:`, `@`, `,`, \
         `/`, `?`, `#`, `%`, `[` and `]` have to be percent-encoded, as `%40` for `@`"
    );
}

#[test]
fn the_key_of_the_log_before_is_of_the_same_log() {
    let place = Place::new();
    let text = "PRIVATE+KEY+log.example/osel+6ae2a71d+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    place.write("before", text);
    let load = |trail: &str| {
        place.write("osel.toml", format!("{SMALLEST}\n[trail]\n{trail}"));
        place.load(&[URL]).map(|(config, _)| config.trail.previous_key)
    };
    let key = load("previous_key = { file = 'before' }").unwrap();
    let Some(KeyReference::Text(key)) = key else { panic!("{key:?}") };
    assert_eq!(key.expose(), text);
    let told =
        load("origin = 'log.example/other'\nprevious_key = { file = 'before' }").unwrap_err().to_string();
    assert!(told.contains("trail.previous_key: is the key of the log `log.example/osel`"), "{told}");
    place.write("before", &text[..text.len() - 1]);
    let told = load("previous_key = { file = 'before' }").unwrap_err().to_string();
    assert!(
        told.contains("trail.previous_key: is no key to sign with") && !told.contains("AQABAgME"),
        "{told}"
    );
}
