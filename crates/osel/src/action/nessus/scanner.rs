//! The scanner as the conductor sees it: find, launch, ask, fetch, cancel, forget.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use osel_core::scan::{RemoteState, TEXT_CHARS_MAX, Trouble, cut};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use super::client::Client;
use super::names::{list, looked_up};
use super::results::results;
use super::session::Sessions;
use super::trouble::{Effect, garbled, named};
use super::{download, report};
use crate::action::scanner::{Asked, Launched, ScanOrder, Scanner, Seen};
use crate::action::xml::{Limits, Xml};
use crate::config::{NessusConfig, NessusProduct};

/// The first wait for a report that is being written; each further one is twice as long.
const EXPORT_WAIT: Duration = Duration::from_millis(250);
/// The longest wait between two questions for it.
const EXPORT_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a report may be written: those of thousands of hosts take minutes.
const EXPORT_TIME: Duration = Duration::from_mins(10);
/// The longest name of an export: tokens of Nessus have 64 characters, files of the cloud 36.
const EXPORT_CHARS_MAX: usize = 128;

/// The configuration as it is now.
pub type ConfigNow = Arc<dyn Fn() -> NessusConfig + Send + Sync>;

/// Nessus, or Tenable Vulnerability Management.
pub struct Nessus {
    config: ConfigNow,
    sessions: Sessions,
}

impl std::fmt::Debug for Nessus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nessus").finish_non_exhaustive()
    }
}

/// The list of scans.
#[derive(Deserialize)]
struct Scans {
    #[serde(deserialize_with = "list")]
    scans: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    id: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

impl Line {
    fn is_launched(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status != "empty")
    }
}

#[derive(Deserialize)]
struct Created {
    scan: Number,
}

#[derive(Deserialize)]
struct Number {
    id: u64,
}

#[derive(Deserialize)]
struct Started {
    #[serde(rename = "scan_uuid")]
    _scan_uuid: String,
}

#[derive(Deserialize)]
struct Details {
    info: Status,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

/// Nessus gives a token for the report, the cloud a file.
#[derive(Deserialize)]
struct Exported {
    token: Option<String>,
    file: Option<Value>,
}

impl Nessus {
    /// One whose configuration is asked for each order.
    pub fn new(config: ConfigNow) -> Self {
        Self { config, sessions: Sessions::default() }
    }

    async fn client(&self) -> Result<Client<'_>, Trouble> {
        let now = Arc::clone(&self.config);
        // Secrets and certificates are files.
        let read = tokio::task::spawn_blocking(move || {
            let config = now();
            Client::trust(&config).map(|trust| (config, trust))
        });
        let (config, trust) = read.await.map_err(|error| Trouble::Unavailable(error.to_string()))??;
        Ok(Client::new(config, trust, &self.sessions))
    }

    async fn launched(&self, order: &ScanOrder) -> Result<Launched, Trouble> {
        let mut client = self.client().await?;
        let id = match of_title(&mut client, &order.title).await? {
            Some(scan) if scan.is_launched() => return Ok(launched(scan.id)),
            Some(scan) => scan.id,
            None => create(&mut client, order).await?,
        };
        start(&mut client, id).await?;
        Ok(launched(id))
    }

    async fn seen(&self, order: &ScanOrder, reference: &str) -> Result<Seen, Trouble> {
        let mut client = self.client().await?;
        let id = number(reference)?;
        let short = match state(&status(&mut client, id).await?) {
            RemoteState::Finished => None,
            RemoteState::Partial(why) | RemoteState::Failed(why) => Some(why),
            RemoteState::Cancelled => Some("the scan was called off at the scanner".to_owned()),
            RemoteState::Waiting | RemoteState::Running => {
                Some("the report was read before the scan was over".to_owned())
            }
        };
        let path = export(&mut client, id).await?;
        wait(&mut client, &path).await?;
        let path = format!("{path}/download");
        let answer = client.stream(&path).await?;
        let wanted: Vec<_> = order.addresses().collect();
        let read = move |pieces| {
            report::read(Xml::new(pieces, Limits::default()), |address| wanted.contains(&address))
        };
        let grace = Duration::from_secs(client.config.answer_seconds.get().into());
        let report = download::read(answer, "GET the report", grace, read).await?;
        let product = product(client.config.product);
        let scanner = report.version.as_ref().map_or_else(
            || product.to_owned(),
            // The cloud's scanners are Nessus too.
            |version| format!("Nessus {version}"),
        );
        let hosts = results(order, report, short.as_deref(), &client.config.covers);
        Ok(Seen { scanner, hosts })
    }

    async fn stopped(&self, reference: &str) -> Result<(), Trouble> {
        let mut client = self.client().await?;
        let id = number(reference)?;
        let before = match status(&mut client, id).await {
            Err(Trouble::Gone(_)) => return Ok(()),
            before => before?,
        };
        let is_over = |status: &str| {
            status == "empty" || !matches!(state(status), RemoteState::Waiting | RemoteState::Running)
        };
        if is_over(&before) {
            return Ok(());
        }
        // One that does not stop when it is told to is ended by force, which the cloud knows not.
        let how = if before == "stopping" && client.config.product == NessusProduct::Nessus {
            "kill"
        } else {
            "stop"
        };
        match client.order(Method::POST, &format!("/scans/{id}/{how}")).await {
            Ok(()) | Err(Trouble::Gone(_)) => Ok(()),
            Err(Trouble::Busy { after_seconds }) => match status(&mut client, id).await? {
                after if is_over(&after) || after == "stopping" => Ok(()),
                _ => Err(Trouble::Busy { after_seconds }),
            },
            Err(trouble) => Err(trouble),
        }
    }

    async fn forgotten(&self, reference: &str) -> Result<(), Trouble> {
        let mut client = self.client().await?;
        let id = number(reference)?;
        if client.config.keep {
            return Ok(());
        }
        match client.order(Method::DELETE, &format!("/scans/{id}")).await {
            Err(Trouble::Gone(_)) => Ok(()),
            done => done,
        }
    }
}

impl Scanner for Nessus {
    fn is_remote(&self) -> bool {
        true
    }

    fn find<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Option<Launched>> {
        Box::pin(async {
            let mut client = self.client().await?;
            let scan = of_title(&mut client, &order.title).await?;
            // One that was made and not launched is launched when it is launched again.
            Ok(scan.filter(Line::is_launched).map(|scan| launched(scan.id)))
        })
    }

    fn launch<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Launched> {
        Box::pin(self.launched(order))
    }

    fn status<'a>(&'a self, _order: &'a ScanOrder, reference: &'a str) -> Asked<'a, RemoteState> {
        Box::pin(async {
            let mut client = self.client().await?;
            Ok(state(&status(&mut client, number(reference)?).await?))
        })
    }

    fn fetch<'a>(&'a self, order: &'a ScanOrder, reference: &'a str) -> Asked<'a, Seen> {
        Box::pin(self.seen(order, reference))
    }

    fn cancel<'a>(&'a self, _order: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()> {
        Box::pin(self.stopped(reference))
    }

    fn forget<'a>(&'a self, _order: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()> {
        Box::pin(self.forgotten(reference))
    }
}

fn launched(id: u64) -> Launched {
    Launched { reference: id.to_string(), left_out: Vec::new() }
}

/// The number of a scan: a reference becomes part of a path, so that it may be nothing else.
fn number(reference: &str) -> Result<u64, Trouble> {
    reference
        .parse()
        .map_err(|_| Trouble::Gone(format!("`{}` is no number of a scan", cut(reference, TEXT_CHARS_MAX))))
}

fn product(product: NessusProduct) -> &'static str {
    match product {
        NessusProduct::Nessus => "Nessus",
        NessusProduct::Cloud => "Tenable Vulnerability Management",
    }
}

/// The scan of exactly that title: the one that was launched, where somebody has copied it.
async fn of_title(client: &mut Client<'_>, title: &str) -> Result<Option<Line>, Trouble> {
    let Scans { scans } = client.get("/scans").await?;
    let ours = scans.into_iter().filter(|scan| scan.name.as_deref() == Some(title));
    Ok(ours.min_by_key(|scan| (!scan.is_launched(), scan.id)))
}

async fn create(client: &mut Client<'_>, order: &ScanOrder) -> Result<u64, Trouble> {
    let made = looked_up(client).await?;
    let targets: Vec<String> = order.addresses().map(|address| address.to_string()).collect();
    let mut settings: Map<String, Value> = made.settings;
    settings.insert("name".to_owned(), json!(order.title));
    settings.insert("enabled".to_owned(), json!(false));
    settings.insert("launch".to_owned(), json!("ON_DEMAND"));
    settings.insert("text_targets".to_owned(), json!(targets.join(",")));
    let body = json!({"uuid": made.template, "settings": settings});
    let created: Result<Created, Trouble> = client.post("/scans", &body, Effect::Once).await;
    match created {
        Ok(Created { scan }) => Ok(scan.id),
        Err(Trouble::Refused { why, .. }) => {
            let addresses = named(&why, order.addresses());
            Err(Trouble::Refused { why, addresses })
        }
        Err(trouble) => Err(trouble),
    }
}

async fn start(client: &mut Client<'_>, id: u64) -> Result<(), Trouble> {
    let started: Result<Started, Trouble> =
        client.post(&format!("/scans/{id}/launch"), &json!({}), Effect::Once).await;
    match started {
        Ok(_) => Ok(()),
        // Somebody was faster, perhaps we ourselves with an answer that was lost; or too much is running.
        Err(Trouble::Busy { after_seconds }) => match status(client, id).await?.as_str() {
            "empty" => Err(Trouble::Busy { after_seconds }),
            _ => Ok(()),
        },
        // Made, and deleted before it was launched: the next launch makes it anew.
        Err(Trouble::Gone(what)) => Err(Trouble::Unavailable(what)),
        Err(trouble) => Err(trouble),
    }
}

async fn status(client: &mut Client<'_>, id: u64) -> Result<String, Trouble> {
    Ok(match client.config.product {
        NessusProduct::Nessus => client.get::<Details>(&format!("/scans/{id}")).await?.info.status,
        NessusProduct::Cloud => client.get::<Status>(&format!("/scans/{id}/latest-status")).await?.status,
    })
}

/// What a state in the products' words is in ours. A word that nobody knows is one of a scan under way: it will have another one day.
fn state(status: &str) -> RemoteState {
    match status {
        "empty" | "initializing" | "pending" => RemoteState::Waiting,
        "completed" | "imported" => RemoteState::Finished,
        "aborted" => RemoteState::Partial("the scanner gave the scan up (`aborted`)".to_owned()),
        "canceled" | "cancelled" | "stopped" => RemoteState::Cancelled,
        _ => RemoteState::Running,
    }
}

/// Has a report written, and gives the path by which it is asked for.
async fn export(client: &mut Client<'_>, id: u64) -> Result<String, Trouble> {
    let path = format!("/scans/{id}/export");
    let mut body = json!({"format": "nessus"});
    if client.config.product == NessusProduct::Cloud {
        body["chapters"] = json!("vuln_by_host");
    }
    let Exported { token, file } = client.post(&path, &body, Effect::None).await?;
    let name = match (client.config.product, token, file) {
        (NessusProduct::Nessus, Some(token), _) => token,
        (NessusProduct::Cloud, _, Some(Value::String(file))) => file,
        (NessusProduct::Cloud, _, Some(Value::Number(file))) => file.to_string(),
        _ => String::new(),
    };
    // It becomes part of a path.
    let is_name = (1..=EXPORT_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !is_name {
        let what = format!("POST {path}");
        return Err(garbled(&what, "it names no report to be fetched", Effect::None));
    }
    Ok(match client.config.product {
        NessusProduct::Nessus => format!("/tokens/{name}"),
        NessusProduct::Cloud => format!("{path}/{name}"),
    })
}

/// Waits until a report is written.
async fn wait(client: &mut Client<'_>, path: &str) -> Result<(), Trouble> {
    let path = format!("{path}/status");
    let asking = async {
        let mut pause = EXPORT_WAIT;
        loop {
            let Status { status } = client.get(&path).await?;
            match status.as_str() {
                "ready" => return Ok(()),
                "error" => {
                    return Err(Trouble::Unavailable("the scanner failed to write the report".to_owned()));
                }
                _ => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(EXPORT_WAIT_MAX);
        }
    };
    let late = || Err(Trouble::Unavailable("the scanner does not come to the end of the report".to_owned()));
    timeout(EXPORT_TIME, asking).await.unwrap_or_else(|_| late())
}
