# SPDX-License-Identifier: MIT
# What leaves the tree: signed, onto an EFI system partition, into an archive. docs/install.md tells how to use it.

# `make LOADER=build/BOOTX64.signed.EFI install` and `usb` take the signed one.
LOADER ?= $(BUILD)/BOOTX64.EFI
SIGNED := $(BUILD)/BOOTX64.signed.EFI

.PHONY: install uninstall sign dist
# Values reach the program through the environment: backslashes, blanks and quotes stay what they are (a `$$` is written twice, as ever).
install: $(LOADER) ## Testudo onto a mounted EFI system partition: ESP=… (L1, OPTIONS, LABEL, INSTALL_FLAGS)
	@tools/install --loader $(LOADER) --esp="$${ESP:?name the mounted EFI system partition: make install ESP=/boot/efi}" \
		$${L1:+--l1="$$L1"} $${OPTIONS:+--options="$$OPTIONS"} $${LABEL:+--label="$$LABEL"} $(INSTALL_FLAGS)

uninstall: ## removes from ESP=… what was installed there, and its boot entry
	@tools/install --uninstall --esp="$${ESP:?name the mounted EFI system partition: make uninstall ESP=/boot/efi}" $(INSTALL_FLAGS)

sign: $(BUILD)/BOOTX64.EFI ## build/BOOTX64.signed.EFI for Secure Boot: KEY=… CERT=…
	@tools/sign "$(KEY)" "$(CERT)" $< $(SIGNED)

dist: $(BUILD)/BOOTX64.EFI ## build/testudo-VERSION.tar.gz, reproducible bit for bit
	@tools/dist $(BUILD)
