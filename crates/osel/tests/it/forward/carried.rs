//! What becomes of records between the store and a receiver.

use osel_core::engine::ForwarderOrder;

use super::ground::Ground;
use crate::broker::until;
use crate::daemon::LIMIT;

pub fn table(name: &str, further: &str) -> String {
    format!("[[forward]]\nname = '{name}'\ntype = 'file'\npath = '{name}.jsonl'\n{further}")
}

/// The numbers from one to another.
pub fn all(from: u64, to: u64) -> Vec<u64> {
    (from..=to).collect()
}

#[test]
fn a_receiver_that_hangs_holds_up_neither_another_nor_the_bus() {
    let mut ground = Ground::new("forward-hangs");
    let (siem, stuck) = (ground.clerk("siem"), ground.clerk("stuck"));
    stuck.hangs();
    ground.start(&format!("{}{}", table("siem", ""), table("stuck", "")));
    ground.captured("a", 300);
    until("300 records are delivered", LIMIT, || ground.row("siem").delivered >= 300);
    ground.captured("b", 50);
    until("and 50 more", LIMIT, || ground.row("siem").delivered >= 350);
    assert_eq!(siem.records(), all(1, ground.head()));
    let ids = siem.ids();
    assert_eq!(ids[0], format!("{}-1", "a5".repeat(16)));
    assert_eq!((ground.row("stuck").place, stuck.records()), (0, Vec::new()));
    ground.stop();
}

#[test]
fn a_forwarder_goes_on_where_it_was() {
    let mut ground = Ground::new("forward-goes-on");
    let siem = ground.clerk("siem");
    ground.captured("a", 30);
    ground.start(&table("siem", ""));
    until("30 records are delivered", LIMIT, || siem.records().len() >= 30);
    ground.stop();
    let (before, row) = (siem.records(), ground.row("siem"));
    assert_eq!(row.place, before.len() as u64, "what was taken is kept when it stops in order");
    ground.captured("b", 30);
    ground.start(&table("siem", ""));
    until("30 more", LIMIT, || siem.records().len() >= before.len() + 30);
    ground.stop();
    assert_eq!(siem.records(), all(1, ground.head()));
    assert_eq!(siem.resumed(), 2);
    // One that is not configured any more keeps its place.
    ground.captured("c", 5);
    ground.start("");
    until("5 more records", LIMIT, || ground.head() >= row.place + 35);
    ground.stop();
    assert_eq!(ground.row("siem").place, siem.records().len() as u64);
}

#[test]
fn a_receiver_that_was_away_gets_everything_once_it_is_back() {
    let mut ground = Ground::new("forward-away");
    let siem = ground.clerk("siem");
    siem.is_away(true);
    ground.start(&table("siem", ""));
    ground.captured("a", 40);
    until("the store says why", LIMIT, || {
        ground.row("siem").trouble.is_some_and(|(_, words)| words == "unavailable: as the test wants")
    });
    until("the bus is heard", LIMIT, || ground.head() >= 40);
    until("each batch that was not taken is counted", LIMIT, || ground.row("siem").retries >= 2);
    assert_eq!((siem.records(), ground.row("siem").place), (Vec::new(), 0));
    siem.is_away(false);
    until("it gets everything", LIMIT, || ground.row("siem").delivered >= 40);
    assert_eq!(siem.records(), all(1, ground.head()));
    until("nothing is wrong any more", LIMIT, || ground.row("siem").trouble.is_none());
    ground.stop();
}

#[test]
fn a_forwarder_that_is_set_to_the_end_has_no_trouble_any_more() {
    let mut ground = Ground::new("forward-nothing-left");
    let siem = ground.clerk("siem");
    siem.is_away(true);
    ground.captured("a", 10);
    ground.start(&table("siem", "event_types = ['network.']\n"));
    until("it is in trouble", LIMIT, || ground.head() >= 10 && ground.row("siem").trouble.is_some());
    // The order's own record does not pass the filter.
    ground.order("siem", ForwarderOrder::Rewind { seq: ground.head() });
    until("nothing is left", LIMIT, || {
        let row = ground.row("siem");
        row.place == ground.head() && row.trouble.is_none()
    });
    ground.stop();
}

#[test]
fn what_a_receiver_will_not_take_waits_as_a_dead_letter_until_it_is_sent_again() {
    let mut ground = Ground::new("forward-dead");
    let siem = ground.clerk("siem");
    siem.refuses([3, 7, 20]);
    ground.start(&table("siem", ""));
    ground.captured("a", 30);
    until("the others are delivered", LIMIT, || ground.row("siem").place >= 30);
    let row = ground.row("siem");
    assert_eq!((row.dead, row.delivered), (3, row.place - 3));
    let dead = |ground: &Ground| ground.dead("siem").iter().map(|letter| letter.key.seq).collect::<Vec<_>>();
    assert_eq!(dead(&ground), [3, 7, 20]);
    assert!(ground.dead("siem").iter().all(|letter| letter.why == "as the test wants" && !letter.resend));
    // It was mended for two of them, of which one is wanted.
    siem.refuses([20]);
    ground.order("siem", ForwarderOrder::Resend { seq: Some(7) });
    until("one is taken", LIMIT, || dead(&ground) == [3, 20]);
    ground.order("siem", ForwarderOrder::Resend { seq: None });
    until("another is taken", LIMIT, || dead(&ground) == [20]);
    until("and told to the account", LIMIT, || ground.row("siem").dead == 1);
    assert_eq!(siem.records().iter().filter(|seq| [3, 7].contains(seq)).copied().collect::<Vec<_>>(), [7, 3]);
    // Given up, it is dead for ever.
    ground.order("siem", ForwarderOrder::Discard { seq: Some(20) });
    until("it is gone", LIMIT, || dead(&ground).is_empty());
    ground.stop();
    assert_eq!((ground.row("siem").dead, dead(&ground)), (1, Vec::new()));
}

#[test]
fn a_forwarder_that_is_set_back_sends_everything_from_there_again_with_the_same_ids() {
    let mut ground = Ground::new("forward-rewind");
    let siem = ground.clerk("siem");
    siem.refuses([4, 25]);
    ground.start(&table("siem", ""));
    ground.captured("a", 30);
    until("the others are delivered", LIMIT, || ground.row("siem").place >= 30);
    let first = siem.ids();
    siem.refuses([]);
    ground.order("siem", ForwarderOrder::Rewind { seq: 10 });
    let head = ground.head();
    until("it has come to the end again", LIMIT, || ground.row("siem").place == head);
    let row = ground.row("siem");
    assert_eq!((row.begin, row.delivered, row.dead), (10, head - 10, 0));
    // Of the letters those before stay.
    assert_eq!(ground.dead("siem").iter().map(|letter| letter.key.seq).collect::<Vec<_>>(), [4]);
    let again: Vec<u64> = siem.records()[first.len()..].to_vec();
    assert_eq!(again, all(11, head));
    let ids = siem.ids();
    let (before, after) = ids.split_at(first.len());
    assert!(before.iter().filter(|id| !id.ends_with("-4")).skip(9).all(|id| after.contains(id)), "{ids:?}");
    ground.stop();
    // Also without a daemon, by the order's record alone.
    ground.start(&table("siem", ""));
    ground.order("siem", ForwarderOrder::Rewind { seq: 0 });
    ground.stop();
    assert_eq!(ground.row("siem").begin, 0);
}

#[test]
fn what_does_not_pass_the_filter_is_counted_and_not_sent() {
    let mut ground = Ground::new("forward-filter");
    let (some, none) = (ground.clerk("some"), ground.clerk("none"));
    ground.start(&format!(
        "{}{}",
        table("some", "event_types = ['network.']\n"),
        table("none", "kinds = ['finding']\nfrom = 'now'\n")
    ));
    ground.captured("a", 30);
    until("both have come to the end", LIMIT, || {
        let head = ground.head();
        head >= 30 && [ground.row("some"), ground.row("none")].iter().all(|row| row.place == head)
    });
    assert_eq!((ground.row("some").delivered, some.records().len()), (30, 30));
    let row = ground.row("none");
    assert_eq!((row.filtered, row.delivered, none.records().len()), (row.place - row.begin, 0, 0));
    ground.stop();
}
