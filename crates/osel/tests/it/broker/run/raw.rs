//! A publisher that sends AMQP byte by byte: what no well-behaved library would let out.

use std::io::{Read, Write};
use std::net::TcpStream;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xce;
/// RabbitMQ's own limit for a frame, its ends included.
const FRAME_BYTES_MAX: usize = 131_072;
const BASIC: u16 = 60;

/// A connection with one channel, in confirm mode.
pub struct Raw(TcpStream);

/// A short string: bytes with their number before them.
pub fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

/// Bytes with their number before them, as tables, arrays and long strings have it.
pub fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

impl Raw {
    /// Logs in and opens a channel.
    pub fn connect(port: u16, user: &str, password: &str) -> Self {
        let mut raw = Self(TcpStream::connect(("127.0.0.1", port)).unwrap());
        raw.0.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
        raw.expect([10, 10]);
        let login = format!("\0{user}\0{password}");
        let start_ok = [long(b""), short(b"PLAIN"), long(login.as_bytes()), short(b"en_US")].concat();
        raw.method(0, [10, 11], &start_ok);
        raw.expect([10, 30]);
        let frame_max = u32::try_from(FRAME_BYTES_MAX).unwrap().to_be_bytes();
        raw.method(0, [10, 31], &[&[0, 10], &frame_max[..], &[0, 0]].concat());
        raw.method(0, [10, 40], &[short(b"/"), short(b""), vec![0]].concat());
        raw.expect([10, 41]);
        raw.method(1, [20, 10], &short(b""));
        raw.expect([20, 11]);
        raw.method(1, [85, 10], &[0]);
        raw.expect([85, 11]);
        raw
    }

    /// Publishes and waits for the confirm. `properties` are the flags and what they announce.
    pub fn publish(&mut self, exchange: &str, routing_key: &[u8], properties: &[u8], body: &[u8]) {
        let publish = [vec![0, 0], short(exchange.as_bytes()), short(routing_key), vec![0]].concat();
        self.method(1, [BASIC, 40], &publish);
        let size = (body.len() as u64).to_be_bytes();
        let header = [&BASIC.to_be_bytes()[..], &[0, 0], &size, properties].concat();
        self.frame(HEADER, 1, &header);
        for part in body.chunks(FRAME_BYTES_MAX - 8) {
            self.frame(BODY, 1, part);
        }
        self.expect([BASIC, 80]);
    }

    fn method(&mut self, channel: u16, [class, method]: [u16; 2], arguments: &[u8]) {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.frame(METHOD, channel, &payload);
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let frame = [&[kind], &channel.to_be_bytes()[..], &long(payload), &[FRAME_END]].concat();
        self.0.write_all(&frame).unwrap();
    }

    /// Reads frames up to the next method, which must be this one.
    fn expect(&mut self, [class, method]: [u16; 2]) {
        loop {
            let mut start = [0; 7];
            self.0.read_exact(&mut start).unwrap();
            let [kind, _, _, length @ ..] = start;
            let mut rest = vec![0; u32::from_be_bytes(length) as usize + 1];
            self.0.read_exact(&mut rest).unwrap();
            if kind == METHOD {
                let wanted = [class.to_be_bytes(), method.to_be_bytes()].concat();
                assert_eq!(rest[..4], wanted, "{}", String::from_utf8_lossy(&rest));
                return;
            }
        }
    }
}
