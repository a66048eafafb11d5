//! The differences within single resources: asked for as they come into view, and in clear where that was asked for.

use std::collections::VecDeque;

use super::plan::PlanKey;
use crate::owner::{Answer, AskError, ChangeDetail, Content, DiffNode, PlanList, Request, Shown};
use crate::station::text::printable;

/// Resources asked for at once: the next few are likely to be looked at.
const AT_ONCE: usize = 8;
/// Resources kept at most.
const KEPT: usize = 64;

/// What is known of the differences within the resources of one plan.
#[derive(Debug, Default)]
pub struct Details {
    of: Option<PlanKey>,
    held: VecDeque<ChangeDetail>,
    /// The resource that was asked for in vain, and why.
    failure: Option<(PlanList, usize, String)>,
    /// The one whose secrets stand in clear.
    revealed: Option<ChangeDetail>,
}

/// Whether any of these values is masked.
pub fn holds_secrets(nodes: &[DiffNode]) -> bool {
    nodes.iter().any(|node| match &node.content {
        Content::Value { before, after } => {
            [before, after].into_iter().any(|shown| matches!(shown, Some(Shown::Sensitive)))
        }
        Content::Parts { parts, .. } => holds_secrets(parts),
    })
}

fn is_it(detail: &ChangeDetail, list: PlanList, index: usize) -> bool {
    detail.list == list && detail.index == index
}

impl Details {
    fn is_of(&self, key: &PlanKey) -> bool {
        self.of.as_ref() == Some(key)
    }

    /// Asks for a resource and its neighbours, unless it is here.
    pub fn wants(&self, key: &PlanKey, list: PlanList, index: usize) -> Option<Request> {
        let is_here = self.is_of(key)
            && (self.held.iter().any(|detail| is_it(detail, list, index))
                || self.failure.as_ref().is_some_and(|(of, at, _)| (*of, *at) == (list, index)));
        let from = index - index % AT_ONCE;
        let (environment, number) = key.clone();
        (!is_here).then_some(Request::PlanDetails { environment, number, list, from, count: AT_ONCE })
    }

    /// Takes resources; `wanted` is the one that is looked at.
    pub fn receive(
        &mut self,
        request: &Request,
        answer: Result<&Answer, &AskError>,
        wanted: Option<(&PlanKey, PlanList, usize)>,
    ) {
        match (request, answer) {
            (Request::PlanDetails { environment, number, list, from, count }, answer) => {
                let key = (environment.clone(), *number);
                if !self.is_of(&key) {
                    *self = Self { of: Some(key), ..Self::default() };
                }
                let failure = match answer {
                    Ok(Answer::PlanDetails { details }) => {
                        self.keep(details);
                        "the plan doesn't hold it; make a new plan".to_owned()
                    }
                    Ok(_) => return,
                    Err(error) => printable(&error.to_string()),
                };
                let asked = wanted
                    .filter(|(key, of, index)| self.is_of(key) && of == list && (*from..from + count).contains(index));
                self.failure = asked
                    .filter(|(_, list, index)| !self.held.iter().any(|detail| is_it(detail, *list, *index)))
                    .map(|(_, list, index)| (list, index, failure));
            }
            (Request::RevealChange { environment, number, list, index }, Ok(Answer::PlanDetails { details })) => {
                let key = (environment.clone(), *number);
                // Who has moved on meanwhile doesn't see it any more.
                let is_wanted = wanted.is_some_and(|(of, l, i)| *of == key && l == *list && i == *index);
                self.revealed = details.iter().find(|detail| is_wanted && is_it(detail, *list, *index)).cloned();
            }
            _ => {}
        }
    }

    fn keep(&mut self, details: &[ChangeDetail]) {
        for detail in details {
            self.held.retain(|held| !is_it(held, detail.list, detail.index));
            self.held.push_back(detail.clone());
        }
        while self.held.len() > KEPT {
            self.held.pop_front();
        }
    }

    /// A resource's difference, or why it isn't here; in clear where it was revealed.
    pub fn get(&self, key: &PlanKey, list: PlanList, index: usize) -> Option<Result<&ChangeDetail, &str>> {
        if !self.is_of(key) {
            return None;
        }
        if let Some(revealed) = self.revealed.as_ref().filter(|detail| is_it(detail, list, index)) {
            return Some(Ok(revealed));
        }
        if let Some(held) = self.held.iter().find(|detail| is_it(detail, list, index)) {
            return Some(Ok(held));
        }
        let failure = self.failure.as_ref().filter(|(of, at, _)| (*of, *at) == (list, index));
        failure.map(|(_, _, failure)| Err(failure.as_str()))
    }

    /// The names of a resource's attributes that hold secrets.
    pub fn secrets(&self, list: PlanList, index: usize) -> Vec<&str> {
        let masked = self.held.iter().find(|detail| is_it(detail, list, index));
        let attributes = masked.map_or(&[][..], |detail| &detail.attributes);
        let secret = attributes.iter().filter(|node| holds_secrets(std::slice::from_ref(node)));
        secret.map(|node| node.name.as_str()).collect()
    }

    /// Whether a resource's secrets stand in clear now.
    pub const fn is_revealed(&self) -> bool {
        self.revealed.is_some()
    }

    /// Forgets what was revealed.
    pub fn hide(&mut self) {
        self.revealed = None;
    }
}
