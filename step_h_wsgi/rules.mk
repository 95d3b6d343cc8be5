# step_h: a C++ program with CPython inside.
$(BUILD)/http.cpp $(BUILD)/wsgi.cpp $(BUILD)/webserver3h.cpp: $(BUILD)/%.cpp: step_h_wsgi/%.cpp
FOLDERS += http wsgi webserver3h

$(call objects,http wsgi webserver3h): FAST =
$(BUILD)/wsgi.o: CPPFLAGS += $(PYTHON_FLAGS) -DPYTHON_EXECUTABLE='"$(PYTHON)"' -fvisibility=hidden
$(BUILD)/wsgi.o: | python
# `-z now` binds each symbol when step_h starts: otherwise every worker would do it again (ld.so(8)).
$(BIN)step_h: $(call objects,webserver3h wsgi http)
	$(LINK) $(shell $(PYTHON)-config --embed --ldflags) -Wl,-z,now
