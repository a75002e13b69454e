# SPDX-License-Identifier: MIT
# The parts that install packages, build disks and Linux guests, and start emulators.

LINUX := $(BUILD)/linux
LINUX_CFLAGS := -I. -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -D_GNU_SOURCE -std=gnu17 -O2 -Wall -Wextra -Werror -Wshadow -static -s
LINUX_PROGRAMS := $(LINUX)/vmm $(LINUX)/tool $(LINUX)/l2init
EFI_APP_CFLAGS := -I. -target x86_64-unknown-windows -std=gnu17 -ffreestanding -fshort-wchar -mno-red-zone -O2 -Wall -Wextra -Werror \
	-isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI -nostdlib -fuse-ld=lld \
	-Wl,-entry:efi_main -Wl,-subsystem:efi_application

.PHONY: packages run check soak same bench guests linux recipes linux-images emulator-images usb
packages: ## install the Debian packages that are missing
	@tools/install-packages

# --- Linux guests ----------------------------------------------------------
LINUX_LIB := $(wildcard tests/linux/lib/*.c)
LINUX_LIB_H := $(wildcard tests/linux/lib/*.h)
$(LINUX)/vmm: $(wildcard tests/linux/vmm/*.c tests/linux/vmm/*.h) $(LINUX_LIB) $(LINUX_LIB_H) $(addprefix tests/emu/lib/madt,.c .h)
	@mkdir -p $(@D)
	$(CC) $(LINUX_CFLAGS) $(filter %.c,$^) -o $@

$(LINUX)/tool $(LINUX)/l2init: $(LINUX)/%: tests/linux/%.c $(LINUX_LIB) $(LINUX_LIB_H) tests/linux/machine_end.h
	@mkdir -p $(@D)
	$(CC) $(LINUX_CFLAGS) $(filter %.c,$^) -o $@

# Debian's kernel and KVM modules, from the user's cache; `release` is the last file of a complete copy.
$(LINUX)/kernel/release:
	@mkdir -p $(@D)
	from=$$(tests/linux/fetch-kernel) && cp -r "$$from/vmlinuz" "$$from/modules" $(@D)/ && cp "$$from/release" $@

$(LINUX)/initrd: $(LINUX_PROGRAMS) $(LINUX)/kernel/release $(addprefix tests/linux/,mkinitrd init cmdline.l2)
	tests/linux/mkinitrd $(LINUX) $(LINUX)/kernel

# A test guest for Linux/KVM as L0.
$(LINUX)/%.cpio: $(GUEST_BUILD)/%.efi tests/linux/mkguest
	@mkdir -p $(@D)
	tests/linux/mkguest $@ $<

# --- small UEFI applications of the tests -----------------------------------
EMULATOR_LIB := $(wildcard tests/emu/lib/*.c)
$(BUILD)/efi/%.efi: tests/emu/%.c $(EMULATOR_LIB) $(EMULATOR_LIB:.c=.h)
	@mkdir -p $(@D)
	clang $(EFI_APP_CFLAGS) $< $(EMULATOR_LIB) -o $@

# It is made of the loader's own sources.
$(BUILD)/efi/edit.efi: $(wildcard $(addprefix boot/uefi/,acpi.? madt.? sleep_states.?))

EMULATOR_APPS := $(patsubst tests/emu/%.c,$(BUILD)/efi/%.efi,$(wildcard tests/emu/*.c))

# What keeps Bochs from sleeping. The runner uses it where it is there.
$(BUILD)/emu/awake.so: tests/emu/host/awake.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -Wall -Wextra -Werror -ffreestanding -fPIC -shared -nostdlib $< -o $@

emulator-images guest-images self-test-images: $(BUILD)/emu/awake.so

# --- disks -------------------------------------------------------------------
$(BUILD)/testudo.img: $(LOADER) tools/mkusb tools/mkesp $(wildcard tools/usb/*)
	tools/mkusb $@ $<

usb: packages ## build/testudo.img: a disk image for a USB stick (LOADER)
	@rm -f $(BUILD)/testudo.img	# which may have been made with another LOADER
	@$(MAKE) --no-print-directory $(BUILD)/testudo.img

# --- runs ---------------------------------------------------------------------
emulator-images: $(BUILD)/BOOTX64.EFI $(LINUX)/initrd $(LINUX)/bench.cpio $(EMULATOR_APPS)

run: packages ## Linux/KVM on Testudo with a Linux guest of its own, on this terminal; CPUS=2 for two processors, TRACE=1 for build/trace.*
	@$(MAKE) --no-print-directory emulator-images
	@tools/run $(if $(CPUS),--cpus $(CPUS)) $(if $(TRACE),--trace) $(RUN_FLAGS)

check: packages ## every test
	@$(MAKE) --no-print-directory -j$$(nproc) emulator-images guest-images self-test-images $(BUILD)/testudo.img $(UNIT_TESTS) $(FUZZERS) coverage-programs
	@tests/check

SOAK_RUNS := 20
soak: packages ## 20 runs of the multiprocessor guests (SOAK_RUNS, SOAK_SEED), outside `make check`
	@$(MAKE) --no-print-directory $(BUILD)/BOOTX64.EFI guest-images
	@tests/soak --runs $(SOAK_RUNS) $(if $(SOAK_SEED),--seed $(SOAK_SEED))

same: packages ## scenarios and 10000 random launches, compared with bare (DEPTH, LAUNCHES, SEED)
	@$(MAKE) --no-print-directory -j$$(nproc) $(BUILD)/BOOTX64.EFI $(BUILD)/efi/start.efi guest-images
	@tests/same $(if $(DEPTH),--depth $(DEPTH)) $(if $(LAUNCHES),--launches $(LAUNCHES)) $(if $(SEED),--seed $(SEED))

guests: packages ## the test guests, bare and on Testudo
	@$(MAKE) --no-print-directory $(BUILD)/BOOTX64.EFI guest-images
	@tests/check 'guests/*'

linux: packages ## Linux bare and on Testudo, each with its guests
	@$(MAKE) --no-print-directory emulator-images
	@tests/check 'linux/*'

recipes: packages ## GRUB, the UEFI shell and Xen as L1, as docs/l1 has them
	@$(MAKE) --no-print-directory emulator-images
	@tests/check 'recipes/*'

bench: packages ## counted comparison with the bare machine and with KVM, as a table and a picture (DEEP=1)
	@$(MAKE) --no-print-directory emulator-images guest-images
	@tools/bench $(if $(DEEP),--deep) $(BENCH_FLAGS)
