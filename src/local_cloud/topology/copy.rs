//! The COPY statement of a pipe: which table it loads into, and from which stage. The emulated provider asks whether
//! these are there, the topology follows them.

use std::iter::Peekable;
use std::str::Chars;

/// What of a COPY statement counts here. Names have up to three parts, as written or in capitals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::local_cloud) struct Copy {
    /// The table.
    pub(in crate::local_cloud) table: Vec<String>,
    /// The stage, without its `@`.
    pub(in crate::local_cloud) stage: Vec<String>,
    /// What Snowflake takes and the local pipeline doesn't follow.
    pub(super) unfollowed: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A word, or a number, in capitals.
    Word(String),
    /// A name in double quotes.
    Name(String),
    /// A text in single quotes.
    Text,
    Sign(char),
    /// White space or a comment.
    Space,
}

/// Reads `COPY INTO table [(…)] FROM @stage …` or `… FROM (SELECT … FROM @stage …) …`; errors say what is in the way.
pub(in crate::local_cloud) fn read(statement: &str) -> Result<Copy, &'static str> {
    let tokens = tokens(statement).ok_or("a quote or a comment has no end")?;
    let spaceless: Vec<&Token> = tokens.iter().filter(|token| **token != Token::Space).collect();
    let is = |token: Option<&&Token>, word: &str| matches!(token, Some(Token::Word(found)) if found == word);
    if !is(spaceless.first(), "COPY") || !is(spaceless.get(1), "INTO") {
        return Err("it doesn't begin with COPY INTO");
    }
    let (table, _) = name(spaceless.get(2..).unwrap_or_default().iter().copied()).ok_or("no table after COPY INTO")?;
    let picks = spaceless.iter().any(|token| is(Some(token), "PATTERN") || is(Some(token), "FILES"));
    if !spaceless.iter().any(|token| is(Some(token), "FROM")) {
        return Err("no FROM");
    }
    let at = tokens.iter().position(|token| *token == Token::Sign('@')).ok_or("no stage after FROM")?;
    let behind = tokens.get(at + 1..).unwrap_or_default();
    let (stage, length) = name(behind.iter()).ok_or("its stage isn't a named one")?;
    let path = behind.get(length..).unwrap_or_default();
    let unfollowed = match path {
        _ if picks => Some("PATTERN and FILES aren't followed"),
        [Token::Sign('/'), Token::Space | Token::Sign(')' | ';'), ..] | [Token::Sign('/')] => None,
        [Token::Sign('/'), ..] => Some("it loads only a part of its stage, and that isn't followed"),
        _ => None,
    };
    Ok(Copy { table, stage, unfollowed })
}

/// A name of one to three parts joined by dots, and how many tokens it has.
fn name<'a>(mut tokens: impl Iterator<Item = &'a Token>) -> Option<(Vec<String>, usize)> {
    let (mut parts, mut length) = (Vec::new(), 0);
    loop {
        match tokens.next() {
            Some(Token::Word(part) | Token::Name(part)) if parts.len() < 3 => parts.push(part.clone()),
            _ => return None,
        }
        length += 1;
        match tokens.next() {
            Some(Token::Sign('.')) => length += 1,
            _ => return Some((parts, length)),
        }
    }
}

fn tokens(statement: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut chars = statement.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            '"' => Token::Name(quoted(&mut chars, '"')?),
            '\'' => quoted(&mut chars, '\'').map(|_| Token::Text)?,
            '-' if chars.peek() == Some(&'-') => {
                chars.by_ref().find(|c| *c == '\n');
                Token::Space
            }
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                let mut last = ' ';
                chars.by_ref().find(|c| std::mem::replace(&mut last, *c) == '*' && *c == '/')?;
                Token::Space
            }
            c if c.is_whitespace() => Token::Space,
            c if c.is_alphanumeric() || c == '_' || c == '$' => {
                let mut word = String::from(c);
                while let Some(next) = chars.next_if(|c| c.is_alphanumeric() || *c == '_' || *c == '$') {
                    word.push(next);
                }
                Token::Word(word.to_uppercase())
            }
            sign => Token::Sign(sign),
        };
        found.push(token);
    }
    Some(found)
}

/// What stands up to the closing quote; a doubled one is one. `None` without an end.
fn quoted(chars: &mut Peekable<Chars<'_>>, quote: char) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            c if c == quote && chars.next_if_eq(&quote).is_none() => return Some(text),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(table: &[&str], stage: &[&str]) -> Copy {
        let owned = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
        Copy { table: owned(table), stage: owned(stage), unfollowed: None }
    }

    #[test]
    fn statements_as_people_write_them_are_read() {
        for (statement, expected) in [
            ("copy into t from @s", copy(&["T"], &["S"])),
            (
                "COPY INTO a.b.t FROM @a.b.s/ FILE_FORMAT = (FORMAT_NAME = 'x')",
                copy(&["A", "B", "T"], &["A", "B", "S"]),
            ),
            (
                "-- by hand\nCOPY INTO \"D\".\"s\".\"T \"\"1\"\"\" (v, f)\nFROM (SELECT $1, METADATA$FILENAME /* @no */ FROM @\"D\".\"s\".\"St\" (FILE_FORMAT => 'x') t);",
                copy(&["D", "s", "T \"1\""], &["D", "s", "St"]),
            ),
            (
                "COPY INTO \"D\".\"S\".\"T\" (\"VARIANT\", \"FILE_NAME\")\nFROM (\n    SELECT $1, METADATA$FILENAME\n    FROM @\"D\".\"S\".\"ST\"\n)\nFILE_FORMAT = (FORMAT_NAME = '\"D\".\"S\".\"J\"')\nON_ERROR = SKIP_FILE",
                copy(&["D", "S", "T"], &["D", "S", "ST"]),
            ),
        ] {
            assert_eq!(read(statement), Ok(expected), "{statement}");
        }
    }

    #[test]
    fn what_cannot_be_followed_says_why() {
        for (statement, reason) in [
            ("", "begin"),
            ("SELECT 1", "begin"),
            ("COPY INTO", "no table"),
            ("COPY INTO t", "no FROM"),
            ("COPY INTO t FROM 'azure://x'", "no stage"),
            ("COPY INTO t FROM @~", "named"),
            ("COPY INTO t FROM @%t", "named"),
            ("COPY INTO t FROM @s 'open", "no end"),
        ] {
            let error = read(statement).expect_err(statement);
            assert!(error.contains(reason), "{statement}: {error}");
        }
        for (statement, reason) in
            [("COPY INTO t FROM @s/part", "a part"), ("COPY INTO t FROM @s PATTERN = '.*'", "PATTERN")]
        {
            let found = read(statement).expect(statement);
            assert_eq!((&found.table, &found.stage), (&vec!["T".to_owned()], &vec!["S".to_owned()]));
            assert!(found.unfollowed.is_some_and(|why| why.contains(reason)), "{statement}: {found:?}");
        }
    }
}
