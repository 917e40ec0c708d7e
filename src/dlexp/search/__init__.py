"""Spaces of hyper-parameters: exploring them, and predicting what was not tried."""
