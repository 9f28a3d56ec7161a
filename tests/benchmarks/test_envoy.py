import pytest

from benchmarks.envoy import EXECUTABLE, envoy_before
from benchmarks.route import check_split
from benchmarks.servers import upstreams

TOKEN = "the-token-of-the-load"


@pytest.mark.skipif(not EXECUTABLE.exists(), reason="envoy comes with `make bench`")
def test_envoy_splits_users_as_a_route_does_and_refuses_another_token() -> None:
    with upstreams(None) as split:
        ports = {name: int(url.rpartition(":")[2]) for name, url in (("legacy", split.legacy), ("new", split.new))}
        with envoy_before(ports, TOKEN, None) as envoy:
            check_split("envoy", f"{envoy}/query", TOKEN, split)
        with envoy_before(ports, "another", None) as envoy, pytest.raises(KeyError):
            check_split("envoy", f"{envoy}/query", TOKEN, split)
