//! The receiver `kafka`: a topic of Apache Kafka, or of another system that speaks its protocol.
//!
//! `connection` is one connection to one broker, `login` and `scram` say who we are, `messages` are the four requests that a producer needs
//! over the bytes of `wire`, `records` writes a batch, `partition` says where a record goes, `cluster` finds who leads there, and `receiver`
//! is what is asked. What the codes of an answer mean stands in `fault`.
//!
//! The protocol is spoken here and not by a library: those there are either allocate by whatever length an answer has in it, so that
//! anybody who answers could end the process, or send again by themselves, which is decided in the core. It is spoken in versions that
//! every broker since Kafka 2.4 knows. One request at a time is on its way to a partition, which keeps the order; so no producer has to be
//! told from another (`enable.idempotence`), and what a lost answer leaves open is told by a record's id.

mod cluster;
mod connection;
mod fault;
mod login;
mod messages;
mod partition;
mod receiver;
mod records;
mod scram;
mod wire;

pub use receiver::KafkaReceiver;
