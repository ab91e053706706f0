"""The files that the demo works on. Few and small: they are made once and used again."""

import csv
import random
from pathlib import Path
from typing import Final

from board.demo.pictures import paint, write_ppm

RHYME: Final = (
    "the warbler sings in reeds at dawn while rain walks over quiet fields and a small bird weaves its nest of leaves "
    "sewn with spider silk above the slow brown river where children count boats"
)
TEXTS: Final = 12
PICTURES: Final = 6
ARCHIVES: Final = 6
MEGABYTE: Final = 1_000_000
REGIONS: Final = ("north", "east", "south", "west")


def make_all(folder: Path) -> None:
    """Make every file that is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = (
        (TEXTS, text_file, lambda path, number: path.write_text(_text(number))),
        (ARCHIVES, archive_file, lambda path, number: path.write_bytes(random.Random(number).randbytes((number + 1) * MEGABYTE))),
        (PICTURES, picture_file, lambda path, number: write_ppm(path, paint(240, 160, number))),
    )
    for count, named, make in makers:
        for number in range(count):
            path = named(folder, number)
            if not path.exists():
                make(path, number)


def text_file(folder: Path, number: int) -> Path:
    """A text of some ten thousand words."""
    return folder / f"text-{number:02}.txt"


def picture_file(folder: Path, number: int) -> Path:
    """A picture of 240 × 160."""
    return folder / f"picture-{number:02}.ppm"


def archive_file(folder: Path, number: int) -> Path:
    """One to six megabytes of noise."""
    return folder / f"archive-{number:02}.bin"


def make_sales(path: Path, rows: int, seed: int) -> None:
    """A CSV file of sales by region."""
    chance = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["region", "amount"])
        writer.writerows([chance.choice(REGIONS), chance.randrange(100, 90_000)] for _ in range(rows))


def _text(seed: int) -> str:
    chance = random.Random(seed)
    return "\n".join(" ".join(chance.choices(RHYME.split(), k=12)) for _ in range(800))
