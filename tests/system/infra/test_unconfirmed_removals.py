"""A removal that no one confirms, of stacks with nothing to list: it deletes no stack."""

from __future__ import annotations

import pytest

from etltctl.errors import BlockedError
from etltctl.infrastructure import Watcher, destroy, plan_removal
from support.checkout import QUICK, Checkout


def test_a_stack_that_only_a_plan_has_made_is_not_deleted_without_a_confirmation(newcomer: Checkout) -> None:
    newcomer.plan()
    assert (plan_removal(newcomer.settings()).changes, status_of(newcomer)) == ((), "REVIEW_IN_PROGRESS")
    with pytest.raises(
        BlockedError, match="the removal of stack lake2 was not confirmed; nothing was changed"
    ):
        destroy(newcomer.settings(), Watcher(waiter=QUICK, confirm=lambda _: False))
    assert status_of(newcomer) == "REVIEW_IN_PROGRESS"
    assert newcomer.destroy().was_there
    assert not plan_removal(newcomer.settings()).was_there


def status_of(checkout: Checkout) -> str:
    """Return the status of the checkout's stack."""
    (stack,) = checkout.client("cloudformation").describe_stacks(StackName=checkout.project)["Stacks"]
    return str(stack["StackStatus"])
