//! What went wrong with the link, in words with a next step.

use std::io::ErrorKind;

use rumqttc::{ConnectReturnCode, ConnectionError, StateError, TlsError, mqttbytes};
use rustls::{AlertDescription, CertificateError};

use super::attempts::Failure;
use super::connection::{Stopped, port};
use super::link;
use super::settings::{Credentials, UplinkSettings};
use super::status::Transport;
use super::way::Reached;
use crate::clock::wall;
use crate::settings::LinkSettings;
use crate::station::text::printable;

/// The failure of a connection to the hub of `settings`.
pub(super) fn failure(
    stopped: &Stopped,
    settings: &UplinkSettings,
    transport: Transport,
    was_accepted: bool,
) -> Failure {
    let port = port(settings, transport);
    let hub = format!("hub {} at {}:{port}", settings.hub_host_name, settings.host);
    let Stopped::Error(error) = stopped else {
        let words = format!("{hub}: no longer answers; check the network; tried again");
        return Failure { words, reached: Reached::Accepted, is_refused: false };
    };
    let is_refused = is_refusal_of_credentials(error);
    let reached = match (was_accepted, is_refused) {
        (true, _) => Reached::Accepted,
        (false, false) if leads_nowhere(error) => Reached::Nobody,
        (false, _) => Reached::Refusal,
    };
    let mut words = describe(error, settings, &hub);
    if is_refused && let Some(ended) = ended_certificate(settings) {
        words = format!("{words}; {ended}");
    }
    Failure { words, reached, is_refused }
}

fn describe(error: &ConnectionError, settings: &UplinkSettings, hub: &str) -> String {
    if let Some(error) = io_of(error) {
        return io(error, settings, hub);
    }
    match error {
        ConnectionError::ConnectionRefused(code) => refused(*code, hub, settings),
        ConnectionError::Tls(error) => format!("{hub}: TLS failed: {}", printable(&error.to_string())),
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
            format!("{hub}: no answer in time; check the network and that the hub runs; tried again")
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            format!("{hub}: closed the connection; its log says why; tried again")
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            format!("{hub}: no longer answers; check the network; tried again")
        }
        ConnectionError::Websocket(error) => format!(
            "{hub}: doesn't take MQTT over WebSocket: {}; check link.https_port and link.transport; tried again",
            printable(&error.to_string())
        ),
        other => format!("{hub}: {}; tried again", printable(&other.to_string())),
    }
}

/// The system's error in an error, wherever it is.
fn io_of(error: &ConnectionError) -> Option<&std::io::Error> {
    match error {
        ConnectionError::Io(error)
        | ConnectionError::Tls(TlsError::Io(error))
        | ConnectionError::MqttState(
            StateError::Io(error) | StateError::Deserialization(mqttbytes::Error::Io(error)),
        ) => Some(error),
        _ => None,
    }
}

fn tls_of(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Whether nobody is there that speaks the hub's language: worth another way.
fn leads_nowhere(error: &ConnectionError) -> bool {
    match io_of(error) {
        Some(error) => tls_of(error).is_none_or(|error| matches!(error, rustls::Error::InvalidMessage(_))),
        None => matches!(
            error,
            ConnectionError::NetworkTimeout
                | ConnectionError::FlushTimeout
                | ConnectionError::MqttState(StateError::ConnectionAborted)
                | ConnectionError::Websocket(_)
                | ConnectionError::ResponseValidation(_)
        ),
    }
}

fn is_refusal_of_credentials(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::ConnectionRefused(code) => {
            matches!(code, ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized)
        }
        _ => io_of(error).and_then(tls_of).is_some_and(|error| matches!(error, rustls::Error::AlertReceived(_))),
    }
}

fn ended_certificate(settings: &UplinkSettings) -> Option<String> {
    let ends_at = super::tls::identity(&settings.credentials).ok()??.ends_at?;
    let now = wall::now();
    if ends_at > now {
        return None;
    }
    link::warning(settings, ends_at, now)
}

fn refused(code: ConnectReturnCode, hub: &str, settings: &UplinkSettings) -> String {
    let device = &settings.device_id;
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => match &settings.credentials {
            Credentials::Key(_) => format!(
                "{hub}: refused the credentials of device {device}; check that the device is registered and enabled, its key, and \
                 this machine's clock (tokens live on the wall clock)"
            ),
            _ => format!(
                "{hub}: refused the credentials of device {device}; check that the device is registered and enabled, with its \
                 certificate's thumbprint or authority"
            ),
        },
        ConnectReturnCode::BadClientId => {
            format!("{hub}: doesn't take {device} as a device id; check station.device_id")
        }
        ConnectReturnCode::ServiceUnavailable => {
            format!("{hub}: not available now, or asked for more than its quota; tried again")
        }
        code => format!("{hub}: refused the connection ({code:?}); check that it speaks MQTT 3.1.1"),
    }
}

/// A socket's or TLS's error; `hub` begins the words.
pub(super) fn io(error: &std::io::Error, settings: &UplinkSettings, hub: &str) -> String {
    if let Some(error) = tls_of(error) {
        return tls(error, settings, hub);
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            format!("{hub}: nothing listens there; check that the hub runs{}; tried again", port_words(settings, hub))
        }
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::UnexpectedEof
        | ErrorKind::BrokenPipe => {
            format!("{hub}: the connection broke off; tried again")
        }
        ErrorKind::TimedOut => format!("{hub}: no answer in time; check the network; tried again"),
        _ => format!("{hub}: {}; check the name and the network; tried again", printable(&error.to_string())),
    }
}

/// A hub behind another port than the one that nobody has set is the likeliest reason for silence.
fn port_words(settings: &UplinkSettings, hub: &str) -> String {
    let own = LinkSettings::default();
    let ways = [("link.port", settings.port, own.port), ("link.https_port", settings.https_port, own.https_port)];
    let unset = ways.into_iter().find(|(_, port, default)| port == default && hub.ends_with(&format!(":{port}")));
    unset.map(|(key, port, _)| format!(", and that it listens on {port}, which is {key}'s default")).unwrap_or_default()
}

fn tls(error: &rustls::Error, settings: &UplinkSettings, hub: &str) -> String {
    let own = !matches!(settings.credentials, Credentials::Key(_));
    let step = match error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
            | CertificateError::Expired
            | CertificateError::ExpiredContext { .. },
        ) => {
            let now = wall::now();
            return format!(
                "{hub}: its certificate isn't good at {now:.0}, by this machine's clock: {}; set the clock if that \
                 isn't the time, else have the hub's certificate renewed",
                printable(&error.to_string())
            );
        }
        rustls::Error::InvalidCertificate(_) => {
            "check link.ca (who may sign the hub's certificate) and link.gateway (the name it must carry)"
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateExpired) if own => {
            "the hub says that the device's certificate has ended: renew it"
        }
        rustls::Error::AlertReceived(_) if own => {
            "the hub doesn't take the device's certificate: check that it is registered there"
        }
        _ => "check that the port speaks TLS",
    };
    format!("{hub}: TLS failed: {}; {step}", printable(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::settings::Roots;
    use super::*;

    #[test]
    fn a_refused_default_port_names_its_setting_and_another_one_does_not() {
        let refused = |port, tried: u16| {
            let key = Credentials::Key(SecretString::from("a2V5"));
            let settings = UplinkSettings::at("127.0.0.1", port, "hub", "roof-01").signed_in(key, Roots::System);
            io(&ErrorKind::ConnectionRefused.into(), &settings, &format!("hub hub at 127.0.0.1:{tried}"))
        };
        let named = |key: &str, port: u16| {
            format!(
                "hub hub at 127.0.0.1:{port}: nothing listens there; check that the hub runs, and that it listens on {port}, \
                 which is {key}'s default; tried again"
            )
        };
        assert_eq!(refused(8883, 8883), named("link.port", 8883));
        assert_eq!(refused(8883, 443), named("link.https_port", 443));
        assert_eq!(
            refused(44019, 44019),
            "hub hub at 127.0.0.1:44019: nothing listens there; check that the hub runs; tried again"
        );
    }
}
