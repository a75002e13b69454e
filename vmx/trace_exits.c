/* SPDX-License-Identifier: MIT */
/*
 * Records a vCPU's exits: see vmx/trace_exits.h. What tracing itself takes, a few VMREADs,
 * is in no cost and in no counter.
 */
#include "vmx/trace_exits.h"

#include "arch/ops.h"
#include "drivers/console.h"
#include "drivers/line_style.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "vmx/exit.h"
#include "vmx/nested/nested.h"

#define SHOWN_IN_PANIC 12
#define LEAF_TSC 0x15
#define LEAF_FREQUENCY 0x16

static u64 ticks_per_second(void)
{
	u32 last = cpuid(0, 0).eax;
	struct cpuid_result tsc = { 0 };

	if (last >= LEAF_TSC)
		tsc = cpuid(LEAF_TSC, 0);
	return tsc_hz_told(tsc.eax, tsc.ebx, tsc.ecx, last >= LEAF_FREQUENCY ? cpuid(LEAF_FREQUENCY, 0).eax : 0);
}

bool trace_prepare(struct vcpu *vcpu)
{
	u64 size = (u64)vcpu->machine->handoff->trace_kilobytes << 10 & ~PAGE_MASK;
	struct trace_ring_identity identity = { .cpu = (u16)vcpu->cpu->index };
	void *memory;

	if (size < TRACE_RING_LEAST)
		return true;
	memory = page_alloc_contiguous(size / PAGE_SIZE);
	if (!memory)
		return false;
	identity.address = phys_of(memory).value;
	identity.ticks_per_second = ticks_per_second();
	trace_ring_init(&vcpu->trace.ring, memory, size, &identity);
	log_debug("trace: %u records at 0x%lx", vcpu->trace.ring.header->capacity, identity.address);
	trace_start(vcpu);
	return true;
}

/* --- on and off ------------------------------------------------------------------- */

static bool *tracing(const struct vcpu *vcpu)
{
	return &vcpu->nested->tracing;
}

bool trace_is_on(const struct vcpu *vcpu)
{
	return vcpu->trace.ring.header && __atomic_load_n(&vcpu->trace.ring.header->is_on, __ATOMIC_SEQ_CST);
}

static void turn(struct vcpu *vcpu, bool on)
{
	if (!vcpu->trace.ring.header)
		return;
	__atomic_store_n(&vcpu->trace.ring.header->is_on, (u32)on, __ATOMIC_SEQ_CST);
	__atomic_store_n(tracing(vcpu), on, __ATOMIC_SEQ_CST);
}

void trace_start(struct vcpu *vcpu)
{
	turn(vcpu, true);
}

void trace_stop(struct vcpu *vcpu)
{
	turn(vcpu, false);
}

/* Another processor may turn it on or off meanwhile: what it wants is asked until nothing has changed. */
void trace_resume(struct vcpu *vcpu)
{
	bool on;

	do {
		on = trace_is_on(vcpu);
		__atomic_store_n(tracing(vcpu), on, __ATOMIC_SEQ_CST);
	} while (on != trace_is_on(vcpu));
}

/* --- exits ------------------------------------------------------------------------ */

static u64 vmcs_of_l2(const struct vcpu *vcpu)
{
	return vcpu->nested->current ? vcpu->nested->current->address : NO_ADDRESS;
}

/* L1 that reads the ring would fill it with its own CPUIDs. */
static bool is_reader(const struct vcpu *vcpu, u32 reason)
{
	return reason == EXIT_CPUID && !nested_in_l2(vcpu) && (u32)vcpu->regs.gpr[REG_RAX] == TRACE_CPUID_LEAF &&
	       vcpu->machine->handoff->show_cpuid_leaves;
}

bool trace_exit(struct vcpu *vcpu)
{
	struct trace *trace = &vcpu->trace;
	struct trace_transition *now = &trace->now;
	bool in_l2 = nested_in_l2(vcpu);

	if (!trace_is_on(vcpu)) {
		trace_resume(vcpu);
		return false;
	}
	*now = (struct trace_transition){
		.tsc = rdtsc(), .kind = TRACE_TRANSITION, .level = in_l2 ? 2 : 1, .cpu = trace->ring.header->cpu,
		.reason = (u32)vmcs_read_known(vcpu->running, VMCS_EXIT_REASON),
		.qualification = vmcs_read_known(vcpu->running, VMCS_EXIT_QUALIFICATION),
		.rip = vmcs_read_known(vcpu->running, VMCS_GUEST_RIP),
		.vmcs = in_l2 ? vmcs_of_l2(vcpu) : NO_ADDRESS,
	};
	trace->is_open = !is_reader(vcpu, now->reason);
	__atomic_store_n(tracing(vcpu), false, __ATOMIC_SEQ_CST);
	trace->began = rdtsc();
	return true;
}

void trace_entry(struct vcpu *vcpu, enum trace_way way)
{
	struct trace *trace = &vcpu->trace;
	struct trace_transition *now = &trace->now;
	u64 cost = rdtsc() - trace->began;
	bool in_l2 = nested_in_l2(vcpu);

	if (!trace->is_open)
		return;
	trace->is_open = false;
	now->cost = cost < UINT32_MAX ? (u32)cost : UINT32_MAX;
	now->next = in_l2 ? 2 : 1;
	now->owner = now->level == 2 && !in_l2 ? TRACE_BY_L1 : TRACE_BY_L0;
	now->way = (u8)way;
	if (in_l2)
		now->vmcs = vmcs_of_l2(vcpu);
	trace_ring_put(&trace->ring, now);
}

/* The record still lies where trace_entry() left it. */
void trace_entry_failed(struct vcpu *vcpu)
{
	if (!vcpu->trace.now.next || vcpu->trace.is_open)
		return;
	trace_ring_take_back(&vcpu->trace.ring);
	vcpu->trace.is_open = true;
}

/* --- to the console --------------------------------------------------------------- */

void trace_dump(const struct vcpu *vcpu)
{
	char line[TRACE_LINE_SIZE];

	for (u64 i = 0; i < trace_ring_lines(&vcpu->trace.ring); i++) {
		trace_ring_line(&vcpu->trace.ring, i, line);
		log_error("%s", line);
	}
}

static void show(const struct trace_transition *t)
{
	log_error("  %lu L%u %s%s at 0x%lx, qualification 0x%lx: L%u's, to L%u in %u ticks%s", t->tsc, t->level,
		  exit_name((u16)t->reason), t->reason & EXIT_REASON_ENTRY_FAILURE ? " (failed entry)" : "", t->rip,
		  t->qualification, t->owner, t->next, t->cost, t->way == TRACE_QUICK ? "" : ", the long way");
}

void trace_dump_last(void)
{
	const struct vcpu *vcpu = percpu()->vcpu;
	const struct trace_record *record;

	if (!vcpu || !vcpu->trace.ring.header || !vcpu->trace.ring.header->count)
		return;
	log_error("the last transitions, newest first:");
	for (u64 age = 0; age < SHOWN_IN_PANIC; age++) {
		record = trace_ring_recent(&vcpu->trace.ring, age);
		if (record && record->kind == TRACE_TRANSITION)
			show((const struct trace_transition *)(const void *)record);
	}
}
