//! Lines as a table of Parquet: what every record has stands in columns, and the line beside them.

use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::config::ObjectCompression;
use crate::forward::receiver::Item;

/// The columns, in the order in which [`table`] writes them.
const SCHEMA: &str = "message record {
    required binary id (STRING);
    required int64 seq;
    required int64 time (TIMESTAMP(MICROS,true));
    required int64 recorded_at (TIMESTAMP(MICROS,true));
    required binary kind (STRING);
    required binary severity (STRING);
    optional binary event_type (STRING);
    required binary record (STRING);
}";

/// The table of these lines, as one group of rows.
///
/// # Errors
/// When the writer refuses, which memory does not give it a reason for.
pub(super) fn table(lines: &[Item], compression: ObjectCompression) -> io::Result<Vec<u8>> {
    written(lines, compression).map_err(io::Error::other)
}

fn written(lines: &[Item], compression: ObjectCompression) -> Result<Vec<u8>, ParquetError> {
    let compression = match compression {
        ObjectCompression::None => Compression::UNCOMPRESSED,
        ObjectCompression::Gzip | ObjectCompression::Zstd => Compression::GZIP(GzipLevel::default()),
    };
    let properties = WriterProperties::builder().set_compression(compression).build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut rows = file.next_row_group()?;
    texts(&mut rows, lines, |item| Some(item.id.as_bytes()), false)?;
    numbers(&mut rows, lines, |item| i64::try_from(item.seq).unwrap_or(i64::MAX))?;
    numbers(&mut rows, lines, |item| item.time.micros())?;
    numbers(&mut rows, lines, |item| item.recorded_at.micros())?;
    texts(&mut rows, lines, |item| Some(item.kind.as_str().as_bytes()), false)?;
    texts(&mut rows, lines, |item| Some(item.severity.as_str().as_bytes()), false)?;
    texts(&mut rows, lines, |item| item.event_type.as_deref().map(str::as_bytes), true)?;
    texts(&mut rows, lines, |item| Some(&item.line), false)?;
    rows.close()?;
    file.into_inner()
}

type Rows<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// The next column, of texts; where one may have none, which of them have one is told besides.
fn texts<'i>(
    rows: &mut Rows<'_>,
    lines: &'i [Item],
    of: impl Fn(&'i Item) -> Option<&'i [u8]>,
    is_optional: bool,
) -> Result<(), ParquetError> {
    let Some(mut column) = rows.next_column()? else { return Err(ParquetError::EOF("no column".to_owned())) };
    let values: Vec<ByteArray> =
        lines.iter().filter_map(&of).map(|text| ByteArray::from(text.to_vec())).collect();
    let levels: Option<Vec<i16>> =
        is_optional.then(|| lines.iter().map(|item| i16::from(of(item).is_some())).collect());
    column.typed::<ByteArrayType>().write_batch(&values, levels.as_deref(), None)?;
    column.close()
}

/// The next column, of numbers.
fn numbers(rows: &mut Rows<'_>, lines: &[Item], of: impl Fn(&Item) -> i64) -> Result<(), ParquetError> {
    let Some(mut column) = rows.next_column()? else { return Err(ParquetError::EOF("no column".to_owned())) };
    let values: Vec<i64> = lines.iter().map(of).collect();
    column.typed::<Int64Type>().write_batch(&values, None, None)?;
    column.close()
}
