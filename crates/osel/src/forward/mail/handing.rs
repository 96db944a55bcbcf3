//! A mail on its way to a server: to whom it was handed, and what the server's answers mean.

use std::collections::BTreeSet;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use osel_core::forward::{Refusal, RefusalKind};
use tokio::time::timeout;

use super::letter::Letter;
use super::wire;
use crate::config::{MailConfig, Secret};
use crate::forward::http::{refusal, said};
use crate::telemetry::chain;

/// What lettre says of a connection that ended before an answer did.
const CUT_OFF: &str = "incomplete response";
/// How long a word of goodbye may take: the mail is taken by then.
const QUIT_TIME: Duration = Duration::from_secs(2);
/// Ways to say who we are; both show the password, so that they are used under TLS only, or where somebody said so.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// A server that listens.
pub(super) struct Server<'c> {
    config: &'c MailConfig,
    connection: AsyncSmtpConnection,
}

/// To whom a letter was handed.
#[derive(Debug, Default)]
pub(super) struct Handed {
    /// Who has it.
    pub(super) taken: BTreeSet<String>,
    /// Whom the server will never take it for, and its words.
    pub(super) never: Vec<(String, String)>,
    /// Those for whom it may take it later, and why.
    pub(super) later: Vec<(String, Refusal)>,
    /// It will not take the message itself.
    pub(super) refused: Option<String>,
}

impl<'c> Server<'c> {
    /// Connects and says who we are.
    ///
    /// # Errors
    /// When nobody is there, or one of both does not trust the other.
    pub(super) async fn greeted(config: &'c MailConfig) -> Result<Self, Refusal> {
        let wire = within(config, wire::connected(config)).await??;
        let hello = ClientId::Domain(config.hello_name.clone());
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello);
        let connection =
            within(config, greeted).await?.map_err(|error| meaning(config, "the greeting", &error))?;
        let mut this = Self { config, connection };
        if let Some((user, password)) = &config.login {
            let login = Credentials::new(user.expose().to_owned(), password.expose().to_owned());
            let known = within(config, this.connection.auth(&MECHANISMS, &login)).await?;
            known.map_err(|error| meaning(config, "the login", &error))?;
        }
        Ok(this)
    }

    /// Hands a letter over, to those whom it has not reached before.
    ///
    /// # Errors
    /// When the connection breaks, or the server takes nothing from us now. Who has it by then is in `handed`.
    pub(super) async fn hand(&mut self, letter: &Letter, handed: &mut Handed) -> Result<(), Refusal> {
        let from = Mail::new(Some(letter.from.clone()), Vec::new());
        self.command("the sender", from).await?;
        let mut accepted = BTreeSet::new();
        for to in letter.to.iter().filter(|to| !handed.taken.contains(&to.to_string())) {
            match self.recipient(to).await? {
                None => _ = accepted.insert(to.to_string()),
                Some(refusal) if refusal.kind == RefusalKind::Denied => {
                    handed.never.push((to.to_string(), refusal.words));
                }
                Some(refusal) => handed.later.push((to.to_string(), refusal)),
            }
        }
        if accepted.is_empty() {
            return self.command("an end without a mail", Rset).await;
        }
        self.command("the begin of the mail", Data).await?;
        match within(self.config, self.connection.message(&letter.bytes)).await? {
            Ok(_) => handed.taken.extend(accepted),
            Err(error) if error.is_permanent() => {
                handed.refused = Some(meaning(self.config, "the mail", &error).words);
            }
            // It says that of the mailboxes that are left, as some do only now that they know the mail.
            Err(error) if says_of_mail(&error) => {
                let later = meaning(self.config, "the mail", &error);
                handed.later.extend(accepted.into_iter().map(|to| (to, later.clone())));
            }
            Err(error) => return Err(meaning(self.config, "the mail", &error)),
        }
        Ok(())
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
        let answer = within(self.config, self.connection.command(Rcpt::new(to.clone(), Vec::new()))).await?;
        match answer {
            Ok(_) => Ok(None),
            Err(error) => {
                let refusal = meaning(self.config, &format!("the recipient `{to}`"), &error);
                if says_of_mail(&error) { Ok(Some(refusal)) } else { Err(refusal) }
            }
        }
    }

    async fn command(&mut self, what: &str, command: impl std::fmt::Display) -> Result<(), Refusal> {
        let answer = within(self.config, self.connection.command(command)).await?;
        answer.map(drop).map_err(|error| meaning(self.config, what, &error))
    }
}

/// What comes of something for which there is so long.
async fn within<T>(config: &MailConfig, answer: impl Future<Output = T>) -> Result<T, Refusal> {
    let seconds = config.answer_seconds;
    timeout(Duration::from_secs(seconds.into()), answer).await.map_err(|_| {
        refusal(
            RefusalKind::Silent,
            &format!("`{}:{}` does not answer within {seconds} s", config.host, config.port),
        )
    })
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
