//! Reading a line of `tegrastats`, word by word.

use jiff::civil::DateTime;

use super::{Core, Iram, Line, Mts, Rail, Ram, Swap, Temperature, Unit};

/// A zone that is switched off reads this and less, °C.
const OFF_C: f64 = -255.0;
/// Words that aren't known and are kept.
const MAX_UNKNOWN: usize = 16;

/// The words of a line, two of which may be looked at.
struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    /// Takes the next word where `read` can read it.
    fn next_if<T>(&mut self, read: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let read = read(self.peek()?)?;
        self.at += 1;
        Some(read)
    }
}

pub(super) fn scan(text: &str) -> Line {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    if !text.ends_with('\n') {
        words.pop();
    }
    let mut words = Words { words, at: 0 };
    let mut line = Line::default();
    while let Some(word) = words.next() {
        if item(word, &mut words, &mut line).is_none() && line.unknown.len() < MAX_UNKNOWN {
            line.unknown.push(word.to_owned());
        }
    }
    line
}

/// Reads what begins with `word`. `None` where it isn't known, or its value isn't there.
fn item(word: &str, words: &mut Words<'_>, line: &mut Line) -> Option<()> {
    match word {
        "RAM" => line.ram = Some(ram(words)?),
        "SWAP" => line.swap = Some(swap(words)?),
        "IRAM" => line.iram = Some(iram(words)?),
        "CPU" | "cpu" if words.peek().is_some_and(|next| next.starts_with('[')) => line.cores = words.next_if(cores)?,
        "MTS" => line.mts = Some(mts(words)?),
        _ => {
            if let Some(temperature) = temperature(word) {
                line.temperatures.push(temperature);
            } else if let Some(at) = words.next_if(|time| date(word, time)) {
                line.at = Some(at);
            } else if is_name(word) {
                return value(word, words, line);
            } else {
                return None;
            }
        }
    }
    Some(())
}

/// The value of a unit or rail called `name`.
fn value(name: &str, words: &mut Words<'_>, line: &mut Line) -> Option<()> {
    let unit_name = || name.strip_suffix("_FREQ").unwrap_or(name).to_owned();
    if let Some(unit) = words.next_if(unit) {
        line.units.push(Unit { name: unit_name(), ..unit });
        return Some(());
    }
    let rail = words.next_if(rail)?;
    line.rails.push(Rail { name: name.to_owned(), ..rail });
    Some(())
}

/// Letters, digits and `_`, a letter first.
fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `04-11-2025` and `10:36:27`: month, day, year.
fn date(date: &str, time: &str) -> Option<DateTime> {
    DateTime::strptime("%m-%d-%Y %H:%M:%S", format!("{date} {time}")).ok()
}

fn ram(words: &mut Words<'_>) -> Option<Ram> {
    let (used, total) = words.next_if(|word| used_of(word, "")).map(|(used, total)| (used / 1024.0, total / 1024.0))?;
    let mut ram = Ram { used_mib: used, total_mib: total, free_blocks: None };
    if words.peek() == Some("(lfb") {
        words.next();
        ram.free_blocks = words.next_if(|word| {
            let (count, size) = word.strip_suffix(')')?.split_once('x')?;
            Some((count.parse().ok()?, kib(size)?))
        });
    }
    Some(ram)
}

fn swap(words: &mut Words<'_>) -> Option<Swap> {
    let (used, total) = words.next_if(|word| used_of(word, ""))?;
    let mut swap = Swap { used_mib: used / 1024.0, total_mib: total / 1024.0, cached_mib: None };
    if words.peek() == Some("(cached") {
        words.next();
        swap.cached_mib = words.next_if(|word| kib(word.strip_suffix(')')?)).map(|kib| kib / 1024.0);
    }
    Some(swap)
}

fn iram(words: &mut Words<'_>) -> Option<Iram> {
    let together = words.next_if(|word| used_of(word, "(lfb"));
    let has_lfb = together.is_some();
    let (used_kib, total_kib) = together.or_else(|| words.next_if(|word| used_of(word, "")))?;
    let mut iram = Iram { used_kib, total_kib, largest_free_kib: None };
    if has_lfb || words.next_if(|word| (word == "(lfb").then_some(())).is_some() {
        iram.largest_free_kib = words.next_if(|word| kib(word.strip_suffix(')')?));
    }
    Some(iram)
}

/// `2020/7852MB` and what stands behind it without a space: both in KiB, by the unit behind the second.
fn used_of(word: &str, behind: &str) -> Option<(f64, f64)> {
    let (used, total) = word.strip_suffix(behind)?.split_once('/')?;
    let at = total.find(|c: char| c.is_ascii_alphabetic())?;
    Some((kib(&format!("{used}{}", &total[at..]))?, kib(total)?))
}

/// `4MB`, `252kB`: in KiB. The program's units are powers of 1024.
fn kib(text: &str) -> Option<f64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[at..] {
        "B" => 1.0 / 1024.0,
        "kB" | "KB" => 1.0,
        "MB" => 1024.0,
        "GB" => 1_048_576.0,
        _ => return None,
    };
    Some(number(&text[..at])? * factor)
}

/// `[7%@1224,off]`, or `[17%,13%]@408` with one clock for all.
fn cores(word: &str) -> Option<Vec<Core>> {
    let (list, behind) = word.strip_prefix('[')?.split_once(']')?;
    let shared = if behind.is_empty() { None } else { Some(number(behind.strip_prefix('@')?)?) };
    let core = |text: &str| {
        if text == "off" {
            return Some(Core::default());
        }
        let (load, mhz) = text.split_once('@').map_or((text, None), |(load, mhz)| (load, Some(mhz)));
        let mhz = match mhz {
            Some(mhz) => Some(number(mhz)?),
            None => shared,
        };
        Some(Core { online: true, load_pct: Some(percent(load)?), mhz })
    };
    list.split(',').map(core).collect()
}

fn mts(words: &mut Words<'_>) -> Option<Mts> {
    let named = |words: &mut Words<'_>, name: &str| {
        words.next_if(|word| (word == name).then_some(()))?;
        words.next_if(percent)
    };
    Some(Mts { foreground_pct: named(words, "fg")?, background_pct: named(words, "bg")? })
}

/// `off`, `12%`, `12%@1300`, `12%@[1300,1300]`, `@2133`, `@[1000,1000]`, `174`.
fn unit(word: &str) -> Option<Unit> {
    if word == "off" {
        return Some(Unit::default());
    }
    let unit = |load_pct, mhz| Some(Unit { online: true, load_pct, mhz, ..Unit::default() });
    match word.split_once('@') {
        Some(("", clocks)) => unit(None, self::clocks(clocks)?),
        Some((load, clocks)) => unit(Some(percent(load)?), self::clocks(clocks)?),
        None if word.ends_with('%') => unit(Some(percent(word)?), Vec::new()),
        None => unit(None, vec![number(word)?]),
    }
}

fn clocks(text: &str) -> Option<Vec<f64>> {
    match text.strip_prefix('[') {
        Some(list) => list.strip_suffix(']')?.split(',').map(number).collect(),
        None => Some(vec![number(text)?]),
    }
}

/// `tj@44.343C`, `cpu@52.968C/52.968C`.
fn temperature(word: &str) -> Option<Temperature> {
    let (name, values) = word.split_once('@')?;
    if !is_name(name) {
        return None;
    }
    let celsius = |text: &str| number(text.strip_suffix('C')?);
    let (now, max) = values.split_once('/').map_or((values, None), |(now, max)| (now, Some(max)));
    let on = |celsius: f64| Some(celsius).filter(|celsius| *celsius > OFF_C);
    let max_celsius = match max {
        Some(max) => on(celsius(max)?),
        None => None,
    };
    Some(Temperature { name: name.to_owned(), celsius: on(celsius(now)?), max_celsius })
}

/// `3140/3208`, `2340mW/2340mW`, `5139mW/5139mW/5139mW`.
fn rail(word: &str) -> Option<Rail> {
    let milliwatts = |text: &str| number(text.strip_suffix("mW").unwrap_or(text));
    let values: Vec<f64> = word.split('/').map(milliwatts).collect::<Option<_>>()?;
    let is_one = values.len() == 1 && !word.ends_with("mW");
    match (is_one, values.as_slice()) {
        (false, [mw, rest @ ..]) if rest.len() <= 2 => {
            Some(Rail { mw: *mw, mean_mw: rest.first().copied(), third_mw: rest.get(1).copied(), ..Rail::default() })
        }
        _ => None,
    }
}

fn percent(text: &str) -> Option<f64> {
    number(text.strip_suffix('%')?)
}

/// A plain decimal number: digits, at most one point, a minus.
fn number(text: &str) -> Option<f64> {
    let is_plain = text.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-');
    text.parse().ok().filter(|number: &f64| is_plain && number.is_finite())
}
