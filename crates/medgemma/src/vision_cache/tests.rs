//! What is kept, found, given up and refused, with soft tokens of the tests' own making.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use medgemma_image::Pixels;
use medgemma_tensor::Device;
use tempfile::TempDir;

use super::{Encodings, VisionCache};
use crate::model::SoftTokens;

/// Bytes of the soft tokens below.
const EACH: usize = 2 * 3 * 4;
/// Bytes of a file of theirs.
const FILE: u64 = 88 + EACH as u64;

fn pixels(value: f32) -> Pixels {
    Pixels {
        data: vec![0.25, value, 0.5],
        shape: [3, 1, 1],
    }
}

/// A model whose vision tower multiplies by `factor`, and counts.
struct Tower {
    factor: f32,
    calls: Cell<usize>,
}

impl Tower {
    fn new(factor: f32) -> Self {
        let calls = Cell::new(0);
        Self { factor, calls }
    }

    fn get(&self, cache: &Encodings, value: f32) -> Vec<f32> {
        self.get_pixels(cache, &pixels(value))
    }

    fn get_pixels(&self, cache: &Encodings, pixels: &Pixels) -> Vec<f32> {
        let device = Device::cpu().unwrap();
        let encode = |pixels: &Pixels| {
            self.calls.set(self.calls.get() + 1);
            let values = pixels.data.iter().chain(&pixels.data);
            let values = values.map(|x| x * self.factor).collect();
            Ok(SoftTokens::from_vec(values, [2, 3], &device))
        };
        cache
            .get(pixels, &device, &encode)
            .unwrap()
            .to_vec()
            .unwrap()
    }

    /// Encodings since the last call.
    fn calls(&self) -> usize {
        self.calls.replace(0)
    }
}

fn memory(bytes: usize) -> Encodings {
    Encodings::new(VisionCache::in_memory(bytes)).unwrap()
}

fn on_disk(folder: &Path, files: u64) -> Encodings {
    let options = VisionCache::in_memory(0).with_folder(folder, files * FILE);
    Encodings::new(options).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn an_image_is_encoded_once_and_another_for_itself() {
    let (cache, tower) = (memory(1 << 10), Tower::new(2.0));
    let first = tower.get(&cache, 1.0);
    assert_eq!(first, [0.5, 2.0, 1.0, 0.5, 2.0, 1.0]);
    assert_eq!(tower.get(&cache, 1.0), first);
    assert_eq!(tower.calls(), 1);
    assert_ne!(
        tower.get(&cache, 1.000_001),
        first,
        "one bit is another image"
    );
    assert_eq!(tower.calls(), 1);
    let told = cache.told();
    assert_eq!((told.images, told.memory), (2, 2 * EACH));
    assert_eq!(
        (told.from_memory, told.from_folder, told.encoded),
        (1, 0, 2)
    );
    cache.clear();
    assert_eq!(cache.told().memory, 0);
    tower.get(&cache, 1.0);
    assert_eq!(tower.calls(), 1, "it was forgotten");
}

#[test]
fn a_shape_is_part_of_what_an_image_is_known_by() {
    let (cache, tower) = (memory(1 << 10), Tower::new(2.0));
    let data = vec![0.1, 0.2, 0.3];
    for shape in [[3, 1, 1], [1, 3, 1], [1, 1, 3]] {
        let data = data.clone();
        tower.get_pixels(&cache, &Pixels { data, shape });
    }
    assert_eq!(tower.calls(), 3);
}

#[test]
fn memory_is_bounded_and_what_was_not_used_makes_room() {
    let (cache, tower) = (memory(2 * EACH), Tower::new(2.0));
    for value in [1.0, 2.0, 1.0, 3.0] {
        tower.get(&cache, value);
        assert!(cache.told().memory <= 2 * EACH);
    }
    tower.calls();
    for (value, calls) in [(1.0, 0), (3.0, 0), (2.0, 1)] {
        tower.get(&cache, value);
        assert_eq!(tower.calls(), calls, "{value}");
    }
    let (cache, tower) = (memory(EACH - 1), Tower::new(2.0));
    tower.get(&cache, 1.0);
    assert_eq!(cache.told().images, 0, "too large to be kept");
}

#[test]
fn the_next_process_finds_what_this_one_wrote() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("new/one");
    let tower = Tower::new(2.0);
    let first = tower.get(&on_disk(&place, 9), 1.0);
    assert_eq!(tower.calls(), 2, "the pattern and the image");
    let next = on_disk(&place, 9);
    assert_eq!(tower.get(&next, 1.0), first);
    assert_eq!(tower.calls(), 1, "the pattern");
    assert_eq!(next.told().from_folder, 1);
    let [file] = &files(&place)[..] else {
        panic!("one file");
    };
    assert_eq!(fs::metadata(file).unwrap().len(), FILE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file), mode(&place)), (0o600, 0o700));
    }
}

#[test]
fn another_model_finds_nothing() {
    let folder = TempDir::new().unwrap();
    Tower::new(2.0).get(&on_disk(folder.path(), 9), 1.0);
    let other = Tower::new(2.000_001);
    let cache = on_disk(folder.path(), 9);
    other.get(&cache, 1.0);
    assert_eq!((cache.told().from_folder, cache.told().encoded), (0, 1));
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn a_damaged_file_is_ignored_and_written_again() {
    let folder = TempDir::new().unwrap();
    let tower = Tower::new(2.0);
    let right = tower.get(&on_disk(folder.path(), 9), 1.0);
    let file = files(folder.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let mut damaged = vec![vec![], whole[..whole.len() - 1].to_vec()];
    damaged.push([&whole[..], b"x"].concat());
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        damaged.push(bytes);
    }
    for (index, bytes) in damaged.into_iter().enumerate() {
        fs::write(&file, bytes).unwrap();
        let cache = on_disk(folder.path(), 9);
        assert_eq!(tower.get(&cache, 1.0), right, "{index}");
        assert_eq!(cache.told().encoded, 1, "{index}");
        assert_eq!(fs::read(&file).unwrap(), whole, "{index}");
    }
    // A file under another's name is whole, and yet not the one.
    let cache = on_disk(folder.path(), 9);
    tower.get(&cache, 2.0);
    let second = files(folder.path())
        .into_iter()
        .find(|f| *f != file)
        .unwrap();
    fs::copy(&file, &second).unwrap();
    assert_eq!(tower.get(&on_disk(folder.path(), 9), 2.0)[1], 4.0);
}

#[test]
fn files_are_bounded_and_what_was_not_used_is_deleted() {
    let folder = TempDir::new().unwrap();
    let tower = Tower::new(2.0);
    let cache = on_disk(folder.path(), 2);
    let age = |seconds| SystemTime::now() - Duration::from_secs(seconds);
    let set_age = |path: &Path, seconds| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(age(seconds)).unwrap();
    };
    tower.get(&cache, 1.0);
    let first = files(folder.path()).remove(0);
    tower.get(&cache, 2.0);
    let second = files(folder.path())
        .into_iter()
        .find(|f| *f != first)
        .unwrap();
    set_age(&first, 200);
    set_age(&second, 100);
    // Reading makes young.
    tower.get(&cache, 1.0);
    let others = folder.path().join("notes.txt");
    fs::write(&others, [0; 4096]).unwrap();
    let part = |key: &str| folder.path().join(format!("{}.77.0.part", key.repeat(64)));
    let (stale, fresh) = (part("a"), part("b"));
    fs::write(&stale, "x").unwrap();
    set_age(&stale, 7200);
    fs::write(&fresh, "x").unwrap();
    tower.get(&cache, 3.0);
    assert!(first.exists() && !second.exists());
    assert!(others.exists() && fresh.exists(), "not ours to delete");
    assert!(!stale.exists(), "nobody finishes it");
    let soft = files(folder.path()).into_iter();
    let soft = soft.filter(|f| f.extension().is_some_and(|e| e == "soft"));
    assert_eq!(soft.count(), 2);

    // What does not fit at all deletes nothing.
    let small = VisionCache::in_memory(0).with_folder(folder.path(), FILE - 1);
    let small = Encodings::new(small).unwrap();
    tower.get(&small, 4.0);
    assert!(first.exists());
}

/// The folder may be one of downloads: what is older than anything here is deleted only by a name from here.
#[test]
fn files_of_other_programs_are_neither_counted_nor_deleted() {
    let folder = TempDir::new().unwrap();
    let (cache, tower) = (on_disk(folder.path(), 2), Tower::new(2.0));
    let key = "0a".repeat(32);
    let names = [
        "ubuntu.iso.part".to_owned(),
        "kitten.soft".to_owned(),
        format!("{key}.part"),
        format!("{key}.7.part"),
        format!("{key}.7.x.part"),
        format!("{key}..0.part"),
        format!("{key}.7.0.0.part"),
        format!("{key}.0.soft"),
        format!("{key}.soft.bak"),
        format!("{}.soft", &key[1..]),
        format!("{key}0.soft"),
        format!("{}.soft", key.to_uppercase()),
        format!("{}g.soft", &key[1..]),
    ];
    let others = names.map(|name| folder.path().join(name));
    for path in &others {
        fs::write(path, [0; 4096]).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        let day = Duration::from_secs(86_400);
        file.set_modified(SystemTime::now() - day).unwrap();
    }
    for value in [1.0, 2.0, 3.0] {
        tower.get(&cache, value);
    }
    for path in &others {
        assert!(path.exists(), "{}", path.display());
    }
    assert_eq!(files(folder.path()).len(), others.len() + 2);
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_and_one_that_vanishes_is_done_without() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let options = VisionCache::in_memory(0).with_folder(file.join("below"), 1 << 20);
    let error = Encodings::new(options).err().unwrap().to_string();
    assert!(
        error.contains("below") && error.contains("vision cache"),
        "{error}"
    );
    let place = folder.path().join("gone");
    let (cache, tower) = (on_disk(&place, 9), Tower::new(2.0));
    fs::remove_dir(&place).unwrap();
    assert_eq!(tower.get(&cache, 1.0)[1], 2.0);
}

/// What does not fit makes no room for itself, and what just fits is kept.
#[test]
fn memory_keeps_what_just_fits_and_gives_up_nothing_for_what_does_not() {
    let (cache, tower) = (memory(EACH), Tower::new(2.0));
    tower.get(&cache, 1.0);
    assert_eq!(cache.told().images, 1);
    let large = SoftTokens::from_vec(vec![0.0; 12], [4, 3], &Device::cpu().unwrap());
    cache.keep([7; 32], large, |_| ());
    tower.get(&cache, 1.0);
    assert_eq!((tower.calls(), cache.told().images), (1, 1));
}

#[test]
fn what_a_file_had_is_in_memory_afterwards() {
    let folder = TempDir::new().unwrap();
    let tower = Tower::new(2.0);
    for value in [1.0, 2.0] {
        tower.get(&on_disk(folder.path(), 9), value);
    }
    tower.calls();
    let options = VisionCache::in_memory(1 << 10).with_folder(folder.path(), 9 * FILE);
    let cache = Encodings::new(options).unwrap();
    for value in [1.0, 2.0, 1.0, 2.0, 3.0] {
        tower.get(&cache, value);
    }
    let told = cache.told();
    assert_eq!(
        (told.from_folder, told.from_memory, told.encoded),
        (2, 2, 1)
    );
    assert_eq!(tower.calls(), 2, "the pattern once, and the third image");
}

/// More numbers than are hashed at a time; the last alone is another.
#[test]
fn every_number_of_an_image_counts() {
    let cache = memory(1 << 20);
    let mut data = vec![0.5_f32; 5000];
    for at in [0, 4095, 4096, 4999] {
        data[at] = f32::from_bits(data[at].to_bits() + 1);
        let (data, shape) = (data.clone(), [1, 50, 100]);
        let key = super::key(&Pixels { data, shape });
        cache.keep(
            key,
            SoftTokens::from_vec(vec![0.0; 6], [2, 3], &Device::cpu().unwrap()),
            |_| (),
        );
    }
    assert_eq!(cache.told().images, 4);
}

/// As the head of `folder.rs` has it, and under a name that model, device and version are part of.
#[test]
fn a_file_is_laid_out_as_it_says() {
    let folder = TempDir::new().unwrap();
    let soft = Tower::new(2.0).get(&on_disk(folder.path(), 9), 1.0);
    let numbers =
        |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let sides = |sides: &[u64]| -> Vec<u8> { sides.iter().flat_map(|s| s.to_le_bytes()).collect() };
    let pattern: Vec<f32> = super::pattern([3, 1, 1]).data;
    let encoded: Vec<f32> = pattern.iter().chain(&pattern).map(|x| x * 2.0).collect();
    let device = Device::cpu().unwrap();
    let model = [
        b"medgemma vision model\0".as_slice(),
        env!("CARGO_PKG_VERSION").as_bytes(),
        b"\0",
        device.name().as_bytes(),
        &sides(&[2, 3]),
        &numbers(&encoded),
    ];
    let image = [
        b"medgemma pixels\0".as_slice(),
        &sides(&[3, 1, 1]),
        &numbers(&pixels(1.0).data),
    ];
    let hash = |parts: &[&[u8]]| blake3::hash(&parts.concat());
    let key = hash(&[hash(&model).as_bytes(), hash(&image).as_bytes()]);
    let file = folder.path().join(format!("{key}.soft"));
    let numbers = numbers(&soft);
    let checksum = blake3::hash(&numbers);
    let expected = [
        b"MGSOFT01".as_slice(),
        &sides(&[2, 3]),
        key.as_bytes(),
        checksum.as_bytes(),
        &numbers,
    ];
    assert_eq!(fs::read(file).unwrap(), expected.concat());
    assert!(pattern.iter().all(|x| (-1.0..=1.0).contains(x)) && pattern[0] != pattern[1]);
}

#[test]
fn the_oldest_file_goes_first_wherever_it_stands() {
    for oldest in 0..3 {
        let folder = TempDir::new().unwrap();
        let (cache, tower) = (on_disk(folder.path(), 3), Tower::new(2.0));
        for value in [1.0, 2.0, 3.0] {
            tower.get(&cache, value);
        }
        let mut all = files(folder.path());
        all.sort();
        for (at, path) in all.iter().enumerate() {
            let file = fs::File::options().write(true).open(path).unwrap();
            let age = Duration::from_secs(if at == oldest { 900 } else { 100 + at as u64 });
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        tower.get(&cache, 4.0);
        let kept: Vec<bool> = all.iter().map(|path| path.exists()).collect();
        let expected: Vec<bool> = (0..3).map(|at| at != oldest).collect();
        assert_eq!(kept, expected);
    }
}

/// A folder of just one file's bytes, and a place that is taken by something else.
#[test]
fn a_file_that_just_fits_is_written_and_of_one_that_cannot_nothing_is_left() {
    let folder = TempDir::new().unwrap();
    let tower = Tower::new(2.0);
    tower.get(&on_disk(folder.path(), 1), 1.0);
    let [file] = &files(folder.path())[..] else {
        panic!("one file");
    };
    fs::remove_file(file).unwrap();
    fs::create_dir(file).unwrap();
    fs::write(file.join("x"), "x").unwrap();
    assert_eq!(tower.get(&on_disk(folder.path(), 9), 1.0)[1], 2.0);
    assert_eq!(&files(folder.path()), std::slice::from_ref(file));
}
