# SPDX-License-Identifier: MIT
# Testudo. `make` builds, `make run` shows it, `make check` tests it, `make help` lists the rest.
# Everything is built in build/; the parts that start emulators are in tools/emu.mk.

BUILD := build
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
NASM ?= nasm
FUZZ_CC ?= clang
# V=1 shows the commands.
Q := $(if $(V),,@)

WARN := -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wcast-qual -Wpointer-arith -Wvla -Wundef
FREESTANDING := -std=gnu17 -ffreestanding -fno-common -mgeneral-regs-only -mno-red-zone -fcf-protection=none \
	-fno-stack-protector -fno-strict-aliasing -fno-delete-null-pointer-checks \
	-fno-asynchronous-unwind-tables -fomit-frame-pointer \
	$(if $(findstring clang,$(CC)),,-fno-align-jumps -fno-align-loops -fno-align-labels) '-ffile-prefix-map=$(CURDIR)=.' -O2 -g
KERNEL_CFLAGS := $(FREESTANDING) -fPIE -fvisibility=hidden $(WARN) -I.

# Pure files: no privileged instruction, compiled for the image and for the host alike.
PURE := $(wildcard drivers/printk.c drivers/log_ring.c drivers/screen.c drivers/mca.c drivers/uart.c drivers/acpi.c arch/string.c \
	mm/ept.c mm/ept_types.c mm/mtrr.c mm/guest_walk.c mm/l1_memory.c \
	vmx/vmcs_field.c vmx/controls.c vmx/caps.c vmx/events.c vmx/breakpoints.c vmx/insn_info.c vmx/exit.c vmx/dump.c vmx/msr_bitmap.c vmx/sleep_guard.c vmx/serial_watch.c vmx/trace_ring.c \
	vmx/nested/vmcs12.c vmx/nested/bitmap02.c vmx/nested/task_priority.c vmx/nested/caps12.c vmx/nested/check_*.c vmx/nested/merge.c vmx/nested/sync.c \
	vmx/nested/reflect.c vmx/nested/insn.c vmx/nested/field_set.c vmx/nested/shadow12.c vmx/nested/msr_lists.c vmx/nested/ept02*.c vmx/nested/ept12_walk.c vmx/nested/page_log.c vmx/nested/spp.c vmx/nested/delivery.c vmx/nested/refusal.c \
	vmx/nested/vm_functions.c vmx/nested/quick_plan.c vmx/nested/virtualization_exception.c \
	monitor/edit.c monitor/out.c monitor/words.c monitor/show_*.c)
# Self tests are images of their own: boot/root/self_test.mk.
KERNEL_C := $(filter-out boot/root/self_test%,$(wildcard arch/*.c drivers/*.c mm/*.c vmx/*.c vmx/nested/*.c monitor/*.c boot/root/*.c))
KERNEL_ASM := $(filter-out boot/root/self_test%,$(wildcard vmx/*.asm boot/root/*.asm))
KERNEL_LD := ld -pie --no-dynamic-linker -z pack-relative-relocs -z noexecstack -z max-page-size=4096 --build-id=none -T linker.ld
PURE_O := $(PURE:%.c=$(BUILD)/kernel/%.o)
KERNEL_O := $(filter-out $(PURE_O),$(KERNEL_C:%.c=$(BUILD)/kernel/%.o)) $(KERNEL_ASM:%.asm=$(BUILD)/kernel/%.asm.o)

.PHONY: all help unit fuzz lint format clean
all: $(BUILD)/$(if $(SELF_TEST),selftest/$(SELF_TEST)/)BOOTX64.EFI

help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20 | sort

# --- the root kernel -------------------------------------------------------
$(BUILD)/kernel/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(KERNEL_CFLAGS) -MMD -MP -c $< -o $@

# Nobody waits for the monitor but a person: small.
$(BUILD)/kernel/monitor/%.o: KERNEL_CFLAGS += -Os

# Offsets that assembly needs, generated from offsetof (boot/root/asm_offsets.in prints them).
$(BUILD)/asm_offsets.inc: boot/root/asm_offsets.in Makefile $(wildcard arch/*.h vmx/*.h boot/root/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CFLAGS) -x c -S $< -o - | sed -n 's/^.*->\([A-Za-z0-9_]*\) \$$*\([0-9-]*\).*/%define \1 \2/p' > $@

$(BUILD)/kernel/%.asm.o: %.asm $(BUILD)/asm_offsets.inc
	@mkdir -p $(@D)
	@echo "  NASM  $<"
	$(Q)$(NASM) -f elf64 -g -F dwarf -I$(BUILD)/ -MD $(@:.o=.d) -MP -o $@ $<

$(BUILD)/libpure.a: $(PURE_O)
	@rm -f $@
	$(Q)ar rcsD $@ $^

$(BUILD)/testudo.elf: $(KERNEL_O) $(BUILD)/libpure.a linker.ld
	@echo "  LD    $@"
	$(Q)$(KERNEL_LD) -o $@ $(KERNEL_O) $(BUILD)/libpure.a

include boot/uefi/uefi.mk
include boot/root/self_test.mk
include tests/unit/unit.mk
include tests/guests/guests.mk
include tools/release.mk
-include tools/emu.mk

clean: ## remove build/
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
