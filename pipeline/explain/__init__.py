"""`weft explain`: the way of one thing through the stages, in words.

find.py  rows of tables by the value of a column     reasons.py  what each reason means
rows.py  what view asks of them too                  shard.py    where a sample stands in its shard
story.py a URL, id or key → its way
"""
