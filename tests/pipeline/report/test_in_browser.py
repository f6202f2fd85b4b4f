"""The report in a real Chromium: nothing cropped at 400 px, nothing asked for."""

import shutil
from pathlib import Path

import browser as browsers
import pytest

import weft.schemas.config as configuration
from weft.pipeline.report import report
from weft.pipeline.run import manifest


def test_nothing_is_cropped_and_nothing_refused(finished: Path, tmp_path: Path) -> None:
    output = shutil.copytree(finished, tmp_path / "out")
    config = configuration.from_dict(manifest.known_run(str(output))["config"])
    written = Path(report.write(str(output), config))
    with browsers.chromium() as browser:
        if browser is None:
            pytest.skip(browsers.WHY_NOT)
        for width, scheme in ((400, "dark"), (1200, "light")):
            browser.look(width, 900, scheme)
            browser.open(written.as_uri())
            assert browser.overflow() == [], width
            assert browser.run("return document.documentElement.scrollWidth") <= width
        assert browser.complaints() == []
