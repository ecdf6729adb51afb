"""The product: a chosen network as a folder that can be deployed and checked.

In: a network with weights. Out: a `Bundle` (ONNX, weights, golden pictures, facts), and a report of its verification
on a device.
"""
