//! What a checkpoint confirms is not named bad for what comes after it.

use osel_core::trail::Why;
use osel_core::trail::bundle::Fault;

use super::log::{Log, bytes, check};

#[test]
fn a_record_that_does_not_follow_a_confirmed_one_is_the_bad_one() {
    let good = Log::new(7, 0).whole(&[4]);
    let other = Log::new(7, 32).whole(&[4]);
    // Behind the checkpoint of four records stands record 5 of another log, and the bundle is cut behind it.
    let at = good.iter().position(|line| line.record == Some(5)).unwrap();
    let bundle = [bytes(&good[..at]), bytes(&other[at..=at])].concat();
    let bad = check(&bundle, None).unwrap_err();
    assert_eq!((bad.record, bad.confirmed, bad.why), (Some(5), 4, Fault::Record(Why::Previous)));
}
