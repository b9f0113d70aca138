"""The Java processes that work in a folder."""

from __future__ import annotations

from pathlib import Path


def java_processes(folder: Path) -> list[int]:
    """Return the live processes that were started to work in the folder, which may no longer exist."""
    processes = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = str(folder).encode() in (process / "cmdline").read_bytes()
            is_dead = b"State:\tZ" in (process / "status").read_bytes()
        except OSError:
            continue
        if is_ours and not is_dead:
            processes.append(int(process.name))
    return processes
