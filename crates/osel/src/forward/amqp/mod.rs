//! The receiver `amqp`: an exchange of a broker, such as RabbitMQ.
//!
//! `message` makes a message of a record, `link` connects and sees to the exchange, `handover` publishes and hears what the broker confirms,
//! `receiver` is what is asked. A record counts as delivered once the broker has confirmed it, which it does when every queue that it was
//! routed to has it; with `unroutable = "refuse"` that is one queue at least.

mod fault;
mod handover;
mod link;
mod message;
mod receiver;

pub use receiver::AmqpReceiver;
