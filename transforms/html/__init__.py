"""HTML → an interleaved document: one parse, one pass, and a small model that says which blocks are content."""

from transforms.html.charset import to_text
from transforms.html.page import Occurrence, Page, TooComplex, explain, extract

__all__ = ["Occurrence", "Page", "TooComplex", "explain", "extract", "to_text"]
