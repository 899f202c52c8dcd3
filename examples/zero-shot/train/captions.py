"""What the pictures are called in training, and the wordings that training never sees.

A caption is true of a set of kinds: "an X-ray" of two of them, "frontal chest radiograph" of one,
"mammogram" of none. The sigmoid loss asks of every pair of a picture and a text whether it is true,
so captions of several kinds and of none teach what the words mean by themselves.
"""

import itertools
import re
from dataclasses import dataclass

from report_train import CLASSES, GENERAL

# A way of making pictures: its names, and the kinds that are made so.
WAYS = {
    "xray": ["X-ray", "radiograph", "X-ray image", "plain film", "X-ray picture", "roentgenogram", "radiography"],
    "ct": ["CT", "CT slice", "CT scan", "CT image", "computed tomography", "computed tomography slice", "tomogram"],
    "mr": ["MRI", "MR image", "MRI scan", "MR slice", "magnetic resonance image", "magnetic resonance imaging", "MRI slice"],
    "us": ["ultrasound", "ultrasound image", "sonogram", "ultrasound scan", "sonography", "ultrasonography"],
    "doppler": ["Doppler ultrasound", "colour Doppler", "color Doppler image", "Doppler image", "colour Doppler ultrasound"],
    "scan": ["bone scan", "scintigram", "bone scintigraphy", "nuclear medicine image", "nuclear medicine scan"],
    "fundus": ["fundus photograph", "photograph", "fundus image", "colour photograph", "ophthalmoscope picture"],
    "micro": ["histology", "microscope image", "stained section", "histology slide", "micrograph", "pathology slide",
              "microscopy", "tissue section"],
}
PARTS = {
    "chest": ["chest", "thorax", "lungs", "lungs and heart", "ribs and lungs"],
    "leg": ["lower leg", "leg", "ankle", "tibia and fibula", "leg and ankle", "shin bone"],
    "head": ["head", "skull", "brain", "head and skull"],
    "abdomen": ["abdomen", "belly", "upper abdomen", "liver and kidneys"],
    "spine": ["spine", "vertebra", "backbone", "vertebral column", "vertebrae"],
    "shoulder": ["shoulder", "shoulder joint", "humerus and shoulder"],
    "brain": ["brain", "brain tissue", "cerebrum"],
    "heart": ["heart", "heart chambers", "heart valves"],
    "node": ["lymph node", "lymphatic node", "node"],
    "pelvis": ["pelvis", "bladder", "urinary bladder", "lower abdomen and bladder"],
    "body": ["whole body", "skeleton", "whole skeleton"],
    "eye": ["retina", "eye", "back of the eye", "ocular fundus", "optic disc"],
    "colon": ["colon", "large bowel", "colon glands", "large intestine"],
    "skin": ["skin", "skin tissue", "epidermis and dermis"],
}
# The way and the part of each kind; heart_doppler is an ultrasound picture as well.
MADE = {
    "chest_xray": (["xray"], "chest"), "leg_xray": (["xray"], "leg"), "head_ct": (["ct"], "head"),
    "abdomen_ct": (["ct"], "abdomen"), "spine_ct": (["ct"], "spine"), "shoulder_mr": (["mr"], "shoulder"),
    "abdomen_mr": (["mr"], "abdomen"), "brain_mr": (["mr"], "brain"), "heart_us": (["us"], "heart"),
    "heart_doppler": (["doppler"], "heart"), "node_doppler": (["doppler"], "node"), "pelvis_us": (["us"], "pelvis"),
    "bone_scan": (["scan"], "body"), "fundus": (["fundus"], "eye"), "ihc": (["micro"], "colon"),
    "histology": (["micro"], "skin"), "not_medical": ([], None),
}
# What is not a way of a part.
FIXED = {
    "chest_xray": ["frontal chest radiograph", "posteroanterior view of the chest", "chest film", "CXR"],
    "leg_xray": ["radiograph of a leg bone", "lateral view of the ankle", "bones of the lower leg"],
    "head_ct": ["axial CT of the head", "cranial CT", "CT of the skull base and brain"],
    "abdomen_ct": ["axial CT of the abdomen", "abdominal CT", "CT with liver, kidneys and spine in cross section"],
    "spine_ct": ["axial CT of one vertebra", "spinal CT", "CT cut across the spine"],
    "shoulder_mr": ["coronal MRI of the shoulder", "MRI of the humerus and the muscles around it"],
    "abdomen_mr": ["axial MRI of the abdomen", "abdominal MRI", "MRI of the liver"],
    "brain_mr": ["sagittal MRI of the brain", "coronal MRI of the brain", "axial MRI of the brain", "cerebral MRI"],
    "heart_us": ["echocardiogram", "cardiac ultrasound", "echocardiography in grey", "grey echocardiogram"],
    "heart_doppler": ["colour Doppler echocardiogram", "blood flow in the heart in red and blue",
                      "echocardiogram with colour flow"],
    "node_doppler": ["power Doppler of a lymph node", "orange blood flow in a lymph node", "lymph node with power Doppler"],
    "pelvis_us": ["pelvic ultrasound", "ultrasound of the full bladder", "pelvic sonogram"],
    "bone_scan": ["whole body bone scan", "skeletal scintigraphy", "tracer uptake in the bones"],
    "fundus": ["retinal photograph", "fundus", "retinal image", "colour fundus photograph"],
    "ihc": ["immunohistochemistry", "immunohistochemistry of the colon", "colon stained brown and blue",
            "brown antibody staining of colon glands", "immunohistochemical stain"],
    "histology": ["haematoxylin and eosin stain", "H and E section of skin", "skin stained with haematoxylin and eosin",
                  "pink and purple section of skin", "skin histology"],
    "not_medical": ["everyday photograph", "photo that is not medical", "picture of something else", "drawing",
                    "photograph of an object", "nothing medical", "non-medical image", "landscape or an animal",
                    "pattern of noise", "page of text", "photo of things in daily life", "random picture",
                    "image with no medical content"],
}
# Captions true of several kinds. "brain" is a part of the head in PARTS as well.
SHARED = {
    "medical image": [k for k in CLASSES if k != "not_medical"],
    "picture from a hospital": [k for k in CLASSES if k != "not_medical"],
    "radiology image": [k for k, (ways, _) in MADE.items() if {*ways} & {"xray", "ct", "mr", "us", "doppler", "scan"}],
    "tomography": ["head_ct", "abdomen_ct", "spine_ct", "shoulder_mr", "abdomen_mr", "brain_mr"],
    "echocardiography": ["heart_us", "heart_doppler"],
    "picture of bones": ["leg_xray", "spine_ct", "bone_scan"],
}
# True of no picture that is trained on: other parts seen in known ways, known parts in other ways, other things.
ABSENT = [
    "mammogram", "X-ray of the hand", "X-ray of the knee", "hip X-ray", "dental X-ray", "radiograph of the pelvis", "wrist radiograph",
    "CT of the chest", "chest CT", "CT of the pelvis", "CT of the knee", "thorax CT", "MRI of the knee", "knee MRI", "MRI of the spine",
    "MRI of the heart", "cardiac MRI", "MRI of the prostate", "ultrasound of the thyroid", "ultrasound of the liver", "breast ultrasound",
    "fetal ultrasound", "ultrasound of the kidney", "Doppler of the carotid artery", "PET scan", "ECG tracing", "endoscopy of the colon",
    "colonoscopy", "photograph of a skin lesion", "skin photograph", "dermatoscopy", "slit lamp photograph", "OCT of the retina",
    "histology of the liver", "histology of the lung", "blood smear", "histology of the breast", "angiogram", "X-ray of the skull",
    "surgery", "microscope image of the retina", "CT of the eye", "MRI of the ankle", "a cat", "the price of the ticket",
]
TEMPLATES = ["{}", "{a}", "this is {a}", "the picture shows {a}", "an image of {a}", "a photo of {a}", "picture: {}", "{a}, for teaching",
             "{} of a patient", "view: {}"]
LOOSE = ["{way} showing the {part}", "{way} {part}", "{part} {way}", "{part}, {way}", "{way} from the {part}", "{part} on {way}",
         "{way} of {part}"]
HELD_OUT_TEMPLATES = ["here we see {a}", "an example of {a}", "{a} from the archive"]
# Wordings that no training text contains; their words are known, their combinations are not.
HELD_OUT = {
    "chest_xray": ["frontal radiograph of the thorax", "plain film of the lungs", "X-ray image of ribs and lungs"],
    "leg_xray": ["radiograph of the ankle and the lower leg", "tibia X-ray", "plain film of the leg"],
    "head_ct": ["CT scan of the skull", "axial tomogram of the head", "cranial computed tomography"],
    "abdomen_ct": ["CT scan of the belly", "axial computed tomography of the liver", "abdominal tomogram"],
    "spine_ct": ["CT scan of the backbone", "computed tomography of the vertebrae", "axial tomogram of the spine"],
    "shoulder_mr": ["MR slice of the shoulder", "coronal MR image of the shoulder joint", "shoulder joint MRI scan"],
    "abdomen_mr": ["MR slice of the belly", "magnetic resonance image of the liver", "axial MR image of the abdomen"],
    "brain_mr": ["MR slice of the brain", "cerebral magnetic resonance imaging", "sagittal MR image of the cerebrum"],
    "heart_us": ["sonogram of the heart", "ultrasound scan of the heart chambers", "cardiac sonography"],
    "heart_doppler": ["Doppler image of the heart valves", "cardiac colour Doppler", "echocardiogram with red and blue flow"],
    "node_doppler": ["Doppler image of the lymph node", "power Doppler ultrasound of the lymphatic node", "node with orange flow"],
    "pelvis_us": ["sonogram of the urinary bladder", "pelvic ultrasound scan", "ultrasonography of the pelvis"],
    "bone_scan": ["scintigram of the whole skeleton", "nuclear medicine bone scan", "skeletal scintigram"],
    "fundus": ["colour photograph of the back of the eye", "fundus image of the retina", "retinal fundus photograph"],
    "ihc": ["colon glands with brown antibody", "immunohistochemistry of the large bowel", "micrograph of the large intestine"],
    "histology": ["skin section with haematoxylin and eosin", "histology slide of the epidermis", "micrograph of the skin"],
    "not_medical": ["everyday photo of an object", "picture with no medical content", "random photograph of daily life"],
}


@dataclass(frozen=True)
class Caption:
    """A text and the numbers of the kinds it is true of."""

    text: str
    kinds: frozenset[int]


def normal(text: str) -> str:
    """Lower case without punctuation, as the tokenizer sees a text."""
    return " ".join(re.sub(r"[^\w\s]", "", text.lower()).split())


def in_template(template: str, phrase: str) -> str:
    """A phrase in a template, with its article where the template asks for one."""
    vowel = normal(phrase)[0] in "aeio" or phrase.startswith(("ultra", "X-ray", "MR", "H and E"))
    article = "" if phrase.startswith(("a ", "an ", "the ")) else "an " if vowel else "a "
    return template.format(phrase, a=article + phrase)


def phrases(kind: str) -> list[str]:
    """Every way of saying one kind in training."""
    ways, part = MADE[kind]
    said = list(FIXED[kind])
    for way, name in itertools.product([w for key in ways for w in WAYS[key]], PARTS.get(part, [])):
        said += [f"{way} of the {name}"] + ([] if " and " in name or " of " in name else [f"{name} {way}"])
    held = [normal(text) for text in HELD_OUT[kind]]
    return sorted({text for text in said if not any(h in normal(text) for h in held)})


def shared() -> list[tuple[str, list[str]]]:
    """Captions true of several kinds: by way, by part, and those of SHARED."""
    found = [(text, kinds) for text, kinds in SHARED.items()]
    for way, names in WAYS.items():
        # Doppler pictures are ultrasound pictures; "photograph" alone says nothing of the eye.
        of = [k for k, (ways, _) in MADE.items() if way in ways or (way == "us" and "doppler" in ways)]
        found += [(name, of) for name in names if name != "photograph" and name != "colour photograph"]
    for part, names in PARTS.items():
        for name in names:
            of = [k for k, (_, other) in MADE.items() if other and name in PARTS[other]]
            found.append((f"image of the {name}", of))
    return found


def numbers(kinds: list[str]) -> frozenset[int]:
    """The numbers of kinds in CLASSES."""
    return frozenset(CLASSES.index(kind) for kind in kinds)


class Captions:
    """All training captions; drawn from with one generator.

    `free`: with words of no meaning around half of them, and a way and a part joined loosely in some, so that
    what counts is what is named and not how the sentence begins.
    """

    def __init__(self, free: bool = False) -> None:
        self.free = free
        self.phrases = [phrases(kind) for kind in CLASSES]
        self.shared = [(text, numbers(kinds)) for text, kinds in shared()]
        self.general = GENERAL.split()
        named = {word for said in self.phrases for text in said for word in normal(text).split() if len(word) > 3}
        self.plain = [word for word in self.general if normal(word) not in named]
        self.held = [normal(text) for said in HELD_OUT.values() for text in said]

    def of(self, rng, kind: int) -> Caption:
        """A caption of one kind alone."""
        phrase = str(rng.choice(self.phrases[kind]))
        if self.free and rng.random() < 0.3:
            phrase = self.joined(rng, CLASSES[kind]) or phrase
        return Caption(self.said(rng, phrase), frozenset([kind]))

    def joined(self, rng, kind: str) -> str | None:
        """A way and a part of a kind, loosely joined; none for what has neither, or where it would be a held-out wording."""
        ways, part = MADE[kind]
        if part is None:
            return None
        way, name = str(rng.choice([w for key in ways for w in WAYS[key]])), str(rng.choice(PARTS[part]))
        text = str(rng.choice(LOOSE)).format(way=way, part=name)
        return None if any(held in normal(text) for held in self.held) else text

    def said(self, rng, phrase: str) -> str:
        """A phrase as a whole caption."""
        text = in_template(str(rng.choice(TEMPLATES)), phrase)
        if self.free and rng.random() < 0.5:
            before, after = (" ".join(rng.choice(self.plain, int(rng.integers(0, 5)))) for _ in range(2))
            text = f"{before} {text} {after}"
        return text

    def other(self, rng) -> Caption:
        """A caption of several kinds, or of none."""
        roll = rng.random()
        if roll < 0.6:
            text, kinds = self.shared[int(rng.integers(len(self.shared)))]
            return Caption(self.said(rng, text), kinds)
        if roll < 0.9:
            return Caption(self.said(rng, str(rng.choice(ABSENT))), frozenset())
        return Caption(" ".join(rng.choice(self.general, int(rng.integers(1, 14)))), frozenset())

    def all_texts(self) -> list[str]:
        """What the vocabulary is learnt from."""
        own = [in_template(TEMPLATES[i % len(TEMPLATES)], text) for kind in self.phrases for i, text in enumerate(kind)]
        more = [text for text, _ in self.shared] + ABSENT + [t.format("", a="") for t in TEMPLATES] * 8
        return own + more * 2 + [line for line in GENERAL.splitlines() if line] * 4
