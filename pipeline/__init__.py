"""Which steps, in what order, from where to where, on what machine.

cli.py     the `weft` command             stages/    one Beam graph a stage; train and eval (no Beam)
run/       the order, manifests, books    runners/   Beam options per runner, local workers
planning/  what an input will cost        report/    the page to look at
demo/      a small web with known truth, and the run on it
"""

if __name__ != "weft.pipeline":  # the folder stands at the top of the repository, its import name does not
    raise ImportError("import weft.pipeline")
