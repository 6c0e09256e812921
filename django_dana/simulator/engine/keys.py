"""The simulator's own RSA key: the one with which it signs notifications."""

import os
from base64 import b64encode
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from django_dana.protocol import signing


def generate() -> RSAPrivateKey:
    """Return a new key of 2048 bits, DANA's size; this takes a noticeable moment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=signing.MINIMUM_KEY_BITS)


@lru_cache(maxsize=1)
def of_this_process() -> RSAPrivateKey:
    """Return one key for all simulators of this process, made at the first call."""
    return generate()


def load_or_create(path: str | os.PathLike[str]) -> RSAPrivateKey:
    """Return the key in the file ``path``, which is written first where it does not exist.

    A new file is readable by its owner only. Two processes may call this at the same time: one file wins.

    Raises:
        InvalidKey: the file holds something else than an RSA private key.
        OSError: it can't be read or written.
    """
    path = Path(path)
    if not path.exists():
        _write_once(path, private_pem(generate()))
    return signing.load_private_key(path.read_text(encoding="ascii", errors="replace"))


def _write_once(path: Path, text: str) -> None:
    """Write a whole file or none, so that another process never reads half a key."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        # the other process was quicker
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def private_pem(key: RSAPrivateKey) -> str:
    """Return ``key`` as PKCS#8 PEM without a passphrase."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def public_text(key: RSAPrivateKey) -> str:
    """Return the public half of ``key`` as DANA prints keys: base64 on one line, without armour."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )
    return b64encode(der).decode("ascii")


@lru_cache(maxsize=1)
def stranger() -> RSAPrivateKey:
    """Return a key that belongs to nobody, for signatures that must be refused."""
    return generate()
