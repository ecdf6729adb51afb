"""Stand-in for cuda-python 13, which has no module cuda.cudart."""
