"""Evaluations as data: a file of tasks (configs/suites/), rows from directories, a table beside the paper's figures.

    item ── segments, candidates or references
    task ── a template over rows and a metric: see the head of configs/suites/kosmos.toml

Each figure stands with its standard error over items and what chance would give. A task without data says so.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from weft.model_smoketest import chance, metrics
from weft.model_smoketest.lm import LanguageModel, Segments
from weft.model_smoketest.readers import READERS, Row, read
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_unit

METRICS = ("accuracy", "roc_auc", "exact", "vqa", "cider", "words")
_FIELD = re.compile(r"\{(\w+)\}")


@dataclasses.dataclass(frozen=True)
class Task:
    """A table of a suite's file."""

    name: str
    title: str
    prompt: list[str]
    metric: str
    paper: str
    read: str = "rows"
    data: str = ""  # directory of another task
    continuation: str = ""
    candidates: list[str] | None = None
    answer: str = ""
    shots: int = 0
    judge: str = "total"
    beams: int = 1
    most: int = 32  # tokens that are said
    first: list[str] | None = None  # a prompt of its own: what the model says after it is the row's {said}
    against: str = ""  # a task of the same rows and metric, before this one
    chance: str = ""  # the row's field that holds it; else one of the candidates is as good as another

    def segments(self, row: Row, **more: Any) -> list[str | bytes]:
        """The prompt of a row."""
        made: list[str | bytes] = []
        for part in self.prompt:
            made += _filled(part, row | more)
        return made

    def controlled_by(self, other: Task) -> bool:
        """Whether `other` is `against`, scored row by row as this one: same rows, same metric, not roc_auc."""
        asked, there = ((one.read, one.data or one.name, one.metric) for one in (self, other))
        return other.name == self.against and asked == there and self.metric != "roc_auc"

    def choices(self, row: Row) -> list[Any]:
        return self.candidates if self.candidates is not None else row.get("candidates", [])


def load(path: Path) -> list[Task]:
    """The tasks of a suite.

    Raises:
        ConfigError: a task with a field, reader, metric or other task that there is not, or a field of another type.
    """
    tasks: list[Task] = []
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    for name, fields in tables.items():
        try:
            tasks.append(Task(name, **fields))
        except TypeError as error:
            raise ConfigError(f"{path}: [{name}]: {error}") from None
        for field in dataclasses.fields(Task):
            if not _is(getattr(tasks[-1], field.name), field.type):
                raise ConfigError(f"{path}: [{name}]: {field.name} is {field.type}")
        if tasks[-1].judge not in ("total", "mean") or min(tasks[-1].beams, tasks[-1].most) < 1 or tasks[-1].shots < 0:
            raise ConfigError(f"{path}: [{name}]: judge is total or mean, beams and most 1 or more, shots 0 or more")
        if tasks[-1].metric not in METRICS or tasks[-1].read not in READERS:
            raise ConfigError(f"{path}: [{name}]: no metric {tasks[-1].metric!r} or reader {tasks[-1].read!r}")
        if tasks[-1].against and not any(map(tasks[-1].controlled_by, tasks[:-1])):
            raise ConfigError(f"{path}: [{name}]: no task {tasks[-1].against!r} of the same rows and metric before it")
    return tasks


def _is(value: Any, kind: Any) -> bool:
    """Whether a field of a task is of the type that is written there: str, int, list[str], or None where that is."""
    if value is None:
        return str(kind).endswith("None")
    if str(kind).startswith("list"):
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, str if kind == "str" else int) and not isinstance(value, bool)


def _check(task: Task, row: Row) -> str:
    """What of a row does not fit its task's metric; "" where all does."""

    def texts(name: str) -> str:
        value = _field(row, name)
        fits = isinstance(value, list) and value and all(isinstance(one, str) for one in value)
        return "" if fits else f"{name} are texts in a list, one or more"

    if task.metric not in ("accuracy", "roc_auc"):
        return texts("references") or (texts("words") or texts("of") if task.metric == "words" else "")
    choices, label = task.choices(row), _field(row, "label")
    if not isinstance(choices, list) or len(choices) < 2 or (task.metric == "roc_auc" and len(choices) > 2):
        return f"candidates are {'two' if task.metric == 'roc_auc' else 'two or more'} in a list"
    if not isinstance(label, int) or not 0 <= label < len(choices):
        return f"label {label!r} is none of the numbers 0 to {len(choices) - 1} of a candidate"
    if task.chance and not isinstance(_field(row, task.chance), int | float):
        return f"{task.chance} is a number"
    return ""


def run(lm: LanguageModel, tasks: Sequence[Task], homes: Sequence[Path], most: int = 500) -> list[dict[str, Any]]:
    """Each task's figure, error, chance and items, and its gain over another task; without data, nothing but its name.

    Args:
        homes: directories in which a task's own directory may be; the first that has it counts.
        most: items of a task that are asked, the first by hash of their number.

    Raises:
        ConfigError: rows that are not as their reader or task asks for them.
    """
    found = []
    scores: dict[str, list[float]] = {}
    for task in tasks:
        told: dict[str, Any] = {"task": task.name, "title": task.title, "metric": task.metric, "paper": task.paper}
        place = next(
            (home / (task.data or task.name) for home in homes if (home / (task.data or task.name)).is_dir()), None
        )
        rows = read(task.read, place) if place else []
        for number, row in enumerate(rows, 1):
            if why := _check(task, row):
                raise ConfigError(f"{place}: item {number} does not fit [{task.name}]: {why}")
        if rows:
            told["read"] = task.read
            chosen = sorted(range(len(rows)), key=lambda i: (hash_unit(str(i), "suite"), i))
            asked, others = ([rows[i] for i in some] for some in (chosen[:most], chosen[most:]))
            figures, scores[task.name] = figures_of(lm, task, asked, others)
            told |= figures
            if task.against:
                gains = [a - b for a, b in zip(scores[task.name], scores[task.against], strict=True)]
                told |= {"against": task.against, "gain": round(sum(gains) / len(gains), 4)}
                told["gain_error"] = round(chance.standard_error(gains), 4)
        found.append(told)
    return found


def table(found: Sequence[dict[str, Any]]) -> list[str]:
    """The figures as lines; what is not comparable with the paper's is said below."""
    lines = [f"{'task':34} {'metric':9} {'figure':>7} {'± error':>8} {'chance':>7} {'items':>6}   Kosmos-1 (1.6B)"]
    for one in found:
        if "figure" not in one:
            lines.append(f"{one['title']:34} {one['metric']:9} {'no data':>7} {'':>8} {'':>7} {'':>6}   {one['paper']}")
            continue
        by_chance = "–" if one["chance"] is None else f"{one['chance']:.3f}"
        lines.append(
            f"{one['title']:34} {one['metric']:9} {one['figure']:7.3f} {one['error']:8.3f} {by_chance:>7} "
            f"{one['items']:6}   {one['paper']}"
        )
    matrices = any(one.get("read") == "rpm" for one in found)
    for one in found:
        if "gain" in one:
            lines.append(f"{one['title']}: {one['gain']:+.3f} ± {one['gain_error']:.3f} over {one['against']}")
    return [
        *lines,
        "",
        "Figures are shares (CIDEr: times 100 in papers). By chance, for words: the captions said of other pictures.",
        "Not comparable with the paper's: models of another size and corpus; candidates judged by likelihood where",
        "the paper lets the model speak (CUB); captions without the Treebank tokenizer; what is said ends with a line,",
        "or after 32 tokens; pictures described after an empty prompt (paper: Introduce this picture in detail:);",
        "shots joined without a separator (the paper's layout is not known)."
        + " Raven's: the paper's items have six candidates, these as many as their file says." * matrices,
    ]


def figures_of(
    lm: LanguageModel, task: Task, rows: Sequence[Row], others: Sequence[Row] = ()
) -> tuple[dict[str, Any], list[float]]:
    """A task's figures, and what each row adds to them; `others` are rows for shots."""
    if task.first is not None:
        before = dataclasses.replace(task, prompt=task.first)
        said = lm.generate_until(list(map(before.segments, rows)), until=["\n"], most=task.most, beams=task.beams)
        rows = [row | {"said": text} for row, text in zip(rows, said, strict=True)]
    prompts = [_shots(task, i, rows, others) for i in range(len(rows))]
    scores: list[float]
    by_chance: float | None = None
    more: dict[str, float] = {}
    if task.metric in ("accuracy", "roc_auc"):
        judged = _likelihoods(lm, task, rows, prompts)
        labels = [_field(row, "label") for row in rows]
        if task.metric == "roc_auc":
            area, error = metrics.roc_auc([scores[1] - scores[0] for scores in judged], labels)
            return {"figure": round(area, 4), "error": round(error, 4), "chance": 0.5, "items": len(rows)}, []
        scores = [
            float(max(range(len(s)), key=s.__getitem__) == label) for s, label in zip(judged, labels, strict=True)
        ]
        by_chance = sum(_field(row, task.chance) if task.chance else 1 / len(task.choices(row)) for row in rows) / len(
            rows
        )
        more["nats"] = -sum(s[label] for s, label in zip(judged, labels, strict=True)) / len(rows)
    else:
        asked = [[*before, *task.segments(row)] for before, row in zip(prompts, rows, strict=True)]
        said = lm.generate_until(asked, until=["\n"], most=task.most, beams=task.beams)
        references = [_field(row, "references") for row in rows]
        if task.metric == "cider":
            scores = metrics.cider(said, references)
        elif task.metric == "words":
            wanted = [(_field(row, "words"), _field(row, "of")) for row in rows]
            shuffled = [*wanted[1:], wanted[0]]  # what was said of the next picture
            scores, turned = (
                [metrics.f1(text, *one) for text, one in zip(said, of, strict=True)] for of in (wanted, shuffled)
            )
            by_chance = sum(turned) / len(turned)
            more["exact"] = sum(map(metrics.exact, said, references)) / len(rows)
        else:
            scores = list(map({"exact": metrics.exact, "vqa": metrics.vqa}[task.metric], said, references))
    error = chance.standard_error(scores) if len(scores) > 1 else math.nan
    told = {"figure": sum(scores) / len(scores), "error": error, **more}
    return {
        **{k: round(v, 4) for k, v in told.items()},
        "chance": by_chance and round(by_chance, 4),
        "items": len(rows),
    }, scores


def _likelihoods(
    lm: LanguageModel, task: Task, rows: Sequence[Row], prompts: Sequence[list[str | bytes]]
) -> list[list[float]]:
    """How likely each candidate of each row is."""
    requests: list[tuple[Segments, str]] = []
    counts = []
    for row, before in zip(rows, prompts, strict=True):
        choices = task.choices(row)
        counts.append(len(choices))
        for choice in choices:
            (told,) = _filled(task.continuation, row | {"candidate": choice})
            requests.append(([*before, *task.segments(row, candidate=choice)], str(told)))
    found = iter(lm.loglikelihood(requests))
    return [[one.mean if task.judge == "mean" else one.total for one in islice(found, count)] for count in counts]


def _shots(task: Task, number: int, rows: Sequence[Row], others: Sequence[Row]) -> list[str | bytes]:
    """Other rows with their answers, before the prompt: from rows that are not asked, where there are enough."""
    if not task.shots:
        return []
    pool = others if len(others) >= task.shots else [*rows[:number], *rows[number + 1 :]]
    chosen = sorted(range(len(pool)), key=lambda i: hash_unit(f"{number}:{i}", "shots"))[: task.shots]
    made: list[str | bytes] = []
    for i in chosen:
        made += [*task.segments(pool[i]), *_filled(task.answer, pool[i])]
    return made


def _filled(part: str, row: Row) -> list[str | bytes]:
    """A segment with a row's fields in it."""
    if whole := _FIELD.fullmatch(part):
        value = _field(row, whole[1])
        values = value if isinstance(value, list) else [value]
        read = (one.read_bytes() if isinstance(one, Path) else one for one in values)
        return [str(one) if isinstance(one, int | float) else one for one in read]  # a number is no picture
    return [_FIELD.sub(lambda match: str(_field(row, match[1])), part)]


def _field(row: Row, name: str) -> Any:
    if name not in row:
        raise ConfigError(f"a row has no {name!r}, which its task asks for")
    return row[name]
