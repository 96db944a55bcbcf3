//! Which records go out, and what of them: the conditions of a search, an incident, and what may be shown to a project.

use std::cell::RefCell;
use std::convert::Infallible;
use std::ops::{ControlFlow, RangeInclusive};

use clap::Args;
use osel_core::engine::record::{Record, sentence};
use osel_core::search::Query;

use super::chosen::Chosen;
use super::conditions::{Conditions, say_damaged, say_unindexed};
use super::incident;
use super::past::Past;
use super::read::{missing, unaltered};
use crate::runtime::search::{Wanted, look};
use crate::store::{Numbers, Reader, StoredRecord};

/// Which records are meant.
#[derive(Clone, Debug, Args)]
pub struct SelectionArgs {
    #[command(flatten)]
    pub(super) conditions: Conditions,
    /// Only the records of the incident that this one belongs to: what it followed from, what the same requests caused, and all that
    /// followed from these, such as scans and findings.
    #[arg(long, value_name = "SEQ")]
    incident: Option<u64>,
    /// Only what may be shown to this project, by its id: records about it or with rows of its ports, and of them the parts that belong to
    /// it. Who acted is told by name and address where that was a user of the project; what is left out is missing.
    #[arg(long, value_name = "PROJECT-ID")]
    for_project: Vec<String>,
}

/// What is done with each record.
pub(super) type EachRecord<'a> =
    &'a mut dyn FnMut(&mut dyn Reader, &StoredRecord, Record) -> anyhow::Result<()>;

/// Which records are meant, read.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    query: Query,
    /// By number.
    pub(super) numbers: RangeInclusive<u64>,
    /// By nothing but number.
    pub(super) is_by_number: bool,
    incident: Option<u64>,
    /// The projects whose parts only are shown; where there is none, all are.
    pub(super) shown_to: Vec<String>,
}

impl SelectionArgs {
    /// Reads the conditions.
    ///
    /// # Errors
    /// When a time is none.
    pub(super) fn read(&self) -> anyhow::Result<Selection> {
        let Self { conditions, incident, for_project } = self;
        Ok(Selection {
            query: Query { shown_to: for_project.clone(), ..conditions.query()? },
            numbers: conditions.numbers(),
            is_by_number: conditions.are_numbers() && incident.is_none() && for_project.is_empty(),
            incident: *incident,
            shown_to: for_project.clone(),
        })
    }

    /// What was given, in words.
    pub(super) fn asked(&self) -> Vec<String> {
        let projects = self.for_project.iter().map(|project| format!("--for-project {project}"));
        let incident = self.incident.map(|seq| format!("--incident {seq}"));
        let conditions = Some(self.conditions.asked()).filter(|asked| !asked.is_empty());
        projects.chain(incident).chain(conditions).collect()
    }
}

impl Selection {
    /// Gives those of these records that are meant in their order, whole: what may be shown of them is for the caller.
    ///
    /// # Errors
    /// When the store cannot be read, a record is damaged, or `each` fails.
    pub(super) fn each(
        &self,
        reader: &mut dyn Reader,
        records: Numbers,
        each: EachRecord<'_>,
    ) -> anyhow::Result<()> {
        match self.incident {
            Some(seq) => self.each_of_incident(reader, &records, seq, each),
            None => self.each_found(reader, records, each),
        }
    }

    fn each_found(
        &self,
        reader: &mut dyn Reader,
        records: Numbers,
        each: EachRecord<'_>,
    ) -> anyhow::Result<()> {
        if !self.is_by_number {
            say_unindexed(reader, &records);
        }
        let past = RefCell::new(Past::default());
        let mut failed = None;
        let looked = look(
            reader,
            &self.query,
            &Wanted { records, latest_first: false },
            &mut |reader, record| past.borrow_mut().list_rows(reader, record),
            &mut |reader: &mut dyn Reader, stored, record| {
                failed = each(reader, stored, record).err();
                let is_over = failed.is_some();
                Ok::<_, Infallible>(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        )?;
        say_damaged(looked);
        failed.map_or(Ok(()), Err)
    }

    fn each_of_incident(
        &self,
        reader: &mut dyn Reader,
        records: &Numbers,
        seq: u64,
        each: EachRecord<'_>,
    ) -> anyhow::Result<()> {
        let last = reader.head()?.seq;
        let incident = incident::of(reader, seq, last)?;
        let mut past = Past::default();
        for number in incident.runs().flatten().filter(|number| records.contains(number)) {
            let stored = reader.record(number)?.ok_or_else(|| missing(number))?;
            let mut record = unaltered(&stored, None)?;
            if !self.query.matches_beside_rows(&record, || sentence(&record)) {
                continue;
            }
            if self.query.needs_rows() {
                past.list_rows(reader, &mut record);
            }
            if self.query.matches_rows(&record) {
                each(reader, &stored, record)?;
            }
        }
        Ok(())
    }

    /// The numbers of those that are meant.
    ///
    /// # Errors
    /// As [`Self::each`].
    pub(super) fn choose(&self, reader: &mut dyn Reader, records: Numbers) -> anyhow::Result<Chosen> {
        let mut chosen = Chosen::default();
        self.each(reader, records, &mut |_, stored, _| {
            chosen.insert(stored.seq);
            Ok(())
        })?;
        Ok(chosen)
    }
}
