"""What is claimed of the other two routes. Pure: everything that was seen comes in as values."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from statistics import mean, variance
from typing import Any

from app.demo.breaker_watch import Sighting
from app.demo.claims import errors_of, fallbacks, first_of, judged, return_is_steady
from app.demo.evidence import Claim
from app.demo.routes.evidence import Greeting, OneKill, Outage, Sorted, Tastes
from app.demo.statistics import three_sigma
from app.demo.traffic import Visit

OWN_SHARE = 0.95
"""How many of its users a side must answer itself when nothing is wrong but a busy machine."""

SIGMAS = 3
SIDES = ("legacy", "new")
LANGUAGES = {"fr": "vit", "en": "lives"}
OLD_FIELDS = frozenset({"name", "age", "occupation", "location", "bio", "quote", "interests", "values", "culturalData"})

FILMS_DEATH = "Films: new is killed under load, and no user sees an error"
PERSONAS_RETURN = "Personas: Qloo is back, and new answers again, by way of probes and slow start"


def flag_decides(seen: Sorted, count: int) -> Claim:
    """Judge who was recommended films by which side, and whether the answers hold `count` ranked ids."""
    errors, sides = errors_of(seen.visits), {user: {side} for user, side in seen.named.items()}
    for visit in seen.visits:
        sides[visit.user].add(visit.decided)
    on_new = sum(side == "new" for side in seen.named.values())
    least, most = three_sigma(len(seen.named), seen.percentage)
    changed = sum(len(found) > 1 for found in sides.values())
    ranked = sum(_is_ranked(visit.answer, count) for visit in seen.visits)
    return judged(
        "Films: the flag decides, the same side each time, and every answer has ranked ids",
        {
            "no user sees an error": not errors,
            "the share is within 3 sigma": least <= on_new <= most,
            "nobody changes sides": not changed,
            "the headers name the side that answers": all(v.answer.get("side") == v.backend for v in seen.visits),
            "each side answers its own users": _answer_their_own(seen.visits),
            "every answer has ranked ids": ranked == len(seen.visits) > 0,
        },
        {
            "on_new": on_new,
            "of_users": len(seen.named),
            "within_3_sigma": f"{least} to {most}",
            "answers": len(seen.visits),
            "by_side": dict(Counter(visit.backend for visit in seen.visits)),
            "changed_sides": changed,
            f"with_{count}_ranked_ids": ranked,
            "errors": len(errors),
            **fallbacks(seen.visits),
        }
        | first_of(errors),
    )


def new_is_better(tastes: Tastes, count: int) -> Claim:
    """Judge recall at `count` of the users of new against those of legacy, and whether chance explains it."""
    errors = errors_of(tastes.visits)
    learned = {_learned_from(visit.answer) for visit in tastes.visits}
    measured = {side: mean(values) if values else 0.0 for side, values in tastes.recalls.items()}
    gain, sigma = measured["new"] - measured["legacy"], _sigma(tastes.recalls.values())
    return judged(
        f"Films: the users of new find more of what they liked later (recall at {count}, held out)",
        {
            "no user sees an error": not errors,
            "neither side has learned from what is held out": learned == {tastes.learned_from},
            "new is better": gain > 0,
            f"by more than {SIGMAS} sigma": gain > SIGMAS * sigma,
        },
        {
            **{
                side: {f"recall_at_{count}": round(measured[side], 3), "users": len(values)}
                for side, values in tastes.recalls.items()
            },
            "new_to_legacy": round(measured["new"] / measured["legacy"], 2) if measured["legacy"] else None,
            "difference": f"{gain:.3f} +/- {sigma:.3f}",
            "learned_from": sorted(learned),
            "errors": len(errors),
        }
        | first_of(errors),
    )


def old_fields_work(greetings: Sequence[Greeting]) -> Claim:
    """Judge the answers to browsers that know nothing of two sides."""
    visits = [greeting.visit for greeting in greetings]
    errors = errors_of(visits)
    written = Counter((greeting.visit.backend, greeting.language) for greeting in greetings)
    forms = {frozenset(persona) for visit in visits for persona in visit.answer.get("personas", ())}
    wrong = [visit for visit in visits if _source(visit) != _expected_source(visit)]
    return judged(
        "Personas: the old frontend's fields work on both sides, and the metadata name the side",
        {
            "no caller sees an error": not errors,
            "success is true, without a token": all(visit.answer.get("success") is True for visit in visits),
            "personas have one form, with the old fields": len(forms) == 1 and min(forms) >= OLD_FIELDS,
            "both sides are asked in French and English": len(written) == len(SIDES) * len(LANGUAGES),
            "and answer in the language asked": all(g.language == _language(g.visit) for g in greetings),
            "each side answers its own users": _answer_their_own(visits),
            "generation.source names the side": not wrong,
        },
        {
            "answers": len(visits),
            "personas": sum(len(visit.answer.get("personas", ())) for visit in visits),
            **{side: {name: written[side, name] for name in LANGUAGES} for side in SIDES},
            "sources": dict(Counter(str(_source(visit)) for visit in visits)),
            "errors": len(errors),
            **fallbacks(visits),
        }
        | first_of(errors),
    )


def outage_is_covered(outage: Outage) -> Claim:
    """Judge what callers got while Qloo answered nothing but errors."""
    visits = [*outage.before, *outage.after]
    errors = errors_of(visits)
    covered = [visit for visit in outage.after if visit.decided == "new"]
    reasons = Counter(str(visit.answer.get("fallback", {}).get("reason")) for visit in covered)
    others = [visit for visit in visits if visit.decided == "legacy"]
    return judged(
        "Personas: Qloo is out of order, and every caller still gets personas, told as a fallback",
        {
            "no caller sees an error": not errors,
            "new answered before": any(_source(visit) == "new" for visit in outage.before),
            "its users are answered by legacy": _sources(covered) == {"fallback-legacy"},
            "fallback.reason says what the header says": all(
                visit.answer.get("fallback", {}).get("reason") == visit.fallback is not None for visit in covered
            ),
            "first an error of new, then the open breaker": {"status", "breaker_open"} <= reasons.keys(),
            "the breaker opens": outage.opened_after_s is not None,
            "nothing changes for users of legacy": _sources(others) == {"legacy"},
        },
        {
            "answers": len(visits),
            "errors": len(errors),
            "sources_before": dict(Counter(str(_source(visit)) for visit in outage.before)),
            "sources_during": dict(Counter(str(_source(visit)) for visit in outage.after)),
            "fallback_reasons": dict(reasons),
            "breaker_open_after_s": None if outage.opened_after_s is None else round(outage.opened_after_s, 1),
            "longest_ms": round(max((visit.ms for visit in visits), default=0.0), 1),
        }
        | first_of(errors),
    )


def new_answers_again(
    visits: Sequence[Visit], seen: Sequence[Sighting], changes: Counter[str], closed_at: float
) -> Claim:
    """Judge the way back of the breaker, and who answers the users of new from `closed_at` on."""
    steady = return_is_steady(visits, seen, changes, PERSONAS_RETURN)
    after = [visit for visit in visits if visit.started >= closed_at and visit.decided == "new"]
    unmet = steady.figures.pop("unmet", ())
    return judged(
        PERSONAS_RETURN,
        {**dict.fromkeys(unmet, False), "generation.source is new again": _sources(after) == {"new"}},
        {**steady.figures, "sources_after": dict(Counter(str(_source(visit)) for visit in after))},
    )


def others_are_left_alone(kill: OneKill) -> Claim:
    """Judge the kill of one route: nobody on its new side until the release, and no change for the other routes."""
    errors = [error for visits in kill.visits.values() for error in errors_of(visits)]
    during = {route: _during(kill, visits) for route, visits in kill.visits.items()}
    after = [visit for visit in kill.visits[kill.route] if visit.started >= kill.restored_at]
    others = kill.visits.keys() - {kill.route}
    moved = {
        route: sum(visit.decided != kill.belongs[route][visit.user] for visit in during[route]) for route in others
    }
    by_new = {route: sum(visit.backend == "new" for visit in visits) for route, visits in during.items()}
    return judged(
        f"The kill of one route ({kill.route}) leaves the others alone",
        {
            "no user sees an error": not errors,
            "the killed route answers, by legacy alone": len(during[kill.route]) > 0 and by_new[kill.route] == 0,
            "new goes on answering on the others": all(by_new[route] > 0 for route in others),
            "nobody is moved there": not any(moved.values()),
            "the release restores everyone": len(after) > 0
            and all(visit.decided == kill.belongs[kill.route][visit.user] for visit in after),
            "new answers again": any(visit.backend == "new" for visit in after),
        },
        {
            **{
                route: {
                    "answers_while_killed": len(visits),
                    "by_new": by_new[route],
                    "moved": moved.get(route, "all to legacy"),
                    **fallbacks(visits),
                }
                for route, visits in during.items()
            },
            "by_new_after_release": sum(visit.backend == "new" for visit in after),
            "errors": len(errors),
        }
        | first_of(errors),
    )


def _is_ranked(answer: Mapping[str, Any], count: int) -> bool:
    items = answer.get("items", ())
    ids, ranks = {item.get("id") for item in items}, [item.get("rank") for item in items]
    return len(ids - {None}) == count and ranks == list(range(1, count + 1))


def _learned_from(answer: Mapping[str, Any]) -> int:
    return int(answer.get("model", {}).get("trained_on", {}).get("interactions", -1))


def _sigma(samples: Collection[Sequence[float]]) -> float:
    """Return the standard error of the difference of means; without two values a side it is beyond all bounds."""
    if any(len(values) < 2 for values in samples):
        return math.inf
    return math.sqrt(math.fsum(variance(values) / len(values) for values in samples))


def _answer_their_own(visits: Sequence[Visit]) -> bool:
    """Whether both sides have users, and answer as many of them as `OWN_SHARE` says."""
    own = {side: [v.backend == side for v in visits if v.decided == side] for side in SIDES}
    return all(len(met) > 0 and mean(met) >= OWN_SHARE for met in own.values())


def _source(visit: Visit) -> str | None:
    source: str | None = visit.answer.get("generation", {}).get("source")
    return source


def _sources(visits: Sequence[Visit]) -> set[str | None]:
    return {_source(visit) for visit in visits}


def _expected_source(visit: Visit) -> str:
    return visit.backend if visit.fallback is None else f"fallback-{visit.backend}"


def _language(visit: Visit) -> str | None:
    """Return the language that every biography of an answer is in, by the word for living somewhere."""
    lives = [set(persona["bio"].split()) for persona in visit.answer.get("personas", ())]
    return next((name for name, word in LANGUAGES.items() if lives and all(word in life for life in lives)), None)


def _during(kill: OneKill, visits: Sequence[Visit]) -> list[Visit]:
    return [visit for visit in visits if kill.killed_at <= visit.started and visit.ended < kill.released_at]
