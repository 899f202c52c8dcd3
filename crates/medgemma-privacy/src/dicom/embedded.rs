//! Overlays in the bits of pixel data that no sample uses: PS3.5 8.1.1, retired in 2004 and in files since.
//! With the group of the overlay gone nobody would know of the plane, and its letters would still be there.

use dicom_core::Tag;
use dicom_core::header::Header;
use dicom_core::value::{PrimitiveValue, Value};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// Elements of an overlay group: its bits allocated, those of the pixels where it is among them, its bit, and a
/// plane of its own.
const OVERLAY_BITS: u16 = 0x0100;
const BIT_POSITION: u16 = 0x0102;
const OVERLAY_DATA: u16 = 0x3000;

/// What was done about overlays in pixel data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Embedded {
    /// There is none.
    No,
    /// They were cleared; in so many samples something was there.
    Cleared(usize),
    /// They may be there still: compressed, in bits that samples or their padding use, or not told where.
    Left,
}

/// Which bits of a sample are its own.
struct Sample {
    allocated: u16,
    stored: u16,
    low: u16,
    signed: bool,
}

impl Sample {
    /// What the elements say of it; `None` if one is missing, if they contradict each other, or if a sample has
    /// neither 8 nor 16 bits.
    fn of(object: &InMemDicomObject) -> Option<Self> {
        let allocated = number(object, tags::BITS_ALLOCATED)?;
        let stored = number(object, tags::BITS_STORED)?;
        let high = number(object, tags::HIGH_BIT)?;
        if !matches!(allocated, 8 | 16) || stored == 0 || high >= allocated || stored > high + 1 {
            return None;
        }
        Some(Self {
            allocated,
            stored,
            low: high + 1 - stored,
            signed: number(object, tags::PIXEL_REPRESENTATION) == Some(1),
        })
    }

    /// The sample alone, as a number of `allocated` bits. Bits below it are cleared; above a signed one its sign
    /// is repeated, as a reader that takes the whole number for the sample wants it.
    fn alone(&self, number: u16) -> u16 {
        let mask = u16::MAX >> (16 - self.stored) << self.low;
        let high = self.low + self.stored;
        let negative = self.signed && number >> (high - 1) & 1 == 1;
        let sign = match u16::MAX.checked_shl(u32::from(high)) {
            Some(above) if negative => above & (u16::MAX >> (16 - self.allocated)),
            _ => 0,
        };
        number & mask | sign
    }
}

/// Clears the bits that samples do not use where the file has overlays there, before their groups go.
pub(super) fn clear(object: &mut InMemDicomObject, big_endian: bool) -> Embedded {
    if object.get(tags::PIXEL_DATA).is_none() {
        return Embedded::No;
    }
    match positions(object) {
        Some(positions) if positions.is_empty() => Embedded::No,
        Some(positions) => {
            cleared(object, &positions, big_endian).map_or(Embedded::Left, Embedded::Cleared)
        }
        None => Embedded::Left,
    }
}

/// The bits that overlays have in the pixels; `None` if one says a bit but not whether it is among those.
fn positions(object: &InMemDicomObject) -> Option<Vec<u16>> {
    let groups = object.iter().map(|element| element.tag().group());
    let mut groups: Vec<u16> = groups
        .filter(|group| group >> 8 == 0x60 && group.is_multiple_of(2))
        .collect();
    groups.dedup();
    let allocated = number(object, tags::BITS_ALLOCATED);
    let mut positions = Vec::new();
    for group in groups {
        // Of a group without it the plane is elsewhere, or was taken out before.
        let Some(bit) = number(object, Tag(group, BIT_POSITION)) else {
            continue;
        };
        let bits = number(object, Tag(group, OVERLAY_BITS));
        let plane = object.get(Tag(group, OVERLAY_DATA)).is_some();
        if bits == Some(1) || bit == 0 && (plane || bits.is_none()) {
            continue;
        }
        if bits.is_none() || bits != allocated {
            return None;
        }
        positions.push(bit);
    }
    Some(positions)
}

/// The samples of an image, if neither they nor their padding use the bits at `positions`.
fn apart_from(object: &InMemDicomObject, positions: &[u16]) -> Option<Sample> {
    let sample = Sample::of(object)?;
    let own = sample.low..sample.low + sample.stored;
    let unused = |bit: &u16| *bit < sample.allocated && !own.contains(bit);
    if !positions.iter().all(unused) {
        return None;
    }
    // Padding is compared with whole numbers by some readers, and may need more bits than a sample has.
    let whole = Sample { low: 0, ..sample };
    let fits = |tag| {
        let padding = object
            .get(tag)
            .and_then(|padding| padding.to_int::<i32>().ok());
        let number = padding.map(|padding| padding.rem_euclid(1 << whole.allocated));
        let number = number.and_then(|number| u16::try_from(number).ok());
        number.is_none_or(|number| whole.alone(number) == number)
    };
    let fit = fits(tags::PIXEL_PADDING_VALUE) && fits(tags::PIXEL_PADDING_RANGE_LIMIT);
    fit.then_some(sample)
}

/// In how many samples there was something; `None` if it cannot be cleared.
fn cleared(object: &mut InMemDicomObject, positions: &[u16], big_endian: bool) -> Option<usize> {
    let sample = apart_from(object, positions)?;
    let mut changed = 0;
    let mut alone = |number: u16| {
        let alone = sample.alone(number);
        changed += usize::from(alone != number);
        alone
    };
    let mut element = object.take(tags::PIXEL_DATA)?;
    let mut understood = true;
    element.update_value(|value| match (value, sample.allocated) {
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
    fn numbers(high: u16, signed: u16, bit: u16) -> [(Tag, u16); 6] {
        [
            (tags::BITS_ALLOCATED, 16),
            (tags::BITS_STORED, 12),
            (tags::HIGH_BIT, high),
            (tags::PIXEL_REPRESENTATION, signed),
            (Tag(0x6002, OVERLAY_BITS), 16),
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
        // In bits of the samples themselves, or in none that there are.
        for bit in [11, 0, 16] {
            assert_eq!(
                cleared(11, 0, bit, &pixels),
                (Embedded::Left, pixels.to_vec())
            );
        }
    }

    #[test]
    fn pixels_stay_where_no_overlay_is_known_to_be_in_them() {
        let pixels = [0x1ABC_u16, 0xF830];
        let after = |change: &dyn Fn(&mut InMemDicomObject)| {
            let words = PrimitiveValue::U16(pixels.into_iter().collect());
            let mut object = image(&numbers(11, 0, 12), words);
            change(&mut object);
            let found = clear(&mut object, false);
            let same = super::tests::words(&object) == pixels;
            assert_eq!(same, !matches!(found, Embedded::Cleared(_)));
            found
        };
        let put = |tag, number: i16| DataElement::new(tag, VR::SS, PrimitiveValue::from(number));
        let (bits, bit) = (Tag(0x6002, OVERLAY_BITS), Tag(0x6002, BIT_POSITION));
        assert_eq!(after(&|_| {}), Embedded::Cleared(2));
        // Rows, columns and origin of a plane that is gone, or one of single bits.
        let shell = |object: &mut InMemDicomObject| {
            object.remove_element(bits);
            object.remove_element(bit);
            object.put(put(Tag(0x6002, 0x0010), 1));
        };
        assert_eq!(after(&shell), Embedded::No);
        let single = |object: &mut InMemDicomObject| {
            object.put(put(bits, 1));
        };
        assert_eq!(after(&single), Embedded::No);
        // A bit of what?
        let unsaid = |object: &mut InMemDicomObject| {
            object.remove_element(bits);
        };
        assert_eq!(after(&unsaid), Embedded::Left);
        // Twelve bits without a sign hold no -2000.
        for (padding, expected) in [(-2000, Embedded::Left), (63, Embedded::Cleared(2))] {
            let padded = |object: &mut InMemDicomObject| {
                object.put(put(tags::PIXEL_PADDING_VALUE, padding));
            };
            assert_eq!(after(&padded), expected);
        }
    }

    #[test]
    fn samples_of_a_byte_are_cleared_as_bytes_and_as_words() {
        let numbers = [
            (tags::BITS_ALLOCATED, 8),
            (tags::BITS_STORED, 6),
            (tags::HIGH_BIT, 5),
            (Tag(0x6000, OVERLAY_BITS), 8),
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
