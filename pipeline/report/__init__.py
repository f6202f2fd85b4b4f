"""The report: one page for a person with five minutes, and the same figures for a program."""
