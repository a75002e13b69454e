// SPDX-License-Identifier: MIT
/*
 * A Linux kernel as a boot loader leaves it: image, initial RAM disk, boot parameters, and a vCPU at its 64-bit entry.
 *
 * After the kernel's own Documentation/x86/boot.rst, "64-bit Boot Protocol": long mode, the loaded memory mapped to itself, interrupts
 * off, RSI at the boot parameters. Must not start anything.
 */
#include "vmm.h"

#include <asm/bootparam.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What we place below 640 KB. */
enum {
	GDT = 0x8000,
	PML4 = 0x9000,
	PDPT = 0xa000,
	PAGE_DIRECTORY = 0xb000, /* one: the first GB in 2 MB pages */
	BOOT_PARAMETERS = 0x10000,
	COMMAND_LINE = 0x20000,
	COMMAND_LINE_MAX = 0x1000,
};

enum { BOOT_CS = 0x10, BOOT_DS = 0x18 };

#define HEADER_OFFSET offsetof(struct boot_params, hdr)
#define ENTRY_64 0x200 /* from the start of the loaded kernel */
#define LOW_MEMORY_END 0x9fc00
#define HIGH_MEMORY 0x100000

static void read_all(int file, void *to, size_t size, const char *name)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(file, (uint8_t *)to + done, size - done);

		if (n <= 0)
			fail("%s: cannot be read to its end", name);
		done += (size_t)n;
	}
}

static size_t open_file(const char *name, int *file)
{
	struct stat status;

	*file = open(name, O_RDONLY | O_CLOEXEC);
	if (*file < 0 || fstat(*file, &status) < 0)
		fail("%s: cannot be opened", name);
	return (size_t)status.st_size;
}

/* Reads the setup header into the boot parameters and the kernel proper to its preferred address; returns that address. */
static uint64_t load_kernel(struct vm *vm, const char *name, struct boot_params *params)
{
	int file;
	size_t size = open_file(name, &file);
	uint8_t setup[4096];

	if (size < sizeof setup)
		fail("%s: too short for a kernel", name);
	read_all(file, setup, sizeof setup, name);

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
	read_all(file, vm->memory + address, size - offset, name);
	close(file);
	params->hdr.code32_start = (uint32_t)address;
	return address;
}

/* As high as it goes, out of the way of the kernel that unpacks itself. */
static void load_initrd(struct vm *vm, const char *name, struct boot_params *params)
{
	int file;
	size_t size = open_file(name, &file);

	if (size > vm->memory_size / 2)
		fail("%s: the guest's memory is too small for it", name);

	uint64_t address = (vm->memory_size - size) & ~0xfffull;

	if (address < params->hdr.pref_address + params->hdr.init_size)
		fail("%s: the guest's memory is too small for it", name);
	read_all(file, vm->memory + address, size, name);
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

static void write_tables(struct vm *vm)
{
	uint64_t *gdt = (uint64_t *)(vm->memory + GDT);
	uint64_t *pml4 = (uint64_t *)(vm->memory + PML4);
	uint64_t *pdpt = (uint64_t *)(vm->memory + PDPT);
	uint64_t *directory = (uint64_t *)(vm->memory + PAGE_DIRECTORY);

	gdt[BOOT_CS / 8] = 0x00af9b000000ffffull;
	gdt[BOOT_DS / 8] = 0x00cf93000000ffffull;
	pml4[0] = PDPT | 3;
	pdpt[0] = PAGE_DIRECTORY | 3;
	for (uint64_t i = 0; i < 512; i++)
		directory[i] = i << 21 | 0x83;
}

static void set_registers(struct vm *vm, uint64_t entry)
{
	struct kvm_sregs s;
	struct kvm_regs r = { .rip = entry, .rsi = BOOT_PARAMETERS, .rflags = 2 };
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = BOOT_CS, .type = 0xb, .present = 1, .s = 1, .l = 1, .g = 1
	};
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = BOOT_DS, .type = 0x3, .present = 1, .s = 1, .db = 1, .g = 1
	};

	vm_ioctl(vm->vcpu[0].fd, KVM_GET_SREGS, &s, "KVM_GET_SREGS");
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.gdt.base = GDT;
	s.gdt.limit = BOOT_DS + 7;
	s.cr3 = PML4;
	s.cr4 = 1 << 5;				/* PAE */
	s.cr0 = 1u << 31 | 1 << 5 | 1 << 4 | 1; /* PG, NE, ET, PE */
	s.efer = 1 << 10 | 1 << 8;		/* LMA, LME */
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_SREGS, &s, "KVM_SET_SREGS");
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_REGS, &r, "KVM_SET_REGS");
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
	write_tables(vm);
	/* A single processor needs none, and its boot shall not change. */
	if (vm->vcpu_count > 1)
		acpi_write(vm);
	set_registers(vm, address + ENTRY_64);
}
