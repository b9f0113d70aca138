"""A POST to a secret address: what is repeated, what is hidden, and which proxies count."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import respx

from etltctl.errors import ConfigurationError, EtltctlError
from etltctl.observers.addresses import Address
from etltctl.observers.notifications.http import post
from etltctl.retrying import RetryPolicy

URL = "https://hooks.example/services/T0/verysecrettoken42?sig=abcdefghijkl"
ADDRESS = Address("notify.ops.url", URL, "webhook")


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def policy(sleeps: list[float]) -> RetryPolicy:
    return RetryPolicy(attempts=3, first_wait=0.3, longest_wait=2.0, sleep=sleeps.append)


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.mark.parametrize(("header", "waited"), [("1", 1.0), ("3600", 2.0), ("0", 0.0)])
def test_the_wait_that_a_receiver_asks_for_is_kept_within_bounds(
    router: respx.MockRouter, policy: RetryPolicy, sleeps: list[float], header: str, waited: float
) -> None:
    router.post(URL).side_effect = [httpx.Response(429, headers={"Retry-After": header}), httpx.Response(200)]
    post(ADDRESS, {"a": 1}, policy)
    assert sleeps == [waited]


def test_a_date_to_wait_for_is_left_to_the_policy(
    router: respx.MockRouter, policy: RetryPolicy, sleeps: list[float]
) -> None:
    later = {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
    router.post(URL).side_effect = [httpx.Response(503, headers=later), httpx.Response(200)]
    post(ADDRESS, {"a": 1}, policy)
    assert 0 <= sleeps[0] <= 2.0


def test_a_lost_connection_is_repeated_and_a_lost_answer_is_not(
    router: respx.MockRouter, policy: RetryPolicy
) -> None:
    lost = router.post(URL)
    lost.side_effect = [httpx.ConnectError("refused"), httpx.ConnectTimeout(""), httpx.Response(204)]
    post(ADDRESS, {"a": 1}, policy)
    assert lost.call_count == 3
    lost.side_effect = httpx.ReadTimeout("")
    with pytest.raises(EtltctlError, match="gave no whole answer: ReadTimeout; it may have arrived"):
        post(ADDRESS, {"a": 1}, policy)
    assert lost.call_count == 4


def test_no_error_quotes_the_address(router: respx.MockRouter, policy: RetryPolicy) -> None:
    router.post(URL).side_effect = httpx.ReadError(f"cannot read {URL}, path /services/T0/verysecrettoken42")
    with pytest.raises(EtltctlError) as raised:
        post(ADDRESS, {"a": 1}, policy)
    assert "verysecrettoken42" not in str(raised.value)
    assert "abcdefghijkl" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "verysecrettoken42" not in repr(ADDRESS)


def test_half_a_surrogate_pair_does_not_break_the_document(
    router: respx.MockRouter, policy: RetryPolicy
) -> None:
    route = router.post(URL).respond(200)
    post(ADDRESS, {"a": "\ud800 é"}, policy)
    assert route.calls.last.request.content == '{"a": "? é"}'.encode()


def test_a_socks_proxy_that_cannot_be_used_is_named_without_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.example:1080")
    with pytest.raises(ConfigurationError) as raised:
        post(ADDRESS, {"a": 1})
    assert "notify.ops.url (hooks.example) cannot be called through the SOCKS proxy" in str(raised.value)
    assert "verysecrettoken42" not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize(
    "url", ["", "hooks.example/x", "ftp://h/x", "https:///x", "https://h:x/", "https://h/a b"]
)
def test_what_is_not_an_address_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ConfigurationError, match="does not hold an address") as raised:
        post(Address("notify.ops.url", url, "slack"), {})
    assert not url or url not in str(raised.value)
