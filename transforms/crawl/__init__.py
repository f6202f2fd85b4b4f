"""Addresses of pages and sitemaps → pages and their images, politely, as WARC."""
