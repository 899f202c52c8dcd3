//! Procedures and orders of them.

use crate::fhir::{Procedure, ServiceRequest};

use super::dosage::{bounds, times};
use super::draft::joined;
use super::medications::prohibited;
use super::{Draft, Standing, codes};

pub(crate) fn procedure(draft: &mut Draft<'_>, procedure: &Procedure) {
    draft.titled(procedure.code.as_ref());
    draft.categories(&procedure.category);
    let period = procedure.performed_period.as_ref();
    draft.date(&[
        procedure.performed_date_time.as_deref(),
        period.and_then(|period| period.start.as_deref()),
    ]);
    let ended = draft.moment(period.and_then(|period| period.end.as_deref()));
    draft.say("until", ended);
    let performed = draft
        .quantity(procedure.performed_age.as_ref())
        .map(|age| format!("at age {age}"))
        .or_else(|| draft.text(procedure.performed_string.as_deref()));
    draft.say("performed", performed);
    draft.say_all("site", &procedure.body_site);
    draft.say_reasons(&procedure.reason_code, &procedure.reason_reference);
    draft.say_all("outcome", &procedure.outcome);
    draft.say_all("complication", &procedure.complication);
    draft.say_all("status because of", &procedure.status_reason);
    draft.say_notes(&procedure.note);
    draft.status(procedure.status.as_deref(), |_| Standing::Unclear);
}

pub(crate) fn service_request(draft: &mut Draft<'_>, request: &ServiceRequest) {
    draft.titled(request.code.as_ref());
    draft.categories(&request.category);
    draft.date(&[
        request.authored_on.as_deref(),
        request.occurrence_date_time.as_deref(),
    ]);
    prohibited(draft, request.do_not_perform);
    let planned = draft
        .moment(request.occurrence_date_time.as_deref())
        .or_else(|| draft.period(request.occurrence_period.as_ref()))
        .or_else(|| joined(times(draft, request.occurrence_timing.as_ref()?), ", "));
    draft.say("planned for", planned);
    let timing = request.occurrence_timing.as_ref();
    let repeat = timing.and_then(|timing| timing.repeat.as_ref());
    let bounds = repeat.and_then(|repeat| bounds(draft, repeat));
    draft.say("for", bounds);
    let why = request.as_needed_codeable_concept.as_ref();
    let needed = draft.as_needed(why, request.as_needed_boolean);
    draft.say("when", needed);
    let quantity = draft
        .quantity(request.quantity_quantity.as_ref())
        .or_else(|| draft.ratio(request.quantity_ratio.as_ref()))
        .or_else(|| draft.range_of(request.quantity_range.as_ref()));
    draft.say("quantity", quantity);
    draft.say_all("detail", &request.order_detail);
    draft.say_all("site", &request.body_site);
    draft.say_reasons(&request.reason_code, &request.reason_reference);
    draft.say_people("ordered by", &request.requester);
    draft.say_unless("order", "intent", request.intent.as_deref());
    draft.say_unless("routine", "priority", request.priority.as_deref());
    draft.say_notes(&request.note);
    draft.status(request.status.as_deref(), codes::order_standing);
}
