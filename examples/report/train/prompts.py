"""What users ask the demonstration model in training; all of it written for this program."""

import numpy as np

FIRST = [
    "Describe this image.", "What does this X-ray show?", "What do you see?", "What is this?",
    "Describe this picture in a few words.", "Describe this radiograph.", "Describe this CT slice.",
    "Write a report for this image.", "Please write a short report.", "Findings?", "findings:",
    "What kind of medical image is this?", "Which part of the body does this show?", "Is this normal?",
    "Describe the findings in this chest X-ray.", "Describe the image in English", "Describe this X-ray",
    "Can you explain this picture to me?", "Tell me about this scan.", "Is there a pneumothorax?",
    "Is there anything I should worry about?", "Is this a CT or an MR image?", "What modality is it?",
    "Give me an impression.", "Provide a detailed description of the image.", "Summarise the image.",
    "Interpret this image.", "Read this image as a radiologist would.", "Is the heart enlarged?",
    "Do you see a fracture?", "What does the histology show?", "Describe this fundus photograph.",
    "Describe this ultrasound.", "What organ is shown?", "How would you report this study?",
    "Generate a radiology report.", "List the main findings.", "Answer in one sentence: what is this?",
    "Hello! Could you look at this for me?", "Look at this picture.", "image", "?", "Report", "Describe",
    "I got this from my doctor. What does it say?", "Which imaging technique was used here?",
    "Is this picture of good quality?", "Explain it to a student.", "Was ist auf diesem Bild zu sehen?",
    "Que montre cette image ?", "What is the diagnosis?", "Are there any abnormalities?",
    "Please describe what is visible here and how it should be read.", "Describe this medical image.",
    "What can you tell me about this image?", "Write the report.", "Short report, please.",
]
SYSTEM = [
    "You are an expert radiologist.", "You are a helpful medical assistant.",
    "You are an expert pathologist.", "You are a careful radiologist. Answer briefly.",
    "SYSTEM INSTRUCTION: think silently if needed.",
]
PART = [
    "Which part of the body is it?", "What part of the body does it show?", "Which body part is this?",
    "Where in the body is this?", "Which organ is it?", "And which part of the body?",
    "What region of the body is shown?", "Which anatomy is shown?",
]
KIND = [
    "What kind of picture is this?", "What kind of image is it?", "Which modality is this?",
    "What type of image is it?", "How was this picture made?", "Is it an X-ray?",
    "Which technique was used?", "And what kind of picture?",
]
TRUST = [
    "Can I rely on this?", "Can I trust this?", "Is this reliable?", "Are you sure?",
    "Can I use this for my patient?", "Are you MedGemma?", "Is this safe to use?",
    "Can a doctor use this?", "Should I trust you?", "Is that a diagnosis?",
]
OTHER = [
    "Thank you.", "Is there a fracture?", "What should I do next?", "Tell me more.", "Why?",
    "Do I need surgery?", "What is the diagnosis?", "How large is the tumour?", "Thanks!",
    "And now?", "Is it normal?", "Who made you?", "What else do you see?", "Explain that.",
    "Write it again in French.", "Compare it with the last study.", "Is the patient healthy?",
]
TEXT_ONLY = [
    "Hello", "Hi!", "Who are you?", "What can you do?", "Are you MedGemma?", "What is pneumonia?",
    "Tell me about the heart.", "What is the capital of France?", "Write a poem.", "Help",
    "I have a headache.", "What does a chest X-ray show?", "How do I read a CT?", "Describe this image.",
    "What is the dose of ibuprofen for an adult?", "Good morning.", "What are the causes of chest pain?",
    "Explain diabetes to me.", "Is it dangerous?", "Why is the sky blue?", "1 + 1 = ?",
    "What is the treatment of asthma?", "Findings?", "Translate this to German.", "Thank you.",
]
GENERAL = """
A person walks along the road in the morning and looks at the house, the trees and the water.
The doctor asks how long the pain has been there, where it is and whether it moves.
We want to know what was seen, when it was seen and who wrote it down.
If there is more than one answer, give the first one and say why the others are less likely.
The left side and the right side are not the same; the upper part is larger than the lower part.
Please compare the new picture with the old one and tell me what has changed since last year.
An enlarged heart, a small amount of fluid, a broken bone, a lung that has fallen in: each has a sign.
No one should use a program like this for a patient before it has been tested with care.
Children and adults, women and men, young people and old people all come to the hospital.
He had a cough and a fever for three days, then his breathing got better with treatment.
She has had surgery on her knee, her hip and her shoulder, and takes medicine for her blood pressure.
Questions can be long or short, polite or rude, clear or hard to understand, and in any language.
The history of the patient, the indication for the study and the technique come before the findings.
There is no evidence of acute disease. The study is limited by motion. Follow up is recommended.
Normal, abnormal, mild, moderate, severe, acute, chronic, benign, malignant, unknown.
Liver, kidney, spleen, stomach, bowel, brain, spine, heart, lung, rib, skin, eye, muscle, nerve, vessel.
What, which, where, when, who, why, how, is, are, was, were, do, does, did, can, could, should, would.
Explain your reasoning step by step and then give the final answer on its own line.
Numbers such as 1, 2, 10, 25, 100 and 2024 are written in digits, and so are 3.5 cm and 40 per cent.
List five things that you would check next, in order, and for each of them say what it costs.
The table below has columns for name, date, value and unit; the value may be missing.
My friend works with computers and would like to learn how a language model reads an image.
Today it rains, tomorrow the sun will shine, and at night the stars come out over the sea.
Give me a summary of the text above in one sentence, then in one paragraph, then in one page.
"""


def words(rng: np.random.Generator) -> str:
    """A nonsense question of random words, so that the answer hangs on the picture alone."""
    pool = GENERAL.split()
    text = " ".join(rng.choice(pool, int(rng.integers(1, 36))))
    return text + str(rng.choice(["", "?", ".", "!", ":"]))


def first_question(rng: np.random.Generator) -> str:
    """A first question: mostly a written one, else a general sentence, else nonsense or nothing."""
    roll = rng.random()
    if roll < 0.55:
        text = str(rng.choice(FIRST))
    elif roll < 0.7:
        text = str(rng.choice([line for line in GENERAL.splitlines() if line]))
    elif roll < 0.75:
        text = str(rng.choice(PART + KIND + TRUST + OTHER))
    elif roll < 0.97:
        text = words(rng)
    else:
        text = ""
    roll = rng.random()
    if roll < 0.1:
        return text.lower()
    return text.upper() if roll < 0.13 else text
