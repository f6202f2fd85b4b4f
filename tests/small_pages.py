"""Pages that are a heading and what a test puts under it, among paragraphs long enough to be main content."""

URL = "http://site.test/dir/page.html"
SENTENCE = "The quick brown fox jumps over the lazy dog while nobody at all is watching it. "


def article(*parts):
    return f"<html><head></head><body><main><article><h1>Heading of this page</h1>{''.join(parts)}</article></main></body></html>"


def p(n=3):
    return f"<p>{SENTENCE * n}</p>"
