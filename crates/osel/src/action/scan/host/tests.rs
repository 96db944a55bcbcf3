//! What is known of one address, with times made up.

use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);

fn host(ports: &str) -> Host {
    let plan = ScanPlan::new(Vec::new());
    Host::new("192.0.2.1".parse().unwrap(), ports.parse().unwrap(), &plan, 1000)
}

fn send(host: &mut Host, slot: usize, at: Instant) -> Probe {
    let probe = host.next_probe().unwrap();
    host.was_sent(probe, at);
    host.waits(probe, Ticket { slot, generation: 0 }, at);
    probe
}

/// Sends the next probe, which is of this port and stays silent.
fn silent(host: &mut Host, port: u16, at: Instant) {
    let probe = send(host, 0, at);
    assert_eq!((probe.port, probe.is_control), (port, false));
    host.waits_no_longer();
    assert_eq!(host.silent(probe, at), None);
}

/// Sends the next probe, which is refused at once.
fn refused(host: &mut Host, at: Instant) -> Probe {
    let probe = send(host, 0, at);
    host.waits_no_longer();
    host.measured(probe, MILLISECOND);
    assert_eq!(host.answered(probe, PortState::Closed, at, at), !probe.is_control);
    probe
}

/// What is believed now.
fn settle(host: &mut Host, now: Instant) -> Vec<u16> {
    std::iter::from_fn(|| host.settled(now)).map(|(_, port, _)| port).collect()
}

#[test]
fn one_answer_shortens_the_wait_of_probes_already_out() {
    let mut host = host("1-3");
    let start = Instant::now();
    let probes: Vec<_> = (0..3).map(|slot| send(&mut host, slot, start)).collect();
    let later = start + MILLISECOND * 200;
    assert_eq!(host.overdue(later, |_| true), None);
    assert_eq!(host.next_overdue(), Some(start + MILLISECOND * 1000));
    host.waits_no_longer();
    host.measured(probes[0], MILLISECOND);
    host.answered(probes[0], PortState::Open, start, later);
    let overdue: Vec<_> = std::iter::from_fn(|| host.overdue(later, |ticket| ticket.slot != 0)).collect();
    assert_eq!(overdue.iter().map(|ticket| ticket.slot).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn silence_of_an_address_that_never_answers_is_asked_again_once_and_then_believed() {
    let mut host = host("9,U:53");
    let now = Instant::now();
    for port in [9, 9, 53, 53] {
        silent(&mut host, port, now);
    }
    assert_eq!(host.settled(now), Some((Protocol::Tcp, 9, PortState::Filtered)));
    assert_eq!(host.settled(now), Some((Protocol::Udp, 53, PortState::OpenFiltered)));
    assert!(host.is_finished());
}

#[test]
fn what_an_address_loses_decides_how_often_its_silence_is_asked_again() {
    let retries = |answers: u32, late: u32| {
        let mut host = host("1-100");
        let now = Instant::now();
        let probe = host.next_probe().unwrap();
        for number in 0..answers {
            let attempt = u8::from(number < late);
            host.answered(Probe { attempt, ..probe }, PortState::Closed, now, now);
        }
        host.retries
    };
    assert_eq!(retries(60, 0), 1, "nothing was lost");
    assert_eq!([retries(60, 1), retries(60, 5), retries(60, 30)], [2, 4, 6], "up to a bound");
}

/// A host of which port 1 refused at the start and the others were silent once, and the time at which they are asked again.
fn one_refuses(ports: &str) -> (Host, Instant) {
    let mut host = host(ports);
    let start = Instant::now();
    refused(&mut host, start);
    let others = host.without_result as usize;
    let probes: Vec<_> = (0..others).map(|slot| send(&mut host, slot, start)).collect();
    for probe in probes {
        host.waits_no_longer();
        assert_eq!(host.silent(probe, start), None);
    }
    (host, start + MILLISECOND * 100)
}

#[test]
fn a_control_goes_along_with_the_last_tries_and_vouches_for_them() {
    let (mut host, now) = one_refuses("1-4");
    let control = refused(&mut host, now);
    assert_eq!((control.port, control.is_control, control.attempt), (1, true, 0));
    for port in 2..=4 {
        silent(&mut host, port, now + MILLISECOND * u32::from(port));
    }
    assert_eq!(settle(&mut host, now + MILLISECOND * 300), [2, 3, 4]);
    assert!(host.is_finished(), "a firewall costs one probe more, and no time");
}

#[test]
fn silence_while_the_way_stands_still_is_asked_again_when_a_control_was_answered() {
    let (mut host, mut now) = one_refuses("1-3");
    let control = send(&mut host, 0, now);
    host.waits_no_longer();
    assert_eq!(host.silent(control, now), None);
    [2, 3].into_iter().for_each(|port| silent(&mut host, port, now));
    for attempt in 1..4 {
        now += MILLISECOND * 1000;
        assert!(settle(&mut host, now).is_empty());
        let control = send(&mut host, 0, now);
        assert_eq!((control.port, control.is_control, control.attempt), (1, true, attempt));
        assert!(settle(&mut host, now).is_empty());
        assert_eq!(host.next_probe(), None, "nothing else is sent into the dark");
        host.waits_no_longer();
        host.silent(control, now);
    }
    settle(&mut host, now);
    assert!(refused(&mut host, now).is_control);
    assert!(settle(&mut host, now).is_empty());
    let answered = refused(&mut host, now);
    assert_eq!((answered.port, answered.attempt, host.late_answers), (2, 0, 0), "asked afresh: no loss");
    silent(&mut host, 3, now);
    now += MILLISECOND * 100;
    assert!(refused(&mut host, now).is_control);
    silent(&mut host, 3, now);
    assert_eq!(settle(&mut host, now), [3]);
    assert!(host.is_finished());
}

#[test]
fn an_address_that_answers_no_more_ends_after_so_many_controls() {
    let (mut host, now) = one_refuses("1-9");
    let mut sent = 0;
    let mut believed = Vec::new();
    while !host.is_finished() {
        while let Some(probe) = host.next_probe() {
            host.was_sent(probe, now);
            sent += 1;
            assert_eq!(host.silent(probe, now), None);
        }
        believed.extend(settle(&mut host, now));
    }
    assert_eq!(believed, [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(sent, 8 + 7);
}

#[test]
fn silence_that_was_kept_when_less_was_known_of_the_loss_is_asked_again_at_the_end() {
    let (mut host, now) = one_refuses("1-3");
    refused(&mut host, now);
    silent(&mut host, 2, now);
    let out = send(&mut host, 0, now);
    assert!(settle(&mut host, now).is_empty(), "another is still out");
    host.answered(out, PortState::Open, now, now);
    host.waits_no_longer();
    assert!(settle(&mut host, now).is_empty());
    assert!(host.retries > 1, "the address loses packets");
    assert_eq!(host.next_probe().map(|again| (again.port, again.attempt)), Some((2, 2)));
}

#[test]
fn few_silent_ports_beside_many_that_answer_are_asked_once_more() {
    let asked_again = |answers: u16, silent_ports: u16| {
        let mut host = host(&format!("1-{}", answers + silent_ports));
        let mut now = Instant::now();
        for _ in 0..answers {
            refused(&mut host, now);
        }
        let last = answers + 1..=answers + silent_ports;
        let probes: Vec<_> = last.clone().map(|_| send(&mut host, 0, now)).collect();
        for probe in probes {
            host.waits_no_longer();
            host.silent(probe, now);
        }
        now += MILLISECOND * 100;
        assert!(refused(&mut host, now).is_control);
        last.for_each(|port| silent(&mut host, port, now));
        let believed = settle(&mut host, now);
        assert!(believed.is_empty() || host.is_finished(), "all of them or none");
        believed.is_empty()
    };
    assert_eq!([asked_again(30, 3), asked_again(30, 4)], [true, false]);
}

#[test]
fn what_waits_to_be_believed_is_bounded() {
    let mut host = host("1-65535");
    let now = Instant::now();
    let mut believed = 0;
    while let Some(probe) = host.next_probe() {
        host.silent(Probe { attempt: 1, ..probe }, now);
        believed += settle(&mut host, now).len();
        assert!(host.held.len() + host.doubted.len() <= HELD_MAX);
    }
    assert_eq!(believed, 65_535);
}

#[test]
fn a_lasting_local_failure_is_reported_and_does_not_hold_up_every_port() {
    let mut host = host("1-3");
    let mut now = Instant::now();
    let mut failures = 0;
    let mut reported = Vec::new();
    while !host.is_finished() {
        match host.turn(now) {
            Turn::At(at) => now = at,
            Turn::Now => {
                let probe = host.next_probe().unwrap();
                failures += 1;
                reported.extend(host.not_sent(probe, NotProbed::NoLocalAddress, now));
            }
            Turn::AfterAnswer => panic!("there are ports left"),
        }
    }
    assert_eq!(reported, [NotProbed::NoLocalAddress; 3]);
    assert_eq!(failures, 1 + 5 + 2);
}

#[test]
fn a_port_on_which_only_we_meet_is_closed() {
    let mut host = host("40000");
    let mut probe = host.next_probe().unwrap();
    while host.met_ourselves(probe).is_none() {
        probe = host.next_probe().unwrap();
    }
    assert_eq!((probe.meetings, host.is_finished()), (4, true));
}
