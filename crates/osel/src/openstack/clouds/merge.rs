//! One table of one cloud's keys, from the files and the variables, with old spellings made new: `OpenStackConfig` of openstacksdk,
//! step by step, so that what works there works here.

use serde_json::{Map, Value};

use super::files::{CloudsError, Files, Known, Selection};
use crate::config::listed;

/// What the variables make, unless `OS_CLOUD_NAME` calls it otherwise.
const ENVIRONMENT_NAME: &str = "envvars";
/// Variables that only select, and so make no cloud.
const SELECTORS: [&str; 5] =
    ["OS_CLOUD", "OS_REGION_NAME", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE", "OS_CLOUD_NAME"];
/// Beginnings of variables that belong to others.
const FOREIGN: [&str; 3] = ["OS_TEST", "OS_STD", "OS_LOG"];
/// Keys of `auth` that may stand outside of it, where they win, with their older spellings; the last that is there counts.
const OUTSIDE_WINS: [(&str, &[&str]); 9] = [
    ("domain_id", &["domain_id"]),
    ("domain_name", &["domain_name"]),
    ("user_domain_id", &["user_domain_id"]),
    ("user_domain_name", &["user_domain_name"]),
    ("project_domain_id", &["project_domain_id"]),
    ("project_domain_name", &["project_domain_name"]),
    ("token", &["auth_token", "token"]),
    ("project_id", &["tenant_id", "project_id"]),
    ("project_name", &["tenant_name", "project_name"]),
];
/// Keys of `auth` that may stand outside of it, where those inside win, with their older spelling.
const INSIDE_WINS: [(&str, &[&str]); 11] = [
    ("auth_url", &[]),
    ("username", &["user_name"]),
    ("user_id", &[]),
    ("password", &[]),
    ("system_scope", &[]),
    ("trust_id", &[]),
    ("default_domain_id", &[]),
    ("default_domain_name", &[]),
    ("application_credential_id", &[]),
    ("application_credential_name", &[]),
    ("application_credential_secret", &[]),
];

/// The cloud's name and its keys; all that belongs to logging in stands under `auth`.
pub(super) fn table(
    selection: &Selection,
    files: &Files,
) -> Result<(String, Map<String, Value>), CloudsError> {
    let mut root = files.clouds.clone();
    merge(&mut root, files.secure.clone());
    let mut clouds = match root.remove("clouds") {
        Some(Value::Object(clouds)) => clouds,
        Some(Value::Null) | None => Map::new(),
        Some(_) => return Err(CloudsError::Shape { place: "clouds".to_owned(), wanted: "a table" }),
    };
    let own_name = selection.variable("OS_CLOUD_NAME").unwrap_or(ENVIRONMENT_NAME);
    if clouds.contains_key(own_name) {
        return Err(CloudsError::TwoOfOneName(own_name.to_owned()));
    }
    let variables = variables(selection);
    let is_account = !variables.is_empty();
    if is_account {
        clouds.insert(own_name.to_owned(), Value::Object(variables));
    }
    let known = || Known(clouds.keys().cloned().collect());
    let name = match selection.cloud.as_deref().or(selection.variable("OS_CLOUD")) {
        Some(name) => name.to_owned(),
        None if is_account && selection.file.is_none() => own_name.to_owned(),
        None => match clouds.keys().next() {
            Some(name) if clouds.len() == 1 => name.clone(),
            Some(_) => return Err(CloudsError::Several(known())),
            None => return Err(CloudsError::Nothing),
        },
    };
    let own = match clouds.get(&name) {
        Some(Value::Object(own)) => own.clone(),
        Some(_) => {
            return Err(CloudsError::Shape { place: format!("clouds.{name}"), wanted: "a table" });
        }
        None => return Err(CloudsError::Unknown { known: known(), name }),
    };
    let own = normal(own);
    let mut table = Map::from_iter([
        ("auth_type".to_owned(), Value::from("password")),
        ("interface".to_owned(), Value::from("public")),
    ]);
    let profile = text(&own, "profile").or_else(|| text(&own, "cloud"));
    let public = files.public.get("public-clouds").and_then(Value::as_object);
    if let Some(profile) = profile.and_then(|profile| public?.get(&profile)?.as_object()) {
        update(&mut table, normal(profile.clone()), &name)?;
    }
    update(&mut table, own, &name)?;
    choose_region(selection, &name, &mut table)?;
    let mut table = modern(table);
    expand(&mut table);
    Ok((name, table))
}

/// The value as a text, as openstacksdk makes one of it; none for what is empty or no scalar.
pub(super) fn text(table: &Map<String, Value>, key: &str) -> Option<String> {
    match table.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        // As Python writes them.
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
    .filter(|text| !text.is_empty())
}

/// Whether a key says yes, in the words of YAML's first edition too, which OpenStack's clients read.
pub(super) fn flag(table: &Map<String, Value>, key: &str, unsaid: bool) -> bool {
    match table.get(key) {
        None => unsaid,
        Some(Value::Bool(said)) => *said,
        Some(Value::String(said)) => ["true", "yes", "on"].iter().any(|yes| said.eq_ignore_ascii_case(yes)),
        Some(_) => false,
    }
}

/// The cloud that the variables make: empty where they only select.
fn variables(selection: &Selection) -> Map<String, Value> {
    let ours =
        selection.environment.iter().filter(|(key, _)| !FOREIGN.iter().any(|own| key.starts_with(own)));
    if ours.clone().all(|(key, _)| SELECTORS.contains(&key.as_str())) {
        return Map::new();
    }
    ours.filter_map(|(key, value)| {
        Some((key.strip_prefix("OS_")?.to_lowercase(), Value::from(value.as_str())))
    })
    .collect()
}

/// Keys with underscores, at every depth.
fn normal(table: Map<String, Value>) -> Map<String, Value> {
    table
        .into_iter()
        .map(|(key, value)| {
            let value = match value {
                Value::Object(inner) => Value::Object(normal(inner)),
                other => other,
            };
            (key.replace('-', "_"), value)
        })
        .collect()
}

/// Lays a table over another, at every depth.
fn merge(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Lays a table over another; of what is below, only `auth` is merged.
fn update(table: &mut Map<String, Value>, over: Map<String, Value>, cloud: &str) -> Result<(), CloudsError> {
    for (key, value) in over {
        if key != "auth" {
            table.insert(key, value);
            continue;
        }
        let auth = table.entry("auth").or_insert_with(|| Value::Object(Map::new()));
        match (auth, value) {
            (Value::Object(auth), Value::Object(over)) => auth.extend(over),
            (_, Value::Null) => {}
            _ => {
                return Err(CloudsError::Shape { place: format!("clouds.{cloud}.auth"), wanted: "a table" });
            }
        }
    }
    Ok(())
}

/// Puts the region that is meant under `region_name`, and what holds for that region only over the rest.
fn choose_region(
    selection: &Selection,
    cloud: &str,
    table: &mut Map<String, Value>,
) -> Result<(), CloudsError> {
    let entries = match (table.remove("regions"), table.get("region_name")) {
        (Some(Value::Array(regions)), _) => regions,
        (_, Some(Value::Array(regions))) => regions.clone(),
        (_, Some(Value::String(regions))) => regions.split(',').map(Value::from).collect(),
        _ => Vec::new(),
    };
    let mut regions: Vec<(String, Map<String, Value>)> = Vec::new();
    for entry in entries {
        regions.push(match entry {
            Value::Object(entry) => {
                let place = || CloudsError::Shape {
                    place: format!("clouds.{cloud}.regions"),
                    wanted: "a list of names, or of tables with `name` and `values`",
                };
                let name = text(&entry, "name").ok_or_else(place)?;
                (name, entry.get("values").and_then(Value::as_object).cloned().unwrap_or_default())
            }
            other => (other.as_str().unwrap_or_default().to_owned(), Map::new()),
        });
    }
    let wanted = selection.region.as_deref().filter(|region| !region.is_empty());
    let found = match wanted {
        _ if regions.is_empty() => (wanted.unwrap_or_default().to_owned(), Map::new()),
        None => regions.swap_remove(0),
        Some(wanted) => match regions.iter().position(|(name, _)| name == wanted) {
            Some(place) => regions.swap_remove(place),
            None => {
                let has = listed(regions.into_iter().map(|(name, _)| name), ", ");
                let (cloud, region) = (cloud.to_owned(), wanted.to_owned());
                return Err(CloudsError::Region { cloud, region, has });
            }
        },
    };
    let (name, values) = found;
    let values = normal(values).into_iter().filter(|(_, value)| !value.is_null()).collect();
    update(table, values, cloud)?;
    table.insert("region_name".to_owned(), Value::from(name));
    Ok(())
}

/// Old spellings made new, and all that belongs to logging in put under `auth`.
fn modern(table: Map<String, Value>) -> Map<String, Value> {
    let mut auth = match table.get("auth") {
        Some(Value::Object(auth)) => auth.clone(),
        _ => Map::new(),
    };
    let (old, mut table): (Map<String, Value>, Map<String, Value>) = table
        .into_iter()
        .filter(|(key, _)| key != "auth")
        .partition(|(key, _)| key.ends_with("endpoint_type"));
    // The older word wins, since the newer one is never missing: it has a default.
    table.extend(old.into_iter().map(|(key, value)| (key.replace("endpoint_type", "interface"), value)));
    for (key, spellings) in OUTSIDE_WINS {
        let mut found = None;
        for spelling in spellings {
            found = text(&auth, spelling).or(found);
            auth.remove(*spelling);
            found = text(&table, spelling).or(found);
            table.remove(*spelling);
        }
        if let Some(found) = found {
            auth.insert(key.to_owned(), found.into());
        }
    }
    for (key, spellings) in INSIDE_WINS {
        let one_of = |table: &Map<String, Value>| {
            std::iter::once(&key).chain(spellings).find_map(|spelling| text(table, spelling))
        };
        if let Some(found) = one_of(&auth).or_else(|| one_of(&table)) {
            auth.insert(key.to_owned(), found.into());
        }
    }
    // A domain that is said once holds for the user and the project, unless it is the scope itself.
    if auth.contains_key("project_id") || auth.contains_key("project_name") {
        for what in ["id", "name"] {
            if let Some(domain) = auth.remove(&format!("domain_{what}")) {
                for whose in ["user", "project"] {
                    auth.entry(format!("{whose}_domain_{what}")).or_insert_with(|| domain.clone());
                }
            }
        }
    }
    table.insert("auth".to_owned(), Value::Object(auth));
    table
}

/// Puts the values of other keys where `{key}` stands in `auth_url` and in texts outside of `auth`.
fn expand(table: &mut Map<String, Value>) {
    let words: Vec<(String, String)> = table
        .keys()
        .filter(|key| *key != "auth")
        .filter_map(|key| Some((format!("{{{key}}}"), text(table, key)?)))
        .collect();
    let expanded = |text: &str| {
        words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word.as_str(), value))
    };
    for (_, value) in table.iter_mut() {
        match value {
            Value::String(text) if text.contains('{') => *text = expanded(text),
            Value::Object(auth) => {
                if let Some(Value::String(url)) = auth.get_mut("auth_url") {
                    *url = expanded(url);
                }
            }
            _ => {}
        }
    }
}
