//! Made-up identifiers. Half of the names are common, half in none of the crate's lists.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

const FIRST: [&str; 40] = [
    "James",
    "Mary",
    "Robert",
    "Patricia",
    "Michael",
    "Jennifer",
    "Susan",
    "Thomas",
    "Priya",
    "Carlos",
    "Fatima",
    "Wei",
    "Olga",
    "Hans",
    "Aoife",
    "Kofi",
    "Grace",
    "Mark",
    "Rose",
    "Will",
    "Zebulon",
    "Xanthippe",
    "Thorvald",
    "Quillon",
    "Ozymandias",
    "Persis",
    "Tavish",
    "Calliope",
    "Jabari",
    "Eulalia",
    "Florimond",
    "Nkechinyere",
    "Bartholomea",
    "Ulrike",
    "Vasuki",
    "Wenceslas",
    "Ysolde",
    "Ignatius",
    "Maelys",
    "Cosimo",
];
const LAST: [&str; 40] = [
    "Smith",
    "Johnson",
    "Garcia",
    "Nguyen",
    "Patel",
    "Kowalski",
    "O'Brien",
    "Tanaka",
    "Rossi",
    "Okafor",
    "Brown",
    "Young",
    "Hill",
    "Baker",
    "Fischer",
    "Reyes",
    "Morgan",
    "Cooper",
    "Bell",
    "Ward",
    "Quagmire",
    "Featherstonehaugh",
    "Abernathy-Voss",
    "Szczepanik",
    "Vanterpool",
    "Mbekeani",
    "Thistlewood",
    "Dragomirescu",
    "Oyelaran",
    "Birtwhistle",
    "Katsaros",
    "Lindqvist-Holm",
    "Zubizarreta",
    "Pemberton",
    "Achterberg",
    "Culpepper",
    "Wijesinghe",
    "Haldorsen",
    "McIlwraith",
    "Tsagaan",
];
const STREETS: [&str; 10] = [
    "Maple",
    "Old Mill",
    "Washington",
    "Cherry Blossom",
    "Fifth",
    "Quarry",
    "St. James",
    "Elm",
    "Harbour View",
    "Larkspur",
];
const SUFFIXES: [&str; 10] = [
    "Street", "Ave", "Road", "Blvd", "Lane", "Drive", "Court", "Way", "Terrace", "St.",
];
const TOWNS: [&str; 16] = [
    "Boston",
    "Springfield",
    "Chicago",
    "Manchester",
    "Fargo",
    "Toledo",
    "Nairobi",
    "Lyon",
    "Pawtucket",
    "Coeur d'Alene",
    "Winnemucca",
    "Oberhausen",
    "Llandudno",
    "Tuscaloosa",
    "Sheboygan",
    "Kalamazoo",
];
const STATES: [&str; 8] = ["MA", "IL", "Ohio", "TX", "California", "ND", "NY", "Oregon"];
const HOSPITALS: [&str; 10] = [
    "St. Mary's Hospital",
    "Riverside Medical Center",
    "Mercy General Hospital",
    "Lakeview Clinic",
    "University of Springfield",
    "Cedar Grove Nursing Home",
    "Hopewell Cancer Center",
    "Oakdale Elementary School",
    "Saint Brendan Infirmary",
    "Northgate Dialysis Center",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A value of this kind: the part before `_` is what it counts as, the part behind how it is written.
pub(crate) fn of(kind: &str, rng: &mut ChaCha8Rng) -> String {
    let first = *FIRST.choose(rng).unwrap();
    let last = *LAST.choose(rng).unwrap();
    let initial = char::from(b'A' + rng.random_range(0..26));
    let (year, month, day) = (
        rng.random_range(1935..2026),
        rng.random_range(1..13),
        rng.random_range(1..29),
    );
    let month_name = MONTHS[month - 1];
    let short = &month_name[..3];
    let number = |rng: &mut ChaCha8Rng, digits: usize| -> String {
        (0..digits)
            .map(|at| char::from(b'0' + rng.random_range(u8::from(at == 0)..10)))
            .collect()
    };
    let letters = |rng: &mut ChaCha8Rng, count: usize| -> String {
        (0..count)
            .map(|_| *b"ABCDEFGHJKLMNPRSTUVWXYZ".choose(rng).unwrap() as char)
            .collect()
    };
    match kind {
        "NAME" => format!("{first} {last}"),
        "NAME_MIDDLE" => format!("{first} {initial}. {last}"),
        "NAME_LAST" => last.to_owned(),
        "NAME_FIRST" => first.to_owned(),
        "NAME_COMMA" => format!("{last}, {first}"),
        "NAME_UPPER" => format!("{}, {}", last.to_uppercase(), first.to_uppercase()),
        "NAME_CARET" => format!("{}^{}", last.to_uppercase(), first.to_uppercase()),
        "NAME_CARETS" => format!("{last}^{first}^{initial}^^Dr"),
        "NAME_INITIAL" => format!("{initial}. {last}"),
        "DATE" => format!("{month:02}/{day:02}/{year}"),
        "DATE_SHORT" => format!("{month}/{day}/{:02}", year % 100),
        "DATE_ISO" => format!("{year}-{month:02}-{day:02}"),
        "DATE_LONG" => format!("{month_name} {day}, {year}"),
        "DATE_DAY" => format!("{day} {short} {year}"),
        "DATE_ORDINAL" => format!("the {day}th of {month_name}").replace("the ", ""),
        "DATE_MONTH" => format!("{month_name} {year}"),
        "DATE_NOYEAR" => format!("{short} {day}"),
        "DATE_SLASH" => format!("{month}/{day}"),
        "DATE_DOTS" => format!("{day:02}.{month:02}.{year}"),
        "AGE" => rng.random_range(90..106).to_string(),
        "PHONE" => format!("({}) {}-{}", number(rng, 3), number(rng, 3), number(rng, 4)),
        "PHONE_DASH" => format!("{}-{}-{}", number(rng, 3), number(rng, 3), number(rng, 4)),
        "PHONE_DOT" => format!("{}.{}.{}", number(rng, 3), number(rng, 3), number(rng, 4)),
        "PHONE_INTL" => format!("+44 20 {} {}", number(rng, 4), number(rng, 4)),
        "PHONE_LOCAL" => format!("{}-{}", number(rng, 3), number(rng, 4)),
        "FAX" => format!("{}-{}-{}", number(rng, 3), number(rng, 3), number(rng, 4)),
        "EMAIL" => format!(
            "{}.{}@example{}.org",
            first.to_lowercase(),
            number(rng, 2),
            number(rng, 1)
        ),
        "SSN" => format!("{}-{}-{}", number(rng, 3), number(rng, 2), number(rng, 4)),
        "SSN_PLAIN" => number(rng, 9),
        "MRN" => number(rng, 7),
        "MRN_SHORT" => number(rng, 5),
        "MRN_CODE" => format!("{}-{}", letters(rng, 2), number(rng, 6)),
        "PLAN" => format!("{}{}", letters(rng, 3), number(rng, 9)),
        "PLAN_DASH" => format!("{}-{}-{}", number(rng, 4), letters(rng, 2), number(rng, 4)),
        "ACCOUNT" => number(rng, 8),
        "ACCOUNT_CARD" => format!(
            "{} {} {} {}",
            number(rng, 4),
            number(rng, 4),
            number(rng, 4),
            number(rng, 4)
        ),
        "LICENCE" => format!("{}{}", letters(rng, 1), number(rng, 7)),
        "LICENCE_SHORT" => format!("{}-{}", letters(rng, 2), number(rng, 5)),
        "VEHICLE" => format!("{} {}", letters(rng, 3), number(rng, 4)),
        "VEHICLE_VIN" => format!(
            "1{}{}{}{}",
            letters(rng, 4),
            number(rng, 4),
            letters(rng, 2),
            number(rng, 6)
        ),
        "DEVICE" => format!("{}{}", letters(rng, 2), number(rng, 6)),
        "DEVICE_DASH" => format!("{}-{}-{}", number(rng, 3), number(rng, 5), letters(rng, 1)),
        "URL" => format!("https://portal.example.com/p/{}", number(rng, 5)),
        "URL_BARE" => format!("www.{}family.org", last.to_lowercase().replace('\'', "")),
        "IP" => format!(
            "10.{}.{}.{}",
            rng.random_range(0..256),
            rng.random_range(0..256),
            rng.random_range(1..255)
        ),
        "BIOMETRIC" => (*["fingerprint", "retinal scan", "voiceprint", "iris scan"]
            .choose(rng)
            .unwrap())
        .to_owned(),
        "PHOTO" => format!("IMG_{}.jpg", number(rng, 4)),
        "ID" => number(rng, 8),
        "ID_CODE" => format!("{}{}-{}", letters(rng, 1), number(rng, 2), number(rng, 5)),
        "LOCATION" => (*TOWNS.choose(rng).unwrap()).to_owned(),
        "LOCATION_STREET" => {
            let (street, suffix) = (STREETS.choose(rng).unwrap(), SUFFIXES.choose(rng).unwrap());
            format!("{} {street} {suffix}", rng.random_range(1..9999))
        }
        "LOCATION_STATE" => {
            let (town, state) = (TOWNS.choose(rng).unwrap(), STATES.choose(rng).unwrap());
            format!("{town}, {state} {}", number(rng, 5))
        }
        "LOCATION_HOSPITAL" => (*HOSPITALS.choose(rng).unwrap()).to_owned(),
        "LOCATION_ZIP" => number(rng, 5),
        kind => panic!("no such kind: {kind}"),
    }
}
