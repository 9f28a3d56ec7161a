import io
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.app.outcomes.reporting import decision_of, exported, report
from tests.inprocess import Service, running, settings_in


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Run a service with outcomes of three kinds, the last an hour later."""
    async with running(settings_in(tmp_path, outcome_flush_s=0.01)) as each:
        await each.with_rag(100)
        decision_id = await decision_of(each)
        shown = {"decision_id": decision_id, "kind": "view", "model": {"inputs": [1], "outputs": "a"}}
        cost = {"decision_id": decision_id, "kind": "cost", "value": 0.1}
        await report(each, shown, cost, {"route": "rag", "unit": "user-2", "kind": "like"})
        each.time.seconds += 3600
        await report(each, {"decision_id": decision_id, "kind": "like", "metadata": {"a": 1.0}})
        await exported(each, 4)
        yield each


async def kinds(service: Service, **query: str) -> list[str]:
    return sorted(each["kind"] for each in await exported(service, 0, **query))


async def test_only_what_was_asked_for_is_exported(service: Service) -> None:
    later = datetime.fromtimestamp(service.time.seconds, UTC).isoformat()
    assert await kinds(service, since=later) == ["like"]
    assert await kinds(service, until=later) == ["cost", "like", "view"]
    assert await kinds(service, kind="cost", route="rag", side="new") == ["cost"]
    assert await kinds(service, side="legacy") == await kinds(service, route="persona") == []


async def test_labelled_examples_are_joined_from_what_was_shown_and_what_was_thought_of_it(service: Service) -> None:
    assert await kinds(service, labelled="true") == ["like", "view"]


async def test_a_time_without_a_zone_and_an_unknown_format_are_refused(service: Service) -> None:
    for query in ({"since": "2027-01-01T00:00:00"}, {"format": "csv"}, {"side": "\x00"}):
        assert (await service.client.get("/outcomes/export", params=query)).status_code == 422


async def test_a_time_that_utc_cannot_name_is_refused_before_anything_is_answered(service: Service) -> None:
    for time in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"):
        answer = await service.client.get("/outcomes/export", params={"since": time})
        assert (answer.status_code, "since" in answer.json()["detail"]) == (422, True)


async def test_a_parquet_file_has_what_the_lines_have(service: Service) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415 - an extra that need not be there

    answer = await service.client.get("/outcomes/export", params={"format": "parquet"})
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    table = parquet.read_table(io.BytesIO(answer.content))
    lines = await exported(service, 4)
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    assert [row["at"].isoformat(timespec="microseconds") for row in rows] == [line["at"] for line in lines]
    assert {row["metadata"] for row in rows} == {"{}", '{"a":1.0}'}
    assert {row["value"] for row in rows} == {1.0, 0.1}


async def test_without_pyarrow_it_is_said_what_to_install(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("pyarrow"):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = await service.client.get("/outcomes/export", params={"format": "parquet"})
    assert (answer.status_code, answer.json()["code"]) == (501, "parquet_unavailable")
    assert "crossfade[parquet]" in answer.json()["detail"]
