//! `skydeck info`: versions, folders, features, themes, and what stands in the place of what.

use std::path::PathBuf;

use serde::Serialize;

use super::args::Global;
use super::context::layers;
use super::exit::{Exit, Failure};
use super::output::{Output, Paint};
use crate::owner::PROTOCOL_VERSION;
use crate::settings::{EnvironmentName, Folders, Roots};

/// The exact versions this binary was built with.
const LOCK_FILE: &str = include_str!("../../Cargo.lock");

/// The features, and which of them this binary has.
const FEATURES: [(&str, bool); 5] = [
    ("console", cfg!(feature = "console")),
    ("agent", cfg!(feature = "agent")),
    ("diag", cfg!(feature = "diag")),
    ("local", cfg!(feature = "local")),
    ("cloud", cfg!(feature = "cloud")),
];

/// A package that was considered, the one in its place, and the record that says why.
const REPLACED: &[(&str, &str, &str)] = &[
    ("azure_iot_sdk", "rumqttc-v4-next", "docs/src/decisions/not-azure-iot-sdk.md"),
    #[cfg(feature = "_ground")]
    ("azure_storage_blobs", "object_store", "docs/src/decisions/not-azure-storage-blobs.md"),
    #[cfg(feature = "local")]
    ("rumqttd", "rmqtt-codec", "docs/src/decisions/not-rumqttd.md"),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    version: &'static str,
    protocol: u32,
    platform: String,
    features: Vec<&'static str>,
    environment: EnvironmentName,
    folders: Folders,
    settings_files: Vec<SettingsFile>,
    themes: Vec<String>,
    replaced: Vec<Replaced>,
}

#[derive(Serialize)]
struct SettingsFile {
    file: PathBuf,
    exists: bool,
}

#[derive(Serialize)]
struct Replaced {
    package: &'static str,
    by: &'static str,
    version: String,
    record: &'static str,
}

/// Writes it. Works without valid settings, so that it can help to mend them.
pub fn run(global: &Global) -> Result<Exit, Failure> {
    let info = gather(global)?;
    let output = Output::new(global.json, global.no_color);
    if output.json {
        output.json_page(&info)?;
    } else {
        output.text(&as_text(&info, output))?;
    }
    Ok(Exit::Done)
}

fn gather(global: &Global) -> Result<Info, Failure> {
    let roots = global.data_dir.as_deref().map_or_else(Roots::of_user, Roots::one)?;
    let files = layers(global).files(&global.env);
    let replaced = |&(package, by, record): &(_, &'static str, _)| Replaced {
        package,
        by,
        version: locked_version(by).unwrap_or("unknown").to_owned(),
        record,
    };
    Ok(Info {
        version: env!("CARGO_PKG_VERSION"),
        protocol: PROTOCOL_VERSION,
        platform: format!("{} on {}", std::env::consts::ARCH, std::env::consts::OS),
        features: FEATURES.into_iter().filter_map(|(name, is_in)| is_in.then_some(name)).collect(),
        environment: global.env.clone(),
        folders: roots.of(&global.env)?,
        settings_files: files.into_iter().map(|file| SettingsFile { exists: file.exists(), file }).collect(),
        themes: themes(),
        replaced: REPLACED.iter().map(replaced).collect(),
    })
}

/// Names of the themes that can be chosen; without the console there is nothing to draw in colours.
fn themes() -> Vec<String> {
    #[cfg(feature = "console")]
    return super::host::themes();
    #[cfg(not(feature = "console"))]
    Vec::new()
}

fn locked_version(package: &str) -> Option<&'static str> {
    let (_, entry) = LOCK_FILE.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split_once('"').map(|(version, _)| version)
}

fn as_text(info: &Info, output: Output) -> String {
    let mut text = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        text.push_str(&format!("{}\n", output.paint(Paint::Bold, title)));
        lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    };
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let features: Vec<_> = info.features.iter().map(|name| (*name).to_owned()).collect();
    section(
        &format!("skydeck {}", info.version),
        vec![
            format!("platform  {}", info.platform),
            format!("protocol  {}", info.protocol),
            format!("features  {}", list(&features)),
            format!("themes    {}", list(&info.themes)),
        ],
    );
    section(
        &format!("Folders of {}", info.environment),
        vec![
            format!("data      {}", info.folders.data.display()),
            format!("logs      {}", info.folders.state.display()),
            format!("socket    {}", info.folders.socket().display()),
        ],
    );
    let file =
        |one: &SettingsFile| format!("{}  {}", if one.exists { "read     " } else { "not there" }, one.file.display());
    section("Settings files, a later one wins", info.settings_files.iter().map(file).collect());
    let replaced = |one: &Replaced| format!("{} by {} {}: {}", one.package, one.by, one.version, one.record);
    section("Replaced packages", info.replaced.iter().map(replaced).collect());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_packages_are_not_built_in_and_their_successors_are() {
        for (package, by, _) in REPLACED {
            assert_eq!(locked_version(package), None, "{package}");
            assert!(locked_version(by).is_some_and(|version| version.contains('.')), "{by}");
        }
    }
}
