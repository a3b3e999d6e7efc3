from mmconvert.report.strip import draw_operations
from mmconvert.report.svg import WIDE


def test_names_of_operations_are_left_out_where_there_are_many():
    operation = {"op": "CONV_2D", "dtype": "INT8", "output": "<conv>"}
    few, many = (draw_operations([operation] * count, WIDE) for count in (60, 61))
    assert few.count(">conv_2d<") == 60 and ">conv_2d<" not in many and many.count("<rect") == 61
    assert "<conv>" not in few and "&lt;conv&gt;" in few
