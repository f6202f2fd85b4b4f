"""One file a stage: its tables, its graph, how many of each kind entered. run/registry.py has their order."""
