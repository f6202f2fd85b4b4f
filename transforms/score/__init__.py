"""Images and texts → vectors, similarities, and what heads and prompts say; torch is imported only where it runs."""
