"""Reading other people's ``.pth`` files without running what is in them."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganeval.errors import UserError

_NUMBER = np.float64(0).__reduce__()[0]
_HARMLESS: list[Any] = [
    (_NUMBER, "numpy._core.multiarray.scalar"),
    (_NUMBER, "numpy.core.multiarray.scalar"),  # its name before NumPy 2
    np.dtype,
    *(type(np.dtype(name)) for name in ("float32", "float64", "int32", "int64")),
]
"""What a file may hold beside tensors and Python's own types: NumPy numbers, as in a best FID so far."""


def read_pickle(path: Path) -> Any:
    """What ``path`` holds, on the CPU: tensors, numbers, strings and containers of them.

    Tensors of a file in today's format are mapped, not read: what is not used costs nothing. Raises ``UserError`` for a file
    that cannot be read, and for one that needs any other type than these.
    """
    try:
        with torch.serialization.safe_globals(_HARMLESS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files that torch.save never wrote: what follows says it in one line
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except Exception as error:  # torch.load raises whatever a damaged file makes its readers stumble over
        named = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if named:
            reason = f"wants to run {named[1]} and is not opened: save its state_dict alone in a new file"
        else:
            reason = "is no file of torch.save with tensors and numbers alone, or it is damaged; nothing in it was executed"
        raise UserError(f"{path} {reason}") from error


def is_plain(tensor: Tensor) -> bool:
    """Whether the tensor's numbers are there, all of them, and real: others are lost or altered where a network takes them."""
    dense = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    return dense and not tensor.is_complex()
