//! Everything an operator can do: the one table that keys, mouse, palette, help, keymap file and tests speak.

use serde::{Deserialize, Serialize};

use super::screens::ScreenName;

/// One thing an operator can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Go to screen 1.
    GotoOverview,
    /// Go to screen 2.
    GotoPlans,
    /// Go to screen 3.
    GotoTelemetry,
    /// Go to screen 4.
    GotoSky,
    /// Go to screen 5.
    GotoLoads,
    /// Go to screen 6.
    GotoNowcast,
    /// Go to screen 7.
    GotoDevices,
    /// Go to screen 8.
    GotoLogs,
    /// Focus the next pane.
    FocusNext,
    /// Focus the pane before.
    FocusPrevious,
    /// Up by one row.
    Up,
    /// Down by one row.
    Down,
    /// Left by one.
    Left,
    /// Right by one.
    Right,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
    /// Up by a page.
    PageUp,
    /// Down by a page.
    PageDown,
    /// Open what is selected, or confirm.
    Open,
    /// Close what is open, or go back to the screen before.
    Back,
    /// End the console.
    Quit,
    /// Put the console to sleep; `fg` wakes it.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Edit the filter line.
    Filter,
    /// Open the palette of actions.
    Palette,
    /// Open the help.
    Help,
    /// Copy what is selected.
    Copy,
    /// Write what is shown to a file.
    Export,
    /// Freeze the view; data keep coming in.
    Pause,
    /// Choose a theme.
    Theme,
    /// Turn the mouse on or off.
    Mouse,
    /// Replay slower: to the next step below.
    ReplaySlower,
    /// Replay faster: to the next step above.
    ReplayFaster,
    /// Replay at real time.
    ReplayRealTime,
    /// Acknowledge the selected alarm.
    AcknowledgeAlarm,
    /// Show a shorter window of time.
    ZoomIn,
    /// Show a longer window of time.
    ZoomOut,
    /// Back in time.
    TimeBack,
    /// Forward in time.
    TimeForward,
    /// Return to now.
    TimeNow,
    /// Move the cursor back in time.
    CursorBack,
    /// Move the cursor forward in time.
    CursorForward,
    /// Switch between charts and the messages as received.
    RawMessages,
    /// Choose whose data are shown.
    PickDevice,
    /// Switch between all files and failed ones.
    FailedOnly,
    /// Queue a pipe's files again.
    RefreshPipe,
    /// Pause or resume a pipe.
    PausePipe,
    /// Read a file as its pipe does.
    ValidateFile,
    /// Ask a watched warehouse for files and rows.
    LookNow,
    /// Switch between the pipes and the batches.
    Batches,
    /// Take a notice that no pipe takes off its queue.
    TakeNotice,
    /// Switch between forecast and verification.
    Verification,
    /// Follow the newest lines.
    Follow,
    /// Show only lines of the next level or worse.
    Level,
    /// Make a plan.
    PlanRun,
    /// Apply the shown plan.
    ApplyRun,
    /// Discard the shown plan, or interrupt the shown run.
    DiscardRun,
    /// Interrupt the shown run while it works; with nothing at work, end the console.
    InterruptRun,
    /// Make a plan that destroys everything.
    DestroyPlan,
    /// Look for drift.
    RefreshOnly,
    /// Mark a resource for a targeted plan, or take the mark away.
    Mark,
    /// Show what the state holds.
    ShowState,
    /// Show the outputs.
    ShowOutputs,
    /// Take the state lock from whoever holds it.
    Unlock,
    /// Approve the shown plan.
    ApproveRun,
    /// Show the selected resource's secrets, or hide them again.
    Reveal,
    /// Show attributes that stay as they are, or leave them out.
    Unchanged,
    /// Switch between the difference and the log.
    ToggleLog,
    /// Fold every module, or unfold them.
    FoldAll,
    /// Go to what the selected finding is about.
    Jump,
    /// Look into the shared store of runs.
    RefreshRuns,
    /// Switch between the owner's log and the audit trail.
    AuditTrail,
    /// Draw the cloud mask over the picture, or take it away.
    CloudMask,
    /// Play the pictures of the last hours, or stop.
    PlayFilm,
    /// Show the marked variable in its next unit.
    SwitchUnit,
    /// Let the device take a picture.
    CapturePicture,
    /// Set how often the selected device measures.
    SetInterval,
    /// Start the selected device's agent anew.
    RestartAgent,
    /// Ask the selected device how it is.
    Diagnose,
    /// Show the end of the selected device's log.
    TailLog,
    /// Look at the selected device over SSH.
    LookOverSsh,
    /// A character typed into a line; never bound to a key.
    #[serde(skip)]
    Type(char),
    /// The character before the cursor of a line is removed; never bound to a key.
    #[serde(skip)]
    Erase,
    /// The whole line is cleared; never bound to a key.
    #[serde(skip)]
    EraseLine,
    /// The mouse's button was pressed at a cell.
    #[serde(skip)]
    Click {
        /// Column from the terminal's left edge.
        column: u16,
        /// Row from the terminal's top.
        row: u16,
    },
    /// The mouse's wheel was turned up over a cell.
    #[serde(skip)]
    WheelUp {
        /// Column from the terminal's left edge.
        column: u16,
        /// Row from the terminal's top.
        row: u16,
    },
    /// The mouse's wheel was turned down over a cell.
    #[serde(skip)]
    WheelDown {
        /// Column from the terminal's left edge.
        column: u16,
        /// Row from the terminal's top.
        row: u16,
    },
}

/// Where an action means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On every screen.
    Global,
    /// On these screens, where its keys come before the global ones.
    On(&'static [ScreenName]),
}

impl Scope {
    /// Whether the action means something on `screen`.
    #[must_use]
    pub fn includes(self, screen: ScreenName) -> bool {
        match self {
            Self::Global => true,
            Self::On(screens) => screens.contains(&screen),
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct ActionInfo {
    /// The action.
    pub action: Action,
    /// Its name in keymap, palette and help; kebab-case.
    pub name: &'static str,
    /// What it does, for people.
    pub description: &'static str,
    /// One to two words for the footer.
    pub hint: &'static str,
    /// Its keys unless a keymap says otherwise.
    pub keys: &'static [&'static str],
    /// Where it means something.
    pub scope: Scope,
}

const fn global(
    action: Action,
    name: &'static str,
    hint: &'static str,
    keys: &'static [&'static str],
    description: &'static str,
) -> ActionInfo {
    ActionInfo { action, name, description, hint, keys, scope: Scope::Global }
}

const fn on(
    screens: &'static [ScreenName],
    action: Action,
    name: &'static str,
    hint: &'static str,
    keys: &'static [&'static str],
    description: &'static str,
) -> ActionInfo {
    ActionInfo { action, name, description, hint, keys, scope: Scope::On(screens) }
}

const OVERVIEW: &[ScreenName] = &[ScreenName::Overview];
const TELEMETRY: &[ScreenName] = &[ScreenName::Telemetry];
const LOADS: &[ScreenName] = &[ScreenName::Loads];
const NOWCAST: &[ScreenName] = &[ScreenName::Nowcast];
const PLANS: &[ScreenName] = &[ScreenName::Plans];
const LOGGED: &[ScreenName] = &[ScreenName::Logs, ScreenName::Plans];
const LOGS: &[ScreenName] = &[ScreenName::Logs];
const DEVICES: &[ScreenName] = &[ScreenName::Devices];
const SKY: &[ScreenName] = &[ScreenName::Sky];
const WITH_CAMERA: &[ScreenName] = &[ScreenName::Devices, ScreenName::Sky];
const TIMED: &[ScreenName] = &[ScreenName::Telemetry, ScreenName::Sky, ScreenName::Nowcast];

/// Every action that has a name, in the order in which help shows them.
pub const ACTIONS: &[ActionInfo] = &[
    global(Action::GotoOverview, "goto-overview", "overview", &["1"], "Go to Overview"),
    global(Action::GotoPlans, "goto-plans", "plans", &["2"], "Go to Plans"),
    global(Action::GotoTelemetry, "goto-telemetry", "telemetry", &["3"], "Go to Telemetry"),
    global(Action::GotoSky, "goto-sky", "sky", &["4"], "Go to Sky"),
    global(Action::GotoLoads, "goto-loads", "loads", &["5"], "Go to Loads"),
    global(Action::GotoNowcast, "goto-nowcast", "nowcast", &["6"], "Go to Nowcast"),
    global(Action::GotoDevices, "goto-devices", "devices", &["7"], "Go to Devices"),
    global(Action::GotoLogs, "goto-logs", "logs", &["8"], "Go to Logs"),
    global(Action::FocusNext, "focus-next", "pane", &["tab"], "Focus the next pane"),
    global(Action::FocusPrevious, "focus-previous", "pane back", &["shift-tab"], "Focus the pane before"),
    global(Action::Up, "up", "up", &["k", "up"], "Up by one row"),
    global(Action::Down, "down", "down", &["j", "down"], "Down by one row"),
    global(Action::Left, "left", "left", &["h", "left"], "Left by one"),
    global(Action::Right, "right", "right", &["l", "right"], "Right by one"),
    global(Action::Top, "top", "top", &["g", "home"], "To the first row"),
    global(Action::Bottom, "bottom", "bottom", &["G", "end"], "To the last row"),
    global(Action::PageUp, "page-up", "page up", &["pageup", "ctrl-b"], "Up by a page"),
    global(Action::PageDown, "page-down", "page down", &["pagedown", "ctrl-f"], "Down by a page"),
    global(Action::Open, "open", "open", &["enter"], "Open what is selected, or confirm"),
    global(Action::Back, "back", "back", &["q", "esc"], "Close what is open, or go back to the screen before"),
    global(Action::Filter, "filter", "filter", &["/"], "Filter what is shown by a regular expression; ! inverts it"),
    global(Action::Palette, "palette", "palette", &[":"], "Find any action by its name"),
    global(Action::Help, "help", "help", &["?", "f1"], "Show every key, searchable by key and by word"),
    global(Action::Copy, "copy", "copy", &["y"], "Copy what is selected to the clipboard"),
    global(Action::Export, "export", "export", &["e"], "Write what is shown to a file (CSV, JSON, PNG or SVG)"),
    global(Action::Pause, "pause", "pause", &["p", "ctrl-p"], "Freeze the view; data keep coming in"),
    global(Action::Theme, "theme", "theme", &["t"], "Choose a theme"),
    global(Action::Mouse, "mouse", "mouse", &["M"], "Turn the mouse off (so that the terminal selects text) or on"),
    global(Action::ReplaySlower, "replay-slower", "slower", &["["], "Replay slower, to the next step below"),
    global(Action::ReplayFaster, "replay-faster", "faster", &["]"], "Replay faster, to the next step above"),
    global(Action::ReplayRealTime, "replay-real-time", "real time", &["="], "Replay at real time (×1)"),
    global(Action::Suspend, "suspend", "suspend", &["ctrl-z"], "Put the console to sleep; fg wakes it"),
    global(Action::Redraw, "redraw", "redraw", &["ctrl-l"], "Draw the whole screen anew"),
    global(Action::Quit, "quit", "quit", &["Q", "ctrl-c"], "End the console"),
    on(
        OVERVIEW,
        Action::AcknowledgeAlarm,
        "acknowledge-alarm",
        "acknowledge",
        &["a"],
        "Acknowledge the selected alarm",
    ),
    on(PLANS, Action::PlanRun, "plan-run", "plan", &["p"], "Plan the environment, or only what is marked"),
    on(
        PLANS,
        Action::ApproveRun,
        "approve-run",
        "approve",
        &["a"],
        "Approve exactly the shown plan, once it is confirmed",
    ),
    on(PLANS, Action::ApplyRun, "apply-run", "apply", &["A"], "Apply the shown plan, once it is confirmed"),
    on(
        PLANS,
        Action::DiscardRun,
        "discard-run",
        "discard",
        &["d"],
        "Discard the shown plan, or interrupt a working run",
    ),
    on(
        PLANS,
        Action::InterruptRun,
        "interrupt-run",
        "interrupt",
        &["ctrl-c"],
        "Interrupt the shown run while it works; with nothing at work, end the console",
    ),
    on(
        PLANS,
        Action::DestroyPlan,
        "destroy-plan",
        "destroy plan",
        &["D"],
        "Plan to destroy everything; applies nothing",
    ),
    on(
        PLANS,
        Action::RefreshOnly,
        "refresh-only",
        "drift",
        &["r"],
        "Look for drift: what was changed behind Terraform",
    ),
    on(PLANS, Action::Mark, "mark", "mark", &["space"], "Mark a resource for a plan of just these, or unmark it"),
    on(PLANS, Action::ShowState, "show-state", "state", &["s"], "Show what the environment's state holds"),
    on(PLANS, Action::ShowOutputs, "show-outputs", "outputs", &["o"], "Show the environment's outputs"),
    on(
        PLANS,
        Action::Reveal,
        "reveal",
        "reveal",
        &["x"],
        "Show the selected resource's secrets in clear, which is audited; or hide them again",
    ),
    on(PLANS, Action::Unchanged, "unchanged", "unchanged", &["u"], "Show what stays as it is too, or leave it out"),
    on(PLANS, Action::ToggleLog, "toggle-log", "log/diff", &["L"], "Switch between the difference and the run's log"),
    on(PLANS, Action::FoldAll, "fold-all", "fold all", &["z"], "Fold every module of the plan, or unfold them"),
    on(PLANS, Action::Jump, "jump", "go there", &["J"], "Go to what the selected finding is about, in the plan"),
    on(PLANS, Action::RefreshRuns, "refresh-runs", "look again", &["R"], "Look into the shared store of runs now"),
    on(PLANS, Action::Unlock, "unlock", "unlock", &["U"], "Take the state lock from whoever holds it, once confirmed"),
    on(TELEMETRY, Action::ZoomIn, "zoom-in", "zoom in", &["+"], "Show a shorter window, down to 5 min"),
    on(TELEMETRY, Action::ZoomOut, "zoom-out", "zoom out", &["-"], "Show a longer window, up to 7 d"),
    on(
        TIMED,
        Action::TimeBack,
        "time-back",
        "earlier",
        &["left", "h"],
        "Back in time: stored history, earlier pictures, earlier nowcasts",
    ),
    on(TIMED, Action::TimeForward, "time-forward", "later", &["right", "l"], "Forward in time, to now at the end"),
    on(TIMED, Action::TimeNow, "time-now", "now", &["n"], "Return to now"),
    on(TELEMETRY, Action::CursorBack, "cursor-back", "cursor", &[",", "shift-left"], "Move the cursor back in time"),
    on(TELEMETRY, Action::CursorForward, "cursor-forward", "cursor", &[".", "shift-right"], "Move the cursor forward"),
    on(TELEMETRY, Action::RawMessages, "raw-messages", "messages", &["m"], "Switch between charts and raw messages"),
    on(
        TELEMETRY,
        Action::SwitchUnit,
        "switch-unit",
        "unit",
        &["u"],
        "Show the marked variable in its next unit: °C or °F, hPa or inHg, m/s, km/h or kn",
    ),
    on(SKY, Action::PlayFilm, "play-film", "play", &["space"], "Play the pictures of the last hours, or stop"),
    on(
        SKY,
        Action::CloudMask,
        "cloud-mask",
        "cloud mask",
        &["c"],
        "Draw the cloud mask over the picture, or take it away",
    ),
    on(TELEMETRY, Action::PickDevice, "pick-device", "device", &["d"], "Choose whose data are shown"),
    on(LOADS, Action::FailedOnly, "failed-only", "failed only", &["x"], "Switch between all files and failed ones"),
    on(LOADS, Action::RefreshPipe, "refresh-pipe", "refresh", &["R"], "Queue again the files a pipe has not loaded"),
    on(LOADS, Action::PausePipe, "pause-pipe", "pause pipe", &["P"], "Pause or resume the selected pipe"),
    on(
        LOADS,
        Action::ValidateFile,
        "validate-file",
        "validate",
        &["V"],
        "Read a file as its pipe does, loading nothing",
    ),
    on(LOADS, Action::LookNow, "look-now", "look now", &["L"], "Ask a watched warehouse for files and rows now"),
    on(
        LOADS,
        Action::Batches,
        "batches",
        "batches",
        &["v"],
        "Switch between the pipes and the storage: containers of batches, the queue, what ends",
    ),
    on(
        LOADS,
        Action::TakeNotice,
        "take-notice",
        "take off",
        &["X"],
        "Take the selected notice, which no pipe takes, off the queue, once it is confirmed",
    ),
    on(NOWCAST, Action::Verification, "verification", "verify", &["v"], "Switch between forecast and verification"),
    on(
        WITH_CAMERA,
        Action::CapturePicture,
        "capture-picture",
        "capture",
        &["C"],
        "Let the device (on Devices the selected one) take a picture now",
    ),
    on(DEVICES, Action::SetInterval, "set-interval", "interval", &["i"], "Set how often the selected device measures"),
    on(
        DEVICES,
        Action::Diagnose,
        "diagnose",
        "diagnose",
        &["d"],
        "Ask the selected device how it is, and show what it says",
    ),
    on(
        DEVICES,
        Action::LookOverSsh,
        "look-over-ssh",
        "ssh",
        &["s"],
        "Look at the selected device over SSH: skydeck diag there, live",
    ),
    on(DEVICES, Action::TailLog, "tail-log", "log", &["L"], "Show the newest lines of the selected device's own log"),
    on(
        DEVICES,
        Action::RestartAgent,
        "restart-agent",
        "restart",
        &["R"],
        "Start the selected device's agent anew, once it is confirmed",
    ),
    on(LOGGED, Action::Follow, "follow", "follow", &["f"], "Follow the newest lines, or stay"),
    on(
        LOGS,
        Action::AuditTrail,
        "audit-trail",
        "audit",
        &["a"],
        "Switch between the owner's log and the audit trail: who planned, approved, applied",
    ),
    on(LOGS, Action::Level, "level", "level", &["L"], "Show only lines of the next level or worse"),
];

impl Action {
    /// The action's row; absent for typing and the mouse, which have no name.
    #[must_use]
    pub fn info(self) -> Option<&'static ActionInfo> {
        ACTIONS.iter().find(|info| info.action == self)
    }

    /// The action that goes to `screen`.
    #[must_use]
    pub const fn goto(screen: ScreenName) -> Self {
        match screen {
            ScreenName::Overview => Self::GotoOverview,
            ScreenName::Plans => Self::GotoPlans,
            ScreenName::Telemetry => Self::GotoTelemetry,
            ScreenName::Sky => Self::GotoSky,
            ScreenName::Loads => Self::GotoLoads,
            ScreenName::Nowcast => Self::GotoNowcast,
            ScreenName::Devices => Self::GotoDevices,
            ScreenName::Logs => Self::GotoLogs,
        }
    }

    /// The screen this action goes to, if it goes to one.
    #[must_use]
    pub fn destination(self) -> Option<ScreenName> {
        ScreenName::ALL.into_iter().find(|screen| Self::goto(*screen) == self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_are_what_serde_writes() {
        let mut seen = HashSet::new();
        for info in ACTIONS {
            assert!(seen.insert(info.name), "{} twice", info.name);
            let written = serde_json::to_value(info.action).expect("an action is a name");
            assert_eq!(written, serde_json::json!(info.name));
            let read: Action = serde_json::from_value(written).expect("its own name is read");
            assert_eq!(read, info.action);
            assert!(!info.description.is_empty() && !info.hint.is_empty() && !info.keys.is_empty(), "{}", info.name);
        }
    }

    #[test]
    fn every_screen_has_an_action_that_goes_to_it() {
        for screen in ScreenName::ALL {
            assert_eq!(Action::goto(screen).destination(), Some(screen));
        }
        assert_eq!(Action::Quit.destination(), None);
    }
}
