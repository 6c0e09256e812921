"""DANA's signature: over the bytes that are sent, by the right key, and nothing else."""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from django_dana import conf
from django_dana.exceptions import InvalidKey, InvalidSignature
from django_dana.protocol import signing
from tests.keys import DANA_PRIVATE_KEY, DANA_PUBLIC_KEY, SHOP_PRIVATE_KEY, SHOP_PUBLIC_KEY, STRANGER_PUBLIC_KEY

# The check value: what has to be signed for one cancel, worked out by hand.
BODY = b'{"originalPartnerReferenceNo":"INV-0007","merchantId":"M-TEST","reason":"stock ran out"}'
DIGEST = "569eaca122ef2f7c12e524c9f61121fccb51be4ce666015034d6efa0be91dd13"
PATH = "/payment-gateway/v1.0/debit/cancel.htm"
TIMESTAMP = "2026-03-02T10:20:30+07:00"

PRIVATE = signing.load_private_key(DANA_PRIVATE_KEY)
PUBLIC = signing.load_public_key(DANA_PUBLIC_KEY)


def sign(body: bytes = BODY, **changes: Any) -> str:
    return signing.sign(PRIVATE, **{"method": "POST", "path": PATH, "body": body, "timestamp": TIMESTAMP, **changes})


def verify(signature: str, body: bytes = BODY, **changes: Any) -> bytes:
    key = changes.pop("key", PUBLIC)
    return signing.verify(
        key, signature, **{"method": "POST", "path": PATH, "body": body, "timestamp": TIMESTAMP, **changes}
    )


# -- what is signed -------------------------------------------------------------------------------------------------


def test_check_value() -> None:
    assert hashlib.sha256(BODY).hexdigest() == DIGEST
    assert signing.string_to_sign("POST", PATH, BODY, TIMESTAMP) == f"POST:{PATH}:{DIGEST}:{TIMESTAMP}".encode()


def test_method_is_upper_case() -> None:
    assert signing.string_to_sign("post", "/", b"", "now").startswith(b"POST:/:")


def test_signature_is_standard_base64_on_one_line() -> None:
    signature = sign()
    assert "\n" not in signature
    assert len(base64.b64decode(signature, validate=True)) == 256


def test_signature_is_deterministic() -> None:
    assert sign() == sign()


def test_signed_bytes_come_back() -> None:
    assert verify(sign()) == BODY


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"body": BODY.replace(b"0007", b"0008")},
        {"body": BODY + b"x"},
        {"body": b""},
        {"path": "/v1.0/debit/notify"},
        {"path": PATH + "/"},
        {"path": PATH + "?shop=1"},
        {"path": PATH.upper()},
        {"timestamp": "2026-03-02T10:20:31+07:00"},
        {"timestamp": "2026-03-02T03:20:30+00:00"},
        {"method": "PUT"},
        {"key": signing.load_public_key(STRANGER_PUBLIC_KEY)},
        {"key": signing.load_public_key(conf.SANDBOX_PUBLIC_KEY)},
    ],
    ids=lambda changes: next(iter(changes)) + ("" if "key" in changes else f"={next(iter(changes.values()))!r}"),
)
def test_other_message_or_key(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSignature):
        verify(sign(), **changes)


MALFORMED = {
    "empty": "",
    "not base64": "not base64!",
    "unpadded": "YQ",
    "short": "YWJj",
    "not ASCII": "é",
    "half a surrogate pair": "\ud800",
    "NUL": "\x00",
    "very long": "a" * 100_000,
    "padding alone": "=",
    "URL-safe alphabet": "-_-_" * 86,
    "blank before": " " + sign(),
    "line feed after": sign() + "\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_signature(name: str) -> None:
    with pytest.raises(InvalidSignature):
        verify(MALFORMED[name])


@pytest.mark.parametrize("timestamp", ["", "é", "\ud800", "\x00", "2026-03-02 10:20:30+07:00"])
def test_odd_timestamp(timestamp: str) -> None:
    with pytest.raises(InvalidSignature):
        verify(sign(), timestamp=timestamp)


@given(st.text(), st.text(), st.text(), st.binary())
def test_nothing_else_is_ever_raised(signature: str, timestamp: str, path: str, body: bytes) -> None:
    with pytest.raises(InvalidSignature):
        verify(signature, body, timestamp=timestamp, path=path)


# -- many candidates ------------------------------------------------------------------------------------------------


class Calls:
    """How often something costly was done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts = {"_digest": 0, "minify": 0, "_fits": 0}
        for name in self.counts:
            monkeypatch.setattr(signing, name, self._counted(name, getattr(signing, name)))

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.counts[name] += 1
            return function(*args)

        return counted


def find(candidates: list[tuple[str, Any]], signature: bytes, body: bytes) -> tuple[int, bytes]:
    return signing.find_signer(candidates, signature, method="POST", body=body, timestamp=TIMESTAMP)


def test_the_candidate_that_fits_is_found_among_many() -> None:
    stranger = signing.load_public_key(STRANGER_PUBLIC_KEY)
    candidates = [("/other", PUBLIC), (PATH, stranger), (PATH, PUBLIC), ("/last", PUBLIC)]
    assert find(candidates, base64.b64decode(sign()), BODY) == (2, BODY)


@pytest.mark.parametrize("number", [1, 100])
def test_however_many_candidates_there_are_the_body_is_hashed_and_minified_once(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    calls = Calls(monkeypatch)
    with pytest.raises(InvalidSignature):
        find([(f"/{n}", PUBLIC) for n in range(number)], b"x" * 256, b'{ "a" : 1 }')
    # once as it came, once minified
    assert calls.counts == {"_digest": 2, "minify": 1, "_fits": 2 * number}


@pytest.mark.parametrize("length", [0, 1, 255, 257, 512])
def test_a_signature_of_another_length_than_the_key_costs_nothing(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    calls = Calls(monkeypatch)
    with pytest.raises(InvalidSignature):
        find([(PATH, PUBLIC)] * 100, b"x" * length, BODY)
    assert calls.counts == {"_digest": 0, "minify": 0, "_fits": 0}


def test_without_candidates_nothing_fits() -> None:
    with pytest.raises(InvalidSignature):
        find([], base64.b64decode(sign()), BODY)


# The damage that logs, tunnels and frameworks do to a body on its way, after DANA signed it.
GENUINE = (
    b'{"originalPartnerReferenceNo":"INV-7","merchantId":"M-1","additionalInfo":{"extendInfo":"{\\"till\\":\\"A1\\"}"}}'
)
DAMAGE = {
    "triple backslash": GENUINE.replace(rb"\"", rb"\\\""),
    "double backslash": GENUINE.replace(rb"\"", rb'\\"'),
    "inner quotes bare": GENUINE.replace(rb"\"", b'"'),
    "space inside a key": GENUINE.replace(b"merchantId", b"merchant Id"),
    "blank before an escaped quote": GENUINE.replace(rb":\"A1", rb": \"A1"),
    "sorted keys": json.dumps(json.loads(GENUINE), sort_keys=True, separators=(",", ":")).encode(),
    "byte order mark": b"\xef\xbb\xbf" + GENUINE,
    "key twice": GENUINE.replace(b"{", b'{"merchantId":"M-2",', 1),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_body_is_refused(name: str) -> None:
    assert DAMAGE[name] != GENUINE
    with pytest.raises(InvalidSignature):
        verify(sign(GENUINE), DAMAGE[name])


def test_genuine_body_with_json_inside_a_string() -> None:
    assert verify(sign(GENUINE), GENUINE) == GENUINE


# -- minify ---------------------------------------------------------------------------------------------------------


def test_respaced_body_gives_the_minified_text() -> None:
    spaced = json.dumps(json.loads(BODY), indent=2).encode()
    assert verify(sign(), spaced) == BODY


def test_signature_over_spaced_bytes_gives_those_bytes() -> None:
    spaced = json.dumps(json.loads(BODY), indent=2).encode()
    assert verify(sign(spaced), spaced) == spaced


@pytest.mark.parametrize(
    ("text", "minified"),
    [
        (b"", b""),
        (b' {\t"a" :\r\n[ 1 , 2 ] } ', b'{"a":[1,2]}'),
        (b'{"a b": " c \\" d "}', b'{"a b":" c \\" d "}'),
        (b'"\\\\" , "x y"', b'"\\\\","x y"'),
        (b'{"b": 1, "a": 2}', b'{"b":1,"a":2}'),
        (b'{"a": "\\u00e9 \\/ \xc3\xa9 ", "n": 1.50e+1}', b'{"a":"\\u00e9 \\/ \xc3\xa9 ","n":1.50e+1}'),
        # no JSON, and yet nothing to stumble over
        (b'{"a": "never ends , ', b'{"a":"never ends , '),
        (b'"\\', b'"\\'),
    ],
)
def test_minify(text: bytes, minified: bytes) -> None:
    assert signing.minify(text) == minified


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(json_values, st.sampled_from([None, 1, "\t", " \r\n"]), st.booleans())
def test_minify_keeps_the_meaning(value: Any, indent: Any, ascii_only: bool) -> None:  # noqa: FBT001
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    minified = signing.minify(text)
    assert minified == json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode(
        "utf-8", "surrogatepass"
    )
    assert signing.minify(minified) == minified


@given(st.text())
def test_minify_never_touches_a_string(value: str) -> None:
    text = json.dumps(value).encode()
    assert signing.minify(b" " + text + b"\n") == text


@pytest.mark.parametrize("body", [b'"' * 131_072, b'\\"' * 65_536, b'" ' * 65_536, b'"\\' * 65_536, b" \t" * 65_536])
def test_minify_takes_linear_time(body: bytes) -> None:
    """Anyone may send a forged body, so it must not cost a worker's time."""
    started = time.perf_counter()
    signing.minify(body)
    assert time.perf_counter() - started < 3


@given(
    st.binary(), st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
)
def test_round_trip(body: bytes, path: str, timestamp: str) -> None:
    assert verify(sign(body, path=path, timestamp=timestamp), body, path=path, timestamp=timestamp) == body


# -- keys -----------------------------------------------------------------------------------------------------------


def columns(text: str) -> str:
    return "\n".join(text[start : start + 64] for start in range(0, len(text), 64))


def pem(label: str) -> Callable[[str], str]:
    return lambda text: f"-----BEGIN {label}-----\n{columns(text)}\n-----END {label}-----\n"


def pkcs1(text: str) -> str:
    key = serialization.load_der_private_key(base64.b64decode(text), None)
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return base64.b64encode(der).decode()


def public_pkcs1(text: str) -> str:
    key = serialization.load_der_public_key(base64.b64decode(text))
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    return base64.b64encode(der).decode()


# How a key may be wrapped, whatever it is.
WRAPPINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "literal \\n": lambda text: text.replace("\n", "\\n"),
    "literal \\r\\n": lambda text: text.replace("\n", "\\r\\n"),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "blank lines around": lambda text: f"\n\n {text} \n",
    "indented": lambda text: text.replace("\n", "\n    "),
    "no line breaks": lambda text: text.replace("\n", ""),
}
PRIVATE_FORMS: dict[str, Callable[[str], str]] = {
    "PKCS#8 PEM": pem("PRIVATE KEY"),
    "PKCS#8 base64": lambda text: text,
    "PKCS#8 base64 in columns": columns,
    "PKCS#1 PEM": lambda text: pem("RSA PRIVATE KEY")(pkcs1(text)),
    "PKCS#1 base64": pkcs1,
    "PKCS#1 base64 in columns": lambda text: columns(pkcs1(text)),
}
PUBLIC_FORMS: dict[str, Callable[[str], str]] = {
    "SPKI PEM": pem("PUBLIC KEY"),
    "SPKI base64": lambda text: text,
    "SPKI base64 in columns": columns,
    "PKCS#1 PEM": lambda text: pem("RSA PUBLIC KEY")(public_pkcs1(text)),
    "PKCS#1 base64": public_pkcs1,
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("form", PRIVATE_FORMS)
def test_form_of_private_key(form: str, wrapping: str) -> None:
    key = signing.load_private_key(WRAPPINGS[wrapping](PRIVATE_FORMS[form](SHOP_PRIVATE_KEY)))
    assert key.public_key() == signing.load_public_key(SHOP_PUBLIC_KEY)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("form", PUBLIC_FORMS)
def test_form_of_public_key(form: str, wrapping: str) -> None:
    assert signing.load_public_key(WRAPPINGS[wrapping](PUBLIC_FORMS[form](DANA_PUBLIC_KEY))) == PUBLIC


def test_sandbox_key_is_the_published_one() -> None:
    der = base64.b64decode(conf.SANDBOX_PUBLIC_KEY)
    assert hashlib.sha256(der).hexdigest() == "9dc7e6b733598fa067f9365bffdb33c2c987825f17d9fc7f92d71d26c004e1f7"
    key = signing.load_public_key(conf.SANDBOX_PUBLIC_KEY)
    assert (key.key_size, key.public_numbers().e) == (2048, 65537)


def encrypted(private_format: serialization.PrivateFormat) -> str:
    return PRIVATE.private_bytes(
        serialization.Encoding.PEM, private_format, serialization.BestAvailableEncryption(b"word")
    ).decode()


def elliptic() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def elliptic_private() -> str:
    return (
        elliptic()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def elliptic_public() -> str:
    return (
        elliptic()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no RSA private key"),
        ("secret!", "neither PEM nor base64"),
        ("sécret", "neither PEM nor base64"),
        ("\ud800", "neither PEM nor base64"),
        ("c2VjcmV0", "no RSA private key"),
        (SHOP_PUBLIC_KEY, "this is a public key"),
        (pem("PUBLIC KEY")(SHOP_PUBLIC_KEY), "this is a public key"),
        (public_pkcs1(SHOP_PUBLIC_KEY), "this is a public key"),
        (SHOP_PRIVATE_KEY[: len(SHOP_PRIVATE_KEY) // 2 // 4 * 4], "no RSA private key"),
        (pem("PRIVATE KEY")(SHOP_PRIVATE_KEY)[:-10], "neither PEM nor base64"),
        (pem("PRIVATE KEY")(SHOP_PRIVATE_KEY) * 2, "neither PEM nor base64"),
        (encrypted(serialization.PrivateFormat.PKCS8), "encrypted"),
        (encrypted(serialization.PrivateFormat.TraditionalOpenSSL), "encrypted"),
        (elliptic_private(), "not an RSA key"),
    ],
    ids=[
        "empty",
        "no base64",
        "not ASCII",
        "half a surrogate pair",
        "base64 of something else",
        "public base64",
        "public PEM",
        "public PKCS#1 base64",
        "half a key",
        "PEM without its end",
        "two PEM blocks",
        "encrypted PKCS#8",
        "encrypted PKCS#1",
        "elliptic curve",
    ],
)
def test_no_private_key(text: str, reason: str) -> None:
    with pytest.raises(InvalidKey, match=reason) as caught:
        signing.load_private_key(text)
    assert_no_secret(caught.value, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no RSA public key"),
        ("secret!", "neither PEM nor base64"),
        ("c2VjcmV0", "no RSA public key"),
        (SHOP_PRIVATE_KEY, "this is a private key"),
        (pkcs1(SHOP_PRIVATE_KEY), "this is a private key"),
        (pem("PRIVATE KEY")(SHOP_PRIVATE_KEY), "this is a private key"),
        (elliptic_public(), "not an RSA key"),
    ],
    ids=[
        "empty",
        "no base64",
        "base64 of something else",
        "private base64",
        "private PKCS#1 base64",
        "private PEM",
        "elliptic curve",
    ],
)
def test_no_public_key(text: str, reason: str) -> None:
    with pytest.raises(InvalidKey, match=reason) as caught:
        signing.load_public_key(text)
    assert_no_secret(caught.value, text)


def assert_no_secret(error: Exception, text: str) -> None:
    assert error.__cause__ is None
    if len(text) > 24:
        assert text[-60:-30] not in str(error)


@given(st.text())
def test_loading_raises_nothing_else(text: str) -> None:
    for load in (signing.load_private_key, signing.load_public_key):
        with pytest.raises(InvalidKey):
            load(text)
