//! The form of a plan: what is needed of it, and nothing else is kept.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::unique;
use crate::planned::PlanError;

/// A plan.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    format_version: Option<String>,
    pub(super) resource_changes: Option<Vec<ResourceChange>>,
    pub(super) resource_drift: Option<Vec<ResourceName>>,
    pub(super) deferred_changes: Option<Vec<Deferred>>,
    pub(super) configuration: Option<Configuration>,
    #[serde(default, deserialize_with = "unique::members")]
    pub(super) variables: BTreeMap<String, Variable>,
    prior_state: Option<Prior>,
    planned_values: Option<IgnoredAny>,
    values: Option<IgnoredAny>,
    pub(super) errored: Option<bool>,
    pub(super) complete: Option<bool>,
}

/// One instance of a resource and what becomes of it.
#[derive(Debug, Deserialize)]
pub(super) struct ResourceChange {
    pub(super) address: String,
    pub(super) module_address: Option<String>,
    pub(super) mode: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) index: Option<Value>,
    pub(super) deposed: Option<String>,
    pub(super) change: Change,
}

/// A resource of which only the name is told.
#[derive(Debug, Deserialize)]
pub(super) struct ResourceName {
    pub(super) address: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// A change that another run will make.
#[derive(Debug, Deserialize)]
pub(super) struct Deferred {
    pub(super) resource_change: Option<ResourceName>,
}

/// What becomes of a resource.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    pub(super) actions: Vec<String>,
    #[serde(default, deserialize_with = "unique::object")]
    pub(super) before: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "unique::object")]
    pub(super) after: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "unique::value")]
    pub(super) after_unknown: Value,
    #[serde(default, deserialize_with = "unique::value")]
    pub(super) before_sensitive: Value,
    #[serde(default, deserialize_with = "unique::value")]
    pub(super) after_sensitive: Value,
}

/// A variable of the root, with what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Variable {
    #[serde(default, deserialize_with = "unique::value")]
    pub(super) value: Value,
}

/// What there was when the plan was made.
#[derive(Debug, Deserialize)]
struct Prior {
    values: Option<PriorValues>,
}

#[derive(Debug, Deserialize)]
struct PriorValues {
    root_module: Option<PriorModule>,
}

/// What there was in a module.
#[derive(Debug, Deserialize)]
pub(super) struct PriorModule {
    pub(super) address: Option<String>,
    pub(super) resources: Option<Vec<PriorResource>>,
    pub(super) child_modules: Option<Vec<PriorModule>>,
}

/// A resource that was there, or a data source that was read.
#[derive(Debug, Deserialize)]
pub(super) struct PriorResource {
    pub(super) mode: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    index: Option<Value>,
    #[serde(default, deserialize_with = "unique::value")]
    pub(super) values: Value,
}

/// What the plan was made from.
#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    #[serde(default)]
    pub(super) root_module: Module,
}

/// A module as it is written, without instances.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Module {
    #[serde(default)]
    pub(super) resources: Vec<Resource>,
    #[serde(default, deserialize_with = "unique::members")]
    pub(super) module_calls: BTreeMap<String, Call>,
    #[serde(default, deserialize_with = "unique::members")]
    pub(super) outputs: BTreeMap<String, Output>,
    #[serde(default, deserialize_with = "unique::members")]
    pub(super) variables: BTreeMap<String, Unsaid>,
}

/// What a variable of a module is where its call does not say.
#[derive(Debug, Deserialize)]
pub(super) struct Unsaid {
    #[serde(default, deserialize_with = "unique::some")]
    pub(super) default: Option<Value>,
}

/// A resource as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    pub(super) mode: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    #[serde(default, deserialize_with = "unique::expressions")]
    pub(super) expressions: Map<String, Value>,
    count_expression: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "unique::some")]
    pub(super) for_each_expression: Option<Value>,
}

/// A module inside of a module.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    #[serde(default, deserialize_with = "unique::expressions")]
    pub(super) expressions: Map<String, Value>,
    #[serde(default, deserialize_with = "unique::some")]
    pub(super) for_each_expression: Option<Value>,
    #[serde(default)]
    pub(super) module: Module,
}

/// A value that a module gives.
#[derive(Debug, Deserialize)]
pub(super) struct Output {
    #[serde(default, deserialize_with = "unique::value")]
    pub(super) expression: Value,
}

/// What is wanted in place of what is mistaken for it.
const INSTEAD: &str = "what `terraform show -json PLAN` prints";

impl Document {
    /// Reads a plan.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PlanError> {
        let mistaken = |what| Err(PlanError::Mistaken { what, instead: INSTEAD });
        if bytes.starts_with(b"PK\x03\x04") {
            return mistaken("a saved plan, which only Terraform reads");
        }
        let first = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
        let first = serde_json::from_slice::<Map<String, Value>>(first.unwrap_or_default());
        if first.is_ok_and(|line| line.contains_key("@level")) {
            return mistaken("the log of `terraform plan -json`");
        }
        let document: Self = serde_json::from_slice(bytes)?;
        let no_changes = document.resource_changes.is_none();
        if no_changes && document.values.is_some() {
            return mistaken("a state, not a plan");
        }
        if no_changes && document.planned_values.is_none() {
            return mistaken("JSON, but neither a plan nor a state");
        }
        // Terraform wrote 0.1 and 0.2 before its release 1.2, with the same members.
        let version = document.format_version.as_deref().unwrap_or("1.0");
        if !["0.", "1."].iter().any(|known| version.starts_with(known)) {
            return Err(PlanError::Version { version: version.chars().take(16).collect() });
        }
        Ok(document)
    }

    /// What there was when the plan was made.
    pub(super) fn prior(&self) -> Option<&PriorModule> {
        self.prior_state.as_ref()?.values.as_ref()?.root_module.as_ref()
    }
}

impl Resource {
    /// Whether it is read and never made.
    pub(super) fn is_data(&self) -> bool {
        self.mode.as_deref() == Some("data")
    }

    /// Whether it may have no instance.
    pub(super) fn counted(&self) -> bool {
        self.count_expression.is_some() || self.for_each_expression.is_some()
    }
}

impl PriorResource {
    /// Its instance as it stands in addresses, without the brackets.
    pub(super) fn key(&self) -> Option<String> {
        key(self.index.as_ref())
    }
}

impl ResourceChange {
    /// Whether a list of actions has this one.
    pub(super) fn does(&self, action: &str) -> bool {
        self.change.actions.iter().any(|each| each == action)
    }

    /// Whether it is read and never made.
    pub(super) fn is_data(&self) -> bool {
        self.mode.as_deref() == Some("data")
    }

    /// Its instance as it stands in addresses, without the brackets: `0`, `"a"`.
    pub(super) fn key(&self) -> Option<String> {
        key(self.index.as_ref())
    }
}

fn key(index: Option<&Value>) -> Option<String> {
    index.filter(|index| !index.is_null()).map(Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Document::read(text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn what_is_mistaken_for_a_plan_is_told_by_name() {
        let instead = "; give what `terraform show -json PLAN` prints";
        assert_eq!(error("PK\x03\x04"), format!("it is a saved plan, which only Terraform reads{instead}"));
        let log = "{\"@level\":\"info\",\"@message\":\"x\"}\n{\"@level\":\"info\"}\n";
        assert_eq!(error(log), format!("it is the log of `terraform plan -json`{instead}"));
        let state = r#"{"format_version":"1.0","values":{"root_module":{}}}"#;
        assert_eq!(error(state), format!("it is a state, not a plan{instead}"));
        assert_eq!(error("{}"), format!("it is JSON, but neither a plan nor a state{instead}"));
        assert_eq!(
            error(r#"{"format_version":"2.0","resource_changes":[]}"#),
            "its `format_version` is not 1.x but `2.0`"
        );
    }

    #[test]
    fn a_plan_that_changes_nothing_has_no_list_of_changes() {
        assert!(Document::read(br#"{"format_version":"1.2","planned_values":{}}"#).is_ok());
        assert!(
            Document::read(br#"{"format_version":"1.0","resource_changes":null,"planned_values":{}}"#)
                .is_ok()
        );
    }

    #[test]
    fn a_wrong_form_is_told_with_its_place() {
        // What stands there may be a secret.
        let place = "line 2 column 12 has another value than a plan has there";
        assert_eq!(error("{\"resource_changes\":\n[{\"address\":[\"hunter2\"]}]}"), place);
    }
}
