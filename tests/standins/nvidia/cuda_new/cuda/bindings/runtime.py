"""Stand-in for `cuda.bindings.runtime` 13."""

import standin_cudart

globals().update(standin_cudart.namespace(13))
