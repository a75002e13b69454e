/* SPDX-License-Identifier: MIT */
/*
 * NMIs one at a time, at all moments of the receiver's work: each must be
 * taken, once. SDM "Nonmaskable Interrupt (NMI)", "Virtual NMIs".
 */
#include "tests/guests/storm/storm.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SHOTS 200
#define SHORTEST_DELAY 4000
#define LONGEST_DELAY 10000
#define SETTLE 30000
#define ROUNDS 300
#define X2APIC_ICR 0x830

enum { ROOT, HANDLER, STACK, EXITING, VIRTUAL, HANDED_ON };

static const struct mode modes[] = {
	[ROOT] = { .name = "root", .no_l2 = true },
	[HANDLER] = { .name = "handler" },
	[STACK] = { .name = "stack", .loses_stack = true },
	[EXITING] = { .name = "exiting", .pin = PIN_NMI_EXITING },
	[VIRTUAL] = { .name = "virtual", .pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS },
	[HANDED_ON] = { .name = "handed_on", .pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, .hands_on = true },
};

/*
 * One processor, SHOTS NMIs. The delay lets what arrives twice be counted
 * before the next is sent, with which it would merge.
 */
static u32 bombard(u32 cpu, const struct mode *mode)
{
	struct receiver *r = &receivers[cpu];
	u32 unequal = 0;

	receiver_ask(cpu, mode);
	for (u32 sent = 1; sent <= SHOTS; sent++) {
		cpu_send_nmi(cpu);
		WAIT_UNTIL(taken(r, VECTOR_NMI) >= sent || cpu_is_done(cpu), "NMI");
		delay(SHORTEST_DELAY + storm_random(LONGEST_DELAY - SHORTEST_DELAY));
		unequal += taken(r, VECTOR_NMI) != sent;
	}
	delay(SETTLE);
	receiver_stop(cpu);
	info("storm.nmi cpu=%u mode=%s sent=%u taken=%u (L1's handler %u, exits %u, L2's handler %u) in %lu exits", cpu, mode->name,
	     SHOTS, taken(r, VECTOR_NMI), taken_by_l1(r, VECTOR_NMI) - r->taken_l1[VECTOR_NMI], r->taken_l1[VECTOR_NMI],
	     taken_by_l2(r, VECTOR_NMI), r->exits);
	unequal += taken(r, VECTOR_NMI) != SHOTS;
	if (unequal)
		say("cpu %u: taken=%u, unequal %u times; ", cpu, taken(r, VECTOR_NMI), unequal);
	return unequal;
}

static void bombard_all(const struct mode *mode)
{
	u32 unequal = 0;

	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		unequal += bombard(cpu, mode);
	say("%s", unequal ? "not equal" : "equal");
}

#define BOMBARD(name, mode) static void name(void) { bombard_all(&modes[mode]); }
BOMBARD(bombard_root, ROOT)
BOMBARD(bombard_handler, HANDLER)
BOMBARD(bombard_stack, STACK)
BOMBARD(bombard_exiting, EXITING)
BOMBARD(bombard_virtual, VIRTUAL)
BOMBARD(bombard_handed_on, HANDED_ON)

/* Lets L2 write the command register in the mode the APIC is in. */
static void give_command_register(struct vm *vm)
{
	vm->gpr[R10] = ICR_NMI | ICR_ASSERT;
	vm->gpr[R12] = apic_id();
	if (apic_is_x2apic()) {
		vm->gpr[R9] = 1;
		*((u8 *)vm->msr_bitmap + 2048 + X2APIC_ICR / 8) &= (u8)~(1u << (X2APIC_ICR & 7));
		return;
	}
	apic_write(APIC_ICR_HIGH, apic_id() << 24);
	vm->gpr[R8] = (rdmsr(IA32_APIC_BASE) & 0xfffff000) + APIC_ICR_LOW;
}

/* The processor's own: from L2 in each round, from L1 before some entries. */
static void self(const struct mode *mode)
{
	struct receiver *r = &receivers[0];
	u32 sent_by_l1 = 0, unequal = 0;
	u64 round = 0, sent;

	receiver_reset(r, mode);
	receiver_start(r);
	give_command_register(r->vm);
	while (r->rounds < ROUNDS) {
		if (storm_random(8) == 0) {
			apic_self_nmi();
			sent_by_l1++;
		}
		receiver_step(r);
		if (r->rounds == round)
			continue;
		round = r->rounds;
		/* What L1 hands on may still wait for its window. */
		unequal += taken(r, VECTOR_NMI) + r->to_hand_on != sent_by_l1 + r->vm->gpr[R11];
	}
	r->vm->gpr[R8] = r->vm->gpr[R9] = 0;
	while (r->rounds < ROUNDS + 2)
		receiver_step(r);
	sent = sent_by_l1 + r->vm->gpr[R11];
	receiver_end(r);
	info("storm.nmi_self mode=%s sent=%lu taken=%u (L1's handler %u, exits %u, L2's handler %u)", mode->name, sent,
	     taken(r, VECTOR_NMI), taken_by_l1(r, VECTOR_NMI) - r->taken_l1[VECTOR_NMI], r->taken_l1[VECTOR_NMI],
	     taken_by_l2(r, VECTOR_NMI));
	unequal += taken(r, VECTOR_NMI) != sent;
	say("%s: %s; ", mode->name, unequal ? "not equal" : "equal");
}

static void self_all(void)
{
	for (u32 i = HANDLER; i < ARRAY_SIZE(modes); i++)
		self(&modes[i]);
}

static bool has_virtual_nmis(void)
{
	return pin_offers(modes[VIRTUAL].pin) && proc_offers(PROC_NMI_WINDOW_EXITING);
}

static bool has_others_and_virtual_nmis(void)
{
	return has_others() && has_virtual_nmis();
}

SCENARIOS(nmi_storms,
	{ "storm.nmi_self", self_all,
	  "handler: equal; stack: equal; exiting: equal; virtual: equal; handed_on: equal; ", has_virtual_nmis },
	{ "storm.nmi_root", bombard_root, "equal", has_others },
	{ "storm.nmi_handler", bombard_handler, "equal", has_others },
	{ "storm.nmi_stack", bombard_stack, "equal", has_others },
	{ "storm.nmi_exiting", bombard_exiting, "equal", has_others },
	{ "storm.nmi_virtual", bombard_virtual, "equal", has_others_and_virtual_nmis },
	{ "storm.nmi_handed_on", bombard_handed_on, "equal", has_others_and_virtual_nmis },
);
