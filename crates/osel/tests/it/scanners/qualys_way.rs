//! The way to Qualys: TLS, a proxy before it; and the simulation as a client of others sees it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use osel::action::scanner::Scanner;
use osel::config::{ProxyConfig, Secret};
use osel_core::scan::Trouble;
use osel_sim::scanners::qualys::{AssetGroup, Host, Life, Options, Qualys, Start};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::order;
use super::qualys::{adapter, config};
use crate::broker::{Certificates, python};
use crate::command::Place;

/// A Qualys with a certificate of an authority of its own; and the authority.
fn secured(place: &Place, options: Options) -> (Qualys, PathBuf) {
    let files = Certificates::make(Path::new(&place.path("tls")), "osel");
    let start = Start { listen: None, tls: Some(files.server_config()) };
    (Qualys::start_at(&start, options).unwrap(), files.authority)
}

/// A proxy that knows one user, and remembers the heads of requests. Gives its URL.
async fn proxy(heads: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let heads = Arc::clone(&heads);
            tokio::spawn(async move { passed(stream, &heads).await });
        }
    });
    url
}

/// Passes one connection on; none when something breaks, as whoever asked sees.
async fn passed(stream: TcpStream, heads: &Mutex<Vec<String>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).await.ok().filter(|&count| count > 0)?;
    }
    heads.lock().unwrap().push(head.clone());
    // ann:hunter2
    if !head.contains("Basic YW5uOmh1bnRlcjI=") {
        stream
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            .await
            .ok()?;
        return Some(());
    }
    let target = head.split(' ').nth(1)?;
    let authority = target.trim_start_matches("http://").split('/').next()?;
    let mut server = TcpStream::connect(authority).await.ok()?;
    if head.starts_with("CONNECT ") {
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    } else {
        server.write_all(head.as_bytes()).await.ok()?;
        let buffered = stream.buffer().to_vec();
        server.write_all(&buffered).await.ok()?;
        stream.consume(buffered.len());
    }
    copy_bidirectional(&mut stream, &mut server).await.ok().map(|_| ())
}

#[tokio::test]
async fn a_certificate_has_to_convince() {
    let place = Place::new("qualys-tls");
    let (qualys, authority) = secured(&place, Options::default());
    let order = order(&[("192.0.2.1", &[22])]);
    let mut config = config(&qualys.url);
    let Err(Trouble::Unavailable(why)) = adapter(&config).launch(&order).await else {
        panic!("nobody vouches for it")
    };
    assert!(why.starts_with("no trust with `127.0.0.1:"), "{why}");
    assert_eq!(qualys.requests(), 0);
    config.tls.ca_file = Some(authority);
    adapter(&config).launch(&order).await.unwrap();
    config.tls.server_name = Some("qualys.example".to_owned());
    assert!(matches!(adapter(&config).launch(&order).await, Err(Trouble::Unavailable(_))));
    assert_eq!(qualys.launched().len(), 1);
}

#[tokio::test]
async fn a_proxy_leads_to_the_service_and_hears_no_password_of_it() {
    let place = Place::new("qualys-proxy");
    let heads = Arc::new(Mutex::new(Vec::new()));
    let url = proxy(Arc::clone(&heads)).await;
    let order = order(&[("192.0.2.1", &[22])]);
    let (secure, authority) = secured(&place, Options::default());
    let plain = Qualys::start(Options::default()).unwrap();
    for qualys in [&secure, &plain] {
        let mut config = config(&qualys.url);
        config.tls.ca_file = Some(authority.clone());
        config.proxy = Some(ProxyConfig { url: url.clone(), login: None });
        let denied = adapter(&config).launch(&order).await;
        assert!(matches!(denied, Err(Trouble::Denied(_))), "{denied:?}");
        let login = (Secret::new("ann".to_owned()), Secret::new("hunter2".to_owned()));
        config.proxy = Some(ProxyConfig { url: url.clone(), login: Some(login) });
        let launched = adapter(&config).launch(&order).await.unwrap();
        assert_eq!(adapter(&config).find(&order).await.unwrap(), Some(launched));
    }
    let heads = heads.lock().unwrap().clone();
    let host = |qualys: &Qualys| qualys.url.split("://").nth(1).unwrap().to_owned();
    let (through, whole): (Vec<_>, Vec<_>) = heads.iter().partition(|head| head.starts_with("CONNECT "));
    assert!(through.len() > 2 && whole.len() > 2, "{heads:?}");
    for head in through {
        assert!(head.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", host(&secure))), "{head}");
        assert!(!head.contains("\r\nauthorization:"), "{head}");
    }
    for head in whole {
        assert!(head.starts_with(&format!("POST http://{}/api/", host(&plain))), "{head}");
    }
    // A proxy that is not there.
    let mut config = config(&plain.url);
    config.proxy = Some(ProxyConfig { url: "http://127.0.0.1:1".to_owned(), login: None });
    assert!(matches!(adapter(&config).launch(&order).await, Err(Trouble::Unavailable(_))));
}

#[tokio::test]
async fn a_proxy_that_answers_with_anything_else_is_no_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let mut config = config("https://qualysapi.example");
    config.proxy = Some(ProxyConfig { url: format!("http://{address}"), login: None });
    // Nothing has reached the service: it may be asked again.
    let Err(Trouble::Unavailable(why)) = adapter(&config).launch(&order(&[("192.0.2.1", &[22])])).await
    else {
        panic!("there is no way");
    };
    let wanted =
        format!("the proxy `{address}` does not lead to `qualysapi.example:443`: it answers 502 Bad Gateway");
    assert_eq!(why, wanted);
}

#[test]
fn qualysapi_is_answered_as_by_qualys() {
    let place = Place::new("qualysapi");
    let options = Options {
        addresses: Vec::new(),
        hosts: [("192.0.2.1".parse().unwrap(), Host::with_tcp(&[22]))].into(),
        groups: vec![AssetGroup {
            id: 11,
            title: "Cloud".to_owned(),
            addresses: vec!["192.0.2.1".parse().unwrap()],
        }],
        life: Life::Looks { queued: 1, running: 6, loading: 1 },
        ..Options::default()
    };
    let (qualys, authority) = secured(&place, options);
    let output = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/qualys_client.py"))
        .arg(qualys.url.trim_start_matches("https://"))
        .arg(authority)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wanted = json!({
        "denied": [401, 2000],
        "appliances": [["scanner1", "Online"]],
        "groups": [[11, "Cloud", ["192.0.2.1"]]],
        "outside": [400, 1905],
        "launched": ["first", "Queued", "API", ["192.0.2.1-192.0.2.2"], "osel"],
        "second": ["Queued", ["Cloud"]],
        "running": "Running",
        "paused": "Paused",
        "resumed": "Running",
        "cancelled": "Canceled",
        "states": {"first": "Finished", "second": "Canceled"},
        "only": ["second"],
        "header": ["Finished", true],
        "rows": [["192.0.2.1", 6], ["192.0.2.1", 82023]],
        "csv": "\"IP\",\"DNS\",\"NetBIOS\",\"QID\",\"Instance\",\"Result\"",
        "hosts": ["192.0.2.1", "192.0.2.2"],
        "in_parts": ["192.0.2.1", "192.0.2.2"],
        "remaining": true,
    });
    for (key, wanted) in wanted.as_object().unwrap() {
        assert_eq!(&found[key], wanted, "{key}");
    }
    assert_eq!(qualys.launched(), ["first", "second"]);
}
