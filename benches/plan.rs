//! A plan of 10,000 changes: from bytes to what is shown, beside plain `serde_json`.
//!
//! `cargo bench --bench plan`; the figures are in `docs/src/performance.md`.

use std::collections::BTreeSet;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use skydeck::provisioning::plan::kept;
use skydeck::provisioning::plan::model::PlanList;
use skydeck::provisioning::plan::read::PlanReading;
use skydeck::provisioning::plan::tree::{ChangeFilter, PlanTree};

const CHANGES: usize = 10_000;
const SECRETS: usize = 500;

/// As Terraform writes it: changes, the state before, what is planned, 500 secrets among them.
fn plan() -> Vec<u8> {
    let values = |n: usize, size: usize| {
        json!({
            "id": format!("/subscriptions/0000/resourceGroups/rg-{}/providers/Microsoft.Storage/storageAccounts/a{n}", n % 50),
            "name": format!("account{n}"), "location": "switzerlandnorth", "size": size, "https_only": true,
            "primary_access_key": format!("secret-{:04}-0123456789abcdef0123456789abcdef", n % SECRETS),
            "network_rules": [{"action": "Deny", "ip_rules": ["10.0.0.1", "10.0.0.2"], "bypass": null}],
            "tags": {"owner": "ada", "stage": "staging", "number": n.to_string()},
        })
    };
    let place = |n: usize| {
        (format!("module.m{}.module.inner[\"{}\"]", n % 20, n % 7), format!("azurerm_storage_account.a[{n}]"))
    };
    let marks = json!({"primary_access_key": true, "network_rules": [{"ip_rules": [false, false]}], "tags": {}});
    let change = |n: usize| {
        let (module, name) = place(n);
        json!({"address": format!("{module}.{name}"), "module_address": module, "mode": "managed",
            "type": "azurerm_storage_account", "name": "a", "index": n, "provider_name": "registry.example/hashicorp/azurerm",
            "change": {"actions": ["update"], "before": values(n, 1), "after": values(n, 2), "after_unknown": {},
                "before_sensitive": marks, "after_sensitive": marks}})
    };
    let resource = |n: usize| {
        let (module, name) = place(n);
        json!({"address": format!("{module}.{name}"), "mode": "managed", "type": "azurerm_storage_account",
            "name": "a", "values": values(n, 1), "sensitive_values": marks})
    };
    let changes: Vec<Value> = (0..CHANGES).map(change).collect();
    let resources: Vec<Value> = (0..CHANGES).map(resource).collect();
    let state = json!({"root_module": {"resources": resources}});
    let plan = json!({"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": changes,
        "prior_state": {"values": state}, "planned_values": state});
    plan.to_string().into_bytes()
}

fn benches(criterion: &mut Criterion) {
    let bytes = plan();
    let mut group = criterion.benchmark_group("plan_10000");
    group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("serde_json", |b| b.iter(|| serde_json::from_slice::<Value>(&bytes).expect("JSON")));
    group.bench_function("read", |b| b.iter(|| PlanReading::read(&bytes).expect("a plan")));
    group.bench_function("read_outline_tree", |b| {
        b.iter(|| {
            let outline = PlanReading::read(&bytes).expect("a plan").outline();
            PlanTree::of(&outline.changes).rows(&BTreeSet::new(), &ChangeFilter::default())
        });
    });
    group.finish();

    let plan = PlanReading::read(&bytes).expect("a plan");
    let tree = PlanTree::of(&plan.outline().changes);
    let mut group = criterion.benchmark_group("plan_10000_read");
    group.sample_size(10);
    group.bench_function("rows", |b| b.iter(|| tree.rows(&BTreeSet::new(), &ChangeFilter::default())));
    group.bench_function("one_detail", |b| b.iter(|| plan.detail(PlanList::Changes, 5_000, false)));
    group.bench_function("all_details", |b| b.iter(|| plan.details(PlanList::Changes).count()));
    // Once a plan: the digest is kept by the reading, so each time another one is read.
    group.bench_function("read_and_digest", |b| {
        b.iter(|| PlanReading::read(&bytes).expect("a plan").content_digest());
    });
    let folder = tempfile::tempdir().expect("temporary folder");
    group.bench_function("keep", |b| b.iter(|| kept::write(folder.path(), &plan).expect("kept")));
    group.bench_function("kept_details_200", |b| {
        b.iter(|| kept::details(folder.path(), PlanList::Changes, 5_000, 200).expect("kept"));
    });
    group.finish();
}

criterion_group!(plans, benches);
criterion_main!(plans);
