import json

from weft.pipeline.run.progress import Progress


def test_what_is_told_counts_what_the_units_did(tmp_path):
    progress = Progress(str(tmp_path), "extract")
    progress.expect(8)
    (tmp_path / "extract/units").mkdir(parents=True)
    for number in range(4):
        counts = {"page": 100, "image": 50, "record": 900}
        marker = tmp_path / f"extract/units/{number}.json"
        marker.write_text(json.dumps({"fingerprint": "f", "counts": counts}))
    assert progress.look() == progress.look() == 4
    assert progress.told(4, 20.0) == "4 of 8 units, 400 pages (20/s), 200 images (10/s), 20 s left"
    assert progress.told(4, 20.0, before=2) == "4 of 8 units, 400 pages (10/s), 200 images (5/s), 40 s left"
    assert progress.told(4, 20.0, before=4) == "4 of 8 units, 400 pages (0/s), 200 images (0/s)"


def test_shards_are_counted_in_tokens_and_hours_are_not_seconds(tmp_path):
    progress = Progress(str(tmp_path), "pack")
    progress.expect(100)
    (tmp_path / "pack/units").mkdir(parents=True)
    (tmp_path / "pack/units/a.json").write_text(json.dumps({"name": "a", "tokens": 5_000, "images": 0, "samples": 1}))
    assert progress.look() == 1
    assert progress.told(1, 100.0) == "1 of 100 units, 5,000 tokens (50/s), 2.8 h left"
