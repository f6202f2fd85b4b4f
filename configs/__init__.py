"""Data shipped with weft: recipes (recipes/*.toml), AI agents (ai_agents.toml) and the tiny CLIP (tiny_clip/)."""

if __name__ != "weft.configs":  # the folder stands at the top of the repository, its import name does not
    raise ImportError("import weft.configs")
