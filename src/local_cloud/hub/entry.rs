//! Letting a device in: its CONNECT, and the answer.

use std::time::Duration;

use bytes::BytesMut;
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::v3::{Connect, ConnectAck, ConnectAckReason, Packet, QoS};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::access::{self, Admitted, Refusal};
use super::bag::{PropertyBag, telemetry_bag};
use super::session::Fault;
use super::shared::Shared;
use super::subscriptions::Subscriptions;
use super::wire::{self, Packets, WireError};
use crate::station::text::printable;

/// Time a connection has until it is let in.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);
/// Bytes of a CONNECT: identity, user name and token take a few hundred, the rest is for a last will.
pub(super) const MAX_CONNECT: u32 = 64 * 1024;

/// Tells a device that there is no hub, whoever it is.
pub(super) async fn turn_away<S, B>(shared: &Shared, begin: B)
where
    S: AsyncRead + AsyncWrite + Unpin,
    B: Future<Output = Result<(S, Vec<CertificateDer<'static>>), Fault>>,
{
    let told = shared.faults.timeout(HANDSHAKE, async {
        let (read, mut write) = tokio::io::split(begin.await?.0);
        if let Some(Packet::Connect(_)) = next(shared, &mut Packets::new(read, MAX_CONNECT), HANDSHAKE).await? {
            answer(&mut write, ConnectAckReason::ServiceUnavailable, false).await?;
        }
        Ok::<_, Fault>(())
    });
    if let Some(Err(fault)) = told.await {
        tracing::debug!("a device couldn't be told that there is no hub: {fault}");
    }
}

/// The next packet; nobody is too silent while connections hang.
pub(super) async fn next<R: AsyncRead + Unpin>(
    shared: &Shared,
    packets: &mut Packets<R>,
    silence: Duration,
) -> Result<Option<Packet>, WireError> {
    loop {
        match packets.next(silence).await {
            Err(WireError::Silent) if shared.faults.now().half_open => shared.faults.flowing().await,
            next => return next,
        }
    }
}

/// Reads the CONNECT and answers it; answers with what the device has subscribed to from before.
pub(super) async fn let_in<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    shared: &Shared,
    packets: &mut Packets<R>,
    write: &mut W,
    certificates: &[CertificateDer<'static>],
) -> Result<(Box<Connect>, Admitted, Subscriptions), Fault> {
    let connect = match next(shared, packets, HANDSHAKE).await {
        Ok(Some(Packet::Connect(connect))) => connect,
        Ok(Some(_)) => return Err(Fault::Packet),
        Ok(None) => return Err(Fault::Mute),
        Err(WireError::Malformed(DecodeError::UnsupportedProtocolLevel)) => {
            answer(write, ConnectAckReason::UnacceptableProtocolVersion, false).await?;
            return Err(Fault::Refused("speaks another version of MQTT than 3.1.1".into()));
        }
        Err(error) => return Err(error.into()),
    };
    if connect.protocol.level() != 4 {
        answer(write, ConnectAckReason::UnacceptableProtocolVersion, false).await?;
        return Err(Fault::Refused("speaks MQTT 3.1; 3.1.1 is needed".into()));
    }
    shared.faults.slow().await;
    match admit(shared, &connect, certificates).await {
        Ok((admitted, subscriptions)) => {
            let is_kept = !subscriptions.filters().is_empty();
            answer(write, ConnectAckReason::ConnectionAccepted, is_kept).await?;
            Ok((connect, admitted, subscriptions))
        }
        Err(refusal) => {
            answer(write, refusal.code, false).await?;
            Err(Fault::Refused(format!("device {}: {}", printable(&connect.client_id), refusal.reason)))
        }
    }
}

async fn admit(
    shared: &Shared,
    connect: &Connect,
    certificates: &[CertificateDer<'static>],
) -> Result<(Admitted, Subscriptions), Refusal> {
    let admitted = access::check(connect, certificates, shared).await?;
    let device_id: &str = &connect.client_id;
    check_will(connect)?;
    let unavailable = |error: crate::database::DatabaseError| Refusal {
        code: ConnectAckReason::ServiceUnavailable,
        reason: error.to_string(),
    };
    let kept = shared.registry.subscriptions(device_id).await.map_err(unavailable)?;
    if connect.clean_session {
        if !kept.is_empty() {
            shared.registry.keep_subscriptions(device_id, &Default::default()).await.map_err(unavailable)?;
        }
        return Ok((admitted, Subscriptions::default()));
    }
    Ok((admitted, Subscriptions::kept(kept, device_id)))
}

/// A last will is telemetry of the device's own.
fn check_will(connect: &Connect) -> Result<(), Refusal> {
    let Some(will) = &connect.last_will else { return Ok(()) };
    let refuse = |reason: &str| Err(Refusal { code: ConnectAckReason::NotAuthorized, reason: reason.into() });
    if will.qos == QoS::ExactlyOnce {
        return refuse("its last will has QoS 2, which IoT Hub doesn't take");
    }
    match telemetry_bag(&will.topic, &connect.client_id).map(PropertyBag::parse) {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) => refuse("its last will has properties that aren't UTF-8"),
        None => refuse("its last will is for another topic than devices/ID/messages/events/"),
    }
}

async fn answer<W: AsyncWrite + Unpin>(
    write: &mut W,
    return_code: ConnectAckReason,
    session_present: bool,
) -> Result<(), WireError> {
    let mut buffer = BytesMut::new();
    let packet = Packet::ConnectAck(ConnectAck { return_code, session_present });
    wire::encode(packet, &mut buffer).map_err(|error| std::io::Error::other(error.to_string()))?;
    write.write_all(&buffer).await?;
    write.flush().await?;
    if return_code != ConnectAckReason::ConnectionAccepted {
        write.shutdown().await?;
    }
    Ok(())
}
