//! Any bytes as a bundle of the trail, line by line as `osel-verify` reads it.
//!
//! What is found good must be so whoever is asked again, and with the key that the bundle itself has; what is found bad stays so.

#![no_main]

use libfuzzer_sys::fuzz_target;
use osel_core::trail::bundle::{BadBundle, Checker, Summary};
use osel_core::trail::log::VerifierKey;

fn check(data: &[u8], key: Option<VerifierKey>) -> Result<Summary, BadBundle> {
    let mut checker = Checker::new(key);
    let mut confirmed = 0;
    for line in data.split_inclusive(|&byte| byte == b'\n') {
        let pushed = checker.push(line);
        // What is confirmed stays confirmed.
        assert!(checker.confirmed() >= confirmed);
        confirmed = checker.confirmed();
        if let Err(bad) = pushed {
            assert_eq!(checker.push(line), Err(bad.clone()));
            return Err(bad);
        }
    }
    checker.finish()
}

fuzz_target!(|data: &[u8]| {
    let Ok(summary) = check(data, None) else { return };
    assert!(summary.records <= summary.checkpoint.size);
    for key in std::iter::once(&summary.key).chain(summary.later_keys.iter().map(|(_, key)| key)) {
        let again = check(data, Some(key.clone())).expect("it is one of the bundle's keys");
        assert_eq!((&again.key, again.records), (key, summary.records));
    }
});
