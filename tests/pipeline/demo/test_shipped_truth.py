"""The judge: a perfect run scores one everywhere, and each kind of fault lowers the figure that is about it."""

import json
import os
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.pipeline.demo import truth, web
from weft.schemas.records import DROPPED, KEPT, Fate, document_id
from weft.schemas.tables import DOCUMENTS, FATES, IMAGES, PAIRS
from weft.transforms.urls import image_key

REASONS = {"language": "language", "gibberish": "gibberish_emoji", "too_short": "too_short", "opt_out": "opt_out"}
STATUS = {"ok": "ok", "broken": "http_error", "html": "not_an_image", "tiny": "ok", "single_colour": "ok"}


class Run:
    """A run's outcome on a web, as lists that a test can spoil before they are written."""

    def __init__(self, home: str) -> None:
        with open(f"{home}/truth.jsonl", encoding="utf-8") as stream:
            self.lines = [line for line in map(json.loads, stream) if "kind" in line and line["expect"] != "truncated"]
        self.pages: dict[str, str] = {}  # doc_id → reason, "" where kept
        self.flows: dict[str, list[str | tuple[str]]] = {}  # doc_id → texts, and 1-tuples of image URLs
        self.documents: dict[str, str] = {}  # doc_id → reason in dedup
        self.status: dict[str, str] = {}
        self.pairs: set[tuple[str, str, str]] = set()
        self.of: dict[str, dict] = {}
        for line in self.lines:
            digits = "".join(c for c in line["date"] if c.isdigit())
            doc_id = document_id(line["record_id"], line["url"], digits, line["offset"])
            self.of[doc_id] = line
            self.pages[doc_id] = "" if line["expect"] == "kept" else REASONS[line["expect"]]
            if self.pages[doc_id]:
                continue
            self.flows[doc_id] = _flow(line)
            self.documents[doc_id] = line["dedup"]["how"] if line["dedup"]["role"] == "duplicate" else ""
            for image in line["images"]:
                self.status[image_key(image["url"])] = STATUS.get(image["expect"], image["expect"])
                self.pairs |= {(doc_id, image["url"], p["text"]) for p in image["pairs"] if p["expect"] == "kept"}

    def first(self, **wanted) -> str:
        """The first document of which the truth says so."""
        return next(d for d in self.flows if all(self.of[d][key] == value for key, value in wanted.items()))

    def write(self, output: str) -> None:
        def fate(stage: str, kind: str, key: str, reason: str) -> dict:
            return Fate(stage, kind, key, DROPPED if reason else KEPT, reason, "")._asdict()

        documents, pack = [], []
        for doc_id, flow in self.flows.items():
            line = self.of[doc_id]
            images = [item[0] if isinstance(item, tuple) else None for item in flow]
            documents.append(
                {
                    "doc_id": doc_id,
                    "url": line["url"],
                    "crawl_date": datetime.fromisoformat(line["date"].replace("Z", "+00:00")),
                    "texts": [item if isinstance(item, str) else None for item in flow],
                    "images": images,
                }
            )
            expected = {image["url"]: image["expect"] for image in line["images"]}
            for position, url in enumerate(images):
                reason = {"tiny": "too_small", "single_colour": "single_colour"}.get(expected.get(url, ""), "")
                pack += [fate("pack", "image", f"{doc_id}:{position}", reason)] if url else []
        extract = [fate("extract", "page", key, reason) for key, reason in self.pages.items()]
        dedup = [fate("dedup", "document", key, reason) for key, reason in self.documents.items()]
        pairs = [{"doc_id": doc_id, "image_url": url, "text": text} for doc_id, url, text in sorted(self.pairs)]
        index = [{"image_url": key, "status": status} for key, status in sorted(self.status.items())]
        for table, rows, schema in (
            ("documents", documents, DOCUMENTS),
            ("fates/extract", extract, FATES),
            ("fates/dedup", dedup, FATES),
            ("fates/pack", pack, FATES),
            ("pairs", pairs, PAIRS),
            ("images/index", index, IMAGES),
        ):
            os.makedirs(f"{output}/{table}", exist_ok=True)
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), f"{output}/{table}/a.parquet")


def _flow(line: dict) -> list[str | tuple[str]]:
    flow: list[str | tuple[str]] = list(line["main_text"])
    for image in line["images"]:  # pictures that share their place stand in the order of the page
        at = flow.index(image["after"]) + 1 if image["after"] else 0
        while at < len(flow) and isinstance(flow[at], tuple):
            at += 1
        flow.insert(at, (image["url"],))
    return flow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    directory = tmp_path_factory.mktemp("web")
    web.make_web(str(directory), pages=90)
    return str(directory)


@pytest.fixture
def run(home):
    return Run(home)


@pytest.fixture
def judged(home, tmp_path):
    def judge(run: Run) -> dict:
        run.write(str(tmp_path))
        return truth.judge(str(tmp_path), home)

    return judge


def _numbers(figures: dict, prefix: str = "") -> dict[str, float]:
    flat = {}
    for name, value in figures.items():
        flat |= _numbers(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def test_perfect_run(run, judged):
    counts = {"pages.captures", "placement.documents", "images.wanted", "pairs.expected"}
    none = {"placement.boilerplate_intrusion", "placement.image_repeats", "pairs.tagged_kept", "pairs.useless_kept"}
    numbers = _numbers(judged(run))
    assert all(numbers[name] > 50 for name in counts)
    assert {
        name: value for name, value in numbers.items() if value != float(name not in none) and name not in counts
    } == {}


def test_filters(run, judged):
    foreign = [d for d, line in run.of.items() if line["expect"] == "language"]
    good = run.first(expect="kept")
    run.pages[foreign[0]] = "opt_out"
    run.pages[good] = "language"
    filters = judged(run)["filters"]
    assert filters["language"] == {
        "precision": round((len(foreign) - 1) / len(foreign), 4),
        "recall": round((len(foreign) - 1) / len(foreign), 4),
    }
    assert filters["opt_out"]["precision"] < 1 and filters["opt_out"]["recall"] == 1
    assert filters["gibberish"] == {"precision": 1, "recall": 1}


def test_dedup_keeps_the_wrong_one(run, judged):
    wrong = next(d for d, reason in run.documents.items() if reason)
    cluster = run.of[wrong]["dedup"]["cluster"]
    newest = next(
        d for d in run.flows if run.of[d]["dedup"] | {"of": 0} == {"role": "kept", "cluster": cluster, "of": 0}
    )
    run.documents[wrong], run.documents[newest] = "", "near"
    dedup = judged(run)["dedup"]
    assert max(dedup["precision"], dedup["recall"], dedup["right_one_kept"]) < 1


def test_dedup_drops_a_page_of_its_own(run, judged):
    run.documents[run.first(dedup={"role": "none"})] = "near"
    dedup = judged(run)["dedup"]
    assert dedup["precision"] < 1 and dedup["recall"] == dedup["right_one_kept"] == 1


def test_dedup_recall_by_how(run, judged):
    missed = next(d for d, reason in run.documents.items() if reason == "exact")
    run.documents[missed] = ""
    dedup = judged(run)["dedup"]
    assert dedup["recall_exact"] < 1 and dedup["recall_near"] == dedup["recall_url"] == 1


def _two_pictures(run: Run) -> list:
    return next(f for d, f in run.flows.items() if run.of[d]["kind"] == "gallery")


def test_pictures_swapped(run, judged):
    flow = _two_pictures(run)
    one, other = [i for i, item in enumerate(flow) if isinstance(item, tuple)][:2]
    flow[one], flow[other] = flow[other], flow[one]
    placement = judged(run)["placement"]
    assert placement["order"] < 1 and placement["neighbours"] < 1
    assert placement["image_recall"] == placement["sentence_recall"] == 1


def test_picture_moved_to_the_end(run, judged):
    flow = _two_pictures(run)
    last = [i for i, item in enumerate(flow) if isinstance(item, tuple)][-1]
    flow.append(flow.pop(last))
    placement = judged(run)["placement"]
    assert placement["order"] == 1 and placement["neighbours"] < 1


def test_picture_lost_repeated_and_foreign(run, judged):
    doc_id = run.first(kind="gallery", expect="kept")
    flow = run.flows[doc_id]
    whole = judged(run)["placement"]
    pictures = [item for item in flow if isinstance(item, tuple)]
    flow.remove(pictures[0])
    flow.insert(flow.index(pictures[1]), pictures[1])
    flow.append((run.of[doc_id]["boilerplate_images"][0],))
    placement = judged(run)["placement"]
    assert whole["image_precision"] == 1 > placement["image_precision"] > 0.9
    assert 0.9 < placement["image_recall"] < 1
    assert placement["image_repeats"] > 0
    assert placement["largest_chosen"] == 1


def test_smaller_copy_chosen(run, judged):
    doc_id, image = next((d, i) for d in run.flows for i in run.of[d]["images"] if i["also"])
    flow = run.flows[doc_id]
    flow[flow.index((image["url"],))] = (image["also"][0],)
    placement = judged(run)["placement"]
    assert placement["largest_chosen"] < 1 and placement["image_recall"] == placement["neighbours"] == 1


def test_text_lost_and_boilerplate_kept(run, judged):
    doc_id = run.first(kind="text", expect="kept")
    run.flows[doc_id][0] = run.of[doc_id]["boilerplate"][0]
    placement = judged(run)["placement"]
    assert placement["sentence_recall"] < 1 and placement["boilerplate_intrusion"] > 0


def test_quotation_of_an_earlier_sentence_is_no_fault(run, judged):
    for doc_id, flow in run.flows.items():
        if run.of[doc_id]["kind"] == "forum" and any(isinstance(item, tuple) for item in flow):
            first = next(i for i, item in enumerate(flow) if isinstance(item, tuple))
            flow.insert(first + 1, flow[0])
            break
    else:
        pytest.fail("no forum page with a picture")
    assert judged(run)["placement"]["neighbours"] == 1


def test_images(run, judged):
    expected = {image_key(i["url"]): i["expect"] for line in run.lines for i in line["images"]}
    good = next(key for key in run.status if expected[key] == "ok")
    broken = next(key for key in run.status if expected[key] == "broken")
    run.status[good], run.status[broken] = "truncated", "ok"
    images = judged(run)["images"]
    assert images["kept"]["precision"] < 1 and images["kept"]["recall"] < 1
    assert images["broken"]["recall"] < 1 and images["broken"]["refused"] < 1
    assert images["truncated"]["precision"] < 1 and images["truncated"]["recall"] == 1
    assert images["tiny"] == {"precision": 1, "recall": 1, "refused": 1}


def test_pairs(run, judged):
    (doc_id, url, text), *others = sorted(run.pairs)
    run.pairs.remove((doc_id, url, text))
    run.pairs.add((doc_id, url, "words of another picture"))
    tagged = next(
        (d, i["url"], p["text"])
        for d in run.flows
        for i in run.of[d]["images"]
        for p in i["pairs"]
        if p["expect"] == "tagged"
    )
    run.pairs.add(tagged)
    pairs = judged(run)["pairs"]
    assert pairs["recall"] == round(len(others) / (len(others) + 1), 4)
    assert pairs["precision"] == round(len(others) / (len(others) + 2), 4)
    assert pairs["tagged_kept"] > 0 and pairs["useless_kept"] == 0
