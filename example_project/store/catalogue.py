"""What the shop sells."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True)
class Product:
    """One thing to buy; the price is in rupiah."""

    slug: str
    name: str
    origin: str
    taste: str
    price: Decimal


CATALOGUE: Final = {
    product.slug: product
    for product in (
        Product("gayo", "Kopi Gayo", "Aceh, 1,400 m", "Dark chocolate, cedar, a little orange", Decimal(85_000)),
        Product("toraja", "Kopi Toraja", "Sulawesi, 1,500 m", "Ripe plum, clove, brown sugar", Decimal(92_500)),
        Product("kintamani", "Kopi Kintamani", "Bali, 1,200 m", "Lemon peel, honey, black tea", Decimal(78_000)),
    )
}
