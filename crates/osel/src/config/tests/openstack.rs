//! `[[openstack]]`: what it means, and what may be wrong with it.

use std::num::NonZeroU32;

use super::*;
use crate::config::{ApiInterface, OpenStackConfig, Place as Remarked};

#[test]
fn a_table_without_keys_means_the_defaults() {
    let (config, warnings) = good(&format!("{SMALLEST}[[openstack]]\n"), &[URL]);
    let [OpenStackConfig { place, .. }] = &config.openstack[..] else { panic!("{:?}", config.openstack) };
    assert!(matches!(place, Remarked::File { line: Some(7), .. }), "{place:?}");
    let wanted = OpenStackConfig {
        region: None,
        cloud: None,
        clouds_file: None,
        region_name: None,
        interface: None,
        every_seconds: NonZeroU32::new(21_600).unwrap(),
        requests_per_second: NonZeroU32::new(10).unwrap(),
        names: true,
        insecure: false,
        place: place.clone(),
    };
    assert_eq!((&config.openstack[..], &warnings[..]), (&[wanted][..], &[][..]));
}

#[test]
fn variables_set_and_add_tables() {
    let text = SMALLEST.replace("name = 'one'", "name = 'one'\nregion = 'R1'");
    let place = Place::new();
    place.write("osel.toml", format!("{text}[[openstack]]\nregion = 'R1'\ncloud = 'a'\n"));
    place.write("clouds.yaml", "clouds: {}");
    let file = place.path("clouds.yaml");
    let variables = [
        URL,
        ("OSEL_OPENSTACK__0__CLOUD", "b"),
        ("OSEL_OPENSTACK__0__CLOUDS_FILE", file.to_str().unwrap()),
        ("OSEL_OPENSTACK__0__REGION_NAME", "RegionOne"),
        ("OSEL_OPENSTACK__0__INTERFACE", "internal"),
        ("OSEL_OPENSTACK__0__EVERY_SECONDS", "60"),
        ("OSEL_OPENSTACK__0__REQUESTS_PER_SECOND", "3"),
        ("OSEL_OPENSTACK__0__NAMES", "false"),
    ];
    let (config, warnings) = place.load(&variables).unwrap();
    assert_eq!(warnings, []);
    let api = config.openstack.first().unwrap();
    assert_eq!((api.region.as_deref(), api.cloud.as_deref()), (Some("R1"), Some("b")));
    assert_eq!((api.clouds_file.as_ref(), api.interface), (Some(&file), Some(ApiInterface::Internal)));
    assert_eq!(api.region_name.as_deref(), Some("RegionOne"));
    assert_eq!((api.every_seconds.get(), api.requests_per_second.get(), api.names), (60, 3, false));
    let (config, _) = good(SMALLEST, &[URL, ("OSEL_OPENSTACK__0__CLOUD", "a")]);
    assert_eq!(config.openstack.first().unwrap().cloud.as_deref(), Some("a"));
}

#[test]
fn what_does_not_hold_is_told_with_its_line() {
    check_bad(
        &format!(
            "{SMALLEST}[[openstack]]\nregion = 'R1'\ncloud = ''\nclouds_file = 'missing.yaml'\ninterface = 'secret'\n\
             every_seconds = 9\nrequests_per_second = 0\nnames = 'no'\nregion_names = 'x'\n"
        ),
        &[URL],
        &[
            "osel.toml:8: openstack[0].region: `R1` is the region of no source: give it to the sources too, or leave it out",
            "osel.toml:9: openstack[0].cloud: is empty",
            "osel.toml:10: openstack[0].clouds_file: `missing.yaml` cannot be read: No such file or directory (os error 2)",
            "osel.toml:11: openstack[0].interface: must be `public` or `internal` or `admin`, not `secret`",
            "osel.toml:12: openstack[0].every_seconds: must be a number from 10 to 2592000",
            "osel.toml:13: openstack[0].requests_per_second: must be a number from 1 to 1000",
            "osel.toml:14: openstack[0].names: must be `true` or `false`, not a text",
            "osel.toml:15: openstack[0].region_names: is no key of osel: did you mean `region_name`?",
        ],
    );
    check_bad(
        "[store]\npath = 's'\n[openstack]\n[[source]]\nname = 'a'\ntype = 'file'\npath = 'b'\n",
        &[],
        &["osel.toml:3: openstack: must be a list of tables, as `[[openstack]]` makes one, not a table"],
    );
}

#[test]
fn each_region_has_one_table_and_each_table_a_region_of_sources() {
    let source = |name: &str, region: &str| {
        format!("[[source]]\nname = '{name}'\nregion = '{region}'\ntype = 'file'\npath = '{name}'\n")
    };
    let (one, two) = (source("a", "R1"), source("b", "R2"));
    let text = |tables: &str| format!("[store]\npath = 's'\n{one}{two}{tables}");
    let table = "[[openstack]]\nregion = 'R1'\n";
    let again = "osel.toml:16: openstack[1].region: `R1` has openstack[0] already: one API tells of it";
    check_bad(&text(&format!("{table}{table}")), &[], &[again]);
    let unknown = "osel.toml:14: openstack[0].region: `R3` is the region of no source: they have `R1`, `R2`";
    check_bad(&text("[[openstack]]\nregion = 'R3'\n"), &[], &[unknown]);
    let missing = "osel.toml:13: openstack[0].region: is missing: each source has a region, `R1`, `R2`";
    check_bad(&text("[[openstack]]\n"), &[], &[missing]);
    let (config, _) = good(&text("[[openstack]]\nregion = 'R2'\n[[openstack]]\nregion = 'R1'\n"), &[]);
    assert_eq!(config.openstack.len(), 2);
    let both = "osel.toml:8: openstack[1].region: is missing, as it is in openstack[0]: of several tables each names the region of its \
                sources";
    check_bad(&format!("{SMALLEST}[[openstack]]\n[[openstack]]\n"), &[URL], &[both]);
}

#[test]
fn a_clouds_file_needs_a_cloud_and_insecurity_is_warned_of() {
    let place = Place::new();
    let file = place.write("clouds.yaml", "clouds: {}");
    check_bad(
        &format!("{SMALLEST}[[openstack]]\nclouds_file = '{}'\n", file.display()),
        &[URL],
        &["osel.toml:7: openstack[0].cloud: is missing: say which cloud of `clouds_file` it is"],
    );
    let (_, warnings) = good(&format!("{SMALLEST}[[openstack]]\ninsecure = true\n"), &[URL]);
    assert_eq!(warnings.len(), 1);
    assert!(warnings.iter().all(|warning| warning.starts_with("osel.toml:8: openstack[0].insecure: ")));
}
