//! A plan as rows: modules within modules, the changes in them, drift, outputs, checks and variables; folded, filtered.
//!
//! Rows are made once per change of the plan, the filter or a fold. A row names what it stands for and holds no text,
//! so that 10,000 of them are made in milliseconds and only those in view are written out.

use std::collections::{HashMap, HashSet};

use super::words;
use crate::console::filter::Filter;
use crate::owner::{ChangeAction, PlanList, PlanOutline, PlannedChange, Run};

/// What has rows below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Branch {
    /// A module, by its address, among what changes or what has drifted.
    Module(PlanList, String),
    /// What was changed behind Terraform.
    Drift,
    /// Outputs that change.
    Outputs,
    /// Checks of the configuration.
    Checks,
    /// Variables.
    Variables,
}

/// What a row stands for; it stays the same while rows fold and filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// A branch.
    Branch(Branch),
    /// A resource, by its place in its list.
    Change(PlanList, usize),
    /// An output, by its place.
    Output(usize),
    /// A check, by its place.
    Check(usize),
    /// A variable, by its place.
    Variable(usize),
}

/// How many changes of each action, in the order of [`Tally::ORDER`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally([u32; 8]);

impl Tally {
    /// The actions in the order in which they are told.
    pub const ORDER: [ChangeAction; 8] = [
        ChangeAction::Create,
        ChangeAction::Update,
        ChangeAction::Replace,
        ChangeAction::Delete,
        ChangeAction::Import,
        ChangeAction::Move,
        ChangeAction::Forget,
        ChangeAction::Read,
    ];

    fn add(&mut self, action: ChangeAction) {
        if let Some(place) = Self::ORDER.iter().position(|known| *known == action) {
            self.0[place] += 1;
        }
    }

    fn join(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, others)| *mine += others);
    }

    /// Each action there is any of, with its count.
    pub fn counts(self) -> impl Iterator<Item = (ChangeAction, u32)> {
        Self::ORDER.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// `+27 ~1 -/+1`.
    pub fn short(self) -> String {
        self.counts().map(|(action, count)| format!("{}{count}", action.sign())).collect::<Vec<_>>().join(" ")
    }

    /// Changes in all.
    pub fn total(self) -> u32 {
        self.0.iter().sum()
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it stands for.
    pub key: RowKey,
    /// How deep it lies, from 0.
    pub depth: u16,
    /// Whether a branch is unfolded.
    pub open: bool,
    /// What is done below a branch.
    pub tally: Tally,
    /// How many rows' worth lies directly or deeper below a branch that isn't of changes.
    pub count: usize,
}

impl Row {
    const fn leaf(key: RowKey, depth: u16) -> Self {
        Self { key, depth, open: false, tally: Tally([0; 8]), count: 0 }
    }
}

/// Which branches are folded.
#[derive(Debug, Default)]
pub struct Folds {
    /// Branches that are otherwise than by default.
    turned: HashSet<Branch>,
    /// What was last asked of all modules at once.
    all: Option<bool>,
    /// Rises with every change.
    pub generation: u64,
}

impl Folds {
    fn is_open(&self, branch: &Branch) -> bool {
        let by_default = match branch {
            // Variables are looked up, not read through.
            Branch::Variables => false,
            Branch::Module(..) => self.all.unwrap_or(true),
            Branch::Drift | Branch::Outputs | Branch::Checks => true,
        };
        by_default != self.turned.contains(branch)
    }

    /// Unfolds or folds a branch.
    pub fn set(&mut self, branch: &Branch, open: bool) {
        if self.is_open(branch) != open {
            self.generation += 1;
            if !self.turned.remove(branch) {
                self.turned.insert(branch.clone());
            }
        }
    }

    /// Folds every module, or unfolds them where that was done before.
    pub fn turn_all(&mut self) {
        self.all = Some(!self.all.unwrap_or(true));
        self.turned.retain(|branch| !matches!(branch, Branch::Module(..)));
        self.generation += 1;
    }
}

/// A plan as rows.
#[derive(Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
    /// Changes and drifted resources that pass the filter.
    pub passing: usize,
    /// Changes and drifted resources in all.
    pub all: usize,
}

impl Rows {
    /// The rows of `plan`. While a filter holds something back, nothing that passes it is folded away.
    pub fn of(plan: &PlanOutline, filter: &Filter, folds: &Folds) -> Self {
        let mut made = Self { all: plan.changes.len() + plan.drift.len(), ..Self::default() };
        let open = |branch: &Branch| filter.is_active() || folds.is_open(branch);
        let changes = Modules::of(PlanList::Changes, &plan.changes, filter);
        made.passing = changes.count();
        changes.emit(0, 0, &open, &mut made.rows);
        let drift = Modules::of(PlanList::Drift, &plan.drift, filter);
        if drift.count() > 0 {
            made.passing += drift.count();
            let row = made.branch(Branch::Drift, drift.count(), &open);
            if row {
                drift.emit(0, 1, &open, &mut made.rows);
            }
        }
        let passing = |len: usize, text: &dyn Fn(usize) -> String| -> Vec<usize> {
            (0..len).filter(|i| !filter.is_active() || filter.matches(&text(*i))).collect()
        };
        let outputs = passing(plan.outputs.len(), &|i| format!("output {}", plan.outputs[i].name));
        made.leaves(Branch::Outputs, &outputs, RowKey::Output, &open);
        let checks =
            passing(plan.checks.len(), &|i| format!("check {} {}", plan.checks[i].address, plan.checks[i].status));
        made.leaves(Branch::Checks, &checks, RowKey::Check, &open);
        let variables = passing(plan.variables.len(), &|i| format!("variable {}", plan.variables[i].name));
        made.leaves(Branch::Variables, &variables, RowKey::Variable, &open);
        made
    }

    /// Adds a branch; answers whether it is open.
    fn branch(&mut self, branch: Branch, count: usize, open: &dyn Fn(&Branch) -> bool) -> bool {
        let is_open = open(&branch);
        self.rows.push(Row { open: is_open, count, ..Row::leaf(RowKey::Branch(branch), 0) });
        is_open
    }

    fn leaves(&mut self, branch: Branch, places: &[usize], key: fn(usize) -> RowKey, open: &dyn Fn(&Branch) -> bool) {
        if !places.is_empty() && self.branch(branch, places.len(), open) {
            self.rows.extend(places.iter().map(|place| Row::leaf(key(*place), 1)));
        }
    }

    /// How many rows there are.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A row by its place.
    pub fn get(&self, place: usize) -> Option<&Row> {
        self.rows.get(place)
    }

    /// Where `key` is.
    pub fn position(&self, key: &RowKey) -> Option<usize> {
        self.rows.iter().position(|row| row.key == *key)
    }

    /// Where the first change is; the first row where there is none.
    pub fn first_change(&self) -> usize {
        self.rows.iter().position(|row| matches!(row.key, RowKey::Change(..))).unwrap_or(0)
    }

    /// Where the branch is that the row at `place` lies in.
    pub fn parent(&self, place: usize) -> Option<usize> {
        let depth = self.rows.get(place)?.depth;
        self.rows[..place].iter().rposition(|row| row.depth < depth)
    }

    /// Places of the changes and drifted resources among the rows, in order.
    pub fn changes(&self) -> impl Iterator<Item = (PlanList, usize)> {
        self.rows.iter().filter_map(|row| match row.key {
            RowKey::Change(list, index) => Some((list, index)),
            _ => None,
        })
    }
}

/// What the filter is held against.
fn line(change: &PlannedChange, list: PlanList) -> String {
    let drifted = if list == PlanList::Drift { "drifted " } else { "" };
    let (sign, label) = (words::change_sign(change), change.action.label());
    format!("{drifted}{sign} {label} {} {} {}", change.address, change.kind, words::why(change, list))
}

/// One list's changes by module.
struct Modules {
    list: PlanList,
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    address: String,
    children: Vec<usize>,
    changes: Vec<usize>,
    tally: Tally,
}

impl Modules {
    fn of(list: PlanList, changes: &[PlannedChange], filter: &Filter) -> Self {
        let mut nodes = vec![Node::default()];
        let mut known: HashMap<String, usize> = HashMap::from([(String::new(), 0)]);
        for (index, change) in changes.iter().enumerate() {
            if filter.is_active() && !filter.matches(&line(change, list)) {
                continue;
            }
            let node = place(&change.module, &mut nodes, &mut known);
            nodes[node].changes.push(index);
            nodes[node].tally.add(change.action);
        }
        // A module comes before those in it, so that going backwards everything below is counted already.
        for node in (0..nodes.len()).rev() {
            let mut below = nodes[node].tally;
            nodes[node].children.iter().for_each(|child| below.join(nodes[*child].tally));
            nodes[node].tally = below;
        }
        Self { list, nodes }
    }

    fn count(&self) -> usize {
        usize::try_from(self.nodes[0].tally.total()).unwrap_or(usize::MAX)
    }

    fn emit(&self, node: usize, depth: u16, open: &dyn Fn(&Branch) -> bool, rows: &mut Vec<Row>) {
        let node = &self.nodes[node];
        rows.extend(node.changes.iter().map(|index| Row::leaf(RowKey::Change(self.list, *index), depth)));
        for child in &node.children {
            let below = &self.nodes[*child];
            let branch = Branch::Module(self.list, below.address.clone());
            let is_open = open(&branch);
            rows.push(Row { open: is_open, tally: below.tally, ..Row::leaf(RowKey::Branch(branch), depth) });
            if is_open {
                self.emit(*child, depth + 1, open, rows);
            }
        }
    }
}

/// The node of a module, made with those it lies in.
fn place(module: &str, nodes: &mut Vec<Node>, known: &mut HashMap<String, usize>) -> usize {
    if let Some(node) = known.get(module) {
        return *node;
    }
    let parent = parent_module(module).map_or(0, |parent| place(parent, nodes, known));
    let node = nodes.len();
    nodes.push(Node { address: module.to_owned(), ..Node::default() });
    nodes[parent].children.push(node);
    known.insert(module.to_owned(), node);
    node
}

/// Where each module of an address ends, in bytes: `module.a["x.y"].module.b.null.c` has two.
fn module_ends(address: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut from = 0;
    while let Some(name) = address[from..].strip_prefix("module.") {
        let (mut quoted, mut escaped, mut bracket) = (false, false, false);
        let end = name.char_indices().find(|(_, c)| {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '[' if !quoted => bracket = true,
                ']' if !quoted => bracket = false,
                '.' if !quoted && !bracket => return true,
                _ => {}
            }
            false
        });
        let length = end.map_or(name.len(), |(at, _)| at);
        ends.push(from + "module.".len() + length);
        if end.is_none() {
            break;
        }
        from += "module.".len() + length + 1;
    }
    ends
}

/// The module that a module lies in, where that isn't the root.
pub fn parent_module(module: &str) -> Option<&str> {
    let ends = module_ends(module);
    ends.len().checked_sub(2).map(|parent| &module[..ends[parent]])
}

/// An address without the module it is in: `null.c` of `module.b.null.c`, `module.b` of the module `module.a.module.b`.
pub fn within<'a>(address: &'a str, module: &str) -> &'a str {
    let rest = address.strip_prefix(module).filter(|_| !module.is_empty());
    rest.and_then(|rest| rest.strip_prefix('.')).unwrap_or(address)
}

/// What is known of a run's plan before the plan itself has come, or where it isn't kept.
pub fn outline_of(run: &Run) -> PlanOutline {
    let planned = |change: &crate::owner::ResourceChange| PlannedChange {
        module: module_ends(&change.address).last().map_or_else(String::new, |end| change.address[..*end].to_owned()),
        address: change.address.clone(),
        kind: change.kind.clone(),
        data: change.action == ChangeAction::Read,
        action: change.action,
        create_first: false,
        // The id it is imported by is told beside the cause.
        cause: change.importing.is_none().then(|| change.why()).flatten(),
        replace_paths: Vec::new(),
        previous_address: None,
        deposed: None,
        importing: change.importing.clone(),
    };
    PlanOutline {
        counts: run.counts.unwrap_or_default(),
        changes: run.changes.iter().map(planned).collect(),
        drift: run.drift.iter().map(planned).collect(),
        ..PlanOutline::default()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::console::fixture::provisioning::plan;

    fn drawn(plan: &PlanOutline, filter: &str, folds: &Folds) -> String {
        let rows = Rows::of(plan, &Filter::parse(filter).expect("a right filter"), folds);
        let mut text = String::new();
        for row in (0..rows.len()).filter_map(|i| rows.get(i)) {
            let words = match &row.key {
                RowKey::Branch(Branch::Module(_, address)) => format!("{address} {}", row.tally.short()),
                RowKey::Branch(branch) => format!("{branch:?} {}", row.count),
                RowKey::Change(list, index) => words::listed(plan, *list)[*index].address.clone(),
                other => format!("{other:?}"),
            };
            writeln!(text, "{}{words}", "  ".repeat(row.depth.into())).expect("a String takes all");
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
        let by_action = drawn(&plan::outline(), "^-/\\+|\\+/-", &folds);
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
        let ends = module_ends(address);
        let module = &address[..*ends.last().expect("it is in one")];
        assert_eq!(module, "module.a[\"x.y]\\\"z\"].module.b[0]");
        assert_eq!(within(address, module), "azurerm_iothub.hub[\"k.l\"]");
        assert_eq!(parent_module(module), Some("module.a[\"x.y]\\\"z\"]"));
        assert_eq!(parent_module("module.a"), None);
        assert_eq!(module_ends("azurerm_iothub.hub"), Vec::<usize>::new());
        assert_eq!(module_ends("module.a[\"never closed"), [22]);
    }

    #[test]
    fn ten_thousand_changes_are_rows_at_once() {
        let plan = plan::large(10_000);
        let start = std::time::Instant::now();
        let rows = Rows::of(&plan, &Filter::default(), &Folds::default());
        let took = start.elapsed();
        assert_eq!(rows.passing, 10_000);
        // A debug build on a busy machine is many times slower than what ships.
        assert!(took.as_millis() < 500, "{took:?}");
    }
}
