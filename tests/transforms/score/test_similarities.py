"""What is gathered of one owner, compared, and what becomes of a pair; the whole of it is in test_score.py."""

import numpy as np

from weft.transforms.score import assignment
from weft.transforms.score.similarities import Side, compare, pair_fate, pair_vectors, sides

A, B = (np.float32(v).tobytes() for v in ([1, 0], [0.6, 0.8]))
IMAGE, TEXT = Side(False, 1, "http://h/a.jpg", [A], ""), Side(True, 0, "", [B], "")


def test_sides_are_in_reading_order_and_once_each():
    later = IMAGE._replace(position=3)
    found = sides("document/d", [later, TEXT, IMAGE, IMAGE])
    assert (found.kind, found.id) == ("document", "d")
    assert (found.images, found.texts) == ([IMAGE, later], [TEXT])


def test_each_image_meets_each_text_that_has_a_vector():
    (score,) = compare(sides("pair/d:p", [IMAGE, TEXT, TEXT._replace(position=2, vectors=[], problem="not_finite")]))
    assert (score.kind, score.id, score.similarity, score.matched) == ("pair", "p", 0.6, True)


def test_on_a_page_of_very_many_each_image_meets_the_texts_nearest_to_it(monkeypatch):
    images = [IMAGE._replace(position=2 * n) for n in range(300)]
    texts = [TEXT._replace(position=2 * n + 1) for n in range(300)]
    page = sides("document/d", [*images, *texts])
    whole = list(compare(page))
    assert len(whole) == 90_000 and sum(score.matched for score in whole) == 300
    monkeypatch.setattr(assignment, "MOST", 1_200)
    found = list(compare(page))
    assert len(found) == 1_200 and set(map(_but_matched, found)) < set(map(_but_matched, whole))
    around = [score.text_position for score in found if score.image_position == 100]
    assert around == [97, 99, 101, 103]
    nearest = {score.image_position: score.text_position for score in found if score.matched}
    assert nearest == {at: max(at - 1, 1) for at in range(0, 600, 2)}  # equally like: the nearest, and then the first


def _but_matched(score):
    return score._replace(matched=False)


def test_a_pair_is_dropped_with_its_image_and_with_its_words():
    missing = IMAGE._replace(vectors=[], problem="not fetched")
    reasons = [next(pair_fate(sides("pair/d:p", found))).reason for found in ([IMAGE, TEXT], [missing, TEXT], [IMAGE])]
    assert reasons == ["", "image_missing", "no_text"]
    assert not list(pair_fate(sides("document/d", [IMAGE]))) and not list(pair_vectors(sides("pair/d:p", [IMAGE])))
