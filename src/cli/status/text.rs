//! The sections as text for people. What is absent is `-`, and a variable without a sensor says so.

use jiff::Timestamp;

use super::content::{Body, Content, Devices, Loads, Measured, Nowcast, Telemetry};
use crate::cli::headless::{lamp_word, severity_word};
use crate::cli::output::{Output, Paint};
use crate::cli::plans;
use crate::cli::table::{Align, table};
use crate::cli::words::{fact_lines, logs_text, paint, seconds};
use crate::clock::ClockReading;
use crate::owner::{
    Alarm, Device, HubDevice, Lamp, LoadedFile, Pipe, Score, Severity, Snapshot, WarehouseView, agent_facts,
    machine_facts,
};
use crate::station::text::{printable, signed, thousands};
use crate::station::{Machine, Prediction, Variable};

use Align::{Left, Right};

/// Leads of a nowcast that are shown as text, minutes; JSON has every one.
const LEADS: [u16; 6] = [10, 30, 60, 120, 180, 240];

/// The content under its head line. Ends in a line break.
pub fn render(content: &Content, output: Output) -> String {
    let now = content.clock.now();
    let body = match &content.body {
        Body::Overview { snapshot } => overview(snapshot, output),
        Body::Telemetry(telemetry) => telemetry_text(telemetry),
        Body::Plans { plans } => plans::status_text(plans, &content.environment, content.taken_at, output),
        Body::Sky(sky) => super::sky::text(sky),
        Body::Loads(loads) => loads_text(loads, now),
        Body::Nowcast(nowcast) => nowcast_text(nowcast),
        Body::Devices(devices) => devices_text(devices, output, (now, content.taken_at)),
        Body::Logs { lines } => logs_text(lines, output),
        Body::Alarms { alarms } => alarms_text(alarms, output),
    };
    format!("{}\n{body}", head(content, output))
}

fn head(content: &Content, output: Output) -> String {
    let health =
        if content.healthy { output.paint(Paint::Ok, "healthy") } else { output.paint(Paint::Fail, "unhealthy") };
    let clock = match content.clock {
        ClockReading::Wall { now } => minute(now),
        ClockReading::Replay { now, speed, ended, .. } => {
            let end = if ended { " ENDED" } else { "" };
            format!("REPLAY {} x{speed}{end}", minute(now))
        }
    };
    format!("{}  {health}  {clock}", output.paint(Paint::Bold, &content.environment.as_str().to_uppercase()))
}

fn overview(snapshot: &Snapshot, output: Output) -> String {
    let mut text = String::new();
    let rows: Vec<_> = snapshot
        .stages
        .iter()
        .map(|stage| {
            vec![
                stage.name.label().to_owned(),
                lamp_word(stage.lamp).to_owned(),
                printable(&stage.headline),
                printable(&stage.detail),
                stage.lag_s.map_or_else(dash, seconds),
                stage.rate_per_s.map_or_else(dash, |rate| format!("{rate:.1}/s")),
            ]
        })
        .collect();
    let columns = [("stage", Left), ("lamp", Left), ("state", Left), ("detail", Left), ("lag", Right), ("rate", Right)];
    let stages = table(&columns, &rows);
    let lamps = std::iter::once(None).chain(snapshot.stages.iter().map(|stage| Some(stage.lamp)));
    for (line, lamp) in stages.lines().zip(lamps) {
        text.push_str(&lamp.map_or_else(|| line.to_owned(), |lamp| output.paint(paint(lamp), line)));
        text.push('\n');
    }
    for stage in snapshot.stages.iter().filter(|stage| stage.lamp > Lamp::Ok) {
        if let Some(error) = &stage.last_error {
            text.push_str(&format!("{}: {}\n", stage.name.label(), printable(error)));
        }
    }
    text.push('\n');
    text.push_str(&weather(snapshot));
    text.push('\n');
    text.push_str(&alarms_text(&snapshot.alarms, output));
    text
}

fn weather(snapshot: &Snapshot) -> String {
    let Some(measurement) = &snapshot.now.measurement else {
        return "no measurement yet\n".to_owned();
    };
    let values: Vec<_> = Variable::ALL
        .into_iter()
        .filter_map(|variable| measurement.get(variable).map(|value| with_unit(variable, value)))
        .collect();
    let mut of = printable(&snapshot.station.name);
    if snapshot.devices.len() > 1 {
        of.push_str(&format!(", {}", printable(&measurement.device_id)));
    }
    format!("{of} at {}: {}\n", minute(measurement.measured_at), values.join(", "))
}

fn telemetry_text(telemetry: &Telemetry) -> String {
    let row = |measured: &Measured| {
        let decimals = measured.variable.decimals();
        let figure = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.decimals$}"));
        let value = match (measured.value, measured.max_24h) {
            (None, None) => "no sensor".to_owned(),
            (value, _) => figure(value),
        };
        let tendency = measured.tendency_per_h.map_or_else(dash, |change| signed(change, decimals) + "/h");
        let name = measured.variable.label().to_owned();
        let extreme = |value: f64, at: Timestamp| format!("{value:.decimals$} at {}", at.strftime("%H:%MZ"));
        let today = measured
            .today
            .map_or_else(dash, |day| format!("{} to {}", extreme(day.min, day.min_at), extreme(day.max, day.max_at)));
        let flag = measured.flag.and_then(|flag| serde_json::to_value(flag).ok()?.as_str().map(str::to_owned));
        let range = [figure(measured.min_24h), figure(measured.max_24h)];
        let row = [name, value, measured.unit.to_owned(), tendency].into_iter().chain(range);
        row.chain([today, flag.unwrap_or_else(dash)]).collect()
    };
    let columns = [
        ("variable", Left),
        ("now", Right),
        ("unit", Left),
        ("tendency", Right),
        ("min 24 h", Right),
        ("max 24 h", Right),
        ("today", Left),
        ("flag", Left),
    ];
    let mut text = table(&columns, &telemetry.variables.iter().map(row).collect::<Vec<_>>());
    let station = &telemetry.station;
    text.push_str(&format!(
        "\n{}: {:.3}° N, {:.3}° E, {:.0} m; ",
        printable(&station.name),
        station.latitude_deg,
        station.longitude_deg,
        station.altitude_m
    ));
    text.push_str(&match telemetry.measured_at {
        Some(at) => format!("measured {}, {} since the owner started\n", minute(at), telemetry.received),
        None => "no measurement yet\n".to_owned(),
    });
    if let Some(pressure) = telemetry.sea_level_pressure_hpa {
        text.push_str(&format!("pressure at mean sea level {pressure:.1} hPa\n"));
    }
    if let Some(elevation) = telemetry.sun_elevation_deg {
        let side = if elevation < 0.0 { "below" } else { "above" };
        text.push_str(&format!("sun {:.1}° {side} the horizon\n", elevation.abs()));
    }
    text
}

fn loads_text(loads: &Loads, now: Timestamp) -> String {
    let ago = |at: Option<Timestamp>| at.map_or_else(dash, |at| age(now, at));
    // What isn't known is no zero.
    let known = |is_known: bool, count: u64| if is_known { count.to_string() } else { dash() };
    let pipe = |pipe: &Pipe| {
        let watch = pipe.watch.as_deref();
        let has_files = watch.is_none_or(|watch| watch.files_known);
        vec![
            printable(&pipe.name),
            printable(&pipe.state),
            known(watch.is_none_or(|watch| watch.status_trouble.is_none()), pipe.pending_files),
            ago(pipe.oldest_pending_at),
            ago(pipe.last_loaded_at),
            known(watch.is_none_or(|watch| watch.rows_known), pipe.rows),
            known(has_files, pipe.files_loaded),
            known(has_files, pipe.files_failed),
            known(watch.is_none_or(|watch| watch.duplicates_known), pipe.duplicates),
        ]
    };
    let columns = [
        ("pipe", Left),
        ("state", Left),
        ("pending", Right),
        ("oldest", Right),
        ("loaded", Right),
        ("rows", Right),
        ("files", Right),
        ("failed", Right),
        ("again", Right),
    ];
    let mut text = table(&columns, &loads.pipes.iter().map(pipe).collect::<Vec<_>>());
    for pipe in &loads.pipes {
        // Whatever is wrong with a watched pipe, in the order in which it is to be looked at.
        let findings = pipe.watch.as_ref().map_or(&[][..], |watch| watch.findings.as_slice());
        for finding in findings {
            text.push_str(&format!("{}: {}\n", printable(&pipe.name), printable(finding)));
        }
        if let Some(error) = pipe.last_error.as_ref().filter(|error| !findings.contains(error)) {
            text.push_str(&format!("{}: {}\n", printable(&pipe.name), printable(error)));
        }
    }
    text.push_str(
        &loads
            .warehouse
            .as_ref()
            .map_or_else(|| queue_text(loads, now), |warehouse| watched_text(loads, warehouse, now)),
    );
    if let Some(storage) = &loads.storage {
        text.push_str(&crate::cli::storage::text(storage, now));
        text.push('\n');
    }
    let file = |file: &LoadedFile| {
        let place = file.first_error_line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let error = file.first_error.as_deref().map(|error| format!("{place}{}", printable(error)));
        vec![
            minute(file.loaded_at),
            printable(&file.status),
            file.rows_loaded.to_string(),
            file.bytes.to_string(),
            printable(&file.file),
            error.unwrap_or_default(),
        ]
    };
    let columns =
        [("time", Left), ("status", Left), ("rows", Right), ("bytes", Right), ("file", Left), ("error", Left)];
    text.push_str(&table(&columns, &loads.files.iter().map(file).collect::<Vec<_>>()));
    text
}

/// The notice queue and the latency of an environment that runs here.
fn queue_text(loads: &Loads, now: Timestamp) -> String {
    let notices = &loads.notices;
    let oldest = notices.oldest_at.map_or_else(dash, |at| age(now, at));
    let mut queue = format!("\nnotices: {} waiting, oldest {oldest}, {} set aside\n", notices.depth, notices.set_aside);
    if loads.storage.is_some() {
        // The storage has them.
        queue = "\n".to_owned();
    }
    format!("{queue}{}\n", latency_text(loads))
}

fn latency_text(loads: &Loads) -> String {
    match median(&loads.roof_to_table_s) {
        Some(latency) => format!("roof to table: {} (median of {})\n", seconds(latency), loads.roof_to_table_s.len()),
        None => "roof to table: not seen yet\n".to_owned(),
    }
}

/// What watching a warehouse costs, and how old what is known of files and rows is.
fn watched_text(loads: &Loads, warehouse: &WarehouseView, now: Timestamp) -> String {
    let stale = warehouse.asked_at.filter(|_| warehouse.is_stale);
    let stale = stale.map(|at| format!("\npipes as of {} ago", age(now, at)));
    let told = [&warehouse.trouble, &warehouse.rows_trouble].into_iter().flatten();
    let trouble: String = stale.into_iter().chain(told.map(|words| format!("\n{}", printable(words)))).collect();
    let woke = warehouse.woke_at.map_or_else(|| "not asked for yet".to_owned(), |at| format!("{} old", age(now, at)));
    let credits = warehouse.credits_today.map_or_else(dash, |credits| format!("{credits:.2}"));
    format!(
        "{trouble}\nfiles and rows: {woke}; today {} of {} wakes, {credits} of {} credits{}\n{}\n",
        warehouse.wakes_today,
        warehouse.wakes_per_day,
        warehouse.credits_per_day,
        if warehouse.spent { ", spent" } else { "" },
        latency_text(loads)
    )
}

fn nowcast_text(nowcast: &Nowcast) -> String {
    let mut text = match &nowcast.nowcast {
        None => "no nowcast yet: the first comes with enough history\n".to_owned(),
        Some(prediction) => prediction_text(prediction),
    };
    text.push('\n');
    if nowcast.verification.is_empty() {
        text.push_str("nothing verified yet: a forecast is verified when its valid time has come\n");
        return text;
    }
    let score = |score: &Score| {
        let decimals = score.variable.decimals() + 1;
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        vec![
            score.variable.label().to_owned(),
            format!("{} min", score.lead_minutes),
            score.count.to_string(),
            format!("{:.decimals$} {}", score.mae, score.variable.unit()),
            format!("{:.decimals$}", score.rmse),
            format!("{:+.decimals$}", score.bias),
            percent(score.coverage_50),
            percent(score.coverage_90),
            score.skill.map_or_else(dash, |skill| format!("{:+.0} %", skill * 100.0)),
        ]
    };
    let columns = [
        ("verified", Left),
        ("lead", Right),
        ("count", Right),
        ("MAE", Right),
        ("RMSE", Right),
        ("bias", Right),
        ("in 50 %", Right),
        ("in 90 %", Right),
        ("skill", Right),
    ];
    let shown = nowcast.verification.iter().filter(|score| LEADS.contains(&score.lead_minutes));
    text.push_str(&table(&columns, &shown.map(score).collect::<Vec<_>>()));
    text
}

fn prediction_text(prediction: &Prediction) -> String {
    let mut rows = Vec::new();
    for forecast in &prediction.forecasts {
        for lead in LEADS.into_iter().filter_map(|lead| forecast.at(lead)) {
            let decimals = forecast.variable.decimals();
            let figure = |value: f64| format!("{value:.decimals$}");
            let q = &lead.quantiles;
            rows.push(vec![
                forecast.variable.label().to_owned(),
                format!("{} min", lead.lead_minutes),
                format!("{} {}", figure(q.q50), forecast.variable.unit()),
                format!("{} to {}", figure(q.q25), figure(q.q75)),
                format!("{} to {}", figure(q.q05), figure(q.q95)),
            ]);
        }
    }
    let columns = [("forecast", Left), ("lead", Right), ("median", Right), ("50 % band", Right), ("90 % band", Right)];
    let mut text = format!("{} issued {}\n", printable(&prediction.model_id), minute(prediction.measured_at));
    text.push_str(&table(&columns, &rows));
    if let Some(probability) = prediction.rain_probability {
        text.push_str(&format!("rain within 4 h: {:.0} %\n", probability * 100.0));
    }
    text
}

fn devices_text(devices: &Devices, output: Output, (now, taken_at): (Timestamp, Timestamp)) -> String {
    let row = |device: &Device| {
        let registered = devices.registered.iter().find(|known| known.device_id == device.id);
        vec![
            printable(&device.id),
            registered.map_or_else(dash, |known| printable(&known.status)),
            if device.connected { "connected" } else { "not connected" }.to_owned(),
            registered.and_then(|known| known.connection_state_updated_time).map_or_else(dash, |at| age(now, at)),
            device.last_seen_at.map_or_else(dash, |at| age(now, at)),
            registered.map_or_else(dash, |known| printable(known.proof())),
            outbox_words(device),
            device.set_aside.to_string(),
            device.model_id.as_deref().map_or_else(dash, printable),
            printable(&device.source) + if device.source_ended { " (ended)" } else { "" },
        ]
    };
    let is_silent = |known: &&HubDevice| !devices.devices.iter().any(|device| device.id == known.device_id);
    let silent = |known: &HubDevice| {
        let link = if known.is_connected() { "connected" } else { "not connected" };
        let mut cells = vec![
            printable(&known.device_id),
            printable(&known.status),
            link.to_owned(),
            known.connection_state_updated_time.map_or_else(dash, |at| age(now, at)),
            known.last_activity_time.map_or_else(dash, |at| age(now, at)),
            printable(known.proof()),
        ];
        cells.extend([dash(), dash(), dash(), dash()]);
        cells
    };
    let heard = devices.devices.iter().map(row);
    let rows: Vec<_> = heard.chain(devices.registered.iter().filter(is_silent).map(silent)).collect();
    let columns = [
        ("device", Left),
        ("status", Left),
        ("link", Left),
        ("since", Right),
        ("seen", Right),
        ("shows", Left),
        ("outbox", Right),
        ("set aside", Right),
        ("model", Left),
        ("source", Left),
    ];
    let mut text = table(&columns, &rows);
    for device in &devices.devices {
        if let Some(error) = &device.last_error {
            text.push_str(&format!("{}: {}\n", printable(&device.id), printable(error)));
        }
    }
    for fault in devices.hub_faults.words() {
        text.push_str(&output.paint(Paint::Warn, &format!("on purpose, the hub {fault}")));
        text.push('\n');
    }
    for rivalled in &devices.rivals {
        let words = format!("{}: two devices have this identity", printable(rivalled));
        text.push_str(&output.paint(Paint::Fail, &words));
        text.push('\n');
    }
    if let Some(agent) = &devices.agent {
        text.push_str(&format!("\n{}\n", printable(&agent.device_id)));
        text.push_str(&fact_lines(&agent_facts(agent, taken_at), output));
    }
    for (id, machine) in machines(devices) {
        text.push_str(&format!("\nmachine of {}\n{}", printable(id), fact_lines(&machine_facts(machine), output)));
    }
    if let Some(twin) = &devices.twin {
        text.push_str("\ntwin of ");
        text.push_str(&crate::cli::hub::twin_text(twin, output));
    }
    text
}

/// What machines are known: the own agent's as it is now, any other's as its newest message has it.
fn machines(devices: &Devices) -> Vec<(&str, &Machine)> {
    let own = devices.agent.as_deref();
    let of_own = own.and_then(|agent| Some((agent.device_id.as_str(), agent.machine.as_ref()?)));
    let others = devices.devices.iter().filter(|device| own.is_none_or(|agent| agent.device_id != device.id));
    let of_others = others.filter_map(|device| Some((device.id.as_str(), device.health.as_ref()?.machine.as_deref()?)));
    of_own.into_iter().chain(of_others).collect()
}

/// How full an outbox is; only the station's own is known.
fn outbox_words(device: &Device) -> String {
    if device.outbox_max_rows == 0 {
        return dash();
    }
    let given_up =
        if device.outbox_given_up > 0 { format!(", {} given up", device.outbox_given_up) } else { String::new() };
    format!("{} of {}{given_up}", thousands(device.outbox_rows), thousands(device.outbox_max_rows))
}

fn alarms_text(alarms: &[Alarm], output: Output) -> String {
    if alarms.is_empty() {
        return "no alarm is raised\n".to_owned();
    }
    let line = |alarm: &Alarm| {
        let severity = format!("{:<8}", severity_word(alarm.severity));
        let severity = match alarm.severity {
            Severity::Warn => output.paint(Paint::Warn, &severity),
            Severity::Critical => output.paint(Paint::Fail, &severity),
        };
        let acknowledged =
            alarm.acknowledged_at.map(|at| format!(" (acknowledged {})", minute(at))).unwrap_or_default();
        let rule = printable(&alarm.rule);
        format!("{}  {severity}  {rule}  {}{acknowledged}\n", minute(alarm.raised_at), printable(&alarm.message))
    };
    alarms.iter().map(line).collect()
}

pub(super) fn dash() -> String {
    "-".to_owned()
}

fn with_unit(variable: Variable, value: f64) -> String {
    let decimals = variable.decimals();
    format!("{} {value:.decimals$} {}", variable.label(), variable.unit())
}

/// An instant to the minute, UTC.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// Time since `at`, of pipeline time; what lies ahead of the clock is `0 s` old.
fn age(now: Timestamp, at: Timestamp) -> String {
    seconds(now.duration_since(at).as_secs_f64().max(0.0))
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::super::{content, fixture};
    use super::*;
    use crate::cli::args::Section;

    async fn text(section: Section) -> String {
        let client = fixture::client();
        let snapshot = client.snapshots().borrow().clone();
        let content = content::gather(&client, &snapshot, section).await.expect("answers");
        render(&content, Output { json: false, color: false })
    }

    #[tokio::test]
    async fn every_section_reads_well() {
        for (name, section) in [
            ("overview", Section::Overview),
            ("telemetry", Section::Telemetry),
            ("plans", Section::Plans),
            ("sky", Section::Sky),
            ("loads", Section::Loads),
            ("nowcast", Section::Nowcast),
            ("devices", Section::Devices),
            ("logs", Section::Logs),
            ("alarms", Section::Alarms),
        ] {
            insta::assert_snapshot!(format!("status_{name}"), text(section).await);
        }
    }

    #[tokio::test]
    async fn every_section_is_json_with_its_name_and_head() {
        let client = fixture::client();
        let snapshot = client.snapshots().borrow().clone();
        for section in [Section::Overview, Section::Telemetry, Section::Loads, Section::Nowcast, Section::Logs] {
            let content = content::gather(&client, &snapshot, section).await.expect("answers");
            let json = serde_json::to_value(&content).expect("JSON");
            assert_eq!(json["section"], format!("{section:?}").to_lowercase());
            assert_eq!(json["healthy"], false);
            assert_eq!(json["clock"]["mode"], "replay");
        }
    }
}
