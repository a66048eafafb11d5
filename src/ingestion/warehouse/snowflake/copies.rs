//! Files as `COPY_HISTORY` has them, and rows.

use jiff::Timestamp;

use super::pipe::Name;
use super::session::Row;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Path in its stage.
    pub file: String,
    /// When the load was done, or when it failed.
    pub loaded_at: Timestamp,
    /// When its notice came; absent for a file that was loaded by hand.
    pub received_at: Option<Timestamp>,
    /// `Loaded`, `Load failed`, `Partially loaded`, `Load skipped`, `Load in progress`.
    pub status: String,
    /// Rows loaded.
    pub rows_loaded: u64,
    /// Rows read.
    pub rows_parsed: u64,
    /// Size in the stage, bytes.
    pub bytes: u64,
    /// Bytes that are billed; absent where Snowflake says none.
    pub bytes_billed: Option<u64>,
    /// First error.
    pub error: Option<String>,
    /// Its line, from 1.
    pub error_line: Option<u64>,
    /// Its character in the line, from 1.
    pub error_character: Option<u64>,
    /// Its column in the table.
    pub error_column: Option<String>,
    /// The pipe that loaded it; absent for a file that was loaded by hand, and for whoever may not monitor the pipe.
    pub pipe: Option<String>,
}

impl Copied {
    /// From a row; `None` for one without file or time.
    pub(super) fn of(row: &Row) -> Option<Self> {
        let text = |name: &str| row.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let capital = |status: &str| {
            let lower = status.to_lowercase();
            let mut chars = lower.chars();
            chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>())
        };
        Some(Self {
            file: text("FILE_NAME")?,
            loaded_at: row.time("LAST_LOAD_TIME")?,
            received_at: row.time("PIPE_RECEIVED_TIME"),
            status: text("STATUS").and_then(|status| capital(&status))?,
            rows_loaded: row.whole("ROW_COUNT").unwrap_or(0),
            rows_parsed: row.whole("ROW_PARSED").unwrap_or(0),
            bytes: row.whole("FILE_SIZE").unwrap_or(0),
            bytes_billed: row.whole("BYTES_BILLED"),
            error: text("FIRST_ERROR_MESSAGE"),
            error_line: row.whole("FIRST_ERROR_LINE_NUMBER"),
            error_character: row.whole("FIRST_ERROR_CHARACTER_POS"),
            error_column: text("FIRST_ERROR_COLUMN_NAME"),
            pipe: text("PIPE_NAME"),
        })
    }
}

/// A row by its table's own columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRow {
    /// The table, without database and schema.
    pub table: String,
    /// The file it was loaded from.
    pub file: String,
    /// Its line there, from 1.
    pub line: u64,
    /// When its load began to read the file.
    pub loaded_at: Option<Timestamp>,
}

impl FoundRow {
    pub(super) fn of(row: &Row, table: &Name) -> Option<Self> {
        Some(Self {
            table: table.last().to_owned(),
            file: row.text("FILE_NAME")?.to_owned(),
            line: row.whole("FILE_ROW_NUMBER")?,
            loaded_at: row.time("START_SCAN_TIME"),
        })
    }
}

/// Of the rows of a table that were loaded within the last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowFigures {
    /// Rows.
    pub loaded: u64,
    /// Rows whose message is there already.
    pub duplicates: u64,
    /// Rows of the last hour.
    pub last_hour: u64,
    /// When the newest was measured.
    pub newest_at: Option<Timestamp>,
}

impl RowFigures {
    pub(super) fn of(row: &Row) -> Option<Self> {
        let loaded = row.whole("LOADED")?;
        // A row without a message id is nobody's duplicate.
        let single = row.whole("MESSAGES")?.saturating_add(row.whole("NAMELESS")?);
        Some(Self {
            loaded,
            duplicates: loaded.saturating_sub(single),
            last_hour: row.whole("LAST_HOUR")?,
            newest_at: row.time("NEWEST"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_file_is_read() {
        let copied = Copied::of(&Row::of(&[
            ("FILE_NAME", Some("hub/0/2026-06-01/12-00")),
            ("LAST_LOAD_TIME", Some("1780315200.000000000 1440")),
            ("STATUS", Some("Load failed")),
            ("ROW_COUNT", Some("0")),
            ("FIRST_ERROR_MESSAGE", Some("Error parsing JSON")),
            ("FIRST_ERROR_LINE_NUMBER", Some("3")),
            ("FIRST_ERROR_CHARACTER_POS", None),
        ]))
        .expect("a file");
        assert_eq!((copied.rows_loaded, copied.error_line, copied.error_character), (0, Some(3), None));
        assert_eq!(copied.loaded_at.to_string(), "2026-06-01T12:00:00Z");
        assert_eq!(copied.bytes_billed, None);
    }

    #[test]
    fn duplicates_are_rows_beyond_their_messages() {
        let figures = |loaded, messages, nameless| {
            let row = Row::of(&[
                ("LOADED", Some(loaded)),
                ("MESSAGES", Some(messages)),
                ("NAMELESS", Some(nameless)),
                ("LAST_HOUR", Some("0")),
                ("NEWEST", None),
            ]);
            RowFigures::of(&row).map(|figures| figures.duplicates)
        };
        assert_eq!(figures("10", "7", "1"), Some(2));
        assert_eq!(figures("0", "0", "0"), Some(0));
    }
}
