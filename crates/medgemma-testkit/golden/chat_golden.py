"""The whole path of the reference: chat and image file -> processor -> ids, pixels -> reply text."""

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import Gemma3ImageProcessorPil, Gemma3Processor, GemmaTokenizer

import tiny_models as tiny
import tiny_tokenizer


def picture(width, height, seed):
    """A synthetic RGB picture with edges, ramps and noise, so that a resizer's faults show."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    red = 127 + 120 * np.sin(x / 5.0 + y / 9.0)
    green = 255.0 * ((x // 7 + y // 5) % 2)
    blue = 255.0 * x / (width - 1)
    image = np.stack([red, green, blue], -1) + rng.normal(0, 12, (height, width, 3))
    return Image.fromarray(np.clip(np.round(image), 0, 255).astype(np.uint8), "RGB")


CONVERSATIONS = {
    "chat-one-image": [
        {"role": "system", "content": [{"type": "text", "text": "You are a careful assistant."}]},
        {"role": "user", "content": [
            {"type": "image"}, {"type": "text", "text": " Describe this image. "}]}],
    "chat-two-images": [
        {"role": "user", "content": [
            {"type": "text", "text": "compare the first picture"}, {"type": "image"},
            {"type": "image"}, {"type": "text", "text": "with the second \u80ba"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "They look normal."}]},
        {"role": "user", "content": [{"type": "text", "text": "which part of the body is this?"}]}],
    "chat-text": [{"role": "user", "content": [{"type": "text", "text": "what does the image show"}]}],
}


def write(model, directory, golden):
    """chat-*.json (prompt, reply) and chat-*.safetensors (ids, pixels, generated ids)."""
    tokenizer = GemmaTokenizer.from_pretrained(directory)
    template = (directory / "chat_template.jinja").read_text(encoding="utf-8")
    processor = Gemma3Processor(
        Gemma3ImageProcessorPil.from_pretrained(directory), tokenizer, chat_template=template,
        image_seq_length=tiny.SOFT)
    files = {"picture-a.png": picture(61, 45, 5), "picture-b.png": picture(40, 73, 6)}
    for name, image in files.items():
        image.save(golden / name)
    images = [Image.open(golden / name) for name in files]
    for name, conversation in CONVERSATIONS.items():
        prompt = processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        count = sum(part["type"] == "image" for turn in conversation for part in turn["content"])
        inputs = processor(text=prompt, images=images[:count] or None, add_special_tokens=False,
                           return_tensors="pt")
        new = model.generate(**inputs, do_sample=False, top_k=None, top_p=None, max_new_tokens=24,
                             eos_token_id=[1, tiny.IDS["<end_of_turn>"]], pad_token_id=0)
        new = new[0, inputs["input_ids"].shape[1]:]
        tensors = {"input_ids": inputs["input_ids"][0], "generated_ids": new}
        if count:
            tensors["pixel_values"] = inputs["pixel_values"]
            tensors["token_type_ids"] = inputs["token_type_ids"][0]
        with torch.no_grad():
            tensors["logits"] = model(**inputs).logits[0].float()
        save_file({k: v.contiguous() for k, v in tensors.items()}, golden / f"{name}.safetensors")
        tiny_tokenizer.dump(golden / f"{name}.json", {
            "conversation": conversation, "images": list(files)[:count], "prompt": prompt,
            "expanded": tokenizer.decode(inputs["input_ids"][0], skip_special_tokens=False),
            "max_new_tokens": 24, "reply_with_special_tokens": tokenizer.decode(new),
            "reply": tokenizer.decode(new, skip_special_tokens=True)})
        print(name, prompt.count("<bos>"), inputs["input_ids"][0].tolist()[:14], repr(tokenizer.decode(new)))
