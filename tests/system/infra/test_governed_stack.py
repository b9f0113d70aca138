"""A stack whose settings govern a layer: its location is registered, and the operator may publish to it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etltctl.errors import EtltctlError
from etltctl.infrastructure import export
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.template import template_of
from etltctl.settings import Settings, load_settings
from support.checkout import Checkout
from support.governed import require_step_access
from support.publisher import led_by, publish, session_of
from support.served import ACCOUNT, serve

GOVERNED: dict[str, Any] = {"governance__zones": {"curated": {"layers": ["gold"], "hybrid": True}}}
OPERATOR = "arn:aws:iam::123456789012:role/lake3-operator"
GRANT = {
    "Principal": {"DataLakePrincipalIdentifier": OPERATOR},
    "Resource": {"DataLocation": {"ResourceArn": "arn:aws:s3:::lake3-gold"}},
    "Permissions": ["DATA_LOCATION_ACCESS"],
}


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Yield a checkout deployed without governance and then with it, to a separate account."""
    with serve(tmp_path_factory.mktemp("account"), "--keep", program=ACCOUNT) as account:
        checkout = Checkout.make(tmp_path_factory.mktemp("governed"), account, "lake3")
        with checkout.led():
            checkout.deploy()
            yield checkout


def _write(checkout: Checkout, version: str) -> dict[str, str]:
    body = io.BytesIO()
    pq.write_table(pa.table({"n": [1, 2]}), body)
    key = f"small/v={version}/part-0.parquet"
    checkout.client("s3").put_object(Bucket="lake3-gold", Key=key, Body=body.getvalue())
    return {"gold.small": version}


def _publish(checkout: Checkout, settings: Settings, version: str) -> str:
    """Publish as the operator's role; return the refusal, or an empty text."""
    versions = _write(checkout, version)
    return _as_operator(checkout, lambda: publish(settings, versions))


def _preflight(checkout: Checkout, settings: Settings) -> str:
    """Check before a step as the operator's role; return the refusal, or an empty text."""
    return _as_operator(checkout, lambda: require_step_access(settings, "glue:small"))


def _as_operator(checkout: Checkout, do: Callable[[], object]) -> str:
    with led_by({**session_of(checkout.client("sts"), OPERATOR), "AWS_DEFAULT_REGION": "us-east-1"}):
        try:
            do()
        except EtltctlError as error:
            return str(error)
    return ""


def test_the_operator_publishes_to_a_governed_layer_only_with_its_grant(
    governed: Checkout,
) -> None:
    formation = governed.client("lakeformation")
    assert formation.list_resources()["ResourceInfoList"] == []
    assert _publish(governed, governed.settings(), "1") == ""

    governed.deploy(**GOVERNED)
    (location,) = formation.list_resources()["ResourceInfoList"]
    assert (location["ResourceArn"], location["HybridAccessEnabled"]) == ("arn:aws:s3:::lake3-gold", True)
    settings = governed.settings(**GOVERNED)
    assert _publish(governed, settings, "2") == ""

    assert _preflight(governed, settings) == ""
    formation.revoke_permissions(**GRANT)
    assert f"{OPERATOR} lacks DATA_LOCATION_ACCESS on location arn:aws:s3:::lake3-gold" in _preflight(
        governed, settings
    )
    assert "Insufficient Lake Formation permission(s) on s3://lake3-gold/small/v=3/" in _publish(
        governed, settings, "3"
    )
    formation.grant_permissions(**GRANT)

    governed.deploy()  # back to no governance
    assert formation.list_resources()["ResourceInfoList"] == []
    assert _publish(governed, governed.settings(), "4") == ""


def _types(**flags: Any) -> list[str]:
    settings = load_settings(env="aws", environ={}, flags=flags)
    resources = template_of(Names(settings))["Resources"].values()
    return sorted(facts["Type"] for facts in resources if "LakeFormation" in facts["Type"])


def test_the_stack_registers_every_governed_layer_and_grants_on_it() -> None:
    zones = {"trusted": {"layers": ["silver", "silver_rejects"]}, "curated": {"layers": ["gold"]}}
    assert _types() == []
    assert _types(**{"governance.zones": zones}) == [
        *["AWS::LakeFormation::PrincipalPermissions"] * 2,
        *["AWS::LakeFormation::Resource"] * 2,
    ]


@pytest.mark.parametrize(("role", "count"), [("role:pi-m3-lake-formation", 1), ("role:SomebodyElses", 0)])
def test_locations_that_govern_apply_registers_with_another_role_are_left_alone(
    role: str, count: int
) -> None:
    flags = {"governance.zones": {"curated": {"layers": ["gold"]}}, "governance.location_role": role}
    assert _types(**flags).count("AWS::LakeFormation::Resource") == count


def test_cloudformation_s_schemas_accept_the_template_of_a_governed_lake(tmp_path: Path) -> None:
    zones = {"raw": {"layers": ["bronze"], "hybrid": True}, "curated": {"layers": ["gold"]}}
    template = tmp_path / "template.yaml"
    template.write_text(export(load_settings(env="aws", environ={}, flags={"governance.zones": zones})))
    checked = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(template)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, "")


def test_the_stack_creates_no_administrator_of_the_data_lake() -> None:
    """DataLakeSettings would replace the account's administrators."""
    zones = {"governance.zones": {"curated": {"layers": ["gold"]}}}
    assert "AWS::LakeFormation::DataLakeSettings" not in _types(**zones)
