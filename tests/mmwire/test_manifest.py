from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwire.errors import ModelError
from mmwire.manifest import (
    ModelOptions,
    is_ignored,
    is_model_name,
    parse_labels,
    parse_options,
    parse_version,
    unknown_model,
)

FUZZ = settings(deadline=None, derandomize=True, max_examples=300)
ANY_TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("./\\\0\n-_~"), max_size=70)


@pytest.mark.parametrize("name", ["a", "9", "kws", "tf2_mobilenet_v2_1.0_224_ptq", "A-b.c_d", "x" * 64])
def test_model_names(name: str) -> None:
    assert is_model_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "-x", "_x", "a/b", "../a", "a\0", "a\n", "\na", "é", "x" * 65, "a b", "a\\b", "1\u0663"],
)
def test_other_texts_are_not_model_names(name: str) -> None:
    assert not is_model_name(name)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("digist", "no model named 'digist'", "did you mean 'digits'?"),
        ("camera", "no model named 'camera'", "mmctl ls lists the models"),
        ("a b", "'a b' is not a model name", "expected 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"),
    ],
)
def test_a_name_that_no_model_has_is_told_with_the_way_out(name: str, message: str, hint: str) -> None:
    error = unknown_model(name, ["digits", "kws"])
    assert (error.code, error.message, error.hint) == ("MODEL_NOT_FOUND", message, hint)


def test_a_name_of_64_kb_is_compared_with_nothing() -> None:
    def known() -> Iterator[str]:
        pytest.fail("the names of models were read")
        yield ""

    error = unknown_model("x" * 65536, known())
    assert error.message == f"'{'x' * 60}'... (65536 characters) is not a model name"


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
        ("threads = -1", "kws.toml: threads: expected a whole number from 0 to 64, got -1"),
        ("threads = 65", "kws.toml: threads: expected a whole number from 0 to 64, got 65"),
        ("threads = 2.0", "kws.toml: threads: expected a whole number from 0 to 64, got 2.0"),
        ('isolation = "container"', 'kws.toml: isolation: expected "thread" or "process", got "container"'),
        ("isolation = 1", 'kws.toml: isolation: expected "thread" or "process", got 1'),
        ("threads = true", "kws.toml: threads: expected a whole number from 0 to 64, got true"),
        ('threads = "2"', 'kws.toml: threads: expected a whole number from 0 to 64, got "2"'),
        ("max_queue = -1", "kws.toml: max_queue: expected a whole number from 0 to 1000000, got -1"),
        ("max_run_s = 90000", "kws.toml: max_run_s: expected a number from 0 to 86400, got 90000"),
        ("image_mean = nan", "kws.toml: image_mean: expected a number from -1000000000 to 1000000000, got nan"),
        ("image_mean = inf", "got inf"),
        ("image_scale = 0", "kws.toml: image_scale: expected a number from -1000000000 to 1000000000, not 0, got 0"),
        ("thread = 2", "kws.toml: unknown key 'thread'"),
        ("[threads]", "kws.toml: threads: expected a whole number from 0 to 64, got a table"),
        ("threads 2", "kws.toml is not TOML: Expected '=' after a key"),
        ("a = " + "[" * 5000, "kws.toml is not TOML"),
        (f"threads = {'9' * 5000}", "kws.toml is not TOML"),
        (f"image_mean = {'9' * 400}", f"got {'9' * 60}..."),
        (f"threads = 0x{'f' * 5000}", "got a number of thousands of digits"),
    ],
)
def test_options_that_cannot_be_used_say_what_came_and_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_options(text, "kws.toml")

    assert caught.value.code == "MODEL_INVALID"
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("thread = 2", "did you mean threads?"),
        ("speed = 2", "known keys: threads, max_instances,"),
        ("[model]\nthreads = 2", "write the keys at the top of the file, without [model]"),
        ('threads = "2"', "write it without quotes: threads = 2"),
        ('isolation = "proces"', 'did you mean "process"?'),
        ('isolation = "container"', 'the default is "thread"'),
        ("threads = 65", "the default is 0"),
        ("image_scale = 0", "the default is 255.0"),
        ("threads 2", "write one key a line: threads = 2"),
    ],
)
def test_options_that_cannot_be_used_say_what_to_do(text: str, hint: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_options(text)

    assert hint in caught.value.hint


@FUZZ
@given(
    st.text(max_size=60) | st.sampled_from(["threads=", "image_mean="]).flatmap(lambda key: st.text().map(key.__add__))
)
def test_whatever_the_text_only_a_typed_error_escapes(text: str) -> None:
    try:
        parse_options(text)
    except ModelError as error:
        assert error.code == "MODEL_INVALID"
