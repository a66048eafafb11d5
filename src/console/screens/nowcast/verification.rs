//! How good forecasts have been: scores by variable and lead, and the skill against persistence as a small chart.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

use crate::console::Action;
use crate::console::export::{self, Exportable};
use crate::console::screens::{Context, Outcome};
use crate::console::widgets::chart::time_axis::TimeScale;
use crate::console::widgets::chart::{self, ChartData, Limit};
use crate::console::widgets::pane;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::{ABSENT, fit, width, wrap};
use crate::owner::{Point, Score};
use crate::station::Variable;
use crate::station::forecast::MAX_LEAD_MINUTES;

const COLUMNS: [Column; 9] = [
    Column::number("lead", 8),
    Column::number("verified", 8).gives_way(3),
    Column::number("MAE", 9),
    Column::number("RMSE", 9).gives_way(2),
    Column::number("bias", 9),
    Column::number("in 50 %", 7),
    Column::number("in 90 %", 7),
    Column::number("MAE of persistence", 18).gives_way(4),
    Column::number("skill", 7),
];
/// Columns of the scores' pane where the chart stands beside it.
const SCORES: u16 = 92;

/// The view's state.
#[derive(Debug, Default)]
pub struct Verification {
    /// The variable, by its place among those that have scores.
    variable: usize,
    row: Selection,
}

/// The variables that have scores, in the usual order.
fn variables(ctx: &Context<'_>) -> Vec<Variable> {
    let has_scores = |v: &Variable| ctx.snapshot.verification.iter().any(|score| score.variable == *v);
    Variable::ALL.into_iter().filter(has_scores).collect()
}

impl Verification {
    fn chosen(&self, ctx: &Context<'_>) -> Option<Variable> {
        let variables = variables(ctx);
        variables.get(self.variable.min(variables.len().saturating_sub(1))).copied()
    }

    /// The chosen variable's scores that pass the filter, by lead.
    fn scores<'a>(&self, ctx: &Context<'a>) -> Vec<&'a Score> {
        let chosen = self.chosen(ctx);
        let is_shown = |s: &&Score| Some(s.variable) == chosen && ctx.filter.matches(&lead_label(s.lead_minutes));
        let mut scores: Vec<&Score> = ctx.snapshot.verification.iter().filter(is_shown).collect();
        scores.sort_by_key(|score| score.lead_minutes);
        scores
    }

    /// Chooses a variable or a row.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        let count = variables(ctx).len().max(1);
        match action {
            Action::TimeForward | Action::FocusNext | Action::Right => self.variable = (self.variable + 1) % count,
            Action::TimeBack | Action::FocusPrevious | Action::Left => {
                self.variable = (self.variable + count - 1) % count;
            }
            _ => {
                let page = usize::from(ctx.area.height.saturating_sub(4));
                if !self.row.update(action, self.scores(ctx).len(), page) {
                    return Outcome::Ignored;
                }
            }
        }
        Outcome::done()
    }

    /// Draws table and chart.
    pub fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let Some(variable) = self.chosen(ctx) else {
            let inner = pane::render(buf, area, "Verification", true, ctx.theme);
            let text = "no forecast has been verified yet: the first scores come when its shortest lead has passed";
            for (y, line) in (inner.y..inner.bottom()).zip(wrap(text, usize::from(inner.width), 4)) {
                buf.set_stringn(inner.x, y, line, usize::from(inner.width), ctx.theme.dim);
            }
            return;
        };
        let [table_area, chart_area] = if area.width >= SCORES + 40 {
            Layout::horizontal([Constraint::Length(SCORES), Constraint::Min(0)]).areas(area)
        } else {
            let chart = if area.height >= 18 { (area.height / 3).min(12) } else { 0 };
            Layout::vertical([Constraint::Min(0), Constraint::Length(chart)]).areas(area)
        };
        self.render_table(buf, table_area, variable, ctx);
        if chart_area.height >= 3 {
            self.render_skill(buf, chart_area, variable, ctx);
        }
    }

    fn render_table(&self, buf: &mut Buffer, area: Rect, variable: Variable, ctx: &Context<'_>) {
        let names: Vec<String> =
            variables(ctx)
                .into_iter()
                .map(|v| {
                    if v == variable { format!("[{}, {}]", v.label(), ctx.units.unit(v)) } else { v.label().to_owned() }
                })
                .collect();
        let title = format!("Verification · {}", names.join(" "));
        let unit = format!("MAE, RMSE, bias in {}", ctx.units.unit(variable));
        let hidden = table::hidden(&COLUMNS, area.width.saturating_sub(2));
        let note = [Some(unit), hidden.clone()].into_iter().flatten().collect::<Vec<_>>().join(" · ");
        // The names of the others give way to what is hidden.
        let room = usize::from(area.width).saturating_sub(8 + hidden.as_deref().map_or(0, width));
        let short = format!("Verification · ◂ {}, {} ▸", variable.label(), ctx.units.unit(variable));
        let title = if width(&title) <= room { title } else { short };
        let inner = pane::render_with_note(buf, area, &title, &note, true, ctx.theme);
        let scores = self.scores(ctx);
        if scores.is_empty() {
            let room = usize::from(inner.width);
            if !inner.is_empty() {
                buf.set_stringn(inner.x, inner.y, fit("no lead passes the filter", room), room, ctx.theme.dim);
            }
            return;
        }
        let row = |i: usize| scores.get(i).map(|score| cells(score, ctx)).unwrap_or_default();
        table::render(buf, inner, &COLUMNS, scores.len(), row, Some(self.row), ctx.theme);
    }

    /// Skill by lead. Leads take the place of times: the axis starts at the epoch, and is lettered here.
    fn render_skill(&self, buf: &mut Buffer, area: Rect, variable: Variable, ctx: &Context<'_>) {
        let title = format!("Skill against persistence, % · {}", variable.label());
        let inner = pane::render(buf, area, &title, false, ctx.theme);
        if inner.height < 3 {
            return;
        }
        let points: Vec<Point> = self
            .scores(ctx)
            .iter()
            .filter_map(|score| Some((score.lead_minutes, score.skill? * 100.0)))
            .map(|(lead, skill)| Point { at: instant(lead), mean: skill, min: skill, max: skill })
            .collect();
        let limits = [Limit { value: 0.0, label: "persistence".to_owned() }];
        let plot = Rect { height: inner.height - 1, ..inner };
        let data = ChartData {
            points: &points,
            gap_s: 3600.0,
            time: TimeScale::new(Timestamp::UNIX_EPOCH, instant(MAX_LEAD_MINUTES)),
            zone: &TimeZone::UTC,
            unit: "%",
            decimals: 0,
            bounds: (f64::MIN, 100.0),
            limits: &limits,
            flags: &[],
            cursor: None,
            time_axis: false,
            gutter: GUTTER,
            series: variable.index(),
        };
        chart::render(buf, plot, &data, ctx.theme);
        letter_leads(buf, Rect { y: inner.bottom() - 1, height: 1, ..inner }, ctx);
    }

    /// The selected row in words.
    pub fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        let scores = self.scores(ctx);
        let score = scores.get(self.row.row.min(scores.len().saturating_sub(1)))?;
        let texts: Vec<String> = cells(score, ctx).into_iter().map(|cell| cell.text).collect();
        let pairs: Vec<String> = COLUMNS.iter().zip(texts).map(|(c, text)| format!("{} {text}", c.title)).collect();
        Some(format!("{} ({}): {}", score.variable.label(), ctx.units.unit(score.variable), pairs.join(", ")))
    }
}

/// Columns of the skill chart's value axis.
const GUTTER: u16 = 8;

fn instant(lead_minutes: u16) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(lead_minutes.into())
}

/// `+1 h` … `+4 h` beneath the plot.
fn letter_leads(buf: &mut Buffer, row: Rect, ctx: &Context<'_>) {
    let Some(last) = row.width.checked_sub(GUTTER + 1).filter(|last| *last > 24) else { return };
    for hours in 1..=MAX_LEAD_MINUTES / 60 {
        let text = format!("+{hours} h");
        let middle = u32::from(last) * u32::from(hours) * 60 / u32::from(MAX_LEAD_MINUTES);
        let middle = row.x + GUTTER + u16::try_from(middle).unwrap_or(0);
        let length = u16::try_from(width(&text)).unwrap_or(0);
        let x = middle.saturating_sub(length / 2).min(row.right() - length);
        buf.set_stringn(x, row.y, &text, usize::from(length), ctx.theme.axis);
    }
}

/// `+1 h 20 min`.
fn lead_label(minutes: u16) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours}:{minutes:02} h"),
    }
}

fn cells(score: &Score, ctx: &Context<'_>) -> Vec<Cell> {
    // One digit more than the variable is shown with: errors are smaller than values.
    let decimals = ctx.units.decimals(score.variable) + 1;
    let error = |value: f64| chart::scale::number(ctx.units.difference(score.variable, value), decimals);
    let share = |value: f64| format!("{:.0} %", value * 100.0);
    let skill = score.skill.map_or_else(
        || Cell::from(ABSENT),
        |skill| {
            let style = if skill < 0.0 { ctx.theme.warn } else { ctx.theme.ok };
            Cell::styled(format!("{:+.0} %", skill * 100.0), style)
        },
    );
    vec![
        lead_label(score.lead_minutes).into(),
        score.count.to_string().into(),
        error(score.mae).into(),
        error(score.rmse).into(),
        error(score.bias).into(),
        share(score.coverage_50).into(),
        share(score.coverage_90).into(),
        error(score.persistence_mae).into(),
        skill,
    ]
}

/// Every score, as a table.
pub fn table(ctx: &Context<'_>) -> Exportable {
    use export::Cell::{Absent, Integer, Number, Text};
    let columns = [
        "variable",
        "unit",
        "lead min",
        "verified",
        "MAE",
        "RMSE",
        "bias",
        "coverage of 50 % band",
        "coverage of 90 % band",
        "MAE of persistence",
        "skill",
    ];
    let row = |score: &Score| {
        vec![
            Text(score.variable.key().to_owned()),
            Text(score.variable.unit().to_owned()),
            Integer(score.lead_minutes.into()),
            i64::try_from(score.count).map_or(Absent, Integer),
            Number(score.mae),
            Number(score.rmse),
            Number(score.bias),
            Number(score.coverage_50),
            Number(score.coverage_90),
            Number(score.persistence_mae),
            score.skill.map_or(Absent, Number),
        ]
    };
    Exportable::Table(export::Table {
        name: "verification".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: ctx.snapshot.verification.iter().map(row).collect(),
    })
}
