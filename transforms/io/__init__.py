"""Whole files, local or remote; Parquet tables; tars; units of work that write them. Nobody ever sees half of one."""
