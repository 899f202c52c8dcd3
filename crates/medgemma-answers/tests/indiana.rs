//! The sections of real reports (Indiana University Chest X-ray Collection, CC BY-NC-ND 4.0: fetched,
//! never committed). `MEDGEMMA_INDIANA` names the folder that `NLMCXR_reports.tgz` of the PyPI package
//! torchxrayvision 1.5.7 was unpacked into; `.ci/run` does both.

use std::fs;
use std::path::{Path, PathBuf};

use medgemma_answers::{SectionKind, sections};

/// Label and text of each `AbstractText` that has one.
fn parts(xml: &str) -> Vec<(&'static str, SectionKind, String)> {
    const LABELS: [(&str, SectionKind); 4] = [
        ("COMPARISON", SectionKind::Comparison),
        ("INDICATION", SectionKind::Indication),
        ("FINDINGS", SectionKind::Findings),
        ("IMPRESSION", SectionKind::Impression),
    ];
    let text = |label: &str| {
        let (_, rest) = xml.split_once(&format!("<AbstractText Label=\"{label}\">"))?;
        let (text, _) = rest.split_once("</AbstractText>")?;
        let plain = [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&apos;", "'"),
            ("&amp;", "&"),
        ];
        let text = plain
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    LABELS
        .into_iter()
        .filter_map(|(label, kind)| Some((label, kind, text(label)?)))
        .collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "xml") {
            found.push(path);
        }
    }
}

#[test]
#[ignore = "needs the fetched reports: MEDGEMMA_INDIANA"]
fn reports_put_together_come_apart_as_they_were() {
    let folder = std::env::var_os("MEDGEMMA_INDIANA").expect("MEDGEMMA_INDIANA names the folder");
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    assert!(paths.len() > 3900, "{} files", paths.len());
    let capital = |label: &str| label[..1].to_owned() + &label[1..].to_lowercase();
    let (mut whole, mut nested, mut differ) = (0, 0, Vec::new());
    for path in &paths {
        let parts = parts(&fs::read_to_string(path).expect("a file is text"));
        if parts.is_empty() {
            continue;
        }
        // Where a part has headings of its own, these part it, too.
        let plain =
            |text: &str| matches!(&sections(text)[..], [one] if one.kind == SectionKind::Preamble);
        if !parts.iter().all(|(_, _, text)| plain(text)) {
            nested += 1;
            continue;
        }
        whole += 1;
        let lines = |begin: &str, middle: &str, end: &str, lower: bool| {
            let label = |label: &str| {
                if lower {
                    capital(label)
                } else {
                    label.to_owned()
                }
            };
            let part = |(name, _, text): &(&str, _, String)| {
                format!("{begin}{}{middle}{text}", label(name))
            };
            parts.iter().map(part).collect::<Vec<_>>().join(end)
        };
        for text in [
            lines("", ": ", "\n", false),
            lines("", ":\n", "\n\n", true),
            lines("**", ":** ", "\n", true),
            lines("## ", "\n\n", "\n\n", true),
            lines("", "\n", "\n", false),
        ] {
            let found = sections(&text);
            let found: Vec<_> = found
                .iter()
                .map(|found| (found.kind, &text[found.body.clone()]))
                .collect();
            let expected: Vec<_> = parts
                .iter()
                .map(|(_, kind, text)| (*kind, text.as_str()))
                .collect();
            if found != expected {
                differ.push(path.clone());
            }
        }
    }
    assert_eq!((whole, nested), (3914, 13));
    // Names of files, not a word of what is in them.
    assert!(differ.is_empty(), "{differ:?}");
}
