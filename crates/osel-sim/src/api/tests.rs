//! The emulated services asked by the plainest client there is.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Account, Cloud, Emulated, Fault, Grant, Options, Scope, What};
use crate::generate::GenerateOptions;

/// No answer takes longer.
const LIMIT: Duration = Duration::from_secs(30);
const MINE: &str = "11111111111111111111111111111111";
const OTHERS: &str = "22222222222222222222222222222222";

struct Got {
    code: u16,
    head: String,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
        line.split_once(": ").map(|(_, value)| value)
    }
}

fn send(emulated: &Emulated, method: &str, target: &str, headers: &str, body: &str) -> Got {
    let address = emulated.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = body.len();
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Got { code, head: head.to_owned(), body: body.to_owned() }
}

fn get(emulated: &Emulated, token: &str, target: &str) -> Got {
    send(emulated, "GET", target, &format!("X-Auth-Token: {token}\r\n"), "")
}

fn authenticate(emulated: &Emulated, auth: &Value) -> Got {
    send(emulated, "POST", "/identity/v3/auth/tokens", "", &json!({"auth": auth}).to_string())
}

fn password(user: &str, password: &str, scope: &Value) -> Value {
    let user = json!({"name": user, "domain": {"name": "Default"}, "password": password});
    let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
    if !scope.is_null() {
        auth["scope"] = scope.clone();
    }
    auth
}

fn token(emulated: &Emulated, auth: &Value) -> String {
    let got = authenticate(emulated, auth);
    assert_eq!(got.code, 201, "{}", got.body);
    got.header("x-subject-token").unwrap().to_owned()
}

fn project(name: &str) -> Value {
    json!({"project": {"name": name, "domain": {"id": "default"}}})
}

fn admin(emulated: &Emulated) -> String {
    token(emulated, &password("admin", "admin-secret", &project("admin")))
}

/// The ids of all pages of a list, by their links.
fn pages(emulated: &Emulated, token: &str, target: &str, key: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut target = target.to_owned();
    loop {
        let got = get(emulated, token, &target);
        assert_eq!(got.code, 200, "{target}: {}", got.body);
        let body = got.json();
        let page = body[key].as_array().unwrap();
        ids.extend(page.iter().map(|object| object["id"].as_str().unwrap().to_owned()));
        let links = body[format!("{key}_links")].as_array().cloned().unwrap_or_default();
        let next = links.iter().find(|link| link["rel"] == "next").map(|link| link["href"].clone());
        let next = next.or_else(|| Some(body["links"]["next"].clone()).filter(|next| next.is_string()));
        let Some(Value::String(next)) = next else { return ids };
        next.strip_prefix(&emulated.url).unwrap().clone_into(&mut target);
    }
}

fn small() -> Value {
    let port = |number: u32, project: &str, group: &str| {
        json!({"id": format!("p{number}"), "name": format!("port {number}"), "project_id": project, "network_id": "n1",
               "status": if number.is_multiple_of(2) { "ACTIVE" } else { "DOWN" }, "security_groups": [group],
               "fixed_ips": [{"subnet_id": "s1", "ip_address": format!("192.0.2.{number}")}], "revision_number": 1})
    };
    json!({
        "networks": [{"id": "n1", "project_id": OTHERS, "router:external": false, "shared": false},
                     {"id": "n2", "project_id": OTHERS, "router:external": true, "shared": false}],
        "subnets": [], "routers": [],
        "ports": (1..=7).map(|number| port(number, if number > 5 { OTHERS } else { MINE }, "g1")).collect::<Value>(),
        "security_groups": [
            {"id": "g1", "name": "web", "project_id": MINE, "revision_number": 3, "security_group_rules": [
                {"id": "r1", "security_group_id": "g1", "project_id": MINE, "direction": "ingress"}]},
            {"id": "g2", "name": "db", "project_id": OTHERS}],
        "security_group_rules": [{"id": "r2", "security_group_id": "g2", "project_id": OTHERS, "direction": "egress"}],
        "floatingips": [{"id": "f1", "project_id": MINE, "port_forwardings": [
            {"id": "w1", "protocol": "tcp", "external_port": 80, "internal_port": 8080, "internal_port_id": "p1"}]}],
        "address_groups": [{"id": "a1", "project_id": MINE, "addresses": ["192.0.2.0/24"]}],
        "users": [{"id": "u1", "name": "ann", "domain_id": "d1", "enabled": true},
                  {"id": "u2", "name": "bob", "domain_id": "default", "enabled": false}],
        "projects": [{"id": MINE, "name": "mine", "domain_id": "default"},
                     {"id": OTHERS, "name": "others", "domain_id": "d1"}],
        "domains": [{"id": "d1", "name": "other"}],
    })
}

fn served() -> Emulated {
    let mut member = Account::admin();
    member.id = "33333333333333333333333333333333".to_owned();
    "member".clone_into(&mut member.name);
    member.credentials.clear();
    member.grants = vec![
        Grant::new(Scope::Project(MINE.to_owned()), "member"),
        Grant::new(Scope::Domain("d1".to_owned()), "reader"),
    ];
    let mut options = Options::default();
    options.accounts.push(member);
    Emulated::start(Cloud::from_inventory(&small()), options).unwrap()
}

#[test]
fn who_shows_who_they_are_gets_a_token_for_what_they_may() {
    let emulated = served();
    let got = authenticate(&emulated, &password("admin", "admin-secret", &project("admin")));
    let body = &got.json()["token"];
    assert_eq!((got.code, &body["project"]["id"]), (201, &json!(Account::ADMIN_PROJECT)));
    let roles: Vec<&str> =
        body["roles"].as_array().unwrap().iter().filter_map(|role| role["name"].as_str()).collect();
    assert_eq!(roles, ["admin", "manager", "member", "reader"]);
    assert_eq!(got.header("x-subject-token").map(str::len), Some(183));
    let endpoints = body["catalog"][1]["endpoints"].as_array().unwrap();
    let public = endpoints.iter().find(|endpoint| endpoint["interface"] == "public").unwrap();
    assert_eq!(public["url"], json!(format!("{}/network", emulated.url)));

    let credential = json!({"id": "c0ffee00c0ffee00c0ffee00c0ffee00", "secret": "credential-secret"});
    let by_credential = |credential: &Value, scope: Option<Value>| {
        let identity = json!({"methods": ["application_credential"], "application_credential": credential});
        let mut auth = json!({"identity": identity});
        auth["scope"] = scope.unwrap_or_default();
        if auth["scope"].is_null() {
            auth.as_object_mut().unwrap().remove("scope");
        }
        authenticate(&emulated, &auth)
    };
    let got = by_credential(&credential, None);
    assert_eq!((got.code, &got.json()["token"]["methods"]), (201, &json!(["application_credential"])));
    let named = json!({"name": "osel", "secret": "credential-secret",
                       "user": {"name": "admin", "domain": {"id": "default"}}});
    assert_eq!(by_credential(&named, None).code, 201);
    let got = by_credential(&credential, Some(project("admin")));
    assert_eq!(got.code, 401);
    assert!(got.body.contains("cannot request a scope"), "{}", got.body);

    // A token gives another one for another scope, and no longer life.
    let first = authenticate(&emulated, &password("osel", "osel-secret", &json!("unscoped")));
    assert_eq!(first.json()["token"]["catalog"], Value::Null);
    let parent = first.header("x-subject-token").unwrap();
    let identity = json!({"methods": ["token"], "token": {"id": parent}});
    let second = authenticate(&emulated, &json!({"identity": identity, "scope": {"system": {"all": true}}}));
    assert_eq!(second.json()["token"]["methods"], json!(["token", "password"]));
    assert_eq!(second.json()["token"]["expires_at"], first.json()["token"]["expires_at"]);
    assert_eq!(second.json()["token"]["system"], json!({"all": true}));
}

#[test]
fn who_does_not_hears_no_more_than_that() {
    let emulated = served();
    let texts: Vec<(u16, String)> = [
        password("admin", "wrong", &project("admin")),
        password("nobody", "admin-secret", &project("admin")),
        password("admin", "admin-secret", &project("nothing")),
        password("admin", "admin-secret", &project("mine")),
    ]
    .iter()
    .map(|auth| authenticate(&emulated, auth))
    .map(|got| (got.code, got.body))
    .collect();
    assert!(texts.iter().all(|text| *text == texts[0] && text.0 == 401), "{texts:?}");
    assert_eq!(send(&emulated, "POST", "/identity/v3/auth/tokens", "", "{").code, 400);
    let without = get(&emulated, "nonsense", "/network/v2.0/ports");
    assert_eq!((without.code, &without.json()["error"]["title"]), (401, &json!("Unauthorized")));
    assert!(without.header("www-authenticate").unwrap().starts_with("Keystone uri="));

    let token = admin(&emulated);
    assert_eq!(get(&emulated, &token, "/network/v2.0/ports").code, 200);
    emulated.adjust(|options| options.accounts[0].is_enabled = false);
    assert_eq!(get(&emulated, &token, "/network/v2.0/ports").code, 401);
    emulated.adjust(|options| options.accounts[0].is_enabled = true);
    emulated.expire_tokens();
    assert_eq!(get(&emulated, &token, "/network/v2.0/ports").code, 401);
}

#[test]
fn lists_have_pages_filters_and_fields() {
    let emulated = served();
    let token = admin(&emulated);
    let all: Vec<String> = (1..=7).map(|number| format!("p{number}")).collect();
    for target in ["ports", "ports?limit=3", "ports?limit=7", "ports?limit=0", "ports?limit=2&fields=id"] {
        assert_eq!(pages(&emulated, &token, &format!("/network/v2.0/{target}"), "ports"), all, "{target}");
    }
    let ids =
        |query: &str| pages(&emulated, &token, &format!("/network/v2.0/ports?{query}"), "ports").join(" ");
    for (query, wanted) in [
        ("status=ACTIVE", "p2 p4 p6"),
        ("status=ACTIVE&limit=1", "p2 p4 p6"),
        ("status=ACTIVE&status=DOWN", "p1 p2 p3 p4 p5 p6 p7"),
        ("id=p3&id=p1&id=none", "p1 p3"),
        ("fixed_ips=ip_address%3D192.0.2.5", "p5"),
        ("security_groups=g1&tenant_id=22222222222222222222222222222222", "p6 p7"),
        ("security_groups=g9", ""),
        ("sort_key=id&sort_dir=desc&limit=3", "p7 p6 p5 p4 p3 p2 p1"),
    ] {
        assert_eq!(ids(query), wanted, "{query}");
    }
    let back = get(&emulated, &token, "/network/v2.0/ports?limit=2&marker=p5&page_reverse=True").json();
    assert_eq!((&back["ports"][0]["id"], &back["ports"][1]["id"]), (&json!("p3"), &json!("p4")));
    let cut = get(&emulated, &token, "/network/v2.0/ports?id=p1&fields=id&fields=status&fields=bogus").json();
    assert_eq!(cut, json!({"ports": [{"id": "p1", "status": "DOWN"}]}));
    emulated.adjust(|options| options.network_page_max = Some(2));
    assert_eq!(get(&emulated, &token, "/network/v2.0/ports").json()["ports"].as_array().unwrap().len(), 2);
    assert_eq!(pages(&emulated, &token, "/network/v2.0/ports", "ports"), all);

    for (query, code, text) in [
        ("bogus=1", 400, "['bogus'] is invalid attribute for filtering"),
        ("changed_since=2026-11-21", 400, "invalid attribute for filtering"),
        ("limit=many", 400, "Limit must be"),
        ("sort_key=id", 400, "sort_dirs"),
        ("marker=gone", 404, "PortNotFound"),
    ] {
        let got = get(&emulated, &token, &format!("/network/v2.0/ports?{query}"));
        assert_eq!(got.code, code, "{query}");
        assert!(got.body.contains(text) && got.body.contains("NeutronError"), "{query}: {}", got.body);
    }
    emulated.adjust(|options| options.validates_filters = false);
    assert_eq!(get(&emulated, &token, "/network/v2.0/ports?bogus=1").code, 200);
}

#[test]
fn what_hangs_on_an_object_is_shown_with_it() {
    let emulated = served();
    let token = admin(&emulated);
    let one = |target: &str| get(&emulated, &token, &format!("/network/v2.0/{target}")).json();
    assert_eq!(one("security-groups/g1")["security_group"]["security_group_rules"][0]["id"], "r1");
    assert_eq!(
        pages(&emulated, &token, "/network/v2.0/security-group-rules", "security_group_rules"),
        ["r1", "r2"]
    );
    assert_eq!(one("floatingips/f1")["floatingip"]["port_forwardings"][0]["external_port"], 80);
    assert_eq!(one("floatingips/f1/port_forwardings")["port_forwardings"][0]["id"], "w1");
    assert_eq!(one("floatingips/f1/port_forwardings/w1")["port_forwarding"]["internal_port"], 8080);
    for (target, code, kind) in [
        ("security-groups/g9", 404, "SecurityGroupNotFound"),
        ("trunks", 404, "HTTPNotFound"),
        ("address-groups", 200, "a1"),
        ("extensions/address-group", 200, "address-group"),
        ("extensions/trunk", 404, "ExtensionNotFound"),
    ] {
        let got = get(&emulated, &token, &format!("/network/v2.0/{target}"));
        assert_eq!(got.code, code, "{target}");
        assert!(got.body.contains(kind), "{target}: {}", got.body);
    }
    // Changes that nobody is told.
    emulated.change(|cloud| {
        assert!(cloud.edit("security_groups", "g1", |group| group["name"] = json!("renamed")));
        assert!(cloud.remove("security_group_rules", "r1"));
        assert!(cloud.remove("security_groups", "g2"));
        assert!(!cloud.remove("security_groups", "g2"));
        cloud.put("security_group_rules", json!({"id": "r3", "security_group_id": "g1"}));
    });
    let group = &one("security-groups/g1")["security_group"];
    assert_eq!((&group["name"], &group["revision_number"]), (&json!("renamed"), &json!(4)));
    assert_eq!(group["security_group_rules"], json!([{"id": "r3", "security_group_id": "g1"}]));
    assert_eq!(
        pages(&emulated, &token, "/network/v2.0/security-group-rules", "security_group_rules"),
        ["r3"]
    );
}

#[test]
fn who_sees_what_depends_on_scope_and_role() {
    let emulated = served();
    let ids = |token: &str, what: &str| {
        pages(
            &emulated,
            token,
            &format!("/network/v2.0/{what}"),
            &what.split('?').next().unwrap().replace('-', "_"),
        )
        .join(" ")
    };
    // A token without a project gets no error: it sees nothing.
    let system = token(&emulated, &password("osel", "osel-secret", &json!({"system": {"all": true}})));
    assert_eq!(ids(&system, "ports"), "");
    assert_eq!(get(&emulated, &system, "/network/v2.0/ports/p1").code, 404);
    let member = token(&emulated, &password("member", "admin-secret", &project("mine")));
    assert_eq!(ids(&member, "ports"), "p1 p2 p3 p4 p5");
    assert_eq!(ids(&member, "networks"), "n2");
    assert_eq!(get(&emulated, &member, "/network/v2.0/ports/p6").code, 404);
    // An auditor sees all, but for rules that are not filtered.
    let auditor = token(&emulated, &password("osel", "osel-secret", &project("monitoring")));
    assert_eq!(ids(&auditor, "ports"), "p1 p2 p3 p4 p5 p6 p7");
    assert_eq!(ids(&auditor, "security-group-rules"), "");
    assert_eq!(ids(&auditor, "security-group-rules?direction=ingress&direction=egress"), "r1 r2");
    emulated.adjust(|options| options.refused.extend(["networks".to_owned(), "users".to_owned()]));
    let refused = get(&emulated, &auditor, "/network/v2.0/networks");
    assert_eq!((refused.code, &refused.json()["NeutronError"]["type"]), (403, &json!("PolicyNotAuthorized")));

    assert_eq!(get(&emulated, &auditor, "/identity/v3/projects").code, 403);
    assert_eq!(get(&emulated, &member, "/identity/v3/users/33333333333333333333333333333333").code, 200);
    let admin = admin(&emulated);
    assert_eq!(get(&emulated, &admin, "/identity/v3/users").code, 403);
    emulated.adjust(|options| options.refused.clear());
    assert_eq!(pages(&emulated, &admin, "/identity/v3/users?name=ann", "users"), ["u1"]);
    let domain = token(&emulated, &password("member", "admin-secret", &json!({"domain": {"id": "d1"}})));
    assert_eq!(pages(&emulated, &domain, "/identity/v3/users", "users"), ["u1"]);
    assert_eq!(get(&emulated, &domain, "/identity/v3/roles").code, 403);
}

#[test]
fn lists_of_keystone_are_cut_and_say_so() {
    let emulated = served();
    let token = token(&emulated, &password("osel", "osel-secret", &json!({"system": {"all": true}})));
    let all = pages(&emulated, &token, "/identity/v3/users", "users");
    assert_eq!(all.len(), 5);
    assert_eq!(pages(&emulated, &token, "/identity/v3/users?limit=2", "users"), all);
    let page = get(&emulated, &token, "/identity/v3/users?limit=2").json();
    assert_eq!((&page["truncated"], page["links"]["next"].is_string()), (&json!(true), true));
    emulated.adjust(|options| {
        options.identity_page_max = 3;
        options.has_identity_pages = false;
    });
    let page = get(&emulated, &token, "/identity/v3/users?limit=2").json();
    assert_eq!((&page["truncated"], &page["links"]["next"]), (&json!(true), &Value::Null));
    assert_eq!(page["users"].as_array().unwrap().len(), 3);

    let page = get(&emulated, &token, "/identity/v3/role_assignments?scope.system=all&include_names").json();
    let all = page["role_assignments"].as_array().unwrap();
    assert_eq!(
        (all.len(), &all[0]["user"]["name"], &all[0]["role"]["name"]),
        (1, &json!("osel"), &json!("reader"))
    );
    assert_eq!(
        get(&emulated, &token, "/identity/v3/users/none").json()["error"]["message"],
        "Could not find user: none."
    );
}

#[test]
fn it_fails_as_it_is_told_to() {
    let emulated = served();
    let mut token = admin(&emulated);
    let ports = "/network/v2.0/ports?limit=2";
    let status = What::Status { code: 429, retry_after: Some("7".to_owned()) };
    emulated.fail(Fault::new(status).on("/ports").after(1).times(1));
    assert_eq!(get(&emulated, &token, ports).code, 200);
    let limited = get(&emulated, &token, ports);
    assert_eq!((limited.code, limited.header("retry-after")), (429, Some("7")));
    assert_eq!(get(&emulated, &token, ports).code, 200);

    emulated.fail(Fault::new(What::ExpiredToken).times(1));
    assert_eq!(get(&emulated, &token, ports).code, 401);
    assert_eq!(get(&emulated, &token, ports).code, 401);
    token = admin(&emulated);
    let link = |target: &str| {
        get(&emulated, &token, target).json()["ports_links"][0]["href"].as_str().unwrap().to_owned()
    };
    emulated.fail(Fault::new(What::ForeignLinks).times(1));
    assert!(
        link(ports).starts_with("http://network.internal.invalid:9696/network/v2.0/ports?limit=2&marker=")
    );
    emulated.fail(Fault::new(What::LoopingLinks).times(1));
    assert!(link(&format!("{ports}&marker=p2")).ends_with("limit=2&marker=p2"));
    emulated.fail(Fault::new(What::MarkerGone).times(1));
    assert_eq!(get(&emulated, &token, ports).code, 200);
    assert_eq!(get(&emulated, &token, &format!("{ports}&marker=p2")).code, 404);
    emulated.fail(Fault::new(What::Garbage).times(1));
    assert!(get(&emulated, &token, ports).body.starts_with("<html>"));
    emulated.fail(Fault::new(What::CutBody).times(1));
    let cut = get(&emulated, &token, ports);
    let announced: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert!(cut.body.len() < announced, "{} {announced}", cut.body.len());
    emulated.fail(Fault::new(What::Down));
    assert_eq!(get(&emulated, &token, ports).head, "");
    emulated.heal();
    assert_eq!(get(&emulated, &token, ports).code, 200);
    assert_eq!(emulated.asked("POST /identity/v3/auth/tokens").len(), 2);
}

#[test]
fn a_generated_cloud_is_served_without_its_text() {
    let options = GenerateOptions { ports: 500, ..GenerateOptions::default() };
    let emulated = Emulated::start(Cloud::generated(options), Options::default()).unwrap();
    let token = admin(&emulated);
    let inventory = emulated.change(|cloud| {
        let mut text = Vec::new();
        cloud.generator().unwrap().write_inventory(&mut text).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()
    });
    let shown = emulated.change(|cloud| cloud.inventory());
    for (path, key) in [
        ("ports", "ports"),
        ("security-groups", "security_groups"),
        ("security-group-rules", "security_group_rules"),
        ("networks", "networks"),
        ("subnets", "subnets"),
        ("routers", "routers"),
        ("floatingips", "floatingips"),
    ] {
        let mut wanted: Vec<Value> = inventory[key].as_array().unwrap().clone();
        wanted.sort_by_key(|object| object["id"].to_string());
        assert_eq!(shown[key].as_array().unwrap(), &wanted, "{key}");
        let listed = pages(&emulated, &token, &format!("/network/v2.0/{path}?limit=100"), key);
        let ids: Vec<String> =
            wanted.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(listed, ids, "{key}");
    }
    let group = inventory["security_groups"][1]["id"].as_str().unwrap();
    let rules = inventory["security_group_rules"].as_array().unwrap();
    let wanted: Vec<&Value> = rules.iter().filter(|rule| rule["security_group_id"] == group).collect();
    let one = get(&emulated, &token, &format!("/network/v2.0/security-groups/{group}")).json();
    assert_eq!(one["security_group"]["security_group_rules"].as_array().unwrap().len(), wanted.len());

    // Changes of one's own lie over it.
    let port = inventory["ports"][0]["id"].as_str().unwrap();
    emulated.change(|cloud| {
        assert!(cloud.edit("ports", port, |port| port["name"] = json!("mine")));
        assert!(cloud.remove("security_groups", group));
        cloud.put("ports", json!({"id": "00000000-new"}));
    });
    assert_eq!(get(&emulated, &token, &format!("/network/v2.0/ports/{port}")).json()["port"]["name"], "mine");
    assert_eq!(get(&emulated, &token, &format!("/network/v2.0/security-groups/{group}")).code, 404);
    let listed = pages(&emulated, &token, "/network/v2.0/ports?limit=99", "ports");
    assert_eq!(listed.len(), inventory["ports"].as_array().unwrap().len() + 1);
    assert!(listed.is_sorted() && listed[0] == "00000000-new");
    let rules =
        pages(&emulated, &token, "/network/v2.0/security-group-rules?limit=99", "security_group_rules");
    assert_eq!(rules.len(), inventory["security_group_rules"].as_array().unwrap().len() - wanted.len());
}

#[test]
fn there_is_an_octavia_where_there_are_load_balancers() {
    let emulated = served();
    let kinds = |emulated: &Emulated| {
        let got = authenticate(emulated, &password("admin", "admin-secret", &project("admin"))).json();
        let catalog = got["token"]["catalog"].as_array().unwrap().clone();
        catalog.iter().map(|service| service["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&emulated), ["identity", "network"]);
    emulated.change(|cloud| {
        for id in ["b1", "b2", "b3"] {
            cloud.put("loadbalancers", json!({"id": id, "project_id": OTHERS, "vip_address": "192.0.2.9"}));
        }
        cloud.put("listeners", json!({"id": "l1", "project_id": OTHERS, "allowed_cidrs": ["192.0.2.0/24"]}));
    });
    assert_eq!(kinds(&emulated), ["identity", "network", "load-balancer"]);
    let (admin, base) = (admin(&emulated), "/load-balancer/v2/lbaas");
    assert_eq!(
        pages(&emulated, &admin, &format!("{base}/loadbalancers?limit=2"), "loadbalancers"),
        ["b1", "b2", "b3"]
    );
    let one = get(&emulated, &admin, &format!("{base}/listeners/l1")).json();
    assert_eq!(one["listener"]["allowed_cidrs"], json!(["192.0.2.0/24"]));
    let none = get(&emulated, &admin, &format!("{base}/listeners/l2"));
    assert_eq!((none.code, &none.json()["faultcode"]), (404, &json!("Client")));
    let member = token(&emulated, &password("member", "admin-secret", &project("mine")));
    assert_eq!(pages(&emulated, &member, &format!("{base}/listeners"), "listeners"), Vec::<String>::new());
}
