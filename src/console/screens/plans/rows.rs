//! A plan as rows: its trees of changes and of drift, its outputs, checks and variables; folded, filtered.
//!
//! Rows are made once per change of the plan, the filter or a fold, and only those in view are written out.

use std::collections::{BTreeSet, HashSet};

use crate::console::filter::Filter;
use crate::owner::{
    ChangeAction, ChangeCounts, ChangeFilter, PlanList, PlanOutline, PlanTree, PlannedChange, Run, TreePart,
};

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

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it stands for.
    pub key: RowKey,
    /// How deep it lies, from 0.
    pub depth: usize,
    /// Whether a branch is unfolded.
    pub open: bool,
    /// What is done below a module, by action; reads and moves aren't among it.
    pub counts: ChangeCounts,
    /// How much lies below a branch, however deep.
    pub below: usize,
    /// A module's own step, as in `module.hub["a"]`; empty for anything else.
    pub name: String,
}

impl Row {
    fn leaf(key: RowKey, depth: usize) -> Self {
        Self { key, depth, open: false, counts: ChangeCounts::default(), below: 0, name: String::new() }
    }
}

/// The trees of a plan's two lists, made once for a plan.
#[derive(Debug)]
pub struct Trees {
    changes: PlanTree,
    drift: PlanTree,
}

impl Default for Trees {
    /// Those of a plan that holds nothing.
    fn default() -> Self {
        Self::of(&PlanOutline::default())
    }
}

impl Trees {
    /// The trees of `plan`.
    pub fn of(plan: &PlanOutline) -> Self {
        Self { changes: PlanTree::of(&plan.changes), drift: PlanTree::of(&plan.drift) }
    }

    const fn of_list(&self, list: PlanList) -> &PlanTree {
        match list {
            PlanList::Changes => &self.changes,
            PlanList::Drift => &self.drift,
        }
    }

    /// The branches around a change, the outermost first.
    pub fn around(&self, list: PlanList, index: usize) -> Vec<Branch> {
        let modules = self.of_list(list).around(index).into_iter().map(|address| Branch::Module(list, address));
        (list == PlanList::Drift).then_some(Branch::Drift).into_iter().chain(modules).collect()
    }
}

/// Which branches are folded.
#[derive(Debug, Default)]
pub struct Folds {
    /// Branches that are otherwise than by default.
    turned: HashSet<Branch>,
    /// What was last asked of all modules at once.
    all: Option<bool>,
    /// Whether no check fails, so that they needn't be read through.
    nothing_fails: bool,
    /// Rises with every change.
    pub generation: u64,
}

impl Folds {
    fn is_open(&self, branch: &Branch) -> bool {
        let by_default = match branch {
            // Variables are looked up, not read through.
            Branch::Variables => false,
            Branch::Checks => !self.nothing_fails,
            Branch::Module(..) => self.all.unwrap_or(true),
            Branch::Drift | Branch::Outputs => true,
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

    /// Another plan is shown: its checks are unfolded where one fails.
    pub fn look_at(&mut self, plan: &PlanOutline) {
        self.nothing_fails = !plan.checks.iter().any(|check| check.fails());
        self.generation += 1;
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
    pub fn of(plan: &PlanOutline, trees: &Trees, filter: &Filter, folds: &Folds) -> Self {
        let mut made = Self { all: plan.changes.len() + plan.drift.len(), ..Self::default() };
        let open = |branch: &Branch| filter.is_active() || folds.is_open(branch);
        made.tree(PlanList::Changes, trees, filter, (0, &open));
        let before = (made.rows.len(), made.passing);
        made.tree(PlanList::Drift, trees, filter, (1, &open));
        let drifted = made.passing - before.1;
        if drifted > 0 {
            let is_open = open(&Branch::Drift);
            let row = Row { open: is_open, below: drifted, ..Row::leaf(RowKey::Branch(Branch::Drift), 0) };
            made.rows.truncate(if is_open { made.rows.len() } else { before.0 });
            made.rows.insert(before.0, row);
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

    /// Adds the rows of one list's tree, and how many of its changes pass.
    fn tree(
        &mut self,
        list: PlanList,
        trees: &Trees,
        filter: &Filter,
        (depth, open): (usize, &dyn Fn(&Branch) -> bool),
    ) {
        let tree = trees.of_list(list);
        let branch = |address: &str| Branch::Module(list, address.to_owned());
        let folded: BTreeSet<String> =
            tree.modules().filter(|address| !open(&branch(address))).map(str::to_owned).collect();
        let matches = |line: &str| filter.matches(line);
        let passes = ChangeFilter { text: filter.is_active().then_some(&matches), ..ChangeFilter::default() };
        for row in tree.rows(&folded, &passes) {
            let at = row.depth + depth;
            self.rows.push(match row.part {
                TreePart::Change(index) => {
                    self.passing += 1;
                    Row::leaf(RowKey::Change(list, index), at)
                }
                TreePart::Module { address, name, folded, counts, changes } => {
                    self.passing += if folded { changes } else { 0 };
                    let key = RowKey::Branch(branch(&address));
                    Row { key, depth: at, open: !folded, counts, below: changes, name }
                }
            });
        }
    }

    fn leaves(&mut self, branch: Branch, places: &[usize], key: fn(usize) -> RowKey, open: &dyn Fn(&Branch) -> bool) {
        if places.is_empty() {
            return;
        }
        let is_open = open(&branch);
        self.rows.push(Row { open: is_open, below: places.len(), ..Row::leaf(RowKey::Branch(branch), 0) });
        if is_open {
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

/// The module that an address lies in: `module.a["x.y"].module.b` of `module.a["x.y"].module.b.null.c`; empty in the
/// root module.
fn module_of(address: &str) -> &str {
    let mut end = 0;
    while let Some(name) = address.get(end..).map(|rest| rest.strip_prefix('.').unwrap_or(rest)) {
        let Some(name) = name.strip_prefix("module.") else { break };
        let from = address.len() - name.len();
        let (mut quoted, mut escaped) = (false, false);
        let dot = name.char_indices().find(|(_, c)| {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '.' if !quoted => return true,
                _ => {}
            }
            false
        });
        // An address ends with a resource; what doesn't is in no module that is known.
        let Some((at, _)) = dot else { break };
        end = from + at;
    }
    &address[..end]
}

/// An address without the module it is in: `null.c` of `module.b.null.c`.
pub fn within<'a>(address: &'a str, module: &str) -> &'a str {
    let rest = address.strip_prefix(module).filter(|_| !module.is_empty());
    rest.and_then(|rest| rest.strip_prefix('.')).unwrap_or(address)
}

/// What is known of a run's plan before the plan itself has come, or where it isn't kept.
pub fn outline_of(run: &Run) -> PlanOutline {
    let planned = |change: &crate::owner::ResourceChange| PlannedChange {
        module: module_of(&change.address).to_owned(),
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
mod tests;
