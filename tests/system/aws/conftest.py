"""The account of the first day, and the table of the results in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support.lake_account import Account, open_account


@dataclass(frozen=True)
class Proof:
    """One line of the table: the result, its evidence, and its duration."""

    what: str
    witness: str
    seconds: float


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Yield the account, which is empty if it is the embedded one."""
    with open_account(tmp_path_factory.mktemp("first-day")) as opened:
        yield opened


@pytest.fixture
def prove(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return the function that adds a line to the table; a test calls it last."""
    began = time.monotonic()

    def add(what: str, witness: str) -> None:
        proof = Proof(what, witness, time.monotonic() - began)
        request.node.user_properties.append(("proof", (proof.what, proof.witness, proof.seconds)))

    return add


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the results, also if a later step failed."""
    proofs = [
        value
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, value in report.user_properties
        if name == "proof"
    ]
    if proofs:
        terminalreporter.section("proven in the account")
    for what, witness, seconds in proofs:
        terminalreporter.line(f"{what:<58}{witness:<34}{seconds:>7.0f} s")
