"""One HTML page → its document and its caption pairs. No pipeline, no configuration.

python examples/one_page.py [FILE.html]
"""

import sys
from pathlib import Path

import weft

PAGE = """<html><head><title>Lighthouses</title></head><body>
<nav><a href="/">Home</a> <a href="/about">About</a></nav>
<article><h1>Three lighthouses</h1>
<p>The first of them was built in 1811 on a rock that the tide covers twice a day, and it has stood there since. Its
builder had to bring every stone over the water, cut to fit the one below.</p>
<figure><img src="bell-rock.jpg" width="640" height="480"><figcaption>The Bell Rock at low tide</figcaption></figure>
<p>The second stands on dry land. Nobody lives in it any more, but its lamp is lit every evening by a machine that a
clock in another town sets going.</p></article>
<footer>Copyright 2025. All rights reserved.</footer></body></html>"""


def main() -> None:
    """Print what there is of one page."""
    html = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else PAGE
    found = weft.extract_html(html, "https://example.org/lighthouses.html", weft.PageRules(min_words=20))
    if found.document is None:
        sys.exit(f"dropped: {found.fates[0].reason} ({found.fates[0].detail})")
    print(f"{found.document.title} [{found.document.language}]\n")
    for text, image in zip(found.document.texts, found.document.images, strict=True):
        print(text if text is not None else f"<image {image}>")
    for pair in found.pairs:
        print(f"\npair ({pair.source}): {pair.image_url} = {pair.text!r}")


if __name__ == "__main__":
    main()
