# SPDX-License-Identifier: BSD-3-Clause
"""The peers that bench/peers times: every form makes the same step, and a wrong gradient would be seen."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="no python3-numpy")

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
sys.path.insert(0, str(PEERS))
sys.dont_write_bytecode = True
forms = __import__("forms")


def form(name: str) -> type:
    if name.startswith("Numpy"):
        return getattr(forms, name)
    pytest.importorskip("torch", reason="no python3-torch")
    return getattr(__import__("forms_torch"), name)


@pytest.fixture(scope="module")
def problem() -> object:
    rng = np.random.default_rng(5)
    count = forms.NODES * forms.SAMPLES
    x = rng.random((count, forms.INPUT), np.float32) * (rng.random((count, forms.INPUT)) < 0.2)
    y = np.eye(forms.OUTPUT, dtype=np.float32)[rng.integers(0, forms.OUTPUT, count)]
    return forms.make_problem(x.astype(np.float32), y, 5)


ROWS = [forms.draw(np.random.default_rng(k)) for k in range(3)]


def after_steps(name: str, problem: object, steps: int) -> object:
    own = form(name)(problem)
    for rows in ROWS[:steps]:
        own.step(rows)
    return own.models()


@pytest.mark.parametrize("name", ["NumpyBatched", "TorchLoop", "TorchBatched", "TorchManual"])
def test_every_form_makes_the_same_steps(problem: object, name: str) -> None:
    for own, loop in zip(after_steps(name, problem, 3).parts(), after_steps("NumpyLoop", problem, 3).parts()):
        assert own.shape == loop.shape
        np.testing.assert_allclose(own, loop, atol=2e-5)


def test_the_first_step_is_down_the_gradient_of_the_batch(problem: object) -> None:
    """All start alike, so mixing changes nothing, and (start - x) / α is the gradient: held to finite differences."""
    moved = after_steps("NumpyLoop", problem, 1)
    node, rows = 7, ROWS[0][7]
    start = [part.astype(np.float64) for part in problem.start.parts()]

    def batch_loss(parts: list[np.ndarray]) -> float:
        w1, b1, w2, b2 = parts
        z = forms.sigmoid(problem.x[rows] @ w1 + b1) @ w2 + b2
        cross_entropy = (np.logaddexp(0, z) - problem.y[rows] * z).sum() / forms.BATCH
        return cross_entropy + forms.L2 / 2 * ((w1**2).sum() + (w2**2).sum())

    rng = np.random.default_rng(1)
    for k, part in enumerate(moved.parts()):
        gradient = (start[k] - part[node]) / forms.ALPHA
        direction = rng.standard_normal(start[k].shape)
        ahead, behind = ([p + (h * direction if j == k else 0) for j, p in enumerate(start)] for h in (1e-5, -1e-5))
        slope = (batch_loss(ahead) - batch_loss(behind)) / 2e-5
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_mixing_is_the_papers(problem: object) -> None:
    w = problem.w.astype(float)
    assert np.allclose(w, w.T) and np.allclose(w.sum(0), 1)
    largest = (w - np.diag(np.diag(w)) > 0).sum(0).max()
    assert np.allclose(w[(w > 0) & ~np.eye(len(w), dtype=bool)], 1 / (largest + 2))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/usr/bin/python3", str(PEERS / "peers.py"), *map(str, arguments)], capture_output=True,
                          text=True, timeout=500, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


def test_the_table_beside_the_program() -> None:
    data = Path(os.environ.get("QUANTIMED_DATA", "")) / "mnist"
    program = Path(os.environ.get("QUANTIMED_PROGRAM", ROOT / "build" / "quantimed"))
    if not os.environ.get("QUANTIMED_DATA") or not data.is_dir() or not program.is_file():
        pytest.skip(f"needs QUANTIMED_DATA/mnist and the program ({program}, QUANTIMED_PROGRAM): nothing is compared")
    core = min(os.sched_getaffinity(0))
    result = run("--program", program, "--data", data, "--cores", core, "--repeats", 2, "--iterations", 20)
    if "no PyTorch" not in result.stderr:
        assert len(re.findall(r"^\| PyTorch", result.stdout, re.M)) == 3
    assert len(re.findall(r"^\| (?:NumPy|quantimed)", result.stdout, re.M)) == 3
    losses = [float(v) for v in re.findall(r"\| \d+\.\d \| (\d+\.\d+) \[", result.stdout)]
    assert len(losses) >= (2 if "no PyTorch" in result.stderr else 3)
    assert max(losses) < 1.15 * min(losses)  # two seeds of 20 iterations
    assert result.returncode in (0, 1), result.stderr


def test_the_table_of_ranks() -> None:
    data = Path(os.environ.get("QUANTIMED_DATA", "")) / "mnist"
    programs = [*os.environ.get("QUANTIMED_MPI_PROGRAMS", "").split(":"), str(ROOT / "build" / "quantimed-mpi")]
    program = next((Path(path) for path in programs if path and Path(path).is_file()), None)
    if not os.environ.get("QUANTIMED_DATA") or not data.is_dir() or program is None or not find_spec("mpi4py"):
        pytest.skip("needs QUANTIMED_DATA/mnist, quantimed-mpi (make MPI=1, QUANTIMED_MPI_PROGRAMS) and python3-mpi4py: nothing is compared")
    result = subprocess.run(["/usr/bin/python3", str(PEERS / "ranks.py"), "--program", program, "--data", data, "--ranks", "2", "--repeats", "1",
                             "--iterations", "3"], capture_output=True, text=True, timeout=500, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    assert result.returncode == 0, result.stdout + result.stderr  # 1: the losses differ
    rows = re.findall(r"^\| ((?:ours|mpi4py|DSGD), [a-z ]+) \| \d+", result.stdout, re.M)
    assert rows == ["ours, synchronous", "mpi4py, synchronous", "ours, asynchronous", "mpi4py, asynchronous",
                    "DSGD, two ranks", "DSGD, two threads"]


@pytest.mark.parametrize(("arguments", "pattern"), [
    (["--data", "/nowhere"], "--data /nowhere: no such folder; datasets/fetch mnist"),
    (["--data", "/", "--program", "/nowhere"], "--program /nowhere: no such file"),
    (["--data", "/", "--program", "/bin/sh", "--cores", "x"], "--cores x: "),
    (["--repeats", "0"], "--repeats: 0 is not a whole number"),
])
def test_bad_usage(arguments: list[str], pattern: str) -> None:
    pytest.importorskip("h5py", reason="no python3-h5py")
    result = run(*arguments)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert re.search(pattern, result.stderr), result.stderr
