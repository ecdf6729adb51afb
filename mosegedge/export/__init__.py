"""The product: a chosen network as a folder that can be deployed and checked.

In: a network with weights, and the device that it is for. Out: a `Bundle` (ONNX, the file that the device's compiler
made of it, weights, golden pictures, facts), and a report of its verification on the device.

    inherit.py, write.py   from a supernet and a code to a folder; onnx.py checks the ONNX file against PyTorch
    build.py, suitable.py  the device's own file; what a device can run at all
    bundle.py, manifest.py, migrations.py   the folder as an object, and what bundle.json says
    verify.py, verify_report.py   the file of the bundle on its device, compared and timed
    measuring.py, layers.py, card.py, bounds.py   latency, time by block, FPS card, what is rounding
    standalone_verify.py   becomes verify.py in the bundle: the same check on the device, without mosegedge
"""
