//! `type = "tenable"`: Tenable Vulnerability Management, in the vendor's cloud.

use super::super::keys::{self, Key};
use super::kind::{ScannerKind, Type};
use super::nessus::{self, NessusProduct};
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
    Key {
        path: "scanner.tenable.access_key",
        otherwise: Needed("{ file = \"/etc/osel/tenable_access_key\" }"),
        what: "The access key of osel's user. It is a secret, so name where it is: { file = \"PATH\" }, { env = \"VARIABLE\" } or \
               { credential = \"NAME\" }. It is read anew for every order.",
    },
    Key {
        path: "scanner.tenable.secret_key",
        otherwise: Needed("{ file = \"/etc/osel/tenable_secret_key\" }"),
        what: "The secret key that belongs to it, named in the same ways.",
    },
    Key {
        path: "scanner.tenable.template",
        otherwise: Default("\"basic\""),
        what: "The template that scans are made of, by its name or title.",
    },
    Key {
        path: "scanner.tenable.policy",
        otherwise: Words("none: the template alone", "\"Perimeter\""),
        what: "The policy that scans are made of, by its name; it brings its own template.",
    },
    Key {
        path: "scanner.tenable.scanner",
        otherwise: Words("one of the vendor's, which reaches public addresses only", "\"dmz-1\""),
        what: "The scanner that does the work, by its name: a linked one where targets are not public.",
    },
    Key {
        path: "scanner.tenable.folder",
        otherwise: Words("as the product chooses", "\"osel\""),
        what: "The folder that scans stand in, by its name.",
    },
    Key {
        path: "scanner.tenable.covers",
        otherwise: Words("nothing is known of them", "[\"1-1024\", \"8080\", \"53/udp\"]"),
        what: "The ports that template or policy look at. A report names open ports only: one of these that it does not name counts as not \
               answering, any other one as not probed.",
    },
    Key {
        path: "scanner.tenable.keep",
        otherwise: Default("false"),
        what: "Whether scans stay at the product once their results are durable. Without it they are deleted for ever.",
    },
    Key {
        path: "scanner.tenable.ca_file",
        otherwise: Words("the system's", "\"/etc/osel/ca.pem\""),
        what: "The authorities that may have signed its certificate, as PEM. It is always verified.",
    },
    Key {
        path: "scanner.tenable.answer_seconds",
        otherwise: Default("60"),
        what: "How long an answer may take, up to 120. A report may take longer, as long as it comes.",
    },
];
