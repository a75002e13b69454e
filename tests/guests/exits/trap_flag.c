/* SPDX-License-Identifier: MIT */
/*
 * The monitor trap flag after every kind of instruction, with events, and where a
 * hypervisor beneath carries the instruction out. SDM "Monitor Trap Flag".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(all_kinds); L2(nops); L2(ud2); L2(int_80); L2(int3); L2(hlt); L2(trap); L2(trap_rdmsr); L2(sti_rdmsr); L2(rdmsr); L2(wrmsr);
L2(rdmsr_wrmsr); L2(read_three); L2(port); L2(mov_ss_cpuid);

static bool has_monitor_trap_flag(void)
{
	return proc_offers(PROC_MONITOR_TRAP_FLAG);
}

static struct vm *create(const u8 *code)
{
	struct vm *vm = create_free(code);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_TRAP_FLAG);
	return vm;
}

/* Where it stands, in few words: the handler of a vector, or an offset. */
static void say_place(struct vm *vm)
{
	u64 rip = vmread(GUEST_RIP), stub = rip - (u64)l2_stubs;

	if (stub < 256 * L2_STUB_SIZE)
		say("#%lu", stub / L2_STUB_SIZE);
	else
		say("+%lu", rip - vm->code);
	if (vm->basic_reason != REASON_MONITOR_TRAP_FLAG)
		say("=%s", exit_reason_name(vm->basic_reason));
	if (vmread(GUEST_INTERRUPTIBILITY_STATE) || vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) || vmread(GUEST_ACTIVITY_STATE))
		say("(%lx,%lx,%lu)", vmread(GUEST_INTERRUPTIBILITY_STATE), vmread(GUEST_PENDING_DEBUG_EXCEPTIONS),
		    vmread(GUEST_ACTIVITY_STATE));
}

/* From exit to exit until VMCALL, or as many as may be. */
static void follow(struct vm *vm, u32 most)
{
	for (u32 i = 0; i < most; i++) {
		if (!vm_run(vm))
			return;
		say(i ? " " : "");
		say_place(vm);
		if (vm->basic_reason != REASON_MONITOR_TRAP_FLAG)
			return;
	}
}

static void all_kinds(void)
{
	struct vm *vm = create(l2_all_kinds);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING);
	vm_set(GUEST_CR4, CR4_OSXSAVE);
	follow(vm, 60);
}

/* Expect: an event of its own is delivered first, an exit by the instruction goes instead. */
static void events(void)
{
	static const u8 *const codes[] = { l2_ud2, l2_int_80, l2_int3, l2_trap };

	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		follow(create(codes[i]), 6);
		say("; ");
	}
}

static void halts(void)
{
	struct vm *vm = create(l2_hlt);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_HLT_EXITING);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 100000);
	follow(vm, 4);
}

static void injections(void)
{
	static const u32 all[] = { EVENT_EXTERNAL_INTERRUPT | 0x55, EVENT_NMI | VECTOR_NMI, EVENT_HARDWARE_EXCEPTION | VECTOR_UD,
				   EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_GP, EVENT_SOFTWARE_INTERRUPT | 0x80,
				   EVENT_SOFTWARE_EXCEPTION | VECTOR_BP, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION | VECTOR_DB, EVENT_OTHER };

	for (u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct vm *vm = create(l2_nops);

		vm_set(GUEST_RFLAGS, RFLAGS_IF);
		vm_inject(all[i], 0, i == 4 ? 2 : 1);
		step(vm);
		say("; ");
	}
}

/* Expect: an injected pending exit works without the control, in HLT too, and drops nothing. */
static void pending_exit(void)
{
	struct vm *vm = create_free(l2_nops);

	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_MOV_SS);
	vm_inject(EVENT_OTHER, 0, 0);
	step(vm);
	say("; ");
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	vm_inject(EVENT_OTHER, 0, 0);
	step(vm);
}

static void free_msrs(struct vm *vm)
{
	memset((void *)vm->msr_bitmap, 0, PAGE_SIZE);
}

/* Expect: right behind RDMSR and WRMSR, also of MSRs that a hypervisor answers for. */
static void msrs(void)
{
	static const u32 all[] = { IA32_LSTAR, IA32_FEATURE_CONTROL, IA32_VMX_BASIC, IA32_APIC_BASE, IA32_MTRR_DEF_TYPE, 0x200 };

	for (u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct vm *vm = create(l2_rdmsr);

		free_msrs(vm);
		vm->gpr[RCX] = all[i];
		follow(vm, 3);
		say("; ");
	}
}

static void msr_writes(void)
{
	static const u32 all[] = { IA32_LSTAR, IA32_MTRR_DEF_TYPE, IA32_APIC_BASE, IA32_FEATURE_CONTROL };

	for (u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct vm *vm = create(l2_rdmsr_wrmsr);

		free_msrs(vm);
		vm->gpr[RCX] = all[i];
		follow(vm, 3);
		say("; ");
	}
}

/* Expect: a trap that is due behind such an instruction, or STI's blocking, is not lost. */
static void msrs_and_traps(void)
{
	struct vm *vm = create(l2_trap_rdmsr);

	free_msrs(vm);
	vm->gpr[RCX] = IA32_FEATURE_CONTROL;
	follow(vm, 6);
	say("; ");
	vm = create(l2_sti_rdmsr);
	free_msrs(vm);
	vm->gpr[RCX] = IA32_FEATURE_CONTROL;
	follow(vm, 4);
	say("; ");
	vm = create_free(l2_sti_rdmsr);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	free_msrs(vm);
	vm->gpr[RCX] = IA32_FEATURE_CONTROL;
	step(vm);
}

/* Expect: behind each access although its page is new to a hypervisor beneath. */
static void misses(void)
{
	struct vm *vm = create(l2_read_three);

	for (u32 i = 0; i < 3; i++)
		map_page(vm, TEST_ADDRESS + i * PAGE_SIZE);
	vm->gpr[RSI] = TEST_ADDRESS;
	follow(vm, 5);
}

static void ports(void)
{
	struct vm *vm = create(l2_port);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	follow(vm, 4);
}

SCENARIOS(trap_flag_scenarios,
	{ "mtf.all_kinds", all_kinds, NULL, has_monitor_trap_flag },
	{ "mtf.events", events, NULL, has_monitor_trap_flag },
	{ "mtf.halts", halts, NULL, has_monitor_trap_flag },
	{ "mtf.injections", injections, NULL, has_monitor_trap_flag },
	{ "mtf.pending_exit", pending_exit, NULL, has_monitor_trap_flag },
	{ "mtf.msrs", msrs, NULL, has_monitor_trap_flag },
	{ "mtf.msr_writes", msr_writes, NULL, has_monitor_trap_flag },
	{ "mtf.msrs_and_traps", msrs_and_traps, NULL, has_monitor_trap_flag },
	{ "mtf.misses", misses, NULL, has_monitor_trap_flag },
	{ "mtf.ports", ports, NULL, has_monitor_trap_flag },
);
