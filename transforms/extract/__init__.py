"""One archived page → its document, its caption pairs, and its fates; page.py has the rules in their order."""
