"""Retraining: what is learned from, the order of a run, and when one may start."""
