//! Servers of our own: what is confirmed when, and what is said when nothing can be sent.

use std::num::NonZeroU32;
use std::time::Duration;

use osel_core::format::Severity;
use osel_core::forward::{BatchNumber, RefusalKind, Taken};
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};

use super::{SyslogReceiver, line};
use crate::config::{SyslogConfig, SyslogFraming, SyslogMessage, SyslogTransport};
use crate::forward::receiver::{Batch, Item, Receiver};

/// What a test sends, over TCP to nowhere.
pub(super) fn config() -> SyslogConfig {
    SyslogConfig {
        transport: tcp(9),
        message: SyslogMessage::Rfc5424,
        facility: 16,
        app_name: "osel".to_owned(),
        host_name: None,
        enterprise_number: NonZeroU32::new(32_473).unwrap(),
        bom: false,
        message_bytes_max: None,
        settle: Duration::from_millis(1),
    }
}

/// A record.
pub(super) fn item(seq: u64, line: &str) -> Item {
    let time = Timestamp::parse("2026-11-06T10:19:07Z").unwrap();
    Item {
        seq,
        id: format!("{:032x}-{seq}", 7),
        time,
        recorded_at: time,
        kind: RecordKind::Change,
        severity: Severity::Low,
        event_type: Some("port.create.end".to_owned()),
        line: line.as_bytes().to_vec(),
    }
}

fn tcp(port: u16) -> SyslogTransport {
    SyslogTransport::Tcp { host: "127.0.0.1".to_owned(), port, framing: SyslogFraming::LineFeed }
}

fn batch(number: u64, line: &str) -> Batch {
    Batch { number: BatchNumber(number), is_fetched: false, items: vec![item(number, line)] }
}

async fn connected(settle: Duration) -> (SyslogReceiver, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let transport = tcp(listener.local_addr().unwrap().port());
    let mut receiver = SyslogReceiver::new(&SyslogConfig { transport, settle, ..config() });
    assert_eq!(receiver.send(&batch(1, "one")).await, Ok(Taken::Awaited));
    (receiver, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn a_batch_has_arrived_when_the_connection_stood_for_a_while_after_it() {
    let (mut receiver, mut server) = connected(Duration::from_millis(1)).await;
    assert_eq!(receiver.send(&batch(2, "two")).await, Ok(Taken::Awaited));
    // Nobody answers; what is said is passed over.
    server.write_all(&[b'x'; 5000]).await.unwrap();
    let mut arrived = Vec::new();
    while arrived.len() < 2 {
        arrived.extend(receiver.confirm().await.unwrap());
    }
    assert_eq!(arrived, [BatchNumber(1), BatchNumber(2)]);
    assert_eq!(receiver.confirm().await, Ok(Vec::new()));
}

#[tokio::test]
async fn what_was_sent_shortly_before_the_connection_broke_has_not_arrived() {
    let (mut receiver, server) = connected(Duration::from_secs(3600)).await;
    assert_eq!(receiver.confirm().await, Ok(Vec::new()));
    drop(server);
    let refusal = loop {
        match receiver.confirm().await {
            Ok(arrived) => assert_eq!(arrived, []),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    assert!(refusal.words.contains("closed the connection"), "{}", refusal.words);
    // It was told, and nothing is awaited any more.
    assert_eq!(receiver.confirm().await, Ok(Vec::new()));
}

#[tokio::test]
async fn what_the_other_side_has_not_acknowledged_has_not_arrived() {
    let (mut receiver, server) = connected(Duration::from_millis(1)).await;
    while receiver.confirm().await.unwrap().is_empty() {}
    // More than the buffers of both sides have: the other side does not read, and what it has not is not confirmed however long it stands.
    let large = "x".repeat(1 << 20);
    let mut number = 1;
    let sending = async {
        loop {
            number += 1;
            receiver.send(&batch(number, &large)).await.unwrap();
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(500), sending).await.is_err(), "it is never full");
    // Dropped as it waits for room, the way a caller that gives up does it; all that stood complete before is not known to have arrived.
    let mut last = Vec::new();
    for _ in 0..100 {
        last.extend(receiver.confirm().await.unwrap());
    }
    assert!(!last.contains(&BatchNumber(number - 1)), "{last:?} of {number}");
    let mut read = vec![0; 64 << 10];
    while !last.contains(&BatchNumber(number - 1)) {
        if let Ok(count) = server.try_read(&mut read) {
            assert!(count > 0);
        }
        last.extend(receiver.confirm().await.unwrap());
    }
}

#[tokio::test]
async fn a_server_that_ends_the_connection_after_us_has_read_everything() {
    let (mut receiver, mut server) = connected(Duration::from_secs(3600)).await;
    let mut read = Vec::new();
    let (arrived, _) = tokio::join!(receiver.close(), async {
        server.read_to_end(&mut read).await.unwrap();
        drop(server);
    });
    assert_eq!(arrived, Ok(vec![BatchNumber(1)]));
    assert!(read.ends_with(b"] one\n"), "{}", String::from_utf8_lossy(&read));
}

#[tokio::test]
async fn nobody_there_is_said_with_where() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut receiver = SyslogReceiver::new(&SyslogConfig { transport: tcp(port), ..config() });
    let refusal = receiver.send(&batch(1, "one")).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    assert_eq!(
        refusal.words,
        format!("cannot connect to `127.0.0.1:{port}`: Connection refused (os error 111)")
    );
    let transport = SyslogTransport::Unix { path: "/nowhere/log".into(), framing: SyslogFraming::LineFeed };
    let mut receiver = SyslogReceiver::new(&SyslogConfig { transport, ..config() });
    assert_eq!(receiver.target(), "syslog+unix:///nowhere/log");
    let refusal = receiver.send(&batch(1, "one")).await.unwrap_err();
    assert_eq!(refusal.words, "cannot connect to `/nowhere/log`: No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_datagram_is_kept_once_it_is_sent_and_one_that_is_too_long_is_its_own_fault() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let transport =
        SyslogTransport::Udp { host: "127.0.0.1".to_owned(), port: server.local_addr().unwrap().port() };
    let mut receiver = SyslogReceiver::new(&SyslogConfig { transport, ..config() });
    let mut batch = batch(1, "one");
    assert_eq!(receiver.send(&batch).await, Ok(Taken::Kept));
    let mut read = [0; 1000];
    let count = server.recv(&mut read).await.unwrap();
    assert!(read[..count].ends_with(b"] one"), "{}", String::from_utf8_lossy(&read[..count]));
    batch.items.push(item(2, &"x".repeat(70_000)));
    let refusal = receiver.send(&batch).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.taken), (RefusalKind::Item(1), 1));
    assert!(refusal.words.ends_with("set a lower `message_bytes_max`"), "{}", refusal.words);
}

#[tokio::test]
async fn what_a_connection_had_under_way_when_it_broke_is_not_acknowledged() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let line::Line::Stream(mut stream) =
        line::connect(&tcp(listener.local_addr().unwrap().port())).await.unwrap()
    else {
        panic!("TCP is a stream")
    };
    let (server, _) = listener.accept().await.unwrap();
    stream.send(b"one").await.unwrap();
    // Unread bytes end the connection at once, which nobody has looked at yet.
    server.readable().await.unwrap();
    drop(server);
    let gone = async {
        while stream.acknowledged() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn of_datagrams_those_before_one_that_failed_were_taken() {
    let path = std::env::temp_dir().join(format!("osel-syslog-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let server = UnixDatagram::bind(&path).unwrap();
    let transport = SyslogTransport::Unix { path: path.clone(), framing: SyslogFraming::LineFeed };
    let mut receiver = SyslogReceiver::new(&SyslogConfig { transport, ..config() });
    // More than the system keeps for somebody who does not read, who then is gone.
    let batch = Batch {
        number: BatchNumber(1),
        is_fetched: false,
        items: (1..=2000).map(|seq| item(seq, "one")).collect(),
    };
    let reading = async move {
        server.readable().await.unwrap();
        drop(server);
    };
    let (sent, ()) = tokio::join!(receiver.send(&batch), reading);
    std::fs::remove_file(&path).unwrap();
    let refusal = sent.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unavailable, "{}", refusal.words);
    assert!((1..2000).contains(&refusal.taken), "{}", refusal.taken);
}

#[tokio::test]
async fn that_nobody_was_there_for_a_datagram_over_the_network_is_told_with_a_later_one() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    drop(server);
    let transport = SyslogTransport::Udp { host: "127.0.0.1".to_owned(), port };
    let mut receiver = SyslogReceiver::new(&SyslogConfig { transport, ..config() });
    let batch = Batch {
        number: BatchNumber(1),
        is_fetched: false,
        items: (1..=50).map(|seq| item(seq, "one")).collect(),
    };
    let refusal = receiver.send(&batch).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.taken), (RefusalKind::Unavailable, 0));
}
