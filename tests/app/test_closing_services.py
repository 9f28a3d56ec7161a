"""What a service that was closed leaves behind in the process it ran in: nothing."""

import gc
import sys
import weakref
from pathlib import Path

from tests.inprocess import running, settings_in

OFTEN = 5


async def test_a_service_that_is_closed_is_freed_and_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    process, frozen = (gc.get_threshold(), sys.getswitchinterval()), gc.get_freeze_count()
    left: list[weakref.ref[object]] = []
    for each in range(OFTEN):
        async with running(settings_in(tmp_path / str(each))) as service:
            await service.with_rag(10)
            left += map(weakref.ref, (service.services.live, service.services.changes, service.services.metrics))
        del service
    gc.collect()
    assert [ref() for ref in left if ref() is not None] == []
    assert (gc.get_threshold(), sys.getswitchinterval()) == process
    assert gc.get_freeze_count() <= frozen
