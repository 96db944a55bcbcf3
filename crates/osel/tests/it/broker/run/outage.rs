//! What breaks while osel runs, and how it goes on: by itself, with few words, and with a gap where something is missing.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::super::{Broker, Client, Proxy, until};
use super::{LIMIT, Osel, PASSWORD, USER, add_user, body, now, publish, url};

/// What a log may have of one outage, however long it is (contract: a line per change, a reminder in ten minutes).
const LINES_MAX: usize = 10;
/// Where nobody listens.
const NOBODYS_PORT: u16 = 1;
/// More attempts than lines.
const ATTEMPTS: usize = 15;

#[test]
fn an_outage_has_few_lines_however_many_attempts_and_can_be_stopped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&attempts);
    thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream);
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut osel = Osel::new("run-attempts", &url(port), "");
    osel.start();
    until("many attempts", LIMIT, || attempts.load(Ordering::SeqCst) >= ATTEMPTS);
    assert!(osel.stop().success());
    let lines = osel.lines(&[""]);
    assert!(lines.len() <= LINES_MAX, "{lines:?}");
    assert_eq!(osel.lines(&["trouble began"]).len(), 1, "{lines:?}");
    assert_eq!(osel.lines(&["lapin"]), [""; 0], "RUST_LOG is not asked");
}

#[test]
fn osel_goes_on_after_whatever_breaks_and_tells_what_is_missing() {
    let broker = Broker::start();
    add_user(&broker);
    let client = Client::connect(&broker.url()).unwrap();
    client.declare_exchange("neutron", false).unwrap();
    let proxy = Proxy::start(broker.port());
    let quick = "heartbeat_seconds = 1\nconnect_timeout_seconds = 2\nqueue.length_bytes_max = 1000000";
    let mut osel = Osel::new("run-outage", &url(proxy.port()), quick);

    // Nobody there, then a virtual host that is not, then all is well.
    proxy.refuse();
    osel.start();
    osel.await_log(&["trouble began", "broker unreachable"]);
    osel.set_url("url", &format!("{}nowhere", url(proxy.port())));
    proxy.resume();
    osel.await_log(&["access denied"]);
    osel.set_url("url", &url(proxy.port()));
    osel.await_log(&["trouble ended"]);
    osel.await_log(&["exchange bound", "neutron"]);
    let mut ids = publish(&client, "first", 5);
    osel.await_recorded(ids.len());

    // A cable that is cut, and one that is dead: the queue has kept everything.
    let made = proxy.made();
    proxy.cut();
    ids.extend(publish(&client, "cut", 5));
    until("it connects again", LIMIT, || proxy.made() > made);
    osel.await_recorded(ids.len());
    let made = proxy.made();
    proxy.stall();
    ids.extend(publish(&client, "stalled", 5));
    until("it tries another connection", LIMIT, || proxy.made() > made + 1);
    proxy.resume();
    osel.await_recorded(ids.len());
    // Hosts are added, and none of as many as there were comes back.
    let added = url(proxy.port()).replace("rabbit://", "");
    osel.set_url("url", &format!("{},{added}", url(NOBODYS_PORT).trim_end_matches('/')));
    proxy.cut();
    ids.extend(publish(&client, "second host", 5));
    osel.await_recorded(ids.len());
    assert_eq!(osel.gaps(), [[""; 3]; 0]);

    a_deleted_queue_is_a_gap(&broker, &client, &mut osel, &mut ids);
    a_new_password_is_taken_up(&broker, &client, &proxy, &mut osel, &mut ids);
    an_alarm_stops_nothing(&broker, &client, &proxy, &osel, &mut ids);
    an_overflow_is_a_gap(&client, &mut osel, &mut ids);
    an_exchange_made_again_while_osel_is_down_is_a_gap(&client, &mut osel, &mut ids);
    a_queue_without_its_bindings_is_a_gap(&broker, &client, &mut osel, &mut ids);

    proxy.stall();
    assert!(osel.stop().success(), "a broker that does not answer keeps nobody");
    ids.sort_unstable();
    assert_eq!(osel.recorded_ids(), ids);
}

fn a_deleted_queue_is_a_gap(broker: &Broker, client: &Client, osel: &mut Osel, ids: &mut Vec<String>) {
    let before = now();
    broker.delete_queue("/", &osel.queue());
    until("the gap is told", LIMIT, || osel.gaps().len() == 1);
    let after = now();
    let [[from, to, why]] = &osel.gaps()[..] else { panic!("{:?}", osel.gaps()) };
    assert!(
        from < to && *to >= before && *to <= after && why.contains("the queue was gone"),
        "{from} {to} {why}"
    );
    ids.extend(publish(client, "after the queue", 5));
    osel.await_recorded(ids.len());
}

fn a_new_password_is_taken_up(
    broker: &Broker,
    client: &Client,
    proxy: &Proxy,
    osel: &mut Osel,
    ids: &mut Vec<String>,
) {
    broker.change_password(USER, "another-secret");
    let (denied, made) = (osel.lines(&["access denied"]).len(), proxy.made());
    proxy.cut();
    ids.extend(publish(client, "password", 5));
    until("it is refused several times", LIMIT, || proxy.made() > made + 3);
    assert!(osel.lines(&["access denied"]).len() <= denied + 1, "{}", osel.log());
    osel.set_url("url", &url(proxy.port()).replace(PASSWORD, "another-secret"));
    osel.await_recorded(ids.len());
    assert!(!osel.log().contains("another-secret"));
}

/// While the broker holds publishers back, what it has is taken from it all the same.
fn an_alarm_stops_nothing(
    broker: &Broker,
    client: &Client,
    proxy: &Proxy,
    osel: &Osel,
    ids: &mut Vec<String>,
) {
    proxy.refuse();
    ids.extend(publish(client, "alarm", 5));
    broker.set_memory_alarm(true);
    proxy.resume();
    osel.await_recorded(ids.len());
    broker.set_memory_alarm(false);
    ids.extend(publish(client, "no alarm", 5));
    osel.await_recorded(ids.len());
}

fn an_overflow_is_a_gap(client: &Client, osel: &mut Osel, ids: &mut Vec<String>) {
    assert!(osel.stop().success());
    let before = now();
    // Three times what fits.
    let padding = format!("\"id\":\"n\",\"description\":\"{}\"", "x".repeat(30_000));
    let large = |number| body(&format!("large-{number:03}")).replace("\"id\":\"n\"", &padding);
    let texts: Vec<String> = (0..100).map(large).collect();
    assert!(client.publish("neutron", "notifications.info", &texts).1.is_ok());
    let after = now();
    let queue = osel.queue();
    let listening = osel.ledger("one").unwrap().recorded;
    osel.start();
    until("the gap is told", LIMIT, || osel.gaps().len() == 2);
    until("the queue is empty", LIMIT, || client.queue(&queue).is_ok_and(|(messages, _)| messages == 0));
    let gaps = osel.gaps();
    let [from, to, why] = &gaps[1];
    assert!(why.contains("full"), "{gaps:?}");
    assert!(*from <= before && *to >= after, "{gaps:?} {before} {after}");
    let more = publish(client, "after the overflow", 5);
    until("what comes later is recorded", LIMIT, || {
        let recorded = osel.recorded_ids();
        more.iter().all(|id| recorded.contains(id))
    });
    let kept: Vec<String> = osel.recorded_ids().into_iter().filter(|id| id.starts_with("large-")).collect();
    let newest = kept.last().is_some_and(|last| last == "large-099");
    assert!(kept.len() < texts.len() && newest, "{kept:?} {:?}", osel.ledger("one"));
    assert!(osel.ledger("one").unwrap().recorded > listening);
    ids.extend(kept);
    ids.extend(more);
}

/// Starts osel after something was published that nobody took, and expects exactly one gap more, which covers that.
#[track_caller]
fn expect_gap_at(lost_at: &str, client: &Client, osel: &mut Osel, ids: &mut Vec<String>) {
    let before = osel.gaps().len();
    osel.start();
    until("the gap is told", LIMIT, || osel.gaps().len() > before);
    let more = publish(client, &format!("after {before} gaps"), 5);
    until("what comes later is recorded", LIMIT, || {
        let recorded = osel.recorded_ids();
        more.iter().all(|id| recorded.contains(id))
    });
    ids.extend(more);
    let gaps = osel.gaps();
    assert_eq!(gaps.len(), before + 1, "{gaps:?}");
    let [from, to, why] = &gaps[before];
    assert!(&**from <= lost_at && lost_at <= &**to && why.contains("not bound"), "{gaps:?} {lost_at}");
}

/// osel has seen that it is gone, and ends before it is back.
fn an_exchange_made_again_while_osel_is_down_is_a_gap(
    client: &Client,
    osel: &mut Osel,
    ids: &mut Vec<String>,
) {
    client.delete_exchange("neutron").unwrap();
    osel.await_log(&["exchange is gone", "neutron"]);
    osel.kill();
    client.declare_exchange("neutron", false).unwrap();
    publish(client, "to nobody", 5);
    expect_gap_at(&now(), client, osel, ids);
}

/// As a connection leaves it that ends between the declaration of the queue and its bindings.
fn a_queue_without_its_bindings_is_a_gap(
    broker: &Broker,
    client: &Client,
    osel: &mut Osel,
    ids: &mut Vec<String>,
) {
    osel.kill();
    let queue = osel.queue();
    broker.delete_queue("/", &queue);
    client.declare_queue(&queue, "quorum").unwrap();
    publish(client, "to no binding", 5);
    expect_gap_at(&now(), client, osel, ids);
}
