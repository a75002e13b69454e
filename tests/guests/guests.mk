# SPDX-License-Identifier: MIT
# The test guests: build/guests/NAME.efi from tests/guests/NAME/ and lib/.

GUEST_NAMES := $(patsubst tests/guests/%/main.c,%,$(wildcard tests/guests/*/main.c))
GUEST_BUILD := $(BUILD)/guests
GUEST_IMAGES := $(GUEST_NAMES:%=$(GUEST_BUILD)/%.efi)
GUEST_CFLAGS = $(FREESTANDING) -fPIE -fvisibility=hidden -fshort-wchar $(WARN) -I. -include tests/guests/lib/compiler.h
GUEST_EFI_FLAGS := -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI
GUEST_EFI_LIB := /usr/lib
GUEST_LDFLAGS := -nostdlib -shared -Bsymbolic -znocombreloc -zmax-page-size=4096 \
	--no-undefined -T $(GUEST_EFI_LIB)/elf_x86_64_efi.lds $(GUEST_EFI_LIB)/crt0-efi-x86_64.o
GUEST_SECTIONS := .text .sdata .data .dynamic .dynsym .rel .rela .rel.* .rela.* .reloc

guest_sources = $(wildcard tests/guests/$(1)/*.c tests/guests/$(1)/*.asm)
guest_objects = $(patsubst tests/guests/%,$(GUEST_BUILD)/obj/%.o,$(call guest_sources,$(1)))

.PHONY: guest-images
guest-images: $(GUEST_IMAGES)

$(GUEST_BUILD)/obj/%.c.o: tests/guests/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(GUEST_CFLAGS) $(GUEST_EFI_FLAGS) -MMD -MP -c $< -o $@

$(GUEST_BUILD)/obj/%.asm.o: tests/guests/%.asm
	@mkdir -p $(@D)
	@echo "  NASM  $<"
	$(Q)$(NASM) -f elf64 -I. -g -F dwarf $< -o $@

define guest_rule
$(GUEST_BUILD)/$(1).so: $(call guest_objects,lib) $(call guest_objects,$(1))
	@echo "  LD    $$@"
	$(Q)ld $(GUEST_LDFLAGS) $$(filter %.o,$$^) -L$(GUEST_EFI_LIB) -lgnuefi -o $$@
endef
$(foreach name,$(GUEST_NAMES),$(eval $(call guest_rule,$(name))))

# Its hypervisors outside IA-32e mode are programs of the guest legacy.
$(GUEST_BUILD)/abort.so: $(patsubst %,$(GUEST_BUILD)/obj/legacy/%.o,program.asm program.c descriptors.c)

$(GUEST_BUILD)/%.efi: $(GUEST_BUILD)/%.so
	$(Q)objcopy $(GUEST_SECTIONS:%=-j %) --target=efi-app-x86_64 --subsystem=10 $< $@
