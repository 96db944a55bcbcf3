//! `[store]`: a directory or a database, by whatever way it is named.

use super::*;
use crate::config::{PostgresConfig, StoreConfig};

const URL_LINE: &str = "url = 'postgresql://osel@/osel?host=/run/postgresql'";

/// The smallest configuration with this in place of the path.
fn with(line: &str) -> String {
    SMALLEST.replace("path = '/s'", line)
}

fn database(config: &Config) -> &PostgresConfig {
    match &config.store {
        StoreConfig::Postgres(config) => config,
        StoreConfig::Directory(directory) => panic!("{}", directory.display()),
    }
}

#[test]
fn a_url_names_a_database_and_without_a_password_is_no_secret() {
    let (config, warnings) = good(&with(URL_LINE), &[URL]);
    assert_eq!(database(&config).to_string(), "postgresql://osel@%2Frun%2Fpostgresql/osel");
    assert_eq!(warnings, [""; 0]);
    let (config, _) = good(&with(URL_LINE), &[URL, ("PGPASSWORD", "hunter2")]);
    assert_eq!(database(&config).password.as_ref().unwrap().expose(), "hunter2");
}

#[test]
fn a_url_with_a_password_is_named_by_reference() {
    let variables = [URL, ("STORE", "postgresql://osel:hunter3@/osel?host=/run/postgresql")];
    for (line, variables) in [
        ("url = { env = 'STORE' }", &variables[..]),
        ("", &[URL, ("OSEL_STORE__URL", variables[1].1)]),
        ("", &[URL, variables[1], ("OSEL_STORE__URL__ENV", "STORE")]),
    ] {
        let (config, warnings) = good(&with(line), variables);
        assert_eq!(database(&config).password.as_ref().unwrap().expose(), "hunter3");
        assert_eq!(warnings, [""; 0], "{line}");
        assert!(!format!("{config:?}").contains("hunter3"));
    }
    let (_, warnings) = good(&with("url = 'postgresql://osel:hunter3@db/osel?sslmode=verify-full'"), &[URL]);
    let warning = "osel.toml:2: store.url: is a secret in the file itself: keep it in a file of its own and name it by { file = \"…\" }";
    assert_eq!(warnings, [warning]);
}

#[test]
fn a_mistake_elsewhere_keeps_no_new_password_from_the_daemon() {
    let place = Place::new();
    let file =
        place.write("osel.toml", format!("{}\n[log]\nlevel = 'loud'\n", with("url = { env = 'STORE' }")));
    let variables = [URL, ("STORE", "postgresql://osel:hunter3@/osel?host=/run/postgresql")];
    assert!(place.load(&variables).is_err());
    let store = Config::store_now(Some(&file), &lookup(&variables));
    let Ok(Some(StoreConfig::Postgres(config))) = store else { panic!("{store:?}") };
    assert_eq!(config.password.as_ref().unwrap().expose(), "hunter3");
}

#[test]
fn whoever_may_be_deceived_is_warned() {
    let (_, warnings) = good(&with("url = 'postgresql://osel@db/osel'"), &[URL]);
    let warning = "osel.toml:2: store.url: does not make sure that the database is the right one: add `sslmode=verify-full`, and `sslrootcert` \
                   for an authority of your own";
    assert_eq!(warnings, [warning]);
}

#[test]
fn what_is_wrong_with_a_store_is_said() {
    check_bad(
        &with(&format!("path = '/s'\n{URL_LINE}")),
        &[URL],
        &["osel.toml:3: store.url: excludes `path`: a store is a database or a directory, not both"],
    );
    check_bad(
        &with("url = 'mysql://hunter3@db/osel'"),
        &[URL],
        &["osel.toml:2: store.url: is no URL of PostgreSQL: write `postgresql://USER@HOST/DATABASE`"],
    );
    check_bad(
        &with("url = 'postgresql://osel@db/osel?sslmode=verify-full&sslrootcert=/nowhere/ca.pem'"),
        &[URL],
        &[
            "osel.toml:2: store.url: names `/nowhere/ca.pem`, which cannot be read: No such file or directory (os error 2)",
        ],
    );
    check_bad(
        &with("path = 'Postgresql://osel:hunter3@db/osel'"),
        &[URL],
        &["osel.toml:2: store.path: is meant as a URL, it seems: name a database by `url`"],
    );
    check_bad(
        &with("url = { }"),
        &[URL],
        &["osel.toml:2: store.url: must have exactly one of `file`, `env` and `credential`"],
    );
}
