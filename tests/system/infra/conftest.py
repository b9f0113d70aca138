"""A separate checkout, and an embedded server that plays the account it is deployed to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from etltctl.infrastructure.bundle import NEEDED
from support.checkout import Checkout
from support.served import ACCOUNT, Served, serve
from support.template import PROJECT


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield a server that plays one account."""
    with serve(tmp_path_factory.mktemp("account"), "--keep", program=ACCOUNT) as served:
        yield served


@pytest.fixture(scope="session")
def deployment(account: Served, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout whose stack was deployed to the account."""
    checkout = Checkout.make(tmp_path_factory.mktemp("deployed"), account, "lake1")
    with checkout.led():
        checkout.deploy()
    seen = account.state / "server" / "witness.jsonl"
    seen.with_name("deployment.jsonl").write_text(seen.read_text())  # the calls of the deployment only
    return checkout


@pytest.fixture(scope="module")
def deployed(deployment: Checkout) -> Iterator[Checkout]:
    """Yield the deployed checkout, with this process's environment pointed to its account. A test that changes it
    deploys it back.
    """
    with deployment.led():
        yield deployment


@pytest.fixture
def newcomer(deployed: Checkout, tmp_path: Path) -> Checkout:
    """Yield another checkout for the same account, with different names."""
    assert deployed.account is not None
    return Checkout.make(tmp_path, deployed.account, "lake2", prefix="lake2-")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a checkout with only the files that a deployment needs."""
    (tmp_path / "etltctl.toml").write_text((PROJECT / "etltctl.toml").read_text())
    (tmp_path / "glue_jobs").mkdir()
    for name in ("one.py", "two.py"):
        (tmp_path / "glue_jobs" / name).write_text(f"# {name}\nimport shared\n")
    for name in ("shared.py", "unused.py", "shared_config.json"):
        (tmp_path / "glue_jobs" / name).write_text(f"# {name}\n")
    airflow = tmp_path / "deploy" / "airflow"
    airflow.mkdir(parents=True)
    for name in NEEDED:
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path
