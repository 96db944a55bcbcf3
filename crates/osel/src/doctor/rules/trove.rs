//! Trove's encrypted calls: whether their keys are secret, and whether they are encrypted at all.

use super::text::{NO_TROVE_CONFIG, TROVE_CONFIG};
use crate::doctor::facts::Facts;
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    for (path, file) in &facts.troves {
        match file {
            Ok(file) => {
                let (is_found, seen) = match (file.has_default_task_key, file.has_default_instance_key) {
                    (true, true) => (true, "both keys are Trove's defaults"),
                    (true, false) => (true, "`taskmanager_rpc_encr_key` is Trove's default"),
                    (false, true) => (true, "`inst_rpc_key_encr_key` is Trove's default"),
                    (false, false) => (false, "both keys are its own"),
                };
                report.judged(Id::TroveDefaultKeys, path, is_found, seen);
                let seen = format!("`enable_secure_rpc_messaging` is {}", file.encrypts);
                report.judged(Id::TrovePlainRpc, path, !file.encrypts, seen);
            }
            Err(why) => {
                report.unchecked(Id::TroveDefaultKeys, path, why);
                report.unchecked(Id::TrovePlainRpc, path, why);
            }
        }
    }
    if facts.troves.is_empty() {
        report.unchecked(Id::TroveDefaultKeys, TROVE_CONFIG, NO_TROVE_CONFIG);
        report.unchecked(Id::TrovePlainRpc, TROVE_CONFIG, NO_TROVE_CONFIG);
    }
}
