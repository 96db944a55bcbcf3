//! `[[forward]]` of the types `hec` and `webhook`.

use super::*;
use crate::config::{
    HecAcks, HecConfig, HecEndpoint, ReceiverConfig, WebhookBody, WebhookConfig, WebhookMethod,
};

/// A secret of Standard Webhooks, and the same as the driver gets it.
const SECRET: (&str, &str) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

fn hec(keys: &str, variables: &[(&str, &str)]) -> HecConfig {
    let text = format!("{SMALLEST}[[forward]]\nname = 'splunk'\ntype = 'hec'\n{keys}");
    let variables: Vec<_> = [URL, ("TOKEN", "a-token")].iter().chain(variables).copied().collect();
    let (config, warnings) = good(&text, &variables);
    assert_eq!(warnings, [""; 0]);
    let ReceiverConfig::Hec(hec) = &config.forwards[0].receiver else { panic!("{:?}", config.forwards) };
    *hec.clone()
}

fn webhook(keys: &str, variables: &[(&str, &str)]) -> WebhookConfig {
    let text = format!("{SMALLEST}[[forward]]\nname = 'hook'\ntype = 'webhook'\n{keys}");
    let variables: Vec<_> =
        [URL, ("SECRET", SECRET.0), ("KEY", "hunter2")].iter().chain(variables).copied().collect();
    let (config, warnings) = good(&text, &variables);
    assert_eq!(warnings, [""; 0]);
    let ReceiverConfig::Webhook(webhook) = &config.forwards[0].receiver else {
        panic!("{:?}", config.forwards)
    };
    *webhook.clone()
}

/// Checks what is said about keys of a forwarder of that type, without where it stands.
fn check_keys(kind: &str, keys: &str, wanted: &[&str]) {
    let place = Place::new();
    place.write("osel.toml", format!("{SMALLEST}[[forward]]\nname = 'a'\ntype = '{kind}'\n{keys}"));
    let told = place
        .without_path(&place.load(&[URL, ("TOKEN", "a-token"), ("KEY", "hunter2")]).unwrap_err().to_string());
    let told: Vec<&str> = told.lines().filter_map(|line| Some(line.split_once("forward[0].")?.1)).collect();
    assert_eq!(told, wanted, "{keys}");
}

#[test]
fn a_splunk_needs_a_collector_and_a_token() {
    let config = hec("urls = ['https://splunk.example:8088/']\ntoken = { env = 'TOKEN' }\n", &[]);
    assert_eq!(config.urls, ["https://splunk.example:8088"]);
    assert_eq!((config.endpoint, config.acks), (HecEndpoint::Event, HecAcks::Auto));
    assert_eq!((config.source.as_str(), config.index, config.sourcetype), ("osel", None, None));
    assert!(config.has_fields && config.packs && config.token.expose() == "a-token");
    assert_eq!((config.batch_events, config.batch_bytes, config.ack_seconds), (500, 1_000_000, 300));
    let config = hec(
        "endpoint = 'raw'\nacks = true\nindex = 'cloud'\nfields = false\ngzip = false\nproxy = 'http://proxy:3128'\n",
        &[
            ("OSEL_FORWARD__0__URLS", "https://a:8088, http://127.0.0.1:8088"),
            ("OSEL_FORWARD__0__TOKEN__ENV", "TOKEN"),
            ("OSEL_FORWARD__0__ACKS", "false"),
        ],
    );
    assert_eq!(config.urls, ["https://a:8088", "http://127.0.0.1:8088"]);
    assert_eq!((config.endpoint, config.acks), (HecEndpoint::Raw, HecAcks::Never));
    assert_eq!(config.http.proxy.unwrap().url, "http://proxy:3128");
}

#[test]
fn what_is_wrong_with_a_splunk_is_told() {
    check_keys(
        "hec",
        "urls = ['http://splunk:8088', 'https://a/services/collector', 'https://ann:hunter2@b']\nacks = 'maybe'\nbatch_kilobytes = 1\n\
         key_file = 'osel.toml'\n",
        &[
            "token: is missing: write { file = \"/etc/osel/splunk-token\" }",
            "cert_file: is missing: `key_file` is the key of a certificate",
            "urls[0]: would show records to everybody on the way: write `https`",
            "urls[1]: must be the collector without `/services/collector` and without a query",
            "urls[2]: must be a URL such as `https://siem.example/path`, without a login",
            "acks: must be `\"auto\"`, `true` or `false`, not `maybe`",
            "batch_kilobytes: must be a number from 16 to 16000",
        ],
    );
    check_keys(
        "hec",
        "",
        &[
            "urls: is missing: name the collector, such as [\"https://splunk.example:8088\"]",
            "token: is missing: write { file = \"/etc/osel/splunk-token\" }",
        ],
    );
}

#[test]
fn a_webhook_needs_a_url() {
    let config = webhook("url = 'https://hook.example/in?a=b'\n", &[]);
    assert_eq!(config.url.expose(), "https://hook.example/in?a=b");
    assert_eq!((config.method, config.body), (WebhookMethod::Post, WebhookBody::Array));
    assert!(config.headers.is_empty() && config.secrets.is_empty());
    let config = webhook(
        "url = { env = 'HOOK' }\nmethod = 'PUT'\ntemplate = '{\"text\": {{ record.sentence }}}'\nsecret = { env = 'SECRET' }\n\
         headers = [{ name = 'Authorization', value = { env = 'KEY' } }]\n",
        &[("HOOK", "https://hook.example"), ("OSEL_FORWARD__0__SECOND_SECRET", SECRET.0)],
    );
    assert_eq!(config.method, WebhookMethod::Put);
    assert_eq!(config.body, WebhookBody::Template("{\"text\": {{ record.sentence }}}".to_owned()));
    let [(name, value)] = &config.headers[..] else { panic!("{:?}", config.headers) };
    assert_eq!((name.as_str(), value.expose()), ("authorization", "hunter2"));
    let keys: Vec<&str> = config.secrets.iter().map(|secret| secret.expose()).collect();
    assert_eq!(keys, [SECRET.1, SECRET.1]);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn what_is_wrong_with_a_webhook_is_told() {
    check_keys(
        "webhook",
        "url = 'ftp://hook'\nbody = 'lines'\ntemplate = '{{ record.'\nsecond_secret = { env = 'KEY' }\n\
         headers = [{ name = 'Host', value = { env = 'KEY' } }, { name = 'a b' }, { value = { env = 'KEY' }, nme = 'x' }]\n",
        &[
            "template: stands in the place of `body`: leave one of them out",
            "secret: is missing: `second_secret` is one besides",
            "url: must be a URL such as `https://siem.example/path`, without a login",
            "template: is no template: syntax error: unexpected end of input, expected identifier or integer (in <string>:1)",
            "second_secret: must be `whsec_` and base64 of 24 to 64 bytes, as Standard Webhooks have it",
            "headers[0].name: is a header that osel sets itself",
            "headers[1].name: must be the name of a header",
            "headers[1].value: is missing: write { file = \"…\" }",
            "headers[2].name: is missing: name the header, such as \"Authorization\"",
            "headers[2].nme: is no key of osel: did you mean `name`?",
        ],
    );
}
