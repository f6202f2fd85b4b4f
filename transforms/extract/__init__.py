"""HTML pages → documents, caption pairs and fates: the rules are in page.py, the transform in extract_pages.py."""
