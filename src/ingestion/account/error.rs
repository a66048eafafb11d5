//! What went wrong with the account, in words with a next step.

use std::error::Error;

use azure_core::error::ErrorKind;
use jiff::Timestamp;

use super::expiry::Expiry;
use crate::ingestion::azure::AzureError;
use crate::ingestion::unreachable::{Hints, unreachable};
use crate::station::text::printable;

/// Why a container or the queue can't be read. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {words}")]
pub struct AccountError {
    /// `container NAME of ACCOUNT`, `queue NAME of ACCOUNT`.
    pub what: String,
    /// The cause and the next step.
    pub words: String,
}

impl AccountError {
    pub(super) fn new(what: &str, words: impl Into<String>) -> Self {
        Self { what: what.to_owned(), words: words.into() }
    }

    pub(super) fn settings(what: &str, error: &AzureError) -> Self {
        Self::new(what, error.0.clone())
    }

    /// Of a container, by `object_store`.
    pub(super) fn of_store(what: &str, error: &object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) && code(&error.to_string()).is_none() {
            return Self::new(what, "not found; check the name against `terraform output containers`");
        }
        if matches!(error, object_store::Error::Generic { store, .. } if *store == ENTRA) {
            return Self::new(what, no_token(error));
        }
        let text = error.to_string();
        match code(&text) {
            Some(code) => Self::new(what, of_code(&code)),
            // An error's own text may hold a whole request, with its signature.
            None => Self::new(what, no_way(&deepest(error))),
        }
    }

    /// Says that a right was refused because what gave it has ended.
    pub(super) fn is_of(&mut self, ended: &Expiry, now: Timestamp) {
        if let Some((code, _)) = self.words.split_once(':').filter(|(code, _)| code.starts_with("Auth")) {
            self.words = format!("{}; make a new one and put it where it says ({code})", ended.words(now));
        }
    }

    /// Of the queue when a notice is taken off it, which takes more rights than looking.
    pub(super) fn of_taking(what: &str, error: &azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::HttpResponse { status, error_code, .. } => {
                let code = error_code.clone().unwrap_or_else(|| status.to_string());
                let words = match code.as_str() {
                    "AuthorizationPermissionMismatch" | "AuthorizationResourceTypeMismatch" => format!(
                        "{code}: the right to take a message off is missing; it takes the role Storage Queue Data Message \
                         Processor, or a signature for services bq, types sco, rights rlp"
                    ),
                    "MessageNotFound" | "PopReceiptMismatch" => {
                        format!("{code}: somebody else took it meanwhile; look again in a minute")
                    }
                    _ => of_code(&code),
                };
                Self::new(what, words)
            }
            _ => Self::of_queue(what, error),
        }
    }

    /// Of the queue, by Azure's client.
    pub(super) fn of_queue(what: &str, error: &azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::HttpResponse { status, error_code, .. } => {
                let code = error_code.clone().unwrap_or_else(|| status.to_string());
                Self::new(what, of_code(&code))
            }
            ErrorKind::Credential => Self::new(what, no_token(error)),
            _ => Self::new(what, no_way(&deepest(error))),
        }
    }
}

/// The store that a failure of Entra's names as its own.
pub(super) const ENTRA: &str = "Entra";

fn no_token(error: &(dyn Error + 'static)) -> String {
    format!("Entra gives no token ({}); run `az login`, or check azure.credential", short(deepest(error).trim()))
}

/// Azure's code, and what it means for whoever reads it.
fn of_code(code: &str) -> String {
    let code = short(code);
    let next = match code.as_str() {
        "AuthorizationFailure" => {
            "the account's network rules don't let this computer in, or the signature's own; let this address in under \
             Networking, or go by its private link with azure.blob_url and azure.queue_url"
        }
        "AuthenticationFailed" => {
            "the signature doesn't open it: it has ended, was made with a key that has been renewed, or this computer's clock \
             is wrong; make a new one and put it where azure.storage_sas or azure.pictures_sas says"
        }
        "AuthorizationPermissionMismatch" | "AuthorizationResourceTypeMismatch" | "AuthorizationServiceMismatch" => {
            "the right to read is missing; it takes the roles Storage Blob Data Reader and Storage Queue Data Reader, or a \
             signature for services bq, types sco, rights rl"
        }
        "InsufficientAccountPermissions" | "NoAuthenticationInformation" | "PublicAccessNotPermitted" => {
            "nothing opens it; set azure.storage_sas, or an identity with azure.credential"
        }
        "BlobNotFound" => "it isn't in the container; it may have been taken away since it was listed",
        "ContainerNotFound" | "QueueNotFound" | "ResourceNotFound" => {
            "not there; check its name against `terraform output`"
        }
        "ServerBusy" | "OperationTimedOut" | "InternalError" => "the account is busy; asked again in a minute",
        _ => "asked again in a minute",
    };
    format!("{code}: {next}")
}

fn no_way(reason: &str) -> String {
    let hints = Hints {
        trusted_in: "the system's or to azure.ca",
        named_by: "azure.storage_account or azure.pictures_account",
        way: "azure.proxy, azure.blob_url and azure.pictures_url",
    };
    format!("{}; asked again in a minute", unreachable(&short(reason), &hints))
}

/// The innermost cause, which is the system's.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    loop {
        // An error that an I/O error wraps isn't its source.
        let wrapped = last.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let wrapped = wrapped.map(|inner| -> &(dyn Error + 'static) { inner });
        match wrapped.or_else(|| last.source()) {
            Some(cause) => last = cause,
            None => return last.to_string(),
        }
    }
}

fn code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    code.chars().all(|c| c.is_ascii_alphanumeric()).then(|| code.to_owned())
}

fn short(text: &str) -> String {
    printable(text).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_ended_is_told_before_what_the_account_makes_of_it() {
        let ended = Expiry { what: "azure.storage_sas".into(), ends_at: Timestamp::UNIX_EPOCH };
        let told = |code: &str| {
            let mut error = AccountError::new("container c of a", of_code(code));
            error.is_of(&ended, Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1));
            error.words
        };
        let words = "azure.storage_sas ended at 1970-01-01T00:00:00Z; make a new one and put it where it says (AuthorizationFailure)";
        assert_eq!(told("AuthorizationFailure"), words);
        assert_eq!(told("ServerBusy"), of_code("ServerBusy"));
    }

    #[test]
    fn a_code_of_azure_s_comes_with_what_to_do() {
        let text = "Error after 0 retries: 403: <Error><Code>AuthorizationFailure</Code><Message>This request is not \
                    authorized to perform this operation.</Message></Error> at ?sig=s3cret";
        let error = object_store::Error::Generic { store: "MicrosoftAzure", source: text.into() };
        let words = AccountError::of_store("container c of a", &error).to_string();
        assert!(words.starts_with("container c of a: AuthorizationFailure: the account's network rules"), "{words}");
        assert!(!words.contains("s3cret"));
        let lookup =
            object_store::Error::Generic { store: "MicrosoftAzure", source: "failed to lookup address".into() };
        assert!(AccountError::of_store("c", &lookup).words.contains("DNS"));
    }
}
