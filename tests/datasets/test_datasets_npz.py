"""Arrays of one's own."""

import hashlib
import io
import zipfile

import numpy as np
import pytest
import torch

from fairfl.datasets import DataError, MissingData, load, npz

DRAWS = np.random.default_rng(0)
GOOD = {
    "x": DRAWS.normal(size=(6, 2, 3)).astype(np.float32),
    "y": np.array([0, 1, 2, 0, 1, 2]),
    "test_x": DRAWS.normal(size=(3, 2, 3)).astype(np.float32),
    "test_y": np.array([3, 0, 1]),
}


def save(folder, **arrays):
    path = folder / "mine.npz"
    np.savez(path, **{name: array
                      for name, array in (GOOD | arrays).items() if array is not None})
    return path


def test_floats_are_kept(tmp_path):
    path = save(tmp_path)
    data = load(path)
    assert (data.name, data.classes, data.original) == ("mine.npz", 4, False)
    assert data.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert np.array_equal(data.x, GOOD["x"])
    assert np.array_equal(data.test_x, GOOD["test_x"])
    assert data.x.dtype == torch.float32 and data.y.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.test_y.tolist() == [3, 0, 1]
    assert torch.equal(load(str(path)).x, data.x)
    double = {name: GOOD[name].astype(np.float64) for name in ("x", "test_x")}
    assert load(save(tmp_path, **double)).x.dtype == torch.float64


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64"])
def test_labels_of_any_integer_type(tmp_path, kind):
    assert load(save(tmp_path, y=GOOD["y"].astype(kind))).y.dtype == torch.int64


@pytest.mark.parametrize("names", npz.NAMES)
def test_three_ways_to_name_the_arrays(tmp_path, names):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **dict(zip(names, GOOD.values(), strict=True)))
    assert load(path).test_y.tolist() == [3, 0, 1]


def test_images_become_channels_first_and_standardised(tmp_path):
    colour = DRAWS.integers(0, 256, (9, 5, 4, 3), dtype=np.uint8)
    data = load(save(tmp_path, x=colour[:6], test_x=colour[6:]))
    assert data.x.shape == (6, 3, 5, 4) and data.test_x.shape == (3, 3, 5, 4)
    assert data.x.dtype == torch.float32
    mean, std = colour[:6].mean((0, 1, 2)), colour[:6].std((0, 1, 2))
    assert np.allclose(data.test_x.movedim(1, 3), (colour[6:] - mean) / std, atol=1e-6)
    grey = load(save(tmp_path, x=colour[:6, :, :, 1], test_x=colour[6:, :, :, 1]))
    assert torch.equal(grey.test_x, data.test_x[:, 1:2])


def test_word_numbers(tmp_path):
    words = DRAWS.integers(0, 50, (9, 7))
    data = load(save(tmp_path, x=words[:6], test_x=words[6:].astype(words.dtype)))
    assert data.x.dtype == torch.int64 and np.array_equal(data.x, words[:6])


def nan(array):
    changed = array.copy()
    changed.flat[0] = np.nan
    return changed


IMAGES = np.zeros((6, 4, 4, 3), np.uint8)
X, Y, TEST_X, TEST_Y = GOOD.values()
WRONG = {
    "missing: test_y": {"test_y": None},
    "array x, float32 of shape (6, 2, 3), must have the shape (n, ...), without NaN":
        {"x": nan(X)},
    "array test_x, float32 of shape (3, 2, 3), must have the shape (n, ...), without":
        {"test_x": nan(TEST_X)},
    "array y, int64 of shape (5,), must have as many entries as x has, 6": {"y": Y[:5]},
    "array test_y, int64 of shape (2,), must have as many entries as test_x has, 3":
        {"test_y": TEST_Y[:2]},
    "array y, int64 of shape (6,), holds negative labels": {"y": Y - 1},
    "array y, int64 of shape (6,), holds the label 4; y and test_y hold 4":
        {"y": Y + 2, "test_y": Y[:3] + 1},
    "array test_y, int64 of shape (3,), holds the label 4; y and test_y hold 4":
        {"test_y": TEST_Y + (TEST_Y == 3)},
    "array test_y, int64 of shape (3,), holds the label 1000000000; y and test_y hold":
        {"test_y": np.array([10**9, 0, 1])},
    "array y, uint64 of shape (6,), holds the label 9223372036854775810; y and test_y":
        {"y": Y.astype(np.uint64) + np.uint64(2**63)},
    "array test_y, float64 of shape (3,), must be integers": {"test_y": TEST_Y * 1.0},
    "array y, int64 of shape (6, 1), must be integers of shape (n,)": {"y": Y[:, None]},
    "array y, bool of shape (6,), must be integers": {"y": Y > 0},
    "array x, float32 of shape (0, 2, 3), is empty": {"x": X[:0]},
    "array x, float32 of shape (6,), must have the shape (n, ...)": {"x": X[:, 0, 0]},
    "array test_x, float32 of shape (3, 2, 2), must be like x, float32 of shape (n, 2":
        {"test_x": TEST_X[:, :, :2]},
    "array test_x, float64 of shape (3, 2, 3), must be like x, float32":
        {"test_x": TEST_X.astype(float)},
    "array x, complex64 of shape (6, 2, 3), must be uint8 images":
        {"x": X.astype(np.complex64)},
    "array x, uint8 of shape (6, 4), must be images of": {"x": IMAGES[:, :, 0, 0]},
    "array x, uint8 of shape (6, 3, 4, 5), must be images of shape":
        {"x": np.zeros((6, 3, 4, 5), np.uint8)},
    "array x, int64 of shape (6, 2, 3), must be word": {"x": X.astype(np.int64)},
    "array x, int64 of shape (6, 2), must be word numbers (n, L) from 0 to 2^31 - 1":
        {"x": np.full((6, 2), -1)},
    "array x, uint64 of shape (6, 2), must be word numbers (n, L) from 0 to 2^31 - 1":
        {"x": np.full((6, 2), 2**63, np.uint64)},
    "array x cannot be read: Object arrays":
        {"x": np.array([[1], "a"] * 3, dtype=object)},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_arrays(tmp_path, message):
    path = save(tmp_path, **WRONG[message])
    with pytest.raises(DataError) as caught:
        load(path)
    assert message in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("shape", [(10**9, 1000), (10**9,), (10**22,), (2**32, 2**32)])
@pytest.mark.parametrize("name", GOOD)
def test_a_header_that_claims_more_than_there_is(tmp_path, name, shape):
    """Whatever NumPy says of it: no memory, no such number, or no more data."""
    path = save(tmp_path)
    with zipfile.ZipFile(path) as file:
        content = {member: file.read(member) for member in file.namelist()}
    array = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(array, header)
    content[f"{name}.npy"] = array.getvalue() + bytes(100)
    with zipfile.ZipFile(path, "w") as file:
        for member, data in content.items():
            file.writestr(member, data)
    with pytest.raises(DataError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: array {name} cannot be read: ")


def test_an_encrypted_file(tmp_path):
    path = save(tmp_path)
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(mark)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(mark, place + 4)
    path.write_bytes(content)
    with pytest.raises(DataError, match="mine.npz is damaged .* encrypted"):
        load(path)


def test_other_names_are_listed(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, data=GOOD["x"], target=GOOD["y"])
    with pytest.raises(DataError,
                       match="x, y, test_x, test_y, or x_train, .*, or train_images, .*"
                                        "missing: all of them .it holds data, target"):
        load(path)


def test_missing_file(tmp_path):
    with pytest.raises(MissingData, match="mine.npz is missing"):
        load(tmp_path / "mine.npz")


@pytest.mark.parametrize("damage",
                         ["cut", "flipped", "empty", "text", "npy", "pickle", "folder"])
def test_damaged_file(tmp_path, damage):
    path = save(tmp_path)
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        place = whole.index(GOOD["x"].tobytes()[:8])
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
    elif damage == "npy":
        with path.open("wb") as file:
            np.save(file, GOOD["x"])
    elif damage == "pickle":
        path.write_bytes(b"\x80\x04K\x01.")
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(b"" if damage == "empty" else b"hello")
    with pytest.raises(DataError, match="mine.npz is damaged or not a file .npz"):
        load(path)
