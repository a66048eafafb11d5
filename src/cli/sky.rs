//! `skydeck sky`: the cloud rules against photographs with masks.

use std::path::Path;

use serde_json::{Value, json};

use super::args::{Method, Sky};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::Paint;
use super::table::{Align, table};
use crate::owner::sky::{EvaluateError, Evaluation, OwnCamera, Rule, Score, evaluate, overall};
use crate::station::text::printable;

/// Carries out one of the commands.
pub fn run(context: &Context, command: Sky) -> Result<Exit, Failure> {
    match command {
        Sky::Evaluate { folder, method, as_camera } => evaluated(context, &folder, &method, as_camera),
    }
}

fn evaluated(context: &Context, folder: &Path, methods: &[Method], as_camera: bool) -> Result<Exit, Failure> {
    let failed = |error: EvaluateError| {
        let exit = if matches!(error, EvaluateError::NoFolder(_)) { Exit::NotFound } else { Exit::Failed };
        Failure::new(exit, error)
    };
    let settings = &context.loaded.settings;
    let camera = as_camera.then(|| OwnCamera::of(&settings.station, &settings.sky)).transpose().map_err(failed)?;
    let evaluation = evaluate(folder, camera.as_ref()).map_err(failed)?;
    let mut rules: Vec<Rule> = methods.iter().map(|method| Rule::from(*method)).collect();
    if rules.is_empty() {
        rules = Rule::ALL.to_vec();
    }
    let chosen = Rule::from(settings.sky.cloud_rule);
    if context.output.json {
        context.output.json_page(&as_json(folder, &evaluation, &rules, chosen, as_camera))?;
    } else {
        for skipped in &evaluation.skipped {
            let label = context.output.paint(Paint::Warn, "skipped");
            context.output.line(&format!("{label}  {}: {}", skipped.file, skipped.reason))?;
        }
        context.output.text(&as_text(&evaluation, &rules, chosen))?;
    }
    if evaluation.pictures.is_empty() {
        let words = format!(
            "{}: none of its photographs could be judged{}; put NAME.jpg and NAME_mask.png into it",
            folder.display(),
            passed_over(&evaluation)
        );
        return Err(Failure::new(Exit::Failed, words));
    }
    Ok(Exit::Done)
}

fn as_text(evaluation: &Evaluation, rules: &[Rule], chosen: Rule) -> String {
    if evaluation.pictures.is_empty() {
        return String::new();
    }
    let figures = |score: &Score| {
        let f1 = score.f1.map_or_else(|| "-".to_owned(), |f1| format!("{f1:.3}"));
        vec![
            format!("{:.3}", score.accuracy),
            f1,
            format!("{:.3}", score.cover_error),
            format!("{:+.3}", score.cover_bias),
        ]
    };
    let scored =
        [("accuracy", Align::Right), ("F1", Align::Right), ("cover error", Align::Right), ("bias", Align::Right)];
    let all = rules.iter().filter_map(|rule| {
        let score = overall(*rule, evaluation.pictures.iter().map(|picture| &picture.score))?;
        let mark = if *rule == chosen { " *" } else { "" };
        Some([vec![format!("{}{mark}", rule.key())], figures(&score)].concat())
    });
    let all = table(&[&[("rule", Align::Left)][..], &scored].concat(), &all.collect::<Vec<_>>());
    let single = evaluation.pictures.iter().flat_map(|picture| {
        rules.iter().filter_map(move |rule| {
            let score = picture.score.score(*rule)?;
            let head = vec![picture.file.clone(), format!("{:.3}", picture.score.cover), rule.key().to_owned()];
            Some([head, figures(&score)].concat())
        })
    });
    let head = [("picture", Align::Left), ("cover", Align::Right), ("rule", Align::Left)];
    let single = table(&[&head[..], &scored].concat(), &single.collect::<Vec<_>>());
    let notes = evaluation.pictures.iter().filter_map(|picture| Some((&picture.file, picture.note.as_ref()?)));
    let notes: String = notes.map(|(file, note)| format!("{file}: {note}\n")).collect();
    let count = evaluation.pictures.len();
    let s = if count == 1 { "" } else { "s" };
    let star = if rules.contains(&chosen) { "* gives the cover, by sky.cloud_rule\n" } else { "" };
    format!(
        "{count} picture{s}, {} skipped{}\n{notes}\n{all}{star}\n{single}",
        evaluation.skipped.len(),
        passed_over(evaluation)
    )
}

/// Files of other kinds, counted: a photograph in a format that isn't read is among them.
fn passed_over(evaluation: &Evaluation) -> String {
    match evaluation.passed_over {
        0 => String::new(),
        1 => ", 1 other file passed over (neither .jpg nor .png)".to_owned(),
        count => format!(", {count} other files passed over (neither .jpg nor .png)"),
    }
}

fn as_json(folder: &Path, evaluation: &Evaluation, rules: &[Rule], chosen: Rule, as_camera: bool) -> Value {
    let named = |rule: Rule, score: Score| {
        let mut value = json!(score);
        value["rule"] = json!(rule.key());
        value
    };
    let all = rules.iter().filter_map(|rule| {
        Some(named(*rule, overall(*rule, evaluation.pictures.iter().map(|picture| &picture.score))?))
    });
    let pictures = evaluation.pictures.iter().map(|picture| {
        let single = rules.iter().filter_map(|rule| Some(named(*rule, picture.score.score(*rule)?)));
        let mut value =
            json!({ "file": picture.file, "cover": picture.score.cover, "rules": single.collect::<Vec<_>>() });
        if let Some(note) = &picture.note {
            value["note"] = json!(note);
        }
        value
    });
    let skipped = evaluation.skipped.iter().map(|skipped| json!({ "file": skipped.file, "reason": skipped.reason }));
    json!({
        "folder": printable(&folder.display().to_string()),
        "asCamera": as_camera,
        "cloudRule": chosen.key(),
        "rules": all.collect::<Vec<_>>(),
        "pictures": pictures.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
        "passedOver": evaluation.passed_over,
    })
}
