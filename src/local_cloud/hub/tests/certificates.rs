//! Devices that sign in with a certificate.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::PrivatePkcs8KeyDer;
use sha2::Digest;

use super::*;
use crate::local_cloud::registry::DeviceSpec;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Shown {
    fn self_signed(params: CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        let chain = vec![params.self_signed(&key).expect("a certificate").der().clone()];
        Self { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }

    fn sha256(&self) -> String {
        sha2::Sha256::digest(&self.chain[0]).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn sha1(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &self.chain[0]);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl House {
    async fn register(&self, device_id: &str, authentication: Value) {
        let spec = DeviceSpec::from_rest(device_id, &json!({"authentication": authentication})).expect("a device");
        self.hub.put_device(device_id, spec, None).await.expect("registered");
    }

    async fn showing(&self, shown: &Shown, device_id: &str) -> (Device, Option<ConnectAckReason>) {
        let mut device = Device::new(self.tls_showing(Some((shown.chain.clone(), shown.key.clone_key()))).await);
        let connect = Connect { password: None, ..connect(device_id, b"", 60) };
        let answer = device.sign_in(connect).await;
        (device, answer)
    }
}

#[tokio::test]
async fn a_registered_thumbprint_opens_the_door_and_the_log_says_so() {
    let house = House::open().await;
    let mut arrivals = house.log.arrivals();
    let [first, second, stranger] = [(); 3].map(|()| Shown::self_signed(params("whoever")));
    let prints = json!({"primaryThumbprint": first.sha1(), "secondaryThumbprint": second.sha256()});
    house.register("roof-01", json!({"type": "selfSigned", "x509Thumbprint": prints})).await;
    let (_, answer) = house.showing(&second, "roof-01").await;
    assert_eq!(answer, Some(ConnectAckReason::ConnectionAccepted));
    let (_, answer) = house.showing(&stranger, "roof-01").await;
    assert_eq!(answer, Some(ConnectAckReason::NotAuthorized));
    let (mut device, answer) = house.showing(&first, "roof-01").await;
    assert_eq!(answer, Some(ConnectAckReason::ConnectionAccepted));
    device.send(publish("devices/roof-01/messages/events/", QoS::AtLeastOnce, 1, "x")).await;
    assert_eq!(device.next().await, Some(ack(1)));
    let message = arrivals.recv().await.expect("arrives");
    let method = r#"{"scope":"device","type":"x509","issuer":"external","acceptingIpFilterRule":null}"#;
    assert_eq!(message.system_properties["connectionAuthMethod"], method);
    // With the hub's clock far ahead, the certificate has ended.
    house.hub.set_faults(Faults { clock_offset_s: 5000 * 365 * 86_400, ..Faults::default() });
    let (_, answer) = house.showing(&first, "roof-01").await;
    assert_eq!(answer, Some(ConnectAckReason::NotAuthorized));
    let status = house.status(|status| status.last_error.as_ref().is_some_and(|e| e.contains("expired"))).await;
    assert_eq!(status.refused, 2);
}

#[tokio::test]
async fn an_authority_in_the_folder_vouches_for_its_devices() {
    let house = House::open().await;
    house.register("roof-01", json!({"type": "certificateAuthority"})).await;
    house.register("roof-02", json!({"type": "certificateAuthority"})).await;
    let mut ca = params("house");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca_key = KeyPair::generate().expect("a key");
    let ca_pem = ca.self_signed(&ca_key).expect("a certificate").pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key");
    let certificate = params("roof-01").signed_by(&key, &issuer).expect("a certificate");
    let shown =
        Shown { chain: vec![certificate.der().clone()], key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() };
    assert_eq!(house.showing(&shown, "roof-01").await.1, Some(ConnectAckReason::NotAuthorized), "nobody vouches");
    let folder = house.folder.path().join("hub").join("device-ca");
    std::fs::create_dir(&folder).expect("made");
    std::fs::write(folder.join("house.pem"), ca_pem).expect("written");
    assert_eq!(house.showing(&shown, "roof-01").await.1, Some(ConnectAckReason::ConnectionAccepted));
    assert_eq!(house.showing(&shown, "roof-02").await.1, Some(ConnectAckReason::NotAuthorized), "another's name");
    let own = Shown::self_signed(params("roof-01"));
    assert_eq!(house.showing(&own, "roof-01").await.1, Some(ConnectAckReason::NotAuthorized), "self-signed");
}

#[tokio::test]
async fn keys_and_certificates_are_not_mixed() {
    let house = House::open().await;
    let shown = Shown::self_signed(params("roof-01"));
    let prints = json!({"primaryThumbprint": shown.sha1()});
    house.register("roof-01", json!({"type": "selfSigned", "x509Thumbprint": prints})).await;
    assert_eq!(house.answer(connect("roof-01", b"key", 60)).await, Some(ConnectAckReason::NotAuthorized));
    assert!(matches!(house.hub.ensure_device("roof-01").await, Err(HubError::NoKey(_))));
    house.hub.ensure_device("roof-02").await.expect("a device");
    assert_eq!(house.showing(&shown, "roof-02").await.1, Some(ConnectAckReason::NotAuthorized));
    // A device with a key may show a certificate too: it is let in by its key.
    let mut device = Device::new(house.tls_showing(Some((shown.chain.clone(), shown.key.clone_key()))).await);
    let credentials = house.credentials("roof-02", 60).await;
    assert_eq!(device.sign_in(credentials).await, Some(ConnectAckReason::ConnectionAccepted));
}
