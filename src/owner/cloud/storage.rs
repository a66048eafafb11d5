//! The storage account as viewers see it, and what is asked of it.

use jiff::{SignedDuration, Timestamp};

use super::desk::CloudDesk;
use crate::ingestion::account::{
    AccountError, AccountStatus, AccountWatcher, AsideNotice, BatchFile, ContainerStatus, Expiry, Gap, PoisonNotice,
    QueueView, Urgency,
};
use crate::owner::client::AskError;
use crate::owner::containers::{MOST_BATCHES, MOST_LINES, batch, beginning, shown};
use crate::owner::lamp::Lamp;
use crate::owner::protocol::Answer;
use crate::owner::storage::{
    ContainerView, ExpiryView, GapView, LastPicture, PoisonView, QueueWatch, StorageAnswer, StorageAsk, StorageView,
};
use crate::station::text::printable;

/// How far back batches are listed where the last day has fewer than are asked for, hours.
const SPANS: [i64; 2] = [24, 7 * 24];

fn words(error: &AccountError) -> String {
    printable(&error.to_string())
}

/// How the account stands, with what ends of the pictures' and the notices that were taken off its queue.
pub(super) fn view(
    status: &AccountStatus,
    pictures: Option<&Expiry>,
    aside: &[AsideNotice],
    now: Timestamp,
) -> StorageView {
    let mut expiries: Vec<_> = status.expiries.iter().chain(pictures).map(|expiry| ends(expiry, now)).collect();
    expiries.sort_by_key(|expiry| expiry.ends_at);
    StorageView {
        own: false,
        looked_at: status.looked_at,
        containers: status.containers.iter().map(|(name, status)| container(name, status)).collect(),
        picture: status.picture.as_ref().map(|picture| match picture {
            Ok(newest) => LastPicture { trouble: None, newest: newest.clone().map(batch) },
            Err(error) => LastPicture { trouble: Some(words(error)), newest: None },
        }),
        queue: status.queue.as_ref().map(|found| queue(found, aside)),
        expiries,
    }
}

fn container(name: &str, status: &ContainerStatus) -> ContainerView {
    let gap = |gap: &Gap| GapView { from: gap.from, to: gap.to, messages: gap.messages };
    ContainerView {
        name: printable(name),
        trouble: status.trouble.as_ref().map(words),
        newest: status.newest.clone().map(batch),
        per_hour: status.per_hour.clone(),
        bytes: status.bytes,
        empty: status.empty,
        gaps: status.gaps.as_ref().map(|gaps| gaps.iter().map(gap).collect()),
    }
}

fn queue(found: &Result<QueueView, AccountError>, aside: &[AsideNotice]) -> QueueWatch {
    let aside = aside.iter().map(|kept| PoisonView { aside_at: Some(kept.taken_at), ..poison(&kept.notice) }).collect();
    match found {
        Ok(view) => QueueWatch {
            trouble: None,
            depth: view.depth,
            oldest_at: view.oldest_at,
            of_empty_batches: Some(view.of_empty_blobs),
            poison: view.poison.iter().map(poison).collect(),
            aside,
        },
        Err(error) => QueueWatch { trouble: Some(words(error)), aside, ..QueueWatch::default() },
    }
}

fn poison(notice: &PoisonNotice) -> PoisonView {
    PoisonView {
        id: printable(&notice.id),
        put_at: notice.put_at,
        aside_at: None,
        reason: printable(&notice.reason),
        content: beginning(&notice.content),
    }
}

fn ends(expiry: &Expiry, now: Timestamp) -> ExpiryView {
    let lamp = match expiry.urgency(now) {
        Urgency::Far => Lamp::Ok,
        Urgency::Weeks | Urgency::Days => Lamp::Warning,
        Urgency::Last => Lamp::Failed,
    };
    ExpiryView { what: expiry.what.clone(), ends_at: expiry.ends_at, words: expiry.words(now), lamp }
}

impl CloudDesk {
    /// What is asked of the storage account.
    pub(super) async fn storage(&self, ask: StorageAsk) -> Result<Answer, AskError> {
        let unwatched =
            || AskError::Refused("storage: not watched; set azure.storage_account and start the owner again".into());
        let account = self.ways.account.as_ref().ok_or_else(unwatched)?;
        let failed = |error: AccountError| AskError::Refused(words(&error));
        match ask {
            StorageAsk::Batches { container, limit } => {
                check(account, &container)?;
                self.batches(account, &container, limit.min(MOST_BATCHES)).await.map_err(failed)
            }
            StorageAsk::Lines { container, file, from, count } => {
                check(account, &container)?;
                let count = count.clamp(1, MOST_LINES);
                let store = account.store(&container).map_err(failed)?;
                Ok(shown(store.lines(&file, from, count + 1, &self.places).await.map_err(failed)?, count))
            }
            StorageAsk::TakePoison { id } => {
                let taken = match &self.aside {
                    Some(aside) => account.take_poison(&id, aside).await.map_err(failed)?,
                    None => return Err(unwatched()),
                };
                let (id, reason) = (printable(&taken.id), printable(&taken.reason));
                Ok(self.done(format!("notice {id} was taken off the queue and is kept in aside.db: {reason}")))
            }
            StorageAsk::LookNow => {
                account.look();
                Ok(Answer::Done { message: "the storage account is looked at now".to_owned() })
            }
        }
    }

    async fn batches(&self, account: &AccountWatcher, container: &str, limit: usize) -> Result<Answer, AccountError> {
        let (store, now) = (account.store(container)?, self.clock.now());
        let (mut found, mut since): (Vec<BatchFile>, _) = (Vec::new(), now);
        for hours in SPANS {
            since = now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(now);
            found = store.since(since).await?;
            if found.len() >= limit {
                break;
            }
        }
        let batches = found.into_iter().rev().take(limit).map(batch).collect();
        Ok(Answer::Storage(StorageAnswer::Batches { batches, since: Some(since) }))
    }
}

/// Only containers of batches that are watched can be looked into.
fn check(account: &AccountWatcher, name: &str) -> Result<(), AskError> {
    let known = account.containers();
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    let known = known.join(", ");
    Err(AskError::Refused(format!("container {}: not watched; azure.containers names {known}", printable(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn the_account_is_shown_with_its_troubles_in_words_and_what_ends_first_first() {
        let now = at("2026-06-01T12:00:00Z");
        let gap = Gap { from: now, to: now, messages: 7 };
        let container = ContainerStatus {
            newest: Some(BatchFile { name: "hub/0/\u{1b}[2Ja".into(), bytes: 9, written_at: now }),
            per_hour: vec![1; 24],
            gaps: Some(vec![gap]),
            ..ContainerStatus::default()
        };
        let notice = PoisonNotice {
            id: "id-1".into(),
            put_at: Some(now),
            reason: "neither JSON nor base64".into(),
            content: "%".repeat(900),
        };
        let status = AccountStatus {
            looked_at: Some(now),
            containers: [("json-blob-messages".to_owned(), container)].into(),
            picture: Some(Ok(None)),
            queue: Some(Ok(QueueView { depth: 3, poison: vec![notice.clone()], ..QueueView::default() })),
            expiries: vec![Expiry { what: "b".into(), ends_at: at("2026-07-01T12:00:00Z") }],
        };
        let of_pictures = Expiry { what: "a".into(), ends_at: at("2026-06-02T10:00:00Z") };
        let view = view(&status, Some(&of_pictures), &[AsideNotice { taken_at: now, notice }], now);
        assert!(!view.containers[0].newest.as_ref().expect("one").name.contains('\u{1b}'));
        assert_eq!(view.containers[0].gaps, Some(vec![GapView { from: now, to: now, messages: 7 }]));
        let queue = view.queue.as_ref().expect("watched");
        assert_eq!((queue.depth, queue.poison[0].aside_at, queue.aside[0].aside_at), (3, None, Some(now)));
        assert_eq!(queue.aside[0].content.len(), 200);
        let ends: Vec<_> = view.expiries.iter().map(|end| (end.words.as_str(), end.lamp)).collect();
        assert_eq!(ends, [("a ends in 22 h", Lamp::Failed), ("b ends in 30 d", Lamp::Ok)]);
        let read: StorageView = serde_json::from_value(serde_json::to_value(&view).expect("JSON")).expect("understood");
        assert_eq!(read, view);
    }
}
