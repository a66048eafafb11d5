//! What differs within a resource, as indented lines with the signs in colour.

use crate::cli::output::{Output, Paint};
use crate::owner::{DiffNode, Difference, difference_lines};

/// Blanks a level is indented by.
const STEP: usize = 2;

/// The lines of `nodes`, indented by `indent` blanks; what stays as it is is counted.
pub fn lines(nodes: &[DiffNode], indent: usize, output: Output) -> String {
    let mut text = String::new();
    for line in difference_lines(nodes, usize::MAX, false) {
        let paint = match line.difference {
            Difference::Added => Paint::Ok,
            Difference::Removed => Paint::Fail,
            Difference::Changed => Paint::Warn,
            Difference::Same => Paint::Dim,
        };
        let blanks = " ".repeat(indent + line.depth * STEP);
        let words = match line.difference {
            Difference::Same => format!("  {}", output.paint(paint, &line.text)),
            difference => format!("{} {}", output.paint(paint, difference.sign()), line.text),
        };
        text.push_str(&format!("{blanks}{words}\n"));
    }
    text
}
