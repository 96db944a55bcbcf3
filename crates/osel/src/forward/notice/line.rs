//! The notice that the one line of a batch holds.

use osel_core::forward::{Refusal, RefusalKind};
use osel_core::notice::Notice;

use crate::forward::http::refusal;
use crate::forward::receiver::{Batch, Item};

/// The one message of a batch, and the notice that it tells.
///
/// # Errors
/// When it is none, which is a defect of osel: somebody has to act, and nothing is lost.
pub(in crate::forward) fn notice_of(batch: &Batch) -> Result<(&Item, Notice), Refusal> {
    let denied = |words: &str| refusal(RefusalKind::Denied, words);
    let [item] = batch.items.as_slice() else {
        return Err(denied("people are told one message at a time, which is a defect of osel"));
    };
    let notice = serde_json::from_slice(&item.line)
        .map_err(|_| denied("a line is no notice, which is a defect of osel"))?;
    Ok((item, notice))
}

#[cfg(test)]
pub(in crate::forward) mod tests {
    use osel_core::notice::{NoticeGroup, NoticeLine};

    use super::*;

    /// A notice of lines with these texts.
    pub(in crate::forward) fn notice(texts: &[&str]) -> Notice {
        let line = |(seq, text): (u64, &&str)| NoticeLine {
            seq,
            time: "2026-11-26 10:00:00 UTC".to_owned(),
            severity: "critical".to_owned(),
            is_resolved: false,
            text: (*text).to_owned(),
        };
        let told = texts.len() as u64;
        Notice {
            first: 1,
            last: told,
            since: "2026-11-26 10:00:00 UTC".to_owned(),
            until: "2026-11-26 10:05:00 UTC".to_owned(),
            told,
            severity: "critical".to_owned(),
            severities: vec![("critical".to_owned(), told)],
            groups: vec![NoticeGroup {
                title: "what follows from record 1".to_owned(),
                told,
                lines: (1..).zip(texts).map(line).collect(),
            }],
            threads: vec!["finding-f00d".to_owned()],
            ..Notice::default()
        }
    }
}
