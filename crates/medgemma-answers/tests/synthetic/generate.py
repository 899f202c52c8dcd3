#!/usr/bin/env python3
"""Writes reports.jsonl: synthetic chest reports, half of them with one contradiction put in.

python3 generate.py > reports.jsonl

Nothing of it is a real report, and all sentences were written by the author of the rules, in three rounds.
The sentences of a round were written before the rules had met them, and rules were added for them after
that. What the rules found when they met each round first, in right, wrong and missed contradictions:

first    135, 15, 15 of 150
second    73, 73, 27 of 100
third     89, 76, 11 of 100

Those of the second and third are the figures to expect on unfamiliar sentences, of which about a third
were made to mislead; what is found now in this file only says that nothing got worse.

Each line: {"set": …, "text": …, "expected": [{"kind": "negation" | "laterality", "finding": …}]}.
"""

import json
import random

SEED = 20261126
REPORTS = 160

# Finding: nouns, whether it has a side.
FINDINGS = {
    "pleural_effusion": (["pleural effusion", "effusion", "pleural fluid"], True),
    "pneumothorax": (["pneumothorax", "apical pneumothorax"], True),
    "consolidation": (["consolidation", "airspace consolidation"], True),
    "atelectasis": (["atelectasis", "subsegmental atelectasis"], True),
    "nodule": (["pulmonary nodule", "nodule"], True),
    "fracture": (["rib fracture", "clavicle fracture"], True),
    "pulmonary_edema": (["pulmonary edema", "interstitial edema"], False),
    "pneumonia": (["pneumonia"], True),
}

FIRST = {
    "present_sided": [
        "There is a small {side} {noun}.",
        "Moderate {side} {noun} is present.",
        "{Side} {noun} is again seen.",
        "A {noun} is seen on the {side}.",
        "{Noun} in the {side} lung, unchanged since the prior examination.",
        "The {side} hemithorax shows a new {noun}.",
        "Interval development of a {side}-sided {noun}.",
        "No significant change in the {side} {noun}.",
        "Redemonstrated {noun}, {side}.",
    ],
    "present": [
        "There is mild {noun}.",
        "Findings are consistent with {noun}.",
        "{Noun} has developed since the prior study.",
        "Persistent {noun}.",
        "Worsening {noun} is noted.",
    ],
    "absent": [
        "No {noun}.",
        "There is no evidence of {noun}.",
        "{Noun} is not identified.",
        "No {noun} is seen.",
        "Negative for {noun}.",
        "Without {noun}.",
        "The examination shows neither {noun} nor free air.",
        "The previously described {noun} has resolved.",
        "There is no longer any {noun}.",
        "{Noun}: none.",
        "I do not see a {noun}.",
    ],
    "absent_sided": [
        "No {side} {noun}.",
        "No {noun} on the {side}.",
        "There is no {side}-sided {noun}.",
    ],
    "harmless": [
        "No large {noun}.",
        "{Noun} cannot be excluded.",
        "Possible {noun}.",
        "History of {noun}.",
        "Evaluate for {noun}.",
        "Findings may represent {noun}.",
        "No new {noun}.",
    ],
}
SECOND = {
    "present_sided": [
        "Blunting of the {side} costophrenic angle by a {noun}.",
        "On the {side}, a {noun} is demonstrated.",
        "{Noun} persists within the {side} hemithorax.",
        "Compared with the prior study, the {side} {noun} has increased.",
        "The {noun} on the {side} side is slightly larger.",
        "{Side} basal {noun}.",
        "Stable appearance of the known {side} {noun}.",
        "There is, in the {side} chest, a {noun}.",
        "{Noun} of the {side} base has not changed.",
    ],
    "present": [
        "The study shows {noun} of moderate degree.",
        "New {noun}.",
        "{Noun}, moderate.",
        "{Noun} is not significantly changed.",
        "Again there is {noun}.",
    ],
    "absent": [
        "{Noun} has been excluded.",
        "Neither lung shows {noun}.",
        "The {noun} seen previously is gone.",
        "No radiographic evidence for {noun}.",
        "There are no signs of a {noun}.",
        "{Noun} is absent.",
        "I find no convincing {noun}.",
        "Both lungs are free of {noun}.",
        "Lack of {noun}.",
        "Complete resolution of the {noun}.",
    ],
    "absent_sided": [
        "The {side} side has no {noun}.",
        "{Side} {noun} is not present.",
        "No {noun} in the {side} chest.",
    ],
    "harmless": [
        "{Noun} would be difficult to exclude.",
        "Query {noun}.",
        "No sizable {noun}.",
        "The differential diagnosis includes {noun}.",
        "If {noun} is suspected, CT may help.",
        "Prior {noun} by report.",
        "Please correlate clinically for {noun}.",
    ],
}
THIRD = {
    "present_sided": [
        "The {side} lung base shows a {noun}.",
        "{Noun} has developed on the {side}.",
        "A {side} {noun} has appeared in the interval.",
        "Persistent {noun} involving the {side} lung.",
        "The largest {noun} lies in the {side} lung.",
        "Again noted is a {noun} in the {side} hemithorax.",
        "Increase in size of the {side} {noun}.",
        "{Side}: {noun}.",
    ],
    "present": [
        "Imaging features of {noun}.",
        "{Noun} is again evident.",
        "Slight progression of {noun}.",
        "Diffuse {noun}.",
    ],
    "absent": [
        "{Noun} was not found.",
        "There has been interval clearing of the {noun}.",
        "No convincing evidence of {noun} is found.",
        "Unremarkable, in particular no {noun}.",
        "There is nothing to suggest {noun}.",
        "{Noun} is no longer visible.",
        "The examination is negative for {noun}.",
        "Devoid of {noun}.",
        "Not a single {noun} is seen.",
    ],
    "absent_sided": [
        "The {side} lung is free of {noun}.",
        "A {side} {noun} is not seen.",
    ],
    "harmless": [
        "Could this be {noun}?",
        "{Noun} is in the differential.",
        "Follow-up for {noun} is recommended.",
        "{Noun} is thought less likely.",
        "Treated {noun} in the past.",
        "A subtle {noun} would not be visible on this film.",
        "No change to suggest new {noun}.",
    ],
}
FILL = [
    "The mediastinal contours are within normal limits.",
    "Degenerative changes of the thoracic spine.",
    "Lines and tubes are in standard position.",
    "The trachea is midline.",
    "Surgical clips project over the upper abdomen.",
    "Bony structures are intact.",
    "The aorta is tortuous.",
]
LAYOUTS = [
    "INDICATION: {indication}\nFINDINGS: {findings}\nIMPRESSION: {impression}",
    "**Findings:**\n{findings}\n\n**Impression:**\n{impression}",
    "Findings: {findings} Impression: {impression}",
    "## Impression\n{impression}\n\n## Findings\n{findings}",
    "Clinical history: {indication}\n\nFINDINGS\n{findings}\n\nCONCLUSION\n{impression}",
]
INDICATIONS = ["Cough and fever.", "Rule out pneumothorax.", "Shortness of breath, history of pneumonia.", "Fall."]


def say(rng, templates, noun, side=None):
    text = rng.choice(templates)
    capital = noun[0].upper() + noun[1:]
    side = side or ""
    return text.format(noun=noun, Noun=capital, side=side, Side=side.capitalize())


def report(rng, say_of, contradiction):
    findings, impression, expected = [], [], []
    chosen = rng.sample(sorted(FINDINGS), rng.randint(2, 4))
    marked = rng.choice(chosen) if contradiction else None
    for name in chosen:
        nouns, sided = FINDINGS[name]
        noun, other_noun = rng.choice(nouns), rng.choice(nouns)
        side = rng.choice(["left", "right"])
        other = "right" if side == "left" else "left"
        if name == marked:
            kind = rng.choice(["negation", "laterality"]) if sided else "negation"
            if kind == "laterality":
                findings.append(say(rng, say_of["present_sided"], noun, side))
                impression.append(say(rng, say_of["present_sided"], other_noun, other))
            else:
                there = say(rng, say_of["present_sided"], noun, side) if sided else say(rng, say_of["present"], noun)
                absent = say(rng, say_of["absent"], other_noun)
                first, second = (there, absent) if rng.random() < 0.5 else (absent, there)
                findings.append(first)
                (impression if rng.random() < 0.8 else findings).append(second)
            expected.append({"kind": kind, "finding": name})
            continue
        shape = rng.random()
        if shape < 0.35:
            findings.append(say(rng, say_of["present_sided"], noun, side) if sided else say(rng, say_of["present"], noun))
            if rng.random() < 0.6:
                impression.append(say(rng, say_of["present_sided"], other_noun, side) if sided else say(rng, say_of["present"], other_noun))
            if sided and rng.random() < 0.3:
                findings.append(say(rng, say_of["absent_sided"], noun, other))
        elif shape < 0.7:
            findings.append(say(rng, say_of["absent"], noun))
            if rng.random() < 0.5:
                impression.append(say(rng, say_of["absent"], other_noun))
        else:
            findings.append(say(rng, say_of["harmless"], noun))
            impression.append(say(rng, say_of["harmless"] + say_of["absent"][:4], other_noun))
    findings += rng.sample(FILL, rng.randint(0, 3))
    rng.shuffle(findings)
    rng.shuffle(impression)
    impression = impression or ["No acute disease."]
    numbered = rng.random() < 0.4
    joined = "\n".join(f"{i}. {s}" for i, s in enumerate(impression, 1)) if numbered else " ".join(impression)
    text = rng.choice(LAYOUTS).format(
        indication=rng.choice(INDICATIONS), findings=" ".join(findings), impression=joined
    )
    return {"text": text, "expected": expected}


def main():
    for name, say_of in (("first", FIRST), ("second", SECOND), ("third", THIRD)):
        rng = random.Random(SEED)
        for index in range(REPORTS):
            print(json.dumps({"set": name, **report(rng, say_of, index % 2 == 0)}))


main()
