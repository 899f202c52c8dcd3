//! One element after the other, in either encoding and byte order. PS3.5, section 7 and annex A.

use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::element::{DataSet, Element, Value, name};
use super::notice::Notice;
use crate::error::{Error, Origin, Result};
use crate::limits::Limits;

/// Sequences within sequences; no object of the standard comes near.
const MAX_DEPTH: usize = 24;

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
const UNDEFINED: u32 = u32::MAX;

/// Where reading stands.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) big_endian: bool,
    limits: &'a Limits,
    origin: &'a Origin,
    elements: u64,
    pub(super) notices: Vec<Notice>,
}

struct Header {
    tag: Tag,
    vr: VR,
    length: u32,
    /// Whether what is inside a sequence has its representations written.
    explicit_inside: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize, limits: &'a Limits, origin: &'a Origin) -> Self {
        Self {
            bytes,
            at,
            big_endian: false,
            limits,
            origin,
            elements: 0,
            notices: Vec::new(),
        }
    }

    fn count(&mut self) -> Result<()> {
        self.elements += 1;
        self.limits.check_elements(self.origin, self.elements)
    }

    fn peek<const N: usize>(&self, ahead: usize) -> Option<[u8; N]> {
        self.bytes.get(self.at + ahead..)?.first_chunk().copied()
    }

    fn truncated(&self, what: impl Into<String>, wanted: u64) -> Error {
        let left = self.bytes.len().saturating_sub(self.at);
        Error::file(
            self.origin,
            what,
            format!("{wanted} more bytes; fetch the file again"),
            format!("the end of the file after {left}"),
        )
    }

    fn u16(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    fn tag(&self) -> Option<Tag> {
        let [a, b, c, d] = self.peek(0)?;
        Some(Tag(self.u16([a, b]), self.u16([c, d])))
    }

    /// Group 0002, always explicit and little-endian.
    pub(super) fn meta(&mut self) -> Result<DataSet> {
        let mut elements = Vec::new();
        while let Some(tag) = self.tag()
            && tag.group() == 2
        {
            let header = self.header(true)?;
            elements.push(self.value(&header, self.bytes.len(), 0)?);
        }
        Ok(DataSet::new(elements))
    }

    /// Tag, representation and length of the next element.
    fn header(&mut self, explicit: bool) -> Result<Header> {
        self.count()?;
        let tag = self.tag().ok_or_else(|| self.truncated("tag", 4))?;
        let Some(word) = self.peek::<4>(4) else {
            return Err(self.truncated(name(tag), 8));
        };
        let written = [word[0], word[1]];
        // An implicit element amid explicit ones: its length stands where letters should.
        if !explicit || !written.iter().all(u8::is_ascii_uppercase) {
            self.at += 8;
            let vr = dictionary(tag);
            return Ok(Header {
                tag,
                vr,
                length: self.u32(word),
                explicit_inside: false,
            });
        }
        let vr = VR::from_binary(written).unwrap_or(VR::UN);
        let length = if is_short(vr) {
            self.at += 8;
            u32::from(self.u16([word[2], word[3]]))
        } else {
            let length = self.peek(8).ok_or_else(|| self.truncated(name(tag), 12))?;
            self.at += 12;
            self.u32(length)
        };
        // PS3.5, 6.2.2: what a forwarding system did not know is implicit inside; we may know it.
        let unknown = vr == VR::UN;
        Ok(Header {
            tag,
            vr: if unknown { dictionary(tag) } else { vr },
            length,
            explicit_inside: !unknown,
        })
    }

    /// Elements up to `end`, or up to a delimiter.
    pub(super) fn data_set(&mut self, end: usize, explicit: bool, depth: usize) -> Result<DataSet> {
        let mut elements = Vec::new();
        // Nothing but padding lies behind the last byte that is not zero: looked for once, not at every element.
        let padding = if depth == 0 {
            let bytes = self.bytes.get(..end).unwrap_or_default();
            bytes
                .iter()
                .rposition(|&byte| byte != 0)
                .map_or(0, |at| at + 1)
        } else {
            usize::MAX
        };
        while self.at < end {
            let rest = end - self.at;
            if rest < 8 || self.at >= padding {
                if depth > 0 {
                    return Err(self.truncated("item", 8));
                }
                self.notices.push(Notice::TrailingBytes(rest));
                self.at = end;
                break;
            }
            match self.tag() {
                Some(ITEM_END) if depth > 0 => {
                    self.at += 8;
                    break;
                }
                // The end of the sequence around an item whose own end is missing: left to the sequence.
                Some(SEQUENCE_END) if depth > 0 => break,
                // Left over, with the rest of the file behind it.
                Some(ITEM_END | SEQUENCE_END) => {
                    self.at += 8;
                    continue;
                }
                _ => {}
            }
            let header = self.header(explicit)?;
            elements.push(self.value(&header, end, depth)?);
        }
        Ok(DataSet::new(elements))
    }

    fn value(&mut self, header: &Header, end: usize, depth: usize) -> Result<Element> {
        let Header {
            tag, vr, length, ..
        } = *header;
        let value = if length == UNDEFINED {
            if tag == tags::PIXEL_DATA && vr != VR::SQ {
                Value::Fragments(self.fragments()?)
            } else {
                Value::Items(self.sequence(tag, end, header.explicit_inside, depth)?)
            }
        } else {
            let length = length as usize;
            let left = end.saturating_sub(self.at);
            if length > left && !(tag == tags::PIXEL_DATA && depth == 0) {
                return Err(self.truncated(name(tag), length as u64));
            }
            let stop = self.at + length.min(left);
            if vr == VR::SQ {
                Value::Items(self.sequence(tag, stop, header.explicit_inside, depth)?)
            } else {
                let range = self.at..stop;
                self.at = stop;
                Value::Bytes(range)
            }
        };
        let vr = if matches!(value, Value::Items(_)) {
            VR::SQ
        } else {
            vr
        };
        Ok(Element { tag, vr, value })
    }

    /// The items of a sequence up to `end`, or up to its delimiter.
    fn sequence(
        &mut self,
        tag: Tag,
        end: usize,
        explicit: bool,
        depth: usize,
    ) -> Result<Vec<DataSet>> {
        if depth >= MAX_DEPTH {
            return Err(Error::file(
                self.origin,
                name(tag),
                format!("sequences at most {MAX_DEPTH} deep"),
                "deeper ones",
            ));
        }
        let mut items = Vec::new();
        while self.at < end {
            let (Some(found), Some(length)) = (self.tag(), self.peek(4)) else {
                return Err(self.truncated(name(tag), 8));
            };
            self.count()?;
            let length = self.u32(length);
            match found {
                SEQUENCE_END => {
                    self.at += 8;
                    return Ok(items);
                }
                // A delimiter left over from an item of stated length.
                ITEM_END => self.at += 8,
                ITEM => {
                    self.at += 8;
                    let stop = if length == UNDEFINED {
                        end
                    } else {
                        let left = end.saturating_sub(self.at);
                        if length as usize > left {
                            return Err(self.truncated(name(tag), u64::from(length)));
                        }
                        self.at + length as usize
                    };
                    items.push(self.data_set(stop, explicit, depth + 1)?);
                }
                _ => {
                    return Err(Error::file(
                        self.origin,
                        name(tag),
                        "an item or the end of the sequence",
                        format!("another tag at byte {}", self.at),
                    ));
                }
            }
        }
        Ok(items)
    }

    /// Encapsulated pixel data: PS3.5, annex A.4. A file that ends early keeps the fragments that are there.
    fn fragments(&mut self) -> Result<Vec<std::ops::Range<usize>>> {
        let mut fragments = Vec::new();
        while let (Some(tag), Some(length)) = (self.tag(), self.peek(4)) {
            self.count()?;
            self.at += 8;
            let length = self.u32(length) as usize;
            match tag {
                ITEM => {
                    let stop = self.at + length.min(self.bytes.len() - self.at);
                    fragments.push(self.at..stop);
                    self.at = stop;
                }
                SEQUENCE_END => return Ok(fragments),
                _ => {
                    return Err(Error::file(
                        self.origin,
                        name(tags::PIXEL_DATA),
                        "a fragment or the end of the pixel data",
                        format!("another tag at byte {}", self.at - 8),
                    ));
                }
            }
        }
        self.notices.push(Notice::PixelDataUnended);
        self.at = self.bytes.len();
        Ok(fragments)
    }
}

/// Representations whose length has 16 bits. PS3.5, 7.1.2.
fn is_short(vr: VR) -> bool {
    matches!(
        vr,
        VR::AE
            | VR::AS
            | VR::AT
            | VR::CS
            | VR::DA
            | VR::DS
            | VR::DT
            | VR::FL
            | VR::FD
            | VR::IS
            | VR::LO
            | VR::LT
            | VR::PN
            | VR::SH
            | VR::SL
            | VR::SS
            | VR::ST
            | VR::TM
            | VR::UI
            | VR::UL
            | VR::US
    )
}

fn dictionary(tag: Tag) -> VR {
    StandardDataDictionary
        .by_tag(tag)
        .map_or(VR::UN, |entry| entry.vr().relaxed())
}
