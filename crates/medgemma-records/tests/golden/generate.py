"""Bundles of carebundle 0.5.0 (Apache-2.0, synthetic) and, written from them without this crate, the lines that an
excerpt must hold. Run: pip install carebundle==0.5.0 && python generate.py"""

import importlib.metadata
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
SYSTEMS = {
    "http://loinc.org": "LOINC ",
    "http://snomed.info/sct": "SNOMED ",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm ",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM ",
}


def bundle(profile, seed, *extra):
    tool = pathlib.Path(sys.executable).with_name("carebundle")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([tool, "generate", "--profile", profile, "--seed", str(seed), "--out", folder, *extra],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (file,) = pathlib.Path(folder).iterdir()
        # Numbers stay as they were written.
        return json.loads(file.read_text(), parse_float=lambda text: "\0" + text)


def minified(data):
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    out, rest = "", text
    while "\\u0000" in rest:
        before, after = rest.split('"\\u0000', 1)
        number, rest = after.split('"', 1)
        out += before + number
    return out + rest


def date(text):
    if "T" not in text:
        return text
    day, time = text.split("T")
    return f"{day} {time[:5]}{time[8:]}"


def title(concept):
    codes = ", ".join(SYSTEMS.get(coding["system"], "") + coding["code"] for coding in concept["coding"])
    return f"{concept['text']} ({codes})"


def amount(quantity):
    return f"{str(quantity['value']).lstrip(chr(0))} {quantity['unit']}"


def lines(data):
    numbers, names = {}, {}
    for entry in data["entry"]:
        kind = entry["resource"]["resourceType"]
        numbers[kind] = numbers.get(kind, 0) + 1
        names[entry["fullUrl"]] = f"{kind}/#{numbers[kind]}"
    for entry in data["entry"]:
        it, name = entry["resource"], names[entry["fullUrl"]]
        kind = it["resourceType"]
        if kind == "Condition":
            status = it["clinicalStatus"]["coding"][0]["code"]
            yield f"[{name}] {it['onsetDateTime']} {title(it['code'])}; status: {status}"
        elif kind == "Observation" and "valueQuantity" in it and not it.keys() & {"interpretation", "referenceRange"}:
            yield (f"[{name}] {date(it['effectiveDateTime'])} {title(it['code'])}: {amount(it['valueQuantity'])}"
                   f"; status: {it['status']}")
        elif kind == "DiagnosticReport" and "conclusion" not in it:
            results = ", ".join(names[result["reference"]] for result in it["result"])
            yield f"[{name}] {date(it['effectiveDateTime'])} {title(it['code'])}; results: {results}; status: {it['status']}"


if __name__ == "__main__":
    # Not on import, as excerpts.py does: only bundles need it.
    found = importlib.metadata.version("carebundle")
    assert found == "0.5.0", f"goldens are of carebundle 0.5.0, this is {found}"
    for profile, seed, extra in [("type2_diabetes", 42, ["--panels", "lean"]), ("ckd_stage3", 7, ["--panels", "lean", "--no-vitals"])]:
        data = bundle(profile, seed, *extra)
        (HERE / f"{profile}.json").write_text(minified(data) + "\n")
        (HERE / f"{profile}.lines").write_text("".join(line + "\n" for line in lines(data)))
