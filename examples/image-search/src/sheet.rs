//! The contact sheet: one HTML file without links, scripts or anything to be fetched.

use std::path::Path;

use medgemma_search::{Hit, Ingestion};

use crate::NOTICE;
use crate::arguments::QueryTask;
use crate::place::Place;
use crate::query::text;
use crate::thumbnail::data_uri;

const STYLE: &str = "body{font-family:sans-serif;margin:2em;background:#fff;color:#222}\
.notice{border:1px solid #a00;padding:.6em;max-width:60em}\
.hits{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:1.5em}\
figure{margin:0}img{max-width:240px;max-height:240px}figcaption{overflow-wrap:anywhere}";

/// The page that shows `hits`, found among `searched` pictures.
pub(crate) fn sheet(task: &QueryTask, hits: &[(Place, Hit)], searched: usize) -> String {
    let notice = escaped(NOTICE);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <title>Image search</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
        <h1>Image search</h1>\n<p class=\"notice\">{notice}</p>\n"
    );
    if let Some(text) = &task.text {
        page += &format!("<p>Text: <q>{}</q></p>\n", escaped(text));
    }
    if let Some(path) = &task.image {
        let picture = picture(path, "the picture asked with");
        page += &format!("<p>Like this picture:</p>\n<p>{picture}</p>\n");
    }
    for (key, value) in &task.filter {
        page += &format!("<p>Only: {} = {}</p>\n", escaped(key), escaped(value));
    }
    let count = hits.len();
    page += &format!("<p>{count} of {searched} pictures</p>\n<div class=\"hits\">\n");
    for (index, (place, hit)) in hits.iter().enumerate() {
        page += &figure(index + 1, place, hit);
    }
    page += "</div>\n</body>\n</html>\n";
    page
}

fn figure(rank: usize, place: &Place, hit: &Hit) -> String {
    let (file, score) = (text(hit, Ingestion::FILE), hit.score);
    let (width, height) = (text(hit, "width"), text(hit, "height"));
    let (picture, file) = (found(place, &file), escaped(&file));
    format!(
        "<figure>{picture}<figcaption>{rank}. <b>{score:.4}</b> {file}, {width} × {height}\
        </figcaption></figure>\n"
    )
}

/// The picture that was indexed, or what stands in its place: the score is not one of what the file
/// has become since.
fn found(place: &Place, name: &str) -> String {
    match place {
        Place::There(path) => picture(path, name),
        Place::Changed => "<p>changed since it was indexed</p>".to_owned(),
        Place::Unread(_, why) => none(why),
    }
}

/// The picture, or what stands in its place if it is not there any more.
fn picture(path: &Path, name: &str) -> String {
    match data_uri(path) {
        Ok(uri) => format!("<img alt=\"{}\" src=\"{uri}\">", escaped(name)),
        Err(error) => none(&error),
    }
}

fn none(why: &str) -> String {
    format!("<p>no picture: {}</p>", escaped(why))
}

/// Text as HTML shows it, between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            other => out.push(other),
        }
    }
    out
}
