//! `type = "command"`: any program that is given addresses and answers in one of a few forms.

use super::super::keys;
use super::super::keys::Otherwise::{Default, Needed};
use super::super::section::{Section, number, one_of, quoted, text};
use super::super::tree::{Node, Origin, Value};
use super::kind::{Abilities, ScannerKind, Type};
use super::program::{self, ProgramConfig, program_keys};

/// The most arguments.
const ARGUMENTS_MAX: usize = 100;
/// The most variables of the environment, and codes.
const LIST_MAX: usize = 50;
/// The memory of a program of which nothing is known, in MiB.
const MEMORY_MIB: i64 = 2048;
/// What is filled in for one address.
const OF_ADDRESS: [&str; 3] = ["{address}", "{host}", "{ports}"];
/// What is filled in for one port.
const OF_PORT: [&str; 2] = ["{port}", "{transport}"];

/// For what the program is run once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// For all addresses of a scan.
    Scan,
    /// For each address.
    Address,
    /// For each port of each address.
    Port,
}

/// What the program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandInput {
    /// Nothing.
    None,
    /// An address on each line.
    Addresses,
    /// One object of JSON with addresses and ports.
    Json,
}

/// In which form the program answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandFormat {
    /// Objects of JSON, one on each line.
    JsonLines,
    /// SARIF 2.1.0.
    Sarif,
    /// nmap's XML.
    NmapXml,
}

/// How a program is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandConfig {
    /// The program.
    pub program: ProgramConfig,
    /// Its arguments, with places to be filled in.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// For what it is run once.
    pub per: Per,
    /// What it reads.
    pub input: CommandInput,
    /// In which form it answers.
    pub format: CommandFormat,
    /// Codes besides zero with which it has done what it should.
    pub success_codes: Vec<i32>,
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "command",
    section: Some(keys::Section {
        header: "[[scanner]] # type = \"command\"",
        what: "Any program that is given addresses and answers in JSON Lines, SARIF or nmap's XML: see docs/scanners/command.md.",
        is_optional: true,
        needs: &["name = \"probe\"", "type = \"command\""],
    }),
    keys: program_keys!(
        "command",
        Needed("\"/usr/local/bin/probe\""),
        "2048",
        [
            (
                "arguments",
                Default("[]"),
                "Its arguments. `{address}`, `{host}` (as in a URL) and `{ports}` are filled in for each address, `{port}` and `{transport}` for each port."
            ),
            (
                "environment",
                Default("[]"),
                "Variables of its environment, such as [\"CONFIG=/etc/probe.conf\"], besides PATH, LANG, HOME and TMPDIR."
            ),
            (
                "per",
                Default("\"scan\""),
                "For what it is run once: a whole `scan`, each `address`, or each `port`."
            ),
            (
                "stdin",
                Default("\"addresses\""),
                "What it reads: `addresses`, one on each line; `json`, one object with addresses and ports; `none`."
            ),
            (
                "format",
                Needed("\"jsonl\""),
                "How it answers on its standard output: `jsonl`, `sarif` or `nmap-xml`."
            ),
            (
                "success_codes",
                Default("[]"),
                "Exit codes besides 0 that are a success, such as [1] for a program that says so that it found something."
            ),
        ]
    ),
    read: |section| read(section).map(|config| ScannerKind::Command(Box::new(config))),
    abilities: Abilities {
        takes_ports: true,
        takes_udp: true,
        takes_ipv6: true,
        window_seconds: 30,
        batch_addresses_max: 16,
        running_max: 1,
        life_seconds_max: 7200,
    },
};

fn read(section: &mut Section<'_>) -> Option<CommandConfig> {
    let program = program::read(section, None, MEMORY_MIB);
    let pers = [("scan", Per::Scan), ("address", Per::Address), ("port", Per::Port)];
    let per = section.read("per", |node| one_of(node, &pers)).unwrap_or(Per::Scan);
    let arguments = section.read("arguments", |node| texts(node, ARGUMENTS_MAX, |text| argument(text, per)));
    let environment = section.read("environment", |node| texts(node, LIST_MAX, variable)).unwrap_or_default();
    let inputs =
        [("addresses", CommandInput::Addresses), ("json", CommandInput::Json), ("none", CommandInput::None)];
    let input = section.read("stdin", |node| one_of(node, &inputs)).unwrap_or(CommandInput::Addresses);
    let formats = [
        ("jsonl", CommandFormat::JsonLines),
        ("sarif", CommandFormat::Sarif),
        ("nmap-xml", CommandFormat::NmapXml),
    ];
    let format = section.read("format", |node| one_of(node, &formats));
    if format.is_none() && !section.was_given("format") {
        section.missing("format", "say how the program answers: \"jsonl\", \"sarif\" or \"nmap-xml\"");
    }
    let success_codes = section.read("success_codes", codes).unwrap_or_default();
    let arguments = if section.was_given("arguments") { arguments? } else { Vec::new() };
    Some(CommandConfig {
        program: program?,
        arguments,
        environment,
        per,
        input,
        format: format?,
        success_codes,
    })
}

/// An argument, with nothing to be filled in that its runs do not have.
fn argument(text: &str, per: Per) -> Result<String, String> {
    let unknown =
        |names: &[&str]| names.iter().find(|name| text.contains(**name)).map(|name| (*name).to_owned());
    let missing = match per {
        Per::Scan => unknown(&OF_ADDRESS).or_else(|| unknown(&OF_PORT)),
        Per::Address => unknown(&OF_PORT),
        Per::Port => None,
    };
    match missing {
        Some(name) if OF_PORT.contains(&name.as_str()) => Err(format!("`{name}` needs per = \"port\"")),
        Some(name) => Err(format!("`{name}` needs per = \"address\" or \"port\"")),
        None => Ok(text.to_owned()),
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("`{}` is not NAME=VALUE", quoted(text)))?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(format!("`{}` is no name of a variable", quoted(name)));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn codes(node: &Node) -> Result<Vec<i32>, String> {
    let items = items(node, LIST_MAX)?;
    items.iter().map(|node| number(node, 1..=255).map(|code| i32::try_from(code).unwrap_or(0))).collect()
}

/// Texts in order, any of them several times.
fn texts<T>(
    node: &Node,
    count_max: usize,
    how: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let clean = |text: &str| if text.contains('\0') { Err("holds a NUL".to_owned()) } else { how(text) };
    items(node, count_max)?.iter().map(|node| text(node).and_then(clean)).collect()
}

/// What is in a list; a variable has it with commas between.
fn items(node: &Node, count_max: usize) -> Result<Vec<Node>, String> {
    let items: Vec<Node> = match (&node.value, &node.origin) {
        (Value::List(nodes), _) => nodes.clone(),
        (Value::Text(text), origin @ Origin::Variable(_)) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| Node { origin: origin.clone(), value: Value::Text(part.to_owned()) }).collect()
        }
        (other, _) => return Err(format!("must be a list, not {}", other.kind())),
    };
    if items.len() > count_max {
        return Err(format!("has more than {count_max} entries"));
    }
    Ok(items)
}
