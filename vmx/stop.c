/* SPDX-License-Identifier: MIT */
/*
 * See vmx/stop.h. A processor has room for one INIT: when one that L0 has sent has come, no other does. Departs from SDM "Interrupt
 * Command Register (ICR)" where more may be on their way, or where it never came (L1 had disabled the APIC; Bochs): for a few
 * milliseconds an INIT of L1's is taken for L0's.
 */
#include "vmx/stop.h"

#include "arch/ops.h"

/* For how long after a stop an INIT may still come out: the entry that lets it is a matter of microseconds. */
#define INIT_TICKS UINT64_C(64000000)

#define MORE_THAN_ONE UINT64_C(1)	/* in own_init_until */

static u32 owner;	/* index + 1 of the processor that asked; 0: none */

static u32 own_mark(void)
{
	return percpu()->index + 1;
}

bool stop_request(void)
{
	u32 expected = 0;

	if (!__atomic_compare_exchange_n(&owner, &expected, own_mark(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	(void)__atomic_fetch_or(&stop_reasons, STOP_WANTED, __ATOMIC_SEQ_CST);
	return true;
}

bool stop_is_mine(void)
{
	return __atomic_load_n(&owner, __ATOMIC_RELAXED) == own_mark();
}

void stop_end(void)
{
	(void)__atomic_fetch_and(&stop_reasons, ~STOP_WANTED, __ATOMIC_SEQ_CST);
	__atomic_store_n(&owner, 0, __ATOMIC_RELEASE);
}

/* L1 may have set the TSC: further away than it ever was is over, too. */
static bool is_awaited(u64 until)
{
	u64 left = until - rdtsc();

	return until != 0 && left != 0 && left <= INIT_TICKS;
}

static bool replace(struct percpu *cpu, u64 *expected, u64 by)
{
	return __atomic_compare_exchange_n(&cpu->own_init_until, expected, by, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void stop_note_init(struct percpu *target)
{
	u64 until = __atomic_load_n(&target->own_init_until, __ATOMIC_SEQ_CST);
	bool another;

	do
		another = until >= STOP_INIT_IS_SENT || is_awaited(until);
	while (!replace(target, &until, another ? STOP_INITS_ARE_SENT : STOP_INIT_IS_SENT));
}

void stop_await_init(struct percpu *cpu)
{
	u64 until = __atomic_load_n(&cpu->own_init_until, __ATOMIC_SEQ_CST), end = (rdtsc() + INIT_TICKS) & ~MORE_THAN_ONE;

	while (!replace(cpu, &until, end | (until & MORE_THAN_ONE)))
		;
}

bool stop_takes_init(struct percpu *cpu)
{
	u64 until = __atomic_load_n(&cpu->own_init_until, __ATOMIC_SEQ_CST);
	bool is_own;

	do {
		is_own = until >= STOP_INIT_IS_SENT || is_awaited(until);
		if (is_own && (until & MORE_THAN_ONE)) {
			/* After the stop for which it was meant: another comes soon, or is none. */
			if (until == STOP_INITS_ARE_SENT && !stop_is_wanted())
				stop_await_init(cpu);
			return true;
		}
	} while (!replace(cpu, &until, 0));
	return is_own;
}
