"""What a cold start, its memory and an installation cost, and what machine they were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from statistics import median
from time import perf_counter

from packaging.requirements import Requirement
from synthetic import label_names

import onoma

SENTENCE = "Ada Lovelace, who was born in London, wrote to the Royal Society about the engine of Charles Babbage."


def run_process(arguments: list[str]) -> tuple[float, float]:
    """Run python on the test sentence; return seconds and peak resident megabytes of the whole process.

    Linux counts the parent's memory into a child's peak, so this must run before the parent loads a model.
    """
    started = perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write(SENTENCE.encode())
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"python {' '.join(arguments)} failed with status {process.returncode}.")
    return perf_counter() - started, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def cold_start(folder: Path, *, repeats: int) -> dict[str, float]:
    """Time whole processes: python alone, `import onoma`, and `onoma extract` on one sentence."""
    extract = ["-m", "onoma", "extract", "-", "--labels", ",".join(label_names(5)), "--model", str(folder)]
    commands = {"python": ["-c", "pass"], "import": ["-c", "import onoma"], "extract": extract}
    runs = [{name: run_process(command) for name, command in commands.items()} for _ in range(repeats)]
    return {
        "extract_seconds_best": min(run["extract"][0] for run in runs),
        "extract_seconds_median": median(run["extract"][0] for run in runs),
        "extract_peak_megabytes": max(run["extract"][1] for run in runs),
        "import_seconds": median(run["import"][0] - run["python"][0] for run in runs),
    }


def installed_megabytes(folder: Path) -> dict[str, float]:
    """Return the size of each distribution that the core install brings, of onoma's code and of the model."""
    package = Path(onoma.__file__).parent
    sizes = {
        "onoma": _megabytes(package.rglob("*.py")),
        "the model": _megabytes(path for path in folder.rglob("*") if path.suffix != ".pt"),
    }
    queue = metadata.requires("onoma") or []
    while queue:
        requirement = Requirement(queue.pop())
        name = requirement.name.lower().replace("_", "-")
        if name in sizes or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        files = {Path(str(file.locate())).resolve() for file in metadata.files(name) or []}
        sizes[name] = _megabytes(files)
        queue += metadata.requires(name) or []
    return {"total": sum(sizes.values())} | dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _megabytes(paths: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def machine(threads: int) -> dict[str, str]:
    """Return what the numbers depend on."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    cpu = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    packages = ("onoma", "numpy", "onnxruntime", "tokenizers")
    return {
        "system": platform.platform(), "cpu": cpu, "cores": str(os.cpu_count()), "threads": str(threads),
        "load before": f"{os.getloadavg()[0]:.2f}", "python": platform.python_version(),
    } | {name: metadata.version(name) for name in packages}  # fmt: skip
