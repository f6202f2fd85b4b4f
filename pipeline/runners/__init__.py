"""Where a graph runs: Beam options from the user's flags, local worker processes, Spark, what errors say."""
