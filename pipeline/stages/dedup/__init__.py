"""The jobs of dedup: sketch, find, link (or seat), settle; stage.py has their order."""
