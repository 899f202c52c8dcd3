//! Medications as ordered, taken and given.

use crate::fhir::{
    CodeableConcept, Medication, MedicationAdministration, MedicationRequest, MedicationStatement,
    Reference, Resource,
};

use super::dosage::dosages;
use super::draft::{joined, words};
use super::{Draft, Standing, codes};

impl Medication {
    /// The product, or what is in it.
    pub(crate) fn called(&self) -> Option<String> {
        let of = |concept: &CodeableConcept| words(concept).map(str::to_owned);
        self.code.as_ref().and_then(of).or_else(|| {
            let items = self
                .ingredient
                .iter()
                .filter_map(|part| part.item_codeable_concept.as_ref());
            joined(items.filter_map(of).collect(), ", ")
        })
    }
}

/// Title and codes, from the resource itself or from the medication that it refers to.
fn medicine(
    draft: &mut Draft<'_>,
    concept: Option<&CodeableConcept>,
    reference: Option<&Reference>,
) {
    draft.titled(concept);
    let Some(reference) = reference.filter(|_| concept.is_none()) else {
        return;
    };
    let names = draft.names;
    let target = reference
        .reference
        .as_deref()
        .and_then(|target| names.resource(target, draft.from));
    if let Some(Resource::Medication(medication)) = target {
        draft.titled(medication.code.as_ref());
    }
    if let Some(name) = draft.named(reference) {
        draft.title(name);
    }
}

pub(crate) fn request(draft: &mut Draft<'_>, request: &MedicationRequest) {
    medicine(
        draft,
        request.medication_codeable_concept.as_ref(),
        request.medication_reference.as_ref(),
    );
    draft.categories(&request.category);
    draft.date(&[request.authored_on.as_deref()]);
    prohibited(draft, request.do_not_perform);
    dosages(draft, &request.dosage_instruction);
    draft.say_reasons(&request.reason_code, &request.reason_reference);
    draft.say_people("prescribed by", &request.requester);
    draft.say_unless("order", "intent", request.intent.as_deref());
    draft.say_unless("routine", "priority", request.priority.as_deref());
    draft.say_all("status because of", &request.status_reason);
    draft.say_notes(&request.note);
    draft.status(request.status.as_deref(), codes::order_standing);
}

/// An order not to do something reads like its contrary unless it says so first.
pub(crate) fn prohibited(draft: &mut Draft<'_>, prohibited: Option<bool>) {
    if prohibited == Some(true) {
        draft.say("order", Some("DO NOT give or perform this".to_owned()));
    }
}

pub(crate) fn statement(draft: &mut Draft<'_>, statement: &MedicationStatement) {
    medicine(
        draft,
        statement.medication_codeable_concept.as_ref(),
        statement.medication_reference.as_ref(),
    );
    draft.categories(&statement.category);
    let period = statement.effective_period.as_ref();
    draft.date_or(
        &[
            statement.effective_date_time.as_deref(),
            period.and_then(|period| period.start.as_deref()),
        ],
        statement.date_asserted.as_deref(),
        "asserted",
    );
    let ended = draft.moment(period.and_then(|period| period.end.as_deref()));
    draft.say("until", ended);
    dosages(draft, &statement.dosage);
    draft.say_reasons(&statement.reason_code, &statement.reason_reference);
    draft.say_all("status because of", &statement.status_reason);
    draft.say_notes(&statement.note);
    draft.status(statement.status.as_deref(), codes::order_standing);
}

pub(crate) fn administration(draft: &mut Draft<'_>, given: &MedicationAdministration) {
    medicine(
        draft,
        given.medication_codeable_concept.as_ref(),
        given.medication_reference.as_ref(),
    );
    draft.categories(&given.category);
    let period = given.effective_period.as_ref();
    draft.date(&[
        given.effective_date_time.as_deref(),
        period.and_then(|period| period.start.as_deref()),
    ]);
    let ended = draft.moment(period.and_then(|period| period.end.as_deref()));
    draft.say("until", ended);
    if let Some(dosage) = &given.dosage {
        draft.say_text("dosage", dosage.text.as_deref());
        let dose = draft.quantity(dosage.dose.as_ref());
        draft.say("dose", dose);
        let rate = draft
            .quantity(dosage.rate_quantity.as_ref())
            .or_else(|| draft.ratio(dosage.rate_ratio.as_ref()));
        draft.say("rate", rate);
        draft.say_all("site", &dosage.site);
        draft.say_all("route", &dosage.route);
        draft.say_all("method", &dosage.method);
    }
    draft.say_all("why not", &given.status_reason);
    draft.say_reasons(&given.reason_code, &given.reason_reference);
    draft.say_notes(&given.note);
    draft.status(given.status.as_deref(), codes::order_standing);
}

pub(crate) fn medication(draft: &mut Draft<'_>, medication: &Medication) {
    draft.titled(medication.code.as_ref());
    if let Some(name) = draft.text(medication.called().as_deref()) {
        draft.title(name);
    }
    draft.say_all("form", &medication.form);
    for part in &medication.ingredient {
        let name = draft.concept(part.item_codeable_concept.as_ref());
        let name = name.or_else(|| draft.named(part.item_reference.as_ref()?));
        let strength = draft.ratio(part.strength.as_ref());
        draft.say(
            "ingredient",
            joined(name.into_iter().chain(strength).collect(), " "),
        );
    }
    draft.status(medication.status.as_deref(), |_| Standing::Unclear);
}
