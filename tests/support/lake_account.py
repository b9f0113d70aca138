"""The account of the first-day test: the embedded server, or a real account that the caller names."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from support.served import ACCOUNT, serve
from support.workplace import Workplace

PROJECT = Path(__file__).parents[2]
CHECKOUT = "ETLTCTL_AWS_CHECKOUT"
LIMIT = "ETLTCTL_AWS_MAX_USD"
ENV = "ETLTCTL_AWS_ENV"
DESTROY = "ETLTCTL_AWS_DESTROY"
EMBEDDED_LIMIT_USD = 1.0
SHIPPED = (
    "connectors",
    "dags",
    "deploy",
    "glue_jobs",
    "requirements",
    "src",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)


@dataclass(frozen=True)
class Account(Workplace):
    """A checkout with settings for an account, and what a run in it may cost.

    Attributes:
        max_usd: The most that all runs together may cost, in US dollars.
        is_destroyed: Whether the stack is removed at the end.
    """

    max_usd: float = EMBEDDED_LIMIT_USD
    is_real: bool = False
    is_destroyed: bool = True
    own_environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_environ(self) -> dict[str, str]:
        """Return the environment of every command: the caller's environment on a real account."""
        return {**os.environ, **self.own_environ} if self.is_real else super().full_environ

    def named(self, *arguments: str) -> list[str]:
        """Return the command's words unchanged: no run here gets a name."""
        return list(arguments)

    def client(self, service: str) -> Any:
        """Return unmodified boto3, with the keys of the embedded account or the profile of the real one."""
        import boto3

        environ = self.full_environ
        session = {
            "aws_access_key_id": environ.get("AWS_ACCESS_KEY_ID"),
            "aws_secret_access_key": environ.get("AWS_SECRET_ACCESS_KEY"),
            "aws_session_token": environ.get("AWS_SESSION_TOKEN"),
            "region_name": environ.get("AWS_REGION") or self.settings["aws.region"],
        }
        if not session["aws_access_key_id"]:
            session["profile_name"] = environ.get("AWS_PROFILE") or self.settings["aws.profile"]
        named = {name: value for name, value in session.items() if value}
        return boto3.Session(**named).client(service, endpoint_url=environ.get("AWS_ENDPOINT_URL"))

    @property
    def stack(self) -> str:
        """Return the name of the CloudFormation stack."""
        return str(self.settings["infra.stack"] or self.settings["project"])

    @property
    def spent_usd(self) -> float:
        """Return what the runs of this test have cost so far, in US dollars."""
        return self._ledger_usd() - self.spent_before_usd

    @cached_property
    def spent_before_usd(self) -> float:
        """Return what all runs had cost before this test; read it before the first run."""
        return self._ledger_usd()

    def _ledger_usd(self) -> float:
        return float(sum(row["usd"] or 0.0 for row in self.json("cost")["rows"]))

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """Return the settings by name, as the command reads them."""
        return {row["setting"]: row["value"] for row in self.json("config", "show")["rows"]}


@contextmanager
def open_account(folder: Path) -> Iterator[Account]:
    """Open the account that `ETLTCTL_AWS_CHECKOUT` names, or an empty one on the embedded server.

    Args:
        folder: An empty folder for the embedded account.

    Raises:
        ValueError: A real account is named without the limit `ETLTCTL_AWS_MAX_USD`.
    """
    checkout = os.environ.get(CHECKOUT)
    if checkout:
        if LIMIT not in os.environ:
            raise ValueError(f"{CHECKOUT} names a real account: set {LIMIT} to what the test may cost")
        yield Account(
            Path(checkout),
            max_usd=float(os.environ[LIMIT]),
            is_real=True,
            is_destroyed=os.environ.get(DESTROY) == "1",
            own_environ={"ETLTCTL_ENV": os.environ.get(ENV, "aws")},
        )
        return
    with serve(folder / "account", "--keep", program=ACCOUNT) as served:
        yield Account(_make_checkout(folder / "checkout"), _lead_to(served))


def _make_checkout(folder: Path) -> Path:
    folder.mkdir()
    (folder / "etltctl.toml").write_text((PROJECT / "etltctl.toml").read_text())
    for name in SHIPPED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, folder)
    return folder


def _lead_to(served: Any) -> dict[str, str]:
    """Return the variables that lead to the embedded account: AWS's own, and Airbyte's by etltctl's settings."""
    airbyte = json.loads((served.state / "airbyte" / "credentials.json").read_text())
    return {
        **served.environ,
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "ETLTCTL_ENV": "aws",
        "ETLTCTL__AWS__PROFILE": "",
        "ETLTCTL__AIRBYTE__URL": f"http://127.0.0.1:{served.port}/airbyte/v1",
        "ETLTCTL__AIRBYTE__CLIENT_ID": airbyte["client_id"],
        "ETLTCTL__AIRBYTE__CLIENT_SECRET": airbyte["client_secret"],
        "ETLTCTL__SOURCES__MONGODB__URI": "sample:",
        "ETLTCTL__SOURCES__API__BASE_URL": "sample:",
        "ETLTCTL__SOURCES__API__SEASONS": "all",
    }
