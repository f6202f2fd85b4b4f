"""Kosmos-1 at smoke size: reads shards, trains, is evaluated. Imports schemas and torch; never Beam."""
