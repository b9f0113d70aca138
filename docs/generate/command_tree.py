"""The commands and options as data, for the completion of command lines."""

from __future__ import annotations

import json
from typing import Any

from etltctl.cli.app import app
from etltctl.cli.groups import built
from etltctl.cli.project import AreaName

# What the value of a parameter names, by the parameter's own name.
TAKES = {
    "pipeline": "pipelines",
    "source": "sources",
    "job": "jobs",
    "table": "tables",
    "tables": "tables",
    "run_id": "runs",
    "step": "steps",
    "first": "steps",
    "last": "steps",
    "only": "steps",
    "env": "environments",
    "code": "codes",
    "datasource": "data sources",
    "receiver": "receivers",
}
FILE_LIKE = {"config_file", "events", "file", "folder", "path", "output_file"}
CHOICES = {"area": [str(area) for area in AreaName]}


def command_tree() -> str:
    """Return the content of the file `command_tree.json`."""
    tree = _node(built(app))
    tree["options"].append({"names": ["--help", "-h"], "help": "Show the help", "takes": "", "choices": []})
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


def _node(command: Any) -> dict[str, Any]:
    node: dict[str, Any] = {"help": _sentence(command.help or "").partition(". ")[0]}
    params = [param for param in command.params if not getattr(param, "hidden", False)]
    node["options"] = [
        {"names": names, "help": _sentence(param.help or ""), **_value(param)}
        for param in params
        if param.param_type_name == "option" and (names := [*param.opts, *param.secondary_opts])
    ]
    if hasattr(command, "commands"):
        node["commands"] = {name: _node(below) for name, below in command.commands.items()}
    else:
        node["arguments"] = [
            {"several": param.nargs == -1, **_value(param)}
            for param in params
            if param.param_type_name == "argument"
        ]
    return node


def _value(param: Any) -> dict[str, Any]:
    """Return what the parameter takes: a kind of names, `file`, `text`, or nothing for a switch."""
    if getattr(param, "is_flag", False) or getattr(param, "count", False):
        return {"takes": "", "choices": []}
    takes = "file" if param.name in FILE_LIKE else TAKES.get(param.name, "text")
    # An option with choices has them in its type. An argument that typer reads as text has them in CHOICES.
    choices = getattr(param.type, "choices", None) or CHOICES.get(param.name, [])
    return {"takes": takes, "choices": [str(getattr(choice, "value", choice)) for choice in choices]}


def _sentence(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split()).partition("; ")[0].partition("  [")[0].rstrip(".")
