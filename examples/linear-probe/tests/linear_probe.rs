//! The program as a user runs it, on the pictures and the model that ship.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::{ImageBuffer, Luma};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn run(arguments: &[&str]) -> Output {
    // From a folder that is not the example's: the shipped files must be found from anywhere.
    Command::new(env!("CARGO_BIN_EXE_linear-probe"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Standard output of a run that has to succeed.
fn answer(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Standard error of a run that has to fail.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stderr)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The number that a line begins with, after a label.
fn figure(table: &str, label: &str) -> f64 {
    let line = table.lines().find_map(|line| line.strip_prefix(label));
    let line = line.unwrap_or_else(|| panic!("no {label:?} in\n{table}"));
    let number = line.split_whitespace().next().expect("a figure");
    number
        .parse()
        .unwrap_or_else(|_| panic!("{label}: {number}"))
}

#[test]
fn a_probe_is_fitted_judged_saved_and_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let probe = folder.path().join("probe.json");
    let table = answer(&["--out", path(&probe)]);
    let readme = include_str!("../README.md");
    let shown: Vec<&str> = table
        .lines()
        .filter(|line| !line.starts_with("saved to"))
        .collect();
    assert!(shown.len() > 6, "{table}");
    // What was fitted is safe before it is judged.
    let place = |words: &str| {
        table
            .find(words)
            .unwrap_or_else(|| panic!("{words}: {table}"))
    };
    assert!(place("saved to") < place("judged by"), "{table}");
    // One group of radiographs, two of cross-sections: nothing to draw from.
    for label in ["cross-section   2", "radiograph      1"] {
        let line = table.lines().find(|line| line.starts_with(label));
        let line = line.unwrap_or_else(|| panic!("{label}: {table}"));
        assert!(line.matches("(no interval)").count() >= 2, "{line}");
    }
    assert!(
        table.contains("\nno interval: fewer than five groups"),
        "{table}"
    );
    // Judged by pictures as they are asked about, from the share of each label on.
    assert!(
        table.contains("\njudged by pictures: 7, groups: 6\n"),
        "{table}"
    );
    for from in ["2       0.36", "2       0.27", "1       0.18"] {
        assert!(table.contains(&format!(" {from}  ")), "{from}: {table}");
    }
    for line in shown {
        assert!(
            readme.contains(line),
            "the README shows another line than\n{line}"
        );
    }
    assert!(
        figure(&table, "the most probable label is right: ") > 0.6,
        "{table}"
    );

    let images = format!("{HERE}/../report/images");
    let brain = format!("{images}/held-out/brain-coronal.png");
    let skin = format!("{images}/held-out/skin-histology.png");
    let found = answer(&["predict", "--probe", path(&probe), &brain, &skin]);
    let (brain, skin) = found.split_once(&skin).expect("two answers");
    for (found, label) in [(brain, "cross-section"), (skin, "photograph")] {
        assert!(figure(found, &format!("  {label}")) > 0.4, "{found}");
        assert_eq!(found.matches("  yes").count(), 1, "{found}");
    }
    for said in [
        "as frequent as in the pictures fitted to: cross-section 0.36, photograph 0.27",
        "\nyes: from cross-section 0.36, photograph 0.27",
    ] {
        assert!(skin.contains(said), "{said}: {skin}");
    }
    assert!(found.contains("Not for clinical use"), "{found}");
}

#[test]
fn equal_seeds_give_equal_files_and_a_wanted_sensitivity_other_thresholds() {
    let folder = tempfile::tempdir().expect("a folder");
    let save = |name: &str, more: &[&str]| {
        let file = folder.path().join(name);
        answer(&[&["--crops", "2", "--out", path(&file)], more].concat());
        fs::read(file).expect("a file")
    };
    let first = save("first.json", &[]);
    assert_eq!(save("second.json", &[]), first);
    assert_ne!(save("seed.json", &["--seed", "1"]), first);
    let sensitive = text(&save("sensitive.json", &["--sensitivity", "1"]));
    let thresholds = |file: &str| {
        let (_, rest) = file.split_once("\"thresholds\":").expect("thresholds");
        rest.split_once(']').expect("a list").0.to_owned()
    };
    assert_ne!(thresholds(&sensitive), thresholds(&text(&first)));
}

#[test]
fn what_was_embedded_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (kept, probe) = (folder.path().join("kept"), folder.path().join("probe.json"));
    let asked = ["--crops", "3", "--embeddings", path(&kept)];
    let fit = |more: &[&str]| {
        let told = answer(&[&asked[..], &["--out", path(&probe)], more].concat());
        let (first, rest) = told.split_once('\n').expect("lines");
        let (first, rest) = (first.to_owned(), rest.to_owned());
        (first, rest, fs::read(&probe).expect("a probe"))
    };
    // Eleven pictures three times, seven once.
    let (first, rest, saved) = fit(&[]);
    assert_eq!(first, "embeddings: 40 made, 0 kept from before");
    let again = "embeddings: 0 made, 40 kept from before".to_owned();
    assert_eq!(fit(&[]), (again, rest.clone(), saved));
    // As they are without being kept, but for the last bit.
    let plain = answer(&["--crops", "3", "--out", path(&probe)]);
    assert_eq!(plain, rest);
    // A picture more, in front of the others: these are seen as they were.
    let csv = folder.path().join("one-more.csv");
    let shipped = fs::read_to_string(format!("{HERE}/pictures.csv")).expect("a file");
    let (header, lines) = shipped.split_once('\n').expect("lines");
    let lines = lines.replace("../report/", &format!("{HERE}/../report/"));
    let lines = format!("{header}\nmore.png,photograph,train,coins\n{lines}");
    fs::write(&csv, lines).expect("a file");
    let mut more =
        fs::read(format!("{HERE}/../report/images/held-out/coins.png")).expect("a picture");
    // Behind the end of a PNG nobody looks.
    more.extend(b"more");
    fs::write(folder.path().join("more.png"), more).expect("written");
    assert_eq!(
        fit(&["--csv", path(&csv)]).0,
        "embeddings: 3 made, 40 kept from before"
    );
    // Other parts, of the same pictures.
    assert_eq!(
        fit(&["--seed", "1"]).0,
        "embeddings: 22 made, 18 kept from before"
    );
    // A copy of a picture is the same picture, one with another content at its place is not.
    let csv = folder.path().join("pictures.csv");
    let images = format!("{HERE}/../report/images");
    let lines = "path,label,split\na.png,a,train\nb.png,b,train\n";
    fs::write(&csv, lines).expect("a file");
    let copy = |from: &str, to: &str| {
        fs::copy(format!("{images}/{from}"), folder.path().join(to)).expect("copied");
    };
    copy("chest.png", "a.png");
    copy("held-out/coins.png", "b.png");
    let asked = ["--csv", path(&csv), "--crops", "1", "--embeddings"];
    let asked = [&asked[..], &[path(&kept)]].concat();
    assert!(answer(&asked).starts_with("embeddings: 0 made, 2 kept"));
    let mut other = fs::read(folder.path().join("b.png")).expect("a picture");
    // Behind the end of a PNG nobody looks.
    other.push(0);
    fs::write(folder.path().join("b.png"), other).expect("written");
    assert!(answer(&asked).starts_with("embeddings: 1 made, 1 kept"));

    let error = refused(&[&asked[..], &["--pad-to-square"]].concat());
    assert!(error.contains("embeddings of different models"), "{error}");
}

/// Parts of a picture are less sure than it is whole: were they judged, the threshold would be another.
#[test]
fn a_threshold_is_taken_from_pictures_as_they_are_asked_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let probe = folder.path().join("probe.json");
    answer(&["--sensitivity", "1", "--out", path(&probe)]);
    let images = format!("{HERE}/../report/images");
    let [whole, half] = ["chest", "held-out/chest-right-half"].map(|n| format!("{images}/{n}.png"));
    let found = answer(&["predict", "--probe", path(&probe), &whole, &half]);
    let of_each = found
        .lines()
        .filter_map(|line| line.strip_prefix("  radiograph"));
    let of_each = of_each.filter_map(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    let least = of_each.fold(1.0, f64::min);
    let file = text(&fs::read(&probe).expect("a file"));
    let (_, rest) = file.split_once("\"thresholds\":[").expect("thresholds");
    let radiograph = rest.split(',').nth(2).expect("four labels");
    let radiograph: f64 = radiograph.parse().expect("a number");
    assert!((radiograph - least).abs() < 1e-4, "{radiograph} {least}");
}

/// A picture that is not one ends no run of others, and the run says that it is not whole.
#[test]
fn one_picture_that_cannot_be_read_leaves_the_others_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let (probe, damaged) = (
        folder.path().join("probe.json"),
        folder.path().join("damaged.png"),
    );
    answer(&["--crops", "1", "--out", path(&probe)]);
    fs::write(&damaged, "no picture").expect("a file");
    let chest = format!("{HERE}/../report/images/chest.png");
    let gone = "no-such-picture.png";
    let asked = ["predict", "--probe", path(&probe), path(&damaged), gone];
    let output = run(&[&asked[..], &[&chest]].concat());
    let (told, error) = (text(&output.stdout), text(&output.stderr));
    assert!(!output.status.success(), "{told}");
    assert!(told.starts_with(&chest), "{told}");
    assert!(told.contains("Not for clinical use"), "{told}");
    assert!(
        error.contains("not answered: ") && error.contains("damaged.png"),
        "{error}"
    );
    let gone = error.lines().find(|line| line.contains(gone));
    assert!(
        gone.is_some_and(|line| line.contains("os error 2")),
        "{error}"
    );
    assert!(error.contains("2 of 3 pictures"), "{error}");

    // A name does not act on the terminal. Not every file system takes such.
    if cfg!(unix) {
        let (odd, out) = (
            folder.path().join("a\nb.png"),
            folder.path().join("c\nd.json"),
        );
        fs::copy(&chest, &odd).expect("copied");
        let output = run(&["predict", "--probe", path(&probe), path(&odd), "e\nf.png"]);
        let (told, error) = (text(&output.stdout), text(&output.stderr));
        assert!(told.contains("a\\nb.png\n"), "{told}");
        assert!(error.contains("\nnot answered: e\\nf.png: "), "{error}");
        let csv = folder.path().join("odd.csv");
        let coins = format!("{HERE}/../report/images/held-out/coins.png");
        fs::write(folder.path().join("g\nh.png"), "no picture").expect("a file");
        let lines = |more: &str| {
            let lines = format!("path,label,split\n{chest},a,train\n{coins},b,train\n{more}");
            fs::write(&csv, lines).expect("a file");
        };
        lines("\"g\nh.png\",a,train\n");
        let asked = ["--csv", path(&csv), "--crops", "1", "--out", path(&out)];
        let output = run(&asked);
        let (told, error) = (text(&output.stdout), text(&output.stderr));
        assert!(told.contains("c\\nd.json\n"), "{told}");
        assert!(error.contains("g\\nh.png: "), "{error}");
        lines("\"i\nj.png\",a,train\n");
        let error = refused(&asked);
        assert!(error.contains("i\\nj.png"), "{error}");
    }
}

#[test]
fn a_probe_of_another_encoder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let probe = folder.path().join("probe.json");
    answer(&["--crops", "1", "--out", path(&probe)]);
    let other = format!("{HERE}/../../crates/medgemma-testkit/checkpoints/siglip");
    let chest = format!("{HERE}/../report/images/chest.png");
    let asked = [
        "predict",
        "--probe",
        path(&probe),
        "--model",
        &other,
        &chest,
    ];
    let error = refused(&asked);
    assert!(error.contains("different encoders"), "{error}");
    assert!(
        !error.contains("NOT MedSigLIP"),
        "said of the shipped model only: {error}"
    );
    // Of the same weights, pictures that are seen in another way.
    let asked = ["predict", "--probe", path(&probe), &chest];
    for other in [&["--resize", "pil-bicubic"][..], &["--pad-to-square"]] {
        let error = refused(&[&asked[..], other].concat());
        assert!(error.contains("different encoders"), "{error}");
    }
    answer(&[&asked[..], &["--resize", "tf-bilinear"]].concat());
    answer(&["--crops", "1", "--pad-to-square", "--out", path(&probe)]);
    answer(&[&asked[..], &["--pad-to-square"]].concat());
}

/// Nothing to judge by is no fault: a probe that was judged may be fitted to all pictures in the end.
#[test]
fn a_probe_fitted_to_all_pictures_is_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = format!("{HERE}/../report/images");
    let (csv, probe) = (
        folder.path().join("all.csv"),
        folder.path().join("probe.json"),
    );
    let lines = format!(
        "path,label,split\n{images}/chest.png,radiograph,train\n{images}/held-out/coins.png,coins,train\n"
    );
    fs::write(&csv, lines).expect("a file");
    let asked = ["--csv", path(&csv), "--crops", "2", "--out", path(&probe)];
    let told = answer(&asked);
    assert!(told.contains("judged by nothing"), "{told}");
    assert!(told.contains("Not for clinical use"), "{told}");
    let chest = format!("{images}/chest.png");
    let found = answer(&["predict", "--probe", path(&probe), &chest]);
    assert!(figure(&found, "  radiograph") > 0.5, "{found}");
}

/// Each of these is refused before a picture is looked for: the one named is not there.
#[test]
fn what_cannot_be_fitted_is_refused_before_anything_is_embedded() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pictures.csv");
    let with = |lines: &[&str], more: &[&str]| {
        fs::write(&file, lines.join("\n")).expect("a file");
        let error = refused(&[&["--csv", path(&file)], more].concat());
        assert!(!error.contains("none.png"), "{error}");
        assert!(
            !error.contains("NOT MedSigLIP"),
            "nothing was loaded: {error}"
        );
        error
    };
    let header = "path,label,split";
    let apart = [header, "none.png,a,train", "none.png.2,b,test"];
    let error = with(&apart, &[]);
    assert!(
        error.contains("label b: expected") && error.contains("--seed"),
        "{error}"
    );
    let error = with(&[header, "none.png,a,train", "none.png.2,a,test"], &[]);
    assert!(error.contains("two labels or more, found 1 (a)"), "{error}");
    for label in ["", " "] {
        let nameless = format!("other.png,{label},train");
        let error = with(&[header, "none.png,a,train", &nameless], &[]);
        assert!(
            error.contains("expected a label to each picture") && error.contains("other.png"),
            "{error}"
        );
    }
    let good = [header, "none.png,a,train", "none.png.2,b,train"];
    let nowhere = folder.path().join("no-such-folder").join("probe.json");
    let error = with(&good, &["--out", path(&nowhere)]);
    assert!(error.contains("no-such-folder"), "{error}");
    for folder in [path(folder.path()), "..", "new-folder/"] {
        let error = with(&good, &["--out", folder]);
        let named = format!("--out: expected a file, found {folder};");
        assert!(error.contains(&named), "{error}");
    }
    // Where no file can be made, whoever runs this: the kernel's own folder.
    #[cfg(target_os = "linux")]
    {
        let error = with(&good, &["--out", "/proc/self/probe.json"]);
        assert!(
            error.contains("--out: expected a file in a folder that can be written"),
            "{error}"
        );
        assert!(error.contains("os error"), "{error}");
    }
    for wrong in [
        ["--sensitivity", "1.5"],
        ["--sensitivity", "0"],
        ["--sensitivity", "nan"],
        ["--c", "0"],
        ["--c", "nan"],
    ] {
        let error = with(&good, &wrong);
        assert!(
            error.contains(wrong[0]) && error.contains("expected a"),
            "{error}"
        );
    }
}

/// A folder that takes no file any more when all is embedded: what was found is told first.
#[cfg(unix)]
#[test]
fn a_probe_that_cannot_be_saved_in_the_end_is_judged_first() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

    let folder = tempfile::tempdir().expect("a folder");
    let (out, csv) = (
        folder.path().join("out"),
        folder.path().join("pictures.csv"),
    );
    fs::create_dir(&out).expect("a folder");
    let shipped = fs::read_to_string(format!("{HERE}/pictures.csv")).expect("a file");
    let absolute = shipped.replace("../report/", &format!("{HERE}/../report/"));
    assert_ne!(absolute, shipped);
    fs::write(&csv, absolute).expect("written");
    let probe = out.join("probe.json");
    let asked = ["--crops", "1", "--csv", path(&csv), "--out", path(&probe)];
    let mut child = Command::new(env!("CARGO_BIN_EXE_linear-probe"))
        .args(asked)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The demonstration model is told of once the place was looked at, and before pictures are embedded.
    let mut error = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    error.read_line(&mut line).expect("a line");
    assert!(line.contains("NOT MedSigLIP"), "{line}");
    fs::remove_dir(&out).expect("an empty folder");
    let mut told = String::new();
    error.read_to_string(&mut told).expect("text");
    let output = child.wait_with_output().expect("an end");
    let table = text(&output.stdout);
    assert!(!output.status.success(), "{table}");
    assert!(
        told.contains("the probe is not saved: ") && told.contains("os error 2"),
        "{told}"
    );
    for part in [
        "judged by pictures: 7",
        "the most probable label",
        "Not for clinical use",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(!table.contains("saved to"), "{table}");
}

/// All files that are not there are named before the model is loaded; a damaged one ends no run.
#[test]
fn pictures_that_are_gone_are_refused_and_damaged_ones_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = format!("{HERE}/../report/images");
    let csv = folder.path().join("pictures.csv");
    let good = format!("{images}/chest.png,a,train\n{images}/held-out/coins.png,b,train\n");
    let fit = |more: &str| {
        let lines = format!("path,label,split\n{good}{more}");
        fs::write(&csv, lines).expect("a file");
        run(&["--csv", path(&csv), "--crops", "2"])
    };
    let output = fit("gone.png,a,train\nlost.png,b,test\n");
    let error = text(&output.stderr);
    assert!(!output.status.success(), "{error}");
    assert!(error.contains("2 of them are not there"), "{error}");
    assert!(
        error.contains("gone.png") && error.contains("lost.png"),
        "{error}"
    );
    assert!(
        !error.contains("NOT MedSigLIP"),
        "nothing was loaded: {error}"
    );

    let mut bytes = fs::read(format!("{images}/chest.png")).expect("a picture");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(folder.path().join("damaged.png"), bytes).expect("a file");
    let without = text(&fit("").stdout);
    for side in ["train", "test"] {
        let output = fit(&format!("damaged.png,a,{side}\n"));
        let (told, error) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{error}");
        assert!(
            error.contains("left out: ") && error.contains("damaged.png: "),
            "{error}"
        );
        // And what the decoder says of it.
        assert!(error.contains("CRC error"), "{error}");
        let (first, rest) = told.split_once('\n').expect("lines");
        assert!(first.ends_with("read or embedded: 1"), "{told}");
        assert_eq!(rest, without);
    }
    // The only picture to judge by is damaged, which the column split does not show.
    let told = text(&fit("damaged.png,a,test\n").stdout);
    assert!(told.contains("there is no picture to judge by"), "{told}");
    // Of the third label nothing is left: the run ends there, before the picture that follows.
    fs::copy(
        folder.path().join("damaged.png"),
        folder.path().join("later.png"),
    )
    .expect("a copy");
    let output = fit("damaged.png,c,train\nlater.png,a,train\n");
    let error = text(&output.stderr);
    assert!(
        !output.status.success() && error.contains("label c: none of its pictures"),
        "{error}"
    );
    assert!(!error.contains("later.png"), "{error}");
}

#[test]
fn groups_stay_together_and_faults_of_the_file_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = format!("{HERE}/../report/images");
    let csv = |lines: &[&str]| {
        let file = folder.path().join("pictures.csv");
        let lines = lines.iter().map(|line| line.replace("IMAGES", &images));
        fs::write(&file, lines.collect::<Vec<_>>().join("\n")).expect("a file");
        file
    };
    // Without a split: one of three groups is judged by, and a group is never parted.
    let file = csv(&[
        "path,label,group",
        "IMAGES/chest.png,a,1",
        "IMAGES/held-out/brain-axial.png,b,1",
        "IMAGES/held-out/coins.png,a,2",
        "IMAGES/held-out/rocket.png,b,2",
        "IMAGES/held-out/heart-doppler.png,a,3",
        "IMAGES/held-out/heart-ultrasound.png,b,3",
    ]);
    let table = answer(&["--csv", path(&file), "--crops", "1"]);
    assert!(
        table.contains("fitted to pictures: 4, groups: 2\n"),
        "{table}"
    );
    assert!(
        table.contains("judged by pictures: 2, groups: 1\n"),
        "{table}"
    );

    // Spaces around a field are no part of it.
    let file = csv(&[
        "path , label,split,group",
        "IMAGES/chest.png ,a ,train ,1",
        "IMAGES/held-out/coins.png, a, train, 1 ",
        "IMAGES/held-out/rocket.png,b,train,2",
    ]);
    let table = answer(&["--csv", path(&file), "--crops", "1"]);
    assert!(
        table.contains("fitted to pictures: 3, groups: 2\n"),
        "{table}"
    );
    let probe = folder.path().join("probe.json");
    answer(&["--csv", path(&file), "--crops", "1", "--out", path(&probe)]);
    let probe = fs::read_to_string(probe).expect("a probe");
    assert!(probe.contains("\"labels\":[\"a\",\"b\"]"), "{probe}");

    for (lines, expected) in [
        (
            vec![
                "path,label,split",
                "IMAGES/none.png,a,train",
                "IMAGES/chest.png,b,train",
            ],
            "none.png",
        ),
        (vec!["path,split", "IMAGES/chest.png,train"], "label"),
        (vec!["path,label,split", "IMAGES/chest.png,a,both"], "both"),
        (
            vec![
                "path,label,split",
                "IMAGES/chest.png,a,train",
                "IMAGES/held-out/coins.png,b,",
            ],
            "pictures.csv: column split: expected it filled in for either every picture or none, found it in line 2 and blank in line 3",
        ),
        (
            vec![
                "path,label,split,group",
                "IMAGES/chest.png,a,train, ",
                "IMAGES/held-out/coins.png,b,train,2",
            ],
            "column group: expected it filled in for either every picture or none, found it in line 3 and blank in line 2",
        ),
        (
            vec![
                "path,label,split",
                "IMAGES/chest.png,a,train",
                "IMAGES/held-out/coins.png,b,train",
                "",
                "IMAGES/held-out/../chest.png,a,test",
            ],
            "found `IMAGES/chest.png` in line 2 and `IMAGES/held-out/../chest.png` in line 5, which are one file",
        ),
        (
            vec!["path,label", "none.png,a", "./none.png,b"],
            "found `none.png` in line 2 and `./none.png` in line 3, which are one file",
        ),
        (
            vec![
                "path,label,split,group",
                "IMAGES/chest.png,a,train,1",
                "IMAGES/held-out/coins.png,b,test,2",
                "IMAGES/held-out/rocket.png,b,test,1",
            ],
            "chest.png and IMAGES/held-out/rocket.png are of one group",
        ),
    ] {
        let error = refused(&["--csv", path(&csv(&lines)), "--crops", "1"]);
        let expected = expected.replace("IMAGES", &images);
        assert!(error.contains(&expected), "{expected}: {error}");
    }
    // One picture under two names, on both sides; on one side it counts twice, as it says.
    fs::copy(
        format!("{images}/chest.png"),
        folder.path().join("copy.png"),
    )
    .expect("copied");
    let lines = |side: &str| {
        let copy = format!("copy.png,a,{side}");
        let coins = "IMAGES/held-out/coins.png,b,train";
        csv(&["path,label,split", "IMAGES/chest.png,a,train", coins, &copy])
    };
    let error = refused(&["--csv", path(&lines("test")), "--crops", "1"]);
    for part in [
        "found 1 with the bytes",
        "images/chest.png` and `",
        "copy.png`; take one",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(
        !error.contains("NOT MedSigLIP"),
        "nothing was loaded: {error}"
    );
    answer(&["--csv", path(&lines("train")), "--crops", "1"]);
    let error = refused(&["--csv", "/nowhere.csv"]);
    assert!(error.contains("/nowhere.csv"), "{error}");
}

/// 12 bits in a file of 16: white there is a sixteenth of white.
#[test]
fn pictures_that_use_a_few_of_their_bits_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    for (name, most) in [("dark.png", 4095_u16), ("bright.png", 65_535)] {
        let samples = (0..64 * 64).map(|at| if at == 0 { most } else { at % 7 });
        let picture: ImageBuffer<Luma<u16>, _> =
            ImageBuffer::from_raw(64, 64, samples.collect::<Vec<_>>()).expect("so many");
        picture.save(file(name)).expect("written");
    }
    let (csv, probe) = (file("all.csv"), file("probe.json"));
    let lines = "path,label,split\ndark.png,a,train\nbright.png,b,train\n";
    fs::write(&csv, lines).expect("a file");
    let told = answer(&["--csv", path(&csv), "--crops", "2", "--out", path(&probe)]);
    assert!(
        told.contains("nearly black: 1 pictures use a few of their 16 bits"),
        "{told}"
    );
    let (dark, bright) = (file("dark.png"), file("bright.png"));
    let output = run(&[
        "predict",
        "--probe",
        path(&probe),
        path(&dark),
        path(&bright),
    ]);
    let errors = text(&output.stderr);
    let expected = format!("{}: nearly black, it uses 12 of its 16 bits", path(&dark));
    assert!(errors.contains(&expected), "{errors}");
    assert_eq!(errors.matches("nearly black").count(), 1, "{errors}");
}
