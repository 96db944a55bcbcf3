//! The four requests of a producer, each in one version, and their answers.

use super::wire::{Input, Malformed, Output};

/// A request's key and version, by which the other side knows what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Api {
    key: i16,
    version: i16,
}

/// Since Kafka 2.4; it tells which record of a batch is to blame.
pub(super) const PRODUCE: Api = Api { key: 0, version: 8 };
/// Since Kafka 1.0; topics are not made by asking for them.
pub(super) const METADATA: Api = Api { key: 3, version: 4 };
pub(super) const SASL_HANDSHAKE: Api = Api { key: 17, version: 1 };
pub(super) const SASL_AUTHENTICATE: Api = Api { key: 36, version: 0 };

/// What we are called in the broker's log.
const CLIENT_ID: &str = "osel";
/// All replicas that are in step have a record before it is confirmed.
const ACKS_ALL: i16 = -1;

/// The head of a request.
pub(super) fn head(api: Api, correlation: i32) -> Vec<u8> {
    let mut request = Vec::new();
    request.int16(api.key);
    request.int16(api.version);
    request.int32(correlation);
    request.text(CLIENT_ID);
    request
}

/// Asks for the brokers, and for who leads the partitions of a topic.
pub(super) fn metadata(topic: &str) -> Vec<u8> {
    let mut request = Vec::new();
    request.count(1);
    request.text(topic);
    // Nobody has it made by asking.
    request.int8(0);
    request
}

/// Brokers, and a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) brokers: Vec<Broker>,
    /// Why there is nothing to be told of the topic, or 0.
    pub(super) error: i16,
    pub(super) partitions: Vec<Led>,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broker {
    pub(super) id: i32,
    pub(super) host: String,
    pub(super) port: i32,
}

/// A partition, and the broker that leads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Led {
    pub(super) partition: i32,
    pub(super) leader: i32,
}

pub(super) fn metadata_of(answer: &[u8], topic: &str) -> Result<Metadata, Malformed> {
    let mut input = Input::new(answer);
    input.int32()?;
    let brokers = input.list(|input| {
        let broker =
            Broker { id: input.int32()?, host: input.text()?.unwrap_or_default(), port: input.int32()? };
        input.text()?;
        Ok(broker)
    })?;
    input.text()?;
    input.int32()?;
    let topics = input.list(|input| {
        let error = input.int16()?;
        let name = input.text()?;
        input.boolean()?;
        let partitions = input.list(|input| {
            // Of one whose replicas are not all there, or that has no leader: the leader tells.
            input.int16()?;
            let led = Led { partition: input.int32()?, leader: input.int32()? };
            input.list(Input::int32)?;
            input.list(Input::int32)?;
            Ok(led)
        })?;
        Ok((name, error, partitions))
    })?;
    let (_, error, partitions) =
        topics.into_iter().find(|(name, ..)| name.as_deref() == Some(topic)).ok_or(Malformed)?;
    Ok(Metadata { brokers, error, partitions })
}

/// Hands batches over, one for each partition; the broker may take so long until its replicas have them.
pub(super) fn produce(topic: &str, timeout_millis: i32, batches: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let mut request = Vec::new();
    // No transaction.
    request.int16(-1);
    request.int16(ACKS_ALL);
    request.int32(timeout_millis);
    request.count(1);
    request.text(topic);
    request.count(batches.len());
    for (partition, batch) in batches {
        request.int32(*partition);
        request.bytes(batch);
    }
    request
}

/// What a broker says of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Produced {
    pub(super) partition: i32,
    /// 0 when it was taken.
    pub(super) error: i16,
    /// The places of records in the batch that are to blame, each with why, as far as that is told.
    pub(super) blamed: Vec<(i32, Option<String>)>,
    pub(super) words: Option<String>,
}

pub(super) fn produced_of(answer: &[u8]) -> Result<Vec<Produced>, Malformed> {
    let mut input = Input::new(answer);
    let topics = input.list(|input| {
        input.text()?;
        input.list(|input| {
            let (partition, error) = (input.int32()?, input.int16()?);
            for _ in ["base offset", "append time", "start offset"] {
                input.int64()?;
            }
            let blamed = input.list(|input| Ok((input.int32()?, input.text()?)))?;
            Ok(Produced { partition, error, blamed, words: input.text()? })
        })
    })?;
    Ok(topics.into_iter().flatten().collect())
}

/// Asks to log in by a mechanism.
pub(super) fn handshake(mechanism: &str) -> Vec<u8> {
    let mut request = Vec::new();
    request.text(mechanism);
    request
}

/// An error, or 0, and the mechanisms that there are.
pub(super) fn handshake_of(answer: &[u8]) -> Result<(i16, Vec<String>), Malformed> {
    let mut input = Input::new(answer);
    let error = input.int16()?;
    Ok((error, input.list(Input::text)?.into_iter().flatten().collect()))
}

/// Says the next word of a mechanism.
pub(super) fn authenticate(word: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.bytes(word);
    request
}

/// An error, or 0, with its words, and the answering word.
pub(super) fn authenticate_of(answer: &[u8]) -> Result<(i16, Option<String>, &[u8]), Malformed> {
    let mut input = Input::new(answer);
    Ok((input.int16()?, input.text()?, input.bytes()?))
}
