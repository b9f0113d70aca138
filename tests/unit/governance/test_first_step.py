"""What `govern` commands say where the settings have no governance."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.cli.hints import Hints
from etltctl.errors import UsageError
from etltctl.governance.plan import EXAMPLE, Governor
from etltctl.settings import load_settings


@pytest.mark.parametrize("has_example", [True, False])
def test_without_governance_the_example_is_the_next_command_where_it_is_within_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_example: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    if has_example:
        EXAMPLE.parent.mkdir(parents=True)
        EXAMPLE.touch()
    with pytest.raises(UsageError) as refused:
        Governor.of(load_settings(env="local", environ={}, directory=tmp_path))
    said = Hints(("--config", "mine.toml")).spell(refused.value.next_step)
    example = "etltctl --config docs/examples/governance.toml govern plan  # a ready-made example"
    assert said.startswith(example if has_example else "add [governance.zones.NAME] to etltctl.toml")
    assert ('the page "Governing the lake"' in said) is not has_example
