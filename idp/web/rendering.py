"""Pages: the templates of every language, compiled when first shown, and the static files under the digest of their content.

A page is rendered from values alone. Each environment is bound to one language and one brand, so that nothing is looked
up twice; the brand's colours are judged here, so that no operator can choose an unreadable page.
"""

import re
from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, nodes
from jinja2.runtime import Macro
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from idp.language import Words
from idp.model import Brand

HERE: Final = Path(__file__).parent.parent
STATIC_PREFIX: Final = "/static/"
CONTENT_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
}

Colour = tuple[int, int, int]
# Macros that every page may use, in the order in which they use each other; and what only brand and language decide.
_PARTS: Final = ("icons", "messages", "questions", "scopes", "form")
_PIECES: Final = ("mark", "help", "untested")
_PICTURES: Final = (".svg", ".png", ".webp")
_REMEMBERED: Final = frozenset({"message", "question_text", "scope_text", "submit", "steps"})
_SETTLED: Final = frozenset({"icon"})
_PLACE: Final = re.compile(r"%\((\w+)\)s")
_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}")
_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)
_MIDDLE: Final = 0.18
_LINEAR: Final = 0.04045

# What a page may leave unsaid. A name neither here nor given is a mistake, and StrictUndefined tells it.
DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "action": "",
        "again_href": None,
        "app_href": None,
        "back_href": None,
        "browser_untested": False,
        "cancel": "",
        "client_name": "",
        "confirm_href": None,
        "continue_href": None,
        "detail": "",
        "errors": (),
        "fields": MappingProxyType({}),
        "frames": (),
        "here": "",
        "hidden": MappingProxyType({}),
        "invitation_href": None,
        "known": False,
        "leaving": False,
        "letters_and_digits": False,
        "may_act_for_more": False,
        "meter": "",
        "named_by": ("username",),
        "onward": None,
        "passkey": "",
        "pin_forgotten": False,
        "portals": (),
        "progress": None,
        "recoverable": (),
        "recovery_href": None,
        "replacing": False,
        "register_href": None,
        "remember": None,
        "request_id": "",
        "retry_href": None,
        "sign_in_href": None,
        "sign_out_href": None,
        "told": "",
        "transaction": "",
        "until": None,
        "values": MappingProxyType({}),
        "watch": None,
        "welcome": "",
        "why": "",
        "with_consents": False,
    }
)


class Pages:
    """Every page in every language, in one brand. Compiling all of them would be a third of the start: a test does that."""

    def __init__(
        self, words: Words, brand: Brand, templates: Path = HERE / "templates", static: Path = HERE / "static"
    ) -> None:
        named = _files(static, brand)
        self._addresses: Final = {name: _addressed(name, content) for name, content in named.items()}
        self._files: Final = MappingProxyType(
            {self._addresses[name]: (content, CONTENT_TYPES[Path(name).suffix]) for name, content in named.items()}
        )
        self._default: Final = words.default
        self._templates: Final = {
            locale: _spoken(words, brand, templates, locale, self._addresses) for locale in words.languages
        }

    def render(self, template: str, locale: str, **context: Any) -> str:
        """The page, whole, in ``locale`` (or the default language where that one is not spoken)."""
        spoken = self._templates.get(locale, self._templates[self._default])
        return spoken[template].render(context)

    def static(self, name: str) -> str:
        """The address of a static file, which changes with its content: ``/static/style.1f0c….css``."""
        return self._addresses[name]

    def static_files(self) -> Mapping[str, tuple[bytes, str]]:
        """Content and type of each static file by its address: immutable, to be cached for ever."""
        return self._files


class _Spoken(Environment):
    """Jinja in one language: what is constant in it is settled when a template is compiled, not each time it is rendered.

    A page is some forty messages and a few static addresses; looked up at each rendering they cost more than all the rest.
    """

    def __init__(self, words: Words, locale: str, static: Callable[[str], str], templates: Path) -> None:
        super().__init__(
            loader=FileSystemLoader(templates),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
            extensions=["jinja2.ext.i18n"],
        )
        words.bind(self, locale)
        self.settled: Final[dict[str, Callable[[str], str]]] = {"static": static}
        self._folding = _Folding(words.gettext(locale), self.settled)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """The environment's own globals, not a chain of maps that is walked at each rendering."""
        return {**self.globals, **d} if d else self.globals

    def _generate(self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False) -> str:
        return super()._generate(self._folding.visit(source), name, filename, defer_init)


class _Compiled(dict[str, Template]):
    """Pages by name, each compiled when it is first asked for."""

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._environment = environment

    def __missing__(self, name: str) -> Template:
        return self.setdefault(name, self._environment.get_template(name))


class _Folding(NodeTransformer):
    """Replaces ``_("…")`` by its translation, and calls of ``settled`` functions with a constant by their result."""

    def __init__(self, gettext: Callable[[str], str], settled: Mapping[str, Callable[[str], str]]) -> None:
        self._gettext = gettext
        self._settled = settled

    def visit_Call(self, call: nodes.Call) -> nodes.Node:  # noqa: N802 - the name of the node
        """A call that can be settled becomes a constant, or constants joined with values."""
        self.generic_visit(call)
        if not (isinstance(call.node, nodes.Name) and len(call.args) == 1 and isinstance(call.args[0], nodes.Const)):
            return call
        if call.node.name in self._settled:
            return nodes.Const(self._settled[call.node.name](call.args[0].value))
        if call.node.name == "_":
            return _message(self._gettext(call.args[0].value), {pair.key: pair.value for pair in call.kwargs})
        return call


def _message(text: str, values: Mapping[str, nodes.Expr]) -> nodes.Expr:
    """A translated message as an expression; ``%(name)s`` stands for the value of that name, ``%%`` for a per cent sign."""
    parts = _PLACE.split(text)
    joined: list[nodes.Expr] = [
        values[part] if odd else nodes.Const(Markup(part.replace("%%", "%")))  # noqa: S704 - our own words
        for part, odd in zip(parts, cycle((False, True)), strict=False)
    ]
    return nodes.Concat(joined) if len(joined) > 1 else joined[0]


def _spoken(words: Words, brand: Brand, templates: Path, locale: str, addresses: Mapping[str, str]) -> dict[str, Template]:
    """Every page in ``locale``, compiled, with what is the same on all of them rendered once."""
    environment = _Spoken(words, locale, addresses.__getitem__, templates)
    logo = addresses[Path(brand.logo).name] if brand.logo else ""
    environment.globals.update(DEFAULTS, brand=brand, locale=locale, languages=words.names, logo_src=logo)
    for part in _PARTS:
        held = vars(environment.get_template(f"_{part}.html").module)
        macros = {name: macro for name, macro in held.items() if isinstance(macro, Macro)}
        environment.globals.update(
            {name: _remembered(macro) if name in _REMEMBERED else macro for name, macro in macros.items()}
        )
        environment.settled.update({name: macros[name] for name in _SETTLED & macros.keys()})
    for piece in _PIECES:
        environment.globals[piece] = Markup(environment.get_template(f"_{piece}.html").render())  # noqa: S704 - a template's
    return _Compiled(environment)


def brand_css(brand: Brand) -> bytes:
    """The brand's colours as custom properties for light and dark; a colour that is not ``#rrggbb`` is refused.

    Text on the accent is black or white, whichever contrasts more; links are darkened or lightened until they can be read
    (WCAG 2.2, 1.4.3) and edges until they can be seen (1.4.11).
    """
    light = _scheme(_rgb(brand.accent), sheet=_WHITE, ink=(16, 19, 22), tints=(0.08, 0.14, 0.30))
    dark = _scheme(_rgb(brand.accent_dark), sheet=(17, 20, 23), ink=(236, 239, 241), tints=(0.07, 0.12, 0.24))
    return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n".encode()


def contrast(one: Colour, other: Colour) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2, contrast ratio)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _scheme(accent: Colour, *, sheet: Colour, ink: Colour, tints: tuple[float, float, float]) -> str:
    """One scheme's properties: every shade is the accent mixed into a neutral, so that the page is of one piece."""
    far = _BLACK if _luminance(sheet) > _MIDDLE else _WHITE
    ink = _mix(accent, ink, 0.08)
    panel = _mix(accent, sheet, tints[0])
    link = _readable(accent, panel, far, 4.6)
    text = max((_WHITE, _BLACK), key=lambda shade: contrast(shade, accent))
    shades = {
        "accent": accent,
        "on-accent": text,
        "accent-edge": _readable(accent, sheet, far, 3.1),
        "accent-strong": _mix(_BLACK if text == _WHITE else _WHITE, accent, 0.18),
        "link": link,
        "sheet": sheet,
        "panel": panel,
        "tint": _mix(accent, sheet, tints[1]),
        "ring": _mix(accent, sheet, tints[2]),
        "ink": ink,
        "soft": _readable(_mix(ink, sheet, 0.66), panel, far, 5.2),
        "line": _mix(ink, sheet, 0.13),
        "edge": _readable(_mix(ink, sheet, 0.42), panel, far, 3.1),
    }
    return "".join(f"--{name}:#{''.join(f'{part:02x}' for part in shade)};" for name, shade in shades.items())


def _rgb(colour: str) -> Colour:
    if not _HEX.fullmatch(colour):
        raise ValueError(f"not a colour of the form #rrggbb: {colour!r}")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mix(colour: Colour, into: Colour, share: float) -> Colour:
    red, green, blue = (round(part * share + base * (1 - share)) for part, base in zip(colour, into, strict=True))
    return red, green, blue


def _readable(colour: Colour, on: Colour, far: Colour, ratio: float) -> Colour:
    """``colour`` moved towards ``far`` no further than it must to reach ``ratio`` on ``on``."""
    shades = (_mix(far, colour, step / 20) for step in range(21))
    return next((shade for shade in shades if contrast(shade, on) >= ratio), far)


def _luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= _LINEAR else ((part + 0.055) / 1.055) ** 2.4 for part in (c / 255 for c in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _files(static: Path, brand: Brand) -> dict[str, bytes]:
    """The product's static files by name, with the brand's style sheet and its logo."""
    files = {path.name: path.read_bytes() for path in sorted(static.iterdir()) if path.suffix in CONTENT_TYPES}
    files["brand.css"] = brand_css(brand)
    if brand.logo and brand.logo.removeprefix(STATIC_PREFIX) not in files:
        logo = Path(brand.logo)
        if "://" in brand.logo or logo.suffix not in _PICTURES:
            raise ValueError(f"a logo is a file ({', '.join(_PICTURES)}), ours or one of this machine: {brand.logo!r}")
        files[logo.name] = logo.read_bytes()
    return files


def _addressed(name: str, content: bytes) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"{STATIC_PREFIX}{stem}.{sha256(content).hexdigest()[:16]}.{suffix}"


def _remembered(macro: Macro) -> Callable[..., Markup]:
    """A macro of a few names and numbers, and of nothing that a person typed, worked out once for each."""

    @lru_cache(maxsize=256)
    def remembered(*values: Any, **named: Any) -> Markup:
        return Markup(macro(*values, **named).strip())  # noqa: S704 - a macro escapes what it is given

    return remembered
