"""The recipe's decisions on images, documents and pairs: pure functions that return a reason, "" to keep.

Kosmos-1's rules (arXiv 2302.14045, 3.1 and B.1.3) are the defaults; the others are peers' and off unless configured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from weft.schemas.config import Pack
from weft.schemas.records import hash_unit
from weft.transforms.score import image_scores
from weft.transforms.score.image_scores import Looks


class Picture(NamedTuple):
    """What the recipe looks at in an image; `status` is fetch's."""

    status: str
    image_id: str
    width: int
    height: int
    single_colour: bool
    repeats: int  # kept documents that hold it
    similarity: float  # best with any text of its document; 1.0 where nothing was compared
    evaluation: str = ""  # the evaluation image that it is a copy of
    looks: Looks | None = None  # what its vector says of it, where anybody asked
    shared: int = 0  # addresses of its host with the same picture, where those are too many


def judge_image(picture: Picture | None, config: Pack) -> str:
    """Why an image has no place in any document."""
    if picture is None:
        return "image_missing"
    if picture.status != "ok":
        return f"image_{picture.status}"
    if picture.evaluation:
        return "evaluation_image"
    if min(picture.width, picture.height) < config.min_side:
        return "too_small"
    if max(picture.width, picture.height) > config.max_side > 0:
        return "too_large"
    if _aspect(picture.width, picture.height) > config.max_aspect > 0:
        return "aspect"
    if picture.single_colour and config.drop_single_colour:
        return "single_colour"
    if picture.shared:
        return "placeholder"
    reason = image_scores.judge(picture.looks, config)[0]
    if reason:
        return reason
    if picture.repeats > config.max_repeats > 0:
        return "repeated"
    if picture.similarity < config.min_document_similarity:
        return "low_similarity"
    return ""


def judge_images(pictures: Sequence[Picture | None], config: Pack) -> list[str]:
    """A reason for each image of one document, in reading order: repeats inside it and the limit per document too.

    Recipes without a limit on repeats (max_repeats = 0) keep repeats inside a document as well.
    """
    reasons, seen, kept = [], set(), 0
    for picture in pictures:
        reason = judge_image(picture, config)
        if not reason and picture is not None:
            if config.max_repeats and picture.image_id in seen:
                reason = "repeated_in_document"
            elif kept >= config.max_images > 0:
                reason = "too_many_images"
            else:
                kept += 1
                seen.add(picture.image_id)
        reasons.append(reason)
    return reasons


def judge_document(
    doc_id: str, has_text: bool, images: int, config: Pack, salt: str, matched: float = 1.0, mean: float = 1.0
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
        return ("text", "") if config.imageless == "text" else ("", "no_images")
    if not has_text and config.require_interspersed:
        return "", "no_text"
    if images == 1 and hash_unit(doc_id, f"{salt}one-image") < config.one_image_drop:
        return "", "one_image"
    if images < config.min_document_images:
        return "", "few_images"
    if images > config.max_document_images > 0:
        return "", "many_images"
    if matched < config.min_matched_share:
        return "", "unmatched"
    if mean < config.min_mean_similarity:
        return "", "dissimilar"
    return "interleaved", ""


def judge_pair(
    picture: Picture | None, similarity: float, config: Pack, language: str = "", top: float = -math.inf
) -> str:
    """Why a caption pair is dropped; sizes are those of the image as fetched.

    Args:
        language: of the caption; a threshold may be its own.
        top: the similarity that the share to be kept of all pairs reaches.
    """
    if picture is None or picture.status != "ok":
        return "image_missing"
    if picture.evaluation:
        return "evaluation_image"
    if min(picture.width, picture.height) < config.pair_min_side:
        return "too_small"
    if _aspect(picture.width, picture.height) > config.pair_max_aspect > 0:
        return "aspect"
    if picture.single_colour and config.drop_single_colour:
        return "single_colour"
    if picture.shared:
        return "placeholder"
    reason = image_scores.judge(picture.looks, config)[0]
    if reason:
        return reason
    if config.drop_near_images and picture.looks is not None and picture.looks.repeat_of:
        return "near_image"
    if similarity < max(config.pair_min_similarity_by_language.get(language, config.pair_min_similarity), top):
        return "low_similarity"
    return ""


def split_of(doc_id: str, config: Pack, salt: str) -> str:
    """ "train" or "val": a page goes whole to one of them, and its pairs with it."""
    return "val" if hash_unit(doc_id, f"{salt}split") < config.val_fraction else "train"


def _aspect(width: int, height: int) -> float:
    return max(width, height) / max(1, min(width, height))
