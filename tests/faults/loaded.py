"""What takes seconds to load: a child is forked from a process that has done it once."""

import great_expectations  # noqa: F401, TID253
import lancedb  # noqa: F401

import tests.faults.fill_runner
import tests.faults.runner  # noqa: F401
