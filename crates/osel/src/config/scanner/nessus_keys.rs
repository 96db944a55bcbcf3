//! The keys that mean the same of Nessus and of Tenable Vulnerability Management, each under the path that it is given.

use super::super::keys::{Key, Otherwise};
use Otherwise::{Default, Words};

pub(super) const fn access_key(path: &'static str, otherwise: Otherwise) -> Key {
    let what = "The access key of osel's user, with `secret_key`. It is a secret, so name where it is: { file = \"PATH\" }, \
                { env = \"VARIABLE\" } or { credential = \"NAME\" }. It is read anew for every order.";
    Key { path, otherwise, what }
}

pub(super) const fn secret_key(path: &'static str, otherwise: Otherwise) -> Key {
    Key { path, otherwise, what: "The secret key that belongs to it, named in the same ways." }
}

pub(super) const fn template(path: &'static str) -> Key {
    Key {
        path,
        otherwise: Default("\"basic\""),
        what: "The template that scans are made of, by its name or title.",
    }
}

pub(super) const fn policy(path: &'static str) -> Key {
    Key {
        path,
        otherwise: Words("none: the template alone", "\"Perimeter\""),
        what: "The policy that scans are made of, by its name; it brings its own template.",
    }
}

pub(super) const fn folder(path: &'static str) -> Key {
    Key {
        path,
        otherwise: Words("as the product chooses", "\"osel\""),
        what: "The folder that scans stand in, by its name.",
    }
}

pub(super) const fn covers(path: &'static str) -> Key {
    Key {
        path,
        otherwise: Words("nothing is known of them", "[\"1-1024\", \"8080\", \"53/udp\"]"),
        what: "The ports that template or policy look at. A report names open ports only: one of these that it does not name counts as not \
               answering, any other one as not probed.",
    }
}

pub(super) const fn keep(path: &'static str) -> Key {
    Key {
        path,
        otherwise: Default("false"),
        what: "Whether scans stay at the product once their results are durable. Without it they are deleted for ever.",
    }
}

pub(super) const fn answer_seconds(path: &'static str) -> Key {
    Key {
        path,
        otherwise: Default("60"),
        what: "How long an answer may take, up to 120. A report may take longer, as long as it comes.",
    }
}
