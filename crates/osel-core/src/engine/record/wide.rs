//! A rule on many ports, in a record: written down as the rule, and not port by port.
//!
//! When an event gives or takes a rule's rows on every port that has the rule's group, then the model as it is after the record,
//! which any version of osel works out from the journal, knows those rows already. The record keeps the rule, how many rows there
//! are, the marks that were given to them, a few examples, and a digest of all the rows. Whoever reads asks the model of that
//! moment for the rows ([`WideRows::expand`]); the digest, which the chain covers like everything else in the part, proves that they
//! are those of the record. Where no model of that moment can be had any more, the counts and the examples are what is left.
//!
//! Nothing here trusts that an event changed only rules: rows are written like this when the model gives them back exactly, and one
//! by one otherwise.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use crate::exposure::{Judged, JudgedRow};
use crate::ids::Id;
use crate::model::{CloudModel, Permission, Row, Via, sort_rows};
use crate::trail::Hash;

/// A rule with more rows than this in one record is written as a rule. Up to it (some 20 kB) rows stand in the record itself, and
/// nothing else is needed to read them.
pub const WIDE_ROWS: usize = 64;

/// How many rows are written down as examples: as many as a sentence names, so that it is the same with and without the others.
/// A project that has no more is not worth it.
pub const EXAMPLES: usize = 3;

/// The rows of one rule on all ports of one project.
#[derive(Clone, Debug, PartialEq)]
pub struct WideRows {
    /// They came; else they went.
    pub opened: bool,
    /// The project of the ports.
    pub project_id: Option<Id>,
    /// The group whose ports have the rule.
    pub security_group_id: Id,
    /// The rule.
    pub rule_id: Id,
    /// What it admits.
    pub permission: Permission,
    /// How many rows there are.
    pub rows: u32,
    /// How many ports have them.
    pub ports: u32,
    /// The digest of the rows in their order.
    pub digest: Hash,
    /// The marks of the rows in their order, runs of the same in one: see [`Marks`].
    pub marks: Box<str>,
    /// The first few rows; ones that change something before others.
    pub examples: Vec<JudgedRow>,
}

/// Finds the rows of a judged delta, in order, that `cloud`, as it is after the record, gives back.
pub fn widen(cloud: &CloudModel, judged: &Judged) -> Vec<WideRows> {
    let mut found = Vec::new();
    for (opened, rows) in [(true, &judged.opened), (false, &judged.closed)] {
        if rows.len() <= WIDE_ROWS {
            continue;
        }
        let mut by_rule: BTreeMap<(&Id, &Id), Vec<&JudgedRow>> = BTreeMap::new();
        for judged in rows {
            if let (Some(group), Some(rule)) = (&judged.row.security_group_id, &judged.row.rule_id) {
                by_rule.entry((group, rule)).or_default().push(judged);
            }
        }
        for ((group, rule), rows) in by_rule {
            if rows.len() > WIDE_ROWS {
                widen_rule(cloud, opened, (group, rule), &rows, &mut found);
            }
        }
    }
    found
}

fn widen_rule(
    cloud: &CloudModel,
    opened: bool,
    (group, rule): (&Id, &Id),
    rows: &[&JudgedRow],
    out: &mut Vec<WideRows>,
) {
    // A forwarding's row shows the forwarding's ports; the others show what the rule itself admits.
    let direct = rows.iter().find(|judged| judged.row.via != Via::Forwarding);
    let Some(permission) = direct.map(|judged| &judged.row.permission) else { return };
    let mut given_back = cloud.rows_of_permission(group, rule, permission, |_| true);
    sort_rows(&mut given_back);
    if !given_back.iter().eq(rows.iter().map(|judged| &judged.row)) {
        return;
    }
    let mut by_project: BTreeMap<Option<&Id>, Vec<&JudgedRow>> = BTreeMap::new();
    for judged in rows {
        by_project.entry(judged.row.project_id.as_ref()).or_default().push(judged);
    }
    for (project, rows) in by_project {
        if rows.len() <= EXAMPLES {
            continue;
        }
        let telling = rows
            .iter()
            .filter(|row| !row.changes_nothing(opened))
            .chain(rows.iter().filter(|row| row.changes_nothing(opened)))
            .take(EXAMPLES);
        let mut ports: Vec<&Id> = rows.iter().map(|judged| &judged.row.port_id).collect();
        ports.sort_unstable();
        ports.dedup();
        out.push(WideRows {
            opened,
            project_id: project.cloned(),
            security_group_id: group.clone(),
            rule_id: rule.clone(),
            permission: permission.clone(),
            rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
            ports: u32::try_from(ports.len()).unwrap_or(u32::MAX),
            digest: digest(rows.iter().map(|judged| &judged.row)),
            marks: Marks::write(&rows),
            examples: telling.map(|judged| (*judged).clone()).collect(),
        });
    }
}

impl WideRows {
    /// The rows, from the cloud of their region as it was after the record; none when this is another cloud, or it no longer
    /// gives exactly the rows that the record is about.
    pub fn expand(&self, cloud: &CloudModel) -> Option<Vec<JudgedRow>> {
        let wanted = |project: Option<&Id>| project == self.project_id.as_ref();
        let mut rows =
            cloud.rows_of_permission(&self.security_group_id, &self.rule_id, &self.permission, wanted);
        if rows.len() != self.rows as usize {
            return None;
        }
        sort_rows(&mut rows);
        if digest(rows.iter()) != self.digest {
            return None;
        }
        Marks::read(&self.marks, rows)
    }
}

/// What is judged of each row, as a text: a letter for the mark, with the length of its run where that is not 1. `-5000r2-` are five
/// thousand rows that change something, two redundant ones and another one. Even where marks alternate it is a byte for a row.
struct Marks;

/// Letters of marks by their number: nothing, redundant, covered before, both.
const LETTERS: [char; 4] = ['-', 'r', 'c', 'b'];

impl Marks {
    fn write(rows: &[&JudgedRow]) -> Box<str> {
        use std::fmt::Write;

        let mut text = String::new();
        for run in rows.chunk_by(|one, other| mark(one) == mark(other)) {
            text.push(LETTERS[usize::from(mark(run[0]) & 3)]);
            if run.len() > 1 {
                let _ = write!(text, "{}", run.len());
            }
        }
        text.into()
    }

    /// None when the text does not have one mark for each row.
    fn read(text: &str, rows: Vec<Row>) -> Option<Vec<JudgedRow>> {
        let mut judged = Vec::with_capacity(rows.len());
        let mut rows = rows.into_iter();
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let mark = LETTERS.iter().position(|known| *known == letter)?;
            rest = &rest[letter.len_utf8()..];
            let digits = rest.len() - rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
            let count: usize = if digits == 0 { 1 } else { rest[..digits].parse().ok()? };
            rest = &rest[digits..];
            if count > rows.len() {
                return None;
            }
            judged.extend(rows.by_ref().take(count).map(|row| marked(row, mark as u8)));
        }
        (rows.len() == 0).then_some(judged)
    }
}

/// What is judged of a row, as a number: 1 redundant, 2 covered before.
pub(super) fn mark(judged: &JudgedRow) -> u8 {
    u8::from(judged.redundant) + 2 * u8::from(judged.covered_before)
}

/// The row with the mark that [`mark`] gave.
pub(super) fn marked(row: Row, mark: u8) -> JudgedRow {
    JudgedRow { row, redundant: mark & 1 != 0, covered_before: mark & 2 != 0 }
}

/// SHA-256 over all that rows show, each field with its length before it. What rows share, group, rule and project, stands beside
/// the digest; what the rule admits is hashed with each row, since a forwarding shows its own.
fn digest<'a>(rows: impl Iterator<Item = &'a Row>) -> Hash {
    let mut digest = Sha256::new();
    let mut bytes = Vec::new();
    for row in rows {
        bytes.clear();
        net(&mut bytes, Some(row.address));
        field(&mut bytes, Some(row.via.as_str().as_bytes()));
        net(&mut bytes, row.fixed_ip);
        for id in [Some(&row.port_id), row.device_id.as_ref(), row.network_id.as_ref()] {
            field(&mut bytes, id.map(Id::text).as_deref().map(str::as_bytes));
        }
        for word in [&row.device_owner, &row.region] {
            field(&mut bytes, word.as_deref().map(str::as_bytes));
        }
        field(&mut bytes, Some(row.permission.protocol.name().as_bytes()));
        let (min, max) = row.permission.ports.unwrap_or((0, 0));
        bytes.push(u8::from(row.permission.ports.is_some()));
        bytes.extend(min.to_be_bytes().into_iter().chain(max.to_be_bytes()));
        digest.update(&bytes);
    }
    Hash(digest.finalize().into())
}

fn net(bytes: &mut Vec<u8>, net: Option<IpNet>) {
    let Some(net) = net else { return field(bytes, None) };
    match net.addr() {
        IpAddr::V4(address) => field(bytes, Some(&address.octets())),
        IpAddr::V6(address) => field(bytes, Some(&address.octets())),
    }
    bytes.push(net.prefix_len());
}

fn field(bytes: &mut Vec<u8>, content: Option<&[u8]>) {
    let length = content.map_or(u32::MAX, |content| u32::try_from(content.len()).unwrap_or(u32::MAX - 1));
    bytes.extend(length.to_be_bytes());
    bytes.extend(content.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Source, host};

    fn row(number: u8) -> Row {
        Row {
            address: host([192, 0, 2, number].into()),
            via: Via::Fixed,
            fixed_ip: None,
            port_id: Id::new("port"),
            device_id: None,
            device_owner: None,
            project_id: None,
            network_id: None,
            region: None,
            permission: Permission::new(false, Some("tcp"), Some(22), Some(22), Source::family(false)),
            security_group_id: None,
            rule_id: None,
        }
    }

    #[test]
    fn marks_come_back_and_damaged_ones_do_not() {
        let judged: Vec<JudgedRow> = [0, 0, 0, 1, 3, 3, 2, 0]
            .into_iter()
            .zip(1..)
            .map(|(mark, number)| marked(row(number), mark))
            .collect();
        let text = Marks::write(&judged.iter().collect::<Vec<_>>());
        assert_eq!(&*text, "-3rb2c-");
        let rows = || judged.iter().map(|judged| judged.row.clone()).collect::<Vec<_>>();
        assert_eq!(Marks::read(&text, rows()), Some(judged.clone()));
        for damaged in ["", "-3rb2c", "-3rb2c--", "-99999999999999999999999", "x8", "8", "-0-", "-3rb2c-é"] {
            assert_eq!(Marks::read(damaged, rows()), None, "{damaged}");
        }
    }

    #[test]
    fn a_digest_covers_whatever_a_row_shows() {
        let of = |row: &Row| digest(std::iter::once(row));
        let base = row(1);
        let mut others = vec![row(2)];
        let mut other = |change: &dyn Fn(&mut Row)| {
            let mut row = base.clone();
            change(&mut row);
            others.push(row);
        };
        other(&|row| row.via = Via::Pair);
        other(&|row| row.fixed_ip = Some(row.address));
        other(&|row| row.port_id = Id::new("other"));
        other(&|row| row.device_id = Some(Id::new("a")));
        other(&|row| row.network_id = Some(Id::new("a")));
        other(&|row| row.device_owner = Some("a".into()));
        other(&|row| row.region = Some("a".into()));
        other(&|row| row.permission.ports = Some((22, 23)));
        other(&|row| row.permission.ports = None);
        other(&|row| row.permission.protocol = crate::model::Protocol::Any);
        for other in &others {
            assert_ne!(of(&base), of(other), "{other:?}");
        }
        let mut seen: Vec<Hash> = others.iter().map(of).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), others.len());
    }
}
