//! A step of a read merges little, however much was found: few objects, and fewer of those that make many rows.

use serde_json::json;

use super::Listener;
use super::drift::{group, network, port, rule};
use super::steps::{rule_of, server};
use crate::engine::{HELD_MAX, MERGED_MAX, ROWS_AS_ONE, ROWS_MAX};
use crate::event::{Kind, Object};

/// Beyond what is held the first are merged on the way, no more than a page brings and at least a step's worth.
#[test]
fn what_is_held_and_what_a_step_merges_is_bounded() {
    let mut listener = Listener::with_one_port();
    let many = 2 * HELD_MAX;
    let servers: Vec<Object> = (0..many).map(|number| server(number, 1, &[])).collect();
    let one = [network(), group(), rule("r1", 22), port("p1", 1, &json!({}))];
    let steps = listener.in_steps(2, 1_000, &[&one[..], &servers].concat());
    assert_eq!(steps.parts.iter().map(|part| part.objects.len()).sum::<usize>(), many);
    assert!(steps.parts.iter().all(|part| part.objects.len() <= 100), "a page has no more");
    // And all of them gone again.
    let steps = listener.in_steps(3, 2_000, &one);
    assert_eq!(steps.parts.iter().map(|part| part.gone.len()).sum::<usize>(), many);
    assert!(steps.parts.iter().all(|part| part.gone.len() <= MERGED_MAX));
    assert_eq!(listener.engine.clouds().map(|cloud| cloud.count(Kind::Port)).sum::<usize>(), 1);
}

/// A step has fewer of those that open many rows.
#[test]
fn a_step_is_bounded_by_rows_too() {
    let many = 3 * ROWS_AS_ONE;
    let stays: Vec<Object> =
        [network(), group()].into_iter().chain((0..many).map(|number| server(number, 1, &["g"]))).collect();
    let mut listener = Listener::new();
    listener.in_steps(1, 0, &stays);
    let rules = (0..MERGED_MAX / 2).map(|number| rule_of("g", &format!("r{number}"), 1000 + number));
    let mut steps = listener.in_steps(2, 1_000, &stays.iter().cloned().chain(rules).collect::<Vec<_>>());
    steps.parts.append(&mut listener.in_steps(3, 2_000, &stays).parts);
    let sizes: Vec<usize> = steps.parts.iter().map(|part| part.objects.len() + part.gone.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), MERGED_MAX);
    assert_eq!(sizes.iter().max(), Some(&(MERGED_MAX / 4)), "each counts as four: {sizes:?}");
    let rows = |part: &usize| part * many;
    assert!(sizes.iter().map(rows).all(|rows| rows <= ROWS_MAX), "{sizes:?}");
}
