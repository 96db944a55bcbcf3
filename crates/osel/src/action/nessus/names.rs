//! From the names of the configuration to the numbers by which the scanner knows things. They are asked for each scan: whoever makes a
//! policy anew under its old name means the new one.

use osel_core::scan::{Trouble, cut};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::client::Client;
use crate::config::{NessusProduct, listed};

/// The most names that are told where one is not among them.
const NAMES_TOLD_MAX: usize = 20;
/// The longest of them, in characters.
const NAME_CHARS_MAX: usize = 60;

#[derive(Deserialize)]
struct Templates {
    #[serde(deserialize_with = "list")]
    templates: Vec<Template>,
}

#[derive(Deserialize)]
struct Template {
    name: String,
    #[serde(default)]
    title: String,
    uuid: String,
}

#[derive(Deserialize)]
struct Policies {
    #[serde(deserialize_with = "list")]
    policies: Vec<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    id: u64,
    name: String,
    template_uuid: String,
}

#[derive(Deserialize)]
struct Scanners {
    #[serde(deserialize_with = "list")]
    scanners: Vec<OneScanner>,
}

#[derive(Deserialize)]
struct OneScanner {
    id: u64,
    name: String,
    #[serde(default)]
    uuid: Option<String>,
}

#[derive(Deserialize)]
struct Folders {
    #[serde(deserialize_with = "list")]
    folders: Vec<Folder>,
}

#[derive(Deserialize)]
struct Folder {
    id: u64,
    name: String,
}

/// A list that is `null` where it has nothing, as Nessus writes them.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What a scan is made of.
pub(super) struct Made {
    /// The UUID of its template.
    pub(super) template: String,
    /// The settings that follow from the configuration.
    pub(super) settings: Map<String, Value>,
}

/// Looks up what the configuration names.
///
/// # Errors
/// When the scanner does not answer, or knows no such name.
pub(super) async fn looked_up(client: &mut Client<'_>) -> Result<Made, Trouble> {
    let (policy, folder) = (client.config.policy.clone(), client.config.folder.clone());
    let (template, scanner) = (client.config.template.clone(), client.config.scanner.clone());
    let mut settings = Map::new();
    let template = if let Some(wanted) = policy {
        let Policies { policies } = client.get("/policies").await?;
        let known = policies.iter().map(|policy| policy.name.as_str());
        let policy = named(&policies, |policy| policy.name == wanted)
            .ok_or_else(|| unknown("policy", &wanted, known))?;
        settings.insert("policy_id".to_owned(), json!(policy.id));
        policy.template_uuid.clone()
    } else {
        let Templates { templates } = client.get("/editor/scan/templates").await?;
        let known = templates.iter().map(|template| template.name.as_str());
        named(&templates, |one| one.name == template || one.title == template)
            .map(|one| one.uuid.clone())
            .ok_or_else(|| unknown("template", &template, known))?
    };
    if let Some(wanted) = scanner {
        let Scanners { scanners } = client.get("/scanners").await?;
        let known = scanners.iter().map(|scanner| scanner.name.as_str());
        let scanner = named(&scanners, |scanner| scanner.name == wanted)
            .ok_or_else(|| unknown("scanner", &wanted, known))?;
        let id = match (client.config.product, &scanner.uuid) {
            (NessusProduct::Cloud, Some(uuid)) => json!(uuid),
            _ => json!(scanner.id),
        };
        settings.insert("scanner_id".to_owned(), id);
    }
    if let Some(wanted) = folder {
        let Folders { folders } = client.get("/folders").await?;
        let known = folders.iter().map(|folder| folder.name.as_str());
        let folder = named(&folders, |folder| folder.name == wanted)
            .ok_or_else(|| unknown("folder", &wanted, known))?;
        settings.insert("folder_id".to_owned(), json!(folder.id));
    }
    Ok(Made { template, settings })
}

fn named<T>(all: &[T], is_wanted: impl Fn(&T) -> bool) -> Option<&T> {
    all.iter().find(|one| is_wanted(one))
}

fn unknown<'n>(what: &str, wanted: &str, known: impl Iterator<Item = &'n str>) -> Trouble {
    let known = listed(known.take(NAMES_TOLD_MAX).map(|name| cut(name, NAME_CHARS_MAX)), ", ");
    let known = if known.is_empty() { "none" } else { &known };
    let why = format!("the scanner has no {what} `{wanted}`: it has {known}");
    Trouble::Refused { why, addresses: Vec::new() }
}
