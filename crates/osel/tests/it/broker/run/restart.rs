//! A broker that is killed and comes back without the services' exchanges: whatever is missing lies in a gap, and the gap is no wider.

use osel_core::time::Timestamp;

use super::super::{Broker, Client, until};
use super::{LIMIT, Osel, add_user, await_bound_again, now, publish, url};

/// What a gap may be wider than the outage (issue of the bus).
const SLACK_SECONDS: i64 = 5;

fn plus_seconds(time: &str, seconds: i64) -> String {
    Timestamp::parse(time).unwrap().plus_seconds(seconds).to_string()
}

/// What happened about one loss of the broker.
struct Loss {
    /// Just before it was killed, and when the service had its exchange again.
    killed: String,
    back: String,
    /// Published and confirmed since then, without knowing whether osel is bound again.
    maybe: Vec<String>,
}

impl Loss {
    /// Kills the broker, does something, and starts it again; the service declares its exchange and publishes at once.
    fn suffer(broker: &mut Broker, name: &str, meanwhile: impl FnOnce()) -> (Self, Client) {
        // So that the restarted node still knows its quorum queue.
        broker.settle_queues();
        let killed = now();
        broker.kill();
        meanwhile();
        broker.restart();
        let client = Client::connect(&broker.url()).unwrap();
        client.declare_exchange("neutron", false).unwrap();
        let back = now();
        let maybe = publish(&client, name, 20);
        (Self { killed, back, maybe }, client)
    }

    /// Judges the gaps that osel has told, which follow one another.
    #[track_caller]
    fn judge(&self, osel: &Osel, gaps: &[[String; 3]]) {
        let Self { killed, back, maybe } = self;
        assert!(gaps.iter().all(|[_, _, why]| why.contains("not bound")), "{gaps:?}");
        let (from, to) = (&gaps[0][0], &gaps[gaps.len() - 1][1]);
        assert!(from <= killed && *from >= plus_seconds(killed, -SLACK_SECONDS), "{gaps:?}, {killed}");
        assert!(to >= back && *to <= plus_seconds(back, SLACK_SECONDS), "{gaps:?}, {back}");
        let recorded = osel.recorded_ids();
        let is_recorded = |id: &String| recorded.contains(id);
        // Once one of them has got through, so have all that follow.
        let first = maybe.iter().position(is_recorded).unwrap_or(maybe.len());
        assert!(maybe[first..].iter().all(is_recorded), "one is missing that is in no gap");
        assert!(first == 0 || gaps[gaps.len() - 1][0] <= *back, "one is missing between two gaps: {gaps:?}");
    }
}

#[test]
fn what_a_killed_broker_forgets_is_a_gap_as_wide_as_the_outage() {
    let mut broker = Broker::start();
    add_user(&broker);
    let client = Client::connect(&broker.url()).unwrap();
    client.declare_exchange("neutron", false).unwrap();
    let mut osel = Osel::new("run-restart", &url(broker.port()), "heartbeat_seconds = 1");
    osel.start_and_listen();
    osel.await_log(&["exchange bound", "neutron"]);
    let mut ids = publish(&client, "before", 50);
    osel.await_recorded(ids.len());

    // It runs all the time.
    let (loss, client) = Loss::suffer(&mut broker, "first", || ());
    await_bound_again(&mut osel, 2);
    let after = publish(&client, "after the first", 20);
    until("what comes later is recorded", LIMIT, || {
        let recorded = osel.recorded_ids();
        after.iter().all(|id| recorded.contains(id))
    });
    let told = osel.gaps();
    loss.judge(&osel, &told);
    ids.extend(after);

    // It is killed with the broker and started before it. What waited in the queue is kept by the broker.
    osel.kill();
    let waiting = publish(&client, "waiting", 20);
    let (loss, client) = {
        let osel = &mut osel;
        Loss::suffer(&mut broker, "second", move || osel.start())
    };
    await_bound_again(&mut osel, 3);
    let after = publish(&client, "after the second", 20);
    until("what comes later is recorded", LIMIT, || {
        let recorded = osel.recorded_ids();
        after.iter().chain(&waiting).all(|id| recorded.contains(id))
    });
    loss.judge(&osel, &osel.gaps()[told.len()..]);
    assert!(osel.lines(&[""]).len() <= 20, "{}", osel.log());
    ids.extend(waiting);

    // Twice while osel is down, and the exchange was there in between.
    let told = osel.gaps().len();
    osel.kill();
    let (loss, _) = Loss::suffer(&mut broker, "third", || ());
    broker.settle_queues();
    broker.kill();
    broker.restart();
    osel.start();
    until("what was published in between lies in a gap", LIMIT, || osel.gaps().len() > told);
    let [from, to, why] = osel.gaps().swap_remove(told);
    assert!(from <= loss.killed && to >= loss.back && why.contains("not bound"), "{from} {to} {why}");
    // Told once: it is written down.
    assert!(osel.stop().success());
    osel.start_and_listen();
    assert!(osel.stop().success());
    assert_eq!(osel.gaps().len(), told + 1);
    let recorded = osel.recorded_ids();
    assert!(ids.iter().all(|id| recorded.contains(id)));
    let mut once = recorded.clone();
    once.dedup();
    assert_eq!(once, recorded);
}
