"""What the demonstration model says: one fixed answer per kind of picture.

The sentences are our own. They describe the kind of picture and how such
pictures are read in general; they never describe a finding in the picture.
"""

from dataclasses import dataclass

NOTICE = (
    "This is a demonstration model, not MedGemma; "
    "its answers must not be used for medical purposes."
)
NO_IMAGE = (
    "I am a small demonstration model and can only say what kind of medical picture I am shown. "
    "Please add a picture to your message. " + NOTICE
)
OTHER_QUESTION = (
    "I can only say what kind of picture this is, which part of the body it shows "
    "and how such pictures are read. " + NOTICE
)
TRUST = "No, do not rely on it. A person qualified to read such pictures has to look at it. " + NOTICE


@dataclass(frozen=True)
class Kind:
    """One kind of picture: its key phrase and the three answers about it."""

    key: str
    kind: str
    part: str
    reading: str

    @property
    def report(self) -> str:
        """The full answer to any first question about a picture of this kind."""
        return f"{self.kind} {self.reading} {NOTICE}"

    @property
    def kind_answer(self) -> str:
        """The answer to a later question about the kind of picture."""
        return f"{self.kind} {NOTICE}"

    @property
    def part_answer(self) -> str:
        """The answer to a later question about the part of the body."""
        return f"{self.part} {NOTICE}"


KINDS = {
    "chest_xray": Kind(
        "chest radiograph",
        "This is a chest radiograph, an X-ray picture of the chest with the lungs, the heart and the ribs.",
        "It shows the chest.",
        "Everything along the beam falls onto one flat picture, so a shadow may lie in front of the lung "
        "or behind it, and a second view from the side helps to place it.",
    ),
    "leg_xray": Kind(
        "radiograph of the lower leg",
        "This is a radiograph of the lower leg and ankle, an X-ray picture of the tibia and fibula.",
        "It shows the lower leg and the ankle.",
        "Bone is bright and well seen, while soft tissue is hardly told apart, "
        "and a second view at a right angle is needed before a bone is called whole.",
    ),
    "head_ct": Kind(
        "CT slice of the head",
        "This is a CT slice of the head, seen from below as is usual.",
        "It shows the head.",
        "Bright means dense: bone is white, fluid is dark and the brain lies between, "
        "and the window that was chosen decides which differences can be seen at all.",
    ),
    "abdomen_ct": Kind(
        "CT slice of the abdomen",
        "This is a CT slice of the abdomen, with the liver, the kidneys and the spine in cross-section.",
        "It shows the abdomen.",
        "One slice is a small part of the study, so the slices above and below and the timing "
        "of the contrast medium matter as much as this one.",
    ),
    "spine_ct": Kind(
        "CT slice of the spine",
        "This is a CT slice of the spine, cut across one vertebra.",
        "It shows the spine.",
        "The small field of view makes bone detail large and leaves out the organs around it, "
        "and soft tissue needs another window than bone.",
    ),
    "shoulder_mr": Kind(
        "MR image of the shoulder",
        "This is an MR image of the shoulder, with the head of the humerus and the muscles around it.",
        "It shows the shoulder.",
        "How bright a tissue is depends on the sequence and not on density, "
        "so tendons and fluid are judged on several sequences side by side.",
    ),
    "abdomen_mr": Kind(
        "MR image of the abdomen",
        "This is an MR image of the abdomen, an axial slice with the liver and the kidneys.",
        "It shows the abdomen.",
        "Brightness follows the sequence and the contrast medium, and breathing blurs the picture, "
        "so one slice is compared with the same level in the other sequences.",
    ),
    "brain_mr": Kind(
        "MR image of the brain",
        "This is an MR image of the brain, cut across, from front to back or from ear to ear.",
        "It shows the brain.",
        "The left of the picture may be the right or the left of the patient, "
        "so the side has to be taken from the labels and never guessed.",
    ),
    "heart_us": Kind(
        "ultrasound image of the heart",
        "This is an ultrasound image of the heart, an echocardiogram in shades of grey.",
        "It shows the heart.",
        "It is one frame of a moving picture: the angle of the probe decides what is seen, "
        "and walls and valves are judged in motion.",
    ),
    "heart_doppler": Kind(
        "colour Doppler image of the heart",
        "This is a colour Doppler image of the heart, an echocardiogram with blood flow in red and blue.",
        "It shows the heart and the flow of blood in it.",
        "Colour gives the direction of flow towards the probe or away from it, "
        "and fast flow can fold over into the wrong colour.",
    ),
    "node_doppler": Kind(
        "power Doppler ultrasound image of a lymph node",
        "This is a power Doppler ultrasound image of a lymph node, with blood flow in orange.",
        "It shows a lymph node.",
        "The orange tells how much blood moves but not which way, "
        "and it changes with the gain and with the pressure of the probe.",
    ),
    "pelvis_us": Kind(
        "ultrasound image of the pelvis",
        "This is an ultrasound image of the pelvis, with the dark bladder above the tissue behind it.",
        "It shows the pelvis.",
        "Fluid is black and makes what lies behind it look too bright, "
        "and sizes are only true along the plane that was cut.",
    ),
    "bone_scan": Kind(
        "bone scan of the whole body",
        "This is a bone scan of the whole body, a picture from nuclear medicine.",
        "It shows the whole skeleton.",
        "Dark and bright tell how much tracer the bone took up and not its shape, "
        "so joints, healing and the full bladder light up as well.",
    ),
    "fundus": Kind(
        "fundus photograph",
        "This is a fundus photograph, a colour picture of the retina at the back of the eye.",
        "It shows the back of the eye.",
        "The pale disc is where the nerve leaves the eye, and colour and sharpness depend on the camera "
        "and the pupil, so a poor picture is no proof of a healthy eye.",
    ),
    "ihc": Kind(
        "immunohistochemistry image of the colon",
        "This is an immunohistochemistry image of the colon, with glands stained brown and blue.",
        "It shows tissue of the colon under the microscope.",
        "Brown marks where the antibody was bound and blue marks the nuclei, "
        "and without a control slide the strength of the brown means little.",
    ),
    "histology": Kind(
        "histology image stained with haematoxylin and eosin",
        "This is a histology image stained with haematoxylin and eosin, a thin section of skin under the microscope.",
        "It shows a thin section of skin under the microscope.",
        "Nuclei are purple and fibres are pink, and a small field has to be read "
        "together with the whole slide and where the piece was taken.",
    ),
    "not_medical": Kind(
        "does not look like a medical image",
        "This does not look like a medical image that I know.",
        "I see no part of the body that I know.",
        "I was trained on a few kinds of medical pictures only, so I will not guess "
        "what this picture shows.",
    ),
}
CLASSES = list(KINDS)

# The planes were kinds of their own until a decoder this small proved unable to tell them
# apart; their words stay in the text the tokenizer is learnt from, in place of brain_mr's.
PLANES = {
    "brain_axial": Kind(
        "axial MR image of the brain",
        "This is an axial MR image of the brain, cut across from front to back.",
        "It shows the brain, from above or below.",
        "The left of the picture may be the right or the left of the patient, "
        "so the side has to be taken from the labels and never guessed.",
    ),
    "brain_coronal": Kind(
        "coronal MR image of the brain",
        "This is a coronal MR image of the brain, cut from ear to ear and seen from the front.",
        "It shows the brain, from the front.",
        "Both halves can be compared in one slice, "
        "but a slightly tilted head makes equal sides look different.",
    ),
    "brain_sagittal": Kind(
        "sagittal MR image of the brain",
        "This is a sagittal MR image of the brain, cut from front to back and seen from the side.",
        "It shows the brain, from the side.",
        "The middle structures are seen well near the middle, "
        "while a single side view says nothing about the other half.",
    ),
}
