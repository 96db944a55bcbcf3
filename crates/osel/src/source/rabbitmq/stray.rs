//! Bindings of our queue that the configuration names no more, as far as they show.
//!
//! AMQP tells no bindings, and what another configuration named is written down nowhere. Two things show it: our memory of an exchange,
//! which can only be asked for by name, and so is for the exchanges that are bound where nothing else is said; and a message that comes from an
//! exchange, or under a topic, that is not wanted. This only notes what is seen; `topology` asks the broker.

use std::collections::BTreeSet;

/// How many bindings are noted of one connection. A configuration names at most some dozens; what comes beyond is noted by the next one.
const STRAYS_MAX: usize = 256;

/// How many are asked for at one look: each takes several answers of the broker, and a look has to end within the time of a connection.
const STRAYS_AT_ONCE: usize = 16;
/// The longest name of an exchange, and of a topic, that is asked for: of both, names and keys are made that AMQP allows 255 bytes. Whoever
/// publishes chooses them.
const NAME_BYTES_MAX: usize = 200;

/// A binding that is not wanted, if it is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stray {
    /// The exchange.
    pub exchange: String,
    /// The topic that it is bound by.
    pub topic: String,
}

/// What was seen of them.
#[derive(Debug, Default)]
pub struct Strays {
    seen: BTreeSet<Stray>,
    waiting: Vec<Stray>,
}

impl Strays {
    /// A new connection: what could not be unbound may be tried again.
    pub fn forget(&mut self) {
        self.seen.clear();
        self.waiting.clear();
    }

    /// A message came that is not wanted.
    pub fn note(&mut self, exchange: &str, routing_key: &str) {
        // Whatever is sent to a queue by its name comes from the exchange without one, and is bound by nobody.
        let Some((topic, _)) = routing_key.rsplit_once('.').filter(|_| !exchange.is_empty()) else { return };
        if exchange.len() > NAME_BYTES_MAX || topic.len() > NAME_BYTES_MAX {
            return;
        }
        let stray = Stray { exchange: exchange.to_owned(), topic: topic.to_owned() };
        if self.seen.len() < STRAYS_MAX && self.seen.insert(stray.clone()) {
            self.waiting.push(stray);
        }
    }

    /// What has to be asked for now; each is given once, and what is too many for one look later.
    pub fn take(&mut self) -> Vec<Stray> {
        self.waiting.drain(..STRAYS_AT_ONCE.min(self.waiting.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_asked_for_once_in_a_connection() {
        let mut strays = Strays::default();
        for (exchange, key) in
            [("nova", "notifications.info"), ("nova", "notifications.error"), ("", "a.b"), ("nova", "word")]
        {
            strays.note(exchange, key);
        }
        let nova = || [Stray { exchange: "nova".to_owned(), topic: "notifications".to_owned() }];
        assert_eq!(strays.take(), nova());
        strays.note("nova", "notifications.info");
        assert_eq!(strays.take(), []);
        strays.forget();
        strays.note("nova", "notifications.info");
        assert_eq!(strays.take(), nova());
    }

    #[test]
    fn no_more_are_noted_than_the_limit() {
        let mut strays = Strays::default();
        for number in 0..=STRAYS_MAX {
            strays.note("nova", &format!("topic-{number}.info"));
        }
        let taken = std::iter::from_fn(|| Some(strays.take().len()).filter(|taken| *taken > 0));
        assert_eq!(taken.collect::<Vec<_>>(), [STRAYS_AT_ONCE; STRAYS_MAX / STRAYS_AT_ONCE]);
    }

    #[test]
    fn no_name_is_asked_for_that_the_protocol_does_not_allow() {
        let mut strays = Strays::default();
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        strays.note(&long, "notifications.info");
        strays.note("nova", &format!("{long}.info"));
        assert_eq!(strays.take(), []);
    }
}
