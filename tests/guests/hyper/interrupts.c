/* SPDX-License-Identifier: MIT */
/*
 * Real interrupts and NMIs while L2 runs: taken by L2 itself, or an exit with
 * or without acknowledgement. SDM "External Interrupts and VM Exits",
 * "Acknowledge Interrupt on Exit".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define VECTOR 0x70
#define X2APIC_ICR 0x830
#define SPIN_LIMIT 100000
#define TIMER_TICKS 500000 /* at least */

static struct vm *create(const u8 *code, bool exits, bool acknowledges)
{
	struct vm *vm = vm_create(code);

	vmwrite(EXCEPTION_BITMAP, 0);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	if (exits)
		vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	if (acknowledges)
		vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT);
	traps_reset();
	return vm;
}

/* What L1 finds once it opens its own interrupt window. */
static void say_left(void)
{
	open_interrupt_window();
	open_interrupt_window();
	say("; left for L1: %u", traps_count(VECTOR));
}

/* Expect: without acknowledgement the interrupt still waits for L1. */
static void exits_unacknowledged(void)
{
	struct vm *vm = create(l2_nops, true, false);

	apic_self_interrupt(VECTOR);
	vm_step(vm);
	say_left();
	say("; ");
	vm_step(vm);
}

/* Expect: the vector in the interruption information, nothing left. */
static void exits_acknowledged(void)
{
	struct vm *vm = create(l2_nops, true, true);

	apic_self_interrupt(VECTOR);
	vm_step(vm);
	apic_end_of_interrupt();
	say_left();
	say("; ");
	vm_step(vm);
}

static void taken_by_l2(void)
{
	struct vm *vm = create(l2_nops, false, false);

	apic_self_interrupt(VECTOR);
	vm_step(vm);
	apic_end_of_interrupt();
	vm_skip(vm);
	say("; ");
	vm_step(vm);
	say_left();
}

/* Expect: with IF clear L2 is not disturbed, L1 gets it. */
static void blocked_in_l2(void)
{
	struct vm *vm = create(l2_nops, false, false);

	vm_clear(GUEST_RFLAGS, RFLAGS_IF);
	apic_self_interrupt(VECTOR);
	vm_step(vm);
	say_left();
}

/* Lets L2 write the interrupt command register in the mode the APIC is in. */
static void give_ipi(struct vm *vm, u32 command)
{
	u64 base = rdmsr(IA32_APIC_BASE);

	vm->gpr[RAX] = command;
	vm->gpr[RSI] = (base & 0xfffff000) + APIC_ICR_LOW;
	vm->gpr[RDI] = base >> 10 & 1;
	vm->gpr[RDX] = 0;
	*((u8 *)vm->msr_bitmap + 2048 + X2APIC_ICR / 8) &= (u8)~(1u << (X2APIC_ICR & 7));
}

static void say_exit_without_rip(struct vm *vm)
{
	vm_run(vm);
	say("%s event=%lx", exit_reason_name(vm->basic_reason),
	    vmread(VM_EXIT_INTERRUPTION_INFORMATION));
}

static void sent_by_l2(void)
{
	struct vm *vm = create(l2_send_ipi, true, true);

	give_ipi(vm, ICR_SELF | VECTOR);
	say_exit_without_rip(vm);
	apic_end_of_interrupt();
	say_left();
	say("; ");
	vm_step(vm);
}

/* An NMI that exited blocks further ones until L1 does IRET. */
static void unblock_nmi(void)
{
	__asm__ volatile("int $0x99" : : : "memory");
}

/* The APIC sends an NMI by identifier: zero of the one processor here. */
static void prepare_nmi(struct vm *vm)
{
	u32 id = cpuid(1, 0).ebx >> 24;

	give_ipi(vm, ICR_NMI | ICR_ASSERT);
	vm->gpr[RDX] = id;
	if (!(rdmsr(IA32_APIC_BASE) & BIT(10)))
		*(volatile u32 *)((rdmsr(IA32_APIC_BASE) & 0xfffff000) + APIC_ICR_HIGH) = id << 24;
}

static void nmi_exits(void)
{
	struct vm *vm = create(l2_send_ipi, false, false);

	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING);
	prepare_nmi(vm);
	say_exit_without_rip(vm);
	unblock_nmi();
	say(" left for L1: %u; ", traps_count(VECTOR_NMI));
	vm_step(vm);
}

static void nmi_exits_virtual(void)
{
	struct vm *vm = create(l2_send_ipi, false, false);

	vm_set(PIN_BASED_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
	prepare_nmi(vm);
	say_exit_without_rip(vm);
	say(" interruptibility=%lx", vmread(GUEST_INTERRUPTIBILITY_STATE));
	unblock_nmi();
}

static bool has_virtual_nmis(void)
{
	return pin_offers(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
}

static void nmi_taken_by_l2(void)
{
	struct vm *vm = create(l2_send_ipi, false, false);

	prepare_nmi(vm);
	vm_run(vm);
	say("frame vector=%lu; ", vm_l2_frame() ? vm_l2_frame()->vector : 0);
	vm_skip(vm);
	vm_step(vm);
	say("; left for L1: %u", traps_count(VECTOR_NMI));
}

/* Expect: L1's own NMI reaches L1 once. */
static void nmi_in_l1(void)
{
	traps_reset();
	apic_self_nmi();
	for (u32 i = 0; i < SPIN_LIMIT && !traps_count(VECTOR_NMI); i++)
		;
	say("%u", traps_count(VECTOR_NMI));
}

void start_timer_behind_entry(struct vm *vm, u8 vector)
{
	const u8 *code = (const u8 *)vm->code;
	u64 flags = vmread(GUEST_RFLAGS), begin = rdtsc(), ticks;

	vm_restart(vm, l2_nops);
	if (!vm_run(vm))
		scenario_abort(" (entry refused)");
	vm_restart(vm, code);
	vmwrite(GUEST_RFLAGS, flags);
	ticks = 2 * (rdtsc() - begin);
	apic_start_timer(vector, ticks > TIMER_TICKS ? (u32)ticks : TIMER_TICKS);
}

/* L2 does STI and HLT, and only then comes the interrupt. */
static void halt(struct vm *vm)
{
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_HLT_EXITING);
	start_timer_behind_entry(vm, VECTOR);
	vm_step(vm);
}

/* Expect: the interrupt ends HLT in L2; RIP is behind HLT either way. */
static void wakes_halted_l2(void)
{
	struct vm *vm = create(l2_sti_hlt, false, false);

	halt(vm);
	apic_end_of_interrupt();
	say(" activity=%lu", vmread(GUEST_ACTIVITY_STATE));
	vm_skip(vm);
	say("; ");
	vm_step(vm);
}

static void halted_l2_exits(void)
{
	struct vm *vm = create(l2_sti_hlt, true, true);

	halt(vm);
	apic_end_of_interrupt();
	say_left();
}

/* Expect: L1's timer ends an L2 that runs on and on. */
static void preempts_spinning_l2(void)
{
	struct vm *vm = create(l2_spin, true, true);

	start_timer_behind_entry(vm, VECTOR);
	say_exit_without_rip(vm);
	apic_end_of_interrupt();
	say_left();
}

SCENARIOS(interrupt_scenarios,
	{ "interrupt.exits_unacknowledged", exits_unacknowledged,
	  "EXTERNAL_INTERRUPT(1) event=none rip=+0; left for L1: 1; VMCALL(18) length=3 rip=+3", NULL },
	{ "interrupt.exits_acknowledged", exits_acknowledged,
	  "EXTERNAL_INTERRUPT(1) event=0x80000070 rip=+0; left for L1: 0; VMCALL(18) length=3 rip=+3",
	  NULL },
	{ "interrupt.taken_by_l2", taken_by_l2,
	  "L2 took #112 from +0 rflags=0x202; VMCALL(18) length=3 rip=+3; left for L1: 0", NULL },
	{ "interrupt.blocked_in_l2", blocked_in_l2, "VMCALL(18) length=3 rip=+3; left for L1: 1", NULL },
	{ "interrupt.sent_by_l2", sent_by_l2,
	  "EXTERNAL_INTERRUPT event=0x80000070; left for L1: 0; VMCALL(18) length=3 rip=+32", NULL },
	{ "nmi.exits", nmi_exits,
	  "EXCEPTION_OR_NMI event=0x80000202 left for L1: 0; VMCALL(18) length=3 rip=+32", NULL },
	{ "nmi.exits_virtual", nmi_exits_virtual,
	  "EXCEPTION_OR_NMI event=0x80000202 interruptibility=8", has_virtual_nmis },
	{ "nmi.taken_by_l2", nmi_taken_by_l2,
	  "frame vector=2; VMCALL(18) length=3 rip=+32; left for L1: 0", NULL },
	{ "nmi.in_l1", nmi_in_l1, "1", NULL },
	{ "interrupt.wakes_halted_l2", wakes_halted_l2,
	  "L2 took #112 from +2 rflags=0x202 activity=0; VMCALL(18) length=3 rip=+2", NULL },
	{ "interrupt.halted_l2_exits", halted_l2_exits,
	  "EXTERNAL_INTERRUPT(1) event=0x80000070 rip=+2; left for L1: 0", NULL },
	{ "interrupt.preempts_spinning_l2", preempts_spinning_l2,
	  "EXTERNAL_INTERRUPT event=0x80000070; left for L1: 0", NULL },
);
