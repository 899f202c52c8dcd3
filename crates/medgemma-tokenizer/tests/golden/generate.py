"""Writes the tiny tokenizer and the goldens of this crate's tests.

Run: python generate.py   (transformers 5.23.0, tokenizers as installed with it, torchvision, numpy, Pillow)
Writes beside itself: tokenizer.json (a Gemma-format tokenizer trained on the text below, which was written for this
purpose) and goldens.json (ids, decoded texts, conversations and image prompts as the reference makes them).
"""

import json
import pathlib
import random

import numpy
import tokenizers
import transformers
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Gemma3ImageProcessor, Gemma3Processor, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
SEED = 20261124
HEAD = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]"]
THOUGHT = ["<unused94>", "<unused95>"]
TURNS = ["<start_of_turn>", "<end_of_turn>"]
IMAGE = ["<start_of_image>", "<end_of_image>"]
SOFT = "<image_soft_token>"
NEWLINES = ["\n" * n for n in range(1, 9)]
SPACES = ["\u2581" * n for n in range(2, 5)]
SPECIAL = {"<pad>", "<eos>", "<bos>", "<unk>", *TURNS, *IMAGE, SOFT}

TEXT = """
user model thought
Describe the image. Describe this X-ray in English. What does the picture show? What do you see?
You are an expert radiologist. You are a helpful medical assistant.
Here is the original image and here are some crops to help you see better
No acute findings. There is no pneumothorax and no pleural effusion. The heart is of normal size.
The lungs are clear. There is a small opacity in the left lower lobe. The right lung is clear.
The image shows a chest radiograph of an adult in frontal view. The ribs and the spine are intact.
This is a slice of a head CT in axial view. The ventricles are of normal width, the midline is in place.
This is a magnetic resonance image of the shoulder. The tendon of the supraspinatus muscle is intact.
This is a photograph of the retina. The optic disc is sharp, the macula has no drusen.
This is tissue of the colon, stained with haematoxylin and eosin. The glands are regular.
This is an ultrasound image with colour Doppler. Flow is towards the probe.
The picture shows a radiograph of an ankle. A fracture line is not seen. Compare both sides before reading it.
The finding needs confirmation by a physician. This answer is not for clinical use without verification.
La radiographie montre un poumon clair. Das Herz ist normal gro\u00df. \u80ba\u708e \u5fc3\u810f
How do you tell a bacterial from a viral pneumonia? Look at the history, the laboratory and the image together.
The user asks for the findings, so the model lists them one by one and then sums them up.
"""


def build():
    """Trains the merges, then lays the vocabulary out as Gemma's: specials, runs, bytes, pieces, image markers."""
    words = " ".join(TEXT.split()).replace(" ", "\u2581")
    trained = Tokenizer(models.BPE())
    # As Gemma's: a space begins a piece, digits and punctuation stand alone.
    trained.pre_tokenizer = pre_tokenizers.Split(Regex("\u2581?\\w+|\u2581|[^\\w]"), "isolated")
    trained.train_from_iterator([words], trainers.BpeTrainer(vocab_size=520, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].get)

    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    order = [*HEAD, *THOUGHT, *TURNS, *NEWLINES, *SPACES, *bytes_, *pieces, *"0123456789", *IMAGE]
    vocab = {}
    for token in order:
        vocab.setdefault(token, len(vocab))
    tokenizer = Tokenizer(
        models.BPE(vocab=vocab, merges=[tuple(m) for m in model["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    bos = vocab["<bos>"]
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing("<bos> $A", "<bos> $A <bos> $B", [("<bos>", bos)])
    added = [*HEAD, *THOUGHT, *TURNS, *NEWLINES, *SPACES, *IMAGE, SOFT]
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=t in SPECIAL) for t in added])
    # Settings that a reader must ignore.
    tokenizer.enable_truncation(7)
    tokenizer.enable_padding(pad_id=0, pad_token="<pad>", length=64)
    text = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
    (HERE / "tokenizer.json").write_text(text + "\n", encoding="utf-8")


def reference():
    # transformers would take these two settings over from the file.
    plain = json.loads((HERE / "tokenizer.json").read_text(encoding="utf-8")) | {"truncation": None, "padding": None}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(plain)), bos_token="<bos>", eos_token="<eos>", pad_token="<pad>",
        unk_token="<unk>", extra_special_tokens={"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": SOFT},
    )
    tokenizer.chat_template = (HERE / "chat_template.jinja").read_text(encoding="utf-8")
    return tokenizer


def conversations():
    text = lambda t: {"type": "text", "text": t}
    image = {"type": "image"}
    return [
        [{"role": "user", "content": "Describe this X-ray"}],
        [{"role": "user", "content": [text("Describe the image in English"), image]}],
        [{"role": "user", "content": [image, text(" \n What do you see?\u00a0\u3000")]}],
        [{"role": "system", "content": " You are an expert radiologist. "}, {"role": "user", "content": "\x1c\x1f hi \x85\u2028"}],
        [
            {"role": "system", "content": [text("SYSTEM INSTRUCTION: think silently if needed. ")]},
            {"role": "user", "content": [text("a "), image, text(" b"), text(" c "), image]},
            {"role": "assistant", "content": [text(" No acute findings.\n\n")]},
            {"role": "user", "content": "\u200b And the heart? \ufeff"},
        ],
        [{"role": "user", "content": []}, {"role": "assistant", "content": ""}],
        [{"role": "user", "content": "<bos> <end_of_turn>"}, {"role": "assistant", "content": "\t\u180e\x0b\x0c\r"}],
    ]


def chats(tokenizer):
    rows = []
    for messages in conversations():
        for prompt in (False, True):
            rendered = tokenizer.apply_chat_template(messages, add_generation_prompt=prompt, tokenize=False)
            rows.append({"messages": messages, "add_generation_prompt": prompt, "text": rendered})
    return rows


def encodings(tokenizer):
    texts = [
        "", " ", "  ", "\n", "\n\n\n", "a\n\n\nb", "No acute findings.", " The  lungs\u2581are clear.", "\u80ba\u708e 12345", "\u00e9\U0001f600\u00e9",
        "<bos>x<eos>", "<start_of_turn>user\nDescribe this X-ray<end_of_turn>\n<start_of_turn>model\n",
        "<unused94>thought\nOk<unused95>No pneumothorax.", "<unk><mask>[multimodal]<pad>", "<start_of_imag", "\t\x00\r\n", "<0x41>",
    ]
    texts += [row["text"] for row in chats(tokenizer)]
    return [{"text": t, "ids": tokenizer.encode(t, add_special_tokens=False)} for t in texts]


def decodings(tokenizer):
    random.seed(SEED)
    byte0 = tokenizer.convert_tokens_to_ids("<0x00>")
    spelt = lambda text: [byte0 + b for b in text.encode()]
    size = len(tokenizer)
    rows = [[], spelt("\u80ba"), spelt("\u80ba")[:2], spelt("\u80ba") + [byte0 + 0xFF], spelt("\u80ba") + [2] + spelt("\u708e"), [size, size + 5]]
    rows.append(spelt("\u80ba")[:1] + [2] + spelt("\u80ba")[1:])
    for _ in range(40):
        pools = [range(size), range(byte0, byte0 + 256), spelt("\u80ba\u708e\U0001f600")]
        rows.append([random.choice(random.choice(pools)) for _ in range(random.randrange(1, 24))])
    backend = tokenizer.backend_tokenizer
    return [
        {"ids": ids, "kept": backend.decode(ids, skip_special_tokens=False), "skipped": backend.decode(ids, skip_special_tokens=True)}
        for ids in rows
    ]


def images(tokenizer):
    """Image prompts through the whole processor, with and without pan & scan."""
    small = Gemma3ImageProcessor(size={"height": 28, "width": 28}, image_seq_length=4, pan_and_scan_min_crop_size=256,
                                 pan_and_scan_max_num_crops=4, pan_and_scan_min_ratio_to_activate=1.2)
    processor = Gemma3Processor(image_processor=small, tokenizer=tokenizer, image_seq_length=4)
    picture = lambda w, h: Image.fromarray(numpy.zeros((h, w, 3), dtype=numpy.uint8))
    turn = "<bos><start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n"
    cases = [
        (turn.format("Describe the image in English<start_of_image>"), [(300, 300)], False),
        (turn.format("<start_of_image>Compare<start_of_image>"), [(300, 300), (300, 200)], False),
        (turn.format("<start_of_image><start_of_image>\nboth sides"), [(600, 600), (1200, 1000)], True),
        (turn.format("View:\n<start_of_image>"), [(2600, 500)], True),
    ]
    rows = []
    for text, sizes, scan in cases:
        out = processor(images=[[picture(*s) for s in sizes]], text=[text], images_kwargs={"do_pan_and_scan": scan}, add_special_tokens=False)
        crops = small([picture(*s) for s in sizes], do_pan_and_scan=scan)["num_crops"]
        rows.append({"text": text, "tokens_per_image": 4, "crops": [int(c) for c in crops], "ids": [int(i) for i in out["input_ids"][0]],
                     "soft": [int(t) for t in out["token_type_ids"][0]]})
    return rows


def main():
    build()
    tokenizer = reference()
    goldens = {
        "transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "vocab_size": len(tokenizer),
        "encode": encodings(tokenizer), "decode": decodings(tokenizer), "chat": chats(tokenizer), "images": images(tokenizer),
    }
    assert transformers.__version__ == "5.23.0", "goldens are pinned to transformers 5.23.0"
    (HERE / "goldens.json").write_text(json.dumps(goldens, ensure_ascii=True, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
