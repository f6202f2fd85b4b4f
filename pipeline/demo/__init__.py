"""A small web with known truth, and the run on it.

pictures.py   scenes of coloured shapes: drawn, captioned, told in a sentence
tiny_clip.py  trains the CLIP that weft ships on such pictures
web.py        pages, images and archives; prose, templates and media beside it
server.py     the loopback server of the images that no archive holds
truth.py      how right a finished run was
run.py        `weft demo`
"""
