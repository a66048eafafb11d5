//! What opens the endpoint: a shared access signature, or a token of Entra's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::error::{EventsError, Fault, short};
use super::place::SharedKey;
use crate::ingestion::azure::identity;
use crate::settings::{AzureSettings, SecretReference};

/// What stays as it is in a signature's parts.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// What Entra calls Event Hubs.
const SCOPE: &str = "https://eventhubs.azure.net/.default";
/// How long an identity's provider may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// By what right the feed is read.
#[derive(Clone)]
pub enum Credentials {
    /// Where a connection string is, of the endpoint or of the hub; read anew for each connection.
    ConnectionString(SecretReference),
    /// An identity of Entra's, at the endpoint of this host and Event-Hub-compatible name.
    Entra {
        /// `….servicebus.windows.net`, with `:port` where it isn't the usual one.
        host: String,
        /// The Event-Hub-compatible name.
        entity: String,
        /// Who it is.
        credential: Arc<dyn TokenCredential>,
    },
}

impl Credentials {
    /// Those that the settings name; `None` where they name no endpoint.
    pub fn of(settings: &AzureSettings) -> Result<Option<Self>, EventsError> {
        let wrong = |words: String| EventsError::new(Fault::Settings, words);
        match (&settings.feed, &settings.feed_host, &settings.feed_path) {
            (Some(reference), _, _) => {
                let reference = reference.parse().map_err(|error| wrong(format!("azure.feed: {error}")))?;
                Ok(Some(Self::ConnectionString(reference)))
            }
            (None, Some(host), Some(entity)) => {
                let credential = identity(settings).map_err(|error| wrong(error.0))?;
                Ok(Some(Self::Entra { host: host.clone(), entity: entity.clone(), credential }))
            }
            (None, Some(_), None) => Err(wrong("azure.feed_host: needs azure.feed_path beside it".into())),
            (None, None, _) => Ok(None),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectionString(_) => "ConnectionString",
            Self::Entra { .. } => "Entra",
        })
    }
}

/// What tokens are made with.
#[derive(Clone)]
pub(super) enum Signer {
    Shared(SharedKey),
    Entra(Arc<dyn TokenCredential>),
}

/// A token, and until when it holds.
pub(super) struct Token {
    pub(super) text: SecretString,
    /// As the endpoint calls its kind.
    pub(super) kind: &'static str,
    pub(super) ends_at: Timestamp,
}

impl Signer {
    /// A token for `audience`, for about `life` where that can be chosen.
    pub(super) async fn token(&self, audience: &str, life: Duration, now: Timestamp) -> Result<Token, EventsError> {
        match self {
            Self::Shared(SharedKey::Policy { name, key }) => {
                let life = SignedDuration::try_from(life).unwrap_or(SignedDuration::MAX);
                let ends_at = now.saturating_add(life).unwrap_or(Timestamp::MAX);
                let text = signature(audience, name, key.expose_secret().as_bytes(), ends_at);
                Ok(Token { text, kind: "servicebus.windows.net:sastoken", ends_at })
            }
            Self::Shared(SharedKey::Signature(text)) => {
                let ends_at = end_of(text.expose_secret()).unwrap_or(Timestamp::MAX);
                if ends_at <= now {
                    let words =
                        format!("azure.feed: its shared access signature ended at {ends_at:.0}; ask for a new one");
                    return Err(EventsError::new(Fault::Refused, words));
                }
                Ok(Token { text: text.clone(), kind: "servicebus.windows.net:sastoken", ends_at })
            }
            Self::Entra(credential) => entra(credential.as_ref()).await,
        }
    }
}

async fn entra(credential: &dyn TokenCredential) -> Result<Token, EventsError> {
    let failed = |reason: &str| {
        EventsError::new(
            Fault::Refused,
            format!("Entra gives no token for the feed: {}; run `az login`, or check azure.credential", short(reason)),
        )
    };
    let asked = tokio::time::timeout(PATIENCE, credential.get_token(&[SCOPE], None)).await;
    let token = asked.map_err(|_| failed("no answer in 30 s"))?.map_err(|error| failed(&error.to_string()))?;
    let ends_at = Timestamp::from_second(token.expires_on.unix_timestamp()).unwrap_or(Timestamp::MAX);
    Ok(Token { text: token.token.secret().into(), kind: "jwt", ends_at })
}

/// A shared access signature as Event Hubs has it: the key is taken as text, not as base64.
pub(super) fn signature(audience: &str, policy: &str, key: &[u8], ends_at: Timestamp) -> SecretString {
    let resource = utf8_percent_encode(audience, ENCODED).to_string();
    let expiry = ends_at.as_second();
    let mut text = format!("SharedAccessSignature sr={resource}");
    // A key of any length is one.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        mac.update(format!("{resource}\n{expiry}").as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        text.push_str(&format!("&sig={}", utf8_percent_encode(&signature, ENCODED)));
    }
    text.push_str(&format!("&se={expiry}&skn={}", utf8_percent_encode(policy, ENCODED)));
    text.into()
}

/// When a signature ends, as it says itself.
fn end_of(signature: &str) -> Option<Timestamp> {
    let parts = signature.trim_start_matches("SharedAccessSignature").trim_start().split('&');
    let end = parts.filter_map(|part| part.strip_prefix("se=")).next()?;
    Timestamp::from_second(end.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hmac` and `urllib.parse.quote(…, safe='')`.
    #[test]
    fn the_signature_is_the_one_another_implementation_computes() {
        let ends_at = Timestamp::from_second(1_700_000_000).expect("in range");
        let text = signature("sb://h.servicebus.windows.net/e", "service", b"a2V5", ends_at);
        assert_eq!(
            text.expose_secret(),
            "SharedAccessSignature sr=sb%3A%2F%2Fh.servicebus.windows.net%2Fe&sig=0QjomYVByT%2F2zhAb2eEWqaer7DZbT9LENIQvt9p9q1Q%3D&se=1700000000&skn=service"
        );
        assert_eq!(end_of(text.expose_secret()), Some(ends_at));
    }

    #[tokio::test]
    async fn a_signature_that_has_ended_isn_t_tried() {
        let now = Timestamp::from_second(1_700_000_001).expect("in range");
        let signer =
            Signer::Shared(SharedKey::Signature("SharedAccessSignature sr=x&sig=y&se=1700000000&skn=p".into()));
        let error = signer.token("sb://h/e", Duration::from_secs(60), now).await.err().expect("refused");
        assert_eq!(
            error.words,
            "azure.feed: its shared access signature ended at 2023-11-14T22:13:20Z; ask for a new one"
        );
    }
}
