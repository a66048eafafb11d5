//! A connection string: to standard output, or into a file of its own.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::ask_hub;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unexpected};
use crate::cli::host;
use crate::owner::{HubAnswer, HubAsk, HubPorts};
use crate::settings::LinkSettings;
use crate::station::text::printable;

/// Hands out the connection string of the device `id`, or of the service side.
pub async fn hand_out(context: &Context, id: Option<String>, out: Option<&Path>) -> Result<Exit, Failure> {
    // Nothing is handed out, and audited, that has no place to go to.
    if let Some(path) = out.filter(|path| path.symlink_metadata().is_ok()) {
        return Err(unwritable(path, &std::io::ErrorKind::AlreadyExists.into()));
    }
    let client = host::attached(context).await?;
    let HubAnswer::ConnectionString { text, ports } = ask_hub(&client, HubAsk::ConnectionString { id }).await? else {
        return Err(unexpected());
    };
    let secret = SecretString::from(text);
    let output = context.output;
    let ports = ports.unwrap_or_default();
    let settings = port_settings(ports);
    match out {
        Some(path) => {
            write(path, &secret)?;
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            if output.json {
                output.json_line(&json!({"file": path, "ports": ports}))?;
            } else {
                let path = printable(&path.display().to_string());
                output.line(&format!(
                    "{path}: written; settings take it as link.connection_string = \"file:{path}\"{settings}"
                ))?;
            }
        }
        None if output.json => {
            let secret = secret.expose_secret();
            output.json_line(&json!({"connectionString": secret, "ports": ports}))?;
        }
        None => {
            output.line(secret.expose_secret())?;
            if !settings.is_empty() {
                // Standard output is the secret's alone.
                drop(writeln!(std::io::stderr(), "the device needs link.connection_string{settings}"));
            }
        }
    }
    Ok(Exit::Done)
}

/// The ports that a device has to be told beside its connection string, which has no place for them.
fn port_settings(ports: HubPorts) -> String {
    let own = LinkSettings::default();
    let port = ports.port.filter(|port| *port != own.port).map(|port| format!(", link.port = {port}"));
    let https = ports.https_port.filter(|port| *port != own.https_port);
    let https = https.map(|port| format!(", link.https_port = {port}"));
    port.into_iter().chain(https).collect()
}

/// Into a new file that its owner alone may read.
fn write(path: &Path, secret: &SecretString) -> Result<(), Failure> {
    let failed = |error: std::io::Error| unwritable(path, &error);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    writeln!(file, "{}", secret.expose_secret()).and_then(|()| file.sync_all()).map_err(failed)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let words = match error.kind() {
        std::io::ErrorKind::AlreadyExists => "it is there already; name one that isn't there yet".to_owned(),
        _ => format!("{error}; check the folder and its permissions"),
    };
    Failure::new(Exit::Failed, format!("{}: {words}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn ports_are_named_where_they_are_not_a_links_own() {
        assert_eq!(port_settings(HubPorts { port: Some(8883), https_port: Some(443) }), "");
        let ports = HubPorts { port: Some(44019), https_port: Some(8443) };
        assert_eq!(port_settings(ports), ", link.port = 44019, link.https_port = 8443");
        assert_eq!(port_settings(HubPorts::default()), "", "a service's has none");
    }

    #[test]
    fn the_file_is_its_owners_alone_and_never_written_over() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("roof-02.secret");
        let secret = SecretString::from("HostName=h;DeviceId=d;SharedAccessKey=k");
        write(&path, &secret).expect("written");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "HostName=h;DeviceId=d;SharedAccessKey=k\n");
        let words = write(&path, &secret).expect_err("it is there").words().map(str::to_owned).expect("words");
        assert!(words.ends_with("name one that isn't there yet") && !words.contains("SharedAccessKey"), "{words}");
    }
}
