"""Lint the chart, render it off line with each option on and off, and hold what comes out against schemas and rules.

No cluster is asked, so nothing is said about what one does with the objects. Exit code 1 when anything is found.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import helm_python
import yaml

from helm import references, security, shapes
from helm.manifests import Rendered, named, rendered
from helm.options import FLEET, OF_A_FLEET, OF_ONE_POD, ONE_POD, REFUSED, SEED, Option, Values, merged

CHART = Path(__file__).parent / "crossfade"
WAYS = (("fleet", FLEET, OF_A_FLEET), ("embedded", ONE_POD, OF_ONE_POD))
EXPECTED = {
    "fleet": {"Deployment", "StatefulSet", "Service", "ServiceAccount", "ConfigMap", "Secret", "Job"}
    | {"PodDisruptionBudget", "Pod"},
    "embedded": {"Deployment", "PersistentVolumeClaim", "Service", "ServiceAccount", "Pod"},
}


class Render:
    """Renders the chart and judges what came out."""

    def __init__(self, chart: helm_python.Chart) -> None:
        self._chart = chart

    def of(self, values: Values) -> Rendered:
        """Render with values. Raises HelmError when they are refused."""
        return rendered(self._chart.render(values, name="demo", namespace="test"))

    def judged(self, values: Values) -> tuple[Rendered | None, list[str]]:
        """Render with values, and say everything that is wrong."""
        try:
            found = self.of(values)
        except helm_python.HelmError as error:
            return None, [f"is refused: {error}"]
        rules = (shapes, security, references)
        problems = [problem for rule in rules for problem in rule.problems_of(found.objects)]
        seeds = [each["data"].get("seed.yaml", SEED) for each in named(found.objects, "ConfigMap").values()]
        problems += ["the seed is not what was given"] if any(each != SEED for each in seeds) else []
        return found, [*problems, *(["no notes"] if "port-forward" not in found.notes else [])]


def linted(values: Values) -> list[str]:
    """Lint as `helm lint --strict` does."""
    report = helm_python.lint(CHART, values, strict=True)
    return [each["error"] for each in report["messages"] if each["severity"] > 1] + list(report["errors"])


def told(found: Rendered | None, option: Option, *, on: bool) -> list[str]:
    """Say where the manifests do not show whether an option is on."""
    if found is None:
        return []
    there, gone = (option.shows, option.hides) if on else (option.hides, option.shows)
    missing = [f"{each!r} is missing" for each in there if each not in found.text]
    return missing + [f"{each!r} is there" for each in gone if each in found.text]


def rows(render: Render) -> Iterator[tuple[str, str, list[str]]]:
    """Yield what was tried, how, and what is wrong with it."""
    for way, base, options in WAYS:
        found, problems = render.judged(base)
        kinds = {each["kind"] for each in found.objects} if found else set()
        odd = [f"renders {sorted(kinds)}"] if kinds != EXPECTED[way] else []
        yield way, "as it is", [*linted(base), *problems, *odd]
        together = [each for each in options if not each.apart]
        everything = reduce(merged, (each.values for each in together), base)
        yield way, "everything on", [*linted(everything), *render.judged(everything)[1], *_alerts(render, everything)]
        for option in options:
            yield f"{way}: {option.name}", "on by itself", _on(render, base, option)
            rest = reduce(merged, (each.values for each in together if each is not option), base)
            if not option.apart:
                yield f"{way}: {option.name}", "off by itself", _off(render, rest, option)
    for name, values, words in REFUSED:
        yield name, "is refused", _refused(render, values, words)


def _on(render: Render, base: Values, option: Option) -> list[str]:
    found, problems = render.judged(merged(base, option.values))
    return [*problems, *told(found, option, on=True)]


def _off(render: Render, rest: Values, option: Option) -> list[str]:
    found, problems = render.judged(rest)
    return [*problems, *told(found, option, on=False)]


def _refused(render: Render, values: Values, words: str) -> list[str]:
    try:
        render.of(values)
    except helm_python.HelmError as error:
        return [] if words in str(error) else [f"for another reason: {error}"]
    return ["is not refused"]


def _alerts(render: Render, values: Values) -> list[str]:
    """Let Prometheus read the expressions, where it is installed."""
    promtool = shutil.which("promtool")
    rules = named(render.of(values).objects, "PrometheusRule")
    if promtool is None:
        return []
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(next(iter(rules.values()))["spec"], file)
        file.flush()
        done = subprocess.run([promtool, "check", "rules", file.name], capture_output=True, text=True, check=False)  # noqa: S603 - found on the path, given our own file
    return [] if done.returncode == 0 else [done.stdout + done.stderr]


def main() -> None:
    """Print a table of what was tried; exit 1 when anything is wrong."""
    found = 0
    tried = 0
    with helm_python.Chart.load(CHART) as chart:
        for what, how, problems in rows(Render(chart)):
            tried += 1
            found += len(problems)
            sys.stdout.write(f"{'ok ' if not problems else 'BAD'}  {what:<34} {how}\n")
            sys.stdout.writelines(f"       {each}\n" for each in dict.fromkeys(problems))
    expressions = "read by promtool" if shutil.which("promtool") else "not read by Prometheus: no promtool on the path"
    sys.stdout.write(f"chart: {found} findings in {tried} cases; Kubernetes {', '.join(shapes.KUBERNETES)} and the ")
    sys.stdout.write(f"operator's kinds by schema, off line; expressions of alerts {expressions}\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
