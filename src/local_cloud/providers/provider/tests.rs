//! Plans, checks and what the cloud computes, on the carried schemas and overlays.

use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::local_cloud::cloud::{Fault, Resource};

struct Lab {
    azurerm: Provider,
    snowflake: Provider,
    settings: Settings,
    _folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let cloud = Cloud::open(folder.path()).expect("opens");
        let both = crate::local_cloud::providers::providers(&cloud).unwrap_or_else(|error| panic!("{error}"));
        let [(_, azurerm), (_, snowflake)] = both;
        Self { azurerm, snowflake, settings: Settings::default(), _folder: folder }
    }

    fn kind<'a>(&'a self, name: &'a str) -> Kind<'a> {
        let provider = if name.starts_with("azurerm") { &self.azurerm } else { &self.snowflake };
        provider.kind(name).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A configuration as Terraform hands it over: blocks that aren't written are empty.
    fn config(&self, kind: &str, json: &Json) -> Value {
        let kind = self.kind(kind);
        let mut json = json.clone();
        blank(kind.block, &mut json);
        Value::from_json(&json, &kind.value_type()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn plan(&self, kind: &str, prior: &Value, config: &Value) -> Plan {
        let mut proposed = config.clone();
        carry(self.kind(kind).block, prior, &mut proposed);
        let plan = self.kind(kind).plan(prior, proposed, config, &self.settings);
        plan.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes it, in the cloud too.
    async fn make(&self, kind: &str, config: &Value) -> Result<Value, Refusal> {
        let planned = self.plan(kind, &Value::Null, config).planned;
        self.apply(kind, &Value::Null, planned, config).await
    }

    async fn apply(&self, kind: &str, prior: &Value, planned: Value, config: &Value) -> Result<Value, Refusal> {
        let provider = if kind.starts_with("azurerm") { &self.azurerm } else { &self.snowflake };
        let never = CancellationToken::new();
        provider.apply(self.kind(kind), prior, planned, config, &self.settings, &never).await
    }

    fn breaches(&self, kind: &str, json: &Json) -> Vec<String> {
        self.kind(kind).breaches(&self.config(kind, json)).iter().map(ToString::to_string).collect()
    }
}

/// What Terraform's core proposes: the configuration, with what was computed where it is silent.
fn carry(block: &Block, prior: &Value, proposed: &mut Value) {
    match (prior, proposed) {
        (Value::List(prior), Value::List(proposed)) => {
            prior.iter().zip(proposed).for_each(|(prior, proposed)| carry(block, prior, proposed));
        }
        (Value::Map(prior), Value::Map(proposed)) => {
            for (name, attribute) in &block.attributes {
                if attribute.computed && proposed[name].is_null() {
                    proposed.insert(name.clone(), prior[name].clone());
                }
            }
            for (name, nested) in &block.blocks {
                if let Some(proposed) = proposed.get_mut(name) {
                    carry(&nested.block, &prior[name], proposed);
                }
            }
        }
        _ => {}
    }
}

fn blank(block: &Block, json: &mut Json) {
    for (name, nested) in &block.blocks {
        let there = &mut json[name];
        if there.is_null() && nested.nesting != crate::local_cloud::providers::schema::Nesting::Single {
            *there = json!([]);
        }
        if let Some(elements) = there.as_array_mut() {
            elements.iter_mut().for_each(|element| blank(&nested.block, element));
        }
    }
}

const GROUP: &str = "azurerm_resource_group";
const ACCOUNT: &str = "azurerm_storage_account";

fn account() -> Json {
    json!({
        "name": "stone", "resource_group_name": "rg", "location": "West Europe",
        "account_tier": "Standard", "account_replication_type": "LRS",
        "blob_properties": [{"delete_retention_policy": [{}]}],
    })
}

#[test]
fn a_creation_has_defaults_and_what_only_the_cloud_knows_is_unknown() {
    let lab = Lab::new();
    let plan = lab.plan(ACCOUNT, &Value::Null, &lab.config(ACCOUNT, &account()));
    assert_eq!(plan.replace, []);
    let planned = plan.planned;
    assert_eq!(planned.get("location").as_text(), Some("westeurope"));
    assert_eq!(planned.get("account_kind").as_text(), Some("StorageV2"), "a default");
    assert_eq!(planned.at("blob_properties.delete_retention_policy.days")[0].to_json(), 7, "one within a block");
    for unknown in ["id", "primary_access_key", "primary_blob_endpoint"] {
        assert!(planned.get(unknown).is_unknown(), "{unknown}");
    }
    assert!(planned.get("edge_zone").is_null(), "neither set, nor default, nor computed");
}

#[test]
fn a_destruction_is_null_and_asks_nothing() {
    let lab = Lab::new();
    let plan = lab.kind(ACCOUNT).plan(&Value::Null, Value::Null, &Value::Null, &lab.settings);
    assert_eq!(plan, Ok(Plan { planned: Value::Null, replace: Vec::new() }));
}

#[tokio::test]
async fn a_change_keeps_what_was_computed_and_names_what_makes_it_a_new_one() {
    let lab = Lab::new();
    let group = lab.config(GROUP, &json!({"name": "rg", "location": "westeurope"}));
    lab.make(GROUP, &group).await.expect("made");
    let config = lab.config(ACCOUNT, &account());
    let made = lab.make(ACCOUNT, &config).await.expect("made");
    assert!(made.is_known());
    assert_eq!(lab.plan(ACCOUNT, &made, &config), Plan { planned: made.clone(), replace: Vec::new() }, "no change");

    let mut other = account();
    other["account_replication_type"] = json!("GRS");
    let in_place = lab.plan(ACCOUNT, &made, &lab.config(ACCOUNT, &other));
    assert_eq!(in_place.replace, []);
    assert_eq!(in_place.planned.get("primary_access_key"), made.get("primary_access_key"));

    other["account_replication_type"] = json!("ZRS");
    let moved = lab.plan(ACCOUNT, &made, &lab.config(ACCOUNT, &other));
    assert_eq!(
        moved.replace,
        [Path::of("account_replication_type")],
        "copies in one zone don't become copies in several"
    );

    other["account_replication_type"] = json!("LRS");
    other["name"] = json!("sttwo");
    other["account_tier"] = json!("Premium");
    let anew = lab.plan(ACCOUNT, &made, &lab.config(ACCOUNT, &other));
    assert_eq!(anew.replace, [Path::of("name"), Path::of("account_tier")]);
}

#[tokio::test]
async fn computed_values_follow_what_they_are_made_of() {
    let lab = Lab::new();
    let role = |name: &str| lab.config("snowflake_account_role", &json!({"name": name}));
    let made = lab.make("snowflake_account_role", &role("ONE")).await.expect("made");
    let plan = lab.plan("snowflake_account_role", &made, &role("TWO"));
    assert_eq!(plan.replace, [], "Snowflake renames");
    assert_eq!(plan.planned.get("fully_qualified_name").as_text(), Some("\"TWO\""));
    assert_eq!(plan.planned.get("id").as_text(), Some("\"TWO\""));
    assert!(plan.planned.get("show_output").is_unknown(), "shown anew after any change");
    let renamed = lab.apply("snowflake_account_role", &made, plan.planned, &role("TWO")).await.expect("renamed");
    assert_eq!(renamed.at("show_output.name")[0].as_text(), Some("TWO"));
    let there = lab.snowflake.cloud.resources().await.expect("readable");
    assert_eq!(there.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["\"TWO\""]);
}

#[test]
fn an_unknown_input_makes_an_unknown_output_in_the_plan() {
    let lab = Lab::new();
    let mut config = lab.config(GROUP, &json!({"location": "westeurope"}));
    if let Value::Map(entries) = &mut config {
        entries.insert("name".to_owned(), Value::Unknown);
    }
    let planned = lab.plan(GROUP, &Value::Null, &config).planned;
    assert!(planned.get("name").is_unknown() && planned.get("id").is_unknown());
    assert_eq!(lab.kind(GROUP).breaches(&config), [], "what isn't known isn't judged");
}

#[test]
fn a_preview_resource_is_planned_only_with_its_feature() {
    let mut lab = Lab::new();
    let table = json!({"database": "D", "schema": "S", "name": "T", "column": [{"name": "C", "type": "VARIANT"}]});
    let config = lab.config("snowflake_table", &table);
    let refused = lab.kind("snowflake_table").plan(&Value::Null, config.clone(), &config, &lab.settings);
    assert!(refused.expect_err("refused").to_string().contains("\"snowflake_table_resource\""));
    lab.settings.previews.insert("snowflake_table_resource".to_owned());
    assert_eq!(lab.plan("snowflake_table", &Value::Null, &config).planned.at("column.nullable")[0], &Value::Bool(true));
}

#[test]
fn groups_and_conditions_are_checked_as_far_as_they_are_known() {
    let lab = Lab::new();
    let grant = |more: Json| {
        let mut grant = json!({"role_name": "R"});
        grant.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        lab.breaches("snowflake_grant_account_role", &grant)
    };
    assert_eq!(grant(json!({"user_name": "U"})), [""; 0]);
    assert_eq!(grant(json!({})).len(), 1, "one of both");
    assert!(grant(json!({"user_name": "U", "parent_role_name": "P"}))[0].contains("takes only one of"));

    let endpoint = |how: &str, more: Json| {
        let mut endpoint = json!({
            "name": "e", "iothub_id": "/h", "resource_group_name": "rg", "container_name": "c", "authentication_type": how,
        });
        endpoint.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        lab.breaches("azurerm_iothub_endpoint_storage_container", &endpoint)
    };
    assert_eq!(endpoint("identityBased", json!({"endpoint_uri": "https://a"})), [""; 0]);
    let both = endpoint("identityBased", json!({"connection_string": "SECRET"}));
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.iter().all(|words| !words.contains("SECRET")), "{both:?}");
    assert!(endpoint("keyBased", json!({}))[0].contains("needs connection_string"));
}

#[tokio::test]
async fn what_is_gone_is_said_when_it_is_changed_and_not_when_it_is_deleted() {
    let lab = Lab::new();
    let config = lab.config(GROUP, &json!({"name": "rg", "location": "westeurope"}));
    let made = lab.make(GROUP, &config).await.expect("made");
    let id = made.get("id").as_text().expect("an id");
    lab.azurerm.cloud.delete(GROUP, id).await.expect("deleted");
    let again = lab.apply(GROUP, &made, made.clone(), &config).await.expect_err("refused");
    assert!(again.to_string().contains("isn't there any more"), "{again}");
    assert_eq!(lab.apply(GROUP, &made, Value::Null, &Value::Null).await, Ok(Value::Null));
}

#[tokio::test]
async fn a_stop_ends_what_waits_even_if_it_came_first() {
    let lab = Lab::new();
    let slow = Fault { delay_ms: 600_000, message: None };
    lab.azurerm.cloud.set_fault(GROUP, "rg", Some(slow)).await.expect("set");
    let config = lab.config(GROUP, &json!({"name": "rg", "location": "westeurope"}));
    let planned = lab.plan(GROUP, &Value::Null, &config).planned;
    let stopped = CancellationToken::new();
    stopped.cancel();
    let kind = lab.kind(GROUP);
    let applied = lab.azurerm.apply(kind, &Value::Null, planned, &config, &lab.settings, &stopped).await;
    assert_eq!(applied, Err(Refusal::Interrupted { thing: format!("{GROUP} rg") }));
}

#[tokio::test]
async fn a_grants_id_is_the_providers_own() {
    let lab = Lab::new();
    let grant = json!({
        "account_role_name": "R", "privileges": ["MONITOR"],
        "on_schema_object": [{"object_type": "PIPE", "object_name": "\"D\".\"S\".\"P\""}],
    });
    let config = lab.config("snowflake_grant_privileges_to_account_role", &grant);
    let planned = lab.plan("snowflake_grant_privileges_to_account_role", &Value::Null, &config).planned;
    let filled = lab.kind("snowflake_grant_privileges_to_account_role").filled(planned, &lab.settings);
    let id = "\"R\"|false|false|MONITOR|OnSchemaObject|OnObject|PIPE|\"D\".\"S\".\"P\"";
    assert_eq!(filled.get("id").as_text(), Some(id));
}

#[test]
fn what_a_hub_or_snowflake_parses_is_parsed() {
    let lab = Lab::new();
    let endpoint = |format: &str| {
        lab.breaches(
            "azurerm_iothub_endpoint_storage_container",
            &json!({
                "name": "e", "iothub_id": "/h", "resource_group_name": "rg", "container_name": "c",
                "connection_string": "c", "file_name_format": format,
            }),
        )
    };
    assert_eq!(endpoint("{iothub}/{partition}/{YYYY}-{MM}-{DD}/{HH}-{mm}"), [""; 0]);
    assert!(endpoint("{iothub}/{YYYY}-{MM}-{DD}/{HH}-{mm}")[0].starts_with("file_name_format: has to have each of"));

    let user = |key: &str| lab.breaches("snowflake_service_user", &json!({"name": "U", "rsa_public_key": key}));
    assert_eq!(user("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), [""; 0]);
    let pem = user("-----BEGIN PUBLIC KEY-----\nMIIBIjAN\n-----END PUBLIC KEY-----");
    assert!(pem[0].contains("leave out the lines with BEGIN and END") && !pem[0].contains("MIIB"), "{pem:?}");

    let alert = |mute: &str| {
        lab.breaches(
            "azurerm_monitor_scheduled_query_rules_alert_v2",
            &json!({
                "name": "a", "resource_group_name": "rg", "location": "westeurope", "scopes": ["/x"], "severity": 1,
                "evaluation_frequency": "PT5M", "window_duration": "PT5M", "mute_actions_after_alert_duration": mute,
            }),
        )
    };
    assert_eq!(alert("PT30M"), [""; 0]);
    assert!(alert("30m")[0].starts_with("mute_actions_after_alert_duration: has to be one of 13 known values"));
}

#[tokio::test]
async fn a_vaults_protection_stays_and_its_days_are_what_they_were() {
    let lab = Lab::new();
    let group = lab.config(GROUP, &json!({"name": "rg", "location": "westeurope"}));
    lab.make(GROUP, &group).await.expect("made");
    let vault = |protected: bool, days: i64| {
        lab.config(
            "azurerm_key_vault",
            &json!({
                "name": "kv-one", "resource_group_name": "rg", "location": "westeurope", "sku_name": "standard",
                "tenant_id": "00000000-0000-4000-8000-000000000002", "purge_protection_enabled": protected,
                "soft_delete_retention_days": days,
            }),
        )
    };
    let change = async |from: &Value, config: Value| {
        let plan = lab.plan("azurerm_key_vault", from, &config);
        assert_eq!(plan.replace, [], "planned in place");
        lab.apply("azurerm_key_vault", from, plan.planned, &config).await
    };
    let open = lab.make("azurerm_key_vault", &vault(false, 30)).await.expect("made");
    let protected = change(&open, vault(true, 30)).await.expect("may be protected later");
    let refused = change(&protected, vault(false, 30)).await.expect_err("but not the other way").to_string();
    assert!(refused.contains("purge_protection_enabled can't be changed once it is made"), "{refused}");
    let refused = change(&protected, vault(true, 7)).await.expect_err("set once").to_string();
    assert!(refused.contains("soft_delete_retention_days can't be changed once it is made"), "{refused}");
}

#[test]
fn a_condition_wants_a_value_or_one_of_several() {
    let lab = Lab::new();
    let registry = |sku: &str, public: bool| {
        lab.breaches(
            "azurerm_container_registry",
            &json!({
                "name": "registry", "resource_group_name": "rg", "location": "westeurope", "sku": sku,
                "public_network_access_enabled": public,
            }),
        )
    };
    assert_eq!([registry("Basic", true), registry("Premium", false)], [[""; 0], [""; 0]]);
    assert_eq!(
        registry("Basic", false),
        [
            "azurerm_container_registry: public_network_access_enabled false needs sku Premium, is \"Basic\"; change one \
          of them"
        ]
    );
    let datastore = |key: Option<&str>| {
        let mut config = json!({"name": "d", "workspace_id": "/w", "storage_container_id": "/c"});
        config["account_key"] = json!(key);
        lab.breaches("azurerm_machine_learning_datastore_blobstorage", &config)
    };
    assert_eq!(datastore(Some("key")), [""; 0]);
    assert_eq!(
        datastore(None),
        ["azurerm_machine_learning_datastore_blobstorage: service_data_auth_identity None needs one of account_key, \
          shared_access_signature; set one"]
    );
    let workspace = |days: i64| {
        let config =
            json!({"name": "logs", "resource_group_name": "rg", "location": "westeurope", "retention_in_days": days});
        lab.breaches("azurerm_log_analytics_workspace", &config)
    };
    assert_eq!([workspace(7), workspace(30)], [[""; 0], [""; 0]]);
    assert_eq!(workspace(8), ["retention_in_days: has to be 30 to 730, is 8; change it"]);
}

#[test]
fn a_stage_lies_where_its_integration_allows_and_a_pipe_copies_what_is_there() {
    let lab = Lab::new();
    let there = |kind: &str, attributes: Json| Resource { kind: kind.to_owned(), id: "i".to_owned(), attributes };
    let integration = there(
        "snowflake_storage_integration_azure",
        json!({"name": "I", "storage_allowed_locations": ["azure://a.blob.core.windows.net/one/"], "storage_blocked_locations": ["azure://a.blob.core.windows.net/one/not/"]}),
    );
    let stage = |url: &str| {
        let stage = json!({"database": "D", "schema": "S", "name": "ST", "url": url, "storage_integration": "I"});
        let stage = lab.config("snowflake_stage_external_azure", &stage);
        lab.kind("snowflake_stage_external_azure").hooked(&stage, std::slice::from_ref(&integration))
    };
    assert_eq!(stage("azure://a.blob.core.windows.net/one"), Ok(()));
    assert_eq!(stage("azure://a.blob.core.windows.net/one/x/"), Ok(()));
    for elsewhere in ["azure://a.blob.core.windows.net/onetwo/", "azure://a.blob.core.windows.net/one/not/"] {
        let refused = stage(elsewhere).expect_err("refused").to_string();
        assert!(refused.contains("isn't among the locations that I allows"), "{refused}");
    }

    let all = [
        there("snowflake_table", json!({"fully_qualified_name": "\"D\".\"S\".\"T\""})),
        there("snowflake_stage_external_azure", json!({"fully_qualified_name": "\"D\".\"S\".\"ST\""})),
    ];
    let pipe = |copy: &str| {
        let pipe = json!({"database": "D", "schema": "S", "name": "P", "copy_statement": copy});
        let pipe = lab.config("snowflake_pipe", &pipe);
        lab.kind("snowflake_pipe").hooked(&pipe, &all).map_err(|error| error.to_string())
    };
    assert_eq!(pipe("copy into t from @st"), Ok(()), "in its own schema, in any case");
    assert_eq!(pipe("COPY INTO \"D\".\"S\".\"T\" FROM @D.S.ST/path/"), Ok(()));
    assert!(pipe("COPY INTO \"t\" FROM @ST").expect_err("refused").contains("table D.S.t isn't there"));
    assert!(pipe("COPY INTO T FROM @OTHER").expect_err("refused").contains("stage D.S.OTHER isn't there"));
    assert!(pipe("SELECT 1").expect_err("refused").contains("has to be COPY INTO a table FROM a stage"));
}
