"""Finished shards in the forms that other loaders read."""
