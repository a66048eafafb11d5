//! Runs, changes, log, state and outputs as tables for files; the plan as a report.

use jiff::Timestamp;

use super::{Plans, listing, words};
use crate::console::export::{Cell, Exportable, PlanReport, Table};
use crate::console::screens::Context;
use crate::owner::{EnvironmentStatus, Phase, PlanList, Progress, Run, RunSummary};

use Cell::{Absent, Integer, Number, Text, Time};

fn table(name: &str, columns: &[&str], rows: Vec<Vec<Cell>>) -> Exportable {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    Exportable::Table(Table { name: name.to_owned(), columns, rows })
}

fn time(at: Option<Timestamp>) -> Cell {
    at.map_or(Absent, Time)
}

/// What is shown; what there is none of is left out.
pub fn all(screen: &Plans, ctx: &Context<'_>) -> Vec<Exportable> {
    let mut all = Vec::new();
    if let Some(open) = &screen.listing {
        let (resources, outputs) = open.state(ctx);
        if !resources.is_empty() {
            let row = |of: &&crate::owner::StateResource| {
                let id = of.id.clone().map_or(Absent, Text);
                vec![Text(of.address.clone()), Text(of.kind.clone()), id]
            };
            all.push(table("state", &["address", "type", "id"], resources.iter().map(row).collect()));
        }
        if !outputs.is_empty() {
            let row = |of: &&crate::owner::OutputValue| {
                vec![Text(of.name.clone()), Text(listing::value(of)), Integer(of.value.is_none().into())]
            };
            all.push(table("outputs", &["output", "value", "sensitive"], outputs.iter().map(row).collect()));
        }
        return all;
    }
    if let Some(run) = screen.shown_run(ctx) {
        all.extend(screen.held.whole().map(|(run, plan)| Exportable::Plan(PlanReport::of(run, plan))));
        let places = screen.held.rows(ctx.filter);
        let rows: Vec<_> = places.changes().filter_map(|(list, index)| change(screen, run, list, index)).collect();
        let columns = [
            "run",
            "environment",
            "emulated",
            "action",
            "address",
            "module",
            "type",
            "why",
            "progress",
            "seconds",
            "error",
        ];
        if !rows.is_empty() {
            all.push(table("changes", &columns, rows));
        }
    }
    let runs: Vec<_> = ctx.snapshot.provisioning.environments.iter().flat_map(runs).collect();
    if !runs.is_empty() {
        let columns = [
            "environment",
            "emulated",
            "run",
            "operation",
            "phase",
            "create",
            "update",
            "replace",
            "destroy",
            "import",
            "forget",
            "move",
            "read",
            "drifted",
            "done",
            "asked at",
            "planned at",
            "ended at",
            "took seconds",
        ];
        all.push(table("runs", &columns, runs));
    }
    let lines: Vec<_> = screen
        .log
        .shown(ctx)
        .into_iter()
        .map(|line| {
            let level = format!("{:?}", line.level).to_lowercase();
            let number = i64::try_from(line.number).unwrap_or(i64::MAX);
            vec![Integer(number), Time(line.at), Text(phase(line.phase)), Text(level), Text(line.text.clone())]
        })
        .collect();
    if !lines.is_empty() {
        all.push(table("run-log", &["line", "at", "phase", "level", "text"], lines));
    }
    all
}

fn phase(phase: Phase) -> String {
    phase.label().to_owned()
}

fn emulated(is: bool) -> Cell {
    Text(if is { "EMULATED" } else { "" }.to_owned())
}

fn change(screen: &Plans, run: &Run, list: PlanList, index: usize) -> Option<Vec<Cell>> {
    let of = words::listed(screen.held.plan(), list).get(index)?;
    let drifted = list == PlanList::Drift;
    let (word, seconds, error) = match screen.held.progress(&of.address) {
        None | Some(Progress::Pending) => ("pending", Absent, Absent),
        Some(Progress::Running { .. }) => ("running", Absent, Absent),
        Some(Progress::Done { took_s }) => ("done", Number(*took_s), Absent),
        Some(Progress::Failed { error }) => ("failed", Absent, Text(error.clone())),
        Some(Progress::Skipped) => ("not begun", Absent, Absent),
    };
    let action = if drifted { "drifted" } else { of.action.label() };
    let why = words::why(of, list);
    Some(vec![
        Integer(run.number.into()),
        Text(run.environment.to_string()),
        emulated(run.emulated),
        Text(action.to_owned()),
        Text(of.address.clone()),
        Text(of.module.clone()),
        Text(of.kind.clone()),
        if why.is_empty() { Absent } else { Text(why) },
        if drifted { Absent } else { Text(word.to_owned()) },
        seconds,
        error,
    ])
}

fn runs(of: &EnvironmentStatus) -> impl Iterator<Item = Vec<Cell>> {
    of.runs.iter().map(|run: &RunSummary| {
        let count = |n: fn(&crate::owner::ChangeCounts) -> u32| {
            run.counts.as_ref().map_or(Absent, |counts| Integer(n(counts).into()))
        };
        vec![
            Text(of.environment.to_string()),
            emulated(of.emulated),
            Integer(run.number.into()),
            Text(run.operation.label().to_owned()),
            Text(phase(run.phase)),
            count(|counts| counts.create),
            count(|counts| counts.update),
            count(|counts| counts.replace),
            count(|counts| counts.delete),
            count(|counts| counts.import),
            count(|counts| counts.forget),
            count(|counts| counts.moved),
            count(|counts| counts.read),
            Integer(run.drift.into()),
            Integer(run.done.into()),
            Time(run.asked_at),
            time(run.planned_at),
            time(run.ended_at),
            Number(run.took_s),
        ]
    })
}
