// SPDX-License-Identifier: MIT
/*
 * A Linux kernel as a boot loader leaves it: image, initial RAM disk, boot parameters, and a vCPU at its 64-bit entry.
 *
 * After the kernel's own Documentation/x86/boot.rst, "64-bit Boot Protocol": long mode, the loaded memory mapped to itself, interrupts
 * off, RSI at the boot parameters. Must not start anything.
 */
#include "vmm.h"

#include <asm/bootparam.h>
#include <string.h>
#include <unistd.h>

/* What we place below 640 KB, beside the tables of long_mode.c. */
enum {
	BOOT_PARAMETERS = 0x10000,
	COMMAND_LINE = 0x20000,
	COMMAND_LINE_MAX = 0x1000,
};

#define HEADER_OFFSET offsetof(struct boot_params, hdr)
#define ENTRY_64 0x200 /* from the start of the loaded kernel */
#define LOW_MEMORY_END 0x9fc00
#define HIGH_MEMORY 0x100000

/* Reads the setup header into the boot parameters and the kernel proper to its preferred address; returns that address. */
static uint64_t load_kernel(struct vm *vm, const char *name, struct boot_params *params)
{
	int file;
	size_t size = file_open(name, &file);
	uint8_t setup[4096];

	if (size < sizeof setup)
		fail("%s: too short for a kernel", name);
	file_read(file, setup, sizeof setup, name);

	/* The header's length is told by the jump over it. */
	size_t header_end = 0x202u + setup[0x201];

	memcpy(&params->hdr, setup + HEADER_OFFSET,
	       header_end - HEADER_OFFSET < sizeof params->hdr ? header_end - HEADER_OFFSET : sizeof params->hdr);
	if (params->hdr.header != 0x53726448 || params->hdr.version < 0x20c ||
	    !(params->hdr.xloadflags & XLF_KERNEL_64))
		fail("%s: no kernel with a 64-bit entry", name);

	size_t offset = (params->hdr.setup_sects + 1u) * 512u;
	uint64_t address = params->hdr.pref_address;

	if (offset > size || address + params->hdr.init_size > vm->memory_size ||
	    address + (size - offset) > vm->memory_size)
		fail("%s: the guest's memory is too small for it", name);
	if (lseek(file, (off_t)offset, SEEK_SET) < 0)
		fail("%s: cannot seek", name);
	file_read(file, vm->memory + address, size - offset, name);
	close(file);
	params->hdr.code32_start = (uint32_t)address;
	return address;
}

/* As high as it goes, out of the way of the kernel that unpacks itself. */
static void load_initrd(struct vm *vm, const char *name, struct boot_params *params)
{
	int file;
	size_t size = file_open(name, &file);

	if (size > vm->memory_size / 2)
		fail("%s: the guest's memory is too small for it", name);

	uint64_t address = (vm->memory_size - size) & ~0xfffull;

	if (address < params->hdr.pref_address + params->hdr.init_size)
		fail("%s: the guest's memory is too small for it", name);
	file_read(file, vm->memory + address, size, name);
	close(file);
	params->hdr.ramdisk_image = (uint32_t)address;
	params->hdr.ramdisk_size = (uint32_t)size;
}

static void describe_memory(struct vm *vm, struct boot_params *params)
{
	params->e820_table[0] = (struct boot_e820_entry){ .addr = 0, .size = LOW_MEMORY_END, .type = 1 };
	params->e820_table[1] =
		(struct boot_e820_entry){ .addr = HIGH_MEMORY, .size = vm->memory_size - HIGH_MEMORY, .type = 1 };
	params->e820_entries = 2;
}

void bzimage_load(struct vm *vm, const char *kernel, const char *initrd, const char *command_line)
{
	struct boot_params *params = (struct boot_params *)(vm->memory + BOOT_PARAMETERS);

	if (strlen(command_line) >= COMMAND_LINE_MAX)
		fail("the command line is too long");

	uint64_t address = load_kernel(vm, kernel, params);

	load_initrd(vm, initrd, params);
	describe_memory(vm, params);
	strcpy((char *)vm->memory + COMMAND_LINE, command_line);
	params->hdr.cmd_line_ptr = COMMAND_LINE;
	params->hdr.type_of_loader = 0xff;
	/* A single processor needs none, and its boot shall not change. */
	if (vm->vcpu_count > 1)
		acpi_write(vm);
	long_mode_start(vm, (struct kvm_regs){ .rip = address + ENTRY_64, .rsi = BOOT_PARAMETERS });
}
