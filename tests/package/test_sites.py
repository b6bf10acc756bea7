# SPDX-License-Identifier: BSD-3-Clause
"""`run --fom`, and the files of slurm/site/ that read it: parsed and held against what the program prints and what CMake asks for.
None of Spack, ReFrame, Ramble, Apptainer and EasyBuild is a package of Debian's: none of them was run."""
from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import h5py
import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "slurm" / "site"
PROGRAM = Path(os.environ.get("QUANTIMED_PROGRAM", ROOT / "build" / "quantimed")).resolve()
SMALL = ["--dataset", "digits:600", "--nodes", "2", "--graph", "complete", "--model", "mlp:4", "--samples-per-node", "30", "--iterations", "12",
         "--batch", "10"]
# What CMake looks for, as Spack and EasyBuild call it; those without a library of their own are the compiler's.
NEEDED = {"Boost": ("boost", "Boost"), "HDF5": ("hdf5", "HDF5"), "ZLIB": ("zlib-api", "zlib"), "BZip2": ("bzip2", "bzip2"),
          "LibLZMA": ("xz", "XZ"), "fmt": ("fmt", "fmt"), "nlohmann_json": ("nlohmann-json", "nlohmann_json"), "PkgConfig": ("pkgconfig", "pkgconf"),
          "GTest": ("googletest", "googletest"), "benchmark": ("benchmark", "Benchmark"), "HWLOC": ("hwloc", "hwloc"), "XXHASH": ("xxhash", "xxHash")}
COMPILERS = {"Threads", "OpenMP"}


def quantimed(*words: object, cwd: Path, status: int = 0) -> str:
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, cwd=cwd, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("fom")
    return quantimed("run", *SMALL, "--fom", "--quiet", "--output", "t.h5", cwd=folder), folder / "t.h5"


def test_figures_of_merit_are_those_of_the_trace(said: tuple[str, Path]) -> None:
    text, path = said
    assert text.startswith("FOM status: complete\nFOM verdict: VALID\n")
    lines = dict(re.findall(r"^FOM (\w+): (.*)$", text, re.MULTILINE))
    with h5py.File(path) as file:
        summary = dict(file["summary"].attrs)
    for name, shown, unit in (("final_loss", "final_loss", "1"), ("end_time_s", "end_time_s", "s"), ("total_bytes", "bytes_sent", "bytes"),
                              ("wait_share", "wait_share", "1"), ("mean_batch", "mean_batch", "samples"), ("iterations", "iterations", "iterations")):
        value, said_unit = lines[shown].split()
        assert float(value) == summary[name] and said_unit == unit, name
    assert float(lines["samples_per_second"].split()[0]) == pytest.approx(summary["total_samples"] / summary["end_time_s"])
    assert float(lines["iterations_per_second"].split()[0]) == pytest.approx(12 / summary["end_time_s"])
    assert lines["time_to_target_s"] == "inf s"  # none was given
    numbers = [name for name, value in summary.items() if not isinstance(value, (str, bytes))]
    assert len(lines) == 2 + len(numbers) + 2


def test_a_time_that_does_not_count_is_no_figure_of_merit(tmp_path: Path) -> None:
    text = quantimed("run", *SMALL[:2], "--nodes", 3 * len(os.sched_getaffinity(0)), *SMALL[4:], "--engine", "threads", "--oversubscribe", "--fom",
                     "--quiet", "--output", "t.h5", cwd=tmp_path)
    assert text == "FOM status: complete\nFOM verdict: INVALID\n"


def test_fom_takes_no_value(tmp_path: Path) -> None:
    assert "--fom maybe: neither true nor false" in quantimed("run", *SMALL, "--fom=maybe", cwd=tmp_path, status=2)
    assert not list(tmp_path.iterdir())


def asked_by_cmake() -> set[str]:
    text = (ROOT / "CMakeLists.txt").read_text() + (ROOT / "bench/CMakeLists.txt").read_text()
    return set(re.findall(r"(?:find_package|pkg_check_modules)\((\w+)", text)) - COMPILERS


def test_every_dependency_is_named(tmp_path: Path) -> None:
    assert asked_by_cmake() == set(NEEDED), "CMake asks for something that slurm/site does not know"
    spack = (SITE / "spack/package.py").read_text()
    ast.parse(spack)
    named = {re.split(r"[@+~ ]", spec)[0] for spec in re.findall(r'depends_on\("([^"]+)"', spack)}
    assert {ours for ours, _ in NEEDED.values()} | {"openblas", "random123"} <= named
    file, = (SITE / "easybuild").glob("*.eb")
    config: dict[str, object] = {"SOURCE_TAR_GZ": "%(name)s-%(version)s.tar.gz"}
    exec(compile(file.read_text(), file, "exec"), config)
    have = {name for kind in ("dependencies", "builddependencies") for name, *_ in config[kind]}  # type: ignore[attr-defined]
    assert {theirs for _, theirs in NEEDED.values()} | {"random123"} <= have
    toolchain = config["toolchain"]
    assert file.name == f"{config['name']}-{config['version']}-{toolchain['name']}-{toolchain['version']}.eb"  # type: ignore[index]
    version = re.search(r"^project\(quantimed VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert version and config["version"] == version[1]
    for command in config["sanity_check_commands"]:  # type: ignore[attr-defined]
        quantimed(*str(command).split()[1:], cwd=tmp_path)


def test_the_clusters_page_installs_what_the_package_depends_on() -> None:
    line = re.search(r"^ *spack install (.*)$", (ROOT / "slurm/README.md").read_text(), re.MULTILINE)
    assert line
    installed = {re.split(r"[@+~ ]", word)[0] for word in line[1].split() if "=" not in word}
    depends = {re.split(r"[@+~ ]", spec)[0] for spec in re.findall(r'depends_on\("([^"]+)"', (SITE / "spack/package.py").read_text())}
    provided = {"gcc": {"c", "cxx"}, "zlib": {"zlib-api"}, "pkgconf": {"pkgconfig"}}  # virtual packages
    assert depends - installed - set().union(*(what for name, what in provided.items() if name in installed)) == set()


def test_what_reframe_looks_for_is_printed(said: tuple[str, Path], tmp_path: Path) -> None:
    source = (SITE / "reframe/quantimed_check.py").read_text()
    tree = ast.parse(source)
    ast.parse((SITE / "reframe/settings.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    figures = [call.args[0].value for call in calls if call.func.attr == "fom"]  # type: ignore[attr-defined]
    assert len(figures) == 5
    pattern = next(part for part in re.findall(r'rf"(.*?)"', source)).replace("{name}", "%s")
    for name in figures:
        assert re.search(pattern % name, said[0], re.MULTILINE), name
    for pattern in re.findall(r'assert_found\(r"(.*?)"', source):
        assert re.search(pattern, said[0], re.MULTILINE), pattern
    lists = [ast.literal_eval(node.value) for node in ast.walk(tree) if isinstance(node, ast.Return) and isinstance(node.value, ast.List)]
    assert len(lists) == 2
    for words in lists:
        quantimed("run", "--fom", "--overwrite", "--dataset", "digits", "--algorithm", "dsgd", "--output", "trace.h5", *words, "--dry-run", cwd=tmp_path)


def test_what_ramble_looks_for_is_printed(said: tuple[str, Path], tmp_path: Path) -> None:
    source = (SITE / "ramble/application.py").read_text()
    tree = ast.parse(source)
    dicts = [ast.literal_eval(node) for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    figures = next(found for found in dicts if "final_loss" in found)
    pattern = re.search(r'fom_regex=rf"(.*?)"', source)
    assert pattern
    for name, unit in figures.items():
        assert re.search(pattern[1].replace("{fom}", name).replace("{unit}", unit), said[0], re.MULTILINE), name
    success = re.search(r'match=r"(.*?)"', source)
    assert success and re.search(success[1], said[0], re.MULTILINE)
    # The command line that it makes is one.
    calls = {call.args[0].value: call for call in ast.walk(tree) if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "executable"}
    line = ast.literal_eval(calls["run"].args[1])
    values = {"dataset": "digits", "algorithm": "dsgd", "nodes_of_run": "4", "graph": "ring", "iterations": "10", "engine": "virtual",
              "experiment_run_dir": "."}
    quantimed(*line.format(**values).split()[1:], "--dry-run", cwd=tmp_path)
    yaml = pytest.importorskip("yaml", reason="no PyYAML: ramble.yaml is not parsed (apt-get install python3-yaml)")
    experiments = yaml.safe_load((SITE / "ramble/ramble.yaml").read_text())["ramble"]["applications"]["quantimed"]["workloads"]
    assert set(experiments) == {"virtual", "threads"}


def test_the_image_is_built_from_sound_sections(tmp_path: Path) -> None:
    text = (SITE / "apptainer/quantimed.def").read_text()
    head, *parts = re.split(r"^%(\w+)\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2]))
    assert "Bootstrap: docker" in head and set(sections) == {"files", "post", "environment", "runscript", "test"}
    for name in ("post", "environment", "runscript", "test"):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{sections[name]}")
        assert subprocess.run(["sh", "-n", script]).returncode == 0
        if shutil.which("shellcheck"):
            done = subprocess.run(["shellcheck", script], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^deps:", makefile, re.MULTILINE) and "quantimed_library" in makefile


def test_the_forges_workflow_calls_what_is_here() -> None:
    yaml = pytest.importorskip("yaml", reason="no PyYAML: the workflow is not parsed (apt-get install python3-yaml)")
    jobs = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]
    targets = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for job in jobs.values():
        last = job["steps"][-1]["run"]
        made = [last.replace("${{ matrix.target }}", target).removeprefix("make ") for target in job["strategy"]["matrix"].get("target", [])]
        assert set(made) <= targets if made else os.access(ROOT / last, os.X_OK), last
        assert any(step.get("uses", "").startswith("actions/checkout@") for step in job["steps"])
    images = jobs["test"]["strategy"]["matrix"]["image"]
    assert {"debian:12", "debian:13", "debian:testing"} <= set(images)
