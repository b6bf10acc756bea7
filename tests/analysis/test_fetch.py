# SPDX-License-Identifier: BSD-3-Clause
"""datasets/fetch against folders and a server on this machine: whole files, broken ones and hostile ones."""
from __future__ import annotations

import bz2
import gzip
import hashlib
import http.server
import importlib.machinery
import importlib.util
import io
import os
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "datasets" / "fetch"
LABELS = "t10k-labels-idx1-ubyte.gz"


def load() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("fetch", str(SCRIPT))
    spec = importlib.util.spec_from_loader("fetch", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["fetch"] = module  # dataclasses look their module up
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


fetch = load()


def real_mnist() -> Path:
    folder = Path(os.environ.get("QUANTIMED_DATA", "")) / "mnist"
    if not os.environ.get("QUANTIMED_DATA") or not (folder / LABELS).is_file():
        pytest.skip("QUANTIMED_DATA has no mnist: real files are not fetched")
    return folder


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "no_proxy": "*"}
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True,
                          env=environment, timeout=1200)


def refused(result: subprocess.CompletedProcess[str], pattern: str) -> None:
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert re.search(pattern, result.stderr), result.stderr


class Server:
    """Serves a folder on loopback; can cut a file short, refuse ranges, or answer with an error."""

    def __init__(self, folder: Path) -> None:
        self.cut_after: int | None = None  # bytes of each answer that are sent
        self.cuts = 0                      # answers that are still cut
        self.ranges = True
        self.asked: list[str | None] = []  # the Range of each request
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                outer.asked.append(wanted)
                path = folder / self.path.lstrip("/")
                if not path.is_file():
                    self.send_error(404)
                    return
                body, start = path.read_bytes(), 0
                if wanted and outer.ranges:
                    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                    if start >= len(body):
                        self.send_error(416)
                        return
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                else:
                    self.send_response(200)
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                most = len(body)
                if outer.cuts > 0 and outer.cut_after is not None:
                    outer.cuts -= 1
                    most = outer.cut_after
                self.wfile.write(body[start: start + most])

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "to"


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    server = Server(home)
    yield server
    server.close()


CONTENTS = bytes(range(256)) * 400


def small_set(home: Path) -> object:
    """A set of one .gz of our own, so that a server's faults can be tried without real data."""
    packed = gzip.compress(CONTENTS, compresslevel=0)
    (home / "a.gz").write_bytes(packed)
    return fetch.DataSet((), (fetch.File("a.gz", len(packed), len(CONTENTS),
                                         "sha256:" + hashlib.sha256(CONTENTS).hexdigest()),))


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_real_mnist_from_a_folder_and_again(to: Path) -> None:
    folder = real_mnist()
    first = run("mnist", "--from", folder.parent, "--to", to)  # the folder that holds mnist/, as well as mnist/ itself
    assert first.returncode == 0, first.stderr
    assert names_in(to) == sorted(p.name for p in folder.glob("*.gz"))
    for name in names_in(to):
        assert (to / "mnist" / name).read_bytes() == (folder / name).read_bytes()
    again = run("mnist", "--from", folder, "--to", to)
    assert again.returncode == 0 and again.stdout.count("already there") == 4


def test_real_mnist_from_a_server_in_spite_of_a_wrong_file_that_is_there(server: Server, home: Path, to: Path) -> None:
    for path in real_mnist().glob("*.gz"):
        (home / path.name).write_bytes(path.read_bytes())
    (to / "mnist").mkdir(parents=True)
    (to / "mnist" / LABELS).write_bytes(b"not labels")
    result = run("mnist", "--from", server.url + "/", "--to", to)
    assert result.returncode == 0, result.stderr
    assert (to / "mnist" / LABELS).read_bytes() == (home / LABELS).read_bytes()
    assert names_in(to) == names_in(home)


def test_fashion_mnist_of_the_distribution(to: Path) -> None:
    if not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("no package dataset-fashion-mnist here")
    result = run("fashion-mnist", "--from", "/usr/share/datasets", "--to", to)
    assert result.returncode == 0, result.stderr
    assert len(names_in(to)) == 4


@pytest.mark.parametrize(("break_it", "pattern"), [
    (lambda b: b[:-100], "truncated"),
    (lambda b: b[:1000] + b"\0\0\0\0" + b[1004:], "compression is corrupt|wrong checksum"),
    (lambda b: gzip.compress(gzip.decompress(b)[:-1] + b"\x0a"), "wrong checksum: sha256"),
    (lambda b: gzip.compress(gzip.decompress(b) + b"\x01"), "more than 10,008 bytes"),
    (lambda b: gzip.compress(bytes(10008)[:-1]), "10,007 bytes of contents instead of 10,008"),
    (lambda b: b"<html>sorry</html>", "18 bytes of contents"),
    (lambda b: bytes(200_000), "more than 20,016 bytes"),
])
def test_a_wrong_file_is_not_kept(home: Path, to: Path, break_it: object, pattern: str) -> None:
    for path in real_mnist().glob("*.gz"):
        (home / path.name).write_bytes(path.read_bytes())
    (home / LABELS).write_bytes(break_it((home / LABELS).read_bytes()))  # type: ignore[operator]
    refused(run("mnist", "--from", home, "--to", to), pattern)
    assert names_in(to) == sorted(name for name in names_in(home) if name != LABELS)  # not even under another name


def test_a_broken_connection_goes_on_where_it_stopped(server: Server, home: Path, to: Path) -> None:
    data = small_set(home)
    server.cut_after, server.cuts = 60_000, 1
    fetch.fetch("small", data, (server.url,), to)
    assert gzip.decompress((to / "small" / "a.gz").read_bytes()) == CONTENTS
    assert server.asked == [None, "bytes=60000-"]


def test_goes_on_in_a_later_run_and_starts_anew_where_it_must(server: Server, home: Path, to: Path) -> None:
    data = small_set(home)
    server.cut_after, server.cuts = 1000, 3
    with pytest.raises(fetch.FetchError, match="connection ended after 3,000 .*give the command again"):
        fetch.fetch("small", data, (server.url,), to)
    assert names_in(to) == [".a.gz.partial"]
    server.ranges = False  # a server that sends all from the start in spite of the range
    fetch.fetch("small", data, (server.url,), to)
    assert names_in(to) == ["a.gz"] and server.asked[-1] == "bytes=3000-"


@pytest.mark.parametrize("bytes_there", [500, 300_000])
def test_a_strange_beginning_is_thrown_away(server: Server, home: Path, to: Path, bytes_there: int) -> None:
    data = small_set(home)
    (to / "small").mkdir(parents=True)
    (to / "small" / ".a.gz.partial").write_bytes(bytes(bytes_there))
    fetch.fetch("small", data, (server.url,), to)
    assert names_in(to) == ["a.gz"]


def test_the_next_home_is_tried(server: Server, home: Path, to: Path) -> None:
    fetch.fetch("small", small_set(home), (server.url + "/not-here", server.url), to)
    assert names_in(to) == ["a.gz"]
    with pytest.raises(fetch.FetchError, match="HTTP status 404.*name a mirror or a folder with --from"):
        fetch.fetch("other", small_set(home), (server.url + "/not-here",), to)


def test_nobody_listens(server: Server, to: Path) -> None:
    url = server.url
    server.server.socket.close()
    refused(run("mnist", "--from", url, "--to", to), "mnist: http://127.0.0.1.*name a mirror or a folder with --from")
    assert names_in(to) == []


def archive_of(home: Path, members: list[tuple[str, bytes]], extra: list[tarfile.TarInfo]) -> object:
    with tarfile.open(home / "a.tar.gz", "w:gz") as tar:
        for name, body in members:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        for info in extra:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    body = (home / "a.tar.gz").read_bytes()
    file = fetch.File("a.tar.gz", len(body), len(body), "md5:" + hashlib.md5(body).hexdigest())
    return fetch.DataSet((), (file,), {"batches/one.bin": 3, "batches/two.bin": 3})


BATCHES = [("batches/one.bin", b"one"), ("batches/two.bin", b"two")]


def odd(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def test_an_archive_is_unpacked_and_removed(home: Path, to: Path) -> None:
    data = archive_of(home, [*BATCHES, ("batches/readme", b"hi")], [odd("batches", tarfile.DIRTYPE)])
    fetch.fetch("small", data, (str(home),), to)
    assert names_in(to) == ["one.bin", "two.bin"]
    assert (to / "small" / "two.bin").read_bytes() == b"two"
    (home / "a.tar.gz").unlink()
    fetch.fetch("small", data, (str(home),), to)  # already there: the archive is not asked for again


@pytest.mark.parametrize(("extra", "pattern"), [
    (odd("../escaped"), "'../escaped' would leave the folder"),
    (odd("batches/../../escaped"), "would leave the folder"),
    (odd("/escaped"), "'/escaped' would leave the folder"),
    (odd("batches/three.bin", tarfile.SYMTYPE, link="/etc"), "neither file nor folder"),
    (odd("batches/three.bin", tarfile.LNKTYPE, link="../../x"), "neither file nor folder"),
    (odd("batches/pipe", tarfile.FIFOTYPE), "neither file nor folder"),
    (odd("batches/big", size=1 << 20), "has 1,048,576 bytes"),
    (odd("batches/one.bin", size=2), "has 2 bytes"),
])
def test_a_hostile_archive_is_refused_whole(home: Path, to: Path, extra: tarfile.TarInfo, pattern: str) -> None:
    data = archive_of(home, BATCHES, [extra])
    with pytest.raises(fetch.FetchError, match=pattern):
        fetch.fetch("small", data, (str(home),), to)
    assert names_in(to.parent) == ["a.tar.gz"] and list((to / "small").iterdir()) == []


def test_an_archive_that_lacks_a_batch_or_is_none(home: Path, to: Path) -> None:
    with pytest.raises(fetch.FetchError, match="has no member batches/two.bin"):
        fetch.fetch("small", archive_of(home, BATCHES[:1], []), (str(home),), to)
    (home / "a.tar.gz").write_bytes(b"no archive")
    file = fetch.File("a.tar.gz", 10, 10, "md5:" + hashlib.md5(b"no archive").hexdigest())
    with pytest.raises(fetch.FetchError, match="not a whole .tar.gz"):
        fetch.fetch("small", fetch.DataSet((), (file,), {"x": 1}), (str(home),), to)
    assert names_in(to) == []


def test_cifar10_with_a_wrong_archive(home: Path, to: Path) -> None:
    (home / "cifar-10-binary.tar.gz").write_bytes(b"short")
    refused(run("cifar10", "--from", home, "--to", to), "5 bytes of contents instead of 170,052,171")


def test_two_at_once_are_refused(home: Path, to: Path) -> None:
    import fcntl
    (to / "small").mkdir(parents=True)
    lock = os.open(to / "small", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(fetch.FetchError, match="another fetch is at work"):
        fetch.fetch("small", small_set(home), (str(home),), to)
    os.close(lock)


@pytest.mark.parametrize(("arguments", "pattern"), [
    (["imagenet"], "imagenet: not a data set that can be fetched; choose from mnist"),
    (["mnist", "--from", "/nowhere/at/all"], "--from /nowhere/at/all: no such folder"),
    (["mnist", "--from", "ftp://example.org"], "--from ftp://example.org: give http://"),
    (["mnist", "--from", "/", "--to", "/proc/x"], "--to /proc/x: "),
    ([], "NAME"),
])
def test_bad_usage(arguments: list[str], pattern: str) -> None:
    refused(run(*arguments), pattern)


def test_a_folder_without_the_files(home: Path, to: Path) -> None:
    refused(run("mnist", "--from", home, "--to", to), r"--from .*: holds no train-images-idx3-ubyte.gz")


def test_progress_shows_the_time_left(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    progress = fetch.Progress("a.gz", 2_000_000)
    progress.on = True
    clock = [progress.start_s]
    monkeypatch.setattr(fetch.time, "monotonic", lambda: clock[0])
    clock[0] += 4
    progress.add(500_000)
    assert "a.gz: 0.5 of 2.0 MB, 0.1 MB/s, 12 s left" in capsys.readouterr().err


# ---- LIBSVM text, of which no checksum is published ---------------------------------------------------------

def rows_text(count: int = 4, last: str = "7:0.5") -> bytes:
    lines = [f"{'+1' if k % 2 else '-1'} 1:1 3:-2e-3 {last}" for k in range(count)]
    return ("# a comment\n" + "\n".join(lines) + "\n").encode()


@pytest.fixture
def small_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    file = fetch.libsvm("small.bz2", 1000, 4, 9)
    monkeypatch.setitem(fetch.DATA_SETS, "small", fetch.DataSet((), (file,)))


@pytest.mark.parametrize("packed", [True, False])
def test_rows_are_counted_where_there_is_no_checksum(small_rows: None, tmp_path: Path, packed: bool,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    text = rows_text()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ("small.bz2" if packed else "small")).write_bytes(bz2.compress(text) if packed else text)
    command = ["small", "--from", str(tmp_path / "home"), "--to", str(tmp_path / "to")]
    assert fetch.main(command) == 0
    said = capsys.readouterr().out
    kept = tmp_path / "to" / "small" / ("small.bz2" if packed else "small")
    assert "4 rows, at most 9 features; no checksum of it is published" in said
    assert hashlib.sha256(kept.read_bytes()).hexdigest() in said
    assert fetch.main(command) == 0
    assert "is already there" in capsys.readouterr().out


@pytest.mark.parametrize("contents, pattern", [
    (bz2.compress(rows_text(3)), "3 rows instead of 4"),
    (bz2.compress(rows_text(5)), "more than 4 rows"),
    (bz2.compress(rows_text(4, "10:1")), "line 1 ends with b'10:1', which is no value of features 1 to 9"),
    (bz2.compress(rows_text(4, "x")), "line 1 ends with b'x'"),
    (bz2.compress(rows_text().replace(b"+1", b"3")), "line 2 has the label b'3'"),
    (bz2.compress(rows_text())[:-9], "truncated"),
    (bz2.compress(rows_text())[:20] + b"x" * 40, "compression is corrupt"),
    (b"<html>not found</html>", "line 1 has the label"),
    (bz2.compress(b"1 " + b"1:1 " * 1000), "line 1 has no end within 352 bytes"),
    (b"", "0 rows instead of 4"),
])
def test_rows_that_are_not_the_published_ones_are_not_kept(small_rows: None, tmp_path: Path, contents: bytes,
                                                           pattern: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "small.bz2").write_bytes(contents)
    assert fetch.main(["small", "--from", str(tmp_path / "home"), "--to", str(tmp_path / "to")]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and pattern in said, said
    assert not list((tmp_path / "to" / "small").iterdir())
