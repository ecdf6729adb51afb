"""Stand-in for TensorRT; STANDIN_TENSORRT names the version that it mimics: 8.5.3, 8.6.1, 10.3.0, 11.4.0."""

import os

import standin_gpu
import standin_tensorrt

if standin_gpu.fails("import"):
    raise ImportError("libnvinfer.so: cannot open shared object file: No such file or directory")
standin_gpu.noise("[TRT] module is loading")
globals().update(standin_tensorrt.namespace(os.environ["STANDIN_TENSORRT"]))
