"""The doctor's findings about the proxies of the environment."""

from __future__ import annotations

import importlib.util

import pytest

from etltctl.diagnosis.findings import Status
from etltctl.diagnosis.machine import check_proxies
from etltctl.diagnosis.probe import Probe
from etltctl.settings import load_settings


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "FTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("proxy", "status", "evidence"),
    [
        ("", Status.OK, "the environment names none"),
        ("http://proxy.test:8080", Status.OK, "ALL_PROXY; calls to this machine do not use them"),
        ("socks5://proxy.test:1080", Status.WARN, "ALL_PROXY names a SOCKS proxy"),
    ],
)
def test_a_socks_proxy_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, proxy: str, status: Status, evidence: str
) -> None:
    if importlib.util.find_spec("socksio") is not None:
        pytest.skip("the package socksio is installed here, so SOCKS proxies can be used")
    monkeypatch.setenv("ALL_PROXY", proxy)
    (finding,) = check_proxies(Probe(load_settings(env="local", environ={})))
    assert finding.status is status
    assert finding.evidence.startswith(evidence)
