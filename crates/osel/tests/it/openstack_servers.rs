//! Names of servers, as the emulated Nova lists them.

use osel_core::event::{Kind, NameKind};
use osel_sim::api::{Cloud, Emulated, Fault, Options, What};
use serde_json::{Value, json};

use crate::command::{Place, run};
use crate::openstack::{ADMIN, Driver, MEMBER, READER, account, export, ids, member, recorded};

/// More than two pages.
const SERVERS: usize = 2500;

/// The recorded cloud with servers, served from outside of whatever runtime the test has.
fn emulated() -> Emulated {
    let mut inventory = recorded();
    let server = |number: usize| {
        json!({"id": format!("00000000-0000-4000-8000-{number:012x}"), "name": format!("worker-{number}"),
               "tenant_id": "shop", "metadata": {"password": "hunter2"}})
    };
    inventory["servers"] = (0..SERVERS).map(server).collect();
    let start = || Emulated::start(Cloud::from_inventory(&inventory), Options::default()).unwrap();
    std::thread::scope(|scope| scope.spawn(start).join().unwrap())
}

#[tokio::test]
async fn servers_of_all_projects_are_named_page_by_page() {
    let emulated = emulated();
    for variables in [&ADMIN, &READER] {
        let whole = Driver::new(account(&emulated, variables)).read_all().await;
        assert_eq!(whole.failed, None);
        assert!(!whole.refused().contains(&"servers"), "{:?}", whole.refused());
        assert_eq!(whole.names[&NameKind::Server], SERVERS);
        let last = format!(
            "servers\t{{\"id\":\"00000000-0000-4000-8000-{:012x}\",\"name\":\"worker-2499\"}}\n",
            2499
        );
        assert!(whole.text.contains(&last), "only id and name are kept");
    }
    let asked = emulated.asked("/compute/v2.1/servers");
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert!(asked.iter().all(|asked| asked.contains("all_tenants=1")), "{asked:?}");
}

#[tokio::test]
async fn a_list_whose_marker_was_deleted_begins_again() {
    let emulated = emulated();
    emulated.fail(Fault::new(What::MarkerGone).on("/servers").after(1).times(1));
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert_eq!((whole.failed.as_ref(), whole.refused()), (None, Vec::new()));
    assert!(whole.names[&NameKind::Server] > SERVERS, "those of the first pages came twice");
    // One that is gone each time is no list that can be read.
    emulated.fail(Fault::new(What::MarkerGone).on("/servers"));
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert_eq!((whole.failed.as_ref(), whole.refused()), (None, vec!["servers"]));
}

#[tokio::test]
async fn whoever_may_not_see_all_servers_is_told_what_that_hides() {
    let emulated = emulated();
    emulated.adjust(|options| {
        options.refused.insert("servers".to_owned());
    });
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert_eq!((whole.failed.as_ref(), whole.refused()), (None, vec!["servers"]));
    assert!(whole.refused[0].hides.contains("names of servers"), "{}", whole.refused[0].hides);
    assert!(whole.complete.contains(&Kind::Port), "the network is known all the same");

    let project = recorded()["ports"][0]["project_id"].as_str().unwrap().to_owned();
    emulated.adjust(|options| {
        options.refused.clear();
        options.accounts.push(member(&project));
    });
    let whole = Driver::new(account(&emulated, &MEMBER)).read_all().await;
    assert!(whole.failed.is_none() && whole.refused().contains(&"servers"), "{:?}", whole.refused());
    assert!(!whole.names.contains_key(&NameKind::Server));
}

#[test]
fn servers_are_exported_and_an_inventory_with_them_is_imported() {
    let (place, emulated) = (Place::new("servers"), emulated());
    let port = recorded()["ports"]
        .as_array()
        .unwrap()
        .iter()
        .find(|port| port["device_owner"].as_str().is_some_and(|owner| owner.starts_with("compute:")))
        .cloned()
        .expect("the recording has a server's port");
    let server = json!({"id": port["device_id"], "name": "web", "tenant_id": port["project_id"]});
    emulated.change(|cloud| cloud.put("servers", server));
    let file = place.path("inventory.json");
    let output = export(&emulated, &ADMIN, &["--output", &file]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(written["servers"].as_array().unwrap().len(), SERVERS + 1);
    assert_eq!(ids(&written, Kind::Port), ids(&recorded(), Kind::Port));
    let store = place.path("store");
    run(&["inventory", "import", "--store", &store, &file]);
}
