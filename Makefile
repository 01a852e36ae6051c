# The same names as ./run, for those whose fingers type make.
VERBS = lab build serve install test check tidy format fuzz torture coverage bench docs help
.PHONY: $(VERBS)
.DEFAULT_GOAL := help
$(VERBS):
	@./run $@ $(ARGS)
