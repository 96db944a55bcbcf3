//! Acknowledged means durable: whenever osel is killed or stopped, every confirmed message has exactly one record.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::super::{Broker, Client};
use super::{LIMIT, Osel, add_user, publish, until, url};

/// How often osel is killed.
const KILLS: usize = 6;
/// Messages that are published at once.
const CHUNK: usize = 200;
/// No more chunks than this, so that the test ends where osel is slow or fails.
const CHUNKS_MAX: usize = 60;

#[test]
fn osel_killed_and_stopped_while_messages_flow_records_each_exactly_once() {
    let broker = Broker::start();
    add_user(&broker);
    let client = Client::connect(&broker.url()).unwrap();
    client.declare_exchange("neutron", false).unwrap();
    let mut osel = Osel::new("run-durability", &url(broker.port()), "");
    osel.start_and_listen();
    osel.await_log(&["exchange bound", "neutron"]);

    let (is_over, published) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let recorded = |osel: &Osel| osel.ledger("one").map_or(0, |ledger| ledger.recorded as usize);
    thread::scope(|scope| {
        let (is_over, published) = (&is_over, &published);
        scope.spawn(move || {
            for number in 0..CHUNKS_MAX {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let ids = publish(&client, &format!("chunk-{number:05}"), CHUNK);
                published.lock().unwrap().extend(ids);
            }
        });
        for kill in 0..KILLS {
            let before = recorded(&osel);
            // At another distance from the last commit each time.
            until("messages flow", LIMIT, || recorded(&osel) > before + 67 * kill);
            if kill % 3 == 2 {
                assert!(osel.stop().success());
            } else {
                osel.kill();
            }
            osel.start();
        }
        is_over.store(true, Ordering::SeqCst);
    });
    let mut wanted = published.into_inner().unwrap();
    osel.await_recorded(wanted.len());
    assert!(osel.stop().success());
    wanted.sort_unstable();
    assert!(wanted.len() > KILLS * CHUNK / 2, "{} messages are too few", wanted.len());
    assert_eq!(osel.recorded_ids(), wanted);
    assert_eq!(osel.gaps(), [[""; 3]; 0]);
}
