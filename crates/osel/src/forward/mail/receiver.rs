//! Mail as the forwarder sees it: one message is one letter to all recipients, over a connection of its own.
//!
//! One recipient whom the server refuses keeps it from no other, and one for whom it asks to come again gets it later, alone, within a
//! time: a mailbox that is full for days must not keep the others from what happens meanwhile. Whom a slow server was not asked for gets it
//! next, and who has it is not sent it again. A message that the server refuses is sent once more without its lines, as those are what
//! somebody in the cloud has written, and then to each alone, as one may be stricter than the others; so nobody can keep people from learning
//! that there was something. There is nothing here that would make a dead letter.

use std::collections::BTreeSet;
use std::time::Duration;

use lettre::Address;
use osel_core::forward::{Refusal, RefusalKind, Taken};
use osel_core::notice::Notice;
use tokio::time::Instant;

use super::handing::{CALL_TIME, Server, Unfit};
use super::letter::{letter, name};
use super::reached::{Outcome, Reached};
use crate::config::{ForwardConfig, MailConfig, ReceiverConfig};
use crate::forward::http::refusal;
use crate::forward::notice::notice_of;
use crate::forward::now::ConfigNow;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Item, Receiver};

/// A message has a few lines, whatever it tells of; the machine asks for a bound all the same.
const BATCH_BYTES: usize = 1 << 20;

/// People who are told by mail.
pub struct Mail {
    forwarder: String,
    config: MailConfig,
    now: ConfigNow,
    /// How far the message has come that was last handed over.
    reached: Reached,
    /// Recipients of whom it was said that the server refuses them.
    refused: BTreeSet<Address>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("at", &self.target()).finish_non_exhaustive()
    }
}

impl Mail {
    /// The receiver of that table; `now` gives the table anew, for each connection.
    pub fn new(forwarder: &str, config: MailConfig, now: ConfigNow) -> Self {
        Self {
            forwarder: forwarder.to_owned(),
            config,
            now,
            reached: Reached::default(),
            refused: BTreeSet::new(),
        }
    }

    /// The table as it is now.
    async fn renew(&mut self) -> Result<(), Refusal> {
        let now = self.now.clone();
        let read = tokio::task::spawn_blocking(move || now()).await;
        let read = read.map_err(|error| refusal(RefusalKind::Unavailable, &error.to_string()))?;
        let ForwardConfig { receiver, .. } = read;
        // It may have become something else, which the next start makes of it.
        if let ReceiverConfig::Mail(config) = receiver {
            self.config = *config;
        }
        Ok(())
    }

    async fn given(&mut self, batch: &Batch) -> Result<Taken, Refusal> {
        let (item, notice) = notice_of(batch)?;
        self.renew().await?;
        let all: Vec<Address> = self.config.to.iter().map(|mailbox| mailbox.email.clone()).collect();
        self.reached.go_on(&name(item, &notice));
        if !self.reached.waiting(&all).is_empty() {
            let mut server = Server::greeted(&self.config).await?;
            let handed = Handing {
                config: &self.config,
                forwarder: &self.forwarder,
                item,
                reached: &mut self.reached,
            };
            let came = handed.hand(&mut server, &all, &notice).await;
            server.leave().await;
            came?;
        }
        self.tell_refused();
        match self.reached.outcome(&all, Instant::now()) {
            Outcome::Over => {
                self.tell_given_up();
                self.reached = Reached::default();
                Ok(Taken::Kept)
            }
            Outcome::Nobody(words) => {
                // Somebody has to act; whoever was refused is asked for again then.
                self.reached = Reached::default();
                Err(refusal(RefusalKind::Unfit, &words))
            }
            Outcome::Unasked(count) => {
                let (host, port) = (&self.config.host, self.config.port);
                let words =
                    format!("`{host}:{port}` takes long: {count} of {} recipients get it next", all.len());
                Err(refusal(RefusalKind::Unavailable, &words))
            }
            Outcome::Later(why) => Err(why),
        }
    }

    /// Says of recipients that they do not get a message which others have.
    fn tell_given_up(&self) {
        for (recipient, why) in self.reached.later() {
            let (forwarder, detail) = (self.forwarder.as_str(), why.words.as_str());
            tracing::error!(
                forwarder,
                %recipient,
                detail,
                "the mail server has put off a recipient for too long: others have the mail, this one does not get it"
            );
        }
    }

    /// Says of recipients, once, that the server refuses them.
    fn tell_refused(&mut self) {
        for (recipient, detail) in self.reached.never().iter().filter(|(to, _)| !self.refused.contains(*to)) {
            let forwarder = self.forwarder.as_str();
            tracing::error!(
                forwarder,
                %recipient,
                detail,
                "the mail server refuses a recipient: others have the mail"
            );
        }
        self.refused = self.reached.never().keys().cloned().collect();
    }
}

/// A message on its way.
struct Handing<'m> {
    config: &'m MailConfig,
    forwarder: &'m str,
    item: &'m Item,
    reached: &'m mut Reached,
}

impl Handing<'_> {
    /// Hands it to a server, for whoever waits for it.
    async fn hand(self, server: &mut Server<'_>, all: &[Address], notice: &Notice) -> Result<(), Refusal> {
        let written = |config: &MailConfig, notice: &Notice| {
            letter(config, self.forwarder, self.item, notice)
                .map_err(|why| refusal(RefusalKind::Denied, &format!("the mail cannot be written: {why}")))
        };
        let whole = written(self.config, notice)?;
        let waiting = self.reached.waiting(all);
        let to = if self.reached.is_bare() {
            waiting
        } else {
            let Some(Unfit { to, .. }) = server.hand(&whole, &waiting, self.reached).await? else {
                return Ok(());
            };
            // There may be no time left for another letter now: then the next call begins with that.
            self.reached.be_bare();
            to
        };
        // Not by a template either, which would put in again what is left out.
        let mut config = self.config.clone();
        (config.notices.subject_template, config.notices.body_template) = (None, None);
        let bare = written(&config, &notice.bare())?;
        let Some(Unfit { to, words }) = server.hand(&bare, &to, self.reached).await? else {
            return Ok(());
        };
        if let [alone] = to.as_slice() {
            self.reached.will_never(alone.clone(), words);
            return Ok(());
        }
        for (place, alone) in to.iter().enumerate() {
            if place > 0 && !server.has_time() {
                break;
            }
            let alone_to = std::slice::from_ref(alone);
            if let Some(Unfit { words, .. }) = server.hand(&bare, alone_to, self.reached).await? {
                self.reached.will_never(alone.clone(), words);
            }
        }
        Ok(())
    }
}

impl Receiver for Mail {
    fn target(&self) -> String {
        let to: Vec<String> = self.config.to.iter().map(|mailbox| mailbox.email.to_string()).collect();
        format!("{} by {}:{}", to.join(", "), self.config.host, self.config.port)
    }

    fn limits(&self) -> BatchLimits {
        BatchLimits { items: 1, bytes: BATCH_BYTES, awaited: 1, linger: Duration::ZERO }
    }

    fn call_time(&self) -> Duration {
        CALL_TIME
    }

    fn send<'a>(&'a mut self, batch: &'a Batch) -> Handed<'a, Taken> {
        Box::pin(self.given(batch))
    }

    fn check(&mut self) -> Handed<'_, Option<String>> {
        Box::pin(async {
            let server = Server::greeted(&self.config).await?;
            let name = server.name().to_owned();
            server.leave().await;
            Ok(Some(format!("{name} would take mail")))
        })
    }

    fn reset(&mut self) {}
}
