/* SPDX-License-Identifier: MIT */
/*
 * Fixed interrupts and the timer at a high rate, with L2 on all processors:
 * each sends to the next, one interrupt at a time with changing vectors, and
 * takes what comes from the one before. None may be lost, or be taken by the
 * wrong level. SDM "External Interrupts".
 */
#include "tests/guests/storm/storm.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"

#define SHOTS 200
#define FIRST_VECTOR 0x60
#define VECTORS 16
#define TIMER_VECTOR 0x50
#define TIMER_TICKS 9000
#define LONGEST_WAIT 6

struct sender {
	u32 sent, lost;
	bool finished;
};

static const struct mode modes[] = {
	{ .name = "acknowledged", .pin = PIN_EXTERNAL_INTERRUPT_EXITING, .acknowledge = true, .interruptible = true },
	{ .name = "unacknowledged", .pin = PIN_EXTERNAL_INTERRUPT_EXITING, .interruptible = true },
	{ .name = "l2", .interruptible = true },
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
static void send_next(struct sender *s, u32 to, u32 *wait)
{
	const struct receiver *r = &receivers[to];

	if (s->finished || taken_in_all(r) != s->sent)
		return;
	if (*wait) {
		--*wait;
		return;
	}
	if (s->sent == SHOTS) {
		s->finished = true;
		__atomic_add_fetch(&finished, 1, __ATOMIC_ACQ_REL);
		return;
	}
	cpu_send_vector(to, vector_of(s->sent++));
	*wait = s->sent % LONGEST_WAIT;
}

static void send_and_receive(void *receiver)
{
	struct receiver *r = receiver;
	u32 here = cpu_here(), to = (here + 1) % cpu_count(), wait = 0;
	struct deadline deadline = deadline_in(WAIT_TICKS);

	receiver_start(r);
	barrier_wait(&barrier, cpu_count());
	apic_start_periodic_timer(TIMER_VECTOR, TIMER_TICKS);
	while (finished < cpu_count()) {
		send_next(&senders[here], to, &wait);
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
	u32 timer = taken(r, TIMER_VECTOR);

	for (u32 i = 0; i < VECTORS; i++)
		wrong_vectors += taken(r, (u8)(FIRST_VECTOR + i)) != SHOTS / VECTORS + (i < SHOTS % VECTORS);
	info("storm.interrupts cpu=%u mode=%s sent=%u taken=%u timer=%u in %lu exits", cpu, mode->name, senders[cpu].sent,
	     taken_in_all(r), timer, r->exits);
	if (wrong_vectors || wrong_level || timer < 3)
		say("cpu %u: wrong vectors %u, wrong level %u, timer %u; ", cpu, wrong_vectors, wrong_level, timer);
	return wrong_vectors + wrong_level + (timer < 3);
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

SCENARIOS(interrupt_storms,
	{ "storm.interrupts_acknowledged", acknowledged, "equal", NULL },
	{ "storm.interrupts_unacknowledged", unacknowledged, "equal", NULL },
	{ "storm.interrupts_taken_by_l2", taken_in_l2, "equal", NULL },
);
