"""`weft card`: what a corpus is, for those who publish it: Croissant, a dataset card, the AI Act's public summary."""
