//! Where the hub is and as whom to connect: from the settings and the secrets they refer to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::tls;
use crate::settings::{
    AgentSettings, LinkSettings, LinkTransport, SecretError, SecretReference, StationSettings, is_host, is_host_name,
};
use crate::station::text::printable;

/// Messages a second that an outside hub takes: IoT Hub's S1, one unit.
const OUTSIDE_PER_S: u32 = 100;
/// Messages a day that an outside hub takes: IoT Hub's S1, one unit.
const OUTSIDE_PER_DAY: u32 = 400_000;
/// Bytes of a PEM file that is read.
const MAX_PEM: u64 = 1024 * 1024;

/// Where the hub is and as whom to connect.
#[derive(Debug, Clone)]
pub struct UplinkSettings {
    /// Name or address to connect to, the hub's or a gateway's; the certificate shown there must carry it.
    pub host: String,
    /// TCP port of MQTT; IoT Hub's is 8883.
    pub port: u16,
    /// TCP port of WebSocket and of the hub's date; IoT Hub's is 443.
    pub https_port: u16,
    /// The hub's own name, for the user name and the SAS token's resource.
    pub hub_host_name: String,
    /// The device.
    pub device_id: String,
    /// How it proves to be the device.
    pub credentials: Credentials,
    /// Who may sign the hub's certificate.
    pub roots: Roots,
    /// Which ways may be taken.
    pub transport: LinkTransport,
    /// Messages sent and not yet acknowledged at most, 1 to 4096.
    pub in_flight: u16,
    /// Longest wait between two attempts.
    pub max_backoff: Duration,
    /// How long a SAS token is good for; it is renewed when four fifths are over.
    pub token_life: Duration,
    /// Time before the certificate's end from which it is warned of.
    pub warn_expiry: Duration,
    /// Messages a second at most.
    pub max_per_s: Option<u32>,
    /// Messages a day (UTC) at most, in 4 KiB.
    pub max_per_day: Option<u32>,
    /// Bytes a day (UTC) at most: the line is metered.
    pub budget_bytes_per_day: Option<u64>,
}

/// How a device proves to be itself.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The device's symmetric key, base64.
    Key(SecretString),
    /// A certificate, its chain and its key, PEM.
    Certificate {
        /// The device's own certificate first.
        chain_pem: Vec<u8>,
        /// Its private key.
        key_pem: SecretString,
    },
    /// The same in files, read anew for each connection: a renewed one needs no restart.
    CertificateFiles {
        /// The chain's file.
        chain: PathBuf,
        /// The key's file, readable by its owner alone.
        key: PathBuf,
    },
}

/// Who may sign the hub's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Whom the system trusts.
    System,
    /// These, PEM.
    Pem(Vec<u8>),
}

/// Why the settings don't make a link. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A secret can't be had.
    #[error("{key}: {error}")]
    Secret {
        /// The setting.
        key: &'static str,
        /// Why.
        error: SecretError,
    },
    /// A file can't be used.
    #[error("{key}: {path}: {reason}", path = path.display())]
    File {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The connection string says what it may not.
    #[error("link.connection_string: {0}")]
    ConnectionString(String),
    /// The settings don't go together, or something is missing.
    #[error("{0}")]
    Contradiction(String),
}

impl UplinkSettings {
    /// A link without bounds, by MQTT, with the settings' own defaults for everything else.
    #[must_use]
    pub fn at(host: impl Into<String>, port: u16, hub: impl Into<String>, device_id: impl Into<String>) -> Builder {
        Builder { host: host.into(), port, hub: hub.into(), device_id: device_id.into() }
    }

    /// The host as it stands in a URL: an IPv6 address has brackets there.
    #[must_use]
    pub fn url_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// With what `link` says of tokens, warnings and bounds; a bound that it doesn't have stays as it is.
    #[must_use]
    pub fn with_link(mut self, link: &LinkSettings) -> Self {
        self.transport = link.transport;
        self.token_life = Duration::from_secs(u64::from(link.token_life_s));
        self.warn_expiry = Duration::from_secs(u64::from(link.warn_expiry_days) * 86_400);
        self.max_per_s = link.max_per_s.or(self.max_per_s);
        self.max_per_day = link.max_per_day.or(self.max_per_day);
        self.budget_bytes_per_day = link.budget_mib_per_day.map(bytes_of_mib).or(self.budget_bytes_per_day);
        self
    }

    /// Whether each byte is counted.
    pub(super) const fn is_metered(&self) -> bool {
        self.budget_bytes_per_day.is_some()
    }

    /// With the agent's bounds on messages in flight and on the wait between attempts.
    #[must_use]
    pub const fn with_agent(mut self, agent: &AgentSettings) -> Self {
        self.in_flight = agent.in_flight;
        self.max_backoff = Duration::from_secs(agent.max_backoff_s);
        self
    }
}

/// The first half of [`UplinkSettings`]: where and who.
#[derive(Debug)]
pub struct Builder {
    host: String,
    port: u16,
    hub: String,
    device_id: String,
}

impl Builder {
    /// The second half: with what, and whom to trust.
    #[must_use]
    pub fn signed_in(self, credentials: Credentials, roots: Roots) -> UplinkSettings {
        UplinkSettings {
            host: self.host,
            port: self.port,
            https_port: 443,
            hub_host_name: self.hub,
            device_id: self.device_id,
            credentials,
            roots,
            transport: LinkTransport::Mqtt,
            in_flight: 1024,
            max_backoff: Duration::from_secs(60),
            token_life: Duration::from_secs(3600),
            warn_expiry: Duration::from_secs(30 * 86_400),
            max_per_s: None,
            max_per_day: None,
            budget_bytes_per_day: None,
        }
    }
}

/// Bytes of a budget in MiB, 0.1 to 1,000,000.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "settings hold it to 0.1 to 1,000,000")]
#[must_use]
pub fn bytes_of_mib(mib: f64) -> u64 {
    (mib * 1024.0 * 1024.0) as u64
}

/// The link to an outside hub that `link` describes; `None` where it names none: the environment's own hub is meant.
/// Reads secrets and files, and refuses what contradicts itself. [`UplinkSettings::with_agent`] adds the rest.
pub fn resolve(link: &LinkSettings, station: &StationSettings) -> Result<Option<UplinkSettings>, LinkError> {
    let given = match &link.connection_string {
        Some(reference) => {
            let text = secret("link.connection_string", reference)?;
            Some(ConnectionString::parse(text.expose_secret())?)
        }
        None => None,
    };
    let Some(hub) = one_of("link.hub", link.hub.as_deref(), given.as_ref().map(|given| given.host_name.as_str()))?
    else {
        let needless = [
            ("link.gateway", link.gateway.is_some()),
            ("link.key", link.key.is_some()),
            ("link.certificate", link.certificate.is_some()),
            ("link.certificate_key", link.certificate_key.is_some()),
        ];
        return match needless.iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err(LinkError::Contradiction(format!(
                "{key} is set, but no hub is named; set link.hub or link.connection_string, or take {key} away"
            ))),
            None => Ok(None),
        };
    };
    if let Some(given) = given.as_ref().filter(|given| given.device_id != station.device_id) {
        return Err(LinkError::Contradiction(format!(
            "link.connection_string is of device {}, but station.device_id is {}; set station.device_id to the one \
             the hub knows",
            printable(&given.device_id),
            station.device_id
        )));
    }
    let gateway = given.as_ref().and_then(|given| given.gateway.as_deref());
    let host = one_of("link.gateway", link.gateway.as_deref(), gateway)?.unwrap_or_else(|| hub.clone());
    let credentials = credentials(link, given)?;
    let roots = match &link.ca {
        Some(path) => Roots::Pem(certificates("link.ca", path)?),
        None => Roots::System,
    };
    let mut settings = UplinkSettings::at(host, link.port, hub, &station.device_id).signed_in(credentials, roots);
    settings.https_port = link.https_port;
    settings.max_per_s = Some(OUTSIDE_PER_S);
    settings.max_per_day = Some(OUTSIDE_PER_DAY);
    Ok(Some(settings.with_link(link)))
}

/// What is set here or given by the connection string; both only where they agree. Hosts have no case.
fn one_of(key: &str, set: Option<&str>, given: Option<&str>) -> Result<Option<String>, LinkError> {
    match (set, given) {
        (Some(set), Some(given)) if !set.eq_ignore_ascii_case(given) => Err(LinkError::Contradiction(format!(
            "{key} is {set}, but link.connection_string says {}; take one of them away",
            printable(given)
        ))),
        (set, given) => Ok(set.or(given).map(str::to_owned)),
    }
}

fn credentials(link: &LinkSettings, given: Option<ConnectionString>) -> Result<Credentials, LinkError> {
    let contradiction = |words: &str| Err(LinkError::Contradiction(words.to_owned()));
    let of_string = given.as_ref().is_some_and(|given| given.key.is_some());
    let is_x509 = given.as_ref().is_some_and(|given| given.is_x509);
    match (&link.certificate, &link.certificate_key) {
        (Some(_), Some(_)) if link.key.is_some() || of_string => contradiction(
            "both a key and link.certificate are set; a device signs in with one of them: take the other away",
        ),
        (Some(chain), Some(key)) => {
            let files = Credentials::CertificateFiles { chain: chain.clone(), key: key.clone() };
            // Read now too, so that what is wrong is told at the start.
            tls::identity(&files).map_err(|reason| LinkError::File {
                key: "link.certificate",
                path: chain.clone(),
                reason,
            })?;
            Ok(files)
        }
        (Some(_), None) => contradiction("link.certificate is set without link.certificate_key; set its private key"),
        (None, Some(_)) => contradiction("link.certificate_key is set without link.certificate; set the certificate"),
        (None, None) if is_x509 => {
            contradiction("link.connection_string says x509=true; set link.certificate and link.certificate_key")
        }
        (None, None) => {
            let key = match (&link.key, given.and_then(|given| given.key)) {
                (Some(_), Some(_)) => {
                    return contradiction("link.key is set, and link.connection_string has a key; take one away");
                }
                (Some(reference), None) => secret("link.key", reference)?,
                (None, Some(key)) => key,
                (None, None) => {
                    return contradiction(
                        "the device has no credentials for the hub; set link.key, link.connection_string, or \
                         link.certificate with link.certificate_key",
                    );
                }
            };
            if STANDARD.decode(key.expose_secret().trim()).is_err() {
                return Err(LinkError::Contradiction(super::sas::InvalidKey.to_string()));
            }
            Ok(Credentials::Key(key))
        }
    }
}

fn secret(key: &'static str, reference: &str) -> Result<SecretString, LinkError> {
    let read = reference.parse::<SecretReference>().and_then(|reference| reference.resolve());
    read.map_err(|error| LinkError::Secret { key, error })
}

/// The certificates in a file: at least one.
fn certificates(key: &'static str, path: &Path) -> Result<Vec<u8>, LinkError> {
    let failed = |reason: String| LinkError::File { key, path: path.to_owned(), reason };
    let pem = read_pem(path).map_err(failed)?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(pem),
        Ok(_) => Err(failed("no certificate in it; name a PEM file with -----BEGIN CERTIFICATE-----".into())),
        Err(error) => Err(failed(format!("not PEM: {}; name a PEM file", printable(&error.to_string())))),
    }
}

/// A file of at most 1 MiB that holds no secret.
pub(super) fn read_pem(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| format!("{error}; check the path and its permissions");
    let mut pem = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err("not a regular file; name one".into());
    }
    file.take(MAX_PEM + 1).read_to_end(&mut pem).map_err(failed)?;
    if pem.len() as u64 > MAX_PEM {
        return Err("larger than 1 MiB; is it the right file?".into());
    }
    Ok(pem)
}

/// A device's connection string: `HostName=…;DeviceId=…;SharedAccessKey=…`, or `…;x509=true`; and `GatewayHostName=…`.
struct ConnectionString {
    host_name: String,
    device_id: String,
    key: Option<SecretString>,
    is_x509: bool,
    gateway: Option<String>,
}

impl ConnectionString {
    fn parse(text: &str) -> Result<Self, LinkError> {
        let refused = |words: String| Err(LinkError::ConnectionString(words));
        let (mut host_name, mut device_id, mut key, mut gateway, mut is_x509) = (None, None, None, None, None);
        for part in text.trim().split(';').filter(|part| !part.is_empty()) {
            // Values are base64 at most: only the first = parts.
            let Some((name, value)) = part.split_once('=') else {
                return refused("a part without =; copy the whole string from the hub".into());
            };
            let place = match name {
                "HostName" => &mut host_name,
                "DeviceId" => &mut device_id,
                "SharedAccessKey" => &mut key,
                "GatewayHostName" => &mut gateway,
                "x509" => &mut is_x509,
                "SharedAccessKeyName" => {
                    return refused("it is a service's, with a policy's name; copy the device's own".into());
                }
                "SharedAccessSignature" => {
                    return refused(
                        "it holds a finished signature, which can't be renewed; copy the one with the \
                                    device's key"
                            .into(),
                    );
                }
                "ModuleId" => return refused("it is a module's; copy the device's own".into()),
                // The name alone: what follows may be a secret.
                other => return refused(format!("{} isn't known; take it away", printable(other))),
            };
            if value.is_empty() || place.replace(value).is_some() {
                return refused(format!("{name} is empty or there twice; copy the whole string from the hub"));
            }
        }
        let (Some(host_name), Some(device_id)) = (host_name, device_id) else {
            return refused("HostName or DeviceId is missing; copy the device's string from the hub".into());
        };
        let gateway = gateway.map(|name| name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name));
        let wrong = Some(host_name).filter(|name| !is_host_name(name)).or(gateway.filter(|name| !is_host(name)));
        if let Some(name) = wrong {
            return refused(format!("{} isn't a host's name; take it from the hub", printable(name)));
        }
        let is_x509 = match is_x509 {
            None => false,
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(_) => return refused("x509 is something other than true; take it away".into()),
        };
        if is_x509 && key.is_some() {
            return refused("it has a key and says x509=true; a device signs in with one of them".into());
        }
        Ok(Self {
            host_name: host_name.to_owned(),
            device_id: device_id.to_owned(),
            key: key.map(SecretString::from),
            is_x509,
            gateway: gateway.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests;
