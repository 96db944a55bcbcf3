//! What scanners that are programs of this machine have in common: one order becomes runs of a program, and what the runs saw one result
//! for each address.
//!
//! Nothing of such a scan outlives osel, so nothing is launched, found again or called off elsewhere: [`Local`] says so once for all.

mod gathered;
mod groups;
mod scanner;

pub(in crate::action) use gathered::Gathered;
pub(in crate::action) use groups::{Group, groups, ports_text};
pub use scanner::{Local, LocalScan};
pub(in crate::action) use scanner::{job, run, told};

/// The numbers of known vulnerabilities that a text names (`CVE-2024-6387`), sorted, at most [`CVES_MAX`].
pub(in crate::action) fn cves(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (place, _) in text.match_indices("CVE-") {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let rest = &text[place + 4..];
        let number =
            rest.get(5..).filter(|_| digits(rest) == 4 && rest[4..].starts_with('-')).map_or(0, digits);
        if (4..=7).contains(&number) && found.len() < CVES_MAX {
            found.push(text[place..place + 9 + number].to_owned());
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// How many of them are kept of one vulnerability; the longest bulletins name some dozens.
const CVES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::cves;

    #[test]
    fn numbers_of_vulnerabilities_are_found_in_texts() {
        let of = |text: &str| cves(text).join(" ");
        assert_eq!(of("xCVE-2024-6387: CVE-2021-41773, CVE-2024-6387"), "CVE-2021-41773 CVE-2024-6387");
        assert_eq!(
            of("CVE-2024-123 CVE-24-1234 CVE-2024-12345678 CVE- CVE-2024 CVE-2024-é CVE-202é-1234"),
            ""
        );
    }
}
