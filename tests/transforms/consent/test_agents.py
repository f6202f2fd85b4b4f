"""The list of AI agents is whole and dated, and what is chosen of it is what was asked for."""

import datetime
import tomllib
from importlib import resources

from weft.transforms.consent import agents


def test_the_list_is_dated_and_names_each_agent_once():
    found = tomllib.loads((resources.files("weft.configs") / "ai_agents.toml").read_text("utf-8"))
    assert isinstance(found.pop("as_of"), datetime.date)
    assert set(found) == set(agents.PURPOSES)
    names = [name.lower() for purpose in found.values() for name in purpose]
    assert len(names) == len(set(names)) > 60


def test_purposes_and_names_are_chosen():
    train = agents.chosen(["train"])
    assert {"ccbot", "gptbot", "google-extended", "claudebot"} <= train and "chatgpt-user" not in train
    assert agents.chosen(["*", "MyBot"]) == {"*", "mybot"}
    assert agents.chosen([]) == frozenset()
    assert agents.chosen(agents.PURPOSES) == agents.known()
