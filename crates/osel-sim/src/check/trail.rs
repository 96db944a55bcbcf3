//! The trail of a run verifies, and the same inputs give the same bytes: out of the journal, and after a restart.

use osel_core::trail::{NotedHead, StoredContent, StoredPart, StoredRecord, Verifier};

use super::failure::{Failure, ensure};
use super::machine::{Kept, Machine, Stored};
use super::plan::Plan;
use super::script::Arrival;

/// Fails when the verifier finds fault with a trail.
pub(super) fn verifies(records: &[Stored], machine: &Machine) -> Result<(), Failure> {
    const CHECK: &str = "the trail verifies";
    let noted = NotedHead { seq: records.len() as u64, hash: machine.hash() };
    let mut verifier = Verifier::new(Some(noted));
    for record in records {
        let sealed = &record.sealed;
        let projects: Vec<Option<String>> =
            sealed.parts.iter().map(|part| part.project.as_ref().map(ToString::to_string)).collect();
        let parts: Vec<StoredPart<'_>> = sealed
            .parts
            .iter()
            .zip(&record.parts)
            .zip(&projects)
            .map(|((part, bytes), project)| StoredPart {
                class: part.class,
                project: project.as_deref(),
                content: StoredContent::Present { salt: &part.salt, bytes },
            })
            .collect();
        let stored = StoredRecord {
            seq: sealed.seq,
            canonical: &sealed.canonical,
            hash: Some(&sealed.hash.0),
            parts: &parts,
        };
        verifier.push(&stored).map_err(|bad| Failure::new(CHECK, bad))?;
    }
    verifier.finish().map_err(|bad| Failure::new(CHECK, bad))?;
    Ok(())
}

/// What a journal holds of a run: every arrival that changed anything.
pub(super) type Journal = Vec<(usize, Kept)>;

/// Fails when the journal, folded into a new engine, does not give the same records.
pub(super) fn is_folded_again(
    plan: &Plan,
    arrivals: &[Arrival],
    journal: &Journal,
    records: &[Stored],
) -> Result<Machine, Failure> {
    let mut again = Machine::new(plan);
    let mut expected = records.iter();
    for (at, kept) in journal {
        let Some(arrival) = arrivals.get(*at) else { continue };
        let came = again.take_again(arrival, kept)?;
        are_the_same("the journal gives the same bytes", &came.records, &mut expected)?;
    }
    ensure(expected.next().is_none(), "the journal gives the same bytes", || {
        "records are missing".to_owned()
    })?;
    Ok(again)
}

/// Fails when a machine that was restarted does not go on as the one that was not.
pub(super) fn goes_on(
    mut restarted: Machine,
    arrivals: &[Arrival],
    records: &[Stored],
    end: &Machine,
) -> Result<(), Failure> {
    const CHECK: &str = "restart";
    let mut expected = records.iter();
    for arrival in arrivals {
        let came = restarted.take(arrival)?;
        are_the_same(CHECK, &came.records, &mut expected)?;
    }
    ensure(expected.next().is_none(), CHECK, || "records are missing".to_owned())?;
    same_lines(CHECK, &restarted.lines(), &end.lines())?;
    ensure(restarted.rows() == end.rows(), CHECK, || "the rows are others".to_owned())
}

/// Fails when two snapshots are not the same, line by line.
pub(super) fn same_lines(check: &'static str, found: &[String], expected: &[String]) -> Result<(), Failure> {
    let differs = found.iter().zip(expected).find(|(one, other)| one != other);
    ensure(differs.is_none() && found.len() == expected.len(), check, || match differs {
        Some((found, expected)) => format!("line {found}\nexpected {expected}"),
        None => format!("{} lines, expected {}", found.len(), expected.len()),
    })
}

fn are_the_same<'a>(
    check: &'static str,
    found: &[Stored],
    expected: &mut impl Iterator<Item = &'a Stored>,
) -> Result<(), Failure> {
    for record in found {
        let other = expected.next();
        let is_same = other.is_some_and(|other| other.sealed == record.sealed && other.parts == record.parts);
        ensure(is_same, check, || {
            let bytes = |record: &Stored| -> Vec<String> {
                record.parts.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect()
            };
            format!(
                "record {}: {:?}\nexpected {:?}",
                record.sealed.seq,
                bytes(record),
                other.map(|other| (other.sealed.seq, bytes(other)))
            )
        })?;
    }
    Ok(())
}
