//! Answers that are none, and those that never end.

use std::time::Duration;

use osel::action::scanner::{Launched, Scanner};
use osel_core::scan::Trouble;
use osel_sim::scanners::gmp::{Fault, Options, What};

use super::{Ground, order_of_two, two};

const OK: &str = r#"<get_tasks_response status="200" status_text="OK">"#;

/// What `find` makes of it when the tasks are answered so.
async fn asked(what: What) -> Result<Option<Launched>, Trouble> {
    let ground = Ground::new(two(), Options::default());
    ground.gvmd.fail(Fault::new(what).on("get_tasks"));
    ground.changed(|config| config.answer_time = Duration::from_secs(20)).find(&order_of_two()).await
}

#[tokio::test]
async fn what_is_no_answer_is_refused() {
    for (text, part) in [
        ("<html><body>502 Bad Gateway</body></html>".to_owned(), "begins with"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n<x/>".to_owned(), "begins with"),
        (r#"<get_targets_response status="200"/>"#.to_owned(), "begins with"),
        ("<get_tasks_response/>".to_owned(), "has no status"),
        (r#"<get_tasks_response status="fine"/>"#.to_owned(), "has no status"),
        (format!("{OK}</get_tasks_response><get_tasks_response status=\"200\"/>"), "goes on after its end"),
        (format!("{OK}<task></get_tasks_response>"), "malformed"),
        (format!("{OK}<task id='1'><name>&lol;</name></task></get_tasks_response>"), "entity `lol`"),
        (
            format!(
                "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>{OK}&b;</get_tasks_response>"
            ),
            "document type with declarations",
        ),
        (
            format!("<!DOCTYPE x SYSTEM \"file:///etc/passwd\" [<!ENTITY % p SYSTEM \"x\">]>{OK}"),
            "document type",
        ),
        (format!("{OK}{}", "<a>".repeat(100)), "nested deeper"),
        (format!("{OK}\0</get_tasks_response>"), "NUL"),
    ] {
        let answer = asked(What::Instead(text.clone())).await;
        assert!(matches!(&answer, Err(Trouble::Garbled(why)) if why.contains(part)), "{text}: {answer:?}");
        assert!(!format!("{answer:?}").contains("passwd"), "{answer:?}");
    }
}

#[tokio::test]
async fn what_never_ends_is_given_up_within_bounds() {
    for (begin, again, part) in [
        // One text, one name, one attribute, one comment.
        (OK.to_owned(), "a", "piece longer than 1048576 bytes"),
        (format!("{OK}<"), "a", "piece longer than"),
        (format!("{OK}<a b='"), "c", "piece longer than"),
        (format!("{OK}<!--"), "d", "piece longer than"),
        (OK.to_owned(), "<a>", "nested deeper than"),
        // Elements without an end.
        (OK.to_owned(), "<task id='1'><name>x</name></task>", "longer than 16777216 bytes"),
        (format!("{OK}<task id='1'><name>"), "&amp;", "piece longer than"),
        (String::new(), " ", "longer than"),
    ] {
        let answer = asked(What::Endless(begin.clone(), again.to_owned())).await;
        assert!(
            matches!(&answer, Err(Trouble::Garbled(why)) if why.contains(part)),
            "{begin}{again}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn silence_and_a_slow_drip_are_given_up_in_time() {
    for what in [What::Hang, What::Drip(Duration::from_millis(100))] {
        let ground = Ground::new(two(), Options::default());
        ground.gvmd.fail(Fault::new(what.clone()).on("get_tasks"));
        let hasty = ground.changed(|config| config.answer_time = Duration::from_secs(1));
        let answer = hasty.find(&order_of_two()).await;
        assert!(
            matches!(&answer, Err(Trouble::Unavailable(why)) if why.contains("in time")),
            "{what:?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_a_broken_connection() {
    let answer = asked(What::CutHalf).await;
    assert!(matches!(&answer, Err(Trouble::Unavailable(why)) if why.contains("ended before")), "{answer:?}");
}

#[tokio::test]
async fn a_bad_answer_to_an_order_leaves_its_effect_open() {
    let ground = Ground::new(two(), Options::default());
    ground.gvmd.fail(Fault::new(What::Instead("<html/>".to_owned())).on("create_task").times(1));
    let answer = ground.gmp.launch(&order_of_two()).await;
    assert!(matches!(&answer, Err(Trouble::Uncertain(why)) if why.contains("<html>")), "{answer:?}");
    ground.gmp.launch(&order_of_two()).await.unwrap();
}

#[tokio::test]
async fn strangers_are_told_so_by_another_name() {
    let text = r#"<gmp_response status="401" status_text="Authenticate first"/>"#;
    let answer = asked(What::Instead(text.to_owned())).await;
    assert!(matches!(answer, Err(Trouble::Denied(_))), "{answer:?}");
}
