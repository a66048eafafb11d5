//! Terraform providers emulated in process: `hashicorp/azurerm` and `snowflakedb/snowflake`, planned and applied
//! with no account and no download.
//!
//! [`serve`] answers Terraform's plugin protocol on two unix sockets; [`Serving::reattach`] is what Terraform's
//! environment needs to find them. `wire` holds the messages, `value` the values in them, `schema` the published
//! schemas, `overlay` what those don't say, `provider` what is made of a request, `service` which call is answered by
//! what. What is applied goes into the [`Cloud`]; nothing here reaches out.

mod overlay;
mod provider;
#[cfg(test)]
mod reference;
mod schema;
mod service;
mod value;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use self::provider::Provider;
use self::schema::ProviderSchema;
use self::service::Connection;
use super::cloud::Cloud;

/// Terraform's environment variable for providers that run already.
pub const REATTACH: &str = "TF_REATTACH_PROVIDERS";

/// Longest path of a unix socket, bytes; the system's bound less the zero at its end.
const LONGEST_SOCKET: usize = 107;

const AZURERM: &str = include_str!("../../../config/providers/azurerm.schema.json");
const SNOWFLAKE: &str = include_str!("../../../config/providers/snowflake.schema.json");

/// Why the providers can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A carried file is wrong.
    #[error("emulated providers: {0}; this build is broken, install another one")]
    Carried(String),
    /// The folder or a socket in it can't be made.
    #[error("{path}: {reason}; check that the folder is yours and writable, or name another one")]
    Socket {
        /// The folder or socket.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Providers that are being served; dropping it ends them and removes their sockets.
#[derive(Debug)]
pub struct Serving {
    sockets: Vec<(&'static str, PathBuf)>,
    _tasks: JoinSet<()>,
}

/// Serves both providers on sockets in `folder`, which is made if need be and closed to others (0700). What they
/// apply goes into `cloud`.
pub async fn serve(folder: &Path, cloud: Cloud) -> Result<Serving, ServeError> {
    close(folder)?;
    let mut serving = Serving { sockets: Vec::new(), _tasks: JoinSet::new() };
    for (address, provider) in providers(&cloud)? {
        let socket = folder.join(format!("{}.sock", provider.name));
        let listener = listen(&socket)?;
        tracing::debug!("emulated provider {} {} is served", provider.name, provider.schema.version);
        serving.sockets.push((address, socket));
        serving._tasks.spawn(accept(listener, Arc::new(provider)));
    }
    Ok(serving)
}

/// Both providers with their source addresses.
fn providers(cloud: &Cloud) -> Result<[(&'static str, Provider); 2], ServeError> {
    let gate = Arc::new(Mutex::new(()));
    let read = |name, json| ProviderSchema::read(name, json).map_err(ServeError::Carried);
    let azurerm = read("azurerm", AZURERM)?;
    let snowflake = read("snowflake", SNOWFLAKE)?;
    let of_azurerm = overlay::azurerm(&azurerm).map_err(ServeError::Carried)?;
    let of_snowflake = overlay::snowflake(&snowflake).map_err(ServeError::Carried)?;
    Ok([
        (
            "registry.terraform.io/hashicorp/azurerm",
            Provider::new("azurerm", azurerm, of_azurerm, cloud.clone(), Arc::clone(&gate)),
        ),
        (
            "registry.terraform.io/snowflakedb/snowflake",
            Provider::new("snowflake", snowflake, of_snowflake, cloud.clone(), gate),
        ),
    ])
}

impl Serving {
    /// The value of [`REATTACH`]: by source address, where each provider is.
    #[must_use]
    pub fn reattach(&self) -> String {
        let entries = self.sockets.iter().map(|(address, socket)| {
            let entry = serde_json::json!({
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": std::process::id(),
                // The server outlives Terraform's commands: Terraform doesn't end it.
                "Test": true,
                "Addr": { "Network": "unix", "String": socket },
            });
            ((*address).to_owned(), entry)
        });
        serde_json::Value::Object(entries.collect()).to_string()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        for (_, socket) in &self.sockets {
            // Who has it open already is ended with the tasks.
            drop(std::fs::remove_file(socket));
        }
    }
}

fn close(folder: &Path) -> Result<(), ServeError> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)))
        .map_err(|error| ServeError::Socket { path: folder.to_owned(), reason: error.to_string() })
}

fn listen(socket: &Path) -> Result<UnixListener, ServeError> {
    let failed = |reason: String| ServeError::Socket { path: socket.to_owned(), reason };
    let length = socket.as_os_str().len();
    if length > LONGEST_SOCKET {
        return Err(failed(format!("the path has {length} bytes, a socket's may have {LONGEST_SOCKET}")));
    }
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error.to_string())),
        _ => {}
    }
    UnixListener::bind(socket).map_err(|error| failed(error.to_string()))
}

/// Takes connections until it is dropped; each has its own configuration of the provider.
async fn accept(listener: UnixListener, provider: Arc<Provider>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let connection = Connection::new(Arc::clone(&provider));
                    connections.spawn(async move {
                        let answer = hyper::service::service_fn(move |request| connection.clone().answer(request));
                        // A connection that breaks off is Terraform's end, or its interrupt.
                        drop(
                            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                                .serve_connection(TokioIo::new(stream), answer)
                                .await,
                        );
                    });
                }
                Err(error) => {
                    tracing::warn!("emulated providers: no connection: {error}");
                    // Out of descriptors, say: those that end give some back.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_are_closed_to_others_and_gone_when_nobody_serves_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("temporary folder");
        let cloud = Cloud::open(folder.path()).expect("opens");
        let sockets = folder.path().join("sockets");
        let serving = serve(&sockets, cloud.clone()).await.unwrap_or_else(|error| panic!("{error}"));
        let mode = std::fs::metadata(&sockets).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let said: serde_json::Value = serde_json::from_str(&serving.reattach()).expect("JSON");
        let azurerm = &said["registry.terraform.io/hashicorp/azurerm"];
        assert_eq!((&azurerm["Protocol"], &azurerm["ProtocolVersion"]), (&"grpc".into(), &6.into()));
        assert_eq!(azurerm["Addr"]["String"].as_str().map(Path::new), Some(sockets.join("azurerm.sock").as_path()));
        assert!(sockets.join("azurerm.sock").exists());
        drop(serving);
        assert!(!sockets.join("azurerm.sock").exists() && !sockets.join("snowflake.sock").exists());

        let deep = folder.path().join("d".repeat(LONGEST_SOCKET));
        let refused = serve(&deep, cloud).await.expect_err("too long").to_string();
        assert!(refused.contains("a socket's may have 107"), "{refused}");
    }

    #[test]
    fn the_overlays_speak_of_what_the_schemas_have() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let cloud = Cloud::open(folder.path()).expect("opens");
        for (_, provider) in providers(&cloud).unwrap_or_else(|error| panic!("{error}")) {
            for (kind, overlay) in &provider.overlays.resources {
                assert!(overlay.computed.contains_key("id"), "{kind} has no id");
            }
        }
    }
}
