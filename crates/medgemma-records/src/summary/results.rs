//! Observations and reports.

use crate::fhir::{
    CodeableConcept, Component, DiagnosticReport, Extension, Observation, Quantity, ReferenceRange,
    Value,
};

use super::draft::joined;
use super::{Draft, Standing, codes};

pub(crate) fn observation(draft: &mut Draft<'_>, observation: &Observation) {
    let measured = &observation.measured;
    draft.titled(measured.code.as_ref());
    // A donor's hepatitis reads like the patient's unless it says so first.
    for about in focus(draft, observation) {
        draft.say("about", Some(about));
    }
    draft.categories(&observation.category);
    let period = observation.effective_period.as_ref();
    draft.date_or(
        &[
            observation.effective_date_time.as_deref(),
            observation.effective_instant.as_deref(),
            period.and_then(|period| period.start.as_deref()),
        ],
        observation.issued.as_deref(),
        "issued",
    );
    let ended = draft.moment(period.and_then(|period| period.end.as_deref()));
    draft.say("until", ended);
    let own = value(draft, measured);
    let components = observation
        .component
        .iter()
        .filter_map(|part| component(draft, part));
    let components: Vec<String> = components.collect();
    draft.value(joined(own.into_iter().chain(components).collect(), ", "));
    for (label, text) in judged(draft, measured) {
        draft.say(label, Some(text));
    }
    draft.say_all("site", &observation.body_site);
    draft.say_all("method", &observation.method);
    draft.say_notes(&observation.note);
    draft.status(observation.status.as_deref(), |_| Standing::Unclear);
}

/// What an observation is about beside its subject, as its focus says: the patient's tumour; or a fetus, a donor, a device,
/// of which it is said that they are not the patient.
fn focus(draft: &mut Draft<'_>, observation: &Observation) -> Vec<String> {
    const FOCUS_CODE: &str = "http://hl7.org/fhir/StructureDefinition/observation-focusCode";
    let subject = observation.subject.as_ref();
    let mut about = Vec::new();
    for focus in &observation.focus {
        if !draft.is_same(focus, subject) {
            about.push(draft.focus(focus, subject));
        }
    }
    let is_focus = |it: &&Extension| it.url.as_deref() == Some(FOCUS_CODE);
    for extension in observation.extension.iter().filter(is_focus) {
        let named = draft.concept(extension.value_codeable_concept.as_ref());
        let named = named.unwrap_or_else(|| "somebody or something else".to_owned());
        about.push(format!("{named}, not the patient"));
    }
    about
}

/// `Diastolic blood pressure 95 mm[Hg] (reference range at most 90 mm[Hg], interpretation high)`.
fn component(draft: &mut Draft<'_>, component: &Component) -> Option<String> {
    // Panels of susceptibility say "R" and no more.
    let value = value(draft, component);
    let name = draft
        .concept(component.code.as_ref())
        .unwrap_or_else(|| "unnamed".to_owned());
    let judged = judged(draft, component).into_iter();
    let judged = joined(
        judged
            .map(|(label, text)| format!("{label} {text}"))
            .collect(),
        ", ",
    );
    if value.is_none() && judged.is_none() {
        return None;
    }
    let judged = judged.map(|judged| format!("({judged})"));
    joined(
        [Some(name), value, judged].into_iter().flatten().collect(),
        " ",
    )
}

fn value(draft: &mut Draft<'_>, measured: &Component) -> Option<String> {
    let value = match measured.value() {
        Some(Value::Quantity(quantity)) => draft.quantity(Some(quantity)),
        Some(Value::Concept(concept)) => draft.concept(Some(concept)),
        Some(Value::Text(text)) => draft.text(Some(text)),
        Some(Value::Boolean(yes)) => Some(if yes { "yes" } else { "no" }.to_owned()),
        Some(Value::Integer(number)) => draft.text(Some(number.as_str())),
        Some(Value::Range(range)) => draft.range_of(Some(range)),
        Some(Value::Ratio(ratio)) => draft.ratio(Some(ratio)),
        Some(Value::Period(period)) => draft.period(Some(period)),
        Some(Value::Samples) => Some("no value that can be shown".to_owned()),
        None => None,
    };
    value.or_else(|| {
        Some(format!(
            "no value ({})",
            draft.concept(measured.data_absent_reason.as_ref())?
        ))
    })
}

/// What is said of a value: reference ranges, interpretations, and where none of these flags what lies outside, that it does.
fn judged(draft: &mut Draft<'_>, measured: &Component) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    let ranges = measured
        .reference_range
        .iter()
        .filter_map(|range| reference_range(draft, range))
        .collect();
    said.extend(joined(ranges, ", ").map(|text| ("reference range", text)));
    let (mut meanings, mut is_flagged) = (Vec::new(), false);
    for concept in &measured.interpretation {
        let known = codes::codes(concept).find_map(codes::interpretation);
        is_flagged |= known.is_some_and(|(_, flags)| flags);
        meanings.extend(
            known
                .map(|(meaning, _)| meaning.to_owned())
                .or_else(|| draft.concept(Some(concept))),
        );
    }
    said.extend(joined(meanings, ", ").map(|text| ("interpretation", text)));
    let outside = outside(measured);
    if is_flagged || outside.is_some() {
        draft.abnormal();
    }
    if let Some(side) = outside.filter(|_| !is_flagged) {
        said.push(("compared", format!("{side} the reference range")));
    }
    said
}

fn reference_range(draft: &mut Draft<'_>, range: &ReferenceRange) -> Option<String> {
    let numbers = draft.range(range.low.as_ref(), range.high.as_ref());
    let mut text = joined(
        numbers
            .into_iter()
            .chain(draft.text(range.text.as_deref()))
            .collect(),
        " ",
    )?;
    if let Some(kind) = draft
        .concept(range.r#type.as_ref())
        .filter(|_| !is_normal(range))
    {
        text += &format!(" ({kind})");
    }
    for concept in &range.applies_to {
        if let Some(whom) = draft.concept(Some(concept)) {
            text += &format!(" for {whom}");
        }
    }
    if let Some(age) = draft.range_of(range.age.as_ref()) {
        text += &format!(" for age {age}");
    }
    Some(text)
}

/// No type means the normal range, says the standard.
fn is_normal(range: &ReferenceRange) -> bool {
    let is_normal = |concept: &CodeableConcept| codes::codes(concept).any(|code| code == "normal");
    range.r#type.as_ref().is_none_or(is_normal)
}

/// On which side of its reference range a value lies, where that is beyond doubt: one normal range that is for everybody,
/// numbers in the same unit, and no comparator.
fn outside(measured: &Component) -> Option<&'static str> {
    let [range] = measured.reference_range.as_slice() else {
        return None;
    };
    if !is_normal(range) || !range.applies_to.is_empty() || range.age.is_some() {
        return None;
    }
    let quantity = measured.value_quantity.as_ref()?;
    let number = |quantity: &Quantity| quantity.value.as_ref()?.to_f64();
    let bound = |bound: &Option<Quantity>| {
        let bound = bound.as_ref()?;
        let plain = bound.comparator.is_none() && is_one_unit(bound, quantity);
        number(bound).filter(|_| plain)
    };
    let value = number(quantity).filter(|_| quantity.comparator.is_none())?;
    if bound(&range.low).is_some_and(|low| value < low) {
        return Some("below");
    }
    bound(&range.high)
        .is_some_and(|high| value > high)
        .then_some("above")
}

/// By the codes where both have one, else by what is written.
fn is_one_unit(one: &Quantity, other: &Quantity) -> bool {
    match (&one.code, &other.code) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.unit == other.unit,
        _ => {
            let [one, other] = [one, other].map(|it| it.unit.as_ref().or(it.code.as_ref()));
            one.is_some() && one == other
        }
    }
}

pub(crate) fn report(draft: &mut Draft<'_>, report: &DiagnosticReport) {
    draft.titled(report.code.as_ref());
    draft.categories(&report.category);
    let period = report.effective_period.as_ref();
    draft.date_or(
        &[
            report.effective_date_time.as_deref(),
            period.and_then(|period| period.start.as_deref()),
        ],
        report.issued.as_deref(),
        "issued",
    );
    let ended = draft.moment(period.and_then(|period| period.end.as_deref()));
    draft.say("until", ended);
    draft.say_text("conclusion", report.conclusion.as_deref());
    draft.say_all("conclusion", &report.conclusion_code);
    let results = report.result.iter().filter_map(|result| {
        let target = result.reference.as_deref()?;
        let name = draft.names.name(target, draft.from)?;
        (!draft.names.is_void(target, draft.from)).then(|| name.to_string())
    });
    let results = results.collect();
    draft.say("results", joined(results, ", "));
    for attachment in &report.presented_form {
        let name = draft
            .text(attachment.title.as_deref())
            .or_else(|| draft.text(attachment.content_type.as_deref()));
        draft.say(
            "attached, not shown",
            Some(name.unwrap_or_else(|| "a document".to_owned())),
        );
    }
    draft.status(report.status.as_deref(), |_| Standing::Unclear);
}
