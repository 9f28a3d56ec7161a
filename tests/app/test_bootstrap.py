"""What a start does: the seed, and changed environment variables."""

from pathlib import Path

import pytest

from app.bootstrap import SeedError
from app.settings import Settings
from tests.inprocess import running, settings_in

SEED = """
flags:
  - {key: base}
  - key: rag-v2
    variants: {new: true, legacy: false}
    env: FF_NEW_EMBEDDINGS_PERCENTAGE
    prerequisites: [{flag: base, variants: [on]}]
routes:
  - name: rag
    flag: rag-v2
    backends: {legacy: {url: "http://legacy:1"}, new: {url: "http://new:2"}}
"""
VARIABLE = "FF_NEW_EMBEDDINGS_PERCENTAGE"


def sown(folder: Path, text: str = SEED) -> Settings:
    (folder / "seed.yaml").write_text(text)
    return settings_in(folder / "state", seed=folder / "seed.yaml")


async def test_a_seed_is_sown_at_the_first_start_only(tmp_path: Path) -> None:
    settings = sown(tmp_path)
    async with running(settings) as service:
        assert [flag["key"] for flag in (await service.ok("GET", "/flags"))["items"]] == ["base", "rag-v2"]
        assert (await service.ok("GET", "/routes/rag"))["updated_by"] == "seed"
        await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 5})
    async with running(settings) as service:
        assert (await service.ok("GET", "/flags/rag-v2"))["version"] == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("flags: [", "is not YAML"),
        ("flags: [{key: 'a b'}]", "key"),
        ("flaggs: []", "flaggs"),
        ("routes: [{name: r, flag: nope, backends: {legacy: {url: 'http://x'}}}]", 'unknown flag "nope"'),
        ("flags: [{key: a}, {key: a}]", "a"),
        ("- 1", "seed.yaml"),
    ],
)
async def test_a_wrong_seed_stops_the_start_and_writes_nothing(tmp_path: Path, text: str, told: str) -> None:
    settings = sown(tmp_path, text)
    with pytest.raises(SeedError, match=r"seed\.yaml") as caught:
        async with running(settings):
            pass
    assert told in str(caught.value)
    (tmp_path / "seed.yaml").write_text(SEED)
    async with running(settings) as service:
        assert len((await service.ok("GET", "/flags"))["items"]) == 2


async def test_a_changed_variable_is_applied_once_and_http_wins_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = sown(tmp_path)

    async def weight_at_start(value: str) -> int:
        monkeypatch.setenv(VARIABLE, value)
        async with running(settings) as service:
            flag = await service.ok("GET", "/flags/rag-v2")
            weight: int = flag["default"]["split"][0]["weight"]
            return weight

    assert await weight_at_start("10") == 10_000
    async with running(settings) as service:
        await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 40})
    assert await weight_at_start("10") == 40_000
    assert await weight_at_start("true") == 100_000
    assert await weight_at_start("0.5") == 500
    assert await weight_at_start("nonsense") == 500
    assert await weight_at_start("101") == 500


async def test_an_override_is_audited_and_a_kill_beats_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = sown(tmp_path)
    async with running(settings) as service:
        await service.ok("POST", "/flags/rag-v2/kill", {"reason": "night"})
    monkeypatch.setenv(VARIABLE, "100")
    async with running(settings) as service:
        assert (await service.ok("GET", "/flags/rag-v2"))["default"]["split"][0]["weight"] == 0
        await service.ok("DELETE", "/flags/rag-v2/kill")
    async with running(settings) as service:
        [latest, *_] = (await service.ok("GET", "/flags/rag-v2/history"))["items"]
        assert (latest["actor"], latest["reason"]) == ("environment", f"{VARIABLE}=100")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("flags: [{key: fine}, {key: rag-v2, off_variant: nowhere}]", 'flag "rag-v2"'),
        ("routes: [{name: rag, flag: f}]", 'route "rag".backends: '),
        ("flags: [{kind: ops}]", "flags.0.key: "),
        ("flags: [{key: a}, {key: b, prerequisites: [{flag: c, variants: [on]}]}]", 'seed.yaml: flag "b": '),
        ("routes: [{name: r, flag: nope, backends: {legacy: {url: 'http://x'}}}]", 'seed.yaml: route "r": flag names'),
        ("flags:\n  - key: a\n    key: b", 'line 3: the key "key" is there already, in line 2'),
        ("[]", "the outermost level: "),
    ],
)
async def test_a_wrong_seed_is_told_with_the_document_or_the_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SeedError) as caught:
        async with running(sown(tmp_path, text)):
            pass
    assert told in str(caught.value)


def test_an_empty_variable_is_as_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFADE_SEED", "")
    monkeypatch.setenv("CROSSFADE_ADMIN_TOKEN", "")
    assert (Settings().seed, Settings().admin_token) == (None, None)
