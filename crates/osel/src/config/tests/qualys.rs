//! `[[scanner]]` of the type `qualys`.

use super::*;
use crate::config::{QualysAppliance, QualysConfig, QualysProfile, ScannerKind};

fn qualys(keys: &str) -> QualysConfig {
    let place = Place::new();
    place.write("password", "a word\n");
    place.write(
        "osel.toml",
        format!(
            "{SMALLEST}[[scanner]]\nname = 'q'\ntype = 'qualys'\nuser = 'osel'\npassword = {{ file = 'password' }}\n{keys}"
        ),
    );
    let (mut config, _) = place.load(&[URL]).unwrap_or_else(|problems| panic!("{problems}"));
    match config.scanners.remove(0).kind {
        ScannerKind::Qualys(config) => *config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_account_and_a_profile_are_enough() {
    let config = qualys("url = 'https://qualysapi.example/'\noption_profile = 'Initial Options'\n");
    assert_eq!(config.url, "https://qualysapi.example");
    assert_eq!((config.user.expose(), config.password.expose()), ("osel", "a word"));
    assert_eq!(config.profile, QualysProfile::Title("Initial Options".to_owned()));
    assert_eq!(config.appliance, QualysAppliance::Named(vec!["External".to_owned()]));
    assert!(!config.takes_ipv6 && !config.adds_addresses && !config.deletes_scans && config.proxy.is_none());
    assert!(!format!("{config:?}").contains("a word"));
}

#[test]
fn what_is_scanned_and_how_it_is_reached_is_said_by_keys() {
    let config = qualys(
        "url = 'http://127.0.0.1:8080'\noption_profile = 7\nappliance = 'asset_groups'\nasset_groups = ['Cloud']\npriority = 3\n\
         network_id = 0\nipv6 = 'allowed'\nadd_addresses = true\ncovers_tcp = ['22', '1000-2000']\nlist_version = '3.0'\n\
         proxy = 'http://proxy.example:3128'\nproxy_user = 'ann'\nproxy_password = { env = 'URL' }\n",
    );
    assert_eq!((config.profile, config.appliance), (QualysProfile::Id(7), QualysAppliance::OfGroups));
    assert_eq!((config.network_id, config.priority), (Some(0), 3));
    assert_eq!(config.covers_tcp, [22..=22, 1000..=2000]);
    assert_eq!((config.versions.list.as_str(), config.versions.scan.as_str()), ("3.0", "2.0"));
    let proxy = config.proxy.unwrap();
    assert_eq!(proxy.url, "http://proxy.example:3128");
    assert_eq!(proxy.login.unwrap().0.expose(), "ann");
}

#[test]
fn what_is_wrong_is_told_at_once() {
    let text = format!(
        "{SMALLEST}[[scanner]]\nname = 'q'\ntype = 'qualys'\nurl = 'http://qualysapi.example'\nuser = 'osel'\n\
         password = {{ env = 'NOWHERE' }}\nappliance = 'others'\nproxy = 'https://proxy.example'\ncovers_tcp = ['0', '9-1']\n\
         scan_version = '2'\nipv6 = 'no'\n"
    );
    let place = Place::new();
    place.write("osel.toml", &text);
    let told = place.without_path(&place.load(&[URL]).unwrap_err().to_string());
    for line in [
        "scanner[0].url: must be `https`: the password would be readable on its way",
        "scanner[0].password.env: the variable `NOWHERE` is not set",
        "scanner[0].option_profile: is missing: ",
        "scanner[0].appliance: must be `default`, `asset_groups`, or a list of names",
        "scanner[0].proxy: must be `http://HOST:PORT`",
        "scanner[0].covers_tcp[0]: must be a port or a range as `1-1024`, not `0`",
        "scanner[0].covers_tcp[1]: ",
        "scanner[0].scan_version: must be a version",
        "scanner[0].ipv6: must be `never` or `allowed`",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    assert_eq!(told.lines().count(), 9, "{told}");
}
