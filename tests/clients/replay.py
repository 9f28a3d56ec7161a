"""Answers, one a line, what a client's own copy of flags/ decides; run with nothing but the client on its path."""

import json
import sys
from typing import Any


def main(folders: list[str]) -> None:
    """Read questions from standard input until it ends."""
    sys.path[:0] = folders
    from crossfade_client.offline import OfflineProvider  # noqa: PLC0415 - its place is known only now

    for line in sys.stdin:
        asked = json.loads(line)
        provider = OfflineProvider(asked["ruleset"])
        provider.initialize(None)  # type: ignore[arg-type]  # it looks at no context
        answers = [_decided(provider, *each) for each in asked["questions"]]
        known = sorted(
            name for name in sys.modules if name.partition(".")[0] in {"app", "flags", "rollouts", "routers"}
        )
        sys.stdout.write(json.dumps({"answers": answers, "known": known}) + "\n")
        sys.stdout.flush()


def _decided(provider: Any, key: str, context: Any, now: float) -> list[Any]:
    from openfeature.evaluation_context import EvaluationContext  # noqa: PLC0415 - as above

    from crossfade_client.flags.evaluate import evaluate  # noqa: PLC0415 - as above

    decision = evaluate(provider._answers.ruleset, key, context, now)
    if type(context) is not dict:
        return [decision._asdict(), None]
    answer = provider._answers.answer(key, EvaluationContext(attributes=context), now)
    details = answer.details
    return [decision._asdict(), [answer.code, details.value, details.variant, details.reason]]


if __name__ == "__main__":
    main(sys.argv[1:])
