//! Pictures and their labels: a CSV file, parts of pictures, embeddings.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use medgemma::{Embedding, Image};
use medgemma_image::Crop;
use medgemma_probe::split_by_group;
use medgemma_search::content_id_of_file;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::records::{self, Record, Side};

/// The share of pictures' groups to judge by where the file does not part them.
const TEST_SHARE: f64 = 0.3;

/// The smallest part of a picture's side that a crop keeps.
const SMALLEST_CROP: f64 = 0.3;

/// Files that a message names at most.
const NAMED: usize = 10;

/// Embeddings of parts of a picture, or why there are none, with its name.
pub(crate) type Embedded = Result<Vec<Embedding>, String>;

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

/// One side: for each picture the rows of how it is seen, whole first.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) rows: Vec<Embedding>,
    pub(crate) classes: Vec<usize>,
    pub(crate) groups: Vec<usize>,
    /// Rows of whole pictures.
    whole: Vec<usize>,
}

impl Part {
    /// Whether there is nothing on this side.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Pictures as `predict` sees them, without their parts.
    pub(crate) fn whole(&self) -> Self {
        Self {
            rows: self
                .whole
                .iter()
                .map(|&row| self.rows[row].clone())
                .collect(),
            classes: self.whole.iter().map(|&row| self.classes[row]).collect(),
            groups: self.whole.iter().map(|&row| self.groups[row]).collect(),
            whole: (0..self.whole.len()).collect(),
        }
    }

    /// Adds a picture, whole and in parts.
    fn add(&mut self, picture: &Picture, seen: Vec<Embedding>) {
        self.whole.push(self.rows.len());
        for row in seen {
            self.rows.push(row);
            self.classes.push(picture.class);
            self.groups.push(picture.group);
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: BTreeSet<_> = self.groups.iter().collect();
        let (pictures, groups, crops) = (self.whole.len(), groups.len(), self.rows.len());
        write!(f, "pictures: {pictures}, groups: {groups}")?;
        if crops == pictures {
            return Ok(());
        }
        write!(f, ", crops: {crops}")
    }
}

impl Samples {
    /// Reads the file. Without a column group each picture is one of its own.
    pub(crate) fn read(csv: &Path, seed: u64) -> Result<Self, Box<dyn Error>> {
        let records = records::read(csv)?;
        let folder = csv.parent().unwrap_or(Path::new("."));
        let labels: BTreeSet<&String> = records.iter().map(|record| &record.label).collect();
        let labels: Vec<String> = labels.into_iter().cloned().collect();
        let mut numbers = BTreeMap::new();
        let mut groups = Vec::new();
        for (number, record) in records.iter().enumerate() {
            groups.push(match &record.group {
                Some(group) => *numbers.entry(group).or_insert(number),
                None => number,
            });
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
        let named = gone[..count.min(NAMED)].join("`, `");
        Err(format!(
            "column path: expected {all} pictures, {count} of them are not there; paths start from the file's folder, look for `{named}`"
        ))
    }

    /// Refuses files of the same bytes of which one is to be fitted to and one to judge by: an export has pictures twice,
    /// under two names. Only files of equal length are read.
    pub(crate) fn check_contents(&self) -> Result<(), String> {
        let mut lengths: BTreeMap<u64, Vec<&Picture>> = BTreeMap::new();
        for picture in &self.pictures {
            if let Ok(file) = fs::metadata(&picture.path) {
                lengths.entry(file.len()).or_default().push(picture);
            }
        }
        let mut twice = Vec::new();
        for pictures in lengths.values() {
            if pictures.iter().all(|p| p.side == pictures[0].side) {
                continue;
            }
            let mut seen: BTreeMap<String, &Picture> = BTreeMap::new();
            for picture in pictures {
                // One that cannot be read is told and left out later.
                let Ok(content) = content_id_of_file(&picture.path) else {
                    continue;
                };
                let first = *seen.entry(content).or_insert(picture);
                if first.side != picture.side {
                    twice.push([first, picture].map(|picture| picture.path.display()));
                }
            }
        }
        match twice.first() {
            None => Ok(()),
            Some([first, second]) => Err(format!(
                "column path: expected pictures to judge by that nothing is fitted to, found {} with the bytes of one that is fitted to, such as `{first}` and `{second}`; take one of the lines out, or put both on one side (column split) or into one group (column group)",
                twice.len()
            )),
        }
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

    /// Pictures of both sides.
    pub(crate) fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Embeds pictures: those to fit to whole and in `crops` − 1 parts, those to judge by whole, as a picture is that
    /// the probe is asked about later. `encode` makes embeddings of parts of a picture, `None` being all of it; its
    /// inner error is one of the picture, the outer one ends the run. `seen` is told of each picture that it was seen,
    /// or why it could not be read or embedded: such a one is passed over, since embedding the others has taken hours,
    /// perhaps. It is an error once a label has none left to fit to.
    pub(crate) fn embed<E>(
        &self,
        mut encode: impl FnMut(&Path, &Image, &[Option<Crop>]) -> Result<Embedded, E>,
        crops: u16,
        seed: u64,
        mut seen: impl FnMut(Result<(), &str>),
    ) -> Result<(Part, Part), Box<dyn Error>>
    where
        Box<dyn Error>: From<E>,
    {
        let mut parts = (Part::default(), Part::default());
        let mut left = self.fitted();
        for picture in &self.pictures {
            let (part, times) = match picture.side {
                Side::Train => (&mut parts.0, crops),
                Side::Test => (&mut parts.1, 1),
            };
            let embedded = match opened(&picture.path, times, seed) {
                Ok((image, views)) => encode(&picture.path, &image, &views)?,
                Err(error) => Err(error),
            };
            match embedded {
                Ok(embedded) => {
                    part.add(picture, embedded);
                    seen(Ok(()));
                }
                Err(error) => {
                    seen(Err(&error));
                    if picture.side == Side::Train {
                        left[picture.class] -= 1;
                    }
                    if left[picture.class] == 0 {
                        return Err(self.unreadable(picture.class).into());
                    }
                }
            }
        }
        Ok(parts)
    }

    /// Said of a label whose last picture to fit to cannot be read.
    fn unreadable(&self, class: usize) -> String {
        format!(
            "label {}: none of its pictures to fit to can be read and embedded; mend the files named above, or take the label out",
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
    let split = split_by_group(groups, TEST_SHARE, seed)?;
    let mut sides = vec![Side::Train; records.len()];
    for picture in split.test {
        sides[picture] = Side::Test;
    }
    Ok(sides)
}

/// A picture and the parts of it that are looked at, the first being all of it. They are drawn from the file's bytes and
/// `seed`: other lines in the file of labels change nothing of a picture that was embedded. An error names the file.
fn opened(path: &Path, times: u16, seed: u64) -> Result<(Image, Vec<Option<Crop>>), String> {
    let image = Image::open(path).map_err(|error| error.to_string())?;
    if times <= 1 {
        return Ok((image, vec![None]));
    }
    let content = content_id_of_file(path).map_err(|error| error.to_string())?;
    let content = u64::from_str_radix(&content[..16], 16).expect("hexadecimal digits");
    let mut random = ChaCha12Rng::seed_from_u64(content ^ seed);
    let crops = (1..times).map(|_| Some(drawn(&image, &mut random)));
    let views = iter::once(None).chain(crops).collect();
    Ok((image, views))
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::{Path, PathBuf};

    use medgemma::{Embedding, Image};
    use medgemma_image::Crop;

    use super::{Embedded, Picture, Samples, Side};

    /// Views one by one, with an error that names the picture.
    fn each(
        mut encode: impl FnMut(Image) -> medgemma::Result<Embedding>,
    ) -> impl FnMut(&Path, &Image, &[Option<Crop>]) -> Result<Embedded, String> {
        move |path, image, views| {
            let view = |view: &Option<Crop>| match view {
                None => encode(image.clone()),
                Some(crop) => encode(image.cropped(*crop)?),
            };
            let embedded = views.iter().map(view).collect::<medgemma::Result<_>>();
            Ok(embedded.map_err(|error| format!("{}: {error}", path.display())))
        }
    }

    const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images/");

    fn samples() -> Samples {
        let picture = |(file, class, side)| Picture {
            path: PathBuf::from(IMAGES).join(file),
            class,
            group: class,
            side,
        };
        let pictures = [
            ("chest.png", 0, Side::Train),
            ("held-out/coins.png", 1, Side::Train),
            ("held-out/rocket.png", 1, Side::Train),
            ("held-out/skin-histology.png", 1, Side::Test),
        ];
        Samples {
            labels: vec!["a".to_owned(), "b".to_owned()],
            pictures: pictures.map(picture).into(),
        }
    }

    /// What is judged is seen as it is seen later, and so are the pictures that thresholds are taken from.
    #[test]
    fn pictures_to_judge_by_are_seen_whole_only() {
        let sizes = RefCell::new(Vec::new());
        let encode = |image: Image| {
            sizes.borrow_mut().push((image.width(), image.height()));
            let count = sizes.borrow().len();
            Embedding::new(vec![1.0, 1.0 / count as f32])
        };
        let seen = |seen: Result<(), &str>| seen.expect("pictures that are there");
        let found = samples().embed(each(encode), 3, 0, seen);
        let (train, test) = found.expect("pictures that are there");
        assert_eq!(train.to_string(), "pictures: 3, groups: 2, crops: 9");
        assert_eq!(test.to_string(), "pictures: 1, groups: 1");
        let sizes = sizes.into_inner();
        let whole = |file: &str| {
            let image = Image::open(PathBuf::from(IMAGES).join(file)).expect("a picture");
            (image.width(), image.height())
        };
        assert_eq!(sizes.len(), 10);
        assert_eq!(sizes[3], whole("held-out/coins.png"));
        assert!(sizes[4].0 < sizes[3].0 && sizes[5].1 < sizes[3].1);
        assert_eq!(sizes[9], whole("held-out/skin-histology.png"));

        let seen = train.whole();
        let rows = [0, 3, 6].map(|row: usize| train.rows[row].clone());
        assert_eq!((seen.rows, seen.classes), (rows.into(), vec![0, 1, 1]));
        assert_eq!(seen.groups, [0, 1, 1]);
        assert_eq!(test.whole().rows, test.rows);
    }

    /// Hours into a run, one picture that the encoder does not take ends nothing, and is named.
    #[test]
    fn a_picture_that_cannot_be_embedded_is_named_and_left_out() {
        let fails_at = |bad: &[usize]| {
            let (count, told) = (RefCell::new(0), RefCell::new(Vec::new()));
            let encode = |_| {
                *count.borrow_mut() += 1;
                let damaged = bad.contains(&count.borrow());
                Embedding::new(vec![if damaged { f32::NAN } else { 1.0 }])
            };
            let seen = |seen: Result<(), &str>| {
                told.borrow_mut().extend(seen.err().map(str::to_owned));
            };
            let found = samples().embed(each(encode), 2, 0, seen);
            let found = found.map(|(train, test)| (train.to_string(), test.rows.len()));
            let found = found.map_err(|error| error.to_string());
            (found, told.into_inner())
        };
        // The second view of the coins: nothing of that picture is kept.
        let (found, told) = fails_at(&[4]);
        let train = "pictures: 2, groups: 2, crops: 4".to_owned();
        assert_eq!(found, Ok((train, 1)));
        assert!(
            told.len() == 1 && told[0].contains("coins.png: "),
            "{told:?}"
        );
        // The one to judge by.
        let (found, told) = fails_at(&[7]);
        assert_eq!(found.expect("pictures to fit to").1, 0);
        assert!(told[0].contains("skin-histology.png: "), "{told:?}");
        // The only one of its label.
        let (found, told) = fails_at(&[1]);
        let error = found.expect_err("no picture of a");
        assert!(error.contains("label a: none of its pictures"), "{error}");
        assert!(told[0].contains("chest.png: "), "{told:?}");
    }
}
