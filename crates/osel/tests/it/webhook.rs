//! The driver of webhooks against a receiver that remembers, and its signatures by another's verifier.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use osel::config::{
    ForwardConfig, HttpReceiverConfig, Place, ReceiverConfig, Secret, TlsConfig, WebhookBody, WebhookConfig,
    WebhookMethod,
};
use osel::forward::receiver::{Batch, Item, Receiver};
use osel::forward::webhook::Webhook;
use osel_core::format::{Format, Severity};
use osel_core::forward::{BatchNumber, Refusal, RefusalKind, Taken};
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;
use osel_sim::scanners::http::{Call, Served, Service};
use osel_sim::scanners::{Mishap, Reply, What};
use serde_json::{Value, json};

use crate::broker::python;

/// The key of the signatures, as the receiver has it and as the configuration gives it.
const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SECOND_KEY: &str = "bmV2ZXIgYSBzZWNyZXQgb2YgYW55Ym9keSE=";

/// A receiver that remembers what it was sent, and answers all with one status.
struct Remembering {
    calls: Vec<Call>,
    status: u16,
}

impl Service for Remembering {
    fn answer(&mut self, call: &Call) -> Reply {
        self.calls.push(call.clone());
        Reply::text(self.status, "text/plain", "so hunter2 it is").with("retry-after", "7")
    }
}

fn served(status: u16) -> Served<Remembering> {
    Served::start(Remembering { calls: Vec::new(), status }, None).unwrap()
}

fn config(url: &str) -> WebhookConfig {
    WebhookConfig {
        url: Secret::new(format!("{url}/hooks/hunter2?a=b")),
        method: WebhookMethod::Post,
        body: WebhookBody::Array,
        content_type: None,
        headers: vec![("x-api-key".to_owned(), Secret::new("hunter3".to_owned()))],
        secrets: Vec::new(),
        batch_records: 100,
        batch_bytes: 1_000_000,
        http: HttpReceiverConfig { tls: TlsConfig::default(), proxy: None, answer_seconds: 20 },
    }
}

fn driver(config: &WebhookConfig) -> Webhook {
    let table = ForwardConfig {
        name: "hook".to_owned(),
        receiver: ReceiverConfig::Webhook(Box::new(config.clone())),
        format: Format::Native,
        filter: Default::default(),
        pseudonyms: false,
        from: Default::default(),
        place: Place::Nowhere,
    };
    Webhook::new(config.clone(), Format::Native, Arc::new(move || table.clone()))
}

fn batch(items: std::ops::RangeInclusive<u64>) -> Batch {
    let item = |seq| Item {
        seq,
        id: format!("{:032x}-{seq}", 7),
        time: Timestamp::from_micros(1_767_225_600_123_456),
        recorded_at: Timestamp::from_micros(1_767_225_600_200_000),
        kind: RecordKind::Change,
        severity: Severity::High,
        event_type: None,
        line: json!({"seq": seq, "sentence": "ann opened \"web\" — to all"}).to_string().into_bytes(),
    };
    Batch { number: BatchNumber(1), is_fetched: false, items: items.map(item).collect() }
}

async fn refused(config: &WebhookConfig, items: std::ops::RangeInclusive<u64>) -> Refusal {
    driver(config).send(&batch(items)).await.unwrap_err()
}

#[tokio::test]
async fn a_request_has_records_headers_and_a_name() {
    let hook = served(202);
    let mut webhook = driver(&config(&hook.url));
    for items in [1..=1, 2..=3] {
        assert_eq!(webhook.send(&batch(items)).await.unwrap(), Taken::Kept);
    }
    let put = WebhookConfig { method: WebhookMethod::Put, body: WebhookBody::Single, ..config(&hook.url) };
    driver(&put).send(&batch(4..=4)).await.unwrap();
    let calls = hook.change(|hook| hook.calls.clone());
    let header = |call: &Call, name: &str| call.headers.get(name).cloned().unwrap_or_default();
    let told: Vec<(String, String, usize)> = calls
        .iter()
        .map(|call| {
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            (call.method.clone(), header(call, "webhook-id"), body.as_array().map_or(1, Vec::len))
        })
        .collect();
    let id = |seq: u64| format!("{:032x}-{seq}", 7);
    assert_eq!(
        told,
        [
            ("POST".to_owned(), id(1), 1),
            ("POST".to_owned(), format!("{}_{}_2", id(2), id(3)), 2),
            ("PUT".to_owned(), id(4), 1),
        ]
    );
    for call in &calls {
        assert_eq!(header(call, "content-type"), "application/json");
        assert_eq!(header(call, "x-api-key"), "hunter3");
        assert_eq!(header(call, "webhook-signature"), "", "nobody gave a key");
        assert_eq!((call.parts(), call.query["a"].as_str()), (vec!["hooks", "hunter2"], "b"));
    }
}

#[tokio::test]
async fn signatures_convince_the_library_of_the_standard() {
    let hook = served(200);
    let keys = vec![Secret::new(KEY.to_owned()), Secret::new(SECOND_KEY.to_owned())];
    let mut webhook = driver(&WebhookConfig { secrets: keys, ..config(&hook.url) });
    webhook.send(&batch(1..=2)).await.unwrap();
    let call = hook.change(|hook| hook.calls[0].clone());
    let body = String::from_utf8(call.body).unwrap();
    let request = |key: &str, body: &str| json!([format!("whsec_{key}"), body, call.headers]);
    let other = "bm90IHRoZSBrZXkgdGhhdCBhbnlib2R5IGhhcyE=";
    let asked = json!([
        request(KEY, &body),
        request(SECOND_KEY, &body),
        request(other, &body),
        request(KEY, &body.replace("ann", "bob")),
    ]);
    let mut verifier = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/webhook_verify.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    verifier.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = verifier.wait_with_output().unwrap();
    assert!(output.status.success());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let whole: Value = serde_json::from_str(&body).unwrap();
    let no = "No matching signature found";
    assert_eq!(told, json!([whole, whole, no, no]));
}

#[tokio::test]
async fn what_is_sent_again_has_the_same_name() {
    let hook = served(200);
    hook.fail(Mishap::new(What::Lost).times(1));
    let mut webhook = driver(&config(&hook.url));
    let refusal = webhook.send(&batch(1..=2)).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    webhook.send(&batch(1..=2)).await.unwrap();
    // More has come meanwhile: whoever leaves out what it has seen must not leave that out.
    webhook.send(&batch(1..=3)).await.unwrap();
    let names = hook
        .change(|hook| hook.calls.iter().map(|call| call.headers["webhook-id"].clone()).collect::<Vec<_>>());
    assert_eq!(names[0], names[1]);
    assert_ne!(names[1], names[2]);
}

#[tokio::test]
async fn each_status_is_understood_and_nothing_secret_is_repeated() {
    use RefusalKind::{Denied, Failed, Misplaced, TooLarge, Unavailable};
    for (status, items, wanted) in [
        (400, 1..=1, Failed),
        (400, 1..=2, Failed),
        (401, 1..=1, Denied),
        (403, 1..=1, Denied),
        (404, 1..=1, Misplaced),
        (410, 1..=1, Misplaced),
        (413, 1..=2, TooLarge),
        (422, 1..=1, Failed),
        (429, 1..=1, Unavailable),
        (500, 1..=1, Failed),
        (503, 1..=1, Unavailable),
    ] {
        let hook = served(status);
        let secret = Secret::new("hunter2".to_owned());
        let config = WebhookConfig { headers: vec![("x-key".to_owned(), secret)], ..config(&hook.url) };
        let refusal = refused(&config, items).await;
        assert_eq!((refusal.kind, refusal.taken), (wanted, 0), "{status}");
        assert_eq!(refusal.wait, Some(Duration::from_secs(7)));
        assert_eq!(refusal.words, format!("the receiver answers {status}: `so *** it is`"));
    }
}

#[tokio::test]
async fn a_redirect_says_where_it_leads_and_that_nobody_follows() {
    let hook = served(200);
    let moved = Reply::text(302, "text/html", "").with("location", "https://new.example/in?key=hunter2");
    hook.fail(Mishap::new(What::Instead(moved)).times(1));
    let mut webhook = driver(&config(&hook.url));
    let refusal = webhook.send(&batch(1..=1)).await.unwrap_err();
    let wanted = "the receiver answers 302, a redirect, which osel does not follow: \
                  if `https://new.example/in` is the receiver, configure that URL";
    assert_eq!((refusal.kind, refusal.words.as_str()), (RefusalKind::Misplaced, wanted));
    let silent = Reply::text(401, "text/html", "");
    hook.fail(Mishap::new(What::Instead(silent)).times(1));
    assert_eq!(webhook.send(&batch(1..=1)).await.unwrap_err().words, "the receiver answers 401");
    assert_eq!(webhook.send(&batch(1..=1)).await.unwrap(), Taken::Kept);
}

#[tokio::test]
async fn no_answer_is_told_from_a_wrong_one() {
    for (what, wanted) in [(What::Down, RefusalKind::Unavailable), (What::Hang, RefusalKind::Silent)] {
        let hook = served(200);
        hook.fail(Mishap::new(what).times(1));
        let mut config = config(&hook.url);
        config.http.answer_seconds = 1;
        let mut webhook = driver(&config);
        let refusal = webhook.send(&batch(1..=1)).await.unwrap_err();
        assert_eq!(refusal.kind, wanted);
        assert!(!refusal.words.contains("hunter"), "{}", refusal.words);
        assert_eq!(webhook.send(&batch(1..=1)).await.unwrap(), Taken::Kept);
    }
}

#[tokio::test]
async fn a_template_makes_the_body() {
    let hook = served(200);
    let template =
        |text: &str| WebhookConfig { body: WebhookBody::Template(text.to_owned()), ..config(&hook.url) };
    let mut webhook = driver(&template(r#"{"text": {{ record.sentence }}, "seq": {{ seq }}}"#));
    assert_eq!(webhook.limits().items, 1);
    webhook.send(&batch(7..=7)).await.unwrap();
    let body: Value = hook.change(|hook| serde_json::from_slice(&hook.calls[0].body).unwrap());
    assert_eq!(body, json!({"text": "ann opened \"web\" — to all", "seq": 7}));
    let refusal = refused(&template("{{ record.sentence + 1 }}"), 1..=1).await;
    assert_eq!(refusal.kind, RefusalKind::Item(0));
    assert_eq!(hook.requests(), 1, "what cannot be made is not sent");
}
