//! Accounts from texts: which file, which cloud, which keys. What openstacksdk makes of the same files is compared by the tests of the
//! shell.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::Secret;

/// A folder of files that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let place = std::env::temp_dir().join(format!("osel-clouds-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).unwrap();
        for (file, text) in files {
            fs::create_dir_all(place.join(file).parent().unwrap()).unwrap();
            fs::write(place.join(file), text).unwrap();
        }
        Self(place)
    }

    fn selection(&self) -> Selection {
        Selection { folders: vec![self.0.join("own"), self.0.join("site")], ..Selection::default() }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn variables(selection: &mut Selection, variables: &[(&str, &str)]) {
    let owned = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    selection.environment.extend(owned);
}

const ONE: &str = "clouds: {one: {auth: {auth_url: http://k, username: u, password: p, user_domain_id: default, \
                   project_name: n, project_domain_id: default}}}";

#[test]
fn the_first_file_counts_and_its_secrets_lie_over_it() {
    let folder = Folder::new(
        "first",
        &[
            ("own/clouds.yml", &ONE.replace("password: p, ", "")),
            ("own/clouds.json", "no JSON, and never read"),
            ("site/clouds.yaml", "clouds: {other: {}}"),
            ("site/secure.yaml", "clouds: {one: {auth: {password: hunter2}}}"),
        ],
    );
    let cloud = read(&folder.selection()).unwrap();
    assert_eq!(cloud.files, [folder.0.join("own/clouds.yml"), folder.0.join("site/secure.yaml")]);
    assert_eq!((cloud.name.as_str(), cloud.auth_url.as_str()), ("one", "http://k/v3"));
    let Login::Password { password, .. } = &cloud.login else { panic!("{cloud:?}") };
    assert_eq!(*password, Secret::new("hunter2".to_owned()));
    assert!(!format!("{cloud:?}").contains("hunter2"));

    // A file that is named has its secrets beside it.
    let mut named = folder.selection();
    named.file = Some(folder.0.join("own/clouds.yml"));
    assert_eq!(read(&named).unwrap_err().to_string(), "cloud `one` lacks `password`");
}

#[test]
fn variables_make_a_cloud_unless_they_only_choose_one() {
    let folder = Folder::new("variables", &[("own/clouds.yaml", ONE)]);
    let mut choosing = folder.selection();
    variables(&mut choosing, &[("OS_CLOUD", "one"), ("OS_REGION_NAME", "r"), ("OS_TEST_X", "1")]);
    assert_eq!(read(&choosing).unwrap().name, "one");
    let mut own = folder.selection();
    variables(
        &mut own,
        &[("OS_AUTH_URL", "http://v/identity/v3/"), ("OS_TOKEN", "t"), ("OS_PROJECT_ID", "p")],
    );
    variables(&mut own, &[("OS_AUTH_TYPE", "v3token"), ("OS_CACERT", "~/ca.pem"), ("OS_REGION_NAME", "r")]);
    own.home = Some("/house".into());
    let cloud = read(&own).unwrap();
    assert_eq!((cloud.name.as_str(), cloud.auth_url.as_str()), ("envvars", "http://v/identity/v3"));
    assert_eq!(cloud.login, Login::Token(Secret::new("t".to_owned())));
    assert_eq!(cloud.scope, Scope::Project(Holder::Id("p".to_owned())));
    assert_eq!(cloud.tls.ca_file.as_deref(), Some(Path::new("/house/ca.pem")));
    assert_eq!(cloud.region_name.as_deref(), Some("r"));
    variables(&mut own, &[("OS_CLOUD_NAME", "one")]);
    assert!(matches!(read(&own), Err(CloudsError::TwoOfOneName(name)) if name == "one"));
    assert!(!format!("{own:?}").contains("\"t\""), "{own:?}");
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_without_a_secret() {
    let said = |name: &str, file: &str, text: &str, cloud: Option<&str>| {
        let folder = Folder::new(name, &[(file, text)]);
        let mut selection = folder.selection();
        selection.cloud = cloud.map(str::to_owned);
        let error = read(&selection).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        error.replace(folder.0.to_str().unwrap(), "")
    };
    let broken = "clouds:\n  a:\n    auth: {password: \"hunter2\n";
    assert!(
        said("syntax", "own/clouds.yaml", broken, None)
            .starts_with("`/own/clouds.yaml` cannot be read as YAML or JSON")
    );
    let json = "{\"clouds\": {\"a\": {\"password\": \"hunter2\", }}}";
    assert!(said("json", "own/clouds.json", json, None).contains("(line 1, column"));
    assert_eq!(said("list", "own/clouds.yaml", "[a]", None), "`/own/clouds.yaml` is not a table of clouds");
    assert_eq!(
        said("shape", "own/clouds.yaml", "clouds: {a: {auth: hunter2}}", None),
        "`clouds.a.auth` is not a table"
    );
    assert_eq!(
        said("none", "own/other", "", None),
        "no account: there is no clouds.yaml and no `OS_` variable"
    );
    assert_eq!(
        said("nowhere", "own/other", "", Some("a")),
        "there is no cloud `a`, nor any other: none stands in a clouds.yaml (the file that was named, else here, in \
         ~/.config/openstack or in /etc/openstack), and no `OS_` variable makes one"
    );
    let two = "clouds: {a: {}, b: {}}";
    assert_eq!(
        said("two", "own/clouds.yaml", two, None),
        "several clouds are known, and nothing says which one: there are `a`, `b`"
    );
    assert_eq!(said("c", "own/clouds.yaml", two, Some("c")), "there is no cloud `c`: there are `a`, `b`");
    assert_eq!(said("bare", "own/clouds.yaml", two, Some("a")), "cloud `a` lacks `auth_url`");
    let way = "clouds: {a: {auth_type: v3oidcpassword, auth: {auth_url: http://k}}}";
    assert!(
        said("way", "own/clouds.yaml", way, None).contains("`auth_type: v3oidcpassword` is not supported")
    );
    let interface = ONE.replace("{one: {", "{one: {interface: secret, ");
    assert!(
        said("interface", "own/clouds.yaml", &interface, None)
            .contains("`interface` is `secret`, which is not public")
    );
    let regions = ONE.replace("{one: {", "{one: {regions: [a, {name: b}], ");
    let folder = Folder::new("regions", &[("own/clouds.yaml", &regions)]);
    let mut selection = folder.selection();
    selection.region = Some("c".to_owned());
    let error = read(&selection).unwrap_err().to_string();
    assert_eq!(error, "cloud `one` has no region `c`: it has `a`, `b`");
    selection.region = Some("b".to_owned());
    assert_eq!(read(&selection).unwrap().region_name.as_deref(), Some("b"));
}

/// YAML makes numbers and truths of these where they are not quoted, and other texts of those.
#[test]
fn a_password_is_the_text_that_was_written() {
    for password in [
        "1e5",
        "0123",
        "yes",
        "no",
        "1_000",
        "0x1F",
        "0o17",
        "true",
        "True",
        "12345",
        "1.50",
        ".inf",
        "-0",
        "1:30",
        "2026-11-26",
        "99999999999999999999999999999999999999999999",
        "+1",
    ] {
        for written in [password.to_owned(), format!("'{password}'"), format!("\"{password}\"")] {
            let text = ONE.replace("password: p", &format!("password: {written}"));
            let text = text.replace("username: u", &format!("username: {written}"));
            let folder = Folder::new("written", &[("own/clouds.yaml", &text)]);
            let cloud = read(&folder.selection()).unwrap_or_else(|error| panic!("{written}: {error}"));
            let Login::Password { password: read, user } = &cloud.login else { panic!("{cloud:?}") };
            assert_eq!(*read, Secret::new(password.to_owned()), "{written}");
            assert!(format!("{user:?}").contains(&format!("{password:?}")), "{written}: {user:?}");
        }
    }
    // A folded text, what an anchor stands for, and what lies over it in another file.
    let anchored = "base: &base {password: 0123}\nclouds: {one: {auth: {<<: *base, auth_url: http://k, username: u, \
                    user_domain_id: default}}}";
    for (secret, wanted) in [("", "0123"), ("clouds: {one: {auth: {password: 1e5}}}", "1e5")] {
        let files = [("own/clouds.yaml", anchored), ("own/secure.yaml", secret)];
        let cloud = read(&Folder::new("anchored", &files).selection()).unwrap();
        let Login::Password { password, .. } = &cloud.login else { panic!("{cloud:?}") };
        assert_eq!(*password, Secret::new(wanted.to_owned()));
    }
}

#[test]
fn a_cloud_may_be_called_as_a_key_and_a_password_that_is_none_is_refused() {
    let folder = Folder::new("called", &[("own/clouds.yaml", &ONE.replace("{one:", "{password:"))]);
    assert_eq!(read(&folder.selection()).unwrap().name, "password");
    for (none, wanted) in [("~", "lacks `password`"), ("[a]", "cannot be read"), ("{a: b}", "cannot be read")]
    {
        let text = ONE.replace("password: p", &format!("password: {none}"));
        let error =
            read(&Folder::new("none", &[("own/clouds.yaml", &text)]).selection()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{none}: {error}");
    }
}
