/* SPDX-License-Identifier: MIT */
/*
 * Control registers: masks, shadows, CR3 targets, CR8. SDM "Guest/Host Masks
 * and Read Shadows for CR0 and CR4", "Exit Qualification for Control-Register
 * Accesses".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

static void then(struct vm *vm)
{
	vm_skip(vm);
	say("; ");
	vm_step(vm);
}

/* Expect: without a mask L2 owns CR0.TS, and the VMCS has it at the exit. */
static void cr0_owned(void)
{
	struct vm *vm = vm_create(l2_cr0_writes);

	vm->gpr[RAX] = read_cr0() | CR0_TS | CR0_AM;
	vm_step(vm);
	say(" am=%u ts=%u guest_am=%u mine_am=%u", !!(vm->gpr[RCX] & CR0_AM),
	    !!(vm->gpr[RCX] & CR0_TS), !!(vmread(GUEST_CR0) & CR0_AM), !!(read_cr0() & CR0_AM));
}

/* Expect: reading gives the shadow, writing what differs from it exits. */
static void cr0_masked(void)
{
	struct vm *vm = vm_create(l2_cr0_writes);

	vmwrite(CR0_GUEST_HOST_MASK, CR0_TS | CR0_NE);
	vmwrite(CR0_READ_SHADOW, CR0_TS);
	vm->gpr[RAX] = read_cr0() & ~CR0_TS & ~CR0_NE;
	vm_step(vm);
	say(" ts=%u ne=%u", !!(vm->gpr[RBX] & CR0_TS), !!(vm->gpr[RBX] & CR0_NE));
	then(vm);
	then(vm);
	say(" ts=%u ne=%u", !!(vm->gpr[RCX] & CR0_TS), !!(vm->gpr[RCX] & CR0_NE));
}

/* Expect: a write that agrees with the shadow does not exit; TS stays as L1 has it. */
static void cr0_agrees(void)
{
	struct vm *vm = vm_create(l2_cr0_writes);

	vmwrite(CR0_GUEST_HOST_MASK, CR0_TS);
	vmwrite(CR0_READ_SHADOW, 0);
	vm_set(GUEST_CR0, CR0_TS);
	vm->gpr[RAX] = read_cr0() & ~CR0_TS;
	vm_step(vm);
	say(" seen_ts=%u real_ts=%u", !!(vm->gpr[RCX] & CR0_TS), !!(vmread(GUEST_CR0) & CR0_TS));
}

/* Expect: a bit that VMX fixes at 1 cannot be cleared: #GP in L2. */
static void cr0_fixed(void)
{
	struct vm *vm = vm_create(l2_cr0_writes);

	vm->gpr[RAX] = read_cr0() & ~CR0_NE;
	vm_step(vm);
}

static void cr4_fixed(void)
{
	struct vm *vm = vm_create(l2_cr4);

	vm->gpr[RAX] = read_cr4() & ~CR4_VMXE;
	vm_step(vm);
}

static void lmsw(void)
{
	struct vm *vm = vm_create(l2_lmsw);

	vmwrite(CR0_GUEST_HOST_MASK, CR0_TS | CR0_MP);
	vmwrite(CR0_READ_SHADOW, 0);
	vm->gpr[RAX] = CR0_PE | CR0_TS;
	vm->gpr[RSI] = (u64)&vm->gpr[RAX];
	vm_step(vm);
	say("; ");
	vm_skip(vm);
	vm_run(vm);
	say("%u qualification=%lx linear_right=%u length=%lu; ", vm->basic_reason,
	    vmread(EXIT_QUALIFICATION), vmread(GUEST_LINEAR_ADDRESS) == vm->gpr[RSI],
	    vmread(VM_EXIT_INSTRUCTION_LENGTH));
	vm_skip(vm);
	vm_step(vm);
}

static void cr3_exits(void)
{
	struct vm *vm = vm_create(l2_cr3);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING);
	vm->gpr[RAX] = vm->gpr[R9] = vm->page_table;
	vm_step(vm);
	vm->gpr[RBX] = 0x1234000;
	then(vm);
	then(vm);
	then(vm);
	say(" rbx=%lx", vm->gpr[RBX]);
}

static bool cr3_is_free(void)
{
	return !(rdmsr(rdmsr(IA32_VMX_BASIC) & BIT(55) ? IA32_VMX_TRUE_PROCBASED_CTLS :
							 IA32_VMX_PROCBASED_CTLS) &
		 (PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING));
}

static void cr3_owned(void)
{
	struct vm *vm = vm_create(l2_cr3);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING);
	vm->gpr[RAX] = vm->page_table;
	vm->gpr[R9] = vm->page_table | 0x18;
	vm_step(vm);
	say(" read=%u guest_low=%lx", vm->gpr[RBX] == vm->page_table,
	    vmread(GUEST_CR3) - vm->page_table);
}

/* Expect: a CR3-target value does not exit, any other does. */
static void cr3_target(void)
{
	struct vm *vm = vm_create(l2_cr3);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_CR3_STORE_EXITING);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_CR3_LOAD_EXITING);
	vmwrite(CR3_TARGET_COUNT, 2);
	vmwrite(CR3_TARGET_VALUE_0, 0x5000);
	vmwrite(CR3_TARGET_VALUE_1, vm->page_table);
	vm->gpr[RAX] = vm->page_table;
	vm->gpr[R9] = vm->page_table | 8;
	vm_step(vm);
}

static void cr4_masked(void)
{
	struct vm *vm = vm_create(l2_cr4);
	u64 cr4 = read_cr4();

	vmwrite(CR4_GUEST_HOST_MASK, CR4_VMXE | CR4_PSE);
	vmwrite(CR4_READ_SHADOW, 0);
	vm->gpr[RAX] = (cr4 & ~(CR4_VMXE | CR4_PSE)) | CR4_TSD;
	vm_step(vm);
	say(" vmxe=%u tsd=%u guest_vmxe=%u guest_tsd=%u; ", !!(vm->gpr[RBX] & CR4_VMXE),
	    !!(vm->gpr[RCX] & CR4_TSD), !!(vmread(GUEST_CR4) & CR4_VMXE),
	    !!(vmread(GUEST_CR4) & CR4_TSD));
	vm_restart(vm, l2_cr4);
	vm->gpr[RAX] = cr4 | CR4_VMXE;
	vm_step(vm);
}

static void cr8_exits(void)
{
	struct vm *vm = vm_create(l2_cr8);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING);
	vm->gpr[RAX] = 5;
	vm_step(vm);
	then(vm);
	vm->gpr[R10] = 9;
	then(vm);
	say(" r10=%lx", vm->gpr[R10]);
}

/* Expect: L2's CR8 is the processor's when nothing stops it. */
static void cr8_owned(void)
{
	struct vm *vm = vm_create(l2_cr8);
	u64 mine;

	vm->gpr[RAX] = 3;
	vm_step(vm);
	__asm__ volatile("mov %%cr8, %0" : "=r"(mine));
	say(" r10=%lx mine=%lx", vm->gpr[R10], mine);
	__asm__ volatile("mov %0, %%cr8" : : "r"(0ull));
}

SCENARIOS(control_register_scenarios,
	{ "cr0.owned", cr0_owned, "VMCALL(18) length=3 rip=+11 am=1 ts=0 guest_am=1 mine_am=0", NULL },
	{ "cr0.masked", cr0_masked,
	  "CR_ACCESS(28) qualification=0 length=3 rip=+3 ts=1 ne=0; "
	  "CR_ACCESS(28) qualification=0x20 length=2 rip=+6; VMCALL(18) length=3 rip=+11 ts=1 ne=0",
	  NULL },
	{ "cr0.agrees", cr0_agrees, "VMCALL(18) length=3 rip=+11 seen_ts=0 real_ts=1", NULL },
	{ "cr0.fixed", cr0_fixed, "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+3", NULL },
	{ "cr4.fixed", cr4_fixed, "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+3", NULL },
	{ "cr0.lmsw", lmsw,
	  "CR_ACCESS(28) qualification=0x90030 length=3 rip=+0; "
	  "28 qualification=0x90070 linear_right=1 length=3; VMCALL(18) length=3 rip=+10", NULL },
	{ "cr3.exits", cr3_exits,
	  "CR_ACCESS(28) qualification=0x313 length=3 rip=+0; "
	  "CR_ACCESS(28) qualification=3 length=3 rip=+3; "
	  "CR_ACCESS(28) qualification=0x903 length=4 rip=+6; VMCALL(18) length=3 rip=+10 rbx=0x1234000",
	  NULL },
	{ "cr3.owned", cr3_owned, "VMCALL(18) length=3 rip=+10 read=1 guest_low=0x18", cr3_is_free },
	{ "cr3.target", cr3_target, "CR_ACCESS(28) qualification=0x903 length=4 rip=+6", cr3_is_free },
	{ "cr4.masked", cr4_masked,
	  "VMCALL(18) length=3 rip=+9 vmxe=0 tsd=1 guest_vmxe=1 guest_tsd=1; "
	  "CR_ACCESS(28) qualification=4 length=3 rip=+3", NULL },
	{ "cr8.exits", cr8_exits,
	  "CR_ACCESS(28) qualification=8 length=4 rip=+0; "
	  "CR_ACCESS(28) qualification=0xa18 length=4 rip=+4; VMCALL(18) length=3 rip=+8 r10=9", NULL },
	{ "cr8.owned", cr8_owned, "VMCALL(18) length=3 rip=+8 r10=3 mine=3", NULL },
);
