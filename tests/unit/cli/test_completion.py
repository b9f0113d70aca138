"""Completion: the installed command answers bash, zsh and fish, with names from the settings and the state folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from etltctl.cli.app import Shell
from etltctl.errors import ExitCode
from support import forked
from support.sample_settings import on_sample
from support.workplace import ETLTCTL

SETTINGS = """
[pipelines.mine]
steps = ["sync:harbour", "glue:ships", "athena:refresh"]
[sources.harbour]
collections = ["ports"]
[glue.jobs.ships]
writes = ["gold.ships_by_city"]
[sql.ports]
reads = ["silver.port"]
writes = "gold.ports_by_size"
[sql.half_written]
[env.staging]
state = "elsewhere"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "etltctl.toml").write_text(on_sample(SETTINGS))
    (tmp_path / ".etltctl" / "runs").mkdir(parents=True)
    (tmp_path / ".etltctl" / "runs" / "20260102-0304-mine-k7qf.ndjson").write_text("")
    return tmp_path


def etltctl(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "HOME": str(cwd), **environ}
    return forked.run([ETLTCTL, *arguments], cwd=cwd, env=variables, timeout=60)


def in_bash(words: list[str], cwd: Path) -> list[str]:
    line = {"COMP_WORDS": "\n".join(["etltctl", *words]), "COMP_CWORD": str(len(words))}
    done = etltctl(cwd=cwd, _ETLTCTL_COMPLETE="complete_bash", **line)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "among"),
    [
        (["ru"], {"run", "run-glue", "runs"}),
        (["runs", ""], {"list", "show", "watch", "logs"}),
        (["run", "mine", "--max"], {"--max-usd"}),
        (["run", "mine", "--en"], {"--env"}),
        (["run", "mi"], {"mine"}),
        (["run", "mine", "--from", ""], {"sync:harbour", "glue:ships", "athena:refresh"}),
        (["sync", "ha"], {"harbour"}),
        (["run-glue", "sh"], {"ships"}),
        (["athena", "describe", "gold.sh"], {"gold.ships_by_city"}),
        (["athena", "describe", ""], {"gold.ports_by_size", "silver.port"}),
        (["contract", "diff", "bronze.api_races", "bronze.harb"], {"bronze.harbour_ports"}),
        (["-e", "st"], {"staging"}),
        (["-o", "nd"], {"ndjson"}),
        (["retry", "2026"], {"20260102-0304-mine-k7qf"}),
        (["runs", "show", "k7"], {"k7qf"}),
        (["why", "k7"], {"k7qf"}),
        (["why", "--code", "G11"], {"G115", "G117"}),
        (["run", "mine", "--run-id", "20"], {"20260102-0304-mine-k7qf"}),
        (["doctor", "air"], {"airbyte"}),
    ],
)
def test_bash_completes(project: Path, words: list[str], among: set[str]) -> None:
    assert among <= set(in_bash(words, project))


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        (["run", "mine", "--from", "glue", ":"], ["ships"]),
        (["run", "mine", "--from", "glue", ":", "sh"], ["ships"]),
        (["run", "mine", "--env", "=", "st"], ["staging"]),
    ],
)
def test_bash_gets_only_the_text_after_its_word_breaks(
    project: Path, words: list[str], completions: list[str]
) -> None:
    assert in_bash(words, project) == completions


def test_the_steps_belong_to_the_named_pipeline(project: Path) -> None:
    assert "sync:api" not in in_bash(["run", "mine", "--only", ""], project)
    assert in_bash(["run", "api", "--only", "sync"], project) == ["sync:api"]


def test_zsh_completes_with_descriptions(project: Path) -> None:
    request = {"_ETLTCTL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "etltctl athena q"}
    done = etltctl(cwd=project, **request)
    assert done.stdout.startswith("""_arguments '*: :(("query":"Run SQL on Athena and print its rows"))'""")
    step = etltctl(cwd=project, **(request | {"_TYPER_COMPLETE_ARGS": "etltctl run mine --only sync"}))
    assert r'"sync\\:harbour"' in step.stdout
    file = etltctl(cwd=project, **(request | {"_TYPER_COMPLETE_ARGS": "etltctl -c "}))
    assert file.stdout.strip() == "_files"


def test_fish_completes_with_descriptions_and_knows_where_files_are_expected(project: Path) -> None:
    request = {"_ETLTCTL_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": "etltctl run mi"}
    done = etltctl(cwd=project, _TYPER_COMPLETE_FISH_ACTION="get-args", **request)
    assert done.stdout.split() == ["mine"]
    assert etltctl(cwd=project, _TYPER_COMPLETE_FISH_ACTION="is-args", **request).returncode == 0
    request["_TYPER_COMPLETE_ARGS"] = "etltctl athena query -f "
    assert etltctl(cwd=project, _TYPER_COMPLETE_FISH_ACTION="is-args", **request).returncode == 1


@pytest.mark.parametrize("text", ["[pipelines", "pipelines = 3", "\udcff"])
def test_broken_settings_complete_no_names_and_print_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "etltctl.toml").write_bytes(text.encode(errors="surrogateescape"))
    line = {"_TYPER_COMPLETE_ARGS": "etltctl run x"}
    for shell in Shell:
        request = {
            "_ETLTCTL_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": "etltctl\nrun\nx",
            "COMP_CWORD": "2",
        }
        done = etltctl(cwd=tmp_path, **line, **request)
        assert (done.stdout, done.stderr) == ("", "")


def test_completion_imports_neither_typer_nor_pydantic_nor_an_sdk() -> None:
    code = (
        "import sys, os\n"
        "from pathlib import Path\n"
        "from etltctl.cli.completion import answer\n"
        "asked = {'_ETLTCTL_COMPLETE': 'complete_bash', 'COMP_WORDS': 'etltctl\\nrun\\n', 'COMP_CWORD': '2'}\n"
        "assert 'mongodb' in answer(asked, Path('/'))[0]\n"
        "print([name for name in ('typer', 'click', 'pydantic', 'rich', 'botocore', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("shell", "file", "line"),
    [
        ("bash", ".bash_completions/etltctl.sh", ".bashrc"),
        ("zsh", ".zfunc/_etltctl", ".zshrc"),
        ("fish", ".config/fish/completions/etltctl.fish", ""),
    ],
)
def test_the_named_shell_s_script_is_installed_once(tmp_path: Path, shell: str, file: str, line: str) -> None:
    for _ in range(2):
        done = etltctl("--install-completion", shell, cwd=tmp_path, SHELL="/bin/bash")
        assert done.returncode == 0, done.stderr
    shown = etltctl("--show-completion", shell, cwd=tmp_path).stdout
    assert (tmp_path / file).read_text() == shown
    assert f"complete_{shell}" in shown
    assert not line or len((tmp_path / line).read_text().splitlines()) == 1
    assert shown == etltctl(cwd=tmp_path, _ETLTCTL_COMPLETE=f"source_{shell}").stdout


def test_bash_itself_completes_after_installation(project: Path) -> None:
    etltctl("--install-completion", "bash", cwd=project)
    press_tab = (
        f". .bashrc; PATH={ETLTCTL.parent}:$PATH; COMP_WORDS=(etltctl sync har); COMP_CWORD=2; "
        '_etltctl_completion etltctl; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", press_tab],
        cwd=project,
        capture_output=True,
        text=True,
        env={**os.environ},
        check=False,
    )
    assert done.stdout.split() == ["harbour"], done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        *(
            ["athena"],
            ["contract"],
            ["runs"],
            ["govern"],
            ["tableau"],
            ["connections"],
            ["infra"],
            ["config"],
        ),
        ["local"],
    ],
)
def test_a_group_alone_shows_its_help(tmp_path: Path, arguments: list[str]) -> None:
    done = etltctl(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {' '.join(['etltctl', *arguments]).removesuffix(' --help')} ")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["version"], "etltctl --version"),
        (["-e", "local", "help"], "etltctl --help"),
        (["help", "run"], "etltctl run --help"),
    ],
)
def test_a_word_that_is_an_option_here_names_the_option(tmp_path: Path, words: list[str], hint: str) -> None:
    done = etltctl(*words, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert f"next: {hint}" in done.stderr


def test_a_misspelt_area_of_the_doctor_gets_a_suggestion(tmp_path: Path) -> None:
    done = etltctl("doctor", "airbite", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "did you mean airbyte?" in done.stderr
