"""GrowthBook's attributes under the names they have with us, and places in its file."""

from re import fullmatch

from app.translate.model import Options, UnsayableError
from flags.context import TARGETING_KEY

THEIR_KEY = "id"
LONGEST = 128


def place_of(place: str, name: str | int) -> str:
    """Return the JSON path of what stands under a name in the object, or at an index in the list, at `place`."""
    if isinstance(name, int):
        return f"{place}[{name}]"
    return f"{place}.{name}" if fullmatch(r"[\w$-]+", name) else f'{place}["{name}"]'


def hashed(name: str, options: Options, place: str) -> str:
    """Return our attribute for one that GrowthBook hashes: its name is no path, whatever dots it has."""
    return _checked(_plain(_ours(name, options)), place)


def targeted(path: str, options: Options, place: str) -> str:
    """Return our attribute for the path of one in a condition: a JSON pointer when it leads into an object."""
    first, *inner = path.split(".")
    if "length" in inner:
        raise UnsayableError(place, f'"{path}" may count a list; say so with $size')
    if path in options.attributes or not inner:
        return _checked(_plain(_ours(path, options)), place)
    return _checked(_pointer([_ours(first, options), *inner]), place)


def _ours(name: str, options: Options) -> str:
    return options.attribute(name, TARGETING_KEY if name == THEIR_KEY else None)


def _plain(name: str) -> str:
    return _pointer([name]) if name[:1] in {"$", ""} else name


def _pointer(names: list[str]) -> str:
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def _checked(attribute: str, place: str) -> str:
    if len(attribute) > LONGEST:
        raise UnsayableError(
            place, f'"{attribute[:32]}…" is longer than the {LONGEST} characters of an attribute\'s name'
        )
    return attribute
