//! Every key of the configuration in one table, of which the example file and the reference page are made.
//!
//! The reading of keys stands in `check`; a test keeps both the same.

use std::fmt::Write;

use super::check_retention;
use super::forward;
use super::scanner::types;
use super::witness;

/// A table of the file.
#[derive(Debug)]
pub struct Section {
    /// Its header.
    pub header: &'static str,
    /// What it is about.
    pub what: &'static str,
    /// Whether it stands in the example as a comment: its being there has a meaning.
    pub is_optional: bool,
    /// What it needs besides its own keys, for the example.
    pub(super) needs: &'static [&'static str],
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// Its path, with `source` for any source.
    pub path: &'static str,
    /// What holds when nobody sets it.
    pub otherwise: Otherwise,
    /// What it means.
    pub what: &'static str,
}

/// What holds when a key is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// This value, as TOML.
    Default(&'static str),
    /// Nothing does: it has to be set, for example so.
    Needed(&'static str),
    /// This, in words; a value would look so.
    Words(&'static str, &'static str),
}

/// The header of a source that is a file.
const FILE_HEADER: &str = "[[source]] # type = \"file\"";
/// The header of an API.
const OPENSTACK_HEADER: &str = "[[openstack]]";
/// The header of a scanner.
const SCANNER_HEADER: &str = "[[scanner]]";
/// The header of what may be exposed.
const EXPECTED_HEADER: &str = "[[expected]]";
/// The header of where records are sent.
pub(super) const FORWARD_HEADER: &str = "[[forward]]";
/// The prefix of the variables that set keys.
const VARIABLE_PREFIX: &str = "OSEL_";
/// The ways to refer to a secret, each a key below the secret's.
const REFERENCES: [&str; 3] = ["FILE", "ENV", "CREDENTIAL"];
/// The keys that may be in Barbican, and the keys below them that say so.
const BARBICAN: ([&str; 2], [&str; 3]) =
    (["trail.key", "trail.previous_key"], ["BARBICAN", "CLOUD", "CLOUDS_FILE"]);

pub(super) const fn key(path: &'static str, otherwise: Otherwise, what: &'static str) -> Key {
    Key { path, otherwise, what }
}

const fn section(header: &'static str, what: &'static str) -> Section {
    Section { header, what, is_optional: false, needs: &[] }
}

use Otherwise::{Default, Needed, Words};

/// All tables, in the order of the example; a key belongs to the one whose header is its path without the last word.
pub fn sections() -> impl Iterator<Item = &'static Section> {
    let after_scanner = SECTIONS.iter().position(|section| section.header == SCANNER_HEADER);
    let (before, after) = SECTIONS.split_at(after_scanner.map_or(SECTIONS.len(), |place| place + 1));
    let of_types = types().iter().filter_map(|known| known.section.as_ref());
    before
        .iter()
        .chain(of_types)
        .chain(after)
        .chain(forward::sections())
        .chain([&witness::SECTION, &check_retention::SECTION])
}

/// All keys, those of the types of scanners and of receivers behind the others.
pub fn all() -> impl Iterator<Item = &'static Key> {
    KEYS.iter()
        .chain(types().iter().flat_map(|known| known.keys))
        .chain(forward::keys())
        .chain(&witness::KEYS)
        .chain(&check_retention::KEYS)
}

/// The tables besides those of the types of scanners.
const SECTIONS: &[Section] = &[
    section("[store]", "Where everything is kept: messages, records, commands."),
    section(
        "[trail]",
        "The log over the records: its tree is signed while osel runs, so that others can tell what was changed or cut.",
    ),
    section(
        "[[source]]",
        "A bus to listen to; one such table for each. Variables name a source by its number, from 0: OSEL_SOURCE__0__NAME. One that the \
         file does not have begins with its name.",
    ),
    section(
        "[source.queue]",
        "The queue of osel's own on the bus. It is named after the store, and no other program reads it.",
    ),
    Section {
        header: "[source.tls]",
        what: "TLS to the broker. It is used when the URL asks for it (`?ssl=true`, `amqps://`) or this table is there. Certificates are \
               always verified. What the URL's options say (`ssl_ca_file`, `ssl_cert_file`, `ssl_key_file`) holds for keys that are not set.",
        is_optional: true,
        needs: &[],
    },
    Section {
        header: FILE_HEADER,
        what: "Captured messages as a source, instead of a bus: one JSON object a line, as for `osel replay`, in a file that another program \
               writes. It is followed through rotations (renamed or copied to a name with a number or date behind it, packed or not). A line \
               that is no message is quarantined.",
        is_optional: true,
        needs: &["name = \"captured\"", "type = \"file\""],
    },
    Section {
        header: OPENSTACK_HEADER,
        what: "The API of a cloud (Keystone and Neutron), which is asked as a second opinion: at the start, after every gap, by schedule, and at \
               once about what an event leaves open. No event ever waits for it. One such table for each region. Who is asked for, and with \
               what, stands in a clouds.yaml as OpenStack's own clients read it. Variables name a table by its number, from 0: \
               OSEL_OPENSTACK__0__CLOUD.",
        is_optional: true,
        needs: &[],
    },
    section(
        "[retention]",
        "What is kept for how long. Of records only parts ever go: their hashes, and with them the proof of everything else, stay for ever. \
         For days, 0 is for ever.",
    ),
    section("[scan]", "Scans that follow from what was exposed, without an order of a person."),
    Section {
        header: SCANNER_HEADER,
        what: "Who scans; one such table for each. Without any there is one, named `builtin`, of the type `builtin`, which osel has in itself. Variables \
               name a scanner by its number, from 0: OSEL_SCANNER__0__NAME. One that the file does not have begins with its name.",
        is_optional: true,
        needs: &[],
    },
    Section {
        header: EXPECTED_HEADER,
        what: "What may be exposed; one such table for each entry. A finding that one covers is kept and not told, until the entry expires or goes. An \
               entry covers what all its keys say, and needs at least one of `prefix`, `address`, `project` and `ports`. It never covers what \
               answers without being exposed, and no weakness. Variables name an entry by its number, from 0: OSEL_EXPECTED__0__REASON.",
        is_optional: true,
        needs: &[],
    },
    section("[findings]", "Findings: what scans saw that a person should look at."),
    section("[model]", "What osel takes for granted about this cloud."),
    section("[http]", "The HTTP interface."),
    section(
        "[control]",
        "How orders are given to the daemon, such as `osel findings ack`: over a socket of this machine.",
    ),
    section("[log]", "What is logged to standard error."),
];

/// The keys besides those of the types of scanners, in the order of the example.
const KEYS: &[Key] = &[
    key(
        "store.path",
        Needed("\"/var/lib/osel\""),
        "The directory of the store. The option `--store` of a command wins over it.",
    ),
    key(
        "store.url",
        Words("none", "{ file = \"/etc/osel/store_url\" }"),
        "Instead of `path`: a database of PostgreSQL, shared by osels of which one leads and the others stand by, such as \
         `postgresql://osel@db/osel?sslmode=verify-full`. The URL is read as libpq reads it (several hosts, `sslmode`, `sslrootcert`). One with a password is a secret: name it by { file = \"PATH\" }, \
         { env = \"VARIABLE\" } or { credential = \"NAME\" }, or have the password in PGPASSFILE or PGPASSWORD.",
    ),
    key(
        "trail.key",
        Words(
            "log.key in the directory of the store, made when it is missing",
            "{ file = \"/etc/osel/log_key\" }",
        ),
        "The private key that signs the log (`PRIVATE+KEY+NAME+ID+SEED`). It is a secret, so name where it is: { file = \"PATH\" }, \
         { env = \"VARIABLE\" }, { credential = \"NAME\" }, or { barbican = \"ID\", cloud = \"NAME\" } for a secret of OpenStack's key manager that the \
         account of this cloud of a clouds.yaml may read (`clouds_file` names another file). Without it the log of a store in PostgreSQL is kept \
         and not signed.",
    ),
    key(
        "trail.previous_key",
        Words("no key, as the log was not handed on", "{ file = \"/etc/osel/log_key.previous\" }"),
        "The key before `trail.key`, where that was exchanged while osel did not run: it signs the one checkpoint that hands the log on, and \
         nothing else. It is named as the key is, and may be in Barbican as well. Nothing is signed while it cannot be had: take it out once osel has said that the \
         log is handed on.",
    ),
    key(
        "trail.origin",
        Words(
            "the name of the key, for one of osel's own making `osel/` and the store's id",
            "\"log.example/osel\"",
        ),
        "What the log is called in what is signed of it: an URL without its scheme is usual. A key that is configured must have this name.",
    ),
    key(
        "trail.pseudonym_key",
        Words(
            "pseudonym.key in the directory of the store, made when it is missing",
            "{ file = \"/etc/osel/pseudonym_key\" }",
        ),
        "The key of pseudonyms, 64 hexadecimal digits (`openssl rand -hex 32`). Who has it can find out who a pseudonym is, so name where \
         it is: { file = \"PATH\" }, { env = \"NAME\" } or { credential = \"NAME\" }. A store in PostgreSQL has none of its own.",
    ),
    key(
        "trail.record_reads",
        Default("true"),
        "Whether it becomes a record that somebody has read the trail by a command (`osel audit search`, `show`) beside this osel: who, and what \
         was asked for. A change takes a restart.",
    ),
    key(
        "source.name",
        Needed("\"region-one\""),
        "The name of the bus in records, ledger and logs: up to 63 small letters, digits, `.`, `_`, `-`. Keep it: records refer to it.",
    ),
    key(
        "source.type",
        Needed("\"rabbitmq\""),
        "The kind of bus: `rabbitmq`, or `file` for messages that another program captures.",
    ),
    key(
        "source.transport_url",
        Needed("{ file = \"/etc/osel/transport_url\" }"),
        "The line of this name from a service's configuration, with the user that osel logs in as. It is a secret, so name where it is: \
         { file = \"PATH\" }, { env = \"VARIABLE\" } or { credential = \"NAME\" } (systemd's LoadCredential). The text itself is accepted, and \
         advised against.",
    ),
    key(
        "source.region",
        Words("none", "\"RegionOne\""),
        "The region that the bus belongs to; several buses may belong to one.",
    ),
    key(
        "source.exchanges",
        Default(
            "[\"nova\", \"glance\", \"neutron\", \"cinder\", \"heat\", \"keystone\", \"trove\", \"zaqar\", \"swift\", \"ceilometer\", \"magnum\", \"dns\", \"ironic\", \"aodh\", \"openstack\", \"octavia\", \"manila\", \"designate\", \"barbican\"]",
        ),
        "The exchanges that services publish to (their `control_exchange`). One that is not there yet is awaited.",
    ),
    key(
        "source.topics",
        Default("[\"notifications\", \"versioned_notifications\"]"),
        "The topics that services publish under, of whatever priority.",
    ),
    key(
        "source.durable_exchanges",
        Default("false"),
        "Whether the services declare their exchanges as durable (`amqp_durable_queues` or `rabbit_quorum_queue` is set), so that bindings \
         survive a restart of the broker. Otherwise such a restart is a gap, since they do not.",
    ),
    key(
        "source.heartbeat_seconds",
        Default("30"),
        "Seconds without a sign of the broker after which the connection counts as dead, from 1 to 3600. Where it is not set, the URL's \
         `heartbeat_timeout_threshold` holds.",
    ),
    key(
        "source.connect_timeout_seconds",
        Default("10"),
        "Seconds that connecting to one host may take before the next is tried, from 1 to 600.",
    ),
    key(
        "source.queue.kind",
        Default("\"auto\""),
        "`quorum`, `classic`, or `auto`: quorum where the broker has it. It counts when the queue is made.",
    ),
    key(
        "source.queue.length_bytes_max",
        Default("1073741824"),
        "Bytes that may wait in the queue while osel does not run. Beyond, the broker drops the oldest, and the trail gets a gap record. It counts when the \
         queue is made: to change it later, stop osel, let the queue be deleted, and start it.",
    ),
    key(
        "source.tls.ca_file",
        Words("the system's", "\"/etc/osel/ca.pem\""),
        "The authorities that may have signed the broker's certificate, as PEM.",
    ),
    key(
        "source.tls.cert_file",
        Words("none", "\"/etc/osel/client.pem\""),
        "The client's certificate with its chain, as PEM.",
    ),
    key(
        "source.tls.key_file",
        Words("that of the certificate", "\"/etc/osel/client.key\""),
        "The key of the client's certificate, as PEM.",
    ),
    key(
        "source.tls.server_name",
        Words("the host of the URL", "\"rabbit.example.org\""),
        "The name that the broker's certificate must have.",
    ),
    key(
        "source.tls.external",
        Default("false"),
        "Whether to log in by the client's certificate (SASL EXTERNAL) and not by user and password.",
    ),
    key(
        "source.path",
        Needed("\"/var/lib/bus/captured.jsonl\""),
        "The file, plain or packed with gzip. One that is packed is read once; where it is followed, the next one at the path is awaited.",
    ),
    key(
        "source.follow",
        Default("true"),
        "Whether more will be written to it. Otherwise it is read to its end once.",
    ),
    key(
        "openstack.region",
        Words("none", "\"RegionOne\""),
        "The region of the sources whose cloud it is, as they name it. It is left out where sources have no region.",
    ),
    key(
        "openstack.cloud",
        Words("the one that variables (OS_*) name", "\"mycloud\""),
        "The name of the cloud in the clouds file.",
    ),
    key(
        "openstack.clouds_file",
        Words("where OpenStack's clients look", "\"/etc/osel/clouds.yaml\""),
        "The clouds.yaml; a secure.yaml beside it is read as well. It is read again for every order, so that passwords can be exchanged. \
         Where it has a password, let only osel read it.",
    ),
    key(
        "openstack.region_name",
        Words("that of the clouds file", "\"RegionOne\""),
        "The region in the cloud's own catalog.",
    ),
    key(
        "openstack.interface",
        Words("that of the clouds file", "\"internal\""),
        "Whose endpoints are asked: `public`, `internal` or `admin`.",
    ),
    key(
        "openstack.every_seconds",
        Default("21600"),
        "The longest time between two reads of everything, from 10 to 2592000; by chance they come up to a tenth earlier.",
    ),
    key(
        "openstack.requests_per_second",
        Default("10"),
        "The most requests per second, from 1 to 1000. A page of a read has up to a thousand objects.",
    ),
    key(
        "openstack.names",
        Default("true"),
        "Whether the names of users, projects, domains, groups and roles are read from Keystone, and those of servers from Nova.",
    ),
    key(
        "openstack.insecure",
        Default("false"),
        "Whether to ask a cloud for which the clouds file says `verify: false`. Anybody between it and osel may read the password then.",
    ),
    key(
        "scan.enabled",
        Default("true"),
        "Whether to scan what an event opened, if the internet has a path to it or `allowed_prefixes` has it.",
    ),
    key(
        "scan.allowed_prefixes",
        Default("[]"),
        "Prefixes that may be scanned whatever the model thinks of their paths, such as [\"192.0.2.0/24\"]. Only name what osel's host reaches in \
         this cloud: 10.0.0.5 may be somebody else's there.",
    ),
    key(
        "scan.never_prefixes",
        Default("[]"),
        "Prefixes that are never scanned, whatever else allows it, such as [\"198.51.100.0/24\"].",
    ),
    key(
        "scan.vantage",
        Default("\"internet\""),
        "From where the scanners see the cloud: `internet`, or the prefix that they stand in, such as \"10.9.0.0/24\". What nobody from there may reach \
         is not scanned.",
    ),
    key(
        "scan.changes",
        Default("[\"opened\", \"closed\"]"),
        "Which changes are scanned: what `opened`, and what `closed`, to prove that it did.",
    ),
    key(
        "scan.projects",
        Words("all projects", "[\"c6d2b9a3e5f74d7d8a1b0c9d8e7f6a5b\"]"),
        "The ids of the projects whose addresses are scanned, and no others.",
    ),
    key(
        "scan.never_projects",
        Words("none", "[]"),
        "The ids of projects whose addresses are not scanned. Not together with `projects`.",
    ),
    key(
        "scan.quiet_hours",
        Words("none", "\"22:00-06:00\""),
        "A time of the day, in UTC, in which no scan is begun. It may go over midnight.",
    ),
    key(
        "scan.addresses_per_hour",
        Words("no bound", "1000"),
        "The most addresses that are scanned within an hour; others wait.",
    ),
    key("scan.project_addresses_per_hour", Words("no bound", "100"), "The same of one project."),
    key(
        "scan.sensitive_ports",
        Default(
            "[22, 23, 445, 1433, 1521, 2375, 3306, 3389, 5432, 5900, 5985, 6379, 6443, 9200, 11211, 27017]",
        ),
        "Addresses with changes at these ports are scanned before others.",
    ),
    key(
        "scan.confirm_seconds",
        Default("60"),
        "How long after an odd result the same is scanned once more, since agents need time to follow a change.",
    ),
    key(
        "scan.wait_seconds_max",
        Default("86400"),
        "What has waited for so long, for quiet hours, budgets or a scanner, is recorded as not scanned. At least 60.",
    ),
    key(
        "scan.rate_per_second",
        Default("500"),
        "Connections and datagrams per second of the built-in scanner over all addresses.",
    ),
    key("scan.host_rate_per_second", Default("100"), "Connections and datagrams per second to one address."),
    key("scan.concurrency", Default("512"), "Probes out at the same time over all addresses, up to 65535."),
    key(
        "scanner.name",
        Needed("\"builtin\""),
        "Its name in records, metrics and logs: small letters, digits, `.`, `_`, `-`. No two scanners have the same.",
    ),
    key(
        "scanner.type",
        Needed("\"builtin\""),
        "What it is: `builtin`, the scanner that osel has in itself, or one of those below.",
    ),
    key(
        "scanner.window_seconds",
        Words("what suits the type, 2 for `builtin`", "2"),
        "How long changes are gathered for one scan.",
    ),
    key(
        "scanner.batch_addresses_max",
        Words("what suits the type, 1 for `builtin`", "1"),
        "The most addresses of one scan, up to 4096.",
    ),
    key(
        "scanner.running_max",
        Words("what suits the type, 8 for `builtin`", "8"),
        "The most scans at one time, up to 64. A scanner that says it has enough is given fewer.",
    ),
    key(
        "scanner.life_seconds_max",
        Words("what suits the type, 3600 for `builtin`", "3600"),
        "How long a scan may take with all its waiting, at least 60. Then it is called off, and recorded as expired.",
    ),
    key(
        "expected.reason",
        Needed("\"web shop, ticket 4711\""),
        "Why it may be open, in up to 500 characters: records repeat it.",
    ),
    key("expected.prefix", Words("any address", "\"198.51.100.0/24\""), "At the addresses of this prefix."),
    key(
        "expected.address",
        Words("any address", "\"198.51.100.7\""),
        "At this address, instead of `prefix`.",
    ),
    key(
        "expected.project",
        Words("any project", "\"4f1cd1e0a6b84d8e9d4b2b8f0c7a5e11\""),
        "Of this project, by its id.",
    ),
    key(
        "expected.ports",
        Words("all ports", "\"80,443,8000-8100\""),
        "At these ports and ranges of ports, as `osel scan` takes them.",
    ),
    key("expected.protocol", Words("both", "\"tcp\""), "Of this protocol: `tcp` or `udp`."),
    key(
        "expected.tag",
        Words("any or no tag", "\"public\""),
        "Admitted by what carries this tag, exactly so: the port, the security group whose rule admits it, or the floating IP. Whoever may \
         tag these may say what is expected: name a `project` too where not everybody should.",
    ),
    key(
        "expected.until",
        Words("for ever", "\"2027-01-31\""),
        "Until when: a date, which is its first moment in UTC, or a time as RFC 3339 has it. Then what is still open is told.",
    ),
    key(
        "findings.unread_alarm_seconds",
        Default("604800"),
        "When findings were told and no forwarder, program or person has read any for so long, a record says so, once. 0 is for never.",
    ),
    key(
        "model.group_members_include_pairs",
        Default("true"),
        "Whether the allowed address pairs of a port count as members of its security groups, as with Neutron's own drivers.",
    ),
    key(
        "model.routed_prefixes",
        Default("[]"),
        "Prefixes of the cloud that are routed to from outside without address translation, such as [\"2001:db8::/32\"].",
    ),
    key(
        "http.listen",
        Default("\"127.0.0.1:8480\""),
        "Address and port to listen on. Any other address than one of the loopback lets other machines in.",
    ),
    key(
        "http.serve_log",
        Default("true"),
        "Whether the signed log over the records is served below /log/: numbers, times and ids of projects, but not what happened.",
    ),
    key(
        "control.socket",
        Words(
            "`osel.sock` in the store's directory, or /run/osel/osel.sock with a database",
            "\"/run/osel/osel.sock\"",
        ),
        "The path of the socket. Whoever may write to it may give orders: root, osel's user and its group.",
    ),
    key("log.format", Default("\"text\""), "`text` for people, `json` for programs: one object per line."),
    key(
        "log.level",
        Default("\"info\""),
        "The least serious that is logged: `error`, `warn`, `info`, `debug` or `trace`.",
    ),
];

impl Section {
    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        all().filter(|key| key.header() == self.header)
    }
}

impl Key {
    /// The header of its table.
    fn header(&self) -> String {
        match self.path.rsplit_once('.') {
            Some(("source", "path" | "follow")) => FILE_HEADER.to_owned(),
            Some(("source", _)) => "[[source]]".to_owned(),
            Some(("openstack", _)) => OPENSTACK_HEADER.to_owned(),
            Some(("scanner", _)) => SCANNER_HEADER.to_owned(),
            Some(("expected", _)) => EXPECTED_HEADER.to_owned(),
            Some(("forward", _)) => FORWARD_HEADER.to_owned(),
            Some(("witness", _)) => witness::SECTION.header.to_owned(),
            Some(("retention.class", _)) => check_retention::SECTION.header.to_owned(),
            Some((table, _)) => match table.split_once('.') {
                Some(("scanner", kind)) => format!("{SCANNER_HEADER} # type = \"{kind}\""),
                Some(("forward", kind)) => format!("{FORWARD_HEADER} # type = \"{kind}\""),
                _ => format!("[{table}]"),
            },
            None => String::new(),
        }
    }

    /// Its name within its table.
    fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }

    /// Its path as it stands in a file: without the type of a scanner.
    pub fn shown_path(&self) -> String {
        match self.path.split_once('.') {
            Some((table @ ("scanner" | "forward"), _)) => format!("{table}.{}", self.name()),
            _ => self.path.to_owned(),
        }
    }

    /// The variable of the environment that sets it, with `N` for the number of a source, API or scanner.
    pub fn variable(&self) -> String {
        let path = self.shown_path();
        let path = match path.split_once('.') {
            Some(("retention", rest)) if rest.starts_with("class.") => {
                format!("retention.class.N.{}", self.name())
            }
            Some((
                table @ ("source" | "openstack" | "scanner" | "expected" | "forward" | "witness"),
                rest,
            )) => {
                format!("{table}.N.{rest}")
            }
            _ => path,
        };
        format!("{VARIABLE_PREFIX}{}", path.to_ascii_uppercase().replace('.', "__"))
    }

    /// That variable, and those that say where the key's secret is.
    pub(super) fn variables(&self) -> impl Iterator<Item = String> {
        let is_secret = matches!(self.otherwise, Needed(value) | Words(_, value) if value.starts_with('{'));
        let references = REFERENCES.into_iter().filter(move |_| is_secret);
        let variable = self.variable();
        let below = variable.clone();
        let barbican = BARBICAN.1.into_iter().filter(|_| BARBICAN.0.contains(&self.path));
        std::iter::once(variable).chain(references.chain(barbican).map(move |way| format!("{below}__{way}")))
    }

    /// A value for it, as TOML.
    fn value(&self) -> &'static str {
        match self.otherwise {
            Default(value) | Needed(value) | Words(_, value) => value,
        }
    }
}

/// A complete configuration file: what has to be set is, with values of an example, and all else stands in it as a comment.
pub fn example() -> String {
    let mut text = String::from(
        "# The configuration of osel. What stands behind `#` without a space is a default, or an example of a value.\n",
    );
    let _ = writeln!(
        text,
        "# Each key can be set by a variable of the environment as well, which wins: {VARIABLE_PREFIX}SECTION__KEY."
    );
    for section in sections() {
        text.push('\n');
        comment(&mut text, section.what);
        let mark = if section.is_optional { "#" } else { "" };
        let _ = writeln!(text, "{mark}{}", section.header);
        for line in section.needs {
            let _ = writeln!(text, "{mark}{line}");
        }
        for key in section.keys() {
            text.push('\n');
            comment(&mut text, key.what);
            if let Words(words, _) = key.otherwise {
                comment(&mut text, &format!("Default: {words}."));
            }
            let is_set = matches!(key.otherwise, Needed(_)) && !section.is_optional;
            let mark = if is_set { "" } else { "#" };
            setting(&mut text, mark, key);
        }
    }
    text
}

/// How wide the example's lines are.
const WIDTH: usize = 100;

fn comment(text: &mut String, what: &str) {
    let mut line = String::from("#");
    for word in what.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

fn setting(text: &mut String, mark: &str, key: &Key) {
    let (name, value) = (key.name(), key.value());
    if name.len() + value.len() <= WIDTH {
        let _ = writeln!(text, "{mark}{name} = {value}");
        return;
    }
    // A long list, an item to a word.
    let _ = writeln!(text, "{mark}{name} = [");
    let items = value.trim_start_matches('[').trim_end_matches(']');
    // Behind a `#` stands no space, as before all that is a setting.
    let mut line = mark.to_owned();
    for item in items.split(", ") {
        if line.chars().count() + item.chars().count() + 2 > WIDTH {
            let _ = writeln!(text, "{line}");
            mark.clone_into(&mut line);
        }
        let space = if line.len() == mark.len() { "" } else { " " };
        let _ = write!(line, "{space}{item},");
    }
    let _ = writeln!(text, "{line}\n{mark}]");
}
