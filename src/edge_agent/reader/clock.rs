//! What the machine's clock does to readings: where each has its time from, and what follows when the clock is set.

use jiff::{SignedDuration, Timestamp};

use super::super::outbox::Stamp;
use super::super::redating;
use super::super::sensors::Stamped;
use super::super::timekeeping::{self, Change, Moment, SET_FROM, dated, note};
use super::{Reader, nanoseconds};
use crate::database::DatabaseError;
use crate::nowcast::{Mean, TenMinuteMeans};
use crate::station::{ClockFlag, ClockNote, Reading};

/// How far ahead of the clock a mean may end before the clock counts as having been wrong when it was made.
const AHEAD: SignedDuration = SignedDuration::from_mins(11);

/// Where a reading's time comes from.
pub(super) struct Dating {
    pub stamp: Option<Stamp>,
    pub note: Option<ClockNote>,
    /// Whether the time is known already.
    pub is_known: bool,
}

impl Reader {
    /// Looks at the clock, and where it was set or stepped, does what follows from it before anything else.
    pub(super) async fn follow_clock(&mut self, moment: Moment) {
        if !self.shared.is_wall {
            return;
        }
        let change = self.keeper.observe(moment);
        match change {
            Change::None => {
                if !moment.is_set() {
                    self.unset_offset_ns = Some(moment.offset_ns());
                } else if self.shared.outbox.status().borrow().held > 0 {
                    // Made at the very moment when the clock was set.
                    self.free_held(moment.offset_ns()).await;
                }
                return;
            }
            Change::Set { offset_ns } => {
                tracing::info!(target: "agent", "the clock is set: {}", moment.wall);
                self.keep_offset(offset_ns).await;
                self.step_back(moment.wall).await;
                self.free_held(offset_ns).await;
            }
            Change::Stepped { offset_ns, by_ns } => {
                let by = timekeeping::step_words(by_ns);
                self.keep_offset(offset_ns).await;
                self.step_back(moment.wall).await;
                self.free_held(offset_ns).await;
                let count = loop {
                    match redating::follow_step(&self.shared.outbox, &self.shared.boot, offset_ns).await {
                        Ok(count) => break count,
                        Err(error) => self.failed(&error).await,
                    }
                };
                tracing::warn!(target: "agent", "the clock stepped by {by}: {count} waiting messages are dated anew");
                self.shared.report.send_modify(|report| report.clock.restamped += count);
            }
            Change::Lost => tracing::warn!(
                target: "agent",
                "the clock shows {}, which is before this program was made: it counts as not set, and readings wait \
                 until it is",
                moment.wall
            ),
        }
        self.shared.report.send_modify(|report| {
            report.clock.is_set = moment.is_set();
            if moment.is_set() {
                report.clock.last_set_at = Some(moment.wall);
            }
            if let Change::Stepped { by_ns, .. } = change {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of a step are far below 2^53")]
                let by_s = (by_ns / 1_000_000) as f64 / 1000.0;
                report.clock.last_step_s = Some(by_s);
            }
        });
        self.shared.clock_was_set();
    }

    async fn keep_offset(&self, offset_ns: i64) {
        while let Err(error) = self.shared.outbox.set_boot_offset(self.shared.boot.id, offset_ns).await {
            self.failed(&error).await;
        }
    }

    /// Dates what was held, and lets the means and the model learn from it in order of time. Nowcasts of then aren't
    /// made: nobody could have had them.
    async fn free_held(&mut self, offset_ns: i64) {
        let mut count = 0;
        loop {
            let freed = match redating::next_held(&self.shared.outbox, &self.shared.boot, offset_ns).await {
                Ok(Some(freed)) => freed,
                Ok(None) => break,
                Err(error) => {
                    self.failed(&error).await;
                    continue;
                }
            };
            let means: Vec<Mean> = freed.measurements.iter().filter_map(|m| self.learn(m)).collect();
            while let Err(error) = self.shared.history.append(means.clone()).await {
                self.failed(&error).await;
            }
            count += freed.messages.len() as u64;
            while let Err(error) = self.shared.outbox.redate(freed.messages.clone(), self.state(None)).await {
                self.failed(&error).await;
            }
        }
        if count > 0 {
            tracing::info!(target: "agent", "{count} messages from before the clock was set have their time now");
            self.shared.report.send_modify(|report| report.clock.restamped += count);
        }
    }

    /// Means that were made while the clock was ahead are forgotten: they would keep later ones out.
    async fn step_back(&mut self, now: Timestamp) {
        let is_ahead = self.last_mean < Timestamp::MAX && self.last_mean > now + AHEAD;
        if !is_ahead && self.means.holds_before(now + AHEAD) {
            return;
        }
        self.means = TenMinuteMeans::new();
        if is_ahead {
            while let Err(error) = self.shared.history.forget_after(now).await {
                self.failed(&error).await;
            }
            self.last_mean = now;
            self.last_issue = self.last_issue.filter(|issue| *issue <= now);
            if let Err(error) = self.begin_anew().await {
                tracing::error!(target: "agent", "the model keeps what it learnt ahead of time: {error}");
            }
        }
    }

    /// What is held of boots that are over: dated where their clock was set in time, else sent as it is, last.
    pub(super) async fn give_up_earlier_boots(&self) -> Result<(), DatabaseError> {
        for boot in self.shared.outbox.held_boots().await? {
            if boot.id == self.shared.boot.id {
                continue;
            }
            let (mut restamped, mut never) = (0, 0);
            if let Some(offset_ns) = boot.offset_ns {
                while let Some(freed) = redating::next_held(&self.shared.outbox, &boot, offset_ns).await? {
                    restamped += freed.messages.len() as u64;
                    self.shared.outbox.redate(freed.messages, Vec::new()).await?;
                }
            } else {
                never = redating::give_up_dating(&self.shared.outbox, &boot).await?;
                tracing::warn!(
                    target: "agent",
                    "{never} messages of an earlier boot will never have a time: its clock wasn't set"
                );
            }
            self.shared.report.send_modify(|report| {
                report.clock.restamped += restamped;
                report.clock.never_dated += never;
            });
        }
        Ok(())
    }

    /// Where the reading's time comes from, and the time itself where it can be told already.
    pub(super) fn date(&self, reading: Reading, stamped: Stamped, moment: Moment) -> (Reading, Dating) {
        let none = Dating { stamp: None, note: None, is_known: true };
        match stamped {
            _ if !self.shared.is_wall => (reading, none),
            Stamped::InSeries => (reading, none),
            Stamped::Here => {
                let stamp = self.shared.stamp(moment);
                (reading, Dating { stamp, note: None, is_known: moment.is_set() })
            }
            // A writer whose clock is set is believed.
            Stamped::ByWriter if reading.measured_at >= SET_FROM => (reading, none),
            Stamped::ByWriter => {
                let unset = if moment.is_set() { self.unset_offset_ns } else { Some(moment.offset_ns()) };
                let boot_ns = unset.map(|offset| nanoseconds(reading.measured_at).saturating_sub(offset));
                // A time that this boot's unset clock can't have shown is the writer's own business.
                let Some(boot_ns) = boot_ns.filter(|ns| (0..=moment.boot_ns).contains(ns)) else {
                    return (reading, none);
                };
                let stamp = self.shared.stamp(Moment { boot_ns, ..moment });
                if !moment.is_set() {
                    return (reading, Dating { stamp, note: None, is_known: false });
                }
                let measured_at = dated(boot_ns, moment.offset_ns());
                let note = Some(note(ClockFlag::Restamped, &self.shared.boot.boot_id, boot_ns));
                (Reading { measured_at, ..reading }, Dating { stamp, note, is_known: true })
            }
        }
    }
}
