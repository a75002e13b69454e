# SPDX-License-Identifier: MIT
# Host tests: unit tests (cmocka), fuzzers (libFuzzer), static checks and formatting.
# The pure sources are compiled once per sanitizer set, into a library that all tests of that set link.

SECONDS ?= 10
ifdef MINUTES
FUZZ_TIME = --total $(shell expr $(MINUTES) \* 60)
else
FUZZ_TIME = $(SECONDS)
endif

# libc's mem* serve on the host; the kernel's own would collide with the sanitizers'.
HOST_PURE := $(filter-out arch/string.c,$(PURE)) $(wildcard $(addprefix boot/uefi/,acpi.c spcr.c config*.c elf_load.c machine_check.c machine_options.c machine_report.c madt.c sleep_states.c text.c unpack.c))
HOST_HELPERS := $(wildcard tests/fake/*.c) $(filter-out $(wildcard tests/unit/test_*.c),$(wildcard tests/unit/*.c))
HOST_CFLAGS := -std=gnu17 -DHOST_TEST -g -O1 -fno-omit-frame-pointer -fno-strict-aliasing $(WARN) -I.

UNIT_CFLAGS := $(HOST_CFLAGS) -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_LIB := $(BUILD)/unit/libpure.a
UNIT_LIB_O := $(patsubst %.c,$(BUILD)/unit/obj/%.o,$(HOST_PURE) $(HOST_HELPERS))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

FUZZ_CFLAGS := $(HOST_CFLAGS) -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_LIB := $(BUILD)/fuzz/libpure.a
FUZZ_LIB_O := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(HOST_PURE) $(HOST_HELPERS))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

$(BUILD)/unit/obj/%.o: %.c tests/unit/unit.mk
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(UNIT_CFLAGS) -MMD -MP -c $< -o $@

$(UNIT_LIB): $(UNIT_LIB_O)
	$(Q)rm -f $@
	$(Q)ar rcsD $@ $^

$(BUILD)/unit/test_%: $(BUILD)/unit/obj/tests/unit/test_%.o $(UNIT_LIB)
	@echo "  LD    $@"
	$(Q)$(CC) $(UNIT_CFLAGS) $^ -lcmocka -o $@

# It packs what it unpacks.
$(BUILD)/unit/test_unpack $(BUILD)/coverage/test_unpack: | $(BUILD)/tools/pack

# With the firmware's headers, as the loader itself has them.
FIRMWARE_CFLAGS = -fshort-wchar -DGNU_EFI_USE_MS_ABI -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64
WITH_FIRMWARE := tests/unit/test_first_stage.o tests/unit/test_console_port.o tests/unit/test_acpi_look.o
$(addprefix $(BUILD)/unit/obj/,$(WITH_FIRMWARE)): UNIT_CFLAGS += $(FIRMWARE_CFLAGS)
$(addprefix $(BUILD)/coverage/obj/,$(WITH_FIRMWARE)): COVERAGE_CFLAGS += $(FIRMWARE_CFLAGS)

# With the model's headers in place of privileged instructions.
WITH_MODEL := tests/unit/test_screen_output.o
$(addprefix $(BUILD)/unit/obj/,$(WITH_MODEL)): UNIT_CFLAGS := -Itests/model $(UNIT_CFLAGS)

# Tables for documents: tools/refusals.
$(BUILD)/unit/refusals: $(BUILD)/unit/obj/tests/tables/refusals.o $(UNIT_LIB)
	$(Q)$(CC) $(UNIT_CFLAGS) $^ -o $@

$(BUILD)/fuzz/obj/%.o: %.c tests/unit/unit.mk
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(FUZZ_LIB): $(FUZZ_LIB_O)
	$(Q)rm -f $@
	$(Q)ar rcsD $@ $^

$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o $(FUZZ_LIB)
	@echo "  LD    $@"
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer $^ -o $@

include tests/model/model.mk
include tests/coverage/coverage.mk

# A rule's by-products are kept: a second run builds nothing.
.SECONDARY: $(UNIT_TESTS:$(BUILD)/unit/%=$(BUILD)/unit/obj/tests/unit/%.o) $(FUZZERS:$(BUILD)/fuzz/%=$(BUILD)/fuzz/obj/tests/fuzz/%.o)

unit: $(UNIT_TESTS) ## unit tests of the pure core, with ASan and UBSan
	@tests/unit/run $(UNIT_TESTS)

fuzz: $(FUZZERS) ## every fuzzer for SECONDS (10) each, or all together for MINUTES
	@tests/fuzz/run $(FUZZ_TIME) $(BUILD)/fuzz $(FUZZERS)

# --- static checks ---------------------------------------------------------
lint: $(BUILD)/libpure.a ## layering, purity, stand-alone headers, style, cppcheck
	@tools/lint $(BUILD) $(wildcard boot/*/*.c arch/*.c drivers/*.c mm/*.c vmx/*.c vmx/nested/*.c monitor/*.c)

format: ## clang-format on FILES=...
	@[ -n "$(FILES)" ] || { echo "make format FILES='a.c b.h': tables set by hand elsewhere stay as they are"; exit 2; }
	clang-format -i $(FILES)
