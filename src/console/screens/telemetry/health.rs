//! What is known of the sensors and of the quality of their values, in words.

use ratatui::style::Style;

use crate::console::screens::Context;
use crate::console::widgets::value::{age, count};
use crate::owner::{Lamp, agent_facts};
use crate::station::QcFlag;
use crate::station::text::printable;

/// A flag in a word or two.
pub const fn flag(flag: QcFlag) -> &'static str {
    match flag {
        QcFlag::Clipped => "clipped to its range",
        QcFlag::OutOfRange => "rejected: outside its physical range",
        QcFlag::NotFinite => "rejected: not a number",
        QcFlag::Derived => "derived",
        QcFlag::Implausible => "suspect: beyond what the station can see",
        QcFlag::Inconsistent => "suspect: contradicts another value",
        QcFlag::Step => "suspect: changed faster than it can",
        QcFlag::Frozen => "suspect: has stood still too long",
    }
}

/// How the sensors are: where readings come from, how many, what was rejected, what is wrong.
pub fn lines(ctx: &Context<'_>) -> Vec<(String, Style)> {
    let Some(agent) = ctx.snapshot.agent.as_deref() else { return Vec::new() };
    let source = &agent.source;
    if source.source.is_empty() {
        return Vec::new();
    }
    let mut parts = vec![format!("  sensors: {}", printable(&source.source))];
    parts.push(format!("{} readings", count(source.measured)));
    if let Some(at) = source.last_measured_at {
        parts.push(format!("last {} ago", age(at, ctx.pipeline_now())));
    }
    if agent.outbox.set_aside > 0 {
        parts.push(format!("{} values rejected and set aside", count(agent.outbox.set_aside)));
    }
    if source.source_ended {
        parts.push("ended".to_owned());
    }
    let mut lines = vec![(parts.join(" · "), ctx.theme.dim)];
    let ill = agent_facts(agent, ctx.pipeline_now())
        .into_iter()
        .filter(|fact| fact.label == "sensor" && fact.lamp > Lamp::Ok)
        .map(|fact| (format!("⚠ sensor {}", fact.text), ctx.theme.warn));
    lines.extend(ill);
    lines.extend(source.last_error.as_ref().map(|error| (format!("✖ {}", printable(error)), ctx.theme.fail)));
    lines
}
