"""Settings of governance: a contradiction is refused when they are read, with its place in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import load_settings
from support.sample_settings import on_sample

PROJECT = Path(__file__).parents[3]
ZONES = '[governance.zones]\ncurated = { layers = ["gold"] }\n'
GRANT = '[[governance.grants]]\nprincipal = "role:a"\npermissions = ["SELECT"]\ntable = "gold.t"\n'
FILTER = '[governance.filters."gold.t".f]\nrows = "a = 1"\n'
ELEVEN = ", ".join(f'"f{n}"' for n in range(11))


def problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    file = tmp_path / "etltctl.toml"
    file.write_text(on_sample(text))
    with pytest.raises(ConfigurationError) as error:
        load_settings(config=file, environ={})
    return error.value.problems


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GRANT.replace("role:a", "analyst"), "5:1: governance.grants.principal must be role:NAME, user:NAME"),
        (GRANT.replace("gold.t", "lead.t"), "7:1: governance.grants.table must be layer.table"),
        (GRANT.replace("gold.t", "silver.t"), "4:3: a grant to role:a is about silver.t, which is in no zone"),
        (GRANT.replace("SELECT", "CREATE_TABLE"), "4:3: governance.grants must have permissions of ALL, SELECT,"),
        (GRANT + 'tags = { zone = ["curated"] }\n', "4:3: governance.grants must name one of table,"),
        (GRANT + 'columns = ["a"]\nexclude_columns = ["b"]\n', "4:3: governance.grants must have one of columns,"),
        (GRANT + 'grantable = ["ALTER"]\n', "4:3: governance.grants must list ALTER in permissions"),
        (GRANT + 'on = "tables"\n', "4:3: governance.grants must have tags or layer for `on`"),
        (GRANT + 'filters = ["f"]\n', "8:1: gold.t has no filter f in governance.filters"),
        (GRANT + f"filters = [{ELEVEN}]\n", "4:3: governance.grants must have at most 10 filters"),
        (GRANT + GRANT.replace("role:a", "anyone"), "9:1: governance.grants.principal must be role:NAME"),
        (FILTER.replace("rows", "row"), "5:1: unknown setting governance.filters.gold.t.f.row"),
        (FILTER + 'columns = ["a"]\nexclude_columns = ["b"]\n', "must name columns or exclude_columns, not both"),
        ('[governance.filters."gold.t".f]\n', "4:2: governance.filters.gold.t.f must narrow something"),
        ('[governance.filters."silver.t".f]\nrows = "a"\n', "silver.t is in no zone"),
        ('[governance.assign]\n"gold.t" = { mood = "blue" }\n', "5:1: LF-tag mood = blue is not among"),
        ('[governance.assign]\n"gold.t.c.d" = { zone = "curated" }\n', "must be layer, layer.table"),
        ('[[governance.opt_ins]]\nprincipal = "role:a"\nlayer = "gold"\n', "an opt-in needs a hybrid zone"),
        (GRANT.replace("role:a", "role:pi-m3-glue") + 'filters = ["f"]\n' + FILTER, "with 2 workers, and reading"),
        (GRANT.replace("role:a", "role:pi-m3-glue") + 'columns = ["c"]\n', "at least 4: grant it the whole table"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    messages = problems(tmp_path, f"{ZONES}\n{text}")
    assert any(says in problem for problem in messages), messages
    assert all(problem.startswith("etltctl.toml:") for problem in messages)


def test_more_filters_of_a_table_than_a_principal_may_have_are_refused(tmp_path: Path) -> None:
    filters = "".join(f'[governance.filters."gold.t".f{n}]\nrows = "a = {n}"\n' for n in range(101))
    names = [", ".join(f'"f{n}"' for n in range(first, min(first + 10, 101))) for first in range(0, 101, 10)]
    grants = "".join(f"{GRANT}filters = [{some}]\n" for some in names)
    (message,) = problems(tmp_path, ZONES + filters + grants)
    assert "role:a has 101 filters of gold.t; 100 are allowed" in message


def test_a_layer_is_in_one_zone_and_a_grant_names_a_zone(tmp_path: Path) -> None:
    assert "shares the layer gold" in problems(tmp_path, f'{ZONES}other = {{ layers = ["gold"] }}\n')[0]
    assert "governance needs zones" in problems(tmp_path, '[governance]\nprincipals = ["role:a"]\n')[0]


def test_the_worked_example_is_valid_and_the_shipped_settings_configure_no_governance() -> None:
    example = load_settings(config=PROJECT / "docs" / "examples" / "governance.toml", environ={}).governance
    assert example.is_configured
    assert example.roles == {"analyst", "pi-m3-operator", "LakeFormationReader"}
    assert not load_settings(config=PROJECT / "etltctl.toml", environ={}).governance.is_configured


def test_a_setting_knows_its_place(tmp_path: Path) -> None:
    file = tmp_path / "etltctl.toml"
    file.write_text(ZONES + GRANT + GRANT.replace("role:a", "role:b"))
    settings = load_settings(config=file, environ={})
    assert settings.place_of("governance", "grants", "1", "principal") == "etltctl.toml:8:1"
    assert settings.place_of("governance", "zones", "curated") == "etltctl.toml:2:1"
