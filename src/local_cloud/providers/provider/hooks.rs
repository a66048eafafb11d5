//! Checks that can't be data.

use super::{Kind, Refusal};
use crate::local_cloud::cloud::Resource;
use crate::local_cloud::providers::overlay::Hook;
use crate::local_cloud::providers::value::{Path, Value};
use crate::local_cloud::topology::copy;

/// Tokens of a file name format, each once.
const TOKENS: [&str; 7] = ["{iothub}", "{partition}", "{YYYY}", "{MM}", "{DD}", "{HH}", "{mm}"];

impl Hook {
    /// Adds what is wrong with `config`.
    pub(super) fn check(self, config: &Value, found: &mut Vec<Refusal>) {
        match self {
            Self::FileNameFormat => {
                for path in ["file_name_format", "endpoint.file_name_format"] {
                    let formats = config.at(path).into_iter().filter_map(Value::as_text);
                    for format in formats.filter(|format| !is_file_name_format(format)) {
                        let words = format!(
                            "file_name_format: has to have each of {} once, with no other braces, is {format:?}; change it",
                            TOKENS.join(" ")
                        );
                        found.push(Refusal::about(Path::of(path.split('.').next().unwrap_or(path)), words));
                    }
                }
            }
            Self::RsaPublicKey => {
                for name in ["rsa_public_key", "rsa_public_key_2"] {
                    if let Some(key) = config.get(name).as_text().filter(|key| !is_public_key(key)) {
                        let hint =
                            if key.contains("-----") { "leave out the lines with BEGIN and END" } else { "change it" };
                        let words = format!("{name}: has to be the base64 text of an RSA public key; {hint}");
                        found.push(Refusal::about(Path::of(name), words));
                    }
                }
            }
            // Checked when applied, with what is there.
            Self::CopyStatement | Self::StageLocation => {}
        }
    }
}

impl Kind<'_> {
    /// Checks that need to know what is there.
    pub(super) fn hooked(&self, value: &Value, there: &[Resource]) -> Result<(), Refusal> {
        for hook in &self.overlay.hooks {
            match hook {
                Hook::CopyStatement => copy_statement(value, there)?,
                Hook::StageLocation => stage_location(value, there)?,
                Hook::FileNameFormat | Hook::RsaPublicKey => {}
            }
        }
        Ok(())
    }
}

fn is_file_name_format(format: &str) -> bool {
    TOKENS.iter().all(|token| format.matches(token).count() == 1) && format.matches('{').count() == TOKENS.len()
}

fn is_public_key(key: &str) -> bool {
    use base64::Engine as _;
    let bare: String = key.chars().filter(|c| !c.is_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(bare).is_ok_and(|bytes| bytes.first() == Some(&0x30))
}

/// A name in full, without quotes: what it lacks is the pipe's own database and schema.
fn in_full(name: &[String], pipe: &Value) -> String {
    let own = |name: &str| pipe.get(name).as_text().unwrap_or_default().replace('"', "");
    match name {
        [name] => format!("{}.{}.{name}", own("database"), own("schema")),
        [schema, name] => format!("{}.{schema}.{name}", own("database")),
        _ => name.join("."),
    }
}

fn copy_statement(value: &Value, there: &[Resource]) -> Result<(), Refusal> {
    let statement = value.get("copy_statement").as_text().unwrap_or_default();
    let about = |words: String| Refusal::about(Path::of("copy_statement"), words);
    let copy = copy::read(statement)
        .map_err(|why| about(format!("copy_statement: {why}; it has to be COPY INTO a table FROM a stage")))?;
    let wanted = [("table", &copy.table, "snowflake_table"), ("stage", &copy.stage, "snowflake_stage_external_azure")];
    for (what, name, kind) in wanted {
        let full = in_full(name, value);
        let is = |other: &&Resource| other.kind == kind && other.text("fully_qualified_name").replace('"', "") == full;
        if there.iter().find(is).is_none() {
            return Err(about(format!("copy_statement: {what} {full} isn't there; make it first, or refer to it")));
        }
    }
    Ok(())
}

fn stage_location(value: &Value, there: &[Resource]) -> Result<(), Refusal> {
    let (Some(url), Some(integration)) = (value.get("url").as_text(), value.get("storage_integration").as_text())
    else {
        return Ok(());
    };
    let plain = integration.replace('"', "");
    let found =
        there.iter().find(|other| other.kind == "snowflake_storage_integration_azure" && other.text("name") == plain);
    let Some(found) = found else { return Ok(()) };
    let list = |name: &str| -> Vec<&str> {
        let elements = found.attributes.get(name).and_then(serde_json::Value::as_array);
        elements.into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
    };
    let within = |location: &&str| {
        *location == "*"
            || format!("{}/", url.trim_end_matches('/')).starts_with(&format!("{}/", location.trim_end_matches('/')))
    };
    if !list("storage_allowed_locations").iter().any(within) || list("storage_blocked_locations").iter().any(within) {
        let words =
            format!("url: {url:?} isn't among the locations that {plain} allows; add it to storage_allowed_locations");
        return Err(Refusal::about(Path::of("url"), words));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_lacks_what_is_the_pipes_own() {
        let pipe = Value::Map(
            [("database", "\"D\""), ("schema", "S")]
                .map(|(name, value)| (name.into(), Value::Text(value.into())))
                .into(),
        );
        for (name, full) in [(["T"].as_slice(), "D.S.T"), (&["X", "t 1"], "D.X.t 1"), (&["E", "X", "T"], "E.X.T")] {
            let name: Vec<_> = name.iter().map(|part| (*part).to_owned()).collect();
            assert_eq!(in_full(&name, &pipe), full);
        }
    }

    #[test]
    fn file_name_formats_have_each_token_once() {
        assert!(is_file_name_format("{iothub}/{partition}/{YYYY}-{MM}-{DD}/{HH}-{mm}"));
        assert!(!is_file_name_format("{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}"));
        assert!(!is_file_name_format("{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}/{ss}"));
    }
}
