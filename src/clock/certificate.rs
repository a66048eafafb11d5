//! Just enough of DER (ITU-T X.690) to read when a certificate ends (RFC 5280, 4.1).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of the validity of a certificate, DER; `None` if this isn't one.
#[must_use]
pub fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (outer, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(outer, SEQUENCE)?;
    if let Some((_, after)) = element(rest, VERSION) {
        rest = after;
    }
    let (_, rest) = element(rest, INTEGER)?; // serial number
    let (_, rest) = element(rest, SEQUENCE)?; // signature algorithm
    let (_, rest) = element(rest, SEQUENCE)?; // issuer
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, after) = element(validity, UTC_TIME).or_else(|| element(validity, GENERALIZED_TIME))?;
    if let Some((text, _)) = element(after, UTC_TIME) {
        // Two digits of the year: 50 and above are of the last century (RFC 5280, 4.1.2.5.1).
        let text = str::from_utf8(text).ok()?;
        let century = if text.get(..2)?.parse::<u8>().ok()? >= 50 { "19" } else { "20" };
        return time(&format!("{century}{text}"));
    }
    time(str::from_utf8(element(after, GENERALIZED_TIME)?.0).ok()?)
}

fn time(text: &str) -> Option<Timestamp> {
    DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// The content of the element with `tag` at the beginning of `bytes`, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(year, 3, 9);
        let key = rcgen::KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_notations() {
        // Years to 2049 are written as UTCTime, later ones as GeneralizedTime.
        assert_eq!(not_after(&certificate(2046)), Some("2046-03-09T00:00:00Z".parse().expect("a timestamp")));
        assert_eq!(not_after(&certificate(2061)), Some("2061-03-09T00:00:00Z".parse().expect("a timestamp")));
    }

    #[test]
    fn rubbish_has_no_end() {
        let whole = certificate(2046);
        for length in 0..whole.len().min(200) {
            // The first 150 bytes or so hold the validity; anything cut before isn't a certificate.
            let _: Option<Timestamp> = not_after(&whole[..length]);
        }
        assert_eq!(not_after(b""), None);
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(not_after(&[0xff; 64]), None);
    }
}
