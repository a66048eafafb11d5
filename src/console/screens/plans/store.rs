//! Looking into the shared store of a cloud environment's runs: when it comes under the cursor, and when asked to. Never
//! by itself.

use std::cell::RefCell;

use jiff::Timestamp;

use super::Plans;
use crate::console::screens::Context;
use crate::console::widgets::value::hour_minute;
use crate::owner::{Answer, AskError, Request};
use crate::settings::{EnvironmentKind, EnvironmentName};
use crate::station::text::printable;

/// Whose store was looked into last, and what came of it.
#[derive(Debug, Default)]
pub struct Store {
    /// The environment under the cursor, as the last look at it went by.
    under_cursor: RefCell<Option<EnvironmentName>>,
    looked: Option<(EnvironmentName, Result<Timestamp, String>)>,
    /// The operator's own wish, while it isn't answered.
    asking: bool,
}

impl Store {
    /// Asks for a look when a cloud environment has come under the cursor.
    pub fn wants(&self, under_cursor: &EnvironmentName) -> Option<Request> {
        let mut before = self.under_cursor.borrow_mut();
        let is_new = before.as_ref() != Some(under_cursor);
        if under_cursor.kind() != EnvironmentKind::Cloud {
            // Coming back to it later is another look.
            *before = Some(under_cursor.clone());
            return None;
        }
        is_new.then(|| Request::RefreshRuns { environment: under_cursor.clone() })
    }

    /// Another look at the environment under the cursor.
    pub fn again(&mut self, environment: EnvironmentName) -> Request {
        self.asking = true;
        Request::RefreshRuns { environment }
    }

    /// Takes what came of a look.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, now: Timestamp) {
        let Request::RefreshRuns { environment } = request else { return };
        *self.under_cursor.get_mut() = Some(environment.clone());
        self.asking = false;
        let came = answer.map(|_| now).map_err(|error| printable(&error.to_string()));
        self.looked = Some((environment.clone(), came));
    }
}

impl Plans {
    /// How the look into the store of the environment under the cursor went, in a few words; empty without a store.
    pub(super) fn store_note(&self, ctx: &Context<'_>) -> String {
        let Some(environment) = self.environment(ctx) else { return String::new() };
        if self.store.asking {
            return "looking …".into();
        }
        match &self.store.looked {
            Some((of, came)) if *of == environment.environment => match came {
                Ok(at) => format!("as of {}", hour_minute(*at, ctx.zone)),
                Err(_) => "not reached".into(),
            },
            _ => String::new(),
        }
    }

    /// Why the store of the environment under the cursor can't be looked into.
    pub(super) fn store_fault(&self, ctx: &Context<'_>) -> Option<&str> {
        let environment = self.environment(ctx)?;
        let (of, came) = self.store.looked.as_ref()?;
        came.as_ref().err().filter(|_| *of == environment.environment).map(String::as_str)
    }
}
