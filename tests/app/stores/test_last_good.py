"""The last good copy: whole or not there."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.beginning import Remembered, newest
from app.stores.last_good import LastGood, line_of
from app.stores.records import Collection, Snapshot, Stored, StoreUnavailableError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
moments = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware by timezones
documents = st.builds(Stored, st.sampled_from(Collection), texts, st.integers(1, 2**53), texts, moments, texts)
snapshots = st.builds(Snapshot, texts, st.integers(0, 2**53), st.lists(documents, max_size=5).map(tuple))


def write(file: LastGood, snapshot: Snapshot, at: float) -> None:
    file.write(snapshot.epoch, snapshot.revision, map(line_of, snapshot.documents), at)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(snapshots, st.floats(0, 1e11))
def test_what_was_written_is_read(tmp_path: Path, snapshot: Snapshot, at: float) -> None:
    file = LastGood(tmp_path / "folder" / "copy.json")
    write(file, snapshot, at)
    assert file.read() == (snapshot, at)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(snapshots, st.data())
def test_a_copy_with_one_wrong_byte_is_not_used(tmp_path: Path, snapshot: Snapshot, data: st.DataObject) -> None:
    path = tmp_path / "copy.json"
    write(LastGood(path), snapshot, 1.0)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert LastGood(path).read() is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(snapshots, st.data())
def test_a_copy_that_was_cut_off_is_not_used(tmp_path: Path, snapshot: Snapshot, data: st.DataObject) -> None:
    path = tmp_path / "copy.json"
    write(LastGood(path), snapshot, 1.0)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert LastGood(path).read() is None


def test_a_copy_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "copy.json"
    file = LastGood(path)
    file.write("e", 1, (), 1.0)
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(StoreUnavailableError):
        LastGood(in_the_way / "copy.json").write("e", 2, (), 2.0)
    assert file.read() == (Snapshot("e", 1, ()), 1.0)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy.json", "file"]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "copy.json"
    LastGood(path).write("e", 1, (), 1.0)
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("journal", "copy", "best"),
    [
        (None, None, None),
        (None, ("e", 1), "copy"),
        (("e", 1), None, "journal"),
        (("e", 5), ("e", 6), "copy"),
        (("e", 6), ("e", 5), "journal"),
        (("new", 1), ("old", 900), "journal"),
    ],
)
def test_of_two_memories_the_newer_one_is_chosen(
    journal: tuple[str, int] | None, copy: tuple[str, int] | None, best: str | None
) -> None:
    remembered = [
        None if each is None else Remembered(Snapshot(*each, ()), source, None)
        for each, source in ((journal, "journal"), (copy, "copy"))
    ]
    chosen = newest(*remembered)
    assert (chosen and chosen.source) == best
