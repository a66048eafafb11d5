//! The hub with its endpoints and routes, and the containers.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;

use super::read::{Faults, Resources, objects, text, texts, truth};
use crate::ingestion::routing::Condition;
use crate::ingestion::topology::{Endpoint, HubTopology, Made, Part, RouteTopology};
use crate::local_cloud::cloud::Resource;

/// The endpoint every hub has; the live feed reads it, no batches are made for it.
const BUILT_IN: &str = "events";
/// IoT Hub's bounds on a batch window, seconds, and what it takes where none is said.
const WINDOW_S: (u64, u64, u64) = (60, 720, 300);
/// IoT Hub's bounds on a batch, bytes, and what it takes where none is said.
const BYTES: (u64, u64, u64) = (10 << 20, 500 << 20, 300 << 20);

/// The file name format that IoT Hub takes where none is said.
const HUBS_OWN_FORMAT: &str = "{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}";

const ENDPOINT: &str = "azurerm_iothub_endpoint_storage_container";
const ROUTE: &str = "azurerm_iothub_route";
const FALLBACK: &str = "azurerm_iothub_fallback_route";
const CONTAINER: &str = "azurerm_storage_container";

/// The containers by name.
pub(super) fn containers(all: &Resources<'_>, faults: &mut Faults) -> BTreeMap<String, Made> {
    let mut containers = BTreeMap::new();
    for (resource, made) in all.of(CONTAINER) {
        let name = resource.text("name");
        if is_container(name) {
            containers.insert(name.to_owned(), Some(*made));
        } else {
            let reason = "its name isn't 3 to 63 lower-case letters, digits and hyphens; name it so";
            faults.add(Part::Route, CONTAINER, name, reason);
        }
    }
    containers
}

/// Azure's rule for container names.
pub(super) fn is_container(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (3..=63).contains(&name.len()) && name.chars().all(is_allowed) && !name.starts_with('-') && !name.ends_with('-')
}

/// The hub, with what belongs to it.
pub(super) fn hub(all: &Resources<'_>, faults: &mut Faults) -> Option<HubTopology> {
    let is_name =
        |name: &str| (3..=50).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let mut found: Option<&Resource> = None;
    for (resource, _) in all.of("azurerm_iothub") {
        let name = resource.text("name");
        if !is_name(name) {
            let reason = "its name isn't 3 to 50 letters, digits and hyphens; name it so";
            faults.add(Part::Hub, "azurerm_iothub", name, reason);
        } else if let Some(hub) = found {
            let reason = format!("one hub runs here, and that is {}; destroy one of them", hub.text("name"));
            faults.add(Part::Hub, "azurerm_iothub", name, reason);
        } else {
            found = Some(resource);
        }
    }
    let hub = found?;
    let name = hub.text("name");
    let endpoints = endpoints(all, hub, name, faults);
    let mut routes = Vec::new();
    let is_here = |resource: &&Resource| resource.text("iothub_name").eq_ignore_ascii_case(name);
    let own: Vec<_> = all.of(ROUTE).map(|(resource, _)| resource).filter(is_here).collect();
    let is_own = |inline: &&Value| !own.iter().any(|route| Some(route.text("name")) == text(inline, "name"));
    let inline = objects(&hub.attributes, "route").iter().filter(is_own);
    for route in inline.chain(own.iter().map(|resource| &resource.attributes)) {
        routes.extend(read_route(route, &endpoints, faults));
    }
    let own_fallback =
        all.of(FALLBACK).map(|(resource, _)| resource).find(is_here).map(|resource| &resource.attributes);
    let fallback = own_fallback.or_else(|| objects(&hub.attributes, "fallback_route").first());
    let fallback = fallback.filter(|route| truth(route, "enabled", true)).and_then(|route| {
        let to = texts(route, "endpoint_names").into_iter().find(|to| !to.eq_ignore_ascii_case(BUILT_IN))?;
        let known = endpoints.iter().find(|endpoint| endpoint.name.eq_ignore_ascii_case(to));
        if known.is_none() {
            faults.add(
                Part::Route,
                FALLBACK,
                name,
                format!("its endpoint {to} isn't there; apply it, or name another"),
            );
        }
        Some(known?.name.clone())
    });
    let uploads = objects(&hub.attributes, "file_upload").first().and_then(|upload| text(upload, "container_name"));
    let uploads = uploads.map(str::to_owned);
    Some(HubTopology { name: name.to_owned(), endpoints, routes, fallback, uploads })
}

/// The storage endpoints; one in a resource of its own stands for the one of its name in the hub's.
fn endpoints(all: &Resources<'_>, hub: &Resource, hub_name: &str, faults: &mut Faults) -> Vec<Endpoint> {
    let is_here = |id: &str| id.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(hub_name));
    let own: Vec<_> =
        all.of(ENDPOINT).map(|(resource, _)| resource).filter(|resource| is_here(resource.text("iothub_id"))).collect();
    let inline = objects(&hub.attributes, "endpoint").iter().filter(|endpoint| {
        text(endpoint, "type").is_none_or(|kind| kind == "AzureIotHub.StorageContainer")
            && !own.iter().any(|resource| Some(resource.text("name")) == text(endpoint, "name"))
    });
    let mut endpoints = Vec::new();
    for object in inline.chain(own.iter().map(|resource| &resource.attributes)) {
        match read_endpoint(object) {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(reason) => faults.add(Part::Route, ENDPOINT, text(object, "name").unwrap_or_default(), reason),
        }
    }
    endpoints
}

fn read_endpoint(object: &Value) -> Result<Endpoint, String> {
    let name = text(object, "name").ok_or("it has no name; give it one")?;
    let container = text(object, "container_name").filter(|name| is_container(name));
    let container = container.ok_or("container_name names no container; name one")?;
    // What azurerm takes where nothing is said.
    let encoding = text(object, "encoding").unwrap_or("Avro");
    if !encoding.eq_ignore_ascii_case("JSON") {
        return Err(format!("encoding {encoding}: batches are written as JSON here; set encoding = \"JSON\""));
    }
    let window_s = number(object, "batch_frequency_in_seconds", WINDOW_S)?;
    let max_bytes = number(object, "max_chunk_size_in_bytes", BYTES)?;
    let file_name_format = text(object, "file_name_format").unwrap_or(HUBS_OWN_FORMAT);
    check_format(file_name_format)?;
    Ok(Endpoint {
        name: name.to_owned(),
        container: container.to_owned(),
        window: SignedDuration::from_secs(i64::try_from(window_s).unwrap_or(i64::MAX)),
        max_bytes,
        file_name_format: file_name_format.to_owned(),
    })
}

fn number(object: &Value, attribute: &str, (least, most, default): (u64, u64, u64)) -> Result<u64, String> {
    let value = match object.get(attribute) {
        None | Some(Value::Null) => return Ok(default),
        Some(value) => value,
    };
    // A number may come as 60.0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
    let whole = value
        .as_u64()
        .or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..=most as f64).contains(n)).map(|n| n as u64));
    whole
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{attribute} {value}: a whole number from {least} to {most} is needed; set one"))
}

/// Every token once, in any order, and a name that stays inside its container.
fn check_format(format: &str) -> Result<(), String> {
    let tokens = ["{iothub}", "{partition}", "{YYYY}", "{MM}", "{DD}", "{HH}", "{mm}"];
    let wrong = |why: &str| Err(format!("file_name_format {format:?}: {why}"));
    let mut rest = format.to_owned();
    for token in tokens {
        if format.matches(token).count() != 1 {
            return wrong(&format!("{token} has to be in it once; IoT Hub needs every token"));
        }
        rest = rest.replace(token, "x");
    }
    if format.len() > 256 || !rest.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=+, ".contains(c)) {
        return wrong("between tokens letters, digits and -_./=+, are taken, 256 characters in all; use those");
    }
    if rest.split('/').any(|part| part.is_empty() || part.chars().all(|c| c == '.' || c == ' ')) {
        return wrong("a part between slashes is empty or only dots; give it a name");
    }
    Ok(())
}

/// One route a endpoint it names; none where it is off or takes other things than devices' messages.
fn read_route(object: &Value, endpoints: &[Endpoint], faults: &mut Faults) -> Vec<RouteTopology> {
    let name = text(object, "name").unwrap_or_default();
    let takes_messages = text(object, "source").is_none_or(|source| source.eq_ignore_ascii_case("DeviceMessages"));
    if !truth(object, "enabled", true) || !takes_messages {
        return Vec::new();
    }
    let condition: Condition = match text(object, "condition").unwrap_or("true").parse() {
        Ok(condition) => condition,
        Err(error) => {
            faults.add(Part::Route, ROUTE, name, format!("{error}; write it so"));
            return Vec::new();
        }
    };
    let mut routes = Vec::new();
    for to in texts(object, "endpoint_names") {
        let known = endpoints.iter().find(|endpoint| endpoint.name.eq_ignore_ascii_case(to));
        let endpoint = match known {
            Some(endpoint) => endpoint.name.clone(),
            None if to.eq_ignore_ascii_case(BUILT_IN) => BUILT_IN.to_owned(),
            None => {
                faults.add(
                    Part::Route,
                    ROUTE,
                    name,
                    format!("its endpoint {to} isn't there; apply it, or name another"),
                );
                continue;
            }
        };
        routes.push(RouteTopology { name: name.to_owned(), condition: condition.clone(), endpoint });
    }
    routes
}
