//! What is sent, and every answer of a collector that is there.

use osel::forward::receiver::Receiver;
use osel_core::forward::{Refusal, RefusalKind, Taken};
use serde_json::json;

use super::*;

async fn refused(hec: &mut Hec, batch: &Batch) -> Refusal {
    let refusal = hec.send(batch).await.unwrap_err();
    assert!(!refusal.words.contains("a-token"), "{}", refusal.words);
    refusal
}

#[tokio::test]
async fn an_event_has_everything_that_is_configured() {
    let splunk = served(|_| {});
    let mut hec = driver(&HecConfig {
        index: Some("cloud".to_owned()),
        host: Some("ctl1".to_owned()),
        ..config(&splunk.url)
    });
    assert_eq!(hec.send(&batch(1, 1..=2)).await.unwrap(), Taken::Kept);
    let events = splunk.change(|splunk| splunk.indexed().to_vec());
    assert_eq!(seqs(&events), [1, 2]);
    let first = &events[0];
    assert_eq!(
        (first.host.as_str(), first.source.as_str(), first.sourcetype.as_str(), first.index.as_str()),
        ("ctl1", "osel", "osel:native", "cloud")
    );
    assert_eq!(first.time, Some(1_767_225_600.123_456));
    let fields = json!({
        "osel_id": format!("{:032x}-1", 7), "osel_seq": "1", "osel_kind": "change", "osel_severity": "high",
    });
    assert_eq!(json!(first.fields), fields);
    assert_eq!(hec.target(), format!("Splunk at {}", splunk.url));
    assert!(!format!("{hec:?}").contains("a-token"));
}

#[tokio::test]
async fn without_fields_and_packing_it_is_an_event_all_the_same() {
    let splunk = served(|_| {});
    let config = HecConfig { has_fields: false, packs: false, acks: HecAcks::Never, ..config(&splunk.url) };
    assert_eq!(driver(&config).send(&batch(1, 1..=1)).await.unwrap(), Taken::Kept);
    splunk.change(|splunk| assert!(splunk.indexed()[0].fields.is_empty()));
}

#[tokio::test]
async fn lines_are_broken_into_events_and_say_where_they_belong_in_the_url() {
    for packs in [true, false] {
        let splunk = acknowledging(0);
        let mut hec = driver(&HecConfig {
            endpoint: HecEndpoint::Raw,
            packs,
            index: Some("a b&c".to_owned()),
            sourcetype: Some("osel:native".to_owned()),
            ..config(&splunk.url)
        });
        assert_eq!(hec.send(&batch(1, 1..=3)).await.unwrap(), Taken::Awaited);
        assert_eq!(hec.confirm().await.unwrap(), [BatchNumber(1)]);
        let events = splunk.change(|splunk| splunk.indexed().to_vec());
        assert_eq!(seqs(&events), [1, 2, 3]);
        assert_eq!((events[0].index.as_str(), events[0].source.as_str()), ("a b&c", "osel"));
        assert_eq!(splunk.asked("a-token"), [""; 0], "no URL has the token");
    }
}

#[tokio::test]
async fn each_code_of_a_collector_that_answers_is_understood() {
    use RefusalKind::{Denied, Failed, Unavailable};
    let (a, one) = (Token::new("a-token"), batch(1, 1..=1));
    type Change = Box<dyn Fn(&mut Options)>;
    let token = |token: Token| -> Change { Box::new(move |options| options.tokens = vec![token.clone()]) };
    let code = |status, code| -> Change { Box::new(move |options| options.refusal = Some((status, code))) };
    let cases: [(Change, RefusalKind, &str); 9] = [
        (token(Token { is_disabled: true, ..a.clone() }), Denied, "403, code 1: `Token disabled`"),
        (token(Token::new("another")), Denied, "403, code 4: `Invalid token`"),
        (
            token(Token { indexes: vec!["other".to_owned()], ..a.clone() }),
            Denied,
            "400, code 7: `Incorrect index`",
        ),
        (Box::new(|options| options.is_busy = true), Unavailable, "503, code 9: `Server is busy`"),
        (
            Box::new(|options| options.is_ending = true),
            Unavailable,
            "503, code 23: `Server is shutting down`",
        ),
        (code(500, 8), Failed, "500, code 8: `Internal server error`"),
        (code(400, 16), Denied, "400, code 16: `Query string authorization is not enabled`"),
        (code(429, 26), Unavailable, "429, code 26: `Capacity reached`"),
        (
            Box::new(|options| options.poison = Some("1".to_owned())),
            RefusalKind::Suspect,
            "400, code 6: `Invalid data format`",
        ),
    ];
    for (change, kind, words) in cases {
        let splunk = served(change);
        let refusal = refused(&mut driver(&config(&splunk.url)), &one).await;
        assert_eq!((refusal.kind, refusal.words), (kind, format!("the collector answers {words}")));
        splunk.change(|splunk| assert!(splunk.indexed().is_empty()));
    }
}

#[tokio::test]
async fn what_was_taken_before_a_bad_event_is_not_sent_again_unless_it_is_to_be_acknowledged() {
    let poisoned = |options: &mut Options| options.poison = Some("3".to_owned());
    let splunk = served(poisoned);
    let mut hec = driver(&config(&splunk.url));
    assert_eq!(hec.send(&batch(1, 1..=2)).await.unwrap(), Taken::Kept);
    let refusal = refused(&mut hec, &batch(2, 1..=5)).await;
    assert_eq!((refusal.kind, refusal.taken), (RefusalKind::Item(2), 2));
    assert_eq!(splunk.change(|splunk| seqs(splunk.indexed())), [1, 2, 1, 2]);

    let splunk = acknowledging(0);
    splunk.change(|splunk| poisoned(&mut splunk.options));
    let refusal = refused(&mut driver(&config(&splunk.url)), &batch(2, 1..=5)).await;
    // Nobody will say of the two that an indexer has them.
    assert_eq!((refusal.kind, refusal.taken), (RefusalKind::Item(2), 0));
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_handed_on() {
    let splunk = served(|options| (options.is_busy, options.retry_after) = (true, Some(17)));
    let refusal = refused(&mut driver(&config(&splunk.url)), &batch(1, 1..=1)).await;
    assert_eq!(refusal.wait, Some(std::time::Duration::from_secs(17)));
}

#[tokio::test]
async fn a_token_that_was_exchanged_is_read_when_the_old_one_is_refused() {
    let splunk = served(|options| options.tokens = vec![Token::new("new-token")]);
    let tries = std::sync::atomic::AtomicU32::new(0);
    let now = move |config: &HecConfig| match tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => config.clone(),
        _ => HecConfig { token: Secret::new("new-token".to_owned()), ..config.clone() },
    };
    let mut hec = driver_of(&config(&splunk.url), Arc::new(now));
    assert_eq!(refused(&mut hec, &batch(1, 1..=1)).await.kind, RefusalKind::Denied);
    assert_eq!(hec.send(&batch(2, 1..=1)).await.unwrap(), Taken::Kept);
}

#[tokio::test]
async fn acknowledgements_that_are_wanted_and_not_given_are_missed_before_anything_is_sent() {
    let splunk = served(|_| {});
    let mut hec = driver(&HecConfig { acks: HecAcks::Always, ..config(&splunk.url) });
    let refusal = refused(&mut hec, &batch(1, 1..=1)).await;
    assert_eq!(
        (refusal.kind, refusal.words.as_str()),
        (RefusalKind::Denied, "the collector answers 400, code 14: `ACK is disabled`")
    );
    assert!(splunk.change(|splunk| splunk.indexed().is_empty()));
    // Those that are given and not wanted are left alone.
    let splunk = acknowledging(1);
    let mut hec = driver(&HecConfig { acks: HecAcks::Never, ..config(&splunk.url) });
    assert_eq!(hec.send(&batch(1, 1..=1)).await.unwrap(), Taken::Kept);
    assert!(hec.confirm().await.unwrap().is_empty() && splunk.asked("/ack").is_empty());
}

#[tokio::test]
async fn health_is_asked_without_giving_anything() {
    let splunk = served(|_| {});
    let mut hec = driver(&config(&splunk.url));
    assert_eq!(hec.check().await.unwrap(), Some("HEC is healthy".to_owned()));
    splunk.change(|splunk| splunk.options.is_full = true);
    assert_eq!(hec.check().await.unwrap_err().kind, RefusalKind::Unavailable);
    splunk.change(|splunk| splunk.options.tokens[0].is_disabled = true);
    let refusal = hec.check().await.unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.words.as_str()),
        (RefusalKind::Denied, "the collector answers 400, code 22: `Token disabled`")
    );
    assert!(splunk.change(|splunk| splunk.indexed().is_empty()));
}

#[tokio::test]
async fn whether_a_token_has_acknowledgements_is_not_asked_by_a_question_about_nothing() {
    let splunk = acknowledging(0);
    let mut hec = driver(&HecConfig { acks: HecAcks::Always, ..config(&splunk.url) });
    assert_eq!(hec.check().await.unwrap(), Some("HEC is healthy".to_owned()));
    assert_eq!(hec.send(&batch(1, 1..=1)).await.unwrap(), Taken::Awaited);
    assert_eq!(hec.confirm().await.unwrap(), [BatchNumber(1)]);
    assert!(splunk.asked("/ack").iter().all(|body| !body.contains("[]")), "{:?}", splunk.asked("/ack"));
}
