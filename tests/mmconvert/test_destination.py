import pytest

from mmconvert.destination import published_path, require_writable
from mmwire.errors import ConvertError


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    assert published_path(tmp_path, "a") == tmp_path / "a.tflite"
    with pytest.raises(ConvertError, match="does not exist"):
        published_path(tmp_path / "missing", "a")
    (tmp_path / "b").mkdir()
    with pytest.raises(ConvertError, match="two layouts of one name conflict"):
        published_path(tmp_path, "b")
    with pytest.raises(ConvertError, match="is a folder"):
        require_writable(tmp_path / "b")
    with pytest.raises(ConvertError, match="does not exist"):
        require_writable(tmp_path / "missing" / "a.tflite")
