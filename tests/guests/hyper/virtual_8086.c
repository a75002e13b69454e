/* SPDX-License-Identifier: MIT */
/*
 * L2 in virtual-8086 mode: what exits there, what faults first, and the segment
 * state that VM entry demands. SDM "Checks on Guest Segment Registers".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define CODE 0x8000ull
#define STACK 0x7000ull
#define RIGHTS 0xf3
#define IOPL (3u << 12)

static bool has_efer(void)
{
	return entry_offers(ENTRY_LOAD_IA32_EFER) && exit_offers(EXIT_LOAD_IA32_EFER);
}

static void segment(u32 index, u64 base)
{
	vmwrite(GUEST_ES_SELECTOR + index * 2, base >> 4);
	vmwrite(GUEST_ES_BASE + index * 2, base);
	vmwrite(GUEST_ES_LIMIT + index * 2, 0xffff);
	vmwrite(GUEST_ES_ACCESS_RIGHTS + index * 2, RIGHTS);
}

/* 4 MB pages that user mode may use, linear = physical. */
static u64 page_directory(void)
{
	u32 *directory = page_alloc();

	for (u32 i = 0; i < 1024; i++)
		directory[i] = (i << 22) | (u32)(PTE_P | PTE_W | PTE_U | PTE_PS);
	return (u64)directory;
}

static struct vm *create(const u8 *code, u64 flags)
{
	struct vm *vm = vm_create(code);
	u64 memory = (u64)page_alloc();

	memcpy((void *)memory, code, 64);
	*ept_entry(vm->ept, CODE, 1) = memory | EPT_RWX | EPT_MEMORY_TYPE_WB;
	*ept_entry(vm->ept, STACK, 1) = (u64)page_alloc() | EPT_RWX | EPT_MEMORY_TYPE_WB;
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_EFER);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_EFER);
	vmwrite(GUEST_IA32_EFER, 0);
	vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
	vmwrite(GUEST_CR3, page_directory());
	vm_clear(GUEST_CR4, CR4_PAE);
	vm_set(GUEST_CR4, CR4_PSE);
	for (u32 i = 0; i < 6; i++)
		segment(i, i == 1 ? CODE : i == 2 ? STACK : 0x10 * i);
	vmwrite(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_VM | flags);
	vmwrite(GUEST_RIP, 0);
	vmwrite(GUEST_RSP, 0xff0);
	vm->code = 0;
	return vm;
}

/* Expect: HLT, CLI and IN, which the TSS allows no port, are #GP and VMLAUNCH is #UD; CPUID and VMCALL exit. */
static void exits(void)
{
	static const u8 lengths[] = { 2, 1, 1, 2, 3, 3 };
	struct vm *vm = create(l2_virtual_8086, 0);

	for (u32 i = 0; i < ARRAY_SIZE(lengths); i++) {
		vm_step(vm);
		say("; ");
		vmwrite(GUEST_RIP, vmread(GUEST_RIP) + lengths[i]);
	}
	say("ax=%lx bx=%lx cx=%lx flags=%lx", vm->gpr[RAX], vm->gpr[RBX], vm->gpr[RCX],
	    (u64)(vmread(GUEST_RFLAGS) & (RFLAGS_VM | IOPL)));
}

/* Expect: with IOPL 3 CLI and PUSHF run, and the flags and segments are saved. */
static void privileged(void)
{
	struct vm *vm = create(l2_virtual_8086_flags, IOPL | RFLAGS_IF);

	vm_step(vm);
	say(" ax=%lx if=%lu es=%lx/%lx/%lx/%lx", vm->gpr[RAX], (u64)(vmread(GUEST_RFLAGS) & RFLAGS_IF),
	    vmread(GUEST_ES_SELECTOR), vmread(GUEST_ES_BASE), vmread(GUEST_ES_LIMIT), vmread(GUEST_ES_ACCESS_RIGHTS));
}

/* Expect: base, limit and rights that are not those of the mode fail the entry. */
static void refused(void)
{
	static const struct {
		enum vmcs_field field;
		u64 bad;
	} mistakes[] = {
		{ GUEST_ES_BASE, 1 },	      { GUEST_CS_BASE, CODE + 16 },	{ GUEST_DS_LIMIT, 0xfffe },
		{ GUEST_SS_LIMIT, 0x1ffff }, { GUEST_FS_ACCESS_RIGHTS, 0x93 }, { GUEST_GS_ACCESS_RIGHTS, 0x10000 },
	};
	struct vm *vm = create(l2_virtual_8086, 0);
	u64 good;

	for (u32 i = 0; i < ARRAY_SIZE(mistakes); i++) {
		good = vmread(mistakes[i].field);
		vmwrite(mistakes[i].field, mistakes[i].bad);
		vm_run(vm);
		say("%u ", vm->basic_reason & 0xffff);
		vmwrite(mistakes[i].field, good);
	}
	vm_step(vm);
}

SCENARIOS(virtual_8086_scenarios,
	{ "virtual_8086.exits", exits,
	  "CPUID(10) length=2 rip=+7; EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+9; "
	  "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+10; "
	  "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+11; EXCEPTION_OR_NMI(0) event=0x80000306 rip=+13; "
	  "VMCALL(18) length=3 rip=+16; ax=0x800 bx=0x1234 cx=0x1234 flags=0x20000", has_efer },
	{ "virtual_8086.privileged", privileged,
	  "VMCALL(18) length=3 rip=+8 ax=0x3002 if=0 es=0x555/0x5550/0xffff/0xf3", has_efer },
	{ "virtual_8086.refused", refused,
	  "33 33 33 33 33 33 CPUID(10) length=2 rip=+7", has_efer },
);
