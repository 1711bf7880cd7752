//! Rows as Parquet, by the column writers of the `parquet` crate: no Arrow, which takes longer to build than all
//! else here.
//!
//! Source: <https://parquet.apache.org/docs/file-format/>

use crate::rows::{COLUMNS, Column};
use parquet::{
    basic::Compression,
    data_type::{BoolType, ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::Value;
use std::{io::Write, sync::Arc};

/// Rows of a group, which are held in memory.
const GROUP: usize = 50_000;

/// A file that is being written; it is one only after [`ParquetRows::finish`].
pub struct ParquetRows<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    rows: Vec<Row>,
}

/// A value for each column.
type Row = Vec<Option<Cell>>;

enum Cell {
    Text(String),
    Yes(bool),
    Millis(i64),
}

/// How a column is stored.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    YesOrNo,
    Time,
}

fn kind(column: &Column) -> Kind {
    match column.name {
        "eventTime" => Kind::Time,
        "readOnly" => Kind::YesOrNo,
        _ => Kind::Text,
    }
}

impl<W: Write + Send> ParquetRows<W> {
    /// # Errors
    /// When the header cannot be written.
    pub fn new(to: W) -> Result<Self, ParquetError> {
        let column = |column: &Column| match kind(column) {
            Kind::Text => format!("optional byte_array {} (STRING);", column.name),
            Kind::YesOrNo => format!("optional boolean {};", column.name),
            Kind::Time => format!("optional int64 {} (TIMESTAMP(MILLIS, true));", column.name),
        };
        let columns: String = COLUMNS.iter().map(column).collect();
        let schema = Arc::new(parse_message_type(&format!("message event {{ {columns} }}"))?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(to, schema, Arc::new(properties))?;
        Ok(Self { writer, rows: Vec::new() })
    }

    /// # Errors
    /// When a full group cannot be written.
    pub fn event(&mut self, record: &Value) -> Result<(), ParquetError> {
        self.rows.push(COLUMNS.iter().map(|column| cell(column, record)).collect());
        if self.rows.len() < GROUP { Ok(()) } else { self.group() }
    }

    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(mut self) -> Result<(), ParquetError> {
        if !self.rows.is_empty() {
            self.group()?;
        }
        self.writer.close().map(drop)
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        let rows = core::mem::take(&mut self.rows);
        let mut columns: Vec<Row> =
            COLUMNS.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            for (column, cell) in columns.iter_mut().zip(row) {
                column.push(cell);
            }
        }
        let mut group = self.writer.next_row_group()?;
        for (column, cells) in COLUMNS.iter().zip(columns) {
            let Some(mut writer) = group.next_column()? else {
                return Err(ParquetError::General("a column is missing".to_owned()));
            };
            let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
            let cells = cells.into_iter().flatten();
            match kind(column) {
                Kind::Text => {
                    let values: Vec<ByteArray> = cells
                        .filter_map(|cell| match cell {
                            Cell::Text(text) => Some(ByteArray::from(text.into_bytes())),
                            Cell::Yes(_) | Cell::Millis(_) => None,
                        })
                        .collect();
                    writer.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
                }
                Kind::YesOrNo => {
                    let values: Vec<bool> = cells
                        .filter_map(|cell| if let Cell::Yes(yes) = cell { Some(yes) } else { None })
                        .collect();
                    writer.typed::<BoolType>().write_batch(&values, Some(&levels), None)?;
                }
                Kind::Time => {
                    let values: Vec<i64> = cells
                        .filter_map(
                            |cell| if let Cell::Millis(at) = cell { Some(at) } else { None },
                        )
                        .collect();
                    writer.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
                }
            }
            writer.close()?;
        }
        group.close().map(drop)
    }
}

fn cell(column: &Column, record: &Value) -> Option<Cell> {
    match kind(column) {
        Kind::Text => column.value(record).map(Cell::Text),
        Kind::YesOrNo => record.pointer(column.pointer)?.as_bool().map(Cell::Yes),
        Kind::Time => {
            let text = record.pointer(column.pointer)?.as_str()?;
            let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
            Some(Cell::Millis(time.timestamp_millis()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::{
        file::{reader::FileReader as _, serialized_reader::SerializedFileReader},
        record::RowAccessor as _,
    };

    #[test]
    fn what_was_written_is_read_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.parquet");
        let mut rows = ParquetRows::new(std::fs::File::create(&path).unwrap()).unwrap();
        let count = GROUP + 1;
        for number in 0..count {
            let error = if number == 0 { Value::Null } else { "AccessDenied".into() };
            rows.event(&serde_json::json!({
                "eventTime": "2026-01-01T00:00:01Z", "eventID": number.to_string(),
                "readOnly": number % 2 == 0, "errorCode": error, "resources": [{"ARN": "a"}],
            }))
            .unwrap();
        }
        rows.finish().unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let at = |name: &str| COLUMNS.iter().position(|column| column.name == name).unwrap();
        let mut read = 0;
        for (number, row) in reader.get_row_iter(None).unwrap().enumerate() {
            let row = row.unwrap();
            assert_eq!(row.get_timestamp_millis(at("eventTime")).unwrap(), 1_767_225_601_000);
            assert_eq!(row.get_string(at("eventID")).unwrap(), &number.to_string());
            assert_eq!(row.get_bool(at("readOnly")).unwrap(), number % 2 == 0);
            assert_eq!(row.get_string(at("errorCode")).is_ok(), number != 0);
            assert_eq!(row.get_string(at("resources")).unwrap(), r#"[{"ARN":"a"}]"#);
            read += 1;
        }
        assert_eq!(read, count);
    }
}
