//! How a simulated Splunk is set up, and how it behaves; may be changed while it runs.

/// The set-up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may send.
    pub tokens: Vec<Token>,
    /// Whether the collector says that it is busy (code 9).
    pub is_busy: bool,
    /// Whether its queues are full (18 when asked for its health, 9 to events).
    pub is_full: bool,
    /// Whether it is going down (23).
    pub is_ending: bool,
    /// So many questions after an acknowledgement are answered by no before the indexer has written what it is about.
    pub polls_until_written: u32,
    /// Whether acknowledgements get lost, so that none is ever given though all is written.
    pub loses_acks: bool,
    /// The code for all events, with its status, before they are looked at; for codes of which nothing else is simulated.
    pub refusal: Option<(u16, u16)>,
    /// The header `Retry-After` of refusals.
    pub retry_after: Option<u32>,
    /// Events whose text has this are no valid format (6).
    pub poison: Option<String>,
    /// Whether a cookie names the machine behind the balancer, as it must be sent back.
    pub needs_cookie: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tokens: vec![Token::new("a-token")],
            is_busy: false,
            is_full: false,
            is_ending: false,
            polls_until_written: 0,
            loses_acks: false,
            refusal: None,
            retry_after: None,
            poison: None,
            needs_cookie: false,
        }
    }
}

/// A token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its text.
    pub value: String,
    /// Whether it is switched off.
    pub is_disabled: bool,
    /// Whether it has indexer acknowledgement.
    pub has_acks: bool,
    /// The indexes that it allows; all of them where there are none here.
    pub indexes: Vec<String>,
    /// The index of events that name none.
    pub default_index: String,
}

impl Token {
    /// One that allows everything, without acknowledgements.
    pub fn new(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            is_disabled: false,
            has_acks: false,
            indexes: Vec::new(),
            default_index: "main".to_owned(),
        }
    }
}
