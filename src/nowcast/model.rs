//! The models there are, behind one face.
//!
//! A further kind of model is a variant of [`Weights`] and of `Method`: how its weights are read, what it takes in, what it
//! forecasts. Whoever runs a model knows neither.

use jiff::Timestamp;

use super::anomaly_persistence::{AnomalyPersistence, MODEL_ID};
#[cfg(test)]
use super::fixture::{Fixture, FixtureParameters};
use super::means::Mean;
use super::parameters::{AnomalyParameters, PersistenceParameters};
use super::persistence::{PERSISTENCE_ID, Persistence};
use crate::station::VariableForecast;

/// Ids of the models that come with skydeck, as predictions carry them. The first is always there to fall back to.
pub const MODEL_IDS: [&str; 2] = [MODEL_ID, PERSISTENCE_ID];

/// What a model is made of, beside the place it is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// Of anomaly persistence.
    AnomalyPersistence(Box<AnomalyParameters>),
    /// Of persistence.
    Persistence(Box<PersistenceParameters>),
    /// Of a model that does what a test wants.
    #[cfg(test)]
    Fixture(FixtureParameters),
}

impl Weights {
    /// The kinds of models whose weights can be read.
    pub const KINDS: [&str; 2] = ["anomaly-persistence", "persistence"];

    /// Reads the weights of a model of `kind`, JSON. Fails with what is wrong, by its path.
    pub fn read(kind: &str, json: &[u8]) -> Result<Self, String> {
        match kind {
            "anomaly-persistence" => {
                let parameters: AnomalyParameters = super::package::read_json(json)?;
                parameters.check()?;
                Ok(Self::AnomalyPersistence(Box::new(parameters)))
            }
            "persistence" => {
                let parameters: PersistenceParameters = super::package::read_json(json)?;
                parameters.check()?;
                Ok(Self::Persistence(Box::new(parameters)))
            }
            #[cfg(test)]
            "fixture" => super::package::read_json(json).map(Self::Fixture),
            other => Err(format!(
                "kind {:?} isn't known; there are {}",
                crate::station::text::printable(other),
                Self::KINDS.join(", ")
            )),
        }
    }

    /// A model of these that knows nothing yet, for a station at degrees north and east.
    #[must_use]
    pub fn model(&self, id: &str, latitude_deg: f64, longitude_deg: f64) -> Model {
        let method = match self {
            Self::AnomalyPersistence(parameters) => {
                let model = AnomalyPersistence::with((**parameters).clone(), latitude_deg, longitude_deg);
                Method::AnomalyPersistence(Box::new(model))
            }
            Self::Persistence(parameters) => Method::Persistence(Box::new(Persistence::with((**parameters).clone()))),
            #[cfg(test)]
            Self::Fixture(parameters) => Method::Fixture(Box::new(Fixture::new(parameters.clone()))),
        };
        Model { id: id.to_owned(), method }
    }
}

/// A model with all it has learnt.
#[derive(Debug, Clone)]
pub struct Model {
    id: String,
    method: Method,
}

#[derive(Debug, Clone)]
enum Method {
    AnomalyPersistence(Box<AnomalyPersistence>),
    Persistence(Box<Persistence>),
    #[cfg(test)]
    Fixture(Box<Fixture>),
}

impl Model {
    /// The full id of the model called `name` that comes with skydeck: the id itself, or without its version.
    #[must_use]
    pub fn id_of(name: &str) -> Option<&'static str> {
        MODEL_IDS.into_iter().find(|id| *id == name || id.rsplit_once('-').is_some_and(|(bare, _)| bare == name))
    }

    /// The model with this id that comes with skydeck, knowing nothing yet, for a station at degrees north and east;
    /// absent where there is none.
    #[must_use]
    pub fn built_in(id: &str, latitude_deg: f64, longitude_deg: f64) -> Option<Self> {
        match Self::id_of(id)? {
            PERSISTENCE_ID => Some(Self { id: PERSISTENCE_ID.to_owned(), method: Method::Persistence(Box::default()) }),
            _ => Some(Self::zero(latitude_deg, longitude_deg)),
        }
    }

    /// The model that is always there to fall back to, for a station at degrees north and east.
    #[must_use]
    pub fn zero(latitude_deg: f64, longitude_deg: f64) -> Self {
        let model = AnomalyPersistence::new(latitude_deg, longitude_deg);
        Self { id: MODEL_ID.to_owned(), method: Method::AnomalyPersistence(Box::new(model)) }
    }

    /// Its id, as predictions carry it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes in the means of a bin, in order of time; one that isn't newer than the newest is left out.
    pub fn observe(&mut self, mean: &Mean) {
        match &mut self.method {
            Method::AnomalyPersistence(model) => model.observe(mean),
            Method::Persistence(model) => model.observe(mean),
            #[cfg(test)]
            Method::Fixture(model) => model.observe(mean),
        }
    }

    /// Forecasts from the newest bin; empty unless `issued_at` is its end.
    #[must_use]
    pub fn forecast(&self, issued_at: Timestamp) -> Vec<VariableForecast> {
        match &self.method {
            Method::AnomalyPersistence(model) => model.forecast(issued_at),
            Method::Persistence(model) => model.forecast(issued_at),
            #[cfg(test)]
            Method::Fixture(model) => model.forecast(issued_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_makes_its_model_with_and_without_its_version() {
        for id in MODEL_IDS {
            assert_eq!(Model::built_in(id, 46.8, 6.9).expect("there").id(), id);
        }
        assert_eq!(Model::id_of("persistence"), Some("persistence-1"));
        assert_eq!(Model::id_of("anomaly-persistence"), Some("anomaly-persistence-1"));
        assert_eq!(Model::id_of("anomaly"), None);
        assert!(Model::built_in("onnx", 46.8, 6.9).is_none());
        assert_eq!(Model::zero(46.8, 6.9).id(), MODEL_IDS[0]);
    }

    #[test]
    fn weights_are_read_strictly_and_what_is_wrong_is_named() {
        let json = serde_json::to_string(&AnomalyParameters::default()).expect("JSON");
        let weights = Weights::read("anomaly-persistence", json.as_bytes()).expect("read");
        assert_eq!(weights, Weights::AnomalyPersistence(Box::default()));
        assert_eq!(weights.model("roof@1", 46.8, 6.9).id(), "roof@1");
        for (kind, json, words) in [
            ("onnx", "{}", "kind \"onnx\" isn't known; there are anomaly-persistence, persistence"),
            ("persistence", "{", "EOF while parsing"),
            ("persistence", r#"{"variables":["light"],"errorDays":7}"#, "missing field `minErrors`"),
            ("persistence", r#"{"variables":["light"],"errorDays":0,"minErrors":1}"#, "errorDays: 0 isn't"),
            ("persistence", r#"{"variables":["colour"],"errorDays":7,"minErrors":1}"#, "variables[0]: unknown variant"),
            ("persistence", r#"{"variables":[],"damping":7}"#, "damping: unknown field `damping`"),
            (
                "persistence",
                r#"{"variables":["light"],"errorDays":7,"minErrors":1,"bounds":{"light":[0,9],"light":[0,8]}}"#,
                "bounds: light stands there twice",
            ),
            ("anomaly-persistence", r#"{"variables":{"colour":{}}}"#, "variables: unknown variant `colour`"),
            ("anomaly-persistence", &json.replace(":7", ":7.5"), "variables.temperature.cycleDays: invalid type"),
        ] {
            let error = Weights::read(kind, json.as_bytes()).expect_err("refused");
            assert!(error.contains(words), "{error}");
        }
    }
}
