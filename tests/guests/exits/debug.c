/* SPDX-License-Identifier: MIT */
/*
 * Debug exceptions that exit, pending ones, and what becomes of DR6, DR7 and
 * IA32_DEBUGCTL: SDM "Exit Qualification for Debug Exceptions", "Guest
 * Non-Register State", "Saving Control Registers, Debug Registers, and MSRs",
 * "Loading Host Control Registers, Debug Registers, MSRs".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(nops); L2(trap); L2(trap_write); L2(trap_branch); L2(write_twice); L2(port); L2(mov_ss_write); L2(mov_ss_cpuid); L2(mov_ss_ud2);
L2(mov_dr); L2(int1); L2(hlt);

#define DR7_FIXED BIT(10)
#define DR7_GD BIT(13)
/* Breakpoint n: enabled globally, 4 bytes; what it breaks on. */
#define DR7_ENABLE(n) (2ull << 2 * (n))
#define DR7_EXECUTE(n) DR7_ENABLE(n)
#define DR7_WRITE(n) (DR7_ENABLE(n) | 0xdull << (16 + 4 * (n)))
#define DR7_PORT(n) (DR7_ENABLE(n) | 2ull << (16 + 4 * (n)))
#define DEBUGCTL_BTF BIT(1)
#define PENDING_BS BIT(14)
#define PENDING_ENABLED BIT(12)
#define DR6_FIXED 0xffff0ff0ull

static u64 dr6(void)
{
	u64 value;

	__asm__ volatile("mov %%dr6, %0" : "=r"(value));
	return value;
}

static u64 dr7(void)
{
	u64 value;

	__asm__ volatile("mov %%dr7, %0" : "=r"(value));
	return value;
}

static void set_breakpoint(u32 n, u64 address)
{
	switch (n) {
	case 0: __asm__ volatile("mov %0, %%dr0" : : "r"(address)); break;
	case 1: __asm__ volatile("mov %0, %%dr1" : : "r"(address)); break;
	case 2: __asm__ volatile("mov %0, %%dr2" : : "r"(address)); break;
	default: __asm__ volatile("mov %0, %%dr3" : : "r"(address)); break;
	}
}

static void forget_breakpoints(void)
{
	for (u32 i = 0; i < 4; i++)
		set_breakpoint(i, 0);
	__asm__ volatile("mov %0, %%dr6" : : "r"(DR6_FIXED));
}

/* L2 with breakpoints of its own; its page at RSI holds its stack selector. */
static struct vm *create(const u8 *code, u64 dr7_bits)
{
	struct vm *vm = vm_create(code);

	scenario_on_end(forget_breakpoints);
	forget_breakpoints();
	*map_page(vm, TEST_ADDRESS) = SELECTOR_DATA;
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS);
	vmwrite(GUEST_DR7, DR7_FIXED | dr7_bits);
	return vm;
}

/* The exit, what the debug registers are then, and L1's own. */
static void stop(struct vm *vm)
{
	step(vm);
	say(" dr6=%lx dr7=%lx debugctl=%lx mine=%lx,%lx; ", dr6(), vmread(GUEST_DR7), vmread(GUEST_IA32_DEBUGCTL), dr7(),
	    rdmsr(IA32_DEBUGCTL));
}

static void single_step(void)
{
	struct vm *vm = create(l2_trap, 0);

	stop(vm);
	stop(vm);
}

static void branch_step(void)
{
	struct vm *vm = create(l2_trap_branch, 0);

	vmwrite(GUEST_IA32_DEBUGCTL, DEBUGCTL_BTF);
	stop(vm);
}

/* Expect: before the instruction, and past it with RF. */
static void execution(void)
{
	struct vm *vm = create(l2_nops, DR7_EXECUTE(0) | DR7_EXECUTE(2));

	set_breakpoint(0, (u64)l2_nops + 1);
	set_breakpoint(2, (u64)l2_nops + 2);
	stop(vm);
	vm_set(GUEST_RFLAGS, RFLAGS_RF);
	stop(vm);
}

static void data_write(void)
{
	struct vm *vm = create(l2_write_twice, DR7_WRITE(1) | DR7_WRITE(3));

	set_breakpoint(1, TEST_ADDRESS);
	set_breakpoint(3, TEST_ADDRESS);
	stop(vm);
	stop(vm);
}

/* Expect: breakpoints that match but are not enabled may be told along. */
static void data_write_stepped(void)
{
	struct vm *vm = create(l2_trap_write, DR7_WRITE(3));

	set_breakpoint(3, TEST_ADDRESS);
	stop(vm);
}

static void port(void)
{
	struct vm *vm = create(l2_port, DR7_PORT(2));

	vm_set(GUEST_CR4, CR4_DE);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	set_breakpoint(2, 0x80);
	stop(vm);
}

/* Expect: MOV to SS holds its breakpoint back until the next instruction is done. */
static void held_by_mov_ss(void)
{
	struct vm *vm = create(l2_mov_ss_write, DR7_ENABLE(0) | 0xfull << 16);

	set_breakpoint(0, TEST_ADDRESS);
	stop(vm);
}

/* Expect: an exit under MOV SS blocking saves what is held. */
static void held_at_exit(const u8 *code)
{
	struct vm *vm = create(code, DR7_ENABLE(0) | 0xfull << 16);

	set_breakpoint(0, TEST_ADDRESS);
	stop(vm);
	vm_skip(vm);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
	stop(vm);
}

static void held_at_cpuid(void)
{
	held_at_exit(l2_mov_ss_cpuid);
}

static void held_at_exception(void)
{
	struct vm *vm = create(l2_mov_ss_ud2, DR7_ENABLE(0) | 0xfull << 16);

	set_breakpoint(0, TEST_ADDRESS);
	stop(vm);
}

static void general_detect(void)
{
	stop(create(l2_mov_dr, DR7_GD));
}

static void int1(void)
{
	stop(create(l2_int1, 0));
}

/* Expect: L2 takes it by itself, with DR6 and without GD in DR7. */
static void general_detect_taken(void)
{
	struct vm *vm = create(l2_mov_dr, DR7_GD);

	vmwrite(EXCEPTION_BITMAP, 0);
	vm_step(vm);
	say(" dr6=%lx dr7=%lx", dr6(), vmread(GUEST_DR7));
}

static void pending(u64 bits, u64 flags, u64 blocking)
{
	struct vm *vm = create(l2_nops, DR7_WRITE(0));

	vm_set(GUEST_RFLAGS, flags);
	vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, bits);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, blocking);
	stop(vm);
	vm_clear(GUEST_RFLAGS, RFLAGS_TF);
	stop(vm);
}

/* Expect: at once. */
static void pending_step(void)
{
	pending(PENDING_BS, RFLAGS_TF, 0);
}

static void pending_breakpoint(void)
{
	pending(PENDING_ENABLED | 1, 0, 0);
}

/* Expect: bits without "enabled breakpoint" cause nothing. */
static void pending_not_enabled(void)
{
	pending(3, 0, 0);
}

/* Expect: one instruction later. */
static void pending_under_mov_ss(void)
{
	pending(PENDING_ENABLED | 4, 0, BLOCKING_BY_MOV_SS);
}

static void pending_step_under_sti(void)
{
	pending(PENDING_BS, RFLAGS_TF | RFLAGS_IF, BLOCKING_BY_STI);
}

/* Expect: an injected exception drops them, an interrupt comes first. */
static void pending_and_injected(void)
{
	static const u32 events[] = { EVENT_HARDWARE_EXCEPTION | VECTOR_UD, EVENT_EXTERNAL_INTERRUPT | 0x55, EVENT_NMI | VECTOR_NMI,
				      EVENT_SOFTWARE_INTERRUPT | 0x80 };

	for (u32 i = 0; i < ARRAY_SIZE(events); i++) {
		struct vm *vm = create(l2_nops, DR7_WRITE(0));

		vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_DB));
		vm_set(GUEST_RFLAGS, RFLAGS_IF);
		vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_ENABLED | 1);
		vm_inject(events[i], 0, 1);
		vm_step(vm);
		say(" pending=%lx; ", vmread(GUEST_PENDING_DEBUG_EXCEPTIONS));
	}
}

/* Expect: a halted L2 wakes for a trap that is due. */
static void pending_in_hlt(void)
{
	struct vm *vm = create(l2_nops, DR7_WRITE(0));

	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_ENABLED | 1);
	stop(vm);
}

/* Expect: neither loaded nor saved without the controls; L1 has 400H and 0 after each exit. */
static void controls(void)
{
	struct vm *vm = create(l2_nops, 0);

	for (u32 i = 0; i < 4; i++) {
		vm_clear(VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
		vm_clear(VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS);
		vm_set(VM_ENTRY_CONTROLS, i & 1 ? ENTRY_LOAD_DEBUG_CONTROLS : 0);
		vm_set(VM_EXIT_CONTROLS, i & 2 ? EXIT_SAVE_DEBUG_CONTROLS : 0);
		__asm__ volatile("mov %0, %%dr7" : : "r"(DR7_FIXED | BIT(8)));
		wrmsr(IA32_DEBUGCTL, DEBUGCTL_BTF);
		vmwrite(GUEST_DR7, DR7_FIXED | BIT(9));
		vmwrite(GUEST_IA32_DEBUGCTL, 0);
		vm_restart(vm, l2_nops);
		vm_run(vm);
		say("%lx %lx %lx %lx; ", vmread(GUEST_DR7), vmread(GUEST_IA32_DEBUGCTL), dr7(), rdmsr(IA32_DEBUGCTL));
	}
}

SCENARIOS(debug_scenarios,
	{ "debug.single_step", single_step, NULL, NULL },
	{ "debug.branch_step", branch_step, NULL, NULL },
	{ "debug.execution", execution, NULL, NULL },
	{ "debug.data_write", data_write, NULL, NULL },
	{ "debug.data_write_stepped", data_write_stepped, NULL, NULL },
	{ "debug.port", port, NULL, NULL },
	{ "debug.held_by_mov_ss", held_by_mov_ss, NULL, NULL },
	{ "debug.held_at_cpuid", held_at_cpuid, NULL, NULL },
	{ "debug.held_at_exception", held_at_exception, NULL, NULL },
	{ "debug.general_detect", general_detect, NULL, NULL },
	{ "debug.general_detect_taken", general_detect_taken, NULL, NULL },
	{ "debug.int1", int1, NULL, NULL },
	{ "debug.pending_step", pending_step, NULL, NULL },
	{ "debug.pending_breakpoint", pending_breakpoint, NULL, NULL },
	{ "debug.pending_not_enabled", pending_not_enabled, NULL, NULL },
	{ "debug.pending_under_mov_ss", pending_under_mov_ss, NULL, NULL },
	{ "debug.pending_step_under_sti", pending_step_under_sti, NULL, NULL },
	{ "debug.pending_and_injected", pending_and_injected, NULL, NULL },
	{ "debug.pending_in_hlt", pending_in_hlt, NULL, NULL },
	{ "debug.controls", controls, NULL, NULL },
);
