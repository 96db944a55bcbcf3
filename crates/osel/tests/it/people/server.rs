//! A mail server of its test: aiosmtpd, in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use osel::config::{MailConfig, MailSecurity, Secret, TlsConfig};
use serde_json::{Value, json};

use super::notices;
use crate::broker::{Certificates, free_port, python};
use crate::command::Place;

/// Python starts in a second; a machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// What the server does.
pub(super) struct Habits {
    pub(super) tls: &'static str,
    pub(super) login: Option<[&'static str; 2]>,
    /// Answers to recipients, one after the other; those without one are taken.
    pub(super) recipients: Value,
    /// Answers to mails, one after the other; then all are taken.
    pub(super) answers: &'static [&'static str],
    /// Recipients for whom no mail is fit.
    pub(super) strict: &'static [&'static str],
    /// It does not answer to a goodbye, and says that it heard one.
    pub(super) is_curt: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            tls: "starttls",
            login: None,
            recipients: json!({}),
            answers: &[],
            strict: &[],
            is_curt: false,
        }
    }
}

/// A server.
pub(super) struct Server {
    pub(super) certificates: Certificates,
    pub(super) port: u16,
    mails: Receiver<Value>,
    process: Child,
    _place: Place,
}

impl Server {
    pub(super) fn start(habits: &Habits) -> Self {
        let place = Place::new("mail");
        let certificates = Certificates::make(Path::new(&place.path("tls")), "osel");
        let port = free_port();
        let options = json!({
            "port": port,
            "tls": habits.tls,
            "cert": certificates.server,
            "key": certificates.server_key,
            "login": habits.login,
            "recipients": habits.recipients,
            "answers": habits.answers,
            "strict": habits.strict,
            "is_curt": habits.is_curt,
        });
        // It ends with the test, however that ends.
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(python())
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/mail_server.py"))
            .arg(options.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "listening");
        let (sender, mails) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { certificates, port, mails, process, _place: place }
    }

    /// The next mail that it was handed.
    #[track_caller]
    pub(super) fn mail(&self) -> Value {
        self.mails.recv_timeout(LIMIT).unwrap()
    }

    /// The next thing that it says, while something else goes on.
    pub(super) async fn says(&self) -> Value {
        loop {
            if let Ok(said) = self.mails.try_recv() {
                return said;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Whether it was handed no more.
    pub(super) fn is_quiet(&self) -> bool {
        self.mails.try_recv().is_err()
    }

    /// A table for it.
    pub(super) fn config(&self, security: MailSecurity) -> MailConfig {
        let tls = TlsConfig { ca_file: Some(self.certificates.authority.clone()), ..TlsConfig::default() };
        MailConfig {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            security,
            tls,
            login: None,
            from: "osel <osel@cloud.example>".parse().unwrap(),
            to: vec!["a@cloud.example".parse().unwrap(), "b@cloud.example".parse().unwrap()],
            subject_prefix: "[osel] ".to_owned(),
            hello_name: "ctl1.example".to_owned(),
            answer_seconds: 30,
            notices: notices(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A login.
pub(super) fn login(user: &str, password: &str) -> Option<(Secret, Secret)> {
    Some((Secret::new(user.to_owned()), Secret::new(password.to_owned())))
}
