"""The demo's truth is known: how right is each filter, dedup, image placement?"""
