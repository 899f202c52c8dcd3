//! Conditions, allergies, and the family's illnesses.

use crate::fhir::{AllergyIntolerance, CodeableConcept, Condition, FamilyMemberHistory};

use super::draft::joined;
use super::{Draft, Standing, codes};

/// Clinical and verification status of a condition or an allergy. `ended` is whether the resource says that it is over,
/// which a missing clinical status leaves open.
fn statuses(
    draft: &mut Draft<'_>,
    clinical: Option<&CodeableConcept>,
    verification: Option<&CodeableConcept>,
    ended: bool,
) {
    // A site may put a code of its own before the standard's.
    let known = |code: &&str| codes::clinical_standing(code) != Standing::Unclear;
    let code = clinical.and_then(|concept| {
        let mut codes = codes::codes(concept);
        let first = codes.next();
        first.into_iter().chain(codes).find(known).or(first)
    });
    let status = code.map(str::to_owned).or_else(|| draft.concept(clinical));
    draft.status(status.as_deref(), codes::clinical_standing);
    if clinical.is_none() && ended {
        draft.standing(Standing::Past);
    }
    let verified = |wanted| {
        verification.is_some_and(|concept| codes::codes(concept).any(|code| code == wanted))
    };
    if verified("refuted") {
        draft.standing(Standing::Past);
    }
    // Confirmed is what is expected; all else changes what the line means.
    if verified("refuted") || !verified("confirmed") {
        draft.say_all("verification", verification);
    }
}

pub(crate) fn condition(draft: &mut Draft<'_>, condition: &Condition) {
    draft.titled(condition.code.as_ref());
    draft.categories(&condition.category);
    let onset = condition
        .onset_period
        .as_ref()
        .and_then(|period| period.start.as_deref());
    draft.date_or(
        &[condition.onset_date_time.as_deref(), onset],
        condition.recorded_date.as_deref(),
        "recorded",
    );
    let onset = draft
        .quantity(condition.onset_age.as_ref())
        .map(|age| format!("at age {age}"))
        .or_else(|| draft.range_of(condition.onset_range.as_ref()))
        .or_else(|| draft.text(condition.onset_string.as_deref()));
    draft.say("onset", onset);
    let ended = draft
        .moment(condition.abatement_date_time.as_deref())
        .or_else(|| draft.period(condition.abatement_period.as_ref()))
        .or_else(|| {
            draft
                .quantity(condition.abatement_age.as_ref())
                .map(|age| format!("at age {age}"))
        })
        .or_else(|| draft.range_of(condition.abatement_range.as_ref()))
        .or_else(|| draft.text(condition.abatement_string.as_deref()));
    let is_over = ended.is_some();
    draft.say("ended", ended);
    draft.say_all("severity", &condition.severity);
    for stage in &condition.stage {
        let kind = draft.concept(stage.r#type.as_ref());
        let found = draft.concept(stage.summary.as_ref());
        let stage = kind.into_iter().chain(found).collect();
        draft.say("stage", joined(stage, ": "));
    }
    let assessed = condition.stage.iter().flat_map(|stage| &stage.assessment);
    draft.say_named("staged by", assessed);
    draft.say_all("site", &condition.body_site);
    draft.say_notes(&condition.note);
    statuses(
        draft,
        condition.clinical_status.as_ref(),
        condition.verification_status.as_ref(),
        is_over,
    );
}

pub(crate) fn allergy(draft: &mut Draft<'_>, allergy: &AllergyIntolerance) {
    draft.titled(allergy.code.as_ref());
    let onset = allergy
        .onset_period
        .as_ref()
        .and_then(|period| period.start.as_deref());
    draft.date_or(
        &[allergy.onset_date_time.as_deref(), onset],
        allergy.recorded_date.as_deref(),
        "recorded",
    );
    draft.say_text("type", allergy.r#type.as_deref());
    let categories = allergy.category.iter().flatten();
    let categories = categories
        .filter_map(|category| draft.text(Some(category)))
        .collect();
    draft.say("category", joined(categories, ", "));
    draft.say_text("criticality", allergy.criticality.as_deref());
    let onset = draft
        .quantity(allergy.onset_age.as_ref())
        .map(|age| format!("at age {age}"))
        .or_else(|| draft.range_of(allergy.onset_range.as_ref()))
        .or_else(|| draft.text(allergy.onset_string.as_deref()));
    draft.say("onset", onset);
    for reaction in &allergy.reaction {
        let manifestations = reaction.manifestation.iter();
        let mut parts: Vec<String> = manifestations
            .filter_map(|concept| draft.concept(Some(concept)))
            .collect();
        parts.extend(draft.text(reaction.description.as_deref()));
        parts.extend(draft.text(reaction.severity.as_deref()));
        parts.extend(
            draft
                .concept(reaction.substance.as_ref())
                .map(|to| format!("to {to}")),
        );
        draft.say("reaction", joined(parts, ", "));
    }
    let last = draft.moment(allergy.last_occurrence.as_deref());
    draft.say("last reaction", last);
    draft.say_notes(&allergy.note);
    statuses(
        draft,
        allergy.clinical_status.as_ref(),
        allergy.verification_status.as_ref(),
        false,
    );
}

pub(crate) fn family(draft: &mut Draft<'_>, history: &FamilyMemberHistory) {
    draft.titled(history.relationship.as_ref());
    draft.date(&[history.date.as_deref()]);
    draft.say_all("sex", &history.sex);
    let age = draft
        .quantity(history.age_age.as_ref())
        .or_else(|| draft.range_of(history.age_range.as_ref()))
        .or_else(|| draft.text(history.age_string.as_deref()));
    draft.say("age", age);
    for condition in &history.condition {
        let Some(mut text) = draft.concept(condition.code.as_ref()) else {
            continue;
        };
        let onset = draft
            .quantity(condition.onset_age.as_ref())
            .or_else(|| draft.range_of(condition.onset_range.as_ref()))
            .map(|age| format!("at age {age}"))
            .or_else(|| draft.period(condition.onset_period.as_ref()))
            .or_else(|| draft.text(condition.onset_string.as_deref()));
        if let Some(onset) = onset {
            text += &format!(", onset {onset}");
        }
        if let Some(outcome) = draft.concept(condition.outcome.as_ref()) {
            text += &format!(", outcome {outcome}");
        }
        match condition.contributed_to_death {
            Some(true) => text += ", contributed to death",
            Some(false) => text += ", did not contribute to death",
            None => {}
        }
        draft.say("condition", Some(text));
    }
    let died = draft
        .quantity(history.deceased_age.as_ref())
        .or_else(|| draft.range_of(history.deceased_range.as_ref()))
        .map(|age| format!("at age {age}"))
        .or_else(|| draft.moment(history.deceased_date.as_deref()))
        .or_else(|| draft.text(history.deceased_string.as_deref()))
        .or_else(|| history.deceased_boolean?.then(|| "yes".to_owned()));
    draft.say("died", died);
    draft.say_notes(&history.note);
    draft.status(history.status.as_deref(), |_| Standing::Unclear);
}
