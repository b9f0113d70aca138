"""The page of the library's public names, with their signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import etltctl
from etltctl import errors, testing

SECTIONS = ("Args:", "Returns:", "Raises:", "Yields:")
ENTRY = re.compile(r"    (\w+): (.*)")


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
            *(_section("etltctl", name, getattr(etltctl, name)) for name in functions),
            "## Testing\n",
            f"{inspect.cleandoc((testing.__doc__ or '').partition(chr(10) * 2)[2])}\n",
            *(_section("etltctl.testing", name, getattr(testing, name)) for name in testing.__all__),
        ]
    )


def _section(module: str, name: str, value: Any) -> str:
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return f"### {module}.{name}\n\nWhat `EmbeddedLake.script` takes: a mapping.\n"
    is_model = name == "Settings"
    signature = f"{name}(…)" if is_model else f"{name}{_signature(value)}"
    text = "\n".join(_in_markdown(inspect.cleandoc(value.__doc__ or "").splitlines()))
    members = [_member(word, member) for word, member in vars(value).items()] if _is_ours(value) else []
    bullets = "\n".join(filter(None, members))
    return f"### {module}.{name}\n\n```text\n{signature}\n```\n\n{text}\n" + (
        f"\n{bullets}\n" if bullets else ""
    )


def _in_markdown(lines: list[str]) -> Iterator[str]:
    """Yield a docstring's lines with its sections (`Args:`, `Raises:`) as lists."""
    is_in_section = False
    for line in lines:
        if line in SECTIONS:
            is_in_section = True
            yield f"{line}\n"
        elif is_in_section and (entry := ENTRY.fullmatch(line)):
            yield f"- `{entry[1]}`: {entry[2]}"
        elif is_in_section and line.startswith("    "):
            yield f"  {line.strip()}"
        else:
            is_in_section = is_in_section and not line
            yield line


def _is_ours(value: Any) -> bool:
    return inspect.isclass(value) and value.__module__.startswith(("etltctl.testing", "etltctl.api"))


def _member(word: str, member: Any) -> str:
    if word.startswith("_"):
        return ""
    if isinstance(member, property):
        return f"- `{word}`: {_first(member.fget)}"
    if inspect.isfunction(member):
        return f"- `{word}{_signature(member, bound=True)}`: {_first(member)}"
    return ""


def _first(value: Any) -> str:
    return " ".join(inspect.cleandoc(value.__doc__ or "").partition("\n\n")[0].split())


class Shown:
    """Text that appears in a signature unchanged."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _signature(value: Any, *, bound: bool = False) -> str:
    signature = inspect.signature(value)
    parameters = [
        _plain(parameter)
        for name, parameter in signature.parameters.items()
        if not name.startswith("_") and not (bound and name == "self")
    ]
    returned = signature.return_annotation
    is_class = inspect.isclass(value) or returned is signature.empty
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
