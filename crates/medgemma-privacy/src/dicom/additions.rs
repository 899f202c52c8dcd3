//! What this crate adds to table E.1-1 of DICOM PS3.15: attributes that the table does not name, up to its
//! edition 2026c, and that hold what it takes out elsewhere: numbers of orders and documents, comments that a
//! person typed, hosts, names, what is encrypted. None is part of the standard's profile. Where an object
//! definition may ask for the attribute it is emptied or replaced, as in the table.

use super::profile::Action::{self, D, X, Z};
use super::profile::{DEVICE, INSTITUTION, TEXT, UIDS};

/// As [`TABLE`](super::profile_table::TABLE): tag, action, the options that say otherwise; by tag.
pub(super) const ADDITIONS: [(u32, Action, u16); 74] = [
    (0x0008_0418, X, TEXT), // Transaction Status Comment
    (0x0008_041b, X, UIDS), // Record Key
    (0x0008_041c, X, UIDS), // Prior Record Key
    // Texts, so that they are no dates to anything here; in no calendar that could be shifted.
    (0x0010_0033, X, 0),           // Patient's Birth Date in Alternative Calendar
    (0x0010_0034, X, 0),           // Patient's Death Date in Alternative Calendar
    (0x0010_0035, X, 0),           // Patient's Alternative Calendar
    (0x0010_2295, X, 0),           // Breed Registration Number
    (0x0018_1003, X, DEVICE),      // Device ID
    (0x0018_1006, X, DEVICE),      // Grid ID
    (0x0018_1801, X, DEVICE),      // Time Source
    (0x0018_1803, X, DEVICE),      // NTP Source Address
    (0x0018_991a, X, TEXT),        // Instruction Performance Comment
    (0x0022_112c, X, TEXT),        // Calculation Comment
    (0x0024_0044, X, TEXT),        // Comments on Patient's Performance of Visual Field
    (0x0040_0031, D, INSTITUTION), // Local Namespace Entity ID
    (0x0040_0032, D, INSTITUTION), // Universal Entity ID
    (0x0040_0255, X, TEXT),        // Performed Procedure Type Description
    (0x0040_0400, X, TEXT),        // Comments on the Scheduled Procedure Step
    (0x0040_0553, X, TEXT),        // Specimen Description (trial)
    (0x0040_1006, X, 0),           // Placer Order Number / Procedure
    (0x0040_1007, X, 0),           // Filler Order Number / Procedure
    (0x0040_1060, X, TEXT),        // Requested Procedure Description (trial)
    (0x0040_2006, X, 0),           // Placer Order Number / Imaging Service Request
    (0x0040_2007, X, 0),           // Filler Order Number / Imaging Service Request
    (0x0040_a074, X, 0),           // Object Binary Identifier (trial)
    (0x0040_a089, X, 0),           // Object Directory Binary Identifier (trial)
    (0x0040_a224, X, 0),           // Identification Description (trial)
    (0x0040_a33a, X, TEXT),        // Report Status Comment (trial)
    (0x0040_a992, X, 0),           // Uniform Resource Locator (trial)
    (0x0040_e001, D, UIDS),        // HL7 Instance Identifier
    (0x0042_0010, Z, TEXT),        // Document Title
    (0x0044_0011, X, TEXT),        // Substance Administration Notes
    (0x0044_0012, X, DEVICE),      // Substance Administration Device ID
    (0x0044_0106, X, TEXT),        // Assertion Comments
    (0x0054_0400, X, 0),           // Image ID
    (0x0070_0081, Z, TEXT),        // Content Description
    (0x0072_0008, D, 0),           // Hanging Protocol Creator
    (0x0072_0010, X, INSTITUTION), // Hanging Protocol User Group Name
    (0x0074_1006, X, TEXT),        // Procedure Step Progress Description
    (0x0074_100c, X, 0),           // Contact Display Name
    (0x0074_1238, X, TEXT),        // Reason for Cancellation
    (0x0082_0003, X, TEXT),        // Assessment Summary Description
    (0x0082_000a, X, TEXT),        // Observation Description
    (0x0088_0130, X, 0),           // Storage Media File-set ID
    (0x0100_0424, X, TEXT),        // SOP Authorization Comment
    (0x0100_0426, X, DEVICE),      // Authorization Equipment Certification Number
    (0x0400_0120, X, 0),           // Signature
    (0x0400_0500, X, 0),           // Encrypted Attributes Sequence
    (0x0400_0520, X, 0),           // Encrypted Content
    (0x2000_0050, X, TEXT),        // Film Session Label
    (0x2100_0010, X, 0),           // Print Job ID
    (0x2100_0160, X, 0),           // Owner ID
    (0x2110_0030, X, DEVICE),      // Printer Name
    (0x2110_0099, X, 0),           // Print Queue ID
    (0x3002_0002, D, TEXT),        // RT Image Label
    (0x3002_0003, X, TEXT),        // RT Image Name
    (0x3002_0004, X, TEXT),        // RT Image Description
    (0x3002_0020, Z, DEVICE),      // Radiation Machine Name
    (0x3004_0006, X, TEXT),        // Dose Comment
    (0x3006_00c8, X, TEXT),        // Frame of Reference Transformation Comment
    (0x3008_0066, X, TEXT),        // Override Reason
    (0x3008_0202, X, TEXT),        // Treatment Status Comment
    (0x300a_0183, X, TEXT),        // Patient Setup Label
    (0x300a_01d0, X, TEXT),        // Setup Reference Description
    (0x300a_0402, X, TEXT),        // Setup Image Comment
    (0x4008_0103, X, 0),           // Reference to Recorded Sound
    (0x4010_1007, X, 0),           // Route Segment ID
    (0x4010_101a, X, 0),           // Boarding Pass ID
    (0x4010_101e, X, 0),           // Route Segment Start Location ID
    (0x4010_101f, X, 0),           // Route Segment End Location ID
    (0x4010_1051, X, 0),           // Itinerary ID
    (0x4010_1053, X, 0),           // Itinerary ID Assigning Authority
    (0x4010_1054, X, 0),           // Route ID
    (0x4010_1055, X, 0),           // Route ID Assigning Authority
];
