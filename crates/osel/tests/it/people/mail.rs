//! The driver of mail against a real server.

use std::net::TcpListener;

use osel::config::{MailConfig, MailSecurity, ReceiverConfig, TlsConfig};
use osel::forward::mail::Mail;
use osel::forward::receiver::Receiver;
use osel_core::forward::{Refusal, RefusalKind, Taken};
use osel_core::notice::Notice;
use serde_json::{Value, json};

use super::server::{Habits, Server, login};
use super::{always, batch, notice};

fn driver(config: &MailConfig) -> Mail {
    Mail::new("people", config.clone(), always(ReceiverConfig::Mail(Box::new(config.clone()))))
}

async fn refused(config: &MailConfig) -> Refusal {
    driver(config).send(&batch(1, &notice(&["ann"]))).await.unwrap_err()
}

#[tokio::test]
async fn a_mail_comes_over_tls_with_a_login_and_says_the_same_as_text_and_as_a_page() {
    for (tls, security) in [("starttls", MailSecurity::StartTls), ("implicit", MailSecurity::Tls)] {
        let server = Server::start(&Habits { tls, login: Some(["osel", "hunter2"]), ..Habits::default() });
        let config = MailConfig { login: login("osel", "hunter2"), ..server.config(security) };
        let mut mail = driver(&config);
        assert_eq!(mail.check().await, Ok(Some("mail.test would take mail".to_owned())));
        let hostile = "ann opened <b>web</b> é\u{202e} \"@all";
        assert_eq!(mail.send(&batch(1, &notice(&[hostile]))).await, Ok(Taken::Kept));
        let told = server.mail();
        assert_eq!((&told["tls"], &told["authenticated"]), (&json!(true), &json!(true)), "{told}");
        assert_eq!(told["rcpt"], json!(["a@cloud.example", "b@cloud.example"]));
        assert_eq!(told["defects"], json!([]));
        let headers = &told["headers"];
        assert_eq!(headers["message-id"], format!("<{:032x}-1@cloud.example>", 7));
        assert_eq!(headers["from"], "osel <osel@cloud.example>");
        assert_eq!(headers["auto-submitted"], "auto-generated");
        assert_eq!(headers["list-id"], "<people.osel.cloud.example>");
        assert!(
            headers["subject"].as_str().unwrap().starts_with("[osel] critical: ann opened <b>web</b> é"),
            "{headers}"
        );
        assert!(told["plain"].as_str().unwrap().contains(hostile), "{told}");
        let html = told["html"].as_str().unwrap();
        assert!(html.contains("&lt;b&gt;web&lt;/b&gt;") && !html.contains("<b>web"), "{html}");
        assert!(html.contains("href=\"https://osel.example/records/1\""), "{html}");
        let wrong = MailConfig { login: login("osel", "hunter3"), ..config.clone() };
        let refusal = refused(&wrong).await;
        assert_eq!(refusal.kind, RefusalKind::Denied, "{}", refusal.words);
        assert!(!refusal.words.contains("hunter3"));
    }
}

#[tokio::test]
async fn who_is_not_trusted_is_sent_nothing() {
    let server = Server::start(&Habits { tls: "starttls", ..Habits::default() });
    let good = server.config(MailSecurity::StartTls);
    let name = Some("mail.example".to_owned());
    let strange = MailConfig { tls: TlsConfig { server_name: name, ..good.tls.clone() }, ..good.clone() };
    assert_eq!(refused(&strange).await.kind, RefusalKind::Denied);
    let plain = Server::start(&Habits { tls: "none", ..Habits::default() });
    let wanted = MailConfig { port: plain.port, ..good };
    let refusal = refused(&wanted).await;
    assert_eq!(refusal.kind, RefusalKind::Denied);
    assert!(refusal.words.contains("does not offer STARTTLS"), "{}", refusal.words);
    assert!(server.is_quiet() && plain.is_quiet());
    let without = MailConfig { security: MailSecurity::Nothing, ..wanted };
    assert_eq!(driver(&without).send(&batch(1, &notice(&["ann"]))).await, Ok(Taken::Kept));
}

#[tokio::test]
async fn words_that_come_before_tls_are_not_believed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::start(&Habits::default());
    let config = MailConfig { port, ..server.config(MailSecurity::StartTls) };
    let liar = std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        stream.write_all(b"220 mail\r\n").unwrap();
        lines.next().unwrap().unwrap();
        stream.write_all(b"250-mail\r\n250 STARTTLS\r\n").unwrap();
        lines.next().unwrap().unwrap();
        stream.write_all(b"220 go on\r\n250 AUTH PLAIN\r\n").unwrap();
        // Until the other end has had enough.
        assert!(lines.next().is_none_or(|line| line.is_err()));
    });
    let refusal = refused(&config).await;
    assert_eq!(refusal.kind, RefusalKind::Denied);
    assert!(refusal.words.contains("more than it was asked"), "{}", refusal.words);
    liar.join().unwrap();
}

#[tokio::test]
async fn one_recipient_keeps_no_other_from_their_mail() {
    let recipients = json!({"a@cloud.example": ["550 nobody of that name"]});
    let server = Server::start(&Habits { recipients, ..Habits::default() });
    let mut mail = driver(&server.config(MailSecurity::StartTls));
    assert_eq!(mail.send(&batch(1, &notice(&["ann"]))).await, Ok(Taken::Kept));
    assert_eq!(server.mail()["rcpt"], json!(["b@cloud.example"]));
    // One who is to come later gets it later, and the others once.
    let recipients = json!({"a@cloud.example": ["451 later", "451 later"]});
    let server = Server::start(&Habits { recipients, ..Habits::default() });
    let mut mail = driver(&server.config(MailSecurity::StartTls));
    for _ in 0..2 {
        let refusal = mail.send(&batch(1, &notice(&["ann"]))).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unavailable, "{}", refusal.words);
    }
    assert_eq!(mail.send(&batch(1, &notice(&["ann"]))).await, Ok(Taken::Kept));
    let both = [server.mail(), server.mail()].map(|mail| mail["rcpt"].clone());
    assert_eq!(both, [json!(["b@cloud.example"]), json!(["a@cloud.example"])]);
    assert!(server.is_quiet());
    // Nobody at all: somebody has to act, and the message waits.
    let nobody = json!(["550 nobody of that name"]);
    let recipients = json!({"a@cloud.example": nobody, "b@cloud.example": nobody});
    let server = Server::start(&Habits { recipients, ..Habits::default() });
    let mut mail = driver(&server.config(MailSecurity::StartTls));
    let refusal = mail.send(&batch(1, &notice(&["ann"]))).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unfit);
    assert!(refusal.words.contains("nobody of that name"), "{}", refusal.words);
    assert_eq!(mail.send(&batch(1, &notice(&["ann"]))).await, Ok(Taken::Kept));
}

#[tokio::test]
async fn what_is_refused_comes_without_what_the_cloud_has_named() {
    for answer in [&["552 too large"], &["554 looks like spam"]] {
        let server = Server::start(&Habits { answers: answer, ..Habits::default() });
        let mut mail = driver(&server.config(MailSecurity::StartTls));
        assert_eq!(mail.send(&batch(1, &notice(&["buy pills", "now"]))).await, Ok(Taken::Kept));
        let (first, second) = (server.mail(), server.mail());
        assert!(first["plain"].as_str().unwrap().contains("buy pills"));
        let plain = second["plain"].as_str().unwrap();
        assert!(!second.to_string().contains("pills"), "{second}");
        assert!(plain.contains("2 records: osel audit search --seq 1..2"), "{plain}");
        assert_eq!(first["headers"]["message-id"], second["headers"]["message-id"]);
    }
    let strict = &["a@cloud.example", "b@cloud.example"];
    let server = Server::start(&Habits { strict, ..Habits::default() });
    assert_eq!(refused(&server.config(MailSecurity::StartTls)).await.kind, RefusalKind::Unfit);
}

#[tokio::test]
async fn one_recipient_for_whom_no_mail_is_fit_keeps_no_other_from_theirs() {
    let server = Server::start(&Habits { strict: &["a@cloud.example"], ..Habits::default() });
    let mut mail = driver(&server.config(MailSecurity::StartTls));
    for number in 1..=2 {
        assert_eq!(mail.send(&batch(number, &notice(&["ann"]))).await, Ok(Taken::Kept));
        let taken: Vec<Value> =
            (0..4).map(|_| server.mail()).filter(|mail| mail["answer"] == "250 taken").collect();
        let [taken] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!(taken["rcpt"], json!(["b@cloud.example"]));
        assert!(server.is_quiet());
    }
}

#[tokio::test]
async fn a_mail_that_is_put_off_once_it_is_known_comes_later_to_those_who_have_it_not() {
    let recipients = json!({"b@cloud.example": ["451 later"]});
    let server =
        Server::start(&Habits { recipients, answers: &["250 taken", "451 later"], ..Habits::default() });
    let mut mail = driver(&server.config(MailSecurity::StartTls));
    for _ in 0..2 {
        let refusal = mail.send(&batch(1, &notice(&["ann"]))).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unavailable, "{}", refusal.words);
    }
    assert_eq!(mail.send(&batch(1, &notice(&["ann"]))).await, Ok(Taken::Kept));
    let mails = [server.mail(), server.mail(), server.mail()].map(|mail| mail["rcpt"].clone());
    assert_eq!(mails, [json!(["a@cloud.example"]), json!(["b@cloud.example"]), json!(["b@cloud.example"])]);
    assert!(server.is_quiet());
}

#[tokio::test]
async fn a_server_that_is_slow_gets_several_mails_and_each_recipient_one() {
    let server = Server::start(&Habits::default());
    // Two answers of that length are all the time that there is: only the first recipient is asked for.
    let config = MailConfig { answer_seconds: 150, ..server.config(MailSecurity::StartTls) };
    let mut mail = driver(&config);
    let refusal = mail.send(&batch(1, &notice(&["ann"]))).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    assert!(refusal.words.contains("1 of 2 recipients"), "{}", refusal.words);
    assert_eq!(mail.send(&batch(1, &notice(&["ann"]))).await, Ok(Taken::Kept));
    let both = [server.mail(), server.mail()].map(|mail| mail["rcpt"].clone());
    assert_eq!(both, [json!(["a@cloud.example"]), json!(["b@cloud.example"])]);
    assert!(server.is_quiet());
}

#[tokio::test]
async fn a_call_that_is_given_up_once_the_mail_is_taken_sends_it_no_second_time() {
    let server = Server::start(&Habits { is_curt: true, ..Habits::default() });
    let mut mail = driver(&server.config(MailSecurity::StartTls));
    let said = batch(1, &notice(&["ann"]));
    tokio::select! {
        // A machine that was so busy that the goodbye was given up has nothing to show.
        taken = mail.send(&said) => return assert_eq!(taken, Ok(Taken::Kept)),
        () = async {
            assert_eq!(server.says().await["rcpt"], json!(["a@cloud.example", "b@cloud.example"]));
            assert_eq!(server.says().await, "goodbye");
        } => {}
    }
    mail.reset();
    assert_eq!(mail.send(&said).await, Ok(Taken::Kept));
    assert!(server.is_quiet());
}

#[tokio::test]
async fn what_is_not_taken_now_is_taken_later_under_the_same_name() {
    let server = Server::start(&Habits { answers: &["451 later", "drop"], ..Habits::default() });
    let mut mail = driver(&server.config(MailSecurity::StartTls));
    let over = Notice { resolved: 1, ..notice(&["ann"]) };
    for _ in 0..2 {
        let refusal = mail.send(&batch(1, &over)).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unavailable, "{}", refusal.words);
        mail.reset();
    }
    assert_eq!(mail.send(&batch(1, &over)).await, Ok(Taken::Kept));
    let mails = [server.mail(), server.mail(), server.mail()];
    let names: Vec<String> = mails.iter().map(|mail| mail["headers"].to_string()).collect();
    assert!(names[0] == names[1] && names[1] == names[2], "{names:?}");
    let thread = format!("<finding-f00d.{:032x}@cloud.example>", 7);
    assert_eq!(mails[0]["headers"]["in-reply-to"], thread);
    assert_eq!(mails[0]["headers"]["references"], thread);
    let away = MailConfig { port: crate::broker::free_port(), ..server.config(MailSecurity::StartTls) };
    assert_eq!(refused(&away).await.kind, RefusalKind::Unavailable);
}
