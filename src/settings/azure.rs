//! The settings of `[azure]`: hub, containers and queue of an environment in the cloud.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How the live feed's AMQP goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedTransport {
    /// Over TLS, port 5671.
    Amqp,
    /// Over WebSocket, port 443.
    Websocket,
}

/// Who skydeck is to Azure, where no key or signature is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AzureIdentity {
    /// Whoever is signed in with `az login`.
    Cli,
    /// The identity of the virtual machine or service that it runs on.
    ManagedIdentity,
    /// A workload's federated token, by the `AZURE_…` variables.
    WorkloadIdentity,
    /// An application: `tenant_id`, `client_id` and `client_secret`.
    ClientSecret,
}

/// Hub, containers and queue of an environment in the cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AzureSettings {
    /// Connection string of the built-in endpoint, or of the hub: a reference; absent where `feed_host` is read by Entra.
    pub feed: Option<String>,
    /// Host of the built-in endpoint, `….servicebus.windows.net`.
    pub feed_host: Option<String>,
    /// The endpoint's Event-Hub-compatible name.
    pub feed_path: Option<String>,
    /// The consumer group.
    pub consumer_group: String,
    /// How AMQP goes out.
    pub transport: FeedTransport,
    /// Minutes of telemetry that are read again at a start, 0 to 10080; 0 is from now on.
    pub feed_minutes: u32,
    /// From when telemetry is read at the first start, RFC 3339; absent is by `feed_minutes`.
    pub feed_from: Option<String>,
    /// Who skydeck is to Azure.
    pub credential: AzureIdentity,
    /// The application's tenant.
    pub tenant_id: Option<String>,
    /// The application, or the user-assigned identity.
    pub client_id: Option<String>,
    /// The application's secret: a reference.
    pub client_secret: Option<String>,
    /// PEM file of authorities that are trusted beside the system's.
    pub ca: Option<PathBuf>,
    /// The HTTP proxy that everything goes through.
    pub proxy: Option<String>,
    /// What opens it, `USER:PASSWORD`: a reference.
    pub proxy_credentials: Option<String>,
    /// The account of batches and notices; absent: storage isn't watched.
    pub storage_account: Option<String>,
    /// Where its blobs are, in the account's own address' stead.
    pub blob_url: Option<String>,
    /// Where its queues are, in the account's own address' stead.
    pub queue_url: Option<String>,
    /// A shared access signature for both: a reference.
    pub storage_sas: Option<String>,
    /// Containers of batches, separated by commas.
    pub containers: String,
    /// The queue of notices; absent: it isn't watched.
    pub queue: Option<String>,
    /// The account of pictures; absent: they aren't watched.
    pub pictures_account: Option<String>,
    /// The container of pictures.
    pub pictures_container: String,
    /// Where its blobs are, in the account's own address' stead.
    pub pictures_url: Option<String>,
    /// A shared access signature for it: a reference; absent: that of `storage_account` where it is the same, else the identity.
    pub pictures_sas: Option<String>,
}

impl Default for AzureSettings {
    fn default() -> Self {
        Self {
            feed: None,
            feed_host: None,
            feed_path: None,
            consumer_group: "skydeck".into(),
            transport: FeedTransport::Amqp,
            feed_minutes: 60,
            feed_from: None,
            credential: AzureIdentity::Cli,
            tenant_id: None,
            client_id: None,
            client_secret: None,
            ca: None,
            proxy: None,
            proxy_credentials: None,
            storage_account: None,
            blob_url: None,
            queue_url: None,
            storage_sas: None,
            containers: "json-blob-messages, json-blob-predictions, json-blob-health".into(),
            queue: None,
            pictures_account: None,
            pictures_container: "pictures".into(),
            pictures_url: None,
            pictures_sas: None,
        }
    }
}

impl AzureSettings {
    /// The containers of batches, without the spaces around them.
    #[must_use]
    pub fn named_containers(&self) -> Vec<String> {
        self.containers.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}
