//! Tables, stages and pipes.

use std::collections::BTreeMap;

use super::azure::is_container;
use super::copy;
use super::read::{Faults, Resources, truth};
use crate::ingestion::topology::{MESSAGE_CONTAINERS, Made, Part, PipeTopology};
use crate::local_cloud::cloud::Resource;

const PIPE: &str = "snowflake_pipe";
const STAGE: &str = "snowflake_stage_external_azure";

/// The tables by their full names.
pub(super) fn tables(all: &Resources<'_>) -> BTreeMap<String, Made> {
    all.of("snowflake_table").map(|(resource, made)| (full_name(resource), Some(*made))).collect()
}

/// `DATABASE.SCHEMA.NAME` of a resource that lies in a schema.
fn full_name(resource: &Resource) -> String {
    format!("{}.{}.{}", resource.text("database"), resource.text("schema"), resource.text("name"))
}

/// The pipes whose container and table are known, in the order of the containers.
pub(super) fn pipes(all: &Resources<'_>, faults: &mut Faults) -> Vec<PipeTopology> {
    let stages: BTreeMap<String, &str> =
        all.of(STAGE).map(|(resource, _)| (full_name(resource), resource.text("url"))).collect();
    let mut pipes: BTreeMap<usize, PipeTopology> = BTreeMap::new();
    for (resource, made) in all.of(PIPE) {
        let pipe = read_pipe(resource, *made, &stages).and_then(|pipe| {
            let place = MESSAGE_CONTAINERS.iter().position(|known| *known == pipe.container);
            let place = place.ok_or_else(|| {
                let known = MESSAGE_CONTAINERS.join(", ");
                format!("no messages are kept for container {}; load from one of {known}", pipe.container)
            })?;
            match pipes.get(&place) {
                Some(other) => Err(format!("pipe {} loads from {} already; destroy one", other.name, pipe.container)),
                None => Ok((place, pipe)),
            }
        });
        match pipe {
            Ok((place, pipe)) => drop(pipes.insert(place, pipe)),
            Err(reason) => faults.add(Part::Pipe, PIPE, resource.text("name"), reason),
        }
    }
    pipes.into_values().collect()
}

fn read_pipe(
    resource: &Resource,
    made: jiff::Timestamp,
    stages: &BTreeMap<String, &str>,
) -> Result<PipeTopology, String> {
    if !truth(&resource.attributes, "auto_ingest", false) {
        return Err("auto_ingest is off, so notices load nothing; set auto_ingest = true".to_owned());
    }
    let copy = copy::read(resource.text("copy_statement"))
        .and_then(|copy| copy.unfollowed.map_or(Ok(copy), Err))
        .map_err(|why| format!("copy_statement: {why}; write COPY INTO table FROM @stage"))?;
    let (stage, full_table) = (in_schema(&copy.stage, resource), in_schema(&copy.table, resource));
    let url = stages.get(&stage).ok_or_else(|| format!("its stage {stage} isn't there; apply it"))?;
    let container = container_of(url).ok_or_else(|| {
        format!(
            "stage {stage}: url {url}: not azure://account.blob.core.windows.net/container/; name a whole container"
        )
    })?;
    Ok(PipeTopology {
        name: resource.text("name").to_owned(),
        full_name: full_name(resource),
        container: container.to_owned(),
        table: copy.table.last().cloned().unwrap_or_default(),
        full_table,
        made: Some(made),
    })
}

/// The full name of what a statement of the pipe names.
fn in_schema(name: &[String], pipe: &Resource) -> String {
    match name {
        [database, schema, name] => format!("{database}.{schema}.{name}"),
        [schema, name] => format!("{}.{schema}.{name}", pipe.text("database")),
        _ => format!("{}.{}.{}", pipe.text("database"), pipe.text("schema"), name.concat()),
    }
}

/// The container that a stage's URL names whole.
fn container_of(url: &str) -> Option<&str> {
    let (_account, path) = url.strip_prefix("azure://")?.split_once('/')?;
    let container = path.strip_suffix('/').unwrap_or(path);
    is_container(container).then_some(container)
}
