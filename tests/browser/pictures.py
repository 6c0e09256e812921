"""Make the pictures of the documentation from what the browser tests of the staff's pages saw: ``just pictures``."""

from pathlib import Path

import PIL.Image

from tests.browser.visits import ARTIFACTS

DOCS = Path(__file__).parents[2] / "docs" / "staff"

#: The pictures: what was seen, how many pixels wide it becomes, and how many of its upper ones are shown at most.
PICTURES = {
    "list": ("staff-1440-en-light-list", 1080, 640),
    "order": ("staff-1440-en-light-in-need", 1080, 1000),
    "give-back": ("staff-1440-en-light-give-back", 1080, 1000),
    "inbox": ("staff-1440-en-light-inbox", 1080, 700),
    "overview": ("staff-1440-en-light-overview", 1080, 900),
    "phone": ("staff-360-id-dark-in-need", 360, 900),
}


def main() -> None:
    """Write them, small."""
    DOCS.mkdir(exist_ok=True)
    for name, (seen, width, most) in PICTURES.items():
        picture = PIL.Image.open(ARTIFACTS / f"{seen}.png").convert("RGB")
        scale = width / picture.width
        small = picture.resize((width, round(picture.height * scale)), PIL.Image.Resampling.LANCZOS)
        small = small.crop((0, 0, width, min(small.height, most)))
        small.quantize(256).save(DOCS / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
