//! Overlays in the bits of pixel data that no sample uses: PS3.5 8.1.1, retired in 2004 and in files since.
//! With the group of the overlay gone nobody would know of the plane, and its letters would still be there.

use dicom_core::Tag;
use dicom_core::header::Header;
use dicom_core::value::{PrimitiveValue, Value};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// Elements of an overlay group: its bit, where 0 is a plane of its own, and that plane.
const BIT_POSITION: u16 = 0x0102;
const OVERLAY_DATA: u16 = 0x3000;

/// What was done about overlays in pixel data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Embedded {
    /// There is none.
    No,
    /// They were cleared; in so many samples something was there.
    Cleared(usize),
    /// They may be there still: compressed, or in bits that the samples use.
    Left,
}

/// Which bits of a sample are its own.
struct Sample {
    stored: u16,
    low: u16,
    signed: bool,
}

impl Sample {
    /// The sample alone, as a number of `allocated` bits. Bits below it are cleared; above a signed one its sign
    /// is repeated, as a reader that takes the whole number for the sample wants it.
    fn alone(&self, number: u16, allocated: u16) -> u16 {
        let mask = u16::MAX >> (16 - self.stored) << self.low;
        let high = self.low + self.stored;
        let negative = self.signed && number >> (high - 1) & 1 == 1;
        let sign = match u16::MAX.checked_shl(u32::from(high)) {
            Some(above) if negative => above & (u16::MAX >> (16 - allocated)),
            _ => 0,
        };
        number & mask | sign
    }
}

/// Clears the bits that samples do not use where the file has overlays there, before their groups go.
pub(super) fn clear(object: &mut InMemDicomObject, big_endian: bool) -> Embedded {
    let positions = positions(object);
    let embedded = positions.iter().any(|&position| position != Some(0));
    if !embedded || object.get(tags::PIXEL_DATA).is_none() {
        return Embedded::No;
    }
    cleared(object, &positions, big_endian).map_or(Embedded::Left, Embedded::Cleared)
}

/// The bit of each overlay, 0 for one with a plane of its own, and nothing where that is not said.
fn positions(object: &InMemDicomObject) -> Vec<Option<u16>> {
    let groups = object.iter().map(|element| element.tag().group());
    let mut groups: Vec<u16> = groups
        .filter(|group| group >> 8 == 0x60 && group.is_multiple_of(2))
        .collect();
    groups.dedup();
    let position = |&group: &u16| {
        let bit = number(object, Tag(group, BIT_POSITION));
        let plane = object.get(Tag(group, OVERLAY_DATA)).is_some();
        if plane && bit.is_none() {
            return Some(0);
        }
        bit.filter(|&bit| bit != 0 || plane)
    };
    groups.iter().map(position).collect()
}

/// In how many samples there was something; `None` if it cannot be cleared.
fn cleared(
    object: &mut InMemDicomObject,
    positions: &[Option<u16>],
    big_endian: bool,
) -> Option<usize> {
    let allocated = number(object, tags::BITS_ALLOCATED)?;
    let stored = number(object, tags::BITS_STORED)?;
    let high = number(object, tags::HIGH_BIT)?;
    if !matches!(allocated, 8 | 16) || stored == 0 || high >= allocated || stored > high + 1 {
        return None;
    }
    let signed = number(object, tags::PIXEL_REPRESENTATION) == Some(1);
    let low = high + 1 - stored;
    let used = |bit: u16| bit != 0 && (low..=high).contains(&bit);
    if positions.iter().flatten().any(|&bit| used(bit)) {
        return None;
    }
    let sample = Sample {
        stored,
        low,
        signed,
    };
    let mut changed = 0;
    let mut alone = |number: u16| {
        let alone = sample.alone(number, allocated);
        changed += usize::from(alone != number);
        alone
    };
    let mut element = object.take(tags::PIXEL_DATA)?;
    let mut understood = true;
    element.update_value(|value| match (value, allocated) {
        (Value::Primitive(PrimitiveValue::U16(numbers)), 16) => {
            numbers
                .iter_mut()
                .for_each(|number| *number = alone(*number));
        }
        // Two samples in a word: which of them comes first changes nothing.
        (Value::Primitive(PrimitiveValue::U16(numbers)), _) => {
            for number in numbers {
                let [one, two] = number.to_be_bytes().map(u16::from);
                *number = alone(one) << 8 | alone(two);
            }
        }
        (Value::Primitive(PrimitiveValue::U8(bytes)), 8) => {
            let byte = |byte: u8| u8::try_from(alone(u16::from(byte))).unwrap_or_default();
            bytes.iter_mut().for_each({
                let mut byte = byte;
                move |at| *at = byte(*at)
            });
        }
        // Samples of two bytes as bytes, which lie as in the file.
        (Value::Primitive(PrimitiveValue::U8(bytes)), _) if !big_endian => {
            for pair in bytes.chunks_exact_mut(2) {
                let number = alone(u16::from_le_bytes([pair[0], pair[1]]));
                pair.copy_from_slice(&number.to_le_bytes());
            }
        }
        _ => understood = false,
    });
    object.put(element);
    understood.then_some(changed)
}

fn number(object: &InMemDicomObject, tag: Tag) -> Option<u16> {
    object.get(tag)?.to_int().ok()
}

#[cfg(test)]
mod tests {
    use dicom_core::value::PixelFragmentSequence;
    use dicom_core::{DataElement, VR};

    use super::*;

    fn image(numbers: &[(Tag, u16)], pixels: PrimitiveValue) -> InMemDicomObject {
        let elements = numbers
            .iter()
            .map(|&(tag, number)| DataElement::new(tag, VR::US, PrimitiveValue::from(number)));
        let pixels = DataElement::new(tags::PIXEL_DATA, VR::OW, pixels);
        InMemDicomObject::from_element_iter(elements.chain([pixels]))
    }

    /// Of 16 bits, as CT has it: twelve stored, with this high bit.
    fn numbers(high: u16, signed: u16, bit: u16) -> [(Tag, u16); 5] {
        [
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 12),
            (tags::HIGH_BIT, high),
            (tags::PIXEL_REPRESENTATION, signed),
            (Tag(0x6002, BIT_POSITION), bit),
        ]
    }

    fn words(object: &InMemDicomObject) -> Vec<u16> {
        object
            .element(tags::PIXEL_DATA)
            .expect("pixels")
            .to_multi_int()
            .expect("words")
    }

    #[test]
    fn a_plane_in_unused_bits_is_cleared_and_samples_stay() {
        let cleared = |high, signed, bit, pixels: &[u16]| {
            let pixels = PrimitiveValue::U16(pixels.iter().copied().collect());
            let mut object = image(&numbers(high, signed, bit), pixels);
            let found = clear(&mut object, false);
            (found, words(&object))
        };
        let pixels = [0x1ABC, 0x0ABC, 0xF123];
        assert_eq!(
            cleared(11, 0, 12, &pixels),
            (Embedded::Cleared(2), vec![0x0ABC, 0x0ABC, 0x0123])
        );
        // Signed: above the sample its sign stands, whatever stood there.
        assert_eq!(
            cleared(11, 1, 12, &[0x1ABC, 0xFABC, 0xF123]),
            (Embedded::Cleared(2), vec![0xFABC, 0xFABC, 0x0123])
        );
        // At the upper end, with the plane below.
        assert_eq!(
            cleared(15, 1, 0, &[0xABC1, 0x1230]),
            (Embedded::Cleared(1), vec![0xABC0, 0x1230])
        );
        assert_eq!(
            cleared(13, 0, 1, &[0xABC7]),
            (Embedded::Cleared(1), vec![0x2BC4])
        );
        // In bits of the samples themselves.
        assert_eq!(
            cleared(11, 0, 11, &pixels),
            (Embedded::Left, pixels.to_vec())
        );
    }

    #[test]
    fn samples_of_a_byte_are_cleared_as_bytes_and_as_words() {
        let numbers = [
            (tags::BITS_ALLOCATED, 8),
            (tags::BITS_STORED, 6),
            (tags::HIGH_BIT, 5),
            (Tag(0x6000, BIT_POSITION), 7),
        ];
        let bytes = PrimitiveValue::U8([0xFF, 0x2A].into_iter().collect());
        let mut object = image(&numbers, bytes);
        assert_eq!(clear(&mut object, false), Embedded::Cleared(1));
        assert_eq!(words(&object), [0x3F, 0x2A]);
        let mut object = image(
            &numbers,
            PrimitiveValue::U16([0xFF2A].into_iter().collect()),
        );
        assert_eq!(clear(&mut object, true), Embedded::Cleared(1));
        assert_eq!(words(&object), [0x3F2A]);
    }

    #[test]
    fn what_cannot_be_cleared_is_said() {
        let bytes = || PrimitiveValue::U8([0xBC, 0x1A].into_iter().collect());
        let mut object = image(&numbers(11, 0, 12), bytes());
        assert_eq!(clear(&mut object, false), Embedded::Cleared(1));
        assert_eq!(words(&object), [0xBC, 0x0A]);
        let mut object = image(&numbers(11, 0, 12), bytes());
        assert_eq!(clear(&mut object, true), Embedded::Left);
        let mut object = image(&numbers(11, 0, 12)[1..], bytes());
        assert_eq!(clear(&mut object, false), Embedded::Left);
        let compressed = PixelFragmentSequence::new_fragments(vec![vec![0xBC, 0x1A]]);
        let mut object = image(&numbers(11, 0, 12), bytes());
        object.put(DataElement::new(
            tags::PIXEL_DATA,
            VR::OB,
            Value::from(compressed),
        ));
        assert_eq!(clear(&mut object, false), Embedded::Left);
        object.remove_element(tags::PIXEL_DATA);
        assert_eq!(clear(&mut object, false), Embedded::No);
    }

    #[test]
    fn an_overlay_with_a_plane_of_its_own_changes_nothing() {
        let pixels = PrimitiveValue::U16([0x1ABC].into_iter().collect());
        let mut object = image(&numbers(11, 0, 0), pixels);
        let plane = PrimitiveValue::U16([0xFFFF].into_iter().collect());
        object.put(DataElement::new(Tag(0x6002, OVERLAY_DATA), VR::OW, plane));
        assert_eq!(clear(&mut object, false), Embedded::No);
        object.remove_element(Tag(0x6002, BIT_POSITION));
        assert_eq!(clear(&mut object, false), Embedded::No);
        assert_eq!(words(&object), [0x1ABC]);
    }
}
