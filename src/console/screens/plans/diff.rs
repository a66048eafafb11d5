//! A difference as lines: only what changes unfolded, nested values indented, secrets and unknown values in words.

use ratatui::style::Style;

use crate::console::theme::Theme;
use crate::console::widgets::value::width;
use crate::owner::{Container, Content, DiffNode, Difference, Shown};
use crate::station::text::{counted, printable};

/// Columns that names are padded to at most, so that one long name doesn't push every value away.
const WIDEST_NAME: usize = 30;

/// How a part of a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As text.
    Plain,
    /// What matters less.
    Dim,
    /// Comes.
    Added,
    /// Goes.
    Removed,
    /// Changes.
    Changed,
    /// Forces a replacement, or is a fault.
    Alarm,
}

impl Tone {
    /// Its style.
    pub const fn style(self, theme: &Theme) -> Style {
        match self {
            Self::Plain => theme.text,
            Self::Dim => theme.dim,
            Self::Added => theme.ok,
            Self::Removed | Self::Alarm => theme.fail,
            Self::Changed => theme.warn,
        }
    }

    const fn of(difference: Difference) -> Self {
        match difference {
            Difference::Added => Self::Added,
            Difference::Removed => Self::Removed,
            Difference::Changed => Self::Changed,
            Difference::Same => Self::Dim,
        }
    }
}

/// A line, printable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// How deep it lies, from 0.
    pub depth: usize,
    /// How its name is drawn.
    pub tone: Tone,
    /// Its sign and name, or its words.
    pub name: String,
    /// Blanks behind the name, so that values stand under each other.
    pub gap: usize,
    /// What it holds, or before and after.
    pub values: Vec<(Tone, String)>,
    /// Whether it forces a replacement.
    pub forces: bool,
    /// The way to the attribute it is of: a place at each level. Empty where it is of none.
    pub path: Vec<usize>,
}

/// What stands behind an attribute that forces a replacement.
pub const FORCES: &str = "  # forces replacement";

impl DiffLine {
    /// A line of words.
    pub fn words(tone: Tone, text: &str) -> Self {
        let name = printable(text);
        Self { depth: 0, tone, name, gap: 0, values: Vec::new(), forces: false, path: Vec::new() }
    }

    /// Its text on one line.
    pub fn text(&self) -> String {
        self.rows(usize::MAX).remove(0).into_iter().map(|(_, text)| text).collect()
    }

    /// Its rows in `room` columns: one, or where that is too narrow a row for the name and one for each value.
    pub fn rows(&self, room: usize) -> Vec<Vec<(Tone, String)>> {
        let indent = "  ".repeat(self.depth);
        let mut first = vec![(self.tone, format!("{indent}{}", self.name))];
        let alone = first.clone();
        for (i, value) in self.values.iter().enumerate() {
            let before = if i == 0 { (Tone::Plain, " ".repeat(self.gap)) } else { (Tone::Changed, " → ".to_owned()) };
            first.extend([before, value.clone()]);
        }
        let forces = || self.forces.then(|| (Tone::Alarm, FORCES.to_owned()));
        first.extend(forces());
        let takes: usize = first.iter().map(|(_, text)| width(text)).sum();
        if takes <= room || self.values.is_empty() {
            return vec![first];
        }
        let mut rows = vec![alone];
        rows[0].extend(forces());
        for (i, (tone, value)) in self.values.iter().enumerate() {
            let arrow = if i == 0 { "    " } else { "  → " };
            rows.push(vec![(Tone::Changed, format!("{indent}{arrow}")), (*tone, value.clone())]);
        }
        rows
    }
}

/// Sign of a difference.
const fn sign(difference: Difference) -> &'static str {
    match difference {
        Difference::Added => "+",
        Difference::Removed => "-",
        Difference::Changed => "~",
        Difference::Same => " ",
    }
}

/// A value on one line.
pub fn value(shown: &Shown) -> String {
    match shown {
        Shown::Value(value) => printable(&value.to_string()),
        Shown::Sensitive => "(sensitive)".into(),
        Shown::Unknown => "(known after apply)".into(),
        Shown::SensitiveUnknown => "(sensitive, known after apply)".into(),
    }
}

fn value_tone(shown: &Shown) -> Tone {
    if matches!(shown, Shown::Value(_)) { Tone::Plain } else { Tone::Dim }
}

/// The lines of attributes, in their order; those that stay as they are only where they are asked for.
pub fn lines(nodes: &[DiffNode], unchanged: bool) -> Vec<DiffLine> {
    lines_and(nodes, unchanged, &[])
}

/// The same, and whole attributes of these names, whether they change or not.
pub fn lines_and(nodes: &[DiffNode], unchanged: bool, names: &[&str]) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    level(nodes, ("attribute", names), unchanged, &mut Vec::new(), &mut lines);
    lines
}

fn level(
    nodes: &[DiffNode],
    (noun, named): (&str, &[&str]),
    unchanged: bool,
    path: &mut Vec<usize>,
    lines: &mut Vec<DiffLine>,
) {
    let is_named = |node: &DiffNode| named.contains(&node.name.as_str());
    let is_shown = |node: &&DiffNode| unchanged || node.difference != Difference::Same || is_named(node);
    let names = nodes.iter().filter(is_shown).map(|node| width(&printable(&node.name)));
    let padded = names.max().unwrap_or(0).min(WIDEST_NAME);
    let depth = path.len();
    for (place, node) in nodes.iter().enumerate().filter(|(_, node)| is_shown(node)) {
        path.push(place);
        let name = printable(&node.name);
        let blanks = if padded == 0 { 0 } else { padded.saturating_sub(width(&name)) + 2 };
        let values = match &node.content {
            Content::Value { before, after } => values(node.difference, before.as_ref(), after.as_ref()),
            Content::Parts { of, .. } => vec![(Tone::Dim, container(*of).to_owned())],
        };
        lines.push(DiffLine {
            depth,
            tone: Tone::of(node.difference),
            name: format!("{} {name}", sign(node.difference)),
            gap: blanks,
            values,
            forces: node.forces_replacement,
            path: path.clone(),
        });
        if let Content::Parts { of, parts } = &node.content {
            level(parts, (noun_of(*of), &[]), unchanged || is_named(node), path, lines);
        }
        path.pop();
    }
    let hidden = nodes.len() - nodes.iter().filter(is_shown).count();
    if hidden > 0 {
        let words = format!("  {} hidden (u shows)", counted(hidden, &format!("unchanged {noun}")));
        lines.push(DiffLine { depth, path: path.clone(), ..DiffLine::words(Tone::Dim, &words) });
    }
}

const fn container(of: Container) -> &'static str {
    match of {
        Container::Map => "{ }",
        Container::List => "[ ]",
        Container::Set => "[ ] set",
        Container::Json => "JSON text",
    }
}

const fn noun_of(of: Container) -> &'static str {
    match of {
        Container::Map | Container::Json => "key",
        Container::List | Container::Set => "element",
    }
}

fn values(difference: Difference, before: Option<&Shown>, after: Option<&Shown>) -> Vec<(Tone, String)> {
    let one = |shown: &Shown| (value_tone(shown), value(shown));
    match (difference, before, after) {
        // Both are masked; that they differ is all there is to say.
        (Difference::Changed, Some(Shown::Sensitive), Some(Shown::Sensitive)) => {
            vec![(Tone::Dim, "(sensitive, changes)".into())]
        }
        (Difference::Same, before, after) => {
            after.or(before).map(|shown| vec![(Tone::Dim, value(shown))]).unwrap_or_default()
        }
        (_, Some(before), Some(after)) => vec![one(before), one(after)],
        (_, Some(shown), None) | (_, None, Some(shown)) => vec![one(shown)],
        (_, None, None) => Vec::new(),
    }
}

/// The attribute at `path`.
pub fn at<'a>(nodes: &'a [DiffNode], path: &[usize]) -> Option<&'a DiffNode> {
    let (first, rest) = path.split_first()?;
    let node = nodes.get(*first)?;
    match (&node.content, rest) {
        (_, []) => Some(node),
        (Content::Parts { parts, .. }, rest) => at(parts, rest),
        (Content::Value { .. }, _) => None,
    }
}

/// The name of the attribute at `path` with those it lies in: `endpoint[0].name`.
pub fn full_name(nodes: &[DiffNode], path: &[usize]) -> String {
    let mut name = String::new();
    for depth in 1..=path.len() {
        let Some(node) = at(nodes, &path[..depth]) else { break };
        if !name.is_empty() && !node.name.starts_with('[') && !node.name.is_empty() {
            name.push('.');
        }
        name.push_str(&node.name);
    }
    printable(&name)
}

/// One attribute whole: a long text with its line breaks, before and after.
pub fn whole(node: &DiffNode) -> Vec<(Tone, String)> {
    let mut text = Vec::new();
    if node.forces_replacement {
        text.push((Tone::Alarm, "forces replacement".into()));
    }
    match &node.content {
        Content::Value { before, after } => {
            let sides = [("before", before, Tone::Removed), ("after", after, Tone::Added)];
            for (word, shown, tone) in sides.into_iter().filter_map(|(w, s, t)| s.as_ref().map(|s| (w, s, t))) {
                let is_same = node.difference == Difference::Same;
                if is_same && word == "after" {
                    continue;
                }
                let (word, tone) = if is_same { ("stays", Tone::Plain) } else { (word, tone) };
                text.push((Tone::Dim, format!("{word}:")));
                match shown {
                    // Lines of a text stand as lines.
                    Shown::Value(serde_json::Value::String(value)) if value.contains('\n') => {
                        text.extend(value.lines().map(|line| (tone, format!("  {}", printable(line)))));
                    }
                    shown => text.push((tone, format!("  {}", value(shown)))),
                }
            }
        }
        Content::Parts { parts, .. } => {
            text.extend(lines(parts, true).iter().map(|line| (line.tone, line.text())));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fixture::provisioning::plan;

    fn drawn(nodes: &[DiffNode], unchanged: bool) -> String {
        lines(nodes, unchanged).iter().map(DiffLine::text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn only_what_changes_is_unfolded() {
        insta::assert_snapshot!("changes_only", drawn(&plan::account().attributes, false));
        insta::assert_snapshot!("unchanged_too", drawn(&plan::account().attributes, true));
    }

    #[test]
    fn what_is_asked_for_by_name_is_shown_though_it_stays() {
        let nodes = plan::account().attributes;
        let stays = nodes.iter().find(|node| node.difference == Difference::Same).expect("something stays");
        let hidden = |text: &str| text.lines().last().unwrap_or_default().trim().to_owned();
        let without = drawn(&nodes, false);
        assert!(!without.contains(&stays.name), "{without}");
        let lines = lines_and(&nodes, false, &[&stays.name]);
        let with = lines.iter().map(DiffLine::text).collect::<Vec<_>>().join("\n");
        assert!(with.contains(&stays.name) && hidden(&with) != hidden(&without), "{with}");
    }

    #[test]
    fn an_attribute_is_found_by_its_path_and_read_whole() {
        let nodes = plan::account().attributes;
        let lines = lines(&nodes, false);
        let of = |words: &str| lines.iter().find(|line| line.text().contains(words)).expect(words);
        assert_eq!(full_name(&nodes, &of("203.0.113.9").path), "network_rules[0].ip_rules[1]");
        let policy = at(&nodes, &of("description").path).expect("it is there");
        let text: Vec<String> = whole(policy).into_iter().map(|(_, text)| text).collect();
        assert_eq!(text, ["before:", "  first line", "  second line", "after:", "  first line", "  another  line"]);
        assert!(at(&nodes, &[0, 0]).is_none() && at(&nodes, &[999]).is_none() && at(&nodes, &[]).is_none());
    }

    #[test]
    fn control_characters_stay_out() {
        let node = DiffNode {
            name: "a\u{1b}[2Jb".into(),
            difference: Difference::Added,
            forces_replacement: false,
            content: Content::Value { before: None, after: Some(Shown::Value("x\u{1b}c\u{7f}".into())) },
        };
        let text = drawn(std::slice::from_ref(&node), false);
        assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
        assert!(whole(&node).iter().all(|(_, text)| !text.contains(|c: char| c.is_control())));
    }
}
