//! The program as a user runs it: lines, chart, exit code.

use std::path::Path;
use std::process::{Command, Output};

use image::{ImageBuffer, Luma};
use medgemma::{Device, Embedding, Image, MedSigLip};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model");
const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images");
const NOTICE: &str = "Not for clinical use";

/// A class for each kind of picture below, in words of which the model was not taught all.
const LABELS: [(&str, &str); 8] = [
    (
        "chest",
        "frontal radiograph of the thorax;X-ray of the lungs",
    ),
    ("leg", "radiograph of the ankle and the lower leg"),
    ("head", "CT scan of the skull"),
    (
        "brain",
        "MR slice of the brain;sagittal MR image of the cerebrum",
    ),
    ("heart", "sonogram of the heart"),
    ("colon", "colon glands with brown antibody"),
    ("skin", "skin section with haematoxylin and eosin"),
    ("other", "everyday photo of an object"),
];

/// Held out of training, and what each shows; chosen among those that are recognised, see
/// `../model/README.md` for the others.
const PICTURES: [(&str, &str); 9] = [
    ("held-out/chest-right-half.png", "chest"),
    ("held-out/leg-right-half-mirrored.png", "leg"),
    ("held-out/head-ct-right-half-mirrored.png", "head"),
    ("held-out/brain-axial.png", "brain"),
    ("held-out/brain-sagittal.png", "brain"),
    ("held-out/heart-ultrasound.png", "heart"),
    ("held-out/skin-histology.png", "skin"),
    ("held-out/colon-immunohistochemistry.png", "colon"),
    ("held-out/coins.png", "other"),
];

fn zero_shot(arguments: &[&str]) -> Output {
    // From a folder that is not the example's: the shipped files must be found from anywhere.
    Command::new(env!("CARGO_BIN_EXE_zero-shot"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Standard output of a run that must succeed.
fn succeeds(arguments: &[&str]) -> String {
    let output = zero_shot(arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn labels() -> Vec<String> {
    let each = LABELS.iter();
    each.map(|(name, prompts)| format!("--label={name}={prompts}"))
        .collect()
}

#[test]
fn no_arguments_recognise_the_shipped_radiograph() {
    let output = zero_shot(&[]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("NOT MedSigLIP"), "{stderr}");
    assert!(stdout.contains("answer: chest X-ray (softmax "), "{stdout}");
    assert!(stdout.contains(NOTICE), "{stdout}");
    let (_, table) = stdout.split_once('\n').expect("a line with the file");
    let readme = include_str!("../README.md");
    assert!(readme.contains(table), "the README shows another answer");
}

#[test]
fn pictures_held_out_of_training_are_recognised_by_new_wordings() {
    let paths: Vec<String> = PICTURES
        .iter()
        .map(|(file, _)| format!("{IMAGES}/{file}"))
        .collect();
    let labels = labels();
    let mut arguments: Vec<&str> = labels.iter().map(String::as_str).collect();
    arguments.push("--image");
    arguments.extend(paths.iter().map(String::as_str));
    let stdout = succeeds(&arguments);
    let answers: Vec<_> = stdout
        .lines()
        .filter_map(|line| line.strip_prefix("answer: "))
        .collect();
    assert_eq!(answers.len(), PICTURES.len(), "{stdout}");
    for ((file, expected), answer) in PICTURES.iter().zip(answers) {
        assert!(
            answer.starts_with(&format!("{expected} ")),
            "{file}: {answer}"
        );
    }
}

/// The line of a class holds the logit of the average of its prompts, as the library has it.
#[test]
fn a_class_of_several_prompts_is_their_average() {
    let prompts = ["CT of the head", "a chest X-ray", "an everyday photograph"];
    let device = Device::cpu().expect("compiled in");
    let model = MedSigLip::load(MODEL, &device).expect("the shipped model");
    let image = Image::open(format!("{IMAGES}/chest.png")).expect("a picture");
    let image = model
        .embed_images(&[image])
        .expect("an embedding")
        .remove(0);
    let texts = model.embed_texts(&prompts).expect("embeddings");
    let average = Embedding::ensemble(&texts).expect("a direction");
    let logit = model.logits(&image, &[average]).expect("a logit")[0];

    let label = format!("--label=name={}", prompts.join(";"));
    let stdout = succeeds(&[&label, "--label=another"]);
    let line = stdout.lines().find(|line| line.starts_with("name"));
    let figures: Vec<_> = line.expect("a line").split_whitespace().collect();
    assert_eq!(figures[1], format!("{logit:.3}"), "{stdout}");
}

/// The rocket is none of two medical kinds: the softmax has to choose, the sigmoid need not.
#[test]
fn where_no_class_is_true_the_sigmoid_says_so() {
    let image = format!("{IMAGES}/held-out/rocket.png");
    let arguments = [
        "--label=chest X-ray",
        "--label=brain MRI",
        "--image",
        &image,
    ];
    let softmax = succeeds(&arguments);
    assert!(softmax.contains("\nanswer: "), "{softmax}");
    let mut arguments = arguments.to_vec();
    arguments.extend(["--by", "sigmoid"]);
    let sigmoid = succeeds(&arguments);
    assert!(sigmoid.contains("\nno answer: "), "{sigmoid}");
    arguments.extend(["--threshold", "0"]);
    assert!(succeeds(&arguments).contains("\nanswer: "));
}

/// A rocket is no chest X-ray, though nothing else was to choose from: the softmax would be sure of it.
#[test]
fn one_class_is_decided_by_its_sigmoid() {
    let image = format!("{IMAGES}/held-out/rocket.png");
    let one = ["--label=chest X-ray", "--image", &image];
    let output = zero_shot(&one);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("\nno answer: "), "{stdout}");
    assert!(stdout.contains(", has sigmoid 0."), "{stdout}");
    assert!(
        stderr.contains("One class: its sigmoid decides"),
        "{stderr}"
    );
    let asked = [&one[..], &["--by", "sigmoid"]].concat();
    assert_eq!(succeeds(&asked), stdout);
    fails(&[&one[..], &["--by", "softmax"]].concat(), "--by sigmoid");
    let two = text(&zero_shot(&["--label=x", "--label=y"]).stderr);
    assert!(!two.contains("One class"), "{two}");
}

#[test]
fn the_resizer_is_the_one_asked_for() {
    let default = succeeds(&[]);
    assert_eq!(succeeds(&["--resize", "tf-bilinear"]), default);
    let other = succeeds(&["--resize", "pil-bilinear"]);
    assert_ne!(other, default);
    assert!(other.contains("answer: chest X-ray"), "{other}");
    assert_ne!(succeeds(&["--pad-to-square"]), default);
}

/// The filter of a backend is the one that `resample` of the directory names.
#[test]
fn a_backend_resizes_as_the_directory_says() {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(MODEL).expect("the model") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name");
        std::fs::copy(&path, folder.path().join(name)).expect("copied");
    }
    let model = folder.path().display().to_string();
    let by = |name| succeeds(&["--model", &model, "--resize", name]);
    assert_eq!(by("torchvision"), by("torchvision-bilinear"));
    let file = folder.path().join("preprocessor_config.json");
    let config = std::fs::read_to_string(&file).expect("a file");
    let bicubic = config.replace("\"resample\": 2", "\"resample\": 3");
    assert_ne!(bicubic, config);
    std::fs::write(&file, bicubic).expect("written");
    assert_eq!(by("torchvision"), by("torchvision-bicubic"));
    assert_ne!(by("torchvision"), by("torchvision-bilinear"));
    assert_eq!(by("pil"), by("pil-bicubic"));
}

/// What the class deletes, the file keeps: two classes that are one to it are refused, and told apart there.
#[test]
fn a_sign_tells_classes_apart_by_the_normalisation_that_keeps_it() {
    let classes = ["--label=low=SpO2 <90", "--label=high=SpO2 90"];
    let logits = |more: &[&str]| -> Vec<String> {
        let out = succeeds(&[&classes[..], more].concat());
        let lines = out.lines().filter(|line| line.starts_with(['l', 'h']));
        lines
            .filter_map(|line| Some(line.split_whitespace().nth(1)?.to_owned()))
            .collect()
    };
    // Each would have half of the softmax, and the first of them the answer.
    for more in [&[][..], &["--normalization", "siglip-tokenizer"]] {
        let asked = [&classes[..], more].concat();
        for told in ["`low`", "`high`", "tokenizer-json"] {
            fails(&asked, told);
        }
    }
    fails(&["--label=chest X-ray", "--label=..."], "`...`");
    let apart = logits(&["--normalization", "tokenizer-json"]);
    assert_ne!(apart[0], apart[1]);
}

/// What the command line made of a class is told; where a name is its own prompt there is nothing to tell.
#[test]
fn prompts_are_shown_where_names_differ() {
    let told = succeeds(&["--label=SpO2 <=90=a chest X-ray;lungs", "--label=SpO2 >=95"]);
    assert!(
        told.contains("\nSpO2 <=90 = a chest X-ray; lungs\n"),
        "{told}"
    );
    assert!(
        told.contains("\nSpO2 >=95 ") && !told.contains("SpO2 >=95 ="),
        "{told}"
    );
    let list = succeeds(&["--list", "chest-x-ray/pneumothorax"]);
    assert!(list.contains("\npresent = apical pneumothorax\n"), "{list}");
}

/// How many pixels have this colour.
fn count(chart: &image::RgbImage, wanted: [u8; 3]) -> usize {
    chart.pixels().filter(|pixel| pixel.0 == wanted).count()
}

#[test]
fn the_chart_shows_picture_bars_and_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let draw = |name: &str, more: &[&str]| {
        let path = file(name);
        let arguments: Vec<&str> = ["--png", &path]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        succeeds(&arguments);
        image::open(Path::new(&path)).expect("a PNG").to_rgb8()
    };
    let one = draw("one.png", &[]);
    let fill = [0x2F, 0x6D, 0xB5];
    // The bars of a softmax make one whole bar together: 300 by 20 pixels, less the threshold's line
    // and what is rounded.
    let bars = count(&one, fill);
    assert!((5800..=6100).contains(&bars), "{bars}");
    assert!(count(&one, [0x22, 0x22, 0x22]) > 3000, "letters");
    // The radiograph is 300 pixels along its longer side, and in grey.
    let middle = one.get_pixel(20 + 100, 20 + 100).0;
    assert!(middle[0] < 250 && middle[0] == middle[1], "{middle:?}");

    let images = [
        format!("{IMAGES}/chest.png"),
        format!("{IMAGES}/held-out/fundus-right-half-mirrored.png"),
    ];
    let two = draw("two.png", &["--image", &images[0], &images[1]]);
    assert_eq!(two.width(), one.width());
    assert_eq!(two.height() - one.height(), 320, "one more panel");
    let bars = count(&two, fill);
    assert!(
        (11_600..=12_200).contains(&bars),
        "one bar under another: {bars}"
    );
    let narrow = draw("narrow.png", &["--label=x", "--label=y"]);
    assert!(narrow.width() < one.width());
}

/// A chart of thousands would be gigabytes.
#[test]
fn a_chart_has_a_hundred_pictures_at_most() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (small, chart) = (file("small.png"), file("chart.png"));
    let picture = image::RgbImage::from_pixel(2, 2, image::Rgb([9, 99, 199]));
    picture.save(&small).expect("written");
    let height = |count: usize, more: &[&str]| {
        let images = vec![&*small; count];
        let asked = [&["--png", &chart, "--image"], more, &images].concat();
        let output = zero_shot(&asked);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(stdout.matches("answer: ").count(), count, "{stderr}");
        let chart = image::open(Path::new(&chart)).expect("a PNG");
        (chart.height(), stderr)
    };
    let (one, _) = height(1, &[]);
    let (all, stderr) = height(100, &[]);
    assert_eq!(all - one, 99 * 320);
    assert!(!stderr.contains("not drawn"), "{stderr}");
    // What has no answer takes nobody's place.
    let (some, stderr) = height(103, &["none.png"]);
    assert_eq!(some, all);
    assert!(
        stderr.contains("\nthe chart has the first 100 pictures; 3 more are not drawn"),
        "{stderr}"
    );
}

/// Exit code 1 and one error with the name of what is wrong; no panic.
fn fails(arguments: &[&str], expected: &str) {
    let output = zero_shot(arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let error = stderr.lines().find(|line| line.starts_with("error: "));
    assert!(
        error.is_some_and(|line| line.contains(expected)),
        "{stderr}"
    );
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn what_is_wrong_is_named() {
    fails(&["--model", "no-such-model"], "no-such-model");
    fails(&["--device", "abacus"], "abacus");
    fails(&["--png", "no-such-folder/chart.png"], "no-such-folder");
    // Which of them is too long, and no call of a library.
    let long = format!("--label=effusion=short;{}", "lung ".repeat(80));
    for part in ["class `effusion`", "its prompt 2", "81 tokens", "the 64"] {
        fails(&["--label=lung", &long], part);
    }
    assert!(!text(&zero_shot(&["--label=lung", &long]).stderr).contains("Siglip"));
    // The cause at the end of the chain.
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().display().to_string();
    std::fs::write(folder.path().join("config.json"), "{").expect("written");
    fails(&["--model", &model], "EOF while parsing");
    // Said before the model is loaded, which is not there.
    let twice = ["--label=a=x", "--label=b", "--label=a=y"];
    fails(
        &[&twice[..], &["--model=no-such-model"]].concat(),
        "--label a: there are two classes of this name",
    );
    for wrong in [
        &["--label", "=a"][..],
        &["--label", "a=b;"],
        &["--threshold", "1.5"],
        &["--threshold", "nan"],
        &["--resize", "nearest"],
        &["--by", "chance"],
        &["--normalization", "none"],
    ] {
        let output = zero_shot(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

/// One that cannot be read ends no run: the others are answered and drawn, with all that is said of answers, and the
/// run is no success.
#[test]
fn a_picture_that_cannot_be_read_leaves_the_others_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (damaged, chart) = (file("damaged.png"), file("chart.png"));
    let chest = format!("{IMAGES}/chest.png");
    let mut bytes = std::fs::read(&chest).expect("a picture");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&damaged, bytes).expect("written");
    let classes = ["--label=lung=a chest X-ray", "--label=fundus"];
    let ask = |images: &[&str]| {
        let images = [&["--png", &chart, "--image"], images].concat();
        zero_shot(&[&classes[..], &images].concat())
    };
    // A name does not act on the terminal. Not every file system takes such.
    if cfg!(unix) {
        let odd = file("a\nb.png");
        std::fs::copy(&chest, &odd).expect("copied");
        let output = ask(&[&odd, "no\nne.png"]);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(stdout.contains("a\\nb.png\nclass"), "{stdout}");
        assert!(stderr.contains("\nnot answered: no\\nne.png: "), "{stderr}");
    }
    let whole = ask(&[&chest]);
    let drawn = std::fs::read(&chart).expect("a chart");
    std::fs::remove_file(&chart).expect("removed");
    let output = ask(&["no-such-picture.png", &damaged, &chest]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stdout, text(&whole.stdout), "{stderr}");
    assert!(stdout.contains("lung = a chest X-ray") && stdout.contains(NOTICE));
    assert!(std::fs::read(&chart).expect("a chart") == drawn);
    let told: Vec<_> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("not answered: "))
        .collect();
    // Each with the file and what the system or the decoder says of it.
    assert!(
        told[0].contains("no-such-picture.png") && told[0].contains("os error 2"),
        "{stderr}"
    );
    assert!(
        told[1].contains("damaged.png") && told[1].contains("CRC error"),
        "{stderr}"
    );
    assert!(stderr.contains("error: 2 of 3 pictures"), "{stderr}");
}

/// The notice belongs to the answers, not to the chart.
#[test]
fn a_chart_that_cannot_be_written_takes_no_notice_away() {
    let output = zero_shot(&["--png", "no-such-folder/chart.png"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains(NOTICE));
}

/// The published words are those of the library; what the tiny model makes of them says nothing.
#[test]
fn a_published_list_stands_for_labels() {
    let out = succeeds(&["--list", "chest-x-ray/pneumothorax", "--threshold", "0"]);
    let list = medgemma::classes::named("chest-x-ray/pneumothorax").expect("a published list");
    for class in list.classes {
        assert!(out.contains(class.label), "{}: {out}", class.label);
    }
    let wrong = zero_shot(&["--list", "pneumothorax"]);
    assert_eq!(wrong.status.code(), Some(2));
    let told = text(&wrong.stderr);
    assert!(
        medgemma::classes::all().all(|list| told.contains(list.name)),
        "{told}"
    );
    let both = zero_shot(&["--list", "chest-x-ray/pneumothorax", "--label", "a"]);
    assert_eq!(both.status.code(), Some(2));
}

/// 12 bits in a file of 16: white there is a sixteenth of white.
#[test]
fn a_picture_that_uses_a_few_of_its_bits_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, most, expected) in [("dark.png", 4095_u16, 1), ("bright.png", 65_535, 0)] {
        let file = folder.path().join(name);
        let samples = (0..64 * 64).map(|at| if at == 0 { most } else { at % 7 });
        let picture: ImageBuffer<Luma<u16>, _> =
            ImageBuffer::from_raw(64, 64, samples.collect::<Vec<_>>()).expect("so many");
        picture.save(&file).expect("written");
        let output = zero_shot(&["--image", file.to_str().expect("UTF-8")]);
        let errors = text(&output.stderr);
        let told = errors.matches("nearly black, it uses 12 of its 16 bits");
        assert_eq!(told.count(), expected, "{errors}");
        assert!(output.status.success(), "{errors}");
    }
}
