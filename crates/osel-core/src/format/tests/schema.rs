//! A validator of OCSF events, by the schema as it is published: no attribute that it does not have, none that it requires missing, types,
//! numbers with the captions beside them, profiles, and which attributes exclude or need each other.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
pub(super) struct Schema {
    version: String,
    types: BTreeMap<String, Type>,
    classes: BTreeMap<String, Class>,
    objects: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
struct Type {
    #[serde(rename = "type")]
    base: Option<String>,
    range: Option<(i64, i64)>,
    max_len: Option<usize>,
}

#[derive(Deserialize)]
struct Class {
    uid: u64,
    caption: String,
    category_uid: u64,
    category_name: String,
    #[serde(flatten)]
    shape: Shape,
}

#[derive(Deserialize)]
struct Shape {
    attributes: BTreeMap<String, Attribute>,
    #[serde(default)]
    constraints: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "type")]
    kind: String,
    requirement: String,
    object: Option<String>,
    #[serde(default)]
    array: bool,
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(rename = "enum")]
    words: Option<BTreeMap<String, String>>,
    sibling: Option<String>,
}

impl Schema {
    /// The schema of the release that lines say they are of.
    pub(super) fn published() -> Self {
        serde_json::from_str(include_str!("ocsf-1.8.0.json")).expect("the schema")
    }

    /// Everything that is wrong with an event.
    pub(super) fn problems(&self, event: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let class = self.classes.values().find(|class| event["class_uid"] == class.uid);
        let (Some(event), Some(class)) = (event.as_object(), class) else {
            return vec![format!("class {}", event["class_uid"])];
        };
        let mut same = |key: &str, wanted: Value| {
            if event.get(key).is_some_and(|value| *value != wanted) || wanted.is_null() {
                found.push(format!("{key}: {:?} and not {wanted}", event.get(key)));
            }
        };
        same("class_name", class.caption.as_str().into());
        same("category_uid", class.category_uid.into());
        same("category_name", class.category_name.as_str().into());
        let activity = event.get("activity_id").and_then(Value::as_u64);
        same("type_uid", activity.map(|activity| class.uid * 100 + activity).into());
        let metadata = event.get("metadata").cloned().unwrap_or_default();
        if metadata["version"] != self.version.as_str() {
            found.push(format!("metadata.version {}", metadata["version"]));
        }
        let profiles: Vec<&str> =
            metadata["profiles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        self.shape(&class.shape, event, &profiles, "", &mut found);
        found
    }

    fn shape(
        &self,
        shape: &Shape,
        object: &Map<String, Value>,
        profiles: &[&str],
        path: &str,
        found: &mut Vec<String>,
    ) {
        let applies = |attribute: &Attribute| {
            attribute.profiles.is_empty()
                || attribute.profiles.iter().any(|profile| profiles.contains(&&**profile))
        };
        for (key, value) in object {
            let path = format!("{path}.{key}");
            match shape.attributes.get(key).filter(|attribute| applies(attribute)) {
                None => found.push(format!("{path} is unknown")),
                Some(attribute) if attribute.array => match value.as_array() {
                    None => found.push(format!("{path} is no list")),
                    Some(list) => {
                        list.iter().for_each(|value| self.value(attribute, value, profiles, &path, found));
                    }
                },
                Some(attribute) => self.value(attribute, value, profiles, &path, found),
            }
            self.sibling(shape, object, key, &path, found);
        }
        for (key, attribute) in &shape.attributes {
            if attribute.requirement == "required" && applies(attribute) && !object.contains_key(key) {
                found.push(format!("{path}.{key} is missing"));
            }
        }
        for (constraint, keys) in &shape.constraints {
            let count = keys.iter().filter(|key| object.contains_key(*key)).count();
            let holds = match constraint.as_str() {
                "at_least_one" => count >= 1,
                "just_one" => count == 1,
                _ => false,
            };
            if !holds {
                found.push(format!("{path}: {constraint} of {keys:?}"));
            }
        }
    }

    /// The word beside a number is its caption, unless the number says that the word is the source's own.
    fn sibling(
        &self,
        shape: &Shape,
        object: &Map<String, Value>,
        key: &str,
        path: &str,
        found: &mut Vec<String>,
    ) {
        let Some(Attribute { sibling: Some(sibling), words: Some(words), .. }) = shape.attributes.get(key)
        else {
            return;
        };
        let (number, word) = (object[key].to_string(), object.get(sibling).and_then(Value::as_str));
        if let (Some(caption), Some(word)) = (words.get(&number), word)
            && number != "99"
            && caption != word
        {
            found.push(format!("{path} is {number}, and {sibling} `{word}` and not `{caption}`"));
        }
    }

    fn value(
        &self,
        attribute: &Attribute,
        value: &Value,
        profiles: &[&str],
        path: &str,
        found: &mut Vec<String>,
    ) {
        if let Some(words) = &attribute.words {
            let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !words.contains_key(&word) {
                found.push(format!("{path} is {word}, none of {:?}", words.keys()));
            }
        }
        if let Some(name) = &attribute.object {
            match (value.as_object(), name.as_str(), self.objects.get(name)) {
                (None, ..) => found.push(format!("{path} is no object")),
                // Whatever has no place elsewhere.
                (Some(_), "object", _) => {}
                (Some(_), _, None) => {
                    found.push(format!("{path}: the object {name} is not among the test's data"));
                }
                (Some(object), _, Some(shape)) => self.shape(shape, object, profiles, path, found),
            }
            return;
        }
        let kind = self.types.get(&attribute.kind);
        let base = kind.and_then(|kind| kind.base.as_deref()).unwrap_or(&attribute.kind);
        let is_right = match base {
            "string_t" => value.is_string(),
            "integer_t" | "long_t" => value.is_i64() || value.is_u64(),
            "boolean_t" => value.is_boolean(),
            "json_t" => true,
            _ => false,
        };
        if !is_right {
            found.push(format!("{path} is no {base}: {value}"));
        }
        if attribute.kind == "ip_t" && value.as_str().is_none_or(|ip| ip.parse::<IpAddr>().is_err()) {
            found.push(format!("{path} is no address: {value}"));
        }
        let Some(kind) = kind else { return };
        if let (Some((min, max)), Some(number)) = (kind.range, value.as_i64())
            && !(min..=max).contains(&number)
        {
            found.push(format!("{path} is out of range: {number}"));
        }
        if let (Some(max), Some(text)) = (kind.max_len, value.as_str())
            && text.chars().count() > max
        {
            found.push(format!("{path} is longer than {max}"));
        }
    }
}
