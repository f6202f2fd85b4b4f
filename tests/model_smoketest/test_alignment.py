"""Wrong images are found out: by a model that was trained on them, and by one that was not."""

import json

import planted
import pytest

from weft.model_smoketest import alignment, evaluate


@pytest.fixture(scope="module")
def found(kit, learned):
    """Name of a corpus → what is said of it. `early` is judged by the model of `clean`, the others each by their own."""
    clean, faulty = (evaluate.evaluate(str(s), str(m), kit.config()) for s, m in (learned["clean"], learned["faulty"]))
    shards, model = learned["clean"]
    early = planted.plant("documents one image early", shards, model / "early")
    judged = evaluate.evaluate(str(early), str(model), kit.config(), "early.json", own=False)
    return {"clean": clean, "faulty": faulty, "early": judged}


def check(result, name):
    return next(one for one in result["checks"] if one["name"] == name)


def test_right_pictures_ground_the_model(found):
    result = found["clean"]
    pairs = result["grounding"]["pairs"]
    assert pairs["gap"] > 0.1 and pairs["gap"] > 5 * pairs["standard_error"] and pairs["win_rate"] > 0.8
    assert pairs["wrong"] == pytest.approx(pairs["right"] + pairs["gap"], abs=2e-5)
    assert pairs["right"] == result["loss"]["pairs"]  # a caption stands after its image, all of it
    documents = result["grounding"]["interleaved"]
    assert documents["gap"] > 0 and documents["images"] == 3 * documents["samples"] == 48
    assert pairs["rotations"] > 40  # all there are, without those that would give somebody his own
    assert result["places"]["+1"]["nats"] > 10 * abs(result["places"]["-1"]["nats"])


def test_a_clean_corpus_passes_the_checks_on_images(found):
    assert not {"pairs.mismatched", "interleaved.misplaced", "pairs.ungrounded", "interleaved.ungrounded"} & set(
        found["clean"]["failed"]
    )
    assert found["clean"]["mismatched"] < 0.03


def test_a_tenth_of_mismatched_pairs_is_found_counted_and_listed(kit, learned, found):
    assert check(found["faulty"], "pairs.mismatched")["p"] < 0.01
    assert 0.05 <= found["faulty"]["mismatched"] <= 0.15
    shards, model = learned["faulty"]
    lines = [json.loads(line) for line in (model / evaluate.SUSPECTS).read_text().splitlines()]
    world = planted.World(learned["clean"][0])
    exchanged = {key for split in ("train", "val") for key in planted.some(world.samples["pairs", split], 0.1)}
    assert sum(line["key"] in exchanged for line in lines) > 0.8 * len(lines) > 0
    assert all(line["shard"].startswith("pairs/") and (shards / line["shard"]).exists() for line in lines)
    assert [line["gap"] for line in lines] == sorted(line["gap"] for line in lines)


def test_images_one_place_late_or_early_are_found_with_their_direction(found):
    for name in ("faulty", "early"):
        moved = check(found[name], "interleaved.misplaced")
        assert moved["p"] < 0.01, moved
    assert "images stand late" in check(found["faulty"], "interleaved.misplaced")["told"]
    assert found["early"]["places"]["+2"]["nats"] > 5 * abs(found["early"]["places"]["+1"]["nats"])


def test_documents_gain_where_their_images_are_moved_back_and_lose_where_they_are_moved_away(found):
    gains = {name: {move: one["nats"] for move, one in result["moves"].items()} for name, result in found.items()}
    assert gains["faulty"]["-1"] > 1 > 0 > gains["clean"]["-1"], gains
    assert gains["early"]["+1"] > 1 > 0 > gains["clean"]["+1"], gains


def test_rotations_give_nobody_his_own_picture():
    images = [bytes([i % 5]) for i in range(17)] + [b"x"] * 6  # groups of equal images, up to six
    every = alignment.rotations(images, 100)
    assert len(every) == len(images) - 2 * 6 + 1
    few = alignment.rotations(images, 3)
    assert len(few) == 3 and few[0] == every[0] and few[-1] == every[-1]
    for source in every:
        assert sorted(source) == list(range(len(images)))
        assert all(images[i] != images[j] for i, j in enumerate(source))
    assert not any(alignment.rotations(few, 3) for few in ([b"a"] * 3 + [b"b"] * 2, [b"a"], []))
    assert alignment.rotations([b"a", b"b"], 3) == [[1, 0]]
