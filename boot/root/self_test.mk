# SPDX-License-Identifier: MIT
# Images of the root kernel that fault on purpose: build/selftest/N/BOOTX64.EFI for each number in boot/root/self_test.h. They differ from
# the release image in main.c, which calls the test, and in the test's own files; all other objects are the release's.

SELF_TESTS := $(shell sed -n 's/^.define SELF_TEST_[A-Z0-9_]* \([0-9]*\)$$/\1/p' boot/root/self_test.h)
SELF_TEST_OUT := $(addprefix $(BUILD)/selftest/,$(SELF_TESTS))
SELF_TEST_IMAGES := $(SELF_TEST_OUT:%=%/BOOTX64.EFI)
SELF_TEST_CASE_O := $(SELF_TEST_OUT:%=%/self_test.o) $(SELF_TEST_OUT:%=%/main.o)
SELF_TEST_PART_O := $(patsubst boot/root/%.c,$(BUILD)/selftest/%.o,$(wildcard boot/root/self_test_*.c))
SELF_TEST_COMMON_O := $(filter-out $(BUILD)/kernel/boot/root/main.o,$(KERNEL_O)) \
	$(SELF_TEST_PART_O) $(BUILD)/selftest/self_test_handler.asm.o

$(SELF_TEST_CASE_O): $(BUILD)/selftest/%.o: Makefile boot/root/self_test.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CFLAGS) -DTESTUDO_SELF_TEST=$(*D) -MMD -MP -c boot/root/$(*F).c -o $@
$(SELF_TEST_OUT:%=%/self_test.o): boot/root/self_test.c
$(SELF_TEST_OUT:%=%/main.o): boot/root/main.c

$(SELF_TEST_PART_O): $(BUILD)/selftest/%.o: boot/root/%.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/selftest/self_test_handler.asm.o: boot/root/self_test_handler.asm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf64 -o $@ $<

$(SELF_TEST_OUT:%=%/linked.elf): %/linked.elf: %/main.o %/self_test.o $(SELF_TEST_COMMON_O) $(BUILD)/libpure.a linker.ld
	$(Q)$(KERNEL_LD) -o $@ $(filter %.o,$^) $(BUILD)/libpure.a

# packed.asm includes it by this name.
$(SELF_TEST_OUT:%=%/testudo.elf): %/testudo.elf: %/linked.elf
	$(Q)objcopy --strip-all $< $@

$(SELF_TEST_OUT:%=%/packed.asm.o): %/packed.asm.o: boot/uefi/packed.asm %/testudo.packed
	$(Q)$(NASM) -f elf64 -I$(@D)/ -o $@ $<

$(SELF_TEST_OUT:%=%/first.so): %/first.so: %/packed.asm.o $(FIRST_O)
	$(Q)$(UEFI_LD)

$(SELF_TEST_IMAGES): %/BOOTX64.EFI: %/first.so $(BUILD)/tools/trim
	@echo "  EFI   $@"
	$(Q)$(UEFI_OBJCOPY) $< $@.tmp
	$(Q)$(BUILD)/tools/trim $@.tmp
	$(Q)mv $@.tmp $@

.PHONY: self-test-images
self-test-images: $(SELF_TEST_IMAGES)
