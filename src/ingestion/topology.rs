//! What the pipeline stands on: hub, routes, containers, announcements, tables and pipes.
//!
//! Before the first apply it is [`Topology::built_in`]; from then on what is applied. The parts of the pipeline look at
//! it through a `watch` channel and follow it while they run.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::routing::{Condition, UNROUTED};

/// The three containers of messages, in the order of their pipes.
pub const MESSAGE_CONTAINERS: [&str; 3] = ["json-blob-messages", "json-blob-predictions", "json-blob-health"];
/// The queue that announces new blobs.
pub const QUEUE: &str = "snowpipe-event-sub";
/// IoT Hub's own file name format, with the tokens in the pipeline's order.
pub const FILE_NAME_FORMAT: &str = "{iothub}/{partition}/{YYYY}-{MM}-{DD}/{HH}-{mm}";

/// Everything the pipeline stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Whether it was applied; otherwise it is the built-in one.
    pub applied: bool,
    /// The hub; without one devices find nobody to send to.
    pub hub: Option<HubTopology>,
    /// Containers that exist.
    pub containers: BTreeSet<String>,
    /// Where new blobs are announced; without it blobs lie unannounced.
    pub announcement: Option<Announcement>,
    /// Tables that exist, fully as `DATABASE.SCHEMA.TABLE`.
    pub tables: BTreeSet<String>,
    /// Pipes that exist, in the order of [`MESSAGE_CONTAINERS`], then by name.
    pub pipes: Vec<PipeTopology>,
}

/// The hub and its routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubTopology {
    /// Its name, as in blob names.
    pub name: String,
    /// Its storage endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Its routes, in order; only enabled ones.
    pub routes: Vec<RouteTopology>,
}

/// A storage endpoint: how batches for one container are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// The container it writes to.
    pub container: String,
    /// Pipeline time a batch is collected at most.
    pub window: SignedDuration,
    /// Bytes a batch grows to at most.
    pub max_bytes: u64,
    /// Name of its blobs, with the tokens `{iothub}` `{partition}` `{YYYY}` `{MM}` `{DD}` `{HH}` `{mm}`.
    pub file_name_format: String,
}

/// A route to an endpoint by its name; `events` is the built-in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTopology {
    /// Its name.
    pub name: String,
    /// Which messages it takes.
    pub condition: Condition,
    /// Where they go.
    pub endpoint: String,
}

/// New blobs of some containers go to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The queue's name.
    pub queue: String,
    /// Containers whose blobs are announced; empty is all.
    pub containers: BTreeSet<String>,
}

/// A pipe: loads the files of a container into a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PipeTopology {
    /// Its name, without database and schema.
    pub name: String,
    /// Its name, fully as `DATABASE.SCHEMA.PIPE`.
    pub full_name: String,
    /// The container it loads from.
    pub container: String,
    /// The table it loads into, without database and schema.
    pub table: String,
    /// The table, fully.
    pub full_table: String,
}

impl Topology {
    /// The pipeline's own, with the names the module gives in `environment`.
    #[must_use]
    pub fn built_in(environment: &str, hub_name: &str, window: SignedDuration, max_bytes: u64) -> Self {
        let suffix = environment.to_uppercase().replace('-', "_");
        let schema = format!("WEATHER_{suffix}.DATAWAREHOUSE_{suffix}");
        let names = [
            ("measurements", "WEATHER_PIPE_DQ_", "WEATHER_JSON_", "$body.type = 'WeatherMeasurement'"),
            ("predictions", "WEATHER_PIPE_PRED_DQ_", "WEATHER_PREDICTIONS_", "$body.type = 'Prediction'"),
            (
                "health",
                "WEATHER_PIPE_HEALTH_DQ_",
                "WEATHER_HEALTH_",
                "$body.type = 'DeviceHealth' OR $body.type = 'PictureTaken'",
            ),
        ];
        let (mut endpoints, mut routes, mut pipes, mut tables) = (Vec::new(), Vec::new(), Vec::new(), BTreeSet::new());
        for (container, (name, pipe, table, condition)) in MESSAGE_CONTAINERS.into_iter().zip(names) {
            endpoints.push(Endpoint {
                name: name.to_owned(),
                container: container.to_owned(),
                window,
                max_bytes,
                file_name_format: FILE_NAME_FORMAT.to_owned(),
            });
            if let Ok(condition) = condition.parse() {
                routes.push(RouteTopology { name: name.to_owned(), condition, endpoint: name.to_owned() });
            }
            let (pipe, table) = (format!("{pipe}{suffix}"), format!("{table}{suffix}"));
            let (full_name, full_table) = (format!("{schema}.{pipe}"), format!("{schema}.{table}"));
            tables.insert(full_table.clone());
            pipes.push(PipeTopology { name: pipe, full_name, container: container.to_owned(), table, full_table });
        }
        Self {
            applied: false,
            hub: Some(HubTopology { name: hub_name.to_owned(), endpoints, routes }),
            containers: MESSAGE_CONTAINERS.into_iter().map(str::to_owned).collect(),
            announcement: Some(Announcement { queue: QUEUE.to_owned(), containers: BTreeSet::new() }),
            tables,
            pipes,
        }
    }

    /// The endpoint that writes to `container`.
    #[must_use]
    pub fn endpoint_of(&self, container: &str) -> Option<&Endpoint> {
        self.hub.as_ref()?.endpoints.iter().find(|endpoint| endpoint.container == container)
    }

    /// The container that a message with this `type` is collected in: that of the first route that takes it, else
    /// [`UNROUTED`].
    #[must_use]
    pub fn container_for(&self, body_type: Option<&str>) -> &str {
        let Some(hub) = &self.hub else { return UNROUTED };
        hub.routes
            .iter()
            .filter(|route| route.condition.takes(body_type))
            .find_map(|route| hub.endpoints.iter().find(|endpoint| endpoint.name == route.endpoint))
            .map_or(UNROUTED, |endpoint| &endpoint.container)
    }

    /// Whether new blobs of `container` are announced.
    #[must_use]
    pub fn announces(&self, container: &str) -> bool {
        self.announcement.as_ref().is_some_and(|a| a.containers.is_empty() || a.containers.contains(container))
    }

    /// The pipe that loads from `container`.
    #[must_use]
    pub fn pipe_of(&self, container: &str) -> Option<&PipeTopology> {
        self.pipes.iter().find(|pipe| pipe.container == container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_one_routes_announces_and_loads_every_kind() {
        let topology = Topology::built_in("demo", "skydeck-hub", SignedDuration::from_secs(300), 1024);
        assert_eq!(topology.container_for(Some("WeatherMeasurement")), "json-blob-messages");
        assert_eq!(topology.container_for(Some("PictureTaken")), "json-blob-health");
        assert_eq!(topology.container_for(Some("Nonsense")), UNROUTED);
        assert_eq!(topology.container_for(None), UNROUTED);
        for container in MESSAGE_CONTAINERS {
            assert!(topology.announces(container) && topology.endpoint_of(container).is_some());
        }
        let pipe = topology.pipe_of("json-blob-messages").expect("a pipe");
        assert_eq!(pipe.full_name, "WEATHER_DEMO.DATAWAREHOUSE_DEMO.WEATHER_PIPE_DQ_DEMO");
        assert_eq!(pipe.full_table, "WEATHER_DEMO.DATAWAREHOUSE_DEMO.WEATHER_JSON_DEMO");
        assert!(topology.tables.contains(&pipe.full_table));
    }
}
