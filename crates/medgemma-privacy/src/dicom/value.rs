//! Values in place of values: dummies of each value representation, shifted dates, capped ages.

use dicom_core::chrono::{Datelike as _, NaiveDate, TimeDelta};
use dicom_core::value::{C, PrimitiveValue, Value};
use dicom_core::{DataElement, Length, Tag, VR};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

/// What stands in texts whose value was replaced.
const DUMMY: &str = "ANONYMIZED";

/// An element with a value that says nothing, valid for its representation.
pub(super) fn dummy(tag: Tag, vr: VR) -> InMemElement {
    let value: PrimitiveValue = match vr {
        VR::SQ => return sequence(tag, vec![InMemDicomObject::new_empty()]),
        VR::DA => "19000101".into(),
        VR::DT => "19000101000000".into(),
        VR::TM => "000000".into(),
        VR::AS => "000Y".into(),
        VR::DS | VR::IS => "0".into(),
        VR::UR => "about:blank".into(),
        VR::US | VR::OW => PrimitiveValue::U16(C::from_elem(0, 1)),
        VR::SS => PrimitiveValue::I16(C::from_elem(0, 1)),
        VR::UL | VR::OL => PrimitiveValue::U32(C::from_elem(0, 1)),
        VR::SL => PrimitiveValue::I32(C::from_elem(0, 1)),
        VR::SV => PrimitiveValue::I64(C::from_elem(0, 1)),
        VR::UV | VR::OV => PrimitiveValue::U64(C::from_elem(0, 1)),
        VR::FL | VR::OF => PrimitiveValue::F32(C::from_elem(0.0, 1)),
        VR::FD | VR::OD => PrimitiveValue::F64(C::from_elem(0.0, 1)),
        VR::AT => PrimitiveValue::Tags(C::from_elem(Tag(0, 0), 1)),
        VR::OB | VR::UN => PrimitiveValue::U8(C::from_elem(0, 2)),
        _ => DUMMY.into(),
    };
    DataElement::new(tag, vr, value)
}

/// A sequence of these items, of a length that is written by delimiters: theirs has changed.
pub(super) fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> InMemElement {
    let items = dicom_core::value::DataSetSequence::new(items, Length::UNDEFINED);
    DataElement::new(tag, VR::SQ, Value::from(items))
}

/// The texts of an element; of one whose representation the file does not know, its bytes as texts.
pub(super) fn strings(element: &InMemElement) -> Vec<String> {
    match element.value() {
        Value::Primitive(PrimitiveValue::U8(bytes)) => {
            let text = String::from_utf8_lossy(bytes);
            text.split('\\').map(str::to_owned).collect()
        }
        Value::Primitive(value) => value.to_multi_str().into_owned(),
        _ => Vec::new(),
    }
}

/// An element of texts; a single one is no list.
pub(super) fn texts(tag: Tag, vr: VR, mut values: Vec<String>) -> InMemElement {
    let value = match values.len() {
        0 => PrimitiveValue::Empty,
        1 => PrimitiveValue::from(values.remove(0)),
        _ => PrimitiveValue::Strs(values.into_iter().collect()),
    };
    DataElement::new(tag, vr, value)
}

/// A `DA` or `DT` this many days later; `None` for what is no date. What the value leaves out it leaves
/// out afterwards, a month without its day being shifted from its middle.
pub(super) fn shifted(value: &str, days: i64) -> Option<String> {
    let value = value.trim_matches([' ', '\0']);
    if value.is_empty() {
        return Some(String::new());
    }
    // Of ACR-NEMA, and seen since.
    let dotted: String;
    let value = match value.as_bytes() {
        [_, _, _, _, b'.', _, _, b'.', _, _] => {
            dotted = value.split('.').collect();
            &dotted
        }
        _ => value,
    };
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let number = |from: usize, to: usize| value.get(from..to)?.parse::<u32>().ok();
    let rest = value.get(digits..)?;
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let formed = digits.is_multiple_of(2)
        && (4..=14).contains(&digits)
        && (zone.is_empty() || zone.len() == 5 && zone.starts_with(['+', '-']))
        && zone.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    if !formed {
        return None;
    }
    let (month, day) = (number(4, 6.min(digits)), number(6, 8.min(digits)));
    let date = NaiveDate::from_ymd_opt(
        number(0, 4)?.cast_signed(),
        if digits >= 6 { month? } else { 7 },
        if digits >= 8 { day? } else { 15 },
    )?;
    let date = date.checked_add_signed(TimeDelta::try_days(days)?)?;
    let date = format!("{:04}{:02}{:02}", date.year(), date.month(), date.day());
    Some(format!(
        "{}{}",
        &date[..digits.min(8)],
        &value[digits.min(8)..]
    ))
}

/// An age, in years above 89 as 90: HIPAA's Safe Harbor takes more for an identifier.
pub(super) fn capped_age(value: &str) -> String {
    let value = value.trim_matches([' ', '\0']);
    let years = value.strip_suffix('Y').and_then(|years| years.parse().ok());
    match years {
        Some(90_u32..) => "090Y".to_owned(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_keep_what_they_say_and_how_far_they_lie_apart() {
        let shift = |value: &str| shifted(value, -366);
        assert_eq!(shift("20240301").as_deref(), Some("20230301"));
        assert_eq!(shift("2024.03.01").as_deref(), Some("20230301"));
        assert_eq!(
            shift("20240301235959.123456+0100").as_deref(),
            Some("20230301235959.123456+0100")
        );
        assert_eq!(shift("202403").as_deref(), Some("202303"));
        assert_eq!(shift("2024").as_deref(), Some("2023"));
        assert_eq!(shift(" ").as_deref(), Some(""));
        for wrong in [
            "20240230",
            "2024-03-01",
            "Doe",
            "202",
            "2024030112+01",
            "20240301é",
        ] {
            assert_eq!(shift(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ages_above_89_are_ninety() {
        assert_eq!(capped_age("089Y"), "089Y");
        assert_eq!(capped_age("090Y"), "090Y");
        assert_eq!(capped_age("091Y"), "090Y");
        assert_eq!(capped_age("104Y "), "090Y");
        assert_eq!(capped_age("090D"), "090D");
    }
}
