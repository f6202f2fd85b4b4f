"""What every stage's graph needs: coders for records, keys with too many values, units of work."""
