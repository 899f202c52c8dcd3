//! Dosages in words: how much, how often, when, how long, and the most that may be.
//! Source: <https://hl7.org/fhir/R4/dosage.html>, <https://hl7.org/fhir/R4/datatypes.html#Timing>.

use crate::fhir::{Decimal, Dosage, Repeat, Timing};

use super::Draft;
use super::draft::joined;

/// Dosages in the order in which they follow each other. Those without a number are all at once, says the standard.
pub(super) fn dosages(draft: &mut Draft<'_>, dosages: &[Dosage]) {
    let mut in_order: Vec<&Dosage> = dosages.iter().collect();
    let number = |dosage: &Dosage| dosage.sequence.as_ref().and_then(Decimal::to_f64);
    in_order.sort_by(|a, b| {
        let (a, b) = (number(a), number(b));
        a.unwrap_or(f64::MAX).total_cmp(&b.unwrap_or(f64::MAX))
    });
    let follow_each_other = dosages.len() > 1;
    for part in in_order {
        let step = part.sequence.as_ref().filter(|_| follow_each_other);
        dosage(draft, part, step);
    }
}

/// A dosage as its author worded it, with its doses and those of its other parts that the wording lacks, or put together
/// from them; and what bounds or explains it.
fn dosage(draft: &mut Draft<'_>, dosage: &Dosage, step: Option<&Decimal>) {
    let worded = draft.text(dosage.text.as_deref());
    let repeat = dosage
        .timing
        .as_ref()
        .and_then(|timing| timing.repeat.as_ref());
    // A number of the wording may be another than the dose, whatever stands behind it: `5 mg/kg`, `10 mg/5 mL`.
    let doses = doses(draft, dosage);
    let mut others = others(draft, dosage);
    if let Some(worded) = &worded {
        others.retain(|part| !says(worded, part));
    }
    let parts = joined([doses, others].concat(), ", ");
    let said = match (worded, parts) {
        (Some(worded), Some(parts)) => Some(format!("{worded} ({parts})")),
        (worded, parts) => worded.or(parts),
    };
    let step = step.map(|step| format!("step {}", step.as_str()));
    let said = step.into_iter().chain(said).collect();
    draft.say("dosage", joined(said, ": "));
    let bounds = repeat.and_then(|repeat| bounds(draft, repeat));
    draft.say("for", bounds);
    let most = [
        draft.ratio(dosage.max_dose_per_period.as_ref()),
        draft
            .quantity(dosage.max_dose_per_administration.as_ref())
            .map(|most| most + " at once"),
        draft
            .quantity(dosage.max_dose_per_lifetime.as_ref())
            .map(|most| most + " in a lifetime"),
    ];
    let most = most.into_iter().flatten().collect();
    draft.say("at most", joined(most, ", "));
    draft.say_all("instruction", &dosage.additional_instruction);
    draft.say_text(
        "instruction to the patient",
        dosage.patient_instruction.as_deref(),
    );
}

/// Doses and rates.
fn doses(draft: &mut Draft<'_>, dosage: &Dosage) -> Vec<String> {
    let mut parts = Vec::new();
    for part in &dosage.dose_and_rate {
        parts.extend(
            draft
                .quantity(part.dose_quantity.as_ref())
                .or_else(|| draft.range_of(part.dose_range.as_ref())),
        );
        let rate = draft
            .quantity(part.rate_quantity.as_ref())
            .or_else(|| draft.ratio(part.rate_ratio.as_ref()))
            .or_else(|| draft.range_of(part.rate_range.as_ref()));
        parts.extend(rate.map(|rate| format!("at {rate}")));
    }
    parts
}

/// When, whether only as needed, and how.
fn others(draft: &mut Draft<'_>, dosage: &Dosage) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(timing) = &dosage.timing {
        parts.extend(times(draft, timing));
    }
    let why = dosage.as_needed_codeable_concept.as_ref();
    parts.extend(draft.as_needed(why, dosage.as_needed_boolean));
    parts.extend(draft.concept(dosage.route.as_ref()));
    parts.extend(draft.concept(dosage.method.as_ref()));
    parts.extend(
        draft
            .concept(dosage.site.as_ref())
            .map(|site| format!("at {site}")),
    );
    parts
}

/// Whether a wording has a part in it, word for word and not denied: `3 times` is in `take 3times daily`, not in `2-3 times`.
fn says(wording: &str, part: &str) -> bool {
    let (wording, part) = (pieces(wording), pieces(part));
    let is_denied =
        |at: usize| at > 0 && ["no", "not", "non", "never"].contains(&wording[at - 1].as_str());
    let mut windows = wording.windows(part.len().max(1)).enumerate();
    windows.any(|(at, window)| window == part && !is_denied(at))
}

/// Words and numbers, a range or a fraction being one number.
fn pieces(text: &str) -> Vec<String> {
    let is_word = |letter: char| letter.is_alphabetic() || letter == '%';
    let is_number = |letter: char| letter.is_ascii_digit() || "-–/.,½¼¾".contains(letter);
    let mut pieces: Vec<String> = Vec::new();
    let mut last = None;
    for letter in text.to_lowercase().chars() {
        let class = if is_word(letter) {
            Some(true)
        } else {
            is_number(letter).then_some(false)
        };
        match (class, pieces.last_mut()) {
            (None, _) => {}
            (class, Some(piece)) if class == last => piece.push(letter),
            _ => pieces.push(letter.to_string()),
        }
        last = class;
    }
    let bare = pieces
        .iter()
        .map(|it| it.trim_matches(['.', ',', '-', '/', '–']).to_owned());
    bare.filter(|piece| !piece.is_empty()).collect()
}

/// When. A code says all of it but for the bounds, says the standard.
pub(super) fn times(draft: &mut Draft<'_>, timing: &Timing) -> Vec<String> {
    let coded = draft.concept(timing.code.as_ref());
    if coded.is_some() {
        return coded.into_iter().collect();
    }
    let mut said = Vec::new();
    let days = timing.event.iter().flatten();
    said.extend(
        days.filter_map(|day| draft.moment(Some(day)))
            .map(|day| format!("on {day}")),
    );
    let Some(repeat) = &timing.repeat else {
        return said;
    };
    said.extend(rhythm(draft, repeat));
    let units = draft.text(repeat.duration_unit.as_deref());
    let lasting = span(&repeat.duration, &repeat.duration_max);
    said.extend(lasting.map(|span| format!("over {span} {}", units.unwrap_or_default())));
    let offset = repeat.offset.as_ref();
    for when in repeat.when.iter().flatten() {
        let words = meal(when)
            .map(str::to_owned)
            .or_else(|| draft.text(Some(when)));
        said.extend(words.map(|words| match offset {
            Some(minutes) => format!("{} min {words}", minutes.as_str()),
            None => words,
        }));
    }
    let texts = [("on", &repeat.day_of_week), ("at", &repeat.time_of_day)];
    for (word, list) in texts {
        let list = list.iter().flatten();
        let list: Vec<String> = list.filter_map(|text| draft.text(Some(text))).collect();
        said.extend(joined(list, " and ").map(|list| format!("{word} {list}")));
    }
    let count = span(&repeat.count, &repeat.count_max);
    said.extend(count.map(|count| format!("{count} times in all")));
    said
}

/// `2 per 1 d`, `1 to 2 per 4 to 6 h`. Without a frequency it is once in each period, says the standard.
fn rhythm(draft: &mut Draft<'_>, repeat: &Repeat) -> Option<String> {
    let times = span(&repeat.frequency, &repeat.frequency_max);
    let Some(period) = span(&repeat.period, &repeat.period_max) else {
        return times.map(|times| format!("{times} times"));
    };
    let unit = draft.text(repeat.period_unit.as_deref());
    let unit = unit.unwrap_or_else(|| "(no unit of time given)".to_owned());
    let times = times.unwrap_or_else(|| "1".to_owned());
    Some(format!("{times} per {period} {unit}"))
}

fn span(from: &Option<Decimal>, to: &Option<Decimal>) -> Option<String> {
    match (
        from.as_ref().map(Decimal::as_str),
        to.as_ref().map(Decimal::as_str),
    ) {
        (Some(from), Some(to)) if from != to => Some(format!("{from} to {to}")),
        (Some(one), _) => Some(one.to_owned()),
        (None, most) => Some(format!("up to {}", most?)),
    }
}

/// How long, or between which days.
pub(super) fn bounds(draft: &mut Draft<'_>, repeat: &Repeat) -> Option<String> {
    draft
        .quantity(repeat.bounds_duration.as_ref())
        .or_else(|| draft.range_of(repeat.bounds_range.as_ref()))
        .or_else(|| draft.period(repeat.bounds_period.as_ref()))
}

/// Source: <https://hl7.org/fhir/R4/valueset-event-timing.html>.
fn meal(code: &str) -> Option<&'static str> {
    Some(match code {
        "MORN" => "in the morning",
        "MORN.early" => "early in the morning",
        "MORN.late" => "late in the morning",
        "NOON" => "at noon",
        "AFT" => "in the afternoon",
        "AFT.early" => "early in the afternoon",
        "AFT.late" => "late in the afternoon",
        "EVE" => "in the evening",
        "EVE.early" => "early in the evening",
        "EVE.late" => "late in the evening",
        "NIGHT" => "at night",
        "PHS" => "after going to sleep",
        "HS" => "before sleep",
        "WAKE" => "upon waking",
        "C" => "with meals",
        "CM" => "with breakfast",
        "CD" => "with lunch",
        "CV" => "with dinner",
        "AC" => "before meals",
        "ACM" => "before breakfast",
        "ACD" => "before lunch",
        "ACV" => "before dinner",
        "PC" => "after meals",
        "PCM" => "after breakfast",
        "PCD" => "after lunch",
        "PCV" => "after dinner",
        _ => return None,
    })
}
