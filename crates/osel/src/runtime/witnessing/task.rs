//! The task of one witness.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use osel_core::trail::log::{Checkpoint, KeyName};
use osel_core::witness::{
    AddCheckpoint, Alarm, ClientInput, ClientOrder, Common, Reply, Shown, WitnessClient, WitnessLine,
};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout_at};

use super::super::log::{Held, consistency, held};
use super::{WitnessEvent, WitnessSettings, WitnessStatus, say};
use crate::config::WitnessConfig;
use crate::store::{Reader, WitnessedRow};
use crate::telemetry::chain;
use crate::witness::{Asked, ask, last_signed};

/// How often is looked for a newer checkpoint: one is signed each second.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells the loop.
pub type Tell = Arc<dyn Fn(WitnessEvent) + Send + Sync>;

/// Which checkpoint all witnesses are asked about.
pub type Shared = Arc<Mutex<Common>>;

/// A witness being asked.
pub struct Watch {
    settings: WitnessSettings,
    client: WitnessClient,
    common: Shared,
    /// None before the first look, and after one that failed.
    reader: Option<Box<dyn Reader>>,
    /// What it told last.
    told: Option<WitnessStatus>,
    /// Until when its answers are waited for; none for as long as questions to it may take.
    until: Option<Instant>,
}

/// Asks all of them at once what they have seen, before anything new is taken, and gives them back to go on, with the first alarm if there is
/// one. A witness that has not answered by then is not waited for. Our own store is: what a witness has shown in time is held against it, however long it takes
/// to read, since nothing may be taken on a log that was written anew.
pub async fn first_look(
    watches: Vec<Watch>,
    time: Duration,
    tell: &Tell,
) -> (Vec<Watch>, Option<WitnessEvent>) {
    let until = Instant::now() + time;
    let mut looks = JoinSet::new();
    for mut watch in watches {
        let tell = Arc::clone(tell);
        looks.spawn(async move {
            watch.until = Some(until);
            let alarm = watch.turn(&tell).await;
            watch.until = None;
            (watch, alarm)
        });
    }
    let (mut watches, mut first) = (Vec::new(), None);
    for (watch, alarm) in looks.join_all().await {
        let alarm = alarm.map(|alarm| WitnessEvent::Alarm(watch.settings.config.key.clone(), alarm));
        first = first.or(alarm);
        watches.push(watch);
    }
    (watches, first)
}

impl Watch {
    /// A witness of which the store remembers what it cosigned last.
    pub fn new(settings: WitnessSettings, remembered: &[WitnessedRow], common: Shared) -> Self {
        let key = settings.config.key.to_string();
        let sizes = remembered.iter().filter(|row| row.witness == key).map(|row| row.size);
        let client = WitnessClient::new(sizes.max().unwrap_or(0));
        Self { client, settings, common, reader: None, told: None, until: None }
    }

    /// Asks again and again, until there is an alarm.
    pub async fn run(mut self, tell: Tell) {
        loop {
            if let Some(alarm) = self.turn(&tell).await {
                tell(WitnessEvent::Alarm(self.settings.config.key.clone(), alarm));
                return;
            }
            let now = (self.settings.clock)();
            let wake = self.client.wake_at().map(|at| at.micros().saturating_sub(now.micros()));
            let wait =
                wake.map_or(LOOK_EVERY, |wait| Duration::from_micros(u64::try_from(wait).unwrap_or(0)));
            sleep(wait.clamp(LOOK_EVERY / 10, LOOK_EVERY)).await;
        }
    }

    /// Looks for a newer checkpoint and does what the state machine orders then.
    async fn turn(&mut self, tell: &Tell) -> Option<Alarm> {
        // What cannot be read now is looked for at the next turn; the loop says what is wrong with the store.
        let input = match self.read(newest).await {
            Ok(Some(size)) => self.newest(size),
            Ok(None) | Err(_) => ClientInput::Tick,
        };
        let mut inputs = VecDeque::from([input]);
        while let Some(what) = inputs.pop_front() {
            for order in self.step(what) {
                match order {
                    ClientOrder::Alarm(alarm) => return Some(alarm),
                    ClientOrder::Log(line) => self.say(&line),
                    ClientOrder::Prove => {
                        let shown = self.shown().await.unwrap_or_else(Shown::Nothing);
                        inputs.push_back(ClientInput::Shown(shown));
                    }
                    ClientOrder::Ask { old, size } => {
                        let reply = self.ask(old, size, tell).await;
                        // It is held against the log as it is now: another leader may have shown it more meanwhile.
                        if matches!(reply, Reply::Conflict(_))
                            && let Ok(Some(size)) = self.read(newest).await
                        {
                            inputs.push_back(self.newest(size));
                        }
                        inputs.push_back(ClientInput::Answered(reply));
                    }
                }
            }
        }
        self.tell_status(tell);
        None
    }

    fn newest(&self, size: u64) -> ClientInput {
        let common =
            self.common.lock().unwrap_or_else(PoisonError::into_inner).of(size, (self.settings.clock)());
        ClientInput::Newest { size, common }
    }

    async fn ask(&mut self, old: u64, size: u64, tell: &Tell) -> Reply {
        let request = match self.read(move |reader| request(reader, old, size)).await {
            Ok(request) => request,
            Err(why) => return Reply::Unproved(why),
        };
        let config = self.config_now().await;
        let asked = in_time(self.until, ask(&config, &request)).await;
        let Asked { reply, note } = asked.unwrap_or_else(|words| Reply::Unavailable(words).into());
        if let Some(note) = note {
            let (witness, at) = (config.key.to_string(), (self.settings.clock)());
            tell(WitnessEvent::Cosigned(WitnessedRow { witness, size, note, at }));
        }
        reply
    }

    /// What it shows as the last that it has cosigned, held against the log.
    async fn shown(&mut self) -> Result<Shown, String> {
        let origin = self.read(origin).await?;
        let config = self.config_now().await;
        let signed = in_time(self.until, last_signed(&config, &origin)).await??;
        self.read(move |reader| {
            let size = signed.size;
            if newest(reader)?.is_none_or(|ours| ours < size) {
                return Ok(Shown::Larger(size));
            }
            Ok(match held(reader, size, signed.root).map_err(|error| chain(&error))? {
                Held::Same => Shown::Ours(size),
                Held::NodesDamaged => Shown::Damaged(size),
                Held::Other => Shown::Other(size),
            })
        })
        .await
    }

    /// It reads files.
    async fn config_now(&mut self) -> WitnessConfig {
        let now = Arc::clone(&self.settings.now);
        let config = spawn_blocking(move || now()).await.ok().flatten();
        config.unwrap_or_else(|| self.settings.config.clone())
    }

    fn say(&self, line: &WitnessLine) {
        say::line(self.settings.config.key.name(), line, &self.client.status().words);
    }

    fn step(&mut self, what: ClientInput) -> Vec<ClientOrder> {
        let mut chance = [0; 8];
        // Without chance all wait the longest.
        let chance = match getrandom::fill(&mut chance) {
            Ok(()) => u64::from_ne_bytes(chance),
            Err(_) => u64::MAX,
        };
        let mut out = Vec::new();
        self.client.step((self.settings.clock)(), chance, what, &mut out);
        out
    }

    fn tell_status(&mut self, tell: &Tell) {
        let status = WitnessStatus { key: self.settings.config.key.clone(), client: self.client.status() };
        if self.told.as_ref() != Some(&status) {
            self.told = Some(status.clone());
            tell(WitnessEvent::Status(status));
        }
    }

    /// Reads the store where waiting for a disk holds up nobody else.
    async fn read<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let (kept, open) = (self.reader.take(), Arc::clone(&self.settings.open));
        let done = spawn_blocking(move || {
            let mut reader = kept.map_or_else(|| open(), Ok).map_err(|error| chain(&error))?;
            let read = read(&mut *reader)?;
            Ok::<_, String>((reader, read))
        });
        let (reader, read) = done.await.map_err(|error| error.to_string())??;
        self.reader = Some(reader);
        Ok(read)
    }
}

/// What a witness answers, if it does so while it is waited for.
async fn in_time<T>(until: Option<Instant>, answer: impl Future<Output = T>) -> Result<T, String> {
    match until {
        Some(until) => timeout_at(until, answer).await.map_err(|_| "it has not answered in time".to_owned()),
        None => Ok(answer.await),
    }
}

/// The size of the last checkpoint.
fn newest(reader: &mut dyn Reader) -> Result<Option<u64>, String> {
    let signed = reader.checkpoint(None).map_err(|error| chain(&error))?;
    Ok(signed.map(|signed| signed.size))
}

/// The log's name, as its last checkpoint has it.
fn origin(reader: &mut dyn Reader) -> Result<KeyName, String> {
    let signed = reader.checkpoint(None).map_err(|error| chain(&error))?;
    let signed = signed.ok_or("the checkpoint is not there any more")?;
    let checkpoint = Checkpoint::read_unverified(signed.note.as_bytes()).map_err(|error| chain(&error))?;
    Ok(checkpoint.origin)
}

/// The question, as the store has it.
fn request(reader: &mut dyn Reader, old: u64, size: u64) -> Result<AddCheckpoint, String> {
    let signed = reader.checkpoint(Some(size)).map_err(|error| chain(&error))?;
    let signed = signed.filter(|signed| signed.size == size).ok_or("the checkpoint is not there any more")?;
    let proof = consistency(reader, old, size).map_err(|error| chain(&error))?.path;
    Ok(AddCheckpoint { old, proof, note: signed.note })
}
