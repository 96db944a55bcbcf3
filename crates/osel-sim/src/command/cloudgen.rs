//! `osel-sim cloudgen`: a cloud and a stream of any size, written to files and served as the real services would.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::options::{CommandError, Options, create};
use crate::api::{self, Cloud, Emulated, Fault, Start};
use crate::files::read_document;
use crate::generate::{GenerateOptions, Generator, Shape};

/// Ports when nobody says how many.
const USUAL_PORTS: u64 = 1000;
/// Objects of a page of the served Neutron when nobody says how many, so that no answer has gigabytes.
const USUAL_PAGE: usize = 1000;

const HELP: &str = "\
usage: cargo xtask cloudgen [OPTION]...

Makes an OpenStack cloud by chance from a seed, as large as you like, and lets it live: the same options give the same
bytes, on every machine. Nothing is written that is not asked for.

The cloud:
  --ports N               so many ports of projects (1000)
  --seed N                the seed of all chance (1)
  --projects N            so many projects, the first the largest (one for each 200 ports)
  --groups-per-project N  security groups of each project, with its default group (one for each ten of its ports)
  --rules-per-group N     a group has 1 to N rules that people wrote (14)
  --floating PERCENT      of a hundred ports so many have a floating IP (2)
  --v6 PERCENT            of a hundred networks so many have a subnet of version 6 too (30)
  --from FILE             no cloud by chance, but this inventory; it can only be served

What happens:
  --events N              so many notifications, with the mix of a recorded cloud (0)
  --silent N              so many changes besides, of which no notification tells (0)
  --no-audit              without the audit messages of the API servers (audit.http.*)

Files (packed where the name ends in .gz):
  --out FILE              the cloud as it is first, for `osel inventory import`
  --stream FILE           the notifications, for `osel replay` and file sources
  --after FILE            the cloud as it is after them

The emulated services:
  --serve ADDRESS         serve the cloud as it is after them, as Keystone (/identity/v3) and Neutron (/network) would,
                          until it is interrupted; 127.0.0.1:0 takes a free port. Prints a clouds.yaml for it.
  --page N                the most objects of a page of Neutron (1000)
  --fault WHAT[@PATH[@AFTER[@TIMES]]]
                          something goes wrong with the requests whose path and query hold PATH, after AFTER of them,
                          TIMES times. WHAT is down, hang, slow=SECONDS, a status such as 503, a status with Retry-After
                          such as 429=SECONDS, expired (the token), cut (the body), garbage, foreign-links, looping-links,
                          marker-gone or blind. May be repeated.

Examples:
  cargo xtask cloudgen --ports 100000 --out cloud.json.gz --stream events.jsonl.gz --events 1000000
  cargo xtask cloudgen --ports 1000000 --silent 500 --out before.json.gz --serve 127.0.0.1:5000
  cargo xtask cloudgen --from inventory.json --serve 127.0.0.1:5000 --fault 503@/ports@3@2
";

/// Does what is asked for: the cloud before, the stream, the cloud after, the services.
pub(super) fn run(words: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    if matches!(words, [] | ["--help" | "-h" | "help"]) {
        return Ok(out.write_all(HELP.as_bytes())?);
    }
    let mut options = Options::new(words);
    let served = Served::read(&mut options)?;
    if let Some(path) = options.value("--from")? {
        options.finish()?;
        let Some(served) = served else {
            return Err(CommandError::Usage("`--from` is for `--serve`".to_owned()));
        };
        return served.run(Cloud::from_inventory(&read_document(Path::new(path))?), out);
    }

    let shape = Shape::default();
    let percent = |number: u64| number.min(100);
    let shape = Shape {
        projects: options.number_if("--projects")?,
        groups_per_project: options.number_if("--groups-per-project")?,
        rules_per_group: options.number("--rules-per-group", shape.rules_per_group)?,
        floating_percent: percent(options.number("--floating", shape.floating_percent)?),
        v6_percent: percent(options.number("--v6", shape.v6_percent)?),
    };
    let ports = usize::try_from(options.number("--ports", USUAL_PORTS)?).unwrap_or(usize::MAX);
    let seed = options.number("--seed", 1)?;
    let (events, silent) = (options.number("--events", 0)?, options.number("--silent", 0)?);
    let (first, stream, after) =
        (options.value("--out")?, options.value("--stream")?, options.value("--after")?);
    let audit = !options.flag("--no-audit");
    options.finish()?;

    let mut generator = Generator::new(GenerateOptions { ports, seed, audit, shape });
    write_inventory(&generator, first)?;
    live(&mut generator, events, silent, stream)?;
    write_inventory(&generator, after)?;
    let counts: Vec<String> =
        generator.counts().iter().map(|(name, count)| format!("{count} {name}")).collect();
    // What `--serve` prints is YAML, to which this is a comment.
    let mark = if served.is_some() { "# " } else { "" };
    writeln!(out, "{mark}{}; {events} notifications, {silent} silent changes", counts.join(", "))?;
    match served {
        None => Ok(()),
        Some(served) => served.run(Cloud::of_generator(generator), out),
    }
}

/// Writes the stream, with the silent changes spread evenly over it.
fn live(
    generator: &mut Generator,
    events: u64,
    silent: u64,
    stream: Option<&str>,
) -> Result<(), CommandError> {
    let mut file = stream.map(|path| create(Path::new(path))).transpose()?;
    let mut line = String::new();
    let mut done = 0;
    for said in 0..events {
        let due = u128::from(silent) * u128::from(said) / u128::from(events);
        while generator.is_between_calls() && u128::from(done) < due {
            generator.change_silently();
            done += 1;
        }
        generator.next_line(&mut line);
        if let Some(file) = &mut file {
            file.write_all(line.as_bytes())?;
        }
    }
    // What the last call still has to say comes too: the stream ends between calls.
    while !generator.is_between_calls() {
        generator.next_line(&mut line);
        if let Some(file) = &mut file {
            file.write_all(line.as_bytes())?;
        }
    }
    for _ in done..silent {
        generator.change_silently();
    }
    if let Some(mut file) = file {
        file.flush()?;
    }
    Ok(())
}

fn write_inventory(generator: &Generator, path: Option<&str>) -> Result<(), CommandError> {
    if let Some(path) = path {
        let mut file = create(Path::new(path))?;
        generator.write_inventory(&mut file)?;
        file.flush()?;
    }
    Ok(())
}

/// How a cloud is served.
struct Served {
    listen: SocketAddr,
    page: usize,
    faults: Vec<Fault>,
}

impl Served {
    fn read(options: &mut Options<'_>) -> Result<Option<Self>, CommandError> {
        let usage = |text: String| CommandError::Usage(text);
        let listen = options.value("--serve")?;
        let page = options.number_if("--page")?;
        let faults = options.values("--fault")?;
        let Some(listen) = listen else {
            return match page.is_some() || !faults.is_empty() {
                true => Err(usage("`--page` and `--fault` are for `--serve`".to_owned())),
                false => Ok(None),
            };
        };
        let listen = listen.parse().map_err(|_| {
            usage(format!("`--serve` needs an address such as 127.0.0.1:5000, not `{listen}`"))
        })?;
        let faults =
            faults.into_iter().map(|fault| fault.parse::<Fault>().map_err(|error| usage(error.to_string())));
        let faults = faults.collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Self { listen, page: page.unwrap_or(USUAL_PAGE), faults }))
    }

    fn run(self, cloud: Cloud, out: &mut dyn Write) -> Result<(), CommandError> {
        let options = api::Options { network_page_max: Some(self.page.max(1)), ..api::Options::default() };
        let emulated =
            Emulated::start_at(&Start { listen: self.listen, ..Start::default() }, cloud, options)?;
        for fault in self.faults {
            emulated.fail(fault);
        }
        let url = emulated.auth_url();
        write!(
            out,
            "clouds:
  emulated:
    region_name: RegionOne
    auth: {{auth_url: {url}, username: admin, password: admin-secret, project_name: admin, user_domain_name: Default,
           project_domain_name: Default}}
"
        )?;
        out.flush()?;
        emulated.wait();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> Result<String, String> {
        let mut out = Vec::new();
        run(words, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn options_are_checked_before_anything_is_made() {
        for (words, wanted) in [
            (&["--ports", "many"][..], "`--ports` is not a number: `many`"),
            (&["--colour", "red"], "`--colour` is not known here"),
            (&["--fault", "503"], "are for `--serve`"),
            (&["--serve", "here"], "needs an address"),
            (&["--serve", "127.0.0.1:0", "--fault", "tired"], "`tired` is no fault"),
            (&["--from", "a.json"], "`--from` is for `--serve`"),
        ] {
            let error = said(words).unwrap_err();
            assert!(error.contains(wanted), "{words:?}: {error}");
        }
        assert!(said(&["--help"]).unwrap().contains("--groups-per-project"));
    }

    #[test]
    fn what_is_printed_of_a_served_cloud_is_yaml() {
        /// Goes away where it is told to write on, which ends the services.
        struct Hearer(Vec<u8>);
        impl Write for Hearer {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        }
        let mut out = Hearer(Vec::new());
        run(&["--ports", "5", "--events", "3", "--serve", "127.0.0.1:0"], &mut out).unwrap_err();
        let text = String::from_utf8(out.0).unwrap();
        let mut lines = text.lines().map(|line| line.split_once("# ").map_or(line, |(before, _)| before));
        assert_eq!(lines.next(), Some(""), "{text}");
        assert_eq!(lines.next(), Some("clouds:"), "{text}");
        assert!(text.contains("; 3 notifications, 0 silent changes\n"), "{text}");
    }

    #[test]
    fn files_hold_the_cloud_before_the_stream_and_the_cloud_after() {
        let place = std::env::temp_dir().join(format!("osel-cloudgen-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
        let make = |silent: &str, name: &str| {
            let words = ["--ports", "50", "--events", "400", "--silent", silent, "--projects", "3", "--out"];
            let (before, stream, after) = (path("before.json.gz"), path("stream.jsonl.gz"), path(name));
            let said =
                said(&[&words[..], &[&before, "--stream", &stream, "--after", &after]].concat()).unwrap();
            assert!(said.contains("50 ports") || said.contains("3 projects"), "{said}");
            let read = |path: &str| read_document(Path::new(path)).unwrap();
            (read(&before), crate::files::read_lines(Path::new(&stream)).unwrap().len(), read(&after))
        };
        let (before, lines, after) = make("0", "after.json");
        assert_eq!(
            before["ports"].as_array().unwrap().len(),
            50 + before["networks"].as_array().unwrap().len() - 1
        );
        assert!((400..420).contains(&lines), "{lines}");
        assert_ne!(before["ports"], after["ports"]);
        let (same, _, otherwise) = make("20", "otherwise.json");
        assert_eq!(same, before);
        assert_ne!(otherwise, after);
        std::fs::remove_dir_all(place).unwrap();
    }
}
