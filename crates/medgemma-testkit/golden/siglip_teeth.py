"""How far each known fault of SigLIP ports moves the reference's own embeddings and logits.

As in teeth.py: a fault that moves them by less than five tolerances would go unnoticed, and the
generator refuses to write such a golden.
"""

import torch
from torch import nn
from transformers.models.siglip import modeling_siglip as siglip

import teeth
from teeth import TOLERANCE, attribute, change, data, several


@torch.no_grad()
def forward(model, ids, pixels, interpolate=False):
    """Unit embeddings and logits; `attention_mask` is never given, as in the reference's own use."""
    out = model(input_ids=ids, pixel_values=pixels, interpolate_pos_encoding=interpolate)
    return {key: getattr(out, key) for key in ("image_embeds", "text_embeds", "logits_per_image")}


def pooling_faults(model):
    """name -> patch of the attention-pooling head."""
    head = model.vision_model.head
    weight, bias = head.attention.in_proj_weight, head.attention.in_proj_bias
    d = head.probe.shape[-1]

    def order(*parts):
        return data((weight, torch.cat([weight[p * d:(p + 1) * d] for p in parts])),
                    (bias, torch.cat([bias[p * d:(p + 1) * d] for p in parts])))

    heads = head.attention.num_heads
    dealt = weight[2 * d:].view(heads, d // heads, d).transpose(0, 1).flatten(0, 1)
    # the scale d^(-1/2) of one wide head: the queries' part is multiplied by the ratio of the two
    ratio = (1 / heads) ** 0.5
    scaled = torch.cat([weight[:d] * ratio, weight[d:]]), torch.cat([bias[:d] * ratio, bias[d:]])
    return {
        "probe left out": data((head.probe, torch.zeros_like(head.probe))),
        "in_proj read as q, v, k": order(0, 2, 1),
        "in_proj read as k, q, v": order(1, 0, 2),
        "in_proj read as v, k, q": order(2, 1, 0),
        "in_proj bias left out": data((bias, torch.zeros_like(bias))),
        "pooling scale d^-1/2 in place of h^-1/2": data((weight, scaled[0]), (bias, scaled[1])),
        "lanes of the pooling heads in turn": data((weight, torch.cat([weight[:2 * d], dealt]))),
        "residual of the pooling head from the probe": attribute(head, "forward", residual_of_probe(head)),
        "residual of the pooling head left out": attribute(head, "forward", without_residual(head)),
        "layernorm of the pooling head left out": attribute(head, "layernorm", nn.Identity()),
        "layernorm epsilon 1e-6 in the pooling head": attribute(head.layernorm, "eps", 1e-6),
        "MLP of the pooling head left out": attribute(head, "mlp", Zero()),
        "mean of the patches in place of the head": attribute(head, "forward", lambda x: x.mean(1)),
        "first patch in place of the head": attribute(head, "forward", lambda x: x[:, 0]),
        "last norm of the vision tower left out": attribute(model.vision_model, "post_layernorm", nn.Identity()),
    }


class Zero(nn.Module):
    """Nothing is added."""

    def forward(self, x):
        return torch.zeros_like(x)


def residual_of_probe(head):
    """The residual is the query in place of the attention's result."""
    def inner(x):
        probe = head.probe.repeat(x.shape[0], 1, 1)
        attended = head.attention(probe, x, x)[0]
        return (probe + head.mlp(head.layernorm(attended)))[:, 0]
    return inner


def without_residual(head):
    """MLP(LN(x)) alone."""
    def inner(x):
        attended = head.attention(head.probe.repeat(x.shape[0], 1, 1), x, x)[0]
        return head.mlp(head.layernorm(attended))[:, 0]
    return inner


def text_faults(model):
    """name -> patch of the text tower."""
    text = model.text_model
    positions = text.embeddings.position_embedding.weight
    layers = text.encoder.layers
    return {
        "text positions left out": data((positions, torch.zeros_like(positions))),
        "text positions off by one": data((positions, positions.roll(-1, 0))),
        "text positions in reverse": data((positions, positions.flip(0))),
        "final_layer_norm left out": attribute(text, "final_layer_norm", nn.Identity()),
        "final_layer_norm epsilon 1e-6": attribute(text.final_layer_norm, "eps", 1e-6),
        "epsilon of the vision tower in the text tower": several(*[
            attribute(n, "eps", 2e-2) for l in layers for n in (l.layer_norm1, l.layer_norm2)]),
        "bias of the text head left out": data((text.head.bias, torch.zeros_like(text.head.bias))),
        "text gelu exact in place of tanh": several(*[
            attribute(l.mlp, "activation_fn", nn.GELU()) for l in layers]),
        "text scale left out": several(*[attribute(l.self_attn, "scale", 1.0) for l in layers]),
    }


def masked(model, ids, pixels, mask):
    """The text tower with an attention mask."""
    out = model(input_ids=ids, pixel_values=pixels, attention_mask=mask)
    return {key: getattr(out, key) for key in ("image_embeds", "text_embeds", "logits_per_image")}


def causal(model, ids, pixels):
    """The text tower as a decoder."""
    t = ids.shape[1]
    mask = torch.full((t, t), float("-inf")).triu(1)[None, None]
    with attribute(siglip, "create_bidirectional_mask", lambda **_: mask):
        return forward(model, ids, pixels)


def pooled_elsewhere(model, ids, pixels, place):
    """The text pooled at `place(row)` in place of the last position."""
    kept = {}
    hook = model.text_model.final_layer_norm.register_forward_hook(
        lambda _m, _a, result: kept.__setitem__("x", result))
    right = forward(model, ids, pixels)
    hook.remove()
    rows = torch.stack([x[place(row)] for x, row in zip(kept["x"], ids)])
    pooled = model.text_model.head(rows)
    text = pooled / pooled.norm(dim=-1, keepdim=True)
    logits = right["image_embeds"] @ text.T * model.logit_scale.exp() + model.logit_bias
    return {"image_embeds": right["image_embeds"], "text_embeds": text, "logits_per_image": logits}


def one_after_the_other(model, ids, pixels):
    """All texts of a batch in one sequence that attends to itself as a whole."""
    text = model.text_model
    x = text.embeddings(input_ids=ids).flatten(0, 1)[None]
    x = text.final_layer_norm(text.encoder(inputs_embeds=x).last_hidden_state)[0]
    pooled = text.head(x.view(*ids.shape, -1)[:, -1])
    right = forward(model, ids, pixels)
    unit = pooled / pooled.norm(dim=-1, keepdim=True)
    logits = right["image_embeds"] @ unit.T * model.logit_scale.exp() + model.logit_bias
    return {"image_embeds": right["image_embeds"], "text_embeds": unit, "logits_per_image": logits}


def contrast_faults(model, right):
    """name -> logits from the same embeddings, put together wrongly."""
    cosine = right["image_embeds"] @ right["text_embeds"].T
    scale, bias = model.logit_scale, model.logit_bias
    return {
        "exp of logit_scale left out": cosine * scale + bias,
        "logit_scale left out": cosine + bias,
        "logit_bias left out": cosine * scale.exp(),
        "logit_bias subtracted": cosine * scale.exp() - bias,
        "bias before the scale": (cosine + bias) * scale.exp(),
    }


def interpolation_faults(model, ids, pixels):
    """name -> result, for images of another size."""
    plain = nn.functional.interpolate
    side = 4
    positions = model.vision_model.embeddings.position_embedding.weight

    def run(**other):
        def patched(x, size, mode, align_corners):
            args = {"size": size, "mode": mode, "align_corners": align_corners, **other}
            if args["mode"] == "nearest":
                args.pop("align_corners")
            return plain(x, **args)
        with attribute(siglip.nn.functional, "interpolate", patched):
            return forward(model, ids, pixels, True)

    transposed = positions.view(side, side, -1).transpose(0, 1).flatten(0, 1)
    with data((positions, transposed)):
        columns = forward(model, ids, pixels, True)
    return {
        "positions bilinear": run(mode="bilinear"),
        "positions nearest": run(mode="nearest"),
        "positions with align_corners": run(align_corners=True),
        "positions antialiased": run(antialias=True),
        "cubic of Catmull and Rom in place of -0.75": keys_cubic(model, ids, pixels),
        "position grid column by column": columns,
    }


def keys_cubic(model, ids, pixels):
    """A cubic kernel with a = -0.5, as Pillow's and the antialiased one of torch have it."""
    def resize(x, size, mode, align_corners):
        def matrix(out, count):
            at = (torch.arange(out) + 0.5) * (count / out) - 0.5
            m = torch.zeros(out, count)
            for i, centre in enumerate(at.tolist()):
                first = int(torch.floor(torch.tensor(centre)))
                for tap in range(first - 1, first + 3):
                    t, a = abs(centre - tap), -0.5
                    w = ((a + 2) * t - (a + 3)) * t * t + 1 if t <= 1 else (((t - 5) * t + 8) * t - 4) * a
                    m[i, min(max(tap, 0), count - 1)] += w
            return m
        return torch.einsum("ya,xb,ncab->ncyx", matrix(size[0], x.shape[2]), matrix(size[1], x.shape[3]), x)
    with attribute(siglip.nn.functional, "interpolate", resize):
        return forward(model, ids, pixels, True)


@torch.no_grad()
def table(model, ids, pixels, larger, path):
    """fault -> how far it moves what it can move: embeddings or logits."""
    right = forward(model, ids, pixels)
    rows = {}

    def add(fault, wrong, against=right):
        rows[fault] = {key: change(against[key], wrong[key]) for key in against if not torch.equal(against[key], wrong[key])}
        assert rows[fault], fault

    for fault, patch in {**pooling_faults(model), **text_faults(model)}.items():
        with patch:
            wrong = forward(model, ids, pixels)
        add(fault, wrong)
    add("attention mask on the padding", masked(model, ids, pixels, (ids != 1).long()))
    add("attention mask on the padding but the first", masked(model, ids, pixels, shifted_mask(ids)))
    add("causal text", causal(model, ids, pixels))
    add("first position pooled", pooled_elsewhere(model, ids, pixels, lambda row: 0))
    add("end of the text pooled", pooled_elsewhere(model, ids, pixels, end))
    add("position before the last pooled", pooled_elsewhere(model, ids, pixels, lambda row: -2))
    add("texts of a batch see each other", one_after_the_other(model, ids, pixels))
    add("texts padded with 0", forward(model, torch.where(ids == 1, 0, ids), pixels))
    for fault, logits in contrast_faults(model, right).items():
        add(fault, {**right, "logits_per_image": logits})
    other = forward(model, ids, larger, True)
    for fault, wrong in interpolation_faults(model, ids, larger).items():
        add(fault, wrong, other)
    again = forward(model, ids, pixels)
    assert all(torch.equal(right[key], again[key]) for key in right), "a patch was not undone"
    teeth.report(path.stem, rows, path)


def end(row):
    """The first padding, which is the end of the text; the last position where there is none."""
    return next((i for i, one in enumerate(row.tolist()) if one == 1), len(row) - 1)


def shifted_mask(ids):
    """A mask that lets the end of each text be seen."""
    mask = torch.zeros_like(ids)
    for row, one in zip(mask, ids):
        row[:end(one) + 1] = 1
    return mask
