//! Which containers' new blobs an Event Grid subscription puts into a queue.
//!
//! A subscription's filters are asked with the event that the container's next blob would raise.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::read::{Faults, Resources, objects, text, texts, truth};
use crate::ingestion::topology::{Announcement, HubTopology, Made, Part};
use crate::local_cloud::cloud::Resource;

const SUBSCRIPTION: &str = "azurerm_eventgrid_system_topic_event_subscription";
const CREATED: &str = "Microsoft.Storage.BlobCreated";

/// The announcement that the subscriptions make together; `None` where no blob of any container is announced.
pub(super) fn read(
    all: &Resources<'_>,
    hub: Option<&HubTopology>,
    containers: &BTreeMap<String, Made>,
    faults: &mut Faults,
) -> Option<Announcement> {
    let mut found: Option<Announcement> = None;
    for (resource, _) in all.of(SUBSCRIPTION) {
        let Some(account) = account_of(all, resource) else { continue };
        let Some(queue) = queue_of(all, resource) else { continue };
        let announced: Result<BTreeSet<_>, String> = containers
            .keys()
            .filter(|name| is_in(all, name, account))
            .filter_map(|name| match takes(&resource.attributes, &event(hub, name)) {
                Ok(true) => Some(Ok(name.clone())),
                Ok(false) => None,
                Err(reason) => Some(Err(reason)),
            })
            .collect();
        match announced {
            Err(reason) => faults.add(Part::Event, SUBSCRIPTION, resource.text("name"), reason),
            Ok(announced) if announced.is_empty() => {}
            Ok(announced) => {
                let announcement =
                    found.get_or_insert_with(|| Announcement { queue: queue.to_owned(), containers: BTreeSet::new() });
                announcement.containers.extend(announced);
            }
        }
    }
    found
}

/// The storage account whose events the subscription's topic has; `None` where there is no such topic.
fn account_of<'a>(all: &Resources<'a>, subscription: &Resource) -> Option<&'a str> {
    let name = subscription.text("system_topic").to_owned();
    let (topic, _) = all.of("azurerm_eventgrid_system_topic").find(|(topic, _)| topic.text("name") == name)?;
    Some(text(&topic.attributes, "source_resource_id").unwrap_or_else(|| topic.text("source_arm_resource_id")))
}

/// The queue's name; `None` where there is no such queue.
fn queue_of<'a>(all: &Resources<'a>, subscription: &Resource) -> Option<&'a str> {
    let endpoint = objects(&subscription.attributes, "storage_queue_endpoint").first()?;
    let name = text(endpoint, "queue_name")?.to_owned();
    let (queue, _) = all.of("azurerm_storage_queue").find(|(queue, _)| queue.text("name") == name)?;
    Some(queue.text("name"))
}

/// Whether a container of this name is in `account`; an account that isn't named is any.
fn is_in(all: &Resources<'_>, container: &str, account: &str) -> bool {
    all.of("azurerm_storage_container").filter(|(resource, _)| resource.text("name") == container).any(
        |(resource, _)| {
            let id = resource.text("storage_account_id");
            id.is_empty() || account.is_empty() || id.eq_ignore_ascii_case(account)
        },
    )
}

/// An event's fields, as filters name them.
type Event = BTreeMap<&'static str, String>;

fn event(hub: Option<&HubTopology>, container: &str) -> Event {
    let hub_name = hub.map_or("hub", |hub| &hub.name);
    let endpoint = hub.and_then(|hub| hub.endpoints.iter().find(|endpoint| endpoint.container == container));
    let format = endpoint.map_or(crate::ingestion::topology::FILE_NAME_FORMAT, |endpoint| &endpoint.file_name_format);
    let filled = [("{iothub}", hub_name), ("{partition}", "0"), ("{YYYY}", "2026")];
    let filled = filled.into_iter().fold(format.to_owned(), |name, (token, value)| name.replace(token, value));
    let blob = ["{MM}", "{DD}", "{HH}", "{mm}"].into_iter().fold(filled, |name, token| name.replace(token, "10"));
    let subject = format!("/blobServices/default/containers/{container}/blobs/{blob}");
    [
        ("subject", subject),
        ("eventtype", CREATED.to_owned()),
        ("data.api", "PutBlob".to_owned()),
        ("data.blobtype", "BlockBlob".to_owned()),
        ("data.contenttype", "application/octet-stream".to_owned()),
    ]
    .into()
}

fn takes(subscription: &Value, event: &Event) -> Result<bool, String> {
    let types = texts(subscription, "included_event_types");
    if !types.is_empty() && !types.iter().any(|kind| kind.eq_ignore_ascii_case(CREATED)) {
        return Ok(false);
    }
    let subject = event.get("subject").map_or("", String::as_str);
    for filter in objects(subscription, "subject_filter") {
        let is_exact = truth(filter, "case_sensitive", false);
        let same_case = |text: &str| if is_exact { text.to_owned() } else { text.to_lowercase() };
        let subject = same_case(subject);
        let begins = text(filter, "subject_begins_with").is_none_or(|begin| subject.starts_with(&same_case(begin)));
        let ends = text(filter, "subject_ends_with").is_none_or(|end| subject.ends_with(&same_case(end)));
        if !begins || !ends {
            return Ok(false);
        }
    }
    let filters = objects(subscription, "advanced_filter").iter().filter_map(Value::as_object).flatten();
    for (operator, conditions) in filters {
        for condition in conditions.as_array().into_iter().flatten() {
            if !holds(operator, condition, event)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// One condition of an advanced filter. Event Grid compares texts without regard to case.
fn holds(operator: &str, condition: &Value, event: &Event) -> Result<bool, String> {
    let key = text(condition, "key").unwrap_or_default();
    let unknown =
        || format!("advanced_filter {operator} on {key:?} isn't followed here; filter on subject or data.api");
    let field = event.get(key.to_lowercase().as_str()).map(|field| field.to_lowercase());
    let values: Vec<String> = texts(condition, "values").into_iter().map(str::to_lowercase).collect();
    let field = field.ok_or_else(unknown)?;
    let any = |matches: fn(&str, &str) -> bool| values.iter().any(|value| matches(&field, value));
    match operator {
        "string_begins_with" => Ok(any(|field, value| field.starts_with(value))),
        "string_ends_with" => Ok(any(|field, value| field.ends_with(value))),
        "string_contains" => Ok(any(|field, value| field.contains(value))),
        "string_in" => Ok(any(|field, value| field == value)),
        "string_not_begins_with" => Ok(!any(|field, value| field.starts_with(value))),
        "string_not_ends_with" => Ok(!any(|field, value| field.ends_with(value))),
        "string_not_contains" => Ok(!any(|field, value| field.contains(value))),
        "string_not_in" => Ok(!any(|field, value| field == value)),
        "is_not_null" => Ok(true),
        "is_null_or_undefined" => Ok(false),
        _ => Err(unknown()),
    }
}
