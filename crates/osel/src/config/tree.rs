//! A configuration file as values, each with the line it begins on.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// The keys of a table.
pub(super) type Table = BTreeMap<String, Node>;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The file as a whole, or nothing.
    Whole,
    /// A line of the file, from 1.
    Line(usize),
    /// A variable of the environment.
    Variable(String),
}

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Table),
    /// What no key takes, in words.
    Other(&'static str),
}

impl Value {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Boolean(_) => "`true` or `false`",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// Reads a text.
///
/// # Errors
/// Every fault of syntax, with its line.
pub(super) fn parse(text: &str) -> Result<Table, Vec<(usize, String)>> {
    let lines = Lines::of(text);
    let (table, faults) = DeTable::parse_recoverable(text);
    if faults.is_empty() {
        return Ok(lines.table(table.into_inner()));
    }
    // The message alone: the error's own text quotes the line, and with it what may be a secret.
    let mut faults: Vec<(usize, String)> = faults
        .iter()
        .map(|fault| (fault.span().map_or(1, |span| lines.at(span.start)), fault.message().to_owned()))
        .collect();
    faults.sort();
    Err(faults)
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1).collect())
    }

    /// The line of a byte, from 1.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset) + 1
    }

    fn table(&self, table: DeTable<'_>) -> Table {
        table
            .into_iter()
            .map(|(key, value)| {
                let line = self.at(key.span().start);
                (key.into_inner().into_owned(), self.node(line, value.into_inner()))
            })
            .collect()
    }

    fn node(&self, line: usize, value: DeValue<'_>) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number beyond all bounds"), Value::Number),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Boolean(boolean) => Value::Boolean(boolean),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Array(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| self.node(self.at(item.span().start), item.into_inner()))
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { origin: Origin::Line(line), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(table: &Table, key: &str) -> Origin {
        table.get(key).unwrap().origin.clone()
    }

    #[test]
    fn values_know_their_lines() {
        let table = parse("a = 1\n\n[b]\nc = [\n  'x',\n  'y',\n]\n[[d]]\ne = 0x10\n[[d]]\n").unwrap();
        assert_eq!(line_of(&table, "a"), Origin::Line(1));
        let Value::Table(b) = &table.get("b").unwrap().value else { unreachable!() };
        assert_eq!(line_of(b, "c"), Origin::Line(4));
        let Value::List(c) = &b.get("c").unwrap().value else { unreachable!() };
        assert_eq!(c.last().unwrap().origin, Origin::Line(6));
        let Value::List(d) = &table.get("d").unwrap().value else { unreachable!() };
        assert_eq!(d.iter().map(|node| node.origin.clone()).collect::<Vec<_>>(), [8, 10].map(Origin::Line));
        let Value::Table(first) = &d.first().unwrap().value else { unreachable!() };
        assert!(matches!(first.get("e").unwrap().value, Value::Number(16)));
    }

    #[test]
    fn every_fault_of_syntax_is_told_without_the_text() {
        let faults = parse("a = hunter2\nb = 'x'\nb = 'y'\n[c\n").unwrap_err();
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4], "{faults:?}");
        assert!(!format!("{faults:?}").contains("hunter2"));
    }
}
