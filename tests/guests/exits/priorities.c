/* SPDX-License-Identifier: MIT */
/*
 * Two or three things due at the same time: which exit comes, and what the others
 * leave in the guest state for the next entry. SDM "Priority Among Concurrent
 * Events", "Other Causes of VM Exits", "Delivery of Pending Debug Exceptions after
 * VM Entry", "VM Exits Induced by the TPR Threshold".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(nops);

#define PENDING_BS BIT(14)
#define VECTOR 0x70
#define VTPR 0x80

/* What is due at the entry. */
#define TIMER BIT(0)
#define TRAP BIT(1) /* a single step, held in the pending debug exceptions */
#define INTERRUPT_WINDOW BIT(2)
#define NMI_WINDOW BIT(3)
#define PENDING_MTF BIT(4)
#define MTF BIT(5)
#define INTERRUPT BIT(6) /* a real one, which exits */
#define THRESHOLD BIT(7) /* VTPR is below it */
#define EXCEPTION BIT(8) /* injected */
#define NMI BIT(9)	 /* injected */
#define STI BIT(10)
#define MOV_SS BIT(11)
#define HALTED BIT(12)
#define ALL_KINDS 13

static bool has_all(void)
{
	return pin_offers(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_ACTIVATE_PREEMPTION_TIMER) &&
	       proc_offers(PROC_MONITOR_TRAP_FLAG | PROC_USE_TPR_SHADOW) && proc2_offers(PROC2_VIRTUALIZE_APIC_ACCESSES);
}

static void inject(u64 due)
{
	if (due & PENDING_MTF)
		vm_inject(EVENT_OTHER, 0, 0);
	if (due & EXCEPTION)
		vm_inject(EVENT_HARDWARE_EXCEPTION | VECTOR_UD, 0, 0);
	if (due & NMI)
		vm_inject(EVENT_NMI | VECTOR_NMI, 0, 0);
}

static void prepare_threshold(struct vm *vm)
{
	u32 *virtual_apic = page_alloc();

	(void)vm;
	virtual_apic[VTPR / 4] = 0x20;
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW);
	vm_set_secondary(PROC2_VIRTUALIZE_APIC_ACCESSES);
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)virtual_apic);
	vmwrite(APIC_ACCESS_ADDRESS, (u64)page_alloc());
	vmwrite(TPR_THRESHOLD, 5);
}

static void prepare(struct vm *vm, u64 due)
{
	u64 blocking = (due & STI ? BLOCKING_BY_STI : 0) | (due & MOV_SS ? BLOCKING_BY_MOV_SS : 0);

	vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_DB));
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	if (due & TIMER)
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
	if (due & TRAP) {
		vm_set(GUEST_RFLAGS, RFLAGS_TF);
		vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_BS);
	}
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, blocking);
	vmwrite(GUEST_ACTIVITY_STATE, due & HALTED ? ACTIVITY_HLT : ACTIVITY_ACTIVE);
	vm_set(PROCESSOR_BASED_CONTROLS, (due & INTERRUPT_WINDOW ? PROC_INTERRUPT_WINDOW_EXITING : 0) |
						 (due & NMI_WINDOW ? PROC_NMI_WINDOW_EXITING : 0) |
						 (due & MTF ? PROC_MONITOR_TRAP_FLAG : 0));
	if (due & NMI_WINDOW)
		vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	if (due & THRESHOLD)
		prepare_threshold(vm);
	inject(due);
}

/* What has come is over. */
static void settle(struct vm *vm)
{
	switch (vm->basic_reason) {
	case REASON_EXCEPTION_OR_NMI: vm_clear(GUEST_RFLAGS, RFLAGS_TF); break;
	case REASON_EXTERNAL_INTERRUPT:
		apic_end_of_interrupt();
		vm_clear(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
		break;
	case REASON_INTERRUPT_WINDOW: vm_clear(PROCESSOR_BASED_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING); break;
	case REASON_NMI_WINDOW: vm_clear(PROCESSOR_BASED_CONTROLS, PROC_NMI_WINDOW_EXITING); break;
	case REASON_MONITOR_TRAP_FLAG: vm_clear(PROCESSOR_BASED_CONTROLS, PROC_MONITOR_TRAP_FLAG); break;
	case REASON_PREEMPTION_TIMER: vmwrite(VMX_PREEMPTION_TIMER_VALUE, 1000000); break;
	case REASON_TPR_BELOW_THRESHOLD: vmwrite(TPR_THRESHOLD, 0); break;
	default: break;
	}
}

/* Reason, place, and what still waits in the guest state. */
static void say_short(struct vm *vm)
{
	u64 rip = vmread(GUEST_RIP), stub = rip - (u64)l2_stubs;

	say("%s", exit_reason_name(vm->basic_reason));
	if (stub < 256 * L2_STUB_SIZE)
		say(" #%lu", stub / L2_STUB_SIZE);
	else if (vm_l2_frame())
		say(" of #%lu", vm_l2_frame()->vector);
	else
		say(" +%lu", rip - vm->code);
	say(" %lx,%lx,%lu,%lx; ", vmread(GUEST_INTERRUPTIBILITY_STATE), vmread(GUEST_PENDING_DEBUG_EXCEPTIONS),
	    vmread(GUEST_ACTIVITY_STATE), (u64)((u32)vmread(IDT_VECTORING_INFORMATION) & EVENT_VALID));
}

/* All exits in the order in which they come, until L2 gets to do as it likes. */
static void order(struct vm *vm, u64 due)
{
	u64 mark = pages_mark();

	vm_write_vmcs(vm, l2_nops);
	vm_flush_all();
	prepare(vm, due);
	traps_reset();
	if (due & INTERRUPT) {
		vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
		vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT);
		apic_self_interrupt(VECTOR);
	}
	for (u32 i = 0; i < 8; i++) {
		if (!vm_run(vm))
			break;
		say_short(vm);
		if (vm->basic_reason == REASON_VMCALL || vm->basic_reason & REASON_ENTRY_FAILURE)
			break;
		settle(vm);
	}
	open_interrupt_window();
	pages_release(mark);
}

static const char *const kind_names[ALL_KINDS] = {
	"timer", "trap", "interrupt_window", "nmi_window", "pending_mtf", "mtf", "interrupt", "threshold", "exception", "nmi",
	"sti", "mov_ss", "halted",
};

/* One event can be injected, no state be both, and what contradicts the SDM's checks is left to other tests. */
static bool makes_sense(u64 due)
{
	u64 injected = due & (PENDING_MTF | EXCEPTION | NMI);

	if (injected & (injected - 1))
		return false;
	if ((due & (STI | MOV_SS)) == (STI | MOV_SS) || (due & HALTED && due & (STI | MOV_SS)))
		return false;
	if (due & NMI && due & (STI | MOV_SS))
		return false;
	/* An exception cannot be injected into HLT but #DB and #MC; a trap in HLT or under STI and MOV SS must be pending. */
	return !(due & HALTED && due & (EXCEPTION | TRAP));
}

/* Each pair. */
static void pairs(void)
{
	static char name[64];
	struct vm *vm = vm_create(l2_nops);

	for (volatile u32 a = 0; a < ALL_KINDS; a++)
		for (volatile u32 b = a + 1; b < ALL_KINDS; b++) {
			u32 n = 0;

			if (!makes_sense(BIT(a) | BIT(b)))
				continue;
			for (const char *c = "order."; *c; c++)
				name[n++] = *c;
			for (const char *c = kind_names[a]; *c; c++)
				name[n++] = *c;
			name[n++] = '+';
			for (const char *c = kind_names[b]; *c; c++)
				name[n++] = *c;
			name[n] = 0;
			order(vm, BIT(a) | BIT(b));
			check_said(name, NULL);
		}
}

/* Everything that can be due in one. */
static void many(void)
{
	static const struct {
		const char *name;
		u64 due;
	} all[] = {
		{ "order.all", TIMER | TRAP | INTERRUPT_WINDOW | NMI_WINDOW | MTF | INTERRUPT | THRESHOLD },
		{ "order.all_with_pending_mtf", TIMER | TRAP | INTERRUPT_WINDOW | NMI_WINDOW | PENDING_MTF | INTERRUPT | THRESHOLD },
		{ "order.all_with_exception", TIMER | TRAP | INTERRUPT_WINDOW | NMI_WINDOW | MTF | INTERRUPT | THRESHOLD | EXCEPTION },
		{ "order.all_with_nmi", TIMER | TRAP | INTERRUPT_WINDOW | NMI_WINDOW | MTF | INTERRUPT | THRESHOLD | NMI },
		{ "order.all_under_sti", TIMER | TRAP | INTERRUPT_WINDOW | NMI_WINDOW | INTERRUPT | STI },
		{ "order.all_under_mov_ss", TIMER | TRAP | INTERRUPT_WINDOW | NMI_WINDOW | INTERRUPT | MOV_SS },
		{ "order.all_halted", TIMER | INTERRUPT_WINDOW | NMI_WINDOW | INTERRUPT | HALTED },
		{ "order.windows_halted", INTERRUPT_WINDOW | NMI_WINDOW | HALTED },
		{ "order.windows_and_nmi", INTERRUPT_WINDOW | NMI_WINDOW | NMI },
	};

	struct vm *vm = vm_create(l2_nops);

	for (volatile u32 i = 0; i < ARRAY_SIZE(all); i++) {
		order(vm, all[i].due);
		check_said(all[i].name, NULL);
	}
}

SCENARIOS(priority_scenarios,
	{ "order.pairs", pairs, "", has_all },
	{ "order.many", many, "", has_all },
);
