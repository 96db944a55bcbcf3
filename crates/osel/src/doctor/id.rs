//! The closed list of what can be found. Ids are stable: people filter by them.

use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth doing.
    Advice,
    /// Something is not audited, or is open to more people than it should be.
    Warning,
    /// Nothing is audited, what was may be lost whole, or secrets are in the open.
    Critical,
}

impl Severity {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Whether services tell anything at all, and where osel hears it.
    Notifications,
    /// The queues that notifications go to.
    Queues,
    /// The broker itself.
    Broker,
    /// Who may do what on the broker.
    Users,
    /// How services are configured.
    Services,
    /// What notifications hold.
    Traffic,
    /// Trove's encrypted calls.
    Trove,
    /// What osel's store may lose.
    Store,
}

impl Subject {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Queues => "queues",
            Self::Broker => "broker",
            Self::Users => "users",
            Self::Services => "services",
            Self::Traffic => "traffic",
            Self::Trove => "trove",
            Self::Store => "store",
        }
    }
}

/// Declares the checks and the list of all of them, which therefore cannot miss one.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A check, and what it finds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Id {
            $($(#[$doc])* $name,)*
        }

        impl Id {
            /// All of them, in the order in which they are told.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

ids! {
    /// No service sends notifications.
    NoNotifications,
    /// An exchange that osel listens to is not there.
    ExchangeAbsent,
    /// Notifications go to a topic that osel does not listen to.
    TopicNotHeard,
    /// osel may not read an exchange.
    ExchangeUnreadable,
    /// osel may not make, bind or read its own queue.
    OwnQueueForbidden,
    /// While listening, nothing came.
    NothingHeard,
    /// A queue of notifications grows and nobody reads it.
    NotificationsUnread,
    /// Two programs take messages off one queue.
    QueueShared,
    /// The broker discards what was delivered too often.
    DeliveryLimit,
    /// An exchange goes when the broker restarts.
    ExchangeNotDurable,
    /// Somebody speaks with the broker in the clear.
    NoTls,
    /// The user that every RabbitMQ has.
    DefaultUser,
    /// Several services log in as one user.
    SharedUser,
    /// A service's user may administrate the broker.
    AdministratorTag,
    /// A user may do more than it needs.
    WidePermissions,
    /// Calls of the API wait for a broker that is away.
    PublisherRetry,
    /// Keystone does not tell who logged in.
    LoginSuccessHidden,
    /// Keystone does not tell who did it.
    BasicFormat,
    /// A service takes the proxy's address for the client's.
    ProxyHeadersIgnored,
    /// Notifications carry tokens.
    TokenOnBus,
    /// All clients seem to have one address.
    OneInitiatorAddress,
    /// Trove encrypts with a key that everybody can read.
    TroveDefaultKeys,
    /// Trove does not encrypt.
    TrovePlainRpc,
    /// A crash of the database's machine loses or damages the store.
    StoreUnflushed,
    /// Commits of the store are acknowledged before they are safe.
    StoreEarlyCommit,
    /// A standby of the database that no commit waits for.
    StoreAsynchronousStandby,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.card().id)
    }
}
