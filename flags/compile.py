"""A flag document turned into steps: closures that answer a decision or leave it to the next.

Order: prerequisites, targets, rules, default; the kill overlay and `enabled` come before them.
"""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from .bucketing import BUCKETS, digest, rest_chooser, salt_prefix
from .compiled import CompiledFlag, LastStep, State, Step
from .context import MAX_KEY_LENGTH, Context, InvalidKeyError, unit_key, unusual_key
from .decision import Decision
from .evaluate import evaluate
from .model import Flag, Prerequisite, Rule
from .names import Reason
from .predicates import Predicate, predicate
from .serve import Serve, Share

Choice = tuple[str, JsonValue]

# what a named tuple's own constructor calls, at half the price: this is the hot path
decision_of = tuple.__new__


def compile_flag(flag: Flag, segments: Mapping[str, Predicate]) -> CompiledFlag:
    """Compile the flag over compiled segments; the result knows nothing of other flags or kills."""
    maker = _Maker(flag, segments)
    if not flag.enabled:
        return _constant(flag, "enabled", maker.off(Reason.DISABLED))
    default = maker.serve(flag.default, Reason.DEFAULT, None)
    return CompiledFlag(flag, maker.invalid_key, tuple(maker.steps()), "default", default)


def compile_killed(flag: Flag) -> CompiledFlag:
    """Compile the flag as it is under a kill: everyone gets the off variant."""
    return _constant(flag, "kill", _Maker(flag, {}).off(Reason.KILLED))


def _constant(flag: Flag, step: str, decision: Decision) -> CompiledFlag:
    return CompiledFlag(flag, decision, (), step, lambda _context, _now, _state: decision)


class _Maker:
    def __init__(self, flag: Flag, segments: Mapping[str, Predicate]) -> None:
        self.flag = flag
        self.segments = segments
        self.missing_key = self.off(Reason.TARGETING_KEY_MISSING)
        self.invalid_key = self.off(Reason.INVALID_CONTEXT)

    def decision(self, variant: str, reason: Reason, rule: str | None = None) -> Decision:
        flag = self.flag
        given = (flag.key, variant, flag.variants[variant], reason, rule, None, flag.version)
        return decision_of(Decision, given)

    def off(self, reason: Reason) -> Decision:
        return self.decision(self.flag.off_variant, reason)

    def steps(self) -> list[tuple[str, Step]]:
        flag = self.flag
        steps = [(f"prerequisite {item.flag}", self.prerequisite(item)) for item in flag.prerequisites]
        targets = [("targets", self.targets())] if flag.targets else []
        rules = [(f"rule {rule.name}", self.rule(rule)) for rule in flag.rules]
        return steps + targets + rules

    def prerequisite(self, item: Prerequisite) -> Step:
        failed = self.off(Reason.PREREQUISITE_FAILED)
        wanted, key = frozenset(item.variants), item.flag

        def step(context: Context, now: float, state: State) -> Decision | None:
            if key in state.unresolvable:
                return failed
            decision = evaluate(state, key, context, now)
            holds = decision.reason is not Reason.DISABLED and decision.variant in wanted
            return None if holds else failed

        return step

    def targets(self) -> Step:
        attribute = self.flag.bucket_by
        decisions = {
            key: self.decision(target.variant, Reason.TARGET_MATCH)
            for target in self.flag.targets
            for key in target.keys
        }
        invalid = self.invalid_key

        def step(context: Context, _now: float, _state: State) -> Decision | None:
            try:
                key = unit_key(context, attribute)
            except InvalidKeyError:
                return invalid
            return decisions.get(key) if key is not None else None

        return step

    def rule(self, rule: Rule) -> Step:
        matches = predicate(rule.when, self.segments)
        serve = self.serve(rule.serve, Reason.RULE_MATCH, rule.name)
        return lambda context, now, state: serve(context, now, state) if matches(context) else None

    def serve(self, serve: Serve, reason: Reason, rule: str | None) -> LastStep:
        if serve.split is not None:
            return self.split(serve.split, rule)
        fixed = self.decision(serve.variant or self.flag.off_variant, reason, rule)
        return lambda _context, _now, _state: fixed

    def split(self, shares: tuple[Share, ...], rule: str | None) -> LastStep:
        flag_key, version, attribute = self.flag.key, self.flag.version, self.flag.bucket_by
        missing, invalid = self.missing_key, self.invalid_key
        prefix = salt_prefix(self.flag.salt)
        (variant, value), threshold = self.choice(shares[0].variant), shares[0].weight
        rest_of, by_split = self.rest(shares[1:]), Reason.SPLIT

        def step(context: Context, _now: float, _state: State) -> Decision:
            key = context.get(attribute)
            try:
                if type(key) is not str or not 0 < len(key) <= MAX_KEY_LENGTH:
                    key = unusual_key(key)
                    if key is None:
                        return missing
                bucket = digest(prefix + key.encode()) * BUCKETS >> 32
            except (InvalidKeyError, UnicodeEncodeError):
                return invalid
            if bucket < threshold:
                return decision_of(Decision, (flag_key, variant, value, by_split, rule, bucket, version))
            other, other_value = rest_of(key)
            return decision_of(Decision, (flag_key, other, other_value, by_split, rule, bucket, version))

        return step

    def choice(self, variant: str) -> Choice:
        return variant, self.flag.variants[variant]

    def rest(self, shares: tuple[Share, ...]) -> Callable[[str], Choice]:
        choices = [self.choice(share.variant) for share in shares]
        weights = [share.among_the_rest() for share in shares]
        if sum(weights) == 0:
            off = self.choice(self.flag.off_variant)
            return lambda _key: off
        if len(choices) == 1:
            return lambda _key: choices[0]
        index_of = rest_chooser(self.flag.salt, weights)
        return lambda key: choices[index_of(key)]
