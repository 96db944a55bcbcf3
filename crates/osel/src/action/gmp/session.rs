//! One connection to a manager: one request, then its answer, then the next.
//!
//! Nothing says how long an answer is: it is over when its outermost element is. It is therefore read as it comes, in a thread of its own
//! that waits for each piece, and ends with the piece that was not in time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::super::xml::{Element, Limits, Xml, XmlError};
use super::answer;
use super::error::GmpError;
use super::line::{self, Line};
use super::pieces::Pieces;
use super::request::Request;
use crate::config::GmpConfig;

/// How much is read at once.
const READ_BYTES: usize = 32 * 1024;
/// How many pieces wait to be parsed, so that neither side waits for the other all the time.
const PIECES_WAITING: usize = 4;
/// The largest answer but a report: a hundred scan configurations have a fraction of it.
const ANSWER_LIMITS: Limits = Limits { bytes: 16 << 20, piece_bytes: 1 << 20 };
/// The largest report. It is never in memory as a whole; a result has some three thousand bytes.
const REPORT_LIMITS: Limits = Limits { bytes: 1 << 30, piece_bytes: 2 << 20 };
/// How much longer a report may take than another answer: gvmd puts it together while it writes it.
const REPORT_TIMES: u32 = 10;

/// An answer that is being read.
pub(super) type Answer<'a> = Xml<&'a mut Pieces>;

/// A connection that has logged in.
pub(super) struct Session {
    line: Line,
    answer_time: Duration,
    /// The version of the protocol that gvmd speaks.
    pub(super) version: String,
}

impl Session {
    /// Connects, agrees on a version, and logs in.
    pub(super) async fn open(config: &GmpConfig) -> Result<Self, GmpError> {
        let line = line::connect(&config.address).await?;
        let mut session = Self { line, answer_time: config.answer_time, version: String::new() };
        let version = session.ask(&Request::version(), answer::version).await?;
        if !is_spoken(&version) {
            return Err(GmpError::Version(version));
        }
        session.version = version;
        session
            .order(&Request::login(config))
            .await
            .map_err(|error| error.without(config.password.expose()))?;
        Ok(session)
    }

    /// Asks, and reads the answer by `read`, which is given the outermost element.
    pub(super) async fn ask<T: Send + 'static>(
        &mut self,
        request: &Request,
        read: impl FnOnce(&mut Answer<'_>, &Element) -> Result<T, XmlError> + Send + 'static,
    ) -> Result<T, GmpError> {
        self.exchange(request, ANSWER_LIMITS, self.answer_time, read).await
    }

    /// The same for a report.
    pub(super) async fn ask_for_report<T: Send + 'static>(
        &mut self,
        request: &Request,
        read: impl FnOnce(&mut Answer<'_>, &Element) -> Result<T, XmlError> + Send + 'static,
    ) -> Result<T, GmpError> {
        self.exchange(request, REPORT_LIMITS, self.answer_time * REPORT_TIMES, read).await
    }

    /// Asks for something of which nothing but its success is to be known.
    pub(super) async fn order(&mut self, request: &Request) -> Result<(), GmpError> {
        self.ask(request, |_, _| Ok(())).await
    }

    async fn exchange<T: Send + 'static>(
        &mut self,
        request: &Request,
        limits: Limits,
        time: Duration,
        read: impl FnOnce(&mut Answer<'_>, &Element) -> Result<T, XmlError> + Send + 'static,
    ) -> Result<T, GmpError> {
        let exchanged = timeout(time, self.exchange_in(request, limits, read)).await;
        match exchanged.unwrap_or(Err(GmpError::Slow(request.command))) {
            // It has answered, and said that it did nothing.
            Err(error @ GmpError::Status { .. }) => Err(error),
            Err(error) if request.has_effect => Err(GmpError::Uncertain(Box::new(error))),
            exchanged => exchanged,
        }
    }

    async fn exchange_in<T: Send + 'static>(
        &mut self,
        request: &Request,
        limits: Limits,
        read: impl FnOnce(&mut Answer<'_>, &Element) -> Result<T, XmlError> + Send + 'static,
    ) -> Result<T, GmpError> {
        let command = request.command;
        let written = async {
            self.line.write_all(request.text.as_bytes()).await?;
            self.line.flush().await
        };
        written.await.map_err(|_| GmpError::Broken(command))?;
        let (sender, coming) = mpsc::channel(PIECES_WAITING);
        let mut reading = spawn_blocking(move || parse(command, coming, limits, read));
        let mut sender = Some(sender);
        loop {
            let mut piece = vec![0; READ_BYTES];
            let come = tokio::select! {
                biased;
                parsed = &mut reading => {
                    let parsed = parsed.unwrap_or_else(|_| Err(GmpError::Odd { command, what: "stopped its reader".to_owned() }));
                    // What is cut off is told as what it is, and not as bad XML.
                    return match parsed {
                        Err(GmpError::Xml(..)) if sender.is_none() => Err(GmpError::Broken(command)),
                        parsed => parsed,
                    };
                }
                come = timeout(self.answer_time, self.line.read(&mut piece)), if sender.is_some() => come,
            };
            match come {
                Err(_) => return Err(GmpError::Slow(command)),
                // The reader learns that no more will come, and ends.
                Ok(Err(_) | Ok(0)) => sender = None,
                Ok(Ok(count)) => {
                    piece.truncate(count);
                    if let Some(sender) = &sender {
                        // A reader that has ended has its result ready.
                        let _ = sender.send(piece).await;
                    }
                }
            }
        }
    }
}

/// Whether a version has what is asked for here: 22.4 and what came after it in 22, whose commands are the same.
fn is_spoken(version: &str) -> bool {
    let Some((major, minor)) = version.split_once('.') else { return false };
    major == "22"
        && minor.split('.').next().and_then(|minor| minor.parse().ok()).is_some_and(|minor: u32| minor >= 4)
}

/// Reads one answer to its end.
fn parse<T>(
    command: &'static str,
    coming: mpsc::Receiver<Vec<u8>>,
    limits: Limits,
    read: impl FnOnce(&mut Answer<'_>, &Element) -> Result<T, XmlError>,
) -> Result<T, GmpError> {
    let mut pieces = Pieces::new(coming);
    let wrong = |error| GmpError::Xml(command, error);
    let mut xml = Xml::new(&mut pieces, limits);
    let expected = format!("{command}_response");
    // To those that it does not know, and to strangers, gvmd answers by a name of its own.
    let root = xml.root(&[&expected, "gmp_response"]).map_err(wrong)?;
    let status = root.number::<u16>("status");
    let parsed = match status {
        Some(200..300) if root.name() == expected => Ok(read(&mut xml, &root).map_err(wrong)?),
        Some(status) => {
            let text = answer::status_text(&root);
            Err(GmpError::Status { command, status, text })
        }
        None => Err(GmpError::Odd { command, what: "has no status".to_owned() }),
    };
    xml.skip(&root).map_err(wrong)?;
    drop(xml);
    if !pieces.is_read() {
        return Err(GmpError::Odd { command, what: "goes on after its end".to_owned() });
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_from_22_4_are_spoken() {
        for version in ["22.4", "22.7", "22.8", "22.15", "22.4.1"] {
            assert!(is_spoken(version), "{version}");
        }
        for version in ["", "22", "22.3", "21.4", "23.1", "next", "22.x"] {
            assert!(!is_spoken(version), "{version}");
        }
    }
}
