//! The reference page of what is emulated, made from the schemas and overlays; a test holds the page to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::overlay::{Condition, Expression, Hook, OnDelete, Overlay, Reference, Rule, Scope};
use super::provider::Provider;
use super::schema::{Block, Found};
use super::value::{Type, Value};
use crate::local_cloud::cloud::Cloud;

const PAGE: &str = "docs/src/reference/emulated-providers.md";
/// Set, the page is written instead of compared.
const WRITE: &str = "SKYDECK_WRITE_REFERENCE";
/// More values than these are counted, not named.
const NAMED_VALUES: usize = 12;

const HEAD: &str = "\
# Emulated providers

In demo and local, and under `skydeck terraform`, Terraform plans and applies on providers that skydeck plays itself: no
account, no download. This page says what they know; it is made from `config/providers` and a test keeps it in step.

What holds for every type:

- Names, types, required arguments and numbers of blocks are checked by the provider's published schema, as with the real
  one; a fault comes with its file and line.
- A change of an attribute under *new one for* makes a new resource. Any other is made in place.
- What has *to be there first* is looked up when a resource is made or changed. *Goes with it* says that deleting that
  one deletes this one; *holds it* says that it can't be deleted before this one.
- Two of a type with the same id are refused; *differs everywhere* is a name that must differ in the whole cloud.
- Computed attributes that aren't listed are null. Keys and passwords are random and open nothing.
- Nothing else is done: no message is routed or loaded by it. What is applied is what runs, though: see
  [that page](../architecture/topology.md).
- A type or data source that isn't here is refused by its name, not guessed at.
";

/// The whole page.
fn page(providers: &[&Provider]) -> String {
    let mut page = HEAD.to_owned();
    for provider in providers {
        // Writing into a text can't fail.
        let _ = write!(page, "\n## {} {}\n", provider.name, provider.schema.version);
        for (name, overlay) in &provider.overlays.resources {
            section(&mut page, name, overlay, &provider.schema.resources[name].block);
        }
        for (name, overlay) in &provider.overlays.data {
            section(&mut page, &format!("data.{name}"), overlay, &provider.schema.data_sources[name].block);
        }
    }
    page
}

fn section(page: &mut String, name: &str, overlay: &Overlay, block: &Block) {
    let _ = write!(page, "\n### {name}\n\n");
    if !overlay.note.is_empty() {
        let _ = write!(page, "{}\n\n", overlay.note);
    }
    let mut lines = Vec::new();
    lines.extend(overlay.preview.as_ref().map(|feature| format!("preview: needs `{feature}`")));
    lines.extend(listed("new one for", &overlay.force_new));
    lines.extend(overlay.force_new_between.iter().map(|(path, lists)| {
        let lists: Vec<String> = lists.iter().map(|list| quoted(list)).collect();
        format!("new one for `{path}` from one of these to another: {}", lists.join(" | "))
    }));
    lines.extend(listed("planned as a change in place, which the cloud refuses:", &overlay.fixed));
    lines.extend(listed("stays true once it is, as the cloud refuses the change:", &overlay.lasting));
    lines.extend(listed("differs everywhere:", &overlay.unique));
    lines.extend(overlay.references.iter().map(reference));
    lines.extend(overlay.rules.iter().map(|(path, rule)| format!("`{path}`: {}", words(rule))));
    lines.extend(overlay.normal.iter().map(|(path, filter)| format!("`{path}` is kept {}", form(filter))));
    for (groups, says) in [
        (&overlay.exactly_one_of, "exactly one of"),
        (&overlay.at_least_one_of, "at least one of"),
        (&overlay.at_most_one_of, "at most one of"),
    ] {
        lines.extend(groups.iter().filter_map(|group| listed(says, group)));
    }
    lines.extend(overlay.conditions.iter().filter_map(condition));
    lines.extend(overlay.hooks.iter().map(|hook| hook_words(*hook).to_owned()));
    lines.extend(overlay.refused.iter().map(|(path, instead)| format!("`{path}` isn't taken: {instead}")));
    lines.extend(defaults(&overlay.defaults, block));
    let computed: Vec<String> = overlay.computed.keys().cloned().collect();
    lines.extend(listed("computed:", &computed));
    lines.extend(listed("not shown, beyond the schema:", &overlay.sensitive));
    for line in lines {
        let _ = writeln!(page, "- {line}");
    }
}

fn listed(says: &str, names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| format!("{says} {}", quoted(names)))
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn reference(reference: &Reference) -> String {
    let mut text = format!("to be there first: `{}` ({})", reference.attribute, quoted(&reference.to));
    for (path, value) in &reference.when {
        let _ = write!(text, ", where `{path}` is `{value}`");
    }
    text.push_str(match reference.on_delete {
        OnDelete::Leave => "",
        OnDelete::Cascade => "; goes with it",
        OnDelete::Refuse => "; holds it",
    });
    text
}

fn form(filter: &str) -> &str {
    match filter {
        "location" => "in small letters without spaces",
        "upper" => "in capitals",
        "lower" => "in small letters",
        "unquote" => "without quotes",
        "statement" => "without white space and `;` around it",
        other => panic!("the filter {other} has no words"),
    }
}

fn condition(condition: &Condition) -> Option<String> {
    let mut text = format!("`{}` {}", condition.when, quoted(&condition.is));
    let parts = [
        listed("needs", &condition.requires),
        listed("needs one of", &condition.requires_one),
        listed("takes no", &condition.forbids),
    ];
    let wants = condition.wants.iter().map(|(path, values)| format!("needs `{path}` {}", quoted(values)));
    let parts: Vec<String> = parts.into_iter().flatten().chain(wants).collect();
    let _ = write!(text, " {}", parts.join("; "));
    (!parts.is_empty()).then_some(text)
}

const fn hook_words(hook: Hook) -> &'static str {
    match hook {
        Hook::FileNameFormat => "`file_name_format` has each of IoT Hub's tokens once",
        Hook::CopyStatement => "the table and the stage that `copy_statement` names have to be there",
        Hook::StageLocation => "`url` lies where the storage integration allows it",
        Hook::RsaPublicKey => {
            "`rsa_public_key`, `rsa_public_key_2`: an RSA public key in base64, without the lines around it"
        }
    }
}

fn defaults(defaults: &BTreeMap<String, Expression>, block: &Block) -> Option<String> {
    let nothing = BTreeMap::new();
    let scope = Scope { resource: &Value::Null, block: &Value::Null, settings: &nothing };
    let one = |(path, expression): (&String, &Expression)| {
        let ty = match block.find(path) {
            Some(Found::Attribute(attribute)) => attribute.ty.clone(),
            _ => Type::Text,
        };
        format!("`{path}` {}", expression.value(scope, &ty).to_json())
    };
    let all: Vec<String> = defaults.iter().map(one).collect();
    (!all.is_empty()).then(|| format!("where nothing is set: {}", all.join(", ")))
}

fn words(rule: &Rule) -> String {
    let mut words = Vec::new();
    words.extend(rule.length.map(|(low, high)| format!("{low}–{high} characters")));
    words.extend(rule.items.map(|(low, high)| format!("{low}–{high} elements")));
    let most = f64::from(i32::MAX);
    words.extend(rule.range.map(
        |(low, high)| {
            if high < most { format!("{low}–{high}") } else { format!("{low} at least") }
        },
    ));
    words.extend(rule.or.iter().map(|value| format!("or {value}")));
    words.extend(rule.step.map(|step| format!("a multiple of {step}")));
    // Markdown would take a line's stars and underscores for its own.
    words.extend(rule.says.as_ref().map(|says| says.replace('*', "\\*").replace('_', "\\_").replace('<', "\\<")));
    words.extend((!rule.none_of.is_empty()).then(|| format!("none of {}", quoted(&rule.none_of))));
    if rule.one_of.len() > NAMED_VALUES {
        words.push(format!("one of {} known values", rule.one_of.len()));
    } else if !rule.one_of.is_empty() {
        words.push(format!("one of {}", quoted(&rule.one_of)));
    }
    words.join("; ")
}

#[test]
fn the_page_says_what_is_emulated() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let cloud = Cloud::open(folder.path()).expect("opens");
    let all = super::providers(&cloud).unwrap_or_else(|error| panic!("{error}"));
    let made = page(&all.each_ref().map(|(_, provider)| provider));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &made).expect("written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(there.lines()).find(|(made, there)| made != there);
    assert!(made == there, "{PAGE} is behind: run this test with {WRITE}=1; first difference: {differs:?}");
}
