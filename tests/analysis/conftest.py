# SPDX-License-Identifier: BSD-3-Clause
"""Real traces for the tests, made by the built program: QUANTIMED_PROGRAM names it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

ANALYSIS = Path(__file__).resolve().parents[2] / "analysis"
sys.path.insert(0, str(ANALYSIS))

from quantimed.traces import PROGRESS, Run, Study, load_study  # noqa: E402  found beside the tests

SEEDS = (1, 2, 3)
ALGORITHMS = ("quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd")


@pytest.fixture(scope="session")
def program() -> Path:
    path = Path(os.environ.get("QUANTIMED_PROGRAM") or ANALYSIS.parent / "build" / "quantimed")
    if not path.is_file():
        pytest.skip(f"no {path}: build the program, or set QUANTIMED_PROGRAM")
    return path.resolve()


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes in eight dimensions; small, so that a comparison takes a second."""
    random = np.random.default_rng(1)
    planes, x = random.normal(size=(3, 8)), random.normal(size=(600, 8))
    y = (x @ planes.T + 0.5 * random.normal(size=(600, 3))).argmax(axis=1)
    path = tmp_path_factory.mktemp("data") / "small.libsvm"
    path.write_text("".join(f"{label} " + " ".join(f"{k + 1}:{v:.4f}" for k, v in enumerate(row)) + "\n"
                            for label, row in zip(y, x)))
    return path


@pytest.fixture(scope="session")
def quantimed(program: Path, dataset: Path) -> Callable[..., None]:
    """quantimed("compare", "--seeds", "1-3", …) on the small data set, in virtual time."""

    def call(command: str, *options: str) -> None:
        small = ("--engine", "virtual", "--dataset", str(dataset), "--nodes", "5", "--graph", "ring", "--model", "logistic",
                 "--iterations", "60", "--samples-per-node", "100", "--batch", "10")
        # The same number of iterations, so that a test knows how many records there are.
        small += ("--budget", "iterations") if command in ("compare", "tune") else ()
        given = set(options)
        kept = [word for k in range(0, len(small), 2) if small[k] not in given for word in small[k:k + 2]] + ["--quiet"]
        done = subprocess.run([program, command, *kept, *options], capture_output=True, text=True, timeout=1000,
                              env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        assert done.returncode == 0, done.stdout + done.stderr

    return call


@pytest.fixture(scope="session")
def comparison(quantimed: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each algorithm and seed, all complete and VALID. Not to be written into: copy it."""
    folder = tmp_path_factory.mktemp("comparison") / "study"
    quantimed("compare", "--seeds", "1-3", "--timeline", "--bits", "paper", "--output", str(folder))
    return folder


@pytest.fixture
def study(comparison: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(comparison, tmp_path / "study")
    return tmp_path / "study"


def seal(path: Path) -> None:
    """As the program seals what it writes, in place of any seal that is there."""
    image = path.read_bytes()
    if re.fullmatch(rb"quantimed-trace-crc32:[0-9a-f]{8}\n\n", image[-32:]):
        image = image[:-32]
    path.write_bytes(image + b"quantimed-trace-crc32:%08x\n\n" % zlib.crc32(image))


@contextmanager
def changing(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file to change; afterwards it is sealed, as if the program had written it so."""
    with h5py.File(path, "r+") as file:
        yield file
    seal(path)


def forge(source: Path, target: Path, root: dict[str, object] = {}, config: dict[str, object] = {}, ini: str | None = None,
          data: dict[str, object] = {}) -> Path:
    """A trace with other attributes, and with a seal that fits them."""
    if source != target:
        shutil.copy(source, target)
    with changing(target) as file:
        for place, changes in ((file, root), (file["config"], config), (file["data"], data)):
            for name, value in changes.items():
                place.attrs[name] = value
        if ini is not None:
            del file["config/ini"]
            file["config"].create_dataset("ini", data=ini)
    return target


def a_run(algorithm: str = "dsgd", seed: int = 1, losses: Sequence[float] = (2.0, 1.0), times: Sequence[float] | None = None,
          **changes: object) -> Run:
    """A run that was never made: a curve, and nothing else of note."""
    curve = {name: np.full(len(losses), np.nan) for name in PROGRESS}
    curve["loss"] = np.array(losses, dtype=float)
    curve["time"] = np.arange(len(losses), dtype=float) if times is None else np.array(times, dtype=float)
    config = {"algorithm": algorithm, "engine": "virtual", "dataset": "digits", "nodes": 4, "seed": seed, "alpha": "0.2",
              "epsilon": "1", "codec": "exact", "deadline": "auto", "batch": 50, **changes.pop("config", {})}
    fields = dict(path=Path(f"{algorithm}-seed{seed}.h5"), algorithm=algorithm, engine=config["engine"],
                  dataset=config["dataset"], seed=seed, nodes=config["nodes"], status="complete", verdict="VALID", created="",
                  software_version="", commit="abc", ini="", config=config, environment={}, summary={}, network={},
                  progress=curve)
    return Run(**{**fields, **changes})


@pytest.fixture(scope="session")
def loaded(comparison: Path) -> Study:
    return load_study(comparison)


@pytest.fixture(scope="session")
def optimal(quantimed: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A biased and an exact method with full gradients, and how far they are from the optimum."""
    folder = tmp_path_factory.mktemp("optimal") / "study"
    quantimed("compare", "--seeds", "1-3", "--algorithms", "dsgd,exact-diffusion", "--dataset", "gaussian-linear:3,40", "--model", "least-squares",
              "--nodes", "6", "--samples-per-node", "1", "--batch", "1", "--l2", "0", "--alpha", "0.05", "--iterations", "3000", "--evaluations",
              "30", "--optimum", "--output", str(folder))
    return load_study(folder)


@pytest.fixture(scope="session")
def horizons(quantimed: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two algorithms with three horizons T, for their rates."""
    folder = tmp_path_factory.mktemp("horizons")
    for horizon in ("10", "20", "40"):
        quantimed("compare", "--iterations", horizon, "--seeds", "1-3", "--algorithms", "quantimed-dsgd,dsgd", "--output",
                  str(folder / horizon))
    return load_study(folder)


@pytest.fixture(scope="session")
def alone(quantimed: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One algorithm on one node: no messages, no network, nobody to compare with."""
    folder = tmp_path_factory.mktemp("alone")
    quantimed("compare", "--nodes", "1", "--graph", "complete", "--seeds", "1", "--algorithms", "dsgd", "--output",
              str(folder))
    return load_study(folder)


@pytest.fixture(scope="session")
def machine(quantimed: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `scale` and `predict` leave, by name; made in virtual time, so that a busy machine cannot spoil it."""
    folder = tmp_path_factory.mktemp("machine")

    def run(name: str, nodes: int, seed: int) -> None:
        quantimed("run", "--algorithm", "dsgd", "--graph", "complete", "--nodes", str(nodes), "--seed", str(seed), "--output",
                  str(folder / name))

    for cores in (1, 2):
        for repeat in (1, 2):
            run(f"strong-dsgd-n{cores}-repeat{repeat}.h5", cores, repeat)
    for repeat in (1, 2):
        shutil.copy(folder / f"strong-dsgd-n2-repeat{repeat}.h5", folder / f"measured-dsgd-repeat{repeat}.h5")
    for nodes in (2, 4):
        run(f"predicted-dsgd-n{nodes}.h5", nodes, 3)
    return folder
