//! `[[scanner]]`: who scans.

use super::*;
use crate::config::{ScannerConfig, ScannerKind, Technique};

/// What of a scanner every type has.
fn common(scanner: &ScannerConfig) -> (&str, &str, u32, u32, u32, u32) {
    let ScannerConfig {
        name, kind, window_seconds, batch_addresses_max, running_max, life_seconds_max, ..
    } = scanner;
    (name, kind.as_str(), *window_seconds, batch_addresses_max.get(), running_max.get(), *life_seconds_max)
}

#[test]
fn scanners_are_those_of_the_file_and_of_variables_behind_them() {
    let text = format!(
        "{SMALLEST}[[scanner]]\nname = 'near'\ntype = 'builtin'\nwindow_seconds = 0\nbatch_addresses_max = 16\nrunning_max = 2\n\
         life_seconds_max = 60\n"
    );
    let variables = [
        URL,
        ("OSEL_SCANNER__0__RUNNING_MAX", "3"),
        ("OSEL_SCANNER__1__NAME", "far"),
        ("OSEL_SCANNER__1__TYPE", "builtin"),
    ];
    let (config, _) = good(&text, &variables);
    let scanners: Vec<_> = config.scanners.iter().map(common).collect();
    assert_eq!(scanners, [("near", "builtin", 0, 16, 3, 60), ("far", "builtin", 2, 1, 8, 3600)]);
    assert!(config.scanners.iter().all(|scanner| scanner.kind == ScannerKind::Builtin));
}

#[test]
fn what_is_wrong_with_scanners_is_told_at_once() {
    let text = format!(
        "{SMALLEST}[[scanner]]\ntype = 'builtni'\nwindow_seconds = 100000\n[[scanner]]\nname = 'Near'\nrunning_max = 0\n[[scanner]]\n\
         name = 'a'\ntype = 'builtin'\nwindow = 3\n[[scanner]]\nname = 'a'\ntype = 'builtin'\nlife_seconds_max = 1\n"
    );
    let place = Place::new();
    place.write("osel.toml", &text);
    let told = place.without_path(&place.load(&[URL]).unwrap_err().to_string());
    let is_told = |line: &str| assert!(told.contains(line), "{line}\n{told}");
    is_told("osel.toml:7: scanner[0].name: is missing: ");
    is_told("osel.toml:8: scanner[0].type: must be `builtin`");
    is_told("not `builtni`");
    is_told("osel.toml:9: scanner[0].window_seconds: must be a number from 0 to 86400");
    is_told("osel.toml:11: scanner[1].name: `Near` is no name");
    is_told("osel.toml:10: scanner[1].type: is missing: ");
    is_told("osel.toml:12: scanner[1].running_max: must be a number from 1 to 64");
    is_told("osel.toml:16: scanner[2].window: is no key of osel: did you mean `window_seconds`?");
    is_told("osel.toml:18: scanner[3].name: `a` is the name of scanner[2] already");
    is_told("osel.toml:20: scanner[3].life_seconds_max: must be a number from 60 to 2592000");
    assert_eq!(told.lines().count(), 9, "{told}");
}

#[test]
fn programs_say_what_they_are_given() {
    let text = format!(
        "{SMALLEST}[[scanner]]\nname = 'a'\ntype = 'nmap'\ntechnique = 'syn'\nscripts = ['ssl-cert']\nuser = 'scan'\n\
         [[scanner]]\nname = 'b'\ntype = 'command'\nprogram = 'probe'\narguments = ['-v', '-v', '{{host}}:{{port}}']\nper = 'port'\n\
         environment = ['A=b=c']\nformat = 'sarif'\nsuccess_codes = [1, 2]\n"
    );
    let variables = [
        URL,
        ("OSEL_SCANNER__2__NAME", "c"),
        ("OSEL_SCANNER__2__TYPE", "command"),
        ("OSEL_SCANNER__2__PROGRAM", "/p"),
        ("OSEL_SCANNER__2__FORMAT", "jsonl"),
        ("OSEL_SCANNER__2__ARGUMENTS", "-a, -b"),
        ("OSEL_SCANNER__2__SUCCESS_CODES", "1,3"),
    ];
    let (config, warnings) = good(&text, &variables);
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(
        warning.contains("OSEL_SCANNER__2__PROGRAM") && warning.contains("there is no `/p`"),
        "{warning}"
    );
    let ScannerKind::Command(by_variables) = &config.scanners[2].kind else {
        panic!("{:?}", config.scanners)
    };
    assert_eq!(
        (by_variables.arguments.join(" ").as_str(), by_variables.success_codes.as_slice()),
        ("-a -b", &[1, 3][..])
    );
    let [ScannerKind::Nmap(nmap), ScannerKind::Command(command)] =
        [&config.scanners[0].kind, &config.scanners[1].kind]
    else {
        panic!("{:?}", config.scanners)
    };
    assert_eq!((nmap.program.program.as_str(), nmap.program.user.as_deref()), ("nmap", Some("scan")));
    assert_eq!((nmap.technique, nmap.scripts.as_slice()), (Technique::Syn, &["ssl-cert".to_owned()][..]));
    assert_eq!(command.arguments, ["-v", "-v", "{host}:{port}"]);
    assert_eq!((command.environment[0].0.as_str(), command.environment[0].1.as_str()), ("A", "b=c"));
    assert_eq!(command.success_codes, [1, 2]);
}

#[test]
fn what_programs_cannot_be_given_is_told() {
    let text = format!(
        "{SMALLEST}[[scanner]]\nname = 'a'\ntype = 'nmap'\nscripts = ['vuln', '../x', 'a,b']\n\
         [[scanner]]\nname = 'b'\ntype = 'command'\narguments = ['{{port}}']\nper = 'address'\nenvironment = ['=x']\nsuccess_codes = [0]\n\
         [[scanner]]\nname = 'c'\ntype = 'command'\nprogram = 'x'\nformat = 'xml'\narguments = ['{{address}}']\n\
         [[scanner]]\nname = 'd'\ntype = 'nuclei'\ntemplates = ['-x']\nmemory_mib = 1\n"
    );
    let place = Place::new();
    place.write("osel.toml", &text);
    let told = place.without_path(&place.load(&[URL]).unwrap_err().to_string());
    let is_told = |line: &str| assert!(told.contains(line), "{line}\n{told}");
    is_told("scanner[0].scripts[0]: `vuln` stands for many scripts");
    is_told("scanner[0].scripts[1]: `../x` is no name of a script");
    is_told("scanner[0].scripts[2]: `a,b` is no name of a script");
    is_told("scanner[1].program: is missing: ");
    is_told("scanner[1].format: is missing: ");
    is_told("scanner[1].arguments: `{port}` needs per = \"port\"");
    is_told("scanner[1].environment: `` is no name of a variable");
    is_told("scanner[1].success_codes: must be a number from 1 to 255");
    is_told("scanner[2].arguments: `{address}` needs per = \"address\" or \"port\"");
    is_told("scanner[2].format: must be `jsonl` or `sarif` or `nmap-xml`, not `xml`");
    is_told("scanner[3].templates[0]: `-x` is no path of a template");
    is_told("scanner[3].memory_mib: must be a number from 16 to 65536");
    assert_eq!(told.lines().count(), 12, "{told}");
}
