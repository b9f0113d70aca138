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
    gaps: str  # the most important of `missing`, for the README
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
    rows = [f"| {each.name} | {each.embedded} | {each.gaps} |" for each in SERVICES]
    return "\n".join(["| | embedded | not modelled, for example |", "| --- | --- | --- |", *rows, ""])


def services_reference() -> str:
    """Return a section for each service: what is the same as in the real one, what differs, what is not modelled."""
    parts = []
    for each in SERVICES:
        parts.append(f"## {each.name}\n\n{each.embedded[0].upper()}{each.embedded[1:]}.\n")
        for heading, texts in (
            ("The same", each.same),
            ("Different", each.differs),
            ("Not modelled", each.missing),
        ):
            parts.append(f"{heading}:\n\n" + "\n".join(f"- {text}" for text in texts) + "\n")
        if each.suite:
            parts.append(each.suite.section())
    return "\n".join(parts)


def operations_list() -> str:
    """Return the operations that etltctl's own server answers, a line a service."""
    names_of = {
        "S3": s3_operations(),
        **aws_operations(),
        "Airbyte": airbyte_calls(),
    }
    return "".join(
        f"- {service}: {', '.join(f'`{name}`' for name in names)}\n" for service, names in names_of.items()
    )


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
        # Nothing listens on this port, and no call is made: the server is asked for its operations only.
        application = Application(Path(folder), "http://127.0.0.1:1", Keys.make())
        try:
            names = {*application._operations, *application._logs.operations()}
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
    # The routes stand in several modules of the service. In the source each is a method and a path.
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
