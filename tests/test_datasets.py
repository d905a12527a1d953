import gzip
import hashlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import torchvision
from sklearn.datasets import load_digits

from fairfl import datasets
from fairfl.datasets import DataError, load

NAMES = tuple(datasets.MNIST_SHA256)
FILES = {  # a tiny MNIST, as IDX files: 4 training and 2 test images
    NAMES[0]: struct.pack(">IIII", 2051, 4, 28, 28) + bytes([0, 51, 102, 255] * 784),
    NAMES[1]: struct.pack(">II", 2049, 4) + bytes([3, 1, 4, 1]),
    NAMES[2]: struct.pack(">IIII", 2051, 2, 28, 28) + bytes([102] * 784 + [0] * 784),
    NAMES[3]: struct.pack(">II", 2049, 2) + bytes([9, 0]),
}


@pytest.fixture
def tiny(monkeypatch):
    """The checksums of the tiny MNIST, and a closed port as the only place to download from."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(datasets, "MNIST_SHA256", digests)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mirror(monkeypatch, port, {name: gzip.compress(content) for name, content in FILES.items()})


def mirror(monkeypatch, port, packed):
    """Let torchvision download from this port only, expecting these files."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [f"http://127.0.0.1:{port}/"])
    resources = [(f"{name}.gz", hashlib.md5(content).hexdigest()) for name, content in packed.items()]
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)


@pytest.fixture
def server(tiny, monkeypatch):
    """A mirror of the tiny MNIST. A test may change what it serves: `served` maps a path to (status, bytes it
    announces, bytes it sends)."""
    packed = {name: gzip.compress(content, mtime=0) for name, content in FILES.items()}
    served = {f"/{name}.gz": (200, len(content), content) for name, content in packed.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, announced, content = served[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=[0.01], daemon=True).start()
        mirror(monkeypatch, httpd.server_port, packed)
        yield served
        httpd.shutdown()


def raw(root: Path) -> Path:
    return root / "MNIST" / "raw"


def write(root: Path, names=NAMES) -> None:
    raw(root).mkdir(parents=True)
    for name in names:
        (raw(root) / name).write_bytes(FILES[name])


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


# ---------------------------------------------------------------------------------------------------- digits


def test_digits():
    data = load("digits")
    assert (data.name, data.classes, data.original) == ("digits", 10, True)
    assert data.x.shape == (1200, 1, 8, 8) and data.test_x.shape == (597, 1, 8, 8)
    assert data.x.dtype == data.test_x.dtype == torch.float64
    assert data.y.dtype == data.test_y.dtype == torch.int64
    assert data.x.min() == 0 and data.x.max() == 1


def test_digits_are_scikit_learns_each_once():
    data = load("digits")
    pixels, labels = load_digits(return_X_y=True)
    x, y = torch.cat([data.x, data.test_x]).flatten(1) * 16, torch.cat([data.y, data.test_y])
    ours = zip(x.tolist(), y.tolist(), strict=True)
    assert sorted(ours) == sorted(zip(pixels.tolist(), labels.tolist(), strict=True))


def test_digits_are_stratified():
    data = load("digits")
    inside = data.y.bincount().double()
    whole = inside + data.test_y.bincount()
    assert (inside - whole * 1200 / 1797).abs().max() < 1


def test_digits_are_always_split_in_the_same_way():
    torch.manual_seed(1)
    first = load("digits")
    torch.manual_seed(2)
    second = load("digits")
    assert torch.equal(first.x, second.x) and first.sha256 == second.sha256
    # Recorded runs depend on this split; if this fails, a library changed it and they must be renewed
    assert first.sha256 == "0eaf205f4e8c897c4ba577ac2132ea737dea1533d4aceeb33eb7e45f3e14a97e"
    first.x.zero_()
    assert second.x.any() and load("digits").x.any()


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="'imagenet'.*digits, mnist"):
        load("imagenet")


# ----------------------------------------------------------------------------------------- MNIST, files there


def test_mnist_is_standardised_by_the_training_pixels(tiny, tmp_path):
    write(tmp_path)
    data = load("mnist", tmp_path, download=False)
    assert data.x.shape == (4, 1, 28, 28) and data.test_x.shape == (2, 1, 28, 28)
    assert data.x.dtype == data.test_x.dtype == torch.float32
    assert data.y.tolist() == [3, 1, 4, 1] and data.test_y.tolist() == [9, 0]
    mean, std = 102, (51**2 * (4 + 1 + 0 + 9) / 4) ** 0.5  # of 0, 51, 102 and 255, a quarter each
    expected = (torch.tensor([0, 51, 102, 255.0]) - mean) / std
    assert torch.allclose(data.x[1].flatten()[:4], expected, rtol=1e-6)
    assert data.test_x[0].abs().max() < 1e-6
    assert torch.allclose(data.test_x[1], torch.tensor(-mean / std))


def test_checksum_is_that_of_sha256sum(tiny, tmp_path):
    write(tmp_path)
    listing = b"".join(f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}\n".encode() for name in NAMES)
    assert load("mnist", tmp_path).sha256 == hashlib.sha256(listing).hexdigest()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "longer"])
def test_damaged_file(tiny, tmp_path, name, damage):
    write(tmp_path)
    path, content = raw(tmp_path) / name, FILES[name]
    damaged = {
        "flipped": content[:-1] + bytes([content[-1] ^ 1]),
        "truncated": content[:-1],
        "empty": b"",
        "longer": content + b"0",
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(DataError, match=f"{name} is damaged or incomplete.*delete it and load again"):
        load("mnist", tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_missing_file(tiny, tmp_path, name):
    write(tmp_path, [other for other in NAMES if other != name])
    with pytest.raises(DataError, match=f"{name} is missing; load with download=True, or put"):
        load("mnist", tmp_path, download=False)


def test_folder_in_place_of_a_file(tiny, tmp_path):
    write(tmp_path, NAMES[1:])
    (raw(tmp_path) / NAMES[0]).mkdir()
    with pytest.raises(DataError, match=f"{NAMES[0]} cannot be read .*directory"):
        load("mnist", tmp_path)


def test_another_librarys_copy_is_not_taken_for_the_files(tiny, tmp_path):
    """torchvision prefers processed/*.pt to the files that were verified."""
    write(tmp_path)
    processed = tmp_path / "MNIST" / "processed"
    processed.mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save((torch.zeros(1, 28, 28, dtype=torch.uint8), torch.tensor([7])), processed / name)
    assert load("mnist", tmp_path).y.tolist() == [3, 1, 4, 1]


def test_root_is_the_argument_then_the_variable_then_a_cache(tiny, tmp_path, monkeypatch):
    write(tmp_path / "variable")
    monkeypatch.setenv("FAIRFL_DATA", str(tmp_path / "variable"))
    assert len(load("mnist", download=False).x) == 4
    with pytest.raises(DataError, match="argument.*missing"):
        load("mnist", tmp_path / "argument", download=False)
    monkeypatch.delenv("FAIRFL_DATA")
    assert datasets.data_root().name == "fairfl" and Path.home() in datasets.data_root().parents


# ----------------------------------------------------------------------------------------- MNIST, downloading


def test_download_then_offline(server, tmp_path, monkeypatch):
    first = load("mnist", tmp_path / "new")
    assert files(tmp_path) == {f"new/MNIST/raw/{name}" for name in NAMES}
    mirror(monkeypatch, 9, {})
    assert torch.equal(load("mnist", tmp_path / "new").x, first.x)


def test_only_what_is_missing_is_added(server, tmp_path):
    write(tmp_path, NAMES[:2])
    before = (raw(tmp_path) / NAMES[0]).stat()
    assert load("mnist", tmp_path).test_y.tolist() == [9, 0]
    after = (raw(tmp_path) / NAMES[0]).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert files(tmp_path) == {f"MNIST/raw/{name}" for name in NAMES}


def test_a_damaged_file_is_never_overwritten(server, tmp_path):
    write(tmp_path, NAMES[:2])
    (raw(tmp_path) / NAMES[1]).write_bytes(b"mine")
    with pytest.raises(DataError, match=NAMES[1]):
        load("mnist", tmp_path)
    assert (raw(tmp_path) / NAMES[1]).read_bytes() == b"mine"


@pytest.mark.parametrize("name", [NAMES[0], NAMES[3]])
@pytest.mark.parametrize("fault", ["not found", "cut off", "other content", "half, as if whole"])
def test_faulty_download_leaves_nothing_behind(server, tmp_path, name, fault):
    url = f"/{name}.gz"
    _, length, content = server[url]
    server[url] = {
        "not found": (404, 0, b""),
        "cut off": (200, length, content[: length // 2]),
        "other content": (200, 13, b"<html></html>"),
        "half, as if whole": (200, length // 2, content[: length // 2]),
    }[fault]
    with pytest.raises(DataError, match=f"{NAMES[0]} is missing and MNIST could not be downloaded; .*FAIRFL"):
        load("mnist", tmp_path)
    assert files(tmp_path) == set()
    server[url] = (200, length, content)
    assert load("mnist", tmp_path).y.tolist() == [3, 1, 4, 1]


def test_verified_even_if_torchvision_is_content(server, tmp_path, monkeypatch):
    changed = {**datasets.MNIST_SHA256, NAMES[2]: "0" * 64}
    monkeypatch.setattr(datasets, "MNIST_SHA256", changed)
    with pytest.raises(DataError, match=f"{NAMES[2]} is damaged"):
        load("mnist", tmp_path)
    assert f"MNIST/raw/{NAMES[2]}" not in files(tmp_path)


def test_no_network(tiny, tmp_path):
    with pytest.raises(DataError) as caught:
        load("mnist", tmp_path)
    message = str(caught.value)
    for part in (str(raw(tmp_path) / NAMES[0]), "network connection", "refused", "FAIRFL_DATA", *NAMES):
        assert part in message
    assert files(tmp_path) == set()


# ------------------------------------------------------------------------------------------------ permissions


@pytest.fixture
def forbidding():
    """A folder that this process, even if it is root's, may not change or, where a test says so, read."""
    folder = Path(tempfile.mkdtemp())
    user = os.geteuid()
    yield folder
    os.seteuid(user)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    subprocess.run(["rm", "-r", str(folder)], check=True)


def restrict(path: Path, mode: int) -> None:
    path.chmod(mode)
    if os.geteuid() == 0:
        os.seteuid(65534)


@pytest.mark.skipif(sys.platform == "win32", reason="file modes of POSIX")
class TestPermissions:
    def test_read_only_root_with_the_files_is_fine(self, tiny, forbidding):
        write(forbidding)
        restrict(forbidding, 0o555)
        assert len(load("mnist", forbidding).x) == 4

    def test_read_only_root_without_files(self, server, forbidding):
        restrict(forbidding, 0o555)
        with pytest.raises(DataError, match=f"{NAMES[0]} is missing .* not writable .*choose another folder"):
            load("mnist", forbidding)

    def test_read_only_folder_of_the_files(self, server, forbidding):
        write(forbidding, NAMES[:3])
        forbidding.chmod(0o777)
        restrict(raw(forbidding), 0o555)
        with pytest.raises(DataError, match=f"{NAMES[3]} is missing .*Permission denied"):
            load("mnist", forbidding)
        assert files(forbidding) == {f"MNIST/raw/{name}" for name in NAMES[:3]}

    def test_unreadable_file(self, tiny, forbidding):
        write(forbidding)
        forbidding.chmod(0o755)
        restrict(raw(forbidding) / NAMES[2], 0o000)
        with pytest.raises(DataError, match=f"{NAMES[2]} cannot be read .*Permission denied"):
            load("mnist", forbidding)

    def test_folder_that_may_not_be_searched(self, tiny, forbidding):
        write(forbidding)
        forbidding.chmod(0o755)
        restrict(raw(forbidding), 0o000)
        with pytest.raises(DataError, match=f"{NAMES[0]} cannot be read .*Permission denied"):
            load("mnist", forbidding)


def test_root_below_a_file(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="not writable"):
        load("mnist", tmp_path / "file" / "data")


# ------------------------------------------------------------------------------------------------- real MNIST


def test_real_mnist():
    root = datasets.data_root()
    if not (raw(root) / NAMES[0]).exists():
        pytest.skip(f"no MNIST in {root}: set FAIRFL_DATA to a folder that holds MNIST/raw")
    data = load("mnist", download=False)
    assert data.x.shape == (60_000, 1, 28, 28) and data.test_x.shape == (10_000, 1, 28, 28)
    assert abs(data.x.double().mean()) < 1e-6 and abs(data.x.double().std() - 1) < 1e-6
    assert data.y.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert data.test_y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    reference = torchvision.datasets.MNIST(root, train=False)
    grey = data.test_x * (255 / (data.x.max() - data.x.min()))
    assert torch.equal((grey - grey.min()).round().byte()[:, 0], reference.data)
    assert torch.equal(data.test_y, reference.targets)
