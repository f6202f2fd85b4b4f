"""Each public format, in miniature."""

import csv
import io
import json

import pytest
from PIL import Image

from weft.model_smoketest import readers
from weft.schemas.parameters import ConfigError


def save(path, colour="red", size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_rows_with_images_beside_them(tmp_path):
    save(tmp_path / "1.png")
    row = {"image": "1.png", "candidates": ["a", "b"], "images": ["1.png"], "label": 1}
    (tmp_path / "items.jsonl").write_text(json.dumps(row) + "\n")
    (one,) = readers.rows(tmp_path)
    assert one == row | {"image": tmp_path / "1.png", "images": [tmp_path / "1.png"]}


def test_karpathys_test_split(tmp_path):
    save(tmp_path / "val2014" / "COCO_1.jpg")
    images = [
        {"filename": "COCO_1.jpg", "split": "test", "sentences": [{"raw": " A cat. "}, {"raw": "Cat"}]},
        {"filename": "COCO_2.jpg", "split": "train", "sentences": []},
    ]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images}))
    (one,) = readers.karpathy(tmp_path)
    assert one["image"].name == "COCO_1.jpg" and one["references"] == ["A cat.", "Cat"] and one["reference"] == "A cat."


def test_vqav2s_questions_and_answers(tmp_path):
    save(tmp_path / "val2014" / "COCO_val2014_000000000042.jpg")
    asked = {"questions": [{"question_id": 7, "image_id": 42, "question": "What?"}]}
    answered = {"question_id": 7, "image_id": 42, "multiple_choice_answer": "cat", "answers": [{"answer": "cat"}] * 10}
    (tmp_path / "v2_OpenEnded_questions.json").write_text(json.dumps(asked))
    (tmp_path / "v2_annotations.json").write_text(json.dumps({"annotations": [answered]}))
    (one,) = readers.vqav2(tmp_path)
    assert (one["question"], one["references"], one["reference"]) == ("What?", ["cat"] * 10, "cat")
    assert one["image"].name.endswith("42.jpg")


BROKEN = {
    "rows": {"items.jsonl": '{"image": "none.png"}'},
    "karpathy": {"dataset.json": '{"images": [{"filename": "none.jpg", "split": "test", "sentences": [{"raw": ""}]}]}'},
    "vqav2": {"v2_questions.json": "[1]"},
    "folders": {},
    "rpm": {"problems.jsonl": '{"id": "0", "n_candidates": 8, "answer": 3, "panel": 8, "gap": 4}'},
    "hellaswag": {"val.jsonl": '{"ctx": "He", "endings": ["a"], "label": "b"}'},
    "storycloze": {"val.csv": "InputSentence1\nOne.\n"},
}


@pytest.mark.parametrize("name", readers.READERS)
def test_what_is_not_as_its_reader_knows_it_is_one_line(tmp_path, name):
    for file, text in BROKEN[name].items():
        (tmp_path / file).write_text(text)
    folder = tmp_path if BROKEN[name] else tmp_path / "none"
    with pytest.raises(ConfigError, match=f"{folder} is not as '{name}' reads it") as told:
        readers.read(name, folder)
    assert "\n" not in str(told.value)
    for path in tmp_path.iterdir():  # and cut off in the middle
        path.write_bytes(path.read_bytes()[:-2])
        with pytest.raises(ConfigError, match="is not as"):
            readers.read(name, tmp_path)


def test_a_folder_a_class(tmp_path):
    for name in ("positive/1.png", "negative/2.png", "negative/notes.txt"):
        save(tmp_path / "test" / name) if name.endswith("png") else (tmp_path / "test" / name).write_text("")
    rows = list(readers.folders(tmp_path))
    assert [(row["image"].name, row["candidates"][row["label"]]) for row in rows] == [
        ("2.png", "negative"),
        ("1.png", "positive"),
    ]


@pytest.mark.parametrize(("side", "count"), [(2, "three"), (3, "eight")])
def test_matrices_are_cut_into_cells_and_candidates(tmp_path, side, count):
    matrix = Image.new("RGB", (8 * side, 8 * side))
    for i in range(side * side):
        matrix.paste((i, 0, 0), (8 * (i % side), 8 * (i // side), 8 * (i % side) + 8, 8 * (i // side) + 8))
    strip = Image.new("RGB", (8 * 8 + 4 * 7, 8))
    for i in range(8):
        strip.paste((100 + i, 0, 0), (12 * i, 0, 12 * i + 8, 8))
    matrix.save(tmp_path / "0_context.png")
    strip.save(tmp_path / "0_candidates.png")
    problem = {"id": "0", "n_candidates": 8, "answer": 3, "panel": 8, "gap": 4}
    (tmp_path / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    (one,) = readers.rpm(tmp_path)
    assert (one["count"], one["label"]) == (count, 3)
    shown, choices = ([Image.open(io.BytesIO(cell)) for cell in one[name]] for name in ("images", "candidates"))
    assert [cell.getpixel((7, 7))[0] for cell in shown] == list(range(side * side - 1))
    assert [cell.getpixel((0, 0))[0] for cell in choices] == list(range(100, 108))
    assert {cell.size for cell in (*shown, *choices)} == {(8, 8)}


def test_endings_of_texts(tmp_path):
    (tmp_path / "val.jsonl").write_text(json.dumps({"ctx": "He", "endings": ["a", "b", "c", "d"], "label": "2"}) + "\n")
    assert list(readers.hellaswag(tmp_path)) == [{"context": "He", "candidates": ["a", "b", "c", "d"], "label": 2}]
    names = [
        *(f"InputSentence{i}" for i in range(1, 5)),
        "RandomFifthSentenceQuiz1",
        "RandomFifthSentenceQuiz2",
        "AnswerRightEnding",
    ]
    with (tmp_path / "val.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, ["One.", "Two.", "Three.", "Four.", "Bad.", "Good.", "2"]])
    assert list(readers.storycloze(tmp_path)) == [
        {"context": "One. Two. Three. Four.", "candidates": ["Bad.", "Good."], "label": 1}
    ]


def test_only_a_line_feed_ends_a_line(tmp_path):
    text = "one\u2028two\u2029three\x85four\x0bfive"
    (tmp_path / "items.jsonl").write_text(json.dumps({"question": text}, ensure_ascii=False) + "\n\n", "utf-8")
    assert readers.read("rows", tmp_path) == [{"question": text}]
