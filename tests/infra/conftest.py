"""A checkout of one's own, and an embedded server that plays the account it is deployed to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import Checkout
from served import Served, serve


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that plays one account."""
    with serve(tmp_path_factory.mktemp("account"), "--keep") as served:
        yield served


@pytest.fixture(scope="session")
def deployed(account: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose stack was deployed to the account; whoever changes it deploys it back."""
    made = Checkout.make(tmp_path_factory.mktemp("deployed"), account, "lake1")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in made.environ.items():
            environment.setenv(name, value)
        made.deploy()
        yield made


@pytest.fixture
def newcomer(deployed: Checkout, tmp_path: Path) -> Checkout:
    """Another checkout for the same account, in which the jobs and roles of the deployed one are in the way."""
    assert deployed.account is not None
    return Checkout.make(tmp_path, deployed.account, "lake2")
