"""Stand-in for TensorRT-RTX 1.2: the interface of TensorRT 11, under a version of its own."""

import standin_tensorrt

globals().update(standin_tensorrt.namespace("11.4.0"))
