//! A summary being written: FHIR's data types as words.

use crate::bundle::Names;
use crate::date::Date;
use crate::fhir::{Annotation, CodeableConcept, Period, Quantity, Range, Ratio, Reference};
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

/// Texts as one, or `None` if there is none.
pub(crate) fn joined(texts: Vec<String>, gap: &str) -> Option<String> {
    (!texts.is_empty()).then(|| texts.join(gap))
}
