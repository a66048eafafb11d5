//! What is asked of the hub, done on its handle. Whatever changes something or reveals a secret is told to the audit
//! trail by the caller, in the words this answers with.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Fault, HubAnswer, HubAsk, HubDevice, HubFaults, HubPorts, HubTwin, Proof};
use crate::local_cloud::https::Policy;
use crate::local_cloud::hub::{Faults, Hub, InvokeError};
use crate::local_cloud::registry::{
    Authentication, DeviceBoundMessage, DeviceIdentity, DeviceSpec, RegistryError, Thumbprint, Twin, is_device_id,
};
use crate::owner::client::AskError;
use crate::owner::protocol::{Answer, Refusal};
use crate::station::MessageId;
use crate::station::text::printable;

/// How long a device that isn't there is waited for before a method is given up: a reconnect's time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What came of a request that the hub took.
#[derive(Debug)]
pub struct Carried {
    /// The answer; a method that was called may have none.
    pub answer: Result<Answer, AskError>,
    /// What was done, for the audit trail; absent where nothing was.
    pub done: Option<String>,
}

impl Carried {
    const fn seen(answer: HubAnswer) -> Self {
        Self { answer: Ok(Answer::Hub(answer)), done: None }
    }

    const fn told(answer: HubAnswer, done: String) -> Self {
        Self { answer: Ok(Answer::Hub(answer)), done: Some(done) }
    }

    fn done(done: String) -> Self {
        Self { answer: Ok(Answer::Done { message: done.clone() }), done: Some(done) }
    }
}

/// Carries out what is asked.
pub async fn carry_out(hub: &Hub, ask: HubAsk) -> Result<Carried, AskError> {
    match ask {
        HubAsk::Devices => {
            let devices = hub.devices().await.map_err(registry_refused)?;
            let devices = devices.iter().map(device_view).collect::<Result<_, _>>()?;
            Ok(Carried::seen(HubAnswer::Devices { devices }))
        }
        HubAsk::Device { id } => {
            let device = hub.device(&id).await.map_err(registry_refused)?;
            Ok(Carried::seen(HubAnswer::Device { device: Box::new(device_view(&device)?) }))
        }
        HubAsk::Add { id, proof } => add(hub, &id, proof).await,
        HubAsk::Remove { id } => {
            hub.delete_device(&id, Some("*".to_owned())).await.map_err(registry_refused)?;
            Ok(Carried::done(format!("device {} removed, with its twin", printable(&id))))
        }
        HubAsk::Enable { id, enabled } => enable(hub, &id, enabled).await,
        HubAsk::ConnectionString { id } => connection_string(hub, id).await,
        HubAsk::Twin { id } => {
            let twin = hub.twin(&id).await.map_err(registry_refused)?;
            Ok(Carried::seen(HubAnswer::Twin { twin: Box::new(twin_view(&twin)?) }))
        }
        HubAsk::Desire { id, patch } => {
            let body = json!({"properties": {"desired": patch}});
            let twin = hub.patch_twin(&id, &body, None).await.map_err(registry_refused)?;
            let words = format!("device {}: desired properties changed: {}", printable(&id), shortened(&patch));
            Ok(Carried::told(HubAnswer::Twin { twin: Box::new(twin_view(&twin)?) }, words))
        }
        HubAsk::Method { id, name, payload, timeout_s } => method(hub, &id, &name, &payload, timeout_s).await,
        HubAsk::Send { id, text, properties } => {
            // By its identity the device knows it, should it come twice.
            let message_id = Some(MessageId::new(Timestamp::now()).to_string());
            let body = text.into_bytes();
            let message = DeviceBoundMessage { message_id, body, properties, ..DeviceBoundMessage::default() };
            hub.send_to_device(&id, message).await.map_err(registry_refused)?;
            Ok(Carried::done(format!("device {}: a message waits for it", printable(&id))))
        }
        HubAsk::Faults => Ok(Carried::seen(HubAnswer::Faults { faults: faults_view(hub.faults()) })),
        HubAsk::Fault { fault } => {
            let words = set_fault(hub, fault);
            Ok(Carried::told(HubAnswer::Faults { faults: faults_view(hub.faults()) }, words))
        }
    }
}

async fn add(hub: &Hub, id: &str, proof: Proof) -> Result<Carried, AskError> {
    let shown = printable(id);
    if !is_device_id(id) {
        let words = format!("device {shown}: no id; it has 1 to 128 letters, digits and any of -.%_*?!(),:=@$'");
        return Err(AskError::Refused(words));
    }
    let authentication = match proof {
        Proof::Key => None,
        Proof::Authority => Some(Authentication::CertificateAuthority),
        Proof::Thumbprint { thumbprint } => {
            let primary = Thumbprint::parse(&thumbprint).ok_or_else(|| {
                AskError::Refused(format!(
                    "device {shown}: no thumbprint; it has 40 (SHA-1) or 64 (SHA-256) hexadecimal digits, as \
                     `openssl x509 -fingerprint -sha256` writes them"
                ))
            })?;
            Some(Authentication::SelfSigned { primary: Some(primary), secondary: None })
        }
    };
    let device = hub.put_device(id, DeviceSpec { authentication, ..DeviceSpec::default() }, None).await;
    let device = device.map_err(|error| match error {
        RegistryError::AlreadyExists(id) => {
            AskError::Refused(format!("device {id}: registered already; `skydeck hub show {id}` says how it stands"))
        }
        other => registry_refused(other),
    })?;
    let view = device_view(&device)?;
    let words = format!("device {shown} registered");
    Ok(Carried::told(HubAnswer::Device { device: Box::new(view) }, words))
}

async fn enable(hub: &Hub, id: &str, is_enabled: bool) -> Result<Carried, AskError> {
    hub.device(id).await.map_err(registry_refused)?;
    let spec = DeviceSpec { is_enabled, ..DeviceSpec::default() };
    hub.put_device(id, spec, Some("*".to_owned())).await.map_err(registry_refused)?;
    let word = if is_enabled { "enabled" } else { "disabled" };
    Ok(Carried::done(format!("device {} {word}", printable(id))))
}

async fn method(hub: &Hub, id: &str, name: &str, payload: &Value, timeout_s: u32) -> Result<Carried, AskError> {
    let timeout = Duration::from_secs(u64::from(timeout_s));
    let called = format!("device {}: method {} called", printable(id), printable(name));
    match hub.invoke(id, name, payload, CONNECT_TIMEOUT, timeout).await {
        Ok(answer) => {
            let status = u16::try_from(answer.status).unwrap_or(0);
            let words = format!("{called}, status {status}");
            Ok(Carried::told(HubAnswer::Method { status, payload: answer.payload }, words))
        }
        // The device may have done it all the same.
        Err(error @ InvokeError::TimedOut { .. }) => {
            Ok(Carried { answer: Err(not_invoked(error)), done: Some(format!("{called}, no answer in time")) })
        }
        Err(error) => Err(not_invoked(error)),
    }
}

async fn connection_string(hub: &Hub, id: Option<String>) -> Result<Carried, AskError> {
    let Some(id) = id else {
        // With every right: their registry clients need it.
        let text = hub.service_connection_string(Policy::Owner).ok_or_else(|| {
            AskError::Refused("connection string: the hub's service side isn't there; see `skydeck status logs`".into())
        })?;
        let answer = HubAnswer::ConnectionString { text: text.expose_secret().to_owned().into(), ports: None };
        return Ok(Carried::told(answer, "hub: the service side's connection string handed out".to_owned()));
    };
    let device = hub.device(&id).await.map_err(registry_refused)?;
    let proof = match &device.authentication {
        Authentication::Sas { .. } => {
            let keys = device.key_texts();
            let [primary, _] =
                keys.ok_or_else(|| AskError::Refused(format!("device {}: has no key", printable(&id))))?;
            format!("SharedAccessKey={}", primary.expose_secret())
        }
        Authentication::SelfSigned { .. } | Authentication::CertificateAuthority => "x509=true".to_owned(),
    };
    // The hub's name stands for itself in names and tokens; the address is where it is found.
    let listens = hub.address().ip();
    // A hub that listens everywhere is here, too; devices elsewhere set link.gateway.
    let found = if listens.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { listens };
    let text = format!("HostName={};DeviceId={id};{proof};GatewayHostName={found}", hub.host_name());
    let words = format!("device {}: connection string handed out", printable(&id));
    let ports =
        HubPorts { port: Some(hub.address().port()), https_port: hub.https_address().map(|address| address.port()) };
    Ok(Carried::told(HubAnswer::ConnectionString { text: text.into(), ports: Some(ports) }, words))
}

fn set_fault(hub: &Hub, fault: Fault) -> String {
    let now = hub.faults();
    let faults = match fault {
        Fault::Refuse => Faults { refuse: true, ..now },
        Fault::Slow { ms } => Faults { slow_ms: ms, ..now },
        Fault::Throttle { per_s } => Faults { throttle_per_s: Some(per_s), ..now },
        Fault::HalfOpen => Faults { half_open: true, ..now },
        Fault::Clock { seconds } => Faults { clock_offset_s: seconds, ..now },
        Fault::Drop => {
            hub.drop_connections();
            return "hub: every connection dropped".to_owned();
        }
        Fault::None => Faults::default(),
    };
    hub.set_faults(faults);
    let words = faults_view(faults).words();
    if words.is_empty() { "hub: no fault is on".to_owned() } else { format!("hub: {}", words.join(", ")) }
}

/// The hub's faults as viewers see them.
pub(in crate::owner) const fn faults_view(faults: Faults) -> HubFaults {
    let Faults { refuse, slow_ms, throttle_per_s, half_open, clock_offset_s } = faults;
    HubFaults { refuse, slow_ms, throttle_per_s, half_open, clock_offset_s }
}

fn device_view(device: &DeviceIdentity) -> Result<HubDevice, AskError> {
    serde_json::from_value(device.rest_json()).map_err(unreadable)
}

fn twin_view(twin: &Twin) -> Result<HubTwin, AskError> {
    serde_json::from_value(twin.rest_json()).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> AskError {
    AskError::Refused(format!("hub: what it keeps isn't understood: {error}; report it as a fault of skydeck"))
}

fn shortened(value: &Value) -> String {
    let text = printable(&value.to_string());
    if text.chars().count() <= 200 { text } else { text.chars().take(199).chain(std::iter::once('…')).collect() }
}

/// What the registry refused, as whoever asked is told it.
pub(in crate::owner) fn registry_refused(error: RegistryError) -> AskError {
    let why = matches!(error, RegistryError::NotFound(_)).then_some(Refusal::NotFound);
    let words = match error {
        RegistryError::NotFound(id) => {
            format!("device {id}: not registered; `skydeck hub devices` lists those that are")
        }
        other => other.to_string(),
    };
    AskError::refused(why, printable(&words))
}

fn not_invoked(error: InvokeError) -> AskError {
    let why = matches!(error, InvokeError::NotFound(_)).then_some(Refusal::NotFound);
    let words = match error {
        InvokeError::NotConnected(id) => {
            format!("device {id}: isn't connected; start it, or see `skydeck hub devices` for when it was seen last")
        }
        InvokeError::TimedOut { device, seconds } => {
            format!("device {device}: no answer within {seconds} s; give it longer with --timeout, or see its log")
        }
        other => other.to_string(),
    };
    AskError::refused(why, printable(&words))
}
