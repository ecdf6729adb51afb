"""Stand-in for `cuda.cudart` of cuda-python 12.3."""

import standin_cudart

globals().update(standin_cudart.namespace(12))
