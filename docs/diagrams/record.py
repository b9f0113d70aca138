"""Record a real terminal session for the README: `python docs/diagrams/record.py`, then `python docs/diagrams`.

It runs the installed etltctl in an empty folder and keeps every line with the second at which it was printed.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

RECORDING = Path(__file__).with_name("recording.json")
COMMANDS = (
    "etltctl run mongodb",
    'etltctl athena query "select city_key, local_date, wind_speed_mean_ms from weather_daily order by 3 desc limit 3"',
)


def record(command: str, folder: Path) -> dict[str, object]:
    """Run one command and return it with its lines, each with the seconds since its start.

    Raises:
        subprocess.CalledProcessError: The command failed, so there is nothing to show.
    """
    started, lines = time.monotonic(), []
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    with subprocess.Popen(
        shlex.split(command), cwd=folder, env=environ, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            lines.append([round(time.monotonic() - started, 1), line.rstrip("\n")])
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, str(lines))
    return {"command": command, "lines": lines, "seconds": round(time.monotonic() - started, 1)}


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        try:
            session = [record(command, Path(scratch)) for command in COMMANDS]
        finally:
            subprocess.run(
                [Path(sys.executable).parent / "etltctl", "local", "down"], cwd=scratch, check=False
            )
    RECORDING.write_text(json.dumps(session, indent=1, ensure_ascii=False) + "\n", "utf-8")
