//! What each check is called, how bad a finding is, what it means and how to mend it. `docs/reference/doctor.md` is made of this.

use super::id::{Id, Severity, Subject};

/// What there is to say about a check, whatever was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// The stable id.
    pub id: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// How bad a finding is.
    pub severity: Severity,
    /// The finding in a few words.
    pub title: &'static str,
    /// What it means for who audits.
    pub meaning: &'static str,
    /// How to mend it.
    pub fix: Fix,
}

/// The setting to change. Words in capital letters stand for what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Which file and section, or which tool.
    pub place: &'static str,
    /// The setting there.
    pub setting: &'static str,
    /// What it should be.
    pub value: &'static str,
}

impl Fix {
    /// The value with the exchanges that osel listens to, where it tells of them.
    pub fn filled(&self, exchanges: &[String]) -> String {
        let names: Vec<String> = exchanges.iter().map(|name| regex_lite::escape(name)).collect();
        // Within the quotes of a shell a quote ends them, stands by itself, and begins others.
        self.value.replace("EXCHANGES", &names.join("|").replace('\'', r"'\''"))
    }

    /// The setting with the virtual host and the user, where it names them and they are known.
    pub fn named(&self, vhost: Option<&str>, user: Option<&str>) -> String {
        let words = self.setting.split(' ').map(|word| match (word, vhost, user) {
            ("VHOST", Some(vhost), _) => quoted_for_a_shell(vhost),
            ("USER", _, Some(user)) => quoted_for_a_shell(user),
            _ => word.to_owned(),
        });
        words.collect::<Vec<String>>().join(" ")
    }

    /// Whether it is a command, to be pasted as it is.
    pub fn is_command(&self) -> bool {
        self.place == CTL
    }

    /// It in one line with this setting and value: as a command where it is one.
    pub fn shown(&self, setting: &str, value: &str) -> String {
        let Self { place, .. } = self;
        if self.is_command() {
            format!("{place} {setting} {value}")
        } else {
            format!("{place}: {setting} = {value}")
        }
    }
}

/// A word that a shell takes as it is.
fn quoted_for_a_shell(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Where a service says how it notifies.
const NOTIFICATIONS: &str = "each service's configuration, [oslo_messaging_notifications]";
/// Where a service says how it uses RabbitMQ.
const RABBIT: &str = "each service's configuration, [oslo_messaging_rabbit]";
/// Where PostgreSQL's settings are.
const POSTGRESQL: &str = "postgresql.conf of the store's server";
/// The broker's tool.
const CTL: &str = "rabbitmqctl";
/// What osel's user needs, and no more.
const OWN_PERMISSIONS: Fix = Fix {
    place: CTL,
    setting: "set_permissions --vhost VHOST USER",
    value: r"'^osel\.' '^osel\.' '^(osel\..*|EXCHANGES)$'",
};

impl Id {
    /// What there is to say about it.
    pub const fn card(self) -> Card {
        use Severity::{Advice, Critical, Warning};
        use Subject::{Broker, Notifications, Queues, Services, Store, Traffic, Trove, Users};
        match self {
            Self::NoNotifications => Card {
                id: "no-notifications",
                subject: Notifications,
                severity: Critical,
                title: "services send no notifications",
                meaning: "The default of oslo.messaging is to send nothing: what such a service does leaves no trace on the bus.",
                fix: Fix { place: NOTIFICATIONS, setting: "driver", value: "messagingv2" },
            },
            Self::ExchangeAbsent => Card {
                id: "exchange-absent",
                subject: Notifications,
                severity: Warning,
                title: "an exchange that osel listens to is not there",
                meaning: "A service makes its exchange when it first sends. It sends nothing, or to an exchange of another name \
                          (`openstack` where it sets none).",
                fix: Fix {
                    place: "the service's configuration, [DEFAULT]",
                    setting: "control_exchange",
                    value: "EXCHANGE",
                },
            },
            Self::TopicNotHeard => Card {
                id: "topic-not-heard",
                subject: Notifications,
                severity: Warning,
                title: "notifications go to a topic that osel does not listen to",
                meaning: "osel binds for its own list of topics. What a service sends to others only, it never sees.",
                fix: Fix { place: NOTIFICATIONS, setting: "topics", value: "notifications" },
            },
            Self::ExchangeUnreadable => Card {
                id: "exchange-unreadable",
                subject: Notifications,
                severity: Warning,
                title: "osel may not read an exchange that it listens to",
                meaning: "It cannot bind its queue there, and what services publish to that exchange it never hears.",
                fix: OWN_PERMISSIONS,
            },
            Self::OwnQueueForbidden => Card {
                id: "own-queue-forbidden",
                subject: Notifications,
                severity: Critical,
                title: "osel may not make, bind or read a queue of its own",
                meaning: "All that it hears comes by a queue of its own, whose name begins with `osel.`: without it nothing does.",
                fix: OWN_PERMISSIONS,
            },
            Self::NothingHeard => Card {
                id: "nothing-heard",
                subject: Notifications,
                severity: Advice,
                title: "nothing was heard while listening",
                meaning: "Either nothing happened in the cloud meanwhile, or nobody tells of it.",
                fix: Fix {
                    place: "osel doctor",
                    setting: "--listen",
                    value: "a longer time, with a network created meanwhile",
                },
            },
            Self::NotificationsUnread => Card {
                id: "notifications-unread",
                subject: Queues,
                severity: Warning,
                title: "a queue of notifications has no consumer and no bound",
                meaning: "Publishers make this queue, not osel, and it grows until the broker stops everybody for want of memory or disk.",
                fix: Fix {
                    place: CTL,
                    setting: "set_policy --vhost VHOST --apply-to queues notifications '^(versioned_)?notifications\\.'",
                    value: r#"'{"max-length-bytes":104857600,"overflow":"drop-head"}'"#,
                },
            },
            Self::QueueShared => Card {
                id: "queue-shared",
                subject: Queues,
                severity: Warning,
                title: "several consumers share one queue of notifications",
                meaning: "Each message goes to one of them only. Unless they are workers of one program, each misses what the others get.",
                fix: Fix {
                    place: "all programs but one that consume it",
                    setting: "the queue",
                    value: "one of its own, bound to the services' exchanges (a pool, in oslo.messaging's words)",
                },
            },
            Self::DeliveryLimit => Card {
                id: "delivery-limit",
                subject: Queues,
                severity: Warning,
                title: "the broker discards what was delivered too often",
                meaning: "Since RabbitMQ 4 a quorum queue drops a message after 20 deliveries. A consumer that restarts often loses notifications \
                          that way.",
                fix: Fix {
                    place: "the policy for the queue (rabbitmqctl set_policy)",
                    setting: "delivery-limit",
                    value: "none for queues of osel; 1073741824 for others (before RabbitMQ 4, never -1)",
                },
            },
            Self::ExchangeNotDurable => Card {
                id: "exchange-not-durable",
                subject: Broker,
                severity: Warning,
                title: "exchanges go with each restart of the broker",
                meaning: "All bindings go with them: what is published until a listener has bound again is in no queue.",
                fix: Fix { place: RABBIT, setting: "amqp_durable_queues", value: "true" },
            },
            Self::NoTls => Card {
                id: "no-tls",
                subject: Broker,
                severity: Warning,
                title: "the broker is spoken to in the clear",
                meaning: "Passwords, tokens and notifications can be read and changed on the way; notifications have no signature.",
                fix: Fix { place: RABBIT, setting: "ssl", value: "true" },
            },
            Self::DefaultUser => Card {
                id: "default-user",
                subject: Users,
                severity: Critical,
                title: "the default user `guest` is there",
                meaning: "Everybody knows its password, and it may do everything.",
                fix: Fix { place: CTL, setting: "delete_user", value: "guest" },
            },
            Self::SharedUser => Card {
                id: "shared-user",
                subject: Users,
                severity: Warning,
                title: "several services log in as one user",
                meaning: "Whoever takes over one of them may read and forge what the others say, and no password can be changed alone.",
                fix: Fix {
                    place: "each service's configuration, [DEFAULT]",
                    setting: "transport_url",
                    value: "rabbit://SERVICE:PASSWORD@HOST:5671/VHOST?ssl=true",
                },
            },
            Self::AdministratorTag => Card {
                id: "administrator-tag",
                subject: Users,
                severity: Warning,
                title: "a user of a service may administrate the broker",
                meaning: "With the tag it gives itself every permission, by the management interface, and takes them from others.",
                fix: Fix { place: CTL, setting: "set_user_tags", value: "USER" },
            },
            Self::WidePermissions => Card {
                id: "wide-permissions",
                subject: Users,
                severity: Warning,
                title: "a user may do more than it needs",
                meaning: "Who may write to everything forges notifications of every service; who may read everything takes them off queues.",
                fix: OWN_PERMISSIONS,
            },
            Self::PublisherRetry => Card {
                id: "publisher-retry",
                subject: Services,
                severity: Warning,
                title: "calls of the API hang while the broker is away",
                meaning: "A notifier tries again for ever by default, and the call that it tells of waits for it.",
                fix: Fix { place: NOTIFICATIONS, setting: "retry", value: "3" },
            },
            Self::LoginSuccessHidden => Card {
                id: "login-success-hidden",
                subject: Services,
                severity: Warning,
                title: "Keystone does not tell of successful logins",
                meaning: "By default it sends failures only: a stolen password that works leaves no trace.",
                fix: Fix {
                    place: "keystone.conf, [DEFAULT]",
                    setting: "notification_opt_out",
                    value: "identity.authenticate.pending",
                },
            },
            Self::BasicFormat => Card {
                id: "basic-format",
                subject: Services,
                severity: Warning,
                title: "Keystone does not say who did it",
                meaning: "Its `basic` format has neither actor nor address nor outcome.",
                fix: Fix { place: "keystone.conf, [DEFAULT]", setting: "notification_format", value: "cadf" },
            },
            Self::ProxyHeadersIgnored => Card {
                id: "proxy-headers-ignored",
                subject: Services,
                severity: Advice,
                title: "a service takes the proxy's address for the client's",
                meaning: "Behind a proxy all requests seem to come from it, unless the service reads the headers that the proxy adds.",
                fix: Fix {
                    place: "each service's configuration, [oslo_middleware]",
                    setting: "enable_proxy_headers_parsing",
                    value: "true",
                },
            },
            Self::TokenOnBus => Card {
                id: "token-on-bus",
                subject: Traffic,
                severity: Critical,
                title: "tokens of users ride on the bus",
                meaning: "Whoever reads a queue can act as those users until their tokens expire. osel removes them; others may not.",
                fix: Fix {
                    place: "the hosts of the services named",
                    setting: "oslo.messaging",
                    value: "14.7.0 or later (2024.1), which leaves them out",
                },
            },
            Self::OneInitiatorAddress => Card {
                id: "one-initiator-address",
                subject: Traffic,
                severity: Warning,
                title: "all clients seem to have one address",
                meaning: "It is the proxy's: from where somebody logged in cannot be told.",
                fix: Fix {
                    place: "keystone.conf and others, [oslo_middleware]",
                    setting: "enable_proxy_headers_parsing",
                    value: "true",
                },
            },
            Self::TroveDefaultKeys => Card {
                id: "trove-default-keys",
                subject: Trove,
                severity: Critical,
                title: "Trove encrypts with keys from its source code",
                meaning: "Everybody can read and forge what the task manager and the guests of databases are told.",
                fix: Fix {
                    place: "trove.conf, [DEFAULT]",
                    setting: "taskmanager_rpc_encr_key, inst_rpc_key_encr_key",
                    value: "32 random characters each, such as of openssl rand -hex 16",
                },
            },
            Self::TrovePlainRpc => Card {
                id: "trove-plain-rpc",
                subject: Trove,
                severity: Critical,
                title: "Trove speaks with its guests in the clear",
                meaning: "Guests share the broker: one that is taken over reads passwords that the others are told.",
                fix: Fix {
                    place: "trove.conf, [DEFAULT]",
                    setting: "enable_secure_rpc_messaging",
                    value: "true",
                },
            },
            Self::StoreUnflushed => Card {
                id: "store-unflushed",
                subject: Store,
                severity: Critical,
                title: "the store's database does not keep what it has acknowledged",
                meaning: "When its machine crashes, messages are lost that the bus no longer has, and the store may be damaged as a whole.",
                fix: Fix { place: POSTGRESQL, setting: "fsync, full_page_writes", value: "on" },
            },
            Self::StoreEarlyCommit => Card {
                id: "store-early-commit",
                subject: Store,
                severity: Warning,
                title: "the store's database acknowledges before it is safe",
                meaning: "osel asks for safe commits in its own sessions. Where a pooler hands them another's, or drops what they asked for, \
                          a crash or a failover loses acknowledged messages.",
                fix: Fix {
                    place: "psql, as osel's role or the superuser",
                    setting: "ALTER ROLE USER SET synchronous_commit",
                    value: "on",
                },
            },
            Self::StoreAsynchronousStandby => Card {
                id: "store-asynchronous-standby",
                subject: Store,
                severity: Warning,
                title: "the store's database has a standby that commits do not wait for",
                meaning: "It lacks the last commits. When it is promoted, messages are lost that were acknowledged to the bus.",
                fix: Fix { place: POSTGRESQL, setting: "synchronous_standby_names", value: "'STANDBY'" },
            },
        }
    }
}

impl Id {
    /// What to know before the fix is applied, where that could do harm or is not all there is to do.
    pub const fn caution(self) -> Option<&'static str> {
        Some(match self {
            Self::TopicNotHeard => "Or leave it and add the topic to `source.topics` of osel.",
            Self::NotificationsUnread => {
                "One policy only is in force for a queue: where there is one already, set this in it."
            }
            Self::ExchangeNotDurable => {
                "Or `rabbit_quorum_queue = true`. In all services at once, after the old exchanges were deleted: a service that \
                 declares one otherwise than it is there is refused."
            }
            Self::NoTls => {
                "With `ssl_ca_file`, and with the port of the listener for TLS in `transport_url`."
            }
            Self::DefaultUser => {
                "First give whoever logs in as it (osel, services) a user of its own: it locks them out."
            }
            Self::SharedUser => "First add a user for each service (rabbitmqctl add_user).",
            Self::AdministratorTag => {
                "It takes all tags: name those to keep, such as `monitoring`, behind the user."
            }
            Self::ExchangeUnreadable | Self::OwnQueueForbidden | Self::WidePermissions => {
                "This is what osel needs; for a service put the names of its own queues and exchanges."
            }
            Self::ProxyHeadersIgnored | Self::OneInitiatorAddress => {
                "The proxy must set X-Forwarded-For itself: what a client sends would be believed otherwise."
            }
            Self::TroveDefaultKeys => {
                "Trove knows no rotation. With another `inst_rpc_key_encr_key` it cannot read the keys of instances that are there \
                 and speaks with them no more; with another `taskmanager_rpc_encr_key` all its services must be restarted at once. \
                 Set them before the first instance, or plan to rebuild those there are."
            }
            Self::StoreUnflushed => {
                "Reload the server, then run `sync` on its machine: what was written before is on disk only after that."
            }
            Self::StoreEarlyCommit => {
                "What is set for the role in this database (`ALTER ROLE … IN DATABASE`) comes before it."
            }
            Self::StoreAsynchronousStandby => {
                "Or never promote it. Commits, and osel with them, wait while a standby that is named is away: with two, \
                 `ANY 1 (STANDBY, STANDBY)` goes on without one."
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_distinct_words_and_nothing_is_left_unsaid() {
        let ids: BTreeSet<&str> = Id::ALL.iter().map(|id| id.card().id).collect();
        assert_eq!(ids.len(), Id::ALL.len());
        for id in Id::ALL {
            let card = id.card();
            assert!(card.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", card.id);
            let texts = [card.title, card.meaning, card.fix.place, card.fix.setting, card.fix.value];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.contains("  ")), "{}", card.id);
            // On the page a fix stands in back quotes.
            assert!(!card.fix.shown(card.fix.setting, card.fix.value).contains('`'), "{}", card.id);
        }
    }

    #[test]
    fn a_command_is_one_for_a_shell_too() {
        let exchanges = ["key.stone", "o'neill"].map(str::to_owned);
        for card in Id::ALL.iter().map(|id| id.card()).filter(|card| card.fix.is_command()) {
            let setting = card.fix.named(Some("region 'two'"), Some("osel"));
            let command = card.fix.shown(&setting, &card.fix.filled(&exchanges));
            let parsed = std::process::Command::new("sh").args(["-n", "-c", &command]).output().unwrap();
            assert!(parsed.status.success(), "{command}: {parsed:?}");
        }
        let fix = Id::WidePermissions.card().fix;
        assert_eq!(fix.named(Some("/"), Some("osel")), "set_permissions --vhost / osel");
        assert_eq!(fix.named(Some("a b"), None), "set_permissions --vhost 'a b' USER");
        let value = fix.filled(&exchanges);
        assert_eq!(value, r"'^osel\.' '^osel\.' '^(osel\..*|key\.stone|o'\''neill)$'");
    }
}
