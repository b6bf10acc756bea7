# SPDX-License-Identifier: BSD-3-Clause
"""What an OTF2 archive holds, read by OTF2's own reader, is what the trace holds."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from quantimed_report import otf2_archive, perfetto
from quantimed.traces import ReportError, Run, Study, phase_order

ROOT = Path(__file__).resolve().parents[2]

otf2 = pytest.importorskip("otf2", reason="python3-otf2 is not installed")


def run_of(study: Study, algorithm: str) -> Run:
    return next(run for run in study.runs if run.algorithm == algorithm)


def read(folder: Path) -> tuple[list, dict[str, str]]:
    """(location, event) in the order of time, and the properties of the run."""
    with otf2.reader.open(str(folder / "traces.otf2")) as archive:
        assert archive.timer_resolution == 10**9
        about = {one.name: one.value for one in archive.definitions.system_tree_node_properties}
        return [(location.name, event) for location, event in archive.events], about


@pytest.mark.parametrize("algorithm", ["quantimed-dsgd", "async-dsgd"])
def test_regions_are_the_phases_and_nest(loaded: Study, tmp_path: Path, algorithm: str) -> None:
    run = run_of(loaded, algorithm)
    otf2_archive.write_otf2(run, tmp_path / "archive")
    found, about = read(tmp_path / "archive")
    assert about["shown"] == "the whole run" and about["algorithm"] == algorithm and about["verdict"] == run.verdict
    inside, lengths, batches = {}, defaultdict(list), {}
    for name, event in found:
        if isinstance(event, otf2.events.Enter):
            assert name not in inside, "phases of a node do not overlap"
            inside[name] = event
            attributes = {one.name: value for one, value in event.attributes.items()}
            batches[name, attributes["iteration"]] = attributes["batch"]
        elif isinstance(event, otf2.events.Leave):
            entered = inside.pop(name)
            assert entered.region is event.region and event.region.name in phase_order(run)
            if event.region.name == "compute":
                lengths[name].append((event.time - entered.time) / 1e9)
    assert not inside
    for i in range(run.nodes):
        recorded = run.rounds("compute_time")[:, i]
        known = recorded[np.isfinite(recorded) & (recorded > 0)]
        np.testing.assert_allclose(lengths[f"node {i}"], known, rtol=1e-4, atol=2e-9)
        assert batches[f"node {i}", 0] == run.rounds("batch")[0, i]


def test_messages_are_perfettos_arrows_with_their_bytes(loaded: Study, tmp_path: Path) -> None:
    run = run_of(loaded, "quantimed-dsgd")
    otf2_archive.write_otf2(run, tmp_path / "archive")
    found, _ = read(tmp_path / "archive")
    sent = [(name, event) for name, event in found if isinstance(event, otf2.events.MpiSend)]
    received = [(name, event) for name, event in found if isinstance(event, otf2.events.MpiRecv)]
    assert len(sent) == len(received) == 2 * len(run.edges()[0]) * run.rounds("batch").shape[0]
    ways = Counter((name, f"node {event.receiver}", event.msg_length) for name, event in sent)
    assert ways == Counter((f"node {event.sender}", name, event.msg_length) for name, event in received)
    assert {length for _, _, length in ways} == set(run.rounds("bytes_sent").astype(int).ravel().tolist())


def test_the_same_part_as_perfettos(loaded: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perfetto, "MOST_EVENTS", 500)
    otf2_archive.write_otf2(run_of(loaded, "async-dsgd"), tmp_path / "archive")
    found, about = read(tmp_path / "archive")
    assert about["shown"].startswith("the first ") and 0 < len(found) <= 1000


def test_what_is_not_an_archive_is_not_replaced(loaded: Study, tmp_path: Path) -> None:
    run = run_of(loaded, "dsgd")
    otf2_archive.write_otf2(run, tmp_path / "archive")
    otf2_archive.write_otf2(run, tmp_path / "archive")  # its own is
    (tmp_path / "archive" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("archive", "file", "link"):
        with pytest.raises(ReportError, match="is not replaced"):
            otf2_archive.write_otf2(run, tmp_path / name)
    assert (tmp_path / "archive" / "notes.txt").read_text() == "mine" and (tmp_path / "archive" / "traces.otf2").exists()
    with pytest.raises(ReportError, match="cannot be written"):
        otf2_archive.write_otf2(run, tmp_path / "none" / "archive")


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from quantimed_report.otf2_archive import write_otf2
from quantimed.traces import ReportError, load_study
run = load_study(Path(sys.argv[2])).runs[0]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))  # bytes
try:
    write_otf2(run, Path(sys.argv[3]))
except ReportError as error:
    sys.exit(str(error))
"""


def test_a_full_disk_is_one_line_and_leaves_nothing(study: Path, tmp_path: Path) -> None:
    """A limit on the size of a file is as good as a full disk to the library, which has much to say of it on its own."""
    done = subprocess.run([sys.executable, "-c", FULL, ROOT / "analysis", study, tmp_path / "archive"], capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "--otf2" in done.stderr and "cannot be written" in done.stderr and not (tmp_path / "archive").exists()


def test_without_the_library_the_package_is_named(loaded: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otf2_archive, "otf2", None)
    with pytest.raises(ReportError, match="apt-get install python3-otf2"):
        otf2_archive.write_otf2(loaded.runs[0], tmp_path / "archive")
