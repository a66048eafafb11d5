//! Where in a TOML file something is wrong, and what was probably meant: for themes and keymaps, which people write.

use std::ops::Range;

/// A fault in a file that a person wrote: `FILE:LINE: what is wrong; what to do`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {fault}")]
pub struct FileFault {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there and what to do.
    pub fault: String,
}

/// A parsed file with its name, for errors that point into it.
pub(super) struct Document {
    name: String,
    toml: toml_edit::Document<String>,
}

impl Document {
    /// Parses `text`, read from the file called `name`.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, FileFault> {
        match toml_edit::Document::parse(text.to_owned()) {
            Ok(toml) => Ok(Self { name: name.to_owned(), toml }),
            Err(error) => Err(FileFault {
                file: name.to_owned(),
                line: line_of(text, error.span().unwrap_or_default()),
                fault: error.message().trim().to_owned(),
            }),
        }
    }

    /// The top table.
    pub(super) fn table(&self) -> &toml_edit::Table {
        self.toml.as_table()
    }

    /// A fault at a place in the file; line 1 where the place isn't known.
    pub(super) fn fault(&self, span: Option<Range<usize>>, fault: String) -> FileFault {
        FileFault { file: self.name.clone(), line: line_of(self.toml.raw(), span.unwrap_or_default()), fault }
    }
}

fn line_of(text: &str, span: Range<usize>) -> usize {
    text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count() + 1
}

/// `unknown WHAT "name"` with the nearest of `known`, or all of them where none is near and they are few.
pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let name = crate::station::text::printable(name);
    let nearest = known
        .clone()
        .map(|candidate| (strsim::jaro_winkler(&name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.7);
    match nearest {
        Some((_, candidate)) => format!("unknown {what} {name:?}; did you mean {candidate:?}?"),
        None if known.clone().count() <= 24 => {
            format!("unknown {what} {name:?}; known are {}", known.collect::<Vec<_>>().join(", "))
        }
        None => format!("unknown {what} {name:?}"),
    }
}
