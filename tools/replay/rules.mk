# The recorder and its page. The Makefile includes this file.

$(BUILD)/replay.cpp: $(filter-out %/main.cpp,$(wildcard tools/replay/*.cpp))
$(BUILD)/replay_main.cpp: tools/replay/main.cpp
FOLDERS += replay replay_main
$(BUILD)/replay.o $(BUILD)/replay_main.o: | json libdw

# The parts of the page become strings in the program, which then needs no other file.
PAGE := $(addprefix tools/replay/page.,html css js)
$(BUILD)/replay_page.cpp: $(PAGE)
	@mkdir -p $(@D)
	@for part in html css js; do \
	  name=PAGE_$$(echo $$part | tr a-z A-Z); \
	  printf 'namespace replay { extern const char* const %s; const char* const %s = R"page(' $$name $$name; \
	  cat tools/replay/page.$$part; echo ')page"; }'; done >$@

$(BUILD)/replay_page.o: $(BUILD)/replay_page.cpp $(BUILD)/flags
	$(COMPILE) -MF $(@:.o=.d) -c $< -o $@

replay:  ## record a server call by call, and play it in the browser: ./replay ./step_e
$(BIN)replay: $(patsubst %,$(BUILD)/%.o,replay_main replay replay_page xray proc)
	$(LINK) -ldw
libdw:
	@$(if $(call has,elfutils/libdwfl.h),,echo 'elfutils/libdwfl.h is missing: install it with `make deps`' >&2; exit 1;) :
ifneq ($(filter deps,$(MAKECMDGOALS)),)
libdw: | deps
endif
.PHONY: replays libdw
replays: $(BIN)replay $(addprefix $(BIN),$(STEPS))  ## record each step: replays/step_a.html …
	@for step in $(filter-out step_h,$(STEPS)); do $(RUN)replay $(RUN)$$step || exit; done
	@$(if $(filter step_h,$(STEPS)),$(RUN)replay $(RUN)step_h step_h_wsgi.hello:application)
	@$(RUN)replay --beside $(RUN)step_g $(RUN)step_f
