import pytest
from viewing import KEPT, PICTURE, TWIN, tiny_run

from weft.pipeline.explain import find, rows
from weft.schemas.records import Fate, Score, stable_id
from weft.schemas.tables import FATES, SCORES
from weft.transforms.io.parquet import write_table


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    home = tiny_run(tmp_path_factory.mktemp("rows"))
    more = [Score("document", KEPT, 1, at, PICTURE, similarity) for at, similarity in ((0, 0.5), (3, 0.1))]
    write_table(str(home / "scores/b.parquet"), more, SCORES)
    gone = [Fate("pack", "image", f"{KEPT}:1", "dropped", "too_small", "9x9")]
    write_table(str(home / "fates/pack/b.parquet"), gone, FATES)
    return str(home)


def test_what_is_known_of_a_document_s_pictures(output: str) -> None:
    (page,) = find.rows(output, "documents", rows.Page, doc_id=KEPT)
    assert {at: one.text_position for at, one in rows.best_texts(output, KEPT).items()} == {1: 0}
    assert {at: one.reason for at, one in rows.image_fates(output, page).items()} == {1: "too_small"}
    assert rows.best_texts(output, TWIN) == rows.image_fates(output, page._replace(images=[None])) == {}


def test_similarities_of_pairs_that_were_scored(output: str) -> None:
    ids = [stable_id(f"pair {n}") for n in range(4)]
    assert {key: round(one, 3) for key, one in rows.pair_scores(output, ids).items()} == dict(
        zip(ids, (0, 0.1, 0.2), strict=False)
    )
    assert rows.pair_scores(output, []) == {}
