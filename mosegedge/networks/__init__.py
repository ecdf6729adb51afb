"""Torch modules and ONNX files of layers and networks.

In: layer specifications from `mosegedge.space`. Out: `SubNet`, and ONNX bytes for the profiler and the exporter, so
that what is measured is what is deployed. Importing it loads torch; `devices` and `profiling` do so only where they
use it.
"""
