from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwire.errors import ModelError, RequestError
from mmwire.manifest import (
    ModelOptions,
    is_ignored,
    is_model_name,
    parse_labels,
    parse_options,
    parse_version,
    require_model_name,
)

FUZZ = settings(deadline=None, derandomize=True, max_examples=300)
ANY_TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("./\\\0\n-_~"), max_size=70)


@pytest.mark.parametrize("name", ["a", "9", "kws", "tf2_mobilenet_v2_1.0_224_ptq", "A-b.c_d", "x" * 64])
def test_model_names(name: str) -> None:
    assert is_model_name(name)
    assert require_model_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "-x", "_x", "a/b", "../a", "a\0", "a\n", "\na", "é", "x" * 65, "a b", "a\\b", "1\u0663"],
)
def test_what_is_no_model_name(name: str) -> None:
    assert not is_model_name(name)
    with pytest.raises(RequestError) as caught:
        require_model_name(name)
    assert caught.value.code == "BAD_REQUEST"


@FUZZ
@given(ANY_TEXT)
def test_no_model_name_leads_out_of_a_folder(name: str) -> None:
    if is_model_name(name):
        assert name.isascii() and name[0].isalnum() and not set(name) & set("/\\\0\n")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1", 1),
        ("42", 42),
        ("9" * 18, 10**18 - 1),
        ("0", None),
        ("01", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("1\n", None),
        (" 1", None),
        ("9" * 19, None),
        ("\u0661", None),
        ("v1", None),
        ("", None),
    ],
)
def test_versions(text: str, version: int | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        (".kws.tflite.x7Gh2", True),
        ("kws.tflite.part", True),
        ("kws.tmp", True),
        ("kws.tflite", False),
        ("part", False),
        ("kws.TMP", False),
    ],
)
def test_hidden_files_and_copies_in_progress_are_passed_over(name: str, ignored: bool) -> None:
    assert is_ignored(name) is ignored


def test_labels_keep_their_line_numbers() -> None:
    assert parse_labels("\ufeffcat\r\n dog \n\nbird") == ["cat", "dog", "", "bird"]
    assert parse_labels("") == []


def test_options_default_to_one_thread_in_the_daemon_and_pixels_from_0_to_1() -> None:
    assert parse_options("") == ModelOptions(0, 0, "thread", 0, 0.0, 0.0, 255.0)


def test_options_are_read() -> None:
    options = parse_options(
        "threads = 4\nmax_instances=2\nisolation='process'\nmax_queue=10\n"
        "max_run_s=2\nimage_mean=127.5\nimage_scale=127"
    )

    assert options == ModelOptions(4, 2, "process", 10, 2.0, 127.5, 127.0)
    assert options.as_dict()["image_scale"] == 127.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("threads = -1", "expected 0 to 64, got -1"),
        ("threads = 65", "expected 0 to 64"),
        ("threads = 2.0", "expected a number, got 2.0"),
        ('isolation = "container"', "expected 'thread' or 'process', got 'container'"),
        ("isolation = 1", "expected 'thread' or 'process', got 1"),
        ("threads = true", "expected a number, got True"),
        ('threads = "2"', "expected a number"),
        ("max_queue = -1", "expected 0 to"),
        ("max_run_s = 90000", "expected 0 to 86400"),
        ("image_mean = nan", "image_mean"),
        ("image_mean = inf", "image_mean"),
        ("image_scale = 0", "other than 0"),
        ("thread = 2", "unknown key 'thread'"),
        ("[threads]", "expected a number"),
        ("threads 2", "not TOML"),
        ("a = " + "[" * 5000, "not TOML"),
        (f"threads = {'9' * 5000}", "not TOML"),
        (f"image_mean = {'9' * 400}", "image_mean"),
    ],
)
def test_options_that_cannot_be_used_say_why(text: str, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_options(text)

    assert caught.value.code == "MODEL_INVALID"
    assert says in caught.value.message


def test_a_misspelt_option_gets_the_nearest_known_one() -> None:
    with pytest.raises(ModelError) as caught:
        parse_options("thread = 2")

    assert caught.value.hint == "did you mean 'threads'?"


@FUZZ
@given(
    st.text(max_size=60) | st.sampled_from(["threads=", "image_mean="]).flatmap(lambda key: st.text().map(key.__add__))
)
def test_whatever_the_text_only_a_typed_error_escapes(text: str) -> None:
    try:
        parse_options(text)
    except ModelError as error:
        assert error.code == "MODEL_INVALID"
