"""Stand-in for an engine: ONNX with a header; layers fused and named as TensorRT 8.5 to 11 do, times by a law."""

import json

MAGIC = b"stand-in plan\n"
LAYER_NS = 2000
SEPARATORS = {8: "\x1e", 10: "\x1f", 11: "\x1f"}
KINDS = {1: "FLOAT", 10: "HALF", 7: "INT64", 2: "UINT8", 6: "INT32"}
DTYPES = {"FLOAT": "float32", "HALF": "float16", "INT64": "int64", "UINT8": "uint8", "INT32": "int32"}


def pack(facts, model):
    return MAGIC + json.dumps(facts, sort_keys=True).encode() + b"\n" + model


def unpack(content):
    if not content.startswith(MAGIC):
        return {}, b""
    header, model = content[len(MAGIC) :].split(b"\n", 1)
    return json.loads(header), model


def nodes_of(model):
    import onnx

    return list(onnx.load_model_from_string(model).graph.node)


def node_names(model):
    return [node.name for node in nodes_of(model)]


def unsupported(model):
    import onnx

    nodes = nodes_of(model)
    return [(node.name, node.op_type) for node in nodes if node.domain or not onnx.defs.has(node.op_type)]


class Port:
    def __init__(self, value, is_input):
        self.is_input = is_input
        self.kind = KINDS[value.type.tensor_type.elem_type]
        self.shape = [side.dim_value or -1 for side in value.type.tensor_type.shape.dim]
        self.size = 1
        for side in self.shape:
            self.size *= side
        self.size *= {"FLOAT": 4, "HALF": 2, "INT64": 8, "UINT8": 1, "INT32": 4}[self.kind]


class Layer:
    def __init__(self, name, kind, nodes, duration_ns):
        self.name, self.kind, self.nodes, self.duration_ns = name, kind, nodes, duration_ns


def fused(nodes):
    """Convolutions take the Relu that reads them; what is pointwise stands in PWN(); the tail is one foreign node."""
    nodes = [node for node in nodes if node.op_type != "Constant"]
    layers = [Layer(f"Reformatting CopyNode for Input Tensor 0 to {nodes[0].name}", "Reformat", [], 0)]
    tail = nodes[-3:] if len(nodes) > 6 else []
    body = nodes[: len(nodes) - len(tail)]
    index = 0
    while index < len(body):
        node, following = body[index], body[index + 1] if index + 1 < len(body) else None
        if node.op_type == "Conv" and following is not None and following.op_type == "Relu":
            layers.append(Layer(f"{node.name} + {following.name}", "CaskConvolution", [node, following], LAYER_NS))
            index += 2
            continue
        if node.op_type in ("Sigmoid", "Mul", "Relu"):
            layers.append(Layer(f"PWN({node.name})", "PointWise", [node], LAYER_NS // 2))
        else:
            layers.append(Layer(node.name, node.op_type, [node], LAYER_NS))
        index += 1
    if tail:
        name = f"{{ForeignNode[{tail[0].name}...{tail[-1].name}]}}"
        layers.append(Layer(name, "Myelin", tail, LAYER_NS * 2))
    return layers


class Model:
    def __init__(self, facts, content):
        import onnx

        self.half = "FP16" in facts["flags"]
        self._content = content
        self._session = None
        graph = onnx.load_model_from_string(content).graph
        constant = {tensor.name for tensor in graph.initializer}
        self.ports = {value.name: Port(value, True) for value in graph.input if value.name not in constant}
        self.ports.update({value.name: Port(value, False) for value in graph.output})
        self.layers = fused(list(graph.node))
        self.duration_ns = sum(layer.duration_ns for layer in self.layers)

    def run(self, inputs):
        import numpy
        import onnxruntime

        if self._session is None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(self._content, options, providers=["CPUExecutionProvider"])
        feeds = {
            name: numpy.frombuffer(content, DTYPES[self.ports[name].kind]).reshape(self.ports[name].shape)
            for name, content in inputs.items()
        }
        names = [name for name, port in self.ports.items() if not port.is_input]
        outputs = self._session.run(names, feeds)
        if self.half:
            outputs = [value.astype("float16").astype(value.dtype) for value in outputs]
        return {name: numpy.ascontiguousarray(value).tobytes() for name, value in zip(names, outputs, strict=True)}


def information(model, facts):
    """The engine information of one version: fields differ, separators are raw control characters."""
    major = int(facts["version"].split(".")[0])
    if not facts["detailed"]:
        layers = [layer.name for layer in model.layers]
    else:
        layers = [_object(layer, facts["version"], major) for layer in model.layers]
    if major >= 11:
        ports = [
            {
                "Name": name,
                "IOMode": "Input" if port.is_input else "Output",
                "DataType": "Float",
                "Dimensions": port.shape,
            }
            for name, port in model.ports.items()
        ]
        content = {"Layers": layers, "I/O Tensors": ports, "Engine Metadata": ""}
    else:
        content = {"Layers": layers, "Bindings": list(model.ports)}
    # Not escaped, as in real files.
    return json.dumps(content).replace("\\u001e", "\x1e").replace("\\u001f", "\x1f")


def _object(layer, version, major):
    tensor = {"Name": "t", "Dimensions": [1]}
    tensor.update({"Format": "Row", "DataType": "Float"} if major >= 11 else {"Format/Datatype": "Row major FP32"})
    content = {
        "Name": layer.name,
        "LayerType": layer.kind,
        "Inputs": [tensor],
        "Outputs": [tensor],
        "TacticValue": "0x0",
    }
    if not version.startswith("8.5"):
        marks = [f"[ONNX Layer: {node.name}]" for node in layer.nodes]
        content.update({"StreamId": 0, "Metadata": SEPARATORS[major].join(marks)})
    return content
