//! Accounts as osel reads them, against what openstacksdk makes of the same files and variables.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use osel::openstack::clouds::{ApplicationCredential, Cloud, Domain, Holder, Login, Scope, Selection, read};
use serde_json::{Map, Value, json};

use crate::broker::python;
use crate::command::Place;

/// Files by name, variables, and what is asked for.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    variables: &'static [(&'static str, &'static str)],
    cloud: Option<&'static str>,
    region: Option<&'static str>,
}

const fn case(name: &'static str, files: &'static [(&'static str, &'static str)]) -> Case {
    Case { name, files, variables: &[], cloud: Some("a"), region: None }
}

const CASES: &[Case] = &[
    case(
        "plain",
        &[(
            "clouds.yaml",
            "clouds:\n  a:\n    auth:\n      auth_url: https://k.example:5000/v3\n      username: u\n      password: p\n      project_name: n\n      user_domain_name: Default\n      project_domain_name: Default\n    region_name: RegionOne\n    interface: internal\n",
        )],
    ),
    case(
        "domain said once, older words, a number as password",
        &[(
            "clouds.yaml",
            "clouds: {a: {auth: {auth_url: 'http://k', username: u, password: 12345, tenant_name: n, domain-name: d}, endpoint_type: admin}}",
        )],
    ),
    case(
        "outside of auth",
        &[(
            "clouds.yaml",
            "clouds: {a: {username: outside, password: p, project_id: outer, user_domain_id: d, auth: {auth_url: 'http://k', username: inside, project_id: inner}}}",
        )],
    ),
    case(
        "domain scope",
        &[(
            "clouds.yaml",
            "clouds: {a: {auth: {auth_url: 'http://k', user_id: u, password: p, domain_id: d}}}",
        )],
    ),
    case(
        "system scope",
        &[(
            "clouds.yaml",
            "clouds: {a: {auth: {auth_url: 'http://k', username: u, password: p, user_domain_name: d, system_scope: all}}}",
        )],
    ),
    case(
        "application credential and secure.yaml",
        &[
            (
                "clouds.yaml",
                "clouds: {a: {auth_type: v3applicationcredential, auth: {auth_url: 'http://k', application_credential_id: c, application_credential_secret: old}, verify: false}}",
            ),
            ("secure.yaml", "clouds: {a: {auth: {application_credential_secret: new}}}"),
        ],
    ),
    case(
        "token",
        &[(
            "clouds.yaml",
            "clouds: {a: {auth_type: v3token, auth: {auth_url: 'http://k', token: t, project_id: p}}}",
        )],
    ),
    case(
        "profile, template and files of certificates",
        &[
            (
                "clouds.yaml",
                "clouds: {a: {profile: v, region_name: r1, cacert: ~/ca.pem, cert: c.pem, key: k.pem, network_endpoint_override: 'http://n', auth: {username: u, password: p, project_id: x, user_domain_id: d}}}",
            ),
            (
                "clouds-public.yaml",
                "public-clouds: {v: {auth: {auth_url: 'https://{region_name}.example/v3', user_domain_id: of-vendor}, interface: internal}}",
            ),
        ],
    ),
    Case {
        region: Some("r2"),
        ..case(
            "regions with values",
            &[(
                "clouds.yaml",
                "clouds: {a: {auth: {auth_url: 'http://{region_name}.k', username: u, password: p, user_domain_id: on-x, project_id: x}, regions: [r1, {name: r2, values: {interface: admin, auth: {project_id: y}}}]}}",
            )],
        )
    },
    case(
        "the first region",
        &[(
            "clouds.yaml",
            "clouds: {a: {auth: {auth_url: 'http://k', username: u, password: p, user_domain_id: d}, region_name: 'r1,r2'}}",
        )],
    ),
    Case {
        region: Some("r9"),
        ..case(
            "a region that it does not have",
            &[("clouds.yaml", "clouds: {a: {auth: {auth_url: 'http://k'}, regions: [r1, r2]}}")],
        )
    },
    Case { cloud: Some("b"), ..case("an unknown cloud", &[("clouds.yaml", "clouds: {a: {}}")]) },
    Case {
        cloud: None,
        variables: &[
            ("OS_AUTH_URL", "http://k/identity"),
            ("OS_USERNAME", "u"),
            ("OS_PASSWORD", "p"),
            ("OS_TENANT_NAME", "n"),
            ("OS_USER_DOMAIN_NAME", "d"),
            ("OS_PROJECT_DOMAIN_ID", "e"),
            ("OS_REGION_NAME", "r"),
            ("OS_ENDPOINT_TYPE", "internal"),
            ("OS_INSECURE", "True"),
            ("OS_CACERT", "/ca.pem"),
        ],
        ..case("variables", &[("clouds.yaml", "clouds: {a: {auth: {auth_url: 'http://file'}}}")])
    },
    Case {
        cloud: None,
        variables: &[("OS_CLOUD", "a"), ("OS_REGION_NAME", "ignored")],
        ..case(
            "variables that only choose",
            &[(
                "clouds.yaml",
                "clouds: {a: {auth: {auth_url: 'http://k', username: u, password: p, user_domain_id: d}}, b: {}}",
            )],
        )
    },
    Case {
        variables: &[("OS_CLOUD_NAME", "a"), ("OS_USERNAME", "u")],
        ..case("two of one name", &[("clouds.yaml", "clouds: {a: {auth: {auth_url: 'http://k'}}}")])
    },
    case(
        "json",
        &[(
            "clouds.json",
            "{\"clouds\": {\"a\": {\"auth\": {\"auth_url\": \"http://k\", \"username\": \"u\", \"password\": \"p\", \"user_domain_id\": \"d\"}}}}",
        )],
    ),
    case(
        "anchors, merge keys and yes",
        &[(
            "clouds.yaml",
            "x: &base\n  auth_url: http://k\n  user_domain_id: d\nclouds:\n  a:\n    insecure: yes\n    auth:\n      <<: *base\n      username: u\n      password: 'no'\n",
        )],
    ),
];

/// An account as openstacksdk would write it.
fn shown(cloud: &Cloud) -> Value {
    let mut auth = Map::new();
    auth.insert("auth_url".to_owned(), cloud.auth_url.clone().into());
    let put = |auth: &mut Map<String, Value>, key: String, value: &str| {
        auth.insert(key, value.into());
    };
    let domain = |auth: &mut Map<String, Value>, whose: &str, domain: &Domain| match domain {
        Domain::Id(id) => put(auth, format!("{whose}domain_id"), id),
        Domain::Name(name) => put(auth, format!("{whose}domain_name"), name),
    };
    let user = |auth: &mut Map<String, Value>, user: &Holder| match user {
        Holder::Id(id) => put(auth, "user_id".to_owned(), id),
        Holder::Name { name, domain: of } => {
            put(auth, "username".to_owned(), name);
            domain(auth, "user_", of);
        }
    };
    match &cloud.login {
        Login::Password { user: who, password } => {
            user(&mut auth, who);
            put(&mut auth, "password".to_owned(), password.expose());
        }
        Login::ApplicationCredential { credential, secret } => {
            match credential {
                ApplicationCredential::Id(id) => put(&mut auth, "application_credential_id".to_owned(), id),
                ApplicationCredential::Name(name, who) => {
                    put(&mut auth, "application_credential_name".to_owned(), name);
                    user(&mut auth, who);
                }
            }
            put(&mut auth, "application_credential_secret".to_owned(), secret.expose());
        }
        Login::Token(token) => put(&mut auth, "token".to_owned(), token.expose()),
    }
    match &cloud.scope {
        Scope::Project(Holder::Id(id)) => put(&mut auth, "project_id".to_owned(), id),
        Scope::Project(Holder::Name { name, domain: of }) => {
            put(&mut auth, "project_name".to_owned(), name);
            domain(&mut auth, "project_", of);
        }
        Scope::Domain(own) => domain(&mut auth, "", own),
        Scope::System => put(&mut auth, "system_scope".to_owned(), "all"),
        Scope::Trust(id) => put(&mut auth, "trust_id".to_owned(), id),
        Scope::Unsaid => {}
    }
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_str().unwrap().to_owned());
    let certificate = match (path(&cloud.tls.cert_file), path(&cloud.tls.key_file)) {
        (Some(certificate), Some(key)) if certificate != key => json!([certificate, key]),
        (certificate, _) => json!(certificate),
    };
    json!({
        "auth": auth, "region": cloud.region_name, "interface": cloud.interface.as_str(), "verify": cloud.verify,
        "ca": path(&cloud.tls.ca_file).filter(|_| cloud.verify), "certificate": certificate,
        "network": cloud.endpoints.get("network"),
    })
}

/// The same with Keystone's version in the URL, and without a project's domain where its id is enough.
fn comparable(mut theirs: Value) -> Value {
    if let Some(auth) = theirs.get_mut("auth").and_then(Value::as_object_mut) {
        let url = auth["auth_url"].as_str().unwrap().trim_end_matches('/').to_owned();
        auth["auth_url"] = format!("{}/v3", url.strip_suffix("/v3").unwrap_or(&url)).into();
        for whose in ["user", "project"] {
            if auth.contains_key(&format!("{whose}_id"))
                || !auth.contains_key(if whose == "user" { "username" } else { "project_name" })
            {
                auth.remove(&format!("{whose}_domain_id"));
                auth.remove(&format!("{whose}_domain_name"));
            }
        }
    }
    theirs
}

#[test]
fn accounts_are_read_as_openstacksdk_reads_them() {
    let mut differences = Vec::new();
    for case in CASES {
        let place = Place::new("clouds");
        for (file, text) in case.files {
            place.write(file, text);
        }
        let folder = place.path("");
        let mut sdk = Command::new(python());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OS_")) {
            sdk.env_remove(name);
        }
        let mut sdk = sdk
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/clouds.py"))
            .current_dir(&folder)
            .env("HOME", "/house")
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .env_remove("SNAP_REAL_HOME")
            .envs(case.variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let wanted = json!({"cloud": case.cloud, "region": case.region});
        writeln!(sdk.stdin.take().unwrap(), "{wanted}").unwrap();
        let said = sdk.wait_with_output().unwrap().stdout;
        let theirs: Value = serde_json::from_slice(&said).unwrap();

        let variables = case.variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let selection = Selection {
            cloud: case.cloud.map(str::to_owned),
            region: case.region.map(str::to_owned),
            environment: variables.collect(),
            folders: vec![folder.into()],
            home: Some("/house".into()),
            ..Selection::default()
        };
        let ours = read(&selection).map(|cloud| shown(&cloud));
        let is_same = match (&ours, theirs.get("error")) {
            (Ok(ours), None) => *ours == comparable(theirs.clone()),
            (ours, error) => ours.is_err() && error.is_some(),
        };
        if !is_same {
            differences.push(format!("{}: {ours:?} against {theirs}", case.name));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}
