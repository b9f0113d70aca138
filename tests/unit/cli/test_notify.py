"""The command `notify test`: a row for each receiver, and the exit code of the first error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.commands import exit_code_of
from support.receivers import receiving
from support.sample_settings import on_sample


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hook = '[notify.hook]\nkind = "webhook"\nurl = "env:HOOK"\n'
    text = f'{hook}[notify.chat]\nkind = "slack"\nurl = "env:CHAT"\n'
    Path("etltctl.toml").write_text(on_sample(text))
    monkeypatch.delenv("CHAT", raising=False)


def test_the_result_names_every_receiver_and_the_exit_code_the_first_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiving() as office:
        monkeypatch.setenv("HOOK", office.url)
        assert exit_code_of("--env", "aws", "notify", "test", "hook") == 0
        assert exit_code_of("--env", "aws", "notify", "test", "-o", "json") == 3
    shown = capsys.readouterr().out
    document = json.loads(shown[shown.index("{") :])
    assert document["schema"] == "etltctl.notify-test/1"
    assert [row["result"] for row in document["rows"]] == [
        "sent",
        "notify.chat.url is env:CHAT, but CHAT is not set",
    ]
    assert [post.document["env"] for post in office.posts] == ["aws", "aws"]


def test_an_unknown_receiver_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("--env", "aws", "notify", "test", "chatt") == 2
    assert "did you mean chat?" in capsys.readouterr().err
