//! A mail on its way to a server: to whom it was handed, and what the server's answers mean.
//!
//! A server may take its time for each recipient, and for the mail at the end. Whoever does not wait for that last answer sends a mail twice,
//! so that it has all the time that is usual between servers, and what comes before it is bounded as a whole: recipients who were not asked
//! for by then get a mail of their own in the next call.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use osel_core::forward::{Refusal, RefusalKind};
use tokio::time::{Instant, timeout, timeout_at};

use super::letter::Letter;
use super::reached::Reached;
use super::wire;
use crate::config::{MailConfig, Secret};
use crate::forward::http::{refusal, said};
use crate::telemetry::chain;

/// What lettre says of a connection that ended before an answer did.
const CUT_OFF: &str = "incomplete response";
/// How long all may take that comes before a mail itself: connecting, greeting, and all recipients. Half a dozen answers of a slow server.
const TALK_TIME: Duration = Duration::from_mins(5);
/// How long the answer to a mail itself may take: as RFC 5321 has it (4.5.3.2.6), since who does not wait for it sends the mail again.
const MAIL_TIME: Duration = Duration::from_mins(10);
/// How long a word of goodbye may take: the mail is taken by then.
const QUIT_TIME: Duration = Duration::from_secs(2);
/// Ways to say who we are; both show the password, so that they are used under TLS only, or where somebody said so.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
/// How long a call may take: no longer than both together, with some seconds to spare. A mail's last answer is waited for but once behind
/// [`TALK_TIME`].
pub(super) const CALL_TIME: Duration = Duration::from_mins(16);

/// A server that listens.
pub(super) struct Server<'c> {
    config: &'c MailConfig,
    connection: AsyncSmtpConnection,
    /// By when a mail's begin has to be accepted.
    until: Instant,
}

/// The server will not take a mail itself, which it would have taken for these recipients.
pub(super) struct Unfit {
    pub(super) to: Vec<Address>,
    pub(super) words: String,
}

impl<'c> Server<'c> {
    /// Connects and says who we are.
    ///
    /// # Errors
    /// When nobody is there, or one of both does not trust the other.
    pub(super) async fn greeted(config: &'c MailConfig) -> Result<Self, Refusal> {
        let until = Instant::now() + TALK_TIME;
        let wire = within(config, until, wire::connected(config)).await??;
        let hello = ClientId::Domain(config.hello_name.clone());
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello);
        let connection =
            within(config, until, greeted).await?.map_err(|error| meaning(config, "the greeting", &error))?;
        let mut this = Self { config, connection, until };
        if let Some((user, password)) = &config.login {
            let login = Credentials::new(user.expose().to_owned(), password.expose().to_owned());
            let known = within(config, until, this.connection.auth(&MECHANISMS, &login)).await?;
            known.map_err(|error| meaning(config, "the login", &error))?;
        }
        Ok(this)
    }

    /// Hands a letter over for these recipients, for as many of them as there is time for. What was said of each is in `reached` at once:
    /// the call may be dropped. Gives back whom the server would have taken it for, if it does not like the letter itself.
    ///
    /// # Errors
    /// When the connection breaks, or the server takes nothing from us now.
    pub(super) async fn hand(
        &mut self,
        letter: &Letter,
        all: &[Address],
        reached: &mut Reached,
    ) -> Result<Option<Unfit>, Refusal> {
        let from = Mail::new(Some(letter.from.clone()), Vec::new());
        self.command("the sender", from).await?;
        let mut accepted = Vec::new();
        for (place, to) in all.iter().enumerate() {
            if place > 0 && !self.has_time() {
                break;
            }
            match self.recipient(to).await? {
                None => accepted.push(to.clone()),
                Some(refusal) if refusal.kind == RefusalKind::Denied => {
                    reached.will_never(to.clone(), refusal.words);
                }
                Some(refusal) => reached.comes_later(to.clone(), refusal),
            }
        }
        if accepted.is_empty() {
            return self.command("an end without a mail", Rset).await.map(|()| None);
        }
        self.command("the begin of the mail", Data).await?;
        let until = Instant::now() + MAIL_TIME;
        let answer = timeout_at(until, self.connection.message(&letter.bytes)).await;
        match answer.map_err(|_| silent(self.config, MAIL_TIME))? {
            Ok(_) => reached.has_reached(accepted),
            Err(error) if error.is_permanent() => {
                let words = meaning(self.config, "the mail", &error).words;
                return Ok(Some(Unfit { to: accepted, words }));
            }
            // It says that of the mailboxes that are left, as some do only now that they know the mail.
            Err(error) if says_of_mail(&error) => {
                let later = meaning(self.config, "the mail", &error);
                accepted.into_iter().for_each(|to| reached.comes_later(to, later.clone()));
            }
            Err(error) => return Err(meaning(self.config, "the mail", &error)),
        }
        Ok(None)
    }

    /// Whether there is time to ask for one more recipient: its answer and the next one may take as long as any.
    pub(super) fn has_time(&self) -> bool {
        let answers = Duration::from_secs(self.config.answer_seconds.into()) * 2;
        Instant::now() + answers < self.until
    }

    /// Takes leave; whether that is heard does not matter.
    pub(super) async fn leave(mut self) {
        let _ = timeout(QUIT_TIME, self.connection.quit()).await;
    }

    /// What it calls itself.
    pub(super) fn name(&self) -> &str {
        self.connection.server_info().name()
    }

    /// None where mail for them is taken.
    async fn recipient(&mut self, to: &Address) -> Result<Option<Refusal>, Refusal> {
        let answer =
            within(self.config, self.until, self.connection.command(Rcpt::new(to.clone(), Vec::new())))
                .await?;
        match answer {
            Ok(_) => Ok(None),
            Err(error) => {
                let refusal = meaning(self.config, &format!("the recipient `{to}`"), &error);
                if says_of_mail(&error) { Ok(Some(refusal)) } else { Err(refusal) }
            }
        }
    }

    async fn command(&mut self, what: &str, command: impl std::fmt::Display) -> Result<(), Refusal> {
        let answer = within(self.config, self.until, self.connection.command(command)).await?;
        answer.map(drop).map_err(|error| meaning(self.config, what, &error))
    }
}

/// What comes of something for which there is so long, and no longer than until then.
async fn within<T>(
    config: &MailConfig,
    until: Instant,
    answer: impl Future<Output = T>,
) -> Result<T, Refusal> {
    let time = Duration::from_secs(config.answer_seconds.into());
    let until = until.min(Instant::now() + time);
    timeout_at(until, answer).await.map_err(|_| silent(config, time))
}

fn silent(config: &MailConfig, time: Duration) -> Refusal {
    let (host, port, seconds) = (&config.host, config.port, time.as_secs());
    refusal(RefusalKind::Silent, &format!("`{host}:{port}` does not answer within {seconds} s"))
}

/// Whether it is an answer about a mail or one to whom it goes: one that is none says something of the connection.
fn says_of_mail(error: &Error) -> bool {
    error.status().is_some_and(|code| code.to_string() != "421")
}

/// What it means that something was not taken.
fn meaning(config: &MailConfig, what: &str, error: &Error) -> Refusal {
    let kind = if error.is_permanent() || error.is_client() {
        RefusalKind::Denied
    } else if error.is_response() && !chain(error).contains(CUT_OFF) {
        RefusalKind::Garbled
    } else if error.is_timeout() {
        RefusalKind::Silent
    } else {
        RefusalKind::Unavailable
    };
    let secrets: Vec<&Secret> = config.login.iter().flat_map(|(user, password)| [user, password]).collect();
    let words = said(chain(error).as_bytes(), secrets);
    refusal(kind, &format!("`{}:{}` does not take {what}: {words}", config.host, config.port))
}
