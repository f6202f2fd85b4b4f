"""Web archives → records: WARC and ARC, alone or in a WACZ."""
