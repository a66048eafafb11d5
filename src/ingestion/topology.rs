//! What the pipeline stands on: hub, routes, containers, announcements, tables and pipes.
//!
//! Before the first apply it is [`Topology::built_in`]; from then on what is applied. The parts of the pipeline look at
//! it through a `watch` channel and follow it while they run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::routing::{Condition, UNROUTED};

/// The three containers of messages, in the order of their pipes.
pub const MESSAGE_CONTAINERS: [&str; 3] = ["json-blob-messages", "json-blob-predictions", "json-blob-health"];
/// The container that devices' pictures are uploaded to.
pub const PICTURES: &str = "pictures";
/// The container that models lie in, for devices to fetch.
pub const MODELS: &str = "models";
/// The queue that announces new blobs.
pub const QUEUE: &str = "snowpipe-event-sub";
/// IoT Hub's own file name format, with the tokens in the pipeline's order.
pub const FILE_NAME_FORMAT: &str = "{iothub}/{partition}/{YYYY}-{MM}-{DD}/{HH}-{mm}";

/// Wall time something was applied; absent for what is built in. Another time under the same name is another thing.
pub type Made = Option<Timestamp>;

/// Everything the pipeline stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Whether it was applied; otherwise it is the built-in one.
    pub applied: bool,
    /// The hub; without one devices find nobody to send to.
    pub hub: Option<HubTopology>,
    /// Containers that exist.
    pub containers: BTreeMap<String, Made>,
    /// Where new blobs are announced; without it blobs lie unannounced.
    pub announcement: Option<Announcement>,
    /// Tables that exist, fully as `DATABASE.SCHEMA.TABLE`.
    pub tables: BTreeMap<String, Made>,
    /// Pipes that exist, in the order of [`MESSAGE_CONTAINERS`]; at most one a container.
    pub pipes: Vec<PipeTopology>,
    /// What was applied and can't be followed.
    pub faults: Vec<TopologyFault>,
}

/// The part of the pipeline that a fault concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The hub.
    Hub,
    /// Endpoints and routes.
    Route,
    /// Announcements.
    Event,
    /// Stages and pipes.
    Pipe,
}

/// Something applied that the local pipeline can't follow, and so leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyFault {
    /// The part it belongs to.
    pub part: Part,
    /// The resource, as `TYPE NAME`, printable.
    pub resource: String,
    /// Why it is left out, and what to do next, printable.
    pub reason: String,
}

impl fmt::Display for TopologyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.resource, self.reason)
    }
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
    /// The endpoint of what no route takes.
    pub fallback: Option<String>,
    /// The container that devices upload files to; without one they can't.
    pub uploads: Option<String>,
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
    /// When it was made.
    pub made: Made,
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
        let (mut endpoints, mut routes, mut pipes, mut tables) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
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
            tables.insert(full_table.clone(), None);
            let container = container.to_owned();
            pipes.push(PipeTopology { name: pipe, full_name, container, table, full_table, made: None });
        }
        Self {
            applied: false,
            hub: Some(HubTopology {
                name: hub_name.to_owned(),
                endpoints,
                routes,
                fallback: None,
                uploads: Some(PICTURES.to_owned()),
            }),
            containers: MESSAGE_CONTAINERS
                .into_iter()
                .chain([PICTURES, MODELS])
                .map(|name| (name.to_owned(), None))
                .collect(),
            announcement: Some(Announcement {
                queue: QUEUE.to_owned(),
                containers: MESSAGE_CONTAINERS.map(str::to_owned).into(),
            }),
            tables,
            pipes,
            faults: Vec::new(),
        }
    }

    /// The endpoint that writes to `container`.
    #[must_use]
    pub fn endpoint_of(&self, container: &str) -> Option<&Endpoint> {
        self.hub.as_ref()?.endpoints.iter().find(|endpoint| endpoint.container == container)
    }

    /// The containers that a message with this `type` is collected in: of every route that takes it, as IoT Hub does;
    /// of the fallback where none does; else [`UNROUTED`]. Each once, never none.
    #[must_use]
    pub fn containers_for(&self, body_type: Option<&str>) -> Vec<&str> {
        let Some(hub) = &self.hub else { return vec![UNROUTED] };
        let container = |name: &str| hub.endpoints.iter().find(|endpoint| endpoint.name == name);
        let taken: BTreeSet<&str> = hub
            .routes
            .iter()
            .filter(|route| route.condition.takes(body_type))
            .filter_map(|route| container(&route.endpoint))
            .map(|endpoint| endpoint.container.as_str())
            .collect();
        if !taken.is_empty() {
            return taken.into_iter().collect();
        }
        let fallback = hub.fallback.as_deref().and_then(container);
        vec![fallback.map_or(UNROUTED, |endpoint| endpoint.container.as_str())]
    }

    /// The container that devices upload files to, where it exists.
    #[must_use]
    pub fn upload_container(&self) -> Option<&str> {
        let container = self.hub.as_ref()?.uploads.as_deref()?;
        self.has_container(container).then_some(container)
    }

    /// Whether `container` exists. The one for what no route takes is this machine's own and always there.
    #[must_use]
    pub fn has_container(&self, container: &str) -> bool {
        container == UNROUTED || self.containers.contains_key(container)
    }

    /// Least and greatest window of the endpoints, pipeline time; `None` without an endpoint.
    #[must_use]
    pub fn windows(&self) -> Option<(SignedDuration, SignedDuration)> {
        let windows = || self.hub.iter().flat_map(|hub| &hub.endpoints).map(|endpoint| endpoint.window);
        windows().min().zip(windows().max())
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

/// The topology in force; clones share it.
#[derive(Debug, Clone)]
pub struct Ground(watch::Receiver<Arc<Topology>>);

impl From<watch::Receiver<Arc<Topology>>> for Ground {
    fn from(receiver: watch::Receiver<Arc<Topology>>) -> Self {
        Self(receiver)
    }
}

impl Ground {
    /// One that never changes.
    #[must_use]
    pub fn fixed(topology: Topology) -> Self {
        Self(watch::Sender::new(Arc::new(topology)).subscribe())
    }

    /// The topology now; [`Ground::changed`] answers for what comes after it.
    #[must_use]
    pub fn now(&mut self) -> Arc<Topology> {
        Arc::clone(&self.0.borrow_and_update())
    }

    /// The topology at this moment, without having seen it.
    #[must_use]
    pub fn peek(&self) -> Arc<Topology> {
        Arc::clone(&self.0.borrow())
    }

    /// Waits until the topology is another one than that seen last.
    pub async fn changed(&mut self) {
        // Whoever published it is gone: it never changes again.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> Topology {
        Topology::built_in("demo", "skydeck-hub", SignedDuration::from_secs(300), 1024)
    }

    #[test]
    fn the_built_in_one_routes_announces_and_loads_every_kind() {
        let topology = built_in();
        assert_eq!(topology.containers_for(Some("WeatherMeasurement")), ["json-blob-messages"]);
        assert_eq!(topology.containers_for(Some("PictureTaken")), ["json-blob-health"]);
        assert_eq!(topology.containers_for(Some("Nonsense")), [UNROUTED]);
        assert_eq!(topology.containers_for(None), [UNROUTED]);
        for container in MESSAGE_CONTAINERS {
            assert!(topology.announces(container) && topology.endpoint_of(container).is_some());
        }
        assert_eq!(topology.upload_container(), Some(PICTURES));
        assert!(!topology.announces(PICTURES), "no pipe loads pictures");
        let pipe = topology.pipe_of("json-blob-messages").expect("a pipe");
        assert_eq!(pipe.full_name, "WEATHER_DEMO.DATAWAREHOUSE_DEMO.WEATHER_PIPE_DQ_DEMO");
        assert_eq!(pipe.full_table, "WEATHER_DEMO.DATAWAREHOUSE_DEMO.WEATHER_JSON_DEMO");
        assert!(topology.tables.contains_key(&pipe.full_table));
    }

    #[test]
    fn every_route_that_takes_a_message_gets_it_and_the_fallback_what_none_takes() {
        let mut topology = built_in();
        let hub = topology.hub.as_mut().expect("a hub");
        let route = |name: &str, endpoint: &str| RouteTopology {
            name: name.to_owned(),
            condition: Condition::Always,
            endpoint: endpoint.to_owned(),
        };
        hub.routes.push(route("live", "events"));
        assert_eq!(topology.containers_for(Some("Nonsense")), [UNROUTED], "the built-in endpoint keeps no batches");
        topology.hub.as_mut().expect("a hub").fallback = Some("health".into());
        assert_eq!(topology.containers_for(Some("Nonsense")), ["json-blob-health"]);
        topology.hub.as_mut().expect("a hub").routes.push(route("all", "predictions"));
        assert_eq!(
            topology.containers_for(Some("WeatherMeasurement")),
            ["json-blob-messages", "json-blob-predictions"]
        );
        topology.hub = None;
        assert_eq!(topology.containers_for(Some("WeatherMeasurement")), [UNROUTED]);
    }
}
