//! The program as a user runs it, on the pictures of the report example.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use data_encoding::BASE64;
use image::{ImageBuffer, Luma};
use medgemma::{Image, Limits};
use tempfile::TempDir;

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images");
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../zero-shot/model");
/// Pictures of `PICTURES`.
const CHEST: &str = "chest.png";
const FUNDUS: &str = "held-out/fundus-right-half-mirrored.png";
/// Longer side of a thumbnail.
const SIDE: usize = 240;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_image-search"));
    // From a folder that is not the example's: the shipped model must be found from anywhere.
    command.args(arguments).current_dir(std::env::temp_dir());
    command
}

/// Exit code, standard output and standard error.
fn outcome(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// What a run that must succeed says on standard output and on standard error.
fn said(arguments: &[&str]) -> (String, String) {
    let (code, stdout, stderr) = outcome(program(arguments));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stderr.contains("Not for clinical use"), "{stderr}");
    (stdout, stderr)
}

/// A folder, and where an index may be made in it.
fn place() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let index = folder.path().join("index").display().to_string();
    (folder, index)
}

/// The files that a query finds, best first, and their similarities.
fn found(index: &str, arguments: &[&str]) -> (Vec<String>, Vec<f32>) {
    let table = said(&[&["query", "--index", index][..], arguments].concat()).0;
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("similarity  file"), "{table}");
    let row = |line: &str| {
        let (score, file) = line.trim_start().split_once("  ").expect("two columns");
        (file.to_owned(), score.parse::<f32>().expect("a number"))
    };
    lines.map(row).unzip()
}

#[test]
fn a_text_and_a_picture_find_what_they_mean() {
    let (folder, index) = place();
    let (report, errors) = said(&["index", PICTURES, "--index", &index]);
    assert!(errors.contains("NOT MedSigLIP"), "{errors}");
    let expected = "18 pictures: 18 added, 0 known, 0 copies, 0 skipped; \
        2 other files left alone (.json, .md); 18 in the index\n";
    assert_eq!(report, expected);

    let fundus = &format!("{PICTURES}/{FUNDUS}");
    let (files, scores) = found(&index, &["--image", fundus]);
    assert_eq!((&*files[0], files.len()), (FUNDUS, 10), "{files:?}");
    assert!((scores[0] - 1.0).abs() < 1e-4, "{scores:?}");

    let page = folder.path().join("page.html").display().to_string();
    for (text, file) in [
        ("a fundus photograph", FUNDUS),
        ("a chest radiograph", CHEST),
    ] {
        let options = ["--text", text, "--top", "17", "--html", &page];
        let files = found(&index, &options).0;
        assert_eq!((&*files[0], files.len()), (file, 17), "{files:?}");
        let page = fs::read_to_string(&page).expect("a page");
        assert!(page.contains(&format!("<q>{text}</q>")), "{page}");
        shows(&page, &files);
    }
}

#[test]
fn a_text_and_a_picture_together_are_the_sum_of_their_parts() {
    let (folder, index) = place();
    // From the folder itself: what is indexed by a short path is shown from anywhere.
    let mut here = program(&["index", ".", "--index", &index]);
    here.current_dir(PICTURES);
    assert_eq!(outcome(here).0, Some(0));
    let fundus = &format!("{PICTURES}/{FUNDUS}");
    let page = folder.path().join("page.html").display().to_string();
    let by_text = ["--text", "a chest radiograph", "--top", "18"];
    let by_picture = ["--image", fundus, "--top", "18"];
    let both = [&by_text[..2], &by_picture, &["--html", &page]].concat();
    let scores = |arguments: &[&str]| -> BTreeMap<String, f32> {
        let (files, scores) = found(&index, arguments);
        files.into_iter().zip(scores).collect()
    };
    let (text, picture) = (scores(&by_text), scores(&by_picture));
    for (weight, w) in [(None, 0.5f32), (Some("0.9"), 0.9), (Some("0"), 0.0)] {
        let weight = weight.map(|weight| ["--text-weight", weight]);
        let options = weight.as_ref().map_or(&[][..], |weight| &weight[..]);
        let both = scores(&[&both[..], options].concat());
        // The length of the sum of the two vectors, whose cosine is the text's with that picture.
        let v = 1.0 - w;
        let length = (w * w + v * v + 2.0 * w * v * text[FUNDUS]).sqrt();
        assert_eq!(both.len(), 18);
        for (file, score) in &both {
            let expected = (w * text[file] + v * picture[file]) / length;
            assert!(
                (score - expected).abs() < 1e-3,
                "{w}, {file}: {score}, not {expected}"
            );
        }
    }
    let page = fs::read_to_string(&page).expect("a page");
    let head = page.split("<figure>").next().expect("a head");
    assert!(
        head.contains("Like this picture:</p>\n<p><img alt="),
        "{head}"
    );
    assert_eq!(page.matches("src=\"data:image/jpeg;base64,").count(), 19);
}

/// Every file is in the page, in order, with its picture; nothing has to be fetched.
fn shows(page: &str, files: &[String]) {
    let figures: Vec<_> = page.split("<figure>").skip(1).collect();
    assert_eq!(figures.len(), files.len());
    for (figure, file) in figures.iter().zip(files) {
        assert!(figure.contains(&format!("</b> {file}, ")), "{figure}");
        let data = figure.split("src=\"data:image/jpeg;base64,").nth(1);
        let data = data
            .and_then(|data| data.split('"').next())
            .expect("a picture");
        let jpeg = BASE64.decode(data.as_bytes()).expect("base64");
        let small = Image::decode(&jpeg, &Limits::default()).expect("a JPEG");
        let whole = Image::open(format!("{PICTURES}/{file}")).expect("a picture");
        let longest = whole.width().max(whole.height());
        // Rounded, and never enlarged.
        let scaled = |side: usize| match longest > SIDE {
            true => (side * SIDE + longest / 2) / longest,
            false => side,
        };
        let expected = (scaled(whole.width()), scaled(whole.height()));
        assert_eq!((small.width(), small.height()), expected, "{file}");
        let mean = |image: &Image| {
            let sum: u64 = image
                .as_rgb8()
                .iter()
                .map(|&sample| u64::from(sample))
                .sum();
            sum / image.as_rgb8().len() as u64
        };
        assert!(mean(&small).abs_diff(mean(&whole)) <= 2, "{file}");
    }
    assert!(page.contains("Not for clinical use"));
    assert!(!page.contains("http") && !page.contains("<script"));
}

#[test]
fn filters_choose_by_metadata() {
    let (_folder, index) = place();
    said(&["index", PICTURES, "--index", &index]);
    let chest = &format!("{PICTURES}/{CHEST}");
    let search = |filters: &[&str]| {
        let options = ["--image", chest, "--top", "18"];
        found(&index, &[&options[..], filters].concat()).0
    };
    assert_eq!(search(&[])[0], CHEST);
    let held_out = search(&["--filter", "folder=held-out"]);
    assert_eq!(held_out.len(), 17);
    assert!(held_out.iter().all(|file| file.starts_with("held-out/")));
    let coins = [
        "--filter",
        "folder=held-out",
        "--filter",
        "width=384",
        "--filter",
        "height=329",
    ];
    let sized = |file: &&String| {
        let image = Image::open(format!("{PICTURES}/{file}")).expect("a picture");
        (image.width(), image.height()) == (384, 329)
    };
    let expected: Vec<_> = held_out.iter().filter(sized).cloned().collect();
    assert_eq!((search(&coins), expected.len()), (expected.clone(), 1));
    assert!(search(&["--filter", "width=1"]).is_empty());
}

/// 12 bits in files of 16: white there is a sixteenth of white.
#[test]
fn pictures_that_use_a_few_of_their_bits_are_told() {
    let (folder, index) = place();
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).expect("a folder");
    for (name, most) in [("a.png", 4095), ("b.png", 8191), ("c.png", 65535)] {
        let samples = (0..64 * 64).map(|at| if at == 0 { most } else { at % 7 });
        let picture: ImageBuffer<Luma<u16>, _> =
            ImageBuffer::from_raw(64, 64, samples.collect::<Vec<u16>>()).expect("so many");
        picture.save(pictures.join(name)).expect("written");
    }
    let (report, errors) = said(&["index", &pictures.display().to_string(), "--index", &index]);
    assert!(report.starts_with("3 pictures: 3 added"), "{report}");
    assert!(
        errors.contains("nearly black: 2 pictures use a few of their 16 bits"),
        "{errors}"
    );
}

#[test]
fn bad_files_are_listed_and_names_are_only_text() {
    let (folder, index) = place();
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).expect("a folder");
    let name = "<b>&'x'.png";
    fs::copy(Path::new(PICTURES).join(CHEST), pictures.join(name)).expect("copied");
    fs::write(pictures.join("broken.png"), "no picture").expect("written");
    let (report, errors) = said(&["index", &pictures.display().to_string(), "--index", &index]);
    assert!(
        report.starts_with("2 pictures: 1 added, 0 known, 0 copies, 1 skipped"),
        "{report}"
    );
    let skipped = errors.lines().find(|line| line.starts_with("skipped "));
    assert!(
        skipped.is_some_and(|line| line.contains("broken.png: cannot be decoded")),
        "{errors}"
    );

    let page = folder.path().join("page.html").display().to_string();
    let text = "\"a\" <script>& b";
    assert_eq!(found(&index, &["--text", text, "--html", &page]).0, [name]);
    let html = fs::read_to_string(&page).expect("a page");
    assert!(
        html.contains("<q>&quot;a&quot; &lt;script&gt;&amp; b</q>"),
        "{html}"
    );
    assert!(
        html.contains("</b> &lt;b&gt;&amp;&#39;x&#39;.png, 659 × 700<"),
        "{html}"
    );
    assert!(!html.contains("<script") && !html.contains(name), "{html}");

    // A picture that has gone is still found, and the page says why it is not shown.
    fs::remove_file(pictures.join(name)).expect("removed");
    let marked = format!("{name}  (not there)");
    assert_eq!(
        found(&index, &["--text", text, "--html", &page]).0,
        [marked]
    );
    let html = fs::read_to_string(&page).expect("a page");
    assert!(html.contains("<p>no picture: "), "{html}");

    // Nor does a name act on the terminal. Not every file system takes such.
    if cfg!(unix) {
        let pictures = folder.path().join("control");
        fs::create_dir(&pictures).expect("a folder");
        let chest = Path::new(PICTURES).join(CHEST);
        fs::copy(chest, pictures.join("a\nb\u{1b}[2J.png")).expect("copied");
        fs::write(pictures.join("c\nd.png"), "no picture").expect("written");
        fs::write(pictures.join("e.f\ng"), "no picture").expect("written");
        let index = folder.path().join("other").display().to_string();
        let (report, errors) = said(&["index", &pictures.display().to_string(), "--index", &index]);
        assert!(
            report.contains("(.f\\ng)") && report.lines().count() == 1,
            "{report}"
        );
        assert!(errors.contains("c\\nd.png: cannot be decoded"), "{errors}");
        let files = found(&index, &["--text", text]).0;
        assert_eq!(files, ["a\\nb\\u{1b}[2J.png"]);
        let none = ["query", "--index", &index, "--image", "no\nne.png"];
        let (_, _, errors) = outcome(program(&none));
        assert!(errors.contains("no\\nne.png"), "{errors}");
        fs::remove_file(pictures.join("a\nb\u{1b}[2J.png")).expect("removed");
        let (_, errors) = said(&["index", &pictures.display().to_string(), "--index", &index]);
        assert!(errors.contains("a\\nb\\u{1b}[2J.png\n"), "{errors}");
    }
}

#[test]
fn a_file_that_was_changed_is_not_shown_with_the_score_of_what_it_was() {
    let (folder, index) = place();
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).expect("a folder");
    for (from, to) in [(CHEST, "changed.png"), (FUNDUS, "same.png")] {
        fs::copy(Path::new(PICTURES).join(from), pictures.join(to)).expect("copied");
    }
    said(&["index", &pictures.display().to_string(), "--index", &index]);
    fs::copy(
        Path::new(PICTURES).join(FUNDUS),
        pictures.join("changed.png"),
    )
    .expect("copied");
    let page = folder.path().join("page.html").display().to_string();
    let options = ["--text", "a chest radiograph", "--html", &page];
    let marked = "changed.png  (changed since it was indexed)";
    assert_eq!(found(&index, &options).0, [marked, "same.png"]);
    let html = fs::read_to_string(&page).expect("a page");
    let figures: Vec<_> = html.split("<figure>").skip(1).collect();
    let changed = "<p>changed since it was indexed</p><figcaption>1. ";
    assert!(figures[0].starts_with(changed), "{}", figures[0]);
    assert!(
        figures[1].contains("data:image/jpeg;base64,"),
        "{}",
        figures[1]
    );
    assert_eq!(html.matches("<img").count(), 1, "{html}");
}

#[test]
fn what_was_moved_is_shown_and_what_is_gone_can_be_removed() {
    let (folder, index) = place();
    let pictures = folder.path().join("pictures").display().to_string();
    let moved = folder.path().join("moved").display().to_string();
    fs::create_dir(&pictures).expect("a folder");
    let at = |folder: &str, name: &str| Path::new(folder).join(name);
    for (from, to) in [(CHEST, "chest 50%.png"), (FUNDUS, "fundus.png")] {
        fs::copy(Path::new(PICTURES).join(from), at(&pictures, to)).expect("copied");
    }
    said(&["index", &pictures, "--index", &index]);
    fs::rename(&pictures, &moved).expect("moved");
    let (report, errors) = said(&["index", &moved, "--index", &index]);
    let expected = "2 pictures: 0 added, 2 known (2 moved), 0 copies, 0 skipped; 2 in the index\n";
    assert_eq!(report, expected);
    assert!(!errors.contains("gone"), "{errors}");
    let page = folder.path().join("page.html").display().to_string();
    let options = ["--text", "a chest radiograph", "--html", &page];
    let files = found(&index, &options).0;
    assert_eq!(files, ["chest 50%.png", "fundus.png"]);
    shows_all(&page, 2);
    let by_name = |name: &str| {
        let filter = format!("file={name}");
        found(
            &index,
            &["--text", "a chest radiograph", "--filter", &filter],
        )
        .0
    };
    for name in ["chest 50%.png", "chest 50%25.png"] {
        assert_eq!(by_name(name), ["chest 50%.png"]);
    }

    fs::copy(Path::new(PICTURES).join(CHEST), at(&moved, "fundus.png")).expect("changed");
    let (report, errors) = said(&["index", &moved, "--index", &index]);
    assert!(
        report.ends_with("0 skipped; 1 gone or changed; 2 in the index\n"),
        "{report}"
    );
    let gone = format!("gone or changed {}", at(&moved, "fundus.png").display());
    assert!(errors.lines().any(|line| line == gone), "{errors}");
    assert!(errors.contains("--prune removes"), "{errors}");
    let (report, errors) = said(&["index", &moved, "--index", &index, "--prune"]);
    assert!(
        report.ends_with("and removed; 1 in the index\n"),
        "{report}"
    );
    assert!(
        errors.contains(&gone) && !errors.contains("--prune"),
        "{errors}"
    );
    assert_eq!(found(&index, &options).0, ["chest 50%.png"]);
}

fn shows_all(page: &str, pictures: usize) {
    let page = fs::read_to_string(page).expect("a page");
    let shown = page.matches("<figure><img alt=").count();
    assert_eq!(
        (shown, page.matches("<figure>").count()),
        (pictures, pictures),
        "{page}"
    );
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_is_shown() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let (folder, index) = place();
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).expect("a folder");
    let name = OsStr::from_bytes(b"br\xe9.png");
    if fs::copy(Path::new(PICTURES).join(CHEST), pictures.join(name)).is_err() {
        // Not every file system takes such names.
        return;
    }
    said(&["index", &pictures.display().to_string(), "--index", &index]);
    let page = folder.path().join("page.html").display().to_string();
    let files = found(&index, &["--text", "a chest radiograph", "--html", &page]).0;
    assert_eq!(files, ["br\u{fffd}.png"]);
    shows_all(&page, 1);
}

#[test]
fn a_text_is_normalised_as_asked() {
    let (_folder, index) = place();
    said(&["index", PICTURES, "--index", &index]);
    let score = |text: &str, name: &str| {
        let options = ["--text", text, "--normalization", name, "--top", "18"];
        found(&index, &options)
    };
    let (with, without) = (
        "a chest radiograph w/o contrast",
        "a chest radiograph w o contrast",
    );
    let json = "tokenizer-json";
    assert_ne!(score(with, json), score(without, json));
    let plain = found(&index, &["--text", with, "--top", "18"]);
    assert_eq!(plain, score(with, "siglip-tokenizer"));
    assert_ne!(plain, score(with, json));
}

/// Ended by the system in the middle of a write, as by `kill -9`: at the same byte each time.
#[cfg(unix)]
#[test]
fn a_killed_run_is_begun_again() {
    let (folder, index) = place();
    let mut killed = Command::new("sh");
    // The system ends a process that makes a file longer than 10 blocks of 512 bytes, which is in the
    // middle of the vectors of the fourth batch.
    let script = "ulimit -c 0; ulimit -f 10; exec \"$0\" index \"$1\" --index \"$2\" --batch 3";
    let arguments = ["-c", script, env!("CARGO_BIN_EXE_image-search"), PICTURES];
    killed.args(arguments).arg(&index);
    let (code, stdout, stderr) = outcome(killed);
    assert_eq!((code, &*stdout), (None, ""), "{stderr}");

    let (report, errors) = said(&["index", PICTURES, "--index", &index]);
    let cut = "after a crash: 9 vectors in 3 batches; an unfinished append of ";
    assert!(errors.lines().any(|line| line.starts_with(cut)), "{errors}");
    let expected = "18 pictures: 9 added, 9 known, 0 copies, 0 skipped";
    assert!(report.starts_with(expected), "{report}");
    assert!(report.ends_with("; 18 in the index\n"), "{report}");

    let whole = folder.path().join("whole").display().to_string();
    said(&["index", PICTURES, "--index", &whole]);
    let all = ["--text", "a chest radiograph", "--top", "30"];
    assert_eq!(found(&index, &all), found(&whole, &all));
}

#[test]
fn a_file_of_somebody_else_stays() {
    let (folder, index) = place();
    let kept = folder.path().join("index/model-checksum");
    fs::create_dir(folder.path().join("index")).expect("a folder");
    for name in ["model", "model-checksum"] {
        fs::write(folder.path().join("index").join(name), "mine").expect("written");
    }
    let text = ["query", "--index", &index, "--text", "a"];
    assert_eq!(outcome(program(&text)).0, Some(1));
    let files = |index: &str| fs::read_dir(index).expect("listed").count();
    assert_eq!(files(&index), 2);
    said(&["index", PICTURES, "--index", &index]);
    said(&text);
    assert_eq!(fs::read_to_string(&kept).expect("there"), "mine");
    // Where it is free, it is used, but by no query of what is no index.
    fs::remove_file(&kept).expect("removed");
    fs::rename(
        folder.path().join("index/header"),
        folder.path().join("header"),
    )
    .expect("moved");
    assert_eq!(outcome(program(&text)).0, Some(1));
    assert!(!kept.exists());
    fs::rename(
        folder.path().join("header"),
        folder.path().join("index/header"),
    )
    .expect("moved");
    said(&text);
    let text = fs::read_to_string(&kept).expect("kept");
    assert!(text.starts_with("image-search "), "{text}");
    let mine = folder.path().join("index/model");
    assert_eq!(fs::read_to_string(mine).expect("there"), "mine");
}

#[test]
fn a_model_that_embeds_nothing_is_a_failure() {
    let (folder, index) = place();
    let model = folder.path().join("model");
    fs::create_dir(&model).expect("a folder");
    for entry in fs::read_dir(MODEL).expect("the shipped model") {
        let entry = entry.expect("a file");
        let mut bytes = fs::read(entry.path()).expect("read");
        if entry.file_name() == "model.safetensors" {
            let head = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
            let head = 8 + usize::try_from(head).expect("a length");
            // Not a number, in any format of floating point.
            bytes[head..].fill(0xff);
        }
        fs::write(model.join(entry.file_name()), bytes).expect("written");
    }
    let one = folder.path().join("one");
    fs::create_dir(&one).expect("a folder");
    fs::copy(Path::new(PICTURES).join(CHEST), one.join("chest.png")).expect("copied");
    let (model, one) = (model.display().to_string(), one.display().to_string());
    let run = |folder: &str| {
        outcome(program(&[
            "index", folder, "--index", &index, "--model", &model,
        ]))
    };
    let (code, stdout, stderr) = run(&one);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stdout.contains("1 skipped"), "{stdout}");
    assert!(stderr.contains("look at the model"), "{stderr}");
    // Many in a row: the rest is not tried.
    let (code, stdout, stderr) = run(PICTURES);
    assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_picture_is_not_waited_for() {
    let (folder, index) = place();
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).expect("a folder");
    let path = pictures.join("chest.png");
    fs::copy(Path::new(PICTURES).join(CHEST), &path).expect("copied");
    said(&["index", &pictures.display().to_string(), "--index", &index]);
    fs::remove_file(&path).expect("removed");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    let marked = "chest.png  (cannot be read)";
    assert_eq!(found(&index, &["--text", "a chest radiograph"]).0, [marked]);
}

#[test]
fn what_cannot_be_done_is_an_error_that_says_why() {
    let (folder, index) = place();
    let fails = |arguments: &[&str], code: i32, part: &str| {
        let (found, stdout, stderr) = outcome(program(arguments));
        assert_eq!((found, &*stdout), (Some(code), ""), "{stderr}");
        assert!(
            stderr.contains(part) && !stderr.contains("panicked"),
            "{stderr}"
        );
    };
    fails(&["query", "--index", &index, "--text", "a"], 1, &index);
    fails(
        &["index", "no-such-folder", "--index", &index],
        1,
        "no-such-folder",
    );
    let file = format!("{PICTURES}/{CHEST}");
    fails(&["index", &file, "--index", &index], 1, CHEST);
    assert!(
        !Path::new(&index).exists(),
        "an index was made for no folder"
    );
    fails(
        &["index", ".", "--index", &index, "--threads", "0"],
        2,
        "--threads",
    );
    // Before the model is looked at, which is not there.
    let neither = ["index", "no-such-folder", "--model", "no-model"];
    fails(&[&neither[..], &["--index", &index]].concat(), 1, "FOLDER");
    fails(
        &["index", PICTURES, "--index", &index, "--model", "no-model"],
        1,
        "no-model",
    );
    fails(&["query", "--index", &index], 2, "--text");
    fails(
        &[
            "query",
            "--index",
            &index,
            "--text",
            "a",
            "--normalization",
            "none",
        ],
        2,
        "tokenizer-json",
    );
    fails(
        &["query", "--index", &index, "--text", "a", "--filter", "b"],
        2,
        "KEY=VALUE",
    );
    let both = [
        "query",
        "--index",
        index.as_str(),
        "--text",
        "a",
        "--image",
        "b",
    ];
    for weight in ["1.5", "-0.1", "NaN", "half"] {
        let weight = format!("--text-weight={weight}");
        fails(
            &[&both[..], &[weight.as_str()][..]].concat(),
            2,
            "from 0 to 1",
        );
    }
    // Nothing to weigh it against.
    fails(
        &[&both[..5], &["--text-weight", "0.7"][..]].concat(),
        2,
        "--image",
    );

    let padded = folder.path().join("padded").display().to_string();
    said(&["index", PICTURES, "--index", &index]);
    let long = "lung ".repeat(80);
    let long = ["query", "--index", &index, "--text", &long];
    fails(&long, 1, "--text: it has 81 tokens");
    assert!(!outcome(program(&long)).2.contains("Siglip"));
    fails(
        &["query", "--index", &index, "--image", "none.png"],
        1,
        "none.png",
    );
    // Nothing of these is left to the model; of the last one only in one of the two normalisations.
    let json = ["--normalization", "tokenizer-json"];
    let picture = format!("{PICTURES}/{CHEST}");
    for text in ["", " ", "???", "+", " ? ", "<"] {
        let asked = ["query", "--index", &index, "--text", text];
        let found = format!(
            "--text: expected words, found {text:?}, of which --normalization siglip-tokenizer leaves nothing"
        );
        fails(&asked, 1, &found);
        fails(&[&asked[..], &["--image", &picture]].concat(), 1, &found);
        let asked = [&asked[..], &json].concat();
        match text {
            "<" => drop(said(&asked)),
            _ => fails(&asked, 1, "--normalization tokenizer-json leaves nothing"),
        }
    }
    // The shipped model, trained on by one bit.
    let other = folder.path().join("model");
    fs::create_dir(&other).expect("a folder");
    for entry in fs::read_dir(MODEL).expect("the shipped model") {
        let entry = entry.expect("a file");
        let mut bytes = fs::read(entry.path()).expect("read");
        if entry.file_name() == "model.safetensors" {
            *bytes.last_mut().expect("weights") ^= 1;
        }
        fs::write(other.join(entry.file_name()), bytes).expect("written");
    }
    let (picture, other) = (format!("{PICTURES}/{CHEST}"), other.display().to_string());
    let arguments = [
        "query", "--index", &index, "--image", &picture, "--model", &other,
    ];
    fails(&arguments, 1, "embeddings of different models cannot");
    // The shipped model, which sees pictures in another way, before and after its own way is kept beside the index.
    for other in [&["--resize", "pil-bicubic"][..], &["--pad-to-square"]] {
        let arguments = [&arguments[..5], other].concat();
        fails(&arguments, 1, "embeddings of different models cannot");
        said(&arguments[..5]);
    }
    said(&[&arguments[..5], &["--resize", "tf-bilinear"]].concat());
    let padded = ["index", PICTURES, "--index", &padded, "--pad-to-square"];
    assert!(said(&padded).0.starts_with("18 pictures: 18 added"));
    assert!(said(&padded).0.starts_with("18 pictures: 0 added"));
}
