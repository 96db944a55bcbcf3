//! RabbitMQ's patterns of permissions and policies, which are regular expressions of Erlang.

use regex_lite::Regex;

use super::text::quoted;

/// Whether a permission means a name. There, an empty pattern means nothing.
///
/// # Errors
/// A pattern that only RabbitMQ can read, in words: nothing is known of it then.
pub(super) fn permits(pattern: &str, name: &str) -> Result<bool, String> {
    Ok(!pattern.is_empty() && matches(pattern, name)?)
}

/// Whether a pattern fits a name.
///
/// # Errors
/// A pattern that only RabbitMQ can read, in words.
pub(super) fn matches(pattern: &str, name: &str) -> Result<bool, String> {
    match Regex::new(pattern) {
        Ok(regex) => Ok(regex.is_match(name)),
        Err(_) => Err(format!("only RabbitMQ can read the pattern {}", quoted(pattern))),
    }
}
