//! What everything that speaks to Azure has in common: whom TLS trusts, by which way it goes out, and who skydeck is there.

use std::path::Path;
use std::sync::Arc;

use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};

use super::proxy::Proxy;
use crate::settings::{AzureIdentity, AzureSettings, SecretReference};
use crate::station::text::printable;

/// Settings of Azure's that can't be used, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AzureError(pub String);

/// Whom TLS trusts: the system's authorities, and those of a PEM file beside them. Nothing turns the check off.
pub fn trust(ca: Option<&Path>) -> Result<ClientConfig, AzureError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        let at = path.display();
        let pem =
            std::fs::read(path).map_err(|error| AzureError(format!("azure.ca {at}: {error}; name a PEM file")))?;
        let found: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
        if found.is_empty() {
            return Err(AzureError(format!("azure.ca {at}: no certificate in it; name a PEM file")));
        }
        store.add_parsable_certificates(found);
    }
    if store.is_empty() {
        let words = "the system has no certificates to trust; install its ca-certificates, or set azure.ca";
        return Err(AzureError(words.to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| AzureError(error.to_string()))?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(config)
}

/// The proxy that everything of Azure's goes through.
pub fn proxy(settings: &AzureSettings) -> Result<Option<Proxy>, AzureError> {
    Proxy::of("azure", settings.proxy.as_deref(), settings.proxy_credentials.as_deref()).map_err(AzureError)
}

/// An HTTP client that trusts and goes as the settings say.
pub fn http_client(settings: &AzureSettings) -> Result<reqwest::Client, AzureError> {
    let mut builder = reqwest::Client::builder().tls_backend_preconfigured(trust(settings.ca.as_deref())?);
    if let Some(known) = proxy(settings)? {
        let mut proxy = reqwest::Proxy::all(known.url())
            .map_err(|_| AzureError("azure.proxy: not an address; write http://HOST:PORT".into()))?;
        if let Some((user, password)) = known.credentials() {
            proxy = proxy.basic_auth(user, password.expose_secret());
        }
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| AzureError(format!("no HTTP client: {}", printable(&error.to_string()))))
}

/// Options of Azure's clients: over [`http_client`].
pub fn client_options(settings: &AzureSettings) -> Result<ClientOptions, AzureError> {
    let transport = Transport::new(Arc::new(http_client(settings)?));
    // Whoever asks, asks again in a minute.
    let retry = RetryOptions::exponential(ExponentialRetryOptions { max_retries: 2, ..Default::default() });
    Ok(ClientOptions { transport: Some(transport), retry, ..ClientOptions::default() })
}

/// A secret of the settings, read now.
pub fn secret(name: &str, reference: &str) -> Result<SecretString, AzureError> {
    let reference: SecretReference = reference.parse().map_err(|error| AzureError(format!("azure.{name}: {error}")))?;
    reference.resolve().map_err(|error| AzureError(format!("azure.{name}: {error}")))
}

/// Who skydeck is to Entra.
pub fn identity(settings: &AzureSettings) -> Result<Arc<dyn TokenCredential>, AzureError> {
    let failed = |error: azure_core::Error| {
        AzureError(format!(
            "azure.credential: {}; check azure.tenant_id and azure.client_id",
            printable(&error.to_string())
        ))
    };
    let options = client_options(settings)?;
    let credential: Arc<dyn TokenCredential> = match settings.credential {
        AzureIdentity::Cli => AzureCliCredential::new(None).map_err(failed)?,
        AzureIdentity::ManagedIdentity => {
            let user_assigned_id = settings.client_id.clone().map(UserAssignedId::ClientId);
            let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options: options };
            ManagedIdentityCredential::new(Some(options)).map_err(failed)?
        }
        AzureIdentity::WorkloadIdentity => {
            let options = WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options: options },
                client_id: settings.client_id.clone(),
                tenant_id: settings.tenant_id.clone(),
                token_file_path: None,
            };
            WorkloadIdentityCredential::new(Some(options)).map_err(failed)?
        }
        AzureIdentity::ClientSecret => {
            let missing = |name: &str| AzureError(format!("azure.credential: client_secret needs azure.{name}"));
            let tenant = settings.tenant_id.as_deref().ok_or_else(|| missing("tenant_id"))?;
            let client = settings.client_id.clone().ok_or_else(|| missing("client_id"))?;
            let reference = settings.client_secret.as_deref().ok_or_else(|| missing("client_secret"))?;
            let secret = Secret::new(secret("client_secret", reference)?.expose_secret().to_owned());
            let options = ClientSecretCredentialOptions { client_options: options };
            ClientSecretCredential::new(tenant, client, secret, Some(options)).map_err(failed)?
        }
    };
    Ok(credential)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_identity_lacks_is_named() {
        let settings = AzureSettings { credential: AzureIdentity::ClientSecret, ..AzureSettings::default() };
        let Err(error) = identity(&settings) else { panic!("there is no tenant") };
        assert_eq!(error.0, "azure.credential: client_secret needs azure.tenant_id");
        let settings = AzureSettings { ca: Some("/nowhere/ca.pem".into()), ..AzureSettings::default() };
        assert!(trust(settings.ca.as_deref()).expect_err("no file").0.starts_with("azure.ca /nowhere/ca.pem"));
    }
}
