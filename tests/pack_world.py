"""Tables as the stages before pack leave them, made by hand, and pack run on them."""

import hashlib
import io

import numpy as np
import pyarrow.parquet as pq
import webdataset as wds
from PIL import Image

import weft.schemas.config as configuration
from weft.pipeline.run.context import Context
from weft.pipeline.stages import pack
from weft.schemas.records import Document, Fate, ImageMeta, ImageRow, KeptRow, Pair, Score
from weft.schemas.tables import DOCUMENTS, FATES, IMAGE_SCORES, IMAGES, KEPT, PAIRS, SCORES
from weft.transforms.fetch.blobs import digest
from weft.transforms.io.parquet import write_table

LOCAL = ("--direct_num_workers=1",)
META = ImageMeta("an alt", "a caption", "", None, None)
OVERRIDES = (
    "pack.vocab_size=320",
    "pack.context_length=64",
    "pack.image_tokens=8",
    "pack.shards=2",
    "pack.val_fraction=0.2",
    "pack.max_images=3",
    "pack.max_repeats=4",
    "pack.min_document_similarity=0.1",
    "pack.pair_min_similarity=0.1",
)


def url(name):
    return f"http://w.test/{name}.jpg"


def jpeg(name):
    out = io.BytesIO()
    colour = hashlib.sha256(name.encode()).digest()[:3]
    Image.new("RGB", (8, 8), tuple(colour)).save(out, "JPEG")
    return out.getvalue()


class World:
    """Tables in memory; `write` puts them where the stages before pack would."""

    def __init__(self):
        self.documents, self.kept, self.images, self.pairs, self.scores, self.entering = [], [], [], [], [], []
        self.answers = []
        self.blob = b""

    def image(self, name, status="ok", size=(300, 200), flat=False, phash="", data=None):
        data = (data or jpeg(name)) if status == "ok" else b""
        row = ImageRow(
            url(name), hashlib.sha256(data).hexdigest() if data else "", status, 200, "image/jpeg", *size, 8, 8, phash,
            "images/blobs/b", len(self.blob), len(data), 0, "warc", flat,
            digest=digest(data) if data else "",
        )  # fmt: skip
        self.images.append(row)
        self.blob += data

    def document(self, doc_id, *parts, kept=True, offset=7):
        """Parts: text, or (image name,)."""
        texts = [part if isinstance(part, str) else None for part in parts]
        images = [None if isinstance(part, str) else url(part[0]).replace("http:", "https:") for part in parts]
        meta = [META if image else None for image in images]
        row = Document(
            doc_id, f"http://w.test/{doc_id}", 0, "/in/a.warc.gz", offset, f"urn:{doc_id}", "en", 0.9, "t", texts,
            images, meta, [None] * len(parts),
        )  # fmt: skip
        self.documents.append(row)
        if kept:
            self.kept.append(KeptRow("document", doc_id, doc_id, "/in/a.warc.gz", offset))

    def pair(self, pair_id, doc_id, name, text, similarity=0.5, enters=True):
        self.pairs.append(Pair(pair_id, doc_id, f"http://w.test/{doc_id}", url(name), text, "alt", "en", 0.9))
        self.entering.append(Fate("score", "pair", f"{doc_id}:{pair_id}", "kept" if enters else "dropped", "", ""))
        self.scores.append(Score("pair", pair_id, 0, 0, url(name), similarity))

    def _others(self):
        """What score says of images that a test says nothing of: each is like the first text of its document."""
        told = {(row.id, row.image_position) for row in self.scores if row.kind == "document"}
        for row in self.documents:
            said = [n for n, text in enumerate(row.texts) if text and text.strip()]
            for n, address in enumerate(row.images):
                if address and said and (row.doc_id, n) not in told:
                    yield Score("document", row.doc_id, n, said[0], address.replace("https:", "http:"), 0.5)

    def write(self, output, files=1, reverse=False):
        (output / "images/blobs").mkdir(parents=True)
        (output / "images/blobs/b").write_bytes(self.blob)
        for folder, rows, schema in (
            ("documents", self.documents, DOCUMENTS),
            ("kept", self.kept, KEPT),
            ("images/index", self.images, IMAGES),
            ("pairs", self.pairs, PAIRS),
            ("scores", [*self.scores, *self._others()], SCORES),
            ("fates/score", self.entering, FATES),
            *([("image_scores", self.answers, IMAGE_SCORES)] if self.answers else ()),
        ):
            rows = rows[::-1] if reverse else rows
            for number in range(files):
                write_table(str(output / folder / f"p{number}.parquet"), rows[number::files], schema)
        return output


def run(output, *overrides, flags=LOCAL):
    config = configuration.load(recipe="kosmos1", overrides=[*OVERRIDES, *overrides])
    return pack.run(Context(str(output), (), config, "print", flags))


def fates(output):
    rows = [
        row for path in sorted((output / "fates/pack").glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]
    found = {(row["kind"], row["key"]): row for row in rows}
    assert len(found) == len(rows), "a thing has two fates"
    return found


def samples(output, corpus, split="train"):
    """Samples of a corpus as webdataset reads them."""
    urls = [str(path) for path in sorted((output / "shards" / corpus / split).glob("*.tar"))]
    return list(wds.WebDataset(urls, shardshuffle=False, empty_check=False))


def array(sample, name):
    return np.load(io.BytesIO(sample[name]))
