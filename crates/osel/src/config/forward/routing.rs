//! Routing keys that say what a record is about: a text with names in braces.

use osel_core::format::Severity;
use osel_core::trail::RecordKind;

/// The longest routing key in bytes: AMQP carries it as a short string.
const KEY_BYTES_MAX: usize = 255;
/// What stands in the place of an event type that a record does not have.
const NO_EVENT_TYPE: &str = "none";

/// A routing key in which names stand for what a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingKey(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Kind,
    Severity,
    EventType,
}

/// The names, with what they stand for.
const NAMES: [(&str, Part); 3] =
    [("kind", Part::Kind), ("severity", Part::Severity), ("event_type", Part::EventType)];

impl RoutingKey {
    /// Reads one. An event type may be any text of whoever publishes notifications, so a key begins with something else: nobody but its
    /// operator decides whose key it is.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow the name of its key.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > KEY_BYTES_MAX || text.contains(char::is_control) {
            return Err(format!("must have at most {KEY_BYTES_MAX} bytes in one line"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').ok_or_else(known)?;
            let (_, part) = NAMES.into_iter().find(|(known, _)| *known == name).ok_or_else(known)?;
            parts.extend((!before.is_empty()).then(|| Part::Text(before.to_owned())));
            parts.push(part);
            rest = after;
        }
        if rest.contains('}')
            || parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('}')))
        {
            return Err(known());
        }
        parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_owned())));
        match parts.first() {
            Some(Part::EventType) => {
                Err("must not begin with `{event_type}`: write a word of your own before it".to_owned())
            }
            _ => Ok(Self(parts)),
        }
    }

    /// The key of a record; an event type that makes it too long is cut.
    pub fn of(&self, kind: RecordKind, severity: Severity, event_type: Option<&str>) -> String {
        let mut key = String::new();
        for part in &self.0 {
            key.push_str(match part {
                Part::Text(text) => text,
                Part::Kind => kind.as_str(),
                Part::Severity => severity.as_str(),
                Part::EventType => event_type.unwrap_or(NO_EVENT_TYPE),
            });
        }
        key.truncate(key.floor_char_boundary(KEY_BYTES_MAX));
        key
    }

    /// Whether a binding for this topic, with all its priorities, may fit.
    pub(super) fn may_be_of_topic(&self, topic: &str) -> bool {
        matches!(self.0.first(), Some(Part::Text(text)) if text.strip_prefix(topic).is_some_and(|rest| rest.starts_with('.')))
    }
}

fn known() -> String {
    let names = NAMES.map(|(name, _)| format!("`{{{name}}}`")).join(", ");
    format!("has braces that are none of {names}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> RoutingKey {
        RoutingKey::parse(text).unwrap()
    }

    #[test]
    fn names_in_braces_stand_for_what_a_record_is() {
        for (text, event_type, wanted) in [
            ("osel.{kind}.{severity}", None, "osel.change.high"),
            ("osel.{event_type}", Some("port.create.end"), "osel.port.create.end"),
            ("{kind}", None, "change"),
            ("a.{event_type}.b", None, "a.none.b"),
            ("records", None, "records"),
        ] {
            assert_eq!(key(text).of(RecordKind::Change, Severity::High, event_type), wanted, "{text}");
        }
    }

    #[test]
    fn a_key_is_never_longer_than_amqp_carries() {
        let long = "é".repeat(200);
        let made = key("o.{event_type}").of(RecordKind::Change, Severity::High, Some(&long));
        assert!(made.len() <= KEY_BYTES_MAX && long.starts_with(&made[2..]), "{made}");
    }

    #[test]
    fn braces_that_mean_nothing_are_told() {
        for text in ["a.{project}", "a.{kind", "a.kind}", "{}", "{kind}}.{severity}"] {
            let told = RoutingKey::parse(text).unwrap_err();
            assert_eq!(told, "has braces that are none of `{kind}`, `{severity}`, `{event_type}`", "{text}");
        }
        assert!(RoutingKey::parse("{event_type}").unwrap_err().contains("must not begin"));
    }

    #[test]
    fn only_a_key_with_the_first_word_of_a_topic_may_be_of_it() {
        assert!(key("notifications.{severity}").may_be_of_topic("notifications"));
        for text in ["notification.info", "notifications_osel.info", "osel.notifications.info", "{kind}.info"]
        {
            assert!(!key(text).may_be_of_topic("notifications"), "{text}");
        }
    }
}
