"""Which steps, in what order, from where to where, on what machine.

cli.py       the `weft` command                     context.py   what a stage is given to run
stages.py    the stages and their order             runners.py   Beam options per runner
manifest.py  what is done, and from what            books.py     every thing has one fate
extract.py dedup.py fetch.py score.py pack.py       one Beam graph each
training.py  train and eval (no Beam)               report.py    the page to look at
demo/        a small web with known truth, and the run on it
"""

import os

# Workers are processes, one a core: linear algebra that starts threads of its own in each makes them wait for each
# other. Read when numpy is first imported, which is after this.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
