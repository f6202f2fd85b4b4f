"""HTML → an interleaved document: one parse, one pass, and a small model that says which blocks are content."""

from weft.transforms.extract.html import marked
from weft.transforms.extract.html.about import About
from weft.transforms.extract.html.charset import to_text
from weft.transforms.extract.html.page import Occurrence, Page, explain, extract
from weft.transforms.extract.html.parser import TooComplex
from weft.transforms.extract.html.scan import figures_of

__all__ = ["About", "Occurrence", "Page", "TooComplex", "explain", "extract", "figures_of", "marked", "to_text"]
