//! How much may go: a second's rate, a day's quota, a metered line's budget.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::bucket::Bucket;
use super::meter::{Meter, units};
use super::pace::Allowance;
use super::settings::UplinkSettings;
use super::status::{Metered, Quota};

/// What a message costs on the line beside its topic and body: headers of MQTT and TLS, and its acknowledgement.
const OVERHEAD: usize = 100;
/// How long a wait for the next day sleeps at most: the wall clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// The bounds of a link.
pub(super) struct Limits {
    bucket: Option<Bucket>,
    per_day: Option<u32>,
    meter: Meter,
}

/// Whether anything may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// So many messages.
    Now(usize),
    /// Not before this.
    At(Instant),
    /// Not before the day's count begins anew.
    NextDay(Timestamp),
}

impl Limits {
    pub(super) fn new(settings: &UplinkSettings, meter: Meter, now: Instant) -> Self {
        let mut limits = Self { bucket: None, per_day: None, meter };
        limits.update(settings, now);
        limits
    }

    /// Takes up new bounds; a rate that stays the same keeps its bucket.
    pub(super) fn update(&mut self, settings: &UplinkSettings, now: Instant) {
        if self.bucket.as_ref().map(Bucket::per_s) != settings.max_per_s {
            self.bucket = settings.max_per_s.map(|per_s| Bucket::new(per_s, now));
        }
        self.per_day = settings.max_per_day;
        self.meter.set_budget(settings.budget_bytes_per_day);
    }

    /// Whether the day's count has to be kept.
    pub(super) fn is_counting(&self) -> bool {
        self.per_day.is_some() || self.meter.budget().is_some()
    }

    /// How many messages may go now; `on_the_way` are the bytes of those not yet acknowledged.
    pub(super) fn ready(&mut self, now: Instant, wall: Timestamp, on_the_way: usize) -> Ready {
        if self.is_counting() && !self.fits(wall, 1, on_the_way) {
            return Ready::NextDay(self.meter.day(wall).ends_at());
        }
        match &mut self.bucket {
            None => Ready::Now(usize::MAX),
            Some(bucket) => match bucket.ready(now) {
                0 => Ready::At(bucket.full_at()),
                ready => Ready::Now(ready),
            },
        }
    }

    /// Whether a message of `bytes` fits into what is left of the day.
    pub(super) fn fits(&self, wall: Timestamp, bytes: usize, on_the_way: usize) -> bool {
        if !self.is_counting() {
            return true;
        }
        let day = self.meter.day(wall);
        // One that is larger than a whole day's goes when there is nearly the whole day, lest it wait for ever.
        let fits_quota = self.per_day.is_none_or(|per_day| {
            let per_day = u64::from(per_day);
            day.units + units(bytes) <= per_day || units(bytes) > per_day && day.units == 0
        });
        let fits_budget = self.meter.budget().is_none_or(|budget| {
            let cost = (bytes + OVERHEAD) as u64;
            // What is on its way may have been counted already: near the end a little less goes than could.
            day.bytes + on_the_way as u64 + cost <= budget || cost > budget / 2 && day.bytes < budget / 2
        });
        fits_quota && fits_budget
    }

    /// Counts a message that goes.
    pub(super) fn sent(&mut self, wall: Timestamp, bytes: usize) {
        if let Some(bucket) = &mut self.bucket {
            bucket.take(1);
        }
        self.meter.message(wall, bytes);
    }

    pub(super) fn is_metered(&self) -> bool {
        self.meter.budget().is_some()
    }

    pub(super) fn allowance(&self, wall: Timestamp) -> Option<Allowance> {
        let per_day = u64::from(self.per_day?);
        let day = self.meter.day(wall);
        Some(Allowance {
            left_today: per_day.saturating_sub(day.units),
            per_day,
            next_day_in_s: day.ends_at().duration_since(wall).as_secs_f64(),
        })
    }

    pub(super) fn per_s(&self) -> Option<u32> {
        self.bucket.as_ref().map(Bucket::per_s)
    }

    pub(super) fn quota(&self, wall: Timestamp) -> Option<Quota> {
        if self.bucket.is_none() && self.per_day.is_none() {
            return None;
        }
        let day = self.meter.day(wall);
        Some(Quota {
            max_per_s: self.per_s(),
            max_per_day: self.per_day,
            sent_today: day.units,
            resets_at: self.per_day.map(|_| day.ends_at()),
        })
    }

    pub(super) fn metered(&self, wall: Timestamp, messages_wait: bool) -> Option<Metered> {
        let budget_bytes = self.meter.budget()?;
        let day = self.meter.day(wall);
        let holding = [("pictures", !self.meter.may_upload(wall)), ("messages", messages_wait)];
        Some(Metered {
            budget_bytes,
            spent_bytes: day.bytes,
            saved_bytes: day.saved,
            resets_at: Some(day.ends_at()),
            holding: holding.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()).collect(),
        })
    }
}

/// When to look again for the next day.
pub(super) fn wake_for(next_day: Timestamp, wall: Timestamp, now: Instant) -> Instant {
    let wait = Duration::try_from(next_day.duration_since(wall)).unwrap_or_default();
    now + wait.clamp(Duration::from_millis(10), LONGEST_SLEEP)
}

#[cfg(test)]
mod tests {
    use super::super::settings::{Credentials, Roots};
    use super::*;

    fn settings() -> UplinkSettings {
        UplinkSettings::at("h", 1, "h", "d").signed_in(Credentials::Key("".into()), Roots::System)
    }

    fn noon() -> Timestamp {
        "2026-11-26T12:00:00Z".parse().expect("a timestamp")
    }

    #[test]
    fn a_days_quota_ends_at_midnight() {
        let now = Instant::now();
        let settings = UplinkSettings { max_per_day: Some(3), ..settings() };
        let mut limits = Limits::new(&settings, Meter::default(), now);
        assert_eq!(limits.ready(now, noon(), 0), Ready::Now(usize::MAX));
        limits.sent(noon(), 5000);
        assert!(limits.fits(noon(), 4096, 0) && !limits.fits(noon(), 4097, 0));
        limits.sent(noon(), 10);
        let midnight = "2026-11-27T00:00:00Z".parse().expect("a timestamp");
        assert_eq!(limits.ready(now, noon(), 0), Ready::NextDay(midnight));
        assert_eq!(limits.ready(now, midnight, 0), Ready::Now(usize::MAX));
        assert_eq!(wake_for(midnight, noon(), now), now + LONGEST_SLEEP);
        let quota = limits.quota(noon()).expect("a quota");
        assert_eq!(
            (quota.sent_today, quota.max_per_day, quota.max_per_s),
            (0, Some(3), None),
            "the clock was set back"
        );
        assert!(limits.fits(noon(), 1 << 18, 0), "larger than a day's: with the first of the day");
        limits.sent(noon(), 1);
        assert!(!limits.fits(noon(), 1 << 18, 0));
    }

    #[test]
    fn a_budget_counts_what_is_on_its_way() {
        let now = Instant::now();
        let meter = Meter::default();
        let settings = UplinkSettings { budget_bytes_per_day: Some(10_000), ..settings() };
        let mut limits = Limits::new(&settings, meter.clone(), now);
        assert!(limits.is_counting() && limits.is_metered());
        meter.spend(5000);
        let metered = limits.metered(noon(), false).expect("metered");
        assert_eq!((metered.spent_bytes, metered.holding), (5000, vec!["pictures".to_owned()]));
        assert!(limits.fits(noon(), 4800, 100) && !limits.fits(noon(), 4800, 101));
        meter.spend(4950);
        assert!(matches!(limits.ready(now, noon(), 0), Ready::NextDay(_)));
        assert_eq!(limits.metered(noon(), true).expect("metered").holding, ["pictures", "messages"]);
        limits.update(&super::UplinkSettings { budget_bytes_per_day: None, ..settings }, now);
        assert_eq!(limits.ready(now, noon(), 0), Ready::Now(usize::MAX));
        assert_eq!((limits.quota(noon()), limits.metered(noon(), false)), (None, None));
    }
}
