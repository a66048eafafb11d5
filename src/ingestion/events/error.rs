//! What can go wrong with the feed, in words with a next step.

use fe2o3_amqp::types::definitions::{self, AmqpError, ErrorCondition, LinkError};

use crate::station::text::printable;

/// What kind of failure it is: what follows from it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Something in the settings: it stays so until they are changed.
    Settings,
    /// The hub doesn't take the credentials.
    Refused,
    /// The hub asks for less.
    Busy,
    /// Nobody answers, or somebody else does.
    Unreachable,
    /// What was read ended: the connection, a link.
    Lost,
    /// This computer's own disk.
    Disk,
}

/// Why the feed isn't read. Names the thing, the cause and the next step, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct EventsError {
    /// What kind.
    pub fault: Fault,
    /// The words.
    pub words: String,
}

impl EventsError {
    pub(super) fn new(fault: Fault, words: impl Into<String>) -> Self {
        Self { fault, words: words.into() }
    }

    /// What the endpoint `what` said in AMQP's words.
    pub(super) fn said(what: &str, error: &definitions::Error) -> Self {
        let name = condition(&error.condition);
        let description = error.description.as_deref().map(short).unwrap_or_default();
        let said = if description.is_empty() { name.clone() } else { format!("{name}: {description}") };
        match (&error.condition, name.as_str()) {
            (_, "com.microsoft:server-busy") => {
                Self::new(Fault::Busy, format!("{what}: throttled by the hub ({said}); it is asked again, later"))
            }
            (ErrorCondition::AmqpError(AmqpError::ResourceLimitExceeded), _) => Self::new(
                Fault::Busy,
                format!(
                    "{what}: a limit of the hub is reached ({said}); a consumer group has at most 5 readers a partition: \
                     give skydeck its own in azure.consumer_group"
                ),
            ),
            (ErrorCondition::AmqpError(AmqpError::UnauthorizedAccess), _) | (_, "com.microsoft:auth-failed") => {
                Self::refused(what, &said)
            }
            (ErrorCondition::AmqpError(AmqpError::NotFound), _) => Self::new(
                Fault::Settings,
                format!(
                    "{what}: not found ({said}); check the endpoint's name and azure.consumer_group against \
                     `terraform output iothub_feed`"
                ),
            ),
            (ErrorCondition::LinkError(LinkError::Stolen), _) => Self::new(
                Fault::Lost,
                format!("{what}: another reader took it over ({said}); give skydeck its own azure.consumer_group"),
            ),
            _ => Self::new(Fault::Lost, format!("{what}: the hub ended it ({said}); tried again")),
        }
    }

    /// The endpoint doesn't take the credentials.
    pub(super) fn refused(what: &str, said: &str) -> Self {
        Self::new(
            Fault::Refused,
            format!(
                "{what}: the hub refuses the token ({}); check that the policy in azure.feed may connect as a service and \
                 its key is the newest, or that the identity has the role Azure Event Hubs Data Receiver, and this \
                 computer's clock",
                short(said)
            ),
        )
    }
}

/// A condition's name as it is on the wire.
fn condition(condition: &ErrorCondition) -> String {
    match serde_amqp::to_value(condition) {
        Ok(serde_amqp::Value::Symbol(symbol)) => short(symbol.as_str()),
        _ => format!("{condition:?}"),
    }
}

/// A peer's text, of a bearable length.
pub(super) fn short(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hub_says_comes_with_what_to_do() {
        let said = |condition: ErrorCondition, words: &str| {
            EventsError::said("hub h, partition 0", &definitions::Error::new(condition, words.to_owned(), None))
        };
        let busy = said(ErrorCondition::Custom("com.microsoft:server-busy".into()), "over the limit");
        assert_eq!(busy.fault, Fault::Busy);
        assert_eq!(
            busy.words,
            "hub h, partition 0: throttled by the hub (com.microsoft:server-busy: over the limit); it is asked again, later"
        );
        let refused = said(AmqpError::UnauthorizedAccess.into(), "no \u{1b}[31mListen");
        assert_eq!(refused.fault, Fault::Refused);
        assert!(refused.words.contains("amqp:unauthorized-access: no [31mListen"), "{refused}");
        assert!(said(AmqpError::NotFound.into(), "x").words.contains("azure.consumer_group"));
        assert_eq!(said(LinkError::DetachForced.into(), "moved").fault, Fault::Lost);
    }
}
