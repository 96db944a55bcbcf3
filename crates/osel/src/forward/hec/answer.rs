//! What a collector answers, and what follows from it: a table of its codes.

use std::collections::BTreeMap;

use osel_core::forward::{Refusal, RefusalKind};
use serde::Deserialize;

use crate::config::Secret;
use crate::forward::http::{answers, of_status, quoted, refusal, said};

/// An answer to events, lines, or a question after its health.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    text: String,
    code: u16,
    #[serde(rename = "invalid-event-number")]
    invalid_event_number: Option<usize>,
    #[serde(rename = "ackId")]
    ack: Option<u64>,
}

/// An answer to a question after acknowledgements.
#[derive(Deserialize)]
struct ToldAcks {
    acks: BTreeMap<u64, bool>,
}

/// That a request was taken.
const SUCCESS: u16 = 0;
/// That the collector is well.
const HEALTHY: u16 = 17;

/// What was answered.
pub(super) struct Answer<'a> {
    /// The status.
    pub(super) status: u16,
    /// Where it leads, if it is a redirect.
    pub(super) leads_to: Option<&'a str>,
    /// The body.
    pub(super) body: &'a [u8],
    /// What must not be repeated.
    pub(super) token: &'a Secret,
}

impl Answer<'_> {
    /// What a request with so many events has come to: the number by which indexers will acknowledge it, where they will.
    ///
    /// # Errors
    /// When it was not taken as a whole.
    pub(super) fn to_events(&self, count: usize) -> Result<Option<u64>, Refusal> {
        match self.told()? {
            Told { code: SUCCESS, ack, .. } => Ok(ack),
            told => Err(self.refused(&told, count)),
        }
    }

    /// Whether nothing of a request was taken under a number, given what this answer to it means: the collector itself says that it took
    /// none of it. What failed, or what another answered in its place, may have been taken.
    pub(super) fn is_refusal_for_good(&self, refusal: &Refusal) -> bool {
        match refusal.kind {
            // That its first event is wrong says that none was taken.
            RefusalKind::Denied
            | RefusalKind::Misplaced
            | RefusalKind::Unfit
            | RefusalKind::TooLarge
            | RefusalKind::Suspect => true,
            RefusalKind::Unavailable => serde_json::from_slice::<Told>(self.body).is_ok(),
            RefusalKind::Failed | RefusalKind::Garbled | RefusalKind::Silent | RefusalKind::Item(_) => false,
        }
    }

    /// Which of the acknowledgements asked for are there.
    ///
    /// # Errors
    /// When it does not say.
    pub(super) fn to_question(&self) -> Result<Vec<u64>, Refusal> {
        if let Ok(ToldAcks { acks }) = serde_json::from_slice(self.body)
            && self.is_success()
        {
            return Ok(acks.into_iter().filter_map(|(ack, is_written)| is_written.then_some(ack)).collect());
        }
        let told = self.told()?;
        Err(self.refused(&told, 0))
    }

    /// What the collector says of its health.
    ///
    /// # Errors
    /// When it is not well, or would not take anything from us.
    pub(super) fn to_health(&self) -> Result<String, Refusal> {
        match self.told()? {
            Told { code: SUCCESS | HEALTHY, text, .. } => Ok(said(text.as_bytes(), [self.token])),
            told => Err(self.refused(&told, 0)),
        }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer in its words; a refusal where it is in no words of a collector.
    fn told(&self) -> Result<Told, Refusal> {
        match serde_json::from_slice::<Told>(self.body) {
            // A success by its code alone is none.
            Ok(told) if self.is_success() || !matches!(told.code, SUCCESS | HEALTHY) => Ok(told),
            _ => {
                let kind = if self.is_success() { RefusalKind::Garbled } else { of_status(self.status) };
                let said = answers(self.status, self.leads_to, &said(self.body, [self.token]));
                Err(refusal(kind, &format!("an answer that is none of a collector: {said}")))
            }
        }
    }

    fn refused(&self, told: &Told, count: usize) -> Refusal {
        let Self { status, token, .. } = self;
        let said = said(told.text.as_bytes(), [*token]);
        let words = format!("the collector answers {status}, code {}{}", told.code, quoted(&said));
        // Where it tells the event that stopped it, it has taken those before.
        let place = told.invalid_event_number.filter(|&place| place < count);
        let kind = match (told.code, place) {
            // It has taken none before that: some name the first event of whatever they are sent.
            (5 | 6 | 12 | 13 | 15, Some(0)) => RefusalKind::Suspect,
            (5 | 6 | 12 | 13 | 15, Some(place)) => RefusalKind::Item(place),
            // One of them, and it does not say which.
            (5 | 6 | 12 | 13 | 15, None) => RefusalKind::Failed,
            // Token, index, channel, acknowledgement: no event is to blame.
            (1..=4 | 7 | 10 | 11 | 14 | 16 | 21 | 22, _) => RefusalKind::Denied,
            (8, _) => RefusalKind::Failed,
            // Busy, unhealthy, going down, full.
            (9 | 18..=20 | 23..=27, _) => RefusalKind::Unavailable,
            // A success that is none of events.
            (HEALTHY, _) => RefusalKind::Garbled,
            _ => of_status(*status),
        };
        Refusal { taken: place.unwrap_or(0), ..refusal(kind, &words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> Result<Option<u64>, Refusal> {
        let token = Secret::new("hunter2".to_owned());
        Answer { status, leads_to: None, body: body.as_bytes(), token: &token }.to_events(3)
    }

    fn check(status: u16, body: &str, wanted: RefusalKind, taken: usize) {
        let refusal = told(status, body).unwrap_err();
        assert_eq!((refusal.kind, refusal.taken), (wanted, taken), "{status} {body}");
        assert!(!refusal.words.is_empty() && !refusal.words.contains("hunter2"), "{}", refusal.words);
    }

    #[test]
    fn each_code_has_its_meaning() {
        use RefusalKind::{Denied, Failed, Garbled, Item, Suspect, Unavailable};
        assert_eq!(told(200, r#"{"text":"Success","code":0}"#).unwrap(), None);
        assert_eq!(told(200, r#"{"text":"Success","code":0,"ackId":12}"#).unwrap(), Some(12));
        for (code, status, wanted) in [
            (1, 403, Denied),
            (2, 401, Denied),
            (3, 401, Denied),
            (4, 403, Denied),
            (5, 400, Failed),
            (6, 400, Failed),
            (7, 400, Denied),
            (8, 500, Failed),
            (9, 503, Unavailable),
            (10, 400, Denied),
            (11, 400, Denied),
            (12, 400, Failed),
            (13, 400, Failed),
            (14, 400, Denied),
            (15, 400, Failed),
            (16, 400, Denied),
            (17, 200, Garbled),
            (18, 503, Unavailable),
            (19, 503, Unavailable),
            (20, 503, Unavailable),
            (21, 400, Denied),
            (22, 400, Denied),
            (23, 503, Unavailable),
            (24, 429, Unavailable),
            (25, 429, Unavailable),
            (26, 429, Unavailable),
            (27, 429, Unavailable),
            (99, 400, Failed),
            (99, 503, Unavailable),
        ] {
            check(status, &format!(r#"{{"text":"no hunter2","code":{code}}}"#), wanted, 0);
        }
        for code in [5, 6, 12, 13, 15] {
            let body = |place| format!(r#"{{"text":"no","code":{code},"invalid-event-number":{place}}}"#);
            check(400, &body(2), Item(2), 2);
            check(400, &body(0), Suspect, 0);
            // There is no such event.
            check(400, &body(3), Failed, 0);
        }
        check(400, r#"{"text":"Incorrect index","code":7,"invalid-event-number":1}"#, Denied, 1);
    }

    /// Else whoever waits for an acknowledgement doubts what was sent before, and sends it again, for ever.
    #[test]
    fn that_the_first_event_is_wrong_says_that_none_was_taken() {
        let token = Secret::new("hunter2".to_owned());
        for (place, is_for_good) in [(0, true), (2, false)] {
            let body = format!(r#"{{"text":"no","code":6,"invalid-event-number":{place}}}"#);
            let answer = Answer { status: 400, leads_to: None, body: body.as_bytes(), token: &token };
            let refusal = answer.to_events(3).unwrap_err();
            assert_eq!(answer.is_refusal_for_good(&refusal), is_for_good, "{place}");
        }
    }

    #[test]
    fn what_is_no_answer_of_a_collector_counts_by_its_status() {
        use RefusalKind::{Garbled, Misplaced, TooLarge, Unavailable};
        check(200, "<html>welcome hunter2</html>", Garbled, 0);
        check(200, "", Garbled, 0);
        check(502, "<html>bad gateway</html>", Unavailable, 0);
        check(413, "too large", TooLarge, 0);
        check(404, r#"{"text":"Success","code":0}"#, Misplaced, 0);
        check(302, "", Misplaced, 0);
    }

    #[test]
    fn acknowledgements_are_those_that_are_there() {
        let token = Secret::new("hunter2".to_owned());
        let told = |status, body: &str| {
            Answer { status, leads_to: None, body: body.as_bytes(), token: &token }.to_question()
        };
        assert_eq!(told(200, r#"{"acks":{"1":true,"2":false,"30":true}}"#).unwrap(), [1, 30]);
        let refused = |status, body| told(status, body).unwrap_err().kind;
        assert_eq!(refused(400, r#"{"text":"ACK is disabled","code":14}"#), RefusalKind::Denied);
        assert_eq!(refused(200, r#"{"acks":[1]}"#), RefusalKind::Garbled);
        assert_eq!(refused(503, r#"{"acks":{"1":true}}"#), RefusalKind::Unavailable);
    }
}
