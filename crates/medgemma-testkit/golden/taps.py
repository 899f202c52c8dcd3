"""Stage taps of the reference: every value that a port computes on its way to the logits."""

import torch


def to_numpy(value):
    """First batch row where there is a batch of one, as contiguous float32."""
    return value.detach().float().contiguous().cpu()


def run(model, ids, pixels=None, types=None):
    """One full forward pass; returns {name: tensor} of every stage, batch axis of 1 removed."""
    found, handles = {}, []

    def keep(name, output=True):
        def hook(_module, args, kwargs, result):
            value = result if output else (args[0] if args else kwargs["hidden_states"])
            value = value[0] if isinstance(value, tuple) else value
            found[name] = to_numpy(value)
        return hook

    def tap(module, name, output=True):
        handles.append(module.register_forward_hook(keep(name, output), with_kwargs=True))

    language = getattr(model.model, "language_model", model.model)
    tap(language.layers[0], "embeddings", output=False)
    for index, layer in enumerate(language.layers):
        tap(layer, f"hidden.{index}")
    tap(language.norm, "final_norm")
    if pixels is not None:
        tower, projector = model.model.vision_tower, model.model.multi_modal_projector
        tap(tower.embeddings, "vision.embeddings")
        for index, layer in enumerate(tower.encoder.layers):
            tap(layer, f"vision.layer.{index}")
        tap(tower.post_layernorm, "vision.post_layernorm")
        tap(projector.mm_soft_emb_norm, "pooled", output=False)
        tap(projector.mm_soft_emb_norm, "pooled_norm")
        tap(projector, "soft_tokens")
    with torch.no_grad():
        found["logits"] = to_numpy(forward(model, ids, pixels, types))
    for handle in handles:
        handle.remove()
    one = {"embeddings", "final_norm", "logits"}
    return {k: v[0] if k in one or k.startswith("hidden.") else v for k, v in found.items()}


@torch.no_grad()
def forward(model, ids, pixels=None, types=None):
    """Logits [1, t, v] of a prompt without a cache; `types` marks soft tokens as the processor does."""
    kwargs = {}
    if pixels is not None:
        kwargs = {"pixel_values": pixels, "token_type_ids": types}
    return model(input_ids=ids, use_cache=False, **kwargs).logits


def greedy(model, ids, pixels, soft_id, steps):
    """Greedy continuation by full forward passes (no cache): ids, log-probabilities, top-2 gaps."""
    chosen, logprobs, gaps = [], [], []
    for _ in range(steps):
        types = (ids == soft_id).long()
        if soft_id in chosen:
            raise ValueError("the continuation holds an image soft token")
        if pixels is None:
            logits = forward(model, ids)[0, -1]
        else:
            types[:, ids.shape[1] - len(chosen):] = 0
            logits = forward(model, ids, pixels, types)[0, -1]
        top = logits.topk(2).values
        pick = int(logits.argmax())
        chosen.append(pick)
        logprobs.append(float(logits.double().log_softmax(-1)[pick]))
        gaps.append(float((top[0] - top[1]) / logits.abs().max()))
        ids = torch.cat([ids, torch.tensor([[pick]])], dim=1)
    return chosen, logprobs, gaps


def cached(model, ids, pixels, types, steps):
    """The same continuation by `generate` with its cache: must agree with `greedy`."""
    kwargs = {} if pixels is None else {"pixel_values": pixels, "token_type_ids": types}
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False,
                         top_k=None, top_p=None, max_new_tokens=steps, min_new_tokens=steps,
                         eos_token_id=None, pad_token_id=0, **kwargs)
    return out[0, ids.shape[1]:].tolist()
