/* SPDX-License-Identifier: MIT */
/* An L2 that follows a list of steps, and L1's side of it. */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

#define RDMSR_LENGTH 2 /* of one that faults, too */
#define MANY_EXITS 300

static_assert(sizeof(struct step) == 32, "caches_l2.asm");

struct vm *script_create(const struct step *steps, u32 count)
{
	struct vm *vm = rounds_create(l2_follow_script);

	memset((void *)vm->msr_bitmap, 0, PAGE_SIZE);
	vm->gpr[RSI] = (u64)memcpy(page_alloc(), steps, count * sizeof(*steps));
	vm->gpr[R14] = count;
	return vm;
}

struct step *script_steps(const struct vm *vm)
{
	return (struct step *)vm->gpr[RSI];
}

static void one_round(struct vm *vm, bool say_exits)
{
	for (u32 i = 0; i < MANY_EXITS; i++) {
		u64 result = vm_enter(vm, vm->launched);

		if (result)
			scenario_abort(" entry failed (%lu)", result);
		vm->launched = true;
		vm->basic_reason = (u32)vmread_unchecked(EXIT_REASON);
		if (vm->basic_reason == REASON_CPUID)
			break;
		if (say_exits)
			say("%u ", vm->basic_reason);
		if (vm->basic_reason == REASON_EXCEPTION_OR_NMI)
			vmwrite(GUEST_RIP, vmread(GUEST_RIP) + RDMSR_LENGTH);
		else if (exit_has_length(vm->basic_reason))
			vm_skip(vm);
		else
			scenario_abort(" at an exit with reason %u", vm->basic_reason);
	}
	vmwrite_unchecked(GUEST_RIP, vmread_unchecked(GUEST_RIP) + vmread_unchecked(VM_EXIT_INSTRUCTION_LENGTH));
}

void script_rounds(struct vm *vm, u32 count, bool say_exits)
{
	for (u32 i = 0; i < count; i++)
		one_round(vm, say_exits);
}
