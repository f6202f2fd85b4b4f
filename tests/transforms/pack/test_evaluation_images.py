"""Evaluation images: what is read from which paths, what counts as a copy, and what is said of a bad path."""

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from weft.schemas.config import Fetch
from weft.schemas.parameters import ConfigError
from weft.transforms.fetch.decode import Prepared, prepare
from weft.transforms.fetch.looks import dull
from weft.transforms.io import files
from weft.transforms.pack.evaluation_images import Known, load

LOOK = "f0f0aa5500ff1234"
SIDE = Fetch().max_side


def scene(seed: int, width: int = 300, height: int = 200) -> Image.Image:
    """Soft blots, as unlike each other as photographs are."""
    blots = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    return Image.fromarray(blots).resize((width, height), Image.Resampling.BICUBIC)


def gradient(first: int, last: int) -> Image.Image:
    row = np.linspace(first, last, 200).astype(np.uint8)
    return Image.fromarray(np.tile(row, (150, 1)))


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def fetched(data: bytes, max_side: int = SIDE) -> Prepared:
    made = prepare(data, Fetch(max_side=max_side))
    assert isinstance(made, Prepared), made
    return made


def find(known: Known, data: bytes, distance: int = 4) -> str:
    made = fetched(data)
    return known.find(made.image_id, made.phash, made.single_colour, distance)


def flipped(phash: str, bits: int) -> str:
    return f"{int(phash, 16) ^ ((1 << bits) - 1):016x}"


def test_a_copy_is_found_by_its_bytes_and_a_smaller_recompressed_one_by_its_look(tmp_path):
    (tmp_path / "a.png").write_bytes(saved(scene(1)))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/b.JPG").write_bytes(saved(scene(2), "JPEG"))
    known = load((str(tmp_path),), SIDE)
    assert find(known, saved(scene(1)), 0) == f"{tmp_path}/a.png"
    assert find(known, saved(scene(2, 180, 120), "JPEG", quality=60)) == f"{tmp_path}/deep/b.JPG"
    assert find(known, saved(scene(3)), 8) == ""


@pytest.mark.parametrize(("bits", "distance", "found"), [(0, 0, True), (1, 0, False), (4, 4, True), (5, 4, False)])
def test_a_look_may_differ_in_so_many_bits(tmp_path, bits, distance, found):
    (tmp_path / "l.txt").write_text(LOOK)
    known = load((str(tmp_path / "l.txt"),), SIDE)
    assert known.find("x", flipped(LOOK, bits), False, distance) == (f"{tmp_path}/l.txt:1" if found else "")


def test_the_nearest_is_named_and_equal_bytes_come_before_looks(tmp_path):
    data = saved(scene(1))
    (tmp_path / "l.txt").write_text(f"{flipped(LOOK, 3)}\n{flipped(LOOK, 1)}\n{hashlib.sha256(data).hexdigest()}\n")
    known = load((str(tmp_path / "l.txt"),), SIDE)
    assert known.find("x", LOOK, False, 4).endswith(":2")
    assert known.find(hashlib.sha256(data).hexdigest(), LOOK, False, 4).endswith(":3")


def test_pictures_without_structure_are_found_by_their_bytes_alone(tmp_path):
    flat, fading = saved(Image.new("RGB", (90, 90), (9, 99, 200))), saved(gradient(20, 200))
    (tmp_path / "flat.png").write_bytes(flat)
    (tmp_path / "fading.png").write_bytes(fading)
    (tmp_path / "hashes.txt").write_text("8000000000000000\n0000000000000000\nd500000000000000\n")
    known = load((str(tmp_path),), SIDE)
    assert find(known, flat, 64).endswith("flat.png") and find(known, fading, 64).endswith("fading.png")
    for other in (Image.new("RGB", (90, 90), (10, 99, 200)), gradient(30, 220), gradient(220, 30)):
        assert find(known, saved(other), 4) == ""
    rich = load((_list(tmp_path, fetched(flat).phash, LOOK),), SIDE)
    assert rich.find("x", LOOK, False, 4) and not rich.find("x", LOOK, True, 4)  # fetch calls it one colour


def _list(folder, *hashes):
    path = folder / "more.txt"
    path.write_text("\n".join(hashes))
    return str(path)


def test_both_sides_must_have_structure(tmp_path):
    least, less, more = "5" * 12 + "0" * 4, "5" * 11 + "1000" + "0", "5" * 12 + "1000"  # 24, 23 and 25 bits
    assert [dull(value) for value in (least, less, more)] == [False, True, False]
    known, unknown = load((_list(tmp_path, least),), SIDE), Known({}, np.array([], np.uint64), [])
    assert known.find("x", more, False, 4) and not known.find("x", less, False, 4)
    (tmp_path / "dull.txt").write_text(less)
    assert not load((str(tmp_path / "dull.txt"),), SIDE).find("x", least, False, 4)
    assert unknown.find("x", least, False, 64) == ""


@pytest.mark.parametrize("phash", ["", "0" * 16, "f" * 16, "8" + "0" * 15, "d5" + "0" * 14, "5" * 11 + "0" * 5])
def test_a_hash_of_few_frequencies_is_dull(phash):
    assert dull(phash)


def test_hashes_of_scenes_are_not_dull_and_those_of_gradients_are():
    assert not any(dull(fetched(saved(scene(seed))).phash) for seed in range(50))
    for n in range(50):
        for kind in ("PNG", "JPEG"):
            assert dull(fetched(saved(gradient(n * 5, (n * 77 + 90) % 256), kind)).phash)


def test_no_picture_has_more_bits_set_than_not():
    looks = [fetched(saved(scene(seed))).phash for seed in range(20)]
    assert {int(look, 16).bit_count() for look in looks} == {32}  # what `dull` takes for granted


def test_a_look_is_that_of_the_picture_as_fetch_stores_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    sizes = {}
    fine = np.random.default_rng(6).integers(0, 256, (40, 60, 3), np.uint8)
    pictures = {"a.jpg": saved(scene(5, 1500, 1000), "JPEG", exif=exif)}
    pictures["b.png"] = saved(Image.fromarray(fine).resize((900, 600)))
    for name, data in pictures.items():
        path = tmp_path / name
        path.write_bytes(data)
        for side in (SIDE, 24):
            sizes[name, side] = load((str(path),), side).hashes.tolist()
            assert sizes[name, side] == [int(fetched(data, side).phash, 16)]
    assert sizes["b.png", SIDE] != sizes["b.png", 24]  # else this shows nothing
    lying = scene(5, 1500, 1000).transpose(Image.Transpose.ROTATE_270)
    assert load((str(tmp_path / "a.jpg"),), SIDE).find("x", fetched(saved(lying)).phash, False, 4)


def test_paths_are_files_directories_and_patterns(tmp_path):
    for n, name in enumerate(("a.png", "b.png", "c[1].png", ".hidden")):
        (tmp_path / name).write_bytes(saved(scene(n)))

    def names(*paths):
        return sorted(name.rsplit("/", 1)[1] for name in load(tuple(map(str, paths)), SIDE).exact.values())

    assert names(tmp_path) == ["a.png", "b.png", "c[1].png"]
    assert names(tmp_path / "[ab].png") == ["a.png", "b.png"]
    assert names(tmp_path / "c[1].png", tmp_path / "a.png", tmp_path / "a.png") == ["a.png", "c[1].png"]


def test_a_list_may_have_empty_lines_capitals_and_a_mark_of_its_order(tmp_path):
    path = tmp_path / "list.TXT"
    path.write_bytes(b"\xef\xbb\xbf" + f"{LOOK.upper()}\r\n\r\n {'AB' * 32} \r\n".encode())
    known = load((str(path),), SIDE)
    assert known.find("x", LOOK, False, 0) == f"{path}:1" and known.find("ab" * 32, "", True, 0) == f"{path}:3"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bad.jpg", b"no image", r"bad\.jpg: not_an_image"),
        ("cut.png", saved(scene(1))[:2000], r"cut\.png: truncated"),
        ("bad.txt", b"0123456789abcdef\nxyz\n", r"bad\.txt:2 is neither a sha256"),
        ("none.txt", b"\n\n", r"none\.txt holds no hash"),
        (None, b"", "no evaluation images at .*nowhere"),
    ],
)
def test_what_a_user_can_mend_is_one_line_that_names_the_file(tmp_path, name, content, said):
    if name:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=said) as error:
        load((str(tmp_path / (name or "nowhere")),), SIDE)
    assert "\n" not in str(error.value)


def test_a_file_that_may_not_be_read_and_a_store_that_nobody_knows(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(saved(scene(1)))

    def refuse(name):
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(files, "read_bytes", refuse)
    with pytest.raises(ConfigError, match=r"a\.png: Permission denied"):
        load((str(path),), SIDE)
    with pytest.raises(ConfigError, match=r"nosuch://x.*: there is no file system"):
        load(("nosuch://x/*.png",), SIDE)
