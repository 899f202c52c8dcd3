"""How far each known fault moves the reference's own logits.

A golden that a fault moves by less than five tolerances proves nothing about that fault; the
generator refuses to write such a set. The table is what docs/parity.md quotes.
"""

import contextlib

import torch
from torch import nn
from transformers.models.gemma3 import modeling_gemma3 as gemma3

import taps
import tiny_tokenizer

TOLERANCE = 1e-4


@contextlib.contextmanager
def attribute(owner, name, value):
    """A patched attribute, restored after."""
    old = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


@contextlib.contextmanager
def data(*pairs):
    """Patched parameters or buffers, restored after."""
    old = [(tensor, tensor.detach().clone()) for tensor, _ in pairs]
    with torch.no_grad():
        for tensor, value in pairs:
            tensor.copy_(value)
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in old:
                tensor.copy_(value)


@contextlib.contextmanager
def several(*managers):
    """Many patches as one."""
    with contextlib.ExitStack() as stack:
        for manager in managers:
            stack.enter_context(manager)
        yield


def interleaved(x):
    """Rotary pairs as (0, 1), (2, 3)… in place of halves."""
    return torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)


def decoder_faults(model):
    """name -> context manager, for what both kinds of checkpoint have."""
    language = getattr(model.model, "language_model", model.model)
    config, layers, rope = language.config, language.layers, language.rotary_emb
    full, local = rope.full_attention_inv_freq, rope.sliding_attention_inv_freq
    attn = [layer.self_attn for layer in layers]
    norms = ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
             "post_feedforward_layernorm")
    faults = {
        "scale: head_dim in place of query_pre_attn_scalar":
            several(*[attribute(a, "scaling", a.head_dim ** -0.5) for a in attn]),
        "window + 1": attribute(config, "sliding_window", config.sliding_window + 1),
        "window - 1": attribute(config, "sliding_window", config.sliding_window - 1),
        "no window": attribute(config, "sliding_window", 10 ** 6),
        "rope bases exchanged": data((full, local.clone()), (local, full.clone())),
        "rope factor 8 left out": data((full, full * 8)),
        "rope factor 8 on local layers too": data((local, local / 8)),
        "rope factor 8 multiplied": data((full, full * 64)),
        "rope pairs interleaved": attribute(gemma3, "rotate_half", interleaved),
        "embedding scale left out": data((language.embed_tokens.embed_scale, torch.tensor(1.0))),
        "embedding scale rounded to bf16":
            data((language.embed_tokens.embed_scale, language.embed_tokens.embed_scale.bfloat16().float())),
        "final norm without 1 +": data((language.norm.weight, language.norm.weight - 1)),
        "query norm without 1 +": several(*[data((a.q_norm.weight, a.q_norm.weight - 1)) for a in attn]),
        "key norm without 1 +": several(*[data((a.k_norm.weight, a.k_norm.weight - 1)) for a in attn]),
        "query and key norms exchanged": several(*[
            data((a.q_norm.weight, a.k_norm.weight.clone()), (a.k_norm.weight, a.q_norm.weight.clone())) for a in attn]),
        "query rows reversed": several(*[data((a.q_proj.weight, a.q_proj.weight.flip(0))) for a in attn]),
        "key/value heads dealt out in turn": attribute(
            gemma3, "repeat_kv", lambda x, n: x.repeat(1, n, 1, 1)),
        "gelu exact in place of tanh": several(*[attribute(l.mlp, "act_fn", nn.GELU()) for l in layers]),
        "gate and up exchanged": several(*[data(
            (l.mlp.gate_proj.weight, l.mlp.up_proj.weight.clone()),
            (l.mlp.up_proj.weight, l.mlp.gate_proj.weight.clone())) for l in layers]),
        "global layers one too early": shifted_kinds(config, attn),
    }
    for name in norms:
        faults[f"{name} without 1 +"] = several(*[
            data((getattr(l, name).weight, getattr(l, name).weight - 1)) for l in layers])
    return faults


def shifted_kinds(config, attn):
    """Layer kinds moved by one place."""
    kinds = config.layer_types[1:] + config.layer_types[:1]
    return attribute(config, "layer_types", kinds)


def image_faults(model, ids, pixels, types):
    """name -> logits, for what only a multimodal prompt has."""
    tower, projector = model.model.vision_tower, model.model.multi_modal_projector
    run = lambda p=pixels, t=types: taps.forward(model, ids, p, t)[0]
    scale = float(model.model.language_model.embed_tokens.embed_scale)
    weight = projector.mm_input_projection_weight
    out = {"images causal": run(t=torch.zeros_like(types))}
    if pixels.shape[0] == 2:
        out["images in the wrong order"] = run(p=pixels.flip(0))
    patches = {
        "soft tokens scaled like text": data((weight, weight * scale)),
        "soft-embedding norm without 1 +":
            data((projector.mm_soft_emb_norm.weight, projector.mm_soft_emb_norm.weight - 1)),
        "vision gelu exact in place of tanh": several(*[
            attribute(l.mlp, "activation_fn", nn.GELU()) for l in tower.encoder.layers]),
        "vision scale left out": several(*[
            attribute(l.self_attn, "scale", 1.0) for l in tower.encoder.layers]),
        "vision value bias left out": several(*[
            data((l.self_attn.v_proj.bias, torch.zeros_like(l.self_attn.v_proj.bias))) for l in tower.encoder.layers]),
        "post_layernorm left out": attribute(tower, "post_layernorm", nn.Identity()),
        "patches read column by column": data((
            tower.embeddings.position_embedding.weight,
            tower.embeddings.position_embedding.weight.view(4, 4, -1).transpose(0, 1).flatten(0, 1))),
        "channels reversed (BGR)": data((
            tower.embeddings.patch_embedding.weight, tower.embeddings.patch_embedding.weight.flip(1))),
        "LayerNorm epsilon 1e-6": several(*[
            attribute(n, "eps", 1e-6) for l in tower.encoder.layers for n in (l.layer_norm1, l.layer_norm2)]),
        "post_layernorm epsilon 1e-6": attribute(tower.post_layernorm, "eps", 1e-6),
        "soft-embedding norm epsilon of the text model":
            attribute(projector.mm_soft_emb_norm, "eps", model.config.text_config.rms_norm_eps),
    }
    for name, patch in patches.items():
        with patch:
            out[name] = run()
    pooled = projector.avg_pool
    with attribute(projector, "avg_pool", nn.Sequential(pooled, Transposed())):
        out["soft tokens column by column"] = run()
    with attribute(gemma3, "sliding_window_overlay", block_outside_window(types)):
        out["image span allowed outside the window"] = run()
    whole = torch.where(types.cumsum(1) > 0, 1, 0) * (types.flip(1).cumsum(1).flip(1) > 0)
    out["bidirectional across images and the text between"] = run(t=whole)
    return out


def block_outside_window(types):
    """The older reading of the mask: (causal and window) or same image."""
    groups = gemma3.get_block_sequence_ids_for_mask(types)[0]

    def overlay(window):
        def inner(_batch, _head, query, key):
            same = (groups[query] >= 0) & (groups[query] == groups[key])
            return (key > query - window) | same
        return inner
    return overlay


class Transposed(nn.Module):
    """Rows and columns of the pooled grid exchanged."""

    def forward(self, x):
        return x.transpose(2, 3)


def change(right, wrong):
    """Largest difference relative to the golden's largest magnitude: the measure of `assert_close`."""
    return float((right - wrong).abs().max() / right.abs().max())


def report(name, rows, path):
    """Writes the table; a fault below five tolerances stops the generator."""
    rows = dict(sorted(rows.items()))
    failed = []
    for fault, by_prompt in rows.items():
        best = max(by_prompt.values())
        if best < 5 * TOLERANCE:
            failed.append((fault, best))
    assert not failed, (name, failed)
    tiny_tokenizer.dump(path, {"tolerance": TOLERANCE, "largest relative change of the logits": rows})


@torch.no_grad()
def multimodal(model, prompts, path, only=""):
    """The table of a multimodal checkpoint; `prompts` is name -> (ids, pixels, types)."""
    rows = {}
    for name, (ids, pixels, types) in prompts.items():
        right = taps.forward(model, ids, pixels, types)[0]
        for fault, patch in decoder_faults(model).items():
            with patch:
                rows.setdefault(fault, {})[name] = change(right, taps.forward(model, ids, pixels, types)[0])
        if pixels is not None:
            for fault, wrong in image_faults(model, ids, pixels, types).items():
                rows.setdefault(fault, {})[name] = change(right, wrong)
        assert torch.equal(right, taps.forward(model, ids, pixels, types)[0]), "a patch was not undone"
    report(path.stem, {fault: by for fault, by in rows.items() if only in fault}, path)


@torch.no_grad()
def text(model, prompts, path):
    """The table of a text-only checkpoint."""
    rows = {}
    for name, (ids, _, _) in prompts.items():
        right = taps.forward(model, ids)[0]
        for fault, patch in decoder_faults(model).items():
            with patch:
                rows.setdefault(fault, {})[name] = change(right, taps.forward(model, ids)[0])
        assert torch.equal(right, taps.forward(model, ids)[0]), "a patch was not undone"
    report(path.stem, rows, path)
