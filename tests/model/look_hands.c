/* SPDX-License-Identifier: MIT */
/* See tests/model/look_hands.h. The model has one processor; commands for others are told that they wait for SIPI. */
#include "tests/model/look_hands.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"
#include "vmx/nested/quick_switch.h"

struct hands hands;

static jmp_buf after_reset;

/* All that commands must leave alone. */
struct everything {
	struct vcpu vcpu;
	struct percpu cpu;
	struct nested nested;
	struct vmcs12 vmcs12[NESTED_SLOTS];
	struct processor processor;
};

noreturn void monitor_reset(void)
{
	longjmp(after_reset, 1);
}

bool monitor_on(struct monitor *monitor, u32 cpu, monitor_work *work, void *argument)
{
	return cpu ? out_line(monitor->out, "CPU %u: waits for SIPI", cpu) : work(monitor, &model.vcpu, argument);
}

void hands_begin(void)
{
	memset(&hands, 0, sizeof(hands));
	collect_begin(&hands.answer);
	hands.monitor.out = &hands.answer.out;
	hands.monitor.handoff = &model.handoff;
}

static void take_down(struct everything *now)
{
	now->vcpu = model.vcpu;
	now->cpu = model.cpu;
	now->nested = *model.vcpu.nested;
	for (u32 i = 0; i < NESTED_SLOTS; i++)
		now->vmcs12[i] = *model.vcpu.nested->slots[i].vmcs12;
	now->processor = processor;
}

/* What L0 executes; and a shadow VMCS need not be active any more: it is made so before each use. */
static void forgive(struct everything *now)
{
	now->processor.vmreads = 0;
	for (u32 i = 0; i < MODEL_REGIONS; i++)
		now->processor.regions[i].active = false;
}

static void compare(struct everything *before, struct everything *after)
{
	forgive(before);
	forgive(after);
	require(memcmp(&before->vcpu, &after->vcpu, sizeof(before->vcpu)) == 0);
	require(memcmp(&before->cpu, &after->cpu, sizeof(before->cpu)) == 0);
	require(memcmp(&before->nested, &after->nested, sizeof(before->nested)) == 0);
	require(memcmp(before->vmcs12, after->vmcs12, sizeof(before->vmcs12)) == 0);
	require(memcmp(&before->processor, &after->processor, sizeof(before->processor)) == 0);
}

static bool command(const char *line)
{
	char typed[EDIT_SIZE];

	require(strlen(line) < sizeof(typed));
	strcpy(typed, line);
	hands.was_reset = false;
	if (setjmp(after_reset) == 0)
		return monitor_command(&hands.monitor, typed);
	hands.was_reset = true;
	return true;
}

bool hands_command(const char *line)
{
	static struct everything before, after;
	bool in_guest = processor.in_guest, goes_on;

	processor.in_guest = false;
	quick_count(&model.vcpu); /* "exits" asks for it; CPUID does the same */
	collect_begin(&hands.answer);
	take_down(&before);
	goes_on = command(line);
	take_down(&after);
	compare(&before, &after);
	for (u32 i = 0; i < COUNTED_EXIT_REASONS; i++)
		require(after.cpu.counter[COUNTER_KEPT + i] <= after.cpu.counter[COUNTER_BY_REASON_L2 + i]);
	require(collect_width(&hands.answer) <= OUT_COLUMNS || strstr(hands.answer.text, "trace ") != NULL);
	processor.in_guest = in_guest;
	return goes_on;
}
