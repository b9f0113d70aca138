"""Look at a page in a real browser, and print what it did as JSON. Runs in the environment `.browser`.

`python tests/support/browser/examine.py PAGE`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-not-found, unused-ignore]
from engine import browser  # type: ignore[import-not-found, unused-ignore]

SCREENS = {"light": 1440, "dark": 1440, "tablet": 768, "narrow": 360, "print": 768}
FOCUSED = "(document.activeElement.textContent || '').trim().slice(0, 40)"
# How far content reaches beyond the screen, but for what scrolls by itself.
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def main(page: Path) -> dict[str, Any]:
    """Return, for each screen, what the page requested, what it complained of, and how it can be used."""
    with browser() as chromium:
        return {name: seen(chromium, page, name, width) for name, width in SCREENS.items()}


def seen(chromium: Any, page: Path, name: str, width: int) -> dict[str, Any]:
    """Return what one screen shows."""
    scheme = "dark" if name == "dark" else "light"
    tab = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    said: list[str] = []
    requested: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: requested.append(request.url))
    if name == "print":
        tab.emulate_media(media="print")
    tab.goto(page.resolve().as_uri())
    complaints = list(said)
    return {
        "console": complaints,
        "requests": [url for url in requested if url != page.resolve().as_uri()],
        "too_wide": tab.evaluate(TOO_WIDE),
        "paper": tab.evaluate("getComputedStyle(document.body).backgroundColor"),
        "heading_width": tab.evaluate(
            "(() => { const range = document.createRange(); "
            "range.selectNodeContents(document.querySelector('h1')); return range.getBoundingClientRect().width })()"
        ),
        "pictures": tab.evaluate("document.querySelectorAll('svg[role=img]').length"),
        "focused": focus_order(tab),
        "opened": opens_by_keyboard(tab),
        "violations": violations(tab),
    }


def focus_order(tab: Any) -> list[str]:
    """Return the texts of the places that the Tab key reaches, in order."""
    reached = []
    for _ in range(12):
        tab.keyboard.press("Tab")
        reached.append(str(tab.evaluate(FOCUSED)))
    return reached


def opens_by_keyboard(tab: Any) -> bool:
    """Return whether Enter opens the numbers of a plot; the page must have one."""
    if tab.locator("summary").count() == 0:
        return False
    tab.locator("summary").first.focus()
    tab.keyboard.press("Enter")
    return bool(tab.evaluate("document.querySelector('details').open"))


def violations(tab: Any) -> list[str]:
    """Return what axe-core finds, with the numbers of all plots open."""
    tab.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    result = Axe().run(tab).response["violations"]
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in result]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1])), indent=1))
