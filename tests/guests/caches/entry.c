/* SPDX-License-Identifier: MIT */
/*
 * After many round trips L1 executes VMRESUME where it may not, or a little otherwise: the processor answers as it
 * would the first time, and the round after that is like any. SDM "VM Entries", "Basic VM-Entry Checks".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define MANY 100
#define AGAIN 3 /* often enough for a field that L1 writes at each round to be known for it */

static struct vm *create(void)
{
	struct vm *vm = rounds_create(l2_cpuid_for_ever);

	l1_prepare();
	rounds(vm, MANY);
	return vm;
}

static void say_entry(u64 result)
{
	if (result == 2)
		say("VMfailValid %lu", vmread(VM_INSTRUCTION_ERROR));
	else
		say("%s", result ? "VMfailInvalid" : "entered");
}

/* And the same VMCS serves as before. */
static void go_on(struct vm *vm)
{
	struct l1_state before, after;

	rounds(vm, 1);
	l1_capture(&before);
	rounds(vm, MANY);
	l1_capture(&after);
	say(", ");
	l1_say_differences(&before, &after);
}

static void after_sti(void)
{
	struct vm *vm = create();
	u64 flags;

	say_entry(vm_resume_after_sti(vm));
	__asm__ volatile("pushfq; pop %0" : "=r"(flags));
	say(" if=%u reason=%lx", (u32)(flags >> 9 & 1), vmread(EXIT_REASON));
	vm_skip(vm);
	go_on(vm);
}

static void after_mov_ss(void)
{
	struct vm *vm = create();

	say_entry(vm_resume_after_mov_ss(vm));
	go_on(vm);
}

static void launched_again(void)
{
	struct vm *vm = create();

	say_entry(vm_enter(vm, false));
	go_on(vm);
}

static void cleared(void)
{
	struct vm *vm = create();

	vmclear(vm->vmcs);
	say_entry(vm_enter(vm, true));
	vmptrld(vm->vmcs);
	say(", ");
	say_entry(vm_enter(vm, true));
	vm->launched = false;
	go_on(vm);
}

/* Expect: as a VMCS that was never launched. */
static void cleared_unknown(void)
{
	struct vm *vm = create(), *other = rounds_create(l2_cpuid_for_ever);

	rounds(other, MANY);
	vmclear(vm->vmcs); /* not current, but active */
	rounds(other, 1);
	vmptrld(vm->vmcs);
	say_entry(vm_enter(vm, true));
	vm->launched = false;
	go_on(vm);
}

static u32 op_resume_by_user(u64 stack_top, u64 b)
{
	(void)b;
	probe_resume_as_user(stack_top);
}

static u32 op_resume_in_compatibility_mode(u64 a, u64 b)
{
	(void)a;
	(void)b;
	return probe_resume_in_compatibility_mode();
}

/* Expect: #GP(0) at privilege level 3, #UD in compatibility mode. */
static void not_allowed(void)
{
	struct vm *vm = create();
	struct l1_state state;

	l1_capture(&state);
	say("%o", attempt(op_resume_by_user, l1_pages.user_stack_top, 0));
	l1_load_selectors(&state);
	say(", %o", attempt(op_resume_in_compatibility_mode, 0, 0));
	go_on(vm);
}

struct refusal {
	u64 result, error, reason, qualification;
};

/* Writes the wrong value, enters, writes the right one and does a round. The next time the same must come of it. */
static void refuse_once(struct vm *vm, enum vmcs_field field, u64 turned, bool first)
{
	static struct refusal usual;
	struct refusal is;
	u64 old = vmread(field);

	vmwrite(field, old ^ turned);
	is.result = vm_enter(vm, true);
	is.error = is.result ? vmread(VM_INSTRUCTION_ERROR) : 0;
	is.reason = vmread(EXIT_REASON);
	is.qualification = vmread(EXIT_QUALIFICATION);
	if (first) {
		usual = is;
		say_entry(is.result);
		say(" %lx/%lx ", is.reason, is.qualification);
	} else if (is.result != usual.result || is.error != usual.error || is.reason != usual.reason) {
		say("later %lu/%lu/%lx ", is.result, is.error, is.reason);
	}
	vmwrite(field, old);
	if (!is.result && !(is.reason & REASON_ENTRY_FAILURE))
		vm_restart(vm, l2_cpuid_for_ever);
	rounds(vm, 1);
}

/* Expect: what is wrong is found, controls and host state by VMfail, guest state by an exit; once right again, all is as ever. */
static void refused(void)
{
	static const struct {
		enum vmcs_field field;
		u64 turned;
	} wrong[] = {
		{ PIN_BASED_CONTROLS, BIT(1) }, { PROCESSOR_BASED_CONTROLS, BIT(1) }, { VM_EXIT_CONTROLS, BIT(0) },
		{ VM_ENTRY_CONTROLS, BIT(0) }, { EPT_POINTER, BIT(7) }, { HOST_CR0, CR0_PE }, { HOST_CR4, CR4_PAE },
		{ HOST_TR_SELECTOR, 1 }, { HOST_FS_BASE, BIT(63) }, { HOST_RIP, BIT(63) }, { HOST_GS_SELECTOR, 4 },
		{ GUEST_RFLAGS, BIT(1) }, { GUEST_CR0, CR0_PE }, { GUEST_CR4, CR4_PAE }, { GUEST_RIP, BIT(63) },
		{ GUEST_CS_ACCESS_RIGHTS, BIT(16) }, { GUEST_TR_ACCESS_RIGHTS, BIT(16) }, { GUEST_ACTIVITY_STATE, 8 },
		{ GUEST_INTERRUPTIBILITY_STATE, 3 }, { GUEST_PENDING_DEBUG_EXCEPTIONS, BIT(5) }, { VMCS_LINK_POINTER, 1 },
		{ CR3_TARGET_COUNT, 5 }, { VM_ENTRY_INTERRUPTION_INFORMATION, EVENT_VALID | BIT(12) }, { GUEST_GDTR_LIMIT, BIT(16) },
		{ GUEST_LDTR_ACCESS_RIGHTS, BIT(16) }, { GUEST_IA32_SYSENTER_ESP, BIT(63) }, { GUEST_DR7, BIT(32) },
		{ TPR_THRESHOLD, 0 },
	};
	struct vm *vm = create();

	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		refuse_once(vm, wrong[i].field, wrong[i].turned, true);
		for (u32 again = 0; again < AGAIN; again++)
			refuse_once(vm, wrong[i].field, wrong[i].turned, false);
		rounds(vm, i);
	}
	go_on(vm);
}

SCENARIOS(entry_scenarios,
	{ "entry.after_sti", after_sti, "entered if=0 reason=0xa, -", NULL },
	{ "entry.after_mov_ss", after_mov_ss, "VMfailValid 26, -", NULL },
	{ "entry.launched_again", launched_again, "VMfailValid 4, -", NULL },
	{ "entry.cleared", cleared, "VMfailInvalid, VMfailValid 5, -", NULL },
	{ "entry.cleared_not_current", cleared_unknown, "VMfailValid 5, -", NULL },
	{ "entry.not_allowed", not_allowed, "#13(0), #6, -", NULL },
	{ "entry.refused", refused, NULL, NULL },
);
