//! What was read of one partition: handed on at once, remembered in groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::decode::{Event, Position, Unreadable};
use super::error::{EventsError, Fault};
use super::memory::{Aside, EventsMemory, Noted, Read, Seen};
use super::status::EventsStatus;
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::warehouse::MeasurementRow;
use crate::station::Message;

/// Messages that are remembered together at most.
pub(super) const GROUP: usize = 500;
/// Reasons that the log names of one partition.
const MOST_LOGGED: usize = 100;

/// Where what was read goes; one a partition.
pub(super) struct Intake {
    feed: LiveFeed,
    memory: EventsMemory,
    status: watch::Sender<EventsStatus>,
    place: String,
    partition: String,
    /// How far it was read, remembered or not yet.
    position: Option<Position>,
    /// Up to which number it had been read before this start: those again are no news.
    before: Option<i64>,
    read: Read,
    received: u64,
    missed: u64,
    /// Why messages were put aside, as the log has it.
    logged: BTreeSet<String>,
}

impl Intake {
    /// Of a partition that an earlier start read up to `before`; `resumes` where it is read on from there.
    pub(super) fn new(
        feed: LiveFeed,
        memory: EventsMemory,
        status: watch::Sender<EventsStatus>,
        place: String,
        partition: String,
        before: Option<Position>,
        resumes: bool,
    ) -> Self {
        let position = before.clone().filter(|_| resumes);
        let before = before.map(|position| position.sequence);
        Self {
            feed,
            memory,
            status,
            place,
            partition,
            position,
            before,
            read: Read::default(),
            received: 0,
            missed: 0,
            logged: BTreeSet::new(),
        }
    }

    /// How far it was read since the start.
    pub(super) const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Whether there is something to remember.
    pub(super) const fn is_dirty(&self) -> bool {
        self.received > 0 || self.read.len() > 0
    }

    /// Whether that is enough for a group.
    pub(super) const fn is_full(&self) -> bool {
        self.read.len() >= GROUP
    }

    /// Takes a message in.
    pub(super) fn take(&mut self, read: Result<Event, Unreadable>, now: Timestamp) {
        match read {
            Ok(event) => {
                let is_news = self.moves_to(&event.position);
                let message = Arc::new(event.message);
                let (device, position) = (message.device_id.clone(), event.position);
                match self.feed.accept(&message, is_news, now) {
                    Ok(said) => {
                        self.read.seen.push(Seen {
                            device_id: device,
                            message_id: said.message_id().as_str().to_owned(),
                            kind: Some(said.kind().name().to_owned()),
                            measured_at: Some(said.measured_at()),
                            enqueued_at: position.enqueued_at,
                            received_at: now,
                            partition: self.partition.clone(),
                            sequence: position.sequence,
                        });
                        match said {
                            Message::WeatherMeasurement(measurement) if is_news => {
                                self.read.measurements.push(MeasurementRow::of(&measurement));
                            }
                            Message::PictureTaken(note) => self.read.pictures.push(Noted { note, received_at: now }),
                            _ => {}
                        }
                    }
                    Err(reason) if is_news => {
                        self.put_aside(Some(position), Some(device), reason, message.body.clone(), now);
                    }
                    Err(_) => {}
                }
            }
            Err(unreadable) => {
                let is_news = unreadable.position.as_ref().is_none_or(|position| self.moves_to(position));
                if is_news {
                    let Unreadable { position, device, reason, body } = unreadable;
                    self.put_aside(position, device, reason, body, now);
                }
            }
        }
    }

    /// Goes on to a message; answers whether it is the first time that it is read.
    fn moves_to(&mut self, position: &Position) -> bool {
        let last = self.position.as_ref().map(|known| known.sequence).or(self.before);
        // Within a start, numbers follow one another; a gap is what the hub no longer keeps.
        if let Some(known) = &self.position
            && position.sequence > known.sequence + 1
        {
            self.missed += u64::try_from(position.sequence - known.sequence - 1).unwrap_or(0);
        }
        let is_news = last.is_none_or(|last| position.sequence > last)
            && self.before.is_none_or(|before| position.sequence > before);
        self.received += u64::from(is_news);
        self.position = Some(position.clone());
        is_news
    }

    fn put_aside(
        &mut self,
        position: Option<Position>,
        device_id: Option<String>,
        reason: String,
        body: Vec<u8>,
        now: Timestamp,
    ) {
        self.read.aside.push(Aside {
            received_at: now,
            partition: self.partition.clone(),
            sequence: position.map(|position| position.sequence),
            device_id,
            reason,
            body,
        });
    }

    /// A device that sends the same a thousand times is told of once.
    fn log(&mut self, aside: &[Aside]) {
        for words in aside.iter().map(Aside::words) {
            if self.logged.len() < MOST_LOGGED && self.logged.insert(words.clone()) {
                tracing::warn!(target: "feed", "partition {}: put aside: {words}", self.partition);
            }
        }
    }

    /// Remembers what came since the last time, and tells it.
    pub(super) async fn flush(&mut self) -> Result<(), EventsError> {
        let read = std::mem::take(&mut self.read);
        let put_aside = read.aside.len() as u64;
        let told = |aside: &Aside| (aside.received_at, aside.words());
        let last_aside = read.aside.last().map(told);
        self.log(&read.aside);
        // Never back behind what an earlier start had read.
        let position = self.position.clone().filter(|known| self.before.is_none_or(|before| known.sequence > before));
        let kept = self.memory.keep(&self.place, &self.partition, position, read).await;
        let (received, missed) = (std::mem::take(&mut self.received), std::mem::take(&mut self.missed));
        self.status.send_modify(|status| {
            status.received += received;
            status.aside += put_aside;
            status.last_aside = last_aside.or_else(|| status.last_aside.take());
            status.missed += missed;
            if let Some(known) = &self.position {
                let partition = status.partitions.entry(self.partition.clone()).or_default();
                partition.sequence = Some(known.sequence);
                partition.enqueued_at = Some(known.enqueued_at);
                partition.problem = None;
            }
        });
        kept.map_err(|error| {
            EventsError::new(Fault::Disk, format!("what the feed has read can't be remembered: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::decode;
    use super::super::decode::tests::delivery;
    use super::*;

    fn body(id: &str) -> Vec<u8> {
        let text = format!(
            r#"{{"type":"WeatherMeasurement","deviceId":"roof-01","messageId":"{id}","measuredAt":"2023-11-14T22:13:20Z","schema":1,"temperatureC":14.2}}"#
        );
        text.into_bytes()
    }

    fn intake(folder: &std::path::Path, before: Option<i64>) -> Intake {
        let memory = EventsMemory::open(folder).expect("opens");
        let before = before.map(|sequence| Position { sequence, ..Position::default() });
        Intake::new(LiveFeed::default(), memory, watch::Sender::default(), "e".into(), "0".into(), before, false)
    }

    #[tokio::test]
    async fn what_an_earlier_start_read_is_shown_again_and_not_counted() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut intake = intake(folder.path(), Some(2));
        for sequence in 1..=4 {
            let body = body(&format!("0190c6a0-0000-7000-8000-00000000000{sequence}"));
            intake.take(decode(delivery(sequence, Some("roof-01"), &body)), Timestamp::UNIX_EPOCH);
        }
        intake.flush().await.expect("kept");
        let status = intake.status.borrow().clone();
        assert_eq!((status.received, status.aside, status.missed), (2, 0, 0));
        assert_eq!(intake.feed.status().received, 2);
        assert_eq!(intake.memory.checkpoint("e", "0").await.expect("read").expect("one").sequence, 4);
    }

    #[tokio::test]
    async fn what_can_t_be_read_is_kept_aside_with_a_reason_and_a_gap_is_counted() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut intake = intake(folder.path(), None);
        intake.take(decode(delivery(1, Some("roof-01"), b"{ no json")), Timestamp::UNIX_EPOCH);
        intake.take(decode(delivery(5, None, b"y")), Timestamp::UNIX_EPOCH);
        intake.flush().await.expect("kept");
        let status = intake.status.borrow().clone();
        assert_eq!((status.received, status.aside, status.missed), (2, 2, 3));
        let words = status.last_aside.map(|(_, words)| words).unwrap_or_default();
        assert!(words.starts_with("no device: no device sent it"), "{words}");
        let aside = intake.memory.aside(9).await.expect("read");
        assert!(aside[0].reason.contains("no device sent it"), "{}", aside[0].reason);
        assert_eq!((aside[1].sequence, aside[1].device_id.as_deref()), (Some(1), Some("roof-01")));
    }
}
