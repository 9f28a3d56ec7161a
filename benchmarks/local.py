"""Evaluation through OpenFeature's client: microseconds of CPU for one boolean, its own price told apart."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import AbstractProvider

from benchmarks.cases import COUNTRIES, callers
from benchmarks.conditions import Effort, machine
from benchmarks.flagd_peer import Flagd, Only
from benchmarks.report import Bar, Finding, medians, quotients
from crossfade_client import CrossfadeProvider

ROUNDS_A_PAIR = 4
OURS, FLAGD, NOTHING = "crossfade-client", "flagd-core", "a provider that does nothing"
PEERS = ("openfeature-flagd-core", "openfeature-sdk")
ALONE = "{}, the provider's call alone"
CASES: Mapping[str, str] = {
    "static": "i",
    "rule": "ii",
    "split": "iii",
    "rule-and-split": "iv",
    "four-rules": "v",
}
"""The cases' numbers by the keys of their flags."""

WITH_RULES_AND_A_SPLIT = ("rule-and-split", "four-rules")

_TITLE = (
    "Evaluation through OpenFeature's client, µs per boolean: i static, ii one rule, iii a split, iv a rule of three "
    "conditions and a split, v four rules of which the last has a split"
)

_SPLIT = {"split": [{"variant": "on", "weight": 25_000}, {"variant": "off", "weight": 75_000}]}
_ON = {"variant": "on"}
_PRO = {"attribute": "plan", "op": "eq", "value": "pro"}
_ENGAGED = {"attribute": "engagement", "op": "gt", "value": 0.5}
_ABROAD = {"attribute": "country", "op": "in", "value": list(COUNTRIES)}
_MANY = (
    {"when": {"attribute": "email", "op": "ends_with", "value": "@example.com"}, "serve": _ON},
    {"when": {"all": [_ABROAD, {"attribute": "plan", "op": "eq", "value": "enterprise"}]}, "serve": _ON},
    {"when": {"attribute": "beta", "op": "eq", "value": True}, "serve": _ON},
    {"when": {"all": [_PRO, _ENGAGED]}, "serve": _SPLIT},
)

_FLAGS: Sequence[Mapping[str, Any]] = (
    {"key": "static", "default": _ON},
    {"key": "rule", "rules": [{"name": "pro", "when": _PRO, "serve": _ON}], "default": {"variant": "off"}},
    {"key": "split", "default": _SPLIT},
    {
        "key": "rule-and-split",
        "rules": [{"name": "pro", "when": {"all": [_PRO, _ABROAD, _ENGAGED]}, "serve": _SPLIT}],
        "default": {"variant": "off"},
    },
    {
        "key": "four-rules",
        "rules": [{"name": f"rule {at}", **rule} for at, rule in enumerate(_MANY)],
        "default": {"variant": "off"},
    },
)

Ask = Callable[[str, bool, EvaluationContext], object]
Samples = dict[str, list[float]]


class Nothing(Only):
    """Answers without a look at anything: what is left is the client's own price."""

    def resolve_boolean_details(self, *_: Any, **__: Any) -> FlagResolutionDetails[bool]:
        """Return what it always does."""
        return _ANSWER


_ANSWER = FlagResolutionDetails(True, reason="STATIC", variant="on")


def measure(effort: Effort) -> Finding:
    """Measure the cases, contenders in turn within each round."""
    figures: dict[str, dict[str, Sequence[float]]] = {}
    bars: list[Bar] = []
    rounds = effort.pairs * ROUNDS_A_PAIR
    asked = _contenders()
    contexts = [EvaluationContext(each.pop("targetingKey"), {**each, "email": "u@mail.test"}) for each in callers()]
    for case, title in CASES.items():
        samples: Samples = {name: [] for name in asked}
        for _ in range(rounds):
            for name, ask in asked.items():
                samples[name].append(_microseconds(ask, case, contexts))
        for name, microseconds in samples.items():
            figures.setdefault(name, {})[title] = microseconds
        figures.setdefault("flagd-core / crossfade-client", {})[title] = quotients(samples[FLAGD], samples[OURS])
        bars += _bars(case, title, samples)
    api.clear_providers()
    conditions = {**machine(*PEERS), "rounds": rounds, "callers": len(contexts), "clock": "CPU time of the thread"}
    return Finding("local", _TITLE, conditions, medians(figures), bars, _warnings(figures))


def _bars(case: str, title: str, samples: Samples) -> list[Bar]:
    """Hold what has rules and a split to the bar: the provider's own part, and the whole with the client's price."""
    if case not in WITH_RULES_AND_A_SPLIT:
        return []
    alone = quotients(samples[ALONE.format(FLAGD)], samples[ALONE.format(OURS)])
    through = quotients(samples[FLAGD], samples[OURS])
    return [
        Bar(f"{title}: flagd-core / crossfade-client, the provider's call alone", alone, 5),
        Bar(f"{title}: flagd-core / crossfade-client, through the client", through, 5),
    ]


def _warnings(figures: Mapping[str, Mapping[str, Sequence[float]]]) -> list[str]:
    most = {
        title: statistics.median(figures[FLAGD][title]) / statistics.median(figures[NOTHING][title])
        for title in CASES.values()
    }
    told = ", ".join(f"{title} {ratio:.1f}" for title, ratio in most.items())
    return [f"OpenFeature's client has a price of its own; against it a provider can win by this at most: {told}"]


def _contenders() -> Mapping[str, Ask]:
    providers: Mapping[str, AbstractProvider] = {
        OURS: CrossfadeProvider.offline({"flags": [*_FLAGS]}),
        FLAGD: Flagd(),
        NOTHING: Nothing(),
    }
    for name, provider in providers.items():
        api.set_provider_and_wait(provider, domain=name)
    through: dict[str, Ask] = {name: api.get_client(name).get_boolean_value for name in providers}
    alone = {ALONE.format(name): providers[name].resolve_boolean_details for name in (OURS, FLAGD)}
    return {**through, **alone}


def _microseconds(ask: Ask, case: str, contexts: Sequence[EvaluationContext]) -> float:
    began = time.thread_time_ns()
    for context in contexts:
        ask(case, False, context)
    return (time.thread_time_ns() - began) / 1000 / len(contexts)
