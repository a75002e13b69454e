# SPDX-License-Identifier: MIT
# Line and branch coverage of vmx/nested, by unit tests and fuzz corpora: everything once more, with gcc's counters and without sanitizers.

COVERAGE := $(BUILD)/coverage
COVERAGE_CFLAGS := $(filter-out -O1 -Werror,$(MODEL_CFLAGS) $(HOST_CFLAGS)) -Wno-unused-result -O0 --coverage -fprofile-abs-path
COVERAGE_LIB_O := $(patsubst %.c,$(COVERAGE)/obj/%.o,$(sort $(HOST_PURE) $(HOST_HELPERS) $(MODEL_C)))
COVERAGE_TESTS := $(patsubst tests/unit/%.c,$(COVERAGE)/%,$(wildcard tests/unit/test_*.c)) \
	$(patsubst tests/model/%.c,$(COVERAGE)/%,$(wildcard tests/model/test_*.c))
COVERAGE_FUZZERS := $(patsubst tests/fuzz/%.c,$(COVERAGE)/%,$(wildcard tests/fuzz/fuzz_*.c)) \
	$(patsubst tests/model/%.c,$(COVERAGE)/%,$(wildcard tests/model/fuzz_*.c))

$(COVERAGE)/obj/%.o: %.c tests/coverage/coverage.mk tests/model/model.mk
	@mkdir -p $(@D)
	@rm -f $(@:.o=.gcda)
	$(Q)$(CC) $(COVERAGE_CFLAGS) -MMD -MP -c $< -o $@

$(COVERAGE)/libcoverage.a: $(COVERAGE_LIB_O)
	$(Q)rm -f $@
	$(Q)ar rcsD $@ $^

$(patsubst tests/unit/%.c,$(COVERAGE)/%,$(wildcard tests/unit/test_*.c)): $(COVERAGE)/%: $(COVERAGE)/obj/tests/unit/%.o $(COVERAGE)/libcoverage.a
	$(Q)$(CC) --coverage $^ -lcmocka -lpthread -o $@
$(patsubst tests/model/%.c,$(COVERAGE)/%,$(wildcard tests/model/test_*.c)): $(COVERAGE)/%: $(COVERAGE)/obj/tests/model/%.o $(COVERAGE)/libcoverage.a
	$(Q)$(CC) --coverage $^ -lcmocka -lpthread -o $@
$(patsubst tests/fuzz/%.c,$(COVERAGE)/%,$(wildcard tests/fuzz/fuzz_*.c)): $(COVERAGE)/%: $(COVERAGE)/obj/tests/fuzz/%.o \
		$(COVERAGE)/obj/tests/coverage/run_inputs.o $(COVERAGE)/libcoverage.a
	$(Q)$(CC) --coverage $^ -o $@
$(patsubst tests/model/%.c,$(COVERAGE)/%,$(wildcard tests/model/fuzz_*.c)): $(COVERAGE)/%: $(COVERAGE)/obj/tests/model/%.o \
		$(COVERAGE)/obj/tests/coverage/run_inputs.o $(COVERAGE)/libcoverage.a
	$(Q)$(CC) --coverage $^ -o $@

coverage-programs: $(COVERAGE_TESTS) $(COVERAGE_FUZZERS)

coverage: coverage-programs ## lines and branches of vmx/nested that unit tests and fuzz corpora reach; fails under 95 % of lines
	@tests/coverage/report $(COVERAGE) $(COVERAGE_TESTS) $(COVERAGE_FUZZERS)

.PHONY: coverage coverage-programs
.SECONDARY: $(COVERAGE_LIB_O)
