"""Deployments to services that answer less than AWS: no image to read, events without a token."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from etltctl.errors import WaitTimeoutError
from etltctl.infrastructure import Watcher, deploy
from support.checkout import QUICK, Checkout
from support.relay import relayed

TOKENS = re.compile(rb"<ClientRequestToken>[^<]*</ClientRequestToken>")


def without_tokens(request: bytes, body: bytes) -> bytes:
    return TOKENS.sub(b"", body)


def test_an_image_that_is_named_is_not_asked_for(deployed: Checkout) -> None:
    deployed.spoil(
        {
            "call": "GetParameter",
            "refuse": {"status": 400, "body": {"__type": "AccessDeniedException"}},
            "times": 0,
        }
    )
    image = deployed.client("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    changes = deployed.plan(infra__image=image).changes
    assert [change.action for change in changes if change.type == "AWS::EC2::Instance"] in (["replace"], [])
    deployed.spoil()


def test_a_deployment_ends_although_events_carry_no_token(deployed: Checkout) -> None:
    assert deployed.account is not None
    with relayed(deployed.account.port, without_tokens) as url:
        other = replace(deployed, environ={**deployed.environ, "AWS_ENDPOINT_URL": url})
        with other.led():
            done = other.deploy(glue__jobs__small__workers=3)
    assert (done.changes, done.status) == (1, "UPDATE_COMPLETE")


def test_a_deployment_without_any_progress_ends_with_a_specific_error(deployed: Checkout) -> None:
    answer = "<ExecuteChangeSetResponse><ExecuteChangeSetResult/></ExecuteChangeSetResponse>"
    deployed.spoil({"call": "ExecuteChangeSet", "refuse": {"status": 200, "body": answer}})
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += max(seconds, 10.0)

    waiter = replace(QUICK, timeout=3600.0, clock=lambda: now[0], sleep=sleep)
    with pytest.raises(WaitTimeoutError, match="neither its events nor its status show it") as raised:
        deploy(
            deployed.settings(glue__jobs__small__workers=5), Watcher(waiter=waiter, confirm=lambda _: True)
        )
    assert "etltctl infra deploy" in raised.value.hint
    assert 300 < now[0] < 400
    deployed.spoil()
    deployed.deploy()
