//! Until the plan of scans knows better.

use std::sync::Arc;

use super::{Engine, Output};
use crate::plan::{Place, Target};
use crate::scan::CommandId;
use crate::time::Timestamp;

impl Engine {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn rescan(
        &mut self,
        _now: Timestamp,
        _not_before: Timestamp,
        _scanner: &Arc<str>,
        region: Option<Arc<str>>,
        place: Place,
        target: Target,
        cause: u64,
    ) {
        self.rescan_now((region, place), target, cause);
    }

    pub(super) fn cancel_scan(&mut self, _: Timestamp, _: &str, id: &CommandId, out: &mut Output) -> bool {
        out.cancels.push(id.clone());
        true
    }
}
