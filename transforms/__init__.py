"""What happens to one element or one group: pure functions, and one thin PTransform over them per file.

Imports schemas only. Nothing here knows a runner, an option or the order of the stages; directories come in as
arguments. `files.py` reads and writes whole files atomically, `sinks.py` does the same for tables.
"""
