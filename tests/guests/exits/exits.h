/* SPDX-License-Identifier: MIT */
/* The lists of the guest that looks at whole exits, one for each file, and what they share. */
#pragma once

#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm_exit.h"

#define LIST(name) extern const struct scenario name[]; extern const u64 name##_count
LIST(instruction_scenarios);
LIST(register_scenarios);
LIST(string_io_scenarios);
LIST(memory_scenarios);
LIST(apic_scenarios);
LIST(carried_out_scenarios);
LIST(debug_scenarios);
LIST(fault_scenarios);
LIST(unblocking_scenarios);
LIST(trap_flag_scenarios);
LIST(task_scenarios);
LIST(priority_scenarios);
LIST(state_scenarios);
LIST(task_priority_scenarios);
#undef LIST

#define SCENARIOS(name, ...)                              \
	const struct scenario name[] = { __VA_ARGS__ };   \
	const u64 name##_count = ARRAY_SIZE(name)

#define L2(name) extern const u8 l2_##name[]

/* One exit of a walk, a line of its own. */
struct exit_line {
	const char *name, *expected;
};

/* Runs L2 from one exit to the next, steps over the instructions that exited, and says each, as many as there are lines. */
void walk(struct vm *vm, const struct exit_line *lines, u64 count);
/* vm_run() and vm_say_block(); an entry that fails ends the scenario. */
void step(struct vm *vm);
/* L2 takes its exceptions itself. */
struct vm *create_free(const u8 *code);
/* A page at an address that EPT12 maps by it alone. */
u64 *map_page(struct vm *vm, u64 address);

/* Linear and guest-physical addresses that no EPT12 maps at first. */
#define TEST_ADDRESS (5ull << 30)
