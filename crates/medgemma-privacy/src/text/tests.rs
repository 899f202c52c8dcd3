//! What is taken out of texts, and what stays.

use super::*;

fn scrub(text: &str) -> String {
    Scrubber::new().scrub(text).text
}

#[test]
fn a_name_that_was_found_once_is_found_again() {
    assert_eq!(
        scrub("Seen by Dr. Featherstone. Later Featherstone left, and Featherstone's pager rang."),
        "Seen by Dr. [NAME]. Later [NAME] left, and [NAME]'s pager rang."
    );
    // But for words that name nobody by themselves.
    assert_eq!(
        scrub("Dr. Heart said: Heart size normal."),
        "Dr. [NAME] said: Heart size normal."
    );
}

#[test]
fn names_with_carets_are_names() {
    for (text, expected) in [
        ("Patient Name: QUAGMIRE^THORVALD", "Patient Name: [NAME]"),
        ("QUAGMIRE^ALICE", "[NAME]"),
        ("name: quagmire^thorvald.", "name: [NAME]."),
        ("McIlwraith^DeShawn was here", "[NAME] was here"),
        ("van der Quag^Anna was here", "[NAME] was here"),
        ("1234^Quagmire^Alice^MD", "1234^[NAME]"),
        ("Quagmire^Thorvald^J^^Dr was here", "[NAME] was here"),
        (
            "PATIENT VAN DER QUAG^ANNA LUISE CT CHEST",
            "PATIENT [NAME] CT CHEST",
        ),
        ("name=QUAGMIRE^^^ seen", "name=[NAME]^^^ seen"),
        ("Name: QUAGMIRE^, seen", "Name: [NAME]^, seen"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "[NAME]"),
        ("李^明 seen", "[NAME] seen"),
        ("WHITE^BROWN", "[NAME]"),
        (
            "Name: QUAGMIRE^ALICE. Later Quagmire left",
            "Name: [NAME]. Later [NAME] left",
        ),
        (
            "Series Crestline^Alice. Crestline left, Alice too",
            "Series [NAME]. Crestline left, [NAME] too",
        ),
    ] {
        assert_eq!(scrub(text), expected);
    }
    for text in [
        "12 cm^2, 10^6, m^-1, L/min/m^2, e^x, Ca^2+, p=Normal, dose = High",
        "BRAF^V600E, anti-Fy^a and anti-Jk^b, Rh^null",
        "Head^Routine, Thorax^Lungs, 71020^XR CHEST 2 VIEWS^LN",
        "Neuro^HeadSeq, Cardio^HeartFunction, Quag^AbdRoutine",
        "TSH^Thyrotropin^LN, HR^ 130, Glucose^, sodium^",
    ] {
        assert_eq!(scrub(text), text);
    }
}

#[test]
fn numbers_need_a_word_that_says_what_they_are() {
    assert_eq!(
        scrub("Unit 3, lead 2, study 2019, case 12."),
        "Unit 3, lead 2, study 2019, case 12."
    );
    assert_eq!(scrub("Case 12345."), "Case [ID].");
    assert_eq!(
        scrub("BP 120/80, 5/5 strength, 2 of 1200 mL"),
        "BP 120/80, 5/5 strength, 2 of 1200 mL"
    );
}

#[test]
fn lines_and_columns_split_nothing() {
    for (text, expected) in [
        (
            "Seen by Dr. Alice\nMoore on ward",
            "Seen by Dr. [NAME] on ward",
        ),
        ("Mr.  Smith", "Mr.  [NAME]"),
        ("Mr.\u{a0}Smith", "Mr.\u{a0}[NAME]"),
        ("Dr.\r\n  Moore", "Dr.\r\n  [NAME]"),
        ("Her husband\tJohn  Quagmire.", "Her husband\t[NAME]."),
        ("on March  3, 2024", "on [DATE]"),
        ("on March\n3, 2024", "on [DATE]"),
        ("on 3\u{a0}May\n2024.", "on [DATE]."),
        ("a 93\nyear old man", "a [AGE]\nyear old man"),
        ("Lives in\nWinnemucca.", "Lives in\n[LOCATION]."),
        ("MRN:\n 123456", "MRN:\n [MRN]"),
        // A heading, a new paragraph, the word behind a surname.
        ("Dr. Moore\nHabits: none", "Dr. [NAME]\nHabits: none"),
        ("Dr. Smith\nHemoglobin 9", "Dr. [NAME]\nHemoglobin 9"),
        ("by A. Smith, M.D.\nAccessed", "by [NAME], M.D.\nAccessed"),
        ("Seen by the Dr.\n\nMelanin", "Seen by the Dr.\n\nMelanin"),
        ("on March\n\n3, 20", "on March\n\n3, 20"),
        ("Pain 5\nMay go home", "Pain 5\nMay go home"),
    ] {
        assert_eq!(scrub(text), expected);
    }
}

#[test]
fn typographic_hyphens_and_invisible_characters_hide_nothing() {
    for hyphen in [
        '-', '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2015}', '\u{2212}',
        '\u{fe63}', '\u{ff0d}',
    ] {
        for (text, expected) in [
            ("SSN: 123-45-6789.", "SSN: [SSN]."),
            ("Phone: 617-555-0123", "Phone: [PHONE]"),
            ("seen 2024-05-03, well", "seen [DATE], well"),
            ("Seen 3-4 cm, 2-3 cm apart", "Seen 3-4 cm, 2-3 cm apart"),
            ("Plan: 1000-1500 mL", "Plan: 1000-1500 mL"),
            ("score -2.5 - worse", "score -2.5 - worse"),
        ] {
            let of = |text: &str| text.replace('-', hyphen.encode_utf8(&mut [0; 4]));
            assert_eq!(scrub(&of(text)), of(expected));
        }
    }
    for (text, expected) in [
        ("Mr. Al\u{ad}fred Quag\u{200b}mire left", "Mr. [NAME] left"),
        ("SSN: 123\u{2060}-45-\u{200b}6789.", "SSN: [SSN]."),
        ("Dr. \u{200e} Moore", "Dr. \u{200e} [NAME]"),
        ("Dr. Quagmire\u{2013}Moore left", "Dr. [NAME] left"),
        (
            "Dr. Quagmire\u{2014}edema, 5\u{200b} cm",
            "Dr. [NAME]\u{2014}edema, 5\u{200b} cm",
        ),
    ] {
        assert_eq!(scrub(text), expected);
    }
}

#[test]
fn months_by_name_need_no_space() {
    for date in [
        "03MAY2024",
        "03/May/2024",
        "3-May-24",
        "May/03/2024",
        "MAY032024",
        "2024MAY03",
        "2024-May-3",
        "MAY2024",
        "3 May",
    ] {
        assert_eq!(scrub(&format!("seen {date}, well")), "seen [DATE], well");
    }
    let text = "may take 5 of 10, 5mar, marked, decrease 20";
    assert_eq!(scrub(text), text);
}

#[test]
fn ages_in_every_spelling() {
    for age in ["y.o.", "y.o", "y. o.", "yo", "y/o", "year", "yrs."] {
        let text = format!("93 {age} man");
        assert_eq!(scrub(&text), format!("[AGE] {age} man"));
    }
}

#[test]
fn ages_with_a_sex_in_place_of_years() {
    for (text, expected) in [
        ("93M with cough", "[AGE]M with cough"),
        ("91F, fall.", "[AGE]F, fall."),
        ("HPI: 91 F, found", "HPI: [AGE] F, found"),
        ("(This 93M who fell)", "(This [AGE]M who fell)"),
        ("94 F with dyspnea", "[AGE] F with dyspnea"),
        ("93 y F", "[AGE] y F"),
        ("95y male", "[AGE]y male"),
        ("093Y", "[AGE]Y"),
        ("93yM, 101 Y/F", "[AGE]yM, [AGE] Y/F"),
        ("A 90-woman and 104 man", "A [AGE]-woman and [AGE] man"),
        ("Fell. 94WF with pain", "Fell. [AGE]WF with pain"),
        (
            "93m c/o cough. 92f w/ fall",
            "[AGE]m c/o cough. [AGE]f w/ fall",
        ),
        (
            "93/M (M/94)\nF, 95\nSex: F/096",
            "[AGE]/M (M/[AGE])\nF, [AGE]\nSex: F/[AGE]",
        ),
        (
            "Age/Sex: 93 M. Age = 94, age is 95",
            "Age/Sex: [AGE] M. Age = [AGE], age is [AGE]",
        ),
        (
            "ninety-three year old, one hundred and two years",
            "[AGE] year old, [AGE] years",
        ),
        ("Fever. 94 F with dyspnea", "Fever. [AGE] F with dyspnea"),
        (
            "patient >90 years old, <95 years, Bed 4,93-year-old, 5/93 yo",
            "patient >[AGE] years old, <[AGE] years, Bed [LOCATION],[AGE]-year-old, 5/[AGE] yo",
        ),
    ] {
        assert_eq!(scrub(text), expected);
    }
    for text in [
        "T 98.6 F, temp 101 F, Tmax: 103F and 102 F",
        "fever to 102 F, febrile at 101F overnight",
        "VS: 98 F, HR 80. Was 101 F oral, then 101 F / 38.3 C",
        "89M with cough, 67 F, 88 y, 070Y",
        "walked 120 m, 93m with a cane, 100 m",
        "120 male patients, 100 M cells, $93M, 7.93 M, 1,100 M",
        "90Y microspheres, 90 Y-DOTATATE",
        "SpO2 98\nF/U, PSA 110\nM.D. note, T 98.6\nF, 98, 18",
        "Temp:\n101 F with chills. Temp. 102 F, now well",
        "Technetium\n99M with SPECT. 90Y F/U, Y-90 Y, 95 BM",
        "(F, 95 mg), M/94.5, sex: F, 95%, 120 man-hours, 98 / F/U",
        "102 F, tachycardic. 101 F, now well",
        "98 F, HR 80. 120 m with a cane",
        "HR 93, SpO2 94, BP 120/92, weight 93",
    ] {
        assert_eq!(scrub(text), text);
    }
}

#[test]
fn quantities_and_years_are_no_codes() {
    for text in [
        "The patient had 1200 mL drained.",
        "Patient took 1000 mg of it.",
        "Plan: 1500 mL, then 1500mL, 1200 cc and 1000-1500 mL",
        "Rx: 1000 mg",
        "Record 1200\u{a0}µg, 5000 units, file 1000 %",
        "stent in 2018, study from 2019, LEAD IN 2018",
        "PATIENT HAD 1200",
    ] {
        assert_eq!(scrub(text), text);
    }
    for (text, expected) in [
        ("Patient 12345", "Patient [MRN]"),
        ("MRN: 1234567 mg", "MRN: [MRN] mg"),
        ("MRN AB 12345", "MRN [MRN]"),
        ("Case AB-2019", "Case [ID]"),
        ("Card 1987 1988 1989 1990", "Card [ACCOUNT]"),
        ("Card 1111 2222 3333 4444 mL", "Card [ACCOUNT] mL"),
        ("MRN: 12345\ncc: his wife", "MRN: [MRN]\ncc: his wife"),
        ("MRN: 12345\nHR 88", "MRN: [MRN]\nHR 88"),
        ("MRN: 12345 / DOB", "MRN: [MRN] / DOB"),
        ("MRN 123-45-678 mg", "MRN [MRN] mg"),
        ("MRN: 12345\nUnit: ICU", "MRN: [MRN]\nUnit: ICU"),
        ("Patient 12345 L hip", "Patient [MRN] L hip"),
        ("Patient: 12345 mg", "Patient: [MRN] mg"),
        ("Acct: 54321 days", "Acct: [ACCOUNT] days"),
        ("MRN 12345mL", "MRN [MRN]"),
        ("License: RN 123456", "License: [LICENCE]"),
        ("License: OR 123456", "License: [LICENCE]"),
        ("Accession: CT 123456", "Accession: [ID]"),
        ("MRN: A 12345", "MRN: [MRN]"),
        ("Order LAB 12345", "Order [ID]"),
        ("Device 123-45678-L", "Device [DEVICE]"),
        ("Plan: 1500 is hers", "Plan: [PLAN] is hers"),
    ] {
        assert_eq!(scrub(text), expected);
    }
}

#[test]
fn numbers_of_columns_are_no_groups_of_one() {
    for text in [
        "Red cell count\t4.52\t3.80-5.80",
        "140\t103\t1200",
        "2019\t2020\t2021\t2022",
        "5551   234   5678",
    ] {
        assert_eq!(scrub(text), text);
    }
    assert_eq!(scrub("Tel.:\t555 234 5678"), "Tel.:\t[PHONE]");
}

#[test]
fn towns_behind_headings_are_found() {
    for (text, expected) in [
        ("Final Report\nLos Angeles", "Final Report\n[LOCATION]"),
        (
            "Aspirin\nPlavix\nColorado Springs",
            "Aspirin\nPlavix\n[LOCATION]",
        ),
        ("Colorado\nSprings", "[LOCATION]"),
    ] {
        assert_eq!(scrub(text), expected);
    }
}

#[test]
fn states_that_are_diseases_need_an_address() {
    for text in [
        "PMH: HTN, MI, DM2",
        "CAD, MI",
        "X-ray, CT",
        "RV, LA",
        "Epilepsy, MS",
    ] {
        assert_eq!(scrub(text), text);
    }
    for (text, expected) in [
        ("Winnemucca, MI 12345", "[LOCATION]"),
        ("Winnemucca, NY", "[LOCATION]"),
        ("Winnemucca, Michigan", "[LOCATION]"),
        ("from Winnemucca, MI.", "from [LOCATION]."),
        ("12 Elm Street,\nWinnemucca, MI", "[LOCATION],\n[LOCATION]"),
    ] {
        assert_eq!(scrub(text), expected);
    }
}

#[test]
fn eponyms_are_no_names() {
    let text = "Crohn disease, Foley catheter, Glasgow Coma Scale, Barrett's esophagus.";
    assert_eq!(scrub(text), text);
}

#[test]
fn findings_are_where_they_say() {
    let text = "Age 93, è vero; call (617) 555-0123.";
    let scrubbed = Scrubber::new().scrub(text);
    let found: Vec<(Identifier, &str)> = scrubbed
        .findings
        .iter()
        .map(|finding| (finding.identifier, &text[finding.range.clone()]))
        .collect();
    assert_eq!(
        found,
        [
            (Identifier::Age, "93"),
            (Identifier::Phone, "(617) 555-0123")
        ]
    );
    assert_eq!(scrubbed.text, "Age [AGE], è vero; call [PHONE].");
}
