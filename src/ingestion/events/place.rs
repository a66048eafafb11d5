//! Where the feed is read: the endpoint, as a connection string or the settings name it.

use secrecy::{ExposeSecret as _, SecretString};

use super::error::{EventsError, Fault};

/// Port of AMQP over TLS, and of AMQP over WebSocket.
pub(super) const AMQPS: u16 = 5671;
pub(super) const HTTPS: u16 = 443;

/// An endpoint of Event Hubs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Its host.
    pub(super) host: String,
    /// Another port than the transport's own.
    pub(super) port: Option<u16>,
    /// The Event-Hub-compatible name.
    pub(super) entity: String,
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The endpoint itself.
    Endpoint(Place),
    /// The hub, which leads to its endpoint.
    Hub {
        /// Its host.
        host: String,
        /// Another port than the transport's own.
        port: Option<u16>,
    },
}

/// What a connection string says.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) target: Target,
    pub(super) key: SharedKey,
}

/// What a shared access policy opens with.
#[derive(Debug, Clone)]
pub(super) enum SharedKey {
    /// A policy and its key.
    Policy {
        /// The policy's name.
        name: String,
        /// Its key.
        key: SecretString,
    },
    /// A signature that somebody else made, valid until it ends.
    Signature(SecretString),
}

impl Place {
    /// How the endpoint is called in words.
    pub(super) fn words(&self) -> String {
        format!("hub {} at {}", self.entity, self.host)
    }

    /// What a token is asked for, and named after.
    pub(super) fn audience(&self) -> String {
        format!("sb://{}/{}", self.host, self.entity)
    }
}

/// Reads a connection string: of the Event-Hub-compatible endpoint (`Endpoint=sb://…;EntityPath=…`), or of the hub
/// (`HostName=…`). An error names the part, never its value.
pub(super) fn parse(text: &SecretString) -> Result<Parsed, EventsError> {
    let bad = |words: &str| {
        EventsError::new(
            Fault::Settings,
            format!(
                "azure.feed: {words}; copy it from `az iot hub connection-string show --default-eventhub --policy-name …`"
            ),
        )
    };
    let text = text.expose_secret().trim();
    let part = |name: &str| {
        let parts = text.split(';').filter_map(|part| part.split_once('='));
        parts.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    };
    let key = match (part("SharedAccessKeyName"), part("SharedAccessKey"), part("SharedAccessSignature")) {
        (Some(name), Some(key), _) if !name.is_empty() && !key.is_empty() => {
            SharedKey::Policy { name: name.to_owned(), key: key.into() }
        }
        (_, _, Some(signature)) if !signature.is_empty() => SharedKey::Signature(signature.into()),
        _ => return Err(bad("no SharedAccessKeyName and SharedAccessKey in it")),
    };
    let target = match (part("Endpoint"), part("HostName")) {
        (Some(endpoint), _) => {
            let rest = endpoint.strip_prefix("sb://").or_else(|| endpoint.strip_prefix("amqps://"));
            let authority = rest.ok_or_else(|| bad("Endpoint doesn't begin with sb://"))?.trim_end_matches('/');
            let (host, port) = host_and_port(authority).ok_or_else(|| bad("Endpoint names no host"))?;
            let entity = part("EntityPath").filter(|entity| !entity.is_empty());
            let entity = entity.ok_or_else(|| bad("no EntityPath in it, the Event-Hub-compatible name"))?;
            Target::Endpoint(Place { host, port, entity: entity.to_owned() })
        }
        (None, Some(host)) => {
            let (host, port) = host_and_port(host).ok_or_else(|| bad("HostName names no host"))?;
            Target::Hub { host, port }
        }
        (None, None) => return Err(bad("neither Endpoint nor HostName in it")),
    };
    Ok(Parsed { target, key })
}

/// `host` or `host:port`.
pub(super) fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (authority, None),
    };
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    is_host.then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<Target, String> {
        parse(&SecretString::from(text)).map(|parsed| parsed.target).map_err(|error| error.words)
    }

    #[test]
    fn both_kinds_of_connection_string_are_read() {
        let endpoint = target(
            "Endpoint=sb://ihsu.servicebus.windows.net/;SharedAccessKeyName=service;SharedAccessKey=a2V5PQ==;EntityPath=iothub-ehub-x",
        );
        let place = Place { host: "ihsu.servicebus.windows.net".into(), port: None, entity: "iothub-ehub-x".into() };
        assert_eq!(place.audience(), "sb://ihsu.servicebus.windows.net/iothub-ehub-x");
        assert_eq!(endpoint, Ok(Target::Endpoint(place)));
        let hub = target("HostName=roof.azure-devices.net;SharedAccessKeyName=service;SharedAccessKey=a2V5");
        assert_eq!(hub, Ok(Target::Hub { host: "roof.azure-devices.net".into(), port: None }));
        let peer = target("Endpoint=sb://127.0.0.1:5671/;SharedAccessKeyName=s;SharedAccessKey=k;EntityPath=e");
        assert_eq!(
            peer,
            Ok(Target::Endpoint(Place { host: "127.0.0.1".into(), port: Some(5671), entity: "e".into() }))
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_never_shown() {
        for (text, word) in [
            ("", "SharedAccessKeyName"),
            ("Endpoint=sb://h/;EntityPath=e;SharedAccessKeyName=p", "SharedAccessKey"),
            ("Endpoint=http://h/;SharedAccessKeyName=p;SharedAccessKey=s3cret;EntityPath=e", "sb://"),
            ("Endpoint=sb://h/;SharedAccessKeyName=p;SharedAccessKey=s3cret", "EntityPath"),
            ("Endpoint=sb://h:x/;SharedAccessKeyName=p;SharedAccessKey=s3cret;EntityPath=e", "host"),
            ("SharedAccessKeyName=p;SharedAccessKey=s3cret", "HostName"),
        ] {
            let words = target(text).expect_err(text);
            assert!(
                words.contains(word) && words.contains("azure.feed") && !words.contains("s3cret"),
                "{text}: {words}"
            );
        }
    }
}
