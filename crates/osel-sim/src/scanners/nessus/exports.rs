//! Reports that are being written: ordered, asked for until they are ready, and taken away.

use std::collections::BTreeMap;

use super::super::Reply;
use super::options::Options;
use crate::random::Random;

/// Reports that were ordered.
#[derive(Debug, Default)]
pub(super) struct Exports {
    known: BTreeMap<String, Export>,
}

#[derive(Debug)]
struct Export {
    scan: u64,
    /// How often it was asked for.
    polls: u32,
    body: String,
}

impl Exports {
    /// Keeps a report and gives the token by which it is asked for.
    pub(super) fn order(&mut self, random: &mut Random, scan: u64, body: String) -> String {
        let token = format!("{}{}", random.hex32(), random.hex32());
        self.known.insert(token.clone(), Export { scan, polls: 0, body });
        token
    }

    /// Whether it is ready. `scan` is the one that the asker takes it to be of, where he has to say.
    pub(super) fn status(
        &mut self,
        token: &str,
        scan: Option<u64>,
        options: &Options,
    ) -> Option<&'static str> {
        let export = self.find(token, scan)?;
        if options.export_fails {
            return Some("error");
        }
        let is_ready = export.polls >= options.export_polls;
        export.polls += 1;
        Some(if is_ready { "ready" } else { "loading" })
    }

    /// The report itself.
    pub(super) fn download(&mut self, token: &str, scan: Option<u64>, options: &Options) -> Option<Reply> {
        let export = self.find(token, scan)?;
        if export.polls < options.export_polls {
            return None;
        }
        let reply = Reply::text(200, "application/octet-stream", export.body.clone());
        Some(reply.with("content-disposition", "attachment; filename=\"scan.nessus\""))
    }

    fn find(&mut self, token: &str, scan: Option<u64>) -> Option<&mut Export> {
        self.known.get_mut(token).filter(|export| scan.is_none_or(|scan| scan == export.scan))
    }
}
