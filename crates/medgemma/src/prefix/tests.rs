//! What is kept, found and given up, with prompts and pictures of known sizes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::OnceLock;

use medgemma_gemma3::{DEFAULT_CHUNK, KvCache, Segment};
use medgemma_image::Pixels;
use medgemma_tensor::{Device, vec_from};
use medgemma_testkit::Scratch;
use serde_json::json;

use super::PrefixCache;
use crate::model::{Model, SoftTokens};

/// Stands for an image in the ids.
const SOFT: u32 = 7;

/// A model whose window is longer than the prompts, and soft tokens of some picture.
fn model() -> &'static (Model, SoftTokens) {
    static MODEL: OnceLock<(Model, SoftTokens)> = OnceLock::new();
    MODEL.get_or_init(|| {
        let scratch = Scratch::of("mm-2025").edit_json("config.json", |config| {
            config["text_config"]["sliding_window"] = json!(200);
        });
        let device = Device::cpu().unwrap();
        let model = Model::load(scratch.path(), &device, crate::LoadOptions::default()).unwrap();
        let size = model
            .config()
            .multimodal
            .as_ref()
            .unwrap()
            .vision
            .image_size;
        let shape = [3, size, size];
        let data = vec![0.5; shape.iter().product()];
        let soft = model.encode(&Pixels { data, shape }).unwrap();
        (model, soft)
    })
}

/// A cache that has read `rows` positions; of what changes nothing here.
fn read(rows: usize) -> KvCache {
    let mut cache = model().0.decoder().new_cache();
    read_on(&vec![9; rows], &mut cache);
    cache
}

/// Reads more ids; the logits after them.
fn read_on(ids: &[u32], cache: &mut KvCache) -> Vec<f32> {
    let ids = [Segment::Tokens(ids.to_vec())];
    let decoder = model().0.decoder();
    let logits = decoder.prefill(&ids, cache, DEFAULT_CHUNK, &mut |_, _| true);
    vec_from(logits.unwrap().unwrap(), "logits").unwrap()
}

/// Ids of `common` equal tokens and some that end in `tag`.
fn prompt(common: usize, tag: u32) -> Vec<u32> {
    let mut ids = vec![20; common];
    ids.extend([tag; 10]);
    ids
}

fn pixels(value: f32) -> Pixels {
    let data = vec![0.0, 0.0, 0.0, 0.0, 0.0, value];
    let shape = [3, 1, 2];
    Pixels { data, shape }
}

/// What a picture and its soft tokens take.
fn picture_bytes() -> usize {
    let [rows, width] = model().1.dims();
    (6 + rows * width) * size_of::<f32>()
}

fn prefixes(limit: usize) -> PrefixCache {
    PrefixCache::new(limit, Some(SOFT))
}

fn keep(prefixes: &PrefixCache, ids: &[u32]) {
    prefixes.keep(ids, &[], read(ids.len()));
}

/// Positions of a prompt that are found read.
fn found(prefixes: &PrefixCache, ids: &[u32], images: &[Pixels]) -> usize {
    let pictures: Vec<_> = images.iter().map(|image| prefixes.picture(image)).collect();
    let cache = prefixes.start(ids, &pictures).cache;
    cache.map_or(0, |cache| cache.len())
}

/// What is held of one prompt of `rows` ids.
fn prompt_bytes(rows: usize) -> usize {
    read(rows).bytes() + rows * size_of::<u32>()
}

#[test]
fn thirty_two_tokens_are_worth_sharing() {
    for (common, expected) in [(31, 0), (32, 32), (33, 33)] {
        let prefixes = prefixes(1 << 20);
        keep(&prefixes, &prompt(common, 30));
        assert_eq!(prefixes.bytes(), prompt_bytes(common + 10));
        assert_eq!(found(&prefixes, &prompt(common, 40), &[]), expected);
    }
}

#[test]
fn each_picture_is_compared_with_the_one_in_its_place() {
    let prefixes = prefixes(1 << 20);
    let soft = &model().1;
    let each = soft.dims()[0];
    let pictures = [1.0, 2.0, 3.0].map(|x| prefixes.keep_picture(pixels(x), soft.clone()));
    let image = vec![SOFT; each];
    let ids = [&[20; 40][..], &image, &[21; 5], &image, &[22; 5]].concat();
    let [a, b, _] = &pictures;
    prefixes.keep(&ids, &[a.clone(), b.clone()], read(ids.len()));
    let to_second = 40 + each + 5;
    for (images, expected) in [
        ([1.0, 2.0], ids.len() - 1),
        ([1.0, 3.0], to_second),
        ([1.0, 1.0], to_second),
        ([2.0, 2.0], 40),
        ([2.0, 1.0], 40),
    ] {
        let images = images.map(pixels);
        assert_eq!(found(&prefixes, &ids, &images), expected, "{images:?}");
    }
}

#[test]
fn a_picture_is_known_by_every_number_and_its_shape() {
    let prefixes = prefixes(1 << 20);
    prefixes.keep_picture(pixels(1.0), model().1.clone());
    assert!(prefixes.picture(&pixels(1.0)).is_some());
    assert!(prefixes.picture(&pixels(2.0)).is_none());
    let mut turned = pixels(1.0);
    turned.shape = [3, 2, 1];
    assert!(prefixes.picture(&turned).is_none());
}

#[test]
fn a_prompt_that_was_begun_anew_stays_and_the_one_not_used_makes_room() {
    let [a, b, c] = [20, 21, 22].map(|id| vec![id; 50]);
    let prefixes = prefixes(prompt_bytes(50) * 5 / 2);
    keep(&prefixes, &a);
    keep(&prefixes, &b);
    let other = [&a[..40], &[30; 10]].concat();
    assert_eq!(found(&prefixes, &other, &[]), 40);
    keep(&prefixes, &c);
    let found = [&a, &b, &c].map(|ids| found(&prefixes, ids, &[]));
    assert_eq!(found, [49, 0, 49]);
}

#[test]
fn what_is_too_large_drives_nothing_out() {
    let small = vec![20; 40];
    let prefixes = prefixes(prompt_bytes(40) + picture_bytes() / 2);
    keep(&prefixes, &small);
    keep(&prefixes, &[21; 190]);
    assert_eq!(found(&prefixes, &small, &[]), 39);
    let mut large = pixels(1.0);
    large.data = vec![1.0; 1 << 18];
    prefixes.keep_picture(large.clone(), model().1.clone());
    assert!(prefixes.picture(&large).is_none());
    assert_eq!(found(&prefixes, &small, &[]), 39);
}

#[test]
fn pictures_and_prompts_make_room_in_the_order_of_their_last_use() {
    let soft = || model().1.clone();
    let each = soft().dims()[0];
    let (picture, rows) = (picture_bytes(), 40 + each);
    let held =
        |prefixes: &PrefixCache| [1.0, 2.0, 3.0].map(|x| prefixes.picture(&pixels(x)).is_some());

    let cache = prefixes(picture * 5 / 2);
    for x in [1.0, 2.0] {
        cache.keep_picture(pixels(x), soft());
    }
    assert!(cache.picture(&pixels(1.0)).is_some(), "used again");
    cache.keep_picture(pixels(3.0), soft());
    assert_eq!(held(&cache), [true, false, true]);

    // A picture older than a prompt goes before it.
    let text = vec![20; rows];
    let cache = prefixes(prompt_bytes(rows) + picture * 3 / 2);
    cache.keep_picture(pixels(1.0), soft());
    keep(&cache, &text);
    cache.keep_picture(pixels(2.0), soft());
    assert_eq!(held(&cache), [false, true, false]);
    assert_eq!(found(&cache, &text, &[]), rows - 1);

    // One that a prompt shows goes after it, and a younger one too.
    let cache = prefixes(prompt_bytes(rows) + 3 * picture - 1);
    let shown = cache.keep_picture(pixels(1.0), soft());
    let ids = [&text[..40], &vec![SOFT; each]].concat();
    cache.keep(&ids, &[shown], read(rows));
    for x in [2.0, 3.0] {
        cache.keep_picture(pixels(x), soft());
    }
    assert_eq!(held(&cache), [true; 3]);
    assert_eq!(found(&cache, &ids, &[pixels(1.0)]), 0);
}

#[test]
fn a_prompt_brings_the_pictures_that_it_shows_and_no_others() {
    let each = model().1.dims()[0];
    let ids = [&[20; 40][..], &vec![SOFT; each], &[21; 3]].concat();
    let prefixes = prefixes(1 << 20);
    let picture = prefixes.keep_picture(pixels(1.0), model().1.clone());
    prefixes.clear();
    prefixes.keep(&ids, std::slice::from_ref(&picture), read(40));
    assert_eq!(prefixes.bytes(), prompt_bytes(40), "it is not read yet");
    prefixes.keep(&ids, &[picture], read(ids.len()));
    assert_eq!(found(&prefixes, &ids, &[pixels(1.0)]), ids.len() - 1);
}

#[test]
fn a_short_prompt_that_begins_as_a_long_one_holds_no_more_than_alone() {
    let prefixes = prefixes(1 << 20);
    let decoder = model().0.decoder();
    let long = [[20; 32].as_slice(), &[21; 158]].concat();
    let short = [[20; 32].as_slice(), &[22; 8]].concat();
    let mut whole = decoder.new_cache();
    read_on(&long, &mut whole);
    prefixes.keep(&long, &[], whole);

    let mut cache = prefixes.start(&short, &[]).cache.unwrap();
    assert_eq!(cache.len(), 32);
    let mut alone = decoder.new_cache();
    read_on(&short[..32], &mut alone);
    let mut kept = false;
    for ids in [&short[32..], &[23], &[24, 25, 26], &[27; 40], &[28]] {
        let [found, expected] = [&mut cache, &mut alone].map(|cache| read_on(ids, cache));
        let most = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) <= 1e-3 * most, "after {ids:?}");
        let [found, expected] = [&cache, &alone].map(KvCache::bytes);
        assert!(found <= 2 * expected, "{found} bytes, {expected} alone");
        if !kept {
            prefixes.keep(&short, &[], cache.clone());
            kept = true;
        }
    }
    let most = prompt_bytes(190) + 2 * prompt_bytes(40);
    assert!(prefixes.bytes() <= most, "{} bytes", prefixes.bytes());
}

#[test]
fn of_prompts_that_share_as_much_the_smaller_is_begun_from() {
    let [small, large] = [[&[20; 40][..], &[21; 10]], [&[20; 40], &[22; 140]]].map(|x| x.concat());
    for order in [[&small, &large], [&large, &small]] {
        let prefixes = prefixes(1 << 20);
        order.iter().for_each(|ids| keep(&prefixes, ids));
        let begun = [&[20; 40][..], &[23; 10]].concat();
        let cache = prefixes.start(&begun, &[]).cache.unwrap();
        assert_eq!((cache.len(), cache.bytes()), (40, read(50).bytes()));
        // The other one was not used, and makes room.
        prefixes.lock().shrink(prompt_bytes(180));
        let left = [&small, &large].map(|ids| found(&prefixes, ids, &[]));
        assert_eq!(left, [49, 40]);
    }
}

#[test]
fn a_prompt_that_another_was_preferred_to_was_not_used() {
    let ids = |common: usize, tag: u32| [vec![20; common], vec![tag; 50 - common]].concat();
    let [less, none, more] = [ids(33, 21), ids(0, 22), ids(40, 23)];
    let prefixes = prefixes(1 << 20);
    for ids in [&less, &none, &more] {
        keep(&prefixes, ids);
    }
    assert_eq!(found(&prefixes, &ids(40, 24), &[]), 40);
    prefixes.lock().shrink(2 * prompt_bytes(50));
    let left = [&less, &none, &more].map(|ids| found(&prefixes, ids, &[]));
    assert_eq!(left, [33, 49, 49]);
}

/// A conversation that encoded a picture before it was forgotten, and one that encoded it again.
#[test]
fn a_picture_is_kept_once_and_prefixes_are_found_by_it() {
    let (_, soft) = model();
    let cache = PrefixCache::new(1 << 30, Some(SOFT));
    let first = cache.keep_picture(pixels(0.5), soft.clone());
    cache.clear();
    let second = cache.keep_picture(pixels(0.5), soft.clone());
    let one = cache.bytes();
    let mut ids = vec![20; 10];
    ids.extend(vec![SOFT; soft.dims()[0]]);
    ids.extend([20; 40]);
    let rows = ids.len();
    cache.keep(&ids, &[first], read(rows));
    let prefix = read(rows).bytes() + rows * 4;
    assert_eq!(cache.bytes(), one + prefix);
    ids.push(21);
    let start = cache.start(&ids, &[Some(second)]);
    assert_eq!(start.cache.map(|cache| cache.len()), Some(rows));
}
