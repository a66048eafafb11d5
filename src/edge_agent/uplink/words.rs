//! What went wrong with the link, in words with a next step.

use std::io::ErrorKind;

use rumqttc::{ConnectReturnCode, ConnectionError, StateError, TlsError};
use tokio_rustls::rustls;

use super::UplinkSettings;
use crate::station::text::printable;

/// The failure of a connection to the hub of `settings`.
pub(super) fn describe(error: &ConnectionError, settings: &UplinkSettings) -> String {
    let hub = format!("hub {} at {}:{}", settings.hub_host_name, settings.host, settings.port);
    let device = &settings.device_id;
    match error {
        ConnectionError::ConnectionRefused(code) => refused(*code, &hub, device),
        ConnectionError::Io(error) | ConnectionError::Tls(TlsError::Io(error)) => io(error, &hub),
        ConnectionError::MqttState(StateError::Io(error)) => io(error, &hub),
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
        other => format!("{hub}: {}; tried again", printable(&other.to_string())),
    }
}

fn refused(code: ConnectReturnCode, hub: &str, device: &str) -> String {
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => format!(
            "{hub}: refused the credentials of device {device}; check that the device is registered, its key, and \
             this machine's clock (tokens live on the wall clock)"
        ),
        ConnectReturnCode::BadClientId => {
            format!("{hub}: doesn't take {device} as a device id; check station.device_id")
        }
        ConnectReturnCode::ServiceUnavailable => format!("{hub}: not available now; tried again"),
        code => format!("{hub}: refused the connection ({code:?}); check that it speaks MQTT 3.1.1"),
    }
}

fn io(error: &std::io::Error, hub: &str) -> String {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        let step = match tls {
            rustls::Error::InvalidCertificate(_) => {
                "; check the certificate authority and the host name the agent was given"
            }
            _ => "; check that the port speaks TLS",
        };
        return format!("{hub}: TLS failed: {}{step}", printable(&tls.to_string()));
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => format!("{hub}: nothing listens there; check that the hub runs; tried again"),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::UnexpectedEof
        | ErrorKind::BrokenPipe => {
            format!("{hub}: the connection broke off; tried again")
        }
        _ => format!("{hub}: {}; check the name and the network; tried again", printable(&error.to_string())),
    }
}
