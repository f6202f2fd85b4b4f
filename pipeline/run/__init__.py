"""A run: its stages in their order, what is done already, and whether the books balance."""
