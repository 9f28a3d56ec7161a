from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.recommendation.catalogue import Person
from backends.recommendation.ease import PENALTY, Ease, train
from backends.recommendation.interactions import History, Interaction, hold_out
from backends.recommendation.popularity import SMALLEST_GROUP, Popularity, group_of

TITLES = ["A", "B", "C", "D"]

rows = st.lists(
    st.builds(
        Interaction,
        user=st.sampled_from(["u1", "u2", "u3", "u10"]),
        item=st.sampled_from("abcdef"),
        weight=st.sampled_from([0, 0.25, 0.5, 0.75, 1]),
        time=st.integers(0, 20),
    ),
    min_size=1,
)


def history(*cells: tuple[str, str, float]) -> History:
    return History.of([Interaction(user, item, weight, 0) for user, item, weight in cells])


@pytest.fixture
def tastes() -> History:
    """Whoever likes a likes b, whoever likes c likes d."""
    return history(
        *((f"ab{n}", item, 1.0) for n in range(300) for item in "ab"),
        *((f"cd{n}", item, 1.0) for n in range(300) for item in "cd"),
        ("novice", "a", 1.0),
        ("grumbler", "c", 0.0),
    )


@given(rows)
def test_the_matrices_hold_what_the_rows_said(interactions: list[Interaction]) -> None:
    laid_out = History.of(interactions)
    assert list(laid_out.users) == sorted({row.user for row in interactions})
    assert list(laid_out.items) == sorted({row.item for row in interactions})
    for user, u in laid_out.users.items():
        for item, i in laid_out.items.items():
            weights = [row.weight for row in interactions if (row.user, row.item) == (user, item)]
            assert laid_out.weights[u, i] == pytest.approx(sum(weights))
            assert laid_out.met[u, i] == bool(weights)
    assert laid_out.until == max(row.time for row in interactions)


@given(rows, st.floats(0, 0.99))
def test_what_is_held_out_is_the_last_of_each_user_and_nothing_is_lost(
    interactions: list[Interaction], share: float
) -> None:
    earlier, later = hold_out(interactions, share)
    assert sorted(earlier + later) == sorted(interactions)
    for user in {row.user for row in interactions}:
        before = [row.time for row in earlier if row.user == user]
        after = [row.time for row in later if row.user == user]
        assert len(after) == int((len(before) + len(after)) * share)
        assert max(before) <= min(after, default=20)


@given(rows)
def test_the_order_of_rows_does_not_matter_but_any_other_weight_is_noticed(interactions: list[Interaction]) -> None:
    assert History.of(interactions[::-1]).digest == History.of(interactions).digest
    changed = [interactions[0]._replace(weight=interactions[0].weight + 0.5), *interactions[1:]]
    assert History.of(changed).digest != History.of(interactions).digest


@given(st.integers(2, 12), st.integers(2, 8), st.floats(0.5, 50), st.integers(0, 2**32 - 1))
def test_each_column_is_the_ridge_regression_of_an_item_on_the_others(
    users: int, items: int, penalty: float, seed: int
) -> None:
    weights = np.random.default_rng(seed).choice([0, 0, 0.5, 1], size=(users, items))
    rows = [Interaction(f"{u}", f"{i}", float(w), 0) for (u, i), w in np.ndenumerate(weights)]
    laid_out = History.of(rows)
    trained = train(laid_out, penalty)
    x = laid_out.weights.astype(np.float64)
    for item in range(items):
        others = np.delete(x, item, axis=1)
        solved = np.linalg.solve(others.T @ others + penalty * np.eye(items - 1), others.T @ x[:, item])
        np.testing.assert_allclose(np.delete(trained[:, item], item), solved, atol=1e-4)
        assert trained[item, item] == 0


def test_it_recommends_what_people_with_the_same_taste_liked_and_says_why(tastes: History) -> None:
    ranking = Ease(tastes, TITLES, None).rank(tastes.users["novice"])
    assert int(ranking.scores.argmax()) == tastes.items["b"]
    assert ranking.because(tastes.items["b"]) == "because of A"


def test_scores_are_the_weights_times_the_trained_matrix(tastes: History) -> None:
    for user in (0, 400):
        scores = Ease(tastes, TITLES, None).rank(user).scores
        np.testing.assert_allclose(scores, tastes.weights[user] @ train(tastes, PENALTY), atol=1e-5)


def test_a_model_is_trained_once_and_read_the_second_time(
    tmp_path: Path, tastes: History, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Ease(tastes, TITLES, tmp_path / "not" / "yet")
    assert capsys.readouterr().err == "training ease on 1202 interactions\n"
    second = Ease(tastes, TITLES, tmp_path / "not" / "yet")
    assert capsys.readouterr().err == ""
    assert first.version == second.version
    np.testing.assert_array_equal(first.rank(0).scores, second.rank(0).scores)


def test_a_damaged_model_is_trained_again(tmp_path: Path, tastes: History, capsys: pytest.CaptureFixture[str]) -> None:
    Ease(tastes, TITLES, tmp_path)
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    for damaged in (b"", good[:-1], good[:100], bytes([good[0] ^ 1]) + good[1:]):
        file.write_bytes(damaged)
        capsys.readouterr()
        Ease(tastes, TITLES, tmp_path)
        assert "training" in capsys.readouterr().err
        assert file.read_bytes() == good


def test_other_interactions_make_another_model_beside_the_first(tmp_path: Path, tastes: History) -> None:
    other = history(("u", "a", 1.0), ("u", "b", 0.5))
    versions = {Ease(tastes, TITLES, tmp_path).version, Ease(other, TITLES, tmp_path).version}
    assert {file.stem for file in tmp_path.iterdir()} == versions
    assert len(versions) == 2


def test_popularity_is_the_mean_over_everybody(tastes: History) -> None:
    ranking = Popularity(tastes, {}).rank(0)
    np.testing.assert_allclose(ranking.scores, [301 / 602, 300 / 602, 300 / 602, 300 / 602], rtol=1e-6)
    assert ranking.because(0) == "popular with everybody"


def test_who_is_new_gets_what_his_group_likes(tastes: History) -> None:
    people = {f"cd{n}": Person(30, "F") for n in range(SMALLEST_GROUP)}
    ranking = Popularity(tastes, people).welcome(Person(34, "F"))
    assert ranking.scores.tolist() == [0, 0, 1, 1]
    assert ranking.because(2) == "popular with women 25 to 34"


@pytest.mark.parametrize("person", [Person(35, "F"), Person(30, "M"), Person(30), Person(None, "F"), Person()])
def test_who_is_in_no_known_group_gets_what_everybody_likes(tastes: History, person: Person) -> None:
    popularity = Popularity(tastes, {f"cd{n}": Person(30, "F") for n in range(SMALLEST_GROUP)})
    assert popularity.welcome(person) == popularity.rank(0)


def test_a_group_that_is_too_small_says_nothing(tastes: History) -> None:
    popularity = Popularity(tastes, {f"cd{n}": Person(30, "F") for n in range(SMALLEST_GROUP - 1)})
    assert popularity.welcome(Person(30, "F")) == popularity.rank(0)


@given(st.integers(0, 130), st.sampled_from("FM"))
def test_every_age_has_one_group_that_says_which_ages_it_holds(age: int, gender: str) -> None:
    group = group_of(Person(age, gender))
    assert group is not None
    numbers = [int(word) for word in group.split() if word.isdigit()]
    match numbers:
        case [first, last]:
            assert first <= age <= last
        case [limit]:
            assert age >= limit if "older" in group else age < limit
