//! A plan of 10,000 changes is judged in seconds, even by a binary that isn't optimised.

use std::time::{Duration, Instant};

use serde_json::json;
use skydeck::provisioning::policy::Policies;

use crate::{context, made, plan};

#[test]
fn ten_thousand_changes_are_judged() {
    let changes: Vec<_> = (0..10_000)
        .map(|number| match number % 4 {
            0 => made("azurerm_storage_container", &number.to_string(), &json!({"container_access_type": "blob"})),
            1 => made("snowflake_table", &number.to_string(), &json!({"name": "T", "database": "D", "schema": "S"})),
            2 => made("azurerm_iothub_route", &number.to_string(), &json!({"iothub_name": format!("h{number}")})),
            _ => made(
                "snowflake_grant_privileges_to_account_role",
                &number.to_string(),
                &json!({"privileges": ["SELECT"], "account_role_name": format!("R{number}")}),
            ),
        })
        .collect();
    let (policies, plan) = (Policies::load(None), plan(&changes));
    let start = Instant::now();
    let found = policies.judge(&plan, &context("staging"));
    let took = start.elapsed();
    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!(finding.addresses.len(), 1000);
    assert!(finding.message.ends_with("(1500 more addresses)"), "{}", finding.message);
    println!("judged 10,000 changes in {took:?}");
    assert!(took < Duration::from_secs(40), "{took:?}");
}
