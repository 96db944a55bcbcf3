//! What a seed decides before anything happens.

use osel_core::model::ModelOptions;

use crate::cloud::{CloudOptions, Release};
use crate::random::Random;
use crate::schedule::{Reorder, Schedule};

/// The fewest and the most steps of a cloud when nobody says how many: most mistakes show within few, and few are
/// quickly looked through.
const STEPS: (u64, u64) = (10, 90);

/// Everything that is decided by chance before the cloud is switched on.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) steps: usize,
    pub(super) cloud: CloudOptions,
    pub(super) region: Option<&'static str>,
    /// The API was read before the first message; else everything is learnt from the bus.
    pub(super) starts_with_inventory: bool,
    /// After which step the API is read once more, to be told some time later.
    pub(super) read_after: Option<usize>,
    /// Whether messages come between the pages of that read.
    pub(super) read_is_spread: bool,
    /// Whether that read comes to its end.
    pub(super) read_breaks_off: bool,
    /// Whether the process is killed in its middle, and another one reads anew.
    pub(super) read_is_killed: bool,
    /// Whether the API answers for single objects, by how the cloud is then.
    pub(super) looks: bool,
    pub(super) schedule: Schedule,
    /// For how many seconds nothing is received at first: what was sent meanwhile comes all at once then.
    pub(super) away_seconds: i64,
    /// How many in a hundred messages come only after the last read of the API.
    pub(super) hold_back_percent: u64,
    /// Whether bodies cut short and forged copies come in between.
    pub(super) noise: bool,
    /// Whether what is opened is scanned.
    pub(super) scans: bool,
    pub(super) model: ModelOptions,
}

impl Plan {
    pub(super) fn new(seed: u64, steps: Option<u64>, random: &mut Random) -> Self {
        // Of its own, so that what earlier seeds decided stays.
        let mut chance = Random::new(seed ^ 0x4EAD);
        let release = random.pick(&Release::ALL).copied().unwrap_or(Release::TwentyTwentySix);
        let cloud = CloudOptions {
            release,
            seed,
            projects: random.between(1, 3) as usize,
            silent: random.percent(50),
            racing: random.percent(30),
        };
        let usual = random.between(STEPS.0, STEPS.1);
        let steps = usize::try_from(steps.unwrap_or(usual)).unwrap_or(usize::MAX);
        let reorder = match random.below(4) {
            0 | 1 => Reorder::Keep,
            2 => Reorder::Within(random.between(2, 12) as usize),
            _ => Reorder::Totally,
        };
        let schedule = Schedule {
            seed: random.bits(),
            duplicate_percent: if random.percent(50) { random.between(5, 60) } else { 0 },
            reorder,
            delay_milliseconds: if random.percent(70) { 50 } else { 5000 },
            drop_percent: if random.percent(25) { random.between(1, 30) } else { 0 },
        };
        Self {
            seed,
            steps,
            cloud,
            region: random.percent(30).then_some("north"),
            starts_with_inventory: random.percent(75),
            read_after: random.percent(50).then(|| random.index(steps + 1)),
            schedule,
            away_seconds: if random.percent(20) { random.between(5, 600).cast_signed() } else { 0 },
            hold_back_percent: if random.percent(25) { random.between(1, 50) } else { 0 },
            noise: random.percent(25),
            scans: random.percent(60),
            read_is_spread: random.percent(60),
            read_breaks_off: random.percent(25),
            read_is_killed: chance.percent(30),
            looks: chance.percent(40),
            model: ModelOptions {
                group_members_include_pairs: random.percent(70),
                routed_prefixes: if random.percent(30) {
                    ["10.0.0.0/23", "fd00:10:1::/64"].iter().filter_map(|text| text.parse().ok()).collect()
                } else {
                    Vec::new()
                },
            },
        }
    }

    /// Whether messages come in the order of sending, or nearly so.
    pub(super) fn keeps_order(&self) -> bool {
        self.schedule.reorder != Reorder::Totally
    }

    /// Whether every message comes.
    pub(super) fn loses_nothing(&self) -> bool {
        self.schedule.drop_percent == 0
    }

    /// Whether the bus tells all there is to tell: nothing happens in silence, and what was there before is known.
    pub(super) fn tells_everything(&self) -> bool {
        self.loses_nothing() && !self.cloud.silent && self.starts_with_inventory
    }
}
