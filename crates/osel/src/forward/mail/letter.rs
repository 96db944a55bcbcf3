//! A notice as a mail.
//!
//! Its name (`Message-ID`) is that of the notice, so that it is the same whenever it is sent, and a mail system that has it can tell. What is over
//! belongs to the same thread as its begin, by names that both refer to and no message has.

use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{MultiPart, SinglePart, header};
use lettre::{Address, Message};
use osel_core::notice::Notice;

use crate::config::MailConfig;
use crate::forward::notice::{link, text, written};
use crate::forward::receiver::Item;

/// A mail.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) from: Address,
    /// The message, in ASCII.
    pub(super) bytes: Vec<u8>,
}

/// The mail of a notice.
///
/// # Errors
/// When it cannot be written down, which is said in a line.
pub(super) fn letter(
    config: &MailConfig,
    forwarder: &str,
    item: &Item,
    notice: &Notice,
) -> Result<Letter, String> {
    let written = written(notice, &config.notices, forwarder, str::to_owned);
    let domain = config.from.email.domain();
    let fault = written.fault.map(|fault| format!("{fault}\n\n")).unwrap_or_default();
    let base = config.notices.link_base.as_deref();
    let (plain, html) = match written.body {
        Some(body) => (body.clone(), preformatted(&body)),
        None => {
            let plain = text(notice, base, forwarder);
            (format!("{fault}{plain}"), format!("{}{}", preformatted(&fault), page(notice, base, forwarder)))
        }
    };
    let mut builder = Message::builder()
        .from(config.from.clone())
        .subject(format!("{}{}", config.subject_prefix, written.subject))
        .date(date(item))
        .message_id(Some(format!("<{}@{domain}>", name(item, notice))));
    for mailbox in &config.to {
        builder = builder.to(mailbox.clone());
    }
    if !notice.threads.is_empty() {
        let store = item.id.split_once('-').map_or("", |(store, _)| store);
        let names: Vec<String> =
            notice.threads.iter().map(|thread| format!("<{thread}.{store}@{domain}>")).collect();
        if let Some(first) = names.first().filter(|_| notice.resolved > 0) {
            builder = builder.in_reply_to(first.clone());
        }
        builder = builder.references(names.join(" "));
    }
    for (name, value) in [
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("List-Id", format!("<{forwarder}.osel.{domain}>")),
        ("X-Osel-Severity", notice.severity.clone()),
    ] {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|error| error.to_string())?;
        builder = builder.raw_header(HeaderValue::new(name, value));
    }
    // The same whenever it is sent; what is encoded has no `=` that is followed by `_`, so that no text can hold it.
    let parts = MultiPart::alternative().boundary(format!("=_osel-{}", item.id));
    let parts = parts.singlepart(SinglePart::plain(plain)).singlepart(SinglePart::html(html));
    let message = builder.multipart(parts);
    let mut message = message.map_err(|error| error.to_string())?;
    message.headers_mut().remove::<header::UserAgent>();
    Ok(Letter { from: config.from.email.clone(), bytes: message.formatted() })
}

/// Names a mail: by the last record that it is about, and where there are several by the first one too. Set back by somebody, a forwarder
/// may come to a message that ends with the same record and tells of more.
pub(super) fn name(item: &Item, notice: &Notice) -> String {
    if notice.first < notice.last { format!("{}.{}", item.id, notice.first) } else { item.id.clone() }
}

/// When the notice was made, so that a message that is sent again is the same.
fn date(item: &Item) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(item.time.micros()).unwrap_or(0))
}

/// A text that is only read, wherever it stands in a page.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn preformatted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<pre>{}</pre>", escaped(text)) }
}

/// The same as the text, with links that can be followed. It loads nothing from anywhere.
fn page(notice: &Notice, base: Option<&str>, forwarder: &str) -> String {
    let mut page = format!(
        "<p><b>{}</b><br>{} to {}</p>",
        escaped(&notice.counts()),
        escaped(&notice.since),
        escaped(&notice.until)
    );
    for group in &notice.groups {
        if group.told > 1 {
            page.push_str(&format!("<p>{} ({} records)</p>", escaped(&group.title), group.told));
        }
        page.push_str("<ul>");
        for line in &group.lines {
            let word = if line.is_resolved { "resolved, was " } else { "" };
            let record = match (base, line.seq) {
                (_, 0) => String::new(),
                (Some(base), seq) => format!(", <a href=\"{}\">record {seq}</a>", escaped(&link(base, seq))),
                (None, seq) => format!(", record {seq}"),
            };
            page.push_str(&format!(
                "<li><b>{word}{}</b> {}{record}<br>{}</li>",
                escaped(&line.severity),
                escaped(&line.time),
                escaped(&line.text)
            ));
        }
        page.push_str("</ul>");
    }
    if notice.more > 0 {
        page.push_str(&format!("<p>{} more: <code>{}</code></p>", notice.more, escaped(&notice.search())));
    }
    page.push_str(&format!("<p><small>osel, forwarder {}</small></p>", escaped(forwarder)));
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MailSecurity, NoticeConfig, TlsConfig};
    use crate::forward::http::tests::item;
    use crate::forward::notice::tests::notice;

    fn config(notices: NoticeConfig) -> MailConfig {
        MailConfig {
            host: "localhost".to_owned(),
            port: 25,
            security: MailSecurity::Nothing,
            tls: TlsConfig::default(),
            login: None,
            from: "osel <osel@cloud.example>".parse().unwrap(),
            to: vec!["a@cloud.example".parse().unwrap(), "Bé <b@cloud.example>".parse().unwrap()],
            subject_prefix: "[osel] ".to_owned(),
            hello_name: "ctl1".to_owned(),
            answer_seconds: 10,
            notices,
        }
    }

    fn sent(config: &MailConfig, notice: &Notice) -> String {
        String::from_utf8(letter(config, "on-call", &item(7, ""), notice).unwrap().bytes).unwrap()
    }

    #[test]
    fn no_name_from_the_cloud_becomes_a_header_or_an_element() {
        let hostile = "web\r\nBcc: evil@x\r\n\r\n<script>alert(1)</script> <img src=x> \"a'b& é\u{202e}";
        let config = config(NoticeConfig {
            subject_template: Some("{{ notice.groups[0].lines[0].text }}".to_owned()),
            ..crate::forward::notice::template_tests::config()
        });
        let mail = sent(&config, &notice(&[hostile]));
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        for line in head.split("\r\n") {
            assert!(
                line.starts_with([' ', '\t'])
                    || line.split(':').next().is_some_and(|name| {
                        [
                            "From",
                            "To",
                            "Subject",
                            "Date",
                            "Message-ID",
                            "References",
                            "Auto-Submitted",
                            "List-Id",
                            "X-Osel-Severity",
                            "MIME-Version",
                            "Content-Type",
                        ]
                        .contains(&name)
                    }),
                "{line}"
            );
        }
        let (_, html) = mail.split_once("Content-Type: text/html").unwrap();
        assert!(mail.is_ascii() && !html.contains("<script") && !html.contains("<img"), "{mail}");
        assert_eq!(escaped("<a b=\"c'd\">&"), "&lt;a b=&quot;c&#39;d&quot;&gt;&amp;");
    }

    #[test]
    fn a_mail_that_is_sent_again_is_the_same() {
        let config = config(crate::forward::notice::template_tests::config());
        let one = sent(&config, &notice(&["ann"]));
        for wanted in [
            "Message-ID: <00-7@cloud.example>\r\n",
            "References: <finding-f00d.00@cloud.example>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "List-Id: <on-call.osel.cloud.example>\r\n",
            "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n",
            "Subject: [osel] critical: ann\r\n",
        ] {
            assert!(one.contains(wanted), "{wanted}: {one}");
        }
        let two = sent(&config, &notice(&["ann", "bob"]));
        assert!(two.contains("Message-ID: <00-7.1@cloud.example>\r\n"), "{two}");
        assert!(!one.contains("In-Reply-To"));
        assert_eq!(one, sent(&config, &notice(&["ann"])));
        let over = Notice { resolved: 1, ..notice(&["ann"]) };
        assert!(sent(&config, &over).contains("In-Reply-To: <finding-f00d.00@cloud.example>\r\n"));
    }
}
