# The pages as a web site. The Makefile includes this file.

# The repository's address, for links to source files. GitHub's workflows say it; elsewhere: make site REPOSITORY=https://…
REPOSITORY ?= $(if $(GITHUB_REPOSITORY),$(GITHUB_SERVER_URL)/$(GITHUB_REPOSITORY))
SITE := $(BUILD)/site
# The browser has namespaces of its own (unshare(1)): it reaches no network, and at the end nothing of it is left.
APART := timeout 300 unshare --user --map-root-user --net --pid --fork --mount-proc --kill-child
PRINT := chromium --headless --no-sandbox --disable-gpu --no-first-run --virtual-time-budget=600000 \
  --no-pdf-header-footer --generate-pdf-document-outline
.PHONY: site test_site
site: $(MERMAID)  ## make a web site of the pages, and of replays/ if it is there: build/site (needs make deps_docs)
	@rm -rf $(SITE) && mkdir -p $(SITE)
	@REPOSITORY='$(REPOSITORY)' $(PYTHON) tools/site/build.py $(SITE)
	@cp tools/site/site.css tools/site/site.js $(MERMAID) $(SITE)
	@if [ -d $(SITE)/replays ]; then cp replays/*.html $(SITE)/replays; fi
	@for book in $(SITE)/book $(SITE)/book.zh-CN; do \
	  HOME=$$PWD/$(BUILD)/home $(APART) $(PRINT) --user-data-dir=$$PWD/$(BUILD)/home --print-to-pdf=$$book.pdf \
	    file://$$PWD/$$book.html 2>$(BUILD)/print.log || { cat $(BUILD)/print.log; exit 1; }; rm $$book.html; done
	@$(PYTHON) tests/pages/site.py $(SITE)
test_site: site  ## look at the site in a browser, on a narrow screen
	@$(PYTHON) tests/pages/site.py --browser $(SITE)
