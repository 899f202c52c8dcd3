"""Whole excerpts of the bundles beside this file, made without this crate: every resource's line, its points, the cut
to a budget in tokens of the demonstration model (its tokenizer is of Gemma's kind), what is left out. What a question
asks for is written down by hand. Run: pip install tokenizers==0.23.3 && python excerpts.py"""

import datetime
import json
import pathlib
import re

import tokenizers
from tokenizers import Tokenizer

from generate import SYSTEMS, amount, date, title

assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
HERE = pathlib.Path(__file__).parent
TOKENIZER = Tokenizer.from_file(str(HERE.parents[3] / "examples/report/model/tokenizer.json"))
ORDER = ["Patient", "Condition", "MedicationRequest", "Observation", "DiagnosticReport", "Encounter", "Practitioner"]
CURRENT = {"Condition", "MedicationRequest"}
# A question; words of titles that answer each word of it, in the singular; kinds that it asks for; codes in it.
QUESTIONS = {
    "How is the HbA1c, and which lipids are high?": ([{"hba1c", "a1c"}, {"lipid", "cholesterol", "triglyceride"}], set(), set()),
    "Which drugs is she taking? Is 85354-9 in range?": ([{"drug"}, {"taking"}, {"range"}], {"MedicationRequest"}, {"85354-9"}),
    "": ([], set(), set()),
}


def count(text):
    return len(TOKENIZER.encode(text, add_special_tokens=False).ids)


def called(resource):
    return " ".join([*resource["name"][0]["given"], resource["name"][0]["family"]])


def record(name, it, names, targets):
    """Line, title, codes, and the moment at which the date begins."""
    kind, when, codes = it["resourceType"], None, []
    if kind == "Patient":
        head, said = "patient", f"; sex: {it['gender']}; born: {it['birthDate']}"
    elif kind == "Practitioner":
        head, said = called(it), ""
    elif kind == "Encounter":
        when, head = it["period"]["start"], it["type"][0]["text"]
        said = f"; class: {it['class']['display']}; until: {date(it['period']['end'])}; status: {it['status']}"
    else:
        concept = it.get("code") or it["medicationCodeableConcept"]
        head, codes = concept["text"], [coding["code"] for coding in concept["coding"]]
        said = title(concept).removeprefix(head)
        when = it.get("onsetDateTime") or it.get("effectiveDateTime") or it["authoredOn"]
        if kind == "Condition":
            said += f"; status: {it['clinicalStatus']['coding'][0]['code']}"
        elif kind == "MedicationRequest":
            said += f"; prescribed by: {called(targets[it['requester']['reference']])}; status: {it['status']}"
        elif kind == "DiagnosticReport":
            said += f"; results: {', '.join(names[result['reference']] for result in it['result'])}; status: {it['status']}"
        else:
            parts = [f"{part['code']['text']} {amount(part['valueQuantity'])}" for part in it.get("component", [])]
            said += f": {', '.join(parts) if parts else amount(it['valueQuantity'])}; status: {it['status']}"
    moment = datetime.datetime.fromisoformat(when.replace("Z", "")) if when else None
    return dict(name=name, kind=kind, title=head, codes=codes, moment=moment,
                line=f"[{name}] {date(when) if when else 'undated'} {head}{said}\n")


def records(data):
    numbers, names, targets = {}, {}, {}
    for entry in data["entry"]:
        kind = entry["resource"]["resourceType"]
        numbers[kind] = numbers.get(kind, 0) + 1
        names[entry["fullUrl"]], targets[entry["fullUrl"]] = f"{kind}/#{numbers[kind]}", entry["resource"]
    return [record(name, targets[url], names, targets) for url, name in names.items()]


def points(it, question, newest):
    words, kinds, codes = QUESTIONS[question]
    of_title = {word.rstrip("s") if len(word) > 4 else word for word in re.findall(r"[a-z0-9]+", it["title"].lower())}
    total = 100 * (it["kind"] == "Patient") + 40 * (it["kind"] in kinds) + 80 * bool(codes & {*it["codes"]})
    total += 30 * min(3, sum(bool(alike & of_title) for alike in words))
    if it["kind"] in CURRENT:  # all are active in these bundles, and their dates are those of their beginning
        return total + 15 + 20
    return total + (20 // (1 + (newest - it["moment"]).days // 365) if it["moment"] else 0)


def by_time(it):
    return -(it["moment"].timestamp() if it["moment"] else float("-inf"))


def written(shown, left):
    text, missing = "", []
    for kind in ORDER:
        of_kind = sorted((it for it in shown if it["kind"] == kind), key=lambda it: (by_time(it), it["at"]))
        text += f"## {kind}\n" * bool(of_kind) + "".join(it["line"] for it in of_kind)
        gone = sum(it["kind"] == kind for it in left)
        missing += [f"{gone} {kind}"] if gone else []
    return text + (f"(Left out for lack of room: {', '.join(missing)}.)\n" if missing else "")


def excerpt(name, question, budget, kinds):
    all_records = records(json.loads((HERE / f"{name}.json").read_text(), parse_float=str))
    newest = max(it["moment"] for it in all_records if it["moment"])
    for at, it in enumerate(all_records):
        it.update(at=at, points=points(it, question, newest), tokens=count(it["line"]))
    asked = [it for it in all_records if not kinds or it["kind"] in {*kinds, "Patient"}]
    ranked = sorted(asked, key=lambda it: (-it["points"], by_time(it), it["at"]))
    # Where the whole, with what it says of the others, does not fit, its parts get less room by as much as it is too long.
    room = budget
    while True:
        shown, used, headed = [], 0, set()
        for it in ranked:
            need = it["tokens"] + (0 if it["kind"] in headed else count(f"## {it['kind']}\n"))
            if used + need <= room:
                shown, used = [*shown, it], used + need
                headed.add(it["kind"])
        whole = count(text := written(shown, [it for it in ranked if it not in shown]))
        if whole <= budget or not used:
            break
        room = min(room * budget // whole, used - 1)
    if whole > budget:
        shown, text = [], ""
    left = [[it["name"], "OverBudget", it["tokens"]] for it in ranked if it not in shown]
    left += [[it["name"], "OtherKind", it["tokens"]] for it in all_records if it not in asked]
    return dict(bundle=name, question=question, budget=budget, kinds=kinds, tokens=count(text), text=text.splitlines(),
                shown=[[it["name"], it["points"], it["tokens"]] for it in shown], omitted=left)


if __name__ == "__main__":
    lipids, drugs, nothing = QUESTIONS
    cases = [
        excerpt("type2_diabetes", lipids, 700, []),
        excerpt("type2_diabetes", drugs, 420, []),
        excerpt("type2_diabetes", drugs, 300, ["MedicationRequest", "Condition"]),
        excerpt("ckd_stage3", nothing, 500, []),
        excerpt("ckd_stage3", lipids, 4096, []),
    ]
    (HERE / "excerpts.json").write_text(json.dumps(cases, indent=0, ensure_ascii=False) + "\n")
