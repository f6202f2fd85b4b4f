"""Every Beam flag that deploy/README.md names is one that Beam takes."""

import re
from pathlib import Path

from pipeline import runners

PAGE = Path(__file__).parents[2] / "deploy/README.md"


def test_beam_takes_the_flags_of_the_page():
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    given = [re.sub(r"\\\n\s*", "", block).partition(" -- ")[2] for block in blocks]
    flags = {flag for text in given for flag in re.findall(r"--[a-z_]+(?==)", text)}
    assert {"--runner", "--job_endpoint", "--sdk_container_image", "--direct_num_workers"} <= flags
    runners.check([f"{flag}=1" for flag in sorted(flags)])
