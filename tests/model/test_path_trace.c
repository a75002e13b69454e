/* SPDX-License-Identifier: MIT */
/*
 * The trace of what L0 does on the model: each exit once, with what was true when it came, and
 * nothing that happens otherwise because it is recorded.
 */
#include <string.h>

#include "tests/model/scene.h"
#include "vmx/quick.h"
#include "vmx/trace_exits.h"

#define KILOBYTES 8
#define ROUNDS 6
#define BITMAP UINT64_C(0xa0000)

/* L1 whose L2s take the quick way after a while, with an MSR bitmap of zeros. */
static void play(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_IA32_EFER | EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_PAT |
		      EXIT_LOAD_IA32_PAT, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_EFER | ENTRY_LOAD_IA32_PAT, 0);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_play();
}

static void play_traced(void)
{
	play();
	model.handoff.trace_kilobytes = KILOBYTES;
	assert_true(trace_prepare(&model.vcpu));
}

static const struct trace_transition *recent(u64 age)
{
	const struct trace_record *record = trace_ring_recent(&model.vcpu.trace.ring, age);

	assert_non_null(record);
	return (const struct trace_transition *)(const void *)record;
}

static u64 recorded(void)
{
	return model.vcpu.trace.ring.header->count;
}

static void check(const struct trace_transition *record, u8 level, u8 next, u32 reason, enum trace_owner owner)
{
	assert_int_equal(record->kind, TRACE_TRANSITION);
	assert_int_equal(record->level, level);
	assert_int_equal(record->next, next);
	assert_int_equal(record->reason, reason);
	assert_int_equal(record->owner, owner);
	assert_true(record->cost > 0);
}

static void round_trips(u32 rounds)
{
	for (u32 i = 0; i < rounds; i++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
	}
}

/* Expect: VMRESUME from L1 to L2, CPUID from L2 to L1 with L2's RIP, the second one quick like the entry. */
static void a_round_trip_is_two_records(void **state)
{
	const struct trace_transition *exit, *entry;
	u64 rip, before;

	(void)state;
	play_traced();
	round_trips(ROUNDS);
	rip = l1_get(VMCS_GUEST_RIP);
	before = recorded();
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	for (u64 age = 0;; age++) {
		exit = recent(age);
		if (exit->level == 2)
			break;
		/* What scene_exit_to_l1() asks is not shadowed everywhere. */
		check(exit, 1, 1, EXIT_VMREAD, TRACE_BY_L0);
	}
	check(exit, 2, 1, EXIT_CPUID, TRACE_BY_L1);
	assert_true(exit->rip == rip && exit->vmcs == L1_REGION(0));
	assert_int_equal(exit->way, TRACE_QUICK);
	entry = &((const struct trace_transition *)(const void *)model.vcpu.trace.ring.records)[before];
	check(entry, 1, 2, EXIT_VMRESUME, TRACE_BY_L0);
	assert_true(entry->vmcs == L1_REGION(0) && entry->tsc + entry->cost <= exit->tsc);
	assert_int_equal(entry->way, TRACE_QUICK);
}

static void what_l0_handles_stays_in_l2(void **state)
{
	(void)state;
	play_traced();
	scene_enter();
	scene_exit_to_l0();
	check(recent(0), 2, 2, EXIT_RDMSR, TRACE_BY_L0);
	assert_int_equal(recent(0)->way, TRACE_LONG);
	check(recent(1), 1, 2, EXIT_VMLAUNCH, TRACE_BY_L0);
}

static void play_and_count(bool traced, u64 counters[COUNTER_END])
{
	play();
	if (traced) {
		model.handoff.trace_kilobytes = KILOBYTES;
		assert_true(trace_prepare(&model.vcpu));
	}
	round_trips(ROUNDS);
	scene_enter();
	scene_exit_to_l0();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_true(model_exit_for(EXIT_CPUID, 0));
	for (u32 i = 0; i < COUNTER_END; i++)
		counters[i] = counter_value(i);
}

/* Expect: the same exits go the same ways, by L0's counts of everything that it does. */
static void tracing_changes_nothing(void **state)
{
	static u64 without[COUNTER_END], with[COUNTER_END];

	(void)state;
	play_and_count(false, without);
	play_and_count(true, with);
	assert_true(recorded() > 2 * ROUNDS);
	for (u32 i = 0; i < COUNTER_END; i++)
		if (with[i] != without[i])
			fail_msg("counter %u: %lu and %lu", i, (unsigned long)without[i], (unsigned long)with[i]);
}

/* Expect: no record and no exit that asks, and on again what was there before is still there. */
static void it_can_be_stopped_and_started(void **state)
{
	u64 count;

	(void)state;
	play_traced();
	round_trips(2);
	count = recorded();
	trace_stop(&model.vcpu);
	assert_false(trace_is_on(&model.vcpu));
	assert_true(model.vcpu.nested->attention == 0);
	round_trips(2);
	assert_true(recorded() == count);
	trace_start(&model.vcpu);
	round_trips(1);
	assert_true(recorded() > count);
	assert_true(model.vcpu.nested->tracing);
}

/* As another processor's monitor could, in the moment before the exit is looked at. */
static void stopped_between_the_two_stores(void **state)
{
	u64 count;

	(void)state;
	play_traced();
	round_trips(2);
	count = recorded();
	model.vcpu.trace.ring.header->is_on = false;
	round_trips(1);
	assert_true(recorded() == count);
	assert_false(model.vcpu.nested->tracing);
}

static void without_a_ring_nothing_can_be_started(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	assert_true(trace_prepare(&model.vcpu));
	trace_start(&model.vcpu);
	assert_false(trace_is_on(&model.vcpu));
	assert_true(model.vcpu.nested->attention == 0);
	round_trips(1);
	trace_dump(&model.vcpu);
	trace_dump_last();
}

/* Expect: one record of the VMLAUNCH, from L1 to L1, and the reason of the refusal before it. */
static void an_entry_that_the_processor_refuses_is_l1s(void **state)
{
	(void)state;
	play_traced();
	processor.refuse_with = VMERR_CONTROLS;
	assert_int_equal(l1_vmlaunch().outcome, L1_FAIL_VALID);
	check(recent(0), 1, 1, EXIT_VMLAUNCH, TRACE_BY_L0);
	assert_int_equal(trace_ring_recent(&model.vcpu.trace.ring, 1)->kind, TRACE_ENTRY_REFUSED);
	assert_true(recorded() == 2);
}

static void a_refused_entry_is_recorded_with_its_rule(void **state)
{
	const struct trace_record *record;

	(void)state;
	play_traced();
	l1_set(VMCS_GUEST_RFLAGS, 0);
	(void)l1_vmlaunch();
	record = trace_ring_recent(&model.vcpu.trace.ring, 1);
	assert_non_null(record);
	assert_int_equal(record->kind, TRACE_ENTRY_REFUSED);
	assert_int_equal(record->field, VMCS_GUEST_RFLAGS.encoding);
	check(recent(0), 1, 1, EXIT_VMLAUNCH, TRACE_BY_L0);
}

static struct cpuid_result l1_cpuid(u32 leaf, u32 subleaf)
{
	u64 *gpr = model.vcpu.regs.gpr;

	gpr[REG_RAX] = leaf;
	gpr[REG_RCX] = subleaf;
	assert_true(model_exit_for(EXIT_CPUID, 0));
	return (struct cpuid_result){ (u32)gpr[REG_RAX], (u32)gpr[REG_RBX], (u32)gpr[REG_RCX], (u32)gpr[REG_RDX] };
}

/* Expect: L1 finds the ring byte by byte, and leaves no trace of that; zeros behind it. */
static void l1_reads_the_ring(void **state)
{
	const struct trace_ring *ring = &model.vcpu.trace.ring;
	u64 count, pieces;

	(void)state;
	play_traced();
	round_trips(2);
	count = recorded();
	pieces = trace_ring_pieces(ring);
	for (u64 i = 0; i < pieces; i++) {
		struct cpuid_result piece = l1_cpuid(TRACE_CPUID_LEAF, (u32)i);

		assert_memory_equal(&piece, (const u8 *)ring->header + 16 * i, 16);
	}
	for (u32 i = 0; i < 2; i++) {
		struct cpuid_result piece = l1_cpuid(TRACE_CPUID_LEAF, i ? UINT32_MAX : (u32)pieces);

		assert_int_equal(piece.eax | piece.ebx | piece.ecx | piece.edx, 0);
	}
	assert_true(recorded() == count);
	assert_int_equal(l1_cpuid(0x40000000, 0).eax, TRACE_CPUID_LEAF);
	assert_true(recorded() == count + 1);
}

/* L2's CPUID of that leaf is L1's business, and recorded. */
static void l2_hides_nothing_by_that_leaf(void **state)
{
	u64 count;

	(void)state;
	play_traced();
	scene_enter();
	count = recorded();
	model.vcpu.regs.gpr[REG_RAX] = TRACE_CPUID_LEAF;
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_true(recorded() == count + 1);
}

static void lines_go_to_the_console(void **state)
{
	(void)state;
	play_traced();
	scene_enter();
	trace_dump_last();
	assert_true(model_said("VMLAUNCH"));
	trace_dump(&model.vcpu);
	assert_true(model_said("trace 0 2 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_trip_is_two_records),
		cmocka_unit_test(what_l0_handles_stays_in_l2),
		cmocka_unit_test(tracing_changes_nothing),
		cmocka_unit_test(it_can_be_stopped_and_started),
		cmocka_unit_test(stopped_between_the_two_stores),
		cmocka_unit_test(without_a_ring_nothing_can_be_started),
		cmocka_unit_test(an_entry_that_the_processor_refuses_is_l1s),
		cmocka_unit_test(a_refused_entry_is_recorded_with_its_rule),
		cmocka_unit_test(l1_reads_the_ring),
		cmocka_unit_test(l2_hides_nothing_by_that_leaf),
		cmocka_unit_test(lines_go_to_the_console),
	};

	return SCENE_RUN_BOTH("trace", tests);
}
