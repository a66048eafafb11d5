//! The overlays' files, carried in the binary.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Overlay, Overlays};
use crate::local_cloud::providers::schema::ProviderSchema;

/// One file: resource types at the top, data sources below `data`, what several share below `mixin`.
#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    mixin: BTreeMap<String, Overlay>,
    #[serde(default)]
    data: BTreeMap<String, Overlay>,
    #[serde(flatten)]
    resources: BTreeMap<String, Overlay>,
}

macro_rules! carried {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../../config/providers/overlay/", $file)))),*]
    };
}

/// Overlays of `hashicorp/azurerm`.
pub fn azurerm(schema: &ProviderSchema) -> Result<Overlays, String> {
    read(
        schema,
        carried![
            "azurerm/shared.toml",
            "azurerm/iothub.toml",
            "azurerm/storage.toml",
            "azurerm/events.toml",
            "azurerm/identity.toml",
            "azurerm/learning.toml",
            "azurerm/monitor.toml",
        ],
    )
}

/// Overlays of `snowflakedb/snowflake`.
pub fn snowflake(schema: &ProviderSchema) -> Result<Overlays, String> {
    read(
        schema,
        carried![
            "snowflake/shared.toml",
            "snowflake/database.toml",
            "snowflake/loading.toml",
            "snowflake/users.toml",
            "snowflake/grants.toml",
        ],
    )
}

fn read(schema: &ProviderSchema, files: &[(&str, &str)]) -> Result<Overlays, String> {
    let mut all = File::default();
    for (name, text) in files {
        let file: File = toml::from_str(text).map_err(|error| format!("overlay {name}: {error}"))?;
        all.mixin.extend(file.mixin);
        all.data.extend(file.data);
        all.resources.extend(file.resources);
    }
    let mut overlays = Overlays::default();
    for (kind, overlay) in all.resources {
        let mut whole = overlay.clone();
        // The last named lies lowest.
        for mixin in &overlay.uses {
            let under = all.mixin.get(mixin).ok_or_else(|| format!("overlay {kind}: there is no mixin {mixin}"))?;
            whole = whole.over(under);
        }
        let block = &schema.resources.get(&kind).ok_or_else(|| format!("overlay {kind}: isn't in the schema"))?.block;
        whole.check(&kind, block)?;
        overlays.resources.insert(kind, whole);
    }
    for (kind, overlay) in all.data {
        let schema = schema.data_sources.get(&kind).ok_or_else(|| format!("overlay {kind}: isn't in the schema"))?;
        overlay.check(&kind, &schema.block)?;
        overlays.data.insert(kind, overlay);
    }
    Ok(overlays)
}
