"""What has to be embedded: CLIP is the dearest step there is, and many recipes have no use for it.

configuration of score and pack → which kinds of similarity, and whether image vectors, somebody asks for.
"""

from __future__ import annotations

from typing import NamedTuple

from weft.schemas.config import Score
from weft.schemas.parameters import Recipe
from weft.transforms.score import image_scores


class Needs(NamedTuple):
    """What score computes; nothing is embedded that belongs to none of these."""

    documents: bool  # similarities of documents' images with their texts
    pairs: bool  # of pairs' images with their captions
    images: bool  # the vector of every stored image

    def line(self) -> str:
        """For a person."""
        if not any(self):
            return 'nothing asks for CLIP: no image and no text is embedded (score.compare = "always" embeds all)'
        if self.documents and self.pairs:
            return ""
        told = [
            name
            for name, is_asked in (
                ("documents", self.documents),
                ("pairs", self.pairs),
                ("all images", self.images),
            )
            if is_asked
        ]
        return f'CLIP is asked for {" and ".join(told)} alone (score.compare = "always" embeds all)'


def of(score: Score, recipe: Recipe) -> Needs:
    """Who asks for what."""
    always = score.compare == "always"
    every = always or bool(score.also)  # more models than the one that decides are there to be looked at
    return Needs(
        documents=every
        or recipe.min_document_similarity > -1
        or recipe.min_matched_share > 0
        or recipe.min_mean_similarity > -1,
        pairs=every
        or score.embeddings
        or recipe.pair_min_similarity > -1
        or bool(recipe.pair_min_similarity_by_language)
        or recipe.pair_top_share > 0
        or score.near_images > 0,
        images=always or score.embeddings or image_scores.asked_of_each(score),
    )
