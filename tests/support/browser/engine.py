"""Start Chromium: the one in `.browser`, else one on the path. Runs in the environment `.browser`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OWN = Path(__file__).parents[3] / ".browser" / "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox, for root may not have one; nothing is looked up in the background.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]


def executable() -> str:
    """Return the path of Chromium; empty if there is none."""
    if (OWN / "chromium").is_file():
        return str(OWN / "chromium")
    return next((path for name in NAMES if (path := shutil.which(name))), "")


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a browser of Playwright."""
    from playwright.sync_api import sync_playwright

    path, environ = executable(), dict(os.environ)
    if path.startswith(str(OWN)):
        # The libraries that a machine without a desktop lacks lie next to the browser, and so do its fonts.
        environ |= {"LD_LIBRARY_PATH": str(OWN / "al2023" / "lib"), "FONTCONFIG_PATH": str(OWN / "fonts")}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS, env=environ)
        yield chromium
        chromium.close()
