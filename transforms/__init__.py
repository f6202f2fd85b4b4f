"""What happens to one element or one group: pure functions, and one thin PTransform over them per file.

io/        whole files, tables and tars, local or remote; units of work that write them
beam/      coders and hot keys: what every graph needs
archives/  WARC, ARC, WACZ → records
extract/   a page → its document and caption pairs
dedup/     documents and pairs → which of them are kept
fetch/     addresses → stored images
score/     images and texts → CLIP similarities and what heads say
pack/      all of it → samples, tokens, shards

Nothing here knows a runner, an option or the order of the stages; directories come in as arguments. A room imports io/,
beam/ and the rooms of stages before it; the layers in pyproject.toml say so.
"""

if __name__ != "weft.transforms":  # the folder stands at the top of the repository, its import name does not
    raise ImportError("import weft.transforms")
