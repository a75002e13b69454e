/* SPDX-License-Identifier: MIT */
/*
 * NMIs, INITs and SIPIs as fast as they can be sent. They may merge, so that
 * fewer arrive than were sent; afterwards all must be as ever.
 */
#include "tests/guests/storm/storm.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define FLOOD 400
#define SETTLE 200000

static const struct mode modes[] = {
	{ .name = "handler" },
	{ .name = "exiting", .pin = PIN_NMI_EXITING },
	{ .name = "virtual", .pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS },
};

/* One more at the end must be taken exactly once: nothing is left over, nothing is stuck. */
static bool takes_one_more(u32 cpu)
{
	const struct receiver *r = &receivers[cpu];
	u32 before = taken(r, VECTOR_NMI);

	cpu_send_nmi(cpu);
	WAIT_UNTIL(taken(r, VECTOR_NMI) != before || cpu_is_done(cpu), "NMI after the flood");
	delay(SETTLE);
	return taken(r, VECTOR_NMI) == before + 1;
}

static void nmis(void)
{
	u32 wrong = 0;

	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
			const struct receiver *r = &receivers[cpu];
			u32 count;

			receiver_ask(cpu, &modes[i]);
			for (u32 sent = 0; sent < FLOOD; sent++)
				cpu_send_nmi(cpu);
			delay(SETTLE);
			count = taken(r, VECTOR_NMI);
			wrong += !count || count > FLOOD;
			wrong += !takes_one_more(cpu);
			receiver_stop(cpu);
			info("storm.nmi_flood cpu=%u mode=%s sent=%u taken=%u", cpu, modes[i].name, FLOOD, count);
		}
	}
	say("wrong=%u", wrong);
}

/* Expect: exits with reason INIT in L2; in VMX root operation INIT waits. */
static void inits(void)
{
	u32 wrong = 0;

	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		const struct receiver *r = &receivers[cpu];
		u32 count, boots = cpus[cpu].boots;

		receiver_ask(cpu, &modes[1]);
		for (u32 sent = 0; sent < FLOOD; sent++) {
			cpu_send_init(cpu);
			delay(storm_random(2000));
		}
		/* L2 goes on until no INIT is left: VMXOFF would let it through. */
		delay(SETTLE);
		count = r->inits;
		wrong += !count || count > FLOOD || cpus[cpu].boots != boots;
		wrong += !takes_one_more(cpu);
		receiver_stop(cpu);
		info("storm.init_flood cpu=%u sent=%u taken=%u", cpu, FLOOD, count);
	}
	say("wrong=%u", wrong);
}

/* Expect: nothing of those that come while L2 or L1 runs, one start of those that come while it is awaited. */
static void sipis(void)
{
	u32 wrong = 0;

	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		u32 boots = cpus[cpu].boots;

		receiver_ask(cpu, &modes[0]);
		for (u32 sent = 0; sent < FLOOD; sent++)
			cpu_send_sipi(cpu);
		wrong += !takes_one_more(cpu);
		receiver_stop(cpu);
		wrong += cpus[cpu].boots != boots;
		for (u32 i = 1; i <= 5; i++) {
			cpus[cpu].state = CPU_RUNNING;
			cpu_send_init(cpu);
			delay(100000);
			for (u32 sent = 0; sent < 20; sent++)
				cpu_send_sipi(cpu);
			WAIT_UNTIL(cpus[cpu].boots != boots + i - 1, "start");
			delay(SETTLE);
			wrong += cpus[cpu].boots != boots + i;
		}
		receiver_ask(cpu, &modes[0]);
		wrong += !takes_one_more(cpu);
		receiver_stop(cpu);
	}
	say("wrong=%u", wrong);
}

SCENARIOS(flood_storms,
	{ "storm.nmi_flood", nmis, "wrong=0", has_others },
	{ "storm.init_flood", inits, "wrong=0", has_others },
	{ "storm.sipi_flood", sipis, "wrong=0", has_others },
);
