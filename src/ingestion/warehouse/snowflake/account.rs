//! The account as settings name it: who signs in, by which secret, and what is looked at there.

use secrecy::{ExposeSecret as _, SecretString};
use snowflake_connector_rs::{
    AuthConfig, Client, ClientConfig, EndpointConfig, KeyPairConfig, PasswordConfig, ProxyConfig, SessionConfig,
    TransportConfig,
};

use super::error::{SnowflakeError, of_sign_in};
use crate::ingestion::proxy::Proxy;
use crate::settings::{SecretReference, SnowflakeAuth, SnowflakeSettings};

/// Where pipes are and who looks at them: complete settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Identifier.
    pub name: String,
    /// User.
    pub user: String,
    /// The pipes' database.
    pub database: String,
    /// The pipes' schema.
    pub schema: String,
    /// The settings as they are.
    pub settings: SnowflakeSettings,
}

impl Account {
    /// The account in `settings`; `None` where none is set.
    pub fn of(settings: &SnowflakeSettings) -> Result<Option<Self>, SnowflakeError> {
        let Some(name) = settings.account.clone() else { return Ok(None) };
        let needed = |value: &Option<String>, key: &str| {
            let words = || SnowflakeError::Settings(format!("{key}: not set; it goes with snowflake.account"));
            value.clone().ok_or_else(words)
        };
        if let Some(url) = &settings.base_url {
            base_url(url)?;
        }
        proxy(settings)?;
        Ok(Some(Self {
            name,
            user: needed(&settings.user, "snowflake.user")?,
            database: needed(&settings.database, "snowflake.database")?,
            schema: needed(&settings.schema, "snowflake.schema")?,
            settings: settings.clone(),
        }))
    }

    /// The role that rights are granted to, in words where it is the user's default.
    #[must_use]
    pub fn role(&self) -> String {
        self.settings.role.as_deref().map_or_else(|| "<role>".to_owned(), super::statements::identifier)
    }

    /// Where it answers.
    pub(super) fn address(&self) -> String {
        let own = || format!("https://{}.snowflakecomputing.com", self.name);
        self.settings.base_url.clone().unwrap_or_else(own)
    }

    /// A client that signs in with what the secrets are now.
    pub(super) fn client(&self) -> Result<Client, SnowflakeError> {
        // The connector's TLS takes the process's provider, and brings another one that would be taken without.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut session = SessionConfig::new()
            .with_database(self.database.as_str())
            .with_schema(self.schema.as_str())
            .with_session_parameter("QUERY_TAG", "skydeck".into())
            .with_session_parameter("TIMEZONE", "UTC".into())
            .with_session_parameter("STATEMENT_TIMEOUT_IN_SECONDS", self.settings.statement_timeout_s.into());
        if let Some(role) = &self.settings.role {
            session = session.with_role(role.as_str());
        }
        if let Some(warehouse) = &self.settings.warehouse {
            session = session.with_warehouse(warehouse.as_str());
        }
        let mut config = ClientConfig::new(self.user.as_str(), self.name.as_str(), self.auth()?).with_session(session);
        if let Some(url) = &self.settings.base_url {
            config = config.with_endpoint(EndpointConfig::custom_base_url(base_url(url)?));
        }
        if let Some(proxy) = proxy(&self.settings)? {
            let mut through = ProxyConfig::new(proxy.url());
            if let Some((user, password)) = proxy.credentials() {
                through = through.with_basic_auth(user, password.expose_secret());
            }
            config = config.with_transport(TransportConfig::new().with_proxy(through));
        }
        Client::new(config).map_err(|error| of_sign_in(&error, &self.name, &self.user))
    }

    fn auth(&self) -> Result<AuthConfig, SnowflakeError> {
        let settings = &self.settings;
        Ok(match settings.auth {
            SnowflakeAuth::KeyPair => {
                let pem = secret(settings.private_key.as_deref(), "snowflake.private_key")?;
                let pem = pem.expose_secret();
                let key = match key_form(pem)? {
                    KeyForm::Plain => KeyPairConfig::from_pem(pem),
                    KeyForm::Encrypted => {
                        let passphrase = secret(settings.passphrase.as_deref(), "snowflake.passphrase")?;
                        KeyPairConfig::from_encrypted_pem(pem, passphrase.expose_secret().as_bytes().to_vec())
                    }
                };
                AuthConfig::key_pair(key)
            }
            SnowflakeAuth::Password => {
                let password = secret(settings.password.as_deref(), "snowflake.password")?;
                AuthConfig::password(PasswordConfig::new(password.expose_secret()))
            }
            // A programmatic access token stands where the password does.
            SnowflakeAuth::Token => {
                let token = secret(settings.token.as_deref(), "snowflake.token")?;
                AuthConfig::password(PasswordConfig::new(token.expose_secret()))
            }
            SnowflakeAuth::Oauth => {
                AuthConfig::oauth(secret(settings.token.as_deref(), "snowflake.token")?.expose_secret())
            }
        })
    }
}

fn secret(reference: Option<&str>, key: &str) -> Result<SecretString, SnowflakeError> {
    let words = || SnowflakeError::Settings(format!("{key}: not set; snowflake.auth needs it, env:NAME or file:/PATH"));
    Ok(reference.ok_or_else(words)?.parse::<SecretReference>()?.resolve()?)
}

fn proxy(settings: &SnowflakeSettings) -> Result<Option<Proxy>, SnowflakeError> {
    let (url, credentials) = (settings.proxy.as_deref(), settings.proxy_credentials.as_deref());
    Proxy::of("snowflake", url, credentials).map_err(SnowflakeError::Settings)
}

/// An address without encryption only on this machine: what goes there is a way to sign in.
fn base_url(text: &str) -> Result<reqwest::Url, SnowflakeError> {
    let failed = |why: &str| SnowflakeError::Settings(format!("snowflake.base_url: {why}"));
    let url = reqwest::Url::parse(text).map_err(|error| failed(&format!("{error}; give it as https://HOST")))?;
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() != "https" && !is_here {
        return Err(failed("not https; only an address of this machine may be without encryption"));
    }
    Ok(url)
}

/// How a private key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyForm {
    Plain,
    Encrypted,
}

/// How the key in `pem` is written; in a form that can't be used, the command that converts it.
fn key_form(pem: &str) -> Result<KeyForm, SnowflakeError> {
    const CONVERT: &str = "openssl pkcs8 -topk8 -in OLD.pem -out NEW.p8 -v2 aes256";
    let has = |label: &str| pem.contains(&format!("-----BEGIN {label}-----"));
    match () {
        () if has("PRIVATE KEY") => Ok(KeyForm::Plain),
        () if has("ENCRYPTED PRIVATE KEY") => Ok(KeyForm::Encrypted),
        () if has("RSA PRIVATE KEY") => {
            Err(SnowflakeError::Key(format!("PKCS#1, which can't sign in; convert it: {CONVERT}")))
        }
        () if has("OPENSSH PRIVATE KEY") => Err(SnowflakeError::Key(
            "a key of OpenSSH's, which can't sign in; make one: openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 aes256 \
             -out NEW.p8"
                .to_owned(),
        )),
        () => Err(SnowflakeError::Key("no private key in PEM; it begins with -----BEGIN PRIVATE KEY-----".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> SnowflakeSettings {
        let text = |text: &str| Some(text.to_owned());
        SnowflakeSettings {
            account: text("org-account"),
            user: text("SKYDECK"),
            database: text("WEATHER"),
            schema: text("DATA"),
            ..SnowflakeSettings::default()
        }
    }

    #[test]
    fn without_an_account_nothing_is_watched_and_with_one_the_rest_must_be_there() {
        assert_eq!(Account::of(&SnowflakeSettings::default()), Ok(None));
        assert!(Account::of(&complete()).is_ok_and(|account| account.is_some()));
        let words = Account::of(&SnowflakeSettings { user: None, ..complete() }).expect_err("refused").to_string();
        assert!(words.contains("snowflake.user"), "{words}");
    }

    #[test]
    fn what_signs_in_goes_unencrypted_to_this_machine_only() {
        for (url, is_good) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost:1", true),
            ("https://a.privatelink.snowflakecomputing.com", true),
            ("http://a.snowflakecomputing.com", false),
        ] {
            let settings = SnowflakeSettings { base_url: Some(url.to_owned()), ..complete() };
            assert_eq!(Account::of(&settings).is_ok(), is_good, "{url}");
        }
    }

    #[test]
    fn a_key_in_a_form_that_cannot_be_used_says_how_to_convert_it() {
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        assert_eq!(key_form(&pem("PRIVATE KEY")), Ok(KeyForm::Plain));
        assert_eq!(key_form(&pem("ENCRYPTED PRIVATE KEY")), Ok(KeyForm::Encrypted));
        let words = |label: &str| key_form(&pem(label)).expect_err("refused").to_string();
        assert!(words("RSA PRIVATE KEY").contains("openssl pkcs8 -topk8"));
        assert!(words("OPENSSH PRIVATE KEY").contains("openssl genrsa"));
        assert!(words("CERTIFICATE").contains("no private key"));
    }
}
