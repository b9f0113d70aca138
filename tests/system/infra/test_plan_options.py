"""The options of plan and apply mean the same for the stack, for Airbyte and for Lake Formation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.checkout import Checkout
from support.served import ACCOUNT, serve

JOB, WRITES = 'script = "small.py"', 'writes = ["gold.small"]\n'
GOVERNED = '[governance.zones.curated]\nlayers = ["gold"]\nhybrid = true\n'
# The group, the command that makes its changes, and settings that differ from what was deployed.
USERS = [
    pytest.param("infra", "deploy", (JOB, f"{JOB}\nworkers = 3"), id="infra"),
    pytest.param("connections", "apply", ("", ""), id="connections"),
    pytest.param("govern", "apply", (WRITES, f"{WRITES}{GOVERNED}"), id="govern"),
]


@pytest.fixture(scope="module")
def deployed_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Yield a checkout deployed to a separate account, whose server plays Airbyte as well."""
    with serve(tmp_path_factory.mktemp("account"), "--keep", program=ACCOUNT) as account:
        _, stack = account.request("POST", "stack", {})
        checkout = Checkout.make(tmp_path_factory.mktemp("planned"), account, "lake5")
        airbyte = {
            "AIRBYTE_CLIENT_ID": stack["airbyte"]["client_id"],
            "AIRBYTE_CLIENT_SECRET": stack["airbyte"]["client_secret"],
            "ETLTCTL__AIRBYTE__URL": f"http://127.0.0.1:{account.port}/airbyte/v1",
            "MONGODB_URI": "sample:",
        }
        checkout = Checkout(
            checkout.folder, {**checkout.environ, **airbyte}, account=account, project=checkout.project
        )
        with checkout.led():
            checkout.deploy()
        yield checkout


@pytest.mark.parametrize(("group", "make", "change"), USERS)
def test_an_option_of_plan_and_apply_does_the_same_in_every_group(
    deployed_alone: Checkout, group: str, make: str, change: tuple[str, str]
) -> None:
    run = deployed_alone.run
    if change[0]:
        deployed_alone.change(*change)
    refused = run(group, make, code=5).stderr  # the environment is protected, and no terminal is attached
    assert "nothing was changed" in refused
    assert f"etltctl {group} plan, then: etltctl {group} {make} --yes" in refused
    planned = run(group, "plan").stdout
    assert run(group, "plan", "--detailed-exitcode", code=10).stdout == planned
    assert run(group, make, "--dry-run").stdout == planned
    assert run(group, "plan", "--detailed-exitcode", code=10).stdout == planned, "a dry run changes nothing"
    run(group, make, "--yes")
    run(group, "plan", "--detailed-exitcode")


def test_a_dry_run_of_a_removal_shows_its_plan_and_removes_nothing(deployed_alone: Checkout) -> None:
    refused = deployed_alone.run("infra", "destroy", code=5).stderr
    assert "etltctl infra destroy --dry-run, then: etltctl infra destroy --yes" in refused
    plan = deployed_alone.run("infra", "destroy", "--dry-run").stdout
    assert "  - remove  SmallJob" in plan
    assert plan == deployed_alone.run("infra", "destroy", "--dry-run").stdout
