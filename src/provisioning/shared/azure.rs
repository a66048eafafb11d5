//! A container of an Azure storage account as a store.

use std::sync::Arc;
use std::time::Duration;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::error::SharedError;
use super::place::Place;
use crate::provisioning::terraform::mask::Masks;
use crate::station::text::printable;

/// How long a connection may take to be made, and a request to be answered.
const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(120);

/// The container as a store, with the credentials in `variables` and what of them must never be shown.
pub fn open(
    place: &Place,
    account: &str,
    container: &str,
    variables: &[(String, String)],
) -> Result<(Arc<dyn ObjectStore>, Masks), SharedError> {
    let masks = secrets(variables);
    let store = builder(account, container, variables).build().map_err(|error| {
        let words = masks.apply(&printable(&error.to_string()));
        SharedError::Refused(format!("run store {place}: {words}; check the AZURE_… variables"))
    })?;
    Ok((Arc::new(store), masks))
}

fn builder(account: &str, container: &str, variables: &[(String, String)]) -> MicrosoftAzureBuilder {
    // The HTTP client takes the process's provider of ciphers. Where one is installed already it is ring's too.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = MicrosoftAzureBuilder::new();
    let mut has_credential = false;
    for (name, value) in variables.iter().filter(|(name, value)| name.starts_with("AZURE_") && !value.is_empty()) {
        let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() else { continue };
        has_credential |= matches!(
            key,
            AzureConfigKey::AccessKey
                | AzureConfigKey::ClientSecret
                | AzureConfigKey::FederatedTokenFile
                | AzureConfigKey::SasKey
                | AzureConfigKey::Token
                | AzureConfigKey::UseEmulator
                | AzureConfigKey::MsiEndpoint
                | AzureConfigKey::MsiResourceId
                | AzureConfigKey::UseAzureCli
                | AzureConfigKey::CredentialType
        );
        builder = builder.with_config(key, value);
    }
    if !has_credential {
        // Terraform's backend does the same. An id alone is no credential: CI sets it for others' sake.
        match variables.iter().find(|(name, _)| name == "IDENTITY_ENDPOINT") {
            Some((_, endpoint)) => builder = builder.with_msi_endpoint(endpoint),
            None => builder = builder.with_use_azure_cli(true),
        }
    }
    let plain = variables.iter().any(|(name, value)| name == "AZURE_ALLOW_HTTP" && value == "true");
    let options = ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(REQUEST).with_allow_http(plain);
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(200),
        max_backoff: Duration::from_secs(3),
        ..BackoffConfig::default()
    };
    let retry = RetryConfig { backoff, max_retries: 3, retry_timeout: Duration::from_secs(30) };
    builder.with_account(account).with_container_name(container).with_client_options(options).with_retry(retry)
}

/// Values of variables that are credentials.
fn secrets(variables: &[(String, String)]) -> Masks {
    let mut masks = Masks::default();
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("AZURE_")) {
        if ["KEY", "SECRET", "SAS", "TOKEN"].iter().any(|word| name.contains(word)) && !name.ends_with("_FILE") {
            masks.add(value);
            // A SAS is written with and without its question mark, and its signature stands alone too.
            masks.add(value.trim_start_matches('?'));
            for part in value.split('&').filter_map(|part| part.strip_prefix("sig=")) {
                masks.add(part);
                masks.add(&percent_encoding::percent_decode_str(part).decode_utf8_lossy());
            }
        }
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked_in_whatever_is_said() {
        let variables =
            [("AZURE_STORAGE_SAS_TOKEN", "?sv=2023&sig=abc%2Bdef12345"), ("AZURE_STORAGE_ACCOUNT_KEY", "k3ykey")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let said = secrets(&variables).apply("GET https://a/b?sv=2023&sig=abc%2Bdef12345 abc+def12345 k3ykey");
        assert!(!said.contains("abc") && !said.contains("k3ykey"), "{said}");
        let broken = [("AZURE_STORAGE_ACCOUNT_KEY".to_owned(), "not base64!".to_owned())];
        let words =
            "azure://acc1/runs".parse::<Place>().expect("a place").open(&broken).expect_err("no key").to_string();
        assert!(!words.contains("not base64!") && words.contains("AZURE_"), "{words}");
    }
}
