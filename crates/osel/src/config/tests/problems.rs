//! What is said about configurations that are not good: everything at once, each thing with key and line.

use super::*;
use crate::config::CONFIG_BYTES_MAX;

#[test]
fn all_problems_are_told_at_once() {
    let text = "colour = 'red'\n\
                [store]\npth = '/s'\n\
                [[source]]\nname = 'One'\ntype = 'kafka'\ntransport_url = { env = 'URL' }\nexchanges = 'nova'\ntopics = []\nheartbeat_second = 5\n\
                [source.queue]\nkind = 'mirrored'\nlength_bytes_max = -1\n\
                [scan]\nenabled = 'no'\nallowed_prefixes = [\n  '10.0.0.5/8',\n  'all',\n  7,\n]\nrate_per_second = 0\nconcurrency = 1.5\n\
                [model]\nrouted_prefixes = ['192.0.2.0/24', '192.0.2.0/24']\n\
                [http]\nlisten = 'localhost:8480'\n\
                [log]\nlevel = 'verbose'\nformat = 3\n";
    check_bad(
        text,
        &[URL],
        &[
            "osel.toml:1: colour: is no key of osel: here it knows `store`, `trail`, `source`, `openstack`, `retention`, `scan`, `scanner`, `expected`, `forward`, `witness`, `findings`, `model`, `http`, `control`, `log`",
            "osel.toml:2: store.path: is missing: name the directory of the store, such as \"/var/lib/osel\", or a database of PostgreSQL by `url`",
            "osel.toml:3: store.pth: is no key of osel: did you mean `path`?",
            "osel.toml:5: source[0].name: `One` is no name: 1 to 63 small letters, digits, `.`, `_`, `-`, the first a letter or digit",
            "osel.toml:6: source[0].type: must be `rabbitmq` or `file`, not `kafka`: osel reads no other bus yet",
            "osel.toml:8: source[0].exchanges: must be a list of texts, not a text",
            "osel.toml:9: source[0].topics: has 0 entries: give 1 to 16",
            "osel.toml:10: source[0].heartbeat_second: is no key of osel: did you mean `heartbeat_seconds`?",
            "osel.toml:12: source[0].queue.kind: must be `auto` or `quorum` or `classic`, not `mirrored`",
            "osel.toml:13: source[0].queue.length_bytes_max: must be a number from 1 to 9223372036854775807",
            "osel.toml:15: scan.enabled: must be `true` or `false`, not a text",
            "osel.toml:17: scan.allowed_prefixes[0]: `10.0.0.5/8` has bits beyond its length: write `10.0.0.0/8`, or the address alone",
            "osel.toml:18: scan.allowed_prefixes[1]: must be a prefix, such as `192.0.2.0/24` or `2001:db8::/32`, not `all`",
            "osel.toml:19: scan.allowed_prefixes[2]: must be a text, not a number",
            "osel.toml:21: scan.rate_per_second: must be a number from 1 to 1000000",
            "osel.toml:22: scan.concurrency: must be a number, not a number with a fraction",
            "osel.toml:24: model.routed_prefixes[1]: is there a second time: leave it out",
            "osel.toml:26: http.listen: must be an address with a port, such as `127.0.0.1:8480` or `[::1]:8480`, not `localhost:8480`",
            "osel.toml:28: log.level: must be `error` or `warn` or `info` or `debug` or `trace`, not `verbose`",
            "osel.toml:29: log.format: must be a text, not a number",
        ],
    );
}

#[test]
fn what_is_kept_is_not_dropped_before_what_it_is_made_of() {
    let text = format!(
        "{SMALLEST}[retention]\ninputs_days = 60\nrecords_days = 59\nquarantine_days = 30\npersonal_days = -1\nbudget_bytes = 1000\n"
    );
    check_bad(
        &text,
        &[URL],
        &[
            "osel.toml:9: retention.records_days: must be 0, for ever, or at least 60, as many as `inputs_days`",
            "osel.toml:10: retention.quarantine_days: must be 0, for ever, or at least 60, as many as `inputs_days`",
            "osel.toml:11: retention.personal_days: must be a number from 0 to 36500",
            "osel.toml:12: retention.budget_bytes: must be a number from 67108864 to 9223372036854775807",
        ],
    );
}

#[test]
fn classes_say_for_which_kinds_how_long() {
    let text = format!(
        "{SMALLEST}[[retention.class]]\nname = 'logins'\nkinds = ['authentication', 'login']\npersonal_days = 7\n\
         [[retention.class]]\nname = 'logins'\nrecords_days = 29\n\
         [[retention.class]]\nname = 'reads'\nkinds = ['access']\ncolour = 1\n"
    );
    check_bad(
        &text,
        &[URL],
        &[
            "osel.toml:9: retention.class[0].kinds[1]: must be `change` or `authentication` or `access` or `activity` or `scan` or `finding` or `command` or `drift` or `gap` or `system`, not `login`",
            "osel.toml:11: retention.class[1].kinds: is missing: name the kinds of records, such as [\"authentication\"]",
            "osel.toml:12: retention.class[1].name: `logins` is the name of retention.class[0] already: each class needs its own",
            "osel.toml:13: retention.class[1].records_days: must be 0, for ever, or at least 30, as many as `inputs_days`",
            "osel.toml:14: retention.class[2].personal_days: is missing: say how long personal parts are kept, or all by `records_days`",
            "osel.toml:17: retention.class[2].colour: is no key of osel: here it knows `name`, `kinds`, `personal_days`, `records_days`",
        ],
    );
}

#[test]
fn records_are_not_dropped_before_their_inputs() {
    check_bad(
        &format!(
            "{SMALLEST}[retention]\ninputs_days = 0\nrecords_days = 59\nrecords_bytes_max = 100000000\nquarantine_days = 30\n"
        ),
        &[URL],
        &[
            "osel.toml:7: retention.records_days: has no effect while inputs are kept for ever: set `inputs_days` or `inputs_bytes_max`",
            "osel.toml:7: retention.records_bytes_max: has no effect while inputs are kept for ever: set `inputs_days` or `inputs_bytes_max`",
            "osel.toml:7: retention.quarantine_days: has no effect while inputs are kept for ever: set `inputs_days` or `inputs_bytes_max`",
        ],
    );
}

#[test]
fn what_is_needed_is_missed() {
    check_bad(
        "",
        &[],
        &[
            "osel.toml: store.path: is missing: name the directory of the store, such as \"/var/lib/osel\", or a database of PostgreSQL by `url`",
            "osel.toml: source: is missing: add a `[[source]]` with name, type and transport_url",
        ],
    );
    check_bad(
        "[store]\npath = 's'\n[[source]]\n",
        &[],
        &[
            "osel.toml:3: source[0].name: is missing: give the bus a name for records and logs, such as \"region-one\"",
            "osel.toml:3: source[0].type: is missing: write type = \"rabbitmq\"",
            "osel.toml:3: source[0].transport_url: is missing: name the file that has it, such as { file = \"/etc/osel/transport_url\" }",
        ],
    );
}

#[test]
fn tables_in_the_wrong_form() {
    check_bad(
        "store = '/s'\n[source]\nname = 'one'\n",
        &[],
        &[
            "osel.toml:1: store: must be a table, not a text",
            "osel.toml:2: source: must be a list of tables, as `[[source]]` makes one, not a table",
        ],
    );
}

#[test]
fn a_name_is_of_one_source() {
    let again = "[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = { env = 'URL' }\n";
    check_bad(
        &format!("{SMALLEST}{again}"),
        &[URL],
        &["osel.toml:8: source[1].name: `one` is the name of source[0] already: each source needs its own"],
    );
}

#[test]
fn a_bus_is_of_one_source() {
    let again = "[[source]]\nname = 'two'\ntype = 'rabbitmq'\ntransport_url = { env = 'URL' }\n";
    let problem = "osel.toml:7: source[1].transport_url: is the broker and virtual host of source `one`: they would share one queue \
                   and take each other's messages; give one source all the exchanges";
    check_bad(&format!("{SMALLEST}{again}"), &[URL], &[problem]);
}

#[test]
fn tls_that_does_not_fit_together() {
    let place = Place::new();
    let key = place.write("key", "PEM");
    check_bad(
        &format!("{SMALLEST}[source.tls]\nkey_file = '{}'\nca_file = 'missing.pem'\n", key.display()),
        &[URL],
        &[
            "osel.toml:7: source[0].tls.cert_file: is missing: `key_file` is the key of a certificate",
            "osel.toml:9: source[0].tls.ca_file: `missing.pem` cannot be read: No such file or directory (os error 2)",
        ],
    );
    let url = format!("{}?rabbit_login_method=EXTERNAL", URL.1);
    check_bad(
        SMALLEST,
        &[("URL", &url)],
        &[
            "osel.toml:3: source[0].tls.external: needs TLS with a client's certificate: add `ssl=true` to the URL",
        ],
    );
    check_bad(
        &format!("{SMALLEST}tls = {{ external = true }}\n"),
        &[URL],
        &["osel.toml:7: source[0].tls.cert_file: is missing: `external` logs in by the client's certificate"],
    );
}

#[test]
fn text_that_is_not_toml() {
    check_bad(
        "[store]\npath = hunter2\npath = '/s'\n[log\n",
        &[],
        &[
            "osel.toml:2: is not TOML: string values must be quoted, expected literal string",
            "osel.toml:3: is not TOML: duplicate key",
            "osel.toml:4: is not TOML: unclosed table, expected `]`",
        ],
    );
}

#[test]
fn files_that_cannot_be_read() {
    let place = Place::new();
    let check = |variables: &[(&str, &str)], wanted: &str| {
        let told = place.load(variables).unwrap_err().to_string();
        assert_eq!(place.without_path(&told), wanted);
    };
    check(
        &[],
        "osel.toml: cannot be read: No such file or directory (os error 2); name another file by -c FILE",
    );
    fs::create_dir(place.path("osel.toml")).unwrap();
    check(&[], "osel.toml: is a directory; name another file by -c FILE");
    fs::remove_dir(place.path("osel.toml")).unwrap();
    place.write("osel.toml", b"[store]\n\npath = '\xff'\n");
    check(&[], "osel.toml:3: is not UTF-8: save the file as UTF-8");
    // The largest that is read, and one byte more.
    let comment = |bytes: usize| format!("{SMALLEST}#{}", "x".repeat(bytes - SMALLEST.len() - 1));
    let bytes_max = usize::try_from(CONFIG_BYTES_MAX).unwrap();
    place.write("osel.toml", comment(bytes_max));
    assert!(place.load(&[URL]).is_ok());
    place.write("osel.toml", comment(bytes_max + 1));
    check(&[URL], "osel.toml: is larger than 1048576 bytes; name another file by -c FILE");
}

#[test]
fn deep_and_many_values_are_told_in_few_lines() {
    let place = Place::new();
    place.write("osel.toml", format!("a = {}", "[".repeat(100_000)));
    assert!(place.load(&[]).is_err());
    let many: String = (0..20_000).map(|number| format!("key{number} = 1\n")).collect();
    place.write("osel.toml", many);
    assert_eq!(place.load(&[]).unwrap_err().to_string().lines().count(), 101);
}
