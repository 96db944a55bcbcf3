//! Objects of Swift, by a login at Keystone, read back by OpenStack's own client.

use std::sync::Arc;
use std::time::Duration;

use osel::config::{ForwardConfig, Place, ReceiverConfig, SwiftConfig};
use osel::forward::receiver::Receiver;
use osel::forward::swift;
use osel_core::format::Format;
use osel_core::forward::{RefusalKind, Taken};
use osel_sim::api::{Account, Cloud, Emulated, Fault, Options, What};
use serde_json::{Value, json};

use super::server::Server;
use super::{batch, line, objects};
use crate::command::{Place as Folder, osel};

const DAY: &str = "osel/00000000000000000000000000000007/2026/01/01";

/// Keystone, Swift, and a clouds file that leads to both.
struct Ground {
    keystone: Emulated,
    swift: Server,
    folder: Folder,
    clouds: String,
}

impl Ground {
    fn new(name: &str) -> Self {
        let start = || Emulated::start(Cloud::from_inventory(&json!({})), Options::default()).unwrap();
        let keystone = std::thread::scope(|scope| scope.spawn(start).join().unwrap());
        let swift = Server::start("swift_server.py", &["records"]);
        let folder = Folder::new(name);
        let clouds = folder.write("clouds.yaml", Self::clouds(&keystone, &swift, "admin-secret"));
        Self { keystone, swift, folder, clouds }
    }

    fn clouds(keystone: &Emulated, swift: &Server, password: &str) -> String {
        json!({"clouds": {"archive": {
            "auth": {
                "auth_url": keystone.auth_url(), "username": "admin", "password": password,
                "project_id": Account::ADMIN_PROJECT, "user_domain_id": "default",
            },
            "object_store_endpoint_override": swift.url,
        }}})
        .to_string()
    }

    fn config(&self) -> SwiftConfig {
        SwiftConfig {
            container: "records".to_owned(),
            cloud: Some("archive".to_owned()),
            clouds_file: Some(self.clouds.clone().into()),
            region: None,
            delete_after: None,
            objects: objects(),
        }
    }

    fn driver(&self, config: &SwiftConfig) -> impl Receiver + use<> {
        let table = ForwardConfig {
            name: "archive".to_owned(),
            receiver: ReceiverConfig::Swift(Box::new(config.clone())),
            format: Format::Native,
            filter: Default::default(),
            from: Default::default(),
            pseudonyms: false,
            place: Place::Nowhere,
        };
        swift(config.clone(), Format::Native, Arc::new(move || table.clone()))
    }

    /// The objects, by the names that they have in the day's folder but for digest and extension, and their lines.
    fn objects(&self) -> Vec<(String, usize)> {
        let told = self.swift.told("objects");
        let of = |(name, object): (&String, &Value)| {
            let name = name.strip_prefix(DAY).unwrap().rsplit_once('-').unwrap().0.to_owned();
            (name, object["lines"].as_array().unwrap().len())
        };
        told.as_object().unwrap().iter().map(of).collect()
    }
}

fn names(objects: &[(&str, usize)]) -> Vec<(String, usize)> {
    objects.iter().map(|(name, lines)| ((*name).to_owned(), *lines)).collect()
}

#[tokio::test]
async fn a_batch_is_an_object_of_the_container_and_is_there_once() {
    let ground = Ground::new("cloud-swift");
    let config = SwiftConfig { delete_after: Some(30 * 86_400), ..ground.config() };
    let mut receiver = ground.driver(&config);
    assert_eq!(receiver.send(&batch(1..=3)).await.unwrap(), Taken::Kept);
    receiver.send(&batch(4..=4)).await.unwrap();
    assert_eq!(ground.swift.told("asked"), json!(["GET list", "PUT object", "PUT object"]));
    let told = ground.swift.told("objects");
    let first = told.as_object().unwrap().values().next().unwrap();
    assert_eq!(
        *first,
        json!({"lines": [line(1), line(2), line(3)], "type": "application/gzip", "sum": true, "kept_days": 30})
    );
    // The next process cuts otherwise, and an answer is lost.
    let mut after = ground.driver(&ground.config());
    ground.swift.told("lose");
    let refusal = after.send(&batch(1..=6)).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.taken), (RefusalKind::Unavailable, 4));
    after.send(&batch(5..=8)).await.unwrap();
    assert_eq!(
        ground.objects(),
        names(&[
            ("/000000000001-000000000003", 3),
            ("/000000000004-000000000004", 1),
            ("/000000000005-000000000006", 2),
            ("/000000000007-000000000008", 2),
        ])
    );
}

#[tokio::test]
async fn refusals_are_understood_and_a_token_is_renewed() {
    let ground = Ground::new("cloud-swift-refusals");
    let mut receiver = ground.driver(&ground.config());
    receiver.send(&batch(1..=1)).await.unwrap();
    ground.swift.told("fail/401");
    receiver.send(&batch(2..=2)).await.unwrap();
    assert_eq!(ground.keystone.asked("POST /identity/v3/auth/tokens").len(), 2);
    for (status, wanted) in [
        (403, RefusalKind::Denied),
        // A quota: Swift takes larger objects than ours.
        (413, RefusalKind::Denied),
        (429, RefusalKind::Unavailable),
        (503, RefusalKind::Unavailable),
        (507, RefusalKind::Unavailable),
    ] {
        ground.swift.told(&format!("fail/{status}"));
        let refusal = receiver.send(&batch(3..=3)).await.unwrap_err();
        assert_eq!(refusal.kind, wanted, "{status}: {}", refusal.words);
        if status == 503 {
            assert_eq!(refusal.wait, Some(Duration::from_secs(7)));
        }
    }
    receiver.send(&batch(3..=3)).await.unwrap();
    ground.swift.told("break");
    let refusal = receiver.send(&batch(4..=4)).await.unwrap_err();
    assert!(refusal.kind == RefusalKind::Unavailable && refusal.words.contains("422"), "{}", refusal.words);
    receiver.send(&batch(4..=4)).await.unwrap();
    assert_eq!(ground.objects().len(), 4);
    let none = SwiftConfig { container: "none".to_owned(), ..ground.config() };
    let refusal = ground.driver(&none).send(&batch(1..=1)).await.unwrap_err();
    assert!(
        refusal.kind == RefusalKind::Denied && refusal.words.contains("is not there"),
        "{}",
        refusal.words
    );
}

#[tokio::test]
async fn a_password_is_read_again_when_it_is_refused() {
    let ground = Ground::new("cloud-swift-password");
    let mut receiver = ground.driver(&ground.config());
    ground.folder.write("clouds.yaml", Ground::clouds(&ground.keystone, &ground.swift, "hunter2"));
    let refusal = receiver.send(&batch(1..=1)).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Denied);
    assert!(refusal.words.contains("does not let this account in"), "{}", refusal.words);
    ground.folder.write("clouds.yaml", Ground::clouds(&ground.keystone, &ground.swift, "admin-secret"));
    ground.keystone.fail(Fault::new(What::Down).times(1));
    assert_eq!(receiver.send(&batch(1..=1)).await.unwrap_err().kind, RefusalKind::Unavailable);
    receiver.send(&batch(1..=1)).await.unwrap();
}

#[test]
fn a_test_is_an_object_of_its_own() {
    let ground = Ground::new("cloud-swift-test");
    ground.folder.write("bus.jsonl", "");
    let file = ground.folder.write(
        "osel.toml",
        "[store]\npath = 'store'\n[[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n[[forward]]\nname = 'archive'\n\
         type = 'swift'\ncontainer = 'records'\ncloud = 'archive'\nclouds_file = 'clouds.yaml'\n",
    );
    let output = osel(&["forward", "test", "archive", "-c", &file]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("the test was taken"), "{said}");
    assert!(said.contains("sends to container records of cloud archive"), "{said}");
    let told = ground.swift.told("objects");
    assert!(told.as_object().unwrap().keys().all(|name| name.starts_with("test/")), "{told}");
}
