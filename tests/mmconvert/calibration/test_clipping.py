import numpy as np

from mmconvert.calibration.dataset import load_dataset as load_of_several
from rig.calibration_rows import ONE, save


def test_a_notice_tells_what_an_int8_input_would_clip(tmp_path):
    random = np.random.default_rng(1).normal(size=(200, 2, 3)).astype(np.float32)
    alike = load_of_several(save(tmp_path, random), None, [ONE])
    assert not any("clips" in notice for notice in alike.notices)
    np.save(tmp_path / "eval.npy", random * 10)
    louder = load_of_several(tmp_path / "rows.npy", tmp_path / "eval.npy", [ONE])
    (notice,) = [notice for notice in louder.notices if "clips" in notice]
    share = np.mean((random * 10 < random.min()) | (random * 10 > random.max()))
    assert f"input 'x': {share:.1%} of the values" in notice
