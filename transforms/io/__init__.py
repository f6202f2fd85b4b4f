"""Whole files, local or remote; Parquet tables; tars. Each is written so that nobody ever sees half of it."""
