//! The simulated manager asked by the plainest client there is.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Fate, Fault, Gvmd, Host, Moment, Options, Place, Status, Weakness, What, xml};

/// No answer takes longer.
const LIMIT: Duration = Duration::from_secs(30);

struct Asker {
    gvmd: Gvmd,
    stream: UnixStream,
    socket: PathBuf,
}

impl Asker {
    fn new(hosts: Vec<Host>, options: Options) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let socket = std::env::temp_dir().join(format!("osel-sim-gvmd-{}-{number}.sock", std::process::id()));
        let _ = std::fs::remove_file(&socket);
        let gvmd = Gvmd::start(&Place::Socket(socket.clone()), hosts, options).unwrap();
        let stream = UnixStream::connect(&socket).unwrap();
        Self { gvmd, stream, socket }
    }

    /// One that has logged in.
    fn known(hosts: Vec<Host>, options: Options) -> Self {
        let mut asker = Self::new(hosts, options);
        asker.login();
        asker
    }

    fn connect(&mut self) {
        self.stream = UnixStream::connect(&self.socket).unwrap();
    }

    fn login(&mut self) {
        let login = "<authenticate><credentials><username>osel</username><password>osel-secret</password></credentials></authenticate>";
        assert!(self.ask(login).contains("status=\"200\""));
    }

    /// The answer, as far as it comes.
    fn ask(&mut self, request: &str) -> String {
        self.stream.set_read_timeout(Some(LIMIT)).unwrap();
        self.stream.write_all(request.as_bytes()).unwrap();
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        while !matches!(xml::first(&answer), Ok(Some(_))) {
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&piece[..count]),
            }
        }
        String::from_utf8(answer).unwrap()
    }

    /// The attribute of the outermost element of an answer.
    fn told(&mut self, request: &str, attribute: &str) -> String {
        let answer = self.ask(request);
        let (element, _) = xml::first(answer.as_bytes()).unwrap().unwrap();
        element.attribute(attribute).to_owned()
    }

    /// A task for these hosts; its id.
    fn task(&mut self, hosts: &str, ports: &str) -> String {
        let list =
            format!("<create_port_list><name>t</name><port_range>{ports}</port_range></create_port_list>");
        let list = self.told(&list, "id");
        let target = format!(
            "<create_target><name>t</name><hosts>{hosts}</hosts><port_list id=\"{list}\"/><alive_tests>Consider Alive</alive_tests></create_target>"
        );
        let target = self.told(&target, "id");
        let task = format!(
            "<create_task><name>t</name><config id=\"daba56c8-73ec-11df-a475-002264764cea\"/><target id=\"{target}\"/>\
             <scanner id=\"08b69003-5fc2-4037-a479-93b440211c73\"/></create_task>"
        );
        self.told(&task, "id")
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

#[test]
fn strangers_learn_the_version_and_no_more() {
    let mut asker = Asker::new(Vec::new(), Options::default());
    assert!(asker.ask("<get_version/>").contains("<version>22.7</version>"));
    assert_eq!(asker.told("<get_tasks/>", "status"), "401");
    assert_eq!(asker.told("<authenticate/>", "status_text"), "Authentication failed");
    asker.login();
    assert_eq!(asker.told("<get_tasks/>", "status"), "200");
    assert_eq!(asker.told("<sing/>", "status"), "400");
    asker.gvmd.adjust(|options| options.is_starting = true);
    assert_eq!(asker.told("<get_tasks/>", "status"), "503");
}

#[test]
fn a_task_takes_its_way_by_being_asked_after() {
    let mut asker = Asker::known(Vec::new(), Options { polls_per_step: 2, ..Options::default() });
    let task = asker.task("192.0.2.1", "T:22");
    let mut seen = Vec::new();
    assert_eq!(asker.told(&format!("<start_task task_id=\"{task}\"/>"), "status"), "202");
    for _ in 0..9 {
        asker.ask("<get_tasks/>");
        seen.push(asker.gvmd.tasks().remove(0).1);
    }
    use Status::{Done, Processing, Queued, Requested, Running};
    assert_eq!(seen, [Requested, Queued, Queued, Running, Running, Processing, Processing, Done, Done]);
}

#[test]
fn what_is_in_use_stays_and_what_is_in_the_trash_is_not_shown() {
    let mut asker = Asker::known(Vec::new(), Options::default());
    let task = asker.task("192.0.2.1", "T:22,U:53");
    let target = asker.ask("<get_targets filter='name=\"t\"'/>");
    let target = target.split("<target id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let delete_target = format!("<delete_target target_id=\"{target}\" ultimate=\"1\"/>");
    assert_eq!(asker.told(&delete_target, "status_text"), "Target is in use");
    // A task in the trash still uses its target.
    assert_eq!(asker.told(&format!("<delete_task task_id=\"{task}\"/>"), "status"), "200");
    assert!(!asker.ask("<get_tasks/>").contains("<task "));
    assert!(asker.ask("<get_tasks trash=\"1\"/>").contains(&task));
    assert_eq!(asker.told(&delete_target, "status"), "400");
    assert_eq!(asker.told(&format!("<delete_task task_id=\"{task}\" ultimate=\"1\"/>"), "status"), "200");
    assert_eq!(asker.told(&delete_target, "status"), "200");
    assert_eq!(asker.told(&delete_target, "status"), "404");
}

#[test]
fn a_report_shows_what_its_filter_lets_through() {
    let host = |last: u8| Host::new([192, 0, 2, last].into(), &["22/tcp", "80/tcp"]);
    let weak = host(1)
        .with(Weakness::new("1.1", "A", "22/tcp", "9.8"))
        .with(Weakness::new("1.2", "B", "22/tcp", "5.0").sure(20));
    let mut asker = Asker::known(vec![weak, host(2).fated(Fate::Missing)], Options::default());
    let task = asker.task("192.0.2.1,192.0.2.2,192.0.2.3", "T:22");
    let started = asker.ask(&format!("<start_task task_id=\"{task}\"/>"));
    let report = started.split("<report_id>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let mut asked = |filter: &str| {
        let request = format!("<get_reports report_id=\"{report}\" details=\"1\" filter=\"{filter}\"/>");
        let answer = asker.ask(&request);
        let count = |part: &str| answer.matches(part).count();
        (count("<result id="), count("<host><ip>"), count("<port>22/tcp<host>"), count("80/tcp"))
    };
    assert_eq!(asked("levels=chmlg min_qod=0 result_hosts_only=0 rows=-1"), (3, 2, 1, 0));
    assert_eq!(asked("levels=chmlg min_qod=30 rows=-1"), (2, 1, 1, 0));
    // Who forgets the critical ones does not see them.
    assert_eq!(asked("levels=hml min_qod=70 rows=-1"), (0, 0, 0, 0));
    assert_eq!(asked("levels=chmlg min_qod=0 first=2 rows=1"), (1, 1, 1, 0));
}

#[test]
fn lines_break_where_they_are_told_to_and_hooks_are_told_first() {
    let mut asker = Asker::new(Vec::new(), Options::default());
    let moments = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&moments);
    asker.gvmd.hook(move |moment: &Moment| told.lock().unwrap().push((moment.number, moment.is_done)));
    asker.gvmd.fail(Fault::new(What::CutAfter).on("get_version").after(1).times(1));
    assert!(asker.ask("<get_version/>").contains("22.7"));
    assert_eq!(asker.ask("<get_version/>"), "");
    asker.connect();
    asker.gvmd.fail(Fault::new(What::CutBefore).times(1));
    assert_eq!(asker.ask("<get_version/>"), "");
    assert_eq!(*moments.lock().unwrap(), [(1, false), (1, true), (2, false), (2, true), (3, false)]);
    asker.connect();
    asker.gvmd.fail(Fault::new(What::CutHalf).times(1));
    let half = asker.ask("<get_version/>");
    assert!(half.starts_with("<get_version_response") && !half.contains("</get_version"), "{half}");
    asker.connect();
    assert!(asker.ask("<get_version/>").contains("22.7"));
    asker.gvmd.restart();
    assert_eq!(asker.ask(""), "");
}
