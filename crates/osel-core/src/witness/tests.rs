//! A witness and a log against each other: by the specification's order of refusals, by stories, and at random.

use proptest::prelude::*;

use super::*;
use crate::pace::Severity;
use crate::time::Timestamp;
use crate::trail::log::{Checkpoint, CosigningKey, KeyName, SigningKey, VerifierKey};
use crate::trail::{Hash, Prover, consistency_plan, empty_root, leaf_hash, tree_root};

fn name(text: &str) -> KeyName {
    text.parse().expect("a name")
}

fn log_key() -> SigningKey {
    SigningKey::from_seed(name("log.example/osel"), &std::array::from_fn(|place| place as u8))
}

fn witness_key() -> CosigningKey {
    CosigningKey::from_seed(name("witness.example/w1"), &std::array::from_fn(|place| place as u8 + 0x20))
}

/// Leaf `i` of a log is `i` in decimal; a rewritten one has other leaves from a place on.
fn leaves(size: u64, rewritten_from: u64) -> Vec<Hash> {
    let leaf = |index| if index < rewritten_from { format!("{index}") } else { format!("{index}'") };
    (0..size).map(|index| leaf_hash(leaf(index).as_bytes())).collect()
}

fn request(leaves: &[Hash], old: u64, size: u64) -> AddCheckpoint {
    let root = tree_root(leaves[..size as usize].iter().copied());
    let note = Checkpoint { origin: name("log.example/osel"), size, root }.sign(&log_key());
    let proof = consistency_plan(old, size).map_or_else(Vec::new, |plan| {
        let mut prover = Prover::new(plan);
        leaves.iter().for_each(|leaf| prover.push(*leaf));
        prover.finish().expect("all leaves")
    });
    AddCheckpoint { old, proof, note }
}

fn seen(leaves: &[Hash], size: u64) -> Seen {
    Seen { size, root: tree_root(leaves[..size as usize].iter().copied()) }
}

/// What a witness that remembers this shows to such a log.
fn shown(log: &[Hash], memory: Seen) -> Shown {
    match memory.size {
        0 => Shown::Nothing("it has seen nothing".to_owned()),
        size if size > log.len() as u64 => Shown::Larger(size),
        size if seen(log, size) != memory => Shown::Other(size),
        size => Shown::Ours(size),
    }
}

#[test]
fn the_request_of_our_notes_on_transparency_logs_is_written_and_read() {
    let all = leaves(8, 8);
    let request = request(&all, 3, 8);
    let text = request.text();
    assert_eq!(text.len(), 366);
    let hash =
        Hash(sha2::Digest::finalize(sha2::Digest::chain_update(sha2::Sha256::default(), &text)).into());
    assert_eq!(hash.to_string(), "76ba716bd1bc51c53a924ca336dece37ee38c71dd6468d6213294742ece30d7b");
    assert_eq!(AddCheckpoint::read(text.as_bytes()), Ok(request));
}

#[test]
fn lines_of_a_request_are_read_strictly() {
    let good = request(&leaves(8, 8), 3, 8).text();
    let read = |text: &str| AddCheckpoint::read(text.as_bytes()).map(|_| ());
    assert_eq!(read(&good), Ok(()));
    let hash = good.lines().nth(1).expect("a hash");
    for (text, wanted) in [
        (String::new(), RequestError::Form),
        ("old 3\n".to_owned(), RequestError::Form),
        (good.replacen("old 3", "old 03", 1), RequestError::Old),
        (good.replacen("old 3", "old -3", 1), RequestError::Old),
        (good.replacen("old 3", "new 3", 1), RequestError::Old),
        (good.replacen("old 3", "old 9223372036854775808", 1), RequestError::Old),
        (good.replacen(hash, &hash[1..], 1), RequestError::Proof),
        (format!("old 3\n{}{good}", format!("{hash}\n").repeat(64)), RequestError::Proof),
    ] {
        assert_eq!(read(&text), Err(wanted), "{text}");
    }
    assert_eq!(AddCheckpoint::read(b"old 0\n\n\xff"), Err(RequestError::Form));
    let bytes = REQUEST_BYTES_MAX + 1;
    assert_eq!(AddCheckpoint::read(&vec![b'x'; bytes]), Err(RequestError::Long { bytes }));
}

#[test]
fn what_is_refused_is_refused_in_the_order_of_the_specification() {
    let all = leaves(8, 8);
    let known = [log_key().verifier()];
    let ask = |request: &AddCheckpoint, size| judge(request, &known, seen(&all, size));
    assert_eq!(ask(&request(&all, 3, 8), 3).map(|checkpoint| checkpoint.size), Ok(8));
    assert_eq!(ask(&request(&all, 0, 8), 0).map(|checkpoint| checkpoint.size), Ok(8));
    assert_eq!(ask(&request(&all, 8, 8), 8).map(|checkpoint| checkpoint.size), Ok(8));
    // No checkpoint at all.
    let broken = AddCheckpoint { note: "log\n".into(), ..request(&all, 3, 8) };
    assert!(matches!(ask(&broken, 5), Err(Refused::NoCheckpoint(_))));
    // A log that nobody knows comes before its signature, and that before everything else.
    assert!(matches!(judge(&request(&all, 3, 8), &[], seen(&all, 5)), Err(Refused::UnknownLog(_))));
    let other = SigningKey::from_seed(name("log.example/osel"), &[9; 32]).verifier();
    assert!(matches!(judge(&request(&all, 9, 8), &[other], seen(&all, 5)), Err(Refused::Unsigned(_))));
    assert_eq!(ask(&request(&all, 9, 8), 5), Err(Refused::Backwards { old: 9, size: 8 }));
    assert_eq!(ask(&request(&all, 3, 8), 5), Err(Refused::Conflict { seen: 5 }));
    // A smaller one than was seen is a conflict too: the witness says how far it is.
    assert_eq!(ask(&request(&all, 2, 3), 5), Err(Refused::Conflict { seen: 5 }));
    let mut wrong = request(&all, 3, 8);
    wrong.proof.swap(0, 1);
    assert!(matches!(ask(&wrong, 3), Err(Refused::Inconsistent(_))));
    let too_much = AddCheckpoint { proof: vec![Hash::ZERO], ..request(&all, 0, 8) };
    assert!(matches!(ask(&too_much, 0), Err(Refused::Inconsistent(_))));
    // The same size with another root.
    assert_eq!(ask(&request(&leaves(8, 4), 8, 8), 8), Err(Refused::Split { size: 8 }));
    // A log of no records.
    let note = Checkpoint { origin: name("log.example/osel"), size: 0, root: empty_root() }.sign(&log_key());
    let empty = AddCheckpoint { old: 0, proof: Vec::new(), note };
    assert_eq!(judge(&empty, &known, Seen::nothing()).map(|checkpoint| checkpoint.size), Ok(0));
}

#[test]
fn a_witness_signs_in_the_name_of_no_log() {
    let note = request(&leaves(3, 3), 0, 3).note;
    // A cosignature's key of the log's own name is none of the log's.
    let known: [VerifierKey; 1] = [CosigningKey::from_seed(name("log.example/osel"), &[3; 32]).verifier()];
    let request = AddCheckpoint { old: 0, proof: Vec::new(), note };
    assert!(matches!(judge(&request, &known, Seen::nothing()), Err(Refused::UnknownLog(_))));
}

#[test]
fn of_an_answer_counts_what_is_right_and_the_witness_own() {
    let note = request(&leaves(8, 8), 0, 8).note;
    let text = note.split("\n\n").next().map(|text| format!("{text}\n")).expect("a text");
    let witness = witness_key();
    let line = witness.cosign(&text, 1_700_000_000);
    let other = CosigningKey::from_seed(name("other.example"), &[7; 32]).cosign(&text, 1_800_000_000);
    let of = |answer: &str| cosigned(&note, answer, &witness.verifier()).expect("a checkpoint");
    let wanted = Some((format!("{note}{line}"), 1_700_000_000));
    assert_eq!(of(&line), wanted);
    assert_eq!(of(&format!("{other}{line}")), wanted);
    let later = witness.cosign(&text, 1_700_000_009);
    assert_eq!(of(&format!("{line}{later}{line}")).map(|(_, seconds)| seconds), Some(1_700_000_009));
    for nothing in
        ["", "\n", &other, &line["—".len()..], &witness.cosign("another\n8\nroot\n", 1), line.trim_end()]
    {
        assert_eq!(of(nothing), None, "{nothing}");
    }
    assert!(cosigned("no note", &line, &witness.verifier()).is_err());
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(seconds * 1_000_000).expect("a time"))
}

/// A client with what it orders.
struct Script {
    client: WitnessClient,
    now: u64,
}

impl Script {
    fn new(cosigned: u64) -> Self {
        Self { client: WitnessClient::new(cosigned), now: 1000 }
    }

    fn step(&mut self, what: ClientInput) -> Vec<ClientOrder> {
        let mut out = Vec::new();
        self.client.step(at(self.now), 0, what, &mut out);
        out
    }

    fn answered(&mut self, reply: Reply) -> Vec<ClientOrder> {
        self.step(ClientInput::Answered(reply))
    }

    fn shown(&mut self, shown: Shown) -> Vec<ClientOrder> {
        self.step(ClientInput::Shown(shown))
    }
}

fn newest(size: u64) -> ClientInput {
    ClientInput::Newest { size, common: size }
}

fn ask(old: u64, size: u64) -> ClientOrder {
    ClientOrder::Ask { old, size }
}

#[test]
fn the_newest_is_asked_for_once_and_then_at_a_pace() {
    let mut script = Script::new(0);
    assert_eq!(script.step(newest(10)), [ask(0, 10)]);
    assert_eq!(script.step(newest(20)), []);
    assert_eq!(script.step(newest(30)), []);
    assert_eq!(script.answered(Reply::Cosigned), [ClientOrder::Log(WitnessLine::Witnessed(10))]);
    assert_eq!(script.client.wake_at(), Some(at(1005)));
    script.now = 1004;
    assert_eq!(script.step(ClientInput::Tick), []);
    script.now = 1005;
    assert_eq!(script.step(ClientInput::Tick), [ask(10, 30)]);
    assert_eq!(script.answered(Reply::Cosigned), []);
    assert_eq!(script.client.wake_at(), None);
    assert_eq!(script.client.status().cosigned, 30);
}

#[test]
fn at_the_start_it_is_asked_though_nothing_is_new() {
    let mut script = Script::new(10);
    assert_eq!(script.step(newest(10)), [ask(10, 10)]);
    // Of a log that is shorter than what is remembered, what is there is shown.
    let mut script = Script::new(10);
    assert_eq!(script.step(newest(4)), [ask(4, 4)]);
    let alarm = ClientOrder::Alarm(Alarm::Shorter { seen: 10, ours: 4 });
    assert_eq!(script.answered(Reply::Conflict(10)), [ClientOrder::Prove]);
    assert_eq!(script.shown(Shown::Larger(10)), [alarm]);
    assert_eq!(script.step(newest(11)), []);
    assert_eq!(script.client.wake_at(), None);
}

#[test]
fn another_size_is_taken_over_and_a_rewritten_log_is_an_alarm() {
    let mut script = Script::new(0);
    script.step(newest(10));
    assert_eq!(script.answered(Reply::Conflict(7)), [ask(7, 10)]);
    assert_eq!(script.answered(Reply::Inconsistent), [ClientOrder::Prove]);
    assert_eq!(script.shown(Shown::Other(7)), [ClientOrder::Alarm(Alarm::Different { seen: 7 })]);
}

#[test]
fn a_witness_that_has_seen_as_much_is_asked_whether_it_was_the_same() {
    // Its answer was lost, or it has seen another log of that size.
    let mut script = Script::new(0);
    script.step(newest(10));
    assert_eq!(script.answered(Reply::Conflict(10)), [ask(10, 10)]);
    let mut other = Script { client: script.client.clone(), now: script.now };
    assert_eq!(other.answered(Reply::Inconsistent), [ClientOrder::Prove]);
    assert_eq!(other.shown(Shown::Other(10)), [ClientOrder::Alarm(Alarm::Different { seen: 10 })]);
    assert_eq!(script.answered(Reply::Cosigned), []);
    assert_eq!(script.client.wake_at(), None);
}

#[test]
fn what_a_witness_says_and_has_not_signed_stops_nothing() {
    for reply in [Reply::Conflict(99), Reply::Inconsistent] {
        for shown in [Shown::Nothing("404".to_owned()), Shown::Ours(7)] {
            let mut script = Script::new(7);
            script.step(newest(10));
            assert_eq!(script.answered(reply.clone()), [ClientOrder::Prove]);
            // It is not asked again before it is known what it has signed.
            assert_eq!(script.step(newest(11)), []);
            assert_eq!(script.client.wake_at(), None);
            let orders = script.shown(shown);
            let [ClientOrder::Log(line)] = &orders[..] else { panic!("{orders:?}") };
            assert_eq!(line.severity(), Severity::Error);
            let trouble = script.client.status().trouble.expect("somebody has to look");
            assert_eq!(trouble.why, WitnessWhy::Disputed);
            // It is asked on, and once it cosigns all is well.
            script.now += 400;
            assert_eq!(script.step(ClientInput::Tick), [ask(7, 11)]);
            script.answered(Reply::Cosigned);
            assert_eq!(script.client.status().cosigned, 11);
        }
    }
    // What nobody asked for counts for nothing.
    assert_eq!(Script::new(7).shown(Shown::Other(7)), []);
}

#[test]
fn a_dispute_without_proof_is_asked_about_soon_and_then_ever_more_rarely() {
    // Until it is settled a log that was cut goes on: unlike what a person has to mend, this is asked again within seconds.
    let mut script = Script::new(7);
    let mut orders = script.step(newest(10));
    let mut waits = Vec::new();
    for _ in 0..12 {
        assert!(orders.contains(&ask(7, 10)), "{orders:?}");
        assert_eq!(script.answered(Reply::Conflict(99)), [ClientOrder::Prove]);
        let before = script.now;
        // Chance at its largest gives the longest waits.
        let mut out = Vec::new();
        let shown = ClientInput::Shown(Shown::Nothing("404".to_owned()));
        script.client.step(at(script.now), u64::MAX, shown, &mut out);
        script.now = loop {
            let wake = script.client.wake_at().expect("it is asked again");
            let now = (wake.micros() as u64).div_ceil(1_000_000).max(script.now + 1);
            script.now = now;
            orders = script.step(ClientInput::Tick);
            if orders.contains(&ask(7, 10)) {
                break now;
            }
        };
        waits.push(script.now - before);
    }
    assert!(waits[0] <= 2 && waits.iter().all(|wait| *wait <= 300), "{waits:?}");
    assert!(waits.is_sorted() && waits.last() == Some(&300), "{waits:?}");
}

#[test]
fn a_log_that_proves_nothing_is_held_against_what_the_witness_has_signed() {
    let unproved = || {
        let mut script = Script::new(7);
        script.step(newest(10));
        assert_eq!(script.answered(Reply::Unproved("a node is missing".to_owned())), [ClientOrder::Prove]);
        script
    };
    let alarm = ClientOrder::Alarm(Alarm::Shorter { seen: 12, ours: 10 });
    assert_eq!(unproved().shown(Shown::Larger(12)), [alarm]);
    assert_eq!(unproved().shown(Shown::Other(7)), [ClientOrder::Alarm(Alarm::Different { seen: 7 })]);
    for shown in [Shown::Ours(7), Shown::Nothing("404".to_owned())] {
        let mut script = unproved();
        let orders = script.shown(shown);
        assert!(matches!(&orders[..], [ClientOrder::Log(line)] if line.severity() == Severity::Error));
        let trouble = script.client.status().trouble.expect("somebody has to look");
        assert_eq!(trouble.why, WitnessWhy::Unproved);
    }
}

#[test]
fn damaged_nodes_are_an_error_of_the_store_and_no_alarm() {
    // A witness refuses what such a store proves, or it proves nothing at all.
    for reply in [Reply::Inconsistent, Reply::Unproved("a node is missing".to_owned())] {
        let mut script = Script::new(7);
        script.step(newest(10));
        assert_eq!(script.answered(reply), [ClientOrder::Prove]);
        let orders = script.shown(Shown::Damaged(7));
        assert!(matches!(&orders[..], [ClientOrder::Log(line)] if line.severity() == Severity::Error));
        let status = script.client.status();
        assert_eq!(status.trouble.expect("somebody has to look").why, WitnessWhy::Unproved);
        assert!(status.words.contains("`osel audit verify` names the first"), "{}", status.words);
        // Mended, it goes on by itself.
        script.now += 700;
        assert!(script.step(ClientInput::Tick).contains(&ask(7, 10)));
        script.answered(Reply::Cosigned);
        assert_eq!(script.client.status().cosigned, 10);
    }
}

#[test]
fn what_all_are_asked_about_is_asked_for_and_not_the_newest() {
    let mut script = Script::new(0);
    assert_eq!(script.step(ClientInput::Newest { size: 20, common: 10 }), [ask(0, 10)]);
    script.answered(Reply::Cosigned);
    assert_eq!((script.client.status().cosigned, script.client.status().newest), (10, 20));
    // Nothing more is to be asked until there is another one for all.
    script.now += 60;
    assert_eq!(script.step(ClientInput::Newest { size: 30, common: 10 }), []);
    assert_eq!(script.client.wake_at(), None);
    assert_eq!(script.step(ClientInput::Newest { size: 31, common: 31 }), [ask(10, 31)]);
    // One that another leader has shown more is asked about the newest: what it has seen is behind what all are asked about.
    assert_eq!(script.step(ClientInput::Newest { size: 50, common: 31 }), []);
    assert_eq!(script.answered(Reply::Conflict(40)), [ask(40, 50)]);
}

#[test]
fn what_another_leader_has_shown_it_meanwhile_is_no_alarm() {
    let mut script = Script::new(0);
    script.step(newest(10));
    assert_eq!(script.step(newest(12)), []);
    assert_eq!(script.answered(Reply::Conflict(12)), [ask(12, 12)]);
}

#[test]
fn a_witness_that_names_another_size_for_ever_is_not_asked_for_ever() {
    let mut script = Script::new(0);
    script.step(newest(10));
    for size in 1..=3 {
        assert_eq!(script.answered(Reply::Conflict(size)), [ask(size, 10)]);
    }
    let orders = script.answered(Reply::Conflict(4));
    assert!(matches!(orders[..], [ClientOrder::Log(WitnessLine::Began(_))]), "{orders:?}");
    assert!(script.client.wake_at() > Some(at(1000)));
}

#[test]
fn one_that_is_away_is_told_once_and_asked_less_and_less_often() {
    let mut script = Script::new(0);
    let (mut lines, mut questions) = (0, 0);
    let mut orders = script.step(newest(10));
    // A day.
    while script.now < 1000 + 86_400 {
        for order in std::mem::take(&mut orders) {
            match order {
                ClientOrder::Ask { .. } => {
                    questions += 1;
                    orders.extend(script.answered(Reply::Unavailable("away".into())));
                }
                ClientOrder::Log(_) => lines += 1,
                ClientOrder::Prove => unreachable!("it has said nothing"),
                ClientOrder::Alarm(alarm) => unreachable!("{alarm}"),
            }
        }
        if orders.is_empty() {
            let wake = script.client.wake_at().expect("it is asked again");
            script.now = (wake.micros() as u64).div_ceil(1_000_000).max(script.now + 1);
            orders = script.step(ClientInput::Tick);
        }
    }
    assert!(lines <= 1 + 86_400 / 600, "{lines} lines");
    assert!(questions > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A log that grows, and may be cut or rewritten at one time; a witness that is away at times, and may be asked by somebody else as well.
    #[test]
    fn whatever_happens_a_changed_log_is_found_and_a_good_one_is_not_accused(
        steps in prop::collection::vec((0_u8..8, 1_u64..40, any::<u64>()), 1..80),
        change in prop::option::of((0_usize..80, 0_u64..60, any::<bool>())),
    ) {
        let known = [log_key().verifier()];
        let (mut log, mut memory) = (Vec::new(), Seen::nothing());
        let mut client = WitnessClient::new(0);
        let (mut now, mut orders, mut alarmed) = (1000, Vec::new(), None);
        let mut is_changed = false;
        // What comes after the change is not what came before it.
        let mut mark = "";
        for (place, (action, amount, chance)) in steps.iter().copied().enumerate() {
            if let Some((_, keep, cut)) = change.filter(|(when, ..)| *when == place) {
                let kept = keep.min(log.len() as u64);
                let seen = memory.size;
                if cut {
                    log.truncate(kept as usize);
                } else {
                    log = leaves(log.len() as u64, kept);
                }
                // Only what the witness has seen can be found by it.
                is_changed = kept < seen;
                mark = "'";
                // The daemon starts anew, with what its store remembers.
                (client, orders) = (WitnessClient::new(0), Vec::new());
            }
            match action {
                0..=3 => {
                    let next = log.len() as u64;
                    log.extend((next..next + amount).map(|index| leaf_hash(format!("{index}{mark}").as_bytes())));
                    client.step(at(now), chance, newest(log.len() as u64), &mut orders);
                }
                4 => now += amount,
                _ => {}
            }
            client.step(at(now), chance, ClientInput::Tick, &mut orders);
            let mut turns = 0;
            while let Some(order) = orders.pop() {
                turns += 1;
                prop_assert!(turns < 50);
                match order {
                    ClientOrder::Alarm(alarm) => alarmed = Some(alarm),
                    ClientOrder::Log(_) => {}
                    ClientOrder::Prove => {
                        let shown = ClientInput::Shown(shown(&log, memory));
                        client.step(at(now), chance, shown, &mut orders);
                    }
                    ClientOrder::Ask { old, size } => {
                        let reply = if action == 7 {
                            Reply::Unavailable("away".into())
                        } else {
                            match judge(&request(&log, old, size), &known, memory) {
                                Ok(checkpoint) => {
                                    memory = Seen { size: checkpoint.size, root: checkpoint.root };
                                    Reply::Cosigned
                                }
                                Err(Refused::Conflict { seen }) => Reply::Conflict(seen),
                                Err(Refused::Inconsistent(_) | Refused::Split { .. }) => Reply::Inconsistent,
                                Err(other) => Reply::Refused(other.to_string()),
                            }
                        };
                        client.step(at(now), chance, ClientInput::Answered(reply), &mut orders);
                    }
                }
            }
            prop_assert!(alarmed.is_none() || is_changed, "accused: {alarmed:?}");
        }
        // In the end the witness is there, and time goes on.
        for _ in 0..20 {
            now += 700;
            client.step(at(now), 0, newest(log.len() as u64), &mut orders);
            while let Some(order) = orders.pop() {
                match order {
                    ClientOrder::Alarm(alarm) => alarmed = Some(alarm),
                    ClientOrder::Log(_) => {}
                    ClientOrder::Prove => {
                        client.step(at(now), 0, ClientInput::Shown(shown(&log, memory)), &mut orders);
                    }
                    ClientOrder::Ask { old, size } => {
                        let reply = match judge(&request(&log, old, size), &known, memory) {
                            Ok(checkpoint) => {
                                memory = Seen { size: checkpoint.size, root: checkpoint.root };
                                Reply::Cosigned
                            }
                            Err(Refused::Conflict { seen }) => Reply::Conflict(seen),
                            Err(Refused::Inconsistent(_) | Refused::Split { .. }) => Reply::Inconsistent,
                            Err(other) => Reply::Refused(other.to_string()),
                        };
                        client.step(at(now), 0, ClientInput::Answered(reply), &mut orders);
                    }
                }
            }
        }
        if !log.is_empty() {
            prop_assert_eq!(alarmed.is_some(), is_changed);
            prop_assert!(alarmed.is_some() || memory.size == log.len() as u64);
        }
    }
}
