"""The preflight asks for exactly what a publish needs: it refuses if and only if Lake Formation would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import AccessError, EtltctlError
from etltctl.pipeline import RunOptions, Step, run_alone
from etltctl.settings import Settings
from support.governed import ZONES, GovernedLake, arn, missing_for_pipelines, require_step_access
from support.publisher import Publisher, governed_by_iam, publish, write_version

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "governance.toml"
STEP = "glue:checked"
JOB = '[glue.jobs.checked]\nscript = "none.py"\nwrites = ["gold.checked"]\n'
KEYS = '[tables."gold.checked"]\nkeys = ["n"]\n'
KNOWN = "select * from {this} where n not in (select temp_mean_c from {silver.weather_observation})"
SQL = f'[tables."gold.checked"]\nsql.known = "{KNOWN}"\n'
RESOURCES: Mapping[str, Mapping[str, Any]] = {
    "ALTER": {"Table": {"DatabaseName": "gold", "TableWildcard": {}}},
    "CREATE_TABLE": {"Database": {"Name": "gold"}},
    "DATA_LOCATION_ACCESS": {"DataLocation": {"ResourceArn": "arn:aws:s3:::pi-m3-gold"}},
    "SELECT": {"Table": {"DatabaseName": "silver", "Name": "weather_observation"}},
}
NAMED = {
    "ALTER": "gold.checked",
    "CREATE_TABLE": "database gold",
    "DATA_LOCATION_ACCESS": "location arn:aws:s3:::pi-m3-gold",
    "SELECT": "silver.weather_observation",
}
ZONED = ZONES.replace('"role:pi-m3-glue"', '"role:pi-m3-glue", "role:operator"')
HYBRID = ZONED.replace('layers = ["gold"]', 'layers = ["gold"], hybrid = true')
OPTED_IN = HYBRID + '[[governance.opt_ins]]\nprincipal = "role:operator"\nlayer = "gold"\n'


@dataclass(frozen=True)
class Case:
    """A publish: whether the table is there before it, how it is checked, how its zone is governed.

    `needs` is what the operator needs for it. In a zone that is closed, IAM_ALLOWED_PRINCIPALS holds nothing before.
    """

    needs: frozenset[str]
    is_there: bool = True
    checks: str = ""
    zones: str = ZONED
    is_closed: bool = False


CASES = {
    "a new version of a table": Case(frozenset({"ALTER", "DATA_LOCATION_ACCESS"})),
    "the first version of a table": Case(frozenset({"CREATE_TABLE", "DATA_LOCATION_ACCESS"}), is_there=False),
    "a version that is checked by query": Case(
        frozenset({"ALTER", "CREATE_TABLE", "DATA_LOCATION_ACCESS"}), checks=KEYS
    ),
    "a version that is checked against another table": Case(frozenset(RESOURCES), checks=SQL),
    "a checked version in a hybrid zone": Case(
        frozenset({"DATA_LOCATION_ACCESS"}), checks=KEYS, zones=HYBRID
    ),
    "a checked version in a hybrid zone that the caller opted in to": Case(
        frozenset({"ALTER", "CREATE_TABLE", "DATA_LOCATION_ACCESS"}), checks=KEYS, zones=OPTED_IN
    ),
    "a checked version in a hybrid zone that IAM does not open": Case(
        frozenset({"ALTER", "CREATE_TABLE", "DATA_LOCATION_ACCESS"}),
        checks=KEYS,
        zones=HYBRID,
        is_closed=True,
    ),
}
version = count()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    yield from governed_by_iam(tmp_path_factory.mktemp("lake"))


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def case(lake: GovernedLake, request: pytest.FixtureRequest) -> Case:
    chosen = CASES[request.param]
    _drop(lake)
    _open_or_close(lake, is_closed=chosen.is_closed)
    if chosen.is_there:
        write_version(lake, "gold.checked", name := f"{next(version):04}")
        publish(lake.settings(JOB), {"gold.checked": name})
    lake.apply(JOB + chosen.checks, zones=chosen.zones)
    return chosen


def _open_or_close(lake: GovernedLake, *, is_closed: bool) -> None:
    """Let IAM_ALLOWED_PRINCIPALS hold everything on gold and on its new tables, or nothing."""
    everyone = {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}
    default = [] if is_closed else [{"Principal": everyone, "Permissions": ["ALL"]}]
    database = {"Name": "gold", "CreateTableDefaultPermissions": default}
    lake.client("glue").update_database(Name="gold", DatabaseInput=database)
    formation = lake.client("lakeformation")
    move = formation.revoke_permissions if is_closed else formation.grant_permissions
    with suppress(formation.exceptions.InvalidInputException):  # there is no permission to revoke
        move(Principal=everyone, Resource=RESOURCES["CREATE_TABLE"], Permissions=["ALL"])


def _drop(lake: GovernedLake) -> None:
    glue = lake.client("glue")
    with suppress(glue.exceptions.EntityNotFoundException):
        glue.delete_table(DatabaseName="gold", Name="checked")


def _grant(lake: GovernedLake, *permissions: str) -> None:
    """Let the operator hold these permissions and no other of the four."""
    formation, operator = lake.client("lakeformation"), {"DataLakePrincipalIdentifier": arn("operator")}
    for permission, resource in RESOURCES.items():
        move = formation.grant_permissions if permission in permissions else formation.revoke_permissions
        with suppress(formation.exceptions.InvalidInputException):  # it does not have the revoked permission
            move(Principal=operator, Resource=resource, Permissions=[permission])


def _refusal(settings: Settings, publisher: Publisher) -> AccessError | None:
    try:
        with publisher.led():
            require_step_access(settings, STEP)
    except AccessError as error:
        return error
    return None


def _publish(lake: GovernedLake, settings: Settings, publisher: Publisher) -> str:
    """Publish a new version; return why it was refused, or an empty text."""
    name = f"{next(version):04}"
    write_version(lake, "gold.checked", name)
    try:
        publisher.publish(settings, {"gold.checked": name})
    except EtltctlError as error:
        return str(error)
    return ""


def test_preflight_and_publish_pass_only_with_all_permissions(lake: GovernedLake, case: Case) -> None:
    settings, publisher = lake.settings(JOB + case.checks, zones=case.zones), Publisher.of(lake)
    for missing in sorted(case.needs):
        _grant(lake, *(case.needs - {missing}))
        refusal = _refusal(settings, publisher)
        assert refusal is not None, missing
        assert str(refusal) == f"{STEP} cannot run: {arn('operator')} lacks {missing} on {NAMED[missing]}"
        assert refusal.facts == {
            "code": "E203", "step": STEP, "principal": arn("operator"), "needs": missing,
            "resource": NAMED[missing],
        }  # fmt: skip
        assert "Insufficient Lake Formation permission(s)" in _publish(lake, settings, publisher), missing
    _grant(lake, *case.needs)
    assert _refusal(settings, publisher) is None
    assert _publish(lake, settings, publisher) == ""


def test_the_grants_of_the_worked_example_suffice_for_first_and_later_versions(lake: GovernedLake) -> None:
    """The grants are by LF-tags on tables and databases, and on each location."""
    _drop(lake)
    _grant(lake)
    granted = EXAMPLE.read_text().partition(
        "[[governance.grants]]                        # the role that runs"
    )
    grants = f"{granted[1]}{granted[2]}".replace("role:pi-m3-operator", "role:operator")
    assert grants.count("DATA_LOCATION_ACCESS") == 3
    text, publisher = JOB + SQL + grants, Publisher.of(lake)
    for _ in ("the first version", "the second"):
        lake.apply(text, zones=ZONED)
        settings = lake.settings(text, zones=ZONED)
        assert _refusal(settings, publisher) is None
        assert _publish(lake, settings, publisher) == ""


def test_a_step_that_would_be_refused_starts_no_job(lake: GovernedLake) -> None:
    _drop(lake)
    lake.apply(JOB, zones=ZONED)
    _grant(lake)
    settings = lake.settings(JOB, zones=ZONED)
    with Publisher.of(lake).led(), pytest.raises(AccessError, match="glue:checked cannot run") as error:
        run_alone(Step.parse(STEP), settings, RunOptions(run_id="lacking"))
    assert error.value.exit_code == 4
    assert lake.client("glue").get_job_runs(JobName="silver_to_gold")["JobRuns"] == []


def test_the_role_of_a_glue_job_needs_no_permission_of_lake_formation(lake: GovernedLake) -> None:
    """Its jobs read and write S3 paths, which Lake Formation does not check."""
    _drop(lake)
    lake.apply(JOB, zones=ZONED)
    with Publisher.of(lake).led():
        findings = missing_for_pipelines(lake.settings(JOB, zones=ZONED))
    assert findings
    assert {finding.need.principal for finding in findings} == {arn("operator")}
    assert {finding.need.permission for finding in findings} <= set(RESOURCES)
