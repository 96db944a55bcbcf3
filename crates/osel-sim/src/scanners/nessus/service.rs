//! The paths of both products and what each does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::http::{Call, Service};
use super::super::{Reply, What};
use super::editor;
use super::exports::Exports;
use super::hosts::Host;
use super::options::{Options, Product};
use super::report::report;
use super::scan::{Scan, Stage};
use crate::random::Random;

/// The whole of the simulated scanner.
#[derive(Debug)]
pub struct Nessus {
    /// How it is set up.
    pub options: Options,
    /// What it finds.
    pub hosts: Vec<Host>,
    scans: Vec<Scan>,
    made: u64,
    exports: Exports,
    /// Sessions, with the requests that each has left.
    sessions: BTreeMap<String, u32>,
    logins: u32,
    random: Random,
    /// Chance of its own for what goes wrong, so that ids do not depend on it.
    luck: Random,
    requests: u64,
}

impl Nessus {
    /// One that finds this.
    pub fn new(options: Options, hosts: Vec<Host>) -> Self {
        let mut random = Random::new(options.seed);
        let luck = random.fork(1);
        Self {
            options,
            hosts,
            scans: Vec::new(),
            made: 16,
            exports: Exports::default(),
            sessions: BTreeMap::new(),
            logins: 0,
            random,
            luck,
            requests: 0,
        }
    }

    /// The scans that there are.
    pub fn scans(&self) -> &[Scan] {
        &self.scans
    }

    /// The state of a scan of that name, in the product's word.
    pub fn status_of(&self, name: &str) -> Option<&'static str> {
        self.scans.iter().find(|scan| scan.name == name).map(|scan| scan.status(&self.options))
    }

    /// How often somebody began a session.
    pub fn logins(&self) -> u32 {
        self.logins
    }

    /// All sessions have expired.
    pub fn expire_sessions(&mut self) {
        self.sessions.clear();
    }

    /// Somebody makes a scan that has nothing to do with the client.
    pub fn make(&mut self, name: &str, targets: &[&str]) -> u64 {
        let targets = targets.iter().map(|target| (*target).to_owned()).collect();
        self.add(name.to_owned(), targets, json!({}), editor::TEMPLATES[0].2.to_owned())
    }

    fn add(&mut self, name: String, targets: Vec<String>, settings: Value, template: String) -> u64 {
        self.made += 1;
        let uuid = format!("template-{}", self.random.uuid());
        let (id, stage, runs) = (self.made, Stage::Empty, Vec::new());
        self.scans.push(Scan { id, uuid, name, targets, launches: 0, settings, template, stage, runs });
        id
    }

    /// Who asks, if somebody who may.
    fn is_known(&mut self, call: &Call) -> bool {
        let Options { access_key, secret_key, product, .. } = &self.options;
        let wanted = format!("accessKey={access_key}; secretKey={secret_key}");
        if let Some(given) = call.headers.get("x-apikeys") {
            return given.trim_end_matches([';', ' ']) == wanted;
        }
        let token = call.headers.get("x-cookie").and_then(|cookie| cookie.strip_prefix("token="));
        let Some((token, Product::Nessus)) = token.map(|token| (token, product)) else { return false };
        match self.sessions.get_mut(token) {
            None => false,
            Some(0) => {
                self.sessions.remove(token);
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn begin_session(&mut self, call: &Call) -> Reply {
        let given = body(call);
        let Options { username, password, product, .. } = &self.options;
        let text = |key: &str| given.get(key).and_then(Value::as_str);
        if *product == Product::Cloud
            || text("username") != Some(username)
            || text("password") != Some(password)
        {
            return error(401, "Invalid Credentials");
        }
        let token = format!("{}{}", self.random.hex32(), self.random.hex32());
        self.logins += 1;
        self.sessions.insert(token.clone(), self.options.session_requests.unwrap_or(u32::MAX));
        Reply::json(200, &json!({"md5sum_wizard_templates": "", "token": token}))
    }

    fn about_server(&self, what: &str) -> Reply {
        let is_starting = self.options.starting_requests > 0;
        match what {
            "status" if is_starting => {
                Reply::json(503, &json!({"code": 503, "progress": 40, "status": "loading"}))
            }
            "status" => Reply::json(200, &json!({"code": 200, "progress": null, "status": "ready"})),
            "properties" => {
                let kind = match (self.options.product, self.options.is_professional) {
                    (Product::Cloud, _) => "Tenable.io",
                    (_, true) => "Nessus Professional",
                    (_, false) => "Nessus Manager",
                };
                let version = json!({"nessus_type": kind, "server_version": "10.9.3",
                                     "nessus_ui_version": "10.9.3", "server_build": "20030"});
                Reply::json(200, &version)
            }
            _ => error(404, "The requested file was not found"),
        }
    }

    fn answer_known(&mut self, call: &Call) -> Reply {
        let parts = call.parts();
        match (call.method.as_str(), parts.as_slice()) {
            ("GET", ["session"]) => {
                Reply::json(200, &json!({"username": self.options.username, "permissions": 64}))
            }
            ("DELETE", ["session"]) => {
                if let Some(token) = call.headers.get("x-cookie").and_then(|it| it.strip_prefix("token=")) {
                    self.sessions.remove(token);
                }
                empty()
            }
            ("GET", ["editor", "scan" | "policy", "templates"]) => Reply::json(200, &editor::templates()),
            ("GET", ["editor", _, "templates", uuid]) => found(editor::template(uuid)),
            ("GET", ["policies"]) => Reply::json(200, &editor::policies()),
            ("GET", ["scanners"]) => Reply::json(200, &editor::scanners()),
            ("GET", ["folders"]) => Reply::json(200, &json!({"folders": editor::folders()})),
            ("GET", ["filters", "scans", "reports"]) => Reply::json(200, &json!({"filters": []})),
            ("GET", ["scans", "timezones"]) => {
                Reply::json(200, &json!({"timezones": [{"name": "Etc/UTC", "value": "Etc/UTC"}]}))
            }
            ("GET", ["scans"]) => self.list(call),
            ("POST" | "PUT", ["scans", ..]) if self.options.is_professional && !parts.contains(&"export") => {
                error(412, "API is not available")
            }
            ("POST", ["scans"]) => self.create(call),
            (_, ["scans", scan, rest @ ..]) => match self.place(scan) {
                Some(place) => self.about_scan(call, place, rest),
                None => error(404, "The requested file was not found"),
            },
            (_, ["tokens", token, what]) if self.options.product == Product::Nessus => {
                self.about_export(call, token, what, None)
            }
            _ => error(404, "The requested file was not found"),
        }
    }

    /// The place of a scan, which the cloud knows by its UUID too.
    fn place(&self, name: &str) -> Option<usize> {
        let is_cloud = self.options.product == Product::Cloud;
        self.scans.iter().position(|scan| scan.id.to_string() == name || (is_cloud && scan.uuid == name))
    }

    fn list(&self, call: &Call) -> Reply {
        let folder = call.query.get("folder_id").and_then(|folder| folder.parse::<u64>().ok());
        let lines: Vec<Value> = self
            .scans
            .iter()
            .map(|scan| scan.line(&self.options))
            .filter(|line| folder.is_none_or(|folder| line["folder_id"].as_u64() == Some(folder)))
            .collect();
        // Nessus has no empty lists here.
        let scans = if lines.is_empty() { Value::Null } else { Value::Array(lines) };
        let list = json!({"folders": editor::folders(), "scans": scans, "timestamp": 1_795_662_000});
        Reply::json(200, &list)
    }

    fn create(&mut self, call: &Call) -> Reply {
        let given = body(call);
        let settings = given.get("settings").cloned().unwrap_or_default();
        let text = |key: &str| settings.get(key).and_then(Value::as_str).unwrap_or_default();
        let template = given.get("uuid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let targets: Vec<String> = text("text_targets")
            .split([',', '\n', ' '])
            .filter(|target| !target.is_empty())
            .map(str::to_owned)
            .collect();
        let is_wrong = |key: &str, is_right: fn(&Value, Product) -> bool| {
            settings.get(key).is_some_and(|given| !is_right(given, self.options.product))
        };
        let is_policy =
            |given: &Value, _| editor::POLICIES.iter().any(|(id, ..)| given.as_u64() == Some(*id));
        let wrong = if !editor::TEMPLATES.iter().any(|(.., uuid)| *uuid == template) {
            Some("uuid")
        } else if text("name").is_empty() {
            Some("name")
        } else if targets.is_empty() {
            Some("targets")
        } else if is_wrong("policy_id", is_policy) {
            Some("policy_id")
        } else if is_wrong("scanner_id", editor::is_scanner) {
            Some("scanner_id")
        } else if is_wrong("folder_id", |given, _| editor::is_folder(given)) {
            Some("folder_id")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            return error(400, &format!("Invalid '{wrong}' field"));
        }
        // A name would do as well for the real ones; here a typing error of an address is to be seen.
        if let Some(target) = targets.iter().find(|target| target.parse::<IpAddr>().is_err()) {
            return error(400, &format!("Invalid target: {target}"));
        }
        let name = text("name").to_owned();
        let id = self.add(name, targets, settings, template);
        let made = self.scans.iter().find(|scan| scan.id == id).map(|scan| scan.made(&self.options));
        found(made)
    }

    fn about_scan(&mut self, call: &Call, place: usize, rest: &[&str]) -> Reply {
        let is_cloud = self.options.product == Product::Cloud;
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                if let Some(run) = call.query.get("history_id").or_else(|| call.query.get("history_uuid"))
                    && !self.has_run(place, run)
                {
                    return error(404, "The requested file was not found");
                }
                let reply = self.details(place);
                self.advance(place);
                reply
            }
            ("GET", ["latest-status"]) if is_cloud => {
                let status = self.scans[place].status(&self.options);
                self.advance(place);
                Reply::json(200, &json!({"status": status}))
            }
            ("PUT", []) => {
                let given = body(call);
                if let Some(name) = given["settings"]["name"].as_str() {
                    name.clone_into(&mut self.scans[place].name);
                }
                Reply::json(200, &self.scans[place].made(&self.options))
            }
            ("DELETE", []) if self.scans[place].is_going() => {
                error(409, "The scan cannot be deleted while it is running")
            }
            ("DELETE", []) => {
                self.scans.remove(place);
                empty()
            }
            ("DELETE", ["history", run]) => {
                let run: usize = run.parse().unwrap_or(0);
                if run == 0 || run > self.scans[place].runs.len() {
                    return error(404, "The requested file was not found");
                }
                self.scans[place].runs.remove(run - 1);
                empty()
            }
            ("POST", ["launch"]) => self.launch(call, place),
            ("POST", [what @ ("pause" | "resume" | "stop" | "kill")]) => self.order(place, what),
            ("POST", ["export"]) => self.export(call, place),
            ("GET", ["export", file, what]) if is_cloud => {
                let scan = self.scans[place].id;
                self.about_export(call, file, what, Some(scan))
            }
            _ => error(405, "Method Not Allowed"),
        }
    }

    fn advance(&mut self, place: usize) {
        self.scans[place].advance(&self.options);
    }

    fn has_run(&self, place: usize, run: &str) -> bool {
        (1..)
            .zip(&self.scans[place].runs)
            .any(|(number, (uuid, _)): (usize, _)| number.to_string() == run || uuid == run)
    }

    fn launch(&mut self, call: &Call, place: usize) -> Reply {
        if self.scans[place].is_going() {
            return error(409, "The scan is already running");
        }
        if self.scans.iter().filter(|scan| scan.is_going()).count() >= self.options.running_max {
            return error(409, "The maximum number of scans is running");
        }
        let uuid = format!("{}{}", self.random.uuid(), self.random.hex32());
        let scan = &mut self.scans[place];
        if let Some(targets) = body(call)["alt_targets"].as_array() {
            scan.targets = targets.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        scan.launches += 1;
        scan.stage = Stage::Going(0);
        scan.runs.push((uuid.clone(), "running"));
        Reply::json(200, &json!({"scan_uuid": uuid}))
    }

    fn order(&mut self, place: usize, what: &str) -> Reply {
        let is_cloud = self.options.product == Product::Cloud;
        let scan = &mut self.scans[place];
        match (what, scan.stage) {
            ("pause", Stage::Going(polls)) => scan.stage = Stage::Paused(polls),
            ("resume", Stage::Paused(polls)) => scan.stage = Stage::Going(polls),
            ("stop", Stage::Going(_) | Stage::Paused(_)) => scan.stage = Stage::Stopping,
            ("kill", _) if is_cloud => return error(404, "The requested file was not found"),
            ("kill", Stage::Going(_) | Stage::Paused(_) | Stage::Stopping) => scan.end("canceled"),
            _ => return error(409, "The scan is not running"),
        }
        empty()
    }

    /// The hosts that the report of a scan has: of one that was ended early, the first half of them.
    fn seen(&self, scan: &Scan) -> Vec<&Host> {
        let end = scan.runs.last().map_or("empty", |(_, end)| *end);
        let count = match (scan.stage, end) {
            (Stage::Over, "completed" | "imported") => scan.targets.len(),
            (Stage::Empty, _) => 0,
            _ => scan.targets.len().div_ceil(2),
        };
        let targets = scan.targets.iter().take(count).filter_map(|target| target.parse::<IpAddr>().ok());
        targets.filter_map(|target| self.hosts.iter().find(|host| host.address == target)).collect()
    }

    fn details(&self, place: usize) -> Reply {
        let scan = &self.scans[place];
        let seen = self.seen(scan);
        let hosts = seen.iter().zip(1..).map(|(host, number)| {
            json!({"host_id": number, "hostname": host.address.to_string(), "progress": "100-100/100-100"})
        });
        let mut plugins: BTreeMap<u32, (String, u8, u32)> = BTreeMap::new();
        for item in seen.iter().flat_map(|host| &host.items) {
            plugins.entry(item.plugin).or_insert_with(|| (item.name.clone(), item.severity, 0)).2 += 1;
        }
        let vulnerabilities = plugins.iter().map(|(plugin, (name, severity, count))| {
            json!({"plugin_id": plugin, "plugin_name": name, "severity": severity, "count": count})
        });
        Reply::json(200, &scan.details(&self.options, &hosts.collect(), &vulnerabilities.collect()))
    }

    fn export(&mut self, call: &Call, place: usize) -> Reply {
        let given = body(call);
        let is_cloud = self.options.product == Product::Cloud;
        if given["format"].as_str() != Some("nessus") {
            return error(400, "Invalid 'format' field");
        }
        if is_cloud && given["chapters"].as_str().is_none() {
            return error(400, "Invalid 'chapters' field");
        }
        let scan = &self.scans[place];
        if scan.stage == Stage::Empty {
            return error(404, "The requested file was not found");
        }
        if is_cloud && scan.is_going() {
            return error(409, "The scan is running");
        }
        let (id, text) = (scan.id, report(&scan.name, &scan.targets, &self.seen(scan)));
        let token = self.exports.order(&mut self.random, id, text);
        Reply::json(
            200,
            &match is_cloud {
                true => json!({"file": token}),
                false => json!({"token": token, "file": 1_410_065_408}),
            },
        )
    }

    fn about_export(&mut self, call: &Call, token: &str, what: &str, scan: Option<u64>) -> Reply {
        let reply = match (call.method.as_str(), what) {
            ("GET", "status") => self
                .exports
                .status(token, scan, &self.options)
                .map(|status| Reply::json(200, &json!({"status": status, "error": null}))),
            ("GET", "download") => self.exports.download(token, scan, &self.options),
            _ => None,
        };
        reply.unwrap_or_else(|| error(404, "The requested file was not found"))
    }
}

impl Service for Nessus {
    fn mishap(&mut self, _call: &Call) -> Option<What> {
        let Options { failures_percent, latency_ms_max, .. } = self.options;
        if self.luck.percent(failures_percent) {
            return Some(match self.luck.below(5) {
                0 => What::Down,
                1 => What::Lost,
                2 => What::Cut,
                3 => What::Instead(error(500, "Internal server error")),
                _ => What::Instead(Reply::text(502, "text/html", "<html>Bad Gateway</html>")),
            });
        }
        let late = self.luck.below(latency_ms_max + 1);
        (late > 0).then(|| What::Slow(Duration::from_millis(late)))
    }

    fn answer(&mut self, call: &Call) -> Reply {
        self.requests += 1;
        let parts = call.parts();
        if let ["server", what] = parts.as_slice() {
            return self.about_server(what);
        }
        if self.options.starting_requests > 0 {
            self.options.starting_requests -= 1;
            return error(503, "Nessus is initializing");
        }
        if self.options.limited_every.is_some_and(|every| self.requests.is_multiple_of(every)) {
            let reply = error(429, "Too Many Requests");
            return reply.with("retry-after", self.options.retry_after.to_string());
        }
        if parts == ["session"] && call.method == "POST" {
            return self.begin_session(call);
        }
        if !self.is_known(call) {
            return error(401, "Invalid Credentials");
        }
        self.answer_known(call)
    }
}

/// The body as JSON; null where it is none.
fn body(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap_or_default()
}

fn error(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"error": text}))
}

fn empty() -> Reply {
    Reply::text(200, "application/json", "")
}

fn found(document: Option<Value>) -> Reply {
    document.map_or_else(|| error(404, "The requested file was not found"), |body| Reply::json(200, &body))
}
