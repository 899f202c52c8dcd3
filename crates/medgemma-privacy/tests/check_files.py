"""Reads what `examples/deidentify.rs` wrote with pydicom, and looks for what the originals said.

    python check_files.py DICOM_ANONYMIZER ORIGINALS DEIDENTIFIED NAMES

Independent of the crate: another reader (pydicom 3.0.2), and the list of attributes of another program
(dicom-anonymizer 2.1.0, PyPI, unpacked: edition 2026c of PS3.15). Of every attribute of that list, at any
depth of an original, no value may be a word anywhere in the bytes of its de-identified file but its pixels, and the
pixels must be equal. Fails if it compared fewer than forty files.
"""

import importlib.util
import pathlib
import re
import sys

import pydicom
from pydicom.uid import UID_dictionary

FIELDS = "dicomanonymizer/dicom_anonymization_databases/dicomfields_2026c.py"
SHORTEST = 4
# Values that say nothing of anybody, or that this crate writes itself.
SAYS_NOTHING = {"0000", "00000", "0000.", "000000", "NONE", "UNKNOWN", "ANONYMIZED", "19000101", "19000101000000"}
# Words that stay for another reason: of these files the manufacturer is the institution too, a patient is called
# as the kind of image is, a description says what a code means.
# "1200" and "HERE" stand in numbers and sentences.
STAYS = {"TOSHIBA", "OFFIS", "PERFUSION", "PANCREAS", "ECHOCARDIOGRAM", "1200", "HERE", "ANONYMIZED"}


def listed(folder):
    spec = importlib.util.spec_from_file_location("fields", pathlib.Path(folder) / FIELDS)
    fields = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fields)
    rows = [row for name in dir(fields) if name.endswith("_TAGS") for row in getattr(fields, name)]
    return {(row[0] << 16) + row[1] for row in rows if len(row) == 2}


def elements(data_set):
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value:
                yield from elements(item)
        yield element


def values(element):
    value = element.value
    if value is None or isinstance(value, (bytes, float, int)) or element.VR == "SQ":
        return
    for one in value if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]:
        for text in str(one).split("\n"):
            text = text.strip(" \0\r")
            if len(text) >= SHORTEST and text.upper() not in SAYS_NOTHING and text not in UID_dictionary:
                yield text
            if element.VR == "PN":
                yield from (part for part in text.replace("=", "^").split("^") if len(part) >= SHORTEST)


def pixels(data_set):
    return data_set.PixelData if "PixelData" in data_set else b""


def main():
    tags = listed(sys.argv[1])
    originals, results = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    lines = pathlib.Path(sys.argv[4]).read_text().splitlines()
    # As `names` prints them; nothing that begins alike is one.
    named = dict(line.split("\t") for line in lines if line.count("\t") == 1)
    assert sorted(named) == sorted(path.name for path in results.iterdir()), "names that were not printed"
    assert not set(named) & set(named.values()), "a file kept its name"
    files = looked_for = 0
    leaks = []
    for path in sorted(results.iterdir()):
        original, result = pydicom.dcmread(originals / named[path.name]), pydicom.dcmread(path)
        files += 1
        assert pixels(original) == pixels(result), f"{path.name}: other pixels"
        old, new = original.file_meta, result.file_meta
        assert old.TransferSyntaxUID == new.TransferSyntaxUID, path.name
        assert new.MediaStorageSOPInstanceUID == result.get("SOPInstanceUID", new.MediaStorageSOPInstanceUID), path.name
        assert result.PatientIdentityRemoved == "YES", path.name
        assert not any(element.tag.is_private for element in elements(result)), path.name
        # The bytes but for pixels, and the values as read: deflated bytes would hide everything.
        for name in ("PixelData", "EncapsulatedDocument"):
            if name in result:
                del result[name]
        text = path.read_bytes().replace(pixels(original) or b"\0none\0", b"")
        text += "\n".join(str(value) for element in elements(result) for value in values(element)).encode()
        text = text.upper()
        for element in elements(original):
            if element.tag not in tags:
                continue
            for value in set(values(element)):
                looked_for += 1
                value = value.upper()
                word = rb"(?<![A-Z0-9.])" + re.escape(value.encode("utf-8", "replace")) + rb"(?![A-Z0-9.])"
                if value not in STAYS and re.search(word, text):
                    leaks.append((path.name, str(element.tag), element.keyword, element.VR, value))
    for leak in leaks:
        print("left:", *leak)
    print(f"{files} files, {looked_for} values looked for, {len(leaks)} left")
    assert not leaks and files >= 40 and looked_for > 500


main()
