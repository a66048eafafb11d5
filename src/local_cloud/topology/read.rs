//! Resources into a topology. What can't be understood is left out, with a fault that says so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{announcements, azure, snowflake};
use crate::ingestion::topology::{Part, Topology, TopologyFault};
use crate::local_cloud::cloud::Resource;
use crate::station::text::printable;

/// Characters of a fault's reason at most.
const LONGEST: usize = 400;

/// The topology that `resources`, with the times they were made, stand for.
#[must_use]
pub fn read(resources: &[(Resource, Timestamp)]) -> Topology {
    let mut faults = Faults::default();
    let all = Resources(resources);
    let containers: BTreeMap<_, _> = azure::containers(&all, &mut faults);
    let hub = azure::hub(&all, &mut faults);
    let announcement = announcements::read(&all, hub.as_ref(), &containers, &mut faults);
    let tables = snowflake::tables(&all);
    let pipes = snowflake::pipes(&all, &mut faults);
    Topology { applied: true, hub, containers, announcement, tables, pipes, faults: faults.0 }
}

/// The resources, by kind.
pub(super) struct Resources<'a>(&'a [(Resource, Timestamp)]);

impl<'a> Resources<'a> {
    /// Those of one kind, by id.
    pub(super) fn of(&self, kind: &'a str) -> impl Iterator<Item = &'a (Resource, Timestamp)> + 'a {
        self.0.iter().filter(move |(resource, _)| resource.kind == kind)
    }
}

/// What couldn't be followed so far.
#[derive(Default)]
pub(super) struct Faults(Vec<TopologyFault>);

impl Faults {
    /// Notes that the resource `kind` `name` is left out; `reason` says why and what to do.
    pub(super) fn add(&mut self, part: Part, kind: &str, name: &str, reason: impl AsRef<str>) {
        let short = |text: &str| printable(text).chars().take(LONGEST).collect::<String>();
        let resource = short(&format!("{kind} {name}"));
        self.0.push(TopologyFault { part, resource, reason: short(reason.as_ref()) });
    }
}

/// A text attribute of an object; `None` where it is absent, null or empty.
pub(super) fn text<'a>(object: &'a Value, attribute: &str) -> Option<&'a str> {
    object.get(attribute)?.as_str().filter(|text| !text.is_empty())
}

/// The objects of a block or of a list of objects.
pub(super) fn objects<'a>(object: &'a Value, attribute: &str) -> &'a [Value] {
    object.get(attribute).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A list of texts.
pub(super) fn texts<'a>(object: &'a Value, attribute: &str) -> Vec<&'a str> {
    objects(object, attribute).iter().filter_map(Value::as_str).collect()
}

/// A truth; `default` where it is absent.
pub(super) fn truth(object: &Value, attribute: &str, default: bool) -> bool {
    object.get(attribute).and_then(Value::as_bool).unwrap_or(default)
}
