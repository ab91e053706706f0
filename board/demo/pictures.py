"""Pictures without a picture library: made as PPM, scaled by averaging, written as PNG."""

import random
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHANNELS: Final = 3


@dataclass(frozen=True, slots=True)
class Picture:
    """Red, green and blue, a byte each, row by row from the top."""

    width: int
    height: int
    pixels: bytes


def paint(width: int, height: int, seed: int) -> Picture:
    """A soft landscape, the same for the same seed."""
    chance = random.Random(seed)
    sky, hill, rise = chance.randrange(60, 200), chance.randrange(40, 160), chance.uniform(0.2, 0.7)
    rows = []
    for y in range(height):
        edge = y / height
        row = bytearray()
        for x in range(width):
            under = edge > rise + 0.12 * ((x * 7 % width) / width - 0.5) ** 2
            row += bytes((hill, 90 + int(90 * edge), 40)) if under else bytes((int(200 * edge), sky, 150 + int(100 * edge)))
        rows.append(bytes(row))
    return Picture(width, height, b"".join(rows))


def shrink(picture: Picture, width: int) -> Picture:
    """The picture scaled down to ``width``: each new pixel is the average of those that it stands for."""
    factor = max(1, picture.width // width)
    columns, rows = picture.width // factor, picture.height // factor
    pixels = bytearray()
    for y in range(rows):
        for x in range(columns):
            pixels += _average(picture, x * factor, y * factor, factor)
    return Picture(columns, rows, bytes(pixels))


def _average(picture: Picture, left: int, top: int, factor: int) -> bytes:
    totals = [0] * CHANNELS
    for y in range(top, top + factor):
        start = (y * picture.width + left) * CHANNELS
        block = picture.pixels[start : start + factor * CHANNELS]
        for channel in range(CHANNELS):
            totals[channel] += sum(block[channel::CHANNELS])
    return bytes(total // (factor * factor) for total in totals)


def read_ppm(path: Path) -> Picture:
    """A binary PPM file. Raises ValueError for another format."""
    head, size, depth, pixels = path.read_bytes().split(b"\n", 3)
    if head != b"P6" or depth != b"255":
        raise ValueError(f"{path.name} must be a binary PPM file with 8 bits a channel, and it begins with {head[:8]!r}.")
    width, height = (int(number) for number in size.split())
    return Picture(width, height, pixels)


def write_ppm(path: Path, picture: Picture) -> None:
    """Write a binary PPM file."""
    path.write_bytes(b"P6\n%d %d\n255\n" % (picture.width, picture.height) + picture.pixels)


def write_png(path: Path, picture: Picture) -> int:
    """Write a PNG file; returns its size in bytes."""
    stride = picture.width * CHANNELS
    lines = b"".join(b"\0" + picture.pixels[y * stride : (y + 1) * stride] for y in range(picture.height))
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")
    return path.write_bytes(data)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
