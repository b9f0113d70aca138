"""The embedded endpoints: what they answer, from the code that answers, and how true they are to the real ones."""

from __future__ import annotations

import re
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etltctl.local.services import airbyte

SERVICE_NAMES = {
    "AWSGlue": "Glue",
    "AmazonAthena": "Athena",
    "Logs_20140328": "CloudWatch Logs",
    "LakeFormation": "Lake Formation",
    "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "CloudTrail",
}

WHO_IS_LET_IN = """## Who is let in

The server listens on 127.0.0.1, which every user of the machine can reach. It answers callers that have a key of its
state folder, and refuses all others as the service itself would. The state folder is made with mode 0700; a folder of
another user is refused.

- **AWS's services**: an access key and its secret, by Signature Version 4. They are in `.etltctl/server/keys.json`,
  which only its owner reads (mode 0600). Sessions of `sts:AssumeRole` and access keys that the embedded IAM makes are
  let in as well.
- **Airbyte**: a token, for the client id and secret in `.etltctl/airbyte/credentials.json` (mode 0600).
- **The server's own calls** (`/_etltctl/`) **and the HTTP sample** (`/sample/`): `Authorization: Bearer` with the
  `server_key` of `keys.json`.
- **MongoDB, with the weather sample**: a user and a password that end with its process and are in no file.
- `/_etltctl/health` and Airbyte's `/health` need no key: they say that the server is up.

[Your own programs](../how-to/use-your-own-clients.md) get the keys by `eval "$(etltctl local env)"`. To replace the
keys, stop the server, delete the file, and start it again.

Not protected: what runs as the same user of the machine, or as root, can read the keys and the lake's files. A Glue
job is such a program. Nothing is encrypted on the way, which does not leave the machine; MongoDB answers `hello` and
`buildInfo` to every caller. Web pages are refused, whatever they ask for.
"""


@dataclass(frozen=True)
class Suite:
    """What a public test suite says of a service: how many of its tests pass, and why the others do not."""

    name: str
    commit: str
    passed: int
    failed: dict[str, int]
    not_claimed: dict[str, int]

    def section(self) -> str:
        """Return the section of the page; both tables name reasons and counts of tests."""
        failed, left_out = sum(self.failed.values()), sum(self.not_claimed.values())
        rows = [("fails", *row) for row in self.failed.items()]
        rows += [("not claimed", *row) for row in self.not_claimed.items()]
        return "\n".join([
            f"[{self.name}](https://github.com/{self.name}) (commit `{self.commit}`), which knows no etltctl: of its "
            f"tests of what is modelled {self.passed} pass and {failed} fail; {left_out} others are of what is not.\n",
            "| | tests | why |",
            "| --- | ---: | --- |",
            *(f"| {what} | {count} | {reason} |" for what, reason, count in rows),
            "",
        ])  # fmt: skip


@dataclass(frozen=True)
class Fidelity:
    """How true one embedded service is to the real one: what is the same, what differs, what is not modelled."""

    name: str
    embedded: str
    same: list[str]
    differs: list[str]
    missing: list[str]
    suite: Suite | None = None


def _fidelity(service: dict[str, Any]) -> Fidelity:
    suite = service.pop("suite", None)
    return Fidelity(**service, suite=Suite(**suite) if suite else None)


SERVICES = [
    _fidelity(service)
    for service in tomllib.loads(Path(__file__).with_name("fidelity.toml").read_text("utf-8"))["services"]
]


def endpoints_table() -> str:
    """Return the README's table."""
    rows = [f"| {each.name} | {each.embedded} | {'; '.join(each.missing)} |" for each in SERVICES]
    return "\n".join(["| | embedded | not modelled |", "| --- | --- | --- |", *rows, ""])


def endpoints_page() -> str:
    """Return the page."""
    parts = [
        "# The embedded endpoints\n",
        "For a pipeline etltctl only ever talks to Airbyte's public API and to AWS's API; locally it talks to a small "
        "server on 127.0.0.1 that speaks both. This is how true that server is to the real services.\n",
    ]
    for each in SERVICES:
        parts.append(f"## {each.name}\n\n{each.embedded[0].upper()}{each.embedded[1:]}.\n")
        parts += ["| same | differs | not modelled |", "| --- | --- | --- |"]
        cells = ("; ".join(texts) for texts in (each.same, each.differs, each.missing))
        parts.append(f"| {' | '.join(cells)} |\n")
        if each.suite:
            parts.append(each.suite.section())
    parts.append(WHO_IS_LET_IN)
    parts.append("## What is answered\n")
    parts.append(
        "By etltctl's own server; every other operation of Glue, Athena, IAM, Lake Formation, Secrets Manager and "
        "SSM is answered by moto.\n"
    )
    parts.append(f"- S3: {', '.join(f'`{name}`' for name in s3_operations())}")
    for service, operations in aws_operations().items():
        parts.append(f"- {service}: {', '.join(f'`{name}`' for name in operations)}")
    parts.append(f"- Airbyte: {', '.join(f'`{call}`' for call in airbyte_calls())}\n")
    return "\n".join(parts)


def s3_operations() -> list[str]:
    """Return the operations of S3 that are modelled. Every other one is refused."""
    from etltctl.local.services.s3.operations import OPERATIONS

    return sorted(operation.name for operation in OPERATIONS)


def aws_operations() -> dict[str, list[str]]:
    """Return the operations that the server itself answers, by service; it is made in a folder that goes again."""
    from etltctl.local.kernel.keys import Keys
    from etltctl.local.server.application import Application
    from etltctl.local.services.sts.service import ACTIONS

    with tempfile.TemporaryDirectory() as folder:
        application = Application(Path(folder), "http://127.0.0.1:1", Keys.make())
        try:
            names = {*application._operations, *application._log_operations}
            names |= {
                f"LakeFormation{path.replace('/', '.')}" for path in application._of_caller if "/" in path
            }
            names |= {f"STS.{action}" for action in ACTIONS}
        finally:
            application.close()
    operations_of: dict[str, list[str]] = {}
    for name in sorted(names):
        target, _, operation = name.rpartition(".")
        if target and not target.startswith("etltctl"):
            operations_of.setdefault(SERVICE_NAMES.get(target, target.removeprefix("Amazon")), []).append(
                operation
            )
    return operations_of


def airbyte_calls() -> list[str]:
    """Return the calls of Airbyte's public API that are answered, as method and path."""
    text = "".join(
        file.read_text("utf-8") for file in sorted(Path(str(airbyte.__file__)).parent.glob("*.py"))
    )
    calls = re.findall(r'\(\s*"(GET|POST|PUT|PATCH|DELETE)", (r?)"(/[^"]*)"', text)
    return sorted({f"{method} {_readable(path) if raw else path}" for method, raw, path in calls})


def _readable(pattern: str) -> str:
    return (
        re.sub(r"\(\[\^/\]\+\)|\(\\d\+\)", "{id}", pattern)
        .replace("(", "{")
        .replace(")", "}")
        .replace("\\", "")
    )
