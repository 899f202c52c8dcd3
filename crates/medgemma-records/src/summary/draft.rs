//! A summary being written: FHIR's data types as words.

use crate::bundle::Names;
use crate::date::Date;
use crate::fhir::{
    Annotation, CodeableConcept, Period, Quantity, Range, Ratio, Reference, Resource,
};
use crate::text::clean;

use super::{Code, Detail, Standing, Summary, codes};

/// A summary that is not finished, and what is needed to write it.
pub(crate) struct Draft<'a> {
    pub(crate) names: &'a Names<'a>,
    /// The record that is summarised.
    pub(crate) from: usize,
    limit: usize,
    summary: Summary,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(names: &'a Names<'a>, from: usize, limit: usize) -> Self {
        Self {
            names,
            from,
            limit,
            summary: Summary::default(),
        }
    }

    pub(crate) fn finish(self) -> Summary {
        self.summary
    }

    /// A cleaned text; `None` if nothing is left of it.
    pub(crate) fn text(&mut self, text: Option<&str>) -> Option<String> {
        let (line, cut) = clean(text?, self.limit);
        self.summary.cut += cut;
        (!line.is_empty()).then_some(line)
    }

    /// Says something, if there is something to say.
    pub(crate) fn say(&mut self, label: &'static str, text: Option<String>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.summary.details.push(Detail { label, text });
        }
    }

    pub(crate) fn say_text(&mut self, label: &'static str, text: Option<&str>) {
        let text = self.text(text);
        self.say(label, text);
    }

    /// Says a text unless it is `usual`, which nobody needs to be told.
    pub(crate) fn say_unless(&mut self, usual: &str, label: &'static str, text: Option<&str>) {
        self.say_text(label, text.filter(|text| *text != usual));
    }

    pub(crate) fn say_all<'b>(
        &mut self,
        label: &'static str,
        concepts: impl IntoIterator<Item = &'b CodeableConcept>,
    ) {
        let texts = concepts
            .into_iter()
            .filter_map(|concept| self.concept(Some(concept)))
            .collect();
        self.say(label, joined(texts, ", "));
    }

    pub(crate) fn say_notes(&mut self, notes: &[Annotation]) {
        for note in notes {
            self.say_text("note", note.text.as_deref());
        }
    }

    /// Reasons by code, and by the titles of the records that give them.
    pub(crate) fn say_reasons(&mut self, concepts: &[CodeableConcept], references: &[Reference]) {
        self.say_all("reason", concepts);
        self.say_named("reason", references);
    }

    /// What references point at: what they say themselves, or the title of the record.
    pub(crate) fn say_named<'b>(
        &mut self,
        label: &'static str,
        references: impl IntoIterator<Item = &'b Reference>,
    ) {
        let texts = references
            .into_iter()
            .filter_map(|reference| self.named(reference))
            .collect();
        self.say(label, joined(texts, ", "));
    }

    /// People by name, of whom it is known that they are no patients or relatives: what points into this resource or by
    /// a URN at something that was not read may be one, whose name would be in `display`.
    pub(crate) fn say_people<'b>(
        &mut self,
        label: &'static str,
        references: impl IntoIterator<Item = &'b Reference>,
    ) {
        let references: Vec<&Reference> = references
            .into_iter()
            .filter(|reference| !self.may_name_a_lay_person(reference))
            .collect();
        self.say_named(label, references);
    }

    fn may_name_a_lay_person(&self, reference: &Reference) -> bool {
        reference.reference.as_deref().is_some_and(|name| {
            (name.starts_with('#') || name.starts_with("urn:"))
                && reference.r#type.is_none()
                && self.names.resource(name, self.from).is_none()
        })
    }

    /// As above, of one; nothing of what was entered in error.
    pub(crate) fn named(&mut self, reference: &Reference) -> Option<String> {
        let name = reference.reference.as_deref();
        let target = name.and_then(|name| self.names.resource(name, self.from));
        if name.is_some_and(|name| self.names.is_void(name, self.from)) {
            return None;
        }
        // Their names are not read from their own records either.
        if let Some(whom) = lay(reference, target) {
            return Some(whom.to_owned());
        }
        self.text(reference.display.as_deref())
            .or_else(|| self.text(title(target?).as_deref()))
    }

    /// Whether two references point at one resource; without a second, whether the first points at a patient.
    pub(crate) fn is_same(&self, one: &Reference, other: Option<&Reference>) -> bool {
        let target = |it: &Reference| self.names.target(it.reference.as_deref()?, self.from);
        let Some(other) = other.filter(|other| other.reference.is_some()) else {
            return lay(
                one,
                target(one).map(|at| &self.names.resources[at].resource),
            ) == Some(PATIENT);
        };
        let absolute = |it: &Reference| {
            let reference = it.reference.as_deref()?;
            Some(self.names.absolute(reference, self.from))
        };
        match (target(one), target(other)) {
            (None, None) => absolute(one) == absolute(other),
            (one, other) => one == other,
        }
    }

    /// What a reference points at that is known to be another than the patient; nothing of whoever may be named.
    pub(crate) fn other_than_patient(&mut self, reference: &Reference) -> Option<String> {
        if self.may_name_a_lay_person(reference) {
            return None;
        }
        let named = self.named(reference)?;
        Some(if named == PATIENT {
            "another patient".to_owned()
        } else {
            named
        })
    }

    /// Title and codes.
    pub(crate) fn titled(&mut self, concept: Option<&CodeableConcept>) {
        let Some(concept) = concept else { return };
        if let Some(title) = self.concept(Some(concept)) {
            self.summary.title = title;
        }
        for coding in &concept.coding {
            let system = coding
                .system
                .as_deref()
                .and_then(codes::system)
                .unwrap_or_default();
            if let Some(code) = self.text(coding.code.as_deref()) {
                self.summary.codes.push(Code { system, code });
            }
        }
    }

    pub(crate) fn title(&mut self, title: String) {
        self.summary.title = title;
    }

    /// Of several dates the first that is there and is a date.
    pub(crate) fn date(&mut self, dates: &[Option<&str>]) {
        self.summary.date = dates.iter().flatten().find_map(|date| Date::parse(date));
    }

    /// The same; for want of one, the date on which it was written down, of which the line says that it is no other.
    pub(crate) fn date_or(&mut self, dates: &[Option<&str>], written: Option<&str>, how: &str) {
        self.date(dates);
        if self.summary.date.is_none() {
            self.date(&[written]);
            let was_written = self.summary.date.is_some();
            self.say("date", was_written.then(|| format!("when it was {how}")));
        }
    }

    pub(crate) fn categories<'b>(
        &mut self,
        concepts: impl IntoIterator<Item = &'b CodeableConcept>,
    ) {
        for concept in concepts {
            let displays = concept
                .coding
                .iter()
                .filter_map(|coding| coding.display.as_deref());
            for text in codes::codes(concept)
                .chain(displays)
                .chain(concept.text.as_deref())
            {
                let text = self
                    .text(Some(text))
                    .filter(|text| !self.summary.categories.contains(text));
                self.summary.categories.extend(text);
            }
        }
    }

    pub(crate) fn value(&mut self, value: Option<String>) {
        self.summary.value = value;
    }

    /// The status, and what it says of now.
    pub(crate) fn status(&mut self, status: Option<&str>, standing: fn(&str) -> Standing) {
        self.summary.standing = status.map_or(Standing::Unclear, standing);
        self.summary.status = self.text(status);
    }

    /// Whatever the status said.
    pub(crate) fn standing(&mut self, standing: Standing) {
        self.summary.standing = standing;
    }

    /// What cannot be understood in full may not hold now.
    pub(crate) fn doubt_standing(&mut self) {
        if self.summary.standing == Standing::Current {
            self.summary.standing = Standing::Unclear;
        }
    }

    pub(crate) fn abnormal(&mut self) {
        self.summary.abnormal = true;
    }

    pub(crate) fn concept(&mut self, concept: Option<&CodeableConcept>) -> Option<String> {
        self.text(concept.and_then(words))
    }

    /// `<5.0 mg/dL`.
    pub(crate) fn quantity(&mut self, quantity: Option<&Quantity>) -> Option<String> {
        let quantity = quantity?;
        let number = self.number(quantity)?;
        Some(match self.unit(quantity) {
            Some(unit) => format!("{number} {unit}"),
            None => number,
        })
    }

    fn number(&mut self, quantity: &Quantity) -> Option<String> {
        let value = self.text(quantity.value.as_ref().map(|value| value.as_str()))?;
        let comparator = self
            .text(quantity.comparator.as_deref())
            .unwrap_or_default();
        Some(comparator + &value)
    }

    /// Not UCUM's `1`, which behind a number would be a digit of it; of an annotation in braces alone its words.
    fn unit(&mut self, quantity: &Quantity) -> Option<String> {
        let unit = self
            .text(quantity.unit.as_deref())
            .or_else(|| self.text(quantity.code.as_deref()))?;
        let unit = match unit.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
            Some(counted) if !counted.contains(['{', '}']) => counted.to_owned(),
            _ => unit,
        };
        Some(unit).filter(|unit| !unit.is_empty() && unit != "1")
    }

    /// `3.5 to 5.1 mmol/L`, `at most 5.1 mmol/L`.
    pub(crate) fn range(
        &mut self,
        low: Option<&Quantity>,
        high: Option<&Quantity>,
    ) -> Option<String> {
        match (self.quantity(low), self.quantity(high)) {
            (Some(_), Some(end)) => {
                let low = low?;
                let one_unit = high.is_some_and(|high| self.unit(high) == self.unit(low));
                let begin = if one_unit {
                    self.number(low)
                } else {
                    self.quantity(Some(low))
                };
                Some(format!("{} to {end}", begin?))
            }
            (Some(low), None) => Some(format!("at least {low}")),
            (None, high) => Some(format!("at most {}", high?)),
        }
    }

    /// `as needed for pain`, of a dose or an order.
    pub(crate) fn as_needed(
        &mut self,
        why: Option<&CodeableConcept>,
        yes: Option<bool>,
    ) -> Option<String> {
        let why = self.concept(why).map(|why| format!("as needed for {why}"));
        why.or_else(|| yes?.then(|| "as needed".to_owned()))
    }

    pub(crate) fn range_of(&mut self, range: Option<&Range>) -> Option<String> {
        self.range(range?.low.as_ref(), range?.high.as_ref())
    }

    /// `5 mg / 1 mL`; titers as `1:128`, which have no units.
    pub(crate) fn ratio(&mut self, ratio: Option<&Ratio>) -> Option<String> {
        let (numerator, denominator) = (ratio?.numerator.as_ref()?, ratio?.denominator.as_ref());
        let above = self.quantity(Some(numerator))?;
        let Some(below) = self.quantity(denominator) else {
            return Some(above);
        };
        let plain = self.unit(numerator).is_none()
            && denominator.is_some_and(|below| self.unit(below).is_none());
        Some(if plain {
            format!("{above}:{below}")
        } else {
            format!("{above} / {below}")
        })
    }

    /// `2024-01-02 to 2024-02-01`, `since …`, `until …`.
    pub(crate) fn period(&mut self, period: Option<&Period>) -> Option<String> {
        let period = period?;
        match (
            self.moment(period.start.as_deref()),
            self.moment(period.end.as_deref()),
        ) {
            (Some(start), Some(end)) => Some(format!("{start} to {end}")),
            (Some(start), None) => Some(format!("since {start}")),
            (None, end) => Some(format!("until {}", end?)),
        }
    }

    /// A date as it is shown; one that is none, as it was written.
    pub(crate) fn moment(&mut self, date: Option<&str>) -> Option<String> {
        match Date::parse(date?) {
            Some(date) => Some(date.as_str().to_owned()),
            None => self.text(date),
        }
    }
}

const PATIENT: &str = "the patient";

/// The word for a patient or a relative, if a reference points at one.
fn lay(reference: &Reference, target: Option<&Resource>) -> Option<&'static str> {
    if matches!(target, Some(Resource::Patient(_))) {
        return Some(PATIENT);
    }
    let r#type = reference.r#type.iter();
    // `Patient/1`, `https://server/fhir/Patient/1`, `Patient?identifier=1`
    let parts = reference.reference.iter().chain(r#type);
    let mut parts = parts.flat_map(|text| text.split(['/', '?', '|']));
    parts.find_map(|part| match part {
        "Patient" => Some(PATIENT),
        "RelatedPerson" => Some("a relative"),
        _ => None,
    })
}

/// What a concept is called: its text, or a coding's display, or a code for want of words.
pub(crate) fn words(concept: &CodeableConcept) -> Option<&str> {
    let displays = concept
        .coding
        .iter()
        .filter_map(|coding| coding.display.as_deref());
    let mut texts = concept
        .text
        .as_deref()
        .into_iter()
        .chain(displays)
        .chain(codes::codes(concept));
    texts.find(|text| !text.trim().is_empty())
}

/// What a resource is called where another refers to it.
pub(crate) fn title(resource: &Resource) -> Option<String> {
    let concept = match resource {
        Resource::Practitioner(practitioner) => return practitioner.called(),
        Resource::Medication(medication) => return medication.called(),
        Resource::Condition(condition) => &condition.code,
        Resource::AllergyIntolerance(allergy) => &allergy.code,
        Resource::Observation(observation) => &observation.measured.code,
        Resource::DiagnosticReport(report) => &report.code,
        Resource::Procedure(procedure) => &procedure.code,
        Resource::ServiceRequest(request) => &request.code,
        Resource::Patient(_)
        | Resource::Encounter(_)
        | Resource::FamilyMemberHistory(_)
        | Resource::MedicationRequest(_)
        | Resource::MedicationStatement(_)
        | Resource::MedicationAdministration(_) => return None,
    };
    concept.as_ref().and_then(words).map(str::to_owned)
}

/// Texts as one, or `None` if there is none.
pub(crate) fn joined(texts: Vec<String>, gap: &str) -> Option<String> {
    (!texts.is_empty()).then(|| texts.join(gap))
}
