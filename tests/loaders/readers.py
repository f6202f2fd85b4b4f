"""Foreign loaders on weft's exports: `python readers.py LOADER DIR` prints what the loader's own code gives.

Run in the loader's own environment, where weft is not installed. A line a sample, in the loader's order:
{"key", "texts": […], "images": [sha256 of each picture's bytes or pixels, …]}.
"""

import hashlib
import io
import json
import sys
from pathlib import Path


def sha(data):
    return hashlib.sha256(data).hexdigest()


def pixels(image):
    return sha(image.convert("RGB").tobytes())


def hf(folder):
    import datasets

    files = sorted(map(str, (folder / "interleaved/train").glob("*.parquet")))
    for streaming in (False, True):
        rows = datasets.load_dataset("parquet", data_files=files, split="train", streaming=streaming,
                                     cache_dir=str(folder.parent / "hf-cache"))  # fmt: skip
        found = [
            {"key": json.loads(row["general_metadata"])["id"], "texts": [t for t in row["texts"] if t is not None],
             "images": [pixels(image) for image in row["images"] if image is not None]}
            for row in rows
        ]  # fmt: skip
    return found


def nemo(folder):
    from nemo_curator.stages.interleaved.io.readers.webdataset import InterleavedWebdatasetReaderStage
    from nemo_curator.tasks import FileGroupTask

    files = sorted(map(str, (folder / "interleaved/train").glob("*.tar")))
    stage = InterleavedWebdatasetReaderStage(materialize_on_read=True)
    made = stage.process(FileGroupTask(dataset_name="weft", data=files))
    found = {}
    for batch in made if isinstance(made, list) else [made]:
        for row in batch.data.to_pylist() if hasattr(batch.data, "to_pylist") else batch.data.to_dict("records"):
            sample = found.setdefault(row["sample_id"], {"key": row["sample_id"], "texts": [], "images": []})
            if row["modality"] == "text":
                sample["texts"].append(row["text_content"])
            elif row["modality"] == "image":
                sample["images"].append(sha(row["binary_content"]))
    return list(found.values())


def openflamingo(folder):
    """OpenFlamingo's own MMC4 step, with a tokenizer and an image processor that only write down what they are given."""
    place = next(path for entry in sys.path if (path := Path(entry) / "open_flamingo/train").exists())
    sys.path.insert(0, str(place))
    import tarfile

    import data
    import torch

    data.MIN_KB = -1  # the demo's pictures are small
    data.random.random = lambda: 1.0  # it drops half of the documents of one picture
    found = []
    for path in sorted((folder / "interleaved/train").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                seen, said = [], []
                data.preprocess_image = lambda images, _, seen=seen: (
                    seen.extend(map(pixels, images)) or torch.zeros(len(images), 3, 8, 8)
                )

                class Tokenizer:
                    eos_token = "</s>"
                    additional_special_tokens = ("<image>",)
                    additional_special_tokens_ids = (7,)

                    def __call__(self, text, said=said, **_):
                        said.append(text)
                        ids = [7] * text.count("<image>") + [1]
                        return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids))}

                data.preprocess_interleaved([tar.extractfile(member).read()], Tokenizer(), None, -1.0, 1, 99, 1 << 20)
                found.append({"key": member.name.removesuffix(".json"), "texts": said, "images": seen})
    return found


def energon(folder):
    import torch
    from megatron.energon import WorkerConfig, get_train_dataset, get_val_dataset  # noqa: F401

    found = []
    for corpus in ("interleaved", "pairs", "text"):
        made = get_val_dataset(
            str(folder / corpus), split_part="train", worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0),
            batch_size=1,
        )  # fmt: skip
        from megatron.energon import get_loader

        for batch in get_loader(made):
            key = str(batch.__key__[0]).rpartition("/")[2]
            if corpus == "interleaved":
                parts = batch.sequence[0]
            elif corpus == "pairs":
                parts = [batch.image[0], batch.caption[0]]
            else:
                parts = [batch.text[0]]
            images = [p for p in parts if isinstance(p, torch.Tensor)]
            arrays = [(p * 255).round().byte().permute(1, 2, 0).numpy().tobytes() for p in images]
            found.append(
                {"key": key, "texts": [p for p in parts if isinstance(p, str)], "images": list(map(sha, arrays))}
            )
    return found


def mds(folder):
    from streaming import StreamingDataset

    found = []
    for corpus in ("interleaved", "pairs", "text"):
        for row in StreamingDataset(local=str(folder / corpus), split="train", shuffle=False, batch_size=1):
            if corpus == "interleaved":
                document, data, images = row["document"], io.BytesIO(row["images"]), []
                images = [sha(data.read(length)) for length in document["image_bytes"]]
                found.append({"key": row["key"], "texts": [t for t in document["texts"] if t], "images": images})
            else:
                images = [sha(row["image"])] if corpus == "pairs" else []
                found.append({"key": row["key"], "texts": [row["text"]], "images": images})
    return found


def datatrove(folder):
    from datatrove.pipeline.readers import JsonlReader, ParquetReader

    def read(reader):
        return [{"key": d.id, "texts": [d.text], "images": []} for d in reader.run(rank=0, world_size=1)]

    kinds = [ParquetReader, "*.parquet"] if list(folder.rglob("*.parquet")) else [JsonlReader, "*.jsonl.gz"]
    found = []
    for corpus in ("interleaved", "text"):
        found += read(kinds[0](str(folder / corpus / "train"), glob_pattern=kinds[1]))
    return found


def dolma(folder):
    """Dolma's reader in Python, by a tagger that writes down what it is given, and its mixer in Rust, by what it writes."""
    import gzip

    import nltk

    nltk.data.find = str  # when it is imported it looks for a sentence splitter, and would fetch one
    import dolma as toolkit
    from dolma.core.data_types import DocResult
    from dolma.core.runtime import create_and_run_tagger

    seen, mixed = [], []

    @toolkit.add_tagger("seen")
    class Seen(toolkit.BaseTagger):
        def predict(self, doc):
            seen.append({"key": doc.id, "texts": [doc.text], "images": []})
            return DocResult(doc=doc, spans=[])

    for corpus in ("interleaved", "text"):
        place, files = folder / "dolma" / corpus, folder / corpus / "train/*.jsonl.gz"
        for path in sorted(files.parent.glob(files.name)):
            create_and_run_tagger([str(path)], ["seen"], destination=str(place / "seen"), debug=True)
        stream = {"name": corpus, "documents": [str(files)], "attributes": []}
        stream["output"] = {"path": str(place / "mixed"), "max_size_in_bytes": 1 << 30}
        work = {name: str(place / name) for name in ("input", "output")}
        toolkit.mixer({"streams": [stream], "processes": 1, "work_dir": work})
        for path in (place / "mixed").rglob("*.gz"):
            rows = map(json.loads, gzip.decompress(path.read_bytes()).splitlines())
            mixed += [{"key": row["id"], "texts": [row["text"]], "images": []} for row in rows]
    assert sorted(map(str, mixed)) == sorted(map(str, seen))
    return seen


def clip_retrieval(name):
    """A module of clip-retrieval without what the whole package imports: all that loads a CLIP."""
    import importlib
    import types

    place = next(path for entry in sys.path if (path := Path(entry) / "clip_retrieval").exists())
    for package, folder in (("clip_retrieval", place), ("clip_retrieval.clip_inference", place / "clip_inference")):
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(folder)]
    return importlib.import_module(f"clip_retrieval.{name}")


def clipretrieval(folder):
    """What clip-retrieval's inference reads of tars, before it embeds that."""
    files = sorted(map(str, (folder / "pairs/train").glob("*.tar")))
    reader = clip_retrieval("clip_inference.reader").WebdatasetReader(
        list, pixels, list, files, batch_size=4, num_prepro_workers=0, enable_metadata=True
    )
    found = []
    for batch in reader:
        for told, text, image in zip(batch["metadata"], batch["text"], batch["image_tensor"], strict=True):
            found.append({"key": json.loads(told)["key"], "texts": [text], "images": [image]})
    return found


def clip_index(folder):
    """Vectors and what is told of each, by embedding-reader; and what clip-retrieval's service finds by each, in indexes
    that autofaiss makes of them."""
    from embedding_reader import EmbeddingReader

    back, columns = clip_retrieval("clip_back"), ["key", "url", "caption", "similarity"]
    index = folder.parent / "index"
    clip_retrieval("clip_index").clip_index(str(folder), str(index), nb_cores=1)
    fields = {name: None for name in back.ClipResource.__dataclass_fields__}  # no CLIP: it is asked by vectors
    told, _ = back.load_metadata_provider(str(index), False, False, None, columns, False)
    indexes = {f"{kind}_index": back.load_index(str(index / f"{kind}.index"), False) for kind in ("image", "text")}
    resource = back.ClipResource(**{**fields, **indexes, "metadata_provider": told, "columns_to_return": columns})
    service = back.KnnService(clip_resources={"weft": resource})
    found = []
    for kind, of in (("image", "img_emb"), ("text", "text_emb")):
        reader = EmbeddingReader(str(folder / of), "parquet_npy", None, columns, str(folder / "metadata"))
        for vectors, rows in reader(batch_size=64, show_progress=False):
            for vector, row in zip(vectors.tolist(), rows[columns].to_dict("records"), strict=True):
                hits = service.query(
                    embedding_input=vector, modality=kind, num_images=5, num_result_ids=5, deduplicate=False
                )
                near = [hit["key"] for hit in hits if hit["similarity"] > hits[0]["similarity"] - 1e-3]
                found.append({"key": row["key"], "kind": kind, "told": row, "vector": vector, "near": near})
    return found


def transformers(folder):
    """The exported model asked what asked.json says: logits, what it says greedily, tokens and pixels."""
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForCausalLM, AutoTokenizer

    asked = json.loads((folder / "asked.json").read_text())
    kinds = (AutoModelForCausalLM, AutoTokenizer, AutoImageProcessor)
    model, tokenizer, processor = (kind.from_pretrained(folder, trust_remote_code=True) for kind in kinds)
    span = "<image>" * (model.config.image_tokens + 1) + "</image>"
    found = []
    with torch.inference_mode():
        for ask in asked["prompts"]:
            text = "<s>" + "".join(span if part == {} else part for part in ask["segments"])
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            images = [Image.open(folder / name) for name in ask["images"]]
            pixels = processor(images, return_tensors="pt")["pixel_values"]
            logits = model(input_ids=ids, pixel_values=pixels).logits
            said = {}
            for beams in (1, 3):
                out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels,
                                     max_new_tokens=asked["most"], num_beams=beams, do_sample=False,
                                     return_dict_in_generate=True, output_logits=True)  # fmt: skip
                said[beams] = tokenizer.decode(out.sequences[0, ids.shape[1] :], skip_special_tokens=True)
            first = out.logits[0].tolist()  # of each beam, before any has gone its own way
            found.append({"key": "", "ids": ids[0].tolist(), "logits": logits[0, -1].tolist(), "said": said, "first": first,
                          "pixels": [float(p) for p in pixels.flatten()[::997]]})  # fmt: skip
    return found


def lm_eval(folder):
    """What lm-evaluation-harness' own model class finds of the exported model on the task that lies in task/."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    found = lm_eval.simple_evaluate(
        model="hf", model_args=f"pretrained={folder},trust_remote_code=True,dtype=float32", tasks=["asked"],
        task_manager=TaskManager(include_path=str(folder / "task"), include_defaults=False),
        device="cpu", batch_size=2, log_samples=True, bootstrap_iters=0,
    )  # fmt: skip
    return [
        {"key": "", "likelihoods": [answer[0][0] for answer in sample["resps"]], "accuracy": found["results"]["asked"]}
        for sample in sorted(found["samples"]["asked"], key=lambda one: one["doc_id"])
    ]


def mlcroissant(path):
    """Of a card: what is wrong with it, and the records of each set."""
    import mlcroissant

    data = mlcroissant.Dataset(str(path))
    found = {
        "key": "",
        "errors": sorted(data.metadata.issues.errors),
        "warnings": sorted(data.metadata.issues.warnings),
    }
    for one in data.metadata.record_sets:
        rows = [{name.rpartition("/")[2]: value for name, value in row.items()} for row in data.records(one.name)]
        found[one.name] = [{k: v.decode() if isinstance(v, bytes) else v for k, v in row.items()} for row in rows]
    return [found]


def hf_webdataset(shards):
    """weft's own shards by load_dataset("webdataset"), streaming and not."""
    import datasets
    from PIL import Image

    found = []
    for corpus in ("interleaved", "pairs", "text"):
        files = sorted(map(str, (shards / corpus / "train").glob("*.tar")))
        both = []
        for streaming in (False, True):
            rows = []
            for row in datasets.load_dataset("webdataset", data_files={"train": files}, split="train",
                                             streaming=streaming, cache_dir=str(Path.home() / "cache")):  # fmt: skip
                cut = io.BytesIO(row.get("images"))
                images = [Image.open(io.BytesIO(cut.read(size))) for size in row.get("image_bytes.npy", ())]
                images += [row["jpg"]] if "jpg" in row else []
                entries = row["json"].get("documents", [row["json"]])
                texts = [text for one in entries for text in one.get("texts") or [one["text"]]]
                rows.append({"key": row["__key__"].rpartition("/")[2], "ids": list(row["input_ids.npy"]),
                             "texts": texts, "images": list(map(pixels, images))})  # fmt: skip
            both.append(rows)
        assert both[0] == both[1]
        found += both[0]
    return found


def openclip(folder):
    """open_clip's own reader in train mode, one epoch; sorted, because it shuffles. Of an export, or of weft's shards."""
    import types

    from open_clip_train.data import get_wds_dataset

    files = sorted(map(str, (folder / "pairs/train").glob("*.tar")))
    own = folder / "pairs/train/__len__"
    count = int(own.read_text()) if own.exists() else sum(
        json.loads(p.read_text())["count"] for p in (folder / "pairs/train").glob("*_stats.json")
    )  # fmt: skip
    given = types.SimpleNamespace(
        train_data="::".join(files), train_data_upsampling_factors=None, dataset_resampled=False, seed=0, batch_size=1,
        workers=1, world_size=1, train_num_samples=count, val_num_samples=count, val_data="::".join(files),
    )  # fmt: skip
    made = get_wds_dataset(given, lambda image: pixels(image), True, tokenizer=lambda text: [text])
    rows = [
        {"key": "", "texts": [text for text in batch[1]], "images": [image for image in batch[0]]}
        for batch in made.dataloader
    ]
    return sorted(rows, key=lambda row: (row["texts"], row["images"]))


if __name__ == "__main__":
    for sample in globals()[sys.argv[1]](Path(sys.argv[2])):
        print(json.dumps(sample))
