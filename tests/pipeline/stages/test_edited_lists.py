"""A list that is edited while a run goes on: no stage takes the other one, by whatever door its workers read it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import power

import weft.schemas.config as configuration
from weft.pipeline.run import inputs, manifest
from weft.pipeline.run.run import Run
from weft.pipeline.stages.extract import extract_file
from weft.schemas.parameters import ConfigError, DuplicateRules, FetchRules, PageRules, Recipe
from weft.transforms.dedup.sketches import Content, sketches
from weft.transforms.extract import exclusions
from weft.transforms.fetch import previous_runs
from weft.transforms.fetch.unit import EARLIER, WARC, WEB, Task, Wanted, fetch_unit
from weft.transforms.io.loaded import told
from weft.transforms.pack import instructions
from weft.transforms.pack.decide import Judge

ONE, OTHER = (hashlib.sha256(name).hexdigest() for name in (b"one", b"other"))
ASKED = json.dumps({"instruction": "Say hello.", "output": "hello"}) + "\n"
EDITED = {  # key → the list's name, what it says, the stage after which it is edited, the one that then is refused
    "exclude": ("list", ONE, OTHER, "extract", "dedup: the run began with another list of what is excluded"),
    "extract.bad_words": ("en", "one", "other", "extract", "dedup: the run began with other bad words"),
    "dedup.evaluation": ("a.txt", "one " * 20, "other " * 20, "extract", "dedup: the run began with other evaluation"),
    "fetch.exclude": ("list", ONE, OTHER, "dedup", "fetch: .*another list of what is excluded from fetch on"),
    "pack.evaluation_images": ("a.txt", ONE, OTHER, "score", "pack: the run began with other evaluation texts or pict"),
    "pack.instructions": ("a.jsonl", ASKED, ASKED * 2, "score", "pack: the run began with other instructions"),
}


@pytest.mark.parametrize("key", EDITED)
def test_the_next_stage_that_it_decides_is_refused_and_goes_on_with_the_old_one(tmp_path: Path, key: str) -> None:
    name, old, new, last, refused = EDITED[key]
    listed, output = tmp_path / name, tmp_path / "out"
    listed.write_text(old)
    config = configuration.load(overrides=(*power.SMALL, f'{key}=["{listed}"]'))
    found = tuple(inputs.marked(inputs.expand([str(power.archive(tmp_path / "a.warc.gz"))])))

    def edit(line: str) -> None:
        if line.startswith(last):
            listed.write_text(new)

    run = Run(str(output), found, config, ("--direct_num_workers=1",), quiet=True, say=edit)
    with pytest.raises(ConfigError, match=f"{refused}.*: put back what was there and run it again, or let --redo"):
        run.go(power.STAGES, lambda: manifest.write_run(str(output), config, found))
    done = [stage for stage in power.STAGES if manifest.read(str(output), stage)]
    assert done == list(power.STAGES[: power.STAGES.index(last) + 1])
    listed.write_text(old)
    Run(str(output), found, config, ("--direct_num_workers=1",), quiet=True).go(power.STAGES)
    assert manifest.read(str(output), "pack")


def _unit(origin: str) -> Callable[[str, str, Path], object]:
    """A unit of fetch whose images come from there."""

    def get(path: str, begun: str, home: Path) -> object:
        wanted = [Wanted("k", origin, "http://a.test/k.png")]
        return fetch_unit((f"{origin}-0", wanted), Task(str(home), "f", FetchRules(exclude=(path,)), 0.0, begun))

    return get


def _extract(path: str, begun: str, home: Path) -> object:
    decides = json.dumps({"exclude": begun})
    return extract_file(
        str(power.archive(home / "a.warc.gz")), str(home / "out"), "f", PageRules(), (path,), "", None, decides
    )


READERS: dict[str, Callable[[str, str, Path], object]] = {
    "extract": _extract,
    "earlier": lambda path, begun, home: list(
        previous_runs.images(previous_runs.IndexFile(0, str(home), str(home / "none"), (), False, (path,), begun))
    ),
    **{f"unit {origin}": _unit(origin) for origin in (WARC, WEB, EARLIER)},
    "instructions": lambda path, begun, _: instructions.Asker("pack", None, (path,), begun)(("ask", "", "said")),
}


@pytest.mark.parametrize("reader", READERS)
def test_workers_that_read_another_list_of_what_is_excluded_end_the_stage(tmp_path: Path, reader: str) -> None:
    listed = tmp_path / "list"
    listed.write_text(ONE)
    begun = exclusions.contents([str(listed)])
    assert exclusions.as_begun((str(listed),), begun) is not None
    listed.write_text(f"{OTHER}\n")
    with pytest.raises(ConfigError, match="or was edited while the run goes on"):
        READERS[reader](str(listed), begun, tmp_path)
    assert not [*tmp_path.rglob("*.parquet")]


def test_workers_that_read_other_evaluation_texts_or_pictures_end_the_stage(tmp_path: Path) -> None:
    text, picture = tmp_path / "a.txt", tmp_path / "b.txt"
    text.write_text("one " * 20)
    picture.write_text(ONE)
    texts, pictures = (str(text),), (str(picture),)
    rules, row = DuplicateRules(evaluation=texts), Content("d", "http://a.test/", 5, "w", 7, ["Some words"], [None])
    begun, judged = told(texts), tuple(told(pictures))
    assert len(list(sketches([row], rules, begun))) == 1
    judge = Judge(Recipe(evaluation_images=pictures), 512, "s", evaluation=judged)
    assert ONE in judge._evaluation.exact
    text.write_text("two " * 20)
    picture.write_text(OTHER)
    with pytest.raises(ConfigError, match="edited while the run goes on"):
        list(sketches([row], rules, begun))
    with pytest.raises(ConfigError, match="edited while the run goes on"):
        _ = Judge(Recipe(evaluation_images=pictures), 512, "s", evaluation=judged)._evaluation
