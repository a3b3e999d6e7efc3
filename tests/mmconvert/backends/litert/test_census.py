from mmconvert.backends.litert.census import take_census


def test_a_census_counts_operations_types_and_weights(tiny_tflite):
    assert take_census(tiny_tflite) == {
        "ops": {"ADD": 1},
        "float_ops": {"ADD": 1},
        "edge_ops": 0,
        "int16_ops": 0,
        "weights": {"FLOAT32": 4},
        "inputs": ["FLOAT32"],
        "outputs": ["FLOAT32"],
    }
