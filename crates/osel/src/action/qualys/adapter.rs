//! What the conductor sees of Qualys.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use osel_core::scan::{LeftOut, RemoteState, TEXT_CHARS_MAX, Trouble, cut};

use super::addresses::Ranges;
use super::client::{Client, Endpoint, Form};
use super::document::{self, Scan};
use super::refusal::Failure;
use super::{fetch, launch};
use crate::action::build::ConfigNow;
use crate::action::scanner::{Asked, Launched, ScanOrder, Scanner, Seen};
use crate::config::{QualysConfig, ScannerKind};

/// How much the clocks of Qualys and of this host may differ, and how long a command may be older than its launch: a scan is looked for
/// from so long before its command was planned.
const CLOCKS_SECONDS: i64 = 3600;
/// So many states that nobody has described are remembered as told.
const UNKNOWN_STATES_MAX: usize = 16;

/// A subscription of Qualys.
pub struct Qualys {
    name: String,
    first: QualysConfig,
    now: ConfigNow,
    /// States that were told of already.
    told: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for Qualys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qualys")
            .field("name", &self.name)
            .field("url", &self.first.url)
            .finish_non_exhaustive()
    }
}

impl Qualys {
    /// The subscription of that configuration; `now` gives it anew for each order.
    pub fn new(name: String, first: QualysConfig, now: ConfigNow) -> Self {
        Self { name, first, now, told: Mutex::default() }
    }

    /// The way to the API as it is configured now; files are read off the loop.
    async fn client(&self) -> Result<Client, Trouble> {
        let (now, first) = (self.now.clone(), self.first.clone());
        let made = tokio::task::spawn_blocking(move || {
            let config = match now().kind {
                ScannerKind::Qualys(config) => *config,
                // The table has become another type since: what was there at the start counts until the restart.
                _ => first,
            };
            Client::new(config)
        });
        made.await.unwrap_or_else(|error| Err(Trouble::Unavailable(error.to_string())))
    }

    /// The scan of a reference.
    async fn scan(&self, client: &Client, reference: &str) -> Result<Scan, Trouble> {
        let form = vec![
            ("action", "list".to_owned()),
            ("scan_ref", reference.to_owned()),
            ("show_status", "1".to_owned()),
        ];
        let found = scan_of(client, &form, |scan| scan.reference == reference).await?;
        found.ok_or_else(|| Trouble::Gone(format!("Qualys has no scan `{}`", cut(reference, TEXT_CHARS_MAX))))
    }

    fn state(&self, scan: &Scan) -> RemoteState {
        let at_qualys = || format!("the scan is `{}` at Qualys", cut(&scan.state, TEXT_CHARS_MAX));
        match scan.state.as_str() {
            "Queued" => RemoteState::Waiting,
            // Somebody may let a paused one go on; if nobody does, the command's time ends it.
            "Running" | "Loading" | "Paused" | "Pausing" | "Resuming" | "Canceling" => RemoteState::Running,
            "Finished" => RemoteState::Finished,
            "Canceled" => RemoteState::Cancelled,
            "Error" => RemoteState::Partial(at_qualys()),
            other => {
                self.tell_of(other);
                RemoteState::Running
            }
        }
    }

    /// Tells of a state that nobody has described, once.
    fn tell_of(&self, state: &str) {
        let state = cut(state, TEXT_CHARS_MAX);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < UNKNOWN_STATES_MAX && told.insert(state.clone()) {
            tracing::warn!(
                scanner = self.name,
                state,
                "Qualys tells of a state that is unknown here; it counts as running"
            );
        }
    }
}

/// The first scan of a list that is the wanted one.
async fn scan_of(
    client: &Client,
    form: &Form,
    is_wanted: impl Fn(&Scan) -> bool,
) -> Result<Option<Scan>, Trouble> {
    let mut found = None;
    let read = |body: &[u8]| {
        let mut here = None;
        let listed = document::scans(body, |scan| {
            if here.is_none() && is_wanted(&scan) {
                here = Some(scan);
            }
        })?;
        Ok(match listed {
            document::Listed::Part((), next) => document::Listed::Part(here, next),
            document::Listed::Simple(simple) => document::Listed::Simple(simple),
        })
    };
    let asked = client.list(Endpoint::List, form, read, |part| found = found.take().or(part)).await;
    asked.map_err(Failure::trouble)?;
    Ok(found)
}

/// Whether a scan goes no further by itself or by anybody.
fn is_over(scan: &Scan) -> bool {
    matches!(scan.state.as_str(), "Finished" | "Canceled" | "Error")
}

/// What changes a scan that is there.
fn change(action: &str, reference: &str) -> Form {
    vec![("action", action.to_owned()), ("scan_ref", reference.to_owned())]
}

impl Scanner for Qualys {
    fn is_remote(&self) -> bool {
        true
    }

    fn find<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Option<Launched>> {
        Box::pin(async {
            let client = self.client().await?;
            let after = order.command.planned_at.plus_seconds(-CLOCKS_SECONDS).to_string();
            let form = vec![
                ("action", "list".to_owned()),
                ("launched_after_datetime", format!("{}Z", after.get(..19).unwrap_or(&after))),
                ("show_status", "1".to_owned()),
            ];
            let Some(scan) = scan_of(&client, &form, |scan| scan.title == order.title).await? else {
                return Ok(None);
            };
            let scanned = Ranges::of(&scan.target);
            let out =
                order.addresses().filter(|&address| !scan.target.is_empty() && !scanned.contains(address));
            let why = |address: std::net::IpAddr| match address.is_ipv6() && !client.config.takes_ipv6 {
                true => launch::IS_IPV6,
                false => "not among the targets of the scan at Qualys",
            };
            let left_out = out.map(|address| LeftOut { address, why: why(address).to_owned() }).collect();
            Ok(Some(Launched { reference: scan.reference, left_out }))
        })
    }

    fn launch<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Launched> {
        Box::pin(async { launch::launch(&self.client().await?, order).await })
    }

    fn status<'a>(&'a self, _order: &'a ScanOrder, reference: &'a str) -> Asked<'a, RemoteState> {
        Box::pin(async {
            let client = self.client().await?;
            Ok(self.state(&self.scan(&client, reference).await?))
        })
    }

    fn fetch<'a>(&'a self, order: &'a ScanOrder, reference: &'a str) -> Asked<'a, Seen> {
        Box::pin(async {
            let client = self.client().await?;
            let gathered = fetch::gather(&client, order, reference).await?;
            // What a result does not say of itself the list does: how the scan ended, and whether nobody was there.
            let scan = match gathered.says_all() {
                true => None,
                false => Some(self.scan(&client, reference).await?),
            };
            fetch::judge(&client, order, gathered, scan.as_ref()).await
        })
    }

    fn cancel<'a>(&'a self, _order: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()> {
        Box::pin(async {
            let client = self.client().await?;
            match client
                .order(Endpoint::Scan, &change("cancel", reference))
                .await
                .map_err(Failure::trouble_of_end)
            {
                // It is refused for one that is over already.
                Err(refused @ Trouble::Refused { .. }) => match self.scan(&client, reference).await {
                    Ok(scan) if is_over(&scan) || scan.state == "Canceling" => Ok(()),
                    Err(Trouble::Gone(_)) => Ok(()),
                    _ => Err(refused),
                },
                Ok(_) | Err(Trouble::Gone(_)) => Ok(()),
                Err(trouble) => Err(trouble),
            }
        })
    }

    fn forget<'a>(&'a self, _order: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()> {
        Box::pin(async {
            let client = self.client().await?;
            if !client.config.deletes_scans {
                return Ok(());
            }
            match client
                .order(Endpoint::Scan, &change("delete", reference))
                .await
                .map_err(Failure::trouble_of_end)
            {
                // It is refused for one that is not over yet, such as one that is being cancelled: that is for later.
                Err(refused @ Trouble::Refused { .. }) => match self.scan(&client, reference).await {
                    Ok(scan) if !is_over(&scan) => Err(Trouble::Busy { after_seconds: None }),
                    Err(Trouble::Gone(_)) => Ok(()),
                    _ => Err(refused),
                },
                Ok(_) | Err(Trouble::Gone(_)) => Ok(()),
                Err(trouble) => Err(trouble),
            }
        })
    }
}
