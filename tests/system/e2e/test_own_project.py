"""A project with one source that is not a sample: no command names anything of the sample lake."""

from __future__ import annotations

import re

import pytest

from support.workplace import Workplace

SETTINGS = """
project = "sea"
[sources.orders]
kind = "mongodb"
uri = "env:ORDERS_URI"
database = "shop"
collections = ["orders"]
[glue.jobs.clean]
script = "clean.py"
reads = ["bronze.orders_orders"]
writes = ["silver.order"]
[pipelines.orders]
steps = ["sync:orders", "glue:clean", "athena:refresh"]
"""
GOVERNED = """
[governance.zones]
raw = { layers = ["bronze"] }
curated = { layers = ["silver", "gold"] }
[[governance.grants]]
principal = "role:analyst"
tags = { zone = ["curated"] }
permissions = ["SELECT", "DESCRIBE"]
"""
URI = "mongodb://127.0.0.1:1/?replicaSet=rs0"
# Words of the sample lake. `api` is a word of addresses too, and `mongodb` one of the source's own address.
SAMPLE = re.compile(
    r"weather|\bf1|formula 1|ergast|jolpi|pi[-_]m3|season|\bmongodb[^:\n-]|[:. ]api\b(?!\.|/)", re.IGNORECASE
)
TABS = {"etltctl run ": 2, "etltctl sync ": 2, "etltctl run-glue ": 2, "etltctl athena refresh ": 3}


@pytest.fixture
def own(workplace: Workplace) -> Workplace:
    (workplace.folder / "etltctl.toml").write_text(SETTINGS)
    (workplace.folder / "clean.py").write_text("print('clean')\n")
    return workplace


def said(own: Workplace, *words: str, code: int = 0, **environ: str) -> str:
    done = own.run(*words, code=code, ORDERS_URI=URI, **environ)
    return (done.stdout + done.stderr).replace(str(own.folder), "").replace('kind = "mongodb"', "")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("config", "show"), "sources.orders.uri"),
        (("config", "validate"), "valid"),
        (("connections", "plan"), "sea-orders"),
        (("infra", "export", "--env", "aws"), "clean"),
        (("athena", "tables"), ""),
        (("runs", "list"), "etltctl run orders"),
        (("contract", "diff"), ""),
        (("doctor", "settings"), "sources.orders.uri"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_names_the_project_s_own_things_alone(
    own: Workplace, words: tuple[str, ...], names: str
) -> None:
    text = said(own, *words)
    assert names in text
    assert SAMPLE.findall(text) == []


def test_the_plan_and_the_stack_are_of_the_one_source(own: Workplace) -> None:
    assert "3 changes" in said(own, "connections", "plan")
    assert said(own, "infra", "export", "--env", "aws").count("AWS::Glue::Job") == 1


def test_a_plan_of_the_governance_is_about_the_project_s_own_databases_alone(own: Workplace) -> None:
    with (own.folder / "etltctl.toml").open("a") as file:
        file.write(GOVERNED)
    text = said(own, "govern", "plan")
    assert "sea_silver" in text
    assert SAMPLE.findall(text) == []


@pytest.mark.parametrize(("line", "number"), TABS.items())
def test_a_tab_offers_the_project_s_own_names_alone(own: Workplace, line: str, number: int) -> None:
    environ = {"_ETLTCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(number)}
    offered = said(own, **environ)
    assert "order" in offered or "clean" in offered
    assert SAMPLE.findall(f" {offered} ") == []


def test_a_pipeline_of_the_sample_is_not_known_next_to_a_file(own: Workplace) -> None:
    text = said(own, "run", "mongodb", code=2)
    assert "no pipeline is called mongodb" in text
    assert "known: orders" in text
