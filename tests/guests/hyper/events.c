/* SPDX-License-Identifier: MIT */
/*
 * Events that L1 injects into L2's interrupt table, and L2's own exceptions
 * with and without the exception bitmap. SDM "Event Injection", "Exception
 * Bitmap".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

/* L2 takes its exceptions itself. */
static struct vm *create(const u8 *code)
{
	struct vm *vm = vm_create(code);

	vmwrite(EXCEPTION_BITMAP, 0);
	return vm;
}

/* The event arrives, L2's handler returns, L2 goes on. */
static struct vm *inject(const u8 *code, u32 event, u32 error_code, u32 length)
{
	struct vm *vm = create(code);

	vm_inject(event, error_code, length);
	vm_step(vm);
	say(" valid=%u; ", !!(vmread(VM_ENTRY_INTERRUPTION_INFORMATION) & EVENT_VALID));
	vm_skip(vm);
	return vm;
}

static void external_interrupt(void)
{
	struct vm *vm = create(l2_nops);

	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm_inject(EVENT_EXTERNAL_INTERRUPT | 0x55, 0, 0);
	vm_step(vm);
	vm_skip(vm);
	say("; ");
	vm_step(vm);
	say(" rflags=%lx", vmread(GUEST_RFLAGS));
}

static void nmi(void)
{
	vm_step(inject(l2_nops, EVENT_NMI | VECTOR_NMI, 0, 0));
}

static void exception(void)
{
	vm_step(inject(l2_nops, EVENT_HARDWARE_EXCEPTION | VECTOR_UD, 0, 0));
}

static void exception_with_error(void)
{
	vm_step(inject(l2_nops, EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_GP, 0x7bf8, 0));
}

/* Expect: CR2 is L1's to set; injection does not touch it. */
static void page_fault(void)
{
	__asm__ volatile("mov %0, %%cr2" : : "r"(0x1234567ull));
	vm_step(inject(l2_nops, EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_PF, 6, 0));
}

/* Expect: L2 returns behind the instruction of the given length. */
static void software_interrupt(void)
{
	vm_step(inject(l2_nops, EVENT_SOFTWARE_INTERRUPT | 0x80, 0, 2));
}

static void software_exception(void)
{
	vm_step(inject(l2_nops, EVENT_SOFTWARE_EXCEPTION | VECTOR_BP, 0, 1));
}

static void privileged_software_exception(void)
{
	vm_step(inject(l2_nops, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION | VECTOR_DB, 0, 1));
}

/* Expect: an injected event is not subject to the exception bitmap. */
static void bitmap_does_not_matter(void)
{
	struct vm *vm = vm_create(l2_nops);

	vm_inject(EVENT_HARDWARE_EXCEPTION | VECTOR_UD, 0, 0);
	vm_step(vm);
}

/* Expect: the event wakes a halted L2. */
static void into_hlt(void)
{
	struct vm *vm = create(l2_nops);

	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	vm_inject(EVENT_EXTERNAL_INTERRUPT | 0x56, 0, 0);
	vm_step(vm);
	say(" activity=%lu; ", vmread(GUEST_ACTIVITY_STATE));
	vm_skip(vm);
	vm_step(vm);
}

static void own_exception(void)
{
	struct vm *vm = create(l2_ud2);

	vm_step(vm);
	((struct l2_frame *)vmread(GUEST_RSP))->rip += 2;
	vm_skip(vm);
	say("; ");
	vm_step(vm);
}

static void own_interrupt(void)
{
	struct vm *vm = create(l2_int_80);

	vm_step(vm);
	vm_skip(vm);
	say("; ");
	vm_step(vm);
}

static void own_page_fault(void)
{
	struct vm *vm = create(l2_page_fault);
	u64 cr2;

	vm->gpr[RSI] = (8ull << 30) + 0x18;
	vm_step(vm);
	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	say(" cr2=%lx", cr2);
}

static void bitmap_exits(void)
{
	static const u8 *const codes[] = { l2_ud2, l2_int3, l2_divide };

	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		vm_step(vm_create(codes[i]));
		if (i == 1)
			say(" length=%lu", vmread(VM_EXIT_INSTRUCTION_LENGTH));
		say(i < 2 ? "; " : "");
	}
}

/* Expect: TF steps L2: #DB after each instruction, with BS in the qualification. */
static void single_step(void)
{
	struct vm *vm = vm_create(l2_push_popf);

	vm_step(vm);
	say(" qualification=%lx", vmread(EXIT_QUALIFICATION));
}

/* Expect: page faults exit if the masked error code matches, or if it does not and bit 14 is 0. */
static void page_fault_filter(void)
{
	static const struct {
		u64 bitmap, mask, match;
	} cases[] = {
		{ BIT(14), 2, 2 }, { BIT(14), 2, 0 }, { 0, 2, 2 }, { 0, 2, 0 }, { BIT(14), 0, 1 }, { 0, 0, 1 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = vm_create(l2_page_fault);

		vmwrite(EXCEPTION_BITMAP, cases[i].bitmap);
		vmwrite(PAGE_FAULT_ERROR_CODE_MASK, cases[i].mask);
		vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, cases[i].match);
		vm->gpr[RSI] = 8ull << 30;
		vm_run(vm);
		say("%s%s", i ? " " : "", exit_reason_name(vm->basic_reason));
	}
}

/* Expect: no interrupt table: #GP, then #DF, then shutdown. */
static void triple_fault(void)
{
	struct vm *vm = create(l2_ud2);

	vmwrite(GUEST_IDTR_LIMIT, 0);
	vm_step(vm);
}

static void double_fault(void)
{
	struct vm *vm = create(l2_ud2);

	vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_DF));
	vmwrite(GUEST_IDTR_LIMIT, 0);
	vm_step(vm);
}

static void injected_double_fault(void)
{
	struct vm *vm = create(l2_nops);

	vm_inject(EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_DF, 0, 0);
	vm_step(vm);
	vm_restart(vm, l2_nops);
	vmwrite(GUEST_IDTR_LIMIT, 0);
	vm_inject(EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_DF, 0, 0);
	say("; ");
	vm_step(vm);
}

SCENARIOS(event_scenarios,
	{ "event.external_interrupt", external_interrupt,
	  "L2 took #85 from +0 rflags=0x202; VMCALL(18) length=3 rip=+3 rflags=0x202", NULL },
	{ "event.nmi", nmi,
	  "L2 took #2 from +0 rflags=2 valid=0; VMCALL(18) length=3 rip=+3", NULL },
	{ "event.exception", exception,
	  "L2 took #6 from +0 rflags=2 valid=0; VMCALL(18) length=3 rip=+3", NULL },
	{ "event.exception_with_error", exception_with_error,
	  "L2 took #13(0x7bf8) from +0 rflags=2 valid=0; VMCALL(18) length=3 rip=+3", NULL },
	{ "event.page_fault", page_fault,
	  "L2 took #14(6) from +0 rflags=2 valid=0; VMCALL(18) length=3 rip=+3", NULL },
	{ "event.software_interrupt", software_interrupt,
	  "L2 took #128 from +2 rflags=2 valid=0; VMCALL(18) length=3 rip=+3", NULL },
	{ "event.software_exception", software_exception,
	  "L2 took #3 from +1 rflags=2 valid=0; VMCALL(18) length=3 rip=+3", NULL },
	{ "event.privileged_software_exception", privileged_software_exception,
	  "L2 took #1 from +1 rflags=2 valid=0; VMCALL(18) length=3 rip=+3", NULL },
	{ "event.bitmap_does_not_matter", bitmap_does_not_matter,
	  "L2 took #6 from +0 rflags=2", NULL },
	{ "event.into_hlt", into_hlt,
	  "L2 took #86 from +0 rflags=0x202 activity=0; VMCALL(18) length=3 rip=+3", NULL },
	{ "event.own_exception", own_exception,
	  "L2 took #6 from +0 rflags=2; VMCALL(18) length=3 rip=+2", NULL },
	{ "event.own_interrupt", own_interrupt,
	  "L2 took #128 from +2 rflags=2; VMCALL(18) length=3 rip=+2", NULL },
	{ "event.own_page_fault", own_page_fault,
	  "L2 took #14(2) from +0 rflags=2 cr2=0x200000018", NULL },
	{ "event.bitmap_exits", bitmap_exits,
	  "EXCEPTION_OR_NMI(0) event=0x80000306 rip=+0; "
	  "EXCEPTION_OR_NMI(0) event=0x80000603 rip=+0 length=1; "
	  "EXCEPTION_OR_NMI(0) event=0x80000300 rip=+2", NULL },
	{ "event.single_step", single_step,
	  "EXCEPTION_OR_NMI(0) event=0x80000301 rip=+11 qualification=0x4000", NULL },
	{ "event.page_fault_filter", page_fault_filter,
	  "EXCEPTION_OR_NMI VMCALL VMCALL EXCEPTION_OR_NMI VMCALL EXCEPTION_OR_NMI", NULL },
	{ "event.triple_fault", triple_fault, "TRIPLE_FAULT(2) rip=+0", NULL },
	{ "event.double_fault", double_fault,
	  "EXCEPTION_OR_NMI(0) event=0x80000b08 error=0 rip=+0", NULL },
	{ "event.injected_double_fault", injected_double_fault,
	  "L2 took #8 from +0 rflags=2; TRIPLE_FAULT(2) rip=+0", NULL },
);
