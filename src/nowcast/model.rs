//! The models that come with skydeck, behind one face.

use jiff::Timestamp;

use super::anomaly_persistence::{AnomalyPersistence, MODEL_ID};
use super::means::Mean;
use super::persistence::{PERSISTENCE_ID, Persistence};
use crate::station::VariableForecast;

/// Ids of the models there are, as predictions carry them.
pub const MODEL_IDS: [&str; 2] = [MODEL_ID, PERSISTENCE_ID];

/// A model with all it has learnt.
#[derive(Debug, Clone)]
pub enum Model {
    /// The one that takes part in the day's course.
    AnomalyPersistence(Box<AnomalyPersistence>),
    /// Nothing changes.
    Persistence(Box<Persistence>),
}

impl Model {
    /// The full id of the model called `name`: the id itself, or without its version.
    #[must_use]
    pub fn id_of(name: &str) -> Option<&'static str> {
        MODEL_IDS.into_iter().find(|id| *id == name || id.rsplit_once('-').is_some_and(|(bare, _)| bare == name))
    }

    /// A model that knows nothing yet, for a station at degrees north and east; absent where no model has this id.
    #[must_use]
    pub fn new(id: &str, latitude_deg: f64, longitude_deg: f64) -> Option<Self> {
        match Self::id_of(id)? {
            PERSISTENCE_ID => Some(Self::Persistence(Box::default())),
            _ => Some(Self::AnomalyPersistence(Box::new(AnomalyPersistence::new(latitude_deg, longitude_deg)))),
        }
    }

    /// Its id, as predictions carry it.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::AnomalyPersistence(_) => MODEL_ID,
            Self::Persistence(_) => PERSISTENCE_ID,
        }
    }

    /// Takes in the means of a bin, in order of time; one that isn't newer than the newest is left out.
    pub fn observe(&mut self, mean: &Mean) {
        match self {
            Self::AnomalyPersistence(model) => model.observe(mean),
            Self::Persistence(model) => model.observe(mean),
        }
    }

    /// Forecasts from the newest bin; empty unless `issued_at` is its end.
    #[must_use]
    pub fn forecast(&self, issued_at: Timestamp) -> Vec<VariableForecast> {
        match self {
            Self::AnomalyPersistence(model) => model.forecast(issued_at),
            Self::Persistence(model) => model.forecast(issued_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_makes_its_model_with_and_without_its_version() {
        for id in MODEL_IDS {
            assert_eq!(Model::new(id, 46.8, 6.9).expect("there").id(), id);
        }
        assert_eq!(Model::id_of("persistence"), Some("persistence-1"));
        assert_eq!(Model::id_of("anomaly-persistence"), Some("anomaly-persistence-1"));
        assert_eq!(Model::id_of("anomaly"), None);
        assert!(Model::new("onnx", 46.8, 6.9).is_none());
    }
}
