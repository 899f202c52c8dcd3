//! Pages by hand, and a counter that takes a word for a token.

use medgemma_records::Bundle;

#[allow(dead_code, reason = "not every suite counts")]
pub(crate) fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// A page of these resources.
pub(crate) fn page(resources: &[&str]) -> String {
    let entries: Vec<String> = resources
        .iter()
        .map(|it| format!(r#"{{"resource": {it}}}"#))
        .collect();
    format!(
        r#"{{"resourceType": "Bundle", "entry": [{}]}}"#,
        entries.join(",")
    )
}

pub(crate) fn bundle(resources: &[&str]) -> Bundle {
    Bundle::from_json(&[&page(resources)]).expect("a bundle")
}
