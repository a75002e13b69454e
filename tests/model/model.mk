# SPDX-License-Identifier: MIT
# Tests that run all of vmx/nested and the handlers around it on a model of the processor (tests/model/model.h): the files with privileged
# instructions too, with the model's headers before the real ones. Unit tests are tests/model/test_*.c, fuzzers tests/model/fuzz_*.c.

# What is the model's own, or part of none of it.
MODEL_NOT := vmx/apic_reset.c vmx/shutdown.c vmx/run.c
MODEL_IMPURE := $(filter-out $(PURE) $(MODEL_NOT),$(wildcard vmx/*.c vmx/nested/*.c)) \
	monitor/look.c monitor/commands.c drivers/lock.c drivers/mca_dump.c boot/root/machine.c boot/root/vmcs01.c
MODEL_C := $(MODEL_IMPURE) $(filter-out $(wildcard tests/model/test_*.c tests/model/fuzz_*.c),$(wildcard tests/model/*.c))
MODEL_CFLAGS := -Itests/model -DTESTUDO_DEBUG
MODEL_TESTS := $(patsubst tests/model/%.c,$(BUILD)/unit/%,$(wildcard tests/model/test_*.c))
MODEL_FUZZERS := $(patsubst tests/model/%.c,$(BUILD)/fuzz/%,$(wildcard tests/model/fuzz_*.c))
UNIT_TESTS += $(MODEL_TESTS)
FUZZERS += $(MODEL_FUZZERS)

$(BUILD)/unit/model/%.o: %.c tests/model/model.mk tests/unit/unit.mk
	@mkdir -p $(@D)
	@echo "  CC    $< (model)"
	$(Q)$(CC) $(MODEL_CFLAGS) $(UNIT_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/unit/libmodel.a: $(MODEL_C:%.c=$(BUILD)/unit/model/%.o)
	$(Q)rm -f $@
	$(Q)ar rcsD $@ $^

$(MODEL_TESTS): $(BUILD)/unit/%: $(BUILD)/unit/model/tests/model/%.o $(BUILD)/unit/libmodel.a $(UNIT_LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(UNIT_CFLAGS) $^ -lcmocka -o $@

# What judges is not what the fuzzer is to explore.
MODEL_GUIDED = $(if $(filter tests/model/fuzz_%,$<),-fsanitize=fuzzer-no-link,$(if $(filter tests/%,$<),,-fsanitize=fuzzer-no-link))
$(BUILD)/fuzz/model/%.o: %.c tests/model/model.mk tests/unit/unit.mk
	@mkdir -p $(@D)
	@echo "  CC    $< (model)"
	$(Q)$(FUZZ_CC) $(MODEL_CFLAGS) $(FUZZ_CFLAGS) $(MODEL_GUIDED) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/libmodel.a: $(patsubst %.c,$(BUILD)/fuzz/model/%.o,$(filter-out tests/model/scene.c,$(MODEL_C)))
	$(Q)rm -f $@
	$(Q)ar rcsD $@ $^

$(MODEL_FUZZERS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/model/tests/model/%.o $(BUILD)/fuzz/libmodel.a $(FUZZ_LIB)
	@echo "  LD    $@"
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer $^ -o $@

.SECONDARY: $(MODEL_TESTS:$(BUILD)/unit/%=$(BUILD)/unit/model/tests/model/%.o) $(MODEL_FUZZERS:$(BUILD)/fuzz/%=$(BUILD)/fuzz/model/tests/model/%.o)
