//! Values in the operator's units. Whatever is stored, exported or sent stays in the variable's own.

use std::borrow::Cow;

use crate::console::widgets::value::plain;
use crate::owner::Point;
use crate::settings::{ConsoleSettings, PressureUnit, TemperatureUnit, WindUnit};
use crate::station::text::signed;
use crate::station::{LeadForecast, Quantiles, Variable};

/// Hectopascals of an inch of mercury at 0 °C (NIST SP 811, appendix B.8: 3.386389 kPa).
const HPA_OF_INHG: f64 = 33.863_89;
/// Kilometres an hour of a metre a second.
const KMH_OF_MS: f64 = 3.6;
/// Metres a second of a knot: 1852 m an hour.
const MS_OF_KNOT: f64 = 1852.0 / 3600.0;

/// The units that screens use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Of temperatures.
    pub temperature: TemperatureUnit,
    /// Of pressures.
    pub pressure: PressureUnit,
    /// Of wind speeds.
    pub wind: WindUnit,
}

impl Default for Units {
    /// The variables' own.
    fn default() -> Self {
        Self::of(&ConsoleSettings::default())
    }
}

impl Units {
    /// As they are set.
    #[must_use]
    pub const fn of(settings: &ConsoleSettings) -> Self {
        Self { temperature: settings.temperature_unit, pressure: settings.pressure_unit, wind: settings.wind_unit }
    }

    /// The next unit of a variable; `false` where it has one only.
    pub const fn switch(&mut self, variable: Variable) -> bool {
        match variable {
            Variable::Temperature => {
                self.temperature = match self.temperature {
                    TemperatureUnit::Celsius => TemperatureUnit::Fahrenheit,
                    TemperatureUnit::Fahrenheit => TemperatureUnit::Celsius,
                }
            }
            Variable::Pressure => {
                self.pressure = match self.pressure {
                    PressureUnit::Hectopascal => PressureUnit::InchOfMercury,
                    PressureUnit::InchOfMercury => PressureUnit::Hectopascal,
                }
            }
            Variable::WindSpeed => {
                self.wind = match self.wind {
                    WindUnit::MetreASecond => WindUnit::KilometreAnHour,
                    WindUnit::KilometreAnHour => WindUnit::Knot,
                    WindUnit::Knot => WindUnit::MetreASecond,
                }
            }
            _ => return false,
        }
        true
    }

    /// The unit of a variable.
    #[must_use]
    pub const fn unit(&self, variable: Variable) -> &'static str {
        match (variable, self.temperature, self.pressure, self.wind) {
            (Variable::Temperature, TemperatureUnit::Fahrenheit, ..) => "°F",
            (Variable::Pressure, _, PressureUnit::InchOfMercury, _) => "inHg",
            (Variable::WindSpeed, _, _, WindUnit::KilometreAnHour) => "km/h",
            (Variable::WindSpeed, _, _, WindUnit::Knot) => "kn",
            (variable, ..) => variable.unit(),
        }
    }

    /// Decimals that its values are shown with.
    #[must_use]
    pub const fn decimals(&self, variable: Variable) -> usize {
        match (variable, self.pressure) {
            // A hundredth of an inch is a third of a hectopascal.
            (Variable::Pressure, PressureUnit::InchOfMercury) => 2,
            (variable, _) => variable.decimals(),
        }
    }

    /// A value of a variable, given in its own unit.
    #[must_use]
    pub fn value(&self, variable: Variable, value: f64) -> f64 {
        let scaled = self.difference(variable, value);
        if self.unit(variable) == "°F" { scaled + 32.0 } else { scaled }
    }

    /// A difference of two values, given in the variable's own unit.
    #[must_use]
    pub fn difference(&self, variable: Variable, difference: f64) -> f64 {
        match self.unit(variable) {
            "°F" => difference * 1.8,
            "inHg" => difference / HPA_OF_INHG,
            "km/h" => difference * KMH_OF_MS,
            "kn" => difference / MS_OF_KNOT,
            _ => difference,
        }
    }

    /// The bounds of a variable.
    #[must_use]
    pub fn range(&self, variable: Variable) -> (f64, f64) {
        let (low, high) = variable.range();
        (self.value(variable, low), self.value(variable, high))
    }

    /// Points of a variable's series.
    #[must_use]
    pub fn points<'a>(&self, variable: Variable, points: &'a [Point]) -> Cow<'a, [Point]> {
        if self.unit(variable) == variable.unit() {
            return Cow::Borrowed(points);
        }
        let convert = |value| self.value(variable, value);
        let convert = |p: &Point| Point { at: p.at, mean: convert(p.mean), min: convert(p.min), max: convert(p.max) };
        Cow::Owned(points.iter().map(convert).collect())
    }

    /// A variable's forecast.
    #[must_use]
    pub fn leads<'a>(&self, variable: Variable, leads: &'a [LeadForecast]) -> Cow<'a, [LeadForecast]> {
        if self.unit(variable) == variable.unit() {
            return Cow::Borrowed(leads);
        }
        let convert = |lead: &LeadForecast| {
            // Every unit rises with the variable's own, so the order stays.
            let quantiles = Quantiles::ordered(lead.quantiles.values().map(|value| self.value(variable, value)));
            LeadForecast { quantiles, ..*lead }
        };
        Cow::Owned(leads.iter().map(convert).collect())
    }

    /// A value without its unit: `14.2`.
    #[must_use]
    pub fn number(&self, variable: Variable, value: f64) -> String {
        plain(self.value(variable, value), self.decimals(variable))
    }

    /// A value with its unit: `14.2 °C`.
    #[must_use]
    pub fn measured(&self, variable: Variable, value: f64) -> String {
        format!("{} {}", self.number(variable, value), self.unit(variable))
    }

    /// A change per hour with its sign and unit: `−0.6 hPa/h`.
    #[must_use]
    pub fn tendency(&self, variable: Variable, change: f64) -> String {
        let change = self.difference(variable, change);
        format!("{} {}/h", signed(change, self.decimals(variable)), self.unit(variable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switched(variable: Variable, times: usize) -> Units {
        let mut units = Units::default();
        for _ in 0..times {
            assert!(units.switch(variable));
        }
        units
    }

    #[test]
    fn values_are_converted_as_the_tables_have_them() {
        let fahrenheit = switched(Variable::Temperature, 1);
        assert_eq!(fahrenheit.measured(Variable::Temperature, 20.0), "68.0 °F");
        assert_eq!(fahrenheit.measured(Variable::Temperature, -40.0), "-40.0 °F");
        assert_eq!(fahrenheit.tendency(Variable::Temperature, -0.5), "−0.9 °F/h", "a difference has no offset");
        let inches = switched(Variable::Pressure, 1);
        // The standard atmosphere is 29.92 inHg in every almanac.
        assert_eq!(inches.measured(Variable::Pressure, 1013.25), "29.92 inHg");
        let wind = |times| switched(Variable::WindSpeed, times).measured(Variable::WindSpeed, 10.0);
        assert_eq!([0, 1, 2, 3].map(wind), ["10.0 m/s", "36.0 km/h", "19.4 kn", "10.0 m/s"]);
        assert_eq!(inches.measured(Variable::Humidity, 61.4), "61 %");
        assert!(!Units::default().switch(Variable::Light), "lux is all there is");
    }

    #[test]
    fn nothing_is_never_less_than_nothing() {
        assert_eq!(Units::default().number(Variable::Temperature, -0.04), "0.0");
        assert_eq!(Units::default().tendency(Variable::Pressure, -0.04), "±0.0 hPa/h");
    }
}
