//! Table E.1-1 of DICOM PS3.15 by `profile_table.py`, which says where it is from. Do not edit.

use super::profile::Action::{self, D, U, X, Z};
use super::profile::{DATES, DEVICE, INSTITUTION, PATIENT, PATIENT_CLEANED, TEXT, UIDS};

/// Tag, action of the basic profile, and the options that say otherwise; by tag.
pub(super) const TABLE: [(u32, Action, u16); 652] = [
    (0x0000_1000, X, UIDS),                   // Affected SOP Instance UID
    (0x0000_1001, U, UIDS),                   // Requested SOP Instance UID
    (0x0002_0003, U, UIDS),                   // Media Storage SOP Instance UID
    (0x0004_1511, U, UIDS),                   // Referenced SOP Instance UID in File
    (0x0008_0012, D, DATES),                  // Instance Creation Date
    (0x0008_0013, D, DATES),                  // Instance Creation Time
    (0x0008_0014, U, UIDS),                   // Instance Creator UID
    (0x0008_0015, X, DATES),                  // Instance Coercion DateTime
    (0x0008_0017, U, UIDS),                   // Acquisition UID
    (0x0008_0018, U, UIDS),                   // SOP Instance UID
    (0x0008_0019, U, UIDS),                   // Pyramid UID
    (0x0008_0020, Z, DATES),                  // Study Date
    (0x0008_0021, D, DATES),                  // Series Date
    (0x0008_0022, Z, DATES),                  // Acquisition Date
    (0x0008_0023, D, DATES),                  // Content Date
    (0x0008_0024, X, DATES),                  // Overlay Date
    (0x0008_0025, X, DATES),                  // Curve Date
    (0x0008_002a, D, DATES),                  // Acquisition DateTime
    (0x0008_0030, Z, DATES),                  // Study Time
    (0x0008_0031, D, DATES),                  // Series Time
    (0x0008_0032, Z, DATES),                  // Acquisition Time
    (0x0008_0033, D, DATES),                  // Content Time
    (0x0008_0034, X, DATES),                  // Overlay Time
    (0x0008_0035, X, DATES),                  // Curve Time
    (0x0008_0050, Z, 0),                      // Accession Number
    (0x0008_0054, X, 0),                      // Retrieve AE Title
    (0x0008_0055, X, 0),                      // Station AE Title
    (0x0008_0058, U, UIDS),                   // Failed SOP Instance UID List
    (0x0008_0080, D, INSTITUTION),            // Institution Name
    (0x0008_0081, X, INSTITUTION),            // Institution Address
    (0x0008_0082, D, INSTITUTION),            // Institution Code Sequence
    (0x0008_0090, Z, 0),                      // Referring Physician's Name
    (0x0008_0092, X, 0),                      // Referring Physician's Address
    (0x0008_0094, X, 0),                      // Referring Physician's Telephone Numbers
    (0x0008_0096, X, 0),                      // Referring Physician Identification Sequence
    (0x0008_009c, Z, 0),                      // Consulting Physician's Name
    (0x0008_009d, X, 0),                      // Consulting Physician Identification Sequence
    (0x0008_0106, D, DATES),                  // Context Group Version
    (0x0008_0107, D, DATES),                  // Context Group Local Version
    (0x0008_0201, X, DATES),                  // Timezone Offset From UTC
    (0x0008_1000, X, 0),                      // Network ID
    (0x0008_1010, D, DEVICE),                 // Station Name
    (0x0008_1030, X, TEXT),                   // Study Description
    (0x0008_103e, X, TEXT),                   // Series Description
    (0x0008_1040, X, INSTITUTION),            // Institutional Department Name
    (0x0008_1041, X, INSTITUTION),            // Institutional Department Type Code Sequence
    (0x0008_1048, X, 0),                      // Physician(s) of Record
    (0x0008_1049, X, 0),                      // Physician(s) of Record Identification Sequence
    (0x0008_1050, X, 0),                      // Performing Physician's Name
    (0x0008_1052, X, 0),                      // Performing Physician Identification Sequence
    (0x0008_1060, X, 0),                      // Name of Physician(s) Reading Study
    (0x0008_1062, X, 0),                      // Physician(s) Reading Study Identification Sequence
    (0x0008_1070, D, 0),                      // Operators' Name
    (0x0008_1072, D, 0),                      // Operator Identification Sequence
    (0x0008_1080, X, TEXT),                   // Admitting Diagnoses Description
    (0x0008_1084, X, TEXT),                   // Admitting Diagnoses Code Sequence
    (0x0008_1088, X, TEXT),                   // Pyramid Description
    (0x0008_1110, Z, UIDS),                   // Referenced Study Sequence
    (0x0008_1111, D, UIDS),                   // Referenced Performed Procedure Step Sequence
    (0x0008_1120, X, UIDS),                   // Referenced Patient Sequence
    (0x0008_1140, U, UIDS),                   // Referenced Image Sequence
    (0x0008_1155, U, UIDS),                   // Referenced SOP Instance UID
    (0x0008_1195, U, UIDS),                   // Transaction UID
    (0x0008_1301, X, 0), // Principal Diagnosis Code Sequence (added after 2024e)
    (0x0008_1302, X, 0), // Primary Diagnosis Code Sequence (added after 2024e)
    (0x0008_1303, X, 0), // Secondary Diagnoses Code Sequence (added after 2024e)
    (0x0008_1304, X, 0), // Histological Diagnoses Code Sequence (added after 2024e)
    (0x0008_2111, X, TEXT), // Derivation Description
    (0x0008_2112, U, UIDS), // Source Image Sequence
    (0x0008_3010, U, UIDS), // Irradiation Event UID
    (0x0008_4000, X, TEXT), // Identifying Comments
    (0x0010_0010, Z, 0), // Patient's Name
    (0x0010_0011, X, 0), // Person Names to Use Sequence (added after 2024e)
    (0x0010_0012, X, 0), // Name to Use (added after 2024e)
    (0x0010_0013, X, 0), // Name to Use Comment (added after 2024e)
    (0x0010_0014, X, 0), // Third Person Pronouns Sequence (added after 2024e)
    (0x0010_0015, X, 0), // Pronoun Code Sequence (added after 2024e)
    (0x0010_0016, X, 0), // Pronoun Comment (added after 2024e)
    (0x0010_0020, D, 0), // Patient ID
    (0x0010_0021, X, 0), // Issuer of Patient ID
    (0x0010_0030, Z, 0), // Patient's Birth Date
    (0x0010_0032, X, 0), // Patient's Birth Time
    (0x0010_0040, Z, PATIENT), // Patient's Sex
    (0x0010_0041, X, 0), // Gender Identity Sequence (added after 2024e)
    (0x0010_0042, X, 0), // Sex Parameters for Clinical Use Category Comment (added after 2024e)
    (0x0010_0043, X, 0), // Sex Parameters for Clinical Use Category Sequence (added after 2024e)
    (0x0010_0044, X, 0), // Gender Identity Code Sequence (added after 2024e)
    (0x0010_0045, X, 0), // Gender Identity Comment (added after 2024e)
    (0x0010_0046, X, 0), // Sex Parameters for Clinical Use Category Code Sequence (added after 2024e)
    (0x0010_0047, X, 0), // Sex Parameters for Clinical Use Category Reference (added after 2024e)
    (0x0010_0050, X, 0), // Patient's Insurance Plan Code Sequence
    (0x0010_0101, X, 0), // Patient's Primary Language Code Sequence
    (0x0010_0102, X, 0), // Patient's Primary Language Modifier Code Sequence
    (0x0010_1000, X, 0), // Other Patient IDs
    (0x0010_1001, X, 0), // Other Patient Names
    (0x0010_1002, X, 0), // Other Patient IDs Sequence
    (0x0010_1005, X, 0), // Patient's Birth Name
    (0x0010_1010, X, PATIENT), // Patient's Age
    (0x0010_1020, X, PATIENT), // Patient's Size
    (0x0010_1030, X, PATIENT), // Patient's Weight
    (0x0010_1040, X, 0), // Patient's Address
    (0x0010_1050, X, 0), // Insurance Plan Identification
    (0x0010_1060, X, 0), // Patient's Mother's Birth Name
    (0x0010_1080, X, 0), // Military Rank
    (0x0010_1081, X, 0), // Branch of Service
    (0x0010_1090, X, 0), // Medical Record Locator
    (0x0010_1100, X, 0), // Referenced Patient Photo Sequence
    (0x0010_2000, X, TEXT), // Medical Alerts
    (0x0010_2110, X, PATIENT_CLEANED | TEXT), // Allergies
    (0x0010_2150, X, 0), // Country of Residence
    (0x0010_2152, X, 0), // Region of Residence
    (0x0010_2154, X, 0), // Patient's Telephone Numbers
    (0x0010_2155, X, 0), // Patient's Telecom Information
    (0x0010_2160, X, PATIENT), // Ethnic Group
    (0x0010_2161, X, 0), // Ethnic Group Code Sequence (added after 2024e)
    (0x0010_2162, X, 0), // Ethnic Groups (added after 2024e)
    (0x0010_2180, X, TEXT), // Occupation
    (0x0010_21a0, X, PATIENT), // Smoking Status
    (0x0010_21b0, X, TEXT), // Additional Patient History
    (0x0010_21c0, X, PATIENT), // Pregnancy Status
    (0x0010_21d0, X, DATES), // Last Menstrual Date
    (0x0010_21f0, X, 0), // Patient's Religious Preference
    (0x0010_2203, Z, PATIENT), // Patient's Sex Neutered
    (0x0010_2297, X, 0), // Responsible Person
    (0x0010_2299, X, 0), // Responsible Organization
    (0x0010_4000, X, TEXT), // Patient Comments
    (0x0012_0010, D, 0), // Clinical Trial Sponsor Name
    (0x0012_0020, D, 0), // Clinical Trial Protocol ID
    (0x0012_0021, Z, 0), // Clinical Trial Protocol Name
    (0x0012_0022, X, 0), // Issuer of Clinical Trial Protocol ID
    (0x0012_0023, X, 0), // Other Clinical Trial Protocol IDs Sequence
    (0x0012_0030, Z, INSTITUTION), // Clinical Trial Site ID
    (0x0012_0031, Z, INSTITUTION), // Clinical Trial Site Name
    (0x0012_0032, X, 0), // Issuer of Clinical Trial Site ID
    (0x0012_0040, D, 0), // Clinical Trial Subject ID
    (0x0012_0041, X, 0), // Issuer of Clinical Trial Subject ID
    (0x0012_0042, D, 0), // Clinical Trial Subject Reading ID
    (0x0012_0043, X, 0), // Issuer of Clinical Trial Subject Reading ID
    (0x0012_0050, Z, 0), // Clinical Trial Time Point ID
    (0x0012_0051, X, TEXT), // Clinical Trial Time Point Description
    (0x0012_0055, X, 0), // Issuer of Clinical Trial Time Point ID
    (0x0012_0060, Z, INSTITUTION), // Clinical Trial Coordinating Center Name
    (0x0012_0071, X, 0), // Clinical Trial Series ID
    (0x0012_0072, X, TEXT), // Clinical Trial Series Description
    (0x0012_0073, X, 0), // Issuer of Clinical Trial Series ID
    (0x0012_0081, D, INSTITUTION), // Clinical Trial Protocol Ethics Committee Name
    (0x0012_0082, X, 0), // Clinical Trial Protocol Ethics Committee Approval Number
    (0x0012_0086, X, DATES), // Ethics Committee Approval Effectiveness Start Date
    (0x0012_0087, X, DATES), // Ethics Committee Approval Effectiveness End Date
    (0x0014_407c, X, DEVICE | DATES), // Calibration Time
    (0x0014_407e, X, DEVICE | DATES), // Calibration Date
    (0x0016_002b, X, TEXT), // Maker Note
    (0x0016_004b, X, TEXT), // Device Setting Description
    (0x0016_004d, X, 0), // Camera Owner Name
    (0x0016_004e, X, DEVICE), // Lens Specification
    (0x0016_004f, X, DEVICE), // Lens Make
    (0x0016_0050, X, DEVICE), // Lens Model
    (0x0016_0051, X, DEVICE), // Lens Serial Number
    (0x0016_0070, X, 0), // GPS Version ID
    (0x0016_0071, X, 0), // GPS Latitude Ref
    (0x0016_0072, X, 0), // GPS Latitude
    (0x0016_0073, X, 0), // GPS Longitude Ref
    (0x0016_0074, X, 0), // GPS Longitude
    (0x0016_0075, X, 0), // GPS Altitude Ref
    (0x0016_0076, X, 0), // GPS Altitude
    (0x0016_0077, X, 0), // GPS Time Stamp
    (0x0016_0078, X, 0), // GPS Satellites
    (0x0016_0079, X, 0), // GPS Status
    (0x0016_007a, X, 0), // GPS Measure Mode
    (0x0016_007b, X, 0), // GPS DOP
    (0x0016_007c, X, 0), // GPS Speed Ref
    (0x0016_007d, X, 0), // GPS Speed
    (0x0016_007e, X, 0), // GPS Track Ref
    (0x0016_007f, X, 0), // GPS Track
    (0x0016_0080, X, 0), // GPS Img Direction Ref
    (0x0016_0081, X, 0), // GPS Img Direction
    (0x0016_0082, X, 0), // GPS Map Datum
    (0x0016_0083, X, 0), // GPS Dest Latitude Ref
    (0x0016_0084, X, 0), // GPS Dest Latitude
    (0x0016_0085, X, 0), // GPS Dest Longitude Ref
    (0x0016_0086, X, 0), // GPS Dest Longitude
    (0x0016_0087, X, 0), // GPS Dest Bearing Ref
    (0x0016_0088, X, 0), // GPS Dest Bearing
    (0x0016_0089, X, 0), // GPS Dest Distance Ref
    (0x0016_008a, X, 0), // GPS Dest Distance
    (0x0016_008b, X, 0), // GPS Processing Method
    (0x0016_008c, X, 0), // GPS Area Information
    (0x0016_008d, X, DATES), // GPS Date Stamp
    (0x0016_008e, X, 0), // GPS Differential
    (0x0018_0010, D, TEXT), // Contrast/Bolus Agent
    (0x0018_0027, X, DATES), // Intervention Drug Stop Time
    (0x0018_0035, X, DATES), // Intervention Drug Start Time
    (0x0018_1000, D, DEVICE), // Device Serial Number
    (0x0018_1002, U, UIDS | DEVICE), // Device UID
    (0x0018_1004, X, DEVICE), // Plate ID
    (0x0018_1005, X, DEVICE), // Generator ID
    (0x0018_1007, X, DEVICE), // Cassette ID
    (0x0018_1008, X, DEVICE), // Gantry ID
    (0x0018_1009, X, DEVICE), // Unique Device Identifier
    (0x0018_100a, X, DEVICE), // UDI Sequence
    (0x0018_100b, U, UIDS | DEVICE), // Manufacturer's Device Class UID
    (0x0018_1010, X, 0), // Secondary Capture Device ID (added after 2024e)
    (0x0018_1011, X, 0), // Hardcopy Creation Device ID (added after 2024e)
    (0x0018_1012, X, DATES), // Date of Secondary Capture
    (0x0018_1014, X, DATES), // Time of Secondary Capture
    (0x0018_1030, D, TEXT), // Protocol Name
    (0x0018_1042, X, DATES), // Contrast/Bolus Start Time
    (0x0018_1043, X, DATES), // Contrast/Bolus Stop Time
    (0x0018_1072, X, DATES), // Radiopharmaceutical Start Time
    (0x0018_1073, X, DATES), // Radiopharmaceutical Stop Time
    (0x0018_1078, X, DATES), // Radiopharmaceutical Start DateTime
    (0x0018_1079, X, DATES), // Radiopharmaceutical Stop DateTime
    (0x0018_11bb, D, TEXT), // Acquisition Field Of View Label
    (0x0018_1200, X, DEVICE | DATES), // Date of Last Calibration
    (0x0018_1201, X, DEVICE | DATES), // Time of Last Calibration
    (0x0018_1202, X, DEVICE | DATES), // DateTime of Last Calibration
    (0x0018_1203, Z, DEVICE | DATES), // Calibration DateTime
    (0x0018_1204, X, DEVICE | DATES), // Date of Manufacture
    (0x0018_1205, X, DEVICE | DATES), // Date of Installation
    (0x0018_1400, D, TEXT), // Acquisition Device Processing Description
    (0x0018_2042, U, UIDS), // Target UID
    (0x0018_4000, X, TEXT), // Acquisition Comments
    (0x0018_5011, X, DEVICE), // Transducer Identification Sequence
    (0x0018_700a, D, DEVICE), // Detector ID
    (0x0018_700c, D, DEVICE | DATES), // Date of Last Detector Calibration
    (0x0018_700e, D, DEVICE | DATES), // Time of Last Detector Calibration
    (0x0018_9074, D, DATES), // Frame Acquisition DateTime
    (0x0018_9151, D, DATES), // Frame Reference DateTime
    (0x0018_9185, X, TEXT), // Respiratory Motion Compensation Technique Description
    (0x0018_9367, D, DEVICE), // X-Ray Source ID
    (0x0018_9369, D, DATES), // Source Start DateTime
    (0x0018_936a, D, DATES), // Source End DateTime
    (0x0018_9371, D, DEVICE), // X-Ray Detector ID
    (0x0018_9373, X, DEVICE), // X-Ray Detector Label
    (0x0018_937b, X, TEXT), // Multi-energy Acquisition Description
    (0x0018_937f, X, TEXT), // Decomposition Description
    (0x0018_9424, X, TEXT), // Acquisition Protocol Description
    (0x0018_9516, D, DATES), // Start Acquisition DateTime
    (0x0018_9517, D, DATES), // End Acquisition DateTime
    (0x0018_9623, D, DATES), // Functional Sync Pulse
    (0x0018_9701, D, DATES), // Decay Correction DateTime
    (0x0018_9804, D, DATES), // Exclusion Start DateTime
    (0x0018_9919, D, DATES), // Instruction Performed DateTime
    (0x0018_9937, X, TEXT), // Requested Series Description
    (0x0018_a002, X, DATES), // Contribution DateTime
    (0x0018_a003, X, TEXT), // Contribution Description
    (0x0020_000d, U, UIDS), // Study Instance UID
    (0x0020_000e, U, UIDS), // Series Instance UID
    (0x0020_0010, Z, 0), // Study ID
    (0x0020_0027, X, TEXT), // Pyramid Label
    (0x0020_0052, U, UIDS), // Frame of Reference UID
    (0x0020_0200, U, UIDS), // Synchronization Frame of Reference UID
    (0x0020_3401, X, DEVICE), // Modifying Device ID
    (0x0020_3403, X, DATES), // Modified Image Date
    (0x0020_3405, X, DATES), // Modified Image Time
    (0x0020_3406, X, 0), // Modified Image Description
    (0x0020_4000, X, TEXT), // Image Comments
    (0x0020_9158, X, TEXT), // Frame Comments
    (0x0020_9161, U, UIDS), // Concatenation UID
    (0x0020_9164, U, UIDS), // Dimension Organization UID
    (0x0028_1199, U, UIDS), // Palette Color Lookup Table UID
    (0x0028_1214, U, UIDS), // Large Palette Color Lookup Table UID
    (0x0028_4000, X, 0), // Image Presentation Comments
    (0x0032_0012, X, 0), // Study ID Issuer
    (0x0032_0032, X, DATES), // Study Verified Date
    (0x0032_0033, X, DATES), // Study Verified Time
    (0x0032_0034, X, DATES), // Study Read Date
    (0x0032_0035, X, DATES), // Study Read Time
    (0x0032_1000, X, DATES), // Scheduled Study Start Date
    (0x0032_1001, X, DATES), // Scheduled Study Start Time
    (0x0032_1010, X, DATES), // Scheduled Study Stop Date
    (0x0032_1011, X, DATES), // Scheduled Study Stop Time
    (0x0032_1020, X, DEVICE), // Scheduled Study Location
    (0x0032_1021, X, 0), // Scheduled Study Location AE Title
    (0x0032_1030, X, TEXT), // Reason for Study
    (0x0032_1032, X, 0), // Requesting Physician
    (0x0032_1033, X, 0), // Requesting Service
    (0x0032_1040, X, DATES), // Study Arrival Date
    (0x0032_1041, X, DATES), // Study Arrival Time
    (0x0032_1050, X, DATES), // Study Completion Date
    (0x0032_1051, X, DATES), // Study Completion Time
    (0x0032_1060, Z, TEXT), // Requested Procedure Description
    (0x0032_1066, X, TEXT), // Reason for Visit
    (0x0032_1067, X, TEXT), // Reason for Visit Code Sequence
    (0x0032_1070, X, TEXT), // Requested Contrast Agent
    (0x0032_4000, X, TEXT), // Study Comments
    (0x0034_0001, D, 0), // Flow Identifier Sequence
    (0x0034_0002, D, 0), // Flow Identifier
    (0x0034_0005, D, 0), // Source Identifier
    (0x0034_0007, D, DATES), // Frame Origin Timestamp
    (0x0038_0004, X, 0), // Referenced Patient Alias Sequence
    (0x0038_0010, X, 0), // Admission ID
    (0x0038_0011, X, 0), // Issuer of Admission ID
    (0x0038_0014, X, 0), // Issuer of Admission ID Sequence
    (0x0038_001a, X, DATES), // Scheduled Admission Date
    (0x0038_001b, X, DATES), // Scheduled Admission Time
    (0x0038_001c, X, DATES), // Scheduled Discharge Date
    (0x0038_001d, X, DATES), // Scheduled Discharge Time
    (0x0038_001e, X, 0), // Scheduled Patient Institution Residence
    (0x0038_0020, X, DATES), // Admitting Date
    (0x0038_0021, X, DATES), // Admitting Time
    (0x0038_0030, X, DATES), // Discharge Date
    (0x0038_0032, X, DATES), // Discharge Time
    (0x0038_0040, X, TEXT), // Discharge Diagnosis Description
    (0x0038_0050, X, PATIENT_CLEANED), // Special Needs
    (0x0038_0060, X, 0), // Service Episode ID
    (0x0038_0061, X, 0), // Issuer of Service Episode ID
    (0x0038_0062, X, TEXT), // Service Episode Description
    (0x0038_0064, X, 0), // Issuer of Service Episode ID Sequence
    (0x0038_0300, X, 0), // Current Patient Location
    (0x0038_0400, X, 0), // Patient's Institution Residence
    (0x0038_0500, X, PATIENT_CLEANED | TEXT), // Patient State
    (0x0038_4000, X, TEXT), // Visit Comments
    (0x003a_0020, X, 0), // Multiplex Group Label (added after 2024e)
    (0x003a_0203, X, 0), // Channel Label (added after 2024e)
    (0x003a_020c, X, 0), // Channel Derivation Description (added after 2024e)
    (0x003a_0310, U, UIDS), // Multiplex Group UID
    (0x003a_0314, D, DATES), // Impedance Measurement DateTime
    (0x003a_0329, X, TEXT), // Waveform Filter Description
    (0x003a_032b, X, TEXT), // Filter Lookup Table Description
    (0x0040_0001, X, 0), // Scheduled Station AE Title
    (0x0040_0002, X, DATES), // Scheduled Procedure Step Start Date
    (0x0040_0003, X, DATES), // Scheduled Procedure Step Start Time
    (0x0040_0004, X, DATES), // Scheduled Procedure Step End Date
    (0x0040_0005, X, DATES), // Scheduled Procedure Step End Time
    (0x0040_0006, X, 0), // Scheduled Performing Physician's Name
    (0x0040_0007, X, TEXT), // Scheduled Procedure Step Description
    (0x0040_0009, X, 0), // Scheduled Procedure Step ID
    (0x0040_000b, X, 0), // Scheduled Performing Physician Identification Sequence
    (0x0040_0010, X, DEVICE), // Scheduled Station Name
    (0x0040_0011, X, DEVICE), // Scheduled Procedure Step Location
    (0x0040_0012, X, PATIENT_CLEANED), // Pre-Medication
    (0x0040_0241, X, 0), // Performed Station AE Title
    (0x0040_0242, X, DEVICE), // Performed Station Name
    (0x0040_0243, X, 0), // Performed Location
    (0x0040_0244, X, DATES), // Performed Procedure Step Start Date
    (0x0040_0245, X, DATES), // Performed Procedure Step Start Time
    (0x0040_0250, X, DATES), // Performed Procedure Step End Date
    (0x0040_0251, X, DATES), // Performed Procedure Step End Time
    (0x0040_0253, X, 0), // Performed Procedure Step ID
    (0x0040_0254, X, TEXT), // Performed Procedure Step Description
    (0x0040_0275, X, TEXT), // Request Attributes Sequence
    (0x0040_0280, X, TEXT), // Comments on the Performed Procedure Step
    (0x0040_0310, X, TEXT), // Comments on Radiation Dose
    (0x0040_050a, X, 0), // Specimen Accession Number
    (0x0040_0512, D, 0), // Container Identifier
    (0x0040_0513, Z, 0), // Issuer of the Container Identifier Sequence
    (0x0040_051a, X, TEXT), // Container Description
    (0x0040_0551, D, 0), // Specimen Identifier
    (0x0040_0554, U, UIDS), // Specimen UID
    (0x0040_0555, Z, 0), // Acquisition Context Sequence
    (0x0040_0556, X, 0), // Acquisition Context Description (added after 2024e)
    (0x0040_0562, Z, 0), // Issuer of the Specimen Identifier Sequence
    (0x0040_0600, X, TEXT), // Specimen Short Description
    (0x0040_0602, X, TEXT), // Specimen Detailed Description
    (0x0040_0610, Z, 0), // Specimen Preparation Sequence
    (0x0040_06fa, X, 0), // Slide Identifier
    (0x0040_1001, X, 0), // Requested Procedure ID
    (0x0040_1002, X, TEXT), // Reason for the Requested Procedure
    (0x0040_1004, X, 0), // Patient Transport Arrangements
    (0x0040_1005, X, 0), // Requested Procedure Location
    (0x0040_100a, X, TEXT), // Reason for Requested Procedure Code Sequence
    (0x0040_1010, X, 0), // Names of Intended Recipients of Results
    (0x0040_1011, X, 0), // Intended Recipients of Results Identification Sequence
    (0x0040_1101, D, 0), // Person Identification Code Sequence
    (0x0040_1102, X, 0), // Person's Address
    (0x0040_1103, X, 0), // Person's Telephone Numbers
    (0x0040_1104, X, 0), // Person's Telecom Information
    (0x0040_1400, X, TEXT), // Requested Procedure Comments
    (0x0040_2001, X, TEXT), // Reason for the Imaging Service Request
    (0x0040_2004, X, DATES), // Issue Date of Imaging Service Request
    (0x0040_2005, X, DATES), // Issue Time of Imaging Service Request
    (0x0040_2008, X, 0), // Order Entered By
    (0x0040_2009, X, 0), // Order Enterer's Location
    (0x0040_2010, X, 0), // Order Callback Phone Number
    (0x0040_2011, X, 0), // Order Callback Telecom Information
    (0x0040_2016, Z, 0), // Placer Order Number / Imaging Service Request
    (0x0040_2017, Z, 0), // Filler Order Number / Imaging Service Request
    (0x0040_2400, X, TEXT), // Imaging Service Request Comments
    (0x0040_3001, X, 0), // Confidentiality Constraint on Patient Data Description
    (0x0040_4005, X, DATES), // Scheduled Procedure Step Start DateTime
    (0x0040_4008, X, DATES), // Scheduled Procedure Step Expiration DateTime
    (0x0040_4010, X, DATES), // Scheduled Procedure Step Modification DateTime
    (0x0040_4011, X, DATES), // Expected Completion DateTime
    (0x0040_4023, U, UIDS), // Referenced General Purpose Scheduled Procedure Step Transaction UID
    (0x0040_4025, X, DEVICE), // Scheduled Station Name Code Sequence
    (0x0040_4027, X, DEVICE), // Scheduled Station Geographic Location Code Sequence
    (0x0040_4028, X, DEVICE), // Performed Station Name Code Sequence
    (0x0040_4030, X, DEVICE), // Performed Station Geographic Location Code Sequence
    (0x0040_4034, X, 0), // Scheduled Human Performers Sequence
    (0x0040_4035, X, 0), // Actual Human Performers Sequence
    (0x0040_4036, X, 0), // Human Performer's Organization
    (0x0040_4037, X, 0), // Human Performer's Name
    (0x0040_4050, X, DATES), // Performed Procedure Step Start DateTime
    (0x0040_4051, X, DATES), // Performed Procedure Step End DateTime
    (0x0040_4052, X, DATES), // Procedure Step Cancellation DateTime
    (0x0040_a023, X, DATES), // Findings Group Recording Date (Trial)
    (0x0040_a024, X, DATES), // Findings Group Recording Time (Trial)
    (0x0040_a027, D, 0), // Verifying Organization
    (0x0040_a030, D, DATES), // Verification DateTime
    (0x0040_a032, D, DATES), // Observation DateTime
    (0x0040_a033, X, DATES), // Observation Start DateTime
    (0x0040_a034, X, 0), // Effective Start DateTime (added after 2024e)
    (0x0040_a035, X, 0), // Effective Stop DateTime (added after 2024e)
    (0x0040_a073, D, 0), // Verifying Observer Sequence
    (0x0040_a075, D, 0), // Verifying Observer Name
    (0x0040_a078, X, 0), // Author Observer Sequence
    (0x0040_a07a, X, 0), // Participant Sequence
    (0x0040_a07c, X, 0), // Custodial Organization Sequence
    (0x0040_a082, Z, DATES), // Participation DateTime
    (0x0040_a088, Z, 0), // Verifying Observer Identification Code Sequence
    (0x0040_a110, X, DATES), // Date of Document or Verbal Transaction (Trial)
    (0x0040_a112, X, DATES), // Time of Document Creation or Verbal Transaction (Trial)
    (0x0040_a120, D, DATES), // DateTime
    (0x0040_a121, D, DATES), // Date
    (0x0040_a122, D, DATES), // Time
    (0x0040_a123, D, 0), // Person Name
    (0x0040_a124, U, 0), // UID
    (0x0040_a13a, D, DATES), // Referenced DateTime
    (0x0040_a171, U, UIDS), // Observation UID
    (0x0040_a172, U, UIDS), // Referenced Observation UID (Trial)
    (0x0040_a192, X, DATES), // Observation Date (Trial)
    (0x0040_a193, X, DATES), // Observation Time (Trial)
    (0x0040_a307, X, 0), // Current Observer (Trial)
    (0x0040_a352, X, 0), // Verbal Source (Trial)
    (0x0040_a353, X, 0), // Address (Trial)
    (0x0040_a354, X, 0), // Telephone Number (Trial)
    (0x0040_a358, X, 0), // Verbal Source Identifier Code Sequence (Trial)
    (0x0040_a402, U, UIDS), // Observation Subject UID (Trial)
    (0x0040_a730, D, 0), // Content Sequence
    (0x0040_b020, D, 0), // Waveform Annotation Sequence (added after 2024e)
    (0x0040_b034, X, 0), // Annotation DateTime (added after 2024e)
    (0x0040_b036, X, 0), // Segment Definition DateTime (added after 2024e)
    (0x0040_b03b, X, 0), // Montage Name (added after 2024e)
    (0x0040_b03f, X, 0), // Montage Channel Label (added after 2024e)
    (0x0040_db06, X, DATES), // Template Version
    (0x0040_db07, X, DATES), // Template Local Version
    (0x0040_db0c, U, UIDS), // Template Extension Organization UID
    (0x0040_db0d, U, UIDS), // Template Extension Creator UID
    (0x0040_e004, X, DATES), // HL7 Document Effective Time
    (0x0040_e012, X, 0), // Display URI (added after 2024e)
    (0x0042_0011, D, 0), // Encapsulated Document
    (0x0044_0004, X, DATES), // Approval Status DateTime
    (0x0044_000b, X, DATES), // Product Expiration DateTime
    (0x0044_0010, X, DATES), // Substance Administration DateTime
    (0x0044_0104, D, DATES), // Assertion DateTime
    (0x0044_0105, X, DATES), // Assertion Expiration DateTime
    (0x0050_001b, X, 0), // Container Component ID
    (0x0050_0020, X, DEVICE), // Device Description
    (0x0050_0021, X, TEXT), // Long Device Description
    (0x0062_0021, U, UIDS), // Tracking UID
    (0x0064_0003, U, UIDS), // Source Frame of Reference UID
    (0x0068_6226, D, DATES), // Effective DateTime
    (0x0068_6270, D, DATES), // Information Issue DateTime
    (0x006a_0003, D, UIDS), // Annotation Group UID
    (0x006a_0005, D, TEXT), // Annotation Group Label
    (0x006a_0006, X, TEXT), // Annotation Group Description
    (0x0070_0001, D, 0), // Graphic Annotation Sequence
    (0x0070_0006, D, 0), // Unformatted Text Value (added after 2024e)
    (0x0070_0082, X, DATES), // Presentation Creation Date
    (0x0070_0083, X, DATES), // Presentation Creation Time
    (0x0070_0084, D, 0), // Content Creator's Name
    (0x0070_0086, X, 0), // Content Creator's Identification Code Sequence
    (0x0070_031a, U, UIDS), // Fiducial UID
    (0x0070_1101, U, UIDS), // Presentation Display Collection UID
    (0x0070_1102, U, UIDS), // Presentation Sequence Collection UID
    (0x0072_000a, D, DATES), // Hanging Protocol Creation DateTime
    (0x0072_005e, D, 0), // Selector AE Value
    (0x0072_005f, D, PATIENT), // Selector AS Value
    (0x0072_0061, D, DATES), // Selector DA Value
    (0x0072_0063, D, DATES), // Selector DT Value
    (0x0072_0065, D, 0), // Selector OB Value
    (0x0072_0066, D, TEXT), // Selector LO Value
    (0x0072_0068, D, TEXT), // Selector LT Value
    (0x0072_006a, D, 0), // Selector PN Value
    (0x0072_006b, D, DATES), // Selector TM Value
    (0x0072_006c, D, TEXT), // Selector SH Value
    (0x0072_006d, D, 0), // Selector UN Value
    (0x0072_006e, D, TEXT), // Selector ST Value
    (0x0072_0070, D, TEXT), // Selector UT Value
    (0x0072_0071, D, 0), // Selector UR Value
    (0x0074_1234, X, 0), // Receiving AE
    (0x0074_1236, X, 0), // Requesting AE
    (0x0088_0140, U, UIDS), // Storage Media File-set UID
    (0x0088_0200, X, 0), // Icon Image Sequence (see Note 11)
    (0x0088_0904, X, 0), // Topic Title
    (0x0088_0906, X, 0), // Topic Subject
    (0x0088_0910, X, 0), // Topic Author
    (0x0088_0912, X, 0), // Topic Keywords
    (0x0100_0420, X, DATES), // SOP Authorization DateTime
    (0x0400_0100, U, 0), // Digital Signature UID
    (0x0400_0105, D, DATES), // Digital Signature DateTime
    (0x0400_0115, D, 0), // Certificate of Signer
    (0x0400_0310, X, DATES), // Certified Timestamp
    (0x0400_0402, X, 0), // Referenced Digital Signature Sequence
    (0x0400_0403, X, 0), // Referenced SOP Instance MAC Sequence
    (0x0400_0404, X, 0), // MAC
    (0x0400_0550, X, 0), // Modified Attributes Sequence
    (0x0400_0551, X, 0), // Nonconforming Modified Attributes Sequence
    (0x0400_0552, X, 0), // Nonconforming Data Element Value
    (0x0400_0561, X, 0), // Original Attributes Sequence
    (0x0400_0562, D, DATES), // Attribute Modification DateTime
    (0x0400_0563, D, DEVICE), // Modifying System
    (0x0400_0564, Z, INSTITUTION), // Source of Previous Values
    (0x0400_0565, D, TEXT), // Reason for the Attribute Modification
    (0x0400_0600, X, 0), // Instance Origin Status
    (0x2030_0020, X, 0), // Text String
    (0x2100_0040, X, DATES), // Creation Date
    (0x2100_0050, X, DATES), // Creation Time
    (0x2100_0070, X, 0), // Originator
    (0x2100_0140, D, 0), // Destination AE
    (0x2200_0002, Z, TEXT), // Label Text
    (0x2200_0005, Z, 0), // Barcode Value
    (0x3002_0121, X, TEXT), // Position Acquisition Template Name
    (0x3002_0123, X, TEXT), // Position Acquisition Template Description
    (0x3006_0002, D, TEXT), // Structure Set Label
    (0x3006_0004, X, TEXT), // Structure Set Name
    (0x3006_0006, X, TEXT), // Structure Set Description
    (0x3006_0008, Z, DATES), // Structure Set Date
    (0x3006_0009, Z, DATES), // Structure Set Time
    (0x3006_0024, U, UIDS), // Referenced Frame of Reference UID
    (0x3006_0026, Z, TEXT), // ROI Name
    (0x3006_0028, X, TEXT), // ROI Description
    (0x3006_002d, X, DATES), // ROI DateTime
    (0x3006_002e, X, DATES), // ROI Observation DateTime
    (0x3006_0038, X, TEXT), // ROI Generation Description
    (0x3006_004d, X, 0), // ROI Creator Sequence
    (0x3006_004e, X, 0), // ROI Interpreter Sequence
    (0x3006_0085, X, TEXT), // ROI Observation Label
    (0x3006_0088, X, TEXT), // ROI Observation Description
    (0x3006_00a6, Z, 0), // ROI Interpreter
    (0x3006_00c2, U, UIDS), // Related Frame of Reference UID
    (0x3008_0024, D, DATES), // Treatment Control Point Date
    (0x3008_0025, D, DATES), // Treatment Control Point Time
    (0x3008_0054, D, DATES), // First Treatment Date
    (0x3008_0056, D, DATES), // Most Recent Treatment Date
    (0x3008_0105, Z, DEVICE), // Source Serial Number
    (0x3008_0162, D, DATES), // Safe Position Exit Date
    (0x3008_0164, D, DATES), // Safe Position Exit Time
    (0x3008_0166, D, DATES), // Safe Position Return Date
    (0x3008_0168, D, DATES), // Safe Position Return Time
    (0x3008_0250, D, DATES), // Treatment Date
    (0x3008_0251, D, DATES), // Treatment Time
    (0x300a_0002, D, TEXT), // RT Plan Label
    (0x300a_0003, X, TEXT), // RT Plan Name
    (0x300a_0004, X, TEXT), // RT Plan Description
    (0x300a_0006, D, DATES), // RT Plan Date
    (0x300a_0007, D, DATES), // RT Plan Time
    (0x300a_000b, X, TEXT), // Treatment Sites
    (0x300a_000e, X, TEXT), // Prescription Description
    (0x300a_0013, U, UIDS), // Dose Reference UID
    (0x300a_0016, X, TEXT), // Dose Reference Description
    (0x300a_0054, U, 0), // Table Top Position Alignment UID (added after 2024e)
    (0x300a_0072, X, TEXT), // Fraction Group Description
    (0x300a_0083, U, UIDS), // Referenced Dose Reference UID
    (0x300a_00b2, Z, DEVICE), // Treatment Machine Name
    (0x300a_00c3, X, TEXT), // Beam Description
    (0x300a_00dd, X, TEXT), // Bolus Description
    (0x300a_0196, X, TEXT), // Fixation Device Description
    (0x300a_01a6, X, TEXT), // Shielding Device Description
    (0x300a_01b2, X, TEXT), // Setup Technique Description
    (0x300a_0216, X, DEVICE), // Source Manufacturer
    (0x300a_022c, D, DATES), // Source Strength Reference Date
    (0x300a_022e, D, DATES), // Source Strength Reference Time
    (0x300a_02eb, X, TEXT), // Compensator Description
    (0x300a_0608, D, TEXT), // Treatment Position Group Label
    (0x300a_0609, U, UIDS), // Treatment Position Group UID
    (0x300a_0611, Z, 0), // RT Accessory Holder Slot ID
    (0x300a_0615, Z, 0), // RT Accessory Device Slot ID
    (0x300a_0619, D, TEXT), // Radiation Dose Identification Label
    (0x300a_0623, D, TEXT), // Radiation Dose In-Vivo Measurement Label
    (0x300a_062a, D, TEXT), // RT Tolerance Set Label
    (0x300a_0650, U, UIDS), // Patient Setup UID
    (0x300a_0676, X, TEXT), // Equipment Frame of Reference Description
    (0x300a_067c, D, TEXT), // Radiation Generation Mode Label
    (0x300a_067d, Z, TEXT), // Radiation Generation Mode Description
    (0x300a_0700, U, UIDS), // Treatment Session UID
    (0x300a_0734, D, TEXT), // Treatment Tolerance Violation Description
    (0x300a_0736, D, DATES), // Treatment Tolerance Violation DateTime
    (0x300a_073a, D, DATES), // Recorded RT Control Point DateTime
    (0x300a_0741, D, DATES), // Interlock DateTime
    (0x300a_0742, D, TEXT), // Interlock Description
    (0x300a_0760, D, DATES), // Override DateTime
    (0x300a_0783, D, TEXT), // Interlock Origin Description
    (0x300a_0785, U, UIDS), // Referenced Treatment Position Group UID
    (0x300a_078e, X, TEXT), // Patient Treatment Preparation Procedure Parameter Description
    (0x300a_0792, X, TEXT), // Patient Treatment Preparation Method Description
    (0x300a_0794, X, TEXT), // Patient Setup Photo Description
    (0x300a_079a, X, TEXT), // Displacement Reference Label
    (0x300c_0113, X, TEXT), // Reason for Omission Description
    (0x300c_0127, D, DEVICE | DATES), // Beam Hold Transition DateTime
    (0x300e_0004, Z, DATES), // Review Date
    (0x300e_0005, Z, DATES), // Review Time
    (0x300e_0008, Z, 0), // Reviewer Name
    (0x3010_0006, U, UIDS), // Conceptual Volume UID
    (0x3010_000b, U, UIDS), // Referenced Conceptual Volume UID
    (0x3010_000f, Z, TEXT), // Conceptual Volume Combination Description
    (0x3010_0013, U, UIDS), // Constituent Conceptual Volume UID
    (0x3010_0015, U, UIDS), // Source Conceptual Volume UID
    (0x3010_0017, Z, TEXT), // Conceptual Volume Description
    (0x3010_001b, Z, 0), // Device Alternate Identifier
    (0x3010_002d, D, DEVICE), // Device Label
    (0x3010_0031, U, UIDS), // Referenced Fiducials UID
    (0x3010_0033, D, TEXT), // User Content Label
    (0x3010_0034, D, TEXT), // User Content Long Label
    (0x3010_0035, D, TEXT), // Entity Label
    (0x3010_0036, X, TEXT), // Entity Name
    (0x3010_0037, X, TEXT), // Entity Description
    (0x3010_0038, D, TEXT), // Entity Long Label
    (0x3010_003b, U, UIDS), // RT Treatment Phase UID
    (0x3010_0043, Z, DEVICE), // Manufacturer's Device Identifier
    (0x3010_004c, D, DATES), // Intended Phase Start Date
    (0x3010_004d, D, DATES), // Intended Phase End Date
    (0x3010_0054, D, TEXT), // RT Prescription Label
    (0x3010_0056, D, TEXT), // RT Treatment Approach Label
    (0x3010_005a, Z, TEXT), // RT Physician Intent Narrative
    (0x3010_005c, Z, TEXT), // Reason for Superseding
    (0x3010_0061, X, TEXT), // Prior Treatment Dose Description
    (0x3010_006e, U, UIDS), // Dosimetric Objective UID
    (0x3010_006f, U, UIDS), // Referenced Dosimetric Objective UID
    (0x3010_0077, D, TEXT), // Treatment Site
    (0x3010_007a, Z, TEXT), // Treatment Technique Notes
    (0x3010_007b, Z, TEXT), // Prescription Notes
    (0x3010_007f, Z, TEXT), // Fractionation Notes
    (0x3010_0081, Z, TEXT), // Prescription Notes Sequence
    (0x3010_0085, X, DATES), // Intended Fraction Start Time
    (0x4000_0010, X, 0), // Arbitrary
    (0x4000_4000, X, 0), // Text Comments
    (0x4008_0040, X, 0), // Results ID
    (0x4008_0042, X, 0), // Results ID Issuer
    (0x4008_0100, X, DATES), // Interpretation Recorded Date
    (0x4008_0101, X, DATES), // Interpretation Recorded Time
    (0x4008_0102, X, 0), // Interpretation Recorder
    (0x4008_0108, X, DATES), // Interpretation Transcription Date
    (0x4008_0109, X, DATES), // Interpretation Transcription Time
    (0x4008_010a, X, 0), // Interpretation Transcriber
    (0x4008_010b, X, TEXT), // Interpretation Text
    (0x4008_010c, X, 0), // Interpretation Author
    (0x4008_0111, X, 0), // Interpretation Approver Sequence
    (0x4008_0112, X, DATES), // Interpretation Approval Date
    (0x4008_0113, X, DATES), // Interpretation Approval Time
    (0x4008_0114, X, 0), // Physician Approving Interpretation
    (0x4008_0115, X, TEXT), // Interpretation Diagnosis Description
    (0x4008_0118, X, 0), // Results Distribution List Sequence
    (0x4008_0119, X, 0), // Distribution Name
    (0x4008_011a, X, 0), // Distribution Address
    (0x4008_0200, X, 0), // Interpretation ID
    (0x4008_0202, X, 0), // Interpretation ID Issuer
    (0x4008_0300, X, TEXT), // Impressions
    (0x4008_4000, X, TEXT), // Results Comments
    (0xfffa_fffa, X, 0), // Digital Signatures Sequence
    (0xfffc_fffc, X, 0), // Data Set Trailing Padding
];
