"""Take the screenshots of the documentation: `.browser/bin/python docs/screenshots WEATHER.html FORMULA1.html`.

Both pages are written by `etltctl runs report`.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
IMAGES = PROJECT / "docs" / "images"
sys.path.insert(0, str(PROJECT / "tests" / "support" / "browser"))
# The browser itself writes WebP: no package is needed for it.
TO_WEBP = """async png => {
  const image = new Image(); image.src = png; await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = image.width; canvas.height = image.height;
  canvas.getContext('2d').drawImage(image, 0, 0);
  return canvas.toDataURL('image/webp', 0.82);
}"""


def main(weather: Path, formula: Path) -> None:
    """Write the pictures into docs/images."""
    from engine import browser  # type: ignore[import-not-found, unused-ignore]

    with browser() as chromium:
        shoot(chromium, weather, "report-light.webp", width=1280, height=1900)
        shoot(chromium, formula, "report-dark.webp", width=1280, height=1500, color_scheme="dark")
        shoot(chromium, formula, "report-print.webp", width=790, height=1120, media="print")
        shoot(chromium, weather, "report-narrow.webp", width=500, height=1400)


def shoot(
    chromium: Any,
    page: Path,
    name: str,
    *,
    width: int,
    height: int,
    media: str = "screen",
    color_scheme: str = "light",
) -> None:
    """Write one picture of the top of a page."""
    tab = chromium.new_context(viewport={"width": width, "height": height}).new_page()
    tab.emulate_media(media=media, color_scheme=color_scheme)
    tab.goto(page.resolve().as_uri())
    png = "data:image/png;base64," + base64.b64encode(tab.screenshot()).decode()
    tab.goto("about:blank")
    (IMAGES / name).write_bytes(base64.b64decode(tab.evaluate(TO_WEBP, png).partition(",")[2]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
