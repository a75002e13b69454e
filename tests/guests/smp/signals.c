/* SPDX-License-Identifier: MIT */
/* See tests/guests/smp/signals.h. */
#include "tests/guests/smp/signals.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"
#include "tests/guests/smp/smp_guest.h"

#define SETTLE_TICKS 300000

struct signals signals;

void signals_reset(void)
{
	memset(&signals, 0, sizeof(signals));
	signals.counter = page_alloc();
	*signals.counter = 0;
}

struct vm *signals_prepare(const u8 *code)
{
	struct vm *vm;

	vmx_on();
	vm = vm_create(code);
	vm->gpr[RSI] = (u64)signals.counter;
	return vm;
}

void signals_meet(u32 round)
{
	signals.round = round;
	WAIT_UNTIL(signals.go >= round, "the boot processor");
}

void signals_await(u32 round)
{
	WAIT_UNTIL(signals.round >= round || cpu_is_done(TARGET), "the target");
	signals_settle();
}

void signals_await_l2(u32 round)
{
	u64 count;

	WAIT_UNTIL(signals.round >= round || cpu_is_done(TARGET), "the target");
	count = *signals.counter;
	WAIT_UNTIL(*signals.counter > count + 20 || cpu_is_done(TARGET), "L2");
}

void signals_answer(u32 round)
{
	signals.go = round;
}

void signals_settle(void)
{
	delay(SETTLE_TICKS);
}

bool signals_has_wait_for_sipi(void)
{
	return has_others() && (rdmsr(IA32_VMX_MISC) & BIT(8));
}
