//! How a value in a line or message becomes a variable's: `PLACE [* SCALE] [+ OFFSET]`.

use crate::station::Variable;

/// The settings that map, each with its variable.
pub const NAMES: [(&str, Variable); 8] = [
    ("temperature", Variable::Temperature),
    ("humidity", Variable::Humidity),
    ("pressure", Variable::Pressure),
    ("light", Variable::Light),
    ("sound", Variable::Sound),
    ("rain", Variable::Rain),
    ("wind_speed", Variable::WindSpeed),
    ("wind_direction", Variable::WindDirection),
];

/// Where a value stands, and what makes the variable's unit of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// A field's name, a JSON pointer, a column's number, or a topic with or without a pointer.
    pub place: String,
    /// What it is multiplied by.
    pub scale: f64,
    /// What is added then.
    pub offset: f64,
}

impl Mapping {
    /// Reads `PLACE [* SCALE] [+ OFFSET]`, spaces around the signs; `None` where it isn't that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().count() > 400 || text.chars().any(char::is_control) {
            return None;
        }
        let (rest, offset) = match text.rsplit_once(" + ").map(|(rest, number)| (rest, number, 1.0)) {
            Some(found) => part(found)?,
            None => match text.rsplit_once(" - ").map(|(rest, number)| (rest, number, -1.0)) {
                Some(found) => part(found)?,
                None => (text, 0.0),
            },
        };
        let (place, scale) = match rest.rsplit_once(" * ") {
            Some((place, number)) => part((place, number, 1.0))?,
            None => (rest, 1.0),
        };
        let place = place.trim();
        let is_whole = !place.is_empty() && scale != 0.0 && !place.ends_with([' ', '*', '+']);
        is_whole.then(|| Self { place: place.to_owned(), scale, offset })
    }

    /// The value in the variable's unit.
    #[must_use]
    pub fn apply(&self, raw: f64) -> f64 {
        raw.mul_add(self.scale, self.offset)
    }

    /// The column's place from 0.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.place.parse::<usize>().ok().filter(|column| (1..=1000).contains(column)).map(|column| column - 1)
    }

    /// A topic without wildcards, and the JSON pointer into its messages.
    #[must_use]
    pub fn topic(&self) -> Option<(&str, Option<&str>)> {
        let (topic, pointer) = match self.place.split_once(" /") {
            Some((topic, _)) => (topic.trim_end(), Some(self.place[topic.len()..].trim_start())),
            None => (self.place.as_str(), None),
        };
        (!topic.is_empty() && !topic.contains(['#', '+']) && topic.len() <= 256).then_some((topic, pointer))
    }
}

fn part<'a>((rest, number, sign): (&'a str, &str, f64)) -> Option<(&'a str, f64)> {
    let number: f64 = number.trim().parse().ok()?;
    number.is_finite().then_some((rest, sign * number))
}

/// Whether `text` is a mapping.
#[must_use]
pub fn is_mapping(text: &str) -> bool {
    Mapping::parse(text).is_some()
}

/// Variables with commas between.
#[must_use]
pub fn list(text: &str) -> Option<Vec<Variable>> {
    let one = |name: &str| NAMES.iter().find(|(key, _)| *key == name.trim()).map(|(_, variable)| *variable);
    text.split(',').map(one).collect()
}

/// Whether `text` is such a list.
#[must_use]
pub fn is_list(text: &str) -> bool {
    list(text).is_some()
}

/// A vane's table: `DEGREES=VALUE` pairs with commas between, at least two, each value once.
#[must_use]
pub fn table(text: &str) -> Option<Vec<(f64, f64)>> {
    let pair = |text: &str| {
        let (degrees, value) = text.split_once('=')?;
        let (degrees, value): (f64, f64) = (degrees.trim().parse().ok()?, value.trim().parse().ok()?);
        ((0.0..=360.0).contains(&degrees) && value.is_finite()).then_some((degrees, value))
    };
    let mut pairs: Vec<_> = text.split(',').map(pair).collect::<Option<_>>()?;
    pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
    let is_clear = pairs.len() >= 2 && pairs.len() <= 360 && pairs.windows(2).all(|two| two[0].1 < two[1].1);
    is_clear.then_some(pairs)
}

/// Whether `text` is such a table.
#[must_use]
pub fn is_table(text: &str) -> bool {
    table(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(String, f64, f64)> {
        Mapping::parse(text).map(|mapping| (mapping.place, mapping.scale, mapping.offset))
    }

    #[test]
    fn a_mapping_is_a_place_a_scale_and_an_offset() {
        assert_eq!(parse("t"), Some(("t".into(), 1.0, 0.0)));
        assert_eq!(parse("/bme/p * 0.01"), Some(("/bme/p".into(), 0.01, 0.0)));
        assert_eq!(parse("3 * 0.1 - 40"), Some(("3".into(), 0.1, -40.0)));
        assert_eq!(parse("garden/out /t * 1.8 + 32"), Some(("garden/out /t".into(), 1.8, 32.0)));
        for text in ["", " ", "t * x", "t * 0", "t + nan", "t * inf", " * 2", "t *", "a\nb"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let mapping = Mapping::parse("3 * 0.1 - 40").expect("a mapping");
        assert!((mapping.apply(525.0) - 12.5).abs() < 1e-12);
        assert_eq!(mapping.column(), Some(2));
        assert_eq!(Mapping::parse("0").expect("a mapping").column(), None);
        assert_eq!(Mapping::parse("t").expect("a mapping").column(), None);
    }

    #[test]
    fn a_topic_may_have_a_pointer_and_no_wildcard() {
        let topic = |text: &str| {
            let mapping = Mapping::parse(text).expect("a mapping");
            mapping.topic().map(|(topic, pointer)| (topic.to_owned(), pointer.map(str::to_owned)))
        };
        assert_eq!(topic("garden/t"), Some(("garden/t".into(), None)));
        assert_eq!(topic("garden/w /bme/t * 0.1"), Some(("garden/w".into(), Some("/bme/t".into()))));
        assert_eq!(topic("garden/#"), None);
        assert_eq!(topic("garden/+/t"), None);
    }

    #[test]
    fn a_table_has_two_pairs_or_more_and_no_value_twice() {
        assert_eq!(table("90=1.5, 0=3.8"), Some(vec![(90.0, 1.5), (0.0, 3.8)]));
        for text in ["0=1", "0=1,90=1", "0=1,400=2", "0,1", "0=1,", ""] {
            assert_eq!(table(text), None, "{text}");
        }
        assert_eq!(list("humidity, wind_speed"), Some(vec![Variable::Humidity, Variable::WindSpeed]));
        assert_eq!(list("humidity, wind"), None);
    }
}
