"""A key of very many values: a logo on every page, an address that all pictures name. No worker holds all of them."""

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.schemas.parameters import DuplicateRules, FetchRules, Recipe
from weft.schemas.records import Capture, Score, SiteFile, Sketch, hash_bucket
from weft.transforms.beam import hot_keys
from weft.transforms.consent.attach import Address, ForbiddenBySite
from weft.transforms.dedup.rules import EqualDocuments, OneCopy
from weft.transforms.fetch.fetch_images import FetchUnits, ImageAddresses
from weft.transforms.fetch.placeholders import IndexedImage, Repeated
from weft.transforms.pack.decide import Judge, Stored
from weft.transforms.pack.joins import BesideDocuments, BesidePairs, Shown
from weft.transforms.pack.same_pictures import Captioned
from weft.transforms.score.image_scores import Sized
from weft.transforms.score.mismatched import Candidate, MismatchPairs
from weft.transforms.score.similarities import FindImages, OfOwners, Owner, StoredImage, TextUse, UsedImages
from weft.transforms.score.vectors import Embedding

MOST = 256  # in place of hot_keys.MOST, so that few are very many
COUNT = 3 * MOST
LOGO, KEY = "http://h.test/logo.png", "h.test/logo.png"
IDS = [f"d{n}" for n in range(COUNT)]
STORED = Stored("sha", "ok", 300, 200, False, "blob", 5, 9, "0f" * 8)


class _Groups(PipelineVisitor):
    """The GroupByKeys of a graph but those of combiners, which get a value a bundle."""

    def __init__(self) -> None:
        self.found: list[tuple[str, beam.PCollection[Any]]] = []

    def visit_transform(self, node: AppliedPTransform) -> None:
        if isinstance(node.transform, beam.GroupByKey) and not isinstance(node.parent.transform, beam.CombinePerKey):
            self.found.append((node.full_label, node.outputs[None]))


class _Measure(beam.DoFn):
    def __init__(self, name: str) -> None:
        self._values = beam.metrics.Metrics.distribution("groups", name)

    def process(self, item: tuple[Any, Any]) -> None:
        self._values.update(sum(1 for _ in item[1]))


def largest(p: beam.Pipeline) -> dict[str, int]:
    """Run a graph; for each of its GroupByKeys, the most values that one key had."""
    visitor = _Groups()
    p.visit(visitor)
    for name, grouped in visitor.found:
        _ = grouped | f"Measure {name}" >> beam.ParDo(_Measure(name))
    result = p.run()
    result.wait_until_finish()
    found = result.metrics().query(beam.metrics.MetricsFilter().with_namespace("groups"))["distributions"]
    return {one.key.metric.name: one.committed.max for one in found}


def rows(p: beam.Pipeline, name: str, values: Any, kind: Any) -> beam.PCollection[Any]:
    return p | name >> beam.Create(list(values)).with_output_types(kind)


def find_capture(p: beam.Pipeline, home: Path) -> None:
    """Every image may do with one address that archives hold a thousand times."""
    (home / "a.warc.gz").touch()
    images = rows(p, "images", (ImageAddresses(f"http://h.test/{n}.png", [LOGO]) for n in IDS), ImageAddresses)
    captures = rows(
        p, "captures", (Capture(LOGO, str(home / "a.warc.gz"), n, "image/png", n) for n in range(1_000)), Capture
    )
    _ = images | FetchUnits(str(home), FetchRules(http=False), captures, (), 8, "x")


def placeholders(p: beam.Pipeline, home: Path) -> None:
    images = (IndexedImage(f"http://h.test/{n}.png", "ok", "0f" * 8, 9, 9, 9) for n in IDS)
    _ = rows(p, "images", images, IndexedImage) | Repeated(10)


def join_stored(p: beam.Pipeline, home: Path) -> None:
    stored = rows(p, "stored", [StoredImage(KEY, "sha", "blob", 0, 9)], StoredImage)
    owners = rows(p, "owners", (Owner("document", n, [KEY, ""]) for n in IDS), Owner)
    made = rows(p, "made", [Embedding("sha", [b"1234"], ""), Embedding("text", [b"1234"], "")], Embedding)
    uses = {"owners": owners, "stored": stored} | FindImages()
    texts = rows(p, "texts", (TextUse("text", "logo", f"document/{n}", 1) for n in IDS), TextUse)
    images = {"uses": uses, "made": made} | UsedImages()
    _ = {"uses": uses, "images": images, "text_uses": texts, "texts": made} | OfOwners()


def join_images(p: beam.Pipeline, home: Path) -> None:
    inputs = {
        "pages": rows(p, "pages", (Shown(n, "a.warc.gz", 7, n, [LOGO, LOGO]) for n in IDS), Shown),
        "pairs": rows(p, "pairs", (Captioned(f"{n}:p{n}", KEY, "en", "words") for n in IDS), Captioned),
        "images": rows(p, "stored", [(KEY, STORED)], tuple[str, Stored]),
        "scores": rows(p, "scores", [Score("pair", "p", 0, 0, KEY, 0.5, ())], Score),
    }
    _ = inputs | "Documents" >> BesideDocuments()
    _ = inputs | "Pairs" >> BesidePairs(Judge(Recipe(pair_same_picture=True, drop_near_images=True), 256, "salt"))


def one_site(p: beam.Pipeline, home: Path) -> None:
    """All pages are of one site, whose robots.txt is asked for each; most say the same."""
    pages = rows(p, "pages", (Address(n, f"http://h.test/{n}", 5) for n in IDS), Address)
    files = rows(p, "files", [SiteFile("h.test", 1, "robots.txt", "User-agent: GPTBot\nDisallow: /d7")], SiteFile)
    found = (pages, files) | ForbiddenBySite(("ai-agents",), ("train",))
    words = found | "Words" >> beam.Map(lambda one: (one.key, one.words)).with_output_types(tuple[str, str])
    sketches = (Sketch(n, "w", 7, 5, 9, 0, 0, n, "text", "", "") for n in IDS)
    unique, _ = (rows(p, "sketches", sketches, Sketch), words) | OneCopy()
    _ = unique | EqualDocuments(DuplicateRules())


def near_images(p: beam.Pipeline, home: Path) -> None:
    """One picture of many pairs, with the same vector in each."""
    vectors = rows(p, "vectors", ((KEY, b"1234") for _ in IDS), tuple[str, bytes])
    found = {"pixels": rows(p, "pixels", [(KEY, 9)], tuple[str, int]), "vectors": vectors} | Sized()
    assert_that(found, equal_to([(KEY, (9, b"1234"))]))


def mismatch(p: beam.Pipeline, home: Path) -> None:
    """One pair on many pages, among a few others."""
    ids = [*(["everywhere"] * COUNT), "a", "b"]
    candidates = (Candidate(name, hash_bucket(name, 99).to_bytes(4, "big"), name.encode()[:1] * 4) for name in ids)
    found = rows(p, "pairs", candidates, Candidate) | MismatchPairs("salt", sample=3)
    assert_that(found | beam.Map(lambda one: one.pair_id), equal_to(["everywhere", "a", "b"]))


@pytest.mark.parametrize(
    "build", [one_site, find_capture, placeholders, join_stored, join_images, near_images, mismatch]
)
def test_no_group_holds_all_values_of_a_key_that_has_very_many(
    build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts = hot_keys.JoinInParts.expand

    def smaller(self: hot_keys.JoinInParts, inputs: Any) -> Any:
        assert self.most == hot_keys.MOST
        self.most = MOST
        return in_parts(self, inputs)

    monkeypatch.setattr(hot_keys.JoinInParts, "expand", smaller)
    monkeypatch.setattr(hot_keys, "SAMPLE", 8)
    p = beam_options.pipeline(("--runner=FnApiRunner",), 1)  # which lets one look into Beam's own transforms
    build(p, tmp_path)
    held = {name: most for name, most in largest(p).items() if "/Unit" not in name}
    assert held and {name: most for name, most in held.items() if most > 1.5 * MOST} == {}
