//! What watching costs, by Snowflake's published table: a warehouse's credits an hour by its size, billed by the second
//! with a minute at least each time it wakes; and what pipes cost, by the gigabyte.

use super::session::Row;

/// Credits a gigabyte (10⁹ bytes) that a pipe loads; JSON is counted uncompressed.
const CREDITS_PER_GB: f64 = 0.0037;
/// Seconds that each wake is billed for at least.
const LEAST_S: f64 = 60.0;

/// What a warehouse costs while it is awake.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarehouseCost {
    /// Credits an hour.
    pub credits_per_h: f64,
    /// Seconds it stays awake after the last statement.
    pub auto_suspend_s: f64,
}

impl WarehouseCost {
    /// From a row of `SHOW WAREHOUSES`; `None` for a size that isn't in the table, or a warehouse that never suspends:
    /// what a wake of that one costs can't be told.
    pub(super) fn of(row: &Row) -> Option<Self> {
        let size: String = row.text("size")?.chars().filter(char::is_ascii_alphanumeric).collect();
        let credits_per_h = match size.to_ascii_uppercase().as_str() {
            "XSMALL" => 1.0,
            "SMALL" => 2.0,
            "MEDIUM" => 4.0,
            "LARGE" => 8.0,
            "XLARGE" => 16.0,
            "2XLARGE" | "XXLARGE" => 32.0,
            "3XLARGE" | "XXXLARGE" => 64.0,
            "4XLARGE" | "X4LARGE" => 128.0,
            "5XLARGE" | "X5LARGE" => 256.0,
            "6XLARGE" | "X6LARGE" => 512.0,
            _ => return None,
        };
        let auto_suspend_s = row.text("auto_suspend")?.parse().ok().filter(|seconds| *seconds > 0.0)?;
        Some(Self { credits_per_h, auto_suspend_s })
    }

    /// Seconds that a warehouse stays awake behind its work; of one that isn't known, the least that is billed.
    #[must_use]
    pub fn awake_behind_s(cost: Option<Self>) -> f64 {
        cost.map_or(LEAST_S, |cost| cost.auto_suspend_s)
    }

    /// Credits of one wake in which statements ran for `busy_s`. Where somebody else has it awake anyway, less.
    #[must_use]
    pub fn of_a_wake(&self, busy_s: f64) -> f64 {
        self.credits_per_h * (busy_s + self.auto_suspend_s).max(LEAST_S) / 3600.0
    }
}

/// Credits of loading so many bytes.
#[must_use]
pub fn of_loading(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "credits need no 16 digits")]
    let gigabytes = bytes as f64 / 1e9;
    gigabytes * CREDITS_PER_GB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_costs_its_work_and_the_time_until_it_sleeps() {
        let row = Row::of(&[("name", Some("W")), ("size", Some("X-Small")), ("auto_suspend", Some("60"))]);
        let cost = WarehouseCost::of(&row).expect("known");
        // By hand: (5 s + 60 s) at 1 credit an hour.
        assert!((cost.of_a_wake(5.0) - 65.0 / 3600.0).abs() < 1e-12);
        // 24 of them a day: 0.433 credits.
        assert!((24.0 * cost.of_a_wake(5.0) - 0.433).abs() < 0.001);
        // A minute at least.
        let eager = WarehouseCost { auto_suspend_s: 1.0, ..cost };
        assert!((eager.of_a_wake(2.0) - 60.0 / 3600.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_in_the_table_is_not_guessed() {
        for (size, suspend) in [("Huge", Some("60")), ("X-Small", Some("0")), ("X-Small", None)] {
            assert_eq!(WarehouseCost::of(&Row::of(&[("size", Some(size)), ("auto_suspend", suspend)])), None);
        }
        let large = Row::of(&[("size", Some("2X-Large")), ("auto_suspend", Some("600"))]);
        assert_eq!(WarehouseCost::of(&large).map(|cost| cost.credits_per_h), Some(32.0));
    }

    #[test]
    fn a_gigabyte_costs_what_is_published() {
        assert!((of_loading(2_000_000_000) - 0.0074).abs() < 1e-12);
    }
}
