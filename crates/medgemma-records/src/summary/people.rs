//! Patients without names, encounters, practitioners.

use crate::fhir::{Encounter, Patient, Practitioner};

use super::draft::joined;
use super::{Draft, Standing};

/// Sex and age are what a prompt needs of a patient. A date of birth is no date of a record: by time, a patient is undated.
pub(crate) fn patient(draft: &mut Draft<'_>, patient: &Patient) {
    draft.title("patient".to_owned());
    draft.say_text("sex", patient.gender.as_deref());
    let born = draft.moment(patient.birth_date.as_deref());
    draft.say("born", born);
    let died = draft.moment(patient.deceased_date_time.as_deref());
    draft.say(
        "died",
        died.or_else(|| patient.deceased_boolean?.then(|| "yes".to_owned())),
    );
    draft.say_all("marital status", &patient.marital_status);
}

impl Practitioner {
    /// The name, as text or put together.
    pub(crate) fn called(&self) -> Option<String> {
        let name = self.name.first()?;
        let part = |part: &Option<String>| part.clone();
        name.text.clone().or_else(|| {
            let given = name.prefix.iter().chain(&name.given).filter_map(part);
            joined(given.chain(name.family.clone()).collect(), " ")
        })
    }
}

pub(crate) fn practitioner(draft: &mut Draft<'_>, practitioner: &Practitioner) {
    if let Some(name) = draft.text(practitioner.called().as_deref()) {
        draft.title(name);
    }
    let codes = practitioner
        .qualification
        .iter()
        .filter_map(|part| part.code.as_ref());
    draft.say_all("qualification", codes);
}

pub(crate) fn encounter(draft: &mut Draft<'_>, encounter: &Encounter) {
    draft.titled(encounter.r#type.first().or(encounter.service_type.as_ref()));
    let class = encounter.class.as_ref();
    draft.say_text(
        "class",
        class.and_then(|class| class.display.as_deref().or(class.code.as_deref())),
    );
    let period = encounter.period.as_ref();
    draft.date(&[period.and_then(|period| period.start.as_deref())]);
    let ended = draft.moment(period.and_then(|period| period.end.as_deref()));
    draft.say("until", ended);
    draft.say_all("type", encounter.r#type.iter().skip(1));
    draft.say_all("service", &encounter.service_type);
    draft.say_reasons(&encounter.reason_code, &encounter.reason_reference);
    draft.say_named(
        "diagnosis",
        encounter
            .diagnosis
            .iter()
            .filter_map(|part| part.condition.as_ref()),
    );
    draft.say_people(
        "seen by",
        encounter
            .participant
            .iter()
            .filter_map(|part| part.individual.as_ref()),
    );
    let stay = encounter.hospitalization.as_ref();
    draft.say_all(
        "discharged to",
        stay.and_then(|stay| stay.discharge_disposition.as_ref()),
    );
    draft.status(encounter.status.as_deref(), |_| Standing::Unclear);
}
