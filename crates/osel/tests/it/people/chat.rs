//! The driver of rooms for chat against services that are like the real ones, one of them by its vendor's own client.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use osel::config::{ChatConfig, ChatService, HttpReceiverConfig, ReceiverConfig, Secret, TlsConfig};
use osel::forward::chat::Chat;
use osel::forward::receiver::Receiver;
use osel_core::forward::{RefusalKind, Taken};
use osel_sim::scanners::{Mishap, What};
use serde_json::{Value, json};

use super::rooms::{Kind, POISON, served};
use super::{always, batch, notice, notices};
use crate::broker::python;

/// What names the webhook, as long as a real one, and is all that somebody needs to write there.
const HOOK: &str = "hunter2hunter2hunter2hunte";

fn config(kind: Kind, url: &str) -> ChatConfig {
    let service = match kind {
        Kind::Slack => ChatService::Slack,
        Kind::Mattermost => ChatService::Mattermost,
        Kind::Teams => ChatService::Teams,
    };
    ChatConfig {
        service,
        url: Secret::new(format!("{url}/services/{HOOK}")),
        user_name: None,
        icon_url: None,
        http: HttpReceiverConfig { tls: TlsConfig::default(), proxy: None, answer_seconds: 20 },
        notices: notices(),
    }
}

fn driver(config: &ChatConfig) -> Chat {
    Chat::new("people", config.clone(), always(ReceiverConfig::Chat(Box::new(config.clone()))))
}

#[tokio::test]
async fn each_service_takes_whatever_there_is_to_tell() {
    let long = "<!channel> [x](http://evil) é\"".repeat(13);
    let many = vec![long.as_str(); 50];
    for kind in Kind::ALL {
        let room = served(kind);
        let mut chat = driver(&config(kind, &room.url));
        for (number, texts) in (1..).zip([vec!["ann opened web"], Vec::new(), many.clone()]) {
            assert_eq!(chat.send(&batch(number, &notice(&texts))).await, Ok(Taken::Kept), "{kind:?}");
        }
        let (sent, taken) = room.change(|room| (room.sent.len(), room.taken.clone()));
        assert_eq!((sent, taken.len()), (3, 3), "{kind:?}");
        assert!(taken[0].to_string().contains("ann opened web"));
        assert!(taken[2].to_string().contains("[x](http://evil)"), "{kind:?}: as it is, and only read");
    }
}

#[tokio::test]
async fn what_is_refused_comes_without_what_the_cloud_has_named() {
    for kind in Kind::ALL {
        let room = served(kind);
        let mut config = config(kind, &room.url);
        config.notices.body_template = Some("{{ heading }}".to_owned());
        let mut chat = driver(&config);
        assert_eq!(chat.send(&batch(1, &notice(&[POISON]))).await, Ok(Taken::Kept));
        let taken = room.change(|room| room.taken.clone());
        assert!(taken[0].to_string().contains("osel audit search --seq 1..1"), "{kind:?}: {}", taken[0]);
        room.change(|room| room.answer = Some((400, "invalid_payload")));
        let refusal = chat.send(&batch(2, &notice(&["ann"]))).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unfit, "{}", refusal.words);
    }
}

#[tokio::test]
async fn each_answer_is_understood_and_the_url_is_not_repeated() {
    let room = served(Kind::Slack);
    let mut chat = driver(&config(Kind::Slack, &room.url));
    for (status, words, wanted) in [
        (403, "action_prohibited", RefusalKind::Denied),
        (404, "channel_not_found", RefusalKind::Misplaced),
        (404, "no_service", RefusalKind::Misplaced),
        (410, "channel_is_archived", RefusalKind::Misplaced),
        (429, "rate_limited", RefusalKind::Unavailable),
        (500, "rollup_error", RefusalKind::Unavailable),
        (302, "elsewhere", RefusalKind::Misplaced),
        (501, "web.incoming_webhook.disabled.app_error", RefusalKind::Denied),
        (404, "no such hook: /services/hunter2hunter2hunter2hunte", RefusalKind::Misplaced),
    ] {
        room.change(|room| room.answer = Some((status, words)));
        let refusal = chat.send(&batch(1, &notice(&["ann"]))).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.wait), (wanted, Some(Duration::from_secs(7))), "{status} {words}");
        assert!(!refusal.words.contains("hunter2"), "{}", refusal.words);
    }
    room.change(|room| room.answer = None);
    room.fail(Mishap::new(What::Lost).times(1));
    assert_eq!(chat.send(&batch(1, &notice(&["ann"]))).await.unwrap_err().kind, RefusalKind::Unavailable);
    assert_eq!(chat.send(&batch(1, &notice(&["ann"]))).await, Ok(Taken::Kept));
}

#[tokio::test]
async fn what_a_service_says_of_its_webhook_is_not_repeated() {
    let room = served(Kind::Mattermost);
    let mut config = config(Kind::Mattermost, &room.url);
    // Nobody can leave out what stands in the table itself.
    config.user_name = Some(POISON.to_owned());
    let refusal = driver(&config).send(&batch(1, &notice(&["ann"]))).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unfit);
    assert!(refusal.words.contains("for incoming webhook ***"), "{}", refusal.words);
}

#[tokio::test]
async fn a_template_is_of_the_service_and_what_it_is_filled_with_is_not() {
    let room = served(Kind::Slack);
    let mut config = config(Kind::Slack, &room.url);
    config.notices.body_template = Some(
        "<https://wiki.example|*look*> {% for g in notice.groups %}{{ g.lines[0].text }}{% endfor %}"
            .to_owned(),
    );
    assert_eq!(driver(&config).send(&batch(1, &notice(&["<!channel>"]))).await, Ok(Taken::Kept));
    let taken = room.change(|room| room.taken[0].clone());
    assert_eq!(taken["blocks"][1]["text"]["text"], "<https://wiki.example|*look*> &lt;!channel&gt;\n");
}

#[test]
fn the_client_of_the_vendor_takes_the_simulated_slack_for_real() {
    let room = served(Kind::Slack);
    let section =
        |length: usize| json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(length)}});
    let asked = json!([
        {"text": "hello"},
        {"text": "hello", "blocks": [section(3000)]},
        {"text": "hello", "blocks": [section(3001)]},
        {"text": "hello", "blocks": vec![section(1); 51]},
        {"text": "hello", "blocks": vec![section(3000); 4]},
        {"text": ""},
    ]);
    let mut client = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/slack_client.py"))
        .arg(format!("{}/services/T0/B0/x", room.url))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        told,
        json!([
            [200, "ok"],
            [200, "ok"],
            [400, "invalid_blocks"],
            [400, "invalid_blocks"],
            [400, "msg_blocks_too_long"],
            [400, "no_text"]
        ])
    );
}
