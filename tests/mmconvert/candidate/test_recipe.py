import re

from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.recipe import (
    DENSE_INT4,
    DYNAMIC_INT8_DENSE,
    RECIPES,
    STATIC_INT8,
    keep_float,
    recipes_for,
)


def test_recipes_that_would_be_equal_on_this_graph_are_tried_once():
    names = [recipe.name for recipe in recipes_for("default", ["CONV_2D", "SOFTMAX"], has_calibration=True)]
    assert "static_int8" in names and "float16" in names and "int16x8" in names
    assert DYNAMIC_INT8_DENSE.name not in names and DENSE_INT4.name not in names
    depthwise = recipes_for("quick", ["DEPTHWISE_CONV_2D"], has_calibration=False)
    assert [recipe.name for recipe in depthwise] == ["dynamic_int8_no_depthwise", "float16"]


def test_a_rule_for_a_kept_operation_matches_its_whole_name():
    rule = keep_float("a/b.c;d")
    assert re.search(rule["regex"], "a/b.c;d;") and not re.search(rule["regex"], "a/b.c;d2;")
    twice = STATIC_INT8.keeping_float(["a"]).keeping_float(["b"])
    assert twice.kept_float == ("a", "b") and [r["algorithm_key"] for r in twice.rules[1:]] == ["no_quantize"] * 2
    assert STATIC_INT8.kept_float == () and len(STATIC_INT8.rules) == 1
    assert Candidate(twice, is_one_row=True).name == "static_int8_2_float_one_row"


def test_every_recipe_is_in_the_form_that_the_library_reads():
    from litert_quantizer import recipe_manager

    for recipe in RECIPES.values():
        manager = recipe_manager.RecipeManager()
        manager.load_quantization_recipe(recipe.rules)
        assert len(manager.get_quantization_recipe()) == len(recipe.rules)
