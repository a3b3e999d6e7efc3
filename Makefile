# Each target sets up what it needs: `make demo` and `make test` both work in a fresh clone.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DOCS   := .venvs/docs

# Where `make install` puts things; DESTDIR stages them, as packagers do.
DESTDIR ?=
prefix  ?= /usr
sysconfdir ?= /etc
SYSTEM_PYTHON ?= /usr/bin/python3
PYTHONS ?= 3.11 3.12 3.13
APP     := $(prefix)/lib/mmdaemon
UNITS   := $(prefix)/lib/systemd/system
# Not the whole folder: convert/ beside these is the converter's environment, which the owner of the box made.
OURS     = $(addprefix $(DESTDIR)$(APP)/,bin include lib lib64 share pyvenv.cfg)
COMMANDS := mmdaemon mmctl
space   := $(subst ,, )

# Every pip here installs the versions of constraints.txt, the build's own packages included.
PINNED  := PIP_CONSTRAINT='$(CURDIR)/constraints.txt' PIP_BUILD_CONSTRAINT='$(CURDIR)/constraints.txt'

.PHONY: setup constraints demo test coverage test-soak test-systemd test-release test-pythons test-runtimes docs check format bench bench-tensorflow bench-converter install uninstall deb release clean help

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(STAMP)  ## make the environment in .venv: the product (editable), its extras, the tools

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0])'
	@echo 'setting up $(VENV): the first time this takes a few minutes (TensorFlow is 1.9 GB)'
	@$(PYTHON) -m venv $(VENV)
	@$(PINNED) $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(PINNED) $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Run it with Python 3.11 on x86-64, as CI does: pip resolves for the Python and the machine that run it. Then read the
# difference, run the tests and commit it.
constraints:     ## write constraints.txt anew, with the newest releases that pyproject.toml allows
	$(PYTHON) -m venv .venvs/constraints
	.venvs/constraints/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip pip-tools
	CUSTOM_COMPILE_COMMAND='make constraints' .venvs/constraints/bin/pip-compile --quiet --upgrade --strip-extras \
	  --allow-unsafe --all-build-deps --extra dev --extra docs --extra release --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --output-file constraints.txt pyproject.toml

demo: $(STAMP)   ## train, convert, publish, predict: the whole main job on real digits
	@$(BIN)/python docs/demo/demo.py

test: $(STAMP)   ## run all tests (under about 8 minutes on 2 cores)
	$(BIN)/python -m pytest

coverage: $(STAMP)  ## measure branch coverage of the core (wire, dispatch, store, loader, registry) and hold it to its floor
	$(BIN)/python -m tests.rig.coverage_floor

test-soak: $(STAMP)  ## run the long tests: fuzzing, random schedules, and swaps under load
	MM_SOAK=1 $(BIN)/python -m pytest --timeout 1800 tests/soak tests/e2e/test_swap.py tests/mmdaemon/loader/test_schedules.py

test-systemd: $(STAMP)  ## test the Debian package under a real systemd, booted in namespaces of its own (root; else skipped)
	MM_SYSTEMD=1 $(BIN)/python -m pytest --timeout 300 -rs tests/system

test-release: $(STAMP)  ## try make release in a scratch repository: it builds everything and pushes nothing
	MM_RELEASE=1 $(BIN)/python -m pytest --timeout 900 tests/release

test-pythons: $(STAMP)  ## run the daemon's tests under each Python of $(PYTHONS) that is installed, without TensorFlow
	$(BIN)/python -m tests.rig.environments pythons $(PYTHONS)

test-runtimes: $(STAMP)  ## test the runtime's contract with tflite-runtime, in an environment of its own
	$(BIN)/python -m tests.rig.environments runtimes

docs: $(DOCS)/.installed  ## build these pages as a site that needs no network: build/site
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict --quiet
	@echo 'read it with: python3 -m http.server --directory build/site'

# Only what the extra names: a site needs neither LiteRT nor TensorFlow.
$(DOCS)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv $(DOCS)
	@$(PINNED) $(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  $$($(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"])')
	@touch $@

check: $(STAMP)  ## check lint, format and types; write nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## write what `check` would ask for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## measure what the daemon costs over a bare socket and a bare interpreter: one run, one table
	$(BIN)/python -m tests.bench

bench-tensorflow: $(STAMP)  ## measure SavedModels through the daemon beside the same calls in a plain TensorFlow process
	PYTHONPATH=tests $(BIN)/python -m tests.bench.full_tensorflow

bench-converter: $(STAMP)  ## show what the search finds on four real models, beside every single recipe
	PYTHONPATH=tests $(BIN)/python -m tests.bench.converter

install:         ## install the service on this box: a Python environment of its own, the units, /etc/mmdaemon (root)
	rm -rf $(OURS)
	$(SYSTEM_PYTHON) -m venv --without-pip $(DESTDIR)$(APP)
	$(PINNED) $(PYTHON) -m pip --python $(DESTDIR)$(APP)/bin/python install --quiet --disable-pip-version-check \
	  --no-cache-dir --no-compile '.[images]'
	find $(DESTDIR)$(APP) -name direct_url.json -delete
	cd $(DESTDIR)$(APP)/bin && ls | grep -vxE 'python[0-9.]*|$(subst $(space),|,$(COMMANDS))' | xargs rm -rf
	sed -i '1s|^#!$(DESTDIR)|#!|' $(addprefix $(DESTDIR)$(APP)/bin/,$(COMMANDS))
	sed -i '/^command = /d' $(DESTDIR)$(APP)/pyvenv.cfg
	$(DESTDIR)$(APP)/bin/python -m compileall -q -s '$(DESTDIR)' -p / --invalidation-mode unchecked-hash $(DESTDIR)$(APP)/lib
	$(DESTDIR)$(APP)/bin/python docs/man/make.py $(DESTDIR)$(prefix)
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(UNITS) $(DESTDIR)$(prefix)/lib/sysusers.d \
	  $(DESTDIR)$(prefix)/lib/tmpfiles.d $(DESTDIR)$(sysconfdir)/mmdaemon
	for name in $(COMMANDS); do ln -sf $(APP)/bin/$$name $(DESTDIR)$(prefix)/bin/$$name; done
	for unit in systemd/mmdaemon*.*; do sed -e 's|/usr/lib/mmdaemon|$(APP)|' -e 's|/etc/mmdaemon|$(sysconfdir)/mmdaemon|' $$unit > $(DESTDIR)$(UNITS)/$${unit##*/}; done
	install -m 644 systemd/sysusers.d/mmdaemon.conf $(DESTDIR)$(prefix)/lib/sysusers.d/
	install -m 644 systemd/tmpfiles.d/mmdaemon.conf $(DESTDIR)$(prefix)/lib/tmpfiles.d/
	test -e $(DESTDIR)$(sysconfdir)/mmdaemon/config.toml || \
	  sed -E 's/^# (models|store|socket) = /\1 = /' config.toml > $(DESTDIR)$(sysconfdir)/mmdaemon/config.toml
ifeq ($(DESTDIR),)
	systemd-sysusers mmdaemon.conf
	systemd-tmpfiles --create mmdaemon.conf
	systemctl daemon-reload
	systemctl enable mmdaemon.socket mmdaemon.service
	systemctl restart mmdaemon.socket mmdaemon.service
endif

uninstall:       ## remove what install put there; models, store and configuration stay (root)
ifeq ($(DESTDIR),)
	-systemctl disable --now mmdaemon.service mmdaemon.socket
endif
	rm -rf $(OURS)
	-rmdir --ignore-fail-on-non-empty $(DESTDIR)$(APP)
	rm -f $(addprefix $(DESTDIR)$(prefix)/bin/,$(COMMANDS)) $(DESTDIR)$(UNITS)/mmdaemon.service \
	  $(DESTDIR)$(UNITS)/mmdaemon.socket $(DESTDIR)$(UNITS)/mmdaemon-convert@.service \
	  $(DESTDIR)$(prefix)/lib/sysusers.d/mmdaemon.conf $(DESTDIR)$(prefix)/lib/tmpfiles.d/mmdaemon.conf \
	  $(addprefix $(DESTDIR)$(prefix)/share/man/man1/,$(COMMANDS:=.1) mmconvert.1) \
	  $(addprefix $(DESTDIR)$(prefix)/share/bash-completion/completions/,$(COMMANDS)) \
	  $(addprefix $(DESTDIR)$(prefix)/share/zsh/vendor-completions/_,$(COMMANDS)) \
	  $(addprefix $(DESTDIR)$(prefix)/share/fish/vendor_completions.d/,$(COMMANDS:=.fish))
ifeq ($(DESTDIR),)
	systemctl daemon-reload
endif

deb:             ## build a Debian package for boxes with this machine's Python and architecture: dist/mmdaemon_VERSION_ARCH.deb
	systemd/deb/build.sh $(SYSTEM_PYTHON)

release: $(STAMP)  ## release VERSION=X.Y.Z: check, commit, build wheel, sdist, deb and SBOM, tag; push nothing (docs/releasing.md)
	$(BIN)/python docs/release/make.py $(if $(CHECKED),--checked) '$(VERSION)'

clean:           ## remove what the other targets made
	rm -rf $(VENV) .venvs build dist .pytest_cache .mypy_cache .ruff_cache
