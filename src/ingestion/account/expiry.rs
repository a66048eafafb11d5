//! Tokens and certificates that end, wherever their end can be read.

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::clock::certificate::validity;

/// How near an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// More than 14 days.
    Far,
    /// At most 14 days.
    Weeks,
    /// At most 3 days.
    Days,
    /// At most a day, or over.
    Last,
}

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// What: the setting that names it.
    pub what: String,
    /// When.
    pub ends_at: Timestamp,
}

impl Expiry {
    /// How near its end is.
    #[must_use]
    pub fn urgency(&self, now: Timestamp) -> Urgency {
        match self.ends_at.duration_since(now).as_hours() {
            ..24 => Urgency::Last,
            24..72 => Urgency::Days,
            72..336 => Urgency::Weeks,
            _ => Urgency::Far,
        }
    }

    /// `azure.storage_sas ends in 3 d`, in whole days or hours.
    #[must_use]
    pub fn words(&self, now: Timestamp) -> String {
        let left = self.ends_at.duration_since(now);
        let when = match left.as_hours() {
            _ if left.is_negative() => format!("ended at {:.0}", self.ends_at),
            hours @ ..48 => format!("ends in {hours} h"),
            hours => format!("ends in {} d", hours / 24),
        };
        format!("{} {when}", self.what)
    }
}

/// The ends that can be read: of signatures, by the setting that names each, and of the certificates in a PEM file.
#[must_use]
pub fn expiries(signatures: &[(&str, &str)], ca: Option<&Path>) -> Vec<Expiry> {
    let mut found: Vec<Expiry> = signatures
        .iter()
        .filter_map(|(what, text)| Some(Expiry { what: (*what).to_owned(), ends_at: end_of(text)? }))
        .collect();
    let pem = ca.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    let ends = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).filter_map(|der| validity(&der));
    if let Some(ends_at) = ends.map(|(_, end)| end).min() {
        found.push(Expiry { what: "the first certificate in azure.ca".to_owned(), ends_at });
    }
    found
}

/// When a shared access signature ends: `se=`, an instant or a day for storage, seconds for hub and Event Hubs.
fn end_of(text: &str) -> Option<Timestamp> {
    let parts = text.split(['?', '&', ';', ' ']);
    let end = parts.filter_map(|part| part.strip_prefix("se=")).next()?;
    let end = percent_encoding::percent_decode_str(end).decode_utf8().ok()?;
    if let Ok(seconds) = end.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    if let Ok(at) = end.parse::<Timestamp>() {
        return Some(at);
    }
    // Storage takes an instant to the minute, too.
    if let Ok(at) = jiff::civil::DateTime::strptime("%Y-%m-%dT%H:%MZ", end.as_ref()) {
        return at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp());
    }
    let day: jiff::civil::Date = end.parse().ok()?;
    day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn an_end_is_read_in_every_form_it_comes_in() {
        for (text, end) in [
            ("sv=2023-11-03&se=2026-01-31T08%3A00%3A00Z&sig=x", Some("2026-01-31T08:00:00Z")),
            ("?se=2026-01-31T08%3A30Z&sig=x", Some("2026-01-31T08:30:00Z")),
            ("?se=2026-01-31&sig=x", Some("2026-01-31T00:00:00Z")),
            ("SharedAccessSignature sr=x&sig=y&se=1700000000&skn=p", Some("2023-11-14T22:13:20Z")),
            (
                "Endpoint=sb://h/;SharedAccessSignature=SharedAccessSignature sr=x&se=1700000000;EntityPath=e",
                Some("2023-11-14T22:13:20Z"),
            ),
            ("SharedAccessKey=se", None),
            ("se=never", None),
        ] {
            assert_eq!(end_of(text), end.map(at), "{text}");
        }
    }

    #[test]
    fn the_countdown_is_in_days_and_then_in_hours() {
        let now = at("2026-01-01T00:00:00Z");
        for (end, urgency, words) in [
            ("2026-01-16T00:00:00Z", Urgency::Far, "x ends in 15 d"),
            ("2026-01-14T12:00:00Z", Urgency::Weeks, "x ends in 13 d"),
            ("2026-01-03T12:00:00Z", Urgency::Days, "x ends in 2 d"),
            ("2026-01-01T20:30:00Z", Urgency::Last, "x ends in 20 h"),
            ("2025-12-31T23:59:00Z", Urgency::Last, "x ended at 2025-12-31T23:59:00Z"),
        ] {
            let expiry = Expiry { what: "x".into(), ends_at: at(end) };
            assert_eq!((expiry.urgency(now), expiry.words(now).as_str()), (urgency, words), "{end}");
        }
    }
}
