"""The measured comparisons: ``python -m benchmarks``, from the root of a checkout.

Every case is measured beside a peer in the same run, in turn, each time in a process of its own:
seconds by the clock, memory by the peak of resident pages. Medians and ratios are reported; no
test asserts a time.

* `frame`: cases, child processes, medians.
* `data`: the files that cases read, made once into ``bench-data/``.
* `cases`: what is compared, and `work`: the functions that child processes run.
* `browser`: what is measured on the page of a JupyterLab.
* `report`: the Markdown table.
"""
