//! Mail as the forwarder sees it: one message is one letter to all recipients, over a connection of its own.
//!
//! One recipient whom the server refuses keeps it from no other, and one for whom it asks to come again gets it later, alone, within a
//! time: a mailbox that is full for days must not keep the others from what happens meanwhile. A message that the server refuses is sent once more without its lines, as those are what somebody in the cloud has written; so nobody can keep
//! people from learning that there was something. There is nothing here that would make a dead letter.

use std::collections::BTreeSet;
use std::time::Duration;

use osel_core::forward::{Refusal, RefusalKind, Taken};
use osel_core::notice::Notice;
use tokio::time::Instant;

use super::handing::{Handed as HandedOver, Server};
use super::letter::{letter, name};
use crate::config::{ForwardConfig, MailConfig, ReceiverConfig};
use crate::forward::http::refusal;
use crate::forward::notice::notice_of;
use crate::forward::now::ConfigNow;
use crate::forward::receiver::{Batch, BatchLimits, Handed, Item, Receiver};

/// A message has a few lines, whatever it tells of; the machine asks for a bound all the same.
const BATCH_BYTES: usize = 1 << 20;
/// How long a message that has reached somebody is tried for those for whom the server asks to come again. The next message waits so long:
/// servers that put off whom they do not know take the mail after some minutes, and a full mailbox stays full for days.
const LATER_TIME: Duration = Duration::from_mins(30);

/// People who are told by mail.
pub struct Mail {
    forwarder: String,
    config: MailConfig,
    now: ConfigNow,
    /// The message that was last handed over, where it has not reached all.
    reached: Option<Reached>,
    /// Recipients of whom it was said that the server refuses them.
    refused: BTreeSet<String>,
}

/// How far a message has come.
#[derive(Debug, Default)]
struct Reached {
    /// Which one.
    name: String,
    /// Who has it.
    taken: BTreeSet<String>,
    /// Since when the server asks to come again for somebody.
    later_since: Option<Instant>,
}

impl Reached {
    /// Whether somebody for whom the server asks, now, to come again is waited for no longer.
    fn is_over(&mut self, now: Instant) -> bool {
        let since = *self.later_since.get_or_insert(now);
        !self.taken.is_empty() && now.duration_since(since) >= LATER_TIME
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("at", &self.target()).finish_non_exhaustive()
    }
}

impl Mail {
    /// The receiver of that table; `now` gives the table anew, for each connection.
    pub fn new(forwarder: &str, config: MailConfig, now: ConfigNow) -> Self {
        Self { forwarder: forwarder.to_owned(), config, now, reached: None, refused: BTreeSet::new() }
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
        let mut handed = HandedOver::default();
        let name = name(item, &notice);
        let reached = self.reached.get_or_insert_default();
        if reached.name != name {
            *reached = Reached { name, ..Reached::default() };
        }
        handed.taken.clone_from(&reached.taken);
        let mut server = Server::greeted(&self.config).await?;
        let came = self.hand(&mut server, item, &notice, &mut handed).await;
        server.leave().await;
        let HandedOver { taken, never, later, refused } = handed;
        let has_reached = !taken.is_empty();
        let reached = self.reached.get_or_insert_default();
        reached.taken = taken;
        came?;
        let is_over = !later.is_empty() && reached.is_over(Instant::now());
        let words = never.first().map(|(_, words)| words.clone());
        self.tell_refused(never);
        if let Some(words) = refused {
            return Err(refusal(RefusalKind::Denied, &words));
        }
        if is_over {
            self.tell_given_up(&later);
        } else if let Some((_, later)) = later.into_iter().next() {
            return Err(later);
        }
        if !has_reached {
            return Err(refusal(RefusalKind::Denied, &words.unwrap_or_default()));
        }
        self.reached = None;
        Ok(Taken::Kept)
    }

    async fn hand(
        &self,
        server: &mut Server<'_>,
        item: &Item,
        notice: &Notice,
        handed: &mut HandedOver,
    ) -> Result<(), Refusal> {
        let written = |notice: &Notice| {
            letter(&self.config, &self.forwarder, item, notice)
                .map_err(|why| refusal(RefusalKind::Denied, &format!("the mail cannot be written: {why}")))
        };
        server.hand(&written(notice)?, handed).await?;
        if handed.refused.take().is_some() {
            // Not by a template either, which would put in again what is left out.
            let mut config = self.config.clone();
            (config.notices.subject_template, config.notices.body_template) = (None, None);
            (handed.never, handed.later) = (Vec::new(), Vec::new());
            let bare = letter(&config, &self.forwarder, item, &notice.bare())
                .map_err(|why| refusal(RefusalKind::Denied, &format!("the mail cannot be written: {why}")))?;
            server.hand(&bare, handed).await?;
        }
        Ok(())
    }

    /// Says of recipients that they do not get a message which others have.
    fn tell_given_up(&self, later: &[(String, Refusal)]) {
        for (recipient, why) in later {
            let (forwarder, detail) = (self.forwarder.as_str(), why.words.as_str());
            tracing::error!(
                forwarder,
                recipient,
                detail,
                "the mail server has put off a recipient for too long: others have the mail, this one does not get it"
            );
        }
    }

    /// Says of recipients, once, that the server refuses them.
    fn tell_refused(&mut self, never: Vec<(String, String)>) {
        let now: BTreeSet<String> = never.iter().map(|(to, _)| to.clone()).collect();
        for (recipient, detail) in never.into_iter().filter(|(to, _)| !self.refused.contains(to)) {
            let forwarder = self.forwarder.as_str();
            tracing::error!(
                forwarder,
                recipient,
                detail,
                "the mail server refuses a recipient: others have the mail"
            );
        }
        self.refused = now;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_put_off_keeps_the_others_from_the_next_message_for_a_time_only() {
        let begin = Instant::now();
        let mut reached =
            Reached { taken: BTreeSet::from(["ann@c.example".to_owned()]), ..Reached::default() };
        for (after, wanted) in [
            (Duration::ZERO, false),
            (LATER_TIME - Duration::from_secs(1), false),
            (LATER_TIME, true),
            (LATER_TIME * 2, true),
        ] {
            assert_eq!(reached.is_over(begin + after), wanted, "{after:?}");
        }
        // Where nobody has it, the message is still to be told.
        reached.taken.clear();
        assert!(!reached.is_over(begin + LATER_TIME));
    }
}
