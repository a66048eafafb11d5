//! Figures in words, as lamps and facts show them.

/// A whole number with its thousands apart: `10,080`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size: `8.1 KiB`.
#[expect(clippy::cast_precision_loss, reason = "a size in words has two digits")]
pub(super) fn bytes_in_words(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(10_080), "10,080");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(bytes_in_words(812), "812 B");
        assert_eq!(bytes_in_words(8_294), "8.1 KiB");
    }
}
