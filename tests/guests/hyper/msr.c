/* SPDX-License-Identifier: MIT */
/*
 * RDMSR and WRMSR with and without the bitmap, MSR areas, and the MSRs that
 * VM entry and exit switch. SDM "MSR-Bitmap Address", "Loading MSRs",
 * "Saving MSRs".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define READ_LOW 0
#define READ_HIGH 1024
#define WRITE_LOW 2048
#define WRITE_HIGH 3072

struct msr_entry {
	u32 index, reserved;
	u64 value;
};

static struct vm *create(const u8 *code, u32 msr, u64 value)
{
	struct vm *vm = vm_create(code);

	vm->gpr[RCX] = msr;
	vm->gpr[RAX] = (u32)value;
	vm->gpr[RDX] = value >> 32;
	return vm;
}

/* Lets one MSR through in one direction, or stops it. */
static void bitmap_set(struct vm *vm, u32 area, u32 msr, bool exits)
{
	u8 *byte = (u8 *)vm->msr_bitmap + area + (msr & 0x1fff) / 8;
	u8 bit = (u8)(1u << (msr & 7));

	*byte = exits ? *byte | bit : (u8)(*byte & ~bit);
}

static void without_bitmap(void)
{
	struct vm *vm = create(l2_rdmsr, IA32_STAR, 0);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_USE_MSR_BITMAPS);
	vm_step(vm);
	vm->gpr[RAX] = 0x11;
	vm->gpr[RDX] = 0x22;
	vm_skip(vm);
	say("; ");
	vm_step(vm);
	say(" rax=%lx rdx=%lx; ", vm->gpr[RAX], vm->gpr[RDX]);
	vm_restart(vm, l2_wrmsr);
	vm->gpr[RCX] = IA32_STAR;
	vm_step(vm);
}

static void bitmap_exits(void)
{
	static const u32 msrs[] = { IA32_SYSENTER_CS, 0x1fff, IA32_EFER, 0xc0001fff };

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		struct vm *vm = create(i & 1 ? l2_wrmsr : l2_rdmsr, msrs[i], 0);

		vm_step(vm);
		say(i < 3 ? "; " : "");
	}
}

/* Expect: an MSR in neither range exits whatever the bitmap. */
static void outside_ranges(void)
{
	struct vm *vm = create(l2_rdmsr, 0x40000000, 0);

	memset((void *)vm->msr_bitmap, 0, PAGE_SIZE);
	vm_step(vm);
	say("; ");
	vm_restart(vm, l2_wrmsr);
	vm->gpr[RCX] = 0xc0002000;
	vm_step(vm);
}

/* Expect: a write that passes is real: L1 finds it in the MSR. */
static void write_passes(void)
{
	u64 old = rdmsr(IA32_LSTAR);
	struct vm *vm = create(l2_wrmsr, IA32_LSTAR, 0x123456789abc);

	bitmap_set(vm, WRITE_HIGH, IA32_LSTAR, false);
	vm_step(vm);
	say(" lstar=%lx; ", rdmsr(IA32_LSTAR));
	wrmsr(IA32_LSTAR, 0x77);
	bitmap_set(vm, READ_HIGH, IA32_LSTAR, false);
	vm_restart(vm, l2_rdmsr);
	vm->gpr[RCX] = IA32_LSTAR;
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
	wrmsr(IA32_LSTAR, old);
}

/* Expect: reading passes while writing exits, and L1's change counts at once. */
static void directions(void)
{
	struct vm *vm = create(l2_rdmsr, IA32_SYSENTER_CS, 0);

	vmwrite(GUEST_IA32_SYSENTER_CS, 0x1b);
	bitmap_set(vm, READ_LOW, IA32_SYSENTER_CS, false);
	vm_step(vm);
	say(" rax=%lx; ", vm->gpr[RAX]);
	vm_restart(vm, l2_wrmsr);
	vm->gpr[RCX] = IA32_SYSENTER_CS;
	vm->gpr[RAX] = 0x33;
	vm_step(vm);
	bitmap_set(vm, WRITE_LOW, IA32_SYSENTER_CS, false);
	say("; ");
	vm_step(vm);
	say(" guest=%lx mine=%lx", vmread(GUEST_IA32_SYSENTER_CS), rdmsr(IA32_SYSENTER_CS));
}

/* Expect: a write to FS base lands in the guest segment register. */
static void fs_base(void)
{
	struct vm *vm = create(l2_wrmsr, IA32_FS_BASE, 0x7000);

	bitmap_set(vm, WRITE_HIGH, IA32_FS_BASE, false);
	vm_step(vm);
	say(" guest=%lx mine=%lx", vmread(GUEST_FS_BASE), rdmsr(IA32_FS_BASE));
}

/* Expect: a passed WRMSR with a bad value is L2's own #GP. */
static void write_faults(void)
{
	struct vm *vm = create(l2_wrmsr, IA32_SYSENTER_EIP, BIT(63));

	bitmap_set(vm, WRITE_LOW, IA32_SYSENTER_EIP, false);
	vm_step(vm);
}

/* Expect: the same of an MSR that a hypervisor beneath L1 may have to intercept. */
static void mtrr_write_faults(void)
{
	struct vm *vm = create(l2_wrmsr, IA32_MTRR_DEF_TYPE, 2);

	bitmap_set(vm, WRITE_LOW, IA32_MTRR_DEF_TYPE, false);
	vm_step(vm);
}

/* Expect: the entry list loads, the exit lists store L2's and load L1's value. */
static void lists(void)
{
	struct vm *vm = create(l2_rdmsr_rdmsr, IA32_LSTAR, 0);
	struct msr_entry *entry = page_alloc(), *store = page_alloc(), *load = page_alloc();
	u64 old_lstar = rdmsr(IA32_LSTAR), old_cstar = rdmsr(IA32_CSTAR);

	vm->gpr[RBX] = IA32_CSTAR;
	bitmap_set(vm, READ_HIGH, IA32_LSTAR, false);
	bitmap_set(vm, READ_HIGH, IA32_CSTAR, false);
	entry[0] = (struct msr_entry){ IA32_LSTAR, 0, 0x1111 };
	entry[1] = (struct msr_entry){ IA32_CSTAR, 0, 0x2222 };
	store[0] = (struct msr_entry){ IA32_CSTAR, 0, 0 };
	store[1] = (struct msr_entry){ IA32_LSTAR, 0, 0 };
	load[0] = (struct msr_entry){ IA32_LSTAR, 0, 0x3333 };
	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)entry);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 2);
	vmwrite(VM_EXIT_MSR_STORE_ADDRESS, (u64)store);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, 2);
	vmwrite(VM_EXIT_MSR_LOAD_ADDRESS, (u64)load);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, 1);
	vm_step(vm);
	say(" l2 sees %lx %lx; stored %lx %lx; loaded %lx, cstar stays %lx", vm->gpr[RSI],
	    vm->gpr[RAX], store[0].value, store[1].value, rdmsr(IA32_LSTAR), rdmsr(IA32_CSTAR));
	wrmsr(IA32_LSTAR, old_lstar);
	wrmsr(IA32_CSTAR, old_cstar);
}

/* Expect: L2 runs with its own PAT, and both come and go as the controls say. */
static void pat(void)
{
	struct vm *vm = create(l2_rdmsr, IA32_PAT, 0);
	u64 mine = rdmsr(IA32_PAT);

	bitmap_set(vm, READ_LOW, IA32_PAT, false);
	bitmap_set(vm, WRITE_LOW, IA32_PAT, false);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_PAT);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_PAT | EXIT_SAVE_IA32_PAT);
	vmwrite(GUEST_IA32_PAT, 0x0606060606060606);
	vmwrite(HOST_IA32_PAT, mine);
	vm_step(vm);
	say(" pat=%lx", vm->gpr[RDX] << 32 | vm->gpr[RAX]);
	vm_restart(vm, l2_wrmsr);
	vm->gpr[RCX] = IA32_PAT;
	vm->gpr[RAX] = 0x06060006;
	vm->gpr[RDX] = 0x06060606;
	say("; ");
	vm_step(vm);
	say(" guest=%lx mine_kept=%u", vmread(GUEST_IA32_PAT), rdmsr(IA32_PAT) == mine);
}

static bool has_pat(void)
{
	return entry_offers(ENTRY_LOAD_IA32_PAT) &&
	       exit_offers(EXIT_LOAD_IA32_PAT | EXIT_SAVE_IA32_PAT);
}

/* Expect: L2's EFER without SCE; L1's comes back with what HOST_IA32_EFER says. */
static void efer(void)
{
	struct vm *vm = create(l2_rdmsr, IA32_EFER, 0);
	u64 mine = rdmsr(IA32_EFER);

	bitmap_set(vm, READ_HIGH, IA32_EFER, false);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_EFER);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_EFER);
	vmwrite(GUEST_IA32_EFER, EFER_LME | EFER_LMA);
	vmwrite(HOST_IA32_EFER, mine | EFER_SCE);
	vm_step(vm);
	say(" efer=%lx guest=%lx host_sce=%u", vm->gpr[RAX], vmread(GUEST_IA32_EFER),
	    (u32)(rdmsr(IA32_EFER) & EFER_SCE));
	wrmsr(IA32_EFER, mine);
}

static bool has_efer(void)
{
	return entry_offers(ENTRY_LOAD_IA32_EFER) &&
	       exit_offers(EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_EFER);
}

SCENARIOS(msr_scenarios,
	{ "msr.without_bitmap", without_bitmap,
	  "RDMSR(31) length=2 rip=+0; VMCALL(18) length=3 rip=+2 rax=0x11 rdx=0x22; "
	  "WRMSR(32) length=2 rip=+0", NULL },
	{ "msr.bitmap_exits", bitmap_exits,
	  "RDMSR(31) length=2 rip=+0; WRMSR(32) length=2 rip=+0; RDMSR(31) length=2 rip=+0; "
	  "WRMSR(32) length=2 rip=+0", NULL },
	{ "msr.outside_ranges", outside_ranges,
	  "RDMSR(31) length=2 rip=+0; WRMSR(32) length=2 rip=+0", NULL },
	{ "msr.write_passes", write_passes,
	  "VMCALL(18) length=3 rip=+2 lstar=0x123456789abc; VMCALL(18) length=3 rip=+2 rax=0x77", NULL },
	{ "msr.directions", directions,
	  "VMCALL(18) length=3 rip=+2 rax=0x1b; WRMSR(32) length=2 rip=+0; "
	  "VMCALL(18) length=3 rip=+2 guest=0x33 mine=0", NULL },
	{ "msr.fs_base", fs_base, "VMCALL(18) length=3 rip=+2 guest=0x7000 mine=0", NULL },
	{ "msr.write_faults", write_faults, "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+0", NULL },
	{ "msr.mtrr_write_faults", mtrr_write_faults, "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+0", NULL },
	{ "msr.lists", lists,
	  "VMCALL(18) length=3 rip=+10 l2 sees 0x1111 0x2222; stored 0x2222 0x1111; "
	  "loaded 0x3333, cstar stays 0x2222", NULL },
	{ "msr.pat", pat,
	  "VMCALL(18) length=3 rip=+2 pat=0x606060606060606; "
	  "VMCALL(18) length=3 rip=+2 guest=0x606060606060006 mine_kept=1", has_pat },
	{ "msr.efer", efer, "VMCALL(18) length=3 rip=+2 efer=0x500 guest=0x500 host_sce=1", has_efer },
);
