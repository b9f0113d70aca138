"""A project folder with everything that a deployment needs, and the command run in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.infrastructure import (
    Deployed,
    Plan,
    Removal,
    Watcher,
    deploy,
    destroy,
    plan,
)
from etltctl.infrastructure.bundle import NEEDED
from etltctl.settings import Settings, load_settings
from etltctl.waiting import Waiter
from support.served import Served
from support.workplace import Workplace

PROJECT = Path(__file__).parents[2]
SMALL = """
[glue.jobs.small]
script = "small.py"
incremental = true
reads = ["bronze.mongodb_observations"]
writes = ["gold.small"]
"""
WEATHER = 'script = "glue_jobs/bronze_to_silver.py"'
QUICK = Waiter(timeout=60.0, first_pause=0.02, longest=0.1)


@dataclass(frozen=True)
class Checkout(Workplace):
    """A folder with settings and a small Airflow, which uses the server that plays the account."""

    account: Served | None = None
    project: str = ""

    @classmethod
    def make(cls, folder: Path, account: Served, project: str, *, prefix: str = "") -> Checkout:
        """Return a folder with the project's settings under another project name and with a job prefix."""
        text = (PROJECT / "etltctl.toml").read_text().replace("pi-m3", project)
        assert WEATHER in text
        # The job is incremental, so that the policies and the check before a run have what such a job needs.
        text = text.replace(WEATHER, f"{WEATHER}\nincremental = true")
        (folder / "etltctl.toml").write_text(f'{text}[glue]\njob_prefix = "{prefix}"\n{SMALL}')
        (folder / "small.py").write_text("# never run: the tests of this folder start no Spark\n")
        airflow = folder / "deploy" / "airflow"
        airflow.mkdir(parents=True)
        for name in NEEDED:
            (folder / name).write_text(f"# {name}\n")
        environ = {
            **account.environ,
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "ETLTCTL_ENV": "aws",
            "ETLTCTL__AWS__PROFILE": "",
        }
        return cls(folder, environ, account=account, project=project)

    @contextmanager
    def led(self) -> Iterator[None]:
        """Point this process's environment to the account within the block."""
        with pytest.MonkeyPatch.context() as environment:
            for name, value in self.environ.items():
                environment.setenv(name, value)
            yield

    def settings(self, **flags: Any) -> Settings:
        """Return the settings as the command reads them, with these flags on top."""
        named = {name.replace("__", "."): value for name, value in flags.items()}
        return load_settings(config=self.folder / "etltctl.toml", environ=self.environ, flags=named)

    def change(self, old: str, new: str) -> None:
        """Replace a text in the settings file."""
        file = self.folder / "etltctl.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def plan(self, **flags: Any) -> Plan:
        """Return the library's plan."""
        return plan(self.settings(**flags), waiter=QUICK)

    def deploy(self, *, yes: bool = True, **flags: Any) -> Deployed:
        """Deploy with the library; without `yes` only a reviewed plan is carried out."""
        return deploy(self.settings(**flags), Watcher(waiter=QUICK, confirm=lambda _: yes))

    def destroy(self, **flags: Any) -> Removal:
        """Destroy the stack with the library, without a confirmation."""
        return destroy(self.settings(**flags), Watcher(waiter=QUICK, confirm=lambda _: True))

    def client(self, service: str) -> Any:
        """Return unmodified boto3 that uses the account."""
        assert self.account is not None
        return self.account.client(service)

    @cached_property
    def operator(self) -> dict[str, str]:
        """Return the environment variables of a user who may only operate the lake."""
        iam = self.client("iam")
        iam.create_user(UserName="operator")
        key = iam.create_access_key(UserName="operator")["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def spoil(self, *rules: Mapping[str, Any]) -> None:
        """Set these faults in place of the earlier ones."""
        assert self.account is not None
        status, answer = self.account.request("POST", "faults", list(rules))
        assert status == 200, answer


@contextmanager
def recorded() -> Iterator[set[str]]:
    """Record every AWS call of the library within the block as `service:Operation`, without the tests' own calls."""
    calls: set[str] = set()
    client_of = Aws._client

    def recording(self: Aws, service: str, use: Any) -> Any:
        client = client_of(self, service, use)
        note = f"before-call.{client.meta.service_model.service_id.hyphenize()}"
        client.meta.events.register(note, lambda model, **_: calls.add(f"{service}:{model.name}"), note)
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Aws, "_client", recording)
        yield calls
