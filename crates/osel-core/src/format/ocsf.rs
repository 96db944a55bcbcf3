//! Records in the Open Cybersecurity Schema Framework, version 1.8.0: an event of the class that fits, and a Detection Finding for each row
//! that the record opened or closed.
//!
//! A row's finding has the same `finding_info.uid` whenever the same comes and goes, so that what closed closes what opened. What OCSF has
//! no attribute for stands below `unmapped`. No class or attribute is used that 1.8.0 does not have.

use sha2::{Digest, Sha256};

use super::fit::{RAW_BYTES_MAX, ROWS_LISTED_MAX, fit_line};
use super::ocsf_class::{Activity, Class, classify, membership};
use super::told::{PRODUCT, Told, UNKNOWN, VERSION};
use super::{Severity, line_id};
use crate::engine::record::json::{List, Object};
use crate::engine::record::{JudgedRowDocument, row_words};
use crate::exposure::JudgedRow;
use crate::ids::Id;
use crate::model::{Row, net_text};
use crate::trail::RecordKind;

/// The version of the schema that lines say they are of.
const SCHEMA_VERSION: &str = "1.8.0";
/// The provider of the profile `cloud`.
const PROVIDER: &str = "OpenStack";
/// How many bytes of a row's digest name its finding: two rows that share one are a matter of chance that nobody meets.
const ROW_ID_BYTES: usize = 16;
/// How many exposed addresses are observables of the record itself; each has a finding of its own besides.
const OBSERVABLES_MAX: usize = 32;

/// Appends the lines of a record.
pub(super) fn lines(told: &Told<'_>, out: &mut Vec<Vec<u8>>) {
    out.push(fit_line(event(told)));
    let record = told.record;
    // What other rows admit too is neither news when it comes nor when it goes.
    let opened = record.opened.iter().filter(|judged| !judged.covered_before).map(|judged| (true, judged));
    let closed = record.closed.iter().filter(|judged| !judged.redundant).map(|judged| (false, judged));
    let rows = opened.take(ROWS_LISTED_MAX).chain(closed.take(ROWS_LISTED_MAX));
    for ((opened, judged), line) in rows.zip(1..) {
        out.push(fit_line(row_finding(told, opened, judged, line)));
    }
}

/// What a line says of itself.
struct Head<'a> {
    class: Class,
    activity: Activity,
    severity: Severity,
    message: &'a str,
    uid: &'a str,
}

fn head(told: &Told<'_>, line: &mut Object<'_>, head: &Head<'_>) {
    let class = head.class;
    line.number("activity_id", head.activity.0);
    line.text("activity_name", head.activity.1);
    line.number("category_uid", class.category_uid());
    line.text("category_name", class.category_name());
    line.number("class_uid", class.uid());
    line.text("class_name", class.name());
    line.number("type_uid", class.uid() * 100 + head.activity.0);
    let (severity_id, severity) = severity(head.severity);
    line.number("severity_id", severity_id);
    line.text("severity", severity);
    line.value("time", &told.millis());
    line.text("message", head.message);
    metadata(told, line.object("metadata"), head.uid);
    cloud(told, line.object("cloud"));
}

fn severity(severity: Severity) -> Activity {
    match severity {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

fn metadata(told: &Told<'_>, mut metadata: Object<'_>, uid: &str) {
    let (header, body) = (&told.record.header, &told.record.body);
    metadata.text("version", SCHEMA_VERSION);
    let mut product = metadata.object("product");
    product.text("name", PRODUCT);
    product.text("vendor_name", PRODUCT);
    product.text("version", VERSION);
    product.end();
    metadata.value("profiles", &["cloud"]);
    metadata.text("uid", uid);
    metadata.number("sequence", header.seq);
    metadata.text("original_time", &header.time.to_string());
    metadata.value("logged_time", &told.recorded_millis());
    metadata.text("log_name", header.kind.as_str());
    metadata.text("log_provider", told.service());
    metadata.text_if("event_code", told.event_type());
    metadata.text_if("original_event_uid", body.message_id.as_deref());
    metadata.id_if("correlation_uid", body.request_id.as_ref());
    metadata.id_if("tenant_uid", body.project_id.as_ref());
    metadata.end();
}

fn cloud(told: &Told<'_>, mut cloud: Object<'_>) {
    let body = &told.record.body;
    cloud.text("provider", PROVIDER);
    cloud.text_if("region", body.region.as_deref());
    cloud.id_if("project_uid", body.project_id.as_ref());
    cloud.end();
}

/// The record itself.
fn event(told: &Told<'_>) -> Vec<u8> {
    let mut out = told.line();
    let (class, activity) = classify(told);
    let mut line = Object::begin(&mut out);
    let what = Head { class, activity, severity: told.severity, message: &told.sentence, uid: &told.id };
    head(told, &mut line, &what);
    status(told, class, &mut line);
    if class.has_actor() {
        actor(told, line.object("actor"));
        request(told, class, &mut line);
    }
    subject(told, class, &mut line);
    observables(told, class, &mut line);
    if let Some(message) = told.message.filter(|message| message.len() <= RAW_BYTES_MAX) {
        line.text("raw_data", message);
    }
    told.rest(line.object("unmapped"));
    line.end();
    out
}

fn status(told: &Told<'_>, class: Class, line: &mut Object<'_>) {
    let (id, caption) = if class.is_finding() {
        match (told.detail("state"), told.outcome()) {
            (Some("resolved"), _) => (4, "Resolved"),
            // Expected or acknowledged.
            (_, "success") => (3, "Suppressed"),
            (Some("confirmed"), _) => (2, "In Progress"),
            _ => (1, "New"),
        }
    } else {
        match told.outcome() {
            "success" => (1, "Success"),
            "failure" => (2, "Failure"),
            "pending" => (99, "pending"),
            _ => (0, "Unknown"),
        }
    };
    line.number("status_id", id);
    line.text("status", caption);
    line.text_if("status_code", told.detail("reason_code").or(told.detail("status")));
    let detail = told.detail("reason").map(reason);
    line.text_if("status_detail", detail.or(told.detail("note")));
}

/// OCSF's own word for what Keystone says, where it has one.
fn reason(text: &str) -> &str {
    match text {
        _ if text.contains("locked") => "ACCOUNT_LOCKED_OUT",
        _ if text.contains("expired") => "PASSWORD_EXPIRED",
        _ if text.contains("Could not find user") => "USER_DOES_NOT_EXIST",
        _ => text,
    }
}

/// A user by what is known of it; one that nobody knows has a name that says so, since a user has to have one.
fn user(mut user: Object<'_>, id: Option<&Id>, name: Option<&str>, project: Option<(&Id, Option<&str>)>) {
    user.id_if("uid", id);
    user.text_if("name", name.or(id.is_none().then_some(UNKNOWN)));
    if let Some((project, name)) = project {
        account(user.object("account"), project, name);
    }
    user.end();
}

/// A project is what other clouds call an account.
fn account(mut account: Object<'_>, project: &Id, name: Option<&str>) {
    account.id("uid", project);
    account.text_if("name", name);
    account.number("type_id", 99);
    account.text("type", "OpenStack project");
    account.end();
}

fn actor(told: &Told<'_>, mut actor: Object<'_>) {
    let body = &told.record.body;
    if told.has_user() {
        let project = body.project_id.as_ref().map(|id| (id, body.project_name.as_deref()));
        user(actor.object("user"), body.user_id.as_ref(), told.user_name(), project);
    } else {
        actor.text("app_name", told.service());
    }
    actor.end();
}

/// From where, and what was asked.
fn request(told: &Told<'_>, class: Class, line: &mut Object<'_>) {
    let personal = &told.record.personal;
    if personal.address.is_some() || class == Class::ApiActivity {
        let mut endpoint = line.object("src_endpoint");
        match (told.client(), &personal.address) {
            (Some(ip), _) => endpoint.text("ip", &ip.to_string()),
            (None, Some(name)) => endpoint.text("name", name),
            // The class asks for where it came from, and the bus alone is known.
            (None, None) => {
                endpoint.text("svc_name", told.record.body.source.as_deref().unwrap_or(told.service()));
            }
        }
        endpoint.end();
    }
    let path = told.detail("path");
    if personal.agent.is_some() || path.is_some() {
        let mut request = line.object("http_request");
        request.text_if("user_agent", personal.agent.as_deref());
        if let Some(path) = path {
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let mut url = request.object("url");
            url.text("path", path);
            url.text_if("query_string", Some(query).filter(|query| !query.is_empty()));
            url.end();
        }
        request.end();
    }
}

/// What the class is about.
fn subject(told: &Told<'_>, class: Class, line: &mut Object<'_>) {
    let record = told.record;
    let (target, name) = (told.target_id(), told.target_name());
    let granted = told.detail("user").map(Id::new);
    let granted_name = record.personal.detail.get("user_name").map(String::as_str);
    match class {
        Class::Authentication => {
            user(line.object("user"), record.body.user_id.as_ref(), told.user_name(), None);
            let mut service = line.object("service");
            service.text("name", "keystone");
            service.end();
        }
        Class::AccountChange => user(line.object("user"), target, name, None),
        Class::UserAccess => {
            user(line.object("user"), granted.as_ref(), granted_name, None);
            privileges(told, line.list("privileges"));
            scope(told, line);
        }
        Class::GroupManagement => {
            let mut group = line.object("group");
            match told.detail("user_group") {
                Some(id) => group.text("uid", id),
                None => group.id_if("uid", target),
            }
            group.text_if("name", told.detail("user_group_name").or(name));
            group.end();
            if told.detail("user_group").is_some() {
                privileges(told, line.list("privileges"));
            }
            if let Some((_, id)) = membership(told) {
                user(line.object("user"), Some(&Id::new(id)), None, None);
            }
        }
        Class::EntityManagement => {
            let mut entity = line.object("entity");
            entity.id_if("uid", target);
            entity.text_if("name", name);
            entity.number("type_id", 99);
            entity.text("type", told.target_kind().unwrap_or(UNKNOWN));
            entity.end();
        }
        Class::ApiActivity => {
            api(told, line);
            resource(told, line);
        }
        Class::ScanActivity => scan(told, line),
        Class::DetectionFinding | Class::VulnerabilityFinding => {
            finding_info(told, line.object("finding_info"));
            if class == Class::VulnerabilityFinding {
                vulnerability(told, line.list("vulnerabilities"));
            }
            resource(told, line);
        }
    }
}

fn privileges(told: &Told<'_>, mut privileges: List<'_>) {
    privileges.text(told.detail("role_name").or(told.detail("role")).unwrap_or(UNKNOWN));
    privileges.end();
}

/// The project or domain that a role is given on.
fn scope(told: &Told<'_>, line: &mut Object<'_>) {
    for (kind, key, name) in
        [("project", "on_project", "on_project_name"), ("domain", "on_domain", "on_domain_name")]
    {
        if let Some(id) = told.detail(key) {
            let mut resources = line.list("resources");
            let mut resource = resources.object();
            resource.text("uid", id);
            resource.text_if("name", told.detail(name));
            resource.text("type", kind);
            resource.end();
            resources.end();
            return;
        }
    }
}

fn api(told: &Told<'_>, line: &mut Object<'_>) {
    let mut api = line.object("api");
    api.text("operation", &told.operation());
    let mut service = api.object("service");
    service.text("name", told.service());
    service.end();
    if let Some(id) = &told.record.body.request_id {
        let mut request = api.object("request");
        request.id("uid", id);
        request.end();
    }
    api.end();
    if let Some(status) = told.detail("status").and_then(|status| status.parse::<u64>().ok()) {
        let mut response = line.object("http_response");
        response.number("code", status);
        response.end();
    }
}

/// What something was done to.
fn resource(told: &Told<'_>, line: &mut Object<'_>) {
    let Some(target) = &told.record.body.target else { return };
    if target.id.is_none() && told.target_name().is_none() {
        return;
    }
    let mut resources = line.list("resources");
    let mut resource = resources.object();
    resource.id_if("uid", target.id.as_ref());
    resource.text_if("name", told.target_name());
    resource.text("type", &target.kind);
    if let Some(ip) = told.scanned() {
        resource.text("ip", &ip.to_string());
    }
    owner(&mut resource, target.project_id.as_ref());
    resource.end();
    resources.end();
}

fn owner(resource: &mut Object<'_>, project: Option<&Id>) {
    if let Some(project) = project {
        let mut owner = resource.object("owner");
        account(owner.object("account"), project, None);
        owner.end();
    }
}

fn scan(told: &Told<'_>, line: &mut Object<'_>) {
    let mut scan = line.object("scan");
    scan.text("uid", told.detail("command").or(told.detail("reference")).unwrap_or(&told.id));
    scan.text_if("name", told.detail("scanner"));
    // Neither by hand nor by a clock: a change asked for it.
    scan.number("type_id", 99);
    scan.text("type", "after a change");
    scan.end();
    line.text_if("command_uid", told.detail("command"));
}

fn finding_info(told: &Told<'_>, mut info: Object<'_>) {
    info.text("uid", told.detail("finding").unwrap_or(&told.id));
    let title = match told.kind() {
        RecordKind::Drift => "The cloud is not as its events had told".to_owned(),
        RecordKind::Gap => "Evidence is missing".to_owned(),
        _ => told
            .detail("kind")
            .map_or_else(|| "Findings are not kept".to_owned(), |kind| kind.replace('_', " ")),
    };
    info.text("title", &title);
    info.text("desc", &told.sentence);
    info.value("types", &[told.detail("kind").unwrap_or(told.kind().as_str())]);
    info.value(
        "data_sources",
        &[told.detail("scanner").or(told.record.body.source.as_deref()).unwrap_or(PRODUCT)],
    );
    info.value("modified_time", &told.recorded_millis());
    info.end();
}

/// A weakness by its number: one of the CVE list, else an advisory of its scanner.
fn vulnerability(told: &Told<'_>, mut list: List<'_>) {
    let id = told.detail("vulnerability").unwrap_or(UNKNOWN);
    let mut vulnerability = list.object();
    let key = if id.starts_with("CVE-") { "cve" } else { "advisory" };
    let mut within = vulnerability.object(key);
    within.text("uid", id);
    within.end();
    vulnerability.text_if("severity", told.detail("severity"));
    vulnerability.text_if("vendor_name", told.detail("program"));
    vulnerability.text_if("desc", told.detail("evidence"));
    vulnerability.end();
    list.end();
}

/// What may be searched for in every class.
fn observables(told: &Told<'_>, class: Class, line: &mut Object<'_>) {
    let (record, body) = (told.record, &told.record.body);
    let mut list = line.list("observables");
    if class.has_actor() {
        if let Some(ip) = told.client() {
            observable(&mut list, "src_endpoint.ip", (2, "IP Address"), &ip.to_string());
        }
        if let Some(name) = told.user_name() {
            observable(&mut list, "actor.user.name", (4, "User Name"), name);
        }
        if let Some(id) = &body.user_id {
            observable(&mut list, "actor.user.uid", (31, "User Object: uid"), &id.to_string());
        }
    }
    if let Some(ip) = told.scanned() {
        observable(&mut list, "resources.ip", (2, "IP Address"), &ip.to_string());
    }
    if let Some(id) = told.target_id() {
        observable(&mut list, "resources.uid", (10, "Resource UID"), &id.to_string());
    }
    let mut addresses: Vec<_> = record.rows_at_hand().map(|judged| judged.row.address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    for address in addresses.into_iter().take(OBSERVABLES_MAX) {
        let kind =
            if address.prefix_len() == address.max_prefix_len() { (2, "IP Address") } else { (12, "Subnet") };
        observable(&mut list, "unmapped.exposure", kind, &net_text(address));
    }
    list.end();
}

fn observable(list: &mut List<'_>, name: &str, kind: Activity, value: &str) {
    let mut observable = list.object();
    observable.text("name", name);
    observable.number("type_id", kind.0);
    observable.text("type", kind.1);
    observable.text("value", value);
    observable.end();
}

/// That a row came or went.
fn row_finding(told: &Told<'_>, opened: bool, judged: &JudgedRow, number: usize) -> Vec<u8> {
    let mut out = told.line();
    let row = &judged.row;
    let uid = line_id(told.store, told.record.header.seq, number);
    let text = format!("{} {}", if opened { "opened" } else { "closed" }, row_words(row));
    let (class, activity) = (Class::DetectionFinding, if opened { (1, "Create") } else { (3, "Close") });
    let severity = if opened { Severity::of_opened(judged) } else { Severity::Informational };
    let mut line = Object::begin(&mut out);
    head(told, &mut line, &Head { class, activity, severity, message: &text, uid: &uid });
    let (status_id, status) = if opened { (1, "New") } else { (4, "Resolved") };
    line.number("status_id", status_id);
    line.text("status", status);
    let mut info = line.object("finding_info");
    info.text("uid", &row_id(row));
    info.text("title", "An address may be reached");
    info.text("desc", &row_words(row));
    info.value("types", &["exposure"]);
    info.value("modified_time", &told.recorded_millis());
    let mut events = info.list("related_events");
    let mut event = events.object();
    event.text("uid", &told.id);
    event.end();
    events.end();
    info.end();
    let mut evidences = line.list("evidences");
    let mut evidence = evidences.object();
    let mut endpoint = evidence.object("dst_endpoint");
    endpoint.text("ip", &row.address.addr().to_string());
    if let Some((port, _)) = row.permission.ports {
        endpoint.number("port", port.into());
    }
    endpoint.end();
    evidence.value("data", &JudgedRowDocument::from(judged));
    evidence.end();
    evidences.end();
    let mut resources = line.list("resources");
    let mut resource = resources.object();
    resource.id("uid", &row.port_id);
    resource.text("type", "port");
    resource.text("ip", &row.address.addr().to_string());
    owner(&mut resource, row.project_id.as_ref());
    resource.end();
    resources.end();
    let mut observables = line.list("observables");
    observable(&mut observables, "resources.ip", (2, "IP Address"), &row.address.addr().to_string());
    observable(&mut observables, "resources.uid", (10, "Resource UID"), &row.port_id.to_string());
    observables.end();
    let mut unmapped = line.object("unmapped");
    unmapped.number("seq", told.record.header.seq);
    unmapped.text("kind", told.kind().as_str());
    unmapped.end();
    line.end();
    out
}

/// Names an exposure for ever: by the region, the network, the port, the address, and what is admitted from where; not by the rule that
/// admits it.
pub(crate) fn row_id(row: &Row) -> String {
    let permission = &row.permission;
    let fields = [
        row.region.as_deref().unwrap_or_default(),
        &row.network_id.as_ref().map(Id::to_string).unwrap_or_default(),
        &row.port_id.to_string(),
        row.via.as_str(),
        &row_words(row),
        &format!("{:?} {:?}", permission.icmp_type, permission.icmp_code),
    ];
    let mut digest = Sha256::new();
    for field in fields {
        // A length before each, so that no two lists of fields are the same bytes.
        digest.update((field.len() as u64).to_be_bytes());
        digest.update(field);
    }
    digest.finalize().iter().take(ROW_ID_BYTES).map(|byte| format!("{byte:02x}")).collect()
}
