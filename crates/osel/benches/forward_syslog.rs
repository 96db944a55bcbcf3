//! Syslog over TLS and TCP by the driver, against bare writes of the same bytes, in turn in one run.
//!
//! The sink reads and throws away, in a thread of its own. A run ends when the sink has everything and the driver has called it delivered.
//!
//! `cargo bench -p osel --bench forward_syslog`; the goal is 30,000 records/s over TLS, and a missed one is an exit code of 1.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use osel::config::{SyslogConfig, SyslogFraming, SyslogMessage, SyslogTransport, TlsConfig};
use osel::forward::receiver::{Batch, Item, Receiver};
use osel::forward::syslog::SyslogReceiver;
use osel::tls;
use osel_core::format::Severity;
use osel_core::forward::BatchNumber;
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use tokio::runtime::Runtime;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Records of one run: a second or so.
const RECORDS: u64 = 200_000;
/// The bytes of a record's line: a change of a security group as native JSON has about as many.
const LINE_BYTES: usize = 700;
/// Runs of each; the median counts.
const RUNS: usize = 5;
/// Records per second over TLS.
const GOAL: f64 = 30_000.0;

fn main() -> ExitCode {
    match bench() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("the goal of {GOAL:.0} records/s over TLS is missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<bool> {
    let ground = Ground::new()?;
    let runtime = Runtime::new()?;
    let batches = batches();
    // What the driver writes, for those who write nothing else.
    let (_, bytes) = ground.driver(&runtime, false, &batches, true)?;
    let names = ["driver over TLS", "bare TLS", "driver over TCP", "bare TCP"];
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..RUNS {
        times[0].push(ground.driver(&runtime, true, &batches, false)?.0);
        times[1].push(ground.bare(true, &bytes)?);
        times[2].push(ground.driver(&runtime, false, &batches, false)?.0);
        times[3].push(ground.bare(false, &bytes)?);
    }
    let medians = times.map(|mut times| {
        times.sort();
        times[RUNS / 2]
    });
    println!("{RECORDS} records, {} bytes as messages, median of {RUNS} runs each", bytes.len());
    for (name, time) in names.iter().zip(medians) {
        let seconds = time.as_secs_f64();
        let megabytes = bytes.len() as f64 / seconds / 1e6;
        println!("{name:<16} {:>9.0} records/s {megabytes:>7.0} MB/s", RECORDS as f64 / seconds);
    }
    let ratio = |a: usize, b: usize| medians[a].as_secs_f64() / medians[b].as_secs_f64();
    println!("over TLS it takes {:.2} times as long as over TCP", ratio(0, 2));
    println!(
        "and {:.2} times as long as bare writes over TLS, over TCP {:.2} times",
        ratio(0, 1),
        ratio(2, 3)
    );
    Ok(RECORDS as f64 / medians[0].as_secs_f64() >= GOAL)
}

/// One record to connect with, and batches as large as the driver takes them.
fn batches() -> Vec<Batch> {
    let time = Timestamp::parse("2026-11-26T10:19:07.123456Z").unwrap_or_default();
    let items: Vec<Item> = (0..=RECORDS)
        .map(|seq| Item {
            seq,
            id: format!("{:032x}-{seq}", 0x05e1),
            time,
            recorded_at: time,
            kind: RecordKind::Change,
            severity: Severity::Low,
            event_type: Some("security_group_rule.create.end".to_owned()),
            line: format!("{{\"seq\":{seq:08},\"text\":\"{}\"}}", "x".repeat(LINE_BYTES - 26)).into_bytes(),
        })
        .collect();
    let limits = SyslogReceiver::new(&config(0, None)).limits();
    let size = limits.items.min(limits.bytes / LINE_BYTES);
    let (first, others) = items.split_at(1);
    let numbered = std::iter::once(first).chain(others.chunks(size)).zip(1..);
    numbered
        .map(|(items, number)| Batch {
            number: BatchNumber(number),
            is_fetched: false,
            items: items.to_vec(),
        })
        .collect()
}

fn config(port: u16, tls: Option<TlsConfig>) -> SyslogConfig {
    let host = "127.0.0.1".to_owned();
    let transport = match tls {
        Some(tls) => SyslogTransport::Tls { host, port, tls },
        None => SyslogTransport::Tcp { host, port, framing: SyslogFraming::OctetCounting },
    };
    SyslogConfig {
        transport,
        message: SyslogMessage::Rfc5424,
        facility: 16,
        app_name: "osel".to_owned(),
        host_name: Some("ctl1".to_owned()),
        enterprise_number: std::num::NonZeroU32::MIN,
        bom: false,
        message_bytes_max: None,
        // How long a connection has to stand is no matter of speed.
        settle: Duration::from_millis(1),
    }
}

/// An authority of this run, and the sink's certificate.
struct Ground {
    authority: PathBuf,
    server: Arc<ServerConfig>,
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.authority);
    }
}

impl Ground {
    fn new() -> Result<Self> {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let authority =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sink-{}.pem", std::process::id()));
        std::fs::write(&authority, own.cert.pem())?;
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let server =
            builder.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key.into())?;
        Ok(Self { authority, server: Arc::new(server) })
    }

    fn tls(&self) -> TlsConfig {
        TlsConfig { ca_file: Some(self.authority.clone()), ..TlsConfig::default() }
    }

    /// Reads one connection to its end.
    fn sink(&self, is_tls: bool, keeps: bool) -> Result<(u16, JoinHandle<std::io::Result<Vec<u8>>>)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let server = Arc::clone(&self.server);
        let reading = move || {
            let (stream, _) = listener.accept()?;
            if is_tls {
                let connection = ServerConnection::new(server).map_err(std::io::Error::other)?;
                drain(StreamOwned::new(connection, stream), keeps)
            } else {
                drain(stream, keeps)
            }
        };
        Ok((port, thread::spawn(reading)))
    }

    /// How long the driver takes to have all batches delivered, and what the sink got.
    fn driver(
        &self,
        runtime: &Runtime,
        is_tls: bool,
        batches: &[Batch],
        keeps: bool,
    ) -> Result<(Duration, Vec<u8>)> {
        let (port, sink) = self.sink(is_tls, keeps)?;
        let mut receiver = SyslogReceiver::new(&config(port, is_tls.then(|| self.tls())));
        let told = |refusal: osel_core::forward::Refusal| refusal.words;
        let taken = runtime.block_on(async {
            // Connecting is not sending.
            receiver.send(&batches[0]).await.map_err(told)?;
            let start = Instant::now();
            let mut awaited = 1;
            for batch in &batches[1..] {
                while awaited == receiver.limits().awaited {
                    awaited -= receiver.confirm().await.map_err(told)?.len();
                }
                receiver.send(batch).await.map_err(told)?;
                awaited += 1;
            }
            while awaited > 0 {
                awaited -= receiver.confirm().await.map_err(told)?.len();
            }
            let taken = start.elapsed();
            receiver.close().await.map_err(told)?;
            Ok::<_, String>(taken)
        })?;
        Ok((taken, sink.join().map_err(|_| "the sink panicked")??))
    }

    /// How long it takes to write all bytes and have them read.
    fn bare(&self, is_tls: bool, bytes: &[u8]) -> Result<Duration> {
        let (port, sink) = self.sink(is_tls, false)?;
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let chunk = 1 << 20;
        let start;
        if is_tls {
            let connection =
                ClientConnection::new(tls::client(&self.tls())?, ServerName::try_from("127.0.0.1")?)?;
            let mut stream = StreamOwned::new(connection, stream);
            stream.flush()?;
            start = Instant::now();
            for chunk in bytes.chunks(chunk) {
                stream.write_all(chunk)?;
                stream.flush()?;
            }
            stream.conn.send_close_notify();
            stream.flush()?;
            // What the server said first has to be read, or the end of the connection cuts off what we sent.
            stream.sock.shutdown(Shutdown::Write)?;
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        } else {
            start = Instant::now();
            for chunk in bytes.chunks(chunk) {
                stream.write_all(chunk)?;
            }
            stream.shutdown(Shutdown::Write)?;
        }
        sink.join().map_err(|_| "the sink panicked")??;
        Ok(start.elapsed())
    }
}

fn drain(mut stream: impl Read, keeps: bool) -> std::io::Result<Vec<u8>> {
    let (mut buffer, mut kept) = (vec![0; 1 << 16], Vec::new());
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(kept);
        }
        if keeps {
            kept.extend_from_slice(&buffer[..count]);
        }
    }
}
