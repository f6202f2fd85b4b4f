"""Addresses of images → checked, resized bytes in blobs and an index; docs/images.md has the rules."""
