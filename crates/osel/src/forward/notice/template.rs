//! Templates in the place of what a message says by itself. Their text is the operator's; what they are filled with is anybody's.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value, context};
use osel_core::notice::Notice;

use crate::config::{NoticeConfig, TEMPLATE_STEPS_MAX};

/// The longest text that a template may make: more than any receiver of messages takes.
const TEXT_BYTES_MAX: usize = 1 << 18;
/// The most characters of a subject, by a template too.
const SUBJECT_CHARS_MAX: usize = 200;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::forward) struct Written {
    /// What it is about: one line, as plain text.
    pub(in crate::forward) subject: String,
    /// Its text where a template made it, with all that it was filled with as `escape` made it; none where there is no template, or where
    /// it makes nothing of this notice.
    pub(in crate::forward) body: Option<String>,
    /// Why a template made nothing of it, which stands in the message then.
    pub(in crate::forward) fault: Option<String>,
}

/// What a message says of a notice. `escape` makes of any text one that is only read where it stands in a body.
pub(in crate::forward) fn written(
    notice: &Notice,
    config: &NoticeConfig,
    forwarder: &str,
    escape: fn(&str) -> String,
) -> Written {
    let mut fault = None;
    let mut filled = |template: &Option<String>, escape| {
        let made = template.as_ref().map(|template| fill(template, notice, config, forwarder, escape))?;
        made.map_err(|error| fault = Some(format!("a template cannot be filled: {error}"))).ok()
    };
    let subject = filled(&config.subject_template, str::to_owned);
    let body = filled(&config.body_template, escape);
    let subject = subject.unwrap_or_else(|| notice.heading());
    let one_line = |c: char| if c.is_control() { ' ' } else { c };
    let subject = subject.trim().chars().map(one_line).take(SUBJECT_CHARS_MAX).collect();
    Written { subject, body, fault }
}

fn fill(
    template: &str,
    notice: &Notice,
    config: &NoticeConfig,
    forwarder: &str,
    escape: fn(&str) -> String,
) -> Result<String, minijinja::Error> {
    // Safe are the values that are osel's own. Filters make safe texts too, of anything: those are escaped all the same.
    let (counts, search) = (notice.counts(), notice.search());
    let own: Vec<String> =
        [&counts, &search].into_iter().chain(&config.link_base).map(String::clone).collect();
    let mut engine = Environment::new();
    // Each value is written by the formatter, and by nothing else.
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    engine.set_fuel(Some(TEMPLATE_STEPS_MAX));
    engine.set_formatter(move |out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value| {
        if value.is_undefined() || value.is_none() {
            return Ok(());
        }
        let text = value.to_string();
        let is_own = value.is_safe() && own.contains(&text);
        Ok(out.write_str(&if is_own { text } else { escape(&text) })?)
    });
    let text = engine.template_from_str(template)?.render(context! {
        notice => Serde(notice.clone()),
        heading => notice.heading(),
        counts => Value::from_safe_string(counts),
        search => Value::from_safe_string(search),
        forwarder => forwarder,
        link_base => config.link_base.clone().map(Value::from_safe_string),
    })?;
    match text.len() <= TEXT_BYTES_MAX {
        true => Ok(text),
        false => {
            let what = format!("it makes more than {TEXT_BYTES_MAX} bytes");
            Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, what))
        }
    }
}

#[cfg(test)]
pub(in crate::forward) mod tests {
    use osel_core::format::Severity;
    use osel_core::notice::{Cadence, GroupBy};

    use super::super::tests::notice;
    use super::*;

    pub(in crate::forward) fn config() -> NoticeConfig {
        NoticeConfig {
            cadence: Cadence::Grouped {
                wait_seconds: 0,
                interval_seconds: 0,
                urgent_min: Severity::Critical,
            },
            group_by: GroupBy::Incident,
            lines_max: 20,
            link_base: None,
            subject_template: None,
            body_template: None,
        }
    }

    #[test]
    fn what_a_template_is_filled_with_is_escaped_and_its_own_text_is_not() {
        let config = NoticeConfig {
            subject_template: Some("{{ forwarder }}: {{ notice.lines }}{{ heading }}\r\nBcc: x".to_owned()),
            body_template: Some(
                "*{{ counts }}* {% for g in notice.groups %}{{ g.lines[0].text }}{% endfor %}".to_owned(),
            ),
            ..config()
        };
        let written =
            written(&notice(&["<!channel> *"]), &config, "room", |text| text.replace(['<', '*'], "?"));
        assert_eq!(written.subject, "room: critical: <!channel> *  Bcc: x");
        assert_eq!(written.body.as_deref(), Some("*1 critical* ?!channel> ?"));
        assert_eq!(written.fault, None);
    }

    #[test]
    fn what_is_osels_own_is_not_escaped_and_no_filter_makes_anything_else_so() {
        let config = NoticeConfig {
            link_base: Some("https://osel.example".to_owned()),
            body_template: Some(
                "{{ search }} {{ link_base }}/ui {{ notice.groups[0].lines[0].text|safe }} {{ heading|tojson }}"
                    .to_owned(),
            ),
            ..config()
        };
        let notice = notice(&["a.b"]);
        let written = written(&notice, &config, "room", |text| text.replace(['.', ':', '-'], "?"));
        let wanted = format!("{} https://osel.example/ui a?b \"critical? a?b\"", notice.search());
        assert_eq!(written.body, Some(wanted));
    }

    #[test]
    fn a_template_that_makes_nothing_of_it_keeps_nobody_from_being_told() {
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}".to_owned();
        let config = NoticeConfig { body_template: Some(endless), ..config() };
        let written = written(&notice(&["ann"]), &config, "room", str::to_owned);
        assert_eq!((written.body, written.subject.as_str()), (None, "critical: ann"));
        assert!(written.fault.is_some_and(|fault| fault.starts_with("a template cannot be filled: ")));
        let config = NoticeConfig { body_template: Some("{{ 'x' * 300000 }}".to_owned()), ..config };
        assert!(super::written(&notice(&["ann"]), &config, "room", str::to_owned).fault.is_some());
    }
}
