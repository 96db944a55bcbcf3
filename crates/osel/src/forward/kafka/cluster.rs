//! Who leads the partitions of the topic, and the connections to those brokers.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use osel_core::forward::RefusalKind;
use tokio::time::Instant;

use super::connection::{Connection, place};
use super::fault::KafkaFault;
use super::messages::{self, METADATA, Metadata, PRODUCE, Produced};
use super::wire::Malformed;
use crate::config::KafkaConfig;

/// How long what was read of the topic holds, unless a broker says otherwise: partitions may be added.
const TOPIC_TIME: Duration = Duration::from_secs(300);
/// How long a broker may wait for its replicas.
const REPLICA_MILLIS: i32 = 30_000;
/// What UNKNOWN_TOPIC_OR_PARTITION is when the topic is asked for.
const UNKNOWN_TOPIC: i16 = 3;

/// The cluster as it was read last.
pub(super) struct Cluster {
    /// The leader of each partition, by its number; none for one without a leader.
    leaders: Vec<Option<i32>>,
    brokers: BTreeMap<i32, (String, u16)>,
    connections: BTreeMap<i32, Connection>,
    read_at: Instant,
}

impl Cluster {
    /// Asks the brokers that are configured, one after the other from `at` on, until one answers.
    pub(super) async fn read(config: &KafkaConfig, at: &mut usize) -> Result<Self, KafkaFault> {
        let mut fault: Option<KafkaFault> = None;
        for _ in &config.brokers {
            let Some((host, port)) =
                at.checked_rem(config.brokers.len()).and_then(|at| config.brokers.get(at))
            else {
                break;
            };
            match Self::read_from(config, host, *port).await {
                Ok(cluster) => return Ok(cluster),
                // What somebody has to act on is not hidden by another broker that is away.
                Err(told) if fault.as_ref().is_none_or(|known| known.kind != RefusalKind::Denied) => {
                    fault = Some(told);
                }
                Err(_) => {}
            }
            *at = at.wrapping_add(1);
        }
        Err(fault.unwrap_or_else(|| KafkaFault::new(RefusalKind::Denied, "no broker is configured")))
    }

    async fn read_from(config: &KafkaConfig, host: &str, port: u16) -> Result<Self, KafkaFault> {
        let mut connection = Connection::open(config, host, port).await?;
        let answer = connection.ask(METADATA, &messages::metadata(&config.topic)).await?;
        let metadata = messages::metadata_of(&answer, &config.topic);
        let metadata = metadata.map_err(|error| connection.malformed(error))?;
        let tried = format!("topic `{}` at `{}`", config.topic, place(host, port));
        match metadata.error {
            0 => {}
            UNKNOWN_TOPIC => {
                let words = format!("{tried} is not there: make it, or allow us to see it (Describe)");
                return Err(KafkaFault::new(RefusalKind::Denied, words));
            }
            code => return Err(KafkaFault::of_code(&tried, code, None)),
        }
        Self::of(&metadata).map_err(|error| connection.malformed(error))
    }

    fn of(metadata: &Metadata) -> Result<Self, Malformed> {
        let broker = |broker: &messages::Broker| {
            let port = u16::try_from(broker.port).map_err(|_| Malformed)?;
            Ok((broker.id, (broker.host.clone(), port)))
        };
        let brokers: BTreeMap<i32, (String, u16)> =
            metadata.brokers.iter().map(broker).collect::<Result<_, _>>()?;
        let mut leaders = vec![None; metadata.partitions.len()];
        for led in &metadata.partitions {
            let slot = usize::try_from(led.partition).ok().and_then(|number| leaders.get_mut(number));
            *slot.ok_or(Malformed)? = Some(led.leader).filter(|leader| brokers.contains_key(leader));
        }
        if leaders.is_empty() {
            return Err(Malformed);
        }
        Ok(Self { leaders, brokers, connections: BTreeMap::new(), read_at: Instant::now() })
    }

    /// Whether it is to be read anew.
    pub(super) fn is_old(&self) -> bool {
        self.read_at.elapsed() >= TOPIC_TIME
    }

    /// How many partitions the topic has; at least one.
    pub(super) fn partitions(&self) -> usize {
        self.leaders.len()
    }

    /// The leader of a partition.
    pub(super) fn leader(&self, partition: usize) -> Option<i32> {
        self.leaders.get(partition).copied().flatten()
    }

    /// The partition that has its turn, of those with a leader.
    pub(super) fn turn(&self, turn: usize) -> usize {
        let led: Vec<usize> = (0..self.leaders.len()).filter(|at| self.leader(*at).is_some()).collect();
        turn.checked_rem(led.len()).and_then(|at| led.get(at)).copied().unwrap_or(0)
    }

    /// Hands batches to the leader of their partitions.
    pub(super) async fn produce(
        &mut self,
        config: &KafkaConfig,
        leader: i32,
        batches: &[(i32, Vec<u8>)],
    ) -> Result<Vec<Produced>, KafkaFault> {
        let connection = match self.connections.entry(leader) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(missing) => {
                let unknown =
                    || KafkaFault::new(RefusalKind::Unavailable, "the leader of a partition is away");
                let (host, port) = self.brokers.get(&leader).ok_or_else(unknown)?;
                missing.insert(Connection::open(config, host, *port).await?)
            }
        };
        let request = messages::produce(&config.topic, REPLICA_MILLIS, batches);
        let answer = connection.ask(PRODUCE, &request).await?;
        messages::produced_of(&answer).map_err(|error| connection.malformed(error))
    }
}
