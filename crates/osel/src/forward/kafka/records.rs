//! A batch of records in the form that Kafka keeps (version 2).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::wire::Output;
use crate::config::KafkaCompression;
use crate::forward::receiver::Item;

/// The version of the form.
const MAGIC: i8 = 2;
/// No transaction, no producer with a number, no place in the log yet.
const NONE: i8 = -1;
/// How much effort is put into packing: the libraries' own middle.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;
/// The numbers of the ways to pack, as the attributes of a batch have them.
const GZIP: i16 = 1;
const ZSTD: i16 = 4;

/// A record's item and its key.
pub(super) struct Keyed<'a> {
    pub(super) item: &'a Item,
    pub(super) key: Option<String>,
}

/// The batch of some items, at least one.
pub(super) fn batch(items: &[&Keyed<'_>], compression: KafkaCompression) -> Vec<u8> {
    let millis = |item: &Item| item.time.micros().div_euclid(1000);
    let first = items.first().map_or(0, |first| millis(first.item));
    let last = items.iter().map(|keyed| millis(keyed.item)).max().unwrap_or(first);
    let mut records = Vec::new();
    let mut record = Vec::new();
    for (keyed, offset) in items.iter().zip(0_i64..) {
        record.clear();
        write(&mut record, keyed, millis(keyed.item) - first, offset);
        records.varbytes(Some(&record));
    }
    let (attributes, records) = packed(records, compression);

    // What the checksum is over.
    let mut body = Vec::with_capacity(records.len() + 40);
    body.int16(attributes);
    body.int32(i32::try_from(items.len()).unwrap_or(i32::MAX) - 1);
    body.int64(first);
    body.int64(last);
    body.int64(NONE.into());
    body.int16(NONE.into());
    body.int32(NONE.into());
    body.count(items.len());
    body.extend_from_slice(&records);

    let mut rest = Vec::with_capacity(body.len() + 9);
    rest.int32(NONE.into());
    rest.int8(MAGIC);
    rest.extend(crc32c::crc32c(&body).to_be_bytes());
    rest.extend_from_slice(&body);
    let mut batch = Vec::with_capacity(rest.len() + 12);
    batch.int64(0);
    batch.bytes(&rest);
    batch
}

fn write(record: &mut Vec<u8>, keyed: &Keyed<'_>, millis: i64, offset: i64) {
    let Keyed { item, key } = keyed;
    record.int8(0);
    record.varint(millis);
    record.varint(offset);
    record.varbytes(key.as_ref().map(String::as_bytes));
    record.varbytes(Some(&item.line));
    let seq = item.seq.to_string();
    let headers = [
        ("osel_id", Some(item.id.as_str())),
        ("osel_seq", Some(&seq)),
        ("osel_kind", Some(item.kind.as_str())),
        ("osel_severity", Some(item.severity.as_str())),
        ("osel_event_type", item.event_type.as_deref()),
    ];
    let given: Vec<(&str, &str)> =
        headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    record.varint(i64::try_from(given.len()).unwrap_or(0));
    for (name, value) in given {
        record.varbytes(Some(name.as_bytes()));
        record.varbytes(Some(value.as_bytes()));
    }
}

/// Packed, with the attribute that says how; as they are where packing fails, which has no reason to in memory.
fn packed(records: Vec<u8>, compression: KafkaCompression) -> (i16, Vec<u8>) {
    let packed = match compression {
        KafkaCompression::None => None,
        KafkaCompression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
            let packed = encoder.write_all(&records).and_then(|()| encoder.finish());
            packed.ok().map(|packed| (GZIP, packed))
        }
        KafkaCompression::Zstd => {
            zstd::stream::encode_all(&*records, ZSTD_LEVEL).ok().map(|packed| (ZSTD, packed))
        }
    };
    packed.unwrap_or((0, records))
}
