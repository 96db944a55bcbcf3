//! `osel reference`: the reference pages in Markdown, made of what the program itself knows; `cargo xtask docs` writes them.
//!
//! A page says what the program does because it is the program that says it. The command is hidden: people read the pages.

use std::fmt::Write;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::{Arg, Command, ValueEnum};

use super::output::print_bytes;
use crate::config::keys::{Key, Otherwise, sections};
use crate::doctor::Id;

/// The pages.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Page {
    /// Every command with its arguments.
    Cli,
    /// Every key of the configuration.
    Config,
    /// Every check of `osel doctor`.
    Doctor,
}

pub(super) fn run(page: Page, program: Command) -> anyhow::Result<ExitCode> {
    let text = match page {
        Page::Cli => commands(program),
        Page::Config => keys(),
        Page::Doctor => checks(),
    };
    print_bytes(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The checks of `osel doctor`, by their subjects.
fn checks() -> String {
    let mut text = String::from(
        "# Checks of `osel doctor`\n\nMade by `cargo xtask docs` from what `osel` itself says. [How to use it](../doctor.md) \
         stands beside it. Words in capital letters stand for what was seen.\n",
    );
    let mut subject = None;
    for id in Id::ALL {
        let card = id.card();
        if subject.replace(card.subject) != Some(card.subject) {
            let name = card.subject.as_str();
            let _ = write!(text, "\n## {}{}\n", name[..1].to_uppercase(), &name[1..]);
            text.push_str(
                "\n| id | severity | what it means | how to mend it |\n| --- | --- | --- | --- |\n",
            );
        }
        let meaning = format!("**{}.** {}", card.title, card.meaning);
        let caution = id.caution().map(|text| format!(" {text}")).unwrap_or_default();
        let mend = format!("`{}`{caution}", card.fix.shown(card.fix.setting, card.fix.value));
        let (id, severity) = (card.id, card.severity.as_str());
        let _ = writeln!(text, "| `{id}` | {severity} | {} | {} |", cell(&meaning), cell(&mend));
    }
    text
}

fn commands(mut program: Command) -> String {
    program.build();
    let mut text =
        String::from("# The command line\n\nMade by `cargo xtask docs` from what `osel` itself says.\n");
    paragraphs(&mut text, about(&program));
    paragraphs(&mut text, program.get_after_help());
    for command in shown(&program) {
        section(&mut text, &["osel"], command);
    }
    text
}

/// The commands that people use, and not `help`, which clap adds everywhere.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn section(text: &mut String, above: &[&str], command: &Command) {
    let path = [above, &[command.get_name()]].concat();
    let level = "#".repeat(path.len());
    let _ = write!(text, "\n{level} {}\n", path.join(" "));
    paragraphs(text, about(command));
    let has_inner = shown(command).next().is_some();
    if !has_inner || !command.is_subcommand_required_set() {
        usage(text, &path, command);
    }
    for inner in shown(command) {
        section(text, &path, inner);
    }
}

/// How a command is called, and what of its arguments means what.
fn usage(text: &mut String, path: &[&str], command: &Command) {
    let (options, values): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .partition(|argument| argument.get_long().is_some() || argument.get_short().is_some());
    let _ = write!(text, "\n    {}", path.join(" "));
    if options.iter().any(|option| option.get_id() != "help") {
        text.push_str(" [OPTIONS]");
    }
    for value in &values {
        let name = value.to_string();
        let optional = !value.is_required_set() && !name.starts_with('[');
        let _ = if optional {
            write!(text, " [{}]", name.trim_matches(['<', '>']))
        } else {
            write!(text, " {name}")
        };
    }
    text.push('\n');
    let rows = values.into_iter().chain(options).filter(|argument| argument.get_id() != "help");
    for (number, argument) in rows.enumerate() {
        if number == 0 {
            text.push_str("\n| argument | what it says |\n| --- | --- |\n");
        }
        let _ = writeln!(text, "| `{}` | {} |", cell(&name(argument)), cell(&meaning(argument)));
    }
}

fn about(command: &Command) -> Option<&StyledStr> {
    command.get_long_about().or_else(|| command.get_about())
}

/// Adds a text, each paragraph between empty lines.
fn paragraphs(text: &mut String, added: Option<&StyledStr>) {
    for (number, paragraph) in added.map(StyledStr::to_string).unwrap_or_default().split("\n\n").enumerate() {
        let mut paragraph = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        // The first sentence of a help text has no full stop where it stands alone.
        if number == 0 && paragraph.ends_with(char::is_alphanumeric) {
            paragraph.push('.');
        }
        if !paragraph.is_empty() {
            let _ = write!(text, "\n{paragraph}\n");
        }
    }
}

/// `-o, --output <OUTPUT>`, or the value's name.
fn name(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default().iter().map(|name| format!(" <{name}>"));
    let value: String = if argument.get_action().takes_values() { names.collect() } else { String::new() };
    match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}{value}"),
        (None, Some(long)) => format!("--{long}{value}"),
        (Some(short), None) => format!("-{short}{value}"),
        (None, None) => argument.to_string(),
    }
}

/// What the argument is for, what it may be, and what it is when it is not given.
fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let mut text = help.map(StyledStr::to_string).unwrap_or_default();
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    if !argument.get_action().takes_values() {
        return text;
    }
    let allowed: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({})", value.get_name(), help.to_string().trim_end_matches('.')),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !allowed.is_empty() {
        let _ = write!(text, " One of {}.", allowed.join(", "));
    }
    let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !default.is_empty() {
        let _ = write!(text, " Default: `{}`.", default.join(" "));
    }
    text
}

fn keys() -> String {
    let mut text = String::from(
        "# Configuration\n\nMade by `cargo xtask docs` from what `osel` itself says. `osel config example` prints the same as a file, and \
         `osel config check` says what is wrong with one.\n\n\
         The file is named by `-c FILE`, else by the variable OSEL_CONFIG, else it is `/etc/osel/osel.toml`. Each key can be set by a variable \
         of the environment as well, which wins over the file; an empty variable counts as not set, and a list has commas between its items. \
         Of a secret, variables can also say where it is: the key's own with `__FILE`, `__ENV` or `__CREDENTIAL` behind it. Relative paths \
         count from the file's folder, those of variables from where osel was started.\n",
    );
    for section in sections() {
        let _ = write!(text, "\n## `{}`\n\n{}\n", section.header, section.what);
        text.push_str("\n| key | variable | default | what it says |\n| --- | --- | --- | --- |\n");
        for key in section.keys() {
            let Key { what, .. } = key;
            let otherwise = match key.otherwise {
                Otherwise::Default(value) => format!("`{value}`"),
                Otherwise::Needed(value) => format!("has to be set: `{value}`"),
                Otherwise::Words(words, _) => words.to_owned(),
            };
            let _ = writeln!(
                text,
                "| `{}` | `{}` | {} | {} |",
                key.shown_path(),
                key.variable(),
                cell(&otherwise),
                cell(what)
            );
        }
    }
    text
}

/// A text that stays within its cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_and_argument_has_its_line() {
        fn check(text: &str, path: &str, command: &Command) {
            assert!(text.contains(&format!(" {path}\n")), "{path} has no heading");
            assert!(about(command).is_some(), "{path} says nothing about itself");
            for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
                assert!(argument.get_help().is_some(), "{argument} of {path} is not explained");
            }
            for inner in shown(command) {
                check(text, &format!("{path} {}", inner.get_name()), inner);
            }
        }
        let program = super::super::Cli::command();
        let text = commands(program.clone());
        for command in shown(&program) {
            check(&text, &format!("osel {}", command.get_name()), command);
        }
        assert!(
            text.contains("| `--until <N>` | Stop after this many messages of the files given. |"),
            "{text}"
        );
        assert!(text.contains("\n    osel replay [OPTIONS] <FILE>...\n"), "{text}");
        assert!(!text.contains("osel reference"));
        assert!(keys().contains("| `store.path` | `OSEL_STORE__PATH` |"));
    }

    #[test]
    fn a_cell_does_not_break_its_table() {
        assert_eq!(cell("a|b\nc"), "a\\|b c");
    }
}
