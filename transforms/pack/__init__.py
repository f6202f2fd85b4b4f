"""Documents, pairs, images and similarities → samples, tokens and shards."""
