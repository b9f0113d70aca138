"""The public names of the library, with their signatures and what they say of themselves."""

from __future__ import annotations

import inspect
from typing import Any

import etltctl
from etltctl import errors, testing


def python_page() -> str:
    """Return the page."""
    functions = [name for name in etltctl.__all__ if not hasattr(errors, name)]
    return "\n".join(
        [
            "# Python\n",
            "`import etltctl` loads no SDK, and each name when it is first used. The errors are those of "
            "[the error tree](exit-codes.md), all of them in `etltctl`.\n",
            "```python",
            inspect.cleandoc((etltctl.__doc__ or "").partition("\n\n")[2].partition("\n\nImporting")[0]),
            "```\n",
            "## The library\n",
            *(_told("etltctl", name, getattr(etltctl, name)) for name in functions),
            "## Testing\n",
            f"{inspect.cleandoc((testing.__doc__ or '').partition(chr(10) * 2)[2])}\n",
            *(_told("etltctl.testing", name, getattr(testing, name)) for name in testing.__all__),
        ]
    )


def _told(module: str, name: str, thing: Any) -> str:
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return f"### {module}.{name}\n\nWhat `EmbeddedLake.script` takes: a mapping.\n"
    is_model = name == "Settings"
    signature = f"{name}(…)" if is_model else f"{name}{_signature(thing)}"
    text = inspect.cleandoc(thing.__doc__ or "")
    members = [_member(word, member) for word, member in vars(thing).items()] if _is_ours(thing) else []
    rows = "\n".join(filter(None, members))
    return f"### {module}.{name}\n\n```text\n{signature}\n```\n\n{text}\n" + (f"\n{rows}\n" if rows else "")


def _is_ours(member: Any) -> bool:
    return inspect.isclass(member) and member.__module__.startswith(("etltctl.testing", "etltctl.api"))


def _member(word: str, member: Any) -> str:
    if word.startswith("_"):
        return ""
    if isinstance(member, property):
        return f"- `{word}`: {_first(member.fget)}"
    if inspect.isfunction(member):
        return f"- `{word}{_signature(member, bound=True)}`: {_first(member)}"
    return ""


def _first(member: Any) -> str:
    return " ".join(inspect.cleandoc(member.__doc__ or "").partition("\n\n")[0].split())


class Shown:
    """Text that stands in a signature as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _signature(member: Any, *, bound: bool = False) -> str:
    signature = inspect.signature(member)
    parameters = [
        _plain(parameter)
        for name, parameter in signature.parameters.items()
        if not name.startswith("_") and not (bound and name == "self")
    ]
    returned = signature.return_annotation
    is_class = inspect.isclass(member) or returned is signature.empty
    return str(
        signature.replace(
            parameters=parameters, return_annotation=signature.empty if is_class else Shown(str(returned))
        )
    )


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    """Return the parameter with its annotation as it is written, and no default that names an address in memory."""
    if parameter.annotation is not parameter.empty:
        parameter = parameter.replace(annotation=Shown(str(parameter.annotation)))
    is_made = parameter.default is not parameter.empty and "<" in repr(parameter.default)
    return parameter.replace(default=Shown("…")) if is_made else parameter
