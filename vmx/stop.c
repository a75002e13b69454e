/* SPDX-License-Identifier: MIT */
/*
 * See vmx/stop.h. Departs from SDM "Interrupt Command Register (ICR)": an INIT of L1's that comes within the few
 * milliseconds for which L0's own may be on its way is taken for L0's.
 */
#include "vmx/stop.h"

#include "arch/ops.h"

/* For how long after a stop an INIT may still come out: the entry that lets it is a matter of microseconds. */
#define INIT_TICKS UINT64_C(64000000)

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

void stop_note_init(struct percpu *target)
{
	__atomic_store_n(&target->own_init_until, STOP_INIT_IS_SENT, __ATOMIC_SEQ_CST);
}

void stop_await_init(struct percpu *cpu)
{
	__atomic_store_n(&cpu->own_init_until, rdtsc() + INIT_TICKS, __ATOMIC_SEQ_CST);
}

/* L1 may have set the TSC: further away than it ever was is over, too. */
static bool is_awaited(u64 until)
{
	u64 left = until - rdtsc();

	return until != 0 && left != 0 && left <= INIT_TICKS;
}

bool stop_takes_init(struct percpu *cpu)
{
	u64 until = __atomic_load_n(&cpu->own_init_until, __ATOMIC_SEQ_CST);

	if (until != STOP_INIT_IS_SENT)
		return is_awaited(until);
	/* It has come after the stop for which it was meant; during one another may follow. */
	if (!stop_is_wanted())
		__atomic_store_n(&cpu->own_init_until, 0, __ATOMIC_SEQ_CST);
	return true;
}
