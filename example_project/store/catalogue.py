"""What the shop sells."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True)
class Product:
    """One thing to buy; the price is in rupiah."""

    slug: str
    name: str
    origin: str
    taste: "_StrPromise"
    price: Decimal


CATALOGUE: Final = {
    product.slug: product
    for product in (
        Product("gayo", "Kopi Gayo", "Aceh, 1400 m", _("Dark chocolate, cedar, a little orange"), Decimal(85_000)),
        Product("toraja", "Kopi Toraja", "Sulawesi, 1500 m", _("Ripe plum, clove, brown sugar"), Decimal(92_500)),
        Product("kintamani", "Kopi Kintamani", "Bali, 1200 m", _("Lemon peel, honey, black tea"), Decimal(78_000)),
    )
}
