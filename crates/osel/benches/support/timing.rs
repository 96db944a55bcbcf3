//! How long something took, by the clock and in processor time.

#![allow(dead_code, reason = "each benchmark uses what it needs")]

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the system counts processor time in: on Linux a hundredth of a second, whatever the machine.
const TICK: Duration = Duration::from_millis(10);

/// Time that something took.
pub struct Taken {
    /// By the clock on the wall.
    pub wall: Duration,
    /// Of all threads, user and system.
    pub processor: Duration,
}

impl Taken {
    /// Microseconds of processor time a message.
    pub fn cost(&self, messages: u64) -> f64 {
        self.processor.as_secs_f64() * 1e6 / messages as f64
    }

    pub fn line(&self, messages: u64) -> String {
        let rate = messages as f64 / self.wall.as_secs_f64();
        format!("{rate:>9.0} messages/s  {:>6.2} µs of processor time a message", self.cost(messages))
    }
}

/// Does something, and says how long it and the processes that it waited for took.
pub fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<(Taken, T)> {
    let (start, before) = (Instant::now(), processor_time()?);
    let value = run()?;
    Ok((Taken { wall: start.elapsed(), processor: processor_time()?.saturating_sub(before) }, value))
}

/// User and system time of this process and of those it waited for.
pub fn processor_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which stands in brackets, from the third field: the 14th to the 17th are these times.
    let fields = stat.rsplit_once(')').ok_or("`/proc/self/stat` has no name")?.1.split_whitespace();
    let ticks: Vec<u32> = fields.skip(11).take(4).map(str::parse).collect::<std::result::Result<_, _>>()?;
    Ok(TICK * ticks.iter().sum::<u32>())
}
