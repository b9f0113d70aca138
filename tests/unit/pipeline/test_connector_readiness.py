"""A connector that cannot start stops a run before anything starts; only where this machine is to start it."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.connections import require_discoverable
from etltctl.errors import ConfigurationError, ExitCode
from etltctl.pipeline import Step, require_ready
from etltctl.settings import Settings, load_settings
from support.commands import exit_code_of

MANIFEST = """\
type: DeclarativeSource
version: 6.60.0
streams: [{name: ships}]
spec:
  connection_specification:
    required: [api_key]
    properties:
      api_key: {type: string}
"""
GOOD = 'manifest = "ships.yaml"\nstreams = ["ships"]\nconfig = { api_key = "x" }\n'
SYNC = Step("sync", "ships")
FAULTS = {
    'manifest = "gone.yaml"\nstreams = ["ships"]\n': "etltctl.toml:4:1: sources.ships.manifest: cannot read",
    'manifest = "etltctl.toml"\nstreams = ["ships"]\n': "sources.ships.manifest: ",
    'streams = ["ships"]\n': "names neither a manifest nor a package",
    'package = "faker==1"\nrequirements = "gone.txt"\nstreams = ["ships"]\n': "there is no file gone.txt",
    'manifest = "ships.yaml"\nstreams = ["shipz"]\nconfig = { api_key = "x" }\n': "did you mean ships?",
    'manifest = "ships.yaml"\nstreams = ["ships"]\nconfig = { api_kye = "x" }\n': "did you mean api_key?",
    'manifest = "ships.yaml"\nstreams = ["ships"]\n': "sources.ships.config: the connector's specification requires",
    'manifest = "ships.yaml"\nstreams = ["ships"]\nconfig = { api_key = "env:NO_SUCH" }\n': "NO_SUCH is not set",
    'manifest = "ships.yaml"\nstreams = ["ships"]\nconfig = { api_key = "ssm:/key" }\n': "needs an environment on AWS",
}  # fmt: skip


def settings(folder: Path, source: str, env: str = "local") -> Settings:
    (folder / "ships.yaml").write_text(MANIFEST)
    text = f'project = "harbour"\n[sources.ships]\nkind = "airbyte"\n{source}'
    (folder / "etltctl.toml").write_text(text)
    return load_settings(directory=folder, env=env, environ={})


@pytest.mark.parametrize("source", FAULTS)
def test_a_fault_of_the_connector_is_named_before_a_run_and_before_a_check(
    tmp_path: Path, source: str
) -> None:
    loaded = settings(tmp_path, source)
    with pytest.raises(ConfigurationError, match="nothing was started") as run:
        require_ready(loaded, [SYNC])
    with pytest.raises(ConfigurationError, match="nothing was sent") as check:
        require_discoverable("ships", loaded)
    for error in (run.value, check.value):
        assert FAULTS[source] in "\n".join(error.problems)
        assert error.exit_code == ExitCode.CONFIGURATION


def test_a_connector_without_a_fault_is_let_through(tmp_path: Path) -> None:
    loaded = settings(tmp_path, GOOD)
    require_ready(loaded, [SYNC])
    require_discoverable("ships", loaded)


def test_on_aws_the_connector_is_airbytes_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRBYTE_CLIENT_ID", "AIRBYTE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "x")
    require_ready(settings(tmp_path, 'manifest = "gone.yaml"\nstreams = ["ships"]\n', "aws"), [SYNC])


def test_no_run_is_begun_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(tmp_path, 'manifest = "gone.yaml"\nstreams = ["ships"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(tmp_path / "state"))
    assert exit_code_of("sync", "ships") == ExitCode.CONFIGURATION
    assert "gone.yaml" in capsys.readouterr().err
    assert not (tmp_path / "state" / "runs").exists()
