//! The queue by hand, and by chance against what has to be true of it in any case.

use std::num::NonZeroU32;

use super::*;
use crate::ids::Id;
use crate::scan::{Expected, Transport};

const T0: i64 = 1_795_219_200;

fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(T0 + second)
}

fn many(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("more than none")
}

fn scanner(batch: u32) -> ScannerPolicy {
    ScannerPolicy { window_seconds: 10, batch_addresses_max: many(batch), ..ScannerPolicy::builtin() }
}

fn key(number: u8) -> WishKey {
    let place = Place { network_id: None, address: [10, 0, 0, number].into() };
    WishKey { region: None, place, reason: ScanReason::Change }
}

fn again(number: u8) -> WishKey {
    WishKey { reason: ScanReason::Confirm, ..key(number) }
}

/// What waits from a second on for ten more.
fn wish(second: i64, port: u16) -> Wish {
    let ports = Expected::from([((Transport::Tcp, port), true)]);
    let target = Target { ports, ..Target::default() };
    Wish { target, rank: Rank::default(), due: at(second + 10), causes: vec![second.unsigned_abs() + 1] }
}

fn urgent(second: i64) -> Wish {
    Wish { rank: Rank::FIRST, ..wish(second, 22) }
}

/// The last numbers of the addresses that are taken.
fn take(queue: &mut Queue, second: i64, policy: &ScanPolicy, batch: u32, spent: &mut Spent) -> Vec<u8> {
    let taken = queue.take(at(second), policy, &scanner(batch), spent);
    taken.wishes.iter().map(|(key, _)| last(key)).collect()
}

fn last(key: &WishKey) -> u8 {
    match key.place.address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(_) => 0,
    }
}

#[test]
fn a_place_waits_for_its_window_and_what_came_by_then_goes_with_it() {
    let (mut queue, policy, mut spent) = (Queue::default(), ScanPolicy::default(), Spent::default());
    queue.wish(key(1), wish(0, 22), true);
    queue.wish(key(2), wish(9, 22), true);
    queue.wish(key(1), wish(9, 80), true);
    assert_eq!(queue.next_at(at(9), &policy, &spent), Some(at(10)));
    assert!(take(&mut queue, 9, &policy, 8, &mut spent).is_empty());
    let taken = queue.take(at(10), &policy, &scanner(8), &mut spent);
    let told: Vec<_> = taken
        .wishes
        .iter()
        .map(|(key, wish)| (last(key), wish.target.ports.len(), &wish.causes[..]))
        .collect();
    assert_eq!(told, [(1, 2, &[1, 10][..]), (2, 1, &[10][..])]);
    assert!(queue.is_empty() && queue.next_at(at(10), &policy, &spent).is_none());
}

#[test]
fn what_is_urgent_goes_first_and_what_starves_before_it() {
    let (mut queue, policy, mut spent) = (Queue::default(), ScanPolicy::default(), Spent::default());
    queue.wish(key(1), wish(0, 22), true);
    queue.wish(key(2), wish(1, 22), true);
    queue.wish(key(3), urgent(2), true);
    assert_eq!(take(&mut queue, 12, &policy, 1, &mut spent), [3]);
    queue.wish(key(4), urgent(13), true);
    let starving = 10 + STARVING_SECONDS;
    assert_eq!(take(&mut queue, starving - 1, &policy, 1, &mut spent), [4]);
    queue.wish(key(5), urgent(14), true);
    assert_eq!(take(&mut queue, starving, &policy, 1, &mut spent), [1]);
    assert_eq!(take(&mut queue, starving, &policy, 1, &mut spent), [5]);
    assert_eq!(take(&mut queue, starving + 1, &policy, 1, &mut spent), [2]);
}

#[test]
fn an_address_is_not_scanned_twice_at_once() {
    let (mut queue, policy, mut spent) = (Queue::default(), ScanPolicy::default(), Spent::default());
    let other = |number| {
        let mut key = key(number);
        key.place.network_id = Some(Id::new("n"));
        key
    };
    queue.wish(key(1), wish(0, 22), true);
    queue.wish(other(1), wish(1, 22), true);
    assert_eq!(take(&mut queue, 60, &policy, 8, &mut spent), [1]);
    queue.wish(key(1), wish(2, 80), true);
    assert!(take(&mut queue, 60, &policy, 8, &mut spent).is_empty());
    assert_eq!(queue.next_at(at(60), &policy, &spent), None, "time alone changes nothing");
    queue.free(key(1).place.address);
    let taken = queue.take(at(60), &policy, &scanner(8), &mut spent);
    assert_eq!(taken.wishes[0].0, other(1), "the one that waits longest");
    assert_eq!((taken.wishes.len(), queue.len()), (1, 1));
}

#[test]
fn budgets_let_wait_and_never_drop() {
    let project = |name: &str, wish: Wish| {
        let target = Target { project_id: Some(Id::new(name)), ..wish.target };
        Wish { target, ..wish }
    };
    let policy = ScanPolicy {
        hour_budget: Some(many(3)),
        project_hour_budget: Some(many(1)),
        ..ScanPolicy::default()
    };
    let (mut queue, mut spent) = (Queue::default(), Spent::default());
    for number in 1..=3 {
        queue.wish(key(number), project("one", urgent(0)), true);
    }
    queue.wish(key(4), project("other", wish(0, 22)), true);
    queue.wish(key(5), project("third", wish(1, 22)), true);
    queue.wish(key(6), project("fourth", wish(2, 22)), true);
    assert_eq!(take(&mut queue, 30, &policy, 8, &mut spent), [1, 4, 5]);
    assert!(take(&mut queue, 31, &policy, 8, &mut spent).is_empty());
    let next = spent.next_hour(at(31));
    assert_eq!(queue.next_at(at(31), &policy, &spent), Some(next));
    let taken = queue.take(next, &policy, &scanner(8), &mut spent);
    assert_eq!(taken.wishes.iter().map(|(key, _)| last(key)).collect::<Vec<_>>(), [2, 6]);
    assert_eq!(queue.len(), 1);
}

#[test]
fn quiet_hours_and_the_list_of_what_is_never_scanned() {
    let minute = u16::try_from((T0 / 60).rem_euclid(1440)).expect("a minute of the day");
    let quiet_hours = super::super::QuietHours { from_minute: minute, to_minute: (minute + 5) % 1440 };
    let policy = ScanPolicy {
        quiet_hours: Some(quiet_hours),
        never_prefixes: vec!["10.0.0.2/32".parse().expect("a prefix")],
        ..ScanPolicy::default()
    };
    let (mut queue, mut spent) = (Queue::default(), Spent::default());
    queue.wish(key(1), wish(0, 22), true);
    queue.wish(key(2), wish(0, 22), true);
    let over = at(300 - T0 % 60);
    assert_eq!(queue.next_at(at(20), &policy, &spent), Some(over));
    assert!(take(&mut queue, 20, &policy, 8, &mut spent).is_empty());
    let taken = queue.take(over, &policy, &scanner(8), &mut spent);
    assert_eq!(taken.wishes.iter().map(|(key, _)| last(key)).collect::<Vec<_>>(), [1]);
    assert_eq!(taken.forbidden, [(key(2), WhyNot::Never)], "it waited when it was not on the list yet");
    assert!(queue.is_empty());
}

#[test]
fn what_is_scanned_anyway_is_not_looked_at_once_more() {
    let (mut queue, policy, mut spent) = (Queue::default(), ScanPolicy::default(), Spent::default());
    let later = Wish { due: at(100), ..wish(0, 22) };
    queue.wish(again(1), later.clone(), true);
    queue.wish(again(2), later.clone(), true);
    queue.wish(key(1), wish(0, 22), true);
    assert_eq!(queue.len(), 2);
    queue.wish(again(1), later, true);
    assert_eq!(queue.len(), 2);
    assert_eq!(take(&mut queue, 20, &policy, 8, &mut spent), [1]);
    assert!(take(&mut queue, 99, &policy, 8, &mut spent).is_empty(), "not before its time");
    assert_eq!(take(&mut queue, 100, &policy, 8, &mut spent), [2]);
}

#[test]
fn what_waits_too_long_goes_and_full_is_full() {
    let policy = ScanPolicy { wait_seconds_max: 50, ..ScanPolicy::default() };
    let mut queue = Queue::default();
    queue.wish(key(1), wish(0, 22), true);
    assert!(!queue.wish(key(2), wish(0, 22), false));
    assert!(queue.wish(key(1), wish(5, 80), false), "it waits already");
    assert_eq!(queue.overdue_at(&policy), Some(at(60)));
    assert!(queue.pop_overdue(at(59), &policy).is_none());
    assert_eq!(queue.pop_overdue(at(60), &policy).map(|(key, _)| key), Some(key(1)));
    assert!(queue.is_empty());
}

/// Numbers by chance, the same for a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

/// Whatever happens: commands are no larger than may be, an address is in one at a time, budgets are kept, what was wished is taken once the
/// hour allows it, and a queue that was put back from its wishes takes the same.
#[test]
fn by_chance_nothing_is_lost_and_nothing_is_scanned_twice_at_once() {
    for seed in 0..300 {
        let mut chance = Chance(seed);
        let policy = ScanPolicy {
            hour_budget: (chance.below(2) == 0).then(|| many(chance.below(9) as u32 + 1)),
            project_hour_budget: (chance.below(2) == 0).then(|| many(chance.below(4) as u32 + 1)),
            wait_seconds_max: u32::MAX,
            ..ScanPolicy::default()
        };
        let scanner = scanner(chance.below(4) as u32 + 1);
        let (mut queue, mut spent) = (Queue::default(), Spent::default());
        let mut running: Vec<Vec<WishKey>> = Vec::new();
        let (mut wished, mut hour) = (0, (0, 0));
        let mut second = 0;
        for step in 0..400_u64 {
            second += (chance.below(60) * chance.below(3)) as i64;
            // In the end nothing new comes, and all that waits has its turn.
            match chance.below(4) {
                0 | 1 if step < 200 => {
                    let mut key = if chance.below(5) == 0 {
                        again(chance.below(12) as u8)
                    } else {
                        key(chance.below(12) as u8)
                    };
                    key.region = (chance.below(3) == 0).then(|| "north".into());
                    let mut wish = wish(second, 20 + chance.below(4) as u16);
                    wish.target.project_id = Some(Id::new(&format!("p{}", last(&key) % 3)));
                    if chance.below(3) == 0 {
                        wish.rank = Rank::FIRST;
                    }
                    if key.reason == ScanReason::Confirm {
                        (wish.rank, wish.due) = (Rank::default(), at(second + 70));
                    }
                    queue.wish(key, wish, true);
                    wished += 1;
                }
                2 if !running.is_empty() => {
                    let place = chance.below(running.len() as u64) as usize;
                    for key in running.swap_remove(place) {
                        queue.free(key.place.address);
                    }
                }
                _ => {
                    let mut other = Queue::default();
                    queue.wishes().for_each(|(key, wish)| other.restore(key.clone(), wish.clone()));
                    running.iter().flatten().for_each(|key| other.occupy(key.place.address));
                    let mut other_spent = spent.clone();
                    let taken = queue.take(at(second), &policy, &scanner, &mut spent);
                    let same = other.take(at(second), &policy, &scanner, &mut other_spent);
                    assert_eq!(
                        (&taken.wishes, &spent),
                        (&same.wishes, &other_spent),
                        "seed {seed} step {step}"
                    );
                    assert!(taken.wishes.len() <= scanner.batch_addresses_max.get() as usize);
                    let keys: Vec<WishKey> = taken.wishes.into_iter().map(|(key, _)| key).collect();
                    for key in &keys {
                        let all = running.iter().flatten().chain(&keys);
                        assert_eq!(all.filter(|other| other.place.address == key.place.address).count(), 1);
                    }
                    let now = spent.hour(at(second));
                    hour = if hour.0 == now { (now, hour.1 + keys.len()) } else { (now, keys.len()) };
                    assert!(policy.hour_budget.is_none_or(|budget| hour.1 <= budget.get() as usize));
                    if keys.is_empty() && !queue.is_empty() && running.is_empty() {
                        let next = queue.next_at(at(second), &policy, &spent).expect("it has its time");
                        assert!(next > at(second), "seed {seed}: nothing was taken, and that was no mistake");
                        second = (next.micros() / 1_000_000) - T0;
                    }
                    running.extend((!keys.is_empty()).then_some(keys));
                }
            }
        }
        assert!(wished > 0);
        while !queue.is_empty() {
            running.drain(..).flatten().for_each(|key| queue.free(key.place.address));
            let taken = queue.take(at(second), &policy, &scanner, &mut spent);
            if taken.wishes.is_empty() {
                let next = queue.next_at(at(second), &policy, &spent).expect("it has its time");
                assert!(next > at(second), "seed {seed}");
                second = (next.micros() / 1_000_000) - T0;
            }
            running.push(taken.wishes.into_iter().map(|(key, _)| key).collect());
        }
    }
}
