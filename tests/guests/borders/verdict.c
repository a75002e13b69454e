/* SPDX-License-Identifier: MIT */
/*
 * One launch and its verdict in words that do not depend on where it runs: how
 * VM entry failed, or the exit with what the SDM defines for it and every field
 * that the exit saved with another value than was entered with.
 */
#include "tests/guests/borders/borders.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define EPT_VIOLATION_DEFINED 0x1ff
#define LEAF_REFUSALS 0x40000004
#define EPT_LINEAR_VALID BIT(7)
#define SOFTWARE_EVENT BIT(10) /* types 4 to 6, of which 7 is none that a delivery can be interrupted in */

/* What a VM exit saves or clears. SDM "Saving Guest State", "VM-Exit Controls". */
static const u16 saved[] = {
	VM_ENTRY_CONTROLS, VM_ENTRY_INTERRUPTION_INFORMATION, VMX_PREEMPTION_TIMER_VALUE,
	GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_DR7, GUEST_RSP, GUEST_RIP, GUEST_RFLAGS,
	GUEST_ES_SELECTOR, GUEST_CS_SELECTOR, GUEST_SS_SELECTOR, GUEST_DS_SELECTOR, GUEST_FS_SELECTOR, GUEST_GS_SELECTOR,
	GUEST_LDTR_SELECTOR, GUEST_TR_SELECTOR,
	GUEST_ES_BASE, GUEST_CS_BASE, GUEST_SS_BASE, GUEST_DS_BASE, GUEST_FS_BASE, GUEST_GS_BASE, GUEST_LDTR_BASE, GUEST_TR_BASE,
	GUEST_ES_LIMIT, GUEST_CS_LIMIT, GUEST_SS_LIMIT, GUEST_DS_LIMIT, GUEST_FS_LIMIT, GUEST_GS_LIMIT, GUEST_LDTR_LIMIT, GUEST_TR_LIMIT,
	GUEST_ES_ACCESS_RIGHTS, GUEST_CS_ACCESS_RIGHTS, GUEST_SS_ACCESS_RIGHTS, GUEST_DS_ACCESS_RIGHTS,
	GUEST_FS_ACCESS_RIGHTS, GUEST_GS_ACCESS_RIGHTS, GUEST_LDTR_ACCESS_RIGHTS, GUEST_TR_ACCESS_RIGHTS,
	GUEST_GDTR_BASE, GUEST_GDTR_LIMIT, GUEST_IDTR_BASE, GUEST_IDTR_LIMIT,
	GUEST_IA32_DEBUGCTL, GUEST_IA32_PAT, GUEST_IA32_EFER,
	GUEST_IA32_SYSENTER_CS, GUEST_IA32_SYSENTER_ESP, GUEST_IA32_SYSENTER_EIP,
	GUEST_PDPTE0, GUEST_PDPTE1, GUEST_PDPTE2, GUEST_PDPTE3,
	GUEST_INTERRUPTIBILITY_STATE, GUEST_ACTIVITY_STATE, GUEST_PENDING_DEBUG_EXCEPTIONS,
};

static_assert(ARRAY_SIZE(saved) * sizeof(u64) <= PAGE_SIZE, "one page of values");

void verdict_remember(struct subject *s)
{
	s->base = page_alloc();
	for (u32 i = 0; i < ARRAY_SIZE(saved); i++)
		s->base[i] = vmread(saved[i]);
}

bool verdict_read_field(const struct subject *s, u32 field, u64 *value)
{
	if (!(field & IN_MEMORY))
		return attempt(op_vmread, field, (u64)value) == OUTCOME_OK;
	if (!s->memory[field - IN_MEMORY])
		return false;
	*value = *s->memory[field - IN_MEMORY];
	return true;
}

static void write_field(const struct subject *s, u32 field, u64 value)
{
	if (field & IN_MEMORY)
		*s->memory[field - IN_MEMORY] = value;
	else
		vmwrite(field, value);
}

/* A field may be changed twice: old and new are the first one's and the last one's. */
static void apply(struct launch *launch)
{
	for (u32 i = 0; i < launch->count; i++) {
		struct change *c = &launch->changes[i];

		if (c->absent)
			continue;
		write_field(launch->subject, c->field, c->new);
		(void)verdict_read_field(launch->subject, c->field, &c->new);
	}
}

static void undo(const struct launch *launch)
{
	for (u32 i = launch->count; i-- > 0;)
		if (!launch->changes[i].absent)
			write_field(launch->subject, launch->changes[i].field, launch->changes[i].old);
}

static u64 entered_with(const struct launch *launch, u32 index)
{
	u64 value = launch->subject->base[index];

	for (u32 i = 0; i < launch->count; i++)
		if (launch->changes[i].field == saved[index] && !launch->changes[i].absent)
			value = launch->changes[i].new;
	return value;
}

static void say_saved(const struct launch *launch)
{
	const struct subject *s = launch->subject;

	for (u32 i = 0; i < ARRAY_SIZE(saved); i++) {
		u64 now = vmread(saved[i]);

		if (now != entered_with(launch, i))
			say(" %x:%lx", saved[i], now);
		if (now != s->base[i])
			vmwrite(saved[i], s->base[i]);
	}
}

static void say_event(const char *mark, u32 information, enum vmcs_field error_code)
{
	say(" %s=%x", mark, information);
	if (information & EVENT_ERROR_CODE)
		say("/%lx", vmread(error_code));
}

static void say_exception(void)
{
	u32 information = (u32)vmread(VM_EXIT_INTERRUPTION_INFORMATION);

	say_event("event", information, VM_EXIT_INTERRUPTION_ERROR_CODE);
	if ((information & 0xff) == VECTOR_DB || (information & 0xff) == VECTOR_PF)
		say(" q=%lx", vmread(EXIT_QUALIFICATION));
}

static void say_ept_fault(u32 reason)
{
	u64 qualification = vmread(EXIT_QUALIFICATION) & EPT_VIOLATION_DEFINED;

	if (reason == REASON_EPT_VIOLATION)
		say(" q=%lx linear=%lx", qualification,
		    qualification & EPT_LINEAR_VALID ? vmread(GUEST_LINEAR_ADDRESS) : 0);
	say(" physical=%lx", vmread(GUEST_PHYSICAL_ADDRESS));
}

static void say_exit(u32 reason)
{
	u32 vectoring = (u32)vmread(IDT_VECTORING_INFORMATION);

	say("exit %u", reason & 0xffff);
	if (reason & REASON_ENTRY_FAILURE) {
		say(" failed q=%lx", vmread(EXIT_QUALIFICATION));
		return;
	}
	if (reason == REASON_EXCEPTION_OR_NMI || reason == REASON_EXTERNAL_INTERRUPT)
		say_exception();
	else if (reason == REASON_EPT_VIOLATION || reason == REASON_EPT_MISCONFIGURATION)
		say_ept_fault(reason);
	else if (reason == REASON_TASK_SWITCH)
		say(" q=%lx", vmread(EXIT_QUALIFICATION));
	if (vectoring & EVENT_VALID) {
		say_event("vectoring", vectoring, IDT_VECTORING_ERROR_CODE);
		if (vectoring & SOFTWARE_EVENT)
			say(" length=%lu", vmread(VM_EXIT_INSTRUCTION_LENGTH));
	}
}

static void say_changes(const struct launch *launch)
{
	for (u32 i = 0; i < launch->count; i++) {
		const struct change *c = &launch->changes[i];

		say(" %x", c->field);
		if (c->absent)
			say(" absent");
		else
			say("=%lx", c->new);
	}
}

/* Testudo's own reason, if there is a new one. Read before anything else is entered; docs/cpuid.md. */
static void say_reason(u64 since)
{
	struct cpuid_result rule, when;

	if (!under_testudo())
		return;
	rule = cpuid(LEAF_REFUSALS, 0);
	when = cpuid(LEAF_REFUSALS + 1, 0);
	if (((u64)when.edx << 32 | when.ecx) >= since)
		say(" because %u %x %lx", rule.eax & 0xffff, rule.ebx, (u64)rule.edx << 32 | rule.ecx);
}

void verdict_say(struct launch *launch)
{
	struct vm *vm = launch->subject->vm;
	u64 failed, since;
	u32 reason;

	apply(launch);
	since = rdtsc();
	say_changes(launch);
	say(" > ");
	failed = vm_enter(vm, vm->launched);
	if (failed) {
		say("%o", failed == 1 ? OUTCOME_FAIL_INVALID : OUTCOME_FAIL_VALID | (u32)vmread(VM_INSTRUCTION_ERROR));
		say_reason(since);
		undo(launch);
		return;
	}
	reason = (u32)vmread(EXIT_REASON);
	vm->launched |= !(reason & REASON_ENTRY_FAILURE);
	say_exit(reason);
	say_saved(launch);
	if (reason & REASON_ENTRY_FAILURE)
		say_reason(since);
	undo(launch);
}
