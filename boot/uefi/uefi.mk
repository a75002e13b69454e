# SPDX-License-Identifier: MIT
# The UEFI application: boot/uefi/first.c with the loader and the root kernel, both packed, inside. It is linked by gnu-efi's script, without
# anything to relocate, and turned into a PE image; the loader, which is the rest of boot/uefi, is a file of the kernel's kind.

EFI_INC ?= /usr/include/efi
EFI_LIB ?= /usr/lib

LOADER_C := $(filter-out $(addprefix boot/uefi/,first.c unpack.c elf_load.c),$(wildcard boot/uefi/*.c)) arch/string.c drivers/log_ring.c \
	drivers/uart.c drivers/uart_port.c
LOADER_O := $(LOADER_C:%.c=$(BUILD)/uefi/%.o) $(BUILD)/uefi/boot/uefi/launch_cpu.asm.o
FIRST_O := $(patsubst %,$(BUILD)/uefi/%.o,boot/uefi/first boot/uefi/executable boot/uefi/unpack boot/uefi/elf_load arch/string)
UEFI_O := $(FIRST_O) $(BUILD)/uefi/boot/uefi/packed.asm.o
UEFI_CFLAGS := $(FREESTANDING) -Os -fpic -fshort-wchar -fvisibility=hidden $(WARN) -DGNU_EFI_USE_MS_ABI -I. -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64
UEFI_LIMIT := 524288
UEFI_LD = ld -nostdlib -znocombreloc -znoexecstack -shared -Bsymbolic --no-undefined --no-warn-rwx-segments -e efi_main \
	-T $(EFI_LIB)/elf_x86_64_efi.lds $^ -o $@ && ! readelf --relocs --wide $@ | grep R_X86_64
UEFI_OBJCOPY := objcopy -j .text -j .data -j .reloc --target=efi-app-x86_64

$(BUILD)/uefi/%.o: %.c boot/uefi/uefi.mk
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(UEFI_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/uefi/testudo.elf: $(BUILD)/testudo.elf
	@mkdir -p $(@D)
	$(Q)objcopy --strip-all $< $@

# What of the kernel runs once, seldom, or to tell of something is small rather than fast: the image is read from a slow disk.
SMALL := boot/root/% drivers/% mm/host_paging mm/ept_types mm/mtrr mm/page_alloc vmx/caps vmx/controls vmx/apic_reset vmx/handle_init vmx/vcpu_dump \
	vmx/ept01 vmx/emulate vmx/handle_cr vmx/handle_functions vmx/sleep_guard vmx/nested/caps12 vmx/nested/init vmx/nested/refusal \
	vmx/nested/vmx_abort vmx/nested/switch_refusal vmx/nested/check_guest_segments vmx/nested/check_guest_state vmx/nested/check_execution \
	vmx/nested/check_controls vmx/nested/check_guest vmx/nested/check_host vmx/nested/virtualization_exception vmx/nested/page_log vmx/nested/spp
$(SMALL:%=$(BUILD)/kernel/%.o): KERNEL_CFLAGS += -Os

# The only part of the loader that works for long.
$(BUILD)/uefi/boot/uefi/unpack.o: UEFI_CFLAGS += -O2

$(BUILD)/tools/pack: tools/pack.c $(wildcard tools/packing/*.[ch]) boot/uefi/unpack.h
$(BUILD)/tools/%: tools/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 $(WARN) -I. $(filter %.c,$^) -o $@

# Of the loader's own parser; it has room for every line's note.
$(BUILD)/tools/config: tools/config.c $(wildcard boot/uefi/config*.? boot/uefi/text.?) boot/hide.def
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 -g $(WARN) -DHOST_TEST -DCONFIG_NOTES=$(CONFIG_NOTES) -I. $(filter %.c,$^) -o $@
CONFIG_NOTES := 65536

# Of the tables that the loader's `check` is made of.
$(BUILD)/tools/check_machine: tools/check_machine.c $(wildcard boot/uefi/machine_*.? boot/uefi/text.?)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 -g $(WARN) -DHOST_TEST -I. $(filter-out %/machine_look.c,$(filter %.c,$^)) -o $@

$(BUILD)/%/testudo.packed: $(BUILD)/uefi/loader.stripped $(BUILD)/%/testudo.elf $(BUILD)/tools/pack
	@echo "  PACK  $@"
	$(Q)$(BUILD)/tools/pack $@ $(wordlist 1,2,$^)

$(BUILD)/uefi/loader.elf: $(LOADER_O)
	@echo "  LD    $@"
	$(Q)ld -pie --no-dynamic-linker -z pack-relative-relocs -z noexecstack -z noseparate-code -z norelro --build-id=none --no-warn-rwx-segments \
		-e loader_main -o $@ $^

$(BUILD)/uefi/loader.stripped: $(BUILD)/uefi/loader.elf
	$(Q)objcopy --strip-all $< $@

$(BUILD)/uefi/boot/uefi/packed.asm.o: $(BUILD)/uefi/testudo.packed

$(BUILD)/uefi/%.asm.o: %.asm
	@mkdir -p $(@D)
	@echo "  NASM  $<"
	$(Q)$(NASM) -f elf64 -I$(BUILD)/uefi/ -MD $(@:.o=.d) -MP -o $@ $<

$(BUILD)/uefi/first.so: $(UEFI_O)
	@echo "  LD    $@"
	$(Q)$(UEFI_LD)

.PRECIOUS: $(BUILD)/%/testudo.packed

$(BUILD)/BOOTX64.EFI: $(BUILD)/uefi/first.so $(BUILD)/tools/trim
	$(Q)$(UEFI_OBJCOPY) $< $@.tmp
	$(Q)$(BUILD)/tools/trim $@.tmp
	@size=$$(stat -c %s $@.tmp); if [ $$size -gt $(UEFI_LIMIT) ]; then \
		echo "$@ has $$size bytes, more than $(UEFI_LIMIT)" >&2; rm -f $@.tmp; exit 1; fi
	$(Q)mv $@.tmp $@
