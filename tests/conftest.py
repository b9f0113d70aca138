"""Which tests share a process in a parallel run, which skips are allowed, and how random tests get their seed.

Tests that share a lake, a server or a Spark session share a process. A run fails if a test is skipped for a reason
that `allowed_skips.txt` does not list. Randomised tests draw from ETLTCTL_SEED, which has a fixed default; the value
`random` draws a seed. The seed in use is printed at the top of the run.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from support.tallies import TallyTables

# In the order in which they start, the longest first. A file or folder of `TOGETHER` is one share with everything
# below it that is not a separate share. Every other file is a share by itself.
TOGETHER = (
    "tests/system/faults/records/",
    "tests/system/faults/",
    "tests/system/e2e/",
    "tests/system/glue_jobs/f1/",
    "tests/system/glue_jobs/",
    "tests/system/infra/",
    "tests/component/governance/",
    "tests/component/pipeline/",
    "tests/component/services/starts/",
    "tests/component/local/athena/",
)
APART = (
    "tests/system/e2e/test_pack.py",
    "tests/system/faults/test_answers.py",
    "tests/system/faults/test_boundaries.py",
    "tests/system/e2e/test_interrupts.py",
    "tests/system/e2e/test_governance.py",
    "tests/system/e2e/test_connections.py",
)

DEFAULT_SEED = 20_260
LINGER = "ETLTCTL__LOCAL__LINGER_MINUTES"
WITNESS = "ETLTCTL__LOCAL__WITNESS"
ALLOWED_SKIPS = [
    re.compile(line)
    for line in Path(__file__).with_name("allowed_skips.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set the seed before anything draws from it; the processes of the suite inherit it."""
    value = os.environ.get("ETLTCTL_SEED") or str(DEFAULT_SEED)
    seed = random.SystemRandom().randrange(10**6) if value == "random" else int(value)
    os.environ["ETLTCTL_SEED"] = str(seed)
    os.environ[LINGER] = "0"  # a test's server ends with its last command
    os.environ.setdefault(
        WITNESS, "true"
    )  # and refuses a call that the real service would not accept or make
    config.option.hypothesis_seed = str(seed)
    # No test judges by time: a busy machine would fail a property that holds.
    untimed = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
    hypothesis.settings.register_profile("untimed", untimed)
    hypothesis.settings.load_profile("untimed")
    config.pluginmanager.register(SkipGate(), "skip-gate")
    config.pluginmanager.register(TallyTables(), "tally-tables")


def pytest_report_header() -> str:
    """Print the seed."""
    return f"ETLTCTL_SEED={os.environ['ETLTCTL_SEED']}"


@pytest.fixture(scope="session", autouse=True)
def _clients_share_what_they_load() -> Iterator[None]:
    """Load a service's description and the certificates of TLS once a process, not once a client.

    They take 0.15 and 0.04 s of processor time, and the tests make thousands of clients.
    """
    import botocore.session
    import httpx._transports.default as transports

    create_loader, create_context = botocore.session.create_loader, transports.create_ssl_context
    loaded: dict[str | None, Any] = {}
    contexts = cache(lambda environ, *options: create_context(*options))

    def create_sharing_loader(search_path: str | None = None) -> Any:
        loader = create_loader(
            search_path
        )  # one loader each: a session adds its folder to the loader's search path
        loader._cache = loaded.setdefault(search_path, loader._cache)
        return loader

    def find_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> Any:
        named = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        return contexts(named, verify, cert, trust_env)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", create_sharing_loader)
        patch.setattr(transports, "create_ssl_context", find_context)
        yield


class SkipGate:
    """A check that fails a run in which a test was skipped for a reason that is not allowed."""

    def __init__(self) -> None:
        self._skips: dict[str, str] = {}  # reasons by test

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a skipped test."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a skipped module."""
        self._note(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a green run with an unexpected skip into a failed one."""
        if self._skips and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name the unexpected skips."""
        if self._skips:
            terminalreporter.section("skips that tests/allowed_skips.txt does not allow", red=True)
        for nodeid, reason in self._skips.items():
            terminalreporter.line(f"{nodeid}: {reason}")

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not any(allowed.search(reason) for allowed in ALLOWED_SKIPS):
            self._skips[report.nodeid] = reason


def share(nodeid: str) -> str:
    """Return the share that a test belongs to."""
    file = nodeid.partition("::")[0]
    if file in APART:
        return file
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole shares to the processes, in the order named above."""
    from xdist.scheduler import LoadScopeScheduling

    class Shares(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return share(nodeid)

    return Shares(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest shares first, so that no process is left with one at the end."""
    order = [*TOGETHER, *APART]
    places = {name: place for place, name in enumerate(order)}
    items.sort(key=lambda item: places.get(share(item.nodeid), len(order)))
