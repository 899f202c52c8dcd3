//! A DICOM file of a few elements, explicit and little-endian, as a test wants it.
#![allow(
    clippy::cast_possible_truncation,
    reason = "lengths of elements made for a test are small"
)]

/// Elements in the order in which they were put in.
#[derive(Clone)]
pub(crate) struct Writer {
    syntax: String,
    body: Vec<u8>,
}

pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";

impl Writer {
    pub(crate) fn new(syntax: &str) -> Self {
        Self {
            syntax: syntax.to_owned(),
            body: Vec::new(),
        }
    }

    /// A grey picture, signed or not, of 16 bits with all of them stored, and no text burned in.
    pub(crate) fn grey(rows: u16, columns: u16, signed: bool) -> Self {
        Self::new(EXPLICIT)
            .us(0x0028, 0x0002, 1)
            .text(0x0028, 0x0004, b"CS", "MONOCHROME2")
            .us(0x0028, 0x0010, rows)
            .us(0x0028, 0x0011, columns)
            .us(0x0028, 0x0100, 16)
            .us(0x0028, 0x0101, 16)
            .us(0x0028, 0x0102, 15)
            .us(0x0028, 0x0103, u16::from(signed))
            .text(0x0028, 0x0301, b"CS", "NO")
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.body.extend(bytes);
        self
    }

    /// The elements of another behind these.
    pub(crate) fn append(self, other: &Self) -> Self {
        self.raw(&other.body)
    }

    pub(crate) fn element(self, group: u16, element: u16, vr: &[u8; 2], value: &[u8]) -> Self {
        let mut bytes = Vec::new();
        put(&mut bytes, group, element, vr, value);
        self.raw(&bytes)
    }

    pub(crate) fn us(self, group: u16, element: u16, value: u16) -> Self {
        self.element(group, element, b"US", &value.to_le_bytes())
    }

    pub(crate) fn text(self, group: u16, element: u16, vr: &[u8; 2], value: &str) -> Self {
        let mut padded = value.as_bytes().to_vec();
        if padded.len() % 2 == 1 {
            padded.push(if vr == b"UI" { 0 } else { b' ' });
        }
        self.element(group, element, vr, &padded)
    }

    /// A sequence of items, each what another writer holds.
    pub(crate) fn sequence(self, group: u16, element: u16, items: &[Writer]) -> Self {
        let mut value = Vec::new();
        for item in items {
            value.extend([0xFE, 0xFF, 0x00, 0xE0]);
            value.extend((item.body.len() as u32).to_le_bytes());
            value.extend(&item.body);
        }
        self.element(group, element, b"SQ", &value)
    }

    pub(crate) fn pixels(self, samples: &[u16]) -> Self {
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        self.element(0x7FE0, 0x0010, b"OW", &bytes)
    }

    /// Encapsulated pixel data with an empty offset table.
    pub(crate) fn fragments(self, fragments: &[&[u8]]) -> Self {
        let mut bytes = vec![
            0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
        ];
        for fragment in std::iter::once(&&[][..]).chain(fragments) {
            bytes.extend([0xFE, 0xFF, 0x00, 0xE0]);
            bytes.extend((fragment.len() as u32).to_le_bytes());
            bytes.extend(*fragment);
        }
        bytes.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        self.raw(&bytes)
    }

    /// The file.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut file = vec![0; 128];
        file.extend(b"DICM");
        let mut uid = self.syntax.clone().into_bytes();
        if uid.len() % 2 == 1 {
            uid.push(0);
        }
        put(&mut file, 0x0002, 0x0010, b"UI", &uid);
        file.extend(&self.body);
        file
    }
}

fn put(bytes: &mut Vec<u8>, group: u16, element: u16, vr: &[u8; 2], value: &[u8]) {
    bytes.extend(group.to_le_bytes());
    bytes.extend(element.to_le_bytes());
    bytes.extend(vr);
    if matches!(vr, b"OB" | b"OW" | b"SQ" | b"UN" | b"UT") {
        bytes.extend([0, 0]);
        bytes.extend((value.len() as u32).to_le_bytes());
    } else {
        bytes.extend((value.len() as u16).to_le_bytes());
    }
    bytes.extend(value);
}
