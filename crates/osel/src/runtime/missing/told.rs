//! What the records of a trail tell of parts that go.

use std::collections::BTreeSet;

use osel_core::engine::record::BodyPart;
use osel_core::trail::{PartClass, RecordKind};

use super::account::Account;
use crate::store::{Expiry, PartContent, StoredRecord};

/// What was told by the records that were seen.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Up to which record parts go.
    limits: Expiry,
    /// The records that tell of erasures.
    erasures: BTreeSet<u64>,
}

impl Told {
    /// Takes a record of the kind `system`.
    pub(super) fn see(&mut self, record: &StoredRecord) {
        let body = record.parts.iter().find(|part| part.class == PartClass::Body.code());
        let Some(PartContent::Bytes(bytes)) = body.map(|part| &part.content) else { return };
        // Most records of the kind tell something else, and taking one apart takes longer than a look.
        let has = |word: &str| memchr::memmem::find(bytes, word.as_bytes()).is_some();
        if !has("\"retention\"") && !has("\"erase_person\"") {
            return;
        }
        let Ok(body) = serde_json::from_slice::<BodyPart>(bytes) else { return };
        let fact = |key: &str| body.detail.get(key).map(String::as_str);
        if fact("order") == Some("erase_person") {
            self.erasures.insert(record.seq);
        }
        if fact("retention") == Some("parts")
            && let Some(seq) = fact("seq").and_then(|seq| seq.parse().ok())
        {
            self.limit(fact("classes").unwrap_or_default(), fact("kinds"), seq);
        }
    }

    fn limit(&mut self, classes: &str, kinds: Option<&str>, seq: u64) {
        for class in classes.split(", ").filter_map(PartClass::from_word) {
            let Some(kinds) = kinds else {
                raise(self.limits.parts.entry(class.code()).or_default(), seq);
                continue;
            };
            for kind in kinds.split(", ").filter_map(RecordKind::from_word) {
                raise(self.limits.kinds.entry((class.code(), kind.code())).or_default(), seq);
            }
        }
    }

    /// Up to which record the records that tell may have lost what they told, by what later ones tell. Whatever a record tells of is before it.
    fn silent_until(&self) -> u64 {
        self.limits.limit(PartClass::Body.code(), RecordKind::System.code())
    }

    fn tells_limit(&self, class: u8, kind: Option<u8>, seq: u64) -> bool {
        let of_all = self.limits.parts.get(&class).copied().unwrap_or(0);
        let told = kind.map_or(of_all, |kind| self.limits.limit(class, kind));
        seq <= told || seq < self.silent_until()
    }

    /// Whether the record of that number tells of an erasure, or may have.
    pub(super) fn tells_erasure(&self, seq: u64) -> bool {
        self.erasures.contains(&seq) || seq <= self.silent_until()
    }

    /// Whether everything that an account went by is told. The checkpoint is not looked at: it is compared with its record by whoever verifies.
    pub(super) fn vouches_for(&self, account: &Account) -> bool {
        let limits = account.limits();
        limits.parts.iter().all(|(&class, &seq)| self.tells_limit(class, None, seq))
            && limits.kinds.iter().all(|(&(class, kind), &seq)| self.tells_limit(class, Some(kind), seq))
            && account.erasures().iter().all(|row| self.tells_erasure(row.seq))
    }

    /// What of limits is told, and what is told besides.
    pub(super) fn of_limits(&self, said: &Expiry) -> Expiry {
        let mut limits = Expiry { checkpoint: said.checkpoint, ..self.limits.clone() };
        for (&class, &seq) in said.parts.iter().filter(|&(&class, &seq)| self.tells_limit(class, None, seq)) {
            raise(limits.parts.entry(class).or_default(), seq);
        }
        for (&(class, kind), &seq) in &said.kinds {
            if self.tells_limit(class, Some(kind), seq) {
                raise(limits.kinds.entry((class, kind)).or_default(), seq);
            }
        }
        limits
    }
}

pub(super) fn raise(limit: &mut u64, seq: u64) {
    *limit = seq.max(*limit);
}
