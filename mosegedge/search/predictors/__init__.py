"""Predictors of accuracy: codes of evaluated networks in, accuracies of other networks out.

All have the same interface (`fit(codes, y)`, `predict(codes)`, some `predict_with_std(codes)`) and know the codes only
by a `CodeDescription`, so they work on any space of depth, width and expansion digits. `make_predictor` of `registry`
makes them by name; `spaces` describes the codes of this project's spaces.

    CodeDescription -> Encoder (canonical form, masked one-hot, aggregates) -> predictor -> accuracy in the unit of y
"""
