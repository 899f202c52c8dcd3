//! What was measured and seen.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{
    Annotation, CodeableConcept, Decimal, Extension, Period, Quantity, Range, Ratio, Reference,
};

/// <https://hl7.org/fhir/R4/observation.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Observation {
    pub(crate) status: Option<String>,
    pub(crate) category: Vec<CodeableConcept>,
    pub(crate) subject: Option<Reference>,
    pub(crate) focus: Vec<Reference>,
    pub(crate) extension: Vec<Extension>,
    pub(crate) effective_date_time: Option<String>,
    pub(crate) effective_period: Option<Period>,
    pub(crate) effective_instant: Option<String>,
    pub(crate) issued: Option<String>,
    pub(crate) note: Vec<Annotation>,
    pub(crate) body_site: Option<CodeableConcept>,
    pub(crate) method: Option<CodeableConcept>,
    pub(crate) component: Vec<Component>,
    /// Code and value, which an observation has as a component has them: read from the same text a second time, since
    /// `#[serde(flatten)]` goes through a buffer that loses decimals.
    #[serde(skip)]
    pub(crate) measured: Component,
}

/// `Observation.component`, and the part of an observation that is like one.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Component {
    pub(crate) code: Option<CodeableConcept>,
    pub(crate) value_quantity: Option<Quantity>,
    pub(crate) value_codeable_concept: Option<CodeableConcept>,
    pub(crate) value_string: Option<String>,
    pub(crate) value_boolean: Option<bool>,
    pub(crate) value_integer: Option<Decimal>,
    pub(crate) value_range: Option<Range>,
    pub(crate) value_ratio: Option<Ratio>,
    pub(crate) value_time: Option<String>,
    pub(crate) value_date_time: Option<String>,
    pub(crate) value_period: Option<Period>,
    pub(crate) value_sampled_data: Option<IgnoredAny>,
    pub(crate) data_absent_reason: Option<CodeableConcept>,
    pub(crate) interpretation: Vec<CodeableConcept>,
    pub(crate) reference_range: Vec<ReferenceRange>,
}

/// What stands in one of the `value[x]` fields.
pub(crate) enum Value<'a> {
    Quantity(&'a Quantity),
    Concept(&'a CodeableConcept),
    Text(&'a str),
    Boolean(bool),
    Integer(&'a Decimal),
    Range(&'a Range),
    Ratio(&'a Ratio),
    Period(&'a Period),
    /// One that no line can show.
    Samples,
}

impl Component {
    /// The one that is there of the `value[x]` fields.
    pub(crate) fn value(&self) -> Option<Value<'_>> {
        None.or(self.value_quantity.as_ref().map(Value::Quantity))
            .or(self.value_codeable_concept.as_ref().map(Value::Concept))
            .or(self.value_string.as_deref().map(Value::Text))
            .or(self.value_boolean.map(Value::Boolean))
            .or(self.value_integer.as_ref().map(Value::Integer))
            .or(self.value_range.as_ref().map(Value::Range))
            .or(self.value_ratio.as_ref().map(Value::Ratio))
            .or(self.value_time.as_deref().map(Value::Text))
            .or(self.value_date_time.as_deref().map(Value::Text))
            .or(self.value_period.as_ref().map(Value::Period))
            .or(self.value_sampled_data.as_ref().map(|_| Value::Samples))
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct ReferenceRange {
    pub(crate) low: Option<Quantity>,
    pub(crate) high: Option<Quantity>,
    pub(crate) r#type: Option<CodeableConcept>,
    pub(crate) applies_to: Vec<CodeableConcept>,
    pub(crate) age: Option<Range>,
    pub(crate) text: Option<String>,
}

/// <https://hl7.org/fhir/R4/diagnosticreport.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct DiagnosticReport {
    pub(crate) status: Option<String>,
    pub(crate) category: Vec<CodeableConcept>,
    pub(crate) code: Option<CodeableConcept>,
    pub(crate) subject: Option<Reference>,
    pub(crate) effective_date_time: Option<String>,
    pub(crate) effective_period: Option<Period>,
    pub(crate) issued: Option<String>,
    pub(crate) result: Vec<Reference>,
    pub(crate) conclusion: Option<String>,
    pub(crate) conclusion_code: Vec<CodeableConcept>,
    pub(crate) presented_form: Vec<Attachment>,
}

/// Its data are not read: a prompt only says that there are some.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Attachment {
    pub(crate) content_type: Option<String>,
    pub(crate) title: Option<String>,
}
