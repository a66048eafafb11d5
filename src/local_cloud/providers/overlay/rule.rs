//! What a value has to be like.

use regex::Regex;
use serde::Deserialize;

use crate::local_cloud::providers::value::Value;

/// What each value at a path has to be like. Null and unknown values aren't looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Characters at least and at most.
    pub length: Option<(usize, usize)>,
    /// Elements at least and at most.
    pub items: Option<(usize, usize)>,
    /// Lowest and highest number.
    pub range: Option<(f64, f64)>,
    /// Values beyond the range that may be, too.
    pub or: Vec<String>,
    /// The number is a multiple of it.
    pub step: Option<f64>,
    /// The text as a whole.
    pub pattern: Option<String>,
    /// The pattern in words.
    pub says: Option<String>,
    /// What it may be.
    pub one_of: Vec<String>,
    /// What it may not be.
    pub none_of: Vec<String>,
    /// `one_of` in any case.
    pub any_case: bool,
}

impl Rule {
    /// Fails where the rule itself is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(pattern) = &self.pattern {
            whole(pattern).map_err(|error| error.to_string())?;
            self.says.as_ref().ok_or_else(|| format!("the pattern {pattern} has no words"))?;
        }
        Ok(())
    }

    /// What is wrong with `value`, after "has to"; `None` where nothing is. A value that is `secret` isn't said.
    #[must_use]
    pub fn breach(&self, value: &Value, secret: bool) -> Option<String> {
        match value {
            Value::Null | Value::Unknown => None,
            Value::List(elements) => {
                let count = elements.len();
                let items = self.items.filter(|(low, high)| count < *low || count > *high);
                items
                    .map(|(low, high)| format!("have {low} to {high} elements, has {count}"))
                    .or_else(|| elements.iter().find_map(|element| self.breach(element, secret)))
            }
            Value::Text(text) => self.text_breach(text, if secret { None } else { Some(text) }),
            Value::Number(number) => {
                let number = number.as_f64();
                if self.or.contains(&number.to_string()) {
                    return None;
                }
                if let Some((low, high)) = self.range.filter(|(low, high)| number < *low || number > *high) {
                    return Some(format!("be {low} to {high}, is {number}"));
                }
                if let Some(step) = self.step.filter(|step| number % step != 0.0) {
                    return Some(format!("be a multiple of {step}, is {number}"));
                }
                self.listed(&number.to_string(), Some(&number.to_string()))
            }
            Value::Bool(truth) => self.listed(&truth.to_string(), Some(&truth.to_string())),
            Value::Map(_) => None,
        }
    }

    fn text_breach(&self, text: &str, shown: Option<&str>) -> Option<String> {
        let is = || shown.map_or_else(|| "is something else".to_owned(), |shown| format!("is {shown:?}"));
        let count = text.chars().count();
        if let Some((low, high)) = self.length.filter(|(low, high)| count < *low || count > *high) {
            return Some(format!("have {low} to {high} characters, has {count}"));
        }
        if let Some(pattern) = &self.pattern
            && !whole(pattern).is_ok_and(|regex| regex.is_match(text))
        {
            return Some(format!("be {}, {}", self.says.as_deref().unwrap_or(pattern), is()));
        }
        if let Some((low, high)) = self.range
            && !text.parse::<f64>().is_ok_and(|number| (low..=high).contains(&number))
        {
            return Some(format!("be {low} to {high}, {}", is()));
        }
        if self.none_of.iter().any(|reserved| reserved == text) {
            return Some(format!("be none of {}", self.none_of.join(", ")));
        }
        self.listed(text, shown)
    }

    fn listed(&self, text: &str, shown: Option<&str>) -> Option<String> {
        let is = shown.map_or_else(|| "is something else".to_owned(), |shown| format!("is {shown:?}"));
        let same = |allowed: &String| allowed == text || self.any_case && allowed.eq_ignore_ascii_case(text);
        (!self.one_of.is_empty() && !self.one_of.iter().any(same))
            .then(|| format!("be one of {}, {is}", self.allowed(text)))
    }
}

/// More allowed values than these aren't read by anybody: the nearest one is said then.
const NAMED_VALUES: usize = 12;

impl Rule {
    fn allowed(&self, text: &str) -> String {
        let far = |allowed: &&String| strsim::osa_distance(&allowed.to_lowercase(), &text.to_lowercase());
        match self.one_of.iter().min_by_key(far) {
            Some(nearest) if self.one_of.len() > NAMED_VALUES => {
                format!("{} known values (nearest: {nearest:?})", self.one_of.len())
            }
            _ => self.one_of.join(", "),
        }
    }
}

fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}
