//! The queue of notices, looked into: how many wait, since when, and which no pipe will ever take. Looking takes nothing: a
//! message that is received is hidden from Snowflake. Only a notice that somebody takes off is received, with those before it.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, Url};
use azure_storage_queue::models::{
    PeekedMessage, QueueClientGetPropertiesResultHeaders, QueueClientPeekMessagesOptions,
    QueueClientReceiveMessagesOptions,
};
use azure_storage_queue::{QueueClient, QueueClientOptions};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::AccountError;
use crate::ingestion::notices::BlobCreated;
use crate::station::text::printable;

/// Messages that one look shows, Azure's own bound.
const LOOK: i32 = 32;
/// Times after which a message that is still there was given back too often.
const TOO_OFTEN: i64 = 5;
/// Seconds that messages are hidden while one is taken off; then the others come back by themselves.
const HIDDEN: i32 = 10;
/// When they can be seen again.
pub(super) const SEEN_AGAIN: Duration = Duration::from_secs(HIDDEN.unsigned_abs() as u64 + 1);
/// Characters of a message that are shown.
const SHOWN: usize = 200;

/// How the queue stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueView {
    /// Messages in it, about.
    pub depth: u64,
    /// When the oldest was put in; absent where there is none.
    pub oldest_at: Option<Timestamp>,
    /// Those among the first 32 that no pipe will take.
    pub poison: Vec<PoisonNotice>,
    /// Notices among the first 32 of a blob that is empty.
    pub of_empty_blobs: u64,
}

/// A message that no pipe will take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoisonNotice {
    /// Its id.
    pub id: String,
    /// When it was put in.
    pub put_at: Option<Timestamp>,
    /// What is wrong with it.
    pub reason: String,
    /// What it says: of one that is looked at the beginning, printable; of one that was taken all of it, as it is.
    pub content: String,
}

/// A notice that is held: nobody else sees it for a few seconds.
#[derive(Debug)]
pub(super) struct HeldNotice {
    pub(super) notice: PoisonNotice,
    receipt: String,
}

/// A queue.
pub struct Notices {
    client: QueueClient,
    what: String,
}

/// By what right a queue is read.
pub(super) enum QueueRight<'a> {
    Signature(&'a SecretString),
    Entra(&'a Arc<dyn TokenCredential>),
}

impl Notices {
    /// A queue of an account; `url` where its queues aren't at the account's own address.
    pub(super) fn open(
        account: &str,
        queue: &str,
        url: Option<&str>,
        right: &QueueRight<'_>,
        client_options: ClientOptions,
    ) -> Result<Self, AccountError> {
        let what = format!("queue {queue} of {account}");
        let base = url.map_or_else(|| format!("https://{account}.queue.core.windows.net"), str::to_owned);
        // A slash between name and query is answered with 400.
        let mut address = format!("{}/{queue}", base.trim_end_matches('/'));
        if let QueueRight::Signature(sas) = right {
            address = format!("{address}?{}", sas.expose_secret().trim_start_matches('?'));
        }
        let address = Url::parse(&address).map_err(|_| AccountError::new(&what, "azure.queue_url: not a URL"))?;
        let credential = match right {
            QueueRight::Signature(_) => None,
            QueueRight::Entra(credential) => Some(Arc::clone(credential)),
        };
        let options = QueueClientOptions { client_options, ..QueueClientOptions::default() };
        let client = QueueClient::new(address, credential, Some(options));
        Ok(Self { client: client.map_err(|error| AccountError::of_queue(&what, &error))?, what })
    }

    /// Looks into it.
    pub async fn look(&self) -> Result<QueueView, AccountError> {
        let failed = |error: azure_core::Error| AccountError::of_queue(&self.what, &error);
        let properties = self.client.get_properties(None).await.map_err(failed)?;
        let depth = properties.approximate_messages_count().map_err(failed)?.unwrap_or(0);
        let options = QueueClientPeekMessagesOptions { number_of_messages: Some(LOOK), ..Default::default() };
        let peeked = self.client.peek_messages(Some(options)).await.map_err(failed)?;
        let messages = peeked.into_model().map_err(failed)?.items.unwrap_or_default();
        Ok(view(u64::try_from(depth).unwrap_or(0), &messages))
    }

    /// Holds the notice with this id, and for ten seconds with it whatever else is among the first 32. One that a pipe can
    /// take isn't given out.
    pub(super) async fn hold(&self, id: &str) -> Result<HeldNotice, AccountError> {
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: Some(LOOK),
            visibility_timeout: Some(HIDDEN),
            ..Default::default()
        };
        let failed = |error: azure_core::Error| AccountError::of_taking(&self.what, &error);
        let received = self.client.receive_messages(Some(options)).await.map_err(failed)?;
        let received = received.into_model().map_err(failed)?.items.unwrap_or_default();
        let what = format!("notice {} in {}", printable(id), self.what);
        let found = received.into_iter().find(|message| message.message_id.as_deref() == Some(id));
        let gone = "not among the first 32 that can be seen: somebody took it, or holds it; look again in a minute";
        let message = found.ok_or_else(|| AccountError::new(&what, gone))?;
        let content = message.message_text.unwrap_or_default();
        // It was taken once more just now.
        let given_back = message.dequeue_count.unwrap_or(0) - 1;
        let fine = "a pipe can take it, so it stays in the queue";
        let reason = fault(&content, given_back).ok_or_else(|| AccountError::new(&what, fine))?;
        let put_at = message.insertion_time.and_then(|at| Timestamp::from_second(at.unix_timestamp()).ok());
        let receipt = message.pop_receipt.unwrap_or_default();
        Ok(HeldNotice { notice: PoisonNotice { id: id.to_owned(), put_at, reason, content }, receipt })
    }

    /// Takes a notice that is held off the queue, for good.
    pub(super) async fn delete(&self, held: &HeldNotice) -> Result<(), AccountError> {
        let deleted = self.client.delete_message(&held.notice.id, &held.receipt, None).await;
        deleted.map(|_| ()).map_err(|error| AccountError::of_taking(&self.what, &error))
    }
}

/// Why no pipe takes a message, which was taken and given back so many times; absent where one can.
fn fault(content: &str, given_back: i64) -> Option<String> {
    match BlobCreated::decode(content) {
        Err(error) => Some(error.to_string()),
        Ok(_) if given_back > TOO_OFTEN => Some(format!("taken {given_back} times and given back each time")),
        Ok(_) => None,
    }
}

fn view(depth: u64, messages: &[PeekedMessage]) -> QueueView {
    let mut view = QueueView { depth, ..QueueView::default() };
    for message in messages {
        let put_at = message.insertion_time.and_then(|at| Timestamp::from_second(at.unix_timestamp()).ok());
        view.oldest_at = [view.oldest_at, put_at].into_iter().flatten().min();
        let content = message.message_text.as_deref().unwrap_or_default();
        match fault(content, message.dequeue_count.unwrap_or(0)) {
            Some(reason) => view.poison.push(PoisonNotice {
                id: printable(message.message_id.as_deref().unwrap_or_default()),
                put_at,
                reason,
                content: printable(content).chars().take(SHOWN).collect(),
            }),
            None => view.of_empty_blobs += u64::from(BlobCreated::decode(content).is_ok_and(|event| event.bytes == 0)),
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: String, given_back: i64) -> PeekedMessage {
        let mut message = PeekedMessage::default();
        message.message_text = Some(content);
        message.dequeue_count = Some(given_back);
        message.message_id = Some("id-1".into());
        message
    }

    #[test]
    fn what_no_pipe_takes_is_told_with_its_reason() {
        let at = Timestamp::UNIX_EPOCH;
        let good = BlobCreated::new("c", "b", 9, at, 1).encode();
        let empty = BlobCreated::new("c", "e", 0, at, 2).encode();
        let messages = [message(good.clone(), 0), message("%%%".into(), 0), message(empty, 0), message(good, 6)];
        let view = view(40, &messages);
        assert_eq!((view.depth, view.of_empty_blobs, view.poison.len()), (40, 1, 2));
        assert!(view.poison[0].reason.contains("neither JSON nor base64"), "{:?}", view.poison[0]);
        assert_eq!(view.poison[0].content, "%%%");
        assert_eq!(view.poison[1].reason, "taken 6 times and given back each time");
    }
}
