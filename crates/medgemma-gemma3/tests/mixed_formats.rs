//! Checkpoints that hold one matrix in f32 and the next in bf16: each layer caches what its own
//! weights ask for, as planned.

mod support;

use medgemma_gemma3::{Decoder, KvCache, RENAMES, TextConfig};
use medgemma_tensor::checkpoint::{Loader, SafetensorsDir, read_json};
use medgemma_tensor::{Arithmetic, Device, KvPrecision, vec_from};
use medgemma_testkit::{Scratch, Stored};
use support::decoder;

/// Of `mm-bf16`: eight layers, the sixth global; two heads of eight numbers; a window of six.
const LAYERS: usize = 8;
const GLOBAL: usize = 5;

/// `mm-bf16` with the matrices whose keys end in one of `wide` in f32.
fn mixed(wide: &[&str]) -> Scratch {
    Scratch::of("mm-bf16").edit(|tensors| {
        let keys: Vec<String> = tensors.keys().map(str::to_owned).collect();
        for end in wide {
            let end = format!("{end}.weight");
            let key = keys.iter().find(|key| key.ends_with(&end));
            let key = key.expect("the checkpoint has the matrix");
            let stored = tensors.remove(key);
            tensors.insert(key, Stored::from_f32(&stored.shape, &stored.to_f32()));
        }
    })
}

/// The layers with keys and values in f32, in a checkpoint with these matrices in f32.
fn wide_layers(wide: &[&str]) -> Vec<usize> {
    let device = Device::cpu().expect("the feature cpu is on");
    let scratch = mixed(wide);
    let decoder = decoder(scratch.path(), &device);
    let planned = planned(&scratch, &device);
    // Several lanes, a pass longer than a window, a token at a time.
    let mut caches = [decoder.new_cache(), decoder.new_cache()];
    for ids in [[5, 90], [17, 17], [300, 2]] {
        let [one, other] = &mut caches;
        let logits = decoder.decode(&ids, &mut [one, other]).expect("valid ids");
        let logits = vec_from(logits, "logits").expect("the device answers");
        assert!(logits.iter().all(|logit| logit.is_finite()), "{wide:?}");
    }
    // Slots by hand: 64, or a window of 6 and 32 more; keys and values of 2 heads of 8.
    let bytes = |layer: usize, number: usize| {
        let slots = if layer == GLOBAL { 64 } else { 38 };
        slots * 2 * 2 * 8 * number
    };
    let is_wide = |layer: &usize| planned[*layer] == Arithmetic::F32;
    let held = |layer| bytes(layer, if is_wide(&layer) { 4 } else { 2 });
    assert_eq!(
        caches[1].bytes(),
        (0..LAYERS).map(held).sum::<usize>(),
        "{wide:?}: planned {planned:?}"
    );
    let most = KvCache::planned_bytes(decoder.config(), 3, &planned, KvPrecision::AsWeights);
    let by_hand = |layer| 64 * 2 * 2 * 8 * if is_wide(&layer) { 4 } else { 2 };
    assert_eq!(most, (0..LAYERS).map(by_hand).sum::<u64>());
    (0..LAYERS).filter(is_wide).collect()
}

fn planned(scratch: &Scratch, device: &Device) -> Vec<Arithmetic> {
    let file = scratch.file("config.json");
    let json = read_json(&file).expect("the checkpoint has a config.json");
    let config = TextConfig::from_json(&file, "text_config.", &json["text_config"]);
    let source = SafetensorsDir::open(scratch.path()).expect("the checkpoint opens");
    let loader = Loader::new(&source, RENAMES, device).expect("names are unambiguous");
    let config = config.expect("the configuration is valid");
    Decoder::planned_arithmetic(&loader, &config).expect("readable")
}

#[test]
fn every_layer_caches_for_its_own_keys_and_values() {
    let none: [usize; 0] = [];
    assert_eq!(wide_layers(&[]), none);
    assert_eq!(wide_layers(&["layers.0.self_attn.k_proj"]), [0]);
    assert_eq!(wide_layers(&["layers.5.self_attn.v_proj"]), [5]);
    let both = ["layers.3.self_attn.k_proj", "layers.3.self_attn.v_proj"];
    assert_eq!(
        wide_layers(&[&both[..], &["layers.5.self_attn.k_proj"]].concat()),
        [3, 5]
    );
    let others = [
        "layers.0.self_attn.q_proj",
        "layers.0.self_attn.o_proj",
        "layers.2.mlp.up_proj",
    ];
    assert_eq!(wide_layers(&others), none);
}
