"""Beam on this machine: the graph level by level, in this process or in several, with shuffles that go to disk.

A pipeline becomes a plan (plan.py): steps, each at the level at which all that it must have whole is there. Of a level
each source (what was created, one partition of a shuffle) is pushed through the steps that hang on it (work.py); rows
that are grouped, spread anew or read as a side input are kept as bytes by partition, in memory up to a bound and on
disk above it (partitions.py). The driver hands out partitions, to itself or to worker processes (pool.py, runner.py).

Beam's own runner on one machine keeps all that is shuffled in memory, and spends most of a small job on messages to
itself. What it knows and this does not: windows and time, state and timers, splitting of running work, other languages.
"""
