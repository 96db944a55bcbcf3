//! A syslog server as a receiver.

use std::collections::VecDeque;
use std::time::Duration;

use osel_core::forward::{BatchNumber, Refusal, Taken};
use tokio::time::Instant;

use super::fault::SyslogFault;
use super::line::{self, Line, Stream};
use super::message::Style;
use crate::config::{SyslogConfig, SyslogTransport};
use crate::forward::receiver::{Batch, BatchLimits, Handed, Receiver};

/// What is on its way is read again after a broken connection: so much at most. With a settling of two seconds that is as many a second as
/// half of all batches on their way.
const LIMITS: BatchLimits = BatchLimits { items: 4096, bytes: 1 << 20, awaited: 64, linger: Duration::ZERO };
/// A buffer that a batch of large records has made larger than this is not kept.
const BUFFER_BYTES_KEPT: usize = 4 << 20;

/// Sends to a syslog server.
pub struct SyslogReceiver {
    transport: SyslogTransport,
    style: Style,
    settle: Duration,
    line: Option<Line>,
    /// What was sent over the stream that stands, or that stood last.
    awaited: VecDeque<Sent>,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
}

/// A batch that was sent.
struct Sent {
    number: BatchNumber,
    at: Instant,
    /// All bytes of the stream up to its end.
    end: u64,
}

impl SyslogReceiver {
    /// The receiver of a table. Nothing is connected to before something is sent.
    pub fn new(config: &SyslogConfig) -> Self {
        let system = rustix::system::uname();
        let host_name: String =
            system.nodename().to_string_lossy().chars().filter(char::is_ascii_graphic).collect();
        let host_name = if host_name.is_empty() { "-" } else { &host_name };
        let is_local = matches!(config.transport, SyslogTransport::Unix { .. });
        Self {
            transport: config.transport.clone(),
            style: Style::new(config, host_name, is_local),
            settle: config.settle,
            line: None,
            awaited: VecDeque::new(),
            buffer: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Hands a batch over, or says why not, with how many of its messages were taken all the same.
    async fn hand_over(&mut self, batch: &Batch) -> Result<Taken, (SyslogFault, usize)> {
        let whole = |fault| (fault, 0);
        let line = match &mut self.line {
            Some(line) => line,
            // What was sent over the connection before is to come again first.
            None if !self.awaited.is_empty() => {
                self.reset();
                return Err(whole(SyslogFault::Closed(line::place(&self.transport))));
            }
            None => self.line.insert(line::connect(&self.transport).await.map_err(whole)?),
        };
        match line {
            Line::Datagram(datagrams) => {
                for (item, at) in batch.items.iter().zip(0..) {
                    self.buffer.clear();
                    self.style.write(item, &mut self.buffer);
                    let sent = datagrams.send(&self.buffer, at).await;
                    sent.map_err(|fault| {
                        let taken = if datagrams.tells_of_earlier(&fault) { 0 } else { at };
                        (fault, taken)
                    })?;
                }
                Ok(Taken::Kept)
            }
            Line::Stream(stream) => {
                self.buffer.clear();
                self.buffer.shrink_to(BUFFER_BYTES_KEPT);
                for item in &batch.items {
                    self.style.write_framed(item, stream.framing, &mut self.scratch, &mut self.buffer);
                }
                stream.send(&self.buffer).await.map_err(whole)?;
                self.awaited.push_back(Sent { number: batch.number, at: Instant::now(), end: stream.sent() });
                Ok(Taken::Awaited)
            }
        }
    }

    /// What has arrived: the connection stood for long enough, and the other side's system has it.
    fn settled(&mut self) -> Vec<BatchNumber> {
        let Some(Line::Stream(stream)) = &self.line else { return Vec::new() };
        let (now, acknowledged) = (Instant::now(), stream.acknowledged());
        let mut settled = Vec::new();
        while let Some(sent) = self
            .awaited
            .pop_front_if(|sent| sent.end <= acknowledged && now.duration_since(sent.at) >= self.settle)
        {
            settled.push(sent.number);
        }
        settled
    }

    async fn arrived(&mut self) -> Result<Vec<BatchNumber>, SyslogFault> {
        let looked = match &mut self.line {
            Some(Line::Stream(stream)) => look(stream).await,
            Some(Line::Datagram(_)) => Ok(()),
            None if self.awaited.is_empty() => Ok(()),
            None => Err(SyslogFault::Closed(line::place(&self.transport))),
        };
        match looked {
            Ok(()) => Ok(self.settled()),
            Err(fault) => {
                self.reset();
                Err(fault)
            }
        }
    }
}

/// What the system knows of the connection it tells when it is waited for.
async fn look(stream: &mut Stream) -> Result<(), SyslogFault> {
    tokio::task::yield_now().await;
    stream.look().await
}

impl Receiver for SyslogReceiver {
    fn target(&self) -> String {
        let scheme = match &self.transport {
            SyslogTransport::Tls { .. } => "tls",
            SyslogTransport::Tcp { .. } => "tcp",
            SyslogTransport::Udp { .. } => "udp",
            SyslogTransport::Unix { .. } => "unix",
        };
        format!("syslog+{scheme}://{}", line::place(&self.transport))
    }

    fn limits(&self) -> BatchLimits {
        LIMITS
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(async move {
            let handed = self.hand_over(batch).await;
            handed.map_err(|(fault, taken)| {
                // That what is still awaited may not have arrived is told by the next answer.
                if !matches!(fault, SyslogFault::TooLong { .. }) {
                    self.line = None;
                }
                Refusal { taken, ..Refusal::from(fault) }
            })
        })
    }

    fn confirm(&mut self) -> Handed<'_, Vec<BatchNumber>> {
        Box::pin(async move { self.arrived().await.map_err(Refusal::from) })
    }

    fn reset(&mut self) {
        self.line = None;
        self.awaited.clear();
    }

    fn close(&mut self) -> Handed<'_, Vec<BatchNumber>> {
        Box::pin(async move {
            let mut arrived = self.arrived().await?;
            if let Some(Line::Stream(stream)) = &mut self.line
                && stream.close().await
            {
                arrived.extend(self.awaited.drain(..).map(|sent| sent.number));
            }
            self.reset();
            Ok(arrived)
        })
    }
}
