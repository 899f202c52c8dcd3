//! The program as a user runs it: what is listed, whose record is read, bounds, errors.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const RECORD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-records/tests/golden/type2_diabetes.json"
);
const QUESTION: &str = "How well is the HbA1c controlled?";

fn run(arguments: &[&str]) -> Output {
    // From a folder that is not the example's: the shipped model must be found from anywhere.
    Command::new(env!("CARGO_BIN_EXE_ehr-question"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Standard output of a run that must succeed.
fn account(arguments: &[&str]) -> String {
    let output = run(arguments);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("NOT MedGemma"), "{stderr}");
    text(&output.stdout)
}

/// The error of a run that must fail before it says anything.
fn error(arguments: &[&str]) -> String {
    let output = run(arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(!text(&output.stdout).contains("Answer"), "no answer");
    assert!(stderr.contains("error: "), "{stderr}");
    stderr
}

/// The number between two texts of each line that has both.
fn numbers(account: &str, before: &str, after: &str) -> Vec<usize> {
    let number = |line: &str| {
        let (_, rest) = line.split_once(before)?;
        rest.split_once(after)?.0.parse().ok()
    };
    account.lines().filter_map(number).collect()
}

fn glucose(id: &str, patient: &str) -> Value {
    json!({"resource": {
        "resourceType": "Observation", "id": id, "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": "Glucose"}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "effectiveDateTime": "2026-03-05", "valueQuantity": {"value": 7.1, "unit": "mmol/L"}
    }})
}

fn bundle(folder: &Path, name: &str, entries: &[Value]) -> String {
    let path = folder.join(name);
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    fs::write(&path, bundle.to_string()).expect("written");
    path.to_string_lossy().into_owned()
}

/// A patient whose id is short, and one whose id is too long to be shown.
fn two_patients(folder: &Path) -> String {
    let long = "2f0c7a4e-52a1-4d7e-9a3b-0d8a6f1c9e11";
    let patient = |id: &str| json!({"resource": {"resourceType": "Patient", "id": id}});
    let entries = [
        patient("adam"),
        patient(long),
        glucose("a1", "adam"),
        glucose("b1", long),
        json!({"resource": {"resourceType": "Basic", "id": "x"}}),
    ];
    bundle(folder, "two.json", &entries)
}

#[test]
fn all_that_was_read_done_and_left_out_is_listed() {
    let account = account(&[RECORD, QUESTION]);
    let lines: Vec<&str> = account.lines().collect();
    assert_eq!(lines.first(), Some(&"Record: 26 resources read, 0 not"));
    assert_eq!(lines.last(), Some(&medgemma::NOTICE), "{account}");
    for heading in ["Steps (", "Facts with sources: ", "Answer:"] {
        let of = lines.iter().filter(|line| line.starts_with(heading));
        assert_eq!(of.count(), 1, "{heading:?} in {account}");
    }
    // The model names only kinds of this record: the schema allows no others.
    let record: Value =
        serde_json::from_str(&fs::read_to_string(RECORD).expect("a file")).expect("JSON");
    let entries = record["entry"].as_array().expect("entries");
    let kinds = lines
        .iter()
        .find_map(|line| line.strip_prefix("  -> kinds: "));
    let (kinds, picked) = kinds.and_then(|line| line.split_once(" (")).expect("kinds");
    assert_eq!(picked, "picked by the model)");
    for kind in kinds.split(", ") {
        let of_kind = |entry: &Value| entry["resource"]["resourceType"] == kind;
        assert!(entries.iter().any(of_kind), "{kind}");
    }
    // Nor can what it picks and searches be other JSON than that of its stage.
    assert!(!account.contains("could not be read"), "{account}");
    let searches = lines.iter().filter(|line| line.starts_with("  search "));
    let searches: Vec<Value> = searches
        .filter_map(|line| serde_json::from_str(line.split_once(" out: ")?.1).ok())
        .collect();
    assert!(!searches.is_empty(), "{account}");
    assert!(
        searches.iter().all(|search| search["codes"].is_array()),
        "{account}"
    );
    let heading = "Resources that the model was not shown: ";
    let at = lines
        .iter()
        .position(|line| line.starts_with(heading))
        .expect("what was left out");
    let left = lines[at + 1..]
        .iter()
        .take_while(|line| line.starts_with("  "));
    let named: usize = left.map(|line| line.matches('/').count()).sum();
    assert_eq!(lines[at][heading.len()..].parse(), Ok(named), "{account}");
    assert!((1..26).contains(&named), "{account}");

    // What the model picks may differ from one processor to the next; this does not.
    let readme = include_str!("../README.md");
    let answer = lines
        .iter()
        .position(|line| *line == "Answer:")
        .expect("an answer");
    let answer = lines[answer..].join("\n");
    assert!(
        readme.contains(lines[0]) && readme.contains(&answer),
        "the README shows another answer"
    );
}

#[test]
fn bounds_of_calls_and_tokens_hold() {
    let account = account(&[RECORD, QUESTION, "--budget", "700", "--max-calls", "2"]);
    let prompts = numbers(&account, ": ", " tokens in");
    assert!((1..=2).contains(&prompts.len()), "{account}");
    assert!(prompts.iter().all(|&tokens| tokens <= 700), "{account}");
    assert_eq!(numbers(&account, "Steps (", " calls"), [prompts.len()]);
    assert!(account.contains("  -> stopped: no calls left"), "{account}");
}

#[test]
fn one_patient_of_several_is_read_and_the_other_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = two_patients(folder.path());
    for (name, other) in [
        ("Patient/adam", "Observation/b1"),
        ("Patient/#2", "Observation/a1"),
        // As FHIR calls it.
        (
            "Patient/2f0c7a4e-52a1-4d7e-9a3b-0d8a6f1c9e11",
            "Observation/a1",
        ),
    ] {
        let account = account(&[&file, "How high is the glucose?", "--patient", name]);
        let line = account
            .lines()
            .find_map(|line| line.strip_prefix("  another patient's: "));
        let others: Vec<&str> = line.expect("the other's").split(", ").collect();
        assert!(
            others.contains(&other) && others.len() == 2,
            "{name}: {account}"
        );
        assert!(
            account.starts_with("Record: 4 resources read, 1 not\n  not read: "),
            "{account}"
        );
        assert!(
            account.contains("Basic is no kind that is read"),
            "{account}"
        );
    }
}

#[test]
fn an_error_about_patients_names_those_that_there_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let several = two_patients(folder.path());
    let found = error(&[&several, QUESTION]);
    let names = "2 patients: Patient/adam, Patient/#2";
    for words in [
        "two.json",
        "expected the record of one patient",
        names,
        "--patient",
    ] {
        assert!(found.contains(words), "{words:?} in {found}");
    }
    let found = error(&[&several, QUESTION, "--patient", "Patient/eve"]);
    for words in ["--patient", "two.json", "found `Patient/eve`", names] {
        assert!(found.contains(words), "{words:?} in {found}");
    }
    let found = error(&[RECORD, QUESTION, "--patient", "Patient/eve"]);
    assert!(found.contains("it has one patient: Patient/#1"), "{found}");
    let none =
        json!({"resource": {"resourceType": "Medication", "id": "m", "code": {"text": "a drug"}}});
    let none = bundle(folder.path(), "none.json", &[none]);
    let found = error(&[&none, QUESTION, "--patient", "Patient/eve"]);
    assert!(
        found.contains("it has no patients: leave --patient out"),
        "{found}"
    );
    let many: Vec<Value> = (0..30)
        .map(|n| glucose(&format!("o{n}"), &format!("p{n}")))
        .collect();
    let many = bundle(folder.path(), "many.json", &many);
    let found = error(&[&many, QUESTION]);
    assert!(
        found.contains("30 patients: ") && found.contains(" and 10 more; "),
        "{found}"
    );
    assert_eq!(found.matches("Patient/p").count(), 20, "{found}");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = bundle(folder.path(), "empty.json", &[]);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (arguments, words) in [
        (
            vec!["nowhere.json", QUESTION],
            "nowhere.json: cannot be read",
        ),
        (vec![manifest, QUESTION], "Cargo.toml: expected JSON"),
        (vec![&empty, QUESTION], "give the patient's record"),
        (vec![RECORD, QUESTION, "--max-calls", "0"], "max_calls"),
        (vec![RECORD, QUESTION, "--budget", "9"], "max_prompt_tokens"),
        (vec![RECORD, QUESTION, "--model", "/nowhere"], "/nowhere"),
        (vec![RECORD, QUESTION, "--device", "abacus"], "abacus"),
    ] {
        let found = error(&arguments);
        assert!(found.contains(words), "{words:?} in {found}");
    }
}
