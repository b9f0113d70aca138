"""The drivers, constructors and circuits of the invented season; every name is visibly invented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]

SEASON = "2099"
ABOUT = "https://example.invalid/invented-season"  # RFC 2606: a name that can never resolve

_DRIVERS = (
    "Ada Axle", "Bert Brake", "Cleo Clutch", "Dora Damper", "Emil Exhaust", "Fay Flywheel", "Gus Gearbox",
    "Hana Hubcap", "Ivo Ignition", "Joy Jackstand", "Kit Kerb", "Lena Lugnut", "Milo Manifold", "Nell Nosecone",
    "Otto Overtake", "Pia Pitlane", "Quin Quickshift", "Rosa Radiator", "Sven Sparkplug", "Tess Tyrewall",
)  # fmt: skip
_CONSTRUCTORS = (
    "Anvil", "Bobbin", "Cobalt", "Doodle", "Ember", "Fiddle", "Gadget", "Hollow", "Inkwell", "Jigsaw",
)  # fmt: skip
_CIRCUITS = ("Almond", "Basil", "Clove", "Dill", "Elder", "Fennel", "Ginger", "Hyssop", "Iris")


@dataclass(frozen=True)
class Circuit:
    """An invented circuit; `lap_ms` is a good lap in milliseconds, `length_km` its length."""

    record: Record
    name: str
    lap_ms: int
    length_km: float
    laps: int


def make_drivers() -> list[Record]:
    """Return twenty drivers in the API's shape; two neighbours share a constructor at the start of the season."""
    drivers = []
    for index, name in enumerate(_DRIVERS):
        first, family = name.split()
        drivers.append(
            {
                "driverId": f"invented_{family.lower()}",
                "permanentNumber": str(101 + index),
                "code": family[:3].upper(),
                "url": f"{ABOUT}/drivers/{family.lower()}",
                "givenName": first,
                "familyName": family,
                "dateOfBirth": f"20{70 + index // 2}-{1 + index % 12:02d}-{1 + index:02d}",
                "nationality": "Invented",
            }
        )
    return drivers


def make_constructors() -> list[Record]:
    """Return ten constructors in the API's shape, the strongest first."""
    return [
        {
            "constructorId": f"invented_{name.lower()}",
            "url": f"{ABOUT}/constructors/{name.lower()}",
            "name": f"Invented {name}",
            "nationality": "Invented",
        }
        for name in _CONSTRUCTORS
    ]


def make_circuits() -> list[Circuit]:
    """Return one circuit per round."""
    return [_circuit(index, name) for index, name in enumerate(_CIRCUITS)]


def _circuit(index: int, name: str) -> Circuit:
    record = {
        "circuitId": f"invented_{name.lower()}",
        "url": f"{ABOUT}/circuits/{name.lower()}",
        "circuitName": f"Invented {name} Ring",
        "Location": {
            "lat": f"{-40 + 10 * index}.5",
            "long": f"{-80 + 20 * index}.25",
            "locality": f"{name}ville",
            "country": "Inventia",
        },
    }
    length_km = 4.3 + 0.25 * index
    return Circuit(record, name, 70_000 + 3_900 * index, length_km, round(305 / length_km))
