# SPDX-License-Identifier: BSD-3-Clause
"""datasets/prepare-imagenet on photographs made here and on real ones, and its results in the program."""
from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="no python3-numpy")
Image = pytest.importorskip("PIL.Image", reason="no python3-pil")

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "datasets" / "prepare-imagenet"
CLASSES = ("n1", "n2")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, timeout=1200)


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(pattern: str, *arguments: object) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1 and re.search(pattern, result.stderr), result.stderr


def read_idx(path: Path) -> np.ndarray:
    body = path.read_bytes()
    assert body[:3] == b"\0\0\x08"
    shape = np.frombuffer(body, ">u4", body[3], 4)
    return np.frombuffer(body, np.uint8, offset=4 + 4 * body[3]).reshape(shape)


def image(seed: int, width: int = 96, height: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Ten photographs of each class; lossless, though named .JPEG as ImageNet's one PNG is."""
    for c, name in enumerate(CLASSES):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for k in range(10):
            image(10 * c + k).save(tmp_path / "tree" / name / f"{k}.JPEG", "PNG")
    return tmp_path / "tree"


def naive(picture: Image.Image, size: int) -> np.ndarray:
    """Grey, the square in the middle, the mean over whole blocks: the slow twin."""
    r, g, b = (np.asarray(picture)[:, :, k].astype(float) for k in range(3))
    grey = 0.299 * r + 0.587 * g + 0.114 * b
    side = min(grey.shape)
    top, left = (grey.shape[0] - side) // 2, (grey.shape[1] - side) // 2
    block = side // size
    return grey[top: top + side, left: left + side].reshape(size, block, size, block).mean((1, 3))


@pytest.mark.parametrize(("width", "height", "size"), [(96, 64, 32), (64, 96, 32), (131, 128, 64), (256, 256, 32)])
def test_pixels_are_those_of_the_naive_twin(tmp_path: Path, width: int, height: int, size: int) -> None:
    for name in CLASSES:
        (tmp_path / "tree" / name).mkdir(parents=True)
        image(len(name), width, height).save(tmp_path / "tree" / name / "a.JPEG", "PNG")
    done(tmp_path / "tree", "--to", tmp_path / "to", "--validation", "0", "--size", size)
    images = read_idx(tmp_path / "to" / f"train-images-gray{size}-idx3-ubyte")
    assert images.shape == (2, size, size)
    error = images[0] - naive(image(2, width, height), size)
    assert np.abs(error).max() <= 1 and abs(error.mean()) < 0.05
    assert not list((tmp_path / "to").glob("val*"))


def test_shares_labels_and_order(tree: Path, tmp_path: Path) -> None:
    out = done(tree, "--to", tmp_path / "a", "--classes", "n2,n1", "--validation", "0.2")
    assert "16 train + 4 val, 0 skipped; 0 n2, 1 n1" in out
    seen = []
    for prefix, each in (("train", 8), ("val", 2)):
        images = read_idx(tmp_path / "a" / f"{prefix}-images-gray32-idx3-ubyte")
        labels = read_idx(tmp_path / "a" / f"{prefix}-labels-idx1-ubyte")
        assert np.bincount(labels).tolist() == [each, each]
        for picture, label in zip(images, labels):
            k = int(np.argmin([np.abs(picture - naive(image(k), 32)).mean() for k in range(20)]))
            assert label == (1 if k < 10 else 0)
            seen.append(k)
    assert sorted(seen) == list(range(20))       # each photograph once, training and validation apart
    assert seen[:16] != sorted(seen[:16])        # shuffled
    done(tree, "--to", tmp_path / "b", "--classes", "n2,n1", "--validation", "0.2")
    done(tree, "--to", tmp_path / "c", "--classes", "n2,n1", "--validation", "0.2", "--seed", "2")
    name = "train-images-gray32-idx3-ubyte"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes()


def test_a_second_tree_validates(tree: Path, tmp_path: Path) -> None:
    for name in CLASSES:
        (tmp_path / "second" / name).mkdir(parents=True)
        image(99).save(tmp_path / "second" / name / "a.jpg", "JPEG")
    assert "20 train + 2 val" in done(tree, "--to", tmp_path / "to", "--validation", tmp_path / "second")
    refused("--classes n2: --validation .* has no such folder; it has n1", tree, "--to", tmp_path / "other",
            "--validation", only_n1(tmp_path))


def only_n1(tmp_path: Path) -> Path:
    (tmp_path / "third" / "n1").mkdir(parents=True)
    image(1).save(tmp_path / "third" / "n1" / "a.jpg", "JPEG")
    return tmp_path / "third"


def jpeg_that_claims(width: int, height: int, path: Path) -> None:
    image(1).save(path, "JPEG")
    body = bytearray(path.read_bytes())
    at = body.index(b"\xff\xc0") + 5  # start of frame: marker, length, precision, then height and width
    body[at: at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    path.write_bytes(bytes(body))


BAD = {
    "bomb": (lambda p: jpeg_that_claims(65000, 65000, p), "65000 x 65000 pixels, more than --max-pixels 100000000"),
    "cut": (lambda p: (image(1).save(p, "JPEG"), p.write_bytes(p.read_bytes()[:2000])), r"unreadable \(.*truncated"),
    "text": (lambda p: p.write_text("not an image"), r"unreadable \(cannot identify"),
    "empty": (lambda p: p.write_bytes(b""), r"unreadable \(cannot identify"),
    "gif": (lambda p: image(1).save(p, "GIF"), r"unreadable \(cannot identify"),
    "large": (lambda p: (p.touch(), os.truncate(p, 65 << 20)), "more than 64 MiB"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_photograph_is_skipped_or_refused(tree: Path, tmp_path: Path, kind: str) -> None:
    make, pattern = BAD[kind]
    make(tree / "n1" / "bad.JPEG")
    result = run(tree, "--to", tmp_path / "to")
    assert result.returncode == 0 and "20 " not in result.stdout and "1 skipped" in result.stdout
    assert re.fullmatch(rf"prepare-imagenet: skipped .*n1/bad\.JPEG: .*{pattern}.*\n", result.stderr), result.stderr
    assert len(read_idx(tmp_path / "to" / "train-labels-idx1-ubyte")) + \
        len(read_idx(tmp_path / "to" / "val-labels-idx1-ubyte")) == 20
    refused(rf"--strict: .*n1/bad\.JPEG: .*{pattern}.*leave --strict out", tree, "--to", tmp_path / "strict",
            "--strict")
    assert not (tmp_path / "strict").exists()


def test_only_regular_files_with_the_suffix_are_opened(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "n1" / "pipe.JPEG")
    (tree / "n1" / "folder.JPEG").mkdir()
    (tree / "n1" / "notes.txt").write_text("notes")
    assert "0 skipped" in done(tree, "--to", tmp_path / "to")


def test_grey_and_cmyk_photographs(tree: Path, tmp_path: Path) -> None:
    image(1).convert("L").save(tree / "n1" / "grey.JPEG", "JPEG")
    image(1).convert("CMYK").save(tree / "n1" / "cmyk.JPEG", "JPEG")
    assert "22 train, 0 skipped" in done(tree, "--to", tmp_path / "to", "--validation", "0")


def test_nobodys_data_set_is_overwritten(tree: Path, tmp_path: Path) -> None:
    done(tree, "--to", tmp_path / "to")
    done(tree, "--to", tmp_path / "to", "--size", "64")  # the same labels serve both sizes
    before = {p.name: p.read_bytes() for p in (tmp_path / "to").iterdir()}
    refused("is there with other contents; remove it or choose another --to", tree, "--to", tmp_path / "to",
            "--seed", "2")
    assert {p.name: p.read_bytes() for p in (tmp_path / "to").iterdir()} == before


@pytest.mark.parametrize(("arguments", "pattern"), [
    (["--classes", "n1,n3"], "--classes n3: TREE .* has no such folder; it has broken, empty, n1, n2"),
    (["--classes", "n1,n1"], "--classes: a class is named twice"),
    (["--classes", "n1"], "--classes: 1 classes; name 2 to 256"),
    (["--classes", "n1,../n2"], "--classes: '../n2' is not the name of a folder"),
    (["--classes", "n1,empty"], "empty: holds no .JPEG"),
    (["--classes", "n1,broken"], "--classes broken: none of its photographs for train can be used"),
    (["--validation", "1.5"], "--validation: 1.5 is not a share"),
    (["--validation", "nan"], "--validation: nan is not a share"),
    (["--validation", "/nowhere"], "--validation /nowhere: no such folder"),
    (["--size", "33"], "--size.*33"),
    (["--max-pixels", "0"], "--max-pixels.*0 is not a whole number"),
    (["--to", "/proc/x"], "/proc/x"),
])
def test_bad_usage(tree: Path, tmp_path: Path, arguments: list[str], pattern: str) -> None:
    (tree / "empty").mkdir()
    (tree / "broken").mkdir()
    (tree / "broken" / "a.JPEG").write_text("no")
    if "--classes" not in arguments:
        arguments = ["--classes", "n1,n2", *arguments]
    result = run(tree, "--to", tmp_path / "to", *arguments)
    assert result.returncode == 2 and re.search(pattern, result.stderr.splitlines()[-1]), result.stderr
    assert not (tmp_path / "to").exists()


# ---- real photographs, and the program ----

def program() -> Path:
    path = Path(os.environ.get("QUANTIMED_PROGRAM", ROOT / "build" / "quantimed"))
    if not path.is_file():
        pytest.skip(f"no program at {path}: QUANTIMED_PROGRAM names it; the results are not loaded by it")
    return path


def church_truck() -> Path:
    folder = Path(os.environ.get("QUANTIMED_DATA", "")) / "imagenet" / "church-truck"
    if not os.environ.get("QUANTIMED_DATA") or not (folder / "jpeg-sample").is_dir():
        pytest.skip("QUANTIMED_DATA has no imagenet/church-truck/jpeg-sample: no real photographs are prepared")
    return folder


def loads(path: Path, tmp_path: Path) -> str:
    result = subprocess.run(
        [str(program()), "run", "--dataset", str(path), "--model", "mlp:8", "--iterations", "5", "--nodes", "4",
         "--samples-per-node", "all", "--batch", "2", "--graph", "ring", "--output", str(tmp_path / "trace.h5")],
        capture_output=True, text=True, timeout=1200)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("size", [32, 64])
def test_the_program_loads_the_idx_files(tree: Path, tmp_path: Path, size: int) -> None:
    done(tree, "--to", tmp_path / "to", "--size", size)
    where = tmp_path / "to" if size == 32 else tmp_path / "to" / "train-images-gray64-idx3-ubyte"
    loads(where, tmp_path)


def test_the_program_loads_the_hdf5_file(tree: Path, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="no python3-h5py")
    done(tree, "--to", tmp_path / "to", "--format", "hdf5")
    done(tree, "--to", tmp_path / "to")
    with h5py.File(tmp_path / "to" / "imagenet-gray32.h5") as f:
        assert f["train/features"].shape == (14, 1024) and f["test/targets"].shape == (6,)
        idx = read_idx(tmp_path / "to" / "train-images-gray32-idx3-ubyte")
        assert (f["train/features"][:].reshape(idx.shape) == idx).all()
    loads(tmp_path / "to" / "imagenet-gray32.h5", tmp_path)


def test_real_photographs_are_those_of_the_prepared_set(tmp_path: Path) -> None:
    """Each is found again, with its label, in a set that somebody else reduced from the same photographs."""
    folder = church_truck()
    out = done(folder / "jpeg-sample", "--to", tmp_path / "to", "--classes", "n03028079,n03417042", "--strict")
    assert "56 train + 24 val, 0 skipped" in out

    def both(where: Path, what: str) -> np.ndarray:
        return np.concatenate([read_idx(where / f"{prefix}-{what}-ubyte") for prefix in ("train", "val")])

    theirs = both(folder, "images-gray32-idx3").reshape(-1, 1024).astype(float)
    for ours, label in zip(both(tmp_path / "to", "images-gray32-idx3"), both(tmp_path / "to", "labels-idx1")):
        distance = np.abs(theirs - ours.ravel()).mean(1)
        assert distance.min() < 8 and np.partition(distance, 1)[1] > 2 * distance.min()  # their filter is another one
        assert both(folder, "labels-idx1")[distance.argmin()] == label
    loads(tmp_path / "to", tmp_path)
