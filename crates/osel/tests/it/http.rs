//! What `osel run` answers over HTTP, and that nothing waits for it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::broker::{Disk, python, until};
use crate::daemon::{Daemon, LIMIT};

/// What a page answered.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    head: String,
    pub body: String,
}

/// Where it listens, by its log.
#[track_caller]
fn address(osel: &mut Daemon) -> SocketAddr {
    osel.await_lines("HTTP answers", 1);
    address_in(&osel.log())
}

/// Where one listens whose log this is.
#[track_caller]
pub fn address_in(log: &str) -> SocketAddr {
    let line = log.lines().rfind(|line| line.contains("HTTP answers")).unwrap();
    line.split_once("address=").unwrap().1.parse().unwrap()
}

fn send(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // One that is refused early may be closed before all of it is sent.
    let _ = stream.write_all(request.as_bytes());
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { code, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// Asks for a page.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: osel\r\nConnection: close\r\n\r\n"))
}

fn document(answer: &Answer) -> Value {
    assert!(answer.head.contains("content-type: application/json"), "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn health_and_readiness_are_told() {
    let mut osel = Daemon::new("http-health", "");
    osel.start();
    let address = address(&mut osel);
    let live = get(address, "/healthz");
    assert_eq!((live.code, document(&live)), (200, json!({"status": "alive"})));
    // The file is not there: it is alive, and not ready.
    let mut ready = get(address, "/readyz");
    until("the loop runs", LIMIT, || {
        ready = get(address, "/readyz");
        !ready.body.contains("the store is not open")
    });
    let wanted = json!({"status": "not ready", "reasons": ["source `captured` was not connected yet"]});
    assert_eq!((ready.code, document(&ready)), (503, wanted));
    osel.capture("bus.jsonl", "a", 1);
    until("it is ready", LIMIT, || get(address, "/readyz").code == 200);
    // Nothing can be changed, and nothing else is there.
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer =
            send(address, &format!("{method} /healthz HTTP/1.1\r\nHost: osel\r\nConnection: close\r\n\r\n"));
        assert_eq!(answer.code, 405, "{method}");
        assert!(answer.head.contains("allow: get,head"), "{answer:?}");
    }
    assert_eq!(send(address, "HEAD /readyz HTTP/1.1\r\nHost: osel\r\nConnection: close\r\n\r\n").code, 200);
    assert_eq!(get(address, "/").code, 404);
    assert!(osel.stop().success());
}

#[test]
fn metrics_are_open_metrics_by_a_reader_of_others() {
    let mut osel = Daemon::new("http-metrics", "");
    osel.capture("bus.jsonl", "a", 600);
    osel.capture("bus.jsonl", "a", 1);
    osel.append("bus.jsonl", "nonsense\n");
    osel.start();
    let address = address(&mut osel);
    let mut answer = get(address, "/metrics");
    until("all is in flight no more", LIMIT, || {
        answer = get(address, "/metrics");
        let has = |sample: &str| answer.body.lines().any(|line| line == sample);
        has(r#"osel_source_received_total{source="captured",type="file"} 602"#)
            && has(r#"osel_source_in_flight_messages{source="captured",type="file"} 0.0"#)
    });
    assert!(answer.head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let samples = parsed(&osel, &answer.body);
    let of_source = |name: &str| samples[&format!("{name} source=captured type=file")].as_f64().unwrap();
    for (outcome, count) in [("recorded", 600.0), ("duplicate", 1.0), ("ignored", 0.0), ("quarantined", 1.0)]
    {
        let name = format!("osel_source_ledger outcome={outcome} source=captured type=file");
        assert_eq!(samples[&name], json!(count), "{samples}");
    }
    assert!((of_source("osel_source_connected") - 1.0).abs() < f64::EPSILON);
    let (event, lag) =
        (of_source("osel_source_last_event_timestamp_seconds"), of_source("osel_source_lag_seconds"));
    assert!((event - 1_795_219_200.0).abs() < 1.0 && lag > 0.0, "{event} {lag}");
    let commits = samples["osel_commit_duration_seconds_count"].as_f64().unwrap();
    assert!(commits >= 2.0, "{samples}");
    assert_eq!(samples["osel_commit_duration_seconds_bucket le=+Inf"], json!(commits));
    for name in ["osel_store_writable", "osel_trail_records", "osel_loop_age_seconds"] {
        assert!(samples[name].is_number(), "{name}: {samples}");
    }
    assert_eq!(samples["osel_build_info version=0.1.0"], json!(1.0));
    assert!(osel.stop().success());
    // A counter begins with the process: what it counted before is no increase.
    osel.start();
    osel.await_lines("HTTP answers", 2);
    let address = self::address(&mut osel);
    until("it is ready", LIMIT, || get(address, "/readyz").code == 200);
    let page = get(address, "/metrics").body;
    assert!(page.contains("osel_source_received_total{source=\"captured\",type=\"file\"} 0\n"), "{page}");
    assert!(page.contains("type=\"file\",outcome=\"recorded\"} 600\n"), "{page}");
    assert!(osel.stop().success());
}

/// The samples of a page by the reader of Prometheus' own Python library, which refuses what is not OpenMetrics.
fn parsed(osel: &Daemon, page: &str) -> Value {
    const READER: &str = "\
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
samples = {}
for family in families(sys.stdin.read()):
    for sample in family.samples:
        labels = ' '.join(f'{key}={value}' for key, value in sorted(sample.labels.items()))
        samples[f'{sample.name} {labels}'.strip()] = float(sample.value)
print(json.dumps(samples))
";
    let file = osel.place.write("metrics", page);
    let output = Command::new(python())
        .args(["-c", READER])
        .stdin(fs::File::open(file).unwrap())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{page}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_client_has_bounds() {
    let mut osel = Daemon::new("http-bounds", "");
    osel.start();
    let address = address(&mut osel);
    let long = "x".repeat(40_000);
    let answer = send(address, &format!("GET /healthz HTTP/1.1\r\nHost: osel\r\nX-Long: {long}\r\n\r\n"));
    assert_eq!(answer.code, 431, "{answer:?}");
    let fields: String = (0..100).map(|number| format!("X-{number}: 1\r\n")).collect();
    let answer = send(address, &format!("GET /healthz HTTP/1.1\r\nHost: osel\r\n{fields}\r\n"));
    assert_eq!(answer.code, 431, "{answer:?}");
    // More than are served sit there and say nothing. They are sent away, and others have their turn: nobody else notices.
    let silent: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(address).unwrap()).collect();
    osel.capture("bus.jsonl", "a", 10);
    osel.await_received(10);
    assert_eq!(get(address, "/healthz").code, 200);
    drop(silent);
    assert!(osel.stop().success());
}

#[test]
fn a_port_in_use_stops_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    let mut osel = Daemon::new("http-port", &format!("[http]\nlisten = '{port}'\n"));
    osel.start();
    osel.await_lines("HTTP cannot listen", 1);
    osel.capture("bus.jsonl", "a", 10);
    osel.await_received(10);
    drop(taken);
    osel.await_lines("HTTP answers", 1);
    assert_eq!(get(port, "/healthz").code, 200);
    assert_eq!(osel.log().matches("HTTP cannot listen").count(), 1);
    assert!(osel.stop().success());
}

#[test]
fn a_store_that_takes_nothing_is_not_ready() {
    let mut osel = Daemon::new("http-disk", "");
    let Some(disk) = Disk::mount(osel.place.path("store").into(), "size=48m") else {
        eprintln!("not tried: only root may mount a small disk");
        return;
    };
    osel.capture("bus.jsonl", "a", 100);
    osel.start();
    osel.await_received(100);
    let address = address(&mut osel);
    until("it is ready", LIMIT, || get(address, "/readyz").code == 200);
    disk.fill();
    osel.capture("bus.jsonl", "b", 3000);
    let mut answer = get(address, "/readyz");
    until("it is not ready", LIMIT, || {
        answer = get(address, "/readyz");
        answer.code == 503
    });
    assert!(answer.body.contains("the store takes nothing since "), "{answer:?}");
    // No restart would make room.
    assert_eq!(get(address, "/healthz").code, 200);
    let metrics = get(address, "/metrics").body;
    assert!(metrics.contains("\nosel_store_writable 0.0\n"), "{metrics}");
    assert!(metrics.contains("osel_source_connected{source=\"captured\",type=\"file\"} 1.0"), "{metrics}");
    disk.free();
    osel.await_received(3100);
    until("it is ready again", LIMIT, || get(address, "/readyz").code == 200);
    assert!(osel.stop().success());
    assert_eq!(osel.recorded_ids().len(), 3100);
}
