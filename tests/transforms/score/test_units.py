"""A blob is embedded once, whatever stands in the way of its job; what another configuration made is made again."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from PIL import Image

from weft.pipeline.runners import beam_options
from weft.schemas.config import Score
from weft.transforms.score import clip, units
from weft.transforms.score.units import EmbedBlobs, EmbedTextUnits
from weft.transforms.score.vector_files import read_vectors
from weft.transforms.score.vectors import ImageRef, TextRef

CONFIG = Score(device="cpu", batch_size=4)


def planted(home: Path) -> list[ImageRef]:
    refs = []
    for blob in "ab":
        with (home / f"{blob}.bin").open("wb") as stream:
            for n in range(6):
                out, start = io.BytesIO(), stream.tell()
                Image.new("RGB", (40, 30), (40 * n, 255 - 40 * n, 60 * (blob == "b"))).save(out, "PNG")
                stream.write(out.getvalue())
                refs.append(ImageRef(f"{blob}{n}", str(home / f"{blob}.bin"), start, len(out.getvalue())))
    return refs


def embed(home: Path, refs: list[ImageRef], fingerprint: str = "f", standing: tuple[str, ...] = ()) -> None:
    with beam_options.pipeline((), 1) as p:
        _ = p | beam.Create(refs) | EmbedBlobs(CONFIG, str(home), "vectors", fingerprint, standing=standing)


def test_a_blob_is_a_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = planted(tmp_path)
    embed(tmp_path, refs[::-1] + refs)
    model = clip.load(CONFIG)
    for blob, mine in (("a", refs[:6]), ("b", refs[6:])):
        found = list(read_vectors(str(tmp_path / f"vectors/{blob}.parquet"), False))
        assert found == list(clip.ImageHandler(CONFIG).run_inference(mine, model))
    assert sorted(path.name for path in (tmp_path / "score/units").iterdir()) == ["a.json", "b.json"]
    seen: list[bytes] = []
    opened = clip._opened
    monkeypatch.setattr(clip, "_opened", lambda data, models: seen.append(data) or opened(data, models))
    embed(tmp_path, refs)
    assert not seen
    (tmp_path / "score/units/a.json").unlink()
    embed(tmp_path, refs)
    assert len(seen) == 6
    embed(tmp_path, refs[:-1])
    assert len(seen) == 6 + 5, "another wish list of b"
    embed(tmp_path, refs[:-1], "another configuration")
    assert len(seen) == 6 + 5 + 11


def test_another_outputs_unit_of_the_same_members_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after, fresh = (tmp_path / name for name in ("before", "after", "fresh"))
    for home in (before, after, fresh):
        home.mkdir()
    embed(before, planted(before))
    wanted, same = ([*refs[:6], *refs[7:]] for refs in (planted(after), planted(fresh)))  # b without its first
    embed(fresh, same)
    seen: list[bytes] = []
    opened = clip._opened
    monkeypatch.setattr(clip, "_opened", lambda data, models: seen.append(data) or opened(data, models))
    monkeypatch.setattr(clip.ImageHandler, "load_model", None)  # no model is loaded where nothing is to be made
    embed(after, wanted, standing=(str(tmp_path / "nothing"), str(before)))
    monkeypatch.undo()
    assert not seen, "a is copied, and of b what is left"
    for name in ("vectors/a.parquet", "vectors/b.parquet", "score/units/a.json", "score/units/b.json"):
        assert (after / name).read_bytes() == (fresh / name).read_bytes(), name
    monkeypatch.setattr(clip, "_opened", lambda data, models: seen.append(data) or opened(data, models))
    (after / "score/units/b.json").unlink()
    embed(after, planted(after), standing=(str(before),))
    assert not seen, "what comes back stands too"
    (before / "vectors/a.parquet").write_bytes(b"rotten")
    (after / "score/units/a.json").unlink()
    embed(after, wanted, standing=(str(before),))
    assert (after / "vectors/a.parquet").read_bytes() == (fresh / "vectors/a.parquet").read_bytes()


def test_vectors_of_a_blob_are_found_in_those_that_its_images_lay_in(tmp_path: Path) -> None:
    for name in ("http-a.test-000-ff", "http-a.test-001-00", "http-a.test-002-77", "http-a.test-1-000-ff", "http-a"):
        (tmp_path / f"{name}.parquet").touch()
    assert units._kin(str(tmp_path), "http-a.test-001-33") == [
        "http-a.test-001-00", "http-a.test-002-77", "http-a.test-000-ff"
    ]  # fmt: skip


def test_vectors_that_hang_on_their_company_are_never_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for home in (before, after):
        home.mkdir()
    encode = clip.ImageHandler._encode

    def by_place(self: clip.ImageHandler, model: clip.Clip, rows: Any) -> Any:
        found = encode(self, model, rows).clone()
        found[1::2] *= 1 + 1e-6
        return found

    refs = planted(after)
    with monkeypatch.context() as patched:
        patched.setattr(clip.ImageHandler, "_encode", by_place)
        embed(before, planted(before))
    assert "alone" not in (before / "score/units/b.json").read_text()
    embed(after, refs[1:], standing=(str(before),))
    model = clip.load(CONFIG)
    found = list(read_vectors(str(after / "vectors/a.parquet"), False))
    assert found == list(clip.ImageHandler(CONFIG).run_inference(refs[1:6], model))
    assert "alone" in (after / "score/units/a.json").read_text()


def test_where_not_all_vectors_stand_the_rest_is_made_and_only_where_the_place_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = {name: tmp_path / name for name in ("before", "after", "other", "fresh")}
    refs = {name: home.mkdir() or planted(home) for name, home in homes.items()}
    embed(homes["before"], refs["before"][2:])
    seen: list[bytes] = []
    opened = clip._opened
    monkeypatch.setattr(clip, "_opened", lambda data, models: seen.append(data) or opened(data, models))
    embed(homes["after"], refs["after"][1:5], standing=(str(homes["before"]),))
    assert len(seen) == 1
    monkeypatch.setattr(clip.ImageHandler, "stands_alone", lambda *_: False)
    embed(homes["other"], refs["other"][1:5], standing=(str(homes["before"]),))
    assert len(seen) == 1 + 4
    embed(homes["fresh"], refs["fresh"][1:5])
    for name in ("after", "other"):
        assert (homes[name] / "vectors/a.parquet").read_bytes() == (homes["fresh"] / "vectors/a.parquet").read_bytes()


def test_texts_are_units_by_hash(tmp_path: Path) -> None:
    texts = [TextRef(f"t{n}", f"a picture of {n} foxes") for n in range(20)]
    with beam_options.pipeline((), 1) as p:
        _ = p | beam.Create(texts) | EmbedTextUnits(CONFIG, str(tmp_path), "vectors", "f", 3)
    found = [one for path in sorted((tmp_path / "vectors").iterdir()) for one in read_vectors(str(path), False)]
    assert sorted(one.key for one in found) == sorted(text.key for text in texts)
    assert [path.name for path in sorted((tmp_path / "vectors").iterdir())] == [
        f"texts-{n:05d}-of-00003.parquet" for n in range(3)
    ]


def test_what_another_kind_of_device_made_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its vectors are others in their last bits; what "auto" takes is known where the model is."""
    refs, seen, real = planted(tmp_path), list[str](), clip.ImageHandler.run_inference
    model = clip.load(CONFIG)

    def infer(self: clip.ImageHandler, batch: list[ImageRef], on: clip.Clip) -> object:
        seen.append(on.device)
        return real(self, batch, model)

    monkeypatch.setattr(clip.ImageHandler, "run_inference", infer)
    monkeypatch.setattr(clip.ImageHandler, "stands_alone", lambda *_: False)
    for device in ("cpu", "cpu", "cuda", "cuda"):
        monkeypatch.setattr(clip.ImageHandler, "load_model", lambda _, on=device: dataclasses.replace(model, device=on))
        monkeypatch.setattr(units, "device_of", lambda _, on=device: on)
        embed(tmp_path, refs)
    assert seen == ["cpu", "cpu", "cuda", "cuda"], "once for each blob and device"
