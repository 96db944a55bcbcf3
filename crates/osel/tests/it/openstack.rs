//! The driver of a cloud's API, and `osel inventory export`, against the emulated services: what they show and how they fail.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use osel::openstack::clouds::{Cloud as Account, Selection, read};
use osel::openstack::words::{ApiEvent, ApiOrder, ApiTrouble, Refusal, Ticket};
use osel::openstack::{self, Settings};
use osel_core::decode::{Item, ItemPage, read_assignment};
use osel_core::event::{Assignment, AssignmentScope, Holder, Kind, NameKind, Object};
use osel_core::ids::Id;
use osel_core::time::Timestamp;
use osel_sim::api::{Account as User, Cloud, Credential, Emulated, Fault, Grant, Options, Scope, What};
use osel_sim::corpus::{Corpus, directory};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::command::{Place, json_lines, program, run};

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros().try_into().unwrap())
}

/// A cloud as a real Neutron and Keystone answered, with a port forwarding, which the recording has none of.
pub(crate) fn answered() -> Value {
    let corpus = Corpus::load(&directory(), "dev-2026").unwrap();
    let mut inventory = corpus.snapshots.last().unwrap().inventory();
    let forwarding = json!({"id": "4f1cbe0a-1f3c-4a45-9c3c-0d7e8f6f1b11", "protocol": "tcp", "external_port": 2222,
                            "internal_port": 22, "internal_ip_address": "192.0.2.7",
                            "internal_port_id": inventory["ports"][0]["id"]});
    inventory["floatingips"][0]["port_forwardings"] = json!([forwarding]);
    inventory
}

/// The same, with the floating IP as one that has forwardings is: without a port.
pub(crate) fn recorded() -> Value {
    let mut inventory = answered();
    inventory["floatingips"][0]["port_id"] = Value::Null;
    inventory["floatingips"][0]["router_id"] = inventory["routers"][0]["id"].clone();
    inventory
}

/// An account that has this project, and nothing else but what is added to it.
pub(crate) fn member(project: &str) -> User {
    let mut user = User::admin();
    user.id = "11111111111111111111111111111111".to_owned();
    user.name = "member".to_owned();
    user.grants = vec![Grant::new(Scope::Project(project.to_owned()), "member")];
    user.credentials = vec![Credential {
        id: MEMBER[0].1.to_owned(),
        name: "own".to_owned(),
        secret: MEMBER[1].1.to_owned(),
        project: project.to_owned(),
    }];
    user
}

/// Its credential.
pub(crate) const MEMBER: [(&str, &str); 2] = [
    ("OS_APPLICATION_CREDENTIAL_ID", "22222222222222222222222222222222"),
    ("OS_APPLICATION_CREDENTIAL_SECRET", "credential-secret"),
];

/// Serves it, from outside of whatever runtime the test has.
pub(crate) fn emulated(options: Options) -> Emulated {
    let start = || Emulated::start(Cloud::from_inventory(&recorded()), options).unwrap();
    std::thread::scope(|scope| scope.spawn(start).join().unwrap())
}

/// An account of the emulated services, by its variables.
pub(crate) fn account(emulated: &Emulated, variables: &[(&str, &str)]) -> Account {
    let mut selection = Selection::default();
    selection.environment.insert("OS_AUTH_URL".to_owned(), emulated.auth_url());
    selection
        .environment
        .extend(variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    read(&selection).unwrap()
}

pub(crate) const ADMIN: [(&str, &str); 5] = [
    ("OS_USERNAME", "admin"),
    ("OS_PASSWORD", "admin-secret"),
    ("OS_PROJECT_ID", User::ADMIN_PROJECT),
    ("OS_USER_DOMAIN_ID", "default"),
    ("OS_PROJECT_DOMAIN_ID", "default"),
];
pub(crate) const READER: [(&str, &str); 5] = [
    ("OS_USERNAME", "osel"),
    ("OS_PASSWORD", "osel-secret"),
    ("OS_PROJECT_NAME", "monitoring"),
    ("OS_USER_DOMAIN_ID", "default"),
    ("OS_PROJECT_DOMAIN_ID", "default"),
];
const CREDENTIAL: [(&str, &str); 3] = [
    ("OS_AUTH_TYPE", "v3applicationcredential"),
    ("OS_APPLICATION_CREDENTIAL_ID", "c0ffee00c0ffee00c0ffee00c0ffee00"),
    ("OS_APPLICATION_CREDENTIAL_SECRET", "credential-secret"),
];

/// A driver, and whoever orders.
pub(crate) struct Driver {
    order: UnboundedSender<ApiOrder>,
    events: UnboundedReceiver<ApiEvent>,
    last: u64,
}

/// What a read of everything came to.
#[derive(Default)]
pub(crate) struct Whole {
    began: Option<Timestamp>,
    pub(crate) objects: BTreeMap<Kind, BTreeSet<Id>>,
    pub(crate) names: BTreeMap<NameKind, usize>,
    pub(crate) assignments: BTreeSet<Assignment>,
    pub(crate) has_all_assignments: bool,
    pub(crate) text: String,
    pages: usize,
    pub(crate) complete: Vec<Kind>,
    pub(crate) refused: Vec<Refusal>,
    pub(crate) failed: Option<(ApiTrouble, String)>,
}

impl Whole {
    fn take(&mut self, page: &ItemPage) {
        self.pages += 1;
        self.text.push_str(std::str::from_utf8(&page.text).unwrap());
        for item in &page.items {
            match item {
                Item::Object(object) => {
                    let id = object.id().unwrap().clone();
                    self.objects.entry(object.kind()).or_default().insert(id);
                }
                Item::Assignment(assignment) => _ = self.assignments.insert(assignment.clone()),
                Item::Named { kind, .. } => *self.names.entry(*kind).or_default() += 1,
            }
        }
    }

    pub(crate) fn refused(&self) -> Vec<&str> {
        self.refused.iter().map(|refusal| refusal.what.as_str()).collect()
    }
}

impl Driver {
    pub(crate) fn new(cloud: Account) -> Self {
        Self::of(now, move || cloud.clone())
    }

    /// With an account that may be another one each time.
    pub(crate) fn of(clock: fn() -> Timestamp, cloud: impl Fn() -> Account + Send + Sync + 'static) -> Self {
        let (order, orders) = unbounded_channel();
        let (tell, events) = unbounded_channel();
        let requests_per_second = NonZeroU32::new(100_000).unwrap();
        let account = move || Ok(openstack::Account { cloud: cloud(), requests_per_second, insecure: false });
        let settings = Settings { name: "test".into(), account: Arc::new(account), names: true, clock };
        tokio::spawn(openstack::run(settings, orders, move |event| {
            let _ = tell.send(event);
        }));
        Self { order, events, last: 0 }
    }

    fn ticket(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }

    pub(crate) async fn next(&mut self) -> ApiEvent {
        tokio::time::timeout(Duration::from_mins(2), self.events.recv())
            .await
            .expect("no event comes")
            .unwrap()
    }

    pub(crate) async fn read_all(&mut self) -> Whole {
        let ticket = self.ticket();
        self.order.send(ApiOrder::ReadAll { ticket }).unwrap();
        self.read_to_end(ticket).await
    }

    async fn read_to_end(&mut self, ticket: Ticket) -> Whole {
        let mut whole = Whole::default();
        loop {
            let event = self.next().await;
            assert_eq!(event.ticket(), ticket);
            match event {
                ApiEvent::Began { at, .. } => whole.began = Some(at),
                ApiEvent::Page { page, .. } => {
                    assert!(page.items.len() <= openstack::PAGE_OBJECTS);
                    whole.take(&page);
                    self.order.send(ApiOrder::Taken { ticket }).unwrap();
                }
                ApiEvent::Ended { complete, has_all_assignments, refused, .. } => {
                    (whole.complete, whole.refused) = (complete, refused);
                    whole.has_all_assignments = has_all_assignments;
                    return whole;
                }
                ApiEvent::Failed { trouble, words, .. } => {
                    whole.failed = Some((trouble, words));
                    return whole;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn read_one(&mut self, kind: Kind, id: &str) -> ApiEvent {
        let ticket = self.ticket();
        self.order.send(ApiOrder::ReadOne { ticket, kind, id: Id::new(id) }).unwrap();
        self.next().await
    }
}

/// Ids of a collection, as the inventory has them.
pub(crate) fn ids(inventory: &Value, kind: Kind) -> BTreeSet<Id> {
    let listed = inventory[kind.plural()].as_array();
    listed.into_iter().flatten().map(|object| Id::new(object["id"].as_str().unwrap())).collect()
}

#[track_caller]
fn is_all(whole: &Whole) {
    assert_eq!(whole.failed, None);
    let inventory = recorded();
    let nothing = BTreeSet::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Forwarding) {
        assert_eq!(whole.objects.get(&kind).unwrap_or(&nothing), &ids(&inventory, kind), "{}", kind.plural());
    }
    assert_eq!(whole.objects[&Kind::Forwarding].len(), 1);
    for kind in NameKind::ALL {
        let listed = inventory[kind.plural()].as_array().map_or(0, Vec::len);
        assert!(whole.names.get(&kind).copied().unwrap_or(0) >= listed, "{}", kind.plural());
    }
}

#[track_caller]
fn has_all_assignments(whole: &Whole) {
    let listed = recorded()["role_assignments"].as_array().unwrap().clone();
    let read = |one: &Value| read_assignment(one.to_string().as_bytes()).unwrap();
    assert!(!listed.is_empty() && listed.iter().all(|one| whole.assignments.contains(&read(one))));
    let has_system = whole.assignments.iter().any(|one| one.scope == AssignmentScope::System);
    assert!(has_system && whole.has_all_assignments && !whole.refused().contains(&Assignment::PLURAL));
}

#[tokio::test]
async fn role_assignments_are_believed_whole_where_nothing_is_hidden() {
    let emulated = emulated(Options::default());
    let admin = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    has_all_assignments(&admin);
    let reader = Driver::new(account(&emulated, &READER)).read_all().await;
    has_all_assignments(&reader);
    assert_eq!(admin.assignments, reader.assignments);
    // What is kept has ids only, and each user is named once.
    assert!(!admin.text.lines().any(|line| line.starts_with("role_assignments\t") && line.contains("name")));
    // So is each assignment: one on the system stands in the list of all and in its own.
    for collection in ["users\t", "role_assignments\t"] {
        let lines: Vec<&str> = admin.text.lines().filter(|line| line.starts_with(collection)).collect();
        assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len(), "{collection}");
    }

    emulated.adjust(|options| _ = options.refused.insert("role_assignments".into()));
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert!(whole.assignments.is_empty() && !whole.has_all_assignments);
    assert_eq!(whole.refused(), [Assignment::PLURAL]);
    assert!(whole.refused[0].hides.contains("who has which role"));
}

#[tokio::test]
async fn users_that_only_an_assignment_names_are_named_and_a_domains_reader_is_not_believed() {
    let emulated = emulated(Options::default());
    let users = |whole: &Whole| whole.names.get(&NameKind::User).copied().unwrap_or(0);
    let all = users(&Driver::new(account(&emulated, &ADMIN)).read_all().await);
    assert!(all > 0);
    // As with a directory elsewhere, whose users Keystone does not list.
    emulated.adjust(|options| _ = options.refused.insert("users".into()));
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    let holders = whole.assignments.iter().filter_map(|one| match &one.holder {
        Holder::User(id) => Some(id),
        Holder::Group(_) => None,
    });
    assert_eq!(users(&whole), holders.collect::<BTreeSet<_>>().len());
    assert!(whole.has_all_assignments);

    emulated.adjust(|options| {
        options.refused.clear();
        let mut user = member("default");
        user.grants = vec![Grant::new(Scope::Domain("default".to_owned()), "reader")];
        options.accounts.push(user);
    });
    let domain = [
        ("OS_USERNAME", "member"),
        ("OS_PASSWORD", "admin-secret"),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_DOMAIN_ID", "default"),
    ];
    let whole = Driver::new(account(&emulated, &domain)).read_all().await;
    assert!(!whole.assignments.is_empty() && !whole.has_all_assignments);
    assert!(whole.refused().contains(&Assignment::PLURAL), "{:?}", whole.refused());
}

#[tokio::test]
async fn an_administrator_reads_the_whole_cloud() {
    // Small pages, so that there are many.
    let emulated = emulated(Options { network_page_max: Some(7), ..Options::default() });
    for variables in [&ADMIN[..], &CREDENTIAL] {
        let before = now();
        let whole = Driver::new(account(&emulated, variables)).read_all().await;
        is_all(&whole);
        assert_eq!(whole.refused(), Vec::<&str>::new());
        assert!(whole.complete.contains(&Kind::Port) && whole.complete.contains(&Kind::Forwarding));
        assert!(whole.began.unwrap() >= before && whole.began.unwrap() <= now());
        // What nobody needs is not kept.
        assert!(!whole.text.contains("email") && !whole.text.contains("updated_at"));
        let port = &recorded()["ports"][0]["id"];
        assert!(whole.text.contains(&format!("\"internal_port_id\":{port}")), "a forwarding is whole");
        assert!(
            whole
                .text
                .lines()
                .any(|line| line.starts_with("port_forwardings\t") && line.contains("floatingip_id"))
        );
    }
}

#[tokio::test]
async fn a_reader_of_all_projects_is_believed_where_it_was_shown_strangers_objects() {
    let emulated = emulated(Options::default());
    let whole = Driver::new(account(&emulated, &READER)).read_all().await;
    is_all(&whole);
    for kind in [Kind::Network, Kind::Subnet, Kind::Port, Kind::Rule, Kind::Router, Kind::FloatingIp] {
        assert!(whole.complete.contains(&kind), "{}", kind.plural());
    }
    // Names were read with a second token, for the system.
    assert!(whole.names[&NameKind::User] > 0);
    assert_eq!(emulated.asked("/v3/auth/tokens").len(), 2);
}

#[tokio::test]
async fn an_ordinary_user_and_a_token_without_a_project_are_shown_nothing_whole() {
    let project = recorded()["ports"].as_array().unwrap().iter().find_map(|port| {
        port["project_id"].as_str().filter(|project| !project.is_empty()).map(str::to_owned)
    });
    let project = project.unwrap();
    let emulated = emulated(Options::default());
    emulated.adjust(|options| {
        let mut user = member(&project);
        user.grants.push(Grant::new(Scope::System, "admin"));
        options.accounts.push(user);
    });
    let whole = Driver::new(account(&emulated, &MEMBER)).read_all().await;
    assert_eq!((whole.failed.as_ref(), &whole.complete[..]), (None, &[][..]));
    assert!(!whole.objects[&Kind::Port].is_empty());
    for what in ["ports", "security_groups", "security_group_rules", "users", "roles"] {
        assert!(whole.refused().contains(&what), "{what}: {:?}", whole.refused());
    }

    let system = [
        ("OS_USERNAME", "member"),
        ("OS_PASSWORD", "admin-secret"),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_SYSTEM_SCOPE", "all"),
    ];
    let whole = Driver::new(account(&emulated, &system)).read_all().await;
    assert!(whole.objects.is_empty() && whole.complete.is_empty() && whole.failed.is_none());
    assert!(whole.refused().contains(&"ports") && whole.names[&NameKind::User] > 0);
    assert!(whole.refused[0].hides.contains("without a project"), "{}", whole.refused[0].hides);
}

/// Reads everything while something goes wrong.
async fn read_with(fault: Fault) -> Whole {
    let emulated = emulated(Options { network_page_max: Some(7), ..Options::default() });
    emulated.fail(fault);
    Driver::new(account(&emulated, &ADMIN)).read_all().await
}

#[tokio::test]
async fn what_passes_is_gone_through() {
    let status = |code, after: &str| What::Status { code, retry_after: Some(after.to_owned()) };
    for fault in [
        Fault::new(What::ExpiredToken).on("/ports").after(1).times(1),
        Fault::new(What::CutBody).on("/ports").after(1).times(1),
        Fault::new(What::Garbage).on("/subnets").times(1),
        Fault::new(What::MarkerGone).on("/ports").times(1),
        Fault::new(What::ForeignLinks),
        Fault::new(What::Down).on("/networks").times(1),
        Fault::new(status(503, "0")).on("/security-groups").after(1).times(2),
        Fault::new(status(429, "0")).on("/users").times(1),
    ] {
        let whole = read_with(fault.clone()).await;
        assert_eq!(whole.failed, None, "{fault:?}");
        is_all(&whole);
        assert!(whole.complete.contains(&Kind::Port), "{fault:?}");
    }
}

#[tokio::test]
async fn what_lasts_ends_the_read_with_its_reason() {
    let status = |code, after: Option<&str>| What::Status { code, retry_after: after.map(str::to_owned) };
    for (fault, trouble, said) in [
        (
            Fault::new(What::ExpiredToken).on("/ports"),
            ApiTrouble::Denied,
            "refuses the token, also a new one",
        ),
        (Fault::new(What::LoopingLinks).on("/ports"), ApiTrouble::Broken, "does not end"),
        (
            Fault::new(status(429, Some("3600"))).on("/ports").after(2),
            ApiTrouble::Throttled { retry_after: Some(Duration::from_secs(3600)) },
            "asks to be left alone",
        ),
        (
            Fault::new(status(401, None)).on("/auth/tokens"),
            ApiTrouble::Denied,
            "does not let this account in",
        ),
        (
            Fault::new(status(503, None)).on("/auth/tokens"),
            ApiTrouble::Throttled { retry_after: None },
            "left alone",
        ),
        (Fault::new(What::MarkerGone).on("/ports"), ApiTrouble::Broken, "changes faster"),
        (Fault::new(What::Garbage).on("/auth/tokens"), ApiTrouble::Broken, "cannot be understood"),
        (Fault::new(What::Down).on("/auth/tokens"), ApiTrouble::Unreachable, "broke"),
    ] {
        let whole = read_with(fault.clone()).await;
        let (found, words) = whole.failed.unwrap_or_else(|| panic!("{fault:?} was gone through"));
        assert_eq!(found, trouble, "{fault:?}: {words}");
        assert!(words.contains(said), "{words}");
        assert!(!words.contains("secret") && !words.contains('\n'), "{words}");
    }
}

#[tokio::test]
async fn whom_nobody_lets_in_or_nobody_finds_is_told_apart() {
    let emulated = emulated(Options::default());
    let mut variables = ADMIN;
    variables[1].1 = "not-the-secret";
    let (trouble, words) = Driver::new(account(&emulated, &variables)).read_all().await.failed.unwrap();
    assert_eq!(trouble, ApiTrouble::Denied);
    assert!(!words.contains("not-the-secret"), "{words}");

    let mut nowhere = account(&emulated, &ADMIN);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    nowhere.auth_url = format!("http://{}/v3", free.local_addr().unwrap());
    drop(free);
    let (trouble, _) = Driver::new(nowhere).read_all().await.failed.unwrap();
    assert_eq!(trouble, ApiTrouble::Unreachable);

    let mut elsewhere = account(&emulated, &ADMIN);
    elsewhere.region_name = Some("Nowhere".to_owned());
    let (trouble, words) = Driver::new(elsewhere).read_all().await.failed.unwrap();
    assert_eq!(trouble, ApiTrouble::Broken);
    assert!(words.contains("RegionOne"), "{words}");

    let mut blind = account(&emulated, &ADMIN);
    blind.verify = false;
    let (trouble, _) = Driver::new(blind).read_all().await.failed.unwrap();
    assert_eq!(trouble, ApiTrouble::Untrusted);
}

#[tokio::test]
async fn what_is_refused_or_cut_is_not_complete() {
    let emulated = emulated(Options {
        refused: ["trunks".to_owned()].into(),
        absent: ["address_groups".to_owned()].into(),
        has_identity_pages: false,
        identity_page_max: 2,
        ..Options::default()
    });
    let whole = Driver::new(account(&emulated, &ADMIN)).read_all().await;
    assert!(!whole.complete.contains(&Kind::Trunk) && !whole.complete.contains(&Kind::AddressGroup));
    assert!(whole.complete.contains(&Kind::Port));
    assert!(
        whole.refused().contains(&"trunks") && whole.refused().contains(&"users"),
        "{:?}",
        whole.refused()
    );
    // Without the extension there are none: nobody refused anything.
    assert!(!whole.refused().contains(&"address_groups"));
}

#[tokio::test]
async fn one_object_is_read_with_what_hangs_on_it() {
    let emulated = emulated(Options::default());
    let mut driver = Driver::new(account(&emulated, &ADMIN));
    let inventory = recorded();
    let rules = inventory["security_group_rules"].as_array().unwrap();
    let group = rules[0]["security_group_id"].as_str().unwrap();
    let of_group = rules.iter().filter(|rule| rule["security_group_id"] == group).count();
    let ApiEvent::Found { page, .. } = driver.read_one(Kind::SecurityGroup, group).await else { panic!() };
    let Item::Object(Object::SecurityGroup(found)) = &page.items[0] else { panic!() };
    assert_eq!(found.rules.as_ref().unwrap().len(), of_group);

    let floating_ip = inventory["floatingips"][0]["id"].as_str().unwrap();
    let ApiEvent::Found { page, .. } = driver.read_one(Kind::FloatingIp, floating_ip).await else { panic!() };
    let Item::Object(Object::FloatingIp(found)) = &page.items[0] else { panic!() };
    assert_eq!(found.forwardings.as_ref().unwrap().len(), 1);
    let Item::Object(Object::Forwarding(forwarding)) = &page.items[1] else { panic!() };
    assert_eq!(forwarding.floatingip_id, Some(Id::new(floating_ip)));

    // What is not there might be hidden, until all was shown.
    let nobody = "00000000-0000-4000-8000-000000000000";
    let ApiEvent::Failed { trouble, .. } = driver.read_one(Kind::Port, nobody).await else { panic!() };
    assert_eq!(trouble, ApiTrouble::Refused);
    driver.read_all().await;
    let ApiEvent::Absent { kind, id, .. } = driver.read_one(Kind::Port, nobody).await else { panic!() };
    assert_eq!((kind, id), (Kind::Port, Id::new(nobody)));
    let ApiEvent::Failed { .. } = driver.read_one(Kind::Forwarding, nobody).await else { panic!() };
}

#[tokio::test]
async fn a_read_waits_for_whoever_takes_its_pages_and_a_look_does_not_wait_for_it() {
    // As many servers' names as fill more pages than may be ahead.
    let mut inventory = recorded();
    let servers = (openstack::PAGES_AHEAD + 1) * openstack::PAGE_OBJECTS;
    inventory["servers"] =
        (0..servers).map(|number| json!({"id": format!("s{number}"), "name": "s"})).collect();
    let start = || Emulated::start(Cloud::from_inventory(&inventory), Options::default()).unwrap();
    let emulated = std::thread::scope(|scope| scope.spawn(start).join().unwrap());
    let mut driver = Driver::new(account(&emulated, &ADMIN));
    let whole = driver.ticket();
    driver.order.send(ApiOrder::ReadAll { ticket: whole }).unwrap();
    let mut pages = 0;
    while pages < openstack::PAGES_AHEAD {
        pages += usize::from(matches!(driver.next().await, ApiEvent::Page { .. }));
    }
    let port = recorded()["ports"][0]["id"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        // A further page would come before the answers.
        let ApiEvent::Found { .. } = driver.read_one(Kind::Port, &port).await else { panic!() };
    }
    driver.order.send(ApiOrder::Taken { ticket: whole }).unwrap();
    assert!(matches!(driver.next().await, ApiEvent::Page { .. }));
    driver.order.send(ApiOrder::Abort { ticket: whole }).unwrap();
    let ApiEvent::Found { .. } = driver.read_one(Kind::Port, &port).await else { panic!() };
}

/// Runs the export with an account of the environment.
pub(crate) fn export(emulated: &Emulated, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = program();
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OS_")) {
        command.env_remove(name);
    }
    command
        .env("OS_AUTH_URL", emulated.auth_url())
        .env("HOME", "/nonexistent")
        .envs(variables.iter().copied());
    command.args(["inventory", "export", "--requests-per-second", "100000"]).args(arguments).output().unwrap()
}

#[test]
fn an_export_is_what_import_reads() {
    let (place, emulated) = (Place::new("export"), emulated(Options::default()));
    let file = place.path("inventory.json");
    let output = export(&emulated, &ADMIN, &["--output", &file]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains(" ports") && said.contains(" users"), "{said}");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap()) & 0o777, 0o600);
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(ids(&written, Kind::Port), ids(&recorded(), Kind::Port));
    assert_eq!(written.get("partial"), None);
    assert!(Timestamp::parse(written["taken_at"].as_str().unwrap()).is_some());

    // It makes the model that the services' own answers make.
    let rows = |name: &str, inventory: &str| {
        let store = place.path(name);
        run(&["inventory", "import", "--store", &store, inventory]);
        json_lines(&["exposure", "--store", &store, "-o", "json"])
    };
    let own = place.write("own.json", emulated.change(|cloud| cloud.inventory()).to_string());
    let exported = rows("exported", &file);
    assert!(!exported.is_empty());
    assert_eq!(exported, rows("own", &own));

    let output = export(&emulated, &CREDENTIAL, &["--no-names"]);
    let piped: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(ids(&piped, Kind::Port), ids(&recorded(), Kind::Port));
    assert_eq!(piped.get("users"), None);
}

#[test]
fn a_partial_view_is_exported_only_when_asked_for_and_takes_nothing_away() {
    let (place, emulated) = (Place::new("partial"), emulated(Options::default()));
    // An auditor whom Neutron no longer shows everything.
    emulated.adjust(|options| options.auditor_role = None);
    let file = place.path("inventory.json");
    let output = export(&emulated, &READER, &["--output", &file]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("partial view") && said.contains("ports not shown whole"), "{said}");
    assert_eq!(std::fs::read_dir(std::path::Path::new(&file).parent().unwrap()).unwrap().count(), 0);

    let output = export(&emulated, &READER, &["--output", &file, "--partial"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let store = place.path("store");
    let own = place.write("own.json", emulated.change(|cloud| cloud.inventory()).to_string());
    run(&["inventory", "import", "--store", &store, &own]);
    let before = run(&["exposure", "--store", &store, "-o", "json"]);
    run(&["inventory", "import", "--store", &store, &file]);
    assert!(!before.is_empty());
    assert_eq!(run(&["exposure", "--store", &store, "-o", "json"]), before);
}

/// Import refuses a file that has no collection.
#[test]
fn an_export_of_an_account_that_was_shown_nothing_is_none() {
    let (place, emulated) = (Place::new("export-nothing"), emulated(Options::default()));
    for path in
        ["/v2.0/", "/v2/", "/v3/users", "/v3/projects", "/v3/domains", "/v3/groups", "/v3/ro", "/servers"]
    {
        emulated.fail(Fault::new(What::Status { code: 403, retry_after: None }).on(path));
    }
    let file = place.path("inventory.json");
    let output = export(&emulated, &ADMIN, &["--output", &file, "--partial"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("nothing of cloud") && said.contains("ports not shown whole"), "{said}");
    assert_eq!(std::fs::read_dir(std::path::Path::new(&file).parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn an_export_that_cannot_be_says_why_and_leaves_nothing() {
    let (place, emulated) = (Place::new("no-export"), emulated(Options::default()));
    let file = place.path("inventory.json");
    let told = |variables: &[(&str, &str)], arguments: &[&str], code| {
        let output = export(&emulated, variables, &[&["--output", &file], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(!said.contains("secret") && said.lines().count() == 1, "{said}");
        assert_eq!(std::fs::read_dir(std::path::Path::new(&file).parent().unwrap()).unwrap().count(), 0);
        said
    };
    let mut wrong = ADMIN;
    wrong[1].1 = "a-secret-that-is-wrong";
    assert!(told(&wrong, &[], 3).contains("does not let this account in"));
    assert!(told(&ADMIN, &["--cloud", "unknown"], 2).contains("there is no cloud `unknown`"));
    assert!(told(&ADMIN, &["--clouds", "/nonexistent/clouds.yaml"], 2).contains("cannot read"));
    assert!(told(&[("OS_USERNAME", "admin")], &[], 2).contains("lacks `password`"));
    let mut blind = ADMIN.to_vec();
    blind.push(("OS_INSECURE", "true"));
    assert!(told(&blind, &[], 2).contains("--insecure"));
    emulated.fail(Fault::new(What::LoopingLinks));
    emulated.adjust(|options| options.network_page_max = Some(2));
    let said = told(&ADMIN, &[], 3);
    assert!(said.contains("does not end"), "{said}");
}
