//! `type = "slack"`, `"mattermost"`, `"teams"`: people, in a room for chat, by a webhook that somebody has made for it.

use osel_core::format::Format;

use super::super::keys;
use super::super::keys::Otherwise::{Needed, Words};
use super::super::section::Section;
use super::super::{Secret, reference};
use super::http::{self, HttpReceiverConfig, http_keys};
use super::kind::{ReceiverConfig, Type};
use super::people::{self, NoticeConfig, with_notice_keys};

/// The longest name that messages are from, and the longest URL of its picture.
const NAME_BYTES_MAX: usize = 200;

/// A room for chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatConfig {
    /// Where it is.
    pub service: ChatService,
    /// The webhook; whoever knows it can write there.
    pub url: Secret,
    /// Whom messages are from, where the service lets us say.
    pub user_name: Option<String>,
    /// The URL of a picture of whom they are from.
    pub icon_url: Option<String>,
    /// How it is reached.
    pub http: HttpReceiverConfig,
    /// What is told, and when.
    pub notices: NoticeConfig,
}

/// A service for chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatService {
    /// Slack.
    Slack,
    /// Mattermost.
    Mattermost,
    /// Microsoft Teams.
    Teams,
}

impl ChatService {
    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        self.of_type().name
    }

    pub(super) fn of_type(self) -> &'static Type {
        match self {
            Self::Slack => &SLACK,
            Self::Mattermost => &MATTERMOST,
            Self::Teams => &TEAMS,
        }
    }
}

/// Slack.
pub(super) const SLACK: Type = Type {
    name: "slack",
    section: keys::Section {
        header: "[[forward]] # type = \"slack\"",
        what: "People, in a channel of Slack: see docs/forwarders/chat.md.",
        is_optional: true,
        needs: &["name = \"slack\"", "type = \"slack\""],
    },
    keys: with_notice_keys!(
        http_keys,
        "slack",
        [(
            "url",
            Needed("{ file = \"/etc/osel/slack-url\" }"),
            "The incoming webhook. Whoever knows it can write there, so it is a secret."
        )]
    ),
    read: |section| read(section, ChatService::Slack).map(|config| ReceiverConfig::Chat(Box::new(config))),
    format: Format::Sentence,
};

/// Mattermost.
pub(super) const MATTERMOST: Type = Type {
    name: "mattermost",
    section: keys::Section {
        header: "[[forward]] # type = \"mattermost\"",
        what: "People, in a channel of Mattermost: see docs/forwarders/chat.md.",
        is_optional: true,
        needs: &["name = \"mattermost\"", "type = \"mattermost\""],
    },
    keys: with_notice_keys!(
        http_keys,
        "mattermost",
        [
            (
                "url",
                Needed("{ file = \"/etc/osel/mattermost-url\" }"),
                "The incoming webhook. Whoever knows it can write there, so it is a secret."
            ),
            (
                "user_name",
                Words("that of the webhook", "\"osel\""),
                "Whom messages are from; the server has to allow it (`EnablePostUsernameOverride`)."
            ),
            (
                "icon_url",
                Words("that of the webhook", "\"https://osel.example/osel.png\""),
                "A picture of whom they are from; the server has to allow it (`EnablePostIconOverride`)."
            ),
        ]
    ),
    read: |section| {
        read(section, ChatService::Mattermost).map(|config| ReceiverConfig::Chat(Box::new(config)))
    },
    format: Format::Sentence,
};

/// Teams.
pub(super) const TEAMS: Type = Type {
    name: "teams",
    section: keys::Section {
        header: "[[forward]] # type = \"teams\"",
        what: "People, in a channel of Microsoft Teams, by a workflow: see docs/forwarders/chat.md.",
        is_optional: true,
        needs: &["name = \"teams\"", "type = \"teams\""],
    },
    keys: with_notice_keys!(
        http_keys,
        "teams",
        [(
            "url",
            Needed("{ file = \"/etc/osel/teams-url\" }"),
            "The workflow's URL (When a Teams webhook request is received). Whoever knows it can write there, so it is a secret."
        )]
    ),
    read: |section| read(section, ChatService::Teams).map(|config| ReceiverConfig::Chat(Box::new(config))),
    format: Format::Sentence,
};

fn read(section: &mut Section<'_>, service: ChatService) -> Option<ChatConfig> {
    let url = reference::secret(section, "url", "write { file = \"…\" }");
    let url = url.and_then(|(url, origin)| match http::url(&url) {
        Ok(_) => Some(Secret::new(url.to_string())),
        Err(what) => {
            section.problem(&origin, "url", what);
            None
        }
    });
    let mut word = |key| match service {
        ChatService::Mattermost => section.read(key, |node| http::word(node, NAME_BYTES_MAX)),
        ChatService::Slack | ChatService::Teams => None,
    };
    let (user_name, icon_url) = (word("user_name"), word("icon_url"));
    let http = http::read(section);
    let notices = people::read(section);
    Some(ChatConfig { service, url: url?, user_name, icon_url, http: http?, notices })
}
