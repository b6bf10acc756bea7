# SPDX-License-Identifier: BSD-3-Clause
"""What `cmake --install` leaves, after it was moved and without the source tree: a run, a comparison, a report, a study's dry
run, completion, the manual page, and a program with an algorithm of its own. QUANTIMED_BUILD names the build folder."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("QUANTIMED_BUILD", ROOT / "build")).resolve()
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QUANTIMED"))} | {"OPENBLAS_NUM_THREADS": "1"}
SMALL = ["--dataset", "digits:600", "--nodes", "4", "--graph", "ring", "--model", "mlp:4", "--samples-per-node", "30", "--iterations", "12",
         "--batch", "10", "--quiet"]
HIDES = subprocess.run(["unshare", "--mount", "sh", "-c", f"mount -t tmpfs tmpfs '{ROOT}'"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (BUILD / "libquantimed.a").is_file():
        pytest.skip(f"no {BUILD}/libquantimed.a: build it, or set QUANTIMED_BUILD")
    here = tmp_path_factory.mktemp("install")
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", here / "first"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (here / "first").rename(here / "moved")


def run(*words: object, cwd: Path, status: int = 0, **more: str) -> str:
    """With an empty folder in the place of the source tree, where the system lets us."""
    command = [str(word) for word in words]
    if HIDES:
        command = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs tmpfs '{ROOT}' && exec \"$@\"", "sh", *command]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=CLEAN | more)
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_run_compare_report_and_study(prefix: Path, tmp_path: Path) -> None:
    program = prefix / "bin/quantimed"
    run(program, "run", *SMALL, "--output", "one.h5", cwd=tmp_path)
    assert "VALID" in run(program, "verify", "one.h5", cwd=tmp_path)
    run(program, "compare", *SMALL, "--algorithms", "dsgd,q-dsgd", "--seeds", "1-2", "--output", "mine", cwd=tmp_path)
    options = ["--no-pdf", "--only", "curves-time"]
    assert "4 runs counted" in run(program, "report", "mine", *options, cwd=tmp_path) and (tmp_path / "mine/report/index.html").is_file()
    assert "4 runs counted" in run(prefix / "bin/quantimed-report", "mine", *options, cwd=tmp_path)
    study = prefix / "share/quantimed/bench/experiments/mnist.ini"
    assert study.is_file()
    (tmp_path / "small.ini").write_text("dataset = digits\nnodes = 4\ngraph = ring\niterations = 5\nseeds = 1\nalgorithms = dsgd\n")
    assert "1 runs in" in run(prefix / "bin/quantimed-study", "small.ini", cwd=tmp_path)


def test_a_study_on_a_cluster_and_a_script_by_hand(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "small.ini").write_text("dataset = digits\nnodes = 4\ngraph = ring\niterations = 5\nseeds = 1-2\nalgorithms = dsgd\n")
    said = run(prefix / "bin/quantimed-submit", "small.ini", "--dry-run", "--no-check", cwd=tmp_path)
    assert f"{prefix}/share/quantimed/slurm/study.sbatch" in said and "2 missing" in said
    # As SLURM would start it, on this machine.
    script = prefix / "share/quantimed/slurm/run.sbatch"
    run("bash", script, tmp_path / "by-hand.h5", *SMALL[:-1], cwd=tmp_path)
    assert (tmp_path / "by-hand.h5").is_file()


def test_completion_and_manual_page(prefix: Path, tmp_path: Path) -> None:
    for file, words in {"bash-completion/completions/quantimed": "complete -F _quantimed quantimed", "zsh/site-functions/_quantimed": "#compdef",
                        "fish/vendor_completions.d/quantimed.fish": "complete -c quantimed"}.items():
        assert words in (prefix / "share" / file).read_text()
    ask = f"source '{prefix}/share/bash-completion/completions/quantimed'; COMP_WORDS=(quantimed run --alg); COMP_CWORD=2; _quantimed; echo $COMPREPLY"
    assert run("bash", "-c", ask, cwd=tmp_path).split() == ["--algorithm"]
    if shutil.which("man") is None:
        pytest.skip("no man: the installed page is not read (apt-get install man-db)")
    text = run("man", "quantimed", cwd=tmp_path, MANPATH=str(prefix / "share/man"), MANPAGER="cat", LC_ALL="C.UTF-8")
    assert "QUANTIMED(1)" in re.sub(".\b", "", text)


def names_tree(text: bytes, root: Path) -> bool:
    """Whether this names the source tree. A folder at the root of a file system may have the name of one of ours: /quantimed is
    part of share/quantimed, so it must begin there."""
    if len(root.parts) > 2:
        return str(root).encode() in text
    return re.search(rb"(?<![\w.}@)/-])(?:-[ILD])?" + re.escape(str(root).encode()) + rb"(?![\w.-])", text) is not None


@pytest.mark.parametrize("root, text, named", [
    ("/home/me/clone", b"x/home/me/clone/src/main.cpp", True), ("/home/me/clone", b"/home/me/other", False),
    ("/quantimed", b"share/quantimed/bench", False), ("/quantimed", b"${prefix}/include/quantimed", False),
    ("/quantimed", b'"/quantimed/src/main.cpp"', True), ("/quantimed", b"-I/quantimed/src", True),
    ("/quantimed", b"\0/quantimed\0", True), ("/quantimed", b"/quantimed-other/src", False)])
def test_a_tree_is_found_wherever_it_lies(root: str, text: bytes, named: bool) -> None:
    assert names_tree(text, Path(root)) == named


def test_nothing_that_was_installed_names_another_place(prefix: Path) -> None:
    """So that all of it may be moved, and packed on a machine that its users do not have."""
    for path in prefix.rglob("*"):
        if path.is_symlink():
            assert path.resolve().is_relative_to(prefix), path
        elif path.is_file() and path.suffix != ".a":
            text = path.read_bytes()
            assert not names_tree(text, ROOT) and b"/first/" not in text, path
    program = subprocess.run(["readelf", "-d", prefix / "bin/quantimed"], capture_output=True, text=True).stdout
    assert str(BUILD) not in program


def test_the_distributions_package_has_it_all(prefix: Path, tmp_path: Path) -> None:
    if not all(map(shutil.which, ("cpack", "dpkg-deb", "dpkg-shlibdeps"))):
        pytest.skip("no cpack, dpkg-deb or dpkg-shlibdeps (apt-get install dpkg-dev): no package is made")
    done = subprocess.run(["cpack", "-G", "DEB", "-B", tmp_path, "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=none"], cwd=BUILD, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    package, = tmp_path.glob("*.deb")
    fields = run("dpkg-deb", "--field", package, cwd=tmp_path)
    for name in ("libhdf5", "libopenblas", "libhwloc", "python3-h5py", "python3-matplotlib", "python3-jinja2"):
        assert re.search(rf"^Depends:.*\b{name}", fields, re.MULTILINE), fields
    run("dpkg-deb", "--extract", package, "root", cwd=tmp_path)
    installed = {path.relative_to(prefix) for path in prefix.rglob("*")
                 if path.is_file() and path.parent.name != "__pycache__"}  # Python writes those, where it may
    assert {path.relative_to(tmp_path / "root/usr") for path in (tmp_path / "root/usr").rglob("*") if path.is_file()} == installed
    run(tmp_path / "root/usr/bin/quantimed", "run", *SMALL, "--output", "one.h5", cwd=tmp_path)


@pytest.fixture(scope="module")
def own(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program out of tree: the example that is installed, copied elsewhere."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(prefix / "share/doc/quantimed/examples/own-algorithm", folder / "source")
    run("cmake", "-S", "source", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=folder)
    run("cmake", "--build", "build", cwd=folder)
    return folder


def test_an_own_algorithm_has_every_command(own: Path, tmp_path: Path) -> None:
    program = own / "build/my-quantimed"
    assert "lazy-dsgd" in run(program, "run", "--help", cwd=tmp_path)
    assert run(program, "version", cwd=tmp_path).rstrip().endswith(", with lazy-dsgd")
    run(program, "run", *SMALL, "--algorithm", "lazy-dsgd", "--gamma", "1", "--output", "lazy.h5", cwd=tmp_path)
    run(program, "run", *SMALL, "--algorithm", "dsgd-atc", "--output", "atc.h5", cwd=tmp_path)
    assert "VALID" in run(program, "verify", "lazy.h5", cwd=tmp_path)
    # With theta = 1 it is DSGD that adapts, then combines.
    import h5py
    with h5py.File(tmp_path / "lazy.h5") as one, h5py.File(tmp_path / "atc.h5") as other:
        assert one["progress/loss"][:].tobytes() == other["progress/loss"][:].tobytes() and one["config"].attrs["algorithm"] == "lazy-dsgd"
        assert one["environment"].attrs["own_algorithms"] == "lazy-dsgd"
    run(program, "compare", *SMALL, "--algorithms", "dsgd,lazy-dsgd", "--seeds", "1-2", "--output", "mine", cwd=tmp_path)
    assert "4 runs counted" in run(program, "report", "mine", "--no-pdf", "--only", "curves-time", cwd=tmp_path)
    assert "surname2026an" in run(program, "cite", "lazy-dsgd", cwd=tmp_path)
    assert "lazy-dsgd" in run(program, "completion", "bash", cwd=tmp_path)
    # The library's own start is part of it: see src/start.
    said = run(program, "info", "--quiet", cwd=tmp_path, OMP_PROC_BIND="close")
    assert "OMP_PROC_BIND" in said


def test_pkg_config_builds_it_too_and_two_algorithms_of_one_name_are_refused(prefix: Path, own: Path, tmp_path: Path) -> None:
    if shutil.which("pkg-config") is None:
        pytest.skip("no pkg-config")
    where = {"PKG_CONFIG_PATH": ":".join(str(p) for p in prefix.glob("lib*/**/pkgconfig"))}
    assert run("pkg-config", "--modversion", "quantimed", cwd=tmp_path, **where).strip()
    flags = {what: run("pkg-config", f"--{what}", "quantimed", cwd=tmp_path, **where).split() for what in ("cflags", "libs")}
    text = (own / "source/lazy_dsgd.cpp").read_text()
    (tmp_path / "mine.cpp").write_text(text.replace('"lazy-dsgd"', '"dsgd"'))
    run("c++", "-O1", *flags["cflags"], "mine.cpp", "-o", "mine", *flags["libs"], cwd=tmp_path)
    assert "two algorithms are called dsgd; give one of them another name" in run(tmp_path / "mine", "version", cwd=tmp_path, status=2)
