//! What made the nowcast that is shown.

use crate::console::screens::Context;
use crate::console::widgets::value::{age, date_time, hour_minute};
use crate::owner::NowcastView;
use crate::station::text::printable;

/// The facts of a nowcast, a name and a text each.
pub fn facts(view: &NowcastView, ctx: &Context<'_>) -> Vec<(&'static str, String)> {
    let prediction = &view.prediction;
    let variables: Vec<&str> = prediction.forecasts.iter().map(|f| f.variable.label()).collect();
    let leads = prediction.forecasts.iter().flat_map(|f| &f.leads).map(|lead| lead.lead_minutes);
    let (first, last) = (leads.clone().min().unwrap_or(0), leads.max().unwrap_or(0));
    let verified = ctx.snapshot.verification.iter().map(|score| score.count).max().unwrap_or(0);
    vec![
        ("model", printable(&prediction.model_id)),
        ("device", printable(&prediction.device_id)),
        ("issued", date_time(prediction.measured_at, ctx.zone)),
        ("age", age(prediction.measured_at, ctx.pipeline_now())),
        ("leads", format!("{first} to {last} min")),
        ("variables", variables.join(", ")),
        ("verified", format!("{verified} nowcasts so far")),
    ]
}

/// The same in one line: `anomaly-persistence-1 · issued 16:00 (5 min ago) · 10 to 240 min ahead`.
pub fn line(view: &NowcastView, ctx: &Context<'_>) -> String {
    let prediction = &view.prediction;
    format!(
        "{} · issued {} ({} ago)",
        printable(&prediction.model_id),
        hour_minute(prediction.measured_at, ctx.zone),
        age(prediction.measured_at, ctx.pipeline_now()),
    )
}

/// What this nowcast doesn't say, in a line; absent where it says all.
pub fn absences(view: &NowcastView) -> Option<String> {
    let prediction = &view.prediction;
    let absent = [
        ("rain probability", prediction.rain_probability.is_none()),
        ("cloud probability", prediction.cloud_probability.is_empty()),
    ];
    let names: Vec<&str> = absent.iter().filter(|(_, is_absent)| *is_absent).map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| format!("not forecast: {} (this model makes none)", names.join(", ")))
}

/// The probabilities it does give, in a line.
pub fn probabilities(view: &NowcastView) -> Option<String> {
    let prediction = &view.prediction;
    let rain = prediction.rain_probability.map(|p| format!("rain within 4 h: {:.0} %", p * 100.0));
    let clouds: Vec<String> = prediction.cloud_probability.iter().map(|p| format!("{:.0} %", p * 100.0)).collect();
    let clouds = (!clouds.is_empty()).then(|| format!("mostly cloudy in 1, 2, … h: {}", clouds.join(", ")));
    let parts: Vec<String> = rain.into_iter().chain(clouds).collect();
    (!parts.is_empty()).then(|| parts.join("  "))
}
