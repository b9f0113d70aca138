"""A connector of a few lines, as a wheel in a folder: it does what its configuration says, in a real process.

`read` goes through the list `script` of its configuration. An action is a message to print, or one of `raw` (a line of
any text), `stderr`, `sleep` (seconds), `exit` (code), `records` (stream, count) and `spawn` (a child that sleeps).
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path
from typing import Any

NAME, VERSION = "airbyte-source-tiny", "1.0"
PACKAGE = f"{NAME}=={VERSION}"
CODE = """
import json, os, subprocess, sys, time


def say(message):
    print(message if isinstance(message, str) else json.dumps(message), flush=True)


def act(action):
    if "raw" in action:
        say(action["raw"])
    elif "stderr" in action:
        print(action["stderr"], file=sys.stderr, flush=True)
    elif "sleep" in action:
        time.sleep(action["sleep"])
    elif "exit" in action:
        sys.exit(action["exit"])
    elif "spawn" in action:
        child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({action['spawn']})"])
        say({"type": "LOG", "log": {"level": "INFO", "message": f"child {child.pid}"}})
    elif "environ" in action:
        say({"type": "LOG", "log": {"level": "INFO", "message": json.dumps([sys.argv, dict(os.environ)])}})
    elif "mode" in action:
        modes = {name: oct(os.stat(name).st_mode & 0o777) for name in (".", "config.json")}
        say({"type": "LOG", "log": {"level": "INFO", "message": json.dumps(modes)}})
    elif "rotate" in action:
        config = json.load(open("config.json"))
        token = config["refresh_token"] = config["refresh_token"][::-1]
        changed = {"type": "CONNECTOR_CONFIG", "emitted_at": 1.0, "connectorConfig": {"config": config}}
        say({"type": "CONTROL", "control": changed})
        say({"type": "LOG", "log": {"level": "INFO", "message": f"signed in with {token}"}})
    elif "show_config" in action:
        token = json.load(open("config.json"))["refresh_token"]
        say({"type": "LOG", "log": {"level": "INFO", "message": f"token of {len(token)}"}})
    elif "show_state" in action:
        say({"type": "LOG", "log": {"level": "INFO", "message": open("state.json").read()}})
    elif "records" in action:
        stream, count = action["records"]
        for number in range(count):
            say({"type": "RECORD", "record": {"stream": stream, "emitted_at": 1700000000000, "data": {"id": number}}})
    else:
        say(action)


def main():
    verb = sys.argv[1]
    if verb == "spec":
        properties = {"pin": {"type": "string", "airbyte_secret": True}}
        return say({"type": "SPEC", "spec": {"connectionSpecification": {"properties": properties}}})
    config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
    if verb == "check":
        for action in config.get("check", [{"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}]):
            act(action)
    elif verb == "discover":
        say({"type": "CATALOG", "catalog": {"streams": config["streams"]}})
    else:
        for action in config["script"]:
            act(action)
"""


def write_wheel(folder: Path, requires: str = "") -> Path:
    """Write the connector's wheel into a folder, and return it. `requires` names one more package that it needs."""
    info = f"{NAME.replace('-', '_')}-{VERSION}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        "source_tiny.py": CODE,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nsource-tiny = source_tiny:main\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{NAME.replace('-', '_')}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            # The same bytes each time, so that a lock of an earlier test holds.
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    return wheel


def offline(wheels: Path) -> dict[str, str]:
    """Return the variables by which pip and uv find packages in this folder and nowhere else."""
    return {
        "UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels), "UV_NO_CONFIG": "1",
        "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null",
    }  # fmt: skip


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def stream(name: str, /, **properties: Any) -> dict[str, Any]:
    """Return a stream of the connector's catalog with the column `id` and these."""
    return {
        "name": name,
        "json_schema": {"type": "object", "properties": {"id": {"type": "integer"}, **properties}},
        "supported_sync_modes": ["full_refresh", "incremental"],
    }


def record(stream: str, /, **data: Any) -> dict[str, Any]:
    """Return a RECORD message."""
    return {"type": "RECORD", "record": {"stream": stream, "data": data, "emitted_at": 1_700_000_000_000}}


def status(stream: str, word: str) -> dict[str, Any]:
    """Return a TRACE message with the status of a stream."""
    content = {"stream_descriptor": {"name": stream}, "status": word}
    return {"type": "TRACE", "trace": {"type": "STREAM_STATUS", "emitted_at": 1.0, "stream_status": content}}


def error(text: str, kind: str = "config_error", stream: str = "") -> dict[str, Any]:
    """Return a TRACE message with an error."""
    content = {"message": text, "failure_type": kind, "stack_trace": "Traceback"}
    if stream:
        content["stream_descriptor"] = {"name": stream}  # type: ignore[assignment]
    return {"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": 1.0, "error": content}}
