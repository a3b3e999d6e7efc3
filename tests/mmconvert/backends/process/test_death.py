import signal

import pytest

from mmconvert.backends.process.death import explain_death


@pytest.mark.parametrize(
    ("code", "chatter", "wanted"),
    [
        (-signal.SIGSEGV, "std::bad_alloc long ago", "CONVERTER_CRASHED"),
        (-signal.SIGABRT, "terminate called after throwing an instance of 'std::bad_alloc'", "CONVERTER_LIMIT"),
        (-signal.SIGABRT, "Thread creation via pthread_create() failed.", "CONVERTER_LIMIT"),
        (-signal.SIGABRT, "Check failed: a == b", "CONVERTER_CRASHED"),
        (-signal.SIGXCPU, "", "CONVERTER_LIMIT"),
        (-signal.SIGKILL, "", "CONVERTER_CRASHED"),
        (1, "ImportError: libx.so: failed to map segment from shared object", "CONVERTER_LIMIT"),
        (1, "", "CONVERTER_FAILED"),
    ],
)
def test_each_way_to_die_has_its_error(code, chatter, wanted):
    assert explain_death("quantize", code, chatter).code == wanted
