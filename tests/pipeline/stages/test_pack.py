"""pack on tables made by hand: every decision's fate, what is in the shards, and the same bytes however it is run."""

import collections
import hashlib
import io
import json
import os
import tarfile

import numpy as np
import pytest
from pack_world import LOCAL, OVERRIDES, World, array, fates, jpeg, run, samples, url

import weft.schemas.config as configuration
from weft.pipeline.cli import mendable
from weft.schemas import shards
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.schemas.records import Score, hash_unit
from weft.schemas.tables import CUTS
from weft.transforms.io.parquet import write_table
from weft.transforms.pack.samples import ShardLayout
from weft.transforms.pack.tokenizer import Encoder

WORKERS = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
SALT = Config().salt
HOSTILE = "a page that spells <image> and </s> as it likes"


def pages(count):
    return [f"{n:032x}" for n in range(count)]


def make_world():
    """Twenty ordinary pages with pairs, and one page or pair for each reason to drop."""
    world = World()
    for name in ("flat", "tiny", "far", *(f"i{n}" for n in range(20)), "logo", "c1", "c2", "c3", "c4", "lone"):
        size = (50, 300) if name == "tiny" else (300, 200)
        world.image(name, size=size, flat=name == "flat")
    world.image("dead", status="timeout")
    for n, doc_id in enumerate(pages(20)):
        words = " ".join(f"word{hash_unit(f'{n}/{k}', 's'):.3f}" for k in range(12 + 3 * n))
        world.document(doc_id, f"Page {n} begins.", (f"i{n}",), words, (f"i{(n + 1) % 20}",), "An end. naïve 日本")
        world.pair(f"p{n:031x}", doc_id, f"i{n}", f"caption {n} of {HOSTILE}")
    world.document("images", "one", ("dead",), "two", ("gone",), "three", ("tiny",), "four", ("flat",), "five",
                   ("far",), "six", ("c1",), "seven", ("c1",), "eight", ("c2",), ("c3",), ("c4",))  # fmt: skip
    world.scores.append(Score("document", "images", 9, 0, url("far"), 0.05))
    world.scores.append(Score("document", "images", 9, 2, url("far"), 0.01))
    world.scores.append(Score("document", "images", 11, 0, url("c1"), 0.01))
    world.scores.append(Score("document", "images", 11, 2, url("c1"), 0.4))
    for n in range(5):
        world.document(f"logo{n}", HOSTILE, ("logo",), f"more of {n}")
    world.document("no_text", ("c2",), ("c3",))
    world.document("empty", ("dead",))
    world.document("lost", "not kept", ("c2",), kept=False)
    world.document("images", "another copy", kept=False, offset=99)
    for name in ("dead", "gone", "tiny", "flat"):
        world.pair(f"pair-{name}", "images", name, "some caption")
    world.pair("pair-far", "images", "c1", "some caption", similarity=0.05)
    world.pair("pair-out", "images", "c2", "never enters", enters=False)
    return world


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def packed(world, tmp_path_factory):
    output = world.write(tmp_path_factory.mktemp("pack"))
    return output, run(output)


@pytest.fixture(scope="module")
def encoder(packed):
    return Encoder(str(packed[0] / "shards/tokenizer.json"), 8, 64)


def test_the_books_balance(packed, world):
    output, entered = packed
    got = collections.Counter(kind for kind, _ in fates(output))
    kept = [d for d in world.documents if d.doc_id != "lost" and d.warc_offset == 7]
    images = sum(image is not None for document in kept for image in document.images)
    assert entered == dict(got) == {"document": len(kept), "image": images, "pair": 25}


def test_each_image_has_its_reason(packed):
    found = {key: row["reason"] for (kind, key), row in fates(packed[0]).items() if kind == "image"}
    positions = (1, 3, 5, 7, 9, 11, 13, 15, 16, 17)
    assert [found[f"images:{n}"] for n in positions] == [
        "image_timeout", "image_missing", "too_small", "single_colour", "low_similarity", "", "repeated_in_document",
        "", "", "too_many_images",
    ]  # fmt: skip
    assert {found[f"logo{n}:1"] for n in range(5)} == {"repeated"}
    assert [found["no_text:0"], found["empty:0"]] == ["document_dropped", "image_timeout"]


def test_each_document_has_its_reason_or_its_shard(packed):
    found = {key: row for (kind, key), row in fates(packed[0]).items() if kind == "document"}
    assert [found[k]["reason"] for k in ("images", "logo0", "no_text", "empty")] == ["", "", "no_text", "empty"]
    assert found["images"]["detail"].startswith("interleaved/") and found["logo0"]["detail"].startswith("text/")
    assert "lost" not in found


def test_each_pair_has_its_reason(packed):
    found = {key: row["reason"] for (kind, key), row in fates(packed[0]).items() if kind == "pair"}
    reasons = [found[f"images:pair-{name}"] for name in ("dead", "gone", "tiny", "flat", "far")]
    assert reasons == ["image_missing", "image_missing", "too_small", "single_colour", "low_similarity"]
    assert sum(not reason for reason in found.values()) == 20


def test_documents_come_back_from_their_ids_with_their_own_pictures(packed, world, encoder):
    output, vocabulary = packed[0], encoder.vocabulary
    documents = {d.doc_id: d for d in world.documents if d.warc_offset == 7}
    found: dict[str, list] = {}
    split = 0
    for sample in [*samples(output, "interleaved"), *samples(output, "interleaved", "val")]:
        meta, ids, mask = json.loads(sample["json"]), array(sample, "input_ids.npy"), array(sample, "loss_mask.npy")
        document = documents[meta["doc_id"]]
        assert len(ids) <= 64 and ids.dtype == np.uint16 and mask.tolist() == shards.loss_mask(ids, vocabulary).tolist()
        assert len(shards.image_slots(ids, vocabulary)) == len(meta["images"])
        pictures = io.BytesIO(sample["images"])
        for image, size in zip(meta["images"], array(sample, "image_bytes.npy"), strict=True):
            name = document.images[image["position"]].split("/")[-1].removesuffix(".jpg")
            assert pictures.read(size) == jpeg(name)
            assert image["sha256"] == hashlib.sha256(jpeg(name)).hexdigest()
            assert (image["alt"], image["caption"], image["width"], image["height"]) == (
                "an alt",
                "a caption",
                300,
                200,
            )
        assert not pictures.read()
        assert (meta["warc_file"], meta["warc_offset"], meta["record_id"]) == ("a.warc.gz", 7, f"urn:{meta['doc_id']}")
        split += meta["chunks"] > 1
        found.setdefault(meta["doc_id"], []).append((meta["chunk"], ids, meta))
    assert set(found) == {*pages(20), "images"} and split
    aside = _passages(output)
    reasons = fates(output)
    assert len(aside) > 5 and set(aside) < set(found)
    for doc_id, chunks in found.items():
        document, told = documents[doc_id], []
        left = {n: text for n, text in enumerate(document.texts) if text}
        for text, places in aside.get(doc_id, []):
            assert text == "\n\n".join(document.texts[n][start:end] for n, start, end in places)
            for n, start, end in places:  # marked, so that what stands before and after it is not one
                part = document.texts[n][start:end]
                left[n] = left[n].replace(part, "|" * len(part), 1)
        for _, ids, meta in sorted(chunks, key=lambda chunk: chunk[0]):
            assert meta["images"]
            told += meta["texts"]
            for text, (position, start, end) in zip(meta["texts"], meta["spans"], strict=True):
                if text is None:
                    assert ids[start] == vocabulary.image
                    assert reasons["image", f"{doc_id}:{position}"]["fate"] == "kept"
                else:
                    assert encoder.decode(ids[start:end].tolist()).strip() == text.strip()
                    assert text in left[position]
                    left[position] = left[position].replace(text, "|" * len(text), 1)
        assert told and all(set(text) == {"|"} for text in left.values())


def _passages(output):
    """doc_id → (text, places) of each passage without pictures."""
    found: dict[str, list] = {}
    for split in shards.SPLITS:
        for sample in samples(output, "text", split):
            for one in json.loads(sample["json"])["documents"]:
                if "passage" in one and "text" in one:
                    found.setdefault(one["doc_id"], []).append((one["lead"] + one["text"], one["places"]))
    return found


def test_similarities_are_beside_the_images(packed):
    metas = [json.loads(s["json"]) for split in shards.SPLITS for s in samples(packed[0], "interleaved", split)]
    image = next(i for m in metas if m["doc_id"] == "images" for i in m["images"] if i["position"] == 11)
    assert image["similarities"] == {"0": 0.01, "2": 0.4}


def test_the_text_corpus_holds_every_token_of_its_documents(packed, encoder):
    texts: dict[tuple[str, int | None], list[int]] = {}
    for split in shards.SPLITS:
        for sample in samples(packed[0], "text", split):
            ids, meta = array(sample, "input_ids.npy"), json.loads(sample["json"])
            assert len(ids) <= 64
            for document in meta["documents"]:
                assert document["record_id"] == f"urn:{document['doc_id']}" and document["warc_file"] == "a.warc.gz"
                start, end = document["span"]
                key = document["doc_id"], document.get("passage")
                texts.setdefault(key, []).extend(ids[start:end].tolist())
    v = encoder.vocabulary
    assert all(ids[0] == v.bos and ids[-1] == v.eos and ids.count(v.eos) == 1 for ids in texts.values())
    assert {k: encoder.decode(ids[1:-1]) for (k, passage), ids in texts.items() if passage is None} == {
        f"logo{n}": f"{HOSTILE}\n\nmore of {n}" for n in range(5)
    }


def test_pairs_read_as_image_text_shards_and_can_be_traced(packed, encoder):
    found = [s for split in shards.SPLITS for s in samples(packed[0], "pairs", split)]
    assert len(found) == 20
    for sample in found:
        meta, ids = json.loads(sample["json"]), array(sample, "input_ids.npy")
        number = int(meta["doc_id"], 16)
        assert sample["jpg"] == jpeg(f"i{number}") and sample["txt"].decode() == f"caption {number} of {HOSTILE}"
        assert ids.tolist()[:11] == [0, *[4] * 9, 5] and ids[-1] == 2 and len(ids) <= 64
        assert sample["txt"].decode().startswith(encoder.decode(ids[11:-1]))
        assert meta["similarity"] == 0.5
        assert (meta["warc_file"], meta["warc_offset"], meta["record_id"]) == ("a.warc.gz", 7, f"urn:{meta['doc_id']}")


def test_a_page_and_its_pairs_are_on_one_side(packed):
    config = configuration.load(overrides=list(OVERRIDES)).pack
    layout = ShardLayout(config.shards, config.val_fraction, SALT)
    seen: dict[str, set[str]] = {"train": set(), "val": set()}
    for corpus in ("interleaved", "pairs"):
        for split in shards.SPLITS:
            for sample in samples(packed[0], corpus, split):
                doc_id = json.loads(sample["json"])["doc_id"]
                assert layout.split_of(doc_id) == split
                seen[split].add(doc_id)
    assert seen["train"] and seen["val"] and not seen["train"] & seen["val"]


def test_manifest_sizes_and_order_are_true(packed):
    home = packed[0] / "shards"
    infos = {i.name: i for i in shards.load_manifest((home / shards.MANIFEST).read_text())}
    assert set(infos) == {str(path.relative_to(home)) for path in home.rglob("*.tar")} and len(infos) == 9
    for name, info in infos.items():
        data = (home / name).read_bytes()
        assert (info.bytes, info.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        with tarfile.open(home / name) as tar:
            keys = [member.split(".")[0] for member in tar.getnames()]
        assert keys == sorted(keys) and len(set(keys)) == info.samples
    for corpus in shards.CORPORA:
        for split in shards.SPLITS:
            sizes = json.loads((home / corpus / split / shards.SIZES).read_text())
            found = samples(packed[0], corpus, split)
            assert int((home / corpus / split / shards.LENGTH).read_text()) == sum(sizes.values()) == len(found)
            of_split = [i for i in infos.values() if i.name.startswith(f"{corpus}/{split}/")]
            assert sum(i.tokens for i in of_split) == sum(len(array(s, "input_ids.npy")) for s in found)
            assert sum(i.images for i in of_split) == sum(
                "jpg" in s or len(array(s, "image_bytes.npy")) for s in found if corpus != "text"
            )


@pytest.mark.parametrize("flags", [LOCAL, WORKERS])
def test_order_files_and_workers_do_not_change_a_byte(packed, world, sums, tmp_path, flags):
    world.write(tmp_path / "o", files=3, reverse=True)
    assert run(tmp_path / "o", flags=flags) == packed[1]
    assert sums(tmp_path / "o/shards") == sums(packed[0] / "shards")
    assert sums(tmp_path / "o/fates/pack") == sums(packed[0] / "fates/pack")


def test_images_of_sequences_that_are_cut_off_are_not_called_kept(world, tmp_path):
    output = world.write(tmp_path / "o")
    entered = run(output, "pack.max_document_chunks=1")
    metas = [json.loads(s["json"]) for split in shards.SPLITS for s in samples(output, "interleaved", split)]
    placed = {f"{m['doc_id']}:{i['position']}" for m in metas for i in m["images"]}
    found = {key: row for (kind, key), row in fates(output).items() if kind == "image"}
    assert {key for key, row in found.items() if row["fate"] == "kept"} == placed
    assert "document_cut" in {row["reason"] for row in found.values()}
    assert {m["chunk"] for m in metas} == {0} and entered["image"] == len(found)


def test_a_blob_with_wrong_bytes_stops_the_run_in_one_line_and_leaves_no_half_shard(world, tmp_path):
    output = world.write(tmp_path / "o")
    half = len(world.blob) // 2
    (output / "images/blobs/b").write_bytes(world.blob[:half] + b"\0" * (len(world.blob) - half))
    with pytest.raises(Exception, match="that images/index says") as caught:
        run(output)
    line = mendable(caught.value)
    assert line and line.endswith("run `weft fetch` again") and "images/blobs/b: bytes" in line and "\n" not in line
    assert not [path for path in output.rglob("*.tmp-*")]


def test_nothing_kept_gives_empty_shards_that_are_valid(tmp_path):
    output = World().write(tmp_path / "o")
    assert run(output) == {"document": 0, "pair": 0, "image": 0}
    assert fates(output) == {}
    for corpus in shards.CORPORA:
        for split in shards.SPLITS:
            assert samples(output, corpus, split) == []
            assert (output / "shards" / corpus / split / shards.LENGTH).read_text() == "0\n"
    assert shards.Vocabulary.loads((output / "shards/tokenizer_info.json").read_text()).size == 262


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ('pack.tokenizer="/no/such.json"', "/no/such.json"),
        ("pack.vocab_size=299", "vocab_size = 299"),
        ("pack.context_length=12", "context_length = 12"),
    ],
)
def test_what_a_user_can_mend_is_one_line_before_any_work(world, tmp_path, override, said):
    output = world.write(tmp_path / "o")
    with pytest.raises(ConfigError, match=said) as error:
        run(output, override)
    assert "\n" not in str(error.value)
    assert not (output / "pack").exists() and not (output / "shards").exists()


def pictures_world(rows):
    """A page for each (name, phash, size, text, flat) of a picture with a pair."""
    world = World()
    for n, (name, phash, size, text, flat) in enumerate(rows):
        world.image(name, size=size, flat=flat, phash=phash)
        doc_id = pages(len(rows))[n]
        world.document(doc_id, f"Before {name}.", (name,), "After it.")
        world.pair(f"p{n:031x}", doc_id, name, text)
    return world


LOOKS = (
    ("small", "f0f0aa5500ff1234", (300, 200), "A red fox", False),
    ("large", "f0f0aa5500ff1234", (900, 600), "a red FOX!", False),
    ("other-words", "f0f0aa5500ff1234", (900, 900), "A grey fox", False),
    ("other-look", "f0f0aa5500ff1235", (900, 900), "A red fox", False),
    ("too-small", "f0f0aa5500ff1234", (9000, 20), "A red fox", False),  # large, but the recipe drops it
    ("dull-1", "8000000000000000", (300, 200), "Sky", False),
    ("dull-2", "8000000000000000", (600, 400), "Sky", False),
    ("unknown-1", "", (300, 200), "Sea", False),
    ("unknown-2", "", (300, 200), "Sea", False),
)


def key(number):
    return f"{pages(len(LOOKS))[number]}:p{number:031x}"


def test_of_pairs_that_look_and_read_the_same_the_largest_stays(tmp_path, sums):
    world = pictures_world(LOOKS)
    output, other = world.write(tmp_path / "out"), world.write(tmp_path / "other", files=3, reverse=True)
    assert run(output, "pack.pair_same_picture=true") == run(other, "pack.pair_same_picture=true", flags=WORKERS)
    assert sums(output / "shards") == sums(other / "shards")
    assert sums(output / "fates/pack") == sums(other / "fates/pack")
    found = {k: row for (kind, k), row in fates(output).items() if kind == "pair"}
    assert {k: (row["reason"], row["detail"]) for k, row in found.items() if row["reason"] == "same_picture"} == {
        key(0): ("same_picture", key(1))
    }
    assert found[key(4)]["reason"] == "too_small" and len(found) == len(LOOKS)
    run(plain := pictures_world(LOOKS).write(tmp_path / "plain"))
    assert not any(row["reason"] == "same_picture" for row in fates(plain).values())


def test_copies_of_evaluation_images_go_from_documents_and_pairs(tmp_path):
    world = pictures_world(LOOKS[:4] + LOOKS[5:6])
    known = tmp_path / "known"
    known.mkdir()
    (known / "quiz.jpg").write_bytes(jpeg("other-words"))  # by its bytes: one colour looks like any other
    (known / "hashes.txt").write_text("f0f0aa5500ff1236\n8000000000000000\n")
    output = world.write(tmp_path / "out")
    options = f"pack.evaluation_images=['{known}']", "pack.evaluation_distance=1", "pack.one_image_drop=0.0"
    entered, found = run(output, *options), fates(output)
    assert entered == collections.Counter(kind for kind, _ in found)
    gone = {k: row["detail"] for k, row in found.items() if row["reason"] == "evaluation_image"}
    here = pages(5)
    near = f"{known}/hashes.txt:1"
    assert gone == {
        **dict.fromkeys((("image", f"{here[0]}:1"), ("pair", key(0).replace(pages(9)[0], here[0]))), near),
        **dict.fromkeys((("image", f"{here[1]}:1"), ("pair", f"{here[1]}:p{1:031x}")), near),
        **dict.fromkeys((("image", f"{here[2]}:1"), ("pair", f"{here[2]}:p{2:031x}")), f"{known}/quiz.jpg"),
    }  # "other look" differs in two bits, "dull 1" has no look


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bad.jpg", b"no image", "bad.jpg"),
        ("bad.txt", b"0123456789abcdef\nxyz\n", "bad.txt:2 is neither a sha256"),
        (None, b"", "no evaluation images at"),
    ],
)
def test_evaluation_images_that_cannot_be_read_are_one_line(tmp_path, name, content, said):
    if name:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        run(tmp_path, f"pack.evaluation_images=['{tmp_path / (name or 'nowhere')}']")


def test_documents_are_packed_without_the_lines_that_dedup_cut(tmp_path):
    world = World()
    for n, doc_id in enumerate(pages(6)):
        world.image(f"i{n}")
        world.document(doc_id, f"Our menu\nHello {n}", (f"i{n}",), "Subscribe")
    output = world.write(tmp_path / "out")
    write_table(str(output / "cuts/p.parquet"), [(doc_id, [0, 2]) for doc_id in pages(6)[:3]], CUTS)
    run(output, "dedup.lines_per_host=3", "pack.one_image_drop=0.0", "pack.val_fraction=0.0")
    encoder = Encoder(str(output / "shards/tokenizer.json"), 8, 64)
    said = {}
    for sample in samples(output, "interleaved"):
        meta, ids = json.loads(sample["json"]), array(sample, "input_ids.npy")
        parts = [ids[start:end] for _, start, end in meta["spans"]]
        texts = [encoder.decode(part.tolist()) for part in parts if part[0] != encoder.vocabulary.image]
        said[meta["doc_id"]] = texts, [image["position"] for image in meta["images"]]
    for n, doc_id in enumerate(pages(6)):
        assert said[doc_id] == (([f"Hello {n}"] if n < 3 else [f"Our menu\nHello {n}", "Subscribe"]), [1])


def test_filters_of_ones_own_hold_in_every_worker_and_a_missing_one_is_told_before(tmp_path, monkeypatch):
    (tmp_path / "rules_of_packed.py").write_text(
        "def judge(row):\n    return 'early' if row.texts[0] in ('Page 1 begins.', 'Page 2 begins.') else None\n\n\n"
        "def judge_pair(row):\n    return 'seven' if row.text.startswith('caption 7 ') else None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    own = 'pack.filters=["rules_of_packed:judge"]', 'pack.pair_filters=["rules_of_packed:judge_pair"]'
    found = []
    for flags in (LOCAL, WORKERS):
        output = make_world().write(tmp_path / f"out{len(found)}", files=2)
        run(output, *own, flags=flags)
        found.append(fates(output))
    assert found[0] == found[1]
    dropped = {key: row["reason"] for key, row in found[0].items() if row["reason"].startswith("filter_")}
    first, second, seventh = (pages(20)[n] for n in (1, 2, 7))
    assert dropped == {
        ("document", first): "filter_early", ("document", second): "filter_early",
        ("pair", f"{seventh}:p{7:031x}"): "filter_seven",
    }  # fmt: skip
    assert found[0]["image", f"{first}:1"]["reason"] == "document_dropped"
    with pytest.raises(ConfigError, match="filter nowhere:judge cannot be imported"):
        run(make_world().write(tmp_path / "out"), 'pack.filters=["nowhere:judge"]')
