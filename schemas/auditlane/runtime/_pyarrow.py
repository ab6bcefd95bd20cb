"""pyarrow without its published types, which lack the kernels for plain values and the parts of a map array."""

from __future__ import annotations

from typing import Any

import pyarrow
import pyarrow.compute

pa: Any = pyarrow
pc: Any = pyarrow.compute
Column = Any  # a pyarrow.Array
