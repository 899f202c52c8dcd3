//! The rotary embeddings of both layer types, from the keys of either dialect.

use medgemma_tensor::Result;
use medgemma_tensor::checkpoint::ConfigObject;

/// The rotary embedding of one layer type: frequencies `theta^(−2i/head_dim) / factor`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RopeParameters {
    /// Base of the frequencies.
    pub theta: f64,
    /// Linear scaling: positions advance this much slower. 1 for none.
    pub factor: f64,
}

/// `default_theta` of the reference.
const THETA_FULL: f64 = 1_000_000.0;
const THETA_SLIDING: f64 = 10_000.0;

/// Both rotary embeddings: full, then sliding. Keys without meaning go to `unknown`.
///
/// As in the reference, `rope_scaling` overrides `rope_parameters.full_attention` key by key, and
/// the bases of the 2025 dialect stand in where `rope_parameters` gives none.
pub(super) fn rope(
    raw: &mut ConfigObject<'_>,
    unknown: &mut Vec<String>,
) -> Result<(RopeParameters, RopeParameters)> {
    let theta_full = raw.positive("rope_theta", THETA_FULL)?;
    let theta_sliding = raw.positive("rope_local_base_freq", THETA_SLIDING)?;
    let mut full = Vec::new();
    let mut sliding = Vec::new();
    if let Some(mut scaling) = raw.object("rope_scaling")? {
        for key in ["full_attention", "sliding_attention"] {
            if scaling.some(key).is_some() {
                // The reference would drop it and scale nothing.
                return Err(scaling.error(key, "nothing: layer types belong to `rope_parameters`"));
            }
        }
        let named = scaling.some("rope_type").is_some();
        if !named && !matches!(scaling.text("type")?, None | Some("default")) {
            return Err(scaling.error(
                "type",
                "the key `rope_type` (transformers 4 obeys `type`, transformers 5 ignores it)",
            ));
        }
        full.push(scaling);
    }
    let mut flat = None;
    if let Some(mut parameters) = raw.object("rope_parameters")? {
        full.extend(parameters.object("full_attention")?);
        sliding.extend(parameters.object("sliding_attention")?);
        flat = Some(parameters);
    }
    let full = one_rope(full, theta_full, unknown)?;
    let sliding = one_rope(sliding, theta_sliding, unknown)?;
    if let Some(parameters) = flat {
        refuse_flat(parameters, full, unknown)?;
    }
    Ok((full, sliding))
}

/// The embedding that `objects` describe, the first having the last word; with none of them the
/// plain one with base `theta`.
fn one_rope(
    mut objects: Vec<ConfigObject<'_>>,
    theta: f64,
    unknown: &mut Vec<String>,
) -> Result<RopeParameters> {
    let mut rope = RopeParameters { theta, factor: 1.0 };
    let (mut kind, mut scaled) = ("default", false);
    for object in objects.iter_mut().rev() {
        rope.theta = object.positive("rope_theta", rope.theta)?;
        let named = object.text("type")?;
        kind = object.text("rope_type")?.or(named).unwrap_or(kind);
        if object.positive("partial_rotary_factor", 1.0)? != 1.0 {
            return Err(object.error("partial_rotary_factor", "1: Gemma 3 rotates whole heads"));
        }
        scaled |= object.get("factor").is_some();
        rope.factor = object.positive("factor", rope.factor)?;
    }
    let Some(object) = objects.first() else {
        return Ok(rope);
    };
    match kind {
        "default" if rope.factor == 1.0 => {}
        "default" => {
            return Err(object.error("rope_type", "`linear`, since there is a `factor`"));
        }
        "linear" if scaled => {}
        "linear" => return Err(object.error("factor", "a positive number for `linear`")),
        _ => return Err(object.error("rope_type", "`default` or `linear`")),
    }
    unknown.extend(objects.iter().flat_map(ConfigObject::unknown));
    Ok(rope)
}

/// The reference ignores parameters that are not filed under a layer type: an error unless `full`
/// says the same.
fn refuse_flat(
    mut flat: ConfigObject<'_>,
    full: RopeParameters,
    unknown: &mut Vec<String>,
) -> Result<()> {
    let nested = "its values under `full_attention` and `sliding_attention`";
    let same_theta = flat.positive("rope_theta", full.theta)? == full.theta;
    if !same_theta {
        return Err(flat.error("rope_theta", nested));
    }
    if flat.positive("factor", full.factor)? != full.factor {
        return Err(flat.error("factor", nested));
    }
    for key in ["rope_type", "type"] {
        let scaled = !matches!(flat.text(key)?, None | Some("default"));
        if scaled && full.factor == 1.0 {
            return Err(flat.error(key, nested));
        }
    }
    unknown.extend(flat.unknown());
    Ok(())
}
