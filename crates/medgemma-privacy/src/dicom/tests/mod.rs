//! Files made for the tests, of which it is known what each holds.

mod canaries;
mod files;
mod warned;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::value::texts;
use super::{Limits, part10};
use crate::key::Key;

fn key() -> Key {
    Key::from_secret(b"a secret of the tests").expect("a secret")
}

fn read(bytes: &[u8]) -> InMemDicomObject {
    part10::read(bytes, &Limits::default())
        .expect("a file")
        .object
}

/// What an element says, which must be there.
fn text_of(object: &InMemDicomObject, tag: Tag) -> String {
    let element = object.element(tag).expect("it is there");
    element.to_str().expect("text").into_owned()
}

fn small(elements: &[(Tag, VR, &str)]) -> Vec<u8> {
    let always = [(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE)];
    let elements = always.iter().chain(elements);
    let elements = elements.map(|&(tag, vr, text)| texts(tag, vr, vec![text.to_owned()]));
    let object = InMemDicomObject::from_element_iter(elements);
    let syntax = uids::EXPLICIT_VR_LITTLE_ENDIAN;
    part10::write(&object, syntax, uids::CT_IMAGE_STORAGE, "1.2.3.4.5").expect("a file")
}
