"""What flagd's operators make of leaves: of constants what they are, of attributes the conditions they ask."""

import re
from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from app.translate import flagd_comparisons as attributes
from app.translate.flagd_calculations import CALCULATIONS
from app.translate.flagd_conditions import compare, is_text
from app.translate.flagd_tree import Attribute, Constant, Joined, Leaf, Now, Tree, boolean, branch, constant
from app.translate.flagd_values import ORDERS, CannotSayError, are_ordered, as_text
from app.translate.logic import When, every, opposite, some

_EQUALITIES = {"==", "!=", "===", "!=="}
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NUMBER = r"(?:0|[1-9]\d*)"
_VERSION = re.compile(rf"[vV]?({_NUMBER}(?:\.{_NUMBER}){{0,2}})((?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)", re.ASCII)
_VERSION_OPS = {"=": "semver_eq", "<": "semver_lt", "<=": "semver_lte", ">": "semver_gt", ">=": "semver_gte"}


def applied(operator: str, operands: Sequence[Leaf]) -> Tree:
    """Return what the operator yields. Raises `CannotSayError`."""
    known = [leaf.value for leaf in operands if isinstance(leaf, Constant)]
    calculation = CALCULATIONS.get(operator)
    if calculation is not None and len(known) == len(operands):
        return constant(calculation(known))
    special = _OF_ATTRIBUTES.get(operator)
    if special is not None:
        return special(operands)
    if operator in _EQUALITIES:
        return _equality(operator, *_padded(operands, 2))
    if operator in ORDERS:
        return _order(operator, operands)
    if operator not in CALCULATIONS:
        older = " It is what fractional was called, with another hash." if operator == "fractionalEvaluation" else ""
        raise CannotSayError(f'The operator "{operator}" is unknown.{older}')
    raise CannotSayError(f'"{operator}" calculates with an attribute: conditions compare it as it is.')


def _padded(operands: Sequence[Leaf], count: int) -> list[Leaf]:
    return [*operands, *([constant(None)] * count)][:count]


def _equality(operator: str, one: Leaf, other: Leaf) -> Tree:
    if isinstance(one, Constant):
        one, other = other, one
    match one, other:
        case Attribute(name), Constant(value):
            holds = attributes.equals(name, value) if len(operator) == 2 else attributes.is_identical(name, value)
            return boolean(opposite(holds) if operator[0] == "!" else holds)
        case Now(), Constant(value) if len(operator) == 2 or isinstance(value, int | float):
            return boolean(attributes.now_is(operator[:2], value))
    raise CannotSayError(f"Two attributes are compared with {operator}: conditions compare with constants.")


def _order(sign: str, operands: Sequence[Leaf]) -> Tree:
    first, second, third = _padded(operands, 3)
    condition = _pair(sign, first, second)
    if third != constant(None):
        condition = every((condition, _pair(sign, second, third)))
    return boolean(condition)


def _pair(sign: str, one: Leaf, other: Leaf) -> When:
    match one, other:
        case Constant(), Constant():
            return are_ordered(ORDERS[sign], one.value, other.value)
        case Attribute(name), Constant(value):
            return attributes.ordered(name, sign, value)
        case Now(), Constant(value):
            return attributes.now_is(sign, value)
        case Constant(), Attribute() | Now():
            return _pair(_TURNED[sign], other, one)
    raise CannotSayError(f"Two attributes are compared with {sign}: conditions compare with constants.")


def _in(operands: Sequence[Leaf]) -> Tree:
    match _padded(operands, 2):
        case [Attribute(name), Constant(value)]:
            if isinstance(value, str):
                raise CannotSayError("A text is searched for an attribute: make it a list of texts.")
            return boolean(attributes.is_one_of(name, value) if isinstance(value, list) else False)
        case [Constant(value), Attribute(name)]:
            return boolean(attributes.contains(name, value))
    raise CannotSayError('"in" asks for one attribute in another: conditions compare with constants.')


def _affix(op: str) -> Callable[[Sequence[Leaf]], Tree]:
    def affixed(operands: Sequence[Leaf]) -> Tree:
        match operands:
            case [Attribute(name), Constant(str(affix))]:
                otherwise = branch(is_text(name), constant(False), constant(None))
                return branch(compare(name, op, affix), constant(True), otherwise)
            case [_, Constant()] | [Constant(), _] if not _are_texts(operands):
                return constant(None)
            case [Constant(str(text)), Constant(str(affix))]:
                return constant(text.startswith(affix) if op == "starts_with" else text.endswith(affix))
            case [_, _]:
                raise CannotSayError(f'"{op}" looks for an attribute: conditions compare with constants.')
        return constant(None)

    return affixed


def _are_texts(operands: Sequence[Leaf]) -> bool:
    return all(isinstance(leaf.value, str) for leaf in operands if isinstance(leaf, Constant))


def _cat(operands: Sequence[Leaf]) -> Tree:
    match operands:
        case [*before, Attribute(name)] if all(isinstance(leaf, Constant) for leaf in before):
            return Joined("".join(as_text(leaf.value) for leaf in before if isinstance(leaf, Constant)), name)
    raise CannotSayError('"cat" can be fixed texts and one attribute behind them, and nothing else.')


def _sem_ver(operands: Sequence[Leaf]) -> Tree:
    match operands:
        case [version, Constant(sign), Constant(wanted)]:
            return _version(version, sign, _normalized(wanted))
        case [_, _, _]:
            raise CannotSayError('"sem_ver" compares with an attribute: conditions compare with constants.')
    return constant(None)


def _version(given: Leaf, sign: JsonValue, wanted: str | None) -> Tree:
    if wanted is None:
        return constant(None)
    if not isinstance(given, Attribute):
        raise CannotSayError('"sem_ver" compares something that is no attribute.')
    readable = some([compare(given.name, op, wanted, "string") for op in ("semver_lt", "semver_gte")])
    holds = _version_is(given.name, sign, wanted)
    if holds is None:
        return constant(None)
    return branch(holds, constant(True), branch(readable, constant(False), constant(None)))


def _version_is(attribute: str, sign: JsonValue, wanted: str) -> When | None:
    def is_so(op: str, version: str) -> When:
        return compare(attribute, op, version, "string")

    major, minor = (int(part) for part in wanted.split(".")[:2])
    match sign:
        case "^":
            return every((is_so("semver_gte", f"{major}.0.0-0"), is_so("semver_lt", f"{major + 1}.0.0-0")))
        case "~":
            return every((is_so("semver_gte", f"{major}.{minor}.0-0"), is_so("semver_lt", f"{major}.{minor + 1}.0-0")))
        case "!=":
            return some((is_so("semver_lt", wanted), is_so("semver_gt", wanted)))
        case str() if sign in _VERSION_OPS:
            return is_so(_VERSION_OPS[sign], wanted)
    return None


def _normalized(version: JsonValue) -> str | None:
    match = _VERSION.fullmatch(str(version))
    if match is None:
        return None
    numbers, behind = match.groups()
    return numbers + ".0" * (2 - numbers.count(".")) + behind


_OF_ATTRIBUTES: Mapping[str, Callable[[Sequence[Leaf]], Tree]] = {
    "in": _in,
    "starts_with": _affix("starts_with"),
    "ends_with": _affix("ends_with"),
    "sem_ver": _sem_ver,
    "cat": _cat,
}
