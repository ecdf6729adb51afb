"""Stand-in for `cuda.bindings.utils` 13."""


def get_cuda_native_handle(obj):
    return obj.value
