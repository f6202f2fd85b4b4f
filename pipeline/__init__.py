"""Which steps, in what order, from where to where, on what machine.

cli.py       the `weft` command                     context.py   what a stage is given to run
stages.py    the stages and their order             runners.py   Beam options per runner
manifest.py  what is done, and from what            books.py     every thing has one fate
extract.py dedup.py fetch.py score.py pack.py       one Beam graph each
training.py  train and eval (no Beam)               report.py    the page to look at
demo/        a small web with known truth, and the run on it
"""
