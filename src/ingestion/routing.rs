//! Conditions of routes: which container a message's kind is collected in.

use std::fmt;
use std::str::FromStr;

/// Container of the messages no route takes: kept aside, loaded by no pipe.
pub const UNROUTED: &str = "unrouted";

/// A route's condition, of the part of IoT Hub's query language that the pipeline uses: `true`, or
/// `$body.type = 'X'`, several of them joined by `OR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Every message.
    Always,
    /// Messages whose body's `type` is one of these.
    BodyTypeIn(Vec<String>),
}

impl Condition {
    /// Whether a message with this `type` is taken; `None` where the body isn't known to be JSON.
    #[must_use]
    pub fn takes(&self, body_type: Option<&str>) -> bool {
        match self {
            Self::Always => true,
            Self::BodyTypeIn(types) => body_type.is_some_and(|t| types.iter().any(|known| known == t)),
        }
    }
}

/// A condition that isn't understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("route condition {0:?}: expected `true` or `$body.type = 'NAME'`, several joined by OR")]
pub struct InvalidCondition(String);

impl FromStr for Condition {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().eq_ignore_ascii_case("true") {
            return Ok(Self::Always);
        }
        let invalid = || InvalidCondition(text.to_owned());
        let types = text
            .split(" OR ")
            .map(|term| {
                let (left, right) = term.split_once('=')?;
                let name = right.trim().strip_prefix('\'')?.strip_suffix('\'')?;
                (left.trim() == "$body.type" && !name.is_empty() && !name.contains('\'')).then(|| name.to_owned())
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(invalid)?;
        Ok(Self::BodyTypeIn(types))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("true"),
            Self::BodyTypeIn(types) => {
                let terms: Vec<_> = types.iter().map(|t| format!("$body.type = '{t}'")).collect();
                f.write_str(&terms.join(" OR "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_written_alike() {
        for text in ["true", "$body.type = 'Prediction'", "$body.type = 'A' OR $body.type = 'B'"] {
            assert_eq!(text.parse::<Condition>().expect(text).to_string(), text);
        }
        for text in ["", "$body.type = Prediction", "$body.kind = 'A'", "$body.type = 'A' AND true", "$body.type = ''"]
        {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }
}
