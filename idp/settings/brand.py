"""The brand under judgement: what ends up in every page must be safe there and complete in every language."""

import re
from collections.abc import Sequence
from pathlib import Path

from idp.model import Brand, Link
from idp.policies.addresses import refused_link
from idp.settings.reader import Reader

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
_PICTURES = (".svg", ".png", ".webp")
_OURS = frozenset({"logo.svg"})
_BROWSERS = frozenset({"chrome", "edge", "firefox", "safari", "opera", "samsung"})


def judge_brand(reader: Reader, brand: Brand, languages: Sequence[str]) -> None:
    """Leave a problem with the reader for each part of the brand that pages can't show."""
    if not brand.name.strip():
        reader.refuse(("brand", "name"), "the name is empty", "Write the operator's name.")
    for key in ("accent", "accent_dark"):
        if not _COLOUR.fullmatch(getattr(brand, key)):
            reader.refuse(("brand", key), "not a colour", 'Write it as "#rrggbb".')
    refusal = refused_link(brand.home) if brand.home else None
    if refusal is not None:
        reader.refuse(("brand", "home"), *refusal)
    if brand.logo and not _is_picture(brand.logo):
        what = "neither a picture of the product's own nor one of this machine"
        reader.refuse(("brand", "logo"), what, f"Give the path of a file that ends in {', '.join(_PICTURES)}.")
    for number, link in enumerate(brand.links):
        _judge_link(reader, number, link, languages)
    for browser, major in brand.tested_browsers.items():
        here = ("brand", "tested_browsers", browser)
        if browser not in _BROWSERS:
            reader.refuse(here, "unknown browser", f"Use one of: {', '.join(sorted(_BROWSERS))}.")
        elif major < 1:
            reader.refuse(here, f"{major} is below the floor of 1", "Write the oldest major version tested.")


def _is_picture(logo: str) -> bool:
    """Pages show pictures of their own host only: the file is read at start and served from there."""
    return logo.endswith(_PICTURES) and (logo in _OURS or Path(logo).is_file())


def _judge_link(reader: Reader, number: int, link: Link, languages: Sequence[str]) -> None:
    here = ("brand", "links", number)
    refusal = refused_link(link.href)
    if refusal is not None:
        reader.refuse((*here, "href"), *refusal)
    for language in languages:
        if not link.label.get(language, "").strip():
            reader.refuse((*here, "label"), f'no label in "{language}"', "Write one for each of languages.")
