"""A new kind of step is one class and its place in the registry: nothing else knows the kinds by name."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import etltctl
from etltctl.cli.progress import drawn_run
from etltctl.console import Console
from etltctl.errors import AccessError, BudgetError, ConfigurationError, UsageError
from etltctl.governance.needs import needs_of
from etltctl.logs import LogLine
from etltctl.pipeline import (
    RunOptions,
    Step,
    cancel_run,
    changes_of_pipelines,
    jobs_to_warm,
    read_logs,
    require_ready,
    rollback,
    run_alone,
    run_pipeline,
    steps,
    unknown_steps,
)
from etltctl.pipeline.kinds import KINDS
from etltctl.settings import Settings, load_settings
from etltctl.testing import answered
from support.bakery import BakeStep, Oven
from support.sample_settings import on_sample
from support.scripted import Place
from support.simulated import OPEN

PACKAGE = Path(str(etltctl.__file__)).parent
BAKER = "arn:aws:iam::123456789012:role/baker"
ASSUMED = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>{BAKER}</Arn><UserId>AROAEXAMPLE</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
REFUSED = f"""{OPEN}<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member>
<EvalActionName>oven:Bake</EvalActionName><EvalResourceName>arn:aws:oven:::bread</EvalResourceName>
<EvalDecision>implicitDeny</EvalDecision></member></EvaluationResults></SimulatePrincipalPolicyResult>
</SimulatePrincipalPolicyResponse>"""


@pytest.fixture
def oven(place: Place, monkeypatch: pytest.MonkeyPatch) -> Oven:
    """The kind `bake` in the registry, and a pipeline of the project that has it."""
    kind = BakeStep(Oven())
    monkeypatch.setitem(KINDS, kind.name, kind)
    monkeypatch.setitem(
        place.settings.pipelines,
        "bakery",
        replace_steps(place, ["bake:bread"]),
    )
    return kind.oven


def replace_steps(place: Place, steps: list[str]) -> Any:
    """Return a pipeline of the settings with other steps."""
    return place.settings.pipelines["often"].model_copy(update={"steps": steps})


def test_a_new_kind_of_step_runs_waits_and_is_recorded(place: Place, oven: Oven) -> None:
    (step,) = run_pipeline("bakery", place.settings, RunOptions("baked")).steps
    assert (step.verb, step.remote_id, oven.polls) == ("started", "loaf_1", 3)
    assert place.types("baked")[2] == "remote.started"


def test_the_line_of_a_new_kind_is_printed(place: Place, oven: Oven) -> None:
    stderr = io.StringIO()
    console = replace(Console(), stderr=stderr)
    with drawn_run(console, "bakery") as progress:
        run_pipeline("bakery", place.settings, RunOptions("seen", on_event=progress.draw))
    assert "bakery    bread" in stderr.getvalue()
    assert "1 loaf" in stderr.getvalue()


def test_the_checks_log_and_stop_of_a_new_kind_are_used(place: Place, oven: Oven) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        require_ready(place.settings, [Step("bake", "cake")])
    assert wrong.value.problems == ("the recipe has no flour",)
    with pytest.raises(UsageError, match="no recipe is called cake"):
        run_alone(Step("bake", "cake"), place.settings)
    ledger = place.ledger("hot")
    ledger.append("run.started", pipeline="bakery", steps=["bake:bread"])
    ledger.append("remote.started", "bake:bread", service="Oven", remote_id="loaf_1", state="RUNNING")
    lines: list[LogLine] = []
    assert read_logs(place.events("hot"), place.settings, lines.append).lines == 1
    (cancelled,) = cancel_run(place.events("hot"), place.settings)
    assert (lines[0].text, cancelled.done, oven.stopped) == ("golden brown", "stopped", 1)


def test_the_catalog_step_knows_its_tables(place: Place, oven: Oven) -> None:
    place.settings.pipelines["bakery"].steps.append("athena:refresh")
    walk = steps("bakery", place.settings)
    assert KINDS["athena"].refreshed_tables(walk, place.settings) == ["gold.bread"]


def test_the_settings_may_name_a_new_kind_and_every_other_step_is_refused_with_its_place(
    oven: Oven, tmp_path: Path
) -> None:
    bakery = '[pipelines.bakery]\nsteps = ["bake:bread", "athena:refresh"]\n'
    assert steps("bakery", _settings(tmp_path, bakery)) == [Step("bake", "bread"), Step("athena", "refresh")]
    wrong = _settings(tmp_path, f'{bakery}\n[pipelines.evening]\nsteps = ["bake:bred", "sink:api"]\n')
    bred, sink = unknown_steps(wrong)
    assert bred == (
        "etltctl.toml:5:1: pipeline evening has the unknown step bake:bred, did you mean bake:bread?"
    )
    assert sink.startswith("etltctl.toml:5:1: pipeline evening has the unknown step sink:api")
    with pytest.raises(ConfigurationError) as refused:
        run_pipeline("bakery", wrong)
    assert refused.value.problems == (bred, sink)


def test_iam_is_asked_for_the_permissions_of_a_new_kind(place: Place, oven: Oven) -> None:
    place.lake.script(
        answered("GetCallerIdentity", ASSUMED, times=0), answered("SimulatePrincipalPolicy", REFUSED)
    )
    with pytest.raises(AccessError, match="bake:bread needs oven:Bake on arn:aws:oven:::bread") as refused:
        run_pipeline("bakery", place.settings, RunOptions("unbaked"))
    assert (refused.value.facts["principal"], oven.polls) == (BAKER, 0)


def test_sts_is_asked_once_where_both_iam_and_lake_formation_check(place: Place, oven: Oven) -> None:
    governed = place.settings.overlaid({"governance": {"zones": {"curated": {"layers": ["gold"]}}}})
    governed.pipelines["bakery"] = replace_steps(place, ["bake:bread"])
    place.lake.script(
        answered("GetCallerIdentity", ASSUMED, times=0), answered("SimulatePrincipalPolicy", REFUSED)
    )
    with pytest.raises(AccessError, match="bake:bread needs oven:Bake"):
        run_pipeline("bakery", governed, RunOptions("governed"))
    assert place.count("GetCallerIdentity") == 1


def test_lake_formation_is_asked_for_the_tables_of_a_new_kind(oven: Oven, tmp_path: Path) -> None:
    settings = _settings(tmp_path, '[pipelines.bakery]\nsteps = ["bake:bread", "athena:refresh"]\n')
    needs = list(needs_of(changes_of_pipelines(settings), settings, BAKER))
    assert {(need.step, need.permission) for need in needs if need.table == "gold.bread"} == {
        (step, permission)
        for step in ("bake:bread", "athena:refresh")
        for permission in ("ALTER", "DATA_LOCATION_ACCESS")
    }


def _settings(folder: Path, text: str) -> Settings:
    (folder / "etltctl.toml").write_text(on_sample(text))
    return load_settings(directory=folder, env="local", environ={})


@pytest.mark.parametrize("max_usd", [0.0, 2.0])
def test_a_new_kind_with_a_price_is_refused_before_the_first_step(
    place: Place, oven: Oven, max_usd: float
) -> None:
    place.settings.pipelines["bakery"] = replace_steps(place, ["sync:api", "bake:bread"])
    oven.estimated_usd, run_id = 3.0, f"dear-{max_usd}"
    why = rf"its latest runs cost up to 3\.00 USD, and max_usd of the run leaves {max_usd:.2f} USD"
    with pytest.raises(BudgetError, match=f"recipe bread was not started: {why}"):
        run_pipeline("bakery", place.settings, RunOptions(run_id, max_usd=max_usd))
    assert (place.types(run_id), oven.polls) == (["run.started", "run.finished"], 0)


def test_a_new_kind_says_itself_what_its_run_has_cost(place: Place, oven: Oven) -> None:
    oven.usd_a_poll = 1.5
    with pytest.raises(BudgetError, match=r"was stopped: 3\.00 USD so far"):
        run_pipeline("bakery", place.settings, RunOptions("overbaked", max_usd=2.0))
    assert oven.stopped == 1


def test_the_tables_that_a_new_kind_publishes_can_be_rolled_back(place: Place, oven: Oven) -> None:
    with pytest.raises(UsageError, match=r"no table with versions is called gold\.bred") as wrong:
        rollback("gold.bred", place.settings)
    assert "gold.bread" in str(wrong.value.hint)


def test_a_jvm_is_warmed_only_while_a_step_in_front_leaves_the_time(place: Place, oven: Oven) -> None:
    sync, bake, job = Step("sync", "api"), Step("bake", "bread"), Step("glue", "often")
    assert jobs_to_warm([sync, bake, job]) == ["often"]
    assert jobs_to_warm([bake, job]) == []


def test_an_unknown_kind_is_refused_by_name(place: Place) -> None:
    with pytest.raises(UsageError, match="glu"):
        run_alone(Step("glu", "often"), place.settings)


def test_no_front_door_and_no_other_module_compares_kinds() -> None:
    """`Step("sync", …)` and `.kind == "glue"` would spread the names of kinds over many files."""
    files = [file for file in PACKAGE.rglob("*.py") if "local" not in file.relative_to(PACKAGE).parts]
    assert {place for file in files for place in named_kinds(file)} == set()


def named_kinds(file: Path) -> Iterator[str]:
    """Yield where a module makes a step of a literal kind, or compares a kind with one."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        texts: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Step":
            texts = node.args[:1]
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute | ast.Name):
            name = node.left.attr if isinstance(node.left, ast.Attribute) else node.left.id
            texts = node.comparators if name == "kind" else []
        if any(isinstance(text, ast.Constant) and text.value in KINDS for text in texts):
            yield f"{file.name}:{node.lineno}"
