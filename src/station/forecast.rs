//! Quantile forecasts: what a nowcast says of one variable.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Variable;

/// The longest lead time of a nowcast, minutes.
pub const MAX_LEAD_MINUTES: u16 = 240;

/// Five quantiles of one variable at one lead, in the variable's unit; they never cross.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// 5 %: the lower end of the 90 % band.
    pub q05: f64,
    /// 25 %: the lower end of the 50 % band.
    pub q25: f64,
    /// The median.
    pub q50: f64,
    /// 75 %: the upper end of the 50 % band.
    pub q75: f64,
    /// 95 %: the upper end of the 90 % band.
    pub q95: f64,
}

impl Quantiles {
    /// From five values that may cross: each is raised to its predecessor's level.
    #[must_use]
    pub fn ordered(mut values: [f64; 5]) -> Self {
        for i in 1..5 {
            values[i] = values[i].max(values[i - 1]);
        }
        let [q05, q25, q50, q75, q95] = values;
        Self { q05, q25, q50, q75, q95 }
    }

    /// The values in ascending order of probability.
    #[must_use]
    pub const fn values(&self) -> [f64; 5] {
        [self.q05, self.q25, self.q50, self.q75, self.q95]
    }

    /// Every value moved into `[low, high]`.
    #[must_use]
    pub fn clamped(&self, low: f64, high: f64) -> Self {
        Self::ordered(self.values().map(|v| v.clamp(low, high)))
    }

    /// Whether the values are finite and don't cross.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let values = self.values();
        values.iter().all(|v| v.is_finite()) && values.windows(2).all(|pair| pair[0] <= pair[1])
    }
}

/// A variable's forecast at one lead time. On the wire the quantiles stand beside the lead.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "FlatLeadForecast", into = "FlatLeadForecast")]
pub struct LeadForecast {
    /// Valid time minus issue time, minutes: 1 to 240.
    pub lead_minutes: u16,
    /// The distribution at the valid time.
    pub quantiles: Quantiles,
}

/// A variable's forecast at one lead time. (`serde(flatten)` would let unknown fields pass.)
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename = "LeadForecast", deny_unknown_fields)]
struct FlatLeadForecast {
    /// Valid time minus issue time, minutes: 1 to 240.
    #[schemars(range(min = 1, max = 240))]
    lead_minutes: u16,
    /// 5 %: the lower end of the 90 % band.
    q05: f64,
    /// 25 %: the lower end of the 50 % band.
    q25: f64,
    /// The median.
    q50: f64,
    /// 75 %: the upper end of the 50 % band.
    q75: f64,
    /// 95 %: the upper end of the 90 % band.
    q95: f64,
}

impl From<FlatLeadForecast> for LeadForecast {
    fn from(flat: FlatLeadForecast) -> Self {
        let FlatLeadForecast { lead_minutes, q05, q25, q50, q75, q95 } = flat;
        Self { lead_minutes, quantiles: Quantiles { q05, q25, q50, q75, q95 } }
    }
}

impl From<LeadForecast> for FlatLeadForecast {
    fn from(lead: LeadForecast) -> Self {
        let Quantiles { q05, q25, q50, q75, q95 } = lead.quantiles;
        Self { lead_minutes: lead.lead_minutes, q05, q25, q50, q75, q95 }
    }
}

/// The forecast of one variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VariableForecast {
    /// What is forecast.
    pub variable: Variable,
    /// The mean of the ten minutes before the issue time, in the variable's unit: what persistence would
    /// forecast, and so the reference of the skill score.
    pub persistence: f64,
    /// One entry a lead, ascending.
    pub leads: Vec<LeadForecast>,
}

impl VariableForecast {
    /// The forecast at `lead_minutes`, where there is one.
    #[must_use]
    pub fn at(&self, lead_minutes: u16) -> Option<&LeadForecast> {
        self.leads.iter().find(|lead| lead.lead_minutes == lead_minutes)
    }
}

/// The instant a forecast issued at `issued_at` with this lead is valid at.
#[must_use]
pub fn valid_time(issued_at: Timestamp, lead_minutes: u16) -> Timestamp {
    issued_at + SignedDuration::from_mins(i64::from(lead_minutes))
}
