"""What the tests of the trainer share: generated shards, a tower, and models that have learned to look."""

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
def learned(kit, tmp_path_factory):
    """Two corpora and the model of each, as (shards, model): `clean`, and `faulty`, of which a tenth of the pairs have
    each other's images and the documents' images stand one place late."""
    root = tmp_path_factory.mktemp("learned")
    clean = kit.write_shards(root / "clean", generated.COUNTS)
    world = planted.World(clean)
    planted.mismatched(world)
    planted.shifted(world, 1)
    made = {}
    for name, shards in (("clean", clean), ("faulty", world.write(root / "faulty", clean))):
        config = kit.config(**generated.LEARNS)
        train.train(str(shards), str(root / f"{name}-model"), config, lambda line: None)
        made[name] = shards, root / f"{name}-model"
    return made
