"""The merchants' accounts, and whose key made a signature."""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from django_dana.exceptions import InvalidSignature
from django_dana.protocol import signing


@dataclass(frozen=True, slots=True)
class Merchant:
    """One account of a shop at DANA.

    Attributes:
        merchant_id: DANA's id of the merchant, ``merchantId`` in bodies.
        partner_id: the client id, X-PARTNER-ID.
        public_key: the public half of the shop's key, in any form that signing.load_public_key takes.
        name: what the checkout page calls the shop.
        environment: must be ``sandbox``; here so that a production account can't slip in unseen.
        stores: the registered externalStoreId values, or None where any is taken.
        sub_merchants: the registered subMerchantId values, or None where any is taken.
    """

    merchant_id: str
    partner_id: str
    public_key: str
    name: str = ""
    environment: str = "sandbox"
    stores: frozenset[str] | None = None
    sub_merchants: frozenset[str] | None = None

    @property
    def key(self) -> RSAPublicKey:
        """The shop's public key, read. Raises InvalidKey."""
        return signing.load_public_key(self.public_key)


class Merchants:
    """All accounts; several may share a merchant id, a partner id or both."""

    def __init__(self, merchants: Iterable[Merchant]) -> None:
        """Check the accounts.

        Raises:
            ValueError: there is none, or one of them is not a sandbox account.
            InvalidKey: a public key can't be read.
        """
        self.all = tuple(merchants)
        if not self.all:
            raise ValueError("The simulator serves sandbox accounts only, and there is none.")
        for merchant in self.all:
            if merchant.environment != "sandbox":
                raise ValueError(f"Merchant {merchant.merchant_id} is not a sandbox account.")
            _ = merchant.key

    def of_partner(self, partner_id: str) -> list[Merchant]:
        """Return the accounts of an X-PARTNER-ID."""
        return [merchant for merchant in self.all if merchant.partner_id == partner_id]

    def by_id(self, merchant_id: str | None) -> Merchant:
        """Return the first account of a merchant, or the first of all. Raises LookupError."""
        for merchant in self.all:
            if merchant_id in (None, merchant.merchant_id):
                return merchant
        raise LookupError(f"There is no merchant {merchant_id!r}.")

    def name(self, merchant_id: str) -> str:
        """Return what buyers read as the name of a merchant."""
        names = [merchant.name for merchant in self.all if merchant.merchant_id == merchant_id and merchant.name]
        return names[0] if names else merchant_id


def signers(
    candidates: Iterable[Merchant],
    signature: str,
    *,
    path: str,
    body: bytes,
    timestamp: str,
) -> tuple[list[Merchant], bytes]:
    """Return the accounts whose key made a signature, and the text of the body that it covers.

    Raises:
        InvalidSignature: none of them did; the message says why.
    """
    found, text, reason = [], b"", "no account has this X-PARTNER-ID"
    for merchant in candidates:
        try:
            text = signing.verify(merchant.key, signature, method="POST", path=path, body=body, timestamp=timestamp)
            found.append(merchant)
        except InvalidSignature as error:
            reason = str(error)
    if not found:
        raise InvalidSignature(reason)
    return found, text
