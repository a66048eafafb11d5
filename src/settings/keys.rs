//! The table of everything that can be set: key, type and bounds.
//!
//! Files, environment variables and flags are all checked against it, and a test holds it equal to the fields
//! of [`super::Settings`].

use std::net::IpAddr;

use toml::Value;

use super::secret::SecretReference;

/// One setting: `section.name`, and what it takes.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// `section.name`, as in `agent.in_flight`.
    pub path: &'static str,
    /// What it takes.
    pub takes: Takes,
}

/// What a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// A text, with the rule it keeps and that rule's words.
    Text(fn(&str) -> bool, &'static str),
    /// A path; one given in a file is taken from that file's folder.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number within closed bounds.
    Whole(i64, i64),
    /// A number within closed bounds.
    Number(f64, f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An IP address.
    Address,
    /// A reference to a secret. What is refused isn't shown: it may be the secret itself.
    Secret,
}

/// What a host's name is.
const HOST_NAME: &str = "a host's name: 1 to 253 letters, digits and any of -.";
pub(super) const HOST: &str = "a host's name or address: 1 to 253 letters, digits and any of -., or an IPv6 address";
const CAMERA_URL: &str = "a URL that begins with http:// or https://, as in http://10.0.0.7/snapshot.jpg";
const IDENTIFIER: &str =
    "a name as Snowflake has it, in its case: 1 to 80 characters, none of them a control character";
const AUTHORITY: &str = "a host's name, with :PORT where it isn't the usual one";
const WORD: &str = "1 to 256 letters, digits and any of -._$";
const PLAIN_URL: &str = "a URL that begins with http:// or https:// and holds no password, query or fragment";
/// A year, in seconds: the longest threshold of an alarm.
const YEAR_S: i64 = 31_536_000;

const fn key(path: &'static str, takes: Takes) -> Key {
    Key { path, takes }
}

/// Every setting, in the order of `config/default.toml`.
pub const KEYS: &[Key] = &[
    key("station.device_id", Takes::Text(is_device_id, "1 to 128 letters, digits and any of -._:")),
    key("station.name", Takes::Text(is_name, "1 to 80 characters, none of them a control character")),
    key("station.latitude_deg", Takes::Number(-90.0, 90.0)),
    key("station.longitude_deg", Takes::Number(-180.0, 180.0)),
    key("station.altitude_m", Takes::Number(-430.0, 9000.0)),
    key("station.time_zone", Takes::Text(is_time_zone, "an IANA time zone, as in Europe/Zurich or UTC")),
    key("source.kind", Takes::OneOf(&["replay", "lines", "sensors", "sim", "none"])),
    key("source.path", Takes::Path),
    key("source.speed", Takes::Whole(1, 600)),
    key("source.backlog_days", Takes::Whole(0, 20)),
    key("source.rate_per_s", Takes::Number(0.001, 100_000.0)),
    key("source.seed", Takes::Whole(0, 4_294_967_295)),
    key("quality.temperature_min_c", Takes::Number(-80.0, 60.0)),
    key("quality.temperature_max_c", Takes::Number(-80.0, 60.0)),
    key("quality.pressure_min_hpa", Takes::Number(300.0, 1100.0)),
    key("quality.pressure_max_hpa", Takes::Number(300.0, 1100.0)),
    key("quality.light_max_lx", Takes::Number(1.0, 200_000.0)),
    key("quality.sound_max_dba", Takes::Number(1.0, 160.0)),
    key("quality.rain_max_mm_per_min", Takes::Number(0.1, 500.0)),
    key("quality.wind_speed_max_ms", Takes::Number(1.0, 115.0)),
    key("quality.temperature_step_c", Takes::Number(0.1, 140.0)),
    key("quality.humidity_step_pct", Takes::Number(0.1, 100.0)),
    key("quality.pressure_step_hpa", Takes::Number(0.01, 800.0)),
    key("quality.wind_speed_step_ms", Takes::Number(0.1, 115.0)),
    key("quality.still_min", Takes::Whole(10, 1440)),
    key("quality.temperature_still_c", Takes::Number(0.0, 10.0)),
    key("quality.humidity_still_pct", Takes::Number(0.0, 10.0)),
    key("quality.pressure_still_hpa", Takes::Number(0.0, 10.0)),
    key("quality.light_still_lx", Takes::Number(0.0, 1000.0)),
    key("quality.sound_still_db", Takes::Number(0.0, 10.0)),
    key("quality.wind_speed_still_ms", Takes::Number(0.0, 10.0)),
    key("quality.wind_direction_still_deg", Takes::Number(0.0, 90.0)),
    key("quality.dew_point_max_c", Takes::Number(-80.0, 60.0)),
    key("quality.night_light_max_lx", Takes::Number(0.0, 200_000.0)),
    key("quality.day_light_min_lx", Takes::Number(0.0, 1000.0)),
    key("agent.outbox_max_rows", Takes::Whole(1000, 10_000_000)),
    key("agent.in_flight", Takes::Whole(1, 4096)),
    key("agent.measure_every_s", Takes::Whole(1, 3600)),
    key("agent.nowcast_every_min", Takes::Whole(10, 240)),
    key("agent.health_every_min", Takes::Whole(1, 1440)),
    key("agent.machine_every_s", Takes::Whole(1, 3600)),
    key("agent.machine_source", Takes::OneOf(&["sysfs", "tegrastats"])),
    key("agent.tegrastats", Takes::Text(is_line, "a program and its arguments")),
    key("agent.max_backoff_s", Takes::Whole(1, 3600)),
    key("camera.command", Takes::Text(is_line, "a program and its arguments, one of them {file}")),
    key("camera.device", Takes::Path),
    key("camera.folder", Takes::Path),
    key("camera.url", Takes::Text(is_camera_url, CAMERA_URL)),
    key("camera.user", Takes::Text(is_user, "1 to 100 characters, none of them a colon or a control character")),
    key("camera.password", Takes::Secret),
    key("camera.rendered", Takes::Flag),
    key("camera.every_min", Takes::Whole(1, 1440)),
    key("camera.spool_mib", Takes::Whole(1, 100_000)),
    key("camera.max_upload_kib_per_s", Takes::Whole(8, 1_000_000)),
    key("sky.projection", Takes::OneOf(&["equidistant", "rectilinear"])),
    key("sky.fov_deg", Takes::Number(1.0, 360.0)),
    key("sky.north_deg", Takes::Number(0.0, 360.0)),
    key("sky.centre_x", Takes::Number(0.0, 1.0)),
    key("sky.centre_y", Takes::Number(0.0, 1.0)),
    key("sky.tilt_deg", Takes::Number(0.0, 90.0)),
    key("sky.horizon_mask", Takes::Path),
    key("sky.cloud_rule", Takes::OneOf(&["redBlue", "nrbr", "saturation", "hyta"])),
    key("model.trusted_keys", Takes::Path),
    key("model.keep", Takes::Whole(2, 20)),
    key("model.max_run_s", Takes::Whole(1, 600)),
    key("link.hub", Takes::Text(is_host_name, HOST_NAME)),
    key("link.gateway", Takes::Text(is_host, HOST)),
    key("link.port", Takes::Whole(1, 65_535)),
    key("link.https_port", Takes::Whole(1, 65_535)),
    key("link.transport", Takes::OneOf(&["auto", "mqtt", "websocket"])),
    key("link.key", Takes::Secret),
    key("link.connection_string", Takes::Secret),
    key("link.certificate", Takes::Path),
    key("link.certificate_key", Takes::Path),
    key("link.ca", Takes::Path),
    key("link.token_life_s", Takes::Whole(10, 86_400)),
    key("link.warn_expiry_days", Takes::Whole(1, 365)),
    key("link.max_per_s", Takes::Whole(1, 100_000)),
    key("link.max_per_day", Takes::Whole(1, 1_000_000_000)),
    key("link.budget_mib_per_day", Takes::Number(0.1, 1_000_000.0)),
    key("hub.listen", Takes::Address),
    key("hub.port", Takes::Whole(0, 65_535)),
    key("hub.https_port", Takes::Whole(0, 65_535)),
    key("hub.name", Takes::Text(is_hub_name, "3 to 50 letters, digits and -")),
    key("ingestion.batch_window_s", Takes::Whole(60, 720)),
    key("ingestion.batch_max_mib", Takes::Whole(10, 500)),
    key("ingestion.retention_days", Takes::Whole(1, 36_500)),
    key("snowflake.account", Takes::Text(is_account, "an account's identifier, as in org-account")),
    key("snowflake.base_url", Takes::Text(is_camera_url, "a URL that begins with http:// or https://, without a path")),
    key("snowflake.proxy", Takes::Text(is_plain_url, PLAIN_URL)),
    key("snowflake.proxy_credentials", Takes::Secret),
    key("snowflake.user", Takes::Text(is_name, IDENTIFIER)),
    key("snowflake.role", Takes::Text(is_name, IDENTIFIER)),
    key("snowflake.warehouse", Takes::Text(is_name, IDENTIFIER)),
    key("snowflake.database", Takes::Text(is_name, IDENTIFIER)),
    key("snowflake.schema", Takes::Text(is_name, IDENTIFIER)),
    key("snowflake.auth", Takes::OneOf(&["key_pair", "password", "oauth", "token"])),
    key("snowflake.private_key", Takes::Secret),
    key("snowflake.passphrase", Takes::Secret),
    key("snowflake.password", Takes::Secret),
    key("snowflake.token", Takes::Secret),
    key("snowflake.pipes", Takes::Text(is_line, "names of pipes, separated by commas")),
    key("snowflake.credits_per_day", Takes::Number(0.01, 1000.0)),
    key("snowflake.wakes_per_day", Takes::Whole(0, 1440)),
    key("snowflake.statement_timeout_s", Takes::Whole(5, 3600)),
    key("azure.feed", Takes::Secret),
    key("azure.feed_host", Takes::Text(is_authority, AUTHORITY)),
    key("azure.feed_path", Takes::Text(is_word, WORD)),
    key("azure.consumer_group", Takes::Text(is_word, WORD)),
    key("azure.transport", Takes::OneOf(&["amqp", "websocket"])),
    key("azure.feed_minutes", Takes::Whole(0, 10_080)),
    key("azure.feed_from", Takes::Text(is_instant, "an instant of RFC 3339, as in 2026-01-31T08:00:00Z")),
    key("azure.credential", Takes::OneOf(&["cli", "managed_identity", "workload_identity", "client_secret"])),
    key("azure.tenant_id", Takes::Text(is_word, WORD)),
    key("azure.client_id", Takes::Text(is_word, WORD)),
    key("azure.client_secret", Takes::Secret),
    key("azure.ca", Takes::Path),
    key("azure.proxy", Takes::Text(is_plain_url, PLAIN_URL)),
    key("azure.proxy_credentials", Takes::Secret),
    key("azure.storage_account", Takes::Text(is_word, WORD)),
    key("azure.blob_url", Takes::Text(is_plain_url, PLAIN_URL)),
    key("azure.queue_url", Takes::Text(is_plain_url, PLAIN_URL)),
    key("azure.storage_sas", Takes::Secret),
    key("azure.containers", Takes::Text(is_line, "names of containers, separated by commas")),
    key("azure.queue", Takes::Text(is_word, WORD)),
    key("azure.pictures_account", Takes::Text(is_word, WORD)),
    key("azure.pictures_container", Takes::Text(is_word, WORD)),
    key("azure.pictures_url", Takes::Text(is_plain_url, PLAIN_URL)),
    key("azure.pictures_sas", Takes::Secret),
    key("provisioning.module", Takes::Path),
    key("provisioning.terraform", Takes::Path),
    key("provisioning.lock_timeout_s", Takes::Whole(0, 3600)),
    key("provisioning.plan_max_age_h", Takes::Whole(1, 720)),
    key("provisioning.policies", Takes::Path),
    key(
        "provisioning.change_window",
        Takes::Text(is_change_window, "days, times and a zone, as in Mon-Thu 08:00-16:00 Europe/Zurich"),
    ),
    key("provisioning.approvers", Takes::Path),
    key("provisioning.signing_key", Takes::Path),
    key("provisioning.approval_max_age_h", Takes::Whole(1, 720)),
    key("provisioning.run_store", Takes::Text(is_line, "a URL, as in azure://account/container or file:///folder")),
    key("provisioning.plan_recipient", Takes::Text(is_recipient, "an age recipient, age1…")),
    key("provisioning.plan_identity", Takes::Secret),
    key("provisioning.repository_url", Takes::Text(is_https, "a URL, as in https://github.com/ada/skydeck/blob/main")),
    key("alarms.hold_s", Takes::Whole(0, 86_400)),
    key("alarms.telemetry_age_s", Takes::Whole(1, YEAR_S)),
    key("alarms.batch_gap_s", Takes::Whole(1, YEAR_S)),
    key("alarms.notice_age_s", Takes::Whole(1, YEAR_S)),
    key("alarms.load_errors", Takes::Whole(1, 1_000_000)),
    key("alarms.row_age_s", Takes::Whole(1, YEAR_S)),
    key("alarms.prediction_age_s", Takes::Whole(1, YEAR_S)),
    key("alarms.outbox_pct", Takes::Whole(1, 100)),
    key("console.theme", Takes::Text(is_name, "a theme's name or the path of a theme file")),
    key("console.color", Takes::OneOf(&["auto", "never"])),
    key("console.mouse", Takes::Flag),
    key("console.frame_floor_ms", Takes::Whole(8, 1000)),
    key("console.graphics", Takes::OneOf(&["auto", "kitty", "sixel", "iterm2", "blocks", "off"])),
    key("console.temperature_unit", Takes::OneOf(&["C", "F"])),
    key("console.pressure_unit", Takes::OneOf(&["hPa", "inHg"])),
    key("console.wind_unit", Takes::OneOf(&["m/s", "km/h", "kn"])),
    key("console.keymap", Takes::Path),
    key("console.export_dir", Takes::Path),
    key("console.ssh_config", Takes::Path),
    key("console.read_only", Takes::Flag),
    key(
        "log.filter",
        Takes::Text(is_log_filter, "a level (error, warn, info, debug, trace) or target=level pairs with commas"),
    ),
];

/// The setting at `path`.
#[must_use]
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The section whose parts are the user's: `[sensors.NAME]`.
pub const SENSORS: &str = "sensors";

/// Whether `name` is a section.
#[must_use]
pub fn is_section(name: &str) -> bool {
    name == SENSORS || KEYS.iter().any(|key| key.section() == name)
}

/// The setting or section whose name is nearest to `path`, if any is near enough to be meant.
#[must_use]
pub fn nearest(path: &str) -> Option<&'static str> {
    let sections = KEYS.iter().map(Key::section).chain([SENSORS]);
    let candidates = if path.contains('.') {
        // A right name in the wrong section is nearer than any other spelling.
        let name = path.rsplit('.').next().unwrap_or(path);
        if let Some(key) = KEYS.iter().find(|key| key.name() == name) {
            return Some(key.path);
        }
        KEYS.iter().map(|key| key.path).collect::<Vec<_>>()
    } else {
        sections.chain(KEYS.iter().map(|key| key.path)).collect()
    };
    let same_depth = candidates.into_iter().filter(|candidate| candidate.contains('.') == path.contains('.'));
    same_depth
        .map(|candidate| (strsim::normalized_damerau_levenshtein(candidate, path), candidate))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

impl Key {
    /// The part before the dot.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(section, _)| section)
    }

    /// The part after the dot.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
}

impl Takes {
    /// What is taken, in words: `a whole number from 1 to 4096`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Text(_, rule) => (*rule).to_owned(),
            Self::Path => "a path, between quotes".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Self::Number(low, high) => format!("a number from {low} to {high}"),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Address => "an IP address, as in 127.0.0.1".to_owned(),
            Self::Secret => "a secret's reference, env:NAME or file:/PATH".to_owned(),
        }
    }

    /// The value in its own type, if it is taken.
    #[must_use]
    pub fn accept(&self, value: &Value) -> Option<Value> {
        let taken = match (self, value) {
            (Self::Text(rule, _), Value::String(text)) => rule(text),
            (Self::Path, Value::String(text)) => !text.is_empty(),
            (Self::Flag, Value::Boolean(_)) => true,
            (Self::Whole(low, high), Value::Integer(number)) => (low..=high).contains(&number),
            (Self::Number(low, high), Value::Float(number)) => (low..=high).contains(&number),
            #[expect(clippy::cast_precision_loss, reason = "a number that loses digits is far out of every range")]
            (Self::Number(..), Value::Integer(number)) => return self.accept(&Value::Float(*number as f64)),
            (Self::OneOf(words), Value::String(text)) => words.contains(&text.as_str()),
            (Self::Address, Value::String(text)) => text.parse::<IpAddr>().is_ok(),
            (Self::Secret, Value::String(text)) => text.parse::<SecretReference>().is_ok(),
            _ => false,
        };
        taken.then(|| value.clone())
    }

    /// What the text of an environment variable or flag stands for. Text of the wrong type stays text, for
    /// [`Takes::accept`] to refuse.
    #[must_use]
    pub fn read(&self, text: &str) -> Value {
        let text = text.trim();
        let as_text = || Value::String(text.to_owned());
        match self {
            Self::Flag => text.parse().map_or_else(|_| as_text(), Value::Boolean),
            Self::Whole(..) => text.parse().map_or_else(|_| as_text(), Value::Integer),
            Self::Number(..) => text.parse().map_or_else(|_| as_text(), Value::Float),
            Self::Text(..) | Self::Path | Self::OneOf(_) | Self::Address | Self::Secret => as_text(),
        }
    }
}

fn is_device_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
}

fn is_hub_name(text: &str) -> bool {
    (3..=50).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Whether a text can be a host's name or IPv4 address.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    (1..=253).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
}

/// Whether a text can be a host's name or its address, IPv6 without brackets.
#[must_use]
pub fn is_host(text: &str) -> bool {
    is_host_name(text) || text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn is_name(text: &str) -> bool {
    (1..=80).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_line(text: &str) -> bool {
    (1..=400).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_account(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= 200 && text.chars().all(allowed)
}

fn is_camera_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    is_line(text)
        && text.chars().all(|c| c.is_ascii_graphic())
        && authority.is_some_and(|authority| !authority.is_empty())
}

fn is_word(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._$".contains(c))
}

fn is_authority(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    is_host_name(host) && port.parse::<u16>().is_ok()
}

fn is_instant(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

/// No query either: a shared access signature is a secret.
fn is_plain_url(text: &str) -> bool {
    is_camera_url(text) && !has_user(text) && !text.contains(['?', '#'])
}

/// Whether a URL holds a name or a password before its host.
pub(super) fn has_user(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

fn is_user(text: &str) -> bool {
    (1..=100).contains(&text.chars().count()) && !text.chars().any(|c| c == ':' || c.is_control())
}

fn is_https(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%@+".contains(c);
    is_line(text) && text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain))
}

fn is_change_window(text: &str) -> bool {
    is_line(text) && text.parse::<super::ChangeWindow>().is_ok()
}

fn is_recipient(text: &str) -> bool {
    is_line(text) && text.starts_with("age1")
}

fn is_time_zone(text: &str) -> bool {
    jiff::tz::TimeZone::get(text).is_ok()
}

fn is_log_filter(text: &str) -> bool {
    !text.is_empty() && tracing_subscriber::EnvFilter::builder().parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_the_one_that_was_meant() {
        assert_eq!(nearest("agent.in_fligt"), Some("agent.in_flight"));
        assert_eq!(nearest("hub.in_flight"), Some("agent.in_flight"));
        assert_eq!(nearest("ingestions"), Some("ingestion"));
        assert_eq!(nearest("alarm.row_ages"), Some("alarms.row_age_s"));
        assert_eq!(nearest("colour"), None);
        assert_eq!(nearest("x.y"), None);
    }

    #[test]
    fn a_cameras_url_is_one_of_http() {
        for good in ["http://10.0.0.7/snapshot.jpg", "https://cam.local:8443/cgi?res=full&ch=1@2", "http://[fe80::1]/"]
        {
            assert!(is_camera_url(good) && !has_user(good), "{good}");
        }
        for wrong in ["ftp://cam/", "http://", "http:///x", "cam/s.jpg", "http://cam/a b"] {
            assert!(!is_camera_url(wrong), "{wrong}");
        }
        assert!(has_user("http://ada:secret@cam/"));
        assert!(is_user("ada lovelace") && !is_user("a:b") && !is_user(""));
    }

    #[test]
    fn bounds_are_closed_and_infinities_are_outside() {
        let in_flight = Takes::Whole(1, 4096);
        assert!(in_flight.accept(&Value::Integer(1)).is_some());
        assert!(in_flight.accept(&Value::Integer(4096)).is_some());
        assert!(in_flight.accept(&Value::Integer(0)).is_none());
        assert!(in_flight.accept(&Value::Integer(4097)).is_none());
        let latitude = Takes::Number(-90.0, 90.0);
        assert_eq!(latitude.accept(&Value::Integer(46)), Some(Value::Float(46.0)));
        assert!(latitude.accept(&Value::Float(f64::NAN)).is_none());
        assert!(latitude.accept(&Value::Float(f64::INFINITY)).is_none());
    }

    #[test]
    fn variables_are_read_by_what_the_key_takes() {
        assert_eq!(Takes::Whole(0, 9).read(" 7 "), Value::Integer(7));
        assert_eq!(Takes::Flag.read("true"), Value::Boolean(true));
        assert_eq!(Takes::Flag.read("yes"), Value::String("yes".into()));
        assert_eq!(Takes::Number(0.0, 9.0).read("7"), Value::Float(7.0));
        assert_eq!(Takes::OneOf(&["1"]).read("1"), Value::String("1".into()));
    }
}
