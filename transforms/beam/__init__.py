"""What every graph needs: coders for records, and keys with too many values."""
