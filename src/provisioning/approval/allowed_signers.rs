//! A line of a file of allowed signers, as `ssh-keygen` reads it (ssh-keygen(1), ALLOWED SIGNERS).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, PublicKey};

use crate::station::text::printable;

/// Kinds of keys that `ssh-keygen` signs with; what stands in their place otherwise is an option.
const KINDS: [&str; 8] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
    "ssh-dss",
];

/// Whose key it is, what for, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its principals, as they stand there: names, or patterns with `*`, `?` and `!`. One at least.
    pub principals: Vec<String>,
    /// Patterns of namespaces; absent is every one.
    pub namespaces: Option<Vec<String>>,
    /// Not before, wall clock.
    pub valid_after: Option<Timestamp>,
    /// Not after, wall clock.
    pub valid_before: Option<Timestamp>,
    /// The key.
    pub key: KeyData,
}

impl Line {
    /// Whether it counts for signatures in `namespace`.
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|patterns| in_list(patterns, namespace))
    }

    /// The first principal that is a pattern and so names nobody.
    pub fn pattern(&self) -> Option<&str> {
        self.principals.iter().map(String::as_str).find(|name| name.contains(['*', '?', '!']))
    }
}

/// Reads one line; times without a `Z` are in `zone`. `None` is a comment or blank. Fails with the cause and the next
/// step.
pub fn read(line: &str, zone: &TimeZone) -> Result<Option<Line>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (principals, rest) = principals(line)?;
    let kind = rest.split_whitespace().next().unwrap_or_default();
    let mut found = Line {
        principals,
        namespaces: None,
        valid_after: None,
        valid_before: None,
        // Any; it is read below.
        key: KeyData::Ed25519(ssh_key::public::Ed25519PublicKey([0; 32])),
    };
    let key = if KINDS.contains(&kind) {
        rest
    } else {
        let end = end_of_options(rest)?;
        options(&rest[..end], zone, &mut found)?;
        &rest[end..]
    };
    found.key = public_key(key)?;
    Ok(Some(found))
}

fn principals(line: &str) -> Result<(Vec<String>, &str), String> {
    let (field, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("principals: a quote isn't closed; close it")?,
        None => line.split_once([' ', '\t']).ok_or("only principals stand here; write a key behind them")?,
    };
    let names: Vec<_> = field.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err("principals: one is empty; write the person's name, as in ada@example.com".to_owned());
    }
    if let Some(name) = names.iter().find(|name| printable(name) != **name) {
        return Err(format!("principals: {:?} has signs that can't be shown; write the name without", printable(name)));
    }
    Ok((names, rest.trim_start()))
}

/// Where the options end: at a blank outside of quotes.
fn end_of_options(text: &str) -> Result<usize, String> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if text[at + 1..].starts_with('"') => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok(at),
            _ => {}
        }
    }
    if quoted { Err("options: a quote isn't closed; close it".to_owned()) } else { Ok(text.len()) }
}

fn options(mut text: &str, zone: &TimeZone, line: &mut Line) -> Result<(), String> {
    loop {
        let name_end = text.find(['=', ',']).unwrap_or(text.len());
        let name = text[..name_end].to_ascii_lowercase();
        text = &text[name_end..];
        match name.as_str() {
            "cert-authority" => {
                return Err(
                    "cert-authority: keys signed by an authority aren't taken; write each person's own key".to_owned()
                );
            }
            "namespaces" => {
                let value = value(&name, &mut text)?;
                let patterns: Vec<_> = value.split(',').map(|pattern| pattern.trim().to_owned()).collect();
                if patterns.iter().any(|pattern| pattern.is_empty() || pattern == "!") {
                    return Err(format!(
                        "namespaces: {:?} has an empty one; write namespaces=\"skydeck-*\"",
                        printable(&value)
                    ));
                }
                once(&name, &mut line.namespaces, patterns)?;
            }
            "valid-after" => {
                let time = time(&name, &value(&name, &mut text)?, zone)?;
                once(&name, &mut line.valid_after, time)?;
            }
            "valid-before" => {
                let time = time(&name, &value(&name, &mut text)?, zone)?;
                once(&name, &mut line.valid_before, time)?;
            }
            _ => {
                return Err(format!(
                    "{:?} is neither a kind of key nor an option; the options are namespaces=\"…\", valid-after=\"…\" and valid-before=\"…\"",
                    printable(&name)
                ));
            }
        }
        match text.strip_prefix(',') {
            Some("") => return Err("options: end with a comma; take it away".to_owned()),
            Some(rest) => text = rest,
            None if text.is_empty() => break,
            None => return Err(format!("{name}: something stands behind its value; part options with commas")),
        }
    }
    match (line.valid_after, line.valid_before) {
        (Some(after), Some(before)) if before <= after => {
            Err("valid-before: isn't later than valid-after, so the key never counts; correct one of them".to_owned())
        }
        _ => Ok(()),
    }
}

fn once<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), String> {
    if place.replace(value).is_some() { Err(format!("{name}: stands twice; write it once")) } else { Ok(()) }
}

/// The quoted value that `text` goes on with; `text` is left at what follows.
fn value(name: &str, text: &mut &str) -> Result<String, String> {
    let unquoted = || format!("{name}: its value isn't in quotes; write {name}=\"…\"");
    let rest = text.strip_prefix("=\"").ok_or_else(unquoted)?;
    let mut value = String::new();
    let mut characters = rest.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' if characters.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            '"' => {
                *text = &rest[at + 1..];
                return Ok(value);
            }
            c => value.push(c),
        }
    }
    Err(unquoted())
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, with a `Z` in UTC, without one in `zone`.
fn time(name: &str, text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || {
        let text = printable(text);
        format!(
            "{name}: {text:?} isn't a time; write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with a Z behind it for UTC"
        )
    };
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, &TimeZone::UTC),
        None => (text, zone),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return Err(wrong());
    }
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or("0").parse::<i16>().map_err(|_| wrong());
    let small = |from: usize| part(from, from + 2).and_then(|number| i8::try_from(number).map_err(|_| wrong()));
    let civil = DateTime::new(part(0, 4)?, small(4)?, small(6)?, small(8)?, small(10)?, small(12)?, 0);
    civil.and_then(|civil| civil.to_zoned(zone.clone())).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

fn public_key(text: &str) -> Result<KeyData, String> {
    let mut words = text.split_whitespace();
    let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
        return Err("no key stands here; write its kind and its text, as in the .pub file".to_owned());
    };
    let kind = printable(kind);
    if !KINDS.contains(&kind.as_str()) {
        return Err(format!("{kind:?} isn't a kind of key that is known; make another: ssh-keygen -t ed25519"));
    }
    let key = PublicKey::from_openssh(&format!("{kind} {blob}"))
        .map_err(|_| format!("the {kind} key can't be read; copy it again from the .pub file"))?;
    match key.algorithm() {
        Algorithm::Other(_) => Err(format!("the {kind} key can't be read; copy it again from the .pub file")),
        _ => Ok(key.into()),
    }
}

/// Whether `text` is in a list of patterns: one fits, and none with a `!` before it does.
fn in_list(patterns: &[String], text: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits(pattern.as_bytes(), text.as_bytes()) => return false,
            Some(_) => {}
            None => found |= fits(pattern.as_bytes(), text.as_bytes()),
        }
    }
    found
}

/// `*` stands for any text, `?` for one character.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut next, mut star) = (0, 0, None);
    while next < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(c) if *c == b'?' || *c == text[next] => (at, next) = (at + 1, next + 1),
            // The last star takes one more.
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, next) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_ssh() {
        for (pattern, text, expected) in [
            ("skydeck-*", "skydeck-plan", true),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*plan", "skydeck-plan-plan", true),
            ("skydeck-pla?", "skydeck-plan", true),
            ("skydeck", "skydeck-plan", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        assert!(in_list(&list("git,skydeck-*"), "skydeck-plan"));
        assert!(!in_list(&list("skydeck-*,!skydeck-plan"), "skydeck-plan"));
        assert!(!in_list(&list("!git"), "skydeck-plan"));
    }

    #[test]
    fn times_are_in_utc_or_in_the_zone() {
        let zone = TimeZone::get("Europe/Zurich").expect("a zone");
        let read = |text: &str| time("valid-after", text, &zone).map(|time| time.to_string());
        assert_eq!(read("20260301Z").as_deref(), Ok("2026-03-01T00:00:00Z"));
        assert_eq!(read("20260301").as_deref(), Ok("2026-02-28T23:00:00Z"));
        assert_eq!(read("202607011230Z").as_deref(), Ok("2026-07-01T12:30:00Z"));
        assert_eq!(read("20260701123059").as_deref(), Ok("2026-07-01T10:30:59Z"));
        for wrong in
            ["", "Z", "2026", "20261301", "20260230Z", "2026030112Z", "+20260301", "202603012560", "２０２６０３０１"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
