/* SPDX-License-Identifier: MIT */
/*
 * The bombarded side: runs L2, handles its exits and counts. An NMI that came
 * as an exit is followed by IRET, as a hypervisor's own handler would do it;
 * L2's handlers do VMCALL, are counted here and go back by IRET themselves.
 */
#include "tests/guests/storm/storm.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define TEST_ADDRESS (3ull << 30)
#define TYPE_MASK (7u << 8)
#define REASON_INIT 3

extern const u8 l2_storm[];

struct receiver receivers[MAX_CPUS];

static u32 random_state;

u32 storm_random(u32 limit)
{
	if (!random_state)
		random_state = machine_seed() * 2654435761u | 1;
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return (u32)((u64)random_state * limit >> 32);
}

bool has_others(void)
{
	return cpu_count() > 1;
}

static u32 handled_by_l1(const struct receiver *r, u8 vector)
{
	return cpus[r - receivers].counts[vector] - r->first[vector];
}

u32 taken_by_l1(const struct receiver *r, u8 vector)
{
	return r->taken_l1[vector] + handled_by_l1(r, vector);
}

u32 taken_by_l2(const struct receiver *r, u8 vector)
{
	return r->taken_l2[vector];
}

/* What L1 hands on is taken where it ends. */
u32 taken(const struct receiver *r, u8 vector)
{
	if (vector == VECTOR_NMI && r->mode->hands_on)
		return handled_by_l1(r, vector) + r->taken_l2[vector];
	return taken_by_l1(r, vector) + r->taken_l2[vector];
}

void receiver_reset(struct receiver *r, const struct mode *mode)
{
	memset(r, 0, sizeof(*r));
	r->mode = mode;
	for (u32 i = 0; i < ARRAY_SIZE(r->first); i++)
		r->first[i] = cpus[r - receivers].counts[i];
}

static void map(const struct receiver *r, bool mapped)
{
	*r->entry = mapped ? (u64)r->page | EPT_RWX | EPT_MEMORY_TYPE_WB : 0;
	if (r->mode->loses_stack)
		*r->stack_entry = mapped ? r->stack_page | EPT_RWX | EPT_MEMORY_TYPE_WB : 0;
}

void receiver_start(struct receiver *r)
{
	struct vm *vm;

	vmx_on();
	vm = r->vm = vm_create(l2_storm);
	r->page = page_alloc();
	r->entry = ept_entry(vm->ept, TEST_ADDRESS, 1);
	r->stack_page = (u64)page_alloc();
	r->stack_entry = ept_entry(vm->ept, r->stack_page, 1);
	descriptors_nmi_stack(vm->tables, r->stack_page + PAGE_SIZE);
	map(r, false);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_set(PIN_BASED_CONTROLS, r->mode->pin);
	if (r->mode->acknowledge)
		vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT);
	if (r->mode->interruptible)
		vm_set(GUEST_RFLAGS, RFLAGS_IF);
	r->ready = true;
}

/*
 * SDM "Resuming Guest Software": what was being delivered is delivered again.
 * If that was an NMI, L1 must not stay blocked for NMIs of its own until then.
 */
static void deliver_again(void)
{
	u32 event = (u32)vmread(IDT_VECTORING_INFORMATION);

	if (!(event & EVENT_VALID))
		return;
	if ((event & TYPE_MASK) == EVENT_NMI) {
		vm_clear(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
		nmi_unblock();
	}
	vm_inject(event & ~EVENT_VALID, (u32)vmread(IDT_VECTORING_ERROR_CODE), 0);
}

static void take_nmi_exit(struct receiver *r)
{
	u32 event = (u32)vmread(VM_EXIT_INTERRUPTION_INFORMATION);

	if ((event & (EVENT_VALID | TYPE_MASK | 0xff)) != (EVENT_VALID | EVENT_NMI | VECTOR_NMI))
		scenario_abort(" exception %x in L2", event);
	deliver_again();
	r->taken_l1[VECTOR_NMI]++;
	if (r->mode->hands_on)
		r->to_hand_on++;
	nmi_unblock();
}

static void take_interrupt_exit(struct receiver *r)
{
	u32 event = (u32)vmread(VM_EXIT_INTERRUPTION_INFORMATION);

	deliver_again();
	if (event & EVENT_VALID) {
		/* The sender may go on when it sees the count. */
		apic_end_of_interrupt();
		r->taken_l1[event & 0xff]++;
	} else {
		open_interrupt_window();
	}
}

/* L2's handlers do VMCALL on their own stack, the end of a round on L2's. */
static void take_vmcall(struct receiver *r)
{
	struct l2_frame *frame = vm_l2_frame();

	vm_skip(r->vm);
	if (frame) {
		u8 vector = (u8)frame->vector;

		if (vector >= 32)
			apic_end_of_interrupt();
		r->taken_l2[vector]++;
		return;
	}
	r->rounds++;
	map(r, false);
	invept(1, vmread(EPT_POINTER));
	/* Sometimes the VMCS is put away in between, and launched anew. */
	if (r->rounds % 8 == 0) {
		vmclear(r->vm->vmcs);
		vmptrld(r->vm->vmcs);
		r->vm->launched = false;
	}
}

static void take_exit(struct receiver *r)
{
	switch (r->vm->basic_reason) {
	case REASON_CPUID:
	case REASON_HLT:
		vm_skip(r->vm);
		break;
	case REASON_VMCALL:
		take_vmcall(r);
		break;
	case REASON_EPT_VIOLATION:
		deliver_again();
		map(r, true);
		break;
	case REASON_EXCEPTION_OR_NMI:
		take_nmi_exit(r);
		break;
	case REASON_EXTERNAL_INTERRUPT:
		take_interrupt_exit(r);
		break;
	case REASON_INIT:
		deliver_again();
		r->inits++;
		break;
	case REASON_NMI_WINDOW:
		r->to_hand_on--;
		vm_inject(EVENT_NMI | VECTOR_NMI, 0, 0);
		break;
	case REASON_PREEMPTION_TIMER:
		deliver_again();
		break;
	default:
		scenario_abort(" exit %u", r->vm->basic_reason);
	}
}

static void work_without_l2(struct receiver *r)
{
	cpuid(1, 0);
	vmread(GUEST_LDTR_BASE);
	vmwrite(GUEST_LDTR_BASE, r->exits);
	vmclear(r->vm->vmcs);
	vmptrld(r->vm->vmcs);
}

void receiver_step(struct receiver *r)
{
	r->exits++;
	if (r->mode->no_l2) {
		work_without_l2(r);
		return;
	}
	if (r->mode->hands_on) {
		vm_clear(PROCESSOR_BASED_CONTROLS, PROC_NMI_WINDOW_EXITING);
		if (r->to_hand_on)
			vm_set(PROCESSOR_BASED_CONTROLS, PROC_NMI_WINDOW_EXITING);
	}
	if (!vm_run(r->vm))
		scenario_abort(" entry refused");
	take_exit(r);
}

void receiver_end(struct receiver *r)
{
	vmclear(r->vm->vmcs);
	vmx_off();
}

void receive(void *receiver)
{
	struct receiver *r = receiver;

	receiver_start(r);
	while (!r->stop)
		receiver_step(r);
	receiver_end(r);
}

void receiver_ask(u32 cpu, const struct mode *mode)
{
	struct receiver *r = &receivers[cpu];

	receiver_reset(r, mode);
	cpu_ask(cpu, receive, r);
	WAIT_UNTIL(r->ready || cpu_is_done(cpu), "start");
}

void receiver_stop(u32 cpu)
{
	receivers[cpu].stop = true;
	cpu_wait(cpu);
}
