//! How a DICOM file writes its elements and packs its pixels. PS3.5, annex A; UIDs from PS3.6, annex A.

/// The transfer syntaxes that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransferSyntax {
    /// Implicit VR Little Endian.
    ImplicitLittleEndian,
    /// Explicit VR Little Endian.
    ExplicitLittleEndian,
    /// Deflated Explicit VR Little Endian.
    Deflated,
    /// Explicit VR Big Endian, retired.
    ExplicitBigEndian,
    /// RLE Lossless.
    Rle,
    /// JPEG Baseline (process 1): 8 bits, lossy.
    JpegBaseline,
    /// JPEG Extended (processes 2 and 4): 8 or 12 bits, lossy.
    JpegExtended,
    /// JPEG Lossless (process 14, any predictor or the first).
    JpegLossless,
    /// JPEG-LS Lossless.
    JpegLsLossless,
    /// JPEG-LS Near-Lossless.
    JpegLsNearLossless,
    /// JPEG 2000, lossless only.
    Jpeg2000Lossless,
    /// JPEG 2000.
    Jpeg2000,
}

impl TransferSyntax {
    pub(crate) fn from_uid(uid: &str) -> Option<Self> {
        Some(match uid {
            "1.2.840.10008.1.2" => Self::ImplicitLittleEndian,
            "1.2.840.10008.1.2.1" => Self::ExplicitLittleEndian,
            "1.2.840.10008.1.2.1.99" => Self::Deflated,
            "1.2.840.10008.1.2.2" => Self::ExplicitBigEndian,
            "1.2.840.10008.1.2.5" => Self::Rle,
            "1.2.840.10008.1.2.4.50" => Self::JpegBaseline,
            "1.2.840.10008.1.2.4.51" => Self::JpegExtended,
            "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => Self::JpegLossless,
            "1.2.840.10008.1.2.4.80" => Self::JpegLsLossless,
            "1.2.840.10008.1.2.4.81" => Self::JpegLsNearLossless,
            "1.2.840.10008.1.2.4.90" => Self::Jpeg2000Lossless,
            "1.2.840.10008.1.2.4.91" => Self::Jpeg2000,
            _ => return None,
        })
    }

    /// Whether frames lie in fragments, each packed for itself.
    #[must_use]
    pub fn is_encapsulated(self) -> bool {
        !matches!(
            self,
            Self::ImplicitLittleEndian
                | Self::ExplicitLittleEndian
                | Self::Deflated
                | Self::ExplicitBigEndian
        )
    }

    /// Whether every value comes back as it was when the file was written.
    #[must_use]
    pub fn is_lossless(self) -> bool {
        !matches!(
            self,
            Self::JpegBaseline | Self::JpegExtended | Self::JpegLsNearLossless | Self::Jpeg2000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::TransferSyntax;

    /// PS3.5, annex A; what PS3.6 calls lossless.
    #[test]
    fn what_comes_back_as_it_was_and_what_lies_in_fragments() {
        for (uid, lossless, encapsulated) in [
            ("1.2.840.10008.1.2", true, false),
            ("1.2.840.10008.1.2.1", true, false),
            ("1.2.840.10008.1.2.1.99", true, false),
            ("1.2.840.10008.1.2.2", true, false),
            ("1.2.840.10008.1.2.5", true, true),
            ("1.2.840.10008.1.2.4.50", false, true),
            ("1.2.840.10008.1.2.4.51", false, true),
            ("1.2.840.10008.1.2.4.57", true, true),
            ("1.2.840.10008.1.2.4.70", true, true),
            ("1.2.840.10008.1.2.4.80", true, true),
            ("1.2.840.10008.1.2.4.81", false, true),
            ("1.2.840.10008.1.2.4.90", true, true),
            ("1.2.840.10008.1.2.4.91", false, true),
        ] {
            let syntax = TransferSyntax::from_uid(uid).expect("one that is read");
            assert_eq!(syntax.is_lossless(), lossless, "{uid}");
            assert_eq!(syntax.is_encapsulated(), encapsulated, "{uid}");
        }
    }
}
