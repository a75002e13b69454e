/* SPDX-License-Identifier: MIT */
/*
 * "NMI unblocking due to IRET": bit 12 of the interruption information and of an
 * EPT violation's qualification, and the blocking that is saved with them. SDM
 * "Information for VM Exits Due to Vectored Events", "Exit Qualification for EPT
 * Violations", "Updating Non-Register State".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(iret); L2(iret_next);

#define UNMAPPED (8ull << 30)

static bool has_virtual_nmis(void)
{
	return pin_offers(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
}

/* L2 with NMIs blocked, about to do IRET with a frame at RSI. */
static struct vm *create(const u8 *code, u64 frame, bool virtual_nmis)
{
	struct vm *vm = vm_create(code);

	if (virtual_nmis)
		vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
	vm->gpr[RSI] = frame;
	return vm;
}

static void both(const char *name, const char *name_plain, u64 frame, void (*prepare)(struct vm *vm))
{
	static const bool kinds[] = { true, false };

	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vm *vm = create(l2_iret, frame, kinds[i]);

		prepare(vm);
		step(vm);
		check_said(kinds[i] ? name : name_plain, NULL);
	}
}

static void nothing(struct vm *vm)
{
	(void)vm;
}

static void bad_frame(struct vm *vm)
{
	u64 *frame = map_page(vm, TEST_ADDRESS);

	frame[0] = (u64)l2_iret, frame[1] = 0xfff8, frame[2] = RFLAGS_FIXED, frame[3] = vm->stack_top, frame[4] = SELECTOR_DATA;
}

/* The stack segment is bad: faults after CS. */
static void bad_stack(struct vm *vm)
{
	u64 *frame = map_page(vm, TEST_ADDRESS);

	frame[0] = (u64)l2_iret, frame[1] = SELECTOR_CODE64, frame[2] = RFLAGS_FIXED, frame[3] = vm->stack_top, frame[4] = 0xfff8;
}

/* It returns to where it cannot fetch: IRET is done, and the blocking gone. */
static void bad_target(struct vm *vm)
{
	u64 *frame = map_page(vm, TEST_ADDRESS);

	frame[0] = UNMAPPED, frame[1] = SELECTOR_CODE64, frame[2] = RFLAGS_FIXED, frame[3] = vm->stack_top, frame[4] = SELECTOR_DATA;
}

static void faults(void)
{
	both("unblocking.page_fault", "unblocking.page_fault.plain", UNMAPPED, nothing);
	both("unblocking.code_selector", "unblocking.code_selector.plain", TEST_ADDRESS, bad_frame);
	both("unblocking.stack_selector", "unblocking.stack_selector.plain", TEST_ADDRESS, bad_stack);
	both("unblocking.target", "unblocking.target.plain", TEST_ADDRESS, bad_target);
	both("unblocking.ept_violation", "unblocking.ept_violation.plain", TEST_ADDRESS, nothing);
}

/* Expect: the fault of IRET is delivered to L2: NMIs are unblocked for good. */
static void taken(void)
{
	struct vm *vm = create(l2_iret, TEST_ADDRESS, true);

	bad_frame(vm);
	vmwrite(EXCEPTION_BITMAP, 0);
	vm_step(vm);
	say(" blocking=%lx", vmread(GUEST_INTERRUPTIBILITY_STATE));
}

/* Expect: an IRET that completes, its stack not touched before, unblocks; a window opens behind it. */
static void completes(void)
{
	static const u64 windows[] = { 0, PROC_NMI_WINDOW_EXITING };

	for (u32 i = 0; i < ARRAY_SIZE(windows); i++) {
		struct vm *vm = create(l2_iret_next, TEST_ADDRESS + 0x800, true);

		map_page(vm, TEST_ADDRESS);
		vm_set(PROCESSOR_BASED_CONTROLS, windows[i]);
		step(vm);
		say("; ");
	}
}

/* Expect: without virtual NMIs, with NMI exiting, IRET leaves the blocking alone. */
static void not_by_iret(void)
{
	struct vm *vm = create(l2_iret_next, TEST_ADDRESS + 0x800, false);

	map_page(vm, TEST_ADDRESS);
	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING);
	step(vm);
	__asm__ volatile("int $0x99" : : : "memory"); /* L1's IRET */
}

SCENARIOS(unblocking_scenarios,
	{ "unblocking.faults", faults, "", has_virtual_nmis },
	{ "unblocking.taken", taken, NULL, has_virtual_nmis },
	{ "unblocking.completes", completes, NULL, has_virtual_nmis },
	{ "unblocking.not_by_iret", not_by_iret, NULL, has_virtual_nmis },
);
