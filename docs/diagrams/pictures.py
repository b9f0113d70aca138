"""The diagrams of the documentation, one function each."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from diagrams.drawing import Picture
from diagrams.live_view import live_view
from diagrams.terminal import terminal

PROJECT = Path(__file__).parents[2]
IMAGES = PROJECT / "docs" / "images"


def data_flow() -> Picture:
    """Return the way of the data from the sources to a query, and who does the work on a laptop and on AWS."""
    picture = Picture(
        "Data flows from the sources through Airbyte, bronze, silver and gold to Athena", 960, 330
    )
    mongodb = picture.box(16, 40, 110, "MongoDB", "source")
    f1 = picture.box(16, 112, 110, "F1 API", "source")
    airbyte = picture.box(170, 72, 108, "Airbyte\nsync", "airbyte")
    bronze = picture.box(322, 72, 96, "bronze\nParquet", "bronze")
    silver = picture.box(506, 72, 96, "silver\nv=RUN", "silver")
    gold = picture.box(690, 72, 96, "gold\nv=RUN", "gold")
    athena = picture.box(832, 72, 112, "Athena\nSQL, BI", "front")
    picture.arrow(
        mongodb.right, (150, mongodb.right[1]), (150, airbyte.left[1] - 8), (170, airbyte.left[1] - 8)
    )
    picture.arrow(f1.right, (150, f1.right[1]), (150, airbyte.left[1] + 8), (170, airbyte.left[1] + 8))
    picture.arrow(airbyte.right, bronze.left)
    picture.arrow(bronze.right, silver.left, label="Glue job")
    picture.arrow(silver.right, gold.left, label="Glue job")
    picture.arrow(gold.right, athena.left)
    for x, text in ((298, "rows are counted"), (554, "audited, published"), (738, "audited, published")):
        picture.words(x, 150, text, anchor="middle")
    picture.frame(16, 186, 456, 128, "On this machine: etltctl's server on 127.0.0.1")
    picture.box(32, 218, 424, "The same APIs, and the work is done", "plain", 26)
    for index, text in enumerate(
        ("extraction\nMongoDB, HTTP", "Spark 3.5.6\nas on Glue 5.1", "SQL engine\nDuckDB")
    ):
        picture.box(32 + index * 144, 252, 136, text, "spark", 52)
    picture.frame(488, 186, 456, 128, "On AWS: other addresses, the same calls")
    picture.box(504, 218, 424, "Airbyte's public API and AWS's API", "plain", 26)
    for index, text in enumerate(("Airbyte\nCloud or own", "AWS Glue 5.1\n2 × G.1X", "Athena\nengine 3")):
        picture.box(504 + index * 144, 252, 136, text, "airbyte", 52)
    return picture


def layers() -> Picture:
    """Return the layers of the package, from the import-linter's contract."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    rows = [
        " · ".join(name.strip() for name in layer.split("|"))
        for layer in next(
            contract["layers"] for contract in contracts if contract.get("containers") == ["etltctl"]
        )
    ]
    rows = [line for row in rows for line in [_wrapped(row)]]
    picture = Picture(
        "The layers of etltctl; imports point down", 860, sum(_tall(row) + 12 for row in rows) + 32
    )
    y = 20.0
    for row in rows:
        kind = "front" if "cli" in row.split() else "airbyte" if "glue" in row.split() else "plain"
        picture.box(60, y, 780, row, kind, _tall(row), weights=(500, 500))
        y += _tall(row) + 12
    picture.arrow((34, 24), (34, y - 12))
    return picture


def run_key() -> Picture:
    """Return how a run key decides what a step does."""
    picture = Picture("A run key decides whether a step starts, adopts or reuses a remote run", 960, 330)
    key = picture.box(16, 36, 250, "run key: a hash of\nenv, pipeline, step, run id", "front")
    search = picture.box(320, 36, 240, "search\nGlue's runs with this key", "plain")
    picture.arrow(key.right, search.left)
    adopt = picture.box(700, 16, 240, "adopted\nits run is waited for", "good")
    reuse = picture.box(700, 84, 240, "reused\nno new run, no cost", "good")
    start = picture.box(320, 160, 240, "started\nthe start is sent once", "spark")
    picture.arrow((560, 50), (680, 50), (680, adopt.left[1]), adopt.left)
    picture.words(566, 44, "one is running")
    picture.arrow((560, 66), (660, 66), (660, reuse.left[1]), reuse.left)
    picture.words(566, 82, "one succeeded")
    picture.arrow(search.bottom, start.top, label="none, or failed ones")
    wait = picture.box(700, 160, 240, "wait\nthe id is in the answer", "good")
    picture.arrow(start.right, wait.left, label="answered")
    again = picture.box(320, 260, 240, "search again\nfor a minute", "plain")
    picture.arrow(start.bottom, again.top, label="the answer is lost")
    unknown = picture.box(700, 260, 240, "OutcomeUnknownError\nnothing is sent again", "bad")
    picture.arrow(again.right, unknown.left, label="not listed")
    picture.arrow(again.left, (290, again.left[1]), (290, 74), (320, 74), dashed=True)
    picture.words(16, 180, "Every try of the same run has the same key.")
    picture.words(16, 200, "A new run id or --fresh makes a new key.")
    picture.words(188, 252, "it is listed:")
    picture.words(188, 268, "adopted")
    return picture


def publishing() -> Picture:
    """Return how a version of a table is written, audited and published."""
    picture = Picture(
        "A version is written next to the current one, audited, and made current by one call", 960, 300
    )
    write = picture.box(16, 40, 190, "1 write\nTABLE/v=RUN-2/", "spark")
    audit = picture.box(270, 40, 190, "2 audit\nfooters, rows, checks", "front")
    switch = picture.box(524, 40, 190, "3 publish\none catalog call", "good")
    keep = picture.box(754, 40, 190, "4 keep\nolder versions", "silver")
    picture.arrow(write.right, audit.left)
    picture.arrow(audit.right, switch.left, label="passed")
    picture.arrow(switch.right, keep.left)
    stop = picture.box(270, 136, 190, "exit 5 or exit 6\nnothing changed", "bad")
    picture.arrow(audit.bottom, stop.top, label="failed")
    catalog = picture.box(524, 210, 190, "catalog\nlocation of the table", "plain")
    readers = picture.box(754, 210, 190, "readers\nAthena, BI", "plain")
    picture.arrow(readers.left, catalog.right)
    old = picture.box(16, 184, 190, "TABLE/v=RUN-1/\nuntil the call", "silver", 44)
    new = picture.box(16, 240, 190, "TABLE/v=RUN-2/\nafter the call", "gold", 44)
    picture.arrow((524, 222), (240, 222), (240, old.right[1]), old.right, dashed=True)
    picture.arrow((524, 246), (240, 246), (240, new.right[1]), new.right)
    picture.arrow((619, 94), catalog.top)
    picture.arrow((849, 94), (849, 150), (660, 150), (660, 210), dashed=True)
    picture.words(672, 144, "etltctl rollback")
    return picture


# Each committed picture, and the function that returns its SVG.
PICTURES: Mapping[str, Callable[[], str]] = {
    "data-flow.svg": lambda: data_flow().svg(),
    "layers.svg": lambda: layers().svg(),
    "run-key.svg": lambda: run_key().svg(),
    "publishing.svg": lambda: publishing().svg(),
    "terminal.svg": terminal,
    "live-view-80.svg": lambda: live_view(80),
    "live-view-120.svg": lambda: live_view(120),
}


def _wrapped(row: str) -> str:
    names = row.split(" · ")
    if len(row) < 85:
        return row
    half = (len(names) + 1) // 2
    return " · ".join(names[:half]) + "\n" + " · ".join(names[half:])


def _tall(row: str) -> int:
    return 30 + 19 * row.count("\n")
