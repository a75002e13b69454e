/* SPDX-License-Identifier: MIT */
/*
 * Instructions that do not exit to L1 but may be carried out by a hypervisor beneath:
 * MSRs of which it has values of its own. Their faults, blocking, traps and windows are
 * those of any other instruction. SDM "Instructions That Cause VM Exits Conditionally".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(wrmsr); L2(rdmsr); L2(sti_wrmsr); L2(mov_ss_wrmsr); L2(trap_rdmsr); L2(sti_rdmsr);

#define APIC_BASE_RESERVED 0xff

static struct vm *create(const u8 *code, u32 msr, u64 value)
{
	struct vm *vm = vm_create(code);

	memset((void *)vm->msr_bitmap, 0, PAGE_SIZE);
	vm->gpr[RCX] = msr;
	vm->gpr[RAX] = (u32)value;
	vm->gpr[RDX] = value >> 32;
	return vm;
}

static const struct {
	u32 msr;
	u64 value;
} bad_writes[] = {
	{ IA32_FEATURE_CONTROL, 5 }, { IA32_VMX_BASIC, 0 }, { IA32_VMX_EPT_VPID_CAP, 0 }, { IA32_APIC_BASE, APIC_BASE_RESERVED },
	{ IA32_MTRR_DEF_TYPE, 0xc02 },
};

/* Expect: #GP of L2 exits by the exception bitmap, as its own do. */
static void fault_exits(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(bad_writes); i++) {
		step(create(l2_wrmsr, bad_writes[i].msr, bad_writes[i].value));
		say("; ");
	}
}

/* Expect: or is delivered, with the frame of a fault. */
static void fault_taken(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(bad_writes); i++) {
		struct vm *vm = create(l2_wrmsr, bad_writes[i].msr, bad_writes[i].value);

		vmwrite(EXCEPTION_BITMAP, 0);
		vm_step(vm);
		say("; ");
	}
}

/* Expect: blocking is saved, as the instruction has not been done. */
static void fault_under_blocking(void)
{
	static const u8 *const codes[] = { l2_sti_wrmsr, l2_mov_ss_wrmsr };

	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		step(create(codes[i], IA32_FEATURE_CONTROL, 1));
		say("; ");
	}
}

/* Expect: the fault cannot be delivered either. */
static void fault_to_double_fault(void)
{
	struct vm *vm = create(l2_wrmsr, IA32_FEATURE_CONTROL, 1);

	vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_DF));
	vmwrite(GUEST_IDTR_LIMIT, 0);
	step(vm);
	say("; ");
	vm = create(l2_wrmsr, IA32_FEATURE_CONTROL, 1);
	vmwrite(EXCEPTION_BITMAP, 0);
	vmwrite(GUEST_IDTR_LIMIT, 0);
	step(vm);
}

/* Expect: windows open behind it, not before. */
static void windows(void)
{
	struct vm *vm = create(l2_sti_rdmsr, IA32_VMX_BASIC, 0);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	step(vm);
	say("; ");
	vm = create(l2_trap_rdmsr, IA32_FEATURE_CONTROL, 0);
	step(vm);
	vm_clear(GUEST_RFLAGS, RFLAGS_TF);
	say("; ");
	step(vm);
}

/* Expect: an event injected before it is taken first, and it is done once L2 comes back. */
static void injected_before(void)
{
	struct vm *vm = create(l2_rdmsr, IA32_FEATURE_CONTROL, 0);

	vmwrite(EXCEPTION_BITMAP, 0);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm_inject(EVENT_EXTERNAL_INTERRUPT | 0x55, 0, 0);
	vm_step(vm);
	vm_skip(vm);
	say("; ");
	step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

static bool has_timer(void)
{
	return pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER);
}

/* Expect: a timer that is up comes before the instruction. */
static void timer_before(void)
{
	struct vm *vm = create(l2_rdmsr, IA32_FEATURE_CONTROL, 0);

	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
	step(vm);
	say(" rax=%lx; ", vm->gpr[RAX]);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 1000000);
	step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

SCENARIOS(carried_out_scenarios,
	{ "carried_out.fault_exits", fault_exits, NULL, NULL },
	{ "carried_out.fault_taken", fault_taken, NULL, NULL },
	{ "carried_out.fault_under_blocking", fault_under_blocking, NULL, NULL },
	{ "carried_out.fault_to_double_fault", fault_to_double_fault, NULL, NULL },
	{ "carried_out.windows", windows, NULL, NULL },
	{ "carried_out.injected_before", injected_before, NULL, NULL },
	{ "carried_out.timer_before", timer_before, NULL, has_timer },
);
