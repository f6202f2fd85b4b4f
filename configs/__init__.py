"""Data shipped with weft: recipes (recipes/*.toml) and the tiny CLIP (tiny_clip/)."""
