//! One call of Terraform.

use super::{Carrier, Stop, ours};
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::run::{Diagnostic, LogLevel, Phase};
use crate::provisioning::runs::arguments;
use crate::provisioning::runs::queue::Turn;
use crate::provisioning::runs::record::Recorder;
use crate::provisioning::terraform::command::Caller;
use crate::provisioning::terraform::event::{self, Event, Line};
use crate::provisioning::terraform::process::{self, Ended, Stream};

impl Carrier {
    /// One call of Terraform that tells no values, to its end. Fails on an exit code that isn't among `good`.
    pub(super) async fn step(
        &mut self,
        turn: &Turn,
        caller: &Caller,
        arguments: Vec<String>,
        good: &[i32],
    ) -> Result<Ended, Stop> {
        let ended = self.call(turn, caller, arguments, good).await;
        self.recorder.release()?;
        ended
    }

    /// As [`Carrier::step`]. What it says but for its progress is held back by the recorder, until whoever calls has
    /// learned what is secret in it.
    pub(super) async fn call(
        &mut self,
        turn: &Turn,
        caller: &Caller,
        arguments: Vec<String>,
        good: &[i32],
    ) -> Result<Ended, Stop> {
        if *self.interrupt.borrow() {
            return Err(Stop::Failed { interrupted: true });
        }
        let shown: Vec<_> = arguments.iter().map(|argument| arguments::shown(argument)).collect();
        self.recorder.say(LogLevel::Info, &format!("$ terraform {}", shown.join(" ")))?;
        let phase = self.recorder.run().phase;
        let folder = self.store.run_folder(self.recorder.run().number).join("stream");
        let mut whole = String::new();
        let mut broken = None;
        let recorder = &mut self.recorder;
        let ended = process::follow(
            caller.command(&arguments),
            &folder,
            turn.held(),
            &mut self.interrupt,
            |pid| {
                if let Err(error) = turn.note(Some(pid)) {
                    tracing::warn!(target: "provisioning", "{error}");
                }
            },
            |lines| {
                // A full disk ends no apply: it goes on, and what can't be noted is told at its end.
                if let Err(error) = take(recorder, phase, lines, &mut whole) {
                    tracing::error!(target: "provisioning", "{error}");
                    broken = Some(error);
                }
            },
        )
        .await?;
        turn.note(None)?;
        if let Some(error) = broken {
            return Err(error.into());
        }
        let is_good = ended.status.code().is_some_and(|code| good.contains(&code));
        if phase == Phase::Validating {
            for diagnostic in event::validation(&whole).unwrap_or_default() {
                self.recorder.diagnose(diagnostic)?;
            }
        }
        if is_good {
            // They say nothing of their own where all is well.
            match phase {
                Phase::CheckingFormat => self.recorder.say(LogLevel::Info, "every file is formatted")?,
                Phase::Validating => self.recorder.say(LogLevel::Info, "the configuration is valid")?,
                _ => {}
            }
            return Ok(ended);
        }
        if phase == Phase::CheckingFormat && ended.status.code() == Some(3) {
            for file in whole.lines() {
                let summary = format!("{file} isn't formatted as `terraform fmt` would");
                let place = Some(file.to_owned());
                self.recorder.diagnose(Diagnostic {
                    error: true,
                    summary,
                    detail: String::new(),
                    address: None,
                    place,
                })?;
            }
        } else if ended.status.code().is_none() {
            self.recorder.diagnose(ours(&format!("terraform was killed ({})", ended.status)))?;
        }
        Err(Stop::Failed { interrupted: ended.interrupted })
    }
}

/// Takes lines in, all of them whatever fails, and writes the run once for all. `whole` collects what only makes sense whole.
fn take(
    recorder: &mut Recorder,
    phase: Phase,
    lines: Vec<(Stream, String)>,
    whole: &mut String,
) -> Result<(), ProvisioningError> {
    let mut outcome = Ok(());
    for (stream, text) in lines {
        let taken = match (stream, phase) {
            (Stream::Out, Phase::Validating | Phase::CheckingFormat) => {
                whole.push_str(&text);
                whole.push('\n');
                Ok(())
            }
            (Stream::Out, _) => recorder.take(event::parse(&text)),
            (Stream::Error, _) => {
                let text = crate::provisioning::terraform::text::plain(&text);
                recorder.take(Line { at: None, level: LogLevel::Error, text, event: Event::Words })
            }
        };
        outcome = outcome.and(taken);
    }
    outcome.and(recorder.save_progress())
}
