import http.server
import sys
import threading
from pathlib import Path

import weft.schemas.config as configuration
from weft.pipeline import cli, doctor


def examined(*sets: str, output: str = ".") -> dict[str, doctor.Finding]:
    config = configuration.load(overrides=["extract.common_crawl=/mirror", *sets])
    return {one.what: one for one in doctor.examine(config, output)}


def test_what_can_run_is_said_for_each_stage(tmp_path: Path):
    found = examined(output=str(tmp_path / "new/er"))
    assert list(found)[-7:] == ["extract", "dedup", "fetch", "score", "pack", "view", "train"]
    assert found["extract"].good and "/mirror" in found["network"].told and str(tmp_path) in found["disk"].told
    assert "tiny CLIP" in found["score"].told and "HTTP" in found["fetch"].told
    other = examined("fetch.http=false", f"score.model=local-dir:{tmp_path}/none")
    assert "archives alone" in other["fetch"].told
    assert not other["score"].good and f"there is no {tmp_path}/none" in other["score"].told


def test_extraction_without_its_compiled_part_is_said_to_be_slow(monkeypatch):
    monkeypatch.setitem(sys.modules, "weft.transforms.extract.html._compiled", None)
    monkeypatch.delenv("WEFT_COMPILED", raising=False)
    module, lacking = doctor.compiled.built()
    monkeypatch.setattr(doctor.compiled, "module", module)
    monkeypatch.setattr(doctor.compiled, "lacking", lacking)
    found = examined()["extract"]
    told = "can run, at about half its speed: its compiled part is not built: make setup, with a C compiler"
    assert found.good and found.told == told


def test_without_pytorch_score_and_train_cannot_run(monkeypatch):
    monkeypatch.setattr(doctor, "_has", lambda name: False)
    found = examined()
    assert not found["score"].good and not found["train"].good and found["pack"].good
    assert "weft-corpus[clip]" in found["score"].told and "not installed" in found["gpu"].told


def test_the_host_of_snapshots_is_asked():
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        assert examined(f"extract.common_crawl={url}")["network"] == doctor.Finding(
            True, "network", f"{url} answers (501)"
        )
        server.shutdown()
    gone = examined(f"extract.common_crawl={url}")["network"]
    assert not gone.good and "does not answer" in gone.told


def test_the_command_prints_a_line_each(capsys):
    assert cli.main(["doctor", "--set", "extract.common_crawl=/mirror"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 13 and all(line[:2] in ("ok", "!!") for line in told)
