"""`weft view`: a page of this machine, for people who look at what a run made.

A kind of page is a query and a template. `tables.py` lays DuckDB over the tables of an output directory, finished or
not; `kinds.py` says of each list what it selects, and by what it is filtered and ordered; `things.py` gathers one
document, one cluster, or the line between pairs; `samples.py` a shard's samples as the model sees them; `app.py`
answers requests, `serve.py` listens on loopback. What is shown was written by strangers: templates escape everything,
nothing is loaded from anywhere but here, and the only script is this package's, without which every page works.
"""
