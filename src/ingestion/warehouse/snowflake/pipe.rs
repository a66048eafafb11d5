//! A pipe as `SHOW PIPES` has it: where it loads from and into, read from its COPY.

use std::fmt;

use super::account::Account;
use super::session::Row;
use super::statements::identifier;

/// A name of one or more parts; written quoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<String>);

impl Name {
    /// Database, schema and name.
    #[must_use]
    pub fn of(database: &str, schema: &str, name: &str) -> Self {
        Self(vec![database.to_owned(), schema.to_owned(), name.to_owned()])
    }

    /// Its last part.
    #[must_use]
    pub fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// As SQL writes it: parts in quotes are taken as they are, others in capitals; what isn't said of database and schema
    /// is the account's.
    fn read(text: &str, account: &Account) -> Option<Self> {
        let mut parts = Vec::new();
        let mut chars = text.trim_start_matches('@').chars().peekable();
        loop {
            let mut part = String::new();
            if chars.peek() == Some(&'"') {
                chars.next();
                while let Some(c) = chars.next() {
                    match c {
                        '"' if chars.peek() == Some(&'"') => {
                            chars.next();
                            part.push('"');
                        }
                        '"' => break,
                        c => part.push(c),
                    }
                }
            } else {
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                    part.extend(c.to_uppercase());
                }
            }
            if part.is_empty() {
                return None;
            }
            parts.push(part);
            if chars.next_if_eq(&'.').is_none() {
                break;
            }
        }
        let missing = 3_usize.checked_sub(parts.len())?;
        let mut whole: Vec<_> = [&account.database, &account.schema].into_iter().take(missing).cloned().collect();
        whole.extend(parts);
        Some(Self(whole))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|part| identifier(part)).collect::<Vec<_>>().join("."))
    }
}

/// A pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeInfo {
    /// Its whole name.
    pub name: Name,
    /// The table it loads into; absent where its COPY can't be read.
    pub table: Option<Name>,
    /// The stage it loads from.
    pub stage: Option<Name>,
    /// The file format it reads with.
    pub file_format: Option<Name>,
    /// The notification integration that tells it of files.
    pub integration: Option<String>,
    /// Why it can't run, in Snowflake's words.
    pub invalid_reason: Option<String>,
    /// When it was made; a pipe that is made anew forgets what it loaded.
    pub created_at: Option<jiff::Timestamp>,
}

impl PipeInfo {
    /// From a row of `SHOW PIPES`; `None` for one without a name.
    pub(super) fn of(row: &Row, account: &Account) -> Option<Self> {
        let name = row.text("name")?;
        let full = |key: &str| row.text(key).filter(|text| !text.is_empty());
        let database = full("database_name").unwrap_or(&account.database);
        let schema = full("schema_name").unwrap_or(&account.schema);
        let definition = row.text("definition").unwrap_or_default();
        let after = |words: &[&str]| Name::read(behind(definition, words)?, account);
        let quoted = behind(definition, &["FORMAT_NAME", "="]).map(|text| text.trim_start_matches('\''));
        Some(Self {
            name: Name::of(database, schema, name),
            table: after(&["COPY", "INTO"]),
            stage: behind_at(definition).and_then(|text| Name::read(text, account)),
            file_format: quoted.and_then(|text| Name::read(text, account)),
            integration: full("integration").map(str::to_owned),
            invalid_reason: full("invalid_reason").map(crate::station::text::printable),
            created_at: row.time("created_on"),
        })
    }

    /// `pipe NAME`, for errors.
    #[must_use]
    pub fn what(&self) -> String {
        format!("pipe {}", crate::station::text::printable(self.name.last()))
    }
}

/// What stands behind `words` in `text`, in any case, with any space between.
fn behind<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let upper = text.to_ascii_uppercase();
    let mut from = 0;
    loop {
        let start = from + upper.get(from..)?.find(words.first()?)?;
        let mut at = start;
        let is_there = words.iter().all(|word| {
            let rest = upper.get(at..).unwrap_or_default();
            let trimmed = rest.trim_start();
            let found = trimmed.starts_with(word);
            at += rest.len() - trimmed.len() + word.len();
            found
        });
        if is_there {
            return text.get(at..).map(str::trim_start);
        }
        from = start + 1;
    }
}

/// The stage: what begins with `@` behind a FROM.
fn behind_at(definition: &str) -> Option<&str> {
    let mut rest = definition;
    while let Some(next) = behind(rest, &["FROM"]) {
        if let Some(stage) = next.trim_start_matches('\'').strip_prefix('@') {
            return Some(stage);
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SnowflakeSettings;

    fn account() -> Account {
        let text = |text: &str| Some(text.to_owned());
        let settings = SnowflakeSettings {
            account: text("a"),
            user: text("U"),
            database: text("DB"),
            schema: text("SC"),
            ..SnowflakeSettings::default()
        };
        Account::of(&settings).expect("complete").expect("an account")
    }

    fn read(definition: &str) -> PipeInfo {
        let row = Row::of(&[("name", Some("P")), ("definition", Some(definition)), ("invalid_reason", Some(""))]);
        PipeInfo::of(&row, &account()).expect("a pipe")
    }

    #[test]
    fn the_modules_copy_is_read() {
        let pipe = read(
            "COPY INTO \"W\".\"D\".\"WEATHER_JSON\" (\"VARIANT\")\nFROM (\n  SELECT $1, METADATA$FILENAME\n  FROM \
             @\"W\".\"D\".\"STAGE_1\"\n)\nFILE_FORMAT = (FORMAT_NAME = '\"W\".\"D\".\"JSON_DQ\"')\nON_ERROR = SKIP_FILE",
        );
        let text = |name: Option<Name>| name.map(|name| name.to_string());
        assert_eq!(text(pipe.table).as_deref(), Some("\"W\".\"D\".\"WEATHER_JSON\""));
        assert_eq!(text(pipe.stage).as_deref(), Some("\"W\".\"D\".\"STAGE_1\""));
        assert_eq!(text(pipe.file_format).as_deref(), Some("\"W\".\"D\".\"JSON_DQ\""));
        assert_eq!((pipe.name.to_string().as_str(), pipe.invalid_reason), ("\"DB\".\"SC\".\"P\"", None));
    }

    #[test]
    fn a_copy_by_hand_is_read_too_and_what_it_leaves_out_is_the_accounts() {
        let pipe = read("copy into weather from @stage/sub file_format = (format_name=json_dq)");
        let text = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
        assert_eq!(text(&pipe.table).as_deref(), Some("\"DB\".\"SC\".\"WEATHER\""));
        assert_eq!(text(&pipe.stage).as_deref(), Some("\"DB\".\"SC\".\"STAGE\""));
        assert_eq!(text(&pipe.file_format).as_deref(), Some("\"DB\".\"SC\".\"JSON_DQ\""));
        let nothing = read("");
        assert_eq!((nothing.table, nothing.stage, nothing.file_format), (None, None, None));
    }
}
