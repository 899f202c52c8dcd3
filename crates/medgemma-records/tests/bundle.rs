//! Pages as one record: references, versions, whose a resource is, what is not read.

mod pages;

use std::time::Duration;

use cpu_time::ThreadTime;
use medgemma_records::{
    Bundle, Error, ExcerptOptions, Kind, Limits, Reason, Record, Reference, WhyUnread,
};
use medgemma_records::{ReadOptions, Unread};
use pages::{bundle, page, words};

/// A page of resources with their URLs.
fn page_with_urls(entries: &[(&str, &str)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(url, it)| format!(r#"{{"fullUrl": "{url}", "resource": {it}}}"#))
        .collect();
    format!(
        r#"{{"resourceType": "Bundle", "entry": [{}]}}"#,
        entries.join(",")
    )
}

fn lines(bundle: &Bundle) -> Vec<String> {
    bundle.records().iter().map(Record::line).collect()
}

fn why(unread: &[Unread]) -> Vec<&WhyUnread> {
    unread.iter().map(|it| &it.why).collect()
}

#[test]
fn references_lead_to_the_resource_of_their_own_server() {
    let observation = r#"{"resourceType": "Observation", "id": "1"}"#;
    let report = |id: &str, reference: &str| {
        format!(
            r#"{{"resourceType": "DiagnosticReport", "id": "{id}", "result": [{{"reference": "{reference}"}}]}}"#
        )
    };
    let bundle = Bundle::from_json(&[
        &page_with_urls(&[
            ("https://a/Observation/1", observation),
            ("https://b/Observation/1", observation),
            (
                "https://a/DiagnosticReport/r1",
                &report("r1", "Observation/1"),
            ),
            (
                "https://b/DiagnosticReport/r2",
                &report("r2", "Observation/1"),
            ),
            (
                "https://a/DiagnosticReport/r3",
                &report("r3", "https://b/Observation/1/_history/4"),
            ),
            (
                "https://a/Observation/9",
                r#"{"resourceType": "Observation", "id": "9"}"#,
            ),
        ]),
        &page(&[
            r#"{"resourceType": "Observation", "id": "8"}"#,
            // Which of the two is not told.
            &report("r4", "Observation/1"),
            &report("r5", "https://c/Observation/8"),
            &report("r6", "Observation/8/_history/2"),
            // Another server's.
            &report("r7", "https://c/Observation/9"),
        ]),
    ])
    .expect("a bundle");
    let reports: Vec<String> = lines(&bundle)
        .into_iter()
        .filter(|line| line.contains("Report"))
        .collect();
    assert_eq!(
        reports,
        [
            "[DiagnosticReport/r1] undated unnamed; results: Observation/1",
            "[DiagnosticReport/r2] undated unnamed; results: Observation/#2",
            "[DiagnosticReport/r3] undated unnamed; results: Observation/#2",
            "[DiagnosticReport/r4] undated unnamed",
            "[DiagnosticReport/r5] undated unnamed; results: Observation/8",
            "[DiagnosticReport/r6] undated unnamed; results: Observation/8",
            "[DiagnosticReport/r7] undated unnamed",
        ]
    );
}

#[test]
fn contained_resources_refer_to_each_other() {
    let bundle = bundle(&[
        r##"{"resourceType": "MedicationRequest", "id": "m", "contained": [
            {"resourceType": "MedicationStatement", "id": "s", "medicationReference": {"reference": "#x"}},
            {"resourceType": "Medication", "id": "x", "code": {"text": "Warfarin"}}]}"##,
    ]);
    assert_eq!(
        lines(&bundle)[1],
        "[MedicationRequest/m#s] undated Warfarin"
    );
}

#[test]
fn the_newest_version_stays_with_what_it_contains() {
    let of = |version: &str, updated: &str| {
        format!(
            r#"{{"resourceType": "Procedure", "id": "1", "code": {{"text": "{version}"}}, "meta": {{"lastUpdated": "{updated}"}},
            "contained": [{{"resourceType": "Medication", "id": "x", "code": {{"text": "{version}"}}}}]}}"#
        )
    };
    for (first, second, kept) in [
        ("2024", "2025", "b"),
        ("2025", "2024", "a"),
        ("2025", "2025", "a"),
    ] {
        let (first, second) = (of("a", first), of("b", second));
        let url = "https://a/Procedure/1/_history/";
        let with_urls =
            page_with_urls(&[(&format!("{url}1"), &first), (&format!("{url}2"), &second)]);
        for text in [page(&[&first, &second]), with_urls] {
            let bundle = Bundle::from_json(&[&text]).expect("a bundle");
            assert_eq!(
                lines(&bundle),
                [
                    format!("[Procedure/1] undated {kept}"),
                    format!("[Procedure/1#x] undated {kept}")
                ]
            );
            assert_eq!(why(bundle.unread()), [&WhyUnread::Repeated; 2]);
        }
    }
}

#[test]
fn what_a_history_says_was_deleted_is_not_alive() {
    let allergy = |members: &str| {
        format!(
            r#"{{"fullUrl": "https://a/AllergyIntolerance/1", "resource": {{"resourceType": "AllergyIntolerance", "id": "1"{members},
            "contained": [{{"resourceType": "Condition", "id": "c"}}]}}}}"#
        )
    };
    let updated = |when: &str| allergy(&format!(r#", "meta": {{"lastUpdated": "{when}"}}"#));
    let without_url =
        r#"{"resource": {"resourceType": "AllergyIntolerance", "id": "1"}}"#.to_owned();
    let deleted = |url: &str| {
        format!(r#"{{{url}, "request": {{"method": "DELETE", "url": "AllergyIntolerance/1"}}}}"#)
    };
    let at = |when: &str| {
        format!(
            r#"{{"request": {{"method": "DELETE", "url": "AllergyIntolerance/1"}}, "response": {{"lastModified": "{when}"}}}}"#
        )
    };
    let by_url = deleted(r#""fullUrl": "https://a/AllergyIntolerance/1""#);
    let by_request = deleted(r#""x": 0"#);
    let of_another = deleted(r#""fullUrl": "https://b/AllergyIntolerance/1""#);
    for (r#type, entries, kept, gone) in [
        ("history", [&by_url, &allergy("")], 0, 2),
        ("history", [&by_request, &allergy("")], 0, 2),
        ("history", [&by_url, &without_url], 0, 1),
        ("history", [&of_another, &allergy("")], 2, 0),
        // Written again after it was deleted.
        ("history", [&allergy(""), &by_url], 2, 0),
        ("history", [&at("2025"), &updated("2026")], 2, 0),
        ("history", [&updated("2024"), &at("2025")], 0, 2),
        ("history", [&at("2025"), &allergy("")], 0, 2),
        ("history", [&allergy(""), &at("2025")], 2, 0),
        // A request to delete, of which nobody knows what came of it.
        ("transaction", [&by_url, &allergy("")], 2, 0),
    ] {
        let page = format!(
            r#"{{"resourceType": "Bundle", "type": "{type}", "entry": [{}, {}]}}"#,
            entries[0], entries[1]
        );
        let bundle = Bundle::from_json(&[&page]).expect("a bundle");
        assert_eq!(bundle.records().len(), kept, "{page}");
        assert_eq!(
            why(bundle.unread()),
            vec![&WhyUnread::Deleted; gone],
            "{page}"
        );
    }
}

/// Pages come in any order: another one's places tell nothing of before and after.
#[test]
fn a_deletion_without_a_time_holds_for_its_own_page() {
    let page = |r#type: &str, entries: &[&str]| {
        format!(
            r#"{{"resourceType": "Bundle", "type": "{type}", "entry": [{}]}}"#,
            entries.join(",")
        )
    };
    let deleted = r#"{"request": {"method": "DELETE", "url": "AllergyIntolerance/1"}}"#;
    let dated = r#"{"request": {"method": "DELETE", "url": "AllergyIntolerance/1"}, "response": {"lastModified": "2025"}}"#;
    let earlier = dated.replace("2025", "2023");
    let [allergy, again] = ["2024", "2026"].map(|updated| {
        format!(
            r#"{{"resource": {{"resourceType": "AllergyIntolerance", "id": "1", "meta": {{"lastUpdated": "{updated}"}}}}}}"#
        )
    });
    let other = r#"{"resource": {"resourceType": "AllergyIntolerance", "id": "2"}}"#;
    let searched = page("searchset", &[&again]);
    for (pages, kept) in [
        (vec![page("history", &[deleted]), searched.clone()], 1),
        (
            vec![page("history", &[deleted, other]), searched.clone()],
            2,
        ),
        (
            vec![page("history", &[dated, deleted]), searched.clone()],
            1,
        ),
        (
            vec![searched.clone(), page("history", &[other, deleted])],
            2,
        ),
        (vec![page("history", &[deleted, other, &allergy])], 1),
        (vec![page("history", &[deleted, deleted, other, &again])], 1),
        (
            vec![
                page("history", &[deleted]),
                page("history", &[deleted, &allergy]),
            ],
            0,
        ),
        // By the times, on whatever page.
        (
            vec![
                page("history", &[&earlier, dated]),
                page("history", &[&allergy]),
            ],
            0,
        ),
        (
            vec![page("history", &[dated]), page("history", &[&allergy])],
            0,
        ),
        (
            vec![page("searchset", &[&allergy]), page("history", &[dated])],
            0,
        ),
    ] {
        let texts: Vec<&str> = pages.iter().map(String::as_str).collect();
        let bundle = Bundle::from_json(&texts).expect("a bundle");
        assert_eq!(bundle.records().len(), kept, "{pages:?}");
    }
}

#[test]
fn many_deletions_of_one_resource_take_no_square_of_their_time() {
    const EACH: usize = 20_000;
    let resources = vec![
        r#"{"resource": {"resourceType": "Procedure", "id": "10000", "meta": {"lastUpdated": "2021"}}}"#;
        EACH
    ]
    .join(",");
    let page = |deleted: &dyn Fn(usize) -> usize| {
        let deletion = |number| {
            let id = deleted(number);
            format!(
                r#"{{"request": {{"method": "DELETE", "url": "Procedure/{id}"}}, "response": {{"lastModified": "2020"}}}}"#
            )
        };
        let deletions: Vec<String> = (0..EACH).map(deletion).collect();
        let deletions = deletions.join(",");
        format!(
            r#"{{"resourceType": "Bundle", "type": "history", "entry": [{deletions}, {resources}]}}"#
        )
    };
    // The quicker of two runs: other work on the machine makes one slow.
    let took = |page: &str| {
        let once = || {
            let begun = ThreadTime::now();
            let bundle = Bundle::from_json(&[page]).expect("a bundle");
            assert_eq!(bundle.records().len(), 1);
            begun.elapsed()
        };
        once().min(once())
    };
    // As many deletions, as long, each of another resource.
    let plain = took(&page(&|number| 20_000 + number));
    let most = plain * 3 + Duration::from_millis(200);
    let hostile = took(&page(&|_| 10_000));
    assert!(hostile < most, "{hostile:?}, the plain one {plain:?}");
}

#[test]
fn each_resource_is_its_patients_and_no_others() {
    let of = |kind: &str, id: &str, subject: &str| {
        format!(
            r#"{{"resourceType": "{kind}", "id": "{id}", "subject": {{"reference": "{subject}"}},
            "contained": [{{"resourceType": "Condition", "id": "c"}}]}}"#
        )
    };
    let bundle = bundle(&[
        r#"{"resourceType": "Patient", "id": "a"}"#,
        r#"{"resourceType": "Practitioner", "id": "d"}"#,
        &of("Procedure", "1", "Patient/a"),
        &of("Procedure", "2", "https://x/Patient/b"),
        &of("Observation", "3", "Practitioner/d"),
        &of("Observation", "4", "Group/g"),
        &of("Observation", "5", "https://x/Patient/b"),
    ]);
    let patients: Vec<&str> = bundle.patients().iter().map(Reference::as_str).collect();
    assert_eq!(patients, ["Patient/a", "Patient/b"]);
    let of: Vec<Option<&str>> = bundle
        .records()
        .iter()
        .map(|it| it.patient().map(Reference::as_str))
        .collect();
    let (a, b) = (Some("Patient/a"), Some("Patient/b"));
    assert_eq!(of, [a, None, a, a, b, b, None, None, None, None, b, b]);

    // A practitioner may be shown with any patient, what is of nobody with none.
    let options = ExcerptOptions::default().with_patient(bundle.patients()[0].clone());
    let excerpt = bundle.excerpt("", &options, &words).expect("an excerpt");
    let mut shown: Vec<&str> = excerpt
        .shown
        .iter()
        .map(|it| it.reference.as_str())
        .collect();
    shown.sort_unstable();
    assert_eq!(
        shown,
        [
            "Patient/a",
            "Practitioner/d",
            "Procedure/1",
            "Procedure/1#c"
        ]
    );
    // Observations and what they contain: a practitioner's and a group's, then another patient's.
    for omitted in &excerpt.omitted {
        let of_others = ["Observation/3", "Observation/4"];
        let is_others = of_others
            .iter()
            .any(|it| omitted.reference.as_str().starts_with(it));
        let reason = if is_others {
            Reason::OtherSubject
        } else {
            Reason::OtherPatient
        };
        assert_eq!(omitted.reason, reason, "{:?}", omitted.reference.as_str());
    }

    let stranger = pages::bundle(&[r#"{"resourceType": "Patient", "id": "z"}"#]);
    let options = ExcerptOptions::default().with_patient(stranger.patients()[0].clone());
    let refused = bundle.excerpt("", &options, &words);
    assert!(matches!(refused, Err(Error::UnknownPatient)));
}

/// A page of one patient, and of what another server has of one with the same id.
fn of_two_servers(patient_url: Option<&str>, entries: &[(&str, &str)]) -> Bundle {
    let patient = r#"{"resourceType": "Patient", "id": "1"}"#;
    let first = match patient_url {
        Some(url) => page_with_urls(&[(url, patient)]),
        None => page(&[patient]),
    };
    Bundle::from_json(&[&first, &page_with_urls(entries)]).expect("a bundle")
}

#[test]
fn patients_of_two_servers_are_two_whatever_their_ids() {
    let observation = |id: &str, subject: &str| {
        format!(
            r#"{{"resourceType": "Observation", "id": "{id}", "subject": {{"reference": "{subject}"}}}}"#
        )
    };
    let allergy = r#"{"resourceType": "AllergyIntolerance", "id": "7", "patient": {"reference": "https://b/fhir/Patient/1"}}"#;
    let relative = observation("9", "Patient/1");
    let elsewhere = observation("8", "https://c/Patient/1");
    let entries = [
        ("https://b/fhir/Observation/9", relative.as_str()),
        ("https://b/fhir/AllergyIntolerance/7", allergy),
        ("https://b/fhir/Observation/8", elsewhere.as_str()),
    ];
    let bundle = of_two_servers(Some("https://a/fhir/Patient/1"), &entries);
    let of: Vec<Option<&str>> = bundle
        .records()
        .iter()
        .map(|it| it.patient().map(Reference::as_str))
        .collect();
    let absent = [1, 1, 2].map(|number| format!("Patient/#absent-{number}"));
    let absent = absent.iter().map(|it| Some(it.as_str()));
    assert_eq!(
        of,
        [Some("Patient/1")]
            .into_iter()
            .chain(absent)
            .collect::<Vec<_>>()
    );
    let refused = bundle.excerpt("", &ExcerptOptions::default(), &words);
    assert!(matches!(refused, Err(Error::SeveralPatients { found: 3 })));
    // Where the patient's server is not told, it may be that of what refers to it.
    for url in [None, Some("urn:uuid:1")] {
        let bundle = of_two_servers(url, &entries[..1]);
        assert_eq!(bundle.patients().len(), 1, "{url:?}");
    }
}

#[test]
fn one_patient_is_one_however_he_is_referred_to() {
    let observation = |subject: &str| {
        format!(r#"{{"resourceType": "Observation", "subject": {{"reference": "{subject}"}}}}"#)
    };
    // A patient who came without a server.
    let absolute = observation("https://a/fhir/Patient/1");
    let entries = [("urn:uuid:o", absolute.as_str())];
    for url in [None, Some("urn:uuid:1")] {
        let bundle = of_two_servers(url, &entries);
        assert_eq!(bundle.patients().len(), 1, "{url:?}");
        assert_eq!(bundle.records()[1].patient(), bundle.patients().first());
    }
    let known = of_two_servers(Some("https://b/fhir/Patient/1"), &entries);
    assert_eq!(known.patients().len(), 2);
    // Of which of two servers he is nobody knows.
    let second = observation("https://b/fhir/Patient/1");
    let entries = [entries[0], ("urn:uuid:o2", second.as_str())];
    let contested = of_two_servers(Some("urn:uuid:1"), &entries);
    assert_eq!(contested.patients().len(), 3);
    // One who did not come, referred to with his server and without.
    let (bare, other) = (
        observation("Patient/1"),
        observation("https://b/fhir/Patient/1"),
    );
    let mut pages = [
        (vec![&absolute, &bare], 1),
        (vec![&bare, &absolute, &bare], 1),
        // Of which of the two it is nobody knows.
        (vec![&bare, &absolute, &other], 3),
    ];
    for (resources, patients) in &mut pages {
        let resources: Vec<&str> = resources.iter().map(|it| it.as_str()).collect();
        assert_eq!(
            bundle(&resources).patients().len(),
            *patients,
            "{resources:?}"
        );
    }
}

#[test]
fn a_record_of_nobody_who_is_named_is_refused() {
    let allergy = |patient: &str| {
        format!(r#"{{"resourceType": "AllergyIntolerance", "patient": {patient}}}"#)
    };
    let by_identifier = allergy(r#"{"identifier": {"value": "4711"}}"#);
    let searched = allergy(r#"{"reference": "Patient?identifier=4711"}"#);
    let unsaid = allergy(r#"{"reference": ""}"#);
    let doctor = r#"{"resourceType": "Practitioner", "id": "d"}"#;
    let excerpt =
        |resources: &[&str]| bundle(resources).excerpt("", &ExcerptOptions::default(), &words);
    let refused = excerpt(&[&by_identifier, &searched, doctor]);
    assert!(matches!(refused, Err(Error::NoPatient { found: 2 })));
    for (resources, shown) in [
        (&[][..], 0),
        (&[doctor][..], 1),
        (&[unsaid.as_str()][..], 1),
        (&[unsaid.as_str(), &by_identifier][..], 1),
        (
            &[r#"{"resourceType": "Patient", "id": "p"}"#, &searched][..],
            1,
        ),
    ] {
        let excerpt = excerpt(resources).expect("an excerpt");
        assert_eq!(excerpt.shown.len(), shown, "{resources:?}");
    }
}

#[test]
fn what_is_a_groups_or_has_an_identifier_only_is_not_the_only_patients() {
    for (subject, is_shown) in [
        (r#"{"reference": "Group/g"}"#, false),
        (r#"{"reference": "Device/d"}"#, false),
        (r#"{"identifier": {"value": "4711"}}"#, false),
        (
            r#"{"reference": "Patient/p", "identifier": {"value": "4711"}}"#,
            true,
        ),
        (r#"{"display": "the patient"}"#, true),
        ("{}", true),
    ] {
        let observation = format!(
            r#"{{"resourceType": "Observation", "id": "o", "subject": {subject},
            "contained": [{{"resourceType": "Condition", "id": "c"}}]}}"#
        );
        let bundle = bundle(&[r#"{"resourceType": "Patient", "id": "p"}"#, &observation]);
        let excerpt = bundle.excerpt("", &ExcerptOptions::default(), &words);
        let excerpt = excerpt.expect("an excerpt");
        let shown = if is_shown { 3 } else { 1 };
        assert_eq!(excerpt.shown.len(), shown, "{subject}");
        assert!(
            excerpt
                .omitted
                .iter()
                .all(|it| it.reason == Reason::OtherSubject)
        );
    }
}

#[test]
fn a_record_is_whole_when_its_last_page_is_there() {
    let first = r#"{"resourceType": "Bundle", "link": [{"relation": "next"}]}"#;
    let last = r#"{"resourceType": "Bundle", "link": [{"relation": "self"}]}"#;
    for (pages, more) in [
        (&[][..], false),
        (&[first], true),
        (&[first, last], false),
        (&[first, first], true),
        (&[last], false),
    ] {
        let bundle = Bundle::from_json(pages).expect("a bundle");
        assert_eq!(bundle.has_more_pages(), more, "{pages:?}");
    }
}

#[test]
fn what_is_not_read_is_counted_and_named_by_its_kind_only() {
    let other = page(&[
        r#"{"resourceType": "Immunization"}"#,
        r#"{"resourceType": "Patient"}"#,
    ]);
    let within = |resources| {
        let limits = Limits::default().with_max_resources(resources);
        Bundle::from_json_with(&[&other], &ReadOptions::default().with_limits(limits))
    };
    assert_eq!(
        within(2).expect("a bundle").records()[0].kind(),
        Kind::Patient
    );
    assert!(matches!(
        within(1),
        Err(Error::Limit {
            what: "max_resources",
            ..
        })
    ));

    let long = |letters: usize| format!(r#"{{"resourceType": "{}"}}"#, "X".repeat(letters));
    let bundle = bundle(&[&long(40), &long(41), r#"{"resourceType": "peter"}"#, "{}"]);
    assert_eq!(
        why(bundle.unread()),
        [
            &WhyUnread::OtherKind("X".repeat(40)),
            &WhyUnread::NoKind,
            &WhyUnread::NoKind,
            &WhyUnread::NoKind
        ]
    );
}
