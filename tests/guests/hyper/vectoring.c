/* SPDX-License-Identifier: MIT */
/*
 * Exits in the middle of event delivery: SDM "Information for VM Exits That
 * Occur While Delivering Events Through the IDT". L1 repairs the cause and
 * injects the event anew.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define IST1_OFFSET 36

/* L2's interrupt stack is a page that EPT12 does not map yet. */
static struct vm *create(const u8 *code)
{
	struct vm *vm = vm_create(code);
	u64 stack_top = TEST_ADDRESS + PAGE_SIZE;

	vmwrite(EXCEPTION_BITMAP, 0);
	memcpy(vm->tables->tss + IST1_OFFSET, &stack_top, sizeof(stack_top));
	return vm;
}

static struct l2_frame *frame_in(u64 page)
{
	return (struct l2_frame *)(page + PAGE_SIZE - sizeof(struct l2_frame));
}

/* Maps the stack and injects what was being delivered. */
static void repair_and_reinject(struct vm *vm)
{
	u64 page = (u64)page_alloc();
	u32 event = (u32)vmread(IDT_VECTORING_INFORMATION);

	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	vm_inject(event & ~(1u << 12), (u32)vmread(IDT_VECTORING_ERROR_CODE),
		  (u32)vmread(VM_EXIT_INSTRUCTION_LENGTH));
	vm_run(vm);
	say("; reason=%u vector=%lu error=%lx from +%lu", vm->basic_reason, frame_in(page)->vector,
	    frame_in(page)->error_code, frame_in(page)->rip - vm->code);
}

static void injected(u32 event, u32 error_code, u32 length)
{
	struct vm *vm = create(l2_nops);

	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm_inject(event, error_code, length);
	vm_step(vm);
	repair_and_reinject(vm);
}

static void exception(void)
{
	injected(EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_GP, 0x18, 0);
}

static void interrupt(void)
{
	injected(EVENT_EXTERNAL_INTERRUPT | 0x61, 0, 0);
}

static void nmi(void)
{
	injected(EVENT_NMI | VECTOR_NMI, 0, 0);
}

static void software_interrupt(void)
{
	injected(EVENT_SOFTWARE_INTERRUPT | 0x81, 0, 2);
}

/* The same by L2's own doing. */
static void own(const u8 *code)
{
	struct vm *vm = create(code);

	vm_step(vm);
	say(" length=%lu", vmread(IDT_VECTORING_INFORMATION) & BIT(10) ?
				   vmread(VM_EXIT_INSTRUCTION_LENGTH) : 0);
	repair_and_reinject(vm);
}

static void own_exception(void)
{
	own(l2_ud2);
}

static void own_interrupt(void)
{
	own(l2_int_80);
}

static void own_breakpoint(void)
{
	own(l2_int3);
}

/* Expect: #NP of a gate that is not present, while delivering INT 0x80. */
static void gate_not_present(void)
{
	struct vm *vm = vm_create(l2_int_80);

	vm->tables->idt[0x80 * 2] &= ~BIT(47);
	vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_NP));
	vm_step(vm);
}

/* Expect: #PF of L2's own tables while it takes #UD. */
static void page_fault_while_vectoring(void)
{
	struct vm *vm = vm_create(l2_ud2);
	u64 stack_top = (8ull << 30) + PAGE_SIZE;

	memcpy(vm->tables->tss + IST1_OFFSET, &stack_top, sizeof(stack_top));
	vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_PF));
	vm_step(vm);
}

SCENARIOS(vectoring_scenarios,
	{ "vectoring.exception", exception,
	  "EPT_VIOLATION(48) qualification=0x182 physical=0x140000ff8 vectoring=0x80000b0d error=0x18 rip=+0; "
	  "reason=18 vector=13 error=0x18 from +0", NULL },
	{ "vectoring.interrupt", interrupt,
	  "EPT_VIOLATION(48) qualification=0x182 physical=0x140000ff8 vectoring=0x80000061 rip=+0; "
	  "reason=18 vector=97 error=0 from +0", NULL },
	{ "vectoring.nmi", nmi,
	  "EPT_VIOLATION(48) qualification=0x182 physical=0x140000ff8 vectoring=0x80000202 rip=+0; "
	  "reason=18 vector=2 error=0 from +0", NULL },
	{ "vectoring.software_interrupt", software_interrupt,
	  "EPT_VIOLATION(48) qualification=0x182 physical=0x140000ff8 vectoring=0x80000481 rip=+0; "
	  "reason=18 vector=129 error=0 from +2", NULL },
	{ "vectoring.own_exception", own_exception,
	  "EPT_VIOLATION(48) qualification=0x182 physical=0x140000ff8 vectoring=0x80000306 rip=+0 length=0; "
	  "reason=18 vector=6 error=0 from +0", NULL },
	{ "vectoring.own_interrupt", own_interrupt,
	  "EPT_VIOLATION(48) qualification=0x182 physical=0x140000ff8 vectoring=0x80000480 rip=+0 length=2; "
	  "reason=18 vector=128 error=0 from +2", NULL },
	{ "vectoring.own_breakpoint", own_breakpoint,
	  "EPT_VIOLATION(48) qualification=0x182 physical=0x140000ff8 vectoring=0x80000603 rip=+0 length=1; "
	  "reason=18 vector=3 error=0 from +1", NULL },
	{ "vectoring.gate_not_present", gate_not_present,
	  "EXCEPTION_OR_NMI(0) event=0x80000b0b error=0x402 vectoring=0x80000480 rip=+0", NULL },
	{ "vectoring.page_fault", page_fault_while_vectoring,
	  "EXCEPTION_OR_NMI(0) event=0x80000b0e error=2 vectoring=0x80000306 rip=+0", NULL },
);
