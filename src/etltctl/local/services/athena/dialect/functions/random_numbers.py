"""random(), and its bounds."""

from __future__ import annotations

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import failure
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.trino_types import DOUBLE, INTEGER
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_text


@function("random", "rand")
def _random(call: Call) -> Value:
    """Return a random number; of two bounds, the second is excluded."""
    if not call.args:
        return Value("random()", DOUBLE)
    if len(call.args) > 2 or not all(kind.is_integer for kind in call.types):
        raise call.unexpected()
    kind = casts.common_type(call.types[0], call.types[-1]) or INTEGER
    low = casts.coerced(call.args[0], kind).sql if len(call.args) == 2 else "0"
    high = casts.coerced(call.args[-1], kind).sql
    words = "start value must be less than stop value" if len(call.args) == 2 else "bound must be positive"
    refusal = failure(kind, "INVALID_FUNCTION_ARGUMENT", quoted_text(words))
    drawn = f"CAST({low} + floor(random() * ({high} - {low})) AS {kind.duckdb})"
    return Value(f"(CASE WHEN {high} <= {low} THEN {refusal} ELSE {drawn} END)", kind)
