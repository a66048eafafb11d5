//! The HTTP proxy that a network lets out through, and what opens it.

#[cfg(feature = "local")]
use base64::Engine as _;
#[cfg(feature = "local")]
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use crate::settings::SecretReference;

/// A proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    url: Url,
    /// User and password.
    credentials: Option<(String, SecretString)>,
}

impl Proxy {
    /// From the settings `proxy` and `proxy_credentials` of `section`; `None` where they name none. The credentials are read
    /// now. Fails, in words, on an address that isn't one and on credentials that can't be read or aren't `USER:PASSWORD`.
    pub fn of(section: &str, url: Option<&str>, credentials: Option<&str>) -> Result<Option<Self>, String> {
        let Some(url) = url else {
            return match credentials {
                Some(_) => Err(format!("{section}.proxy_credentials: there is no {section}.proxy that they open")),
                None => Ok(None),
            };
        };
        let failed = || format!("{section}.proxy: not an address; write http://HOST:PORT, without a password");
        let url = Url::parse(url).map_err(|_| failed())?;
        if url.scheme() != "http" || url.host_str().is_none() {
            return Err(failed());
        }
        let name = format!("{section}.proxy_credentials");
        let read = |reference: &str| {
            let reference: SecretReference = reference.parse().map_err(|error| format!("{name}: {error}"))?;
            let text = reference.resolve().map_err(|error| format!("{name}: {error}"))?;
            let (user, password) =
                text.expose_secret().trim_end().split_once(':').ok_or_else(|| format!("{name}: not USER:PASSWORD"))?;
            Ok::<_, String>((user.to_owned(), SecretString::from(password)))
        };
        Ok(Some(Self { url, credentials: credentials.map(read).transpose()? }))
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> (&str, u16) {
        // Port 80 is what the scheme has; proxies listen elsewhere.
        (self.url.host_str().unwrap_or_default().trim_matches(['[', ']']), self.url.port().unwrap_or(8080))
    }

    /// Its URL with the port it is reached at.
    #[must_use]
    pub fn url(&self) -> Url {
        let mut url = self.url.clone();
        // An address with a host takes a port.
        url.set_port(Some(self.address().1)).ok();
        url
    }

    /// User and password, where it wants them.
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &SecretString)> {
        self.credentials.as_ref().map(|(user, password)| (user.as_str(), password))
    }

    /// What stands in `Proxy-Authorization`, where it wants that.
    #[cfg(feature = "local")]
    #[must_use]
    pub fn authorization(&self) -> Option<SecretString> {
        let (user, password) = self.credentials()?;
        Some(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose_secret()))).into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_can_t_be_a_proxy_is_named() {
        let of = |url, credentials| Proxy::of("azure", url, credentials).map(|proxy| proxy.is_some());
        assert_eq!(of(None, None), Ok(false));
        assert_eq!(of(Some("http://10.0.0.7"), None), Ok(true));
        for (url, credentials, words) in [
            (None, Some("env:X"), "there is no azure.proxy"),
            (Some("10.0.0.7:8080"), None, "write http://HOST:PORT"),
            (Some("socks5://10.0.0.7:8080"), None, "write http://HOST:PORT"),
            (Some("http://10.0.0.7"), Some("ada:secret"), "azure.proxy_credentials: "),
        ] {
            let told = of(url, credentials).expect_err("refused");
            assert!(told.contains(words) && !told.contains("ada:secret"), "{told}");
        }
    }

    #[test]
    fn user_and_password_come_from_a_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("proxy");
        std::fs::write(&file, "ada:pass:word\n").expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("restricted");
        let reference = format!("file:{}", file.display());
        let proxy = Proxy::of("azure", Some("http://[::1]:3128"), Some(&reference)).expect("good").expect("one");
        assert_eq!(proxy.address(), ("::1", 3128));
        assert_eq!(proxy.authorization().expect("one").expose_secret(), "Basic YWRhOnBhc3M6d29yZA==");
        assert!(!format!("{proxy:?}").contains("pass:word"), "{proxy:?}");
        assert_eq!(Proxy::of("azure", Some("http://p"), None).expect("good").expect("one").url().port(), Some(8080));
    }
}
