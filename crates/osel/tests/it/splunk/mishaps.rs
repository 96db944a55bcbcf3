//! Collectors that are away, slow, or forget; acknowledgements that come late, never, or for somebody else.

use osel::forward::receiver::Receiver;
use osel_core::forward::{RefusalKind, Taken};
use osel_sim::scanners::{Mishap, Reply, What};

use super::*;

async fn kind(hec: &mut Hec, batch: &Batch) -> RefusalKind {
    hec.send(batch).await.unwrap_err().kind
}

#[tokio::test]
async fn no_answer_is_told_from_a_wrong_one() {
    let one = batch(1, 1..=1);
    for (what, wanted) in [
        (What::Down, RefusalKind::Unavailable),
        (What::Lost, RefusalKind::Unavailable),
        (What::Cut, RefusalKind::Unavailable),
        (What::Hang, RefusalKind::Silent),
        (What::Instead(Reply::text(200, "text/html", "<html>a-token</html>")), RefusalKind::Garbled),
        (What::Instead(Reply::text(502, "text/html", "<html>")), RefusalKind::Unavailable),
        (What::Instead(Reply::text(413, "text/html", "<html>")), RefusalKind::TooLarge),
        (
            What::Instead(Reply::text(302, "text/html", "").with("location", "http://other.example/")),
            RefusalKind::Misplaced,
        ),
        (
            What::Flood { reply: Reply::text(200, "text/html", "x".repeat(10_000)), times: 1000 },
            RefusalKind::Garbled,
        ),
    ] {
        let splunk = served(|_| {});
        splunk.fail(Mishap::new(what.clone()).on("/event").times(1));
        let mut config = config(&splunk.url);
        if what == What::Hang {
            config.http.answer_seconds = 1;
        }
        let mut hec = driver(&config);
        let refusal = hec.send(&one).await.unwrap_err();
        assert_eq!(refusal.kind, wanted, "{what:?}: {}", refusal.words);
        assert!(!refusal.words.contains("a-token"), "{}", refusal.words);
        assert_eq!(hec.send(&one).await.unwrap(), Taken::Kept, "{what:?}");
    }
    let gone = served(|_| {}).url.clone();
    assert_eq!(kind(&mut driver(&config(&gone)), &one).await, RefusalKind::Unavailable);
}

#[tokio::test]
async fn a_batch_counts_when_the_indexer_has_it_and_all_before_it() {
    let splunk = acknowledging(1);
    let mut hec = driver(&config(&splunk.url));
    for number in 1..=3 {
        assert_eq!(hec.send(&batch(number, number..=number)).await.unwrap(), Taken::Awaited);
    }
    assert!(hec.confirm().await.unwrap().is_empty());
    assert_eq!(hec.confirm().await.unwrap(), [1, 2, 3].map(BatchNumber));
    assert!(hec.confirm().await.unwrap().is_empty());
    assert_eq!(splunk.asked("/ack").len(), 2, "nobody asks for what is not awaited");
    assert!(splunk.change(|splunk| splunk.indexed().iter().all(|event| event.is_written)));
}

#[tokio::test]
async fn a_question_that_is_not_answered_is_asked_again() {
    let splunk = acknowledging(0);
    let mut hec = driver(&config(&splunk.url));
    hec.send(&batch(1, 1..=1)).await.unwrap();
    for what in [
        What::Down,
        What::Instead(Reply::text(503, "text/html", "")),
        What::Instead(Reply::text(200, "", "[]")),
    ] {
        splunk.fail(Mishap::new(what).on("/ack").times(1));
        assert!(hec.confirm().await.unwrap().is_empty());
    }
    assert_eq!(hec.confirm().await.unwrap(), [BatchNumber(1)]);
}

#[tokio::test]
async fn an_answer_that_was_lost_never_comes_again_and_patience_ends() {
    let splunk = acknowledging(0);
    let mut config = config(&splunk.url);
    config.ack_seconds = 0;
    let mut hec = driver(&config);
    hec.send(&batch(1, 1..=1)).await.unwrap();
    hec.send(&batch(2, 2..=2)).await.unwrap();
    splunk.fail(Mishap::new(What::Lost).on("/ack").times(1));
    let refusal = hec.confirm().await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Silent);
    assert!(refusal.words.starts_with("no acknowledgement within 0 seconds; at last: "), "{}", refusal.words);
    // Nothing is awaited any more; what is sent again is acknowledged by its own number.
    assert!(hec.confirm().await.unwrap().is_empty());
    hec.send(&batch(3, 1..=2)).await.unwrap();
    assert_eq!(hec.confirm().await.unwrap(), [BatchNumber(3)]);
    let channels = splunk.change(|splunk| seqs(splunk.indexed()));
    assert_eq!(channels, [1, 2, 1, 2]);
}

#[tokio::test]
async fn numbers_of_a_collector_that_was_started_again_are_not_taken_for_the_old_ones() {
    let splunk = acknowledging(0);
    let mut hec = driver(&config(&splunk.url));
    hec.send(&batch(1, 1..=1)).await.unwrap();
    // What it had not written is gone, and its numbers begin anew: what it now says of number 0 is not about the first batch.
    splunk.change(Splunk::crash);
    assert_eq!(hec.send(&batch(2, 2..=2)).await.unwrap(), Taken::Awaited);
    assert_eq!(hec.confirm().await.unwrap_err().kind, RefusalKind::Silent);
    for number in 3..=4 {
        hec.send(&batch(number, number - 2..=number - 2)).await.unwrap();
    }
    assert_eq!(hec.confirm().await.unwrap(), [3, 4].map(BatchNumber));
    let written = splunk.change(|splunk| {
        splunk.indexed().iter().filter(|event| event.is_written).cloned().collect::<Vec<_>>()
    });
    assert_eq!(seqs(&written), [1, 2]);
}

#[tokio::test]
async fn a_number_that_nobody_heard_is_not_taken_for_an_old_one() {
    let splunk = acknowledging(0);
    let mut hec = driver(&config(&splunk.url));
    hec.send(&batch(1, 1..=1)).await.unwrap();
    splunk.change(Splunk::crash);
    // It is taken as number 0, as the first was, and the answer is lost.
    splunk.fail(Mishap::new(What::Lost).on("/event").times(1));
    hec.send(&batch(2, 2..=2)).await.unwrap_err();
    let refusal = hec.confirm().await.unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.words.as_str()),
        (RefusalKind::Silent, "an answer was lost, and with it which acknowledgement is for what")
    );
    // One that says that it took nothing leaves no doubt.
    hec.send(&batch(3, 1..=1)).await.unwrap();
    splunk.change(|splunk| splunk.options.is_busy = true);
    hec.send(&batch(4, 2..=2)).await.unwrap_err();
    assert_eq!(hec.confirm().await.unwrap(), [BatchNumber(3)]);
}

#[tokio::test]
async fn acknowledgements_that_are_switched_off_meanwhile_are_somebodys_affair() {
    let splunk = acknowledging(1);
    let mut hec = driver(&config(&splunk.url));
    hec.send(&batch(1, 1..=1)).await.unwrap();
    splunk.change(|splunk| splunk.options.tokens[0].has_acks = false);
    assert_eq!(hec.confirm().await.unwrap_err().kind, RefusalKind::Denied);
    assert!(hec.confirm().await.unwrap().is_empty(), "nothing is awaited any more");
}

#[tokio::test]
async fn the_next_collector_takes_over_and_the_first_is_asked_for_what_it_has() {
    let (first, second) = (acknowledging(0), acknowledging(0));
    let mut config = config(&first.url);
    config.urls.push(second.url.clone());
    let mut hec = driver(&config);
    hec.send(&batch(1, 1..=1)).await.unwrap();
    first.change(|splunk| splunk.options.is_busy = true);
    assert_eq!(kind(&mut hec, &batch(2, 2..=2)).await, RefusalKind::Unavailable);
    assert_eq!(hec.send(&batch(3, 2..=2)).await.unwrap(), Taken::Awaited);
    assert_eq!(hec.confirm().await.unwrap(), [1, 3].map(BatchNumber));
    assert_eq!(first.change(|splunk| seqs(splunk.indexed())), [1]);
    assert_eq!(second.change(|splunk| seqs(splunk.indexed())), [2]);
}

#[tokio::test]
async fn a_balancer_is_shown_its_cookie() {
    let splunk = acknowledging(0);
    splunk.change(|splunk| splunk.options.needs_cookie = true);
    let mut hec = driver(&config(&splunk.url));
    hec.send(&batch(1, 1..=1)).await.unwrap();
    assert_eq!(hec.confirm().await.unwrap(), [BatchNumber(1)]);
}

#[tokio::test]
async fn what_is_awaited_is_let_go_of_with_its_channel() {
    let splunk = acknowledging(0);
    let mut hec = driver(&config(&splunk.url));
    hec.send(&batch(1, 1..=1)).await.unwrap();
    hec.reset();
    assert!(hec.confirm().await.unwrap().is_empty());
    assert!(splunk.asked("/ack").is_empty());
    hec.send(&batch(2, 1..=1)).await.unwrap();
    assert_eq!(hec.close().await.unwrap(), [BatchNumber(2)]);
}
