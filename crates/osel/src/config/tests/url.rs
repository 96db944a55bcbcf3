//! `transport_url`: every form that oslo.messaging takes, and no word of one that is refused.

use std::fmt::Write;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::config::{HOSTS_MAX, TransportUrl, UrlError, UrlOptions};

/// A parsed URL in one line: `user|password@host|port ... vhost [tls]`.
fn shown(text: &str) -> Result<String, UrlError> {
    let url = TransportUrl::parse(text, false)?.url;
    let mut line = String::new();
    for host in &url.hosts {
        let _ = write!(line, "{}|{}@{}|{} ", host.user, host.password.expose(), host.host, host.port);
    }
    line.push_str(&url.vhost);
    line.push_str(if url.tls { " tls" } else { "" });
    Ok(line)
}

#[test]
fn forms() {
    let check = |text: &str, wanted: &str| assert_eq!(shown(text).as_deref(), Ok(wanted), "{text}");
    check("rabbit://u:p@h:5000/v", "u|p@h|5000 v");
    check("  RABBIT://u:p@h/v\n", "u|p@h|5672 v");
    check("rabbit://u1:p1@h1:1,u2:p2@h2/", "u1|p1@h1|1 u2|p2@h2|5672 /");
    check("rabbit://u:p@h", "u|p@h|5672 /");
    check("rabbit://u:p@h?x=1", "u|p@h|5672 /");
    check("rabbit://u:p@h//nova", "u|p@h|5672 /nova");
    check("rabbit://u:p@h/%2Fa%20b", "u|p@h|5672 /a b");
    // Percent-encoding: what is broken stays, what is no UTF-8 is replaced.
    check("rabbit://u%40x:p%2F%3A%2C@h/", "u@x|p/:,@h|5672 /");
    check("rabbit://u:100%@h/", "u|100%@h|5672 /");
    check("rabbit://u:%zz%ff@h/", "u|%zz\u{fffd}@h|5672 /");
    check("rabbit://u:a+b@h/", "u|a+b@h|5672 /");
    // The last `@` ends the user and password, the first `:` the user.
    check("rabbit://u@realm:p:q@h/", "u@realm|p:q@h|5672 /");
    check("rabbit://u:p@[::1]:7,u:p@[2001:db8::2]/", "u|p@::1|7 u|p@2001:db8::2|5672 /");
    check("rabbit://u:p@[fe80::1%eth0]/", "u|p@fe80::1%eth0|5672 /");
    check("rabbit://u:p@2001:db8::2/", "u|p@2001:db8::2|5672 /");
    check("rabbit://u:p@h1,,u:p@h2,/", "u|p@h1|5672 u|p@h2|5672 /");
    // Credentials are not handed on to the next host.
    check("rabbit://u:p@h1,h2/", "u|p@h1|5672 guest|guest@h2|5672 /");
    check("rabbit://u@h/", "u|guest@h|5672 /");
    check("amqp://u:p@h/v", "u|p@h|5672 v");
    check("kombu+amqps://u:p@h/v", "u|p@h|5671 v tls");
    check("amqps://u:p@h:1/v", "u|p@h|1 v tls");
    check("rabbit://u:p@h/v?ssl=True", "u|p@h|5671 v tls");
    check("rabbit://u:p@h/v?ssl=0", "u|p@h|5672 v");
}

#[test]
fn refusals() {
    let check = |text: &str, wanted: UrlError| assert_eq!(shown(text), Err(wanted), "{text}");
    check("", UrlError::NoScheme);
    check("h:5672", UrlError::NoHost);
    check("u:p@h", UrlError::NoHost);
    check("//u:p@h/", UrlError::NoScheme);
    check("rabbit:u@h", UrlError::NoHost);
    check("rabbit://", UrlError::NoHost);
    check("rabbit:///v", UrlError::NoHost);
    check("kafka://h:9092/", UrlError::Scheme);
    check("rabbit+tls://u:p@h/", UrlError::Scheme);
    check("rabbit://u:p@h/\nrabbit://u:p@h/", UrlError::Control);
    check("rabbit://u:p@h1,u:p@/", UrlError::Host(2));
    check("rabbit://u:p@:5672/", UrlError::Host(1));
    check("rabbit://u:p@[::1/", UrlError::Host(1));
    check("rabbit://u:p@[::1]5672/", UrlError::Host(1));
    check("rabbit://u:p@[rabbit]:5672/", UrlError::Host(1));
    for port in ["", "0", "65536", "x", "+1", "1_0"] {
        check(&format!("rabbit://u:p@h1,u:p@h2:{port}/"), UrlError::Port(2));
    }
    check("rabbit://u:p@h/?ssl=perhaps", UrlError::Ssl);
    check(&format!("rabbit://u:p@h/{}", "v".repeat(256)), UrlError::Vhost);
    check(&format!("rabbit://{}", "h,".repeat(HOSTS_MAX + 1)), UrlError::TooManyHosts);
    assert!(shown(&format!("rabbit://{}", "h,".repeat(HOSTS_MAX))).is_ok());
}

#[test]
fn options_with_keys_of_ours_are_kept() {
    let check = |query: &str, wanted: UrlOptions| {
        let parsed = TransportUrl::parse(&format!("rabbit://u:p@h:1/?{query}"), false).unwrap();
        assert_eq!((parsed.options, parsed.notes), (wanted, Vec::new()), "{query}");
    };
    check(
        "ssl=1&ssl_ca_file=/a%20b&ssl_cert_file=/c&ssl_key_file=/k",
        UrlOptions {
            ca_file: Some("/a b".to_owned()),
            cert_file: Some("/c".to_owned()),
            key_file: Some("/k".to_owned()),
            ..UrlOptions::default()
        },
    );
    check(
        "heartbeat_timeout_threshold=60",
        UrlOptions { heartbeat_seconds: Some(60), ..UrlOptions::default() },
    );
    check("rabbit_login_method=EXTERNAL", UrlOptions { external: true, ..UrlOptions::default() });
    check("rabbit_login_method=AMQPLAIN&ssl_ca_file=", UrlOptions::default());
}

#[test]
fn who_logs_in_by_certificate_needs_no_password() {
    let notes = |external| TransportUrl::parse_with("rabbit://h:5671/", true, external).unwrap().notes;
    assert_eq!(notes(true), [""; 0]);
    assert!(matches!(notes(false).as_slice(), [note] if note.contains("`guest` is taken")));
}

#[test]
fn what_is_ignored_is_told() {
    let check = |url: &str, wanted: &[&str]| {
        assert_eq!(TransportUrl::parse(url, false).unwrap().notes, wanted, "{url}");
    };
    check(
        "rabbit://u:p@h:1/?rabbit_quorum_queue=true&kombu_compression=gzip&hunter2=x",
        &[
            "has options that are ignored: `rabbit_quorum_queue`, `kombu_compression`",
            "has 1 options that neither osel nor oslo.messaging knows; they are ignored",
        ],
    );
    check(
        "amqps://u:p@h:1/?ssl_cert_reqs=none",
        &[
            "has options that are ignored: `ssl_cert_reqs`",
            "cannot loosen TLS: certificates and host names are always verified",
        ],
    );
    check(
        "rabbit://u:p@h/?ssl_ca_file=/ca",
        &["has options with files for TLS, which do not count without `ssl=true`"],
    );
    check(
        "rabbit://u:p@h/?ssl=1",
        &[
            "has a host without a port: with TLS osel takes 5671, where oslo.messaging takes 5672; write the port",
        ],
    );
    check(
        "rabbit://u:p@h1:1,h2:1/#x",
        &[
            "what follows `#` is not part of the URL; a `#` in a name or password is written `%23`",
            "has no user or no password for host 2: `guest` is taken, as oslo.messaging does; each host needs its own",
        ],
    );
    check(
        "rabbit://u:p@h/?heartbeat_timeout_threshold=0",
        &["has an option for heartbeats that is no number of seconds from 1 to 65535; it is ignored"],
    );
}

proptest! {
    /// What Python's `quote` wrote is read back.
    #[test]
    fn encoded_parts_come_back(
        hosts in vec(("\\PC{1,12}", "\\PC{1,12}", "[a-z][a-z0-9.-]{0,20}", 1_u16..), 1..6),
        vhost in "\\PC{1,40}",
    ) {
        let quote = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let parts: Vec<String> = hosts
            .iter()
            .map(|(user, password, host, port)| format!("{}:{}@{host}:{port}", quote(user), quote(password)))
            .collect();
        let text = format!("rabbit://{}/{}", parts.join(","), quote(&vhost));
        let parsed = TransportUrl::parse(&text, false).unwrap();
        let read: Vec<_> = parsed
            .url
            .hosts
            .iter()
            .map(|host| (host.user.clone(), host.password.expose().to_owned(), host.host.clone(), host.port))
            .collect();
        prop_assert_eq!(read, hosts);
        prop_assert_eq!(parsed.url.vhost, vhost);
        prop_assert!(parsed.notes.is_empty());
    }

    /// Wherever a password ends up in a URL that is not encoded, nothing that is said shows it.
    #[test]
    fn nothing_that_is_said_shows_a_password(
        before in "(rabbit://|amqps://|)[a-z0-9:@/?#,\\[\\]%=& ]{0,20}",
        after in "[a-z0-9:@/?#,\\[\\]%=& ]{0,20}",
    ) {
        let said = match TransportUrl::parse(&format!("{before}Hunter2{after}"), false) {
            Ok(parsed) => parsed.notes.join("\n"),
            Err(error) => error.to_string(),
        };
        prop_assert!(!said.contains("unter2"), "{}", said);
    }

    /// Any text is read or refused.
    #[test]
    fn any_text_is_survived(text in "\\PC{0,60}", tls: bool) {
        let _ = TransportUrl::parse(&text, tls);
        let _ = TransportUrl::parse(&format!("rabbit://{text}"), tls);
    }
}
