"""Console blocks of the documentation: the commands in them, and whether a command prints what its block shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]
MASKS = (
    (r"http://127\.0\.0\.1:\d+", "URL"),
    (r"pid \d+", "pid N"),
    (r"\b\d{8}-\d{4}-[a-z-]+-[a-z0-9]{4}\b|\bfirst-(?:mongodb|api)\b", "RUN"),
    (r"in \d+\.\d\d s|(?:\d+ h )?(?:\d+ min )?\d+(?:\.\d)? s\b", "TIME"),
    (r"[\d,]+ bytes scanned", "N bytes scanned"),
    (r"\d\.\d{6} USD", "N USD"),
    (r"as job \d+", "as job N"),
    (r"\b\d+ kB", "N kB"),
    (r"\bjr_[0-9a-f]+(?:…[0-9a-f]+)?", "JOB RUN"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+|\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"calling o\d+\.", "calling oN."),
    (r"\bpart-\d{5}\S*\.snappy\.parquet", "PART"),
    (r" +", " "),
)
# What a command that waits for long prints where no one watches. A terminal shows none of these lines.
HEARTBEAT = re.compile(r"\S+ [A-Za-z_]+ (?:JOB RUN|\S+) for \d+:\d\d\b.*|.+, for TIME")
BEGINS = "no run is called RUN yet: it begins now"  # the pages name no id, so one is passed
FOLD = 12 * " "  # the indentation of the rest of a folded line; no line that a command prints has it


def transcripts(page: str) -> list[tuple[str, list[str]]]:
    """Return the commands of the page's console blocks, without `etltctl`, and the lines shown below each."""
    text = (PROJECT / page).read_text("utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    # The pages fold long lines, which readers with a small window would not see to their ends.
    blocks = [re.sub(rf"(?: \\)?\n{FOLD}", " ", block) for block in blocks]
    shown = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [
        (part.partition("\n")[0].removeprefix("etltctl "), part.strip().splitlines()[1:]) for part in shown
    ]


def masked(lines: list[str]) -> list[str]:
    """Return the lines without the parts that differ from run to run."""
    for pattern, word in MASKS:
        lines = [re.sub(pattern, word, line).strip() for line in lines]
    return [line for line in lines if line != BEGINS and not HEARTBEAT.fullmatch(line)]


def agree(shown: list[str], done: subprocess.CompletedProcess[str]) -> bool:
    """Return whether the command printed the shown lines; a terminal shows one stream after the other."""
    out, err = masked(done.stdout.splitlines()), masked(done.stderr.splitlines())
    return masked(shown) in (err + out, out + err)
