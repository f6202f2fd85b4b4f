"""The recipe's decisions on images, documents and pairs: pure functions that return a reason, "" to keep.

Kosmos-1's rules (arXiv 2302.14045, 3.1 and B.1.3) are the defaults; the others are peers' and off unless configured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from weft.schemas.parameters import DocumentRules, ImageRules, Recipe
from weft.schemas.records import hash_unit
from weft.transforms.score import image_scores
from weft.transforms.score.image_scores import Answers


class JudgedImage(NamedTuple):
    """What the recipe looks at in an image; `status` is fetch's."""

    status: str
    image_id: str
    width: int
    height: int
    single_colour: bool
    repeats: int  # kept documents that hold it
    similarity: float  # best with any text of its document; 1.0 where there is none, -1.0 where CLIP could not read it
    evaluation: str = ""  # the evaluation image that it is a copy of
    answers: Answers | None = None  # what its vector says of it, where anybody asked
    shared: int = 0  # addresses of its host with the same picture, where those are too many


def judge_image(image: JudgedImage | None, rules: ImageRules) -> str:
    """Why an image has no place in any document."""
    if image is None:
        return "image_missing"
    if image.status != "ok":
        return f"image_{image.status}"
    if image.evaluation:
        return "evaluation_image"
    if min(image.width, image.height) < rules.min_side:
        return "too_small"
    if max(image.width, image.height) > rules.max_side > 0:
        return "too_large"
    if _aspect(image.width, image.height) > rules.max_aspect > 0:
        return "aspect"
    if image.single_colour and rules.drop_single_colour:
        return "single_colour"
    if image.shared:
        return "placeholder"
    reason = image_scores.judge(image.answers, rules)[0]
    if reason:
        return reason
    if image.repeats > rules.max_repeats > 0:
        return "repeated"
    if image.similarity < rules.min_document_similarity:
        return "low_similarity"
    return ""


def judge_images(images: Sequence[JudgedImage | None], rules: Recipe) -> list[str]:
    """A reason for each image of one document, in reading order: repeats inside it and the limit per document too.

    Recipes without a limit on repeats (max_repeats = 0) keep repeats inside a document as well.
    """
    reasons, seen, kept = [], set(), 0
    for image in images:
        reason = judge_image(image, rules)
        if not reason and image is not None:
            if rules.max_repeats and image.image_id in seen:
                reason = "repeated_in_document"
            elif kept >= rules.max_images > 0:
                reason = "too_many_images"
            else:
                kept += 1
                seen.add(image.image_id)
        reasons.append(reason)
    return reasons


def judge_document(
    doc_id: str, has_text: bool, images: int, rules: DocumentRules, salt: str, matched: float = 1.0, mean: float = 1.0
) -> tuple[str, str]:
    """(corpus, "") for a document to keep, ("", reason) for another.

    Args:
        images: how many of its images are kept.
        matched: share of these whose similarity to the text that they are matched with is high enough.
        mean: of the similarities of these to the text that each is most like.
    """
    if not images:
        if not has_text:
            return "", "empty"
        return ("text", "") if rules.imageless == "text" else ("", "no_images")
    if not has_text and rules.require_interspersed:
        return "", "no_text"
    if images == 1 and hash_unit(doc_id, f"{salt}one-image") < rules.one_image_drop:
        return "", "one_image"
    if images < rules.min_document_images:
        return "", "few_images"
    if images > rules.max_document_images > 0:
        return "", "many_images"
    if matched < rules.min_matched_share:
        return "", "unmatched"
    if mean < rules.min_mean_similarity:
        return "", "dissimilar"
    return "interleaved", ""


def judge_pair(
    image: JudgedImage | None, similarity: float, rules: Recipe, language: str = "", top: float = -math.inf
) -> str:
    """Why a caption pair is dropped; sizes are those of the image as fetched.

    Args:
        language: of the caption; a threshold may be its own.
        top: a pair below it is not among the share of all pairs that is kept (`pair_top_share`).
    """
    if image is None or image.status != "ok":
        return "image_missing"
    if image.evaluation:
        return "evaluation_image"
    if min(image.width, image.height) < rules.pair_min_side:
        return "too_small"
    if _aspect(image.width, image.height) > rules.pair_max_aspect > 0:
        return "aspect"
    if image.single_colour and rules.drop_single_colour:
        return "single_colour"
    if image.shared:
        return "placeholder"
    reason = image_scores.judge(image.answers, rules)[0]
    if reason:
        return reason
    if similarity < max(rules.pair_min_similarity_by_language.get(language, rules.pair_min_similarity), top):
        return "low_similarity"
    return ""


def _aspect(width: int, height: int) -> float:
    return max(width, height) / max(1, min(width, height))
