//! The data of the rules: who may import what, what is banned where, how long a file may be.
//!
//! A change here is a change of the architecture: it comes with its reason in the same commit, and `ARCHITECTURE.md` follows.

use Pattern::{Begins, Exit, From, Has, Macro, Stream, Word};

/// A crate's or module's row in an import table.
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it may import.
    pub(crate) may: &'static [&'static str],
    /// What its tests may import besides (crates only: tests inside a crate may look at every module).
    pub(crate) tests_may: &'static [&'static str],
}

const fn row(name: &'static str, may: &'static [&'static str]) -> Row {
    Row { name, may, tests_may: &[] }
}

/// Which crate may depend on which crate of the workspace.
pub(crate) const CRATES: &[Row] = &[
    row("osel-core", &[]),
    Row { name: "osel", may: &["osel-core", "osel-sigma"], tests_may: &["osel-sim"] },
    row("osel-sim", &["osel-core"]),
    row("osel-verify", &["osel-core"]),
    row("osel-sigma", &["osel-core"]),
    row("xtask", &[]),
    // Outside the workspace, since it needs another toolchain.
    row("osel-fuzz", &["osel-core"]),
];

/// A crate whose modules have an import table.
pub(crate) struct ModuleTable {
    /// The folder of its source.
    pub(crate) folder: &'static str,
    /// What every module may import: the words that all speak.
    pub(crate) everywhere: &'static [&'static str],
    /// One row for each module directly below the root.
    pub(crate) rows: &'static [Row],
}

/// The import tables of the modules.
pub(crate) const MODULES: &[ModuleTable] = &[CORE, OSEL];

/// The core: from bytes to commands, each module seeing only what lies before it.
const CORE: ModuleTable = ModuleTable {
    folder: "crates/osel-core/src/",
    everywhere: &["ids", "time"],
    rows: &[
        row("ids", &[]),
        row("time", &[]),
        row("event", &[]),
        row("decode", &["event"]),
        row("model", &["event"]),
        row("exposure", &["event", "model"]),
        row("names", &["event"]),
        row("finding", &["model", "exposure", "scan"]),
        row("scan", &[]),
        row("plan", &["model", "exposure", "finding", "scan"]),
        row("trail", &["event", "finding", "plan"]),
        row("engine", &["event", "decode", "model", "exposure", "names", "finding", "scan", "plan", "trail"]),
        row("pace", &[]),
        row("intake", &["event", "pace"]),
        row("survey", &["event", "pace"]),
        row("conduct", &["scan", "pace"]),
        // Made of records that were read back.
        row("format", &["event", "model", "exposure", "names", "scan", "finding", "trail", "engine"]),
        // Its filter looks at records that were read back.
        row("forward", &["pace", "trail", "format", "engine"]),
        // What people are told of records that were read back, by the same filter.
        row("notice", &["trail", "format", "engine", "forward"]),
        row("witness", &["pace", "trail"]),
        // Made of records that were read back, before they have any form.
        row("pseudonym", &["engine", "trail"]),
        row("search", &["event", "model", "trail", "engine"]),
    ],
};

/// The shell: drivers know their part of the configuration and never each other; the runtime knows the drivers.
const OSEL: ModuleTable = ModuleTable {
    folder: "crates/osel/src/",
    everywhere: &[],
    rows: &[
        // What is logged, and how, is configured too.
        row("telemetry", &["config"]),
        row("config", &[]),
        // What several drivers need of rustls.
        row("tls", &["config"]),
        // Requests over HTTP, for the drivers that make some.
        row("http", &["config", "tls"]),
        // Connections to brokers, for the drivers that have some.
        row("amqp", &["config", "tls"]),
        // Files with keys: of the log, of a witness, of pseudonyms. Read and made by one piece of code.
        row("key_file", &[]),
        row("source", &["config", "telemetry", "tls", "amqp"]),
        row("openstack", &["config", "telemetry", "tls", "http"]),
        row("action", &["config", "telemetry", "tls", "http"]),
        // One of its receivers is Swift, which is asked as OpenStack's client does.
        row("forward", &["config", "telemetry", "tls", "http", "amqp", "openstack"]),
        row("store", &["config", "telemetry", "tls"]),
        // It only asks, by the drivers' own connections and with what the daemon would be configured to.
        row("doctor", &["config", "telemetry", "tls", "amqp", "source", "store"]),
        // What a planned change would do: text in, values out, so that it needs nothing but the core.
        row("planned", &["sarif"]),
        // The form of a log that planned changes and findings share.
        row("sarif", &[]),
        row(
            "runtime",
            &[
                "config",
                "telemetry",
                "key_file",
                "source",
                "openstack",
                "action",
                "forward",
                "witness",
                "store",
            ],
        ),
        // Who remembers what was seen of logs, here and elsewhere.
        row("witness", &["config", "telemetry", "key_file", "tls", "http"]),
        row("web", &["config", "telemetry", "store", "runtime", "witness"]),
        row(
            "cli",
            &[
                "config",
                "telemetry",
                // What is wrong with certificates, for whoever checks a configuration.
                "tls",
                "amqp",
                "source",
                "openstack",
                "action",
                "forward",
                "store",
                "runtime",
                "web",
                "witness",
                "doctor",
                "planned",
                "sarif",
            ],
        ),
    ],
};

/// What the core may depend on; tests may use more.
pub(crate) const CORE_DEPENDENCIES: &[&str] = &[
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "memchr",
    // Several words at once, where `memchr` finds one.
    "aho-corasick",
    // Pseudonyms: a hash under a key, of the same maker as `sha2`.
    "hmac",
    "ipnet",
    "prefix-trie",
    "rangemap",
    "roaring",
    // Signatures and their text: of the log over the records.
    "base64",
    "ed25519-dalek",
    // The decompressors, whose output is bounded by their caller.
    "bzip2",
    "flate2",
    // The time type, should `time::Timestamp` not be enough one day.
    "jiff",
];

/// How a path in Rust source is recognised.
pub(crate) enum Pattern {
    /// It begins with this.
    Begins(&'static str),
    /// It leads into this crate.
    From(&'static str),
    /// It is this single word: a keyword.
    Word(&'static str),
    /// It has this word anywhere.
    Has(&'static str),
    /// It calls this macro.
    Macro(&'static str),
    /// It ends with one of the standard streams, as in `io::stdout`.
    Stream,
    /// It names a process' end: `process::exit`, `process::abort`, `ExitCode`.
    Exit,
}

/// Something that must not be named in a part of the source.
pub(crate) struct Ban {
    /// Where: the beginning of the paths of files.
    pub(crate) within: &'static str,
    /// But not in files whose paths begin so.
    pub(crate) except: &'static [&'static str],
    /// Any of these.
    pub(crate) patterns: &'static [Pattern],
    /// What to do instead.
    pub(crate) instead: &'static str,
}

const PRINTING: &[Pattern] = &[Macro("println"), Macro("eprintln"), Macro("print"), Macro("eprint"), Stream];
const CORE_FOLDER: &str = "crates/osel-core/src/";
const OSEL_FOLDER: &str = "crates/osel/src/";
const SPEAKERS: &[&str] = &["crates/osel/src/cli/", "crates/osel/src/cli.rs", "crates/osel/src/main.rs"];
const STORE: &[&str] = &["crates/osel/src/store/"];

/// What is banned in code that is not a test.
pub(crate) const BANS: &[Ban] = &[
    Ban {
        within: CORE_FOLDER,
        except: &[],
        patterns: &[
            Begins("std::fs"),
            Begins("std::os"),
            Begins("std::process"),
            Begins("std::env"),
            Has("TcpStream"),
            Has("TcpListener"),
            Has("UdpSocket"),
            Has("UnixStream"),
            Has("ToSocketAddrs"),
            Begins("std::net::*"),
        ],
        instead: "the core does no I/O: take a value as argument, return a command",
    },
    Ban {
        within: CORE_FOLDER,
        except: &[],
        patterns: PRINTING,
        instead: "the core prints nothing: return what is to be told",
    },
    Ban {
        within: CORE_FOLDER,
        except: &[],
        patterns: &[
            From("tracing"),
            From("log"),
            Macro("info"),
            Macro("warn"),
            Macro("error"),
            Macro("debug"),
        ],
        instead: "the core does not log: return what is to be told",
    },
    Ban {
        within: CORE_FOLDER,
        except: &[],
        patterns: &[Has("Instant"), Has("SystemTime"), Has("UNIX_EPOCH"), Begins("std::time::*")],
        instead: "time is an argument in the core: take a `Timestamp`",
    },
    Ban {
        within: CORE_FOLDER,
        except: &[],
        patterns: &[Begins("std::thread"), From("tokio"), Word("async"), Has("thread_local")],
        instead: "the core is synchronous and has no threads: leave it to the shell",
    },
    Ban {
        within: CORE_FOLDER,
        except: &[],
        patterns: &[
            From("rand"),
            From("getrandom"),
            From("uuid"),
            From("fastrand"),
            Has("RandomState"),
            Has("thread_rng"),
        ],
        instead: "no result of the core depends on chance: take a seed or an id as argument",
    },
    Ban {
        within: CORE_FOLDER,
        except: &["crates/osel-core/src/ids.rs"],
        patterns: &[Has("HashMap"), Has("HashSet")],
        instead: "use `ids::Map` and `ids::Set`, whose hasher has no chance in it, or a `BTreeMap`",
    },
    Ban {
        within: OSEL_FOLDER,
        except: SPEAKERS,
        patterns: &[From("anyhow")],
        instead: "outside `cli/` an error is a small enum beside the code that fails",
    },
    Ban {
        within: OSEL_FOLDER,
        except: &[
            "crates/osel/src/cli/",
            "crates/osel/src/cli.rs",
            "crates/osel/src/main.rs",
            "crates/osel/src/telemetry",
        ],
        patterns: PRINTING,
        instead: "only `cli/` prints: return what is to be shown, or log it",
    },
    Ban {
        within: OSEL_FOLDER,
        except: SPEAKERS,
        patterns: &[Exit],
        instead: "only `cli/` ends the process: return an error",
    },
    Ban {
        within: OSEL_FOLDER,
        except: STORE,
        patterns: &[From("rusqlite"), From("tokio_postgres"), From("deadpool_postgres")],
        instead: "databases are spoken to in `store/` only: call its interface",
    },
    Ban {
        within: "",
        except: &[],
        patterns: &[Macro("todo"), Macro("unimplemented"), Macro("dbg")],
        instead: "finish it, or leave it out",
    },
];

/// Beginnings of SQL statements, as they stand in string literals.
pub(crate) const SQL: &[&str] = &[
    "SELECT ",
    "INSERT INTO",
    "INSERT OR",
    "UPDATE OR",
    "DELETE FROM",
    "CREATE TABLE",
    "CREATE INDEX",
    "CREATE UNIQUE",
    "DROP TABLE",
    "ALTER TABLE",
    "PRAGMA ",
    "BEGIN IMMEDIATE",
];
/// Where SQL may stand; tests may damage a store with it anywhere.
pub(crate) const SQL_FOLDER: &str = "crates/osel/src/store/";

/// No file of source or prose is longer than this many lines: what does not fit is two subjects.
pub(crate) const LINES_MAX: usize = 700;
/// Pages that a program writes may be as long as they come out.
pub(crate) const GENERATED: &[&str] = &["docs/reference/"];

/// Endings of the files for which the rules about text hold. Recorded and golden data is not among them: it stays as it came.
pub(crate) const TEXT_ENDINGS: &[&str] =
    &["rs", "md", "toml", "sql", "sh", "py", "yml", "yaml", "lock", "service", "css", "js", "html"];
/// Further such files, by their whole path.
pub(crate) const TEXT_NAMES: &[&str] = &[".ci/run", "justfile", ".gitignore", ".editorconfig"];

/// Files that must be there and committed.
pub(crate) const NEEDED_FILES: &[(&str, &str)] = &[
    ("LICENSE", "the text of the license that every crate names"),
    ("Cargo.lock", "everybody builds with the versions that were tested"),
    ("README.md", "it is what a stranger reads first"),
    (".ci/run", "it is what every change has to pass"),
];

/// The license of every crate, as OpenStack's.
pub(crate) const LICENSE: &str = "Apache-2.0";

/// The only set-up commands of the README, in this order.
pub(crate) const README_COMMANDS: [&str; 2] = ["cargo run --release -- demo", "cargo xtask test"];
/// A line of a README's code block that begins so is a set-up command.
pub(crate) const SETUP_PROGRAMS: &[&str] = &[
    "cargo", "rustup", "apt", "apt-get", "sudo", "pip", "docker", "podman", "make", "just", "git", "npm",
    "curl", "wget",
];

/// Beginnings of paths that exist on one person's machine only, in two parts so that this file passes its own rule.
pub(crate) const MACHINE_PATHS: &[(&str, &str)] =
    &[("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), ("/wo", "rk/")];
