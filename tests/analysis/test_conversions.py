# SPDX-License-Identifier: BSD-3-Clause
"""The commands by which the program's refusals, and datasets/README.md, turn other formats into ones that are read."""
from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pickle
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).resolve().parents[2] / "datasets" / "README.md"
RANDOM = np.random.default_rng(1)
X = (255 * RANDOM.random((60, 4))).astype(np.uint8)
Y = (np.arange(60) % 3).astype(np.int64)

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(program: Path, tmp_path: Path) -> Call:
    def call(data: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, "run", "--dataset", data, "--nodes", "2", "--graph", "complete", "--samples-per-node",
                               "20", "--iterations", "2", "--batch", "4", "--algorithm", "dsgd", "--model", "logistic",
                               "--threads", "1", "--output", "t.h5", "--overwrite", *options], cwd=tmp_path, capture_output=True, text=True,
                              timeout=100, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    return call


def csv(header: str, delimiter: str = ",", label_last: bool = False, change: Callable[[str], str] = str,
        names: tuple[str, ...] = ()) -> bytes:
    rows = []
    for features, label in zip(X / 8, Y):
        fields = [change(f"{value:.3f}") for value in features]
        fields.insert(len(fields) if label_last else 0, names[label] if names else str(label))
        rows.append(delimiter.join(fields))
    return ("\ufeff" + header + "\r\n".join(rows) + "\r\n").encode()


def write_npz(path: Path) -> None:
    np.savez(path.open("wb"), x_test=X[:9], x_train=X.reshape(60, 2, 2), y_train=Y, y_test=Y[:9])


def write_npy(path: Path) -> None:
    np.save(path.open("wb"), X)
    np.save(path.with_name("LABELS.npy"), Y)


def write_mat(path: Path) -> None:
    pytest.importorskip("scipy.io").savemat(path, {"X": X, "y": Y[:, None] + 1}, appendmat=False)


def write_mat73(path: Path) -> None:
    import h5py

    with h5py.File(path, "w", userblock_size=512) as f:
        f["X"], f["y"] = X.T, Y[None] + 1.0
    with path.open("r+b") as f:
        f.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def write_netcdf(path: Path) -> None:
    with pytest.importorskip("scipy.io").netcdf_file(path, "w") as f:
        for name, array in (("x", X.astype("f4")), ("y", Y.astype("i4"))):
            for k, size in enumerate(array.shape):
                f.createDimension(f"{name}{k}", size)
            f.createVariable(name, array.dtype.char, tuple(f"{name}{k}" for k in range(array.ndim)))[:] = array


def write_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({b"data": X, b"labels": Y.tolist()}, protocol=2))


FILES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "npz": ("my set.npz", write_npz), "npz_named_h5": ("set.h5", write_npz), "npy": ("it's.npy", write_npy),
    "mat": ("a.mat", write_mat), "mat_7.3": ("a.mat", write_mat73), "pickle": ("data_batch_1", write_pickle),
    "netcdf": ("a.nc", write_netcdf),
    "csv": ("a.csv", lambda p: p.write_bytes(csv("label,a,b,c,d\r\n"))),
    "csv_label_last": ("a.csv", lambda p: p.write_bytes(csv("a,b,c,d,class\r\n", label_last=True))),
    "csv_without_header": ("Ä b.csv", lambda p: p.write_bytes(csv(""))),
    "csv_words": ("iris.data", lambda p: p.write_bytes(csv("", label_last=True, names=("setosa", "virginica", "versicolor")))),
    "csv_words_below_a_header": ("iris.csv", lambda p: p.write_bytes(csv("a,b,c,d,variety\r\n", label_last=True, names=(
        "setosa", "virginica", "versicolor")))),
    "csv_quotes": ("a.csv", lambda p: p.write_bytes(csv('"y","a","b","c","d"\r\n', change='"{}"'.format))),
    "csv_semicolons": ("a.csv", lambda p: p.write_bytes(csv("y;a;b;c;d\r\n", ";", change=lambda v: v.replace(".", ",")))),
    "blanks": ("a.txt", lambda p: p.write_bytes(csv("", "  "))),
    "tabs": ("a.tsv", lambda p: p.write_bytes(csv("", "\t"))),
}


PACKERS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "": (bytes, ""), ".gz": (gzip.compress, "gunzip -k "), ".bz2": (bz2.compress, "bunzip2 -k "), ".xz": (lzma.compress, "xz -dk "),
    ".packed": (gzip.compress, "gzip -dc < "), "link": (gzip.compress, "gzip -dc < ")}


def pack(path: Path, packing: str) -> str:
    """In place of the file; the name of what is there now."""
    pack_bytes, _ = PACKERS[packing]
    packed = path.with_name(path.name + (".gz" if packing == "link" else packing))
    content = pack_bytes(path.read_bytes())
    path.unlink()
    if packing == "link":
        (packed.parent / "elsewhere").write_bytes(content)
        packed.symlink_to("elsewhere")
    else:
        packed.write_bytes(content)
    return packed.name


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("kind", FILES)
def test_the_command_of_a_refusal_makes_what_is_read(run: Call, tmp_path: Path, kind: str, packing: str) -> None:
    name, write = FILES[kind]
    write(tmp_path / name)
    if packing:
        name = pack(tmp_path / name, packing)
    refused = run(name)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1, refused.stderr
    command = re.search(r"python3 -c .*", refused.stderr)
    assert command, refused.stderr
    text = command[0].replace("python3", sys.executable, 1)
    first = re.search(r"; unpack it first: (.*?); then ", refused.stderr)
    assert bool(first) == bool(packing), refused.stderr
    if first:
        assert first[1].startswith(PACKERS[packing][1])
        text = f"{first[1]} && {text}"
    done = subprocess.run(text, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, text + done.stderr
    made = next(p for p in tmp_path.glob("*.h5") if p.name not in ("t.h5", name, FILES[kind][0]))
    read = run(made.name)
    assert read.returncode == 0, read.stderr
    assert "4 features" in read.stdout and "3 classes (labels 0-2), 60 training" in read.stdout


@pytest.mark.parametrize("names", [("0", "1", ""), ("0", "1", "other"), ("a", "b", "")])
def test_a_label_that_is_none_is_no_class(run: Call, tmp_path: Path, names: tuple[str, ...]) -> None:
    (tmp_path / "a.csv").write_bytes(csv("a,b,c,d,class\r\n", label_last=True, names=names))
    command = re.search(r"python3 -c .*", run("a.csv").stderr)
    assert command
    done = subprocess.run(command[0].replace("python3", sys.executable, 1), shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode != 0 and "a label is empty" in done.stderr, done.stderr
    assert run("a.h5").returncode == 2  # nothing was written into it


@pytest.mark.parametrize("head, what", [
    (b"<!DOCTYPE html><html>", "a web page"), (b"\n  <HTML><head>", "a web page"), (b"version https://git-lfs.github.com", "Git LFS"),
    (b"\x00\x05\x16\x07\x00\x02", "AppleDouble"), (b"PAR1\x15\x04", "Parquet"), (b"@relation iris\n", "ARFF"),
    (b"%%MatrixMarket matrix", "Matrix Market"), (b'{"a": 1}', "JSON"), (b"\x28\xb5\x2f\xfd\x04", "Zstandard"),
    (b"7z\xbc\xaf\x27\x1c\x00", "7z"), (b"a" * 257 + b"ustar", "tar"), (b"%PDF-1.5", "PDF"), (b"\x89PNG\r\n\x1a\n", "picture"),
    (b"\xff\xfe1\x00 \x00", "UTF-16"), (b"FEA1\x11\x01", "Feather"), (b"Obj\x01\x04\x16avro.schema", "Avro"), (b"CDF\x01\x00", "netCDF"),
    (b"CDF\x02\x00", "netCDF"), (b"CDF\x05\x00", "netCDF"), (b"ORC\x0a\x08", "ORC"), (b"\x0e\x03\x13\x01", "HDF4"),
    (struct.pack("<QI", 29, 0x23DF2F60), "TFRecord"), (b"\x0a\x23\xd7\xce", "RecordIO"),
    (struct.pack("<Q", 90) + b'{"x":', "safetensors"), (b"SIMPLE  =", "FITS"), (b"$FL2@(#)", "SPSS"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch"), (b"abc\x01d", "the byte 0x01, which is no text"), (b"SQLite format 3\x00", "SQLite"), (b"\x7fELF\x02", "a program"),
    (b"PK\x03\x04" + b"\x00" * 22 + b"\x05\x00\x00\x00plain", "zip archive"),
    (b"PK\x03\x04" + b"\x00" * 22 + b"\x10\x00\x00\x00archive/data.pkl", "PyTorch"),
])
def test_a_format_that_is_not_read_is_named(run: Call, tmp_path: Path, head: bytes, what: str) -> None:
    (tmp_path / "data").write_bytes(head + b"\n" * 20)
    refused = run("data")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert what in refused.stderr and "; " in refused.stderr


@pytest.mark.parametrize("content, what", [
    (b"3 qid:1 1:0.5\n4 qid:1 1:0.1\n", "take the query ids out"), ("1 1:2\n0 1:3\n".encode("utf-16"), "save it as UTF-8"),
    (b"PAR1\x15\x04", "write it as HDF5: datasets/README.md has the lines"), (gzip.compress(b"1 1:2\n"), "name a")])
def test_what_reads_a_packed_file_unpacks_it_first(run: Call, tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    refused = run("a.gz").stderr
    assert f"; unpack it first: gunzip -k a.gz; then {what}" in refused, refused
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"<html>"))
    assert "unpack" not in run("a.gz").stderr  # what is no data is fetched again, packed or not


@pytest.mark.parametrize("needs, begins, says", [
    ("numpy", "import h5py, numpy\n", "4 features, 2 classes (labels 0, 1), 54 training, 6 test (mine.h5)"),
    ("scipy", "import h5py, numpy, scipy.sparse\n", "4 features, sparse rows (99.6 % of the cells hold a number: "),
])
def test_the_readme_lines_write_what_is_read(run: Call, tmp_path: Path, needs: str, begins: str, says: str) -> None:
    pytest.importorskip(needs)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (lines,) = [block for block in blocks if block.startswith(begins)]
    np.savez(tmp_path / "mine.npz", x=np.arange(240.0).reshape(60, 4), y=Y % 2)
    subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, check=True, timeout=100)
    read = run("mine.h5")
    assert says in read.stdout, read.stdout + read.stderr


def test_the_readme_holds_a_part_out(run: Call, tmp_path: Path) -> None:
    command = re.search(r"`(shuf [^`]*)`", README.read_text(encoding="utf-8"))
    assert command
    (tmp_path / "mine").write_text("".join(f"{y} " + " ".join(f"{k + 1}:{v}" for k, v in enumerate(x)) + "\n" for x, y in zip(X, Y)))
    subprocess.run(["bash", "-c", command[1].replace("FILE", "mine")], cwd=tmp_path, check=True, timeout=100)
    assert "48 training, 12 test (part.t)" in run("part").stdout
