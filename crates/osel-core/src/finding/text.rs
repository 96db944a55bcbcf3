//! What has become of a finding, in a sentence.

use super::{Finding, Resolution, Turn};

/// The sentence of a record; `actor` is who ordered it, where somebody did.
pub fn sentence(finding: &Finding, turn: &Turn, actor: &str) -> String {
    let (title, place, severity) =
        (finding.title_with_server(), finding.place_text(), finding.severity.as_str());
    let what = format!("{title}: {place}");
    match turn {
        Turn::Opened => format!("{severity} finding: {what}: {}", finding.evidence),
        Turn::Confirmed => {
            format!("finding confirmed by {}: {what}: {}", finding.seen_by(), finding.evidence)
        }
        Turn::Reopened => {
            format!(
                "{severity} finding again (reopened {}): {what}: {}",
                times(finding.reopened),
                finding.evidence
            )
        }
        Turn::Resolved(gone) => match gone.by {
            Resolution::Scan => format!("finding resolved by a scan: {what}: {}", gone.why),
            Resolution::Change => format!("finding resolved by a change: {what}: {}", gone.why),
            Resolution::Model => format!("finding resolved without proof: {what}: {}", gone.why),
        },
        Turn::Severity { before } => {
            format!("finding is {severity} now, was {}: {what}: {}", before.as_str(), finding.evidence)
        }
        Turn::Expected => {
            format!("finding is expected now: {what}: {}", finding.expected.as_deref().unwrap_or_default())
        }
        Turn::Unexpected => {
            format!("{severity} finding that is not expected any more: {what}: {}", finding.evidence)
        }
        Turn::Acknowledged => match &finding.ack {
            Some(ack) => {
                let until = ack.until.map(|until| format!(" until {until}")).unwrap_or_default();
                format!("{actor} acknowledged a finding{until}: {what}: {}", ack.reason)
            }
            None => format!("{actor} acknowledged a finding: {what}"),
        },
        Turn::Unacknowledged => format!("{actor} took back the acknowledgement of a finding: {what}"),
        Turn::Lapsed => {
            format!("{severity} finding that is not acknowledged any more: {what}: {}", finding.evidence)
        }
        Turn::Seen => format!("finding seen again: {what}"),
    }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
