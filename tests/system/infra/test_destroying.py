"""A stack that is destroyed and deployed again: its data stays and is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from etltctl.errors import BlockedError
from etltctl.infrastructure import send_test_alarm
from etltctl.infrastructure.calls import DEPLOYER, DEPLOYER_OF_NEW_NAMES
from etltctl.local.witness import read_seen
from support.account import a_reader_of_alarms
from support.checkout import SMALL, Checkout, recorded
from support.deployed_stack import is_there, resources

SECRET = "lake1/airbyte"


@pytest.fixture(autouse=True)
def _no_faults_left(deployed: Checkout) -> Iterator[None]:
    yield
    deployed.spoil()


def secret_of(checkout: Checkout) -> str:
    """Return the value of Airbyte's secret; empty if no one has set it."""
    secrets = checkout.client("secretsmanager")
    if not secrets.describe_secret(SecretId=SECRET).get("VersionIdsToStages"):
        return ""
    return str(secrets.get_secret_value(SecretId=SECRET)["SecretString"])


# The commands that a refusal gives to paste.
LINES = re.compile(r'adopt = (\[[^]]*\]) and key_arn = "([^"]+)"')


@dataclass(frozen=True)
class Rebuilt:
    """The observations of a stack that was destroyed and deployed again."""

    plan: str
    key: str
    key_arn: str
    removed: set[str]
    kept: set[str]
    imported: set[str]
    secrets: tuple[str, ...]
    calls: frozenset[str]


@pytest.fixture(scope="module")
def rebuilt(deployed: Checkout) -> Rebuilt:
    """Destroy the stack and deploy it again; record every call that etltctl makes for it."""
    deployed.client("s3").put_object(Bucket="lake1-gold", Key="t/v=1/part-0.parquet", Body=b"data")
    (deployed.folder / "README.md").write_text("another bundle\n")
    errors = deployed.run("infra", "destroy", code=5).stderr
    before = resources(deployed)
    secrets = deployed.client("secretsmanager")
    secrets.put_secret_value(SecretId=SECRET, SecretString="mine")
    with recorded() as calls:
        deployed.destroy()
        remaining = {name for name, (kind, physical) in before.items() if is_there(deployed, kind, physical)}
        again = deployed.run("infra", "destroy", "--yes").stdout
        assert again == "There is no stack lake1; nothing was changed.\n"
        with pytest.raises(BlockedError, match="did not make what has these names already") as refused:
            deployed.deploy()
        adopt, key = LINES.findall(refused.value.hint)[0]
        deployed.change(SMALL, f"{SMALL}\n[infra]\nadopt = {adopt}\n")
        with pytest.raises(BlockedError, match="the stack would make a new key") as second_key:
            deployed.deploy()
        deployed.change("[infra]\n", f'[infra]\nkey_arn = "{key}"\n')
        plan = deployed.plan()
        deployed.deploy()
        assert deployed.plan().is_empty
        values = [secret_of(deployed)]
        for how, state in (
            ({"RecoveryWindowInDays": 7}, "scheduled for deletion"),
            ({"ForceDeleteWithoutRecovery": True}, "missing"),
        ):
            secrets.delete_secret(SecretId=SECRET, **how)
            assert SECRET in deployed.plan().summary()
            assert deployed.deploy().secret == state
            values.append(secret_of(deployed))
        with a_reader_of_alarms(deployed):
            send_test_alarm(deployed.settings())
    imported = {change.resource for change in plan.changes if change.action == "import"}
    removed = set(before) - remaining
    assert f'set infra.key_arn = "{key}" in etltctl.toml' in second_key.value.hint
    assert second_key.value.facts["bucket lake1-gold"] == key
    return Rebuilt(
        errors, before["Key"][1], str(key), removed, remaining, imported, tuple(values), frozenset(calls)
    )


def test_destroying_lists_what_goes_and_what_stays_before_it_is_confirmed(rebuilt: Rebuilt) -> None:
    assert "= keep    GoldBucket" in rebuilt.plan
    assert "= keep    AirbyteSecret" in rebuilt.plan
    assert "- remove  SilverToGoldJob" in rebuilt.plan
    assert "removal of stack lake1 was not confirmed" in rebuilt.plan


def test_destroying_keeps_the_data_its_key_and_its_catalog(rebuilt: Rebuilt) -> None:
    assert {"GoldBucket", "StateBucket", "Key", "GoldDatabase"} <= rebuilt.kept
    assert rebuilt.secrets == ("mine", "mine", "")  # kept, restored from its deletion, created again
    assert {"SilverToGoldJob", "OperatorRole", "Workgroup", "AirflowBundleName"} <= rebuilt.removed


def test_deploying_again_imports_the_resources_that_stayed(deployed: Checkout, rebuilt: Rebuilt) -> None:
    assert {"GoldBucket", "GoldDatabase", "GlueErrorLogs"} <= rebuilt.imported
    assert rebuilt.key_arn.endswith(f":key/{rebuilt.key}")  # the refusal names the key that stayed
    answer = deployed.client("s3").get_object(Bucket="lake1-gold", Key="t/v=1/part-0.parquet")
    assert answer["Body"].read() == b"data"


def test_no_call_is_missing_from_the_deployer_s_policy_and_none_is_extra(rebuilt: Rebuilt) -> None:
    assert rebuilt.calls == {name for names in DEPLOYER.values() for name in names} | set(
        DEPLOYER_OF_NEW_NAMES
    )


def test_every_call_of_a_destruction_is_checked_against_the_services_models(
    deployed: Checkout, rebuilt: Rebuilt
) -> None:
    assert deployed.account is not None
    seen = read_seen(deployed.account.state / "server" / "witness.jsonl")
    assert "DeleteStack" in {call.operation for call in seen}
    assert {call.unchecked for call in seen} == {""}
