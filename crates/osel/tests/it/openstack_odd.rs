//! The driver of a cloud's API, and `osel inventory export`, where answers are odd: what is hidden, laid open or lost must not become a
//! wrong word about the cloud, nor a secret in a line.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use osel::openstack::words::{ApiEvent, ApiTrouble};
use osel_core::decode::Item;
use osel_core::event::{Kind, Object};
use osel_core::time::Timestamp;
use osel_sim::api::{Fault, Options, What};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::broker::until;
use crate::command::{Place, program};
use crate::openstack::{ADMIN, Driver, MEMBER, READER, account, emulated, ids, member, now, recorded};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn status(code: u16) -> What {
    What::Status { code, retry_after: None }
}

#[tokio::test]
async fn forwardings_are_asked_for_while_a_long_list_is_read() {
    let emulated = emulated(Options::default());
    let model = recorded()["floatingips"][0].clone();
    emulated.change(|cloud| {
        for number in 0..400 {
            let mut floating_ip = model.clone();
            floating_ip["id"] = format!("0f000000-0000-4000-8000-{number:012}").into();
            floating_ip["name"] = "n".repeat(4000).into();
            floating_ip["port_forwardings"][0]["id"] = format!("0e000000-0000-4000-8000-{number:012}").into();
            cloud.put("floatingips", floating_ip);
        }
    });
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert_eq!(whole.failed, None);
    assert!(whole.objects[&Kind::FloatingIp].len() > 400);
    assert!(whole.complete.contains(&Kind::Forwarding));
}

#[tokio::test]
async fn forwardings_of_floating_ips_that_are_refused_are_not_gone() {
    let emulated = emulated(Options { refused: ["floatingips".to_owned()].into(), ..Options::default() });
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert!(whole.complete.contains(&Kind::Port));
    assert!(!whole.complete.contains(&Kind::FloatingIp) && !whole.complete.contains(&Kind::Forwarding));
}

#[tokio::test]
async fn a_look_at_a_floating_ip_whose_forwardings_are_refused_takes_none_away() {
    let emulated = emulated(Options::default());
    emulated.fail(Fault::new(status(403)).on("/port_forwardings"));
    let id = recorded()["floatingips"][0]["id"].as_str().unwrap().to_owned();
    let mut driver = Driver::new(account(&emulated, &ADMIN));
    let ApiEvent::Found { page, .. } = driver.read_one(Kind::FloatingIp, &id).await else { panic!() };
    let Item::Object(Object::FloatingIp(found)) = &page.items[0] else { panic!() };
    assert_eq!(found.forwardings, None, "without ids they would be others than those that are known");
}

#[tokio::test]
async fn a_read_whose_forwardings_are_refused_says_nothing_of_them() {
    let emulated = emulated(Options::default());
    let listing = |text: &str| text.lines().filter(|line| line.contains("external_port")).count();
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert_eq!(listing(&whole.text), 2, "in its floating IP, and by itself");
    emulated.fail(Fault::new(status(403)).on("/port_forwardings"));
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert_eq!((whole.failed.as_ref(), listing(&whole.text)), (None, 0));
    assert!(whole.complete.contains(&Kind::FloatingIp) && !whole.complete.contains(&Kind::Forwarding));
    assert!(whole.refused().contains(&"port_forwardings"), "{:?}", whole.refused());
}

#[tokio::test]
async fn what_an_account_was_shown_says_nothing_of_what_another_one_is_shown() {
    let emulated = emulated(Options::default());
    let port = recorded()["ports"][0].clone();
    let project = "99999999999999999999999999999999";
    emulated.adjust(|options| options.accounts.push(member(project)));
    let cloud = Arc::new(Mutex::new(account(&emulated, &ADMIN)));
    let current = Arc::clone(&cloud);
    let mut driver = Driver::of(now, move || current.lock().unwrap().clone());
    assert!(driver.read_all().await.complete.contains(&Kind::Port));
    let ApiEvent::Absent { .. } = driver.read_one(Kind::Port, NOBODY).await else { panic!() };
    // The file that the account is read from names a lesser one now.
    *cloud.lock().unwrap() = account(&emulated, &MEMBER);
    let event = driver.read_one(Kind::Port, port["id"].as_str().unwrap()).await;
    assert!(matches!(event, ApiEvent::Failed { trouble: ApiTrouble::Refused, .. }), "{event:?}");
}

/// A policy is changed while token and roles stay: what an earlier read was shown is no proof for a 404 of today.
#[tokio::test]
async fn what_an_account_was_shown_under_another_policy_does_not_make_a_hidden_object_gone() {
    let emulated = emulated(Options::default());
    let mut driver = Driver::new(account(&emulated, &READER));
    assert!(driver.read_all().await.complete.contains(&Kind::Port));
    let ApiEvent::Absent { .. } = driver.read_one(Kind::Port, NOBODY).await else { panic!() };
    let port = recorded()["ports"][0]["id"].as_str().unwrap().to_owned();
    let ApiEvent::Found { .. } = driver.read_one(Kind::Port, &port).await else { panic!() };
    emulated.adjust(|options| options.auditor_role = None);
    let event = driver.read_one(Kind::Port, &port).await;
    assert!(matches!(event, ApiEvent::Failed { trouble: ApiTrouble::Refused, .. }), "{event:?}");
    emulated.adjust(|options| options.auditor_role = Some("auditor".to_owned()));
    let ApiEvent::Absent { .. } = driver.read_one(Kind::Port, NOBODY).await else { panic!() };
}

/// Networks stood as proof for ports, where a policy hides ports from administrators too.
#[tokio::test]
async fn what_is_hidden_from_an_administrator_is_not_gone_while_other_kinds_are_shown() {
    let emulated = emulated(Options::default());
    for id in ids(&recorded(), Kind::FloatingIp) {
        emulated.change(|cloud| cloud.remove("floatingips", &id.to_string()));
    }
    let mut driver = Driver::new(account(&emulated, &ADMIN));
    let whole = driver.read_all().await;
    assert!(whole.complete.contains(&Kind::Port) && whole.complete.contains(&Kind::FloatingIp));
    let hide = |hidden: &[&str]| {
        let hidden = hidden.iter().map(|key| (*key).to_owned()).collect();
        emulated.adjust(|options| options.hidden = hidden);
    };
    // Of outer addresses there were none that could be proof: any other kind is.
    let ApiEvent::Absent { .. } = driver.read_one(Kind::FloatingIp, NOBODY).await else { panic!() };
    let ApiEvent::Absent { .. } = driver.read_one(Kind::Port, NOBODY).await else { panic!() };
    hide(&["ports"]);
    let port = recorded()["ports"][0]["id"].as_str().unwrap().to_owned();
    for id in [&port, NOBODY] {
        let event = driver.read_one(Kind::Port, id).await;
        assert!(matches!(event, ApiEvent::Failed { trouble: ApiTrouble::Refused, .. }), "{event:?}");
    }
    let ApiEvent::Absent { .. } = driver.read_one(Kind::FloatingIp, NOBODY).await else { panic!() };
    hide(&Kind::ALL.map(Kind::plural));
    let event = driver.read_one(Kind::FloatingIp, NOBODY).await;
    assert!(matches!(event, ApiEvent::Failed { trouble: ApiTrouble::Refused, .. }), "{event:?}");
    hide(&[]);
    let ApiEvent::Absent { .. } = driver.read_one(Kind::Port, NOBODY).await else { panic!() };
}

/// Neutron before Newton has projects by their older name alone, and shows that only to who asks for it.
#[tokio::test]
async fn projects_are_known_by_their_older_name_where_a_service_has_no_other() {
    let emulated = emulated(Options::default());
    let before = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert!(!before.text.contains("tenant_id"), "it is not asked for where it says nothing new");
    emulated.adjust(|options| _ = options.absent.insert("project-id".to_owned()));
    for kind in [Kind::Network, Kind::Port] {
        for id in ids(&recorded(), kind) {
            emulated.change(|cloud| {
                cloud.edit(kind.plural(), &id.to_string(), |object| {
                    object["tenant_id"] = object["project_id"].take();
                    object.as_object_mut().unwrap().remove("project_id");
                })
            });
        }
    }
    let whole = Driver::new(account(&emulated, &READER)).read_all().await;
    assert!(whole.complete.contains(&Kind::Network) && whole.complete.contains(&Kind::Port));
    let port = recorded()["ports"][0].clone();
    let told = format!("\"tenant_id\":{}", port["project_id"]);
    let line = whole.text.lines().find(|line| line.contains(port["id"].as_str().unwrap()));
    assert!(line.is_some_and(|line| line.replace(": ", ":").contains(&told)), "{line:?}");
}

/// Who mends a policy has to know which one, and who mends an object which one it is.
#[tokio::test]
async fn why_a_list_is_not_shown_is_told_with_the_services_words() {
    let emulated = emulated(Options::default());
    emulated.adjust(|options| _ = options.refused.insert("routers".to_owned()));
    let port = recorded()["ports"][0]["id"].as_str().unwrap().to_owned();
    emulated.change(|cloud| cloud.edit("ports", &port, |port| port["admin_state_up"] = json!("up")));
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    let why = |what: &str| whole.refused.iter().find(|refusal| refusal.what == what).unwrap().why.clone();
    let refused = why("routers");
    assert!(refused.starts_with("403: ") && refused.ends_with("disallowed by policy"), "{refused}");
    assert!(refused.contains("get_router") && refused.contains("/routers"), "{refused}");
    let unreadable = why("ports");
    assert!(unreadable.starts_with(&format!("`{port}`: ")), "{unreadable}");
    assert!(unreadable.ends_with("admin_state_up"), "{unreadable}");
}

/// Keystone revokes the tokens of whom a role is taken from: the new one comes in the middle of a list, and shows less.
#[tokio::test]
async fn a_role_that_is_lost_in_the_middle_of_a_read_takes_nothing_away() {
    for role in ["member", "auditor"] {
        let emulated = emulated(Options { network_page_max: Some(2), ..Options::default() });
        let mut driver = Driver::new(account(&emulated, &ADMIN));
        assert!(driver.read_all().await.complete.contains(&Kind::Port));
        emulated.adjust(|options| options.accounts[0].grants[0].role = role.to_owned());
        emulated.fail(Fault::new(What::ExpiredToken).on("/ports").after(1).times(1));
        let whole = driver.read_all().await;
        assert!(whole.complete.is_empty(), "{:?}", whole.complete);
        let (trouble, words) = whole.failed.unwrap();
        assert_eq!(trouble, ApiTrouble::Broken);
        assert!(words.contains("other rights") && words.contains("/ports"), "{words}");
        // The next one goes by what the account may see now.
        let whole = driver.read_all().await;
        assert_eq!((whole.failed, whole.complete.contains(&Kind::Port)), (None, role == "auditor"));
    }
}

/// Behind one address are several servers, and one has another policy: what came before its page was proof enough.
#[tokio::test]
async fn a_list_that_ends_before_an_object_that_is_there_is_not_whole() {
    let emulated = emulated(Options { network_page_max: Some(2), ..Options::default() });
    for variables in [&ADMIN, &READER] {
        let mut driver = Driver::new(account(&emulated, variables));
        assert!(driver.read_all().await.complete.contains(&Kind::Port));
        emulated.fail(Fault::new(What::Blind).on("/ports"));
        for _ in 0..2 {
            let whole = driver.read_all().await;
            assert_eq!((whole.failed.as_ref(), whole.objects[&Kind::Port].len()), (None, 2));
            assert!(!whole.complete.contains(&Kind::Port) && whole.refused().contains(&"ports"));
            assert!(whole.complete.contains(&Kind::Network));
        }
        emulated.heal();
        assert!(driver.read_all().await.complete.contains(&Kind::Port));
    }
}

#[tokio::test]
async fn a_list_whose_last_object_is_gone_is_whole() {
    let emulated = emulated(Options::default());
    let mut driver = Driver::new(account(&emulated, &ADMIN));
    let all = driver.read_all().await;
    let ports = all.objects[&Kind::Port].iter().rev().take(3).map(ToString::to_string).collect::<Vec<_>>();
    emulated.change(|cloud| ports.iter().for_each(|id| _ = cloud.remove("ports", id)));
    let whole = driver.read_all().await;
    assert_eq!(whole.objects[&Kind::Port].len() + 3, all.objects[&Kind::Port].len());
    assert!(whole.complete.contains(&Kind::Port), "{:?}", whole.refused());
}

/// Names come last: what they are read with says nothing of the lists before them.
#[tokio::test]
async fn a_role_that_is_lost_among_names_ends_the_names() {
    let emulated = emulated(Options::default());
    let mut driver = Driver::new(account(&emulated, &ADMIN));
    driver.read_all().await;
    emulated.adjust(|options| options.accounts[0].grants[0].role = "member".to_owned());
    emulated.fail(Fault::new(What::ExpiredToken).on("/v3/role_assignments").times(1));
    let whole = driver.read_all().await;
    assert!(whole.failed.is_none() && whole.complete.contains(&Kind::Port));
    assert!(!whole.has_all_assignments && whole.refused().contains(&"users"), "{:?}", whole.refused());
    // What was shown whole was shown to an administrator.
    let event = driver.read_one(Kind::Port, NOBODY).await;
    assert!(matches!(event, ApiEvent::Failed { trouble: ApiTrouble::Refused, .. }), "{event:?}");
}

#[tokio::test]
async fn a_proxy_that_has_lost_neutron_takes_no_object_away() {
    let emulated = emulated(Options::default());
    let mut driver = Driver::new(account(&emulated, &ADMIN));
    assert!(driver.read_all().await.complete.contains(&Kind::Port));
    emulated.fail(Fault::new(status(404)).on("/ports/"));
    let event = driver.read_one(Kind::Port, recorded()["ports"][0]["id"].as_str().unwrap()).await;
    assert!(matches!(event, ApiEvent::Failed { .. }), "{event:?}");
}

#[tokio::test]
async fn without_names_the_network_is_read_all_the_same() {
    let emulated = emulated(Options::default());
    emulated.fail(Fault::new(status(401)).on("/v3/users"));
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert_eq!(whole.failed, None);
    assert!(whole.complete.contains(&Kind::Port));
    assert!(
        whole.refused().contains(&"users") && whole.refused().contains(&"roles"),
        "{:?}",
        whole.refused()
    );
}

#[tokio::test]
async fn an_order_whose_reader_breaks_down_is_told() {
    fn broken() -> Timestamp {
        panic!("the clock stands still")
    }
    let emulated = emulated(Options::default());
    let cloud = account(&emulated, &ADMIN);
    let event = Driver::of(broken, move || cloud.clone()).read_one(Kind::Port, NOBODY).await;
    assert!(matches!(event, ApiEvent::Failed { trouble: ApiTrouble::Broken, .. }), "{event:?}");
}

/// Answers every request with this, for as long as the test goes on.
fn answering(status: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).expect("a request");
                if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
                    length = said.trim().parse().expect("a length");
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            stream.read_exact(&mut vec![0; length]).expect("a body");
            let head =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.get_mut().write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

#[tokio::test]
async fn what_keystone_quotes_of_a_login_is_not_told() {
    let words = "Invalid input for field 'password': 'admin-secret' is too short";
    let body: Value = json!({"error": {"code": 400, "message": words, "title": "Bad Request"}});
    let mut cloud = account(&emulated(Options::default()), &ADMIN);
    cloud.auth_url = format!("{}/v3", answering("400 Bad Request", body.to_string()));
    let (trouble, words) = Driver::new(cloud).read_all().await.failed.unwrap();
    assert_eq!(trouble, ApiTrouble::Broken);
    assert!(words.contains("400 Bad Request") && !words.contains("admin-secret"), "{words}");
}

#[tokio::test]
async fn what_neutron_quotes_of_a_token_or_a_password_is_not_told() {
    let words = "cannot validate gAAAAABSECRETTOKEN-1_= of one who said admin-secret";
    let body: Value = json!({"NeutronError": {"type": "x", "message": words, "detail": ""}});
    let emulated = emulated(Options::default());
    let mut cloud = account(&emulated, &ADMIN);
    let neutron = answering("409 Conflict", body.to_string());
    cloud.endpoints.insert("network".to_owned(), neutron);
    let ApiEvent::Failed { words, .. } = Driver::new(cloud).read_one(Kind::Port, NOBODY).await else {
        panic!()
    };
    assert!(words.contains("409") && words.ends_with("cannot validate *** of one who said ***"), "{words}");
}

fn export_command(auth_url: &str) -> std::process::Command {
    let mut command = program();
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OS_")) {
        command.env_remove(name);
    }
    command.env("OS_AUTH_URL", auth_url).env("HOME", "/nonexistent").envs(ADMIN);
    command.args(["inventory", "export", "--requests-per-second", "100000"]);
    command
}

#[test]
fn an_export_that_is_stopped_in_the_middle_leaves_nothing() {
    let (place, emulated) = (Place::new("export-stopped"), emulated(Options::default()));
    emulated.fail(Fault::new(What::Hang).on("/ports"));
    let file = place.path("inventory.json");
    let folder = std::path::Path::new(&file).parent().unwrap();
    let mut child = export_command(&emulated.auth_url());
    let child = child.args(["--output", &file]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("ports are asked for", Duration::from_mins(1), || !emulated.asked("/ports").is_empty());
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "it is under way");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn an_export_onto_a_full_disk_says_that_it_cannot_be_written() {
    let emulated = emulated(Options::default());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = export_command(&emulated.auth_url()).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot write `standard output`"), "{said}");
}
