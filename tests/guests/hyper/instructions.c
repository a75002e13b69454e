/* SPDX-License-Identifier: MIT */
/*
 * Exits by single instructions, SDM "Instructions That Cause VM Exits".
 * Each scenario emulates what it saw and lets L2 show that it noticed.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

/* Expect: exit 10 with L2's EAX and ECX; what L1 puts into them arrives. */
static void cpuid_exit(void)
{
	struct vm *vm = vm_create(l2_cpuid);

	vm_step(vm);
	say(" rax=%lx rcx=%lx; ", vm->gpr[RAX], vm->gpr[RCX]);
	vm->gpr[RAX] = 1;
	vm->gpr[RBX] = 2;
	vm->gpr[RCX] = 3;
	vm->gpr[RDX] = 4;
	vm_skip(vm);
	vm_step(vm);
	say(" rax=%lx rbx=%lx rcx=%lx rdx=%lx", vm->gpr[RAX], vm->gpr[RBX], vm->gpr[RCX],
	    vm->gpr[RDX]);
}

/* Expect: exit 18; all 64 bits of the registers go both ways. */
static void vmcall_exit(void)
{
	struct vm *vm = vm_create(l2_vmcall);

	vm_step(vm);
	say(" rax=%lx r15=%lx; ", vm->gpr[RAX], vm->gpr[R15]);
	vm->gpr[RBX] = 0xfedcba9876543210;
	vm_skip(vm);
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

SCENARIOS(instruction_scenarios,
	{ "cpuid", cpuid_exit,
	  "CPUID(10) length=2 rip=+10 rax=0x1234 rcx=5; "
	  "VMCALL(18) length=3 rip=+12 rax=1 rbx=2 rcx=3 rdx=4", NULL },
	{ "vmcall", vmcall_exit,
	  "VMCALL(18) length=3 rip=+20 rax=0x1122334455667788 r15=0x8877665544332211; "
	  "VMCALL(18) length=3 rip=+26 rax=0xfedcba9876543210", NULL },
);
