"""The search: which networks of a space trade accuracy against latency best on one device.

In: a search space, a latency model made from a profile, and a function that scores one network (with weights inherited
from a supernet). Out: a run folder with `run.json`, `archive.jsonl`, `baselines.jsonl`, `generations.jsonl` and
`front.json`. The command line and the report call it.

    Search.run -> plan (predictor -> inner search -> pre-screening) -> evaluate -> Archive -> ... -> choose

`config`, `domain`, `archive`, `select` and `manifest` need nothing but numpy and are enough to read a run folder;
`loop` and what it plans with (`predictors`, `inner`, `prescreen`) load scipy, pymoo, LightGBM, scikit-learn, and torch
where the predictor needs it.
"""
