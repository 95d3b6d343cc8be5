# The programs land in this folder, every other product in build/. `make help` lists the commands.

# The steps that are there: a class may begin without the later ones.
STEPS := $(sort $(patsubst webserver3%.cpp,step_%,$(notdir $(wildcard step_*/webserver3?.cpp))))

# CXXFLAGS=… on the command line holds for everything. Without it, the tools are compiled fast rather than made fast.
CXXFLAGS ?= -O2 -g
FAST := $(if $(filter file,$(origin CXXFLAGS)),-Og -g1)
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(if $(WERROR),-Werror)
# SANITIZE=1 builds in a place of its own. (Without vptr: its check needs descriptors, and a server may have run out.)
SANITIZERS := $(if $(SANITIZE),-fsanitize=address -fsanitize=undefined -fno-sanitize=vptr -fno-sanitize-recover=all)
BUILD := build$(if $(SANITIZE),/sanitized)
BIN := $(if $(SANITIZE),$(BUILD)/)
RUN := $(or $(BIN),./)
COMPILE = $(CXX) -std=c++20 -iquote . $(CPPFLAGS) $(CXXFLAGS) $(WARNINGS) $(SANITIZERS) -MMD -MP
LINK = $(CXX) $(CXXFLAGS) $(SANITIZERS) $(LDFLAGS) $(filter %.o,$^) -o $@
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
export CXX PYTHON BIN BUILD RUN

# diagnose and step_h need Linux and libraries. Where one of them is missing, `make` alone builds the rest.
PYTHON_FLAGS = $(patsubst -I%,-isystem %,$(shell $(PYTHON)-config --includes 2>/dev/null))
has = $(shell printf '\043if __has_include(<$(1)>)\nyes\n\043endif\n' | $(CXX) -std=c++20 $(PYTHON_FLAGS) -E -P -x c++ - 2>/dev/null)
is_there = $(and $(filter Linux,$(shell uname)),$(or $(filter deps,$(MAKECMDGOALS)),$(call has,$(1))))
DIAGNOSE := $(if $(call is_there,nlohmann/json.hpp),diagnose)
LEFT_OUT := $(if $(and $(call is_there,Python.h),$(call is_there,pybind11/embed.h)),,step_h)
CLIENTS := first_client client3
PROGRAMS := $(filter-out $(LEFT_OUT),$(STEPS)) $(CLIENTS) $(DIAGNOSE)

MAKEFLAGS += --jobs=$(shell getconf _NPROCESSORS_ONLN)
.DELETE_ON_ERROR:
.SECONDEXPANSION:
DEPS := deps deps_bench deps_dev deps_docs deps_machines deps_wsgi
.PHONY: all always check clean help $(DEPS) python json ncurses doctest

all: $(addprefix $(BIN),$(PROGRAMS))  ## make alone: all servers, the clients, diagnose
	$(if $(DIAGNOSE),@:,@echo 'diagnose is left out: it needs Linux and nlohmann/json.hpp (make deps)')
	$(if $(LEFT_OUT),@echo 'step_h is left out: it needs Linux with Python.h and pybind11/embed.h (make deps)')
step_g:  ## one of the servers (step_a to step_h)

# A step is one file and net/socket.hpp. Linked statically, where the compiler can, its fork costs half: see step_c.
$(addprefix $(BIN),$(filter-out step_h,$(STEPS))): $(BIN)step_%: $$(wildcard step_$$*_*/*.cpp) $(BUILD)/static
	$(COMPILE) @$(BUILD)/static -MF $(BUILD)/step_$*.d $< -o $@
$(addprefix $(BIN),$(CLIENTS)): $(BIN)%: client/%.cpp $(BUILD)/flags
	$(COMPILE) -MF $(BUILD)/$*.d $< -o $@
$(BUILD)/static: $(BUILD)/flags
	@echo 'int main() {}' | $(CXX) $(SANITIZERS) -static -x c++ - -o $@.out 2>/dev/null && echo -static >$@ || : >$@
	@rm -f $@.out

# A folder of many files is compiled as one file that includes them all: the headers cost more than the code.
$(BUILD)/proc.cpp: $(wildcard tools/proc/*.cpp)
$(BUILD)/harness.cpp: $(wildcard tools/harness/*.cpp)
$(BUILD)/diagnose.cpp: $(filter-out %/main.cpp,$(wildcard tools/diagnose/*.cpp))
$(BUILD)/diagnose_main.cpp: tools/diagnose/main.cpp
$(BUILD)/xray.cpp: $(filter-out %/main.cpp %/screen.cpp,$(wildcard tools/xray/*.cpp))
$(BUILD)/xray_main.cpp: tools/xray/main.cpp tools/xray/screen.cpp
FOLDERS := proc harness diagnose diagnose_main xray xray_main
objects = $(patsubst %,$(BUILD)/%.o,$(1))
include tests/rules.mk exercises/rules.mk $(wildcard step_h_*/rules.mk tools/*/rules.mk)

$(patsubst %,$(BUILD)/%.cpp,$(FOLDERS)): always
	@mkdir -p $(@D)
	@printf '#include "%s"\n' $(filter %.cpp,$^) | cmp -s - $@ || printf '#include "%s"\n' $(filter %.cpp,$^) >$@
$(patsubst %,$(BUILD)/%.o,$(FOLDERS)): %.o: %.cpp $(BUILD)/flags
	$(COMPILE) $(FAST) -MF $*.d -c $< -o $@

$(BIN)diagnose: $(call objects,diagnose_main diagnose harness proc)
	$(LINK)
xray:  ## see a running server from the inside: ./xray 8888
$(BIN)xray: $(call objects,xray_main xray proc)
	$(LINK) -lncursesw
ifdef SANITIZE
.PHONY: $(PROGRAMS) xray replay
$(PROGRAMS) xray replay: %: $(BIN)%
endif

# Another compiler, or other flags: everything is built again.
ALL_FLAGS = $(COMPILE) $(FAST) $(LDFLAGS) $(CC) $(CFLAGS)
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@printf '#if __clang_major__ < 14 && __GNUC__ < 11\n#error\n#endif\n' | $(CXX) -E -x c++ - >/dev/null 2>&1 || \
	  { echo '$(CXX) is missing or too old: it takes g++ 11, clang++ 14, or a newer one (make deps)' >&2; exit 1; }
	@echo '$(ALL_FLAGS)' | cmp -s - $@ || echo '$(ALL_FLAGS)' >$@

$(call objects,diagnose xray): | json
$(call objects,xray_main): | ncurses
python: header = Python.h pybind11/embed.h
json: header = nlohmann/json.hpp
ncurses: header = ncurses.h
doctest: header = doctest/doctest.h vterm.h
python json ncurses doctest:
	@$(foreach h,$(header),$(if $(call has,$(h)),,echo '$(h) is missing: install it with `make deps`' >&2; exit 1;)) :

$(DEPS):
	@./deps.sh $@
deps:  ## install what building and testing need, with the system's package manager
ifneq ($(filter deps,$(MAKECMDGOALS)),)  # `make deps test` installs first, also with -j
python json ncurses doctest $(BUILD)/flags: | deps
endif

check: $(BIN)diagnose  ## which step is SERVER='python3 server.py' like? EXPECT=g, if you like, is what you expect
	@$(RUN)diagnose $(if $(EXPECT),--expect '$(EXPECT)') $(or $(SERVER),$(error which SERVER? make check SERVER=./step_g))

# On a terminal: side by side where that is wide enough for two steps, and what differs in colour.
diff_ab diff_bc diff_cd diff_de diff_ef diff_fg: diff_%:  ## the lesson between two steps (diff_ab … diff_fg)
	@pair=$*; set -- step_$${pair%?}_*/*.cpp step_$${pair#?}_*/*.cpp; \
	if ! [ -t 1 ]; then diff --side-by-side --expand-tabs --width=180 "$$@"; \
	elif [ "$$(tput cols 2>/dev/null || echo 80)" -lt 180 ]; then diff --unified=99 --color=always "$$@"; \
	else diff --side-by-side --expand-tabs --width=180 "$$@" | \
	  awk 'substr($$0, 87, 5) ~ /[|<>]/ { $$0 = "\033[1;33m" $$0 "\033[0m" } { print }'; fi; true
clean:  ## remove everything that was built
	rm -rf build $(STEPS) $(CLIENTS) diagnose xray replay replays
help:  ## show this
	@awk -F ':.*## *' '/^[a-z_0-9 ]+:.*##/ { count = split($$1, name, " "); printf "make %-14s %s\n", name[count], $$2 }' \
	  $(MAKEFILE_LIST)

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
