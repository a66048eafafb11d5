//! Just enough of DER (ITU-T X.690) to read of a certificate (RFC 5280, 4.1) when it is valid and whose it is.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// id-at-commonName, 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// The beginning and the end of a certificate's validity; [`None`] if this isn't one.
#[must_use]
pub fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (validity, _) = element(from_validity(certificate)?, SEQUENCE)?;
    let (begin, rest) = time(validity)?;
    Some((begin, time(rest)?.0))
}

/// The subject's common name; [`None`] where it has none, or this isn't a certificate.
#[must_use]
pub fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, rest) = element(from_validity(certificate)?, SEQUENCE)?;
    let (mut names, _) = element(rest, SEQUENCE)?;
    while !names.is_empty() {
        let (mut parts, rest) = element(names, SET)?;
        while !parts.is_empty() {
            let (part, rest) = element(parts, SEQUENCE)?;
            let (kind, value) = element(part, OBJECT_IDENTIFIER)?;
            if kind == COMMON_NAME {
                let text = [UTF8_STRING, PRINTABLE_STRING, TELETEX_STRING, IA5_STRING]
                    .into_iter()
                    .find_map(|tag| element(value, tag))?
                    .0;
                return str::from_utf8(text).ok().map(str::to_owned);
            }
            parts = rest;
        }
        names = rest;
    }
    None
}

/// A certificate from its validity on.
fn from_validity(certificate: &[u8]) -> Option<&[u8]> {
    let (outer, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(outer, SEQUENCE)?;
    if let Some((_, after)) = element(rest, VERSION) {
        rest = after;
    }
    let (_, rest) = element(rest, INTEGER)?; // serial number
    let (_, rest) = element(rest, SEQUENCE)?; // signature algorithm
    element(rest, SEQUENCE).map(|(_issuer, rest)| rest)
}

/// The time at the beginning of `bytes`, and what follows it.
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    if let Some((text, rest)) = element(bytes, UTC_TIME) {
        // Two digits of the year: 50 and above are of the last century (RFC 5280, 4.1.2.5.1).
        let text = str::from_utf8(text).ok()?;
        let century = if text.get(..2)?.parse::<u8>().ok()? >= 50 { "19" } else { "20" };
        return Some((timestamp(&format!("{century}{text}"))?, rest));
    }
    let (text, rest) = element(bytes, GENERALIZED_TIME)?;
    Some((timestamp(str::from_utf8(text).ok()?)?, rest))
}

fn timestamp(text: &str) -> Option<Timestamp> {
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
    use rcgen::DnType;

    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(1999, 12, 31);
        params.not_after = rcgen::date_time_ymd(year, 3, 9);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "a house");
        params.distinguished_name.push(DnType::CommonName, "roof-01");
        let key = rcgen::KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn validity_is_read_in_both_notations() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
        // Years to 2049 are written as UTCTime, later ones as GeneralizedTime.
        for (year, end) in [(2046, "2046-03-09T00:00:00Z"), (2061, "2061-03-09T00:00:00Z")] {
            assert_eq!(validity(&certificate(year)), Some((at("1999-12-31T00:00:00Z"), at(end))));
        }
    }

    #[test]
    fn the_common_name_is_found_among_others() {
        assert_eq!(common_name(&certificate(2046)).as_deref(), Some("roof-01"));
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let key = rcgen::KeyPair::generate().expect("a key");
        assert_eq!(common_name(params.self_signed(&key).expect("a certificate").der()), None);
    }

    #[test]
    fn rubbish_is_no_certificate() {
        for rubbish in [&b""[..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0xff; 64]] {
            assert_eq!((validity(rubbish), common_name(rubbish)), (None, None));
        }
        let whole = certificate(2046);
        for length in 0..whole.len() {
            assert_eq!(validity(&whole[..length]), None, "the outermost length doesn't fit");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_broken_certificate_is_read_or_refused(at in 0_usize..400, byte: u8) {
            let mut broken = certificate(2046);
            let length = broken.len();
            broken[at % length] = byte;
            if let Some(name) = common_name(&broken) {
                proptest::prop_assert!(name.len() < length);
            }
            let _: Option<(Timestamp, Timestamp)> = validity(&broken);
        }
    }
}
