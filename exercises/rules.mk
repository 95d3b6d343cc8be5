# Builds and checks the exercises. The Makefile includes this file.

EXERCISES := $(addprefix exercise_,$(shell seq 12))
WATCHES := $(EXERCISES:exercise_%=watch_%)
HINTS := $(EXERCISES:exercise_%=hint_%)
EXERCISE_PROGRAMS := $(patsubst %/server.cpp,$(BUILD)/%,$(wildcard exercises/*/server.cpp))
.PHONY: exercises grade grade_class test_exercises test_grade $(EXERCISES) $(WATCHES) $(HINTS)

# The students' programs: the compiler stops at the first error, and the last line names the file.
$(EXERCISE_PROGRAMS): $(BUILD)/%: %/server.cpp $(BUILD)/static
	@mkdir -p $(@D) && rm -f $@
	@$(COMPILE) $(HOW_LINKED) -Wfatal-errors -MF $@.d $< $(filter %.o,$^) $(LIBRARIES) -o $@ 2>$@.errors || \
	  { cat $@.errors; echo '$<: it does not compile; the compiler says above in which line, and why'; exit 1; } >&2
	@cat $@.errors >&2
HOW_LINKED = @$(BUILD)/static
$(BUILD)/exercises/12_homework: HOW_LINKED =
$(BUILD)/exercises/12_homework: LIBRARIES = $(PYTHON_LIBRARIES)
PYTHON_LIBRARIES = $(shell $(PYTHON)-config --embed --ldflags)
$(BUILD)/exercises/12_homework: $(BUILD)/wsgi.o $(BUILD)/http.o

LOOK = make -s replay$(if $(SERVER),, $(call program_of,7)) && ./replay --as step_f $(or $(SERVER),$(call program_of,7))
program_of = $(filter $(BUILD)/exercises/0$(1)_% $(BUILD)/exercises/$(1)_%,$(EXERCISE_PROGRAMS))
exercises: $(BIN)diagnose  ## list the exercises and which are done
	@$(RUN)diagnose --exercises
exercise_7:  ## check one of the exercises (another server: SERVER='python3 mine.py')
$(EXERCISES): exercise_%: $(BIN)diagnose $$(if $$(SERVER),,$$(call program_of,$$*))
	@$(RUN)diagnose --exercise $* $(SERVER); status=$$?; $(if $(filter 7,$*),echo 'see it call by call: $(LOOK)';) exit $$status
watch_7:  ## check one of the exercises at each save, until Ctrl-C
$(WATCHES): watch_%:
	@command -v entr >/dev/null || { echo 'entr is missing: install it with `make deps`' >&2; exit 1; }
	@echo $(call folder_of,$*)/[sp]*.* | entr -c -r env MAKEFLAGS= $(MAKE) --silent exercise_$*
hint_7:  ## show a hint for one of the exercises; each time the next one
$(HINTS): hint_%:
	@mkdir -p $(BUILD) && shown=$$(cat $(BUILD)/$@ 2>/dev/null || echo 0) && \
	  awk -v shown=$$shown -f exercises/hint.awk $(call folder_of,$*)/README.md && echo $$((shown + 1)) >$(BUILD)/$@
folder_of = $(wildcard exercises/0$(1)_* exercises/$(1)_*)
# (A make below us that is told of our --jobs, and reads it here once more, would warn of it.)
grade: $(BIN)diagnose  ## check all exercises: a table, and JUnit XML in build/grade.xml
	@MAKEFLAGS= $(MAKE) --keep-going --silent $(MAKEOVERRIDES) $(EXERCISE_PROGRAMS) || true
	@$(RUN)diagnose --grade $(BUILD)/grade.xml
# A student's file is all that is taken out of a clone: it is compiled and checked in a sandbox.
grade_class: $(BIN)diagnose $(BUILD)/static  ## check all exercises of many clones: DIR=clones (ONLY='5 6 7' JOBS=4 LIMIT=120)
	@MAKEFLAGS= $(MAKE) --keep-going --silent $(BUILD)/wsgi.o $(BUILD)/http.o || true
	@COMPILE='$(COMPILE)' STATIC="$$(cat $(BUILD)/static)" LIBRARIES='$(PYTHON_LIBRARIES)' $(PYTHON) \
	  tools/grade/grade_class.py $(if $(ONLY),--only '$(ONLY)') $(if $(JOBS),--jobs $(JOBS)) $(if $(LIMIT),--limit $(LIMIT)) \
	  $(if $(filter no,$(SANDBOX)),--no-sandbox) '$(or $(DIR),$(error which clones? make grade_class DIR=clones))'
test_exercises: $(BIN)diagnose $(BUILD)/wsgi.o $(BUILD)/http.o  ## test the exercises: given programs, solutions, wrong solutions
	@STEP_H_PARTS='$(filter %.o,$^)' $(PYTHON) tests/exercises.py
test_grade: $(BIN)diagnose  ## test grade_class: no clone changes its own grade or another one's
	@$(PYTHON) tests/grade_class.py
