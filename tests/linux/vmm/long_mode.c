// SPDX-License-Identifier: MIT
/*
 * A vCPU in 64-bit mode, with the first gigabyte mapped to itself: where the boot protocols of Linux and UEFI begin.
 *
 * Owns what they need in the guest's memory, below 0xc000. Must not know what is started.
 */
#include "vmm.h"

enum {
	GDT = 0x8000,
	PML4 = 0x9000,
	PDPT = 0xa000,
	PAGE_DIRECTORY = 0xb000, /* one: the first GB in 2 MB pages */
};

/* Linux's protocol asks for these two. */
enum { BOOT_CS = 0x10, BOOT_DS = 0x18 };

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

void long_mode_start(struct vm *vm, struct kvm_regs registers)
{
	struct kvm_sregs s;
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = BOOT_CS, .type = 0xb, .present = 1, .s = 1, .l = 1, .g = 1
	};
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = BOOT_DS, .type = 0x3, .present = 1, .s = 1, .db = 1, .g = 1
	};

	write_tables(vm);
	vm_ioctl(vm->vcpu[0].fd, KVM_GET_SREGS, &s, "KVM_GET_SREGS");
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.gdt.base = GDT;
	s.gdt.limit = BOOT_DS + 7;
	s.cr3 = PML4;
	s.cr4 = 1 << 5;				/* PAE */
	s.cr0 = 1u << 31 | 1 << 5 | 1 << 4 | 1; /* PG, NE, ET, PE */
	s.efer = 1 << 10 | 1 << 8;		/* LMA, LME */
	registers.rflags = 2;
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_SREGS, &s, "KVM_SET_SREGS");
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_REGS, &registers, "KVM_SET_REGS");
}
