//! `type = "tenable"`: Tenable Vulnerability Management, in the vendor's cloud.

use super::super::keys::{self, Key};
use super::kind::{ScannerKind, Type};
use super::nessus::{self, NessusProduct};
use super::nessus_keys;
use keys::Otherwise::{Default, Needed, Words};

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "tenable",
    section: Some(keys::Section {
        header: "[[scanner]] # type = \"tenable\"",
        what: "Tenable Vulnerability Management, in the vendor's cloud. Give osel a user of its own there, who may make scans.",
        is_optional: true,
        needs: &["name = \"tenable\"", "type = \"tenable\""],
    }),
    keys: KEYS,
    read: |section| {
        let read = nessus::read(section, NessusProduct::Cloud, "https://cloud.tenable.com");
        read.map(Box::new).map(ScannerKind::Tenable)
    },
    abilities: nessus::ABILITIES,
};

const KEYS: &[Key] = &[
    Key {
        path: "scanner.tenable.url",
        otherwise: Default("\"https://cloud.tenable.com\""),
        what: "Where it answers.",
    },
    nessus_keys::access_key(
        "scanner.tenable.access_key",
        Needed("{ file = \"/etc/osel/tenable_access_key\" }"),
    ),
    nessus_keys::secret_key(
        "scanner.tenable.secret_key",
        Needed("{ file = \"/etc/osel/tenable_secret_key\" }"),
    ),
    nessus_keys::template("scanner.tenable.template"),
    nessus_keys::policy("scanner.tenable.policy"),
    Key {
        path: "scanner.tenable.scanner",
        otherwise: Words("one of the vendor's, which reaches public addresses only", "\"dmz-1\""),
        what: "The scanner that does the work, by its name: a linked one where targets are not public.",
    },
    nessus_keys::folder("scanner.tenable.folder"),
    nessus_keys::covers("scanner.tenable.covers"),
    nessus_keys::keep("scanner.tenable.keep"),
    Key {
        path: "scanner.tenable.ca_file",
        otherwise: Words("the system's", "\"/etc/osel/ca.pem\""),
        what: "The authorities that may have signed its certificate, as PEM. It is always verified.",
    },
    nessus_keys::answer_seconds("scanner.tenable.answer_seconds"),
];
