//! A result in JSON, element by element: a header of the account, a header of the scan, detections, and what was not scanned.
//!
//! Which of them an element is shows by its keys; any of them may be missing, and numbers come as texts or as numbers. Nothing is kept
//! but the element at hand.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Begins the keys of addresses that were not scanned; the reason follows.
const NOT_SCANNED: &str = "hosts_not_scanned_";
/// Addresses where nothing was found.
const CLEAN: &str = "no_vulnerabilities_match_your_filters_for_these_hosts";

/// One element, with what osel has a use for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) ip: String,
    pub(super) ip_status: String,
    pub(super) qid: String,
    pub(super) title: String,
    /// `Vuln`, `Practice`, `Ig`.
    pub(super) kind: String,
    pub(super) severity: String,
    pub(super) port: String,
    pub(super) protocol: String,
    pub(super) cves: String,
    /// CVSS scores, each with its vector.
    pub(super) scores: Vec<String>,
    pub(super) results: String,
    /// How the scan ended.
    pub(super) status: String,
    pub(super) excluded: String,
    /// Addresses that were not scanned, behind the reason.
    pub(super) not_scanned: Vec<(String, String)>,
    pub(super) clean: String,
}

/// Shows each element of a result.
///
/// # Errors
/// When it is no list in JSON, or deeper than a result can be.
pub(super) fn read(body: &[u8], each: impl FnMut(Row)) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    Elements(each).deserialize(&mut json)?;
    json.end()
}

struct Elements<F>(F);

impl<'de, F: FnMut(Row)> DeserializeSeed<'de> for Elements<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Row)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list of a result")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(row) = elements.next_element()? {
            (self.0)(row);
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element of a result")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::default();
        while let Some((key, Loose(value))) = map.next_entry::<String, Loose>()? {
            match key.as_str() {
                "ip" => row.ip = value,
                "ip_status" => row.ip_status = value,
                "qid" => row.qid = value,
                "title" => row.title = value,
                "type" => row.kind = value,
                "severity" => row.severity = value,
                "port" => row.port = value,
                "protocol" => row.protocol = value,
                "cve_id" => row.cves = value,
                "results" | "result" => row.results = value,
                "status" => row.status = value,
                "excluded_ips" => row.excluded = value,
                CLEAN => row.clean = value,
                key if key.starts_with("cvss") && key.contains("base") => row.scores.push(value),
                key => {
                    if let Some(reason) = key.strip_prefix(NOT_SCANNED) {
                        row.not_scanned.push((reason.to_owned(), value));
                    }
                }
            }
        }
        Ok(row)
    }
}

/// A text, a number or nothing, as a text; what has parts is nothing.
struct Loose(String);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, value: &str) -> Result<Loose, E> {
        Ok(Loose(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Loose, E> {
        Ok(Loose(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
        Ok(Loose(value.to_string()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Loose, E> {
        Ok(Loose(String::new()))
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Loose, A::Error> {
        while values.next_element::<Loose>()?.is_some() {}
        Ok(Loose(String::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        while map.next_entry::<Loose, Loose>()?.is_some() {}
        Ok(Loose(String::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<Row>, serde_json::Error> {
        let mut rows = Vec::new();
        read(text.as_bytes(), |row| rows.push(row)).map(|()| rows)
    }

    #[test]
    fn elements_of_every_kind_are_read_whatever_else_they_have() {
        let text = r#"[
            {"username": "u", "company": "X", "result_date": "01/28/2026 12:16:42", "scan_report_template_title": "Scan Results"},
            {"status": "Finished", "reference": "scan/1.2", "excluded_ips": "10.0.0.9", "asset_groups": null, "total_hosts": 3},
            {"protocol": "tcp", "port": "443", "qid": 38170, "severity": 5, "ip": "10.0.0.1", "type": "Vuln", "cve_id": null,
             "cvss_base": "7.5 (AV:N)", "cvss3.1_base": 9.8, "results": "a\tb", "extra": {"deep": [1, {"er": true}]}, "ssl": false},
            {"target_distribution_across_scanner_appliances": "External : 10.0.0.1",
             "hosts_not_scanned_host_not_alive_ip": "10.0.0.2-10.0.0.3"}]"#;
        let found = rows(text).unwrap();
        assert_eq!(found.len(), 4);
        assert_eq!(found[0], Row::default());
        assert_eq!((found[1].status.as_str(), found[1].excluded.as_str()), ("Finished", "10.0.0.9"));
        let row = &found[2];
        assert_eq!((row.qid.as_str(), row.severity.as_str(), row.port.as_str()), ("38170", "5", "443"));
        assert_eq!((row.cves.as_str(), row.results.as_str()), ("", "a\tb"));
        assert_eq!(row.scores, ["7.5 (AV:N)", "9.8"]);
        assert_eq!(found[3].not_scanned, [("host_not_alive_ip".to_owned(), "10.0.0.2-10.0.0.3".to_owned())]);
    }

    #[test]
    fn what_is_no_result_is_refused() {
        assert!(rows("[]").unwrap().is_empty());
        let deep = format!("[{{\"a\": {}", "[".repeat(1 << 20));
        let deep_rows = "[".repeat(1 << 20);
        for text in ["", "{}", "[", "[1]", "[[]]", "[{}] x", "[{\"ip\": }]", "<html>", &deep, &deep_rows] {
            assert!(rows(text).is_err(), "{}", text.get(..20).unwrap_or(text));
        }
    }
}
