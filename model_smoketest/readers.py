"""Public data sets as they are unpacked → rows of a task: (directory) → JSON-like objects, images as paths or bytes.

| name | what lies in the directory |
|---|---|
| rows | `items.jsonl`, a row a line; paths of images are relative to it |
| karpathy | `dataset*.json` of Karpathy's splits (COCO, Flickr30k) and the images, anywhere below |
| vqav2 | `*questions.json`, `*annotations.json` and the images |
| folders | a folder of images a class: Rendered SST-2's `test/positive`, `test/negative` |
| rpm | `problems.jsonl`, `ID_context.png` (a matrix, its last cell empty), `ID_candidates.png` (a row) |
| hellaswag | `*.jsonl` with ctx, endings, label |
| storycloze | `*.csv` with InputSentence1 … 4, RandomFifthSentenceQuiz1 and 2, AnswerRightEnding |
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from weft.schemas.parameters import ConfigError

Row = dict[str, Any]
IMAGES = (".jpg", ".jpeg", ".png", ".webp")
_COUNTS = {3: "three", 4: "four", 8: "eight"}


def rows(folder: Path) -> Iterator[Row]:
    """Rows as they are."""
    for one in _lines(folder / "items.jsonl"):
        yield {name: _placed(value, folder) for name, value in one.items()}


def karpathy(folder: Path) -> Iterator[Row]:
    """Test images and all their captions."""
    places = _by_name(folder)
    for path in sorted(folder.glob("dataset*.json")):
        for one in json.loads(path.read_text("utf-8"))["images"]:
            if one["split"] == "test":
                told = [sentence["raw"].strip() for sentence in one["sentences"]]
                yield {"image": places[one["filename"]], "references": told, "reference": told[0]}


def vqav2(folder: Path) -> Iterator[Row]:
    """Questions with the answers of ten people."""
    places = _by_name(folder)
    numbered = {int(name.rpartition("_")[2].partition(".")[0]): path for name, path in places.items() if "_0" in name}
    asked: dict[int, str] = {}
    for path in sorted(folder.glob("*questions.json")):
        asked |= {one["question_id"]: one["question"] for one in json.loads(path.read_text("utf-8"))["questions"]}
    for path in sorted(folder.glob("*annotations.json")):
        for one in json.loads(path.read_text("utf-8"))["annotations"]:
            answers = [answer["answer"] for answer in one["answers"]]
            told = {"references": answers, "reference": one["multiple_choice_answer"]}
            yield {"image": numbered[one["image_id"]], "question": asked[one["question_id"]], **told}


def folders(folder: Path) -> Iterator[Row]:
    """Images and the classes, in alphabetical order."""
    home = folder / "test" if (folder / "test").is_dir() else folder
    classes = sorted(path.name for path in home.iterdir() if path.is_dir())
    for label, name in enumerate(classes):
        for path in sorted(home.joinpath(name).iterdir()):
            if path.suffix.lower() in IMAGES:
                yield {"image": path, "candidates": classes, "label": label}


def rpm(folder: Path) -> Iterator[Row]:
    """The cells before the empty one, and the candidates."""
    for one in _lines(folder / "problems.jsonl"):
        with Image.open(folder / f"{one['id']}_context.png") as matrix:
            side = round(matrix.width / one["panel"])
            cells = [_cell(matrix, one["panel"], i % side, i // side) for i in range(side * side - 1)]
        with Image.open(folder / f"{one['id']}_candidates.png") as strip:
            step = one["panel"] + one["gap"]
            choices = [_cell(strip, one["panel"], 0, 0, step * i) for i in range(one["n_candidates"])]
        yield {"images": cells, "count": _COUNTS[len(cells)], "candidates": choices, "label": one["answer"]}


def hellaswag(folder: Path) -> Iterator[Row]:
    """Beginnings and four ends."""
    for path in sorted(folder.glob("*.jsonl")):
        for one in _lines(path):
            yield {"context": one["ctx"], "candidates": one["endings"], "label": int(one["label"])}


def storycloze(folder: Path) -> Iterator[Row]:
    """Four sentences and two ends."""
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for one in csv.DictReader(file):
                told = " ".join(one[f"InputSentence{i}"].strip() for i in range(1, 5))
                ends = [one[f"RandomFifthSentenceQuiz{i}"].strip() for i in (1, 2)]
                yield {"context": told, "candidates": ends, "label": int(one["AnswerRightEnding"]) - 1}


def read(name: str, folder: Path) -> list[Row]:
    """The rows of a directory by the reader of that name.

    Raises:
        ConfigError: what lies there is not what that reader knows.
    """
    try:
        return list(READERS[name](folder))
    except KeyError as error:
        raise ConfigError(f"{folder} is not as {name!r} reads it: there is no {error}") from None
    except (ValueError, TypeError, AttributeError, IndexError, OSError, ZeroDivisionError, csv.Error) as error:
        raise ConfigError(f"{folder} is not as {name!r} reads it: {error}") from None


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    one.__name__: one for one in (rows, karpathy, vqav2, folders, rpm, hellaswag, storycloze)
}


def _lines(path: Path) -> Iterator[Any]:
    """The JSON of each line: only a line feed ends one, as a text may hold other ends of lines."""
    for line in path.read_text("utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


def _placed(value: Any, folder: Path) -> Any:
    """Names of images → where they are; all else as it is."""
    if isinstance(value, list):
        return [_placed(one, folder) for one in value]
    if not isinstance(value, str) or not value.lower().endswith(IMAGES):
        return value
    if not (folder / value).is_file():
        raise KeyError(value)
    return folder / value


def _by_name(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.rglob("*")) if path.suffix.lower() in IMAGES}


def _cell(image: Image.Image, side: int, column: int, row: int, left: int = 0) -> bytes:
    x, y = left + column * side, row * side
    out = io.BytesIO()
    image.convert("RGB").crop((x, y, x + side, y + side)).save(out, "PNG")
    return out.getvalue()
