"""What the tests of the trainer share: generated shards, a tower, and models that have learned to look."""

import shutil
from pathlib import Path

import generated
import planted
import pytest
import torch

from weft.model_smoketest import train


class Kit:
    """What the tests of this directory share."""

    vocabulary = generated.VOCABULARY
    write_shards = staticmethod(generated.write_shards)
    write_texts = staticmethod(generated.write_texts)
    write_tower = staticmethod(generated.write_tower)
    members = staticmethod(generated.members)
    write_tar = staticmethod(generated.write_tar)
    picture = staticmethod(generated.picture)
    pair = staticmethod(generated.pair)
    document = staticmethod(generated.document)
    ids_of = staticmethod(generated.ids_of)

    def __init__(self, root: Path) -> None:
        self.tower = generated.write_tower(root / "tower")
        self.shards = generated.write_shards(root / "shards")

    def config(self, **changes):
        return generated.config(self.tower, **changes)


@pytest.fixture(scope="session")
def kit(tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Kit(tmp_path_factory.mktemp("model_smoketest"))
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def learned(kit, shared, tmp_path_factory):
    """Two corpora and the model of each, as (shards, model): `clean`, and `faulty`, of which a tenth of the pairs have
    each other's images and the documents' images stand one place late."""

    def learn(root):
        clean = kit.write_shards(root / "clean", generated.COUNTS)
        world = planted.World(clean)
        planted.mismatched(world)
        planted.shifted(world, 1)
        for shards in (clean, world.write(root / "faulty", clean)):
            config = kit.config(**generated.LEARNS)
            train.train(str(shards), str(root / f"{shards.name}-model"), config, lambda line: None)

    root = tmp_path_factory.mktemp("learned")  # what is said of a model is written beside it
    shutil.copytree(shared("learned", learn), root, dirs_exist_ok=True)
    return {name: (root / name, root / f"{name}-model") for name in ("clean", "faulty")}
