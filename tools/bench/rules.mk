# Builds and runs the measurements. The Makefile includes this file.

$(BUILD)/bench.cpp: $(filter-out %/throughput.cpp,$(wildcard tools/bench/*.cpp))
$(BUILD)/throughput.cpp: tools/bench/throughput.cpp
FOLDERS += bench throughput
$(BUILD)/tools/bench/measure: $(BUILD)/bench.o $(BUILD)/throughput.o $(BUILD)/harness.o $(BUILD)/proc.o
	@mkdir -p $(@D)
	$(LINK)
$(BUILD)/tools/bench/floor: tools/bench/floor.c $(BUILD)/static
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra @$(BUILD)/static $< -o $@
$(BUILD)/tools/bench/floor_dynamic: tools/bench/floor.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra $< -o $@
$(BUILD)/tools/bench/step_g_dynamic: step_g_waitpid/webserver3g.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MF $@.d $< -o $@
$(BUILD)/tools/bench/no_handler: exercises/solutions/08_no_handler.cpp $(BUILD)/static
	@mkdir -p $(@D)
	$(COMPILE) @$(BUILD)/static -MF $@.d $< -o $@

deps_bench: ## install what bench compares with, and what plots draws with

.PHONY: bench plots
MEASURED := $(addprefix $(BUILD)/tools/bench/,measure floor floor_dynamic step_g_dynamic no_handler)
bench: $(MEASURED) step_g step_h  ## how fast, beside others, and what silent clients cost (needs make deps_bench)
	@$(BUILD)/tools/bench/measure throughput
	@$(BUILD)/tools/bench/measure additions
	@$(BUILD)/tools/bench/measure held

FIGURES := waits descriptors zombies held throughput additions
plots: $(MEASURED) all  ## measure all that the pages show in pictures, and draw it: tools/bench/figures
	@command -v gnuplot >/dev/null || { echo 'gnuplot is missing: install it with `make deps_bench`' >&2; exit 1; }
	@set -e; for name in $(FIGURES); do \
	  echo "measuring $$name"; $(BUILD)/tools/bench/measure $$name >$(BUILD)/$$name.txt; \
	  if [ -s $(BUILD)/$$name.txt ]; then mv $(BUILD)/$$name.txt tools/bench/figures/; fi; done
	gnuplot tools/bench/plots.gp
