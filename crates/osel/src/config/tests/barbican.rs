//! The log's key in Barbican, by reference: what is read, and what is wrong with it. Nobody is asked.

use super::*;
use crate::config::{BarbicanSecret, KeyReference};

const ID: &str = "0b1d0000-0000-4000-8000-00000000b1d0";

fn load(key: &str, variables: &[(&str, &str)]) -> Result<BarbicanSecret, String> {
    let place = Place::new();
    place.write("clouds.yaml", "clouds: {}");
    place.write("osel.toml", format!("{SMALLEST}[trail]\nkey = {key}\n"));
    let variables = [&[URL], variables].concat();
    match place.load(&variables) {
        Ok((config, _)) => match config.trail.key {
            Some(KeyReference::Barbican(secret)) => Ok(secret),
            other => Err(format!("{other:?}")),
        },
        Err(problems) => Err(place.without_path(&problems.to_string())),
    }
}

#[test]
fn a_secret_is_named_by_its_id_or_its_reference() {
    let reference =
        format!("{{ barbican = 'https://barbican.example:9311/v1/secrets/{}' }}", ID.to_uppercase());
    for key in [format!("{{ barbican = '{ID}' }}"), reference] {
        let secret = load(&key, &[]).unwrap();
        assert_eq!((secret.id.as_str(), secret.cloud, secret.clouds_file), (ID, None, None), "{key}");
    }
    let secret =
        load(&format!("{{ barbican = '{ID}', cloud = 'own', clouds_file = 'clouds.yaml' }}"), &[]).unwrap();
    assert_eq!(secret.cloud.as_deref(), Some("own"));
    assert!(secret.clouds_file.is_some_and(|file| file.ends_with("clouds.yaml")));
    // Variables win over whatever the file says of it.
    let variables = [("OSEL_TRAIL__KEY__BARBICAN", ID), ("OSEL_TRAIL__KEY__CLOUD", "own")];
    for key in ["{ file = 'none' }", "'hunter2'", "{ barbican = 'x' }"] {
        assert_eq!(load(key, &variables).unwrap().cloud.as_deref(), Some("own"), "{key}");
    }
    let told = load(&format!("{{ barbican = '{ID}' }}"), &[("OSEL_TRAIL__KEY__ENV", "NOT_SET")]).unwrap_err();
    assert!(
        told.contains("OSEL_TRAIL__KEY__ENV: trail.key.env: the variable `NOT_SET` is not set"),
        "{told}"
    );
}

#[test]
fn what_is_no_secret_of_barbicans_is_told() {
    let check = |key: &str, wanted: &str| {
        let told = load(key, &[]).unwrap_err();
        assert_eq!(told.lines().next(), Some(format!("osel.toml:8: trail.key.{wanted}").as_str()), "{key}");
    };
    let must = "barbican: must be the id of a secret, or its reference `https://…/v1/secrets/ID`, not";
    for text in [
        "mine",
        "0b1d0000-0000-4000-8000",
        "https://h/v1/secrets/",
        "https://h/v1/orders/0b1d0000-0000-4000-8000-00000000b1d0",
    ] {
        check(&format!("{{ barbican = '{text}' }}"), &format!("{must} `{text}`"));
    }
    check("{ barbican = '' }", "barbican: is empty");
    check("{ barbican = 7 }", "barbican: must be a text, not a number");
    let both = format!("{{ barbican = '{ID}', file = 'log_key' }}");
    check(&both, "file: is no key of osel: here it knows `barbican`, `cloud`, `clouds_file`");
    let no_cloud = format!("{{ barbican = '{ID}', clouds_file = 'clouds.yaml' }}");
    check(&no_cloud, "cloud: is missing: say which cloud of `clouds_file` has the account");
    let no_file = format!("{{ barbican = '{ID}', cloud = 'own', clouds_file = 'none' }}");
    check(&no_file, "clouds_file: `none` cannot be read: No such file or directory (os error 2)");
}

#[test]
fn the_key_before_may_be_there_too() {
    let place = Place::new();
    place.write("clouds.yaml", "clouds: {}");
    let load = |previous: &str, variables: &[(&str, &str)]| {
        let trail = format!("[trail]\nkey = {{ barbican = '{ID}' }}\nprevious_key = {previous}\n");
        place.write("osel.toml", format!("{SMALLEST}{trail}"));
        place.load(&[&[URL], variables].concat()).map(|(config, _)| config.trail.previous_key)
    };
    let before = "0b1d0000-0000-4000-8000-00000000b1d1";
    let cloud = format!("{{ barbican = '{before}', cloud = 'own', clouds_file = 'clouds.yaml' }}");
    let variables =
        [("OSEL_TRAIL__PREVIOUS_KEY__BARBICAN", before), ("OSEL_TRAIL__PREVIOUS_KEY__CLOUD", "own")];
    for (previous, variables) in [(cloud.as_str(), &[][..]), ("{ file = 'none' }", &variables)] {
        let Some(KeyReference::Barbican(secret)) = load(previous, variables).unwrap() else {
            panic!("{previous}")
        };
        assert_eq!((secret.id.as_str(), secret.cloud.as_deref()), (before, Some("own")));
    }
    let told = load("{ barbican = 'mine' }", &[]).unwrap_err().to_string();
    assert!(told.contains("trail.previous_key.barbican: must be the id of a secret"), "{told}");
}

#[test]
fn other_secrets_are_not_in_barbican() {
    let place = Place::new();
    place.write("osel.toml", SMALLEST.replace("{ env = 'URL' }", &format!("{{ barbican = '{ID}' }}")));
    let told = place.load(&[]).unwrap_err().to_string();
    assert!(told.contains("must have exactly one of `file`, `env` and `credential`"), "{told}");
}
