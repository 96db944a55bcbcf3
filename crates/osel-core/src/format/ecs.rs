//! Records in the Elastic Common Schema 9: one document each, its own fields first, and below `osel` what ECS has no field for.

use super::Severity;
use super::fit::RAW_BYTES_MAX;
use super::told::{PRODUCT, Told, VERSION};
use crate::engine::record::json::Object;
use crate::trail::RecordKind;

/// The version of ECS whose fields these are.
const ECS_VERSION: &str = "9.0.0";
/// What stands under `event.module`, and begins `event.dataset`.
const MODULE: &str = "openstack";

/// The line of a record.
pub(super) fn line(told: &Told<'_>) -> Vec<u8> {
    let mut out = told.line();
    let record = told.record;
    let (body, personal) = (&record.body, &record.personal);
    let mut line = Object::begin(&mut out);
    line.text("@timestamp", &record.header.time.to_string());
    line.text("message", &told.sentence);
    let mut within = line.object("ecs");
    within.text("version", ECS_VERSION);
    within.end();
    event(told, line.object("event"));
    user(told, &mut line);
    if let Some(address) = &personal.address {
        let mut within = line.object("source");
        within.text("address", address);
        if let Some(ip) = told.client() {
            within.text("ip", &ip.to_string());
        }
        within.end();
    }
    if let Some(ip) = told.scanned() {
        let mut within = line.object("destination");
        within.text("address", &ip.to_string());
        within.text("ip", &ip.to_string());
        if let Some((_, port)) = told.port() {
            within.number("port", port.into());
        }
        within.end();
    }
    if let Some((transport, _)) = told.port() {
        let mut within = line.object("network");
        within.text("transport", transport);
        within.end();
    }
    if let Some(agent) = &personal.agent {
        let mut within = line.object("user_agent");
        within.text("original", agent);
        within.end();
    }
    cloud(told, line.object("cloud"));
    if let Some(path) = told.detail("path") {
        let mut within = line.object("url");
        within.text("original", path);
        within.text("path", path.split('?').next().unwrap_or(path));
        within.end();
    }
    http(told, &mut line);
    if let Some(vulnerability) = told.detail("vulnerability") {
        let mut within = line.object("vulnerability");
        within.text("id", vulnerability);
        within.text_if("severity", told.detail("severity"));
        if let Some(scanner) = told.detail("scanner") {
            let mut vendor = within.object("scanner");
            vendor.text("vendor", scanner);
            vendor.end();
        }
        within.end();
    }
    if let (Some(kind), Some(id)) = (told.detail("kind"), told.detail("finding")) {
        let mut within = line.object("rule");
        within.text("id", kind);
        within.text("uuid", id);
        within.text("name", &kind.replace('_', " "));
        within.end();
    }
    let mut within = line.object("observer");
    within.text("product", PRODUCT);
    within.text("vendor", PRODUCT);
    within.text("version", VERSION);
    within.text("type", "audit");
    within.end();
    related(told, &mut line);
    let mut rest = line.object("osel");
    if let Some(target) = &body.target {
        let mut within = rest.object("target");
        within.text("type", &target.kind);
        within.id_if("id", target.id.as_ref());
        within.text_if("name", record.target_name());
        within.end();
    }
    let mut trail = rest.object("trail");
    trail.text("store", told.store);
    trail.end();
    told.rest(rest.object("record"));
    rest.end();
    line.end();
    out
}

fn event(told: &Told<'_>, mut event: Object<'_>) {
    let record = told.record;
    let (kind, categories, types) = words(told);
    event.text("kind", kind);
    event.value("category", &categories);
    event.value("type", &types);
    event.text(
        "outcome",
        if matches!(told.outcome(), "success" | "failure") { told.outcome() } else { "unknown" },
    );
    event.text("action", &told.operation());
    event.text("id", &told.id);
    event.text_if("code", record.body.message_id.as_deref());
    event.text("provider", told.service());
    event.text("module", MODULE);
    event.text("dataset", &format!("{MODULE}.{}", told.service()));
    event.number("severity", severity(told.severity));
    event.number("sequence", record.header.seq);
    event.text("created", &record.header.recorded_at.to_string());
    event.text("hash", &record.hash.to_string());
    event.text_if("reason", told.detail("reason"));
    event.text_if("original", told.message.filter(|message| message.len() <= RAW_BYTES_MAX));
    event.end();
}

/// A number for each severity, as detection rules of Elastic count risk.
fn severity(severity: Severity) -> u64 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
        Severity::Critical => 99,
    }
}

/// `event.kind`, `event.category` and `event.type`: words that ECS allows, and types that it expects with these categories.
fn words(told: &Told<'_>) -> (&'static str, Vec<&'static str>, Vec<&'static str>) {
    let is_resolved = told.detail("state") == Some("resolved");
    match told.kind() {
        RecordKind::Authentication => ("event", vec!["authentication"], vec!["start"]),
        RecordKind::Access => ("event", vec!["api"], access_types(told)),
        RecordKind::Activity => ("event", vec!["api"], change_types(told)),
        RecordKind::Change if told.service() == "identity" => ("event", vec!["iam"], iam_types(told)),
        RecordKind::Change => ("event", vec!["configuration", "network"], change_types(told)),
        RecordKind::Scan | RecordKind::Command => ("event", vec!["vulnerability"], vec!["info"]),
        RecordKind::Finding if told.detail("vulnerability").is_some() => {
            ("alert", vec!["vulnerability"], vec!["info"])
        }
        RecordKind::Finding => ("alert", vec!["network"], vec![if is_resolved { "end" } else { "info" }]),
        RecordKind::Drift => ("alert", vec!["configuration"], vec!["change"]),
        RecordKind::Gap => ("pipeline_error", vec!["configuration"], vec!["info"]),
        RecordKind::System => ("event", vec!["configuration"], vec!["info"]),
    }
}

fn change_types(told: &Told<'_>) -> Vec<&'static str> {
    let first = match told.detail("verb") {
        Some("create" | "attach") => "creation",
        Some("delete" | "detach") => "deletion",
        Some(_) => "change",
        None => "info",
    };
    if told.outcome() == "failure" { vec![first, "denied"] } else { vec![first] }
}

fn access_types(told: &Told<'_>) -> Vec<&'static str> {
    let action = told.detail("action").unwrap_or_default();
    let first = match action.split('/').next() {
        Some("create") => "creation",
        Some("update") => "change",
        Some("delete") => "deletion",
        _ => "access",
    };
    match told.detail("status") {
        Some("401" | "403") => vec![first, "denied"],
        _ => vec![first],
    }
}

fn iam_types(told: &Told<'_>) -> Vec<&'static str> {
    let mut types = match told.detail("verb") {
        Some("create") => vec!["creation"],
        Some("delete") => vec!["deletion"],
        Some("grant" | "revoke") => vec!["admin", "change"],
        _ => vec!["change"],
    };
    match told.target_kind() {
        Some("user") => types.push("user"),
        Some("group") => types.push("group"),
        _ if told.detail("user").is_some() => types.push("user"),
        _ if told.detail("user_group").is_some() => types.push("group"),
        _ => {}
    }
    types
}

fn user(told: &Told<'_>, line: &mut Object<'_>) {
    let record = told.record;
    let is_user = told.target_kind() == Some("user") && told.kind() != RecordKind::Authentication;
    let granted = told.detail("user");
    let granted_name = record.personal.detail.get("user_name").map(String::as_str);
    if told.has_user() || is_user || granted.is_some() {
        let mut user = line.object("user");
        user.id_if("id", record.body.user_id.as_ref());
        user.text_if("name", told.user_name());
        if is_user || granted.is_some() {
            let mut target = user.object("target");
            match granted {
                Some(id) => target.text("id", id),
                None => target.id_if("id", told.target_id()),
            }
            target.text_if("name", if granted.is_some() { granted_name } else { told.target_name() });
            target.end();
        }
        user.end();
    }
    let of_group = told.target_kind() == Some("group");
    if of_group || told.detail("user_group").is_some() {
        let mut group = line.object("group");
        match told.detail("user_group") {
            Some(id) => group.text("id", id),
            None => group.id_if("id", told.target_id()),
        }
        let name = told.detail("user_group_name").or_else(|| told.target_name().filter(|_| of_group));
        group.text_if("name", name);
        group.end();
    }
}

fn cloud(told: &Told<'_>, mut cloud: Object<'_>) {
    let body = &told.record.body;
    cloud.text("provider", MODULE);
    cloud.text_if("region", body.region.as_deref());
    if body.project_id.is_some() || body.project_name.is_some() {
        let mut project = cloud.object("project");
        project.id_if("id", body.project_id.as_ref());
        project.text_if("name", body.project_name.as_deref());
        project.end();
    }
    if let Some(server) = told.detail("server") {
        let mut instance = cloud.object("instance");
        instance.text("id", server);
        instance.text_if("name", told.detail("server_name"));
        instance.end();
    }
    cloud.end();
}

fn http(told: &Told<'_>, line: &mut Object<'_>) {
    let status = told.detail("status").and_then(|status| status.parse::<u64>().ok());
    let request = &told.record.body.request_id;
    if status.is_none() && request.is_none() {
        return;
    }
    let mut http = line.object("http");
    if let Some(id) = request {
        let mut request = http.object("request");
        request.id("id", id);
        request.end();
    }
    if let Some(status) = status {
        let mut response = http.object("response");
        response.number("status_code", status);
        response.end();
    }
    http.end();
}

/// Whatever else may be searched for: addresses and users, each once.
fn related(told: &Told<'_>, line: &mut Object<'_>) {
    let exposed = told
        .record
        .rows_at_hand()
        .map(|judged| judged.row.address)
        .filter(|net| net.prefix_len() == net.max_prefix_len());
    let mut ips: Vec<_> =
        told.client().into_iter().chain(told.scanned()).chain(exposed.map(|net| net.addr())).collect();
    ips.sort_unstable();
    ips.dedup();
    ips.truncate(super::ROWS_LISTED_MAX);
    let personal = told.record.personal.detail.get("user_name").map(String::as_str);
    let mut users: Vec<&str> = told.user_name().into_iter().chain(personal).collect();
    users.dedup();
    if ips.is_empty() && users.is_empty() {
        return;
    }
    let mut related = line.object("related");
    if !ips.is_empty() {
        related.value("ip", &ips);
    }
    if !users.is_empty() {
        related.value("user", &users);
    }
    related.end();
}
