"""Stand-in for the half of TensorRT that runs: engines, contexts, the inspector."""

import ctypes
import sys

import standin_gpu
import standin_plan
from standin_gpu import GPU, fails, noise


def classes(v):
    """The classes of one version.

    Args:
        v: What both halves use, see `standin_tensorrt`.
    """

    class Runtime(v.Documented):
        def __init__(self, logger):
            noise("[TRT] runtime")
            if fails("crash"):
                v.say(logger, v.Severity.ERROR, "createInferRuntime: Error Code 6: API Usage Error")
                standin_gpu.crash()
            self._logger = logger

        def deserialize_cuda_engine(self, buffer):
            facts, model = standin_plan.unpack(bytes(buffer))
            if facts.get("version") != v.version or facts.get("gpu") != standin_gpu.NAME:
                text = "1: [stdArchiveReader.cpp::StdArchiveReader::40] Error Code 1: Serialization (Serialization "
                text += "assertion stdVersionRead == serializationVersion failed.Version tag does not match)"
                v.say(self._logger, v.Severity.ERROR, text)
                return None
            return ICudaEngine(facts, model, self._logger)

    class ICudaEngine(v.Documented):
        def __init__(self, facts, model, logger):
            self._facts = facts
            self._model = standin_plan.Model(facts, model)
            self._logger = logger

        num_io_tensors = property(lambda self: len(self._model.ports))
        num_aux_streams = property(lambda self: self._facts["aux"])
        num_layers = property(lambda self: len(self._model.layers))

        def get_tensor_name(self, index):
            return list(self._model.ports)[index]

        def get_tensor_mode(self, name):
            return v.TensorIOMode.INPUT if self._model.ports[name].is_input else v.TensorIOMode.OUTPUT

        def get_tensor_shape(self, name):
            return tuple(self._model.ports[name].shape)

        def get_tensor_dtype(self, name):
            return getattr(v.DataType, self._model.ports[name].kind)

        def create_execution_context(self):
            noise("[TRT] context")
            return None if fails("context") else IExecutionContext(self, self._logger)

        def create_engine_inspector(self):
            return EngineInspector(self)

    class EngineInspector(v.Documented):
        execution_context = None

        def __init__(self, engine):
            self._engine = engine

        def get_engine_information(self, form):
            return standin_plan.information(self._engine._model, self._engine._facts)

    class IExecutionContext(v.Documented):
        profiler = None
        enqueue_emits_profile = True

        def __init__(self, engine, logger):
            self._engine = engine
            self._logger = logger
            self._addresses = {}
            self._pending = False
            self._reports = 0

        def set_tensor_address(self, name, pointer):
            self._addresses[name] = int(pointer)
            return name in self._engine._model.ports

        def execute_async_v3(self, stream_handle):
            model = self._engine._model
            captured = fails("capture") and stream_handle in GPU.capturing
            if fails("enqueue") or captured or set(self._addresses) != set(model.ports):
                text = "3: [executionContext.cpp::enqueueV3::2666] Error Code 3: API Usage Error (cannot enqueue)"
                v.say(self._logger, v.Severity.ERROR, text)
                return False
            GPU.submit(stream_handle, self._execute, model.duration_ns)
            self._pending = True
            if self.profiler is not None and getattr(self, "enqueue_emits_profile", True):
                self.report_to_profiler()
            return True

        def _execute(self):
            model = self._engine._model
            inputs = {
                name: ctypes.string_at(self._addresses[name], port.size)
                for name, port in model.ports.items()
                if port.is_input
            }
            for name, content in model.run(inputs).items():
                ctypes.memmove(self._addresses[name], content, len(content))

        def report_to_profiler(self):
            if fails("report") or not self._pending:
                return False
            self._pending = False
            self._reports += 1
            for index, layer in enumerate(self._engine._model.layers):
                if fails("profiler") and index == 1 and self._reports % 2:
                    continue
                try:
                    self.profiler.report_layer_time(layer.name, layer.duration_ns / 1e6)
                except Exception as error:  # As the binding does.
                    sys.stderr.write(f"[ERROR] Exception caught in report_layer_time(): {error}\n")
            GPU.now_ns += 1000
            return True

    return {name: value for name, value in locals().items() if isinstance(value, type)}
