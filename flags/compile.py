"""A flag document turned into steps: closures that answer a decision or leave it to the next.

Order: prerequisites, targets, rules, default; the kill overlay and `enabled` come before them.
"""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from .algorithms import bucketer, key_reader, rest_chooser
from .bucketing import BUCKETS, digest, salt_prefix
from .compile_schedule import compile_schedule
from .compiled import CompiledFlag, LastStep, State, Step
from .context import MAX_KEY_LENGTH, NOW, Context, InvalidKeyError, unit_key, unusual_key
from .decision import Decision
from .evaluate import evaluate
from .model import Flag, Prerequisite, Rule
from .names import MURMUR3_100K, Reason
from .pointer import is_pointer, walker
from .predicates import CompiledSegment, asks_time, predicate
from .serve import Serve, Share

Choice = tuple[str, JsonValue]

# what a named tuple's own constructor calls, at half the price: this is the hot path
decision_of = tuple.__new__


def compile_flag(flag: Flag, segments: Mapping[str, CompiledSegment]) -> CompiledFlag:
    """Compile the flag over compiled segments; the result knows nothing of other flags or kills."""
    maker = _Maker(flag, segments)
    steps = tuple(maker.steps()) if flag.enabled or flag.schedule else ()

    def standing(default: LastStep | None) -> CompiledFlag:
        if default is None:
            return _constant(flag, "enabled", maker.off(Reason.DISABLED))
        return CompiledFlag(flag, maker.invalid_key, steps, "default", default)

    def serving(default: Serve) -> LastStep:
        return maker.serve(default, Reason.DEFAULT, None)

    if flag.schedule:
        return compile_schedule(flag, standing, serving)
    return standing(serving(flag.default) if flag.enabled else None)


def compile_killed(flag: Flag) -> CompiledFlag:
    """Compile the flag as it is under a kill: everyone gets the off variant."""
    return _constant(flag, "kill", _Maker(flag, {}).off(Reason.KILLED))


def _constant(flag: Flag, step: str, decision: Decision) -> CompiledFlag:
    return CompiledFlag(flag, decision, (), step, lambda _context, _now, _state: decision)


class _Maker:
    def __init__(self, flag: Flag, segments: Mapping[str, CompiledSegment]) -> None:
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
        if asks_time(rule.when, self.segments):
            return lambda context, now, state: serve(context, now, state) if matches({**context, NOW: now}) else None
        return lambda context, now, state: serve(context, now, state) if matches(context) else None

    def serve(self, serve: Serve, reason: Reason, rule: str | None) -> LastStep:
        if serve.split is not None:
            usual = self.flag.bucketing == MURMUR3_100K and serve.by is None and serve.salt is None
            return self.split(serve.split, rule) if usual else self.unusual_split(serve, serve.split, rule)
        fixed = self.decision(serve.variant or self.flag.off_variant, reason, rule)
        return lambda _context, _now, _state: fixed

    def split(self, shares: tuple[Share, ...], rule: str | None) -> LastStep:
        attribute = self.flag.bucket_by
        if not is_pointer(attribute):
            return self.split_by(attribute, shares, rule)
        found, step = walker(attribute), self.split_by("", shares, rule)
        return lambda context, now, state: step({"": found(context)}, now, state)

    def split_by(self, attribute: str, shares: tuple[Share, ...], rule: str | None) -> LastStep:
        flag_key, version = self.flag.key, self.flag.version
        missing, invalid = self.missing_key, self.invalid_key
        prefix = salt_prefix(self.flag.salt)
        (variant, value), threshold = self.choice(shares[0].variant), shares[0].weight
        rest_of, by_split = self.rest(shares, self.flag.salt), Reason.SPLIT

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

    def unusual_split(self, serve: Serve, shares: tuple[Share, ...], rule: str | None) -> LastStep:
        flag_key, version = self.flag.key, self.flag.version
        by, salt = serve.by or (self.flag.bucket_by,), self.flag.salt if serve.salt is None else serve.salt
        bucket_of, rest_of = bucketer(self.flag.bucketing, salt), self.rest(shares, salt)
        first_key = key_reader(self.flag.bucketing)
        first, threshold = self.choice(shares[0].variant), shares[0].weight

        def step(context: Context, _now: float, _state: State) -> Decision:
            try:
                key = first_key(context, by)
                if key is None:
                    return self.missing_key
                bucket = bucket_of(key)
            except (InvalidKeyError, UnicodeEncodeError):
                return self.invalid_key
            variant, value = first if bucket < threshold else rest_of(key)
            return decision_of(Decision, (flag_key, variant, value, Reason.SPLIT, rule, bucket, version))

        return step

    def choice(self, variant: str) -> Choice:
        return variant, self.flag.variants[variant]

    def rest(self, split: tuple[Share, ...], salt: str) -> Callable[[str], Choice]:
        first, *shares = split
        choices = [self.choice(share.variant) for share in shares]
        weights = [share.among_the_rest() for share in shares]
        if sum(weights) == 0:
            off = self.choice(self.flag.off_variant)
            return lambda _key: off
        if len(choices) == 1:
            return lambda _key: choices[0]
        index_of = rest_chooser(self.flag.bucketing, salt, first.weight, weights)
        return lambda key: choices[index_of(key)]
