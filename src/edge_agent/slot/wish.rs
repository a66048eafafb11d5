//! What is asked of the slot, by method or twin. A link is a secret: no words here repeat it.

use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{Entry, PackageEntry, Slot};
use crate::edge_agent::methods::Answer;
use crate::edge_agent::report::VerdictStatus;
use crate::nowcast::package::{is_name, is_sha256, is_version};
use crate::nowcast::{MODEL_IDS, Model};
use crate::station::text::printable;

/// Bytes of a link.
const MAX_URL: usize = 8 * 1024;

/// Something asked of the slot, and where the answer goes.
#[derive(Debug)]
pub(in crate::edge_agent) struct Order {
    pub wish: Wish,
    pub reply: oneshot::Sender<Answer>,
}

/// What is asked of the slot.
#[derive(Debug)]
pub(in crate::edge_agent) enum Wish {
    /// A model that comes with skydeck, by its id.
    BuiltIn(String),
    /// A package, and where it can be fetched.
    Package(PackageEntry, Option<SecretString>),
    /// The model before.
    Rollback,
}

impl Wish {
    /// What the payload of `deploy_model` asks for.
    pub fn read(payload: Value) -> Result<Self, Answer> {
        let refused = |words: String| Answer::new(400, words);
        let Value::Object(mut fields) = payload else {
            return Err(refused("an object is expected, with model, or with name, version, sha256 and url".to_owned()));
        };
        if fields.is_empty() {
            return Err(refused("nothing is named: model, or name, version, sha256 and url".to_owned()));
        }
        let known = ["model", "name", "version", "sha256", "url"];
        if let Some(field) = fields.keys().find(|field| !known.contains(&field.as_str())) {
            let field: String = printable(field).chars().take(64).collect();
            return Err(refused(format!("unknown field `{field}`; there are {}", known.join(", "))));
        }
        if let Some(model) = text(&mut fields, "model").map_err(refused)? {
            if let Some(field) = fields.keys().next() {
                return Err(refused(format!("model: it comes with skydeck, so {field} doesn't go with it")));
            }
            return match Model::id_of(&model) {
                Some(id) => Ok(Self::BuiltIn(id.to_owned())),
                None => {
                    let model = printable(&model);
                    let there = MODEL_IDS.join(", ");
                    let package = "a package is asked for by name, version, sha256 and url";
                    Err(Answer::new(404, format!("model: {model:?} isn't here; there are {there}; {package}")))
                }
            };
        }
        let url = text(&mut fields, "url").map_err(refused)?.map(SecretString::from);
        if url.as_ref().is_some_and(|url| secrecy::ExposeSecret::expose_secret(url).len() > MAX_URL) {
            return Err(refused(format!("url: it has more than {MAX_URL} bytes")));
        }
        let package = package(&Value::Object(fields)).map_err(refused)?;
        Ok(Self::Package(package, url))
    }
}

/// Takes a text out of `fields`; what it isn't isn't repeated.
fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name}: a text is expected")),
    }
}

/// A package by name, version and digest, as method and twin name it.
fn package(value: &Value) -> Result<PackageEntry, String> {
    let entry: PackageEntry = serde_json::from_value(value.clone()).map_err(|error| printable(&error.to_string()))?;
    if !is_name(&entry.name) {
        return Err("name: 1 to 64 lower-case letters, digits and - are expected, a letter first".to_owned());
    }
    if !is_version(&entry.version) {
        return Err("version: 1 to 32 letters, digits and any of .+- are expected".to_owned());
    }
    if !is_sha256(&entry.sha256) {
        return Err("sha256: 64 lower-case hexadecimal digits are expected".to_owned());
    }
    Ok(entry)
}

/// What the twin's desired `model` comes to. The twin says which model should make the nowcasts; only a method, which
/// brings a link, puts it there.
pub(in crate::edge_agent) fn verdict(desired: &Value, slot: &Slot, is_kept: bool) -> (VerdictStatus, Option<String>) {
    let wanted = match package(desired) {
        Ok(wanted) => wanted,
        Err(words) => return (VerdictStatus::Refused, Some(words)),
    };
    if slot.current.package() == Some(&wanted) {
        return (VerdictStatus::Applied, None);
    }
    let given_up = slot.fallback.as_ref().filter(|fallback| fallback.from == Entry::Package(wanted.clone()));
    let words = match given_up {
        Some(fallback) => format!("it was given up: {}", fallback.reason),
        None if is_kept => "it is kept here; waits for deploy_model".to_owned(),
        None => "waits for a link to fetch it; deploy_model brings one".to_owned(),
    };
    (VerdictStatus::Waiting, Some(words))
}
