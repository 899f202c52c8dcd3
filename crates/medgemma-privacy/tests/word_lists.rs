//! Each word that tells a name or a place in a text, once, beside a name that no list knows. The lists here are written
//! by hand from what is used, and not read from the rules.

use medgemma_privacy::Scrubber;

/// Puts each word into both sentences in place of `{}`, scrubs the first and holds it against the second; all that
/// differ are told at once.
fn hold(words: &[&str], sentence: &str, expected: &str) {
    let mut wrong = String::new();
    for word in words {
        let scrubbed = Scrubber::new().scrub(&sentence.replace("{}", word)).text;
        let expected = expected.replace("{}", word);
        if scrubbed != expected {
            wrong += &format!("found    {scrubbed:?}\nexpected {expected:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_name_follows_each_title() {
    let titles = [
        "Dr",
        "Drs",
        "Mr",
        "Mrs",
        "Ms",
        "Miss",
        "Mx",
        "Prof",
        "Professor",
        "Doctor",
        "Sir",
        "Dame",
        "Rev",
        "Reverend",
        "Nurse",
        "Officer",
        "Sgt",
        "Capt",
        "Pastor",
        "Rabbi",
        "Mister",
    ];
    hold(
        &titles,
        "A talk with {} Zorblat today.",
        "A talk with {} [NAME] today.",
    );
    hold(
        &titles,
        "A talk with {}. Zorblat today.",
        "A talk with {}. [NAME] today.",
    );
}

#[test]
fn a_name_follows_each_label() {
    let labels = [
        "Name",
        "Patient",
        "Pt",
        "Attending",
        "Physician",
        "Radiologist",
        "Surgeon",
        "Resident",
        "Provider",
        "Consultant",
        "Technologist",
        "Read by",
        "Report to",
        "Letter from",
        "CC",
        "Attn",
        "Re",
        "Mother",
        "Father",
        "Guardian",
        "Contact",
        "Next of kin",
        "Author",
        "Operator",
        "Proxy",
        "Signed",
        "Dear",
        "Interpreter",
        "Pharmacist",
        "Anesthesiologist",
        "Pathologist",
        "Assistant",
    ];
    hold(
        &labels,
        "{}: Zorblat (ward round)",
        "{}: [NAME] (ward round)",
    );
}

#[test]
fn a_name_follows_each_companion() {
    let companions = [
        "mother",
        "father",
        "wife",
        "husband",
        "son",
        "daughter",
        "brother",
        "sister",
        "partner",
        "spouse",
        "friend",
        "neighbor",
        "neighbour",
        "aunt",
        "uncle",
        "cousin",
        "niece",
        "nephew",
        "grandson",
        "granddaughter",
        "grandmother",
        "grandfather",
        "guardian",
        "caregiver",
        "carer",
        "fiance",
        "fiancee",
        "roommate",
        "boyfriend",
        "girlfriend",
        "patient",
        "pt",
        "dog named",
        "man called",
        "dear",
        "baby",
        "twin",
        "stepfather",
        "stepmother",
        "infant",
        "child",
        "attending",
        "radiologist",
        "surgeon",
        "physician",
        "resident",
        "therapist",
        "pharmacist",
        "interpreter",
        "coordinator",
    ];
    hold(
        &companions,
        "Then the {} Zorblat rang.",
        "Then the {} [NAME] rang.",
    );
    hold(
        &companions,
        "Then the {}, Zorblat, rang.",
        "Then the {}, [NAME], rang.",
    );
}

/// Two words that could be a heading at the start of a line.
#[test]
fn a_name_follows_each_link_at_the_end_of_a_line() {
    let links = [
        "by", "with", "to", "from", "per", "for", "and", "that", "told", "informed", "via", "of",
    ];
    hold(
        &links,
        "a letter {}\nZorblat Quuxley today",
        "a letter {}\n[NAME] today",
    );
}

#[test]
fn a_name_stands_before_each_credential() {
    let credentials = [
        "MD", "DO", "RN", "NP", "PA", "PA-C", "PhD", "PHD", "LPN", "BSN", "MSN", "DNP", "CRNA",
        "DDS", "DMD", "DPM", "FRCR", "FACR", "FACS", "MBBS", "MBChB", "MBCHB", "PharmD", "PHARMD",
        "DPT", "LCSW", "FACC", "Esq", "ESQ", "OT", "MPH", "M.D", "D.O", "R.N", "N.P",
    ];
    hold(&credentials, "Zorblat, {}.", "[NAME], {}.");
}

#[test]
fn particles_are_parts_of_names() {
    let particles = [
        "van", "von", "de", "der", "den", "del", "la", "le", "da", "di", "dos", "bin", "al", "ibn",
        "ter",
    ];
    hold(
        &particles,
        "seen by Dr. Zorblat {} Quuxley today",
        "seen by Dr. [NAME] today",
    );
}

#[test]
fn streets_are_places() {
    let streets = [
        "Street",
        "St",
        "Avenue",
        "Ave",
        "Road",
        "Rd",
        "Boulevard",
        "Blvd",
        "Lane",
        "Ln",
        "Drive",
        "Dr",
        "Court",
        "Ct",
        "Place",
        "Pl",
        "Way",
        "Terrace",
        "Ter",
        "Circle",
        "Cir",
        "Highway",
        "Hwy",
        "Square",
        "Sq",
        "Parkway",
        "Pkwy",
        "Trail",
        "Trl",
        "Close",
        "Crescent",
        "Row",
        "Walk",
        "Alley",
        "Plaza",
        "Loop",
        "Path",
    ];
    hold(
        &streets,
        "letter for 12 Zorblat {}, today",
        "letter for [LOCATION], today",
    );
}

#[test]
fn towns_stand_before_states() {
    let states = [
        "Alabama",
        "Alaska",
        "Arizona",
        "Arkansas",
        "California",
        "Colorado",
        "Connecticut",
        "Delaware",
        "Florida",
        "Georgia",
        "Hawaii",
        "Idaho",
        "Illinois",
        "Indiana",
        "Iowa",
        "Kansas",
        "Kentucky",
        "Louisiana",
        "Maine",
        "Maryland",
        "Massachusetts",
        "Michigan",
        "Minnesota",
        "Mississippi",
        "Missouri",
        "Montana",
        "Nebraska",
        "Nevada",
        "New Hampshire",
        "New Jersey",
        "New Mexico",
        "New York",
        "North Carolina",
        "North Dakota",
        "Ohio",
        "Oklahoma",
        "Oregon",
        "Pennsylvania",
        "Rhode Island",
        "South Carolina",
        "South Dakota",
        "Tennessee",
        "Texas",
        "Utah",
        "Vermont",
        "Virginia",
        "Washington",
        "West Virginia",
        "Wisconsin",
        "Wyoming",
    ];
    hold(
        &states,
        "a letter for Zorblat, {} went out",
        "a letter for [LOCATION] went out",
    );
    let letters = [
        "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN",
        "IA", "KS", "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH",
        "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT",
        "VT", "VA", "WA", "WV", "WI", "WY",
    ];
    hold(
        &letters,
        "a letter for Zorblat, {} 89445 went out",
        "a letter for [LOCATION] went out",
    );
    hold(
        &letters,
        "a man from Zorblat, {} fell",
        "a man from [LOCATION] fell",
    );
    // Those that are nothing else in clinical texts need no word before them.
    let alone = [
        "AZ", "DE", "HI", "IA", "IL", "KY", "MN", "MT", "ND", "NE", "NH", "NJ", "NM", "NV", "NY",
        "OH", "RI", "TN", "TX", "UT", "WA", "WI", "WV", "WY",
    ];
    hold(
        &alone,
        "a letter for Zorblat, {} went out",
        "a letter for [LOCATION] went out",
    );
}

#[test]
fn institutions_are_places() {
    let whole = [
        "Hospital",
        "Hospitals",
        "Clinic",
        "Clinics",
        "Infirmary",
        "Hospice",
        "Sanatorium",
        "Healthcare",
        "Nursing Home",
        "Assisted Living",
        "University",
        "College",
        "Academy",
        "Elementary",
        "High School",
        "Middle School",
        "School",
        "Church",
        "Prison",
        "Jail",
        "Correctional Facility",
        "Shelter",
        "Manor",
        "Retirement Community",
    ];
    hold(
        &whole,
        "sent home by Zorblat {} today",
        "sent home by [LOCATION] today",
    );
    let of = [
        "Medical",
        "Health",
        "Cancer",
        "Trauma",
        "Heart",
        "Imaging",
        "Surgery",
        "Surgical",
        "Rehabilitation",
        "Dialysis",
        "Oncology",
        "Care",
        "Community",
        "Nursing",
        "Treatment",
    ];
    hold(
        &of,
        "sent home by Zorblat {} Center today",
        "sent home by [LOCATION] today",
    );
    let kinds = [
        "Center",
        "Centre",
        "Centers",
        "Group",
        "Associates",
        "Partners",
        "System",
        "Home",
        "Facility",
    ];
    hold(
        &kinds,
        "sent home by Zorblat Health {} today",
        "sent home by [LOCATION] today",
    );
}

#[test]
fn places_follow_words_of_coming_and_going() {
    let words = [
        "live in",
        "lives in",
        "lived in",
        "living in",
        "reside in",
        "resides in",
        "residing in",
        "resident of",
        "is from",
        "was from",
        "comes from",
        "originally from",
        "moved to",
        "moved from",
        "move to",
        "relocated to",
        "born in",
        "raised in",
        "native of",
        "returned from",
        "trip to",
        "trips to",
        "travel to",
        "travels to",
        "traveled to",
        "travelled to",
        "travel from",
        "traveled from",
        "visit family in",
        "visited family in",
        "visiting family in",
        "hometown is",
        "hometown of",
        "works in",
        "employed in",
        "address",
        "address:",
        "address is",
        "city:",
        "town:",
        "location:",
        "transferred from",
        "referred from",
        "flown in from",
        "brought in from",
        "near",
    ];
    hold(
        &words,
        "She said {} Zorblat then.",
        "She said {} [LOCATION] then.",
    );
    let kinds = [
        "County", "Township", "Borough", "Parish", "Village", "Heights", "Beach",
    ];
    hold(
        &kinds,
        "the fire at Zorblat {} then",
        "the fire at [LOCATION] then",
    );
    let of = [
        "University",
        "College",
        "Hospital",
        "Church",
        "City",
        "Town",
        "County",
        "Village",
        "Borough",
        "Parish",
    ];
    hold(&of, "the {} of Zorblat paid", "the [LOCATION] paid");
}
