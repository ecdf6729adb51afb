"""How good a network is: shared weights, their training, and evaluation with inherited weights.

In: a search space and a data set. Out: a checkpoint, plain networks taken from it, and mIoU figures for the search.
"""
