//! `type = "mail"`: people, by SMTP.

use std::net::IpAddr;

use lettre::message::Mailbox;
use osel_core::format::Format;

use super::super::endpoint::{client_tls, host_and_port};
use super::super::keys;
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::parts::TlsConfig;
use super::super::section::{Section, boolean, number, one_of, text};
use super::super::{Secret, reference};
use super::kind::{ReceiverConfig, Type};
use super::people::{self, NoticeConfig, with_notice_keys};

/// The port for mail that is handed in, by RFC 6409, and that with TLS from the begin, by RFC 8314.
const STARTTLS_PORT: u16 = 587;
const TLS_PORT: u16 = 465;
/// The port between servers, which one on this host listens at.
const PLAIN_PORT: u16 = 25;
/// The most recipients: more are a list of the mail system.
const RECIPIENTS_MAX: usize = 50;
/// The longest name of a recipient or a list, and the longest beginning of subjects.
const WORD_CHARS_MAX: usize = 200;
/// How long each answer may take: servers look at a message before they take it.
const ANSWER_SECONDS: i64 = 60;
/// The longest: connecting, greeting and a recipient take several, and all have a few minutes together.
const ANSWER_SECONDS_MAX: i64 = 120;

/// People, by mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailConfig {
    /// The server.
    pub host: String,
    /// See `host`.
    pub port: u16,
    /// Whether, and when, TLS begins.
    pub security: MailSecurity,
    /// Whom to trust, and who we say we are.
    pub tls: TlsConfig,
    /// Who we are to the server: a user and a password.
    pub login: Option<(Secret, Secret)>,
    /// Whom mail is from.
    pub from: Mailbox,
    /// To whom; at least one.
    pub to: Vec<Mailbox>,
    /// What subjects begin with.
    pub subject_prefix: String,
    /// What we call ourselves to the server.
    pub hello_name: String,
    /// How long each answer may take, in seconds.
    pub answer_seconds: u32,
    /// What is told, and when.
    pub notices: NoticeConfig,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// After a word in plain text; without it nothing is sent.
    StartTls,
    /// From the begin.
    Tls,
    /// Never.
    Nothing,
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "mail",
    section: keys::Section {
        header: "[[forward]] # type = \"mail\"",
        what: "People, by mail. Records are gathered, so that one message tells many: see docs/forwarders/mail.md.",
        is_optional: true,
        needs: &["name = \"mail\"", "type = \"mail\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::Mail(Box::new(config))),
    format: Format::Sentence,
};

macro_rules! mail_keys {
    ($kind:literal, [$(($name:literal, $otherwise:expr, $what:expr)),* $(,)?]) => {
        &[$(keys::Key { path: concat!("forward.", $kind, ".", $name), otherwise: $otherwise, what: $what },)*]
    };
}

const KEYS: &[keys::Key] = with_notice_keys!(
    mail_keys,
    "mail",
    [
        (
            "server",
            Needed("\"mail.example\""),
            "The server that takes mail from us: `HOST` or `HOST:PORT`; the port is 587, with `security = \"tls\"` 465, with `none` 25."
        ),
        (
            "security",
            Default("\"starttls\""),
            "`starttls`, without which nothing is sent; `tls` from the begin; or `none`, to a server of this host."
        ),
        (
            "insecure",
            Default("false"),
            "Whether `security = \"none\"` is meant for a server elsewhere: everybody on the way reads what is sent, the password too."
        ),
        (
            "ca_file",
            Words("the system's", "\"/etc/osel/ca.pem\""),
            "The authorities that may have signed the server's certificate, as PEM. It is always verified, and read anew for each connection."
        ),
        (
            "cert_file",
            Words("none", "\"/etc/osel/client.pem\""),
            "osel's own certificate and the chain above it, as PEM, where the server asks for one."
        ),
        (
            "key_file",
            Words("the file of the certificate", "\"/etc/osel/client.key\""),
            "The key of that certificate, as PEM."
        ),
        (
            "server_name",
            Words("the host of `server`", "\"mail.internal\""),
            "The name that the server's certificate must have."
        ),
        (
            "user",
            Words("none", "{ file = \"/etc/osel/mail-user\" }"),
            "Who we are to the server, where it asks."
        ),
        ("password", Words("none", "{ file = \"/etc/osel/mail-password\" }"), "The password for it."),
        (
            "sender",
            Needed("\"osel <osel@cloud.example>\""),
            "Whom mail is from: an address, with a name before it in `<>` or without."
        ),
        (
            "to",
            Needed("[\"security@cloud.example\"]"),
            "To whom: up to 50 such addresses. One that the server refuses keeps it from no other."
        ),
        ("subject_prefix", Default("\"[osel] \""), "What each subject begins with."),
        (
            "hello_name",
            Words("what the system says", "\"ctl1.example\""),
            "What osel calls this machine to the server."
        ),
        (
            "answer_seconds",
            Default("60"),
            "How long each answer may take, up to 120; that to a mail itself has ten minutes, since giving up would send it twice."
        ),
    ]
);

fn read(section: &mut Section<'_>) -> Option<MailConfig> {
    let ways =
        [("starttls", MailSecurity::StartTls), ("tls", MailSecurity::Tls), ("none", MailSecurity::Nothing)];
    let security = section.read("security", |node| one_of(node, &ways)).unwrap_or(MailSecurity::StartTls);
    let port = match security {
        MailSecurity::StartTls => STARTTLS_PORT,
        MailSecurity::Tls => TLS_PORT,
        MailSecurity::Nothing => PLAIN_PORT,
    };
    let server = section.read("server", |node| {
        host_and_port(text(node)?, port).ok_or_else(|| "must be `HOST` or `HOST:PORT`".to_owned())
    });
    if server.is_none() && !section.was_given("server") {
        section.missing("server", "name the server, such as \"mail.example\"");
    }
    let is_insecure = section.read("insecure", boolean).unwrap_or(false);
    if let (MailSecurity::Nothing, Some((host, _)), false) = (security, &server, is_insecure) {
        let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if !is_here {
            let what =
                "would show mail to everybody on the way: leave it out, or write insecure = true as well";
            section.problem(&section.origin().clone(), "security", what);
        }
    }
    let tls = client_tls(section);
    let login = login(section);
    // `from` says where in the trail a forwarder begins.
    let from = section.read("sender", mailbox);
    if from.is_none() && !section.was_given("sender") {
        section.missing("sender", "write \"osel@cloud.example\" or the like");
    }
    let to = section.list("to", 1..=RECIPIENTS_MAX, mailbox_of);
    if to.is_none() && !section.was_given("to") {
        section.missing("to", "write [\"security@cloud.example\"] or the like");
    }
    let subject_prefix = section.read("subject_prefix", |node| word(text(node)?));
    let hello_name = section.read("hello_name", |node| {
        let name = text(node)?;
        let is_name = !name.is_empty()
            && name.len() <= WORD_CHARS_MAX
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte));
        if is_name { Ok(name.to_owned()) } else { Err("must be the name of a host".to_owned()) }
    });
    let seconds = section.read("answer_seconds", |node| number(node, 1..=ANSWER_SECONDS_MAX));
    let notices = people::read(section);
    let (host, port) = server?;
    Some(MailConfig {
        host,
        port,
        security,
        tls,
        login: login?,
        from: from?,
        to: to?,
        subject_prefix: subject_prefix.unwrap_or_else(|| "[osel] ".to_owned()),
        hello_name: hello_name.unwrap_or_else(own_name),
        answer_seconds: u32::try_from(seconds.unwrap_or(ANSWER_SECONDS)).unwrap_or(u32::MAX),
        notices,
    })
}

/// The user and the password: both, or neither.
fn login(section: &mut Section<'_>) -> Option<Option<(Secret, Secret)>> {
    let is_given = ["user", "password"].map(|key| reference::is_given(section, key));
    if is_given == [false, false] {
        // Nobody gave them; they are keys all the same.
        let _ = (section.take("user"), section.take("password"));
        return Some(None);
    }
    // Who we are need not be a secret.
    let user = reference::secret_if(|_| false, section, "user", "`password` is that of a user");
    let password = reference::secret(section, "password", "write { file = \"…\" }");
    let secret = |(text, _): (zeroize::Zeroizing<String>, _)| Secret::new(text.to_string());
    Some(Some((secret(user?), secret(password?))))
}

fn mailbox(node: &super::super::tree::Node) -> Result<Mailbox, String> {
    mailbox_of(text(node)?)
}

fn mailbox_of(given: &str) -> Result<Mailbox, String> {
    let wrong =
        || "must be an address such as `osel@cloud.example` or `osel <osel@cloud.example>`".to_owned();
    if given.chars().any(char::is_control) || given.chars().count() > WORD_CHARS_MAX {
        return Err(wrong());
    }
    let mailbox: Mailbox = given.parse().map_err(|_| wrong())?;
    // Beyond ASCII only names go by every server; they are encoded.
    if mailbox.email.to_string().is_ascii() { Ok(mailbox) } else { Err(wrong()) }
}

fn word(given: &str) -> Result<String, String> {
    if given.chars().any(char::is_control) || given.chars().count() > WORD_CHARS_MAX {
        return Err(format!("must have at most {WORD_CHARS_MAX} characters in one line"));
    }
    Ok(given.to_owned())
}

/// What the system calls this machine; a server that insists on a name with points in it is given one by `hello_name`.
fn own_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
