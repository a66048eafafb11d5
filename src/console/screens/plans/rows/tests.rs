use std::fmt::Write as _;

use super::*;
use crate::console::fixture::provisioning::plan;

fn drawn(plan: &PlanOutline, filter: &str, folds: &Folds) -> String {
    let rows = Rows::of(plan, &Trees::of(plan), &Filter::parse(filter).expect("a right filter"), folds);
    let mut text = String::new();
    for row in (0..rows.len()).filter_map(|i| rows.get(i)) {
        let words = match &row.key {
            RowKey::Branch(Branch::Module(_, address)) => format!("{address} {} {}", row.counts.short(), row.below),
            RowKey::Branch(branch) => format!("{branch:?} {}", row.below),
            RowKey::Change(list, index) => super::super::words::listed(plan, *list)[*index].address.clone(),
            other => format!("{other:?}"),
        };
        writeln!(text, "{}{words}", "  ".repeat(row.depth)).expect("a String takes all");
    }
    text
}

#[test]
fn modules_lie_in_modules_and_count_what_is_below() {
    insta::assert_snapshot!(drawn(&plan::outline(), "", &Folds::default()));
}

#[test]
fn a_filter_leaves_what_passes_and_nothing_folded() {
    let mut folds = Folds::default();
    folds.turn_all();
    assert_eq!(drawn(&plan::outline(), "key_vault", &folds).lines().count(), 2, "its module and itself");
    let folded = drawn(&plan::outline(), "", &folds);
    assert!(!folded.contains("azurerm_key_vault"), "{folded}");
    let inverted = drawn(&plan::outline(), "!(azurerm|snowflake|output|variable|check|null|terraform)", &folds);
    assert_eq!(inverted, "");
    let by_action = drawn(&plan::outline(), "replace$", &folds);
    assert!(by_action.contains("storage_account") && !by_action.contains("iothub.hub"), "{by_action}");
}

#[test]
fn a_branch_is_folded_and_unfolded() {
    let mut folds = Folds::default();
    let azure = Branch::Module(PlanList::Changes, "module.azure".into());
    folds.set(&azure, false);
    let text = drawn(&plan::outline(), "", &folds);
    assert!(text.contains("module.azure ") && !text.contains("module.azure.azurerm_iothub"), "{text}");
    folds.set(&Branch::Variables, true);
    assert!(drawn(&plan::outline(), "", &folds).contains("Variable(1)"));
    folds.set(&azure, true);
    folds.set(&azure, true);
    assert!(drawn(&plan::outline(), "", &folds).contains("module.azure.azurerm_iothub"));
}

#[test]
fn a_key_with_dots_and_brackets_belongs_to_its_module() {
    let address = "module.a[\"x.y]\\\"z\"].module.b[0].azurerm_iothub.hub[\"k.l\"]";
    let module = module_of(address);
    assert_eq!(module, "module.a[\"x.y]\\\"z\"].module.b[0]");
    assert_eq!(within(address, module), "azurerm_iothub.hub[\"k.l\"]");
    for rooted in ["azurerm_iothub.hub", "", "module.a[\"never closed", "module."] {
        assert_eq!(module_of(rooted), "", "{rooted}");
    }
}

#[test]
fn ten_thousand_changes_are_rows_at_once() {
    let plan = plan::large(10_000);
    let start = std::time::Instant::now();
    let rows = Rows::of(&plan, &Trees::of(&plan), &Filter::default(), &Folds::default());
    let took = start.elapsed();
    assert_eq!(rows.passing, 10_000);
    // A debug build on a busy machine is many times slower than what ships.
    assert!(took.as_millis() < 500, "{took:?}");
}
