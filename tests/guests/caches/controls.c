/* SPDX-License-Identifier: MIT */
/*
 * L1 turns a control on for one round, or off, after many rounds without: L2's instructions exit accordingly, in that
 * round and in no other. SDM "Instructions That Cause VM Exits Conditionally".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/text.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define EXITS_OF_A_ROUND 60

static struct vm *vm;

/* All exits up to the next CPUID, which is skipped too; those that are no instruction's have none to skip. */
static void say_round(bool quietly)
{
	for (u32 i = 0; i < EXITS_OF_A_ROUND; i++) {
		u64 result = vm_enter(vm, vm->launched);

		if (result)
			scenario_abort(" entry failed (%lu)", result);
		vm->launched = true;
		vm->basic_reason = (u32)vmread(EXIT_REASON);
		if (vm->basic_reason == REASON_CPUID)
			break;
		if (!quietly)
			say("%u ", vm->basic_reason);
		if (exit_has_length(vm->basic_reason) || vm->basic_reason == REASON_EXCEPTION_OR_NMI)
			vm_skip(vm);
		if (vm->basic_reason == REASON_INTERRUPT_WINDOW)
			vm_clear(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
		if (vm->basic_reason == REASON_NMI_WINDOW)
			vm_clear(PROCESSOR_BASED_CONTROLS, PROC_NMI_WINDOW_EXITING);
	}
	vm_skip(vm);
}

static void quiet_rounds(u32 count)
{
	for (u32 i = 0; i < count; i++)
		say_round(true);
}

static void create(void)
{
	vm = rounds_create(l2_exit_everywhere);
	memset((void *)vm->msr_bitmap, 0, PAGE_SIZE);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	vmwrite(EXCEPTION_BITMAP, 0);
	vm->gpr[RSI] = (u64)page_alloc();
	vm->gpr[RDI] = (u64)page_alloc();
	vm->gpr[R14] = vm->page_table;
	quiet_rounds(1);
}

struct control {
	const char *name;
	enum vmcs_field field;
	u64 bits;
	bool (*offers)(u64 bits);
};

static const struct control controls[] = {
	{ "interrupt_window", PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING, proc_offers },
	{ "invlpg", PROCESSOR_BASED_CONTROLS, PROC_INVLPG_EXITING, proc_offers },
	{ "rdtsc", PROCESSOR_BASED_CONTROLS, PROC_RDTSC_EXITING, proc_offers },
	{ "cr3_load", PROCESSOR_BASED_CONTROLS, PROC_CR3_LOAD_EXITING, proc_offers },
	{ "cr3_store", PROCESSOR_BASED_CONTROLS, PROC_CR3_STORE_EXITING, proc_offers },
	{ "cr8_load", PROCESSOR_BASED_CONTROLS, PROC_CR8_LOAD_EXITING, proc_offers },
	{ "cr8_store", PROCESSOR_BASED_CONTROLS, PROC_CR8_STORE_EXITING, proc_offers },
	{ "mov_dr", PROCESSOR_BASED_CONTROLS, PROC_MOV_DR_EXITING, proc_offers },
	{ "io", PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING, proc_offers },
	{ "msr_bitmap", PROCESSOR_BASED_CONTROLS, PROC_USE_MSR_BITMAPS, proc_offers },
	{ "pause", PROCESSOR_BASED_CONTROLS, PROC_PAUSE_EXITING, proc_offers },
	{ "descriptor_tables", SECONDARY_CONTROLS, PROC2_DESCRIPTOR_TABLE_EXITING, proc2_offers },
	{ "wbinvd", SECONDARY_CONTROLS, PROC2_WBINVD_EXITING, proc2_offers },
	{ "exceptions", EXCEPTION_BITMAP, BIT(VECTOR_BP), NULL },
};

/* Expect: only in the round for which it is another is the list of exits another. */
static void each_control(void)
{
	static const u32 depths[] = DEPTHS;
	struct text name;

	create();
	for (u32 i = 0; i < ARRAY_SIZE(controls); i++) {
		if (controls[i].offers && !controls[i].offers(controls[i].bits))
			continue;
		for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
			u64 old = vmread(controls[i].field);

			quiet_rounds(depths[d]);
			say_round(false);
			say("| ");
			vmwrite(controls[i].field, old ^ controls[i].bits);
			say_round(false);
			say("| ");
			vmwrite(controls[i].field, old);
			say_round(false);
			say("; ");
		}
		name_join(&name, "control", controls[i].name);
		check_said(name.data, NULL);
	}
	say("done");
}

/* The preemption timer, at 0, and the monitor trap flag exit before L2's first instruction, or after it. */
static void exits_at_once(void)
{
	static const u32 depths[] = DEPTHS;

	create();
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		quiet_rounds(depths[d]);
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
		vm_set(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
		say("%lu ", vm_enter(vm, true));
		say("%lx ", vmread(EXIT_REASON));
		vm_clear(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
		say_round(false);
		say("; ");
	}
}

static bool has_timer(void)
{
	return pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER);
}

/* Expect: the injected event is delivered once; the handler's VMCALL tells of it. */
static void injection(void)
{
	static const u32 depths[] = DEPTHS;
	struct l2_frame *frame;

	create();
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		quiet_rounds(depths[d]);
		vm_inject(EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_GP, 0x1110 + depths[d], 0);
		say("%lu ", vm_enter(vm, true));
		frame = vm_l2_frame();
		if (vmread(EXIT_REASON) != REASON_VMCALL || !frame)
			scenario_abort("reason %lx", vmread(EXIT_REASON));
		say("#%lu(%lx) information=%lx ", frame->vector, frame->error_code, vmread(VM_ENTRY_INTERRUPTION_INFORMATION));
		vm_skip(vm);
		say_round(false);
		say("; ");
	}
}

SCENARIOS(control_scenarios,
	{ "control", each_control, "done", NULL },
	{ "control.timer", exits_at_once, "0 0x34 18 ; 0 0x34 18 ; 0 0x34 18 ; ", has_timer },
	{ "control.injection", injection,
	  "0 #13(0x1111) information=0xb0d 18 ; 0 #13(0x1115) information=0xb0d 18 ; 0 #13(0x1174) information=0xb0d 18 ; ", NULL },
);
