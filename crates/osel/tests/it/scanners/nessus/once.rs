//! Whatever answer is lost, and wherever osel is killed: exactly one scan, launched once.

use std::sync::mpsc;

use osel_core::scan::Trouble;
use osel_sim::scanners::http::Moment;
use osel_sim::scanners::{Mishap, What};
use tokio::sync::oneshot;

use super::*;

/// The requests of a launch where nothing goes wrong.
async fn requests(product: Product) -> u64 {
    let pair = Pair::new(product, |_| {});
    pair.scanner().launch(&three()).await.unwrap();
    pair.simulated.requests()
}

#[tokio::test]
async fn each_answer_of_a_launch_may_be_lost() {
    for product in BOTH {
        let count = requests(product).await;
        assert_eq!(count, 4, "list, templates, making, launch");
        for number in 0..count {
            for what in [What::Down, What::Lost, What::Cut] {
                let pair = Pair::new(product, |options| options.export_polls = 0);
                let after = usize::try_from(number).unwrap();
                pair.simulated.fail(Mishap::new(what.clone()).after(after).times(1));
                let (scanner, order) = (pair.scanner(), three());
                let told = scanner.launch(&order).await;
                // Asking may be repeated over a new connection; making and launching never is.
                if number >= 2 {
                    assert!(matches!(told, Err(Trouble::Uncertain(_))), "{number} {what:?}: {told:?}");
                }
                carried_out(&scanner, &order).await;
                assert_eq!(pair.launches(&order), [1], "{number} {what:?}");
            }
        }
    }
}

#[tokio::test]
async fn osel_may_be_killed_at_each_moment_of_a_launch() {
    for product in BOTH {
        for number in 1..=requests(product).await {
            for moment in [Moment::Before, Moment::After] {
                let pair = Pair::new(product, |options| options.export_polls = 0);
                let (is_there, there) = oneshot::channel();
                let (is_dead, dead) = mpsc::channel::<()>();
                let hook = Mutex::new((Some(is_there), dead));
                pair.simulated.hook(Arc::new(move |now, call| {
                    let mut hook = hook.lock().unwrap();
                    if (now, call.number) == (moment, number)
                        && let Some(is_there) = hook.0.take()
                    {
                        is_there.send(()).unwrap();
                        // The answer waits until nobody is there to hear it.
                        hook.1.recv().unwrap();
                    }
                }));
                let order = three();
                let killed = pair.scanner();
                tokio::select! {
                    biased;
                    reached = there => reached.unwrap(),
                    told = killed.launch(&order) => panic!("{number} {moment:?}: {told:?}"),
                }
                is_dead.send(()).unwrap();
                carried_out(&pair.scanner(), &order).await;
                assert_eq!(pair.launches(&order), [1], "{product:?} {number} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn scans_of_others_and_copies_are_not_taken_for_ours() {
    let pair = Pair::new(Product::Nessus, |_| {});
    let (scanner, order) = (pair.scanner(), three());
    pair.simulated.change(|simulation| {
        simulation.make(&format!("{}0", order.title), &["192.0.2.1"]);
        simulation.make(&order.title.to_uppercase(), &["192.0.2.1"]);
    });
    assert_eq!(scanner.find(&order).await, Ok(None));
    let launched = scanner.launch(&order).await.unwrap();
    // Somebody copies it: the copy was never launched.
    pair.simulated.change(|simulation| simulation.make(&order.title, &["192.0.2.1"]));
    assert_eq!(scanner.find(&order).await, Ok(Some(launched.clone())));
    assert_eq!(scanner.launch(&order).await, Ok(launched), "a second launch finds the first");
    assert_eq!(pair.launches(&order), [1, 0]);
    scanner.cancel(&order, "17").await.unwrap();
    assert_eq!(pair.simulated.asked("/stop"), [""; 0], "one that was never launched is over");
}

#[tokio::test]
async fn with_failures_and_latency_by_seed_there_is_one_scan_and_the_same_result() {
    for product in BOTH {
        let wanted = carried_out(&Pair::new(product, |_| {}).scanner(), &three()).await;
        for seed in 1..=15 {
            let pair = Pair::new(product, |options| {
                (options.seed, options.failures_percent, options.latency_ms_max) = (seed, 25, 2);
                options.export_polls = 0;
            });
            let (scanner, order) = (pair.scanner(), three());
            assert_eq!(carried_out(&scanner, &order).await, wanted, "{product:?} {seed}");
            assert_eq!(pair.launches(&order), [1], "{product:?} {seed}");
        }
    }
}
