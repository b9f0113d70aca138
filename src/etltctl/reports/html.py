"""HTML as values: the one place that escapes, so that no text of a ledger or a table can become markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

LONGEST = 4000  # characters of one text, such as an error; the record has the whole
VOID = frozenset({"br", "col", "meta", "link"})  # elements without an end tag
Child = object  # a text, a number, None, markup, or an iterable of these


class Markup(str):
    """Text that is HTML already. Every other text is escaped when it becomes part of an element."""

    __slots__ = ()


def element(name: str, /, *children: Child, **attributes: object) -> Markup:
    """Return an element.

    Args:
        name: The element's name, such as `td`.
        children: What it holds. Text is escaped; None and False are left out.
        attributes: Its attributes. `class_` is `class`, and other underscores become hyphens. None and False leave an
            attribute out; True gives it no value.
    """
    tag = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(tag if name in VOID else f"{tag}{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Return the children one after the other, text escaped."""
    return Markup("".join(map(_child, children)))


def shortened(text: str, longest: int) -> str:
    """Return a text of at most so many characters, with the number of those that are left out."""
    return f"{text[:longest]} … ({len(text) - longest:,} more characters)" if len(text) > longest else text


def _child(child: Child) -> str:
    if child is None or child is False:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, Iterable) and not isinstance(child, str):
        return joined(child)
    # A browser replaces NUL and some other control characters; what is left out cannot surprise it.
    return escape("".join(c for c in shortened(str(child), LONGEST) if c.isprintable() or c in "\n\t"))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
