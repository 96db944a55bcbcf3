//! Who runs this command: changing ones are recorded with their actor.

use crate::runtime::control::accounts::name_of;

/// The name of the user who runs this process, or `uid NUMBER`. The environment is not asked: anybody may set it.
pub(super) fn user_name() -> String {
    name_of(rustix::process::getuid().as_raw())
}
