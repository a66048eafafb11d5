//! Which picture makes room for a new one: the older a time is, the fewer of its pictures are kept.

use super::Picture;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The place of the picture to give up next, of pictures that are oldest first; `None` where there is none. Of each hour
/// the first is kept, the oldest hour's others going first; once each has one, of each day the first; then the oldest
/// goes. Hours and days are UTC's.
pub(super) fn next(waiting: &[Picture]) -> Option<usize> {
    let spare = |span_ms: i64| {
        let same = |pair: &[Picture]| pair[0].wall_ms.div_euclid(span_ms) == pair[1].wall_ms.div_euclid(span_ms);
        waiting.windows(2).position(same).map(|first| first + 1)
    };
    spare(HOUR_MS).or_else(|| spare(DAY_MS)).or((!waiting.is_empty()).then_some(0))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::Mark;
    use super::*;
    use crate::station::MessageId;

    fn picture(time: &str) -> Picture {
        let at: Timestamp = format!("2026-05-{time}:00Z").parse().expect("a time");
        let (id, wall_ms) = (MessageId::new(at), at.as_millisecond());
        Picture { wall_ms, mark: Mark::Set, boot_id: "b".into(), boot_ms: 0, id, bytes: 1, is_png: false }
    }

    #[test]
    fn one_an_hour_is_kept_then_one_a_day_then_the_newest() {
        let times = ["01T10:10", "01T10:20", "01T10:50", "01T11:00", "02T08:00", "02T08:30", "02T09:00", "03T00:00"];
        let mut waiting: Vec<_> = times.map(picture).into();
        let mut gone = Vec::new();
        while let Some(at) = next(&waiting) {
            gone.push(waiting.remove(at).taken_at().strftime("%dT%H:%M").to_string());
        }
        let hourly = ["01T10:20", "01T10:50", "02T08:30"];
        let daily = ["01T11:00", "02T09:00"];
        let oldest = ["01T10:10", "02T08:00", "03T00:00"];
        assert_eq!(gone, [&hourly[..], &daily, &oldest].concat());
        assert_eq!(next(&[]), None);
    }
}
