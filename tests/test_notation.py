"""DANA's notation for money, time and JSON."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any

import pytest
from django.utils import timezone as django_timezone
from hypothesis import example, given
from hypothesis import strategies as st

from django_dana.protocol import notation
from tests.factories import ODD_CONTEXTS

# -- money ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "value"),
    [
        (Decimal("15000"), "15000.00"),
        (Decimal("15000.5"), "15000.50"),
        (Decimal("0.01"), "0.01"),
        (Decimal("1E+4"), "10000.00"),
        (Decimal("9999999999999.99"), "9999999999999.99"),
    ],
)
def test_money(amount: Decimal, value: str) -> None:
    assert notation.money(amount, "IDR") == {"value": value, "currency": "IDR"}


@pytest.mark.parametrize("name", ODD_CONTEXTS)
def test_money_in_any_decimal_context(name: str) -> None:
    with localcontext(ODD_CONTEXTS[name]):
        assert notation.money(Decimal("9999999999999.99"), "IDR")["value"] == "9999999999999.99"
        assert notation.money(Decimal("15000"), "IDR")["value"] == "15000.00"
        assert notation.parse_money({"value": "9" * 16 + ".99", "currency": "IDR"}) == (
            Decimal("9" * 16 + ".99"),
            "IDR",
        )
        assert notation.parse_json_object(b'{"a":123456.789}') == {"a": Decimal("123456.789")}
        with pytest.raises(ValueError, match="exponent"):
            notation.parse_json_object(b'{"a":1E+99999999999999999999}')


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("10000.00", "10000.00"),
        ("1500", "1500"),
        ("1500.5", "1500.5"),
        ("0.00", "0"),
        ("9" * 16 + ".99", "9" * 16 + ".99"),
    ],
)
def test_parse_money(value: str, amount: str) -> None:
    assert notation.parse_money({"value": value, "currency": "IDR"}) == (Decimal(amount), "IDR")


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " 1.00",
            "1.00\n",
            "1,00",
            "1.000",
            "-1.00",
            "+1.00",
            "1e3",
            ".50",
            "1.",
            "NaN",
            "Infinity",
            "0x10",
            "1_0",
        ),
        *("٣.00", "9" * 17, 1500, 1500.0, Decimal("1.00"), None, True, [], {}),
    ],
    ids=ascii,
)
def test_parse_money_with_bad_value(value: object) -> None:
    assert notation.parse_money({"value": value, "currency": "IDR"}) is None


@pytest.mark.parametrize(
    "value", [None, "1.00", 1, [], {}, {"value": "1.00"}, {"currency": "IDR"}, {"value": "1.00", "currency": 360}]
)
def test_parse_money_with_bad_shape(value: object) -> None:
    assert notation.parse_money(value) is None


@given(st.decimals("0", "9999999999999.99", places=2))
def test_money_round_trip(amount: Decimal) -> None:
    assert notation.parse_money(notation.money(amount, "IDR")) == (amount, "IDR")


# -- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Asia/Jakarta", "America/New_York", "Pacific/Kiritimati"])
def test_jakarta_time_whatever_time_zone(settings: Any, zone: str) -> None:
    settings.TIME_ZONE = zone
    moment = datetime(2026, 3, 2, 3, 20, 30, 999_999, tzinfo=UTC)
    for same in (moment, django_timezone.localtime(moment), moment.astimezone(timezone(timedelta(hours=-9)))):
        assert notation.jakarta_time(same) == "2026-03-02T10:20:30+07:00"


def test_jakarta_time_across_midnight() -> None:
    assert notation.jakarta_time(datetime(2026, 12, 31, 16, 59, 59, tzinfo=UTC)) == "2026-12-31T23:59:59+07:00"
    assert notation.jakarta_time(datetime(2026, 12, 31, 17, 0, 0, tzinfo=UTC)) == "2027-01-01T00:00:00+07:00"


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_jakarta_time_round_trip(moment: datetime) -> None:
    text = notation.jakarta_time(moment)
    assert len(text) == 25
    assert text.endswith("+07:00")
    assert notation.parse_time(text) == moment.astimezone(UTC).replace(microsecond=0)


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-02T10:20:30+07:00",
        "2026-03-02T03:20:30Z",
        "2026-03-02T03:20:30+00:00",
        "2026-03-02T10:20:30.000+07:00",
        "2026-03-02T10:20:30+0700",
        # DANA's own time where no zone is given
        "2026-03-02T10:20:30",
        "2026-03-02 10:20:30",
        # a captured LinkAja payment
        "1772421630000",
        1772421630000,
    ],
)
def test_parse_time(value: object) -> None:
    assert notation.parse_time(value) == datetime(2026, 3, 2, 3, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "yesterday",
            "2026-13-01T00:00:00+07:00",
            "2026-02-30T00:00:00+07:00",
            "25:00",
            "17724216",
            "\uff11772421630000",
        ),
        *("0001-01-01T00:00:00+07:00", "9999-12-31T23:59:59-07:00", "99999999999999999", "\x00", "\ud800"),
        *(None, 17724216, 10**5000, 1.5, True, [], {}),
    ],
    ids=lambda value: ascii(value) if not isinstance(value, int) else f"{type(value).__name__} {value % 1000}",
)
def test_parse_time_with_garbage(value: object) -> None:
    assert notation.parse_time(value) is None


@given(st.one_of(st.text(), st.from_regex(r"\A[0-9T:+.Z-]{8,30}\Z"), st.integers().map(str), st.binary(), st.floats()))
def test_parse_time_never_raises(value: object) -> None:
    moment = notation.parse_time(value)
    assert moment is None or moment.utcoffset() == timedelta(0)


# -- JSON -----------------------------------------------------------------------------------------------------------


def test_compact_json() -> None:
    assert notation.compact_json({"b": "é ☕", "a": [1, {"c": "x/y"}]}) == '{"b":"\\u00e9 \\u2615","a":[1,{"c":"x/y"}]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal(1), object()])
def test_compact_json_refuses_what_json_lacks(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        notation.compact_json({"a": value})


def test_parse_json_object() -> None:
    text = b' {"a": "\\u00e9 \xc3\xa9", "b": [1, -2.50, true, null], "c": {"": {}}} '
    assert notation.parse_json_object(text) == {"a": "é é", "b": [1, Decimal("-2.50"), True, None], "c": {"": {}}}


def test_parse_json_object_keeps_a_fraction_exact() -> None:
    assert notation.parse_json_object(b'{"a":0.1}') == {"a": Decimal("0.1")}


def test_parse_json_object_takes_a_whole_surrogate_pair() -> None:
    assert notation.parse_json_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "\U0001f600"}


NOT_AN_OBJECT = {
    "empty": b"",
    "blank": b" ",
    "null": b"null",
    "list": b"[{}]",
    "text": b'"{}"',
    "number": b"1",
    "HTML": b"<html></html>",
    "cut short": b'{"a":1',
    "two objects": b"{}{}",
    "comma at the end": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "key twice": b'{"a":1,"a":1}',
    "key twice, once escaped": b'{"a":1,"\\u0061":2}',
    "key twice, deeper": b'{"b":[{"a":1,"a":2}]}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "minus Infinity": b'{"a":-Infinity}',
    "integer of 5000 digits": b'{"a":' + b"1" * 5000 + b"}",
    "exponent out of range": b'{"a":1e99999999999999999999}',
    "negative exponent out of range": b'{"a":1e-99999999999999999999}',
    "lone high surrogate": b'{"a":"\\ud83d"}',
    "lone low surrogate": b'{"a":"\\ude00"}',
    "lone surrogate in a key": b'{"\\ud83d":1}',
    "surrogate in UTF-8": b'{"a":"\xed\xa0\xbd"}',
    "NUL": b'{"a":"\\u0000"}',
    "NUL in a key": b'{"a\\u0000":1}',
    "NUL in a list": b'{"a":[["\\u0000"]]}',
    "bare NUL": b'{"a":"\x00"}',
    "bare line break in a string": b'{"a":"\n"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "invalid UTF-8": b'{"a":"\xff"}',
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "31 lists deep": b'{"a":' + b"[" * 31 + b"]" * 31 + b"}",
    "bomb of lists": b"[" * 100_000,
    "bomb of objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "bomb of lists in an object": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("name", NOT_AN_OBJECT)
def test_not_an_object_we_take(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any ValueError will do; the callers ask for no more
        notation.parse_json_object(NOT_AN_OBJECT[name])


LENIENT: dict[str, tuple[bytes, Any]] = {
    "lone high surrogate": (b'{"a":["\\ud83d"]}', {"a": ["\N{REPLACEMENT CHARACTER}"]}),
    "lone low surrogate": (b'{"a":["x\\uDE00y"]}', {"a": ["x\N{REPLACEMENT CHARACTER}y"]}),
    "a whole pair": (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    "a pair the wrong way round": (b'{"a":"\\ude00\\ud83d"}', {"a": "\N{REPLACEMENT CHARACTER}" * 2}),
    "lone surrogate in a key": (b'{"\\ud83d":1}', {"\N{REPLACEMENT CHARACTER}": 1}),
    "invalid UTF-8": (b'{"a":"\xff"}', {"a": "\N{REPLACEMENT CHARACTER}"}),
    "NUL": (b'{"a":"\\u0000b"}', {"a": "\N{REPLACEMENT CHARACTER}b"}),
    "bare NUL": (b'{"a":"\x00"}', {"a": "\N{REPLACEMENT CHARACTER}"}),
    "NUL in a key": (b'{"b":{"a\\u0000":1}}', {"b": {"a\N{REPLACEMENT CHARACTER}": 1}}),
    "an escaped backslash": (b'{"a":"\\\\u0000"}', {"a": "\\u0000"}),
    "bare line break in a string": (b'{"a":"\n"}', {"a": "\n"}),
    "key twice, deeper": (b'{"b":[{"a":1,"a":2}]}', {"b": [{"a": 2}]}),
}


@pytest.mark.parametrize(("text", "value"), LENIENT.values(), ids=LENIENT)
def test_read_leniently_a_detail_spoils_nothing(text: bytes, value: Any) -> None:
    assert notation.parse_json_object(text, lenient=True) == value


NEVER_TAKEN = [
    *("empty", "null", "list", "cut short", "two objects", "key twice", "key twice, once escaped", "NaN", "Infinity"),
    *("exponent out of range", "integer of 5000 digits", "byte order mark", "UTF-16", "31 lists deep"),
    *("bomb of lists", "bomb of objects", "bomb of lists in an object"),
]


@pytest.mark.parametrize("name", NEVER_TAKEN)
def test_not_even_leniently(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any ValueError will do; the callers ask for no more
        notation.parse_json_object(NOT_AN_OBJECT[name], lenient=True)


def test_keys_that_leniency_makes_equal_are_a_key_twice() -> None:
    with pytest.raises(ValueError, match="a key stands twice"):
        notation.parse_json_object(b'{"a\\u0000":1,"a\\ud800":2}', lenient=True)


def test_an_object_with_a_key_twice_is_no_amount() -> None:
    text = b'{"amount":{"value":"1.00","currency":"IDR","value":"2.00"}}'
    assert notation.parse_money(notation.parse_json_object(text, lenient=True)["amount"]) is None


def test_depth_that_every_database_takes_is_fine() -> None:
    notation.parse_json_object(b'{"a":' + b"[" * 25 + b"]" * 25 + b"}")


pieces = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"a", b"1", b"e", b"-", b".", b"\\u", b"d8", b"00", b"NaN"]
    )
).map(b"".join)


@given(st.binary() | pieces | pieces.map(lambda text: b'{"a":' + text + b"}"))
@example(b'{"a":1E999999999999999999999}')
def test_only_a_dict_or_value_error(text: bytes) -> None:
    try:
        value = notation.parse_json_object(text)
    except ValueError:
        return
    assert isinstance(value, dict)
    assert json.loads(text).keys() == value.keys()


clean = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(
    st.dictionaries(
        clean,
        st.recursive(
            st.none() | st.booleans() | st.integers() | clean,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(clean, inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_json_round_trip(value: dict[str, Any]) -> None:
    assert notation.parse_json_object(notation.compact_json(value).encode("ascii")) == value
