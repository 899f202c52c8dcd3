"""Writes profile_table.rs: table E.1-1 of DICOM PS3.15, the attributes that its confidentiality profiles name.

    python profile_table.py CONFIDENTIALITY_JSON DICOM_ANONYMIZER > profile_table.rs && rustfmt profile_table.rs

CONFIDENTIALITY_JSON is standard/confidentiality_profile_attributes.json of github.com/innolitics/dicom-standard
at commit 7f4749d09ed3ef2fa70637d376d423a4b13523cd: edition 2024e, with the columns of the options.
DICOM_ANONYMIZER is the unpacked wheel of dicom-anonymizer 2.1.0 from PyPI: edition 2026c, without these
columns. Where both have an attribute they must agree on the basic profile; what only the later edition has
is taken from there, and no option keeps it.
"""

import hashlib
import importlib.util
import json
import pathlib
import re
import sys

SUMS = {
    "confidentiality_profile_attributes.json": "a99a35d1278e2bace8d90ff791b11aea2d45f1e3e1230388eb5224c9dbcd29e6",
    "dicomfields_2026c.py": "a6b68dc888ab4b1ebfc9979796df194d9f1d836bc88ece7793dee93b1c98e1c2",
}
LISTS = {
    "X": "X_TAGS", "Z": "Z_TAGS", "D": "D_TAGS", "U": "U_TAGS", "X/Z": "X_Z_TAGS", "X/D": "X_D_TAGS",
    "Z/D": "Z_D_TAGS", "X/Z/D": "X_Z_D_TAGS", "X/Z/U*": "X_Z_U_STAR_TAGS",
}
# Of several actions the one that no information object definition forbids: the last.
ACTIONS = {"X": "X", "Z": "Z", "D": "D", "U": "U", "X/Z": "Z", "X/D": "D", "Z/D": "D", "X/Z/D": "D", "X/Z/U*": "U"}
OPTIONS = {
    ("rtnLongFullDatesOpt", "K"): "DATES",
    ("rtnLongModifDatesOpt", "C"): "DATES",
    ("cleanDescOpt", "C"): "TEXT",
    ("rtnUIDsOpt", "K"): "UIDS",
    ("rtnDevIdOpt", "K"): "DEVICE",
    ("rtnInstIdOpt", "K"): "INSTITUTION",
    ("rtnPatCharsOpt", "K"): "PATIENT",
    ("rtnPatCharsOpt", "C"): "PATIENT_CLEANED",
    # Application entities: titles have no part that could be cleaned out.
    ("rtnDevIdOpt", "C"): None,
    # Not offered: they need people, or lists of safe attributes.
    ("cleanStructContOpt", "C"): None,
    ("cleanGraphOpt", "C"): None,
    ("rtnSafePrivOpt", "C"): None,
}
# Curves, overlays and private attributes are ranges; profile.rs has them.
RANGES = {"(50XX,XXXX)", "(60XX,4000)", "(60XX,3000)", "(GGGG,EEEE) WHERE GGGG IS ODD"}


def checked(path):
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    assert found == SUMS[path.name], (path, found)
    return data.decode()


def later_edition(folder):
    path = folder / "dicomanonymizer/dicom_anonymization_databases/dicomfields_2026c.py"
    text = checked(path)
    spec = importlib.util.spec_from_file_location("fields", path)
    fields = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fields)
    names = {
        (int(group, 16) << 16) + int(element, 16): name
        for group, element, name in re.findall(r"\(0x(....), 0x(....)\),\s*# (.+)", text)
    }
    rows = {}
    for basic, name in LISTS.items():
        for tag in getattr(fields, name):
            if len(tag) == 2:
                tag = (tag[0] << 16) + tag[1]
                assert tag not in rows, hex(tag)
                rows[tag] = basic
    return rows, names


def main():
    json_path, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    later, names = later_edition(folder)
    rows = {}
    for entry in json.loads(checked(json_path)):
        match = re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", entry["tag"])
        if not match:
            assert entry["tag"] in RANGES, entry
            continue
        tag = int(match[1] + match[2], 16)
        assert later[tag] == entry["basicProfile"], (entry, later.get(tag))
        options = [OPTIONS[key, code] for key, code in entry.items() if key.endswith("Opt")]
        options = list(dict.fromkeys(option for option in options if option))
        rows[tag] = (ACTIONS[entry["basicProfile"]], options, " ".join(entry["name"].split()))
    for tag in later.keys() - rows.keys():
        rows[tag] = (ACTIONS[later[tag]], [], names[tag] + " (added after 2024e)")
    print("//! Table E.1-1 of DICOM PS3.15 by `profile_table.py`, which says where it is from. Do not edit.")
    print()
    print("use super::profile::Action::{self, D, U, X, Z};")
    print("use super::profile::{DATES, DEVICE, INSTITUTION, PATIENT, PATIENT_CLEANED, TEXT, UIDS};")
    print()
    print("/// Tag, action of the basic profile, and the options that say otherwise; by tag.")
    print(f"pub(super) const TABLE: [(u32, Action, u16); {len(rows)}] = [")
    for tag, (action, options, name) in sorted(rows.items()):
        digits = f"{tag:08x}"
        print(f"    (0x{digits[:4]}_{digits[4:]}, {action}, {' | '.join(options) or 0}), // {name}")
    print("];")


main()
