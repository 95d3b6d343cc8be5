# The programs land in this folder, every other product in build/. `make help` explains the commands.

# The steps that are there: a class may begin without the later ones.
ALL_STEPS := $(sort $(patsubst webserver3%.cpp,step_%,$(notdir $(wildcard step_*/webserver3?.cpp))))
STEPS := $(filter-out step_h,$(ALL_STEPS))
PROGRAMS := $(ALL_STEPS) client3 $(if $(wildcard /proc/self/stat),diagnose)  # which asks Linux

# SANITIZE=1 builds everything anew, in a place of its own; WERROR=1 is for CI. (Left out is vptr, which needs descriptors
# of its own for its check: a server that has run out of them would be accused of the worst.)
BUILD := build$(if $(SANITIZE),/sanitized)
BIN := $(if $(SANITIZE),$(BUILD)/)
CXXFLAGS ?= -O2 -g
FAST := $(if $(filter file,$(origin CXXFLAGS)),-Og -g1)  # to compile; whoever says CXXFLAGS means it everywhere
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(if $(WERROR),-Werror)
SANITIZERS := $(if $(SANITIZE),-fsanitize=address -fsanitize=undefined -fno-sanitize=vptr -fno-sanitize-recover=all)
COMPILE = $(CXX) -std=c++20 $(CPPFLAGS) $(CXXFLAGS) $(WARNINGS) $(SANITIZERS) -MMD -MP

TEST_FILES := $(wildcard tests/*.cpp)
STEP_H := $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard step_h_wsgi/*.cpp))
XRAY := $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tools/xray/*.cpp))
HARNESS := $(patsubst %.cpp,$(BUILD)/%.o,$(filter-out %/main.cpp,$(wildcard tools/proc/*.cpp tools/harness/*.cpp tools/diagnose/*.cpp)))
TESTED := $(HARNESS) $(filter-out %/webserver3h.o,$(STEP_H))
TEST_OBJECTS := $(TEST_FILES:%.cpp=$(BUILD)/%.o)
BENCH := $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tools/bench/*.cpp))
HEAVY_OBJECTS := $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tests/heavy/*.cpp))
FIXTURES := $(addprefix $(BUILD)/,$(basename $(wildcard tests/fixtures/*.c tests/fixtures/*.cpp)))
FAULTS := $(patsubst %.cpp,$(BUILD)/%.so,$(wildcard tests/preload/*.cpp)) $(BUILD)/tests/preload/step_h
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
SOURCES := $(wildcard */*.hpp */*.cpp tools/*/*.hpp tools/*/*.cpp tests/*/*.cpp exercises/*/*.cpp)
EXERCISES := $(addprefix exercise_,$(shell seq 12))
EXERCISE_PROGRAMS := $(patsubst %/server.cpp,$(BUILD)/%,$(wildcard exercises/*/server.cpp))

MAKEFLAGS += --jobs=$(shell getconf _NPROCESSORS_ONLN)
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.PHONY: all test test_docs test_heavy bench plots fuzz matrix mutants check soak deps deps_bench deps_dev deps_docs deps_wsgi format lint clean help always recordings doctest ncurses
.PHONY: exercises grade test_exercises $(EXERCISES) $(addprefix diff_,ab bc cd de ef fg)

ifdef SANITIZE
.PHONY: $(PROGRAMS) xray
$(PROGRAMS) xray: %: $(BIN)%
endif

all: $(addprefix $(BIN),$(PROGRAMS))  ## make alone: the servers, the client, diagnose (one of them: make step_g)

# The servers are linked statically where this compiler can (SANITIZE=1 cannot): it halves what a fork costs, see step_c.
$(addprefix $(BIN),$(STEPS)): $(BIN)step_%: $$(wildcard step_$$*_*/webserver3$$*.cpp) $(BUILD)/static
	$(COMPILE) @$(BUILD)/static -MF $(BUILD)/step_$*.d $< -o $@

$(BUILD)/static: $(BUILD)/flags
	@if echo 'int main() {}' | $(CXX) $(SANITIZERS) -static -x c++ - -o $@.out 2>/dev/null; then echo -static; fi >$@; rm -f $@.out

$(BIN)step_h: $(STEP_H) $(BUILD)/static
	$(CXX) $(CXXFLAGS) $(SANITIZERS) $(LDFLAGS) @$(BUILD)/static $(STEP_H) -o $@

$(BIN)client3: client/client3.cpp $(BUILD)/flags
	$(COMPILE) -MF $(BUILD)/client3.d $< -o $@

$(BUILD)/tests/fixtures/%: tests/fixtures/%.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d $< -o $@

$(BUILD)/tests/fixtures/%: tests/fixtures/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wall -Wextra $< -o $@

# It comes into any program (ld.so(8), LD_PRELOAD), a sanitized one as well: it is not sanitized itself. Into any but one
# that is linked statically.
$(filter %.so,$(FAULTS)): $(BUILD)/%.so: %.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(CXX) -std=c++20 $(CXXFLAGS) $(WARNINGS) -MMD -MP -MF $(@:.so=.d) -shared -fPIC $< -o $@
$(BUILD)/tests/preload/step_h: $(STEP_H)
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(SANITIZERS) $(LDFLAGS) $^ -o $@

# step_h and what watches and tests wait more than they work: they are compiled fast rather than made fast. The standard
# library's headers are parsed once for all of them, with doctest and the harness once more for the tests (gcc's manual,
# "Using Precompiled Headers"): a sixth of all the compiling.
$(BUILD)/%.o: INCLUDED := $(BUILD)/standard.h
$(BUILD)/%.o: %.cpp $(BUILD)/standard.h.gch
	@mkdir -p $(@D)
	$(COMPILE) $(FAST) -Winvalid-pch -include $(INCLUDED) -MF $(@:.o=.d) -c $< -o $@
$(BUILD)/standard.h: $(BUILD)/flags
	@grep -hosx '#include <[a-z_]*>' step_h_wsgi/* tools/[dhpx]*/* | sort -u >$@
$(BUILD)/tests/support.hpp: $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '#include "$(if $(SANITIZE),../)../../tests/support.hpp"' >$@
$(BUILD)/standard.h.gch $(BUILD)/tests/support.hpp.gch: %.gch: %
	$(COMPILE) $(FAST) -MF $@.d -x c++-header $< -o $@
SUPPORTED := $(filter-out %/main.o,$(TEST_OBJECTS) $(HEAVY_OBJECTS))
$(SUPPORTED): $(BUILD)/tests/support.hpp.gch
$(SUPPORTED): INCLUDED := $(BUILD)/tests/support.hpp

$(TEST_OBJECTS) $(HEAVY_OBJECTS) $(BUILD)/tests/support.hpp.gch: | doctest
$(filter $(BUILD)/tools/xray/%,$(XRAY)): | ncurses

$(BIN)diagnose: $(BUILD)/tools/diagnose/main.o $(HARNESS)
	$(CXX) $(CXXFLAGS) $(SANITIZERS) $(LDFLAGS) $^ -o $@

xray:  ## see a running server from the inside: ./xray 8888
$(BIN)xray: $(XRAY) $(filter $(BUILD)/tools/proc/%,$(HARNESS))
	$(CXX) $(CXXFLAGS) $(SANITIZERS) $(LDFLAGS) $^ -o $@ -lncursesw

$(BUILD)/run_tests: $(TESTED) $(filter-out %/main.o,$(XRAY)) $(TEST_OBJECTS)
	$(CXX) $(CXXFLAGS) $(SANITIZERS) $(LDFLAGS) $^ -o $@ -lncursesw -lvterm

$(BUILD)/run_heavy_tests: $(TESTED) $(BUILD)/tests/main.o $(BUILD)/tests/support.o $(HEAVY_OBJECTS)
	$(CXX) $(CXXFLAGS) $(SANITIZERS) $(LDFLAGS) $^ -o $@

$(BUILD)/tools/bench/measure: $(BENCH) $(HARNESS)
	$(CXX) $(CXXFLAGS) $(SANITIZERS) $(LDFLAGS) $^ -o $@
$(BUILD)/tools/bench/floor: tools/bench/floor.c $(BUILD)/static
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra @$(BUILD)/static $< -o $@
$(BUILD)/tools/bench/floor_dynamic: tools/bench/floor.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra $< -o $@
$(BUILD)/tools/bench/step_g_dynamic: step_g_waitpid/webserver3g.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d $< -o $@
$(BUILD)/tools/bench/no_handler: exercises/solutions/08_no_handler.cpp $(BUILD)/static
	@mkdir -p $(@D)
	$(COMPILE) @$(BUILD)/static -MF $@.d $< -o $@

# Coverage-guided (libFuzzer, LLVM); always sanitized.
$(BUILD)/fuzz_http: tests/fuzz/http.cpp step_h_wsgi/http.cpp step_h_wsgi/http.hpp step_h_wsgi/cgi.cpp step_h_wsgi/cgi.hpp
	@mkdir -p $(@D)
	clang++ -std=c++20 $(WARNINGS) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(filter %.cpp,$^) -o $@

# Another compiler, or other flags: everything is built again.
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@echo '$(COMPILE) $(FAST)' | cmp -s - $@ || echo '$(COMPILE) $(FAST)' >$@

doctest: header = doctest/doctest.h vterm.h
ncurses: header = ncurses.h nlohmann/json.hpp
doctest ncurses:
	@for header in $(header); do printf "#if !__has_include(<$$header>)\n#error\n#endif\n" | \
	  $(CXX) -std=c++20 -E -x c++ - >/dev/null 2>&1 \
	  || { echo "$$header is missing: install it with \`make deps\`" >&2; exit 1; }; done

# The tests wait more than they work: 16 at once. Each leaves its output, and its exit status, in a file.
test: $(BUILD)/run_tests $(FIXTURES) $(FAULTS) $(addprefix $(BIN),$(PROGRAMS) xray)  ## build and run the tests (SANITIZE=1: sanitized)
	@logs=$$(mktemp -d $(BUILD)/logs.XXXXXX); trap 'rm -rf "$$logs"' EXIT; \
	count=$$($(BUILD)/run_tests --count --no-version | awk '/test cases/ { print $$NF }'); \
	seq "$$count" | LOGS=$$logs BIN=$(BIN) BUILD=$(BUILD) PYTHON=$(PYTHON) xargs -P 16 -I{} sh -c \
	  '$(BUILD)/run_tests --first={} --last={} --no-version >$$LOGS/{} 2>&1; echo "exit status $$?" >>$$LOGS/{}'; \
	awk -f tests/summary.awk "$$logs"/*

matrix: $(ALL_STEPS) diagnose  ## print the table of behaviours as measured
	@sh tests/matrix.sh

check: diagnose  ## diagnose SERVER='python3 server.py' EXPECT=g: which step is it like? (EXPECT may be left out)
	@./diagnose $(if $(EXPECT),--expect '$(EXPECT)') $(or $(SERVER),$(error check: which SERVER? make check SERVER=./step_g))

mutants: $(STEPS) diagnose $(FIXTURES)  ## test diagnose: tell wrong servers from the steps that they were made from
	@sh tests/mutants.sh

# What a student has written: the compiler stops at the first error, and the last line says whose it is.
$(EXERCISE_PROGRAMS): $(BUILD)/%: %/server.cpp $(BUILD)/static
	@mkdir -p $(@D) && rm -f $@
	@$(COMPILE) @$(BUILD)/static -Wfatal-errors -MF $@.d $(filter %.cpp %.o,$^) -o $@ 2>$@.errors || \
	  { cat $@.errors; echo '$<: it does not compile; the compiler says above in which line, and why'; exit 1; } >&2
	@cat $@.errors >&2

$(BUILD)/exercises/12_homework: $(filter-out %/webserver3h.o,$(STEP_H))
program_of = $(filter $(BUILD)/exercises/0$(1)_% $(BUILD)/exercises/$(1)_%,$(EXERCISE_PROGRAMS))

exercises:  ## list the exercises and which are done; exercise_7 checks one (your own: SERVER='python3 mine.py')
	@$(PYTHON) exercises/check.py list

$(EXERCISES): exercise_%: diagnose $$(if $$(SERVER),,$$(call program_of,$$*))
	@$(PYTHON) exercises/check.py $* $(SERVER)

# (A make below us that is told of our --jobs, and reads it here once more, would warn of it.)
grade: diagnose  ## check all exercises: a table, and JUnit XML in build/grade.xml
	@MAKEFLAGS= $(MAKE) --keep-going --silent $(MAKEOVERRIDES) $(EXERCISE_PROGRAMS) || true
	@$(PYTHON) exercises/check.py grade $(BUILD)/grade.xml

test_exercises: diagnose $(filter-out %/webserver3h.o,$(STEP_H))  ## test the exercises: what is given fails, the solutions pass, wrong ones are told what is wrong
	@$(PYTHON) tests/exercises.py

soak: test  ## repeat the tests, and diagnose on each step, under load (ROUNDS=200; without: until interrupted)
	@sh tests/soak.sh $(ROUNDS)

MEASURED := $(addprefix $(BUILD)/tools/bench/,measure floor floor_dynamic step_g_dynamic no_handler)
bench: $(MEASURED) step_g step_h  ## how fast, beside others, and what silent clients cost (needs make deps_bench)
	@$(BUILD)/tools/bench/measure throughput
	@$(BUILD)/tools/bench/measure held

FIGURES := waits descriptors zombies held throughput
plots: $(MEASURED) all  ## measure all that the pages show in pictures, and draw it: tools/bench/figures
	@command -v gnuplot >/dev/null || { echo 'gnuplot is missing: install it with `make deps_bench`' >&2; exit 1; }
	@set -e; for name in $(FIGURES); do echo "measuring $$name"; $(BUILD)/tools/bench/measure $$name >$(BUILD)/$$name.txt; \
	  if [ -s $(BUILD)/$$name.txt ]; then mv $(BUILD)/$$name.txt tools/bench/figures/; fi; done
	gnuplot tools/bench/plots.gp

test_heavy: $(BUILD)/run_heavy_tests $(addprefix $(BIN),step_c step_h xray)  ## what takes a minute: a thousand clients, hundreds of megabytes, frameworks
	@BIN=$(BIN) BUILD=$(BUILD) PYTHON=$(PYTHON) $(BUILD)/run_heavy_tests --no-version

# The renderer of the pages' pictures, of the major version that GitHub has: one file of the package, without what else it
# would bring along.
MERMAID := $(BUILD)/mermaid@11/mermaid.min.js
$(MERMAID):
	@command -v npm >/dev/null || { echo 'npm is missing: install it with `make deps_docs`' >&2; exit 1; }
	@mkdir -p $(@D)
	cd $(@D) && timeout 300 npm pack --silent $(notdir $(@D)) && tar -xzmf mermaid-*.tgz --strip-components=2 package/dist/$(@F)
	@rm $(@D)/mermaid-*.tgz

test_docs: $(MERMAID)
test_docs: $(PROGRAMS) xray  ## do what the pages say, and see that it happens as they say (needs make deps_docs)
	@$(PYTHON) tests/pages/check.py
	@$(PYTHON) tests/pages/pictures.py $(MERMAID)
	@$(PYTHON) tests/pages/run.py

FUZZ_SECONDS ?= 60
fuzz: $(BUILD)/fuzz_http  ## step_h's parsers against mutated requests, for FUZZ_SECONDS (needs clang++: make deps_dev)
	@mkdir -p $(BUILD)/fuzz_corpus
	$< -max_total_time=$(FUZZ_SECONDS) -max_len=50000 -timeout=5 -print_final_stats=1 \
	  -dict=tests/fuzz/http.dict $(BUILD)/fuzz_corpus tests/fuzz/seeds

# What is installed, by package manager: a compiler, curl for a first client, doctest for the tests and a terminal for
# those of xray, python3 and socat for servers of another kind, what xray draws and writes with; and what `make format` and
# `make lint` call, with the second compiler that CI builds with.
MANAGER := $(firstword $(foreach name,apt-get dnf pacman apk brew,$(if $(shell command -v $(name)),$(name))))
SUDO := $(if $(filter-out 0,$(shell id -u)),$(if $(filter-out brew,$(MANAGER)),sudo ))
deps_apt-get := apt-get update && apt-get install -y g++ curl python3 socat doctest-dev libvterm-dev libncurses-dev nlohmann-json3-dev
deps_dnf := dnf install -y gcc-c++ curl python3 socat doctest-devel libvterm-devel ncurses-devel json-devel
deps_pacman := pacman -S --needed --noconfirm gcc curl python socat doctest libvterm ncurses nlohmann-json
deps_apk := apk add g++ linux-headers curl diffutils python3 socat doctest-dev libvterm-dev ncurses-dev nlohmann-json
deps_brew := brew install doctest python socat
deps_wsgi_apt-get := apt-get update && apt-get install -y python3 python3-flask python3-django python3-pyramid
deps_wsgi_dnf := dnf install -y python3 python3-flask python3-django python3-pyramid
deps_wsgi_pacman := pacman -S --needed --noconfirm python python-flask python-django python-pyramid
deps_wsgi_apk := apk add python3 py3-flask py3-django py3-pyramid
deps_wsgi_brew := brew install python
deps_docs_apt-get := apt-get update && apt-get install -y procps util-linux python3-pexpect python3-markdown-it chromium nodejs npm
deps_docs_dnf := dnf install -y procps-ng util-linux python3-pexpect python3-markdown-it-py chromium nodejs npm
deps_docs_pacman := pacman -S --needed --noconfirm procps-ng util-linux python-pexpect python-markdown-it-py chromium nodejs npm
deps_docs_apk := apk add procps util-linux setpriv py3-pexpect py3-markdown-it-py chromium nodejs npm
deps_docs_brew := brew install node
deps_bench_apt-get := apt-get update && apt-get install -y apache2-utils busybox mini-httpd gnuplot-nox
deps_bench_dnf := dnf install -y httpd-tools busybox mini_httpd gnuplot-minimal
deps_bench_pacman := pacman -S --needed --noconfirm apache busybox gnuplot
deps_bench_apk := apk add apache2-utils busybox-extras mini_httpd gnuplot
deps_bench_brew := brew install gnuplot
deps_dev_apt-get := apt-get update && apt-get install -y clang clang-format clang-tidy
deps_dev_dnf := dnf install -y clang clang-tools-extra
deps_dev_pacman := pacman -S --needed --noconfirm clang
deps_dev_apk := apk add clang clang-extra-tools
deps_dev_brew := brew install llvm

deps: check = printf '\#include <%s>\n' doctest/doctest.h vterm.h ncurses.h nlohmann/json.hpp | \
  $(CXX) -std=c++20 -E -x c++ - && \
  command -v curl && command -v python3 && command -v socat
deps:  ## install what building and testing need, with the system's package manager
deps_dev: check = command -v clang++ && command -v clang-format && command -v clang-tidy
deps_dev:  ## install what format, lint and CI need besides
deps_docs: check = command -v ps && command -v unshare && command -v setpriv && command -v chromium && command -v npm && \
  $(PYTHON) -c 'import pexpect, markdown_it'
deps_docs:  ## install what test_docs needs
deps_bench: check = command -v ab && command -v busybox && command -v mini_httpd && command -v gnuplot
deps_bench:  ## install what bench compares with, and what plots draws with
deps_wsgi: check = $(PYTHON) -c 'import flask, django, pyramid'
deps_wsgi:  ## install Python and the frameworks that step_h is tested with
deps deps_bench deps_dev deps_docs deps_wsgi:
	@if { $(check); } >/dev/null 2>&1; then echo '$@: everything is there'; \
	elif [ -z '$(MANAGER)' ]; then echo '$@: no known package manager; wanted: $($@_apt-get)' >&2; exit 1; \
	else echo '$@: $(SUDO)$($@_$(MANAGER))'; $(SUDO)sh -c 'export DEBIAN_FRONTEND=noninteractive; $($@_$(MANAGER))'; fi

# `make deps test` installs first, also with -j.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
doctest ncurses $(BUILD)/flags: | deps
endif

# On a terminal: side by side where that is wide enough for two steps, and what differs in colour.
diff_ab diff_bc diff_cd diff_de diff_ef diff_fg: diff_%:  ## the lesson between two steps (diff_ab … diff_fg)
	@pair=$*; set -- step_$${pair%?}_*/*.cpp step_$${pair#?}_*/*.cpp; \
	if ! [ -t 1 ]; then diff --side-by-side --expand-tabs --width=180 "$$@"; \
	elif [ "$$(tput cols 2>/dev/null || echo 80)" -lt 180 ]; then diff --unified=99 --color=always "$$@"; \
	else diff --side-by-side --expand-tabs --width=180 "$$@" | \
	  awk 'substr($$0, 87, 5) ~ /[|<>]/ { $$0 = "\033[1;33m" $$0 "\033[0m" } { print }'; fi; true

format:  ## lay out all code by .clang-format
	clang-format -i $(SOURCES)

lint:  ## check the layout, and the code with clang-tidy
	clang-format --dry-run --Werror $(SOURCES)
	printf '%s\n' $(filter %.cpp,$(SOURCES)) | xargs -P $$(getconf _NPROCESSORS_ONLN) -I{} \
	  clang-tidy --quiet {} -- -std=c++20 -Wno-unused-command-line-argument 2>/dev/null

recordings: all xray  ## record a session per lesson in tools/xray/recordings/ (tmux and asciinema do it)
	tools/xray/recordings/record

clean:  ## remove everything that was built
	rm -rf build $(PROGRAMS) xray

help:  ## show this
	@awk -F ':.*## *' '/^[a-z_ ]+:.*##/ { count = split($$1, names, " "); printf "make %-14s %s\n", names[count], $$2 }' Makefile

-include $(wildcard $(addprefix $(BUILD)/,*.d */*.d */*/*.d))
