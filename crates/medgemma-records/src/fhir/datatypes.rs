//! Data types that several resources share. Source: <https://hl7.org/fhir/R4/datatypes.html>.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Coding {
    pub(crate) system: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) display: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct CodeableConcept {
    pub(crate) coding: Vec<Coding>,
    pub(crate) text: Option<String>,
}

/// A number as it was written: 7.0 is not 7 to a laboratory.
#[derive(Clone)]
pub(crate) struct Decimal(String);

impl Decimal {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn to_f64(&self) -> Option<f64> {
        self.0
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        // What is JSON and begins like a number is one.
        match raw.get().as_bytes() {
            [b'-' | b'0'..=b'9', ..] => Ok(Self(raw.get().to_owned())),
            _ => Err(de::Error::custom(concat!(
                "no number, expected ",
                "a number"
            ))),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Quantity {
    pub(crate) value: Option<Decimal>,
    pub(crate) comparator: Option<String>,
    pub(crate) unit: Option<String>,
    pub(crate) code: Option<String>,
}

/// A quantity of time.
pub(crate) type Age = Quantity;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Range {
    pub(crate) low: Option<Quantity>,
    pub(crate) high: Option<Quantity>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Ratio {
    pub(crate) numerator: Option<Quantity>,
    pub(crate) denominator: Option<Quantity>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Period {
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Reference {
    pub(crate) reference: Option<String>,
    pub(crate) r#type: Option<String>,
    /// Only that there is one: patients' numbers are not read.
    pub(crate) identifier: Option<IgnoredAny>,
    pub(crate) display: Option<String>,
}

/// One that says what it holds by its URL; values of other types are not read.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Extension {
    pub(crate) url: Option<String>,
    pub(crate) value_codeable_concept: Option<CodeableConcept>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Annotation {
    pub(crate) text: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Dosage {
    pub(crate) sequence: Option<Decimal>,
    pub(crate) text: Option<String>,
    pub(crate) additional_instruction: Vec<CodeableConcept>,
    pub(crate) patient_instruction: Option<String>,
    pub(crate) timing: Option<Timing>,
    pub(crate) as_needed_boolean: Option<bool>,
    pub(crate) as_needed_codeable_concept: Option<CodeableConcept>,
    pub(crate) site: Option<CodeableConcept>,
    pub(crate) route: Option<CodeableConcept>,
    pub(crate) method: Option<CodeableConcept>,
    pub(crate) dose_and_rate: Vec<DoseAndRate>,
    pub(crate) max_dose_per_period: Option<Ratio>,
    pub(crate) max_dose_per_administration: Option<Quantity>,
    pub(crate) max_dose_per_lifetime: Option<Quantity>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct DoseAndRate {
    pub(crate) dose_quantity: Option<Quantity>,
    pub(crate) dose_range: Option<Range>,
    pub(crate) rate_quantity: Option<Quantity>,
    pub(crate) rate_range: Option<Range>,
    pub(crate) rate_ratio: Option<Ratio>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Timing {
    pub(crate) event: Vec<Option<String>>,
    pub(crate) code: Option<CodeableConcept>,
    pub(crate) repeat: Option<Repeat>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Repeat {
    pub(crate) bounds_duration: Option<Quantity>,
    pub(crate) bounds_range: Option<Range>,
    pub(crate) bounds_period: Option<Period>,
    pub(crate) count: Option<Decimal>,
    pub(crate) count_max: Option<Decimal>,
    pub(crate) duration: Option<Decimal>,
    pub(crate) duration_max: Option<Decimal>,
    pub(crate) duration_unit: Option<String>,
    pub(crate) frequency: Option<Decimal>,
    pub(crate) frequency_max: Option<Decimal>,
    pub(crate) period: Option<Decimal>,
    pub(crate) period_max: Option<Decimal>,
    pub(crate) period_unit: Option<String>,
    pub(crate) day_of_week: Vec<Option<String>>,
    pub(crate) time_of_day: Vec<Option<String>>,
    pub(crate) when: Vec<Option<String>>,
    pub(crate) offset: Option<Decimal>,
}
