from __future__ import annotations

import pytest

from mmdaemon.confinement.memory import is_out_of_memory, too_large


@pytest.mark.parametrize(
    ("words", "is_starved"),
    [
        ("terminate called after throwing an instance of 'std::bad_alloc'", True),
        ("libtensorflow.so: failed to map segment from shared object", True),
        ("OSError: [Errno 12] Cannot allocate memory", True),
        ("MemoryError", True),
        ("Segmentation fault", False),
        ("", False),
    ],
)
def test_last_words_tell_whether_there_was_no_memory(words: str, is_starved: bool) -> None:
    assert is_out_of_memory(words) is is_starved


@pytest.mark.parametrize(
    ("limit", "says"), [(3 << 20, "more memory than the 3 MiB of executor.memory_mb"), (0, "than the box has free")]
)
def test_the_error_names_the_limit_and_its_key(limit: int, says: str) -> None:
    error = too_large("loading", "executor.memory_mb", limit)
    assert (error.code, error.retryable) == ("MODEL_TOO_LARGE", True)
    assert error.message.startswith("loading the model took") and says in error.message
    assert "raise executor.memory_mb" in error.hint
