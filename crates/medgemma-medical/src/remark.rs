//! What is said of a volume beside its planes.

use std::fmt;

/// What was left out of a volume, or what of it is not as it should be.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Remark {
    /// Slices computed from others were left out: their number.
    DerivedDropped(usize),
    /// Pictures that show where slices lie were left out: their number.
    LocalizersDropped(usize),
    /// Slices of other acquisitions than the last were left out: their number.
    AcquisitionsDropped(usize),
    /// Slices with the number of another were left out: their number.
    DuplicatesDropped(usize),
    /// Files without a plane in the patient were left out: their number.
    UnplacedDropped(usize),
    /// More was left out than is kept: the series may hold several stacks, of which another is meant.
    MostDropped {
        /// Slices that the volume has.
        kept: usize,
        /// Those left out, for all reasons together.
        dropped: usize,
    },
    /// Slices are missing between two neighbours: the index of the plane before the gap, and how many fit in.
    Gap {
        /// The plane before the gap.
        after: usize,
        /// How many slices fit into it.
        missing: usize,
    },
    /// The distances of neighbours differ by more than a hundredth of their median, in millimetres.
    Uneven {
        /// The smallest distance.
        smallest: f64,
        /// The largest.
        largest: f64,
    },
    /// Planes are displaced along themselves, as by a tilted gantry: by how many millimetres at most against the line along
    /// the normal through the first. The affine follows them, the pictures are not straightened.
    Sheared {
        /// The largest distance from that line.
        largest: f64,
    },
    /// Planes have several values for padding, and each new one is made of several: it is a value like any other since.
    PaddingLost,
    /// The file does not say how far apart planes, rows or columns are; 1 mm was taken.
    SpacingUnknown,
}

impl Remark {
    /// Slices that were left out for this one reason.
    pub(crate) fn dropped(&self) -> usize {
        match self {
            Self::DerivedDropped(count)
            | Self::LocalizersDropped(count)
            | Self::AcquisitionsDropped(count)
            | Self::DuplicatesDropped(count)
            | Self::UnplacedDropped(count) => *count,
            // That is their sum once more, and the others leave nothing out.
            Self::MostDropped { .. }
            | Self::Gap { .. }
            | Self::Uneven { .. }
            | Self::Sheared { .. }
            | Self::PaddingLost
            | Self::SpacingUnknown => 0,
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DerivedDropped(count) => write!(f, "{count} derived slices left out"),
            Self::LocalizersDropped(count) => write!(f, "{count} localizers left out"),
            Self::AcquisitionsDropped(count) => {
                write!(
                    f,
                    "{count} slices of other acquisitions than the last left out"
                )
            }
            Self::DuplicatesDropped(count) => {
                write!(f, "{count} slices with the number of another left out")
            }
            Self::UnplacedDropped(count) => {
                write!(f, "{count} slices without a place in the patient left out")
            }
            Self::MostDropped { kept, dropped } => {
                write!(
                    f,
                    "most slices left out: {dropped}, and {kept} kept; if another stack of the series is meant, give its files alone"
                )
            }
            Self::Gap { after, missing } => {
                write!(f, "{missing} slices missing after the one at {after}")
            }
            Self::Uneven { smallest, largest } => {
                write!(f, "slices {smallest:.3} to {largest:.3} mm apart")
            }
            Self::Sheared { largest } => write!(
                f,
                "slices displaced along themselves by up to {largest:.1} mm (gantry tilt), not straightened"
            ),
            Self::PaddingLost => f.write_str(
                "planes of several padding values cut otherwise; padding taken for values",
            ),
            Self::SpacingUnknown => f.write_str("distances unknown, taken as 1 mm"),
        }
    }
}
