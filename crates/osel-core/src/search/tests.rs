//! Pages come back and hostile ones are refused; whatever a question finds without an index it finds with one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::page::{Malformed, entries};
use super::*;
use crate::engine::record::{Detail, Record, RecordBody, sentence};
use crate::event::{Actor, Outcome, Target};
use crate::exposure::{Judged, JudgedRow};
use crate::ids::Id;
use crate::model::{Permission, Row, Source, Via};
use crate::time::Timestamp;
use crate::trail::{Hash, Header, PartClass, RecordKind};

fn read(bytes: &[u8]) -> Result<Vec<(Vec<u8>, Bits)>, Malformed> {
    let mut entries = entries(bytes);
    let mut all = Vec::new();
    while let Some((term, places)) = entries.next_term()? {
        let term = term.to_vec();
        all.push((term, places.read()?));
    }
    Ok(all)
}

fn written(terms: &[(&str, Bits)]) -> Vec<Page> {
    let mut writer = PageWriter::default();
    for (term, places) in terms {
        writer.add(1, term.as_bytes(), places);
    }
    writer.finish()
}

#[test]
fn pages_come_back_few_and_many_and_all() {
    let terms = [
        ("a", Bits::from([0])),
        ("ab", (0..=65_535).collect()),
        ("abc", (0..65_536).step_by(2).collect()),
        ("b", (100..228).collect()),
        ("ba", (100..229).collect()),
        ("z", Bits::from([0, 1, 65_535])),
    ];
    let pages = written(&terms);
    let all: Vec<(Vec<u8>, Bits)> = pages.iter().flat_map(|page| read(&page.bytes).unwrap()).collect();
    let wanted: Vec<(Vec<u8>, Bits)> =
        terms.iter().map(|(term, places)| (term.as_bytes().to_vec(), places.clone())).collect();
    assert_eq!(all, wanted);
    assert_eq!(pages[0].first, b"a");
    assert!(written(&[("a", Bits::new())]).is_empty(), "a term that no record has is none");
}

#[test]
fn records_leave_a_page_with_the_terms_that_only_they_have() {
    let page = written(&[("a", (3..9).collect()), ("b", Bits::from([5])), ("c", Bits::from([5, 70]))]);
    let left = |which| -> Vec<(String, Vec<u32>)> {
        let pages = cut(1, &page[0].bytes, which).unwrap();
        let all = pages.iter().flat_map(|page| read(&page.bytes).unwrap());
        all.map(|(term, places)| (String::from_utf8(term).unwrap(), places.iter().collect())).collect()
    };
    assert_eq!(left(Cut::Only(5)), [("a".to_owned(), vec![3, 4, 6, 7, 8]), ("c".to_owned(), vec![70])]);
    assert_eq!(left(Cut::UpTo(7)), [("a".to_owned(), vec![8]), ("c".to_owned(), vec![70])]);
    assert_eq!(left(Cut::UpTo(65_535)), []);
    let these = Bits::from([5, 70]);
    assert_eq!(left(Cut::These(&these)), [("a".to_owned(), vec![3, 4, 6, 7, 8])]);
}

proptest! {
    #[test]
    fn no_bytes_are_taken_for_what_they_are_not(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(all) = read(&bytes) {
            let rises = all.windows(2).all(|pair| pair[0].0 < pair[1].0);
            prop_assert!(rises);
            let is_within = |places: &Bits| places.max().is_none_or(|last| u64::from(last) < BLOCK_RECORDS);
            let fits = all.iter().all(|(term, places)| term.len() <= TERM_BYTES_MAX && is_within(places));
            prop_assert!(fits);
        }
        let _ = cut(2, &bytes, Cut::UpTo(9));
    }

    #[test]
    fn a_changed_page_never_panics(at in 0_usize..10_000, bit in 0_u8..8) {
        let page = &written(&[("ab", (0..300).collect()), ("abc", Bits::from([7])), ("b", (0..9).collect())])[0];
        let mut bytes = page.bytes.clone();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let _ = read(&bytes);
        let _ = read(&bytes[..at]);
    }
}

const NAMES: [&str; 5] = ["Ada", "Zoë", "mallory the 3rd", "ada", "İpek"];
const PROJECTS: [&str; 3] = ["0134e963d2cb47acb1cbded3d170eb51", "aster", "Web Team"];
const ADDRESSES: [&str; 5] =
    ["192.0.2.7/32", "192.0.2.0/24", "10.0.0.9/32", "2001:db8::1/128", "2001:db8::/64"];

fn permission(which: usize) -> Permission {
    let net = |text: &str| Source::Prefix(parse_net(text).unwrap());
    match which {
        0 => Permission::new(false, Some("udp"), Some(53), Some(53), net("192.0.2.0/24")),
        1 => Permission::new(true, Some("icmp"), Some(8), None, Source::family(true)),
        2 => Permission::new(false, None, None, None, Source::Group(Id::new("aster-group"))),
        _ => Permission::new(false, Some("tcp"), Some(22), Some(23), Source::family(false)),
    }
}

/// A record whose every word follows from its number.
fn record(seq: u64) -> Record {
    // Odd and large, so that what is taken of the product differs from number to number.
    let chance = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    let pick = |shift: u32, of: usize| ((chance >> shift) as usize) % of;
    let kind = [RecordKind::Change, RecordKind::Authentication, RecordKind::System][pick(0, 3)];
    let rows = (0..pick(3, 3)).map(|index| JudgedRow {
        row: Row {
            address: ADDRESSES[(pick(5, 5) + index) % 5].parse().unwrap(),
            via: Via::Fixed,
            fixed_ip: None,
            port_id: Id::new("port"),
            device_id: None,
            device_owner: None,
            project_id: Some(Id::new(PROJECTS[pick(7, 3)])),
            network_id: None,
            region: None,
            permission: permission(pick(42, 6)),
            security_group_id: Some(Id::new("group")),
            rule_id: Some(Id::new("rule")),
        },
        redundant: false,
        covered_before: false,
    });
    let target = Target {
        kind: ["user", "port"][pick(9, 2)].into(),
        id: Some(Id::new(&format!("target-{}", pick(10, 7)))),
        name: (pick(13, 2) == 0).then(|| NAMES[pick(14, 5)].into()),
        project_id: Some(Id::new(PROJECTS[pick(17, 3)])),
    };
    let body = RecordBody {
        kind,
        time: Timestamp::EPOCH.plus_seconds((chance % 20_000) as i64),
        recorded_at: Timestamp::EPOCH,
        source: None,
        region: None,
        message_id: Some(format!("m{seq}").into()),
        request_id: Some(Id::new(&format!("req-{}", pick(19, 5)))),
        event_type: Some(["identity.authenticate", "port.create.end", "port.delete.end"][pick(21, 3)].into()),
        outcome: [Outcome::Success, Outcome::Failure][pick(23, 2)],
        actor: Actor {
            user_id: Some(Id::new(&format!("user-{}", pick(24, 5)))),
            user_name: (pick(26, 3) > 0).then(|| NAMES[pick(28, 5)].into()),
            user_domain_id: None,
            project_id: Some(Id::new(PROJECTS[pick(30, 3)])),
            project_name: (pick(31, 2) == 0).then(|| PROJECTS[pick(32, 3)].into()),
            address: (pick(33, 2) == 0).then(|| ["192.0.2.9", "10.0.0.9", "unix"][pick(34, 3)].into()),
            agent: None,
        },
        target: (pick(36, 4) > 0).then_some(target),
        cause: (pick(38, 3) == 0).then_some(seq / 2),
        conflicting: false,
        exposure: Judged { opened: rows.collect(), ..Judged::default() },
        wide: Vec::new(),
        detail: Detail::from([
            ("verb".into(), "create".into()),
            ("text".into(), "something happened  here".into()),
        ]),
        personal: Detail::new(),
    };
    let parts = body.parts();
    let header = Header {
        seq,
        previous: Hash::ZERO,
        time: body.time,
        recorded_at: body.recorded_at,
        as_of: body.time,
        kind,
    };
    // Some have lost a part.
    let lost =
        [None, None, None, Some(PartClass::Body), Some(PartClass::Personal), Some(PartClass::Exposure)];
    let lost = lost[pick(40, 6)];
    let projects: Vec<Option<String>> =
        parts.iter().map(|part| part.project.as_ref().map(Id::to_string)).collect();
    let parts = parts.iter().zip(&projects).map(|(part, project)| {
        (part.class, project.as_deref(), (Some(part.class) != lost).then_some(&part.bytes[..]))
    });
    Record::read(header, Hash::ZERO, parts)
}

/// The pages of a leaf in memory.
struct InMemory(Vec<Page>);

impl Pages for InMemory {
    type Error = Malformed;

    fn pages(
        &mut self,
        class: u8,
        range: &TermRange,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let of_class: Vec<&Page> = self.0.iter().filter(|page| page.class == class).collect();
        let begin = of_class.partition_point(|page| page.first <= range.from).saturating_sub(1);
        of_class[begin..].iter().filter(|page| page.first < range.to).try_for_each(|page| each(&page.bytes))
    }
}

fn leaf(count: u64, gone: impl Fn(u8, u64) -> bool) -> InMemory {
    let mut leaf = Leaf::default();
    for seq in 1..=count {
        leaf.add(record(seq), |class| gone(class, seq));
    }
    InMemory(leaf.finish())
}

fn queries() -> Vec<Query> {
    let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let mut all = vec![Query::default()];
    for actor in ["user-1", "ADA", "zoë", "nobody", "i̇pek", "unix"] {
        all.push(Query { actors: texts(&[actor]), ..Query::default() });
        all.push(Query { actors: texts(&[actor, "user-2"]), exposing: true, ..Query::default() });
    }
    for project in PROJECTS {
        all.push(Query {
            shown_to: texts(&[project]),
            kinds: [RecordKind::System].into(),
            ..Query::default()
        });
        all.push(Query { projects: texts(&[project]), outcomes: vec![Outcome::Failure], ..Query::default() });
    }
    for net in [
        "192.0.2.7",
        "192.0.2.9",
        "192.0.2.0/25",
        "0.0.0.0/0",
        "10.0.0.9",
        "2001:db8::/32",
        "::/0",
        "198.51.100.1",
    ] {
        all.push(Query { addresses: vec![parse_net(net).unwrap()], ..Query::default() });
    }
    for (protocols, ports, source) in [
        (&["tcp"][..], &[22][..], "0.0.0.0/0"),
        (&["udp", "icmp"], &[], ""),
        (&[], &[53], "192.0.2.7"),
        (&[], &[], "aster-group"),
        (&["sctp"], &[], "::/0"),
    ] {
        let sources = (!source.is_empty()).then(|| WantedSource::parse(source)).into_iter().collect();
        let rows = RowQuery { protocols: texts(protocols), ports: ports.to_vec(), sources };
        all.push(Query { rows: rows.clone(), ..Query::default() });
        all.push(Query { rows, addresses: vec![parse_net("10.0.0.9").unwrap()], ..Query::default() });
    }
    for event_type in ["port", "port.create.end", "identity.", "x"] {
        all.push(Query { event_types: texts(&[event_type]), ..Query::default() });
    }
    for target in ["target-3", "ada", "MALLORY THE 3RD"] {
        all.push(Query { targets: texts(&[target]), ..Query::default() });
    }
    for (since, until) in [(0, 3600), (3599, 3601), (7200, 20_000), (-5, -1)] {
        let at = |seconds| Some(Timestamp::EPOCH.plus_seconds(seconds));
        all.push(Query { since: at(since), until: at(until), ..Query::default() });
        all.push(Query { since: at(since), kinds: [RecordKind::System].into(), ..Query::default() });
    }
    all.push(Query { messages: texts(&["m17"]), ..Query::default() });
    all.push(Query { requests: texts(&["req-2"]), causes: (1..40).collect(), ..Query::default() });
    for text in [
        "ada",
        "lory the",
        "mallory the 3",
        "ry the 3rd (pro",
        "tcp 22-23 from",
        "22",
        "0.0.0.0/0",
        "0134e9",
        " ada ",
        "here",
        "happened  here",
        "happened here",
        "created port target",
        "zoë",
        "kept any more",
        "(name unknown)",
        "",
        " ",
        "user-",
    ] {
        all.push(Query { text: Some(text.to_lowercase()), ..Query::default() });
    }
    all
}

#[test]
fn what_is_found_without_an_index_is_found_with_one() {
    const RECORDS: u64 = 3000;
    let mut pages = leaf(RECORDS, |_, _| false);
    assert!(pages.0.len() > 5, "{}", pages.0.len());
    let records: Vec<Record> = (1..=RECORDS).map(record).collect();
    let mut narrowed = 0;
    for query in queries() {
        let named = candidates(&query, &mut pages).unwrap();
        let matching = records.iter().filter(|record| {
            query.matches_beside_rows(record, || sentence(record)) && query.matches_rows(record)
        });
        let mut found = 0;
        for record in matching {
            found += 1;
            let place = record.header.seq as u32;
            assert!(
                named.as_ref().is_none_or(|named| named.contains(place)),
                "{query:?}: {}",
                sentence(record)
            );
        }
        narrowed += u32::from(named.is_some_and(|named| named.len() <= 2 * found + 40));
    }
    assert!(narrowed > 40, "the index narrowed down {narrowed} questions only");
}

#[test]
fn no_name_or_client_is_left_where_personal_parts_are_gone() {
    let all = |pages: &InMemory| -> Vec<(u8, Vec<u8>)> {
        let of_page = |page: &Page| -> Vec<(u8, Vec<u8>)> {
            read(&page.bytes).unwrap().into_iter().map(|(term, _)| (page.class, term)).collect()
        };
        pages.0.iter().flat_map(of_page).collect()
    };
    let holds = |term: &[u8], text: &str| memchr::memmem::find(term, text.as_bytes()).is_some();
    let kept = all(&leaf(500, |_, _| false));
    assert!(kept.iter().any(|(class, term)| *class == 2 && holds(term, "zoë")));
    let without = all(&leaf(500, |class, _| class == PartClass::Personal.code()));
    assert!(without.iter().all(|(class, _)| *class != PartClass::Personal.code()));
    let without_client = without.iter().all(|(_, term)| !holds(term, "192.0.2.9"));
    assert!(without_client && kept.iter().any(|(_, term)| holds(term, "192.0.2.9")));
}

#[test]
fn words_of_a_person_are_of_the_personal_class() {
    let mut by_class: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    let login = (1..).map(record).find(|record| {
        record.header.kind == RecordKind::Authentication
            && record.personal.user_name.as_deref() == Some("mallory the 3rd")
            && record.personal.address.as_deref() == Some("10.0.0.9")
            && record.missing.is_empty()
            && record.opened.is_empty()
    });
    for (class, term) in terms(login.unwrap()) {
        if term[0] == term::Field::Word as u8 || term[0] == term::Field::Opaque as u8 {
            by_class.entry(class).or_default().push(String::from_utf8_lossy(&term[1..]).into_owned());
        }
    }
    let personal = &by_class[&PartClass::Personal.code()];
    for word in ["mallory", "3rd", "10.0.0.9"] {
        assert!(personal.iter().any(|known| known == word), "{word}: {by_class:?}");
        assert!(!by_class[&PartClass::Body.code()].iter().any(|known| known == word), "{word}: {by_class:?}");
    }
    assert!(by_class[&PartClass::Body.code()].iter().any(|known| known == "login" || known == "logged"));
}

#[test]
fn a_record_with_too_many_terms_is_looked_at_in_any_case() {
    let mut record = record(1);
    record.body.outcome = "success".into();
    record.body.detail.insert("text".into(), "word ".repeat(3) + &"x".repeat(TERM_BYTES_MAX));
    record.header.kind = RecordKind::System;
    record.missing.clear();
    let mut leaf = Leaf::default();
    leaf.add(record, |_| false);
    leaf.add_unlisted(2);
    let mut pages = InMemory(leaf.finish());
    for query in queries() {
        let named = candidates(&query, &mut pages).unwrap();
        assert!(named.is_none_or(|named| named.contains(1) && named.contains(2)), "{query:?}");
    }
}
