use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use super::super::tls::samples::pair;
use super::*;

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary folder"))
    }

    fn write(&self, name: &str, mode: u32, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        let mut file = std::fs::File::options().create(true).write(true).mode(mode).open(&path).expect("opens");
        file.write_all(text.as_bytes()).expect("written");
        path
    }

    fn reference(&self, name: &str, text: &str) -> Option<String> {
        Some(format!("file:{}", self.write(name, 0o600, text).display()))
    }
}

fn station() -> StationSettings {
    StationSettings::default()
}

fn refused(link: &LinkSettings) -> String {
    let words = resolve(link, &station()).expect_err("refused").to_string();
    assert!(!words.contains("MDEy"), "{words}");
    words
}

#[test]
fn nothing_set_is_the_environments_own_hub() {
    assert!(resolve(&LinkSettings::default(), &station()).expect("good").is_none());
}

#[test]
fn a_connection_string_gives_what_is_not_set() {
    let files = Files::new();
    let string =
        format!("HostName=weather.azure-devices.net;DeviceId=roof-01;SharedAccessKey={KEY};GatewayHostName=gw");
    let link = LinkSettings { connection_string: files.reference("s", &string), ..LinkSettings::default() };
    let settings = resolve(&link, &station()).expect("good").expect("a link");
    assert_eq!((settings.host.as_str(), settings.port, settings.https_port), ("gw", 8883, 443));
    assert_eq!(settings.hub_host_name, "weather.azure-devices.net");
    assert_eq!((settings.max_per_s, settings.max_per_day), (Some(100), Some(400_000)));
    assert_eq!((settings.transport, &settings.roots), (LinkTransport::Auto, &Roots::System));
    let Credentials::Key(key) = &settings.credentials else { panic!("{:?}", settings.credentials) };
    assert_eq!(key.expose_secret(), KEY);
    assert!(!format!("{settings:?}").contains("MDEy"));

    let link = LinkSettings { max_per_s: Some(7), budget_mib_per_day: Some(0.5), port: 1883, ..link };
    let link = LinkSettings { hub: Some("WEATHER.azure-devices.net".into()), ..link };
    let settings = resolve(&link, &station()).expect("good").expect("a link");
    let settings = settings.with_agent(&AgentSettings { in_flight: 3, max_backoff_s: 9, ..AgentSettings::default() });
    assert_eq!((settings.max_per_s, settings.budget_bytes_per_day), (Some(7), Some(524_288)));
    assert_eq!((settings.port, settings.in_flight, settings.max_backoff.as_secs()), (1883, 3, 9));
}

#[test]
fn a_gateway_may_be_an_ipv6_address() {
    let files = Files::new();
    for (gateway, host) in [("::1", Some("::1")), ("[fe80::1]", Some("fe80::1")), ("[gw", None), ("1::2::3", None)] {
        let string = format!("HostName=h;DeviceId=roof-01;SharedAccessKey={KEY};GatewayHostName={gateway}");
        let link = LinkSettings { connection_string: files.reference("s", &string), ..LinkSettings::default() };
        let settings = resolve(&link, &station()).ok().flatten();
        assert_eq!(settings.as_ref().map(|settings| settings.host.as_str()), host, "{gateway}");
    }
    assert_eq!(
        UplinkSettings::at("::1", 1, "h", "d").signed_in(Credentials::Key(KEY.into()), Roots::System).url_host(),
        "[::1]"
    );
}

#[test]
fn hub_and_key_can_be_set_by_themselves() {
    let files = Files::new();
    let ca = files.write("ca.pem", 0o644, &pair(2046).0);
    let link = LinkSettings {
        hub: Some("h".into()),
        key: files.reference("k", KEY),
        ca: Some(ca.clone()),
        ..LinkSettings::default()
    };
    let settings = resolve(&link, &station()).expect("good").expect("a link");
    assert_eq!((settings.host.as_str(), settings.hub_host_name.as_str()), ("h", "h"));
    assert_eq!(settings.roots, Roots::Pem(std::fs::read(ca).expect("reads")));
}

#[test]
fn a_certificate_is_read_at_the_start() {
    let files = Files::new();
    let (chain, key) = pair(2046);
    let link = LinkSettings {
        connection_string: files.reference("s", "HostName=h;DeviceId=roof-01;x509=true"),
        certificate: Some(files.write("chain.pem", 0o644, &chain)),
        certificate_key: Some(files.write("key.pem", 0o600, &key)),
        ..LinkSettings::default()
    };
    let settings = resolve(&link, &station()).expect("good").expect("a link");
    assert!(matches!(settings.credentials, Credentials::CertificateFiles { .. }));
    let open = LinkSettings { certificate_key: Some(files.write("open.pem", 0o644, &key)), ..link.clone() };
    assert!(refused(&open).contains("chmod 600"));
    let both = LinkSettings { key: files.reference("k", KEY), ..link.clone() };
    assert!(refused(&both).contains("both a key and link.certificate"));
    let half = LinkSettings { certificate_key: None, ..link.clone() };
    assert!(refused(&half).contains("without link.certificate_key"));
    let half = LinkSettings { certificate: None, ..link.clone() };
    assert!(refused(&half).contains("without link.certificate;"));
    let none = LinkSettings { certificate: None, certificate_key: None, ..link };
    assert!(refused(&none).contains("x509=true"));
}

#[test]
fn what_contradicts_itself_is_refused_with_words() {
    let files = Files::new();
    let with =
        |string: &str| LinkSettings { connection_string: files.reference("s", string), ..LinkSettings::default() };
    let good = format!("HostName=h;DeviceId=roof-01;SharedAccessKey={KEY}");
    for (link, words) in [
        (LinkSettings { hub: Some("other".into()), ..with(&good) }, "link.hub is other"),
        (LinkSettings { key: files.reference("k", KEY), ..with(&good) }, "link.key is set, and"),
        (LinkSettings { key: files.reference("k", KEY), ..LinkSettings::default() }, "no hub is named"),
        (LinkSettings { gateway: Some("g".into()), ..LinkSettings::default() }, "no hub is named"),
        (LinkSettings { hub: Some("h".into()), ..LinkSettings::default() }, "no credentials"),
    ] {
        let error = refused(&link);
        assert!(error.contains(words), "{error}");
    }
    for (string, words) in [
        (good.replace("roof-01", "roof-02"), "of device roof-02"),
        (good.replace(KEY, "not base64"), "isn't base64"),
        (good.replace("HostName=h;", ""), "HostName or DeviceId is missing"),
        (good.replace("HostName=h;", "HostName=h/../x;"), "isn't a host's name"),
        (format!("{good};SharedAccessKeyName=iothubowner"), "a service's"),
        (format!("{good};ModuleId=m"), "a module's"),
        (format!("{good};DeviceId=roof-01"), "there twice"),
        (format!("{good};x509=true"), "it has a key and says x509=true"),
        ("HostName=h;DeviceId=roof-01;x509=maybe".into(), "something other than true"),
        ("HostName=h;DeviceId=roof-01;SharedAccessSignature=x".into(), "can't be renewed"),
        (KEY.trim_end_matches('=').to_owned(), "a part without ="),
        (format!("{good};Secret{KEY}=1"), "isn't known"),
    ] {
        let path = files.0.path().join("s");
        std::fs::remove_file(path).ok();
        let error = resolve(&with(&string), &station()).expect_err("refused").to_string();
        assert!(error.contains(words), "{string}: {error}");
    }
}
