//! The model slot: which model makes the nowcasts, and which one did before.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::methods::Answer;
use super::report::ModelReport;
use crate::nowcast::{MODEL_ID, MODEL_IDS, Model};

/// Where the slot is kept.
pub(super) const SLOT: &str = "model.slot";

/// The slot, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Slot {
    pub current: String,
    pub previous: Option<String>,
    pub deployed_at: Option<Timestamp>,
}

/// What is asked of the slot.
#[derive(Debug)]
pub(super) struct SlotAsk {
    pub change: SlotChange,
    pub reply: oneshot::Sender<Answer>,
}

#[derive(Debug)]
pub(super) enum SlotChange {
    Deploy(String),
    Rollback,
}

impl Default for Slot {
    fn default() -> Self {
        Self { current: MODEL_ID.to_owned(), previous: None, deployed_at: None }
    }
}

impl Slot {
    /// The slot as it was kept. A model that this version doesn't have is replaced by the one before it, or the one
    /// that the slot comes with.
    pub fn read(kept: Option<&str>) -> Self {
        let Some(slot) = kept.and_then(|json| serde_json::from_str::<Self>(json).ok()) else { return Self::default() };
        if Model::id_of(&slot.current).is_some() {
            return slot;
        }
        let known = slot.previous.filter(|id| Model::id_of(id).is_some());
        tracing::warn!(
            target: "agent",
            "the model {} isn't in this version; going on with {}",
            crate::station::text::printable(&slot.current),
            known.as_deref().unwrap_or(MODEL_ID)
        );
        Self { current: known.unwrap_or_else(|| MODEL_ID.to_owned()), ..Self::default() }
    }

    /// The slot after `change`, or why it can't be.
    pub fn after(&self, change: &SlotChange, now: Timestamp) -> Result<Self, Answer> {
        match change {
            SlotChange::Deploy(name) => {
                let Some(id) = Model::id_of(name) else {
                    let there = MODEL_IDS.join(", ");
                    let name = crate::station::text::printable(name);
                    return Err(Answer::new(404, format!("model: {name:?} isn't here; there are {there}")));
                };
                if id == self.current {
                    return Ok(self.clone());
                }
                Ok(Self { current: id.to_owned(), previous: Some(self.current.clone()), deployed_at: Some(now) })
            }
            SlotChange::Rollback => match &self.previous {
                Some(previous) => {
                    Ok(Self { current: previous.clone(), previous: Some(self.current.clone()), deployed_at: Some(now) })
                }
                None => Err(Answer::new(409, "no model was deployed before this one")),
            },
        }
    }

    pub fn report(&self) -> ModelReport {
        ModelReport { current: self.current.clone(), previous: self.previous.clone(), deployed_at: self.deployed_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_before_is_kept_for_the_rollback() {
        let now = Timestamp::UNIX_EPOCH;
        let slot = Slot::default();
        assert_eq!(slot.after(&SlotChange::Rollback, now).expect_err("none before").status, 409);
        let missing = slot.after(&SlotChange::Deploy("onnx".into()), now).expect_err("isn't here");
        assert_eq!(missing.status, 404);
        assert!(missing.payload.to_string().contains("anomaly-persistence-1, persistence-1"));
        let deployed = slot.after(&SlotChange::Deploy("persistence".into()), now).expect("is there");
        assert_eq!((deployed.current.as_str(), deployed.previous.as_deref()), ("persistence-1", Some(MODEL_ID)));
        assert_eq!(deployed.after(&SlotChange::Deploy("persistence-1".into()), now).expect("is there"), deployed);
        let kept = serde_json::to_string(&deployed).expect("JSON");
        assert_eq!(Slot::read(Some(&kept)), deployed);
        let back = deployed.after(&SlotChange::Rollback, now).expect("there is one before");
        assert_eq!((back.current.as_str(), back.previous.as_deref()), (MODEL_ID, Some("persistence-1")));
    }

    #[test]
    fn a_model_that_is_gone_gives_way_to_the_one_before() {
        let kept = r#"{"current":"onnx-9","previous":"persistence-1","deployedAt":null}"#;
        assert_eq!(Slot::read(Some(kept)).current, "persistence-1");
        assert_eq!(Slot::read(Some("{")), Slot::default());
        assert_eq!(Slot::read(None).current, MODEL_ID);
    }
}
