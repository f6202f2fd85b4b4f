"""How the weights of the extraction model are made: pages and gold texts → a table of features and labels → a fit.

    python -m weft.transforms.extract.html.training table SET …
    python -m weft.transforms.extract.html.training fit [--folds DIR]

The table is in the repository, so that `fit` alone makes the shipped weights again. Needs the `train` extra.
"""
