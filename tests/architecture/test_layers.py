"""Who may import whom. A new arrow goes into the table below, with a reason in the commit that adds it."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "mmwire": ROOT / "daemon",
    "mmdaemon": ROOT / "daemon",
    "mmclient": ROOT / "daemon",
    "mmconvert": ROOT / "converter",
}
# The table is of layers: packages of the product. A module belongs to the innermost one that is named here.
# Every layer may import itself and mmwire; the table says what else it may import.
ARROWS: dict[str, set[str]] = {
    "mmwire": set(),
    "mmclient": set(),
    "mmclient.pixels": set(),
    "mmclient.testing": set(),  # for the tests of applications: the client never imports it
    "mmclient.cli": {"mmclient", "mmclient.cli.input", "mmclient.cli.output"},
    "mmclient.cli.input": {"mmclient", "mmclient.pixels"},
    "mmclient.cli.output": {"mmclient", "mmclient.cli.input"},  # a row is called by its file's name
    "mmconvert": set(),
    # the request path
    "mmdaemon.listener": {"mmdaemon.dispatch", "mmdaemon.log"},
    "mmdaemon.dispatch": {"mmdaemon.log"},
    "mmdaemon.runtime.interface": set(),  # the rest of the daemon sees this one; only the wiring names an adapter
    "mmdaemon.runtime.payload": set(),
    "mmdaemon.runtime.tflite": {"mmdaemon.runtime.interface", "mmdaemon.runtime.payload"},
    "mmdaemon.runtime.trial": {"mmdaemon.runtime.interface", "mmdaemon.runtime.payload", "mmdaemon.runtime.tflite"},
    "mmdaemon.runtime.tensorflow": {
        "mmdaemon.runtime.interface",
        "mmdaemon.runtime.payload",
        "mmdaemon.runtime.trial",  # made-up inputs, and when two answers agree
    },
    "mmdaemon.runtime": {  # what a process of a model's own calls
        "mmdaemon.runtime.interface",
        "mmdaemon.runtime.tflite",
        "mmdaemon.runtime.trial",
        "mmdaemon.runtime.tensorflow",
    },
    # the model path
    "mmdaemon.folder": set(),
    "mmdaemon.store": {"mmdaemon.folder", "mmdaemon.log"},
    "mmdaemon.confinement": set(),
    "mmdaemon.probe": {
        "mmdaemon.confinement",
        "mmdaemon.store",
        "mmdaemon.log",
        "mmdaemon.runtime.tflite",  # named only: the helper warms it up
        "mmdaemon.runtime.trial",  # named only: the child of the helper runs it
    },
    "mmdaemon.isolation": {
        "mmdaemon.confinement",
        "mmdaemon.runtime.interface",
        "mmdaemon.dispatch",  # whose instances may be stopped
        "mmdaemon.store",  # the child unpacks what the store packed
        "mmdaemon.log",
    },
    "mmdaemon.registry": set(),
    "mmdaemon.loader": {
        "mmdaemon.folder",
        "mmdaemon.store",
        "mmdaemon.probe",
        "mmdaemon.registry",
        "mmdaemon.runtime.interface",
        "mmdaemon.dispatch",
        "mmdaemon.log",
    },
    # around both
    "mmdaemon.box": set(),
    "mmdaemon.config": {"mmdaemon.box"},  # 0 in a limit stands for what the box has
    "mmdaemon.service": {
        "mmdaemon.config",
        "mmdaemon.listener",
        "mmdaemon.loader",
        "mmdaemon.dispatch",
        "mmdaemon.registry",
        "mmdaemon.log",
    },
    "mmdaemon.log": set(),
    "mmdaemon": set(),  # its __init__.py
}
# The converter, from what knows nothing of the others to the command; names without ``mmconvert.``.
MMCONVERT_ARROWS: dict[str, set[str]] = {
    "cache": set(),
    "digest": set(),
    "durable": set(),
    "feed": set(),
    "progress": set(),
    "report": {"parity"},
    # what a conversion is made of
    "source": set(),
    "calibration": {"feed", "source"},
    "parity": {"feed", "source"},
    "pack": {"calibration", "source"},  # the provenance names what a file was made of
    "backends": set(),
    "backends.process": set(),
    "backends.litert": {"backends.process", "cache", "digest", "feed"},
    "backends.tensorflow": {
        "backends.process",
        "backends.litert",  # the census tells whether a graph computes shapes
        "cache",
        "feed",
        "source",
    },
    "job": {"backends.process"},
    "workshop": {"backends.process", "backends.litert", "backends.tensorflow", "cache", "job", "pack", "progress"},
    "candidate": {"backends.tensorflow", "calibration", "feed", "parity", "source", "workshop"},
    "search": {"backends.litert", "calibration", "candidate", "feed", "parity", "workshop"},
    "verdict": {"backends.litert"},
    # the way of one model
    "conversion": {"backends.tensorflow", "calibration", "candidate", "feed", "job", "parity", "source"},
    "destination": {"job"},
    "origin": {"cache", "job"},
    "stages": {
        *("backends.litert", "cache", "calibration", "candidate", "conversion", "destination", "digest", "durable"),
        *("feed", "job", "origin", "pack", "parity", "search", "source", "verdict", "workshop"),
    },
    "outcome": {"conversion", "parity", "report", "verdict"},
    "pipeline": {
        *("backends.tensorflow", "conversion", "destination", "job", "outcome", "progress", "stages", "workshop"),
    },
    "reproduction": {"candidate", "conversion", "job", "origin", "pipeline", "progress", "workshop"},
    # the command
    "diagnosis": {"source"},
    "cli": {
        *("backends.process", "cache", "destination", "diagnosis", "durable", "job", "origin", "pipeline"),
        *("progress", "report", "reproduction"),
    },
    "__main__": {"cli"},
}
ARROWS |= {
    f"mmconvert.{layer}": {f"mmconvert.{target}" for target in targets} for layer, targets in MMCONVERT_ARROWS.items()
}
# Calibration must see the pixels that mmctl will send: one reader for both.
ARROWS["mmconvert.calibration"] |= {"mmclient.pixels"}
# The wiring may import everything of mmdaemon; beside itself nobody imports it.
WIRING = {"mmdaemon.app", "mmdaemon.model_path", "mmdaemon.request_path", "mmdaemon.__main__"}
# State is plain data: these modules start no thread, read no clock, touch no file and write no log.
PLAIN = (
    "mmdaemon.dispatch.backlog",
    "mmdaemon.dispatch.deployment",
    "mmdaemon.dispatch.effect",
    "mmdaemon.dispatch.lane",
    "mmdaemon.dispatch.lease",
    "mmdaemon.dispatch.notes",
    "mmdaemon.dispatch.refusal",
    "mmdaemon.dispatch.request",
    "mmdaemon.dispatch.scheduler",
    "mmdaemon.dispatch.supply",
    "mmdaemon.registry.",
    "mmdaemon.loader.absence",
    "mmdaemon.loader.attempt",
    "mmdaemon.loader.candidate",
    "mmdaemon.loader.decision",
    "mmdaemon.loader.effect",
    "mmdaemon.loader.ending",
    "mmdaemon.loader.name_state",
    "mmdaemon.loader.plan",
    "mmdaemon.loader.waiting",
    "mmwire.",
)
WORLDLY = {"threading", "time", "socket", "select", "os", "logging", "subprocess", "tempfile", "mmdaemon.log.logger"}
# What each layer may import from outside of the standard library and the product.
OUTSIDE: dict[str, set[str]] = {
    "mmclient": {"numpy"},
    "mmclient.cli": {"click", "tqdm"},
    "mmclient.cli.input": {"numpy"},
    "mmclient.pixels": {"numpy", "PIL"},
    "mmclient.testing": {"numpy"},
    "mmclient.cli.output": {"numpy", "click"},
    "mmconvert.backends.litert": {"numpy", "ai_edge_litert", "flatbuffers", "litert_quantizer"},
    "mmconvert.backends.tensorflow": {"tensorflow", "keras", "tf_keras", "h5py"},
    **{f"mmconvert.{layer}": {"numpy"} for layer in ("feed", "parity", "search", "stages")},
    "mmconvert.calibration": {"numpy"},
    "mmconvert.cli": {"click"},
    "mmconvert.progress": {"tqdm"},
    "mmdaemon.__main__": {"click"},
    "mmdaemon.folder": {"watchdog"},
    "mmdaemon.runtime.payload": {"numpy"},
    "mmdaemon.runtime.tflite": {"numpy", "ai_edge_litert", "tflite_runtime"},
    "mmdaemon.runtime.trial": {"numpy"},
    "mmdaemon.runtime.tensorflow": {"numpy", "tensorflow"},
    "mmdaemon.service": {"systemd"},
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper_functions", "manager", "managers", "common", "misc"}
MOST_LINES = 300
MEDIAN_LINES, P90_LINES = 120, 250

PATHS: dict[str, Path] = {}
for package, folder in SOURCES.items():
    for found in sorted((folder / package).rglob("*.py")):
        parts = found.relative_to(folder).with_suffix("").parts
        PATHS[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = found


def imports(path: Path, module: str) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that a file imports, or has another process load, anywhere in it.

    A string names what another process loads: ``package.module:function``, or a module for ``python -m``.
    """
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: import by full name, so that a reader can search for it"
            name = node.module or ""
            for alias in node.names:
                yield node.lineno, f"{name}.{alias.name}" if f"{name}.{alias.name}" in PATHS else name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.partition(":")[0]
            if name in PATHS and "." in name:
                yield node.lineno, name
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


def layer_of(name: str) -> str:
    """Return the layer that a module of the product belongs to: the longest prefix that the table names."""
    parts = name.split(".")
    if name in WIRING:
        return name
    layers = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((layer for layer in layers if layer in ARROWS), ".".join(parts[:2]))


def complaint(module: str, name: str) -> str:
    """Return what is wrong with an import, and the way out; empty when nothing is."""
    layer, top = layer_of(module), name.split(".")[0]
    if top in sys.stdlib_module_names:
        return ""
    if top not in SOURCES:
        allowed = OUTSIDE.get(layer, set())
        return (
            "" if top in allowed else f"{layer} may use {sorted(allowed) or 'the standard library only'}: see OUTSIDE"
        )
    target = layer_of(name)
    if target in WIRING:
        return "" if module in WIRING and target != "mmdaemon.__main__" else "nobody imports the wiring"
    if target in (layer, "mmwire") or (layer in WIRING and top == "mmdaemon"):
        return ""
    if target not in ARROWS.get(layer, set()):
        return f"no arrow from {layer} to {target}: pass the value in, or add the arrow to ARROWS with a reason"
    return ""


def test_the_sources_were_found() -> None:
    assert set(SOURCES) <= set(PATHS)
    assert "mmdaemon.dispatch.scheduler" in PATHS


def test_every_layer_is_in_the_table() -> None:
    missing = {layer_of(module) for module in PATHS} - set(ARROWS) - WIRING

    assert not missing, f"say in ARROWS whom {sorted(missing)} may import"


def test_the_table_names_no_layer_that_is_gone() -> None:
    named = set(ARROWS).union(*ARROWS.values(), OUTSIDE)
    gone = named - {layer_of(module) for module in PATHS}

    assert not gone, f"take {sorted(gone)} out of the table"


@pytest.mark.parametrize("module", PATHS)
def test_imports_follow_the_table(module: str) -> None:
    path = PATHS[module]
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: imports {name}: {why}"
        for line, name in imports(path, module)
        if (why := complaint(module, name))
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "name", "says"),
    [
        ("mmwire.frame", "numpy", "standard library only"),
        ("mmclient.client", "mmdaemon.dispatch.lane", "no arrow"),
        ("mmclient.link", "mmclient.cli.console", "no arrow"),
        ("mmclient.client", "mmclient.testing.daemon", "no arrow"),
        ("mmclient.testing.daemon", "mmclient.client", "no arrow"),
        ("mmclient.cli.input.feed", "mmclient.cli.output.table", "no arrow"),
        ("mmclient.client", "click", "may use ['numpy']"),
        ("mmconvert.cli", "mmclient.client", "no arrow"),
        ("mmconvert.candidate.maker", "mmconvert.search.search", "no arrow"),
        ("mmconvert.backends.process.worker", "mmconvert.job", "no arrow"),
        ("mmconvert.stages.verify", "tensorflow", "see OUTSIDE"),
        ("mmconvert.search.score", "mmconvert.backends.litert.backend", ""),
        ("mmdaemon.store.blob", "numpy", "standard library only"),
        ("mmdaemon.loader.plan", "watchdog.events", "standard library only"),
        ("mmdaemon.registry.registry", "mmdaemon.dispatch.lane", "no arrow"),
        ("mmdaemon.listener.peer", "mmdaemon.config.schema", "no arrow"),
        ("mmdaemon.loader.plan", "mmdaemon.runtime.tflite.litert", "no arrow"),
        ("mmdaemon.service.control", "mmdaemon.app", "nobody"),
        ("mmdaemon.app", "tensorflow", "standard library only"),
        ("mmwire.frame", "mmdaemon", "no arrow"),
        ("mmdaemon.app", "mmdaemon.runtime.tflite.litert", ""),
        ("mmdaemon.__main__", "mmdaemon.app", ""),
        ("mmdaemon.runtime.tflite.litert", "ai_edge_litert.interpreter", ""),
    ],
)
def test_the_table_can_say_no(module: str, name: str, says: str) -> None:
    found = complaint(module, name)

    assert says in found
    assert bool(found) == bool(says)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('OPENER = "mmdaemon.runtime.hosted:open_model_file"', ["mmdaemon.runtime.hosted"]),
        ('run([python, "-m", "mmdaemon.isolation.child"])', ["mmdaemon.isolation.child"]),
        ('import_module("mmdaemon.app")', ["mmdaemon.app"]),
        ('print("mmdaemon: mmdaemon.nothing:run")', []),
        ('run([python, "-m", "mmconvert"])', []),
    ],
)
def test_a_module_named_in_a_string_counts_as_an_import(tmp_path: Path, text: str, named: list[str]) -> None:
    (tmp_path / "module.py").write_text(text)

    assert sorted({name for _, name in imports(tmp_path / "module.py", "module")}) == named


@pytest.mark.parametrize("module", [module for module in PATHS if module.startswith(PLAIN)])
def test_state_is_plain_data(module: str) -> None:
    met = {name for _, name in imports(PATHS[module], module) if name in WORLDLY or name.endswith(".dispatcher")}

    assert not met, f"{module} is driven synchronously in tests: pass in what it takes from {sorted(met)}"


def test_the_arrows_go_round_in_no_circle() -> None:
    left = {layer: set(targets) for layer, targets in ARROWS.items()}
    while free := [layer for layer, targets in left.items() if not targets & set(left)]:
        for layer in free:
            del left[layer]

    assert not left, f"these import one another in a circle: {sorted(left)}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    targets = {module: {name for _, name in imports(path, module)} & set(PATHS) for module, path in PATHS.items()}
    try:
        list(TopologicalSorter(targets).static_order())
    except CycleError as error:
        pytest.fail(f"these modules import one another in a circle: {' -> '.join(reversed(error.args[1]))}")


@pytest.mark.parametrize("module", PATHS)
def test_no_module_is_too_long_or_named_for_nothing(module: str) -> None:
    lines = len(PATHS[module].read_text("utf-8").splitlines())

    assert lines <= MOST_LINES, f"{module} has {lines} lines: it owns more than one thing; split it"
    assert not set(module.split(".")) & FORBIDDEN_NAMES, f"{module}: name it for the thing that it owns"


def test_most_modules_are_short() -> None:
    lines = [len(path.read_text("utf-8").splitlines()) for path in PATHS.values() if path.name != "__init__.py"]

    assert statistics.median(lines) <= MEDIAN_LINES
    assert statistics.quantiles(lines, n=10)[-1] <= P90_LINES


@pytest.mark.parametrize("package", [module for module, path in PATHS.items() if path.name == "__init__.py"])
def test_a_package_says_what_it_owns_and_what_it_never_does(package: str) -> None:
    text = ast.get_docstring(ast.parse(PATHS[package].read_text("utf-8"))) or ""

    assert re.search(r"Owns: \w.*Never: \w", text, re.DOTALL), f"{package}: end its docstring with Owns: ... Never: ..."


@pytest.mark.parametrize("folder", sorted(set(SOURCES.values())))
def test_a_source_root_is_no_package(folder: Path) -> None:
    assert not (folder / "__init__.py").exists(), "PyPI's python-daemon owns the import name daemon"


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a fresh process has after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(result.stdout.split())


def test_the_packages_load_no_runtime() -> None:
    loaded = loaded_by("import mmdaemon, mmclient, mmwire")

    assert not loaded & {"tensorflow", "keras", "ai_edge_litert", "tflite_runtime", "numpy", "watchdog"}


def test_the_contract_loads_nothing_but_the_standard_library() -> None:
    names = ", ".join(name for name in PATHS if name.startswith("mmwire"))
    before, loaded = loaded_by("pass"), loaded_by(f"import {names}")
    outside = {name.split(".")[0] for name in loaded - before} - sys.stdlib_module_names - {"mmwire"}

    assert not outside


def requirements(texts: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0].lower() for text in texts}


def test_the_base_install_brings_no_tensorflow() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    base = requirements(project["dependencies"])

    assert base == {"numpy", "ai-edge-litert", "watchdog", "click", "tqdm"}, "the edge box pays for every new one"
    assert {"tensorflow"} <= requirements(project["optional-dependencies"]["convert"])
