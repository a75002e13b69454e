/* SPDX-License-Identifier: MIT */
/*
 * Fixed interrupts and the timer at a high rate, with L2 on all processors:
 * each sends to the next, one interrupt at a time with changing vectors, and
 * takes what comes from the one before. None may be lost, or be taken by the
 * wrong level; in the mixed modes NMIs come in between, one at a time too.
 * SDM "External Interrupts".
 */
#include "tests/guests/storm/storm.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define SHOTS 200
#define FIRST_VECTOR 0x60
#define VECTORS 16
#define TIMER_VECTOR 0x50
#define TIMER_TICKS 9000
#define LONGEST_WAIT 6
#define LONGEST_DELAY 600

#define NMI_SHOTS 120

struct sender {
	u32 sent, nmis, wait;
	bool finished;
};

static const struct mode modes[] = {
	{ .name = "acknowledged", .pin = PIN_EXTERNAL_INTERRUPT_EXITING, .acknowledge = true, .interruptible = true },
	{ .name = "unacknowledged", .pin = PIN_EXTERNAL_INTERRUPT_EXITING, .interruptible = true },
	{ .name = "l2", .interruptible = true },
	{ .name = "mixed_exits", .pin = PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, .acknowledge = true,
	  .interruptible = true, .sends_nmis = true },
	{ .name = "mixed_l2", .interruptible = true, .sends_nmis = true },
	{ .name = "mixed_nmi_exits", .pin = PIN_NMI_EXITING, .interruptible = true, .sends_nmis = true },
};

static struct sender senders[MAX_CPUS];
static struct barrier barrier;
static volatile u32 finished;

static u8 vector_of(u32 shot)
{
	return (u8)(FIRST_VECTOR + shot % VECTORS);
}

static u32 taken_in_all(const struct receiver *r)
{
	u32 sum = 0;

	for (u32 i = 0; i < VECTORS; i++)
		sum += taken(r, (u8)(FIRST_VECTOR + i));
	return sum;
}

/* The next one when the last has been taken, and then an exit or a few later. */
static void send_next(struct sender *s, u32 to)
{
	if (s->sent == SHOTS || taken_in_all(&receivers[to]) != s->sent)
		return;
	if (s->wait) {
		s->wait--;
		return;
	}
	cpu_send_vector(to, vector_of(s->sent++));
	s->wait = s->sent % LONGEST_WAIT;
}

static void send_next_nmi(struct sender *s, u32 to)
{
	if (s->nmis == NMI_SHOTS || taken(&receivers[to], VECTOR_NMI) != s->nmis)
		return;
	/* Processors that run the same code in step would meet at the same place always. */
	delay(storm_random(LONGEST_DELAY));
	s->nmis++;
	cpu_send_nmi(to);
}

/* Finished is who has sent all and knows that all was taken. */
static void send(struct sender *s, u32 to)
{
	const struct receiver *r = &receivers[to];
	u32 nmis = r->mode->sends_nmis ? NMI_SHOTS : 0;

	if (s->finished)
		return;
	send_next(s, to);
	if (nmis)
		send_next_nmi(s, to);
	if (s->sent != SHOTS || s->nmis != nmis || taken_in_all(r) != SHOTS || taken(r, VECTOR_NMI) != nmis)
		return;
	s->finished = true;
	__atomic_add_fetch(&finished, 1, __ATOMIC_ACQ_REL);
}

static void send_and_receive(void *receiver)
{
	struct receiver *r = receiver;
	u32 here = cpu_here(), to = (here + 1) % cpu_count();
	struct deadline deadline = deadline_in(WAIT_TICKS);

	receiver_start(r);
	barrier_wait(&barrier, cpu_count());
	apic_start_periodic_timer(TIMER_VECTOR, TIMER_TICKS);
	while (finished < cpu_count()) {
		send(&senders[here], to);
		receiver_step(r);
		deadline_check(&deadline, "interrupt");
	}
	apic_stop_timer();
	/* What the timer still has pending is taken here and not by the next scenario. */
	for (u32 i = 0; i < 20; i++)
		receiver_step(r);
	receiver_end(r);
	for (u32 i = 0; i < 4; i++)
		open_interrupt_window();
}

static u32 at_wrong_level(const struct receiver *r, bool exits)
{
	u32 wrong = 0;

	for (u32 vector = 32; vector < 256; vector++)
		wrong += exits ? taken_by_l2(r, (u8)vector) : taken_by_l1(r, (u8)vector);
	return wrong;
}

static u32 judge(u32 cpu, const struct mode *mode)
{
	const struct receiver *r = &receivers[cpu];
	u32 wrong_vectors = 0, wrong_level = at_wrong_level(r, mode->pin & PIN_EXTERNAL_INTERRUPT_EXITING);
	u32 timer = taken(r, TIMER_VECTOR), nmis = taken(r, VECTOR_NMI);
	u32 wrong_nmis = nmis != (mode->sends_nmis ? NMI_SHOTS : 0);

	for (u32 i = 0; i < VECTORS; i++)
		wrong_vectors += taken(r, (u8)(FIRST_VECTOR + i)) != SHOTS / VECTORS + (i < SHOTS % VECTORS);
	info("storm.interrupts cpu=%u mode=%s sent=%u taken=%u timer=%u in %lu exits", cpu, mode->name, senders[cpu].sent,
	     taken_in_all(r), timer, r->exits);
	if (mode->sends_nmis)
		info("storm.nmi cpu=%u mode=%s sent=%u taken=%u (L1 %u, L2's handler %u)", cpu, mode->name, NMI_SHOTS, nmis,
		     taken_by_l1(r, VECTOR_NMI), taken_by_l2(r, VECTOR_NMI));
	if (wrong_vectors || wrong_level || wrong_nmis || timer < 3)
		say("cpu %u: wrong vectors %u, wrong level %u, NMIs %u, timer %u; ", cpu, wrong_vectors, wrong_level, nmis, timer);
	return wrong_vectors + wrong_level + wrong_nmis + (timer < 3);
}

static void exchange(const struct mode *mode)
{
	u32 wrong = 0;

	finished = 0;
	memset(senders, 0, sizeof(senders));
	memset(&barrier, 0, sizeof(barrier));
	for (u32 cpu = 0; cpu < cpu_count(); cpu++)
		receiver_reset(&receivers[cpu], mode);
	all_call(send_and_receive, receivers, sizeof(receivers[0]));
	for (u32 cpu = 0; cpu < cpu_count(); cpu++)
		wrong += judge(cpu, mode);
	say("%s", wrong ? "not equal" : "equal");
}

#define EXCHANGE(name, mode) static void name(void) { exchange(&modes[mode]); }
EXCHANGE(acknowledged, 0)
EXCHANGE(unacknowledged, 1)
EXCHANGE(taken_in_l2, 2)
EXCHANGE(mixed_exits, 3)
EXCHANGE(mixed_l2, 4)
EXCHANGE(mixed_nmi_exits, 5)

static bool has_virtual_nmis(void)
{
	return pin_offers(modes[3].pin);
}

SCENARIOS(interrupt_storms,
	{ "storm.interrupts_acknowledged", acknowledged, "equal", NULL },
	{ "storm.interrupts_unacknowledged", unacknowledged, "equal", NULL },
	{ "storm.interrupts_taken_by_l2", taken_in_l2, "equal", NULL },
	{ "storm.mixed_exits", mixed_exits, "equal", has_virtual_nmis },
	{ "storm.mixed_taken_by_l2", mixed_l2, "equal", NULL },
	{ "storm.mixed_nmi_exits", mixed_nmi_exits, "equal", NULL },
);
