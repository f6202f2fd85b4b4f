"""Runs through extract and dedup of pages that a test makes up, with an index that they share."""

from pathlib import Path
from typing import NamedTuple

import weft.schemas.config as configuration
from weft.pipeline.run import inputs
from weft.pipeline.run.run import Run
from weft.schemas.records import KeptRow, hash_bucket
from weft.transforms.io.parquet import read_table

STAGES = ("extract", "dedup")  # in place of registry.CORPUS: what knows of the index
ALONE = ("--direct_num_workers=1",)


class _Page(NamedTuple):
    doc_id: str
    url: str


def text(name: str) -> str:
    return " ".join(f"{name}{hash_bucket(f'{name}/{i}', 500)}" for i in range(60))


def crawl(
    home: Path, name: str, texts: dict[str, str], output: str = "", redo: bool = False, stages=STAGES, more=()
) -> Path:
    """Run over a folder of one page a text; a page is named by its host."""
    for host, said in texts.items():
        (home / name / host).mkdir(parents=True, exist_ok=True)
        (home / name / host / "index.html").write_text(f"<title>{host}</title><p>{said}</p>")
    found = inputs.marked(inputs.expand([f"{home / name}/"]))
    sets = [f'dedup.index="{home}/index"', "extract.main_content=false", "dedup.exact=true", "dedup.buckets=1", *more]
    made = home / (output or f"of-{name}")
    run = Run(str(made), tuple(found), configuration.load(None, sets, "raw"), ALONE, quiet=True, redo=redo)
    run.go(stages, run.write)
    return made


def kept(output: Path) -> set[str]:
    """Hosts of the documents that stay."""
    stays = {row.key for row in read_table(str(output / "kept"), KeptRow)}
    return {row.url.split("/")[2] for row in read_table(str(output / "documents"), _Page) if row.doc_id in stays}
