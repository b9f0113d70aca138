"""Keys of places: different names get different keys, and plain Latin names keep short keys."""

import unicodedata
from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

pytestmark = pytest.mark.spark

Keys = Callable[..., list[str | None]]

DIFFERENT = {
    "scripts next to Latin": ["東京 Airport", "北京 Airport", "Airport"],
    "scripts next to digits": ["Москва-2", "Казань-2", "2"],
    "marks of a script": ["กา Airport", "กิ Airport"],
    "letters that no accent explains": ["Þingvellir", "Ðingvellir", "ingvellir"],
    "only letters of other scripts": ["東京", "大阪"],
    "symbols": ["Plaza ⚽", "Plaza ☕", "Plaza 🏖", "Plaza"],
    "only symbols": ["⚽", "☕"],
    "digits of a script": ["Zone ١", "Zone ٢"],
    "an apostrophe inside a word": ["St. John's", "St Johns"],
    "very long names": ["A" * 150 + " North", "A" * 150 + " South"],
}
SAME = {
    "case": ["LONDON", "London"],
    "case next to a script": ["東京 AIRPORT", "東京 Airport"],
    "punctuation": ["San Juan, PR", "San Juan (PR)"],
    "punctuation next to a script": ["東京 Airport", "東京—Airport!"],
    "accents": ["São Tomé", "Sao Tome"],
    "composed and decomposed accents": [
        "Łódź São Hà Nội",
        unicodedata.normalize("NFD", "Łódź São Hà Nội"),
    ],
}
LONG = "東京" * 200
# These keys must not change: gold published under them must be found again.
KEPT = {
    "San Carlos de Bariloche": "san_carlos_de_bariloche",
    "São Tomé/Łódź": "sao_tome_lodz",
    "St. John's": "st_john_s",
    "Zürich (ZRH) 2": "zurich_zrh_2",
    "東京": "city_130016b259",
}
UNNAMED = ["", "  "]


@pytest.fixture(scope="module")
def keys(spark: SparkSession) -> Keys:
    """Return the keys of these names, in their order; all are computed in one Spark job."""
    from weather_formulas import city_key

    groups = (*DIFFERENT.values(), *SAME.values(), KEPT, [LONG], UNNAMED)
    cities = spark.createDataFrame([(name,) for names in groups for name in names], "name string")
    keyed = cities.select("name", city_key(F.col("name")).alias("key")).collect()
    key_of = {row.name: row.key for row in keyed}

    def of(*names: str) -> list[str | None]:
        return [key_of[name] for name in names]

    return of


@pytest.mark.parametrize("what", DIFFERENT)
def test_different_names_have_different_keys(keys: Keys, what: str) -> None:
    results = keys(*DIFFERENT[what])
    assert len(set(results)) == len(DIFFERENT[what]), results


@pytest.mark.parametrize("what", SAME)
def test_case_accents_and_punctuation_do_not_make_another_place(keys: Keys, what: str) -> None:
    assert len(set(keys(*SAME[what]))) == 1


def test_latin_names_keep_their_keys(keys: Keys) -> None:
    assert dict(zip(KEPT, keys(*KEPT), strict=True)) == KEPT


def test_a_blank_name_has_no_key(keys: Keys) -> None:
    assert keys(*UNNAMED) == [None, None]


def test_a_key_is_plain_and_can_name_a_folder(keys: Keys) -> None:
    names = [name for names in DIFFERENT.values() for name in names]
    for key in keys(*names, LONG):
        assert key is not None
        assert len(key) <= 100
        assert key.isascii()
        assert key.replace("_", "").isalnum()
        assert key == key.lower()
