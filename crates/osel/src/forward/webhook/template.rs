//! A template that makes the body of a request of one record.
//!
//! Its text is the operator's, and what it is filled with is anybody's: each value is put in as JSON, so that none can end its place, and
//! the work of one filling is bounded.

use std::error::Error;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use crate::forward::receiver::Item;

/// What one filling may do, in steps of the engine: some thousand times what a message takes.
const STEPS_MAX: u64 = 1_000_000;
/// The longest body that a template may make: what receivers of messages take, many times over.
const BODY_BYTES_MAX: usize = 1 << 20;
/// The name under which the engine knows it.
const NAME: &str = "template";

/// A template.
#[derive(Debug)]
pub(super) struct Template(Environment<'static>);

/// Why it makes nothing of a record.
#[derive(Debug, thiserror::Error)]
pub(super) enum TemplateError {
    /// It cannot be filled.
    #[error("the template cannot be filled")]
    Unfilled(#[source] minijinja::Error),
    /// What it makes is too much.
    #[error("the template makes more than {BODY_BYTES_MAX} bytes of it")]
    TooLong,
    /// It is to be JSON.
    #[error("the template makes no JSON of it")]
    NoJson(#[source] serde_json::Error),
}

impl Template {
    /// A template of that text.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn new(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut engine = Environment::new();
        engine.set_auto_escape_callback(|_| AutoEscape::Json);
        // What a record does not have is null, however deep it is looked for.
        engine.set_undefined_behavior(UndefinedBehavior::Chainable);
        engine.set_fuel(Some(STEPS_MAX));
        engine.add_template_owned(NAME, text.to_owned())?;
        Ok(Self(engine))
    }

    /// The body for a record; it has to be JSON where that is what it is said to be.
    ///
    /// # Errors
    /// When it makes no such thing of it.
    pub(super) fn filled(&self, item: &Item, is_json: bool) -> Result<Vec<u8>, TemplateError> {
        let record: Value = serde_json::from_slice(&item.line).unwrap_or(Value::from(()));
        let filled = self.0.get_template(NAME).and_then(|template| {
            template.render(context! {
                record => record,
                line => String::from_utf8_lossy(&item.line),
                id => item.id.as_str(),
                seq => item.seq,
                kind => item.kind.as_str(),
                severity => item.severity.as_str(),
                event_type => item.event_type.as_deref(),
                time => item.time.to_string(),
            })
        });
        let body = filled.map_err(TemplateError::Unfilled)?;
        if body.len() > BODY_BYTES_MAX {
            return Err(TemplateError::TooLong);
        }
        if is_json {
            serde_json::from_str::<serde::de::IgnoredAny>(&body).map_err(TemplateError::NoJson)?;
        }
        Ok(body.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::http::tests::item;

    fn check(template: &str, line: &str, wanted: &str) {
        let filled = Template::new(template).unwrap().filled(&item(7, line), true);
        let told = filled.map_or_else(|error| error.to_string(), |body| String::from_utf8(body).unwrap());
        assert_eq!(told, wanted, "{template}");
    }

    #[test]
    fn values_are_put_in_as_json() {
        let hostile = r#"{"sentence":"\"}, {\"text\": \"</script>\n","n":[1,2]}"#;
        check(
            r#"{"text": {{ record.sentence }}, "n": {{ record.n }}, "first": {{ record.n[0] }}}"#,
            hostile,
            r#"{"text": "\"}, {\"text\": \"</script>\n", "n": [1,2], "first": 1}"#,
        );
        check(
            r#"{"text": {{ kind ~ " " ~ seq ~ ": " ~ record.sentence }}, "t": {{ time }}, "e": {{ event_type }}}"#,
            r#"{"sentence":"ann"}"#,
            r#"{"text": "change 7: ann", "t": "2026-01-01T00:00:00.123456Z", "e": null}"#,
        );
        check(
            r#"{% if severity == "high" %}{{ line }}{% else %}0{% endif %}"#,
            "text, not JSON",
            r#""text, not JSON""#,
        );
    }

    #[test]
    fn what_a_record_does_not_have_is_null() {
        check(r#"[{{ record.no.such.thing }}, {{ nobody }}]"#, r#"{"a":1}"#, "[null, null]");
        check(r#"{{ record.a }}"#, "text", "null");
    }

    #[test]
    fn what_makes_nothing_of_a_record_is_an_error() {
        check(r#"{"text": "#, "{}", "the template makes no JSON of it");
        check(r#"{{ record.a + {} }}"#, r#"{"a":1}"#, "the template cannot be filled");
        let endless = r#"{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"#;
        check(endless, "{}", "the template cannot be filled");
        check(r#"{{ "x" * 2000000 }}"#, "{}", "the template makes more than 1048576 bytes of it");
        assert!(Template::new("{{ record.").is_err());
    }
}
