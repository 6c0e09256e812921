"""DANA's signature: pure functions over bytes and keys.

Source: DANA's page *Asymmetric Signature* (method "transactional"): RSA, PKCS#1 v1.5, SHA-256, base64, over
``METHOD:PATH:lower-case hex SHA-256 of the body:X-TIMESTAMP``.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from cryptography.exceptions import InvalidSignature as _CryptographyInvalidSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from django_dana.exceptions import InvalidKey, InvalidSignature
from django_dana.protocol.secret import Secret

T = TypeVar("T")

MINIMUM_KEY_BITS = 2048

_ARMOUR = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*)-----END \1-----", re.DOTALL)


def string_to_sign(method: str, path: str, body: bytes, timestamp: str) -> bytes:
    """Return the bytes that the signature covers.

    Args:
        method: the HTTP method.
        path: the path of the URL, starting with ``/``, without scheme and host.
        body: the body exactly as it is sent.
        timestamp: the X-TIMESTAMP header exactly as it is sent.
    """
    return f"{method.upper()}:{path}:{_digest(body)}:{timestamp}".encode()


def sign(key: RSAPrivateKey, *, method: str, path: str, body: bytes, timestamp: str) -> str:
    """Return the X-SIGNATURE header for exactly these bytes; the arguments are those of string_to_sign."""
    message = string_to_sign(method, path, body, timestamp)
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode("ascii")


def verify(key: RSAPublicKey, signature: str, *, method: str, path: str, body: bytes, timestamp: str) -> bytes:
    """Check a signature and return the text of the body that it covers, the only one that may be parsed.

    Raises:
        InvalidSignature: ``key`` made this signature over neither the body nor its minified form.
    """
    raw = decode_signature(signature)
    return find_signer([(path, key)], raw, method=method, body=body, timestamp=timestamp)[1]


def decode_signature(signature: str) -> bytes:
    """Return the bytes of an X-SIGNATURE header.

    Raises:
        InvalidSignature: it is not base64.
    """
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSignature("X-SIGNATURE is not base64") from None


def find_signer(
    candidates: Sequence[tuple[str, RSAPublicKey]], signature: bytes, *, method: str, body: bytes, timestamp: str
) -> tuple[int, bytes]:
    """Return which candidate made a signature, and the text of the body that it covers.

    DANA signs the minified body. What it sends is minified already, so the raw bytes are tried first; the one
    fallback is dropping whitespace, for legitimate re-spacing on the way. However many candidates there are, the body
    is hashed and minified once.

    Args:
        candidates: the paths and keys to try. Of different ones no two can fit.
        signature: the bytes of the X-SIGNATURE header.
        method: the HTTP method.
        body: the body as it came.
        timestamp: the X-TIMESTAMP header as it came.

    Raises:
        InvalidSignature: none of them made it.
    """
    # a signature has the length of the key's modulus, so what is forged in haste is not even hashed
    fitting = [(number, path, key) for number, (path, key) in enumerate(candidates) if _may_fit(signature, key)]
    for text in _texts_covered(body) if fitting else ():
        digest = _digest(text)
        for number, path, key in fitting:
            if _fits(key, signature, f"{method.upper()}:{path}:{digest}:{timestamp}"):
                return number, text
    raise InvalidSignature("no key of DANA made this signature over this message and path")


def _may_fit(signature: bytes, key: RSAPublicKey) -> bool:
    return len(signature) == (key.key_size + 7) // 8


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _fits(key: RSAPublicKey, signature: bytes, message: str) -> bool:
    try:
        key.verify(signature, message.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (_CryptographyInvalidSignature, UnicodeEncodeError):
        return False
    return True


def _texts_covered(body: bytes) -> Iterator[bytes]:
    yield body
    minified = minify(body)
    if minified != body:
        yield minified


# A string that never ends runs to the end of the text, and nothing is given back: so a forged body full of quotes
# costs linear time, not quadratic.
_STRING_OR_WHITESPACE = re.compile(rb'("(?:[^"\\]++|\\.)*+"?)|[ \t\r\n]+', re.DOTALL)


def minify(body: bytes) -> bytes:
    """Return ``body`` without the whitespace outside its JSON strings; keys, order and escapes stay as they are."""
    return _STRING_OR_WHITESPACE.sub(lambda match: match[1] or b"", body)


def load_private_key(text: Secret | str) -> RSAPrivateKey:
    """Return the RSA private key in ``text``; parsed once, then kept.

    Args:
        text: PEM, also on one line with literal ``\\n`` or with CRLF, or base64 without armour
            (PKCS#8 or PKCS#1), as DANA's portal and SDKs hand keys out.

    Raises:
        InvalidKey: no such key in ``text``. Neither the message nor a variable on the way repeats it.
    """
    text = Secret(text)
    key = _read_private(text)
    if isinstance(key, _Reason):
        raise InvalidKey(key)
    return key


def load_public_key(text: Secret | str) -> RSAPublicKey:
    """Return the RSA public key in ``text``, in any form that :func:`load_private_key` takes; parsed once.

    Raises:
        InvalidKey: no such key in ``text``.
    """
    text = Secret(text)
    key = _read_public(text)
    if isinstance(key, _Reason):
        raise InvalidKey(key)
    return key


class _Reason(str):
    """Why a key can't be used."""

    __slots__ = ()


# What follows holds the text of keys in its variables. So it returns what is wrong and never raises: an error report
# shows the variables of each frame that an error went through.

_NEITHER = _Reason("neither PEM nor base64")
_ENCRYPTED = _Reason("the key is encrypted; DANA's clients need it without a passphrase")
_IS_PUBLIC = _Reason("this is a public key; the private key is needed")
_IS_PRIVATE = _Reason("this is a private key; DANA's public key is needed")
_NO_PRIVATE_KEY = _Reason("no RSA private key in PKCS#8 or PKCS#1 form can be read from it")
_NO_PUBLIC_KEY = _Reason("no RSA public key can be read from it")
_NOT_RSA = _Reason("the key is not an RSA key")


@lru_cache(maxsize=1024)
def _read_private(text: Secret) -> RSAPrivateKey | _Reason:
    label, der = _decode(text.reveal())
    if "PUBLIC" in label:
        return _IS_PUBLIC
    if "ENCRYPTED" in label:
        return _ENCRYPTED
    if der is None:
        return _NEITHER
    key = _parse(serialization.load_der_private_key, der, password=None)
    if key is None:
        return _IS_PUBLIC if _parse(serialization.load_der_public_key, der) else _NO_PRIVATE_KEY
    return _short(key) or key if isinstance(key, RSAPrivateKey) else _NOT_RSA


@lru_cache(maxsize=1024)
def _read_public(text: Secret) -> RSAPublicKey | _Reason:
    label, der = _decode(text.reveal())
    if "PRIVATE" in label:
        return _IS_PRIVATE
    if der is None:
        return _NEITHER
    key = _parse(serialization.load_der_public_key, der)
    if key is None:
        return _IS_PRIVATE if _parse(serialization.load_der_private_key, der, password=None) else _NO_PUBLIC_KEY
    return _short(key) or key if isinstance(key, RSAPublicKey) else _NOT_RSA


def _short(key: RSAPrivateKey | RSAPublicKey) -> _Reason | None:
    if key.key_size >= MINIMUM_KEY_BITS:
        return None
    return _Reason(f"the key has {key.key_size} bits; DANA uses RSA {MINIMUM_KEY_BITS}")


def _decode(text: str) -> tuple[str, bytes | None]:
    """Return the PEM label (empty without armour) and the DER bytes of a key, None where there are none."""
    text = text.replace("\\r", "").replace("\\n", "\n").strip()
    armoured = _ARMOUR.fullmatch(text)
    label, content = (armoured[1], armoured[2]) if armoured else ("", text)
    if label and ":" in content:
        # RFC 1421 headers (Proc-Type, DEK-Info) stand only in encrypted PKCS#1 keys.
        return f"ENCRYPTED {label}", None
    try:
        return label, base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        return label, None


def _parse(load: Callable[..., T], der: bytes, **options: Any) -> T | None:
    try:
        return load(der, **options)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
