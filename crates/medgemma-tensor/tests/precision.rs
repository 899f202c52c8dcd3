//! Quantising while loading: what is held in which format, and the cache file.

use std::path::Path;

use medgemma_tensor::checkpoint::{Loader, Precision, Quantize, SafetensorsDir};
use medgemma_tensor::{Backend, Device, Error, FloatFormat, Format, Tensor, Weight, ops, vec_from};
use safetensors::tensor::{Dtype, TensorView};

const TABLE: &[Quantize] = &[Quantize::layers("layers."), Quantize::embeddings("table")];

/// Numbers that no format holds exactly.
fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| {
            let x = (i * 7919 % 1009) as f32;
            (x / 504.5 - 1.0) * 0.37
        })
        .collect()
}

fn write(dir: &Path, factor: f32) {
    let bytes = |count| -> Vec<u8> {
        let scaled = numbers(count).into_iter().map(|x| x * factor);
        scaled.flat_map(f32::to_le_bytes).collect()
    };
    let (layer, table, other, odd) = (bytes(5 * 64), bytes(6 * 256), bytes(3 * 64), bytes(4 * 7));
    let view = |shape: [usize; 2], data| TensorView::new(Dtype::F32, shape.to_vec(), data);
    let views = [
        ("layers.w", view([5, 64], &layer)),
        ("table", view([6, 256], &table)),
        ("vision.w", view([3, 64], &other)),
        ("layers.odd", view([4, 7], &odd)),
    ];
    let views = views.map(|(name, view)| (name, view.expect("values fill the shape")));
    safetensors::serialize_to_file(views, None, &dir.join("model.safetensors")).expect("writable");
}

/// The four matrices, loaded in `precision`.
fn load(dir: &Path, precision: Precision, cache: Option<&Path>) -> [Weight; 4] {
    let device = Device::cpu().expect("the feature cpu is on");
    let source = SafetensorsDir::open(dir).expect("sound files");
    let mut loader = Loader::new(&source, &[], &device)
        .expect("distinct names")
        .with_precision(precision, TABLE);
    if let Some(path) = cache {
        loader = loader.with_cache(path.to_path_buf()).expect("readable");
    }
    let planned = loader.held_bytes();
    let names = ["layers.w", "table", "vision.w", "layers.odd"];
    let arithmetic = names.map(|name| loader.arithmetic(name).expect("readable"));
    let mut scope = loader.scope("");
    let mut weight = |name, shape| scope.weight(name, shape).expect("it is there");
    let weights = [
        weight("layers.w", [5, 64]),
        weight("table", [6, 256]),
        weight("vision.w", [3, 64]),
        weight("layers.odd", [4, 7]),
    ];
    loader.finish().expect("everything is taken");
    let held: usize = weights.iter().map(Weight::bytes).sum();
    assert_eq!(
        held as u64, planned,
        "{precision}: the plan is what is held"
    );
    for (weight, planned) in weights.iter().zip(arithmetic) {
        assert_eq!(planned, Some(weight.arithmetic()), "{precision}");
    }
    weights
}

/// All numbers of a weight as f32.
fn values(weight: &Weight) -> Vec<f32> {
    let device = Device::cpu().expect("the feature cpu is on");
    let rows = u32::try_from(weight.dims()[0]).expect("few rows");
    let ids: Vec<u32> = (0..rows).collect();
    vec_from(ops::embed_rows(weight, &ids, &device), "rows").expect("readable")
}

#[test]
fn each_precision_holds_the_matrices_of_its_table_and_no_others() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let bytes = |precision| load(dir.path(), precision, None).map(|weight| weight.bytes());
    let (other, odd) = (3 * 64 * 4, 4 * 7 * 4);
    assert_eq!(
        bytes(Precision::AsIs),
        [5 * 64 * 4, 6 * 256 * 4, other, odd]
    );
    assert_eq!(
        bytes(Precision::Bf16),
        [5 * 64 * 2, 6 * 256 * 2, other, 4 * 7 * 2]
    );
    assert_eq!(bytes(Precision::Int8), [5 * 2 * 34, 6 * 8 * 34, other, odd]);
    assert_eq!(bytes(Precision::Int4), [5 * 2 * 18, 6 * 210, other, odd]);
}

#[test]
fn numbers_stay_within_half_a_step_of_their_format() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let exact = load(dir.path(), Precision::AsIs, None).map(|weight| values(&weight));
    // Half a step: bf16 2⁻⁹ of the next power of two, 0.5; Q8_0 1/254, Q4_0 1/16 and Q6_K 1/64 of a block's largest
    // (0.37 here), the last two with room for a scale that was chosen for the sum of all errors.
    for (precision, layer, table) in [
        (Precision::Bf16, 0.5 / 512.0, 0.5 / 512.0),
        (Precision::Int8, 0.37 / 250.0, 0.37 / 250.0),
        (Precision::Int4, 0.37 / 7.0, 0.37 / 30.0),
    ] {
        let found = load(dir.path(), precision, None).map(|weight| values(&weight));
        for (index, limit) in [(0, layer), (1, table), (2, 0.0)] {
            let far = exact[index]
                .iter()
                .zip(&found[index])
                .fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(far <= limit, "{precision} matrix {index}: {far} > {limit}");
            assert!(
                index == 2 || far > limit / 100.0,
                "{precision}: nothing was rounded"
            );
        }
    }
}

#[test]
fn a_cache_is_used_while_it_fits_and_made_again_when_it_does_not() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let cache = dir.path().join("medgemma-int4.cache");
    write(dir.path(), 1.0);
    let plain = load(dir.path(), Precision::Int4, None).map(|weight| values(&weight));
    let cached = |precision| load(dir.path(), precision, Some(&cache)).map(|w| values(&w));
    assert_eq!(cached(Precision::Int4), plain);
    let made = std::fs::read(&cache).expect("the cache was written");
    assert_eq!(cached(Precision::Int4), plain, "read back");
    assert_eq!(
        std::fs::read(&cache).expect("still there"),
        made,
        "not written again"
    );

    // A number changed inside of the file shows that the rows do come from it.
    std::fs::write(&cache, forged(&made)).expect("writable");
    assert_ne!(cached(Precision::Int4), plain, "the file is what is read");

    // Truncated, foreign, or of another precision: made again, never an error.
    for broken in [&made[..made.len() / 2], b"not a cache", b""] {
        std::fs::write(&cache, broken).expect("writable");
        assert_eq!(cached(Precision::Int4), plain);
        assert_eq!(std::fs::read(&cache).expect("written"), made);
    }
    let int8 = load(dir.path(), Precision::Int8, None).map(|weight| values(&weight));
    assert_eq!(cached(Precision::Int8), int8);

    // Other weights under the same name.
    write(dir.path(), 0.5);
    let halved = load(dir.path(), Precision::Int8, None).map(|weight| values(&weight));
    assert_eq!(cached(Precision::Int8), halved);
    assert_ne!(halved, int8);
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(left.len(), 2, "no scratch file stays: {left:?}");
}

#[test]
fn blocks_that_fit_are_chosen_and_blocks_of_a_file_are_left() {
    use Precision::{AsIs, Bf16, Int4, Int8};
    for (precision, layer, table, narrow_table) in [
        (AsIs, Format::F16, Format::F16, Format::F16),
        (Bf16, Format::Bf16, Format::Bf16, Format::Bf16),
        (Int8, Format::Q8_0, Format::Q8_0, Format::Q8_0),
        (Int4, Format::Q4_0, Format::Q6K, Format::Q8_0),
    ] {
        assert_eq!(precision.target(Format::F16, 256, false), layer);
        assert_eq!(precision.target(Format::F16, 256, true), table);
        assert_eq!(precision.target(Format::F16, 96, true), narrow_table);
        let odd = precision.target(Format::F16, 9, true);
        assert_eq!(
            odd,
            if precision == Bf16 {
                Format::Bf16
            } else {
                Format::F16
            }
        );
        for stored in [Format::Q4K, Format::Q8_0] {
            assert_eq!(precision.target(stored, 256, false), stored, "{precision}");
        }
    }
}

#[test]
fn f16_is_rounded_to_bf16_and_what_was_published_is_remembered() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let f16 = [0x3C01_u16, 0xC2A5, 0x0001, 0x7BFF].map(u16::to_le_bytes);
    let f16 = f16.concat().repeat(8);
    let view = TensorView::new(Dtype::F16, vec![1, 32], &f16).expect("values fill the shape");
    let path = dir.path().join("model.safetensors");
    safetensors::serialize_to_file([("layers.w", view)], None, &path).expect("writable");
    let source = SafetensorsDir::open(dir.path()).expect("sound files");
    let device = Device::cpu().expect("the feature cpu is on");
    let weight = |precision| {
        let loader = Loader::new(&source, &[], &device).expect("distinct names");
        let mut loader = loader.with_precision(precision, TABLE);
        let weight = loader.scope("layers").weight("w", [1, 32]);
        let weight = weight.expect("it is there");
        assert_eq!(weight.published(), FloatFormat::F16, "{precision}");
        weight
    };
    // 1 + 2⁻¹⁰, −3.322…, 2⁻²⁴ and 65504, each to 8 bits.
    let rounded = values(&weight(Precision::Bf16));
    assert_eq!(rounded[..4], [1.0, -3.328_125, 5.960_464_5e-8, 65536.0]);
    assert_eq!(weight(Precision::Int8).bytes(), 34);
    assert_eq!(weight(Precision::Int4).bytes(), 18);
    assert_eq!(weight(Precision::AsIs).bytes(), 64);
}

#[test]
fn as_is_writes_no_cache() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let cache = dir.path().join("cache");
    write(dir.path(), 1.0);
    load(dir.path(), Precision::AsIs, Some(&cache));
    assert!(!cache.exists());
}

/// Says of a file that it was changed at another time, which a fast test cannot wait for.
fn touch(path: &Path, seconds: u64) {
    let file = std::fs::File::options().append(true).open(path);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let set = file.expect("writable").set_modified(time);
    set.expect("the system can");
}

/// A cache with another last number, and the checksum that belongs to it.
fn forged(made: &[u8]) -> Vec<u8> {
    let mut bytes = made.to_vec();
    let last = bytes.len() - 3;
    bytes[last] ^= 0x55;
    let table = |file: &[u8]| {
        let file = safetensors::SafeTensors::deserialize(file).expect("sound");
        let mut tensors = file.iter();
        let entry = tensors.find(|(name, _)| name.starts_with("table "));
        let (name, view) = entry.expect("the last entry");
        format!("{:08x} {name}", crc32fast::hash(view.data()))
    };
    let (old, new) = (table(made), table(&bytes));
    replace(&mut bytes, &old, &new);
    bytes
}

/// The checkpoint and a cache of it whose last number was changed: who reads that can be told.
struct Marked {
    dir: tempfile::TempDir,
    cache: std::path::PathBuf,
    plain: [Vec<f32>; 4],
    made: Vec<u8>,
}

impl Marked {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a scratch folder");
        write(dir.path(), 1.0);
        let cache = dir.path().join("cache");
        let plain = load(dir.path(), Precision::Int4, Some(&cache)).map(|weight| values(&weight));
        let made = std::fs::read(&cache).expect("the cache was written");
        let marked = Self {
            dir,
            cache,
            plain,
            made,
        };
        marked.mark(|_| ());
        assert!(!marked.is_made_again(), "the file is what is read");
        marked
    }

    /// Writes the cache with another last number, changed otherwise by `change`.
    fn mark(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = forged(&self.made);
        change(&mut bytes);
        std::fs::write(&self.cache, bytes).expect("writable");
    }

    /// Whether loading takes no notice of the cache, and leaves a sound one.
    fn is_made_again(&self) -> bool {
        let found = load(self.dir.path(), Precision::Int4, Some(&self.cache)).map(|w| values(&w));
        let sound = std::fs::read(&self.cache).expect("still there") == self.made;
        assert_eq!(found == self.plain, sound);
        sound
    }
}

/// `from` becomes `to`, as long, in the header of a cache.
fn replace(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|w| w == from.as_bytes());
    let at = at.expect("the header says so");
    bytes[at..][..to.len()].copy_from_slice(to.as_bytes());
}

#[test]
fn a_cache_of_another_version_precision_or_file_is_made_again() {
    for (from, to) in [
        ("5 int4", "4 int4"),
        ("5 int4", "5 int8"),
        ("model.safetensors", "other.safetensors"),
    ] {
        let marked = Marked::new();
        marked.mark(|bytes| replace(bytes, from, to));
        assert!(marked.is_made_again(), "{from} for {to}");
    }
    // Longer, but said to be of the same time, as a copy that keeps times may be.
    let marked = Marked::new();
    let path = marked.dir.path().join("model.safetensors");
    let old = std::fs::metadata(&path).expect("it is there");
    let bytes = std::fs::read(&path).expect("readable");
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    let (header, data) = rest.split_at(usize::try_from(length).expect("short"));
    let padded = [header, b"        "].concat();
    let longer = [&(length + 8).to_le_bytes()[..], &padded, data].concat();
    std::fs::write(&path, longer).expect("writable");
    let time = old.modified().expect("the system tells");
    let file = std::fs::File::options()
        .append(true)
        .open(&path)
        .expect("writable");
    file.set_modified(time).expect("the system can");
    let found = load(marked.dir.path(), Precision::Int4, Some(&marked.cache));
    assert_eq!(found.map(|weight| values(&weight)), marked.plain);
}

#[test]
fn weights_of_one_size_and_time_are_told_apart_by_their_content() {
    // As where the layers of a container's image have all times set to one.
    let dir = tempfile::tempdir().expect("a scratch folder");
    let (model, cache) = (
        dir.path().join("model.safetensors"),
        dir.path().join("cache"),
    );
    let write_at = |factor| {
        write(dir.path(), factor);
        touch(&model, 1_000_000);
        std::fs::metadata(&model).expect("it is there").len()
    };
    let cached = || load(dir.path(), Precision::Int8, Some(&cache)).map(|w| values(&w));
    let plain = || load(dir.path(), Precision::Int8, None).map(|w| values(&w));
    let length = write_at(1.0);
    let first = cached();
    assert_eq!(write_at(0.5), length);
    assert_ne!(plain(), first);
    assert_eq!(
        cached(),
        plain(),
        "the cache is of the weights that were there before"
    );

    // A number at the end of one matrix, beyond what is read of its beginning, is enough.
    write_at(1.0);
    cached();
    let sound = std::fs::read(&model).expect("readable");
    let view = safetensors::SafeTensors::deserialize(&sound).expect("sound");
    let last_of = view
        .tensor("table")
        .expect("it is there")
        .data()
        .as_ptr_range()
        .end;
    let at = last_of.addr() - sound.as_ptr().addr() - 1;
    let mut tuned = sound.clone();
    tuned[at] ^= 0x80;
    std::fs::write(&model, tuned).expect("writable");
    touch(&model, 1_000_000);
    assert_ne!(plain(), first);
    assert_eq!(cached(), plain());
}

#[test]
fn a_damaged_matrix_in_the_cache_is_quantised_again() {
    let marked = Marked::new();
    let file = safetensors::SafeTensors::deserialize(&marked.made).expect("sound");
    for name in ["layers.w", "table"] {
        let entry = file
            .iter()
            .find(|(key, _)| key.split(' ').next() == Some(name));
        let data = entry.expect("it is there").1.data();
        let begin = data.as_ptr().addr() - marked.made.as_ptr().addr();
        for at in [begin, begin + data.len() / 2, begin + data.len() - 1] {
            let mut bytes = marked.made.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&marked.cache, bytes).expect("writable");
            assert!(marked.is_made_again(), "byte {at} of {name}");
        }
    }
}

#[test]
fn what_killed_loads_have_left_is_removed_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let cache = dir.path().join("cache");
    let left = [".cache.0123456789abcdef", ".cache.fedcba9876543210"];
    let others = [
        ".cache.0123456789abcdef0",
        ".cache.0123456789abcdeg",
        ".cache.notes",
        ".cache2.0123456789abcdef",
        "cache.0123456789abcdef",
    ];
    for name in left.iter().chain(&others) {
        std::fs::write(dir.path().join(name), "half of it").expect("writable");
    }
    std::fs::create_dir(dir.path().join(".cache.aaaaaaaaaaaaaaaa")).expect("writable");
    let being_written = std::fs::File::open(dir.path().join(left[1])).expect("it is there");
    being_written.lock().expect("the system can");
    load(dir.path(), Precision::Int4, Some(&cache));
    let there = |name: &&str| dir.path().join(name).exists();
    assert_eq!(left.each_ref().map(there), [false, true]);
    assert!(others.iter().all(there));
    // The next load finds a cache that fits, and makes room all the same.
    drop(being_written);
    load(dir.path(), Precision::Int4, Some(&cache));
    assert!(!there(&left[1]));
    assert!(others.iter().all(there) && there(&".cache.aaaaaaaaaaaaaaaa"));
}

#[test]
fn loads_at_once_leave_one_sound_cache() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let cache = dir.path().join("cache");
    let plain = load(dir.path(), Precision::Int4, None).map(|weight| values(&weight));
    for _ in 0..5 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let found = load(dir.path(), Precision::Int4, Some(&cache));
                    assert_eq!(found.map(|weight| values(&weight)), plain);
                });
            }
        });
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 2);
        let before = std::fs::read(&cache).expect("it was written");
        load(dir.path(), Precision::Int4, Some(&cache));
        assert_eq!(std::fs::read(&cache).expect("still there"), before);
        std::fs::remove_file(&cache).expect("it is there");
    }
}

#[test]
#[cfg(unix)]
fn a_cache_may_be_read_by_whom_the_weights_may() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let (model, cache) = (
        dir.path().join("model.safetensors"),
        dir.path().join("cache"),
    );
    for mode in [0o644, 0o640, 0o444] {
        std::fs::set_permissions(&model, Permissions::from_mode(mode)).expect("ours");
        load(dir.path(), Precision::Int4, Some(&cache));
        let found = std::fs::metadata(&cache)
            .expect("it was written")
            .permissions();
        assert_eq!(found.mode() & 0o777, mode, "{mode:o}");
        std::fs::remove_file(&cache).expect("it is there");
    }
}

/// What a device without half precision holds is what its plan says, too.
#[test]
fn numbers_that_are_widened_are_planned_as_wide() {
    const POSITIONS: &str = "vision.position_embedding.weight";
    let dir = tempfile::tempdir().expect("a scratch folder");
    let bf16 = |count| -> Vec<u8> {
        let rounded = numbers(count).into_iter().map(half::bf16::from_f32);
        rounded.flat_map(half::bf16::to_le_bytes).collect()
    };
    let [layer, other, norm, probe, positions] = [5 * 64, 3 * 64, 7, 9, 2 * 11].map(bf16);
    let view = |shape: &[usize], data| {
        TensorView::new(Dtype::BF16, shape.to_vec(), data).expect("values fill the shape")
    };
    let views = [
        ("layers.w", view(&[5, 64], &layer)),
        ("vision.w", view(&[3, 64], &other)),
        ("vision.norm", view(&[7], &norm)),
        ("vision.probe", view(&[1, 1, 9], &probe)),
        (POSITIONS, view(&[2, 11], &positions)),
    ];
    let path = dir.path().join("model.safetensors");
    safetensors::serialize_to_file(views, None, &path).expect("writable");
    let source = SafetensorsDir::open(dir.path()).expect("sound files");
    let devices: Vec<Device> =
        medgemma_testkit::devices(|error| matches!(error, Error::BackendNotCompiled { .. }));
    for device in devices {
        let bytes = match device.backend() {
            Backend::Cpu => 2,
            Backend::NdArray => 4,
            _ => continue,
        };
        for precision in [Precision::AsIs, Precision::Bf16, Precision::Int8] {
            let loader = Loader::new(&source, &[], &device).expect("distinct names");
            let mut loader = loader.with_precision(precision, TABLE);
            let (planned, mapped) = (loader.held_bytes(), loader.mapped_bytes());
            let mut scope = loader.scope("");
            let [layer, other] = [("layers.w", 5), ("vision.w", 3)].map(|(name, rows)| {
                scope.weight(name, [rows, 64]).expect("it is there").bytes() as u64
            });
            let norm = scope.vector("vision.norm", 7).expect("it is there");
            let probe: Tensor<3> = scope.tensor("vision.probe", [1, 1, 9]).expect("there");
            let positions: Tensor<2> = scope.tensor(POSITIONS, [2, 11]).expect("it is there");
            let widened = held(&norm) + held(&probe) + held(&positions);
            assert_eq!(planned, layer + other + widened, "{device:?} {precision}");
            assert_eq!(other, 3 * 64 * bytes);
            let blocks = precision == Precision::Int8;
            // What is widened is a copy, and counts as such.
            let in_place = if blocks { other } else { layer + other };
            assert_eq!(mapped, if bytes == 2 { in_place } else { 0 });
            assert_eq!(layer, if blocks { 5 * 2 * 34 } else { 5 * 64 * bytes });
        }
    }
}

/// Bytes of the numbers of a tensor.
fn held<const D: usize>(tensor: &Tensor<D>) -> u64 {
    (tensor.shape().num_elements() * tensor.dtype().size()) as u64
}

#[test]
fn every_file_of_a_checkpoint_counts() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let cache = dir.path().join("cache");
    let second = dir.path().join("z.safetensors");
    let index = |name: &str, file: &str| format!("\"{name}\": \"{file}\"");
    let write_second = |factor: f32| {
        let scaled = numbers(2 * 32).into_iter().map(|x| x * factor);
        let bytes: Vec<u8> = scaled.flat_map(f32::to_le_bytes).collect();
        let view = TensorView::new(Dtype::F32, vec![2, 32], &bytes).expect("it fits");
        safetensors::serialize_to_file([("layers.z", view)], None, &second).expect("writable");
    };
    write_second(1.0);
    std::fs::rename(
        dir.path().join("model.safetensors"),
        dir.path().join("a.safetensors"),
    )
    .expect("writable");
    let names =
        ["layers.w", "table", "vision.w", "layers.odd"].map(|name| index(name, "a.safetensors"));
    let map = [&names[..], &[index("layers.z", "z.safetensors")]]
        .concat()
        .join(", ");
    let index = format!("{{\"metadata\": {{}}, \"weight_map\": {{{map}}}}}");
    std::fs::write(dir.path().join("model.safetensors.index.json"), index).expect("writable");
    let cached = |cached: bool| {
        let device = Device::cpu().expect("the feature cpu is on");
        let source = SafetensorsDir::open(dir.path()).expect("sound files");
        let mut loader = Loader::new(&source, &[], &device)
            .expect("distinct names")
            .with_precision(Precision::Int8, TABLE);
        if cached {
            loader = loader.with_cache(cache.clone()).expect("readable");
        }
        for prefix in ["layers.w", "layers.odd", "table", "vision"] {
            loader.ignore(prefix, "not asked for here");
        }
        let weight = loader
            .scope("")
            .weight("layers.z", [2, 32])
            .expect("it is there");
        loader.finish().expect("everything is taken");
        values(&weight)
    };
    assert_eq!(cached(true), cached(false));
    write_second(0.5);
    touch(&second, 1_000_000);
    assert_eq!(
        cached(true),
        cached(false),
        "the second file is another one"
    );
}

#[test]
fn an_entry_of_another_length_is_made_again_and_the_others_stay() {
    let marked = Marked::new();
    let file = safetensors::SafeTensors::deserialize(&marked.made).expect("sound");
    let header = safetensors::SafeTensors::read_metadata(&marked.made).expect("sound");
    let entries: Vec<_> = file
        .iter()
        .map(|(name, view)| {
            let data = view.data();
            let kept = if name == "table" {
                &data[..data.len() / 2]
            } else {
                data
            };
            let view = TensorView::new(Dtype::U8, vec![kept.len()], kept);
            (name.to_owned(), view.expect("bytes"))
        })
        .collect();
    assert_eq!(entries.len(), 2);
    let metadata = header.1.metadata().clone();
    safetensors::serialize_to_file(entries, metadata, &marked.cache).expect("writable");
    assert!(marked.is_made_again());
}

#[test]
fn a_cache_that_fits_is_not_written_again() {
    let marked = Marked::new();
    std::fs::write(&marked.cache, &marked.made).expect("writable");
    touch(&marked.cache, 1_000_000);
    let time = || {
        let metadata = std::fs::metadata(&marked.cache).expect("it is there");
        metadata.modified().expect("the system tells")
    };
    let before = time();
    assert!(marked.is_made_again(), "it is sound");
    assert_eq!(time(), before);
}

#[test]
fn a_new_cache_is_another_file_than_the_one_in_use() {
    // A model that is running has the old one mapped; a second name holds it here.
    let marked = Marked::new();
    std::fs::write(&marked.cache, &marked.made).expect("writable");
    let in_use = marked.dir.path().join("in-use");
    std::fs::hard_link(&marked.cache, &in_use).expect("writable");
    let path = marked.dir.path().join("model.safetensors");
    write(marked.dir.path(), 0.5);
    touch(&path, 1_000_000);
    load(marked.dir.path(), Precision::Int4, Some(&marked.cache));
    let read = |path| std::fs::read(path).expect("it is there");
    assert!(read(&marked.cache) != marked.made, "it was made again");
    assert!(read(&in_use) == marked.made, "the one in use is untouched");
}

#[test]
fn a_cache_that_cannot_be_written_costs_no_load_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let taken = dir.path().join("a-folder");
    std::fs::create_dir(&taken).expect("writable");
    let device = Device::cpu().expect("the feature cpu is on");
    let source = SafetensorsDir::open(dir.path()).expect("sound files");
    let mut loader = Loader::new(&source, &[], &device)
        .expect("distinct names")
        .with_precision(Precision::Int4, TABLE)
        .with_cache(taken.clone())
        .expect("readable");
    loader
        .scope("layers")
        .weight("w", [5, 64])
        .expect("it is there");
    for prefix in ["table", "vision", "layers.odd"] {
        loader.ignore(prefix, "not asked for here");
    }
    let report = loader.finish().expect("the model does not need the file");
    assert_eq!(report.tensors, 1);
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 2);
    assert!(taken.is_dir());
    // A folder that is not there, or that nobody may write to, which tests that run as root cannot make.
    let nowhere = dir.path().join("nowhere").join("cache");
    let plain = load(dir.path(), Precision::Int4, None).map(|weight| values(&weight));
    let found = load(dir.path(), Precision::Int4, Some(&nowhere));
    assert_eq!(found.map(|weight| values(&weight)), plain);
}

/// This test calls itself with a limit to the size of files. Beyond it a write fails like one to a disk that is
/// full, midway, where the signal that tells of it is ignored.
#[test]
#[cfg(unix)]
fn a_disk_that_is_full_costs_no_load_and_leaves_nothing() {
    const NAME: &str = "a_disk_that_is_full_costs_no_load_and_leaves_nothing";
    const FOLDER: &str = "MEDGEMMA_TEST_FULL_DISK";
    if let Some(dir) = std::env::var_os(FOLDER) {
        let dir = Path::new(&dir);
        let plain = load(dir, Precision::Int4, None).map(|weight| values(&weight));
        let found = load(dir, Precision::Int4, Some(&dir.join("cache")));
        assert_eq!(found.map(|weight| values(&weight)), plain);
        let left = std::fs::read_dir(dir).expect("readable").count();
        assert_eq!(left, 1, "the weights alone");
        return;
    }
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let limited = "trap '' XFSZ && ulimit -f 1 && exec \"$0\" \"$@\"";
    let output = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().expect("the system tells"))
        .args(["--exact", NAME])
        .env(FOLDER, dir.path())
        .output()
        .expect("a shell");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
}

#[test]
fn names_are_read_back_and_a_wrong_one_lists_them() {
    for precision in [
        Precision::AsIs,
        Precision::Bf16,
        Precision::Int8,
        Precision::Int4,
    ] {
        assert_eq!(precision.name().parse::<Precision>().ok(), Some(precision));
    }
    let error = "int5".parse::<Precision>().expect_err("no such precision");
    assert!(error.to_string().contains("int8"), "{error}");
}
