//! Changes as a tree of modules, folded and filtered: what the console and `show` list.
//!
//! The root module's changes come first, then each module in Terraform's order, with its own changes before its modules.
//! Made once for a plan; [`PlanTree::rows`] is one walk over it.

use std::collections::{BTreeSet, HashMap};

use super::model::PlannedChange;
use crate::provisioning::run::{ChangeAction, ChangeCounts};

/// The changes of one list of a plan, by module.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanTree {
    /// The root module first, parents before their children.
    modules: Vec<Module>,
    leaves: Vec<Leaf>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Module {
    address: String,
    name: String,
    changes: Vec<usize>,
    modules: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq)]
struct Leaf {
    /// What a filter looks at.
    line: String,
    action: ChangeAction,
    imported: bool,
    kind: String,
}

/// What passes. The default lets everything pass.
#[derive(Clone, Copy, Default)]
pub struct ChangeFilter<'a> {
    /// Looks at `address type action`, and at the address before where there was another: a regular expression, say.
    pub text: Option<&'a dyn Fn(&str) -> bool>,
    /// Only this action.
    pub action: Option<ChangeAction>,
    /// Only this type, as in `azurerm_iothub`.
    pub kind: Option<&'a str>,
}

/// One row of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeRow {
    /// How deep it stands, 0 for the root module's changes and for modules within it.
    pub depth: usize,
    /// What stands there.
    pub part: TreePart,
}

/// What stands in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreePart {
    /// A module with changes that pass.
    Module {
        /// Its address, as in `module.azure.module.hub["a"]`: what it is folded by.
        address: String,
        /// The last step of it, as in `module.hub["a"]`.
        name: String,
        /// Whether it is folded.
        folded: bool,
        /// Of what passes in it and in its modules.
        counts: ChangeCounts,
        /// Changes that pass in it and in its modules, reads and moves among them.
        changes: usize,
    },
    /// A change, by its place in the list.
    Change(usize),
}

impl PlanTree {
    /// The tree of a plan's changes or of its drift.
    #[must_use]
    pub fn of(changes: &[PlannedChange]) -> Self {
        let mut tree = Self { modules: vec![Module::default()], leaves: Vec::with_capacity(changes.len()) };
        let mut known = HashMap::from([(String::new(), 0)]);
        for (at, change) in changes.iter().enumerate() {
            let module = tree.module(&mut known, &change.module);
            if let Some(module) = tree.modules.get_mut(module) {
                module.changes.push(at);
            }
            tree.leaves.push(Leaf {
                line: search_line(change),
                action: change.action,
                imported: change.importing.is_some(),
                kind: change.kind.clone(),
            });
        }
        tree
    }

    /// The module's place; it and those around it are made where they are missing.
    fn module(&mut self, known: &mut HashMap<String, usize>, address: &str) -> usize {
        if let Some(place) = known.get(address) {
            return *place;
        }
        let (parent, name) = split(address);
        let parent = self.module(known, parent);
        let place = self.modules.len();
        self.modules.push(Module { address: address.to_owned(), name: name.to_owned(), ..Module::default() });
        if let Some(parent) = self.modules.get_mut(parent) {
            parent.modules.push(place);
        }
        known.insert(address.to_owned(), place);
        place
    }

    /// Every module's address, parents before their children, without the root module: for folding all.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().skip(1).map(|module| module.address.as_str())
    }

    /// The rows that are seen: what passes `filter`, without what is within the modules of `folded`. Modules in which
    /// nothing passes are left out.
    #[must_use]
    pub fn rows(&self, folded: &BTreeSet<String>, filter: &ChangeFilter<'_>) -> Vec<TreeRow> {
        let passes: Vec<bool> = self.leaves.iter().map(|leaf| filter.passes(leaf)).collect();
        let mut sums = vec![(ChangeCounts::default(), 0); self.modules.len()];
        // Children come behind their parents: from the end on, each is whole when it is added to its parent.
        for (place, module) in self.modules.iter().enumerate().rev() {
            let (mut counts, mut changes) = (ChangeCounts::default(), 0);
            for leaf in module.changes.iter().filter(|at| passes[**at]).map(|at| &self.leaves[*at]) {
                counts.count(leaf.action, leaf.imported);
                changes += 1;
            }
            for (below, n) in module.modules.iter().map(|child| sums[*child]) {
                counts = counts.plus(&below);
                changes += n;
            }
            sums[place] = (counts, changes);
        }
        let mut rows = Vec::new();
        let mut open: Vec<(usize, usize)> = vec![(0, 0)];
        while let Some((place, depth)) = open.pop() {
            let module = &self.modules[place];
            let mut within = depth;
            if place > 0 {
                let (counts, changes) = sums[place];
                if changes == 0 {
                    continue;
                }
                let is_folded = folded.contains(&module.address);
                let (address, name) = (module.address.clone(), module.name.clone());
                rows.push(TreeRow {
                    depth,
                    part: TreePart::Module { address, name, folded: is_folded, counts, changes },
                });
                if is_folded {
                    continue;
                }
                within += 1;
            }
            let leaves = module.changes.iter().filter(|at| passes[**at]);
            rows.extend(leaves.map(|at| TreeRow { depth: within, part: TreePart::Change(*at) }));
            open.extend(module.modules.iter().rev().map(|child| (*child, within)));
        }
        rows
    }

    /// Addresses of the modules around a change, the outermost first: to be unfolded before it is shown.
    #[must_use]
    pub fn around(&self, change: usize) -> Vec<String> {
        let own = self.modules.iter().find(|module| module.changes.contains(&change));
        let mut around = Vec::new();
        let mut address = own.map_or("", |module| module.address.as_str());
        while !address.is_empty() {
            around.insert(0, address.to_owned());
            address = split(address).0;
        }
        around
    }
}

impl ChangeFilter<'_> {
    fn passes(&self, leaf: &Leaf) -> bool {
        self.action.is_none_or(|action| action == leaf.action || action == ChangeAction::Import && leaf.imported)
            && self.kind.is_none_or(|kind| kind == leaf.kind)
            && self.text.is_none_or(|text| text(&leaf.line))
    }
}

/// What a filter looks at.
fn search_line(change: &PlannedChange) -> String {
    let mut line = format!("{} {} {}", change.address, change.kind, change.action.label());
    if let Some(previous) = &change.previous_address {
        line.push(' ');
        line.push_str(previous);
    }
    line
}

/// A module's address as that of the module around it and its own step: `module.a["x.y"].module.b` is
/// `module.a["x.y"]` and `module.b`.
fn split(address: &str) -> (&str, &str) {
    let (mut quoted, mut escaped, mut at) = (false, false, None);
    for (place, c) in address.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '.' if !quoted && address[place..].starts_with(".module.") => at = Some(place),
            _ => {}
        }
    }
    at.map_or(("", address), |at| (&address[..at], &address[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(address: &str, action: ChangeAction) -> PlannedChange {
        let (module, name) = address.rsplit_once("::").unwrap_or(("", address));
        PlannedChange {
            address: if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") },
            module: module.to_owned(),
            kind: name.split('.').next().unwrap_or_default().to_owned(),
            data: false,
            action,
            create_first: false,
            cause: None,
            replace_paths: Vec::new(),
            previous_address: None,
            deposed: None,
            importing: None,
        }
    }

    fn plan() -> Vec<PlannedChange> {
        use ChangeAction::{Create, Delete, Import, Update};
        let mut changes = vec![
            change("a.root", Create),
            change("module.m::a.one", Update),
            change("module.m.module.n[\"x.module.y\"]::b.two", Delete),
            change("module.m.module.n[\"x.module.y\"]::b.three", Import),
            change("module.z::a.four", Create),
        ];
        changes[3].importing = Some("id".into());
        changes
    }

    fn shown(rows: &[TreeRow]) -> Vec<String> {
        let row = |row: &TreeRow| {
            let text = match &row.part {
                TreePart::Module { name, folded, counts, changes, .. } => {
                    format!("{} {name} {} ({changes})", if *folded { "▸" } else { "▾" }, counts.short())
                }
                TreePart::Change(at) => at.to_string(),
            };
            format!("{}{text}", "  ".repeat(row.depth))
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn modules_nest_and_count_what_is_within() {
        let tree = PlanTree::of(&plan());
        let rows = tree.rows(&BTreeSet::new(), &ChangeFilter::default());
        assert_eq!(
            shown(&rows),
            [
                "0",
                "▾ module.m ~1 -1 >1 (3)",
                "  1",
                "  ▾ module.n[\"x.module.y\"] -1 >1 (2)",
                "    2",
                "    3",
                "▾ module.z +1 (1)",
                "  4"
            ]
        );
        assert_eq!(tree.around(2), ["module.m", "module.m.module.n[\"x.module.y\"]"]);
        assert_eq!(tree.modules().count(), 3);
    }

    #[test]
    fn a_folded_module_hides_what_is_within() {
        let folded = BTreeSet::from(["module.m".to_owned()]);
        let rows = PlanTree::of(&plan()).rows(&folded, &ChangeFilter::default());
        assert_eq!(shown(&rows), ["0", "▸ module.m ~1 -1 >1 (3)", "▾ module.z +1 (1)", "  4"]);
    }

    #[test]
    fn filters_narrow_and_leave_empty_modules_out() {
        let tree = PlanTree::of(&plan());
        let rows = |filter: ChangeFilter<'_>| shown(&tree.rows(&BTreeSet::new(), &filter));
        let by_action = ChangeFilter { action: Some(ChangeAction::Create), ..ChangeFilter::default() };
        assert_eq!(rows(by_action), ["0", "▾ module.z +1 (1)", "  4"]);
        let imports = ChangeFilter { action: Some(ChangeAction::Import), ..ChangeFilter::default() };
        assert_eq!(rows(imports).last().map(String::as_str), Some("    3"));
        let by_kind = ChangeFilter { kind: Some("b"), ..ChangeFilter::default() };
        assert_eq!(rows(by_kind).len(), 4);
        let text = |line: &str| line.contains("destroy");
        assert_eq!(rows(ChangeFilter { text: Some(&text), ..ChangeFilter::default() }).len(), 3);
        let nothing = |_: &str| false;
        assert!(rows(ChangeFilter { text: Some(&nothing), ..ChangeFilter::default() }).is_empty());
    }

    #[test]
    fn ten_thousand_changes_are_rowed_in_no_time() {
        let changes: Vec<_> =
            (0..10_000).map(|n| change(&format!("module.m{}::a.r{n}", n % 100), ChangeAction::Create)).collect();
        let tree = PlanTree::of(&changes);
        let started = std::time::Instant::now();
        for _ in 0..10 {
            assert_eq!(tree.rows(&BTreeSet::new(), &ChangeFilter::default()).len(), 10_100);
        }
        // Unoptimised, on a machine at work: a frame's time is far below.
        assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    }
}
