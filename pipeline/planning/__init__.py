"""What an input will cost, by the measure of a run on a sample of it."""
