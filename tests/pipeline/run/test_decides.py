"""Another file under the same name is another fingerprint, of every key that names one."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import weft.schemas.config as configuration
from weft.pipeline.run import decides, inputs, manifest, registry
from weft.pipeline.run.context import Context
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError, Place
from weft.transforms.dedup import index
from weft.transforms.extract import own_filters
from weft.transforms.io import files
from weft.transforms.io.streams import ENDS

SHIPPED = Path(__file__).parents[3] / "configs/tiny_clip"


def first_changed(overrides: list[str], change) -> str:
    config = configuration.load(overrides=overrides)
    before = registry.fingerprints(config, [("a", 1)])
    assert registry.fingerprints(config, [("a", 1)]) == before
    change()
    after = registry.fingerprints(config, [("a", 1)])
    return next((name for name in before if before[name] != after[name]), "")


NAMED = {  # key → the stage that it decides, and what is written before the path
    "exclude": ("extract", ""),
    "extract.bad_words": ("extract", ""),
    "extract.language_model": ("extract", ""),
    "extract.language_rules": ("extract", ""),
    "extract.quality_models": ("extract", ""),
    "dedup.evaluation": ("dedup", ""),
    "fetch.exclude": ("fetch", ""),
    "fetch.svg_fonts": ("fetch", ""),
    "score.model": ("score", "local-dir:"),
    "score.pretrained": ("score", "openai="),
    "score.also": ("score", "local-dir:"),
    "score.unsafe_head": ("score", ""),
    "score.aesthetic_head": ("score", ""),
    "score.watermark_head": ("score", ""),
    "score.evaluation_embeddings": ("score", ""),
    "pack.tokenizer": ("pack", ""),
    "pack.evaluation_images": ("pack", ""),
    "pack.instructions": ("pack", ""),
    "train.vision": ("train", "local-dir:"),
    "train.vision_pretrained": ("train", "openai="),
}
OTHERWISE = {"extract.common_crawl", "dedup.index", "fetch.earlier", "train.stems"}  # input; runs; a cache


def test_each_key_that_names_a_place_is_known_to_decide_or_not() -> None:
    places = {
        key for key, kind in configuration.strings()
        if any(isinstance(one, Place) for one in getattr(kind, "__metadata__", ()))
    }  # fmt: skip
    assert places == NAMED.keys() | OTHERWISE


def naming(key: str, path: Path) -> list[str]:
    """The override that names a path by a key."""
    value: Any = Config()
    for part in key.split("."):
        value = getattr(value, part)
    named = f"{NAMED[key][1]}{path}"
    if isinstance(value, dict):
        return [f"{key}.name={json.dumps(named)}"]
    return [f"{key}={json.dumps([named] if isinstance(value, tuple) else named)}"]


@pytest.mark.parametrize("key", NAMED)
def test_contents_of_what_a_key_names_decide_its_stage(tmp_path: Path, key: str) -> None:
    folder = NAMED[key][1] == "local-dir:" or key == "pack.evaluation_images"
    path = tmp_path / "named" / ("en" if key == "extract.bad_words" else "x.test")
    path.parent.mkdir()
    path.write_text("one.test")

    def change() -> None:
        path.write_text("two.test")

    assert first_changed(naming(key, path.parent if folder else path), change) == NAMED[key][0]


@pytest.mark.parametrize("key", [key for key, (_, before) in NAMED.items() if not before])
def test_what_is_not_there_is_told_before_anything_runs(tmp_path: Path, key: str) -> None:
    config = configuration.load(overrides=["score.compare=always", *naming(key, tmp_path / "none")])
    with pytest.raises((ConfigError, FileNotFoundError), match="none"):
        registry.fingerprints(config, [("a", 1)])
        registry.BY_NAME[NAMED[key][0]].check(Context(str(tmp_path), (), config, ""))


def test_a_model_s_folder_and_an_earlier_run_count_too(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "clip")
    note = tmp_path / "clip/README.md"
    overrides = [f'score.model="local-dir:{tmp_path / "clip"}"']
    assert first_changed(overrides, lambda: note.write_text("other")) == "score"
    overrides = [f'train.vision="local-dir:{tmp_path / "clip"}"']
    assert first_changed(overrides, lambda: note.write_text("another")) == "train"
    manifest.write(str(tmp_path), "fetch", {"fingerprint": "a", "files": {"sha256": "1"}})
    again = lambda: manifest.write(str(tmp_path), "fetch", {"fingerprint": "a", "files": {"sha256": "2"}})  # noqa: E731
    assert first_changed([f'fetch.earlier=["{tmp_path}"]'], again) == "fetch"


def test_the_source_of_a_filter_decides_extract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "rules_that_decide.py"
    source.write_text("def judge(row): return None")
    monkeypatch.syspath_prepend(str(tmp_path))

    def change() -> None:
        source.write_text("def judge(row): return 'another'")
        own_filters.load.cache_clear()  # another process would read it anew

    for stage, key in itertools.product(("extract", "pack"), ("filters", "pair_filters")):
        assert first_changed([f'{stage}.{key}=["rules_that_decide:judge"]'], change) == stage
        source.write_text("def judge(row): return None")
        own_filters.load.cache_clear()


def test_another_archive_of_the_same_name_and_size_is_another_input(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(b"a" * 200_000)
    before = inputs.marked(inputs.expand([str(path)]))
    path.write_bytes(b"a" * 199_999 + b"b")
    after = inputs.marked(inputs.expand([str(path)]))
    assert [one[:2] for one in before] == [one[:2] for one in after] and before != after
    assert inputs.marked([("https://a.test/x.warc.gz", 0)]) == [("https://a.test/x.warc.gz", 0, "")]


def test_vectors_are_others_by_another_model_or_another_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    one = decides.vectors(configuration.load())
    assert decides.vectors(configuration.load(overrides=["score.near_images=0.9"])) == one
    assert decides.vectors(configuration.load(overrides=["score.batch_size=3"])) != one
    monkeypatch.setattr(manifest, "versions", lambda: {"torch": "9.9"})
    assert decides.vectors(configuration.load()) != one


def test_a_run_without_a_place_in_the_index_is_compared_with_what_it_was_the_first_time(tmp_path: Path) -> None:
    where, output, found = str(tmp_path / "index"), str(tmp_path / "out"), [("a", 1)]
    config = configuration.load(overrides=[f"dedup.index={where}"])
    index.publish(where, "one", {"parts": [], "against": []})
    manifest.write_run(output, config, found, decides.against(config, ["a"], output))
    before = registry.fingerprints(config, found, output)
    index.publish(where, "two", {"parts": [], "against": ["one"]})
    assert registry.fingerprints(config, found, output) == before != registry.fingerprints(config, found)
    assert decides.against(config, ["a"], output) == ["one"]
    manifest.write_run(output, config, found, decides.against(config, ["a"], output))  # as each later command does
    assert decides.against(config, ["a"], output) == ["one"]
    # Other input, and another index, have no first time.
    assert decides.against(config, ["b"], output) == ["one", "two"]
    elsewhere = configuration.load(overrides=[f"dedup.index={where}2"])
    assert decides.against(elsewhere, ["a"], output) == []
    index.publish(where, "one", {"parts": ["again"], "against": []})
    assert registry.fingerprints(config, found, output) != before  # what it was compared with is no more


def test_images_that_come_later_make_what_was_made_without_them_due_and_failures_nothing(tmp_path: Path) -> None:
    output, config = str(tmp_path), configuration.load()

    def prints(*images: str, asked: int = 0) -> dict[str, str]:
        rows = {"image_url": ["x", *images], "image_id": ["", *images], "status": ["http_error", *["ok"] * len(images)]}
        (tmp_path / "images" / "index").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(rows), tmp_path / "images" / "index" / "a.parquet")
        manifest.write(output, "fetch", {"fingerprint": "f", "files": {"sha256": f"{images}{asked}"}})
        return registry.fingerprints(config, [("a", 1)], output)

    decides.remember_images(output)  # nothing is fetched
    before = prints("1", "2")
    decides.remember_images(output)
    assert prints("1", "2") == prints("2", "1") == prints("1", "2", asked=1) == before
    more = prints("1", "2", "3")
    decides.remember_images(output)  # opened again, for the rest
    assert {name for name in before if more[name] != before[name]} == {"score", "pack", "train", "eval"}
    assert prints("1", "2", "4") != more == prints("1", "2", "3") != prints("1", "3") != before


def test_a_large_file_of_instructions_is_told_by_its_size_and_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / "a.jsonl", []
    config = configuration.load(overrides=[f'pack.instructions=["{path}"]'])
    kept, whole = ENDS, files.contents
    monkeypatch.setattr(decides, "READ_WHOLE", 3 * kept)
    monkeypatch.setattr(files, "contents", lambda one: read.append(one) or whole(one))

    def of(text: str) -> list[str]:
        path.write_text(text)
        return list(decides.pack(config)["instructions"])

    small, large = "x" * 3 * kept, "x" * 4 * kept
    assert of(small) == [whole(str(path))] and read.pop() == str(path)
    found = [of(large), of(f"y{large[1:]}"), of(f"{large[1:]}y"), of(f"{large}x")]
    assert len({*map(tuple, found)}) == 4 and of(large) == found[0] and str(path) not in read
