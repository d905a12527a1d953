"""Verifying and fetching: archives of the test's own from a server of its own, and all
that can go wrong."""

import gzip
import hashlib
import io
import multiprocessing
import os
import resource
import subprocess
import tarfile
import tempfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fairfl.datasets import DataError, MissingData, fetching
from fairfl.datasets.fetching import Archive, provide

FILES = {"folder/a.txt": b"first\x85" * 3000, "folder/b.txt": b"second" * 3000}
PINS = {name: f"sha256:{hashlib.sha256(content).hexdigest()}"
        for name, content in FILES.items()}
A, B = FILES


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Server:
    """Serves what `served` says: path -> (status, bytes announced, bytes sent)."""

    def __init__(self, port):
        self.address, self.served, self.asked = f"http://127.0.0.1:{port}", {}, []

    def put(self, path: str, content: bytes) -> str:
        self.served[path] = (200, len(content), content)
        return f"{self.address}{path}"


@pytest.fixture
def server(monkeypatch):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            here.asked.append(self.path)
            status, announced, content = here.served.get(self.path, (404, 0, b""))
            if status is None:  # never answers
                time.sleep(announced)
                return
            self.send_response(status)
            self.send_header("Content-Length", str(announced))
            if self.path.endswith("gz") and "identity" not in self.headers.get(
                "Accept-Encoding", ""
            ):
                self.send_header("Content-Encoding", "gzip")  # as some servers do
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        here = Server(httpd.server_port)
        threading.Thread(target=httpd.serve_forever, args=[0.01], daemon=True).start()
        yield here
        httpd.shutdown()


def below(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*") if not path.is_dir()}


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


# ----------------------------------------------------------------- files that are there


def test_the_checksum_is_that_of_sha256sum(tmp_path):
    write(tmp_path, FILES)
    listing = subprocess.run(["sha256sum", "a.txt", "b.txt"], cwd=tmp_path / "folder",
                             capture_output=True).stdout
    found = provide([Archive((), PINS)], tmp_path, download=False)
    assert found == (str(tmp_path / "folder"), hashlib.sha256(listing).hexdigest(),
                     True, None)


def test_md5_pins_are_compared_too_and_the_checksum_is_still_sha256(tmp_path):
    write(tmp_path, FILES)
    by_sha = provide([Archive((), PINS)], tmp_path, download=False)
    pins = {name: f"md5:{hashlib.md5(content).hexdigest()}"
            for name, content in FILES.items()}
    assert provide([Archive((), pins)], tmp_path, download=False) == by_sha
    (tmp_path / B).write_bytes(b"second")
    with pytest.raises(DataError, match="b.txt is damaged or incomplete .md5"):
        provide([Archive((), pins)], tmp_path, download=False)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [lambda c: c[:-1] + b"!", lambda c: c[:-1],
                                    lambda c: b"", lambda c: c + b"0"])
def test_damaged_file(tmp_path, name, damage):
    write(tmp_path, FILES | {name: damage(FILES[name])})
    with pytest.raises(
        DataError, match=f"{name} is damaged or incomplete .*; delete it and load again"
    ) as caught:
        provide([Archive((), PINS)], tmp_path, download=True)
    assert not isinstance(caught.value, MissingData)


def test_missing_file(tmp_path):
    write(tmp_path, {A: FILES[A]})
    message = "b.txt is missing; load with download=True, or put a.txt, b.txt .*FAIRFL"
    with pytest.raises(MissingData, match=message):
        provide([Archive((), PINS)], tmp_path, download=False)


def test_folder_in_place_of_a_file(tmp_path):
    (tmp_path / A).mkdir(parents=True)
    with pytest.raises(DataError, match="a.txt cannot be read .*directory"):
        provide([Archive((), PINS)], tmp_path, download=True)


# ----------------------------------------------------------------------------- fetching


@pytest.fixture(params=["tar.gz", "zip"])
def archive(request, server):
    """One archive in two places."""
    pack = tar if request.param == "tar.gz" else zipped
    content = pack(FILES | {"README": b"not wanted"})
    return Archive(tuple(server.put(f"/{place}.{request.param}", content)
                         for place in "12"), PINS)


def test_fetch_then_offline(server, archive, tmp_path):
    found = provide([archive], tmp_path / "new", download=True)
    assert below(tmp_path / "new") == FILES  # and not the README
    assert len(server.asked) == 1
    assert provide([archive], tmp_path / "new", download=True) == found
    assert len(server.asked) == 1


def test_what_arrives_is_on_the_disk_where_it_will_stay(archive, tmp_path, monkeypatch):
    """Else taking its place would be a copy, which can stop half way."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    provide([archive], tmp_path, download=True)
    assert below(tmp_path) == FILES


def test_one_file_packed_by_itself(server, tmp_path):
    archives = [Archive((server.put(f"/{name}.gz", gzip.compress(FILES[name])),),
                        {name: PINS[name]}) for name in FILES]
    provide(archives, tmp_path, download=True)
    assert below(tmp_path) == FILES


def test_only_what_is_missing_is_added(archive, tmp_path):
    write(tmp_path, {A: FILES[A]})
    before = (tmp_path / A).stat()
    provide([archive], tmp_path, download=True)
    after = (tmp_path / A).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert below(tmp_path) == FILES


def test_a_damaged_file_is_never_overwritten(server, archive, tmp_path):
    write(tmp_path, {B: b"mine"})
    with pytest.raises(DataError, match="b.txt is damaged"):
        provide([archive], tmp_path, download=True)
    assert below(tmp_path) == {B: b"mine"} and not server.asked


def fault(kind: str, content: bytes, form: str) -> tuple:
    half = content[: len(content) // 2]
    pack = tar if form == "tar.gz" else zipped
    return {
        "not found": (404, 0, b""),
        "out of order": (503, 0, b""),
        "cut off": (200, len(content), half),
        "half, as if whole": (200, len(half), half),
        "a page": (200, 13, b"<html></html>"),
        "nothing": (200, 0, b""),
        "another version": (200, len(other := pack(FILES | {B: b"other"})), other),
        "a file less": (200, len(other := pack({A: FILES[A]})), other),
        "a folder for a file": (200, len(other := folder_entry(form)), other),
    }[kind]


def folder_entry(form: str) -> bytes:
    if form == "zip":
        return zipped({A: FILES[A], f"{B}/": b""})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in FILES:
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
    return buffer.getvalue()


FAULTS = ["not found", "out of order", "cut off", "half, as if whole", "a page",
          "nothing", "another version",
          "a file less", "a folder for a file"]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_faulty_source_leaves_nothing_behind_and_the_next_one_serves(
    server, archive, tmp_path, kind
):
    form = archive.urls[0].split(".", 4)[-1]
    paths = list(server.served)
    whole = server.served[paths[1]]
    for path in paths:
        server.served[path] = fault(kind, whole[2], form)
    with pytest.raises(DataError) as caught:
        provide([archive], tmp_path, download=True)
    message = str(caught.value)
    for part in (f"{tmp_path / A} is missing and could not be downloaded",
                 "network connection", "a.txt, b.txt",
                 "FAIRFL_DATA", *archive.urls):
        assert part in message
    assert list(tmp_path.rglob("*")) == []
    server.served[paths[1]] = whole
    provide([archive], tmp_path, download=True)
    assert below(tmp_path) == FILES


def test_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    nowhere = Archive(("http://127.0.0.1:9/a.zip", "http://name.invalid/a.zip"), PINS)
    message = "could not be downloaded.*127.0.0.1:9/a.zip: .*refused.*name.invalid"
    with pytest.raises(DataError, match=message):
        provide([nowhere], tmp_path, download=True)
    assert list(tmp_path.rglob("*")) == []


def test_a_source_that_never_answers_is_given_up(
    server, archive, tmp_path, monkeypatch
):
    monkeypatch.setattr(fetching, "TIMEOUT", 0.2)
    server.served[list(server.served)[0]] = (None, 3, b"")
    begin = time.monotonic()
    provide([archive], tmp_path, download=True)
    assert time.monotonic() - begin < 2 and below(tmp_path) == FILES


# --------------------------------------------------------------- a machine that refuses


def child(archive, root, prepare) -> str:
    """What a process of its own, `prepare`d so, says: "fine", or why it fails."""
    import requests  # noqa: F401  before another user cannot read the packages any more

    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)

    def work():
        prepare()
        try:
            provide([archive], root, download=True)
            theirs.send("fine")
        except BaseException as error:
            theirs.send(f"{type(error).__name__}: {error}")

    process = fork.Process(target=work)
    process.start()
    process.join(20)
    assert process.exitcode == 0 and ours.poll()
    return ours.recv()


def other_user() -> None:
    """Give up root's powers, if there are any: they would open every door."""
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


@pytest.mark.parametrize("limit", [100, 2000])  # while downloading, while unpacking
def test_disk_full(server, tmp_path, limit):
    content = tar(FILES)
    assert 100 < len(content) < 2000 < len(FILES[A])
    archive = Archive((server.put("/1.tar.gz", content),), PINS)
    write(tmp_path, {"mine": b"mine"})
    size = resource.RLIMIT_FSIZE, (limit, limit)
    message = child(archive, tmp_path, lambda: resource.setrlimit(*size))
    assert f"DataError: {tmp_path / A} is missing and cannot be written" in message
    assert "File too large" in message
    assert "free space" in message and "FAIRFL_DATA" in message
    assert below(tmp_path) == {"mine": b"mine"}


@pytest.fixture
def outside():
    """A folder that another user can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in Path(name).rglob("*"):
            path.chmod(0o755)


def test_no_permission_to_write(archive, outside):
    outside.chmod(0o555)
    message = child(archive, outside, other_user)
    assert f"DataError: {outside / A} is missing and cannot be written" in message
    assert "Permission denied" in message
    outside.chmod(0o755)
    assert below(outside) == {}


def test_no_permission_to_write_where_the_files_belong(archive, outside):
    write(outside, {A: FILES[A]})
    outside.chmod(0o777)
    (outside / "folder").chmod(0o555)
    message = child(archive, outside, other_user)
    assert f"DataError: {outside / B} is missing and cannot be written" in message
    assert "Permission denied" in message
    assert below(outside) == {A: FILES[A]}


def test_no_permission_to_read(archive, outside):
    write(outside, FILES)
    (outside / B).chmod(0)
    message = child(archive, outside, other_user)
    assert f"DataError: {outside / B} cannot be read" in message
    (outside / "folder").chmod(0)
    message = child(archive, outside, other_user)
    assert f"DataError: {outside / A} cannot be read" in message


def test_permission_to_read_is_enough(outside):
    write(outside, FILES)
    (outside / "folder").chmod(0o555)
    outside.chmod(0o555)
    assert child(Archive((), PINS), outside, other_user) == "fine"


def test_root_below_a_file(archive, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="a.txt is missing and cannot be written"):
        provide([archive], tmp_path / "file" / "data", download=True)
