"""Documents and pairs → which of them are kept; docs/dedup.md has the method."""
