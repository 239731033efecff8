"""Has it moved: evidence over many looks, what a version rests on, and the verdict. Pure.

It opens no store, loads no model and knows no clock; ``pipelines.watch`` brings what is looked at.
Method: bounded bets and conformal martingales that stay valid however often one looks.
"""
