//! Pictures and their labels: a CSV file, parts of pictures, embeddings.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use medgemma::{Embedding, Image};
use medgemma_image::Crop;
use medgemma_probe::split_by_group;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde::Deserialize;

use crate::encoder::Encoder;

/// The share of pictures' groups to judge by where the file does not part them.
const TEST_SHARE: f64 = 0.3;

/// The smallest part of a picture's side that a crop keeps.
const SMALLEST_CROP: f64 = 0.3;

/// Files that a message names at most.
const NAMED: usize = 10;

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    path: PathBuf,
    label: String,
    split: Option<Side>,
    group: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Side {
    Train,
    Test,
}

/// Labelled pictures, not read yet.
pub(crate) struct Samples {
    /// In alphabetical order.
    pub(crate) labels: Vec<String>,
    pictures: Vec<Picture>,
}

struct Picture {
    path: PathBuf,
    class: usize,
    group: usize,
    side: Side,
}

/// One side: a row for each part of each picture.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) rows: Vec<Embedding>,
    pub(crate) classes: Vec<usize>,
    pub(crate) groups: Vec<usize>,
    pictures: usize,
}

impl Part {
    /// Whether there is nothing on this side.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: BTreeSet<_> = self.groups.iter().collect();
        let (pictures, groups, crops) = (self.pictures, groups.len(), self.rows.len());
        write!(f, "pictures: {pictures}, groups: {groups}, crops: {crops}")
    }
}

impl Samples {
    /// Reads the file. Without a column group each picture is one of its own.
    pub(crate) fn read(csv: &Path, seed: u64) -> Result<Self, Box<dyn Error>> {
        let named = |error: csv::Error| format!("{}: {error}", csv.display());
        let mut reader = csv::Reader::from_path(csv).map_err(named)?;
        let records = reader.deserialize().collect::<Result<Vec<Record>, _>>();
        let records = records.map_err(named)?;
        let folder = csv.parent().unwrap_or(Path::new("."));
        let labels: BTreeSet<&String> = records.iter().map(|record| &record.label).collect();
        let labels: Vec<String> = labels.into_iter().cloned().collect();
        let mut numbers = BTreeMap::new();
        let mut groups = Vec::new();
        for record in &records {
            let name = match &record.group {
                Some(group) => group.clone(),
                None => record.path.display().to_string(),
            };
            let next = numbers.len();
            groups.push(*numbers.entry(name).or_insert(next));
        }
        let sides = sides(&records, &groups, seed)?;
        let pictures = records.iter().zip(groups).zip(sides);
        let pictures = pictures.map(|((record, group), side)| Picture {
            path: folder.join(&record.path),
            class: labels
                .binary_search(&record.label)
                .expect("made from the records"),
            group,
            side,
        });
        let pictures = pictures.collect();
        Ok(Self { labels, pictures })
    }

    /// Refuses files that are not there, all of them at once.
    pub(crate) fn check_files(&self) -> Result<(), String> {
        let gone = self.pictures.iter().filter(|p| !p.path.is_file());
        let gone: Vec<String> = gone.map(|p| p.path.display().to_string()).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let (count, all) = (gone.len(), self.pictures.len());
        let named = gone[..count.min(NAMED)].join("\n  ");
        Err(format!(
            "column path: expected {all} pictures, {count} of them are not there; paths start from the file's folder:\n  {named}"
        ))
    }

    /// Refuses pictures that no probe can be fitted to. None to judge by are no fault: whoever has judged a
    /// probe may fit it to all pictures in the end.
    pub(crate) fn check(&self) -> Result<(), String> {
        let nameless = |p: &&Picture| self.labels[p.class].trim().is_empty();
        if let Some(picture) = self.pictures.iter().find(nameless) {
            return Err(format!(
                "column label: expected a label to each picture, found none to {}; fill it in, or take the line out",
                picture.path.display()
            ));
        }
        if self.labels.len() < 2 {
            let found = self.labels.join(", ");
            return Err(format!(
                "column label: expected two labels or more, found {} ({found}); add pictures of another",
                self.labels.len()
            ));
        }
        match self.fitted().iter().position(|&pictures| pictures == 0) {
            None => Ok(()),
            Some(class) => Err(format!(
                "label {}: expected at least one picture to fit to, found none; name some in the column split as train, or try another --seed",
                self.labels[class]
            )),
        }
    }

    /// How many pictures there are to fit to, for each label.
    fn fitted(&self) -> Vec<usize> {
        let mut pictures = vec![0; self.labels.len()];
        for picture in self.pictures.iter().filter(|p| p.side == Side::Train) {
            pictures[picture.class] += 1;
        }
        pictures
    }

    /// Embeds each picture whole and `crops` − 1 parts of it: what to fit to, what to judge by. One that cannot be read
    /// is told to `left_out` and passed over: embedding the others has taken hours, perhaps. It is an error once a label
    /// has none left to fit to.
    pub(crate) fn embed(
        &self,
        encoder: &Encoder,
        crops: u16,
        seed: u64,
        mut left_out: impl FnMut(&medgemma_image::Error),
    ) -> Result<(Part, Part), Box<dyn Error>> {
        let mut parts = (Part::default(), Part::default());
        let mut left = self.fitted();
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        for picture in &self.pictures {
            let image = match Image::open(&picture.path) {
                Ok(image) => image,
                Err(error) => {
                    left_out(&error);
                    if picture.side == Side::Train {
                        left[picture.class] -= 1;
                    }
                    if left[picture.class] == 0 {
                        return Err(self.unreadable(picture.class).into());
                    }
                    continue;
                }
            };
            let part = match picture.side {
                Side::Train => &mut parts.0,
                Side::Test => &mut parts.1,
            };
            part.pictures += 1;
            for crop in 0..crops {
                let seen = if crop == 0 {
                    image.clone()
                } else {
                    image.cropped(drawn(&image, &mut random))?
                };
                part.rows.push(encoder.embed(seen)?);
                part.classes.push(picture.class);
                part.groups.push(picture.group);
            }
        }
        Ok(parts)
    }

    /// Said of a label whose last picture to fit to cannot be read.
    fn unreadable(&self, class: usize) -> String {
        format!(
            "label {}: none of its pictures to fit to can be read; mend the files named above, or take the label out",
            self.labels[class]
        )
    }
}

/// As the file says, or by group.
fn sides(records: &[Record], groups: &[usize], seed: u64) -> Result<Vec<Side>, Box<dyn Error>> {
    let given: Option<Vec<Side>> = records.iter().map(|record| record.split).collect();
    if let Some(given) = given {
        let mut firsts = BTreeMap::new();
        for (i, group) in groups.iter().enumerate() {
            let first = *firsts.entry(group).or_insert(i);
            if given[first] != given[i] {
                let [first, second] = [first, i].map(|i| records[i].path.display());
                return Err(format!("{first} and {second} are of one group, but one is to be fitted to and one to judge by").into());
            }
        }
        return Ok(given);
    }
    if records.iter().any(|record| record.split.is_some()) {
        return Err("either every picture or none has a split, train or test".into());
    }
    let split = split_by_group(groups, TEST_SHARE, seed)?;
    let mut sides = vec![Side::Train; records.len()];
    for picture in split.test {
        sides[picture] = Side::Test;
    }
    Ok(sides)
}

/// A rectangle within the picture.
fn drawn(image: &Image, random: &mut ChaCha12Rng) -> Crop {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a side of a picture"
    )]
    let mut side = |whole: usize| {
        let share = random.random_range(SMALLEST_CROP..1.0);
        let part = ((whole as f64 * share).round() as usize).max(1);
        (random.random_range(0..=whole - part), part)
    };
    let ((x, width), (y, height)) = (side(image.width()), side(image.height()));
    Crop {
        x,
        y,
        width,
        height,
    }
}
