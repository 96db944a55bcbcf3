//! A cluster that loses nodes: osel goes on by another one; when the majority is gone, what is missing lies in a gap.

use std::net::TcpStream;

use super::super::{Client, Cluster, Node, Options, until};
use super::{LIMIT, Osel, PASSWORD, USER, await_bound_again, now, publish};

#[test]
fn osel_goes_on_by_another_node_and_tells_when_there_was_none() {
    let mut cluster = Cluster::start(3, &Options::default());
    cluster.nodes[0].add_user(USER, PASSWORD, "/", ["^osel\\.", "^osel\\.", ".*"]);
    let by_last = |cluster: &Cluster| Client::connect(&cluster.nodes[2].url()).unwrap();
    let client = by_last(&cluster);
    client.declare_exchange("neutron", false).unwrap();
    let own = cluster
        .transport_url()
        .replace(&format!("{}:{}@", Node::USER, Node::PASSWORD), &format!("{USER}:{PASSWORD}@"));
    let mut osel = Osel::new("run-cluster", &own, "heartbeat_seconds = 1\nconnect_timeout_seconds = 5");
    osel.start_and_listen();
    osel.await_log(&["exchange bound", "neutron"]);
    let mut ids = publish(&client, "three", 50);
    osel.await_recorded(ids.len());

    // The node that it is connected to is the first. The queue has members on the others, and loses nothing.
    cluster.nodes[0].settle_queues();
    cluster.nodes[0].kill();
    cluster.await_running(2, 2);
    ids.extend(publish(&client, "two", 50));
    osel.await_recorded(ids.len());
    assert_eq!(osel.gaps(), [[""; 3]; 0]);

    // Without the second one the third does not serve, and forgets what is not durable.
    cluster.nodes[1].kill();
    // It closes its port. A client that came just then would wait for ever.
    let port = cluster.nodes[2].port();
    until("the third does not serve", LIMIT, || TcpStream::connect(("127.0.0.1", port)).is_err());
    // Not the time of the kill: osel may have reached the third, and found all in place, in the moment before it gave up.
    let gone = now();
    cluster.restart(&[0, 1]);
    cluster.await_running(0, 3);
    until("the third serves again", LIMIT, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let client = by_last(&cluster);
    client.declare_exchange("neutron", false).unwrap();
    let back = now();
    let maybe = publish(&client, "maybe", 20);
    await_bound_again(&mut osel, 2);
    ids.extend(publish(&client, "again", 50));
    until("what comes later is recorded", LIMIT, || osel.recorded_ids().contains(&ids[ids.len() - 1]));
    let gaps = osel.gaps();
    let is_missing = osel.recorded_ids().iter().filter(|id| id.starts_with("maybe")).count() < maybe.len();
    let is_covered = |time: &String| gaps.iter().any(|[from, to, _]| from <= time && time <= to);
    assert!(is_covered(&gone) && (!is_missing || is_covered(&back)), "{gaps:?} {gone} {back}");
    assert!(osel.stop().success());
    ids.sort_unstable();
    let mut recorded = osel.recorded_ids();
    recorded.retain(|id| !id.starts_with("maybe"));
    assert_eq!(recorded, ids);

    what_passes_by_without_the_node_of_a_classic_queue_is_a_gap(&mut cluster, &own);
}

/// While the one node of a classic queue is down, the broker drops what is published, and the exchange and our mark live on with the
/// other nodes. osel sees by one of those that the queue is not there.
fn what_passes_by_without_the_node_of_a_classic_queue_is_a_gap(cluster: &mut Cluster, url: &str) {
    let mut osel = Osel::new("run-cluster-classic", url, "queue.kind = 'classic'");
    osel.start_and_listen();
    osel.await_log(&["exchange bound", "neutron"]);
    let client = Client::connect(&cluster.nodes[2].url()).unwrap();
    publish(&client, "before", 5);
    osel.await_recorded(5);
    let queue = osel.queue();
    let nodes = cluster.nodes[0].ctl(&["list_queues", "--no-table-headers", "name", "pid"]);
    let of_queue = nodes.lines().find(|line| line.starts_with(&format!("{queue}\t"))).unwrap();
    assert!(of_queue.contains("osel1@"), "{of_queue}");

    cluster.nodes[0].settle_queues();
    cluster.nodes[0].kill();
    osel.await_log(&["trouble began", "queue missing"]);
    let lost_at = now();
    publish(&client, "to nobody", 5);
    cluster.restart(&[0]);
    osel.await_lines(&["exchange bound", "neutron"], 2);
    let after = publish(&client, "after", 5);
    until("what comes later is recorded", LIMIT, || {
        let recorded = osel.recorded_ids();
        after.iter().all(|id| recorded.contains(id))
    });
    let gaps = osel.gaps();
    assert!(gaps.iter().any(|[from, to, _]| *from <= lost_at && lost_at <= *to), "{gaps:?} {lost_at}");
    assert!(osel.stop().success());
}
