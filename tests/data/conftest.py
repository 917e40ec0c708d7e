"""What the tests of all data sources share."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dlexp.data import build_dataset
from dlexp.errors import InputError


@pytest.fixture
def error_of() -> Callable[[Mapping[str, Any]], str]:
    """The one-line message with which `build_dataset` refuses a node."""

    def error(node: Mapping[str, Any]) -> str:
        with pytest.raises(InputError) as caught:
            build_dataset(node)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return error
