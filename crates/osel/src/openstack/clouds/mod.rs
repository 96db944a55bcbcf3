//! Accounts as OpenStack's own clients keep them: `clouds.yaml`, `secure.yaml` and the `OS_` variables, read as openstacksdk reads them.
//!
//! `files` finds and reads the files, their YAML with `yaml`, `merge` makes one table of one cloud's keys of them, `cloud` says what they mean. No network here,
//! and no secret in an error or a debug text. What is absent: the vendors' own profiles that openstacksdk ships (`profile:` is looked up
//! in `clouds-public.yaml` only), and ways to log in that need a person.

mod cloud;
mod files;
mod merge;
mod yaml;

pub use cloud::{ApplicationCredential, Cloud, Domain, Holder, Interface, Login, Scope, User};
pub use files::{CloudsError, FILE_BYTES_MAX, Known, Selection};

/// Reads the account that a selection names.
///
/// # Errors
/// When there is none, or it lacks something, in words that name the place.
pub fn read(selection: &Selection) -> Result<Cloud, CloudsError> {
    let files = selection.files()?;
    let (name, table) = merge::table(selection, &files)?;
    cloud::meaning(selection, name, &table, files.read)
}

#[cfg(test)]
mod tests;
