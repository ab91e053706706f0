"""OKLCH to contrast, after the CSS Color 4 and WCAG 2.2 texts."""

import math
import re
from typing import Final

Colour = tuple[float, float, float]
PAIR: Final = re.compile(r"(--[\w-]+):\s*light-dark\(oklch\(([^()]+)\),\s*oklch\(([^()]+)\)\)")


def tokens(css: str) -> dict[str, tuple[Colour, Colour]]:
    """Token to its light and its dark colour; those with transparency are left out."""
    return {token: (_parse(light), _parse(dark)) for token, light, dark in PAIR.findall(css) if "/" not in light + dark}


def _parse(text: str) -> Colour:
    lightness, chroma, hue = (float(part) for part in text.split())
    return lightness, chroma, hue


def luminance(colour: Colour) -> float:
    """The relative luminance of a colour, cut to what sRGB can show."""
    lightness, chroma, hue = colour
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(max(part, 0.0), 1.0) for part in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """From 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
