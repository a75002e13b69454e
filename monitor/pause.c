/* SPDX-License-Identifier: MIT */
/*
 * See monitor/pause.h. Processors are asked by INIT, again after a while: on some machines (Bochs) one is lost
 * that comes in VMX root operation. One that waits for SIPI is not asked: INIT is blocked there, and would come out much later.
 */
#include "monitor/pause.h"

#include "arch/ops.h"
#include "arch/x86.h"
#include "boot/handoff.h"
#include "vmx/ipi.h"
#include "vmx/stop.h"

/* Some tenths of a second at most: a line on the console takes a few hundredths. */
#define PATIENCE_TICKS UINT64_C(1000000000)
#define ASK_AGAIN_TICKS UINT64_C(50000000)

enum { WORK_NONE, WORK_ASKED, WORK_DONE };

static struct {
	struct vcpu *vcpu[HANDOFF_MAX_CPUS];
	u32 stop;			/* which one it is */
	u32 stopped_in[HANDOFF_MAX_CPUS];
	u32 others, stopped;

	u32 work_state;			/* this one last when asking, and when done */
	u32 worker;
	pause_work *work;
	void *argument;
	bool result;
} all;

void pause_add(struct vcpu *vcpu)
{
	__atomic_store_n(&all.vcpu[vcpu->cpu->index], vcpu, __ATOMIC_RELEASE);
}

void pause_remove(const struct vcpu *vcpu)
{
	__atomic_store_n(&all.vcpu[vcpu->cpu->index], NULL, __ATOMIC_RELEASE);
}

static struct vcpu *vcpu_of(u32 cpu)
{
	return cpu < HANDOFF_MAX_CPUS ? __atomic_load_n(&all.vcpu[cpu], __ATOMIC_ACQUIRE) : NULL;
}

static bool has_stopped(u32 cpu)
{
	return __atomic_load_n(&all.stopped_in[cpu], __ATOMIC_ACQUIRE) == all.stop;
}

static u64 apic_base(void)
{
	u64 base;

	return rdmsr_safe(IA32_APIC_BASE, &base) ? base : 0;
}

enum pause_state pause_state(u32 cpu)
{
	const struct vcpu *vcpu = vcpu_of(cpu);

	if (vcpu == NULL)
		return PAUSE_NOT_RUNNING;
	if (has_stopped(cpu))
		return PAUSE_STOPPED;
	if (__atomic_load_n(&vcpu->cpu->waits_for_sipi, __ATOMIC_ACQUIRE))
		return PAUSE_WAITS_FOR_SIPI;
	return ipi_reaches(apic_base(), percpu()->handoff->cpus[cpu].apic_id) ? PAUSE_NO_ANSWER : PAUSE_NO_APIC;
}

/* --- the processor that stops the others ---------------------------------------------- */

/* How many of them may still answer. */
static u32 ask(bool ask_now)
{
	const struct handoff *handoff = percpu()->handoff;
	u32 waited_for = 0;

	for (u32 cpu = 0; cpu < handoff->cpu_count; cpu++) {
		if (cpu == percpu()->index || pause_state(cpu) != PAUSE_NO_ANSWER)
			continue;
		waited_for++;
		if (!ask_now)
			continue;
		stop_note_init(vcpu_of(cpu)->cpu);
		ipi_send_kept(apic_base(), handoff->cpus[cpu].apic_id, IPI_INIT);
	}
	return waited_for;
}

static void count_them(void)
{
	all.others = all.stopped = 0;
	for (u32 cpu = 0; cpu < percpu()->handoff->cpu_count; cpu++) {
		if (cpu == percpu()->index || vcpu_of(cpu) == NULL)
			continue;
		all.others++;
		all.stopped += has_stopped(cpu);
	}
}

u32 pause_others(u32 *others)
{
	u64 begin = rdtsc(), asked = begin;

	__atomic_store_n(&all.stop, all.stop + 1, __ATOMIC_SEQ_CST);
	for (u32 waited_for = ask(true); waited_for != 0 && rdtsc() - begin < PATIENCE_TICKS; waited_for = ask(false)) {
		if (rdtsc() - asked > ASK_AGAIN_TICKS) {
			asked = rdtsc();
			(void)ask(true);
		}
		cpu_pause();
	}
	count_them();
	*others = all.others;
	return all.stopped;
}

bool pause_do(u32 cpu, pause_work *work, void *argument)
{
	all.worker = cpu;
	all.work = work;
	all.argument = argument;
	__atomic_store_n(&all.work_state, WORK_ASKED, __ATOMIC_RELEASE);
	while (__atomic_load_n(&all.work_state, __ATOMIC_ACQUIRE) != WORK_DONE) {
		if (panic_is_active())
			panic_stop_here();
		cpu_pause();
	}
	all.work_state = WORK_NONE;
	return all.result;
}

/* --- the others ----------------------------------------------------------------------- */

static void work_if_asked(struct vcpu *vcpu)
{
	if (__atomic_load_n(&all.work_state, __ATOMIC_ACQUIRE) != WORK_ASKED || all.worker != vcpu->cpu->index)
		return;
	all.result = all.work(vcpu, all.argument);
	__atomic_store_n(&all.work_state, WORK_DONE, __ATOMIC_RELEASE);
}

/* A second stop may follow the first without this processor's noticing. */
void pause_here(struct vcpu *vcpu)
{
	while (stop_is_wanted()) {
		if (panic_is_active())
			panic_stop_here();
		__atomic_store_n(&all.stopped_in[vcpu->cpu->index], __atomic_load_n(&all.stop, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
		work_if_asked(vcpu);
		cpu_pause();
	}
}
