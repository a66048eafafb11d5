//! The query language's part that is served: `SELECT * FROM devices [WHERE condition [AND condition]…]`.
//!
//! A condition compares a property with a literal: `deviceId`, `status`, `connectionState`, `etag`, `version`,
//! `tags.…`, `properties.desired.…` or `properties.reported.…`; `=`, `!=`, `<>`, `<`, `<=`, `>`, `>=`; a text in single
//! quotes (a quote within is doubled), a number, `true`, `false`. As in IoT Hub, a property that is absent or of
//! another type than the literal meets no condition but `!=`.

use std::cmp::Ordering;

use serde_json::Value;

/// Bytes of a query at most.
const MAX_QUERY: usize = 4096;
/// Conditions at most.
const MAX_CONDITIONS: usize = 32;
/// Properties of a twin, besides those in `tags` and `properties`, that can be compared.
const PLAIN: [&str; 5] = ["deviceId", "status", "connectionState", "etag", "version"];

/// A query.
#[derive(Debug, PartialEq)]
pub(super) struct Query(Vec<Condition>);

#[derive(Debug, PartialEq)]
struct Condition {
    path: Vec<String>,
    comparison: Comparison,
    literal: Value,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Unequal,
    Below,
    AtMost,
    Above,
    AtLeast,
}

#[derive(Debug, PartialEq)]
enum Token {
    /// A keyword or a property, `devices.tags.place` as one.
    Word(String),
    Star,
    Comparison(Comparison),
    Literal(Value),
}

impl Query {
    /// Reads a query; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_QUERY {
            return Err(format!("the query is longer than {MAX_QUERY} bytes"));
        }
        let mut tokens = tokens(text)?.into_iter();
        for expected in ["SELECT", "*", "FROM", "devices"] {
            let is_it = match tokens.next() {
                Some(Token::Star) => expected == "*",
                Some(Token::Word(word)) => word.eq_ignore_ascii_case(expected),
                _ => false,
            };
            if !is_it {
                return Err(format!("{expected} is missing: only SELECT * FROM devices [WHERE …] is served"));
            }
        }
        let mut conditions = Vec::new();
        let mut joint = "WHERE";
        while let Some(token) = tokens.next() {
            if !matches!(&token, Token::Word(word) if word.eq_ignore_ascii_case(joint)) {
                return Err(format!("{joint} is missing: conditions are joined by AND"));
            }
            let (Some(Token::Word(path)), Some(Token::Comparison(comparison)), Some(Token::Literal(literal))) =
                (tokens.next(), tokens.next(), tokens.next())
            else {
                return Err("a condition is a property, a comparison and a literal".to_owned());
            };
            if conditions.len() == MAX_CONDITIONS {
                return Err(format!("there are more than {MAX_CONDITIONS} conditions"));
            }
            conditions.push(Condition { path: property(&path)?, comparison, literal });
            joint = "AND";
        }
        Ok(Self(conditions))
    }

    /// Whether `twin`, in the form of IoT Hub's REST service, meets every condition.
    pub(super) fn takes(&self, twin: &Value) -> bool {
        self.0.iter().all(|condition| condition.is_met(twin))
    }
}

impl Condition {
    fn is_met(&self, twin: &Value) -> bool {
        use Comparison::{Above, AtLeast, AtMost, Below, Equal, Unequal};
        let value = self.path.iter().try_fold(twin, |value, name| value.get(name));
        let order = value.and_then(|value| order(value, &self.literal));
        match (self.comparison, order) {
            (Unequal, order) => order != Some(Ordering::Equal),
            (_, None) => false,
            (Equal, Some(order)) => order.is_eq(),
            (Below, Some(order)) => order.is_lt(),
            (AtMost, Some(order)) => order.is_le(),
            (Above, Some(order)) => order.is_gt(),
            (AtLeast, Some(order)) => order.is_ge(),
        }
    }
}

/// How two values of one type are ordered.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn property(path: &str) -> Result<Vec<String>, String> {
    let path = path.strip_prefix("devices.").unwrap_or(path);
    let names: Vec<String> = path.split('.').map(str::to_owned).collect();
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_served = match words.as_slice() {
        [plain] => PLAIN.contains(plain),
        ["tags", rest @ ..] | ["properties", "desired" | "reported", rest @ ..] => !rest.is_empty(),
        _ => false,
    };
    if !is_served || names.iter().any(String::is_empty) {
        return Err(format!(
            "{path} can't be compared; {}, tags.…, properties.desired.… and properties.reported.… can",
            PLAIN.join(", ")
        ));
    }
    Ok(names)
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '*' => (Token::Star, &rest[1..]),
            '\'' => quoted(&rest[1..])?,
            '=' | '!' | '<' | '>' => comparison(rest)?,
            '-' | '0'..='9' => number(rest)?,
            _ if first.is_alphabetic() || "_$[".contains(first) => word(rest),
            other => return Err(format!("{other} isn't understood")),
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn quoted(text: &str) -> Result<(Token, &str), String> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('\'').ok_or("a text isn't closed by '")?;
        value.push_str(before);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Ok((Token::Literal(Value::String(value)), after)),
        }
    }
}

fn comparison(text: &str) -> Result<(Token, &str), String> {
    use Comparison::{Above, AtLeast, AtMost, Below, Equal, Unequal};
    [("!=", Unequal), ("<>", Unequal), ("<=", AtMost), (">=", AtLeast), ("=", Equal), ("<", Below), (">", Above)]
        .into_iter()
        .find_map(|(sign, comparison)| Some((Token::Comparison(comparison), text.strip_prefix(sign)?)))
        .ok_or_else(|| "! stands alone; != is meant".to_owned())
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    match serde_json::from_str(digits) {
        Ok(number @ Value::Number(_)) => Ok((Token::Literal(number), rest)),
        _ => Err(format!("{digits} is no number")),
    }
}

fn word(text: &str) -> (Token, &str) {
    let end = text.find(|c: char| !(c.is_alphanumeric() || "_$.-".contains(c))).unwrap_or(text.len());
    // A sign that no word begins with.
    let (word, rest) = text.split_at(end.max(text.chars().next().map_or(0, char::len_utf8)));
    let token = match word.to_ascii_lowercase().as_str() {
        "true" => Token::Literal(Value::Bool(true)),
        "false" => Token::Literal(Value::Bool(false)),
        _ => Token::Word(word.to_owned()),
    };
    (token, rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn takes(query: &str) -> bool {
        let twin = json!({
            "deviceId": "roof-01", "status": "enabled", "connectionState": "Connected", "version": 7,
            "tags": {"place": {"city": "Jena", "floor": 3}, "it's": true, "spare": false},
            "properties": {"desired": {"measureEveryS": 5}, "reported": {"agent": {"version": "0.1.0"}}},
        });
        Query::parse(query).expect(query).takes(&twin)
    }

    #[test]
    fn conditions_are_met_or_not() {
        for query in [
            "SELECT * FROM devices",
            "  select  *  from  DEVICES ",
            "SELECT * FROM devices WHERE deviceId = 'roof-01'",
            "SELECT * FROM devices WHERE devices.deviceId='roof-01' and status != 'disabled'",
            "SELECT * FROM devices WHERE tags.place.city = 'Jena' AND tags.place.floor > 2.5",
            "SELECT * FROM devices WHERE tags.place.floor >= 3 AND tags.place.floor <= 3 AND tags.place.floor < 4",
            "SELECT * FROM devices WHERE properties.desired.measureEveryS = 5.0",
            "SELECT * FROM devices WHERE properties.reported.agent.version = '0.1.0' AND version <> -8",
            "SELECT * FROM devices WHERE tags.spare = FALSE",
            "SELECT * FROM devices WHERE tags.absent != 'x' AND tags.place.floor != '3'",
        ] {
            assert!(takes(query), "{query}");
        }
        for query in [
            "SELECT * FROM devices WHERE deviceId = 'roof-02'",
            "SELECT * FROM devices WHERE deviceId = 'roof-01' AND status = 'disabled'",
            "SELECT * FROM devices WHERE tags.place.floor > 3",
            "SELECT * FROM devices WHERE tags.place.floor = '3'",
            "SELECT * FROM devices WHERE tags.absent < 3",
            "SELECT * FROM devices WHERE connectionState != 'Connected'",
        ] {
            assert!(!takes(query), "{query}");
        }
        let twin = json!({"tags": {"name": "it's"}});
        let query = Query::parse("SELECT * FROM devices WHERE tags.name = 'it''s'").expect("a query");
        assert!(query.takes(&twin));
    }

    #[test]
    fn what_is_not_served_is_said() {
        for (query, words) in [
            ("", "SELECT is missing"),
            ("SELECT deviceId FROM devices", "* is missing"),
            ("SELECT * FROM devices.modules", "devices is missing"),
            ("SELECT * FROM devices WHERE", "a condition is"),
            ("SELECT * FROM devices deviceId = 'a'", "WHERE is missing"),
            ("SELECT * FROM devices WHERE deviceId = 'a' OR deviceId = 'b'", "AND is missing"),
            ("SELECT * FROM devices WHERE deviceId LIKE 'a'", "a condition is"),
            ("SELECT * FROM devices WHERE deviceId = 'a", "isn't closed"),
            ("SELECT * FROM devices WHERE deviceId = 'a' AND", "a condition is"),
            ("SELECT * FROM devices WHERE deviceId ! 'a'", "!="),
            ("SELECT * FROM devices WHERE version = 1x", "no number"),
            ("SELECT * FROM devices WHERE secret = 1", "can't be compared"),
            ("SELECT * FROM devices WHERE tags = 1", "can't be compared"),
            ("SELECT * FROM devices WHERE tags..a = 1", "can't be compared"),
            ("SELECT * FROM devices WHERE is_defined(tags.a)", "isn't understood"),
            ("SELECT * FROM devices WHERE version = 1; DROP", "isn't understood"),
        ] {
            let error = Query::parse(query).expect_err(query);
            assert!(error.contains(words), "{query}: {error}");
        }
        assert!(Query::parse(&"x".repeat(5000)).expect_err("long").contains("longer"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "(SELECT \\* FROM devices( WHERE )?)?([a-z.]+|[=!<>]+|'[^']*'|[0-9.e-]+| |AND|.)*"
        ) {
            if let Ok(query) = Query::parse(&text) {
                query.takes(&json!({}));
            }
        }
    }
}
