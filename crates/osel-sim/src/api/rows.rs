//! Objects as they are listed: filtered by keys, cut to the fields that were asked for.
//!
//! Works on JSON texts, of which it parses the outermost level only.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// An object with its values as texts.
pub(super) struct Row<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Row<'a> {
    pub(super) fn new(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The value of a key; `tenant_id` is what `project_id` is called too.
    fn value(&self, key: &str) -> Option<Value> {
        let key = if key == "tenant_id" { "project_id" } else { key };
        serde_json::from_str(self.0.get(key)?.get()).ok()
    }

    /// Whether the key has this text.
    pub(super) fn says(&self, key: &str, text: &str) -> bool {
        self.value(key).is_some_and(|value| value == text)
    }

    /// Whether the key is true.
    pub(super) fn is_true(&self, key: &str) -> bool {
        self.value(key).is_some_and(|value| value == true)
    }

    /// Whether one of the values of a filter is met.
    pub(super) fn is_met(&self, key: &str, wanted: &[&str]) -> bool {
        match key {
            "fixed_ips" => {
                let Some(Value::Array(addresses)) = self.value(key) else { return false };
                wanted.iter().any(|wanted| addresses.iter().any(|address| address_meets(address, wanted)))
            }
            "security_groups" => {
                let Some(Value::Array(groups)) = self.value(key) else { return false };
                wanted.iter().any(|wanted| groups.iter().any(|group| group == wanted))
            }
            "tags" | "tags-any" | "not-tags" | "not-tags-any" => {
                let tags = self.value("tags").unwrap_or_default();
                let has =
                    |tag: &str| tags.as_array().is_some_and(|tags| tags.iter().any(|known| known == tag));
                wanted.iter().all(|wanted| {
                    let mut wanted = wanted.split(',');
                    match key {
                        "tags" => wanted.all(has),
                        "tags-any" => wanted.any(has),
                        "not-tags" => !wanted.all(has),
                        _ => !wanted.any(has),
                    }
                })
            }
            _ => match self.value(key) {
                Some(Value::String(text)) => wanted.contains(&text.as_str()),
                Some(Value::Bool(is_true)) => {
                    let word = if is_true { "true" } else { "false" };
                    wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(word))
                }
                Some(Value::Number(number)) => wanted.contains(&number.to_string().as_str()),
                _ => false,
            },
        }
    }

    /// The object with these keys only.
    pub(super) fn cut(&self, fields: &[&str]) -> String {
        let mut text = "{".to_owned();
        for field in fields {
            if let Some(value) = self.0.get(*field) {
                text.push_str(if text.len() > 1 { ", \"" } else { "\"" });
                text.push_str(field);
                text.push_str("\": ");
                text.push_str(value.get());
            }
        }
        text.push('}');
        text
    }
}

/// A filter of `fixed_ips` is a filter of its own: `ip_address=192.0.2.1`.
fn address_meets(address: &Value, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some(("ip_address_substr", part)) => {
            address["ip_address"].as_str().is_some_and(|known| known.contains(part))
        }
        Some((key, value)) => address[key] == value,
        None => false,
    }
}
