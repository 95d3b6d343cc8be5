# Builds and runs the tests. The Makefile includes this file.

$(BUILD)/tests_main.cpp: tests/main.cpp
$(BUILD)/tests_support.cpp: tests/support.cpp
$(BUILD)/tests_steps.cpp: $(wildcard tests/step_[a-g].cpp) tests/impolite.cpp tests/promises.cpp tests/client3.cpp
$(BUILD)/tests_step_h.cpp: $(wildcard tests/step_h*.cpp)
$(BUILD)/tests_parts.cpp: tests/http.cpp tests/socket.cpp
$(BUILD)/tests_tools.cpp: tests/proc.cpp tests/behaviours.cpp tests/diagnose.cpp tests/real_servers.cpp tests/exercises.cpp
$(BUILD)/tests_harness.cpp: tests/harness.cpp
$(BUILD)/tests_xray.cpp: tests/xray.cpp tests/replay.cpp tests/json.cpp
$(BUILD)/tests_heavy.cpp: $(wildcard tests/heavy/*.cpp)
TESTS := tests_main tests_support tests_steps tests_step_h tests_parts tests_tools tests_harness tests_xray
FOLDERS += $(TESTS) tests_heavy
$(patsubst %,$(BUILD)/%.o,$(TESTS) tests_heavy): | doctest
$(BUILD)/tests_xray.o: | json

$(BUILD)/run_tests: $(patsubst %,$(BUILD)/%.o,$(TESTS) diagnose harness proc http xray)
	$(LINK) -lvterm
$(BUILD)/run_heavy_tests: $(patsubst %,$(BUILD)/%.o,tests_main tests_support tests_heavy diagnose harness proc)
	$(LINK)

FIXTURES := $(addprefix $(BUILD)/,$(basename $(wildcard tests/fixtures/*.c tests/fixtures/*.cpp)))
$(BUILD)/tests/fixtures/%: tests/fixtures/%.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d $< -o $@
$(BUILD)/tests/fixtures/%: tests/fixtures/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wall -Wextra $(LDFLAGS) $< -o $@

# Makes system calls fail in any program that is not linked statically, sanitized or not (ld.so(8), LD_PRELOAD).
FAULTS := $(BUILD)/tests/preload/faults.so
$(BUILD)/tests/preload/faults.so: tests/preload/faults.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(CXX) -std=c++20 $(CXXFLAGS) $(WARNINGS) -MMD -MP -MF $(@:.so=.d) -shared -fPIC $< -o $@

deps_dev:   ## install what format, lint and CI need besides
deps_docs:  ## install what test_docs and site need
deps_wsgi:  ## install the frameworks that step_h is tested with
deps_machines: ## install the compilers that tests/other_machines needs

.PHONY: test test_heavy test_docs mutants reported matrix soak fuzz test_replay format lint
TESTED := $(FIXTURES) $(FAULTS) $(addprefix $(BIN),$(STEPS) $(CLIENTS) diagnose xray replay)
test: $(BUILD)/run_tests $(TESTED)  ## build and run the tests (SANITIZE=1: sanitized)
	@sh tests/run.sh $(BUILD)/run_tests
test_heavy: $(BUILD)/run_heavy_tests $(addprefix $(BIN),step_c step_h xray)  ## 1000 clients, big bodies, frameworks
	@$(BUILD)/run_heavy_tests --no-version
soak: test  ## repeat the tests, and diagnose on each step, under load (ROUNDS=30; without: until interrupted)
	@$(PYTHON) tests/soak.py $(ROUNDS)
matrix: $(addprefix $(BIN),$(STEPS) diagnose)  ## print the table of behaviours as measured
	@$(PYTHON) tests/matrix.py
mutants: $(addprefix $(BIN),$(STEPS) diagnose) $(FIXTURES)  ## test diagnose with servers that are wrong on purpose
	@$(PYTHON) tests/mutants.py

reported: $(BIN)diagnose  ## test diagnose: find the faults that users of real servers have reported (tests/reported)
	@$(PYTHON) tests/reported.py

# GitHub draws the pages' pictures with Mermaid. We take one file of its package, in the same major version.
MERMAID := $(BUILD)/mermaid@11/mermaid.min.js
$(MERMAID):
	@command -v npm >/dev/null || { echo 'npm is missing: install it with `make deps_docs`' >&2; exit 1; }
	@mkdir -p $(@D)
	cd $(@D) && timeout 300 npm pack --silent $(notdir $(@D)) && \
	  tar -xzmf mermaid-*.tgz --strip-components=2 package/dist/$(@F)
	@rm $(@D)/mermaid-*.tgz
test_docs: $(MERMAID) $(PROGRAMS) xray replay  ## do what the pages say, and see that it happens (needs make deps_docs)
	@$(PYTHON) tests/pages/check.py
	@$(PYTHON) tests/pages/pictures.py $(MERMAID)
	@$(PYTHON) tests/pages/run.py
test_replay: $(STEPS) replay  ## record the steps again and again, and play them in chromium (needs make deps_docs)
	@$(PYTHON) tests/replay.py
	@$(PYTHON) tools/replay/pictures.py --check

# Coverage-guided (libFuzzer, LLVM), and always sanitized.
FUZZ_SECONDS ?= 60
$(BUILD)/fuzz_http: tests/fuzz/http.cpp $(wildcard step_h_wsgi/http.*)
	@mkdir -p $(@D)
	clang++ -std=c++20 $(WARNINGS) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	  $(filter %.cpp,$^) -o $@
fuzz: $(BUILD)/fuzz_http  ## step_h's parsers against mutated requests, for FUZZ_SECONDS (needs make deps_dev)
	@mkdir -p $(BUILD)/fuzz_corpus
	$< -max_total_time=$(FUZZ_SECONDS) -max_len=50000 -timeout=5 -print_final_stats=1 \
	  -dict=tests/fuzz/http.dict $(BUILD)/fuzz_corpus tests/fuzz/seeds

SOURCES := $(filter-out build/%,$(wildcard */*.hpp */*.cpp tools/*/*.hpp tools/*/*.cpp tests/*/*.cpp exercises/*/*.cpp))
format:  ## lay out all code by .clang-format
	clang-format -i $(SOURCES)
lint: $$(patsubst %,$(BUILD)/%.cpp,$$(FOLDERS))  ## check the layout, and the code with clang-tidy
	@sh tests/lint.sh
