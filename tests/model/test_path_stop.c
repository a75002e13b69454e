/* SPDX-License-Identifier: MIT */
/*
 * A stop of all processors, on the model: INITs that L0 has sent reach nobody, those of L1 do; the stop is spent
 * where nothing is under way; the key is found in L1's and in L2's reads, and what L0 cannot follow is theirs alone.
 */
#include "tests/model/scene.h"

#include <string.h>

#include "tests/model/guest.h"
#include "vmx/handle_serial.h"
#include "vmx/serial_watch.h"
#include "vmx/sleep_guard.h"
#include "vmx/stop.h"

#define KEY 0x1d
#define IO_BITMAP UINT64_C(0xa8000)
#define IN_AL (UINT64_C(1) << 3)
#define IS_STRING (UINT64_C(1) << 4)
#define SENT STOP_INIT_IS_SENT
#define WINDOW UINT64_C(64000000)

static struct {
	u32 count;
	bool in_l2, bent;
	u64 rip;
	u8 next;			/* comes in meanwhile */
	u8 line_control;
} stops;

/* What the monitor does to the guests: nothing. */
static void spend_stop(struct vcpu *vcpu)
{
	stops.count++;
	stops.in_l2 = nested_in_l2(vcpu);
	stops.bent = vcpu->nested->immediate.armed;
	stops.rip = scene_running(VMCS_GUEST_RIP);
	stops.line_control = model.uart[UART_LINE_CONTROL];
	model.uart[UART_LINE_STATUS] = stops.next ? LINE_STATUS_BYTE : 0;
	model.uart[UART_DATA] = stops.next;
	if (stop_is_mine())
		stop_end();
	else
		stop_reasons &= ~STOP_WANTED;
}

static void play(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_IA32_EFER | EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_PAT |
		      EXIT_LOAD_IA32_PAT, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_EFER | ENTRY_LOAD_IA32_PAT, 0);
	scene_control(WORD_PROC, PROC_USE_IO_BITMAPS, 0);
	scene_set(VMCS_IO_BITMAP_A_ADDRESS, IO_BITMAP);
	scene_set(VMCS_IO_BITMAP_B_ADDRESS, IO_BITMAP + PAGE_SIZE);
	scene_play();
	model.machine->stop_point = spend_stop;
	memset(&stops, 0, sizeof(stops));
}

static void round_trips(u32 rounds)
{
	for (u32 i = 0; i < rounds; i++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
	}
}

/* --- INIT --------------------------------------------------------------------------- */

/* Expect: L2 goes on where it was, also after a quick entry; the next INIT is L1's. */
static void an_own_init_in_l2(void **state)
{
	u64 rip;

	(void)state;
	play();
	round_trips(5);
	scene_enter();
	rip = scene_running(VMCS_GUEST_RIP);
	model.cpu.own_init_until = SENT;
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_true(model_in_l2());
	assert_true(scene_running(VMCS_GUEST_RIP) == rip);
	scene_exit_to_l1(EXIT_CPUID, 0);
	scene_enter();
	scene_exit_to_l1(EXIT_INIT_SIGNAL, 0);
}

static void own_init(void)
{
	model.cpu.own_init_until = SENT;
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
}

static void expect_monitor_trap(void)
{
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_MONITOR_TRAP_FLAG);
	assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), 0);
	assert_int_equal(l1_get(VMCS_IDT_VECTORING_INFORMATION), 0);
	assert_int_equal(l1_get(VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
}

/* Expect: L1 that steps L2 by the monitor trap flag misses no step, and has none too many. */
static void an_own_init_and_the_monitor_trap(void **state)
{
	(void)state;
	play();
	round_trips(5);
	l1_set(VMCS_PROCESSOR_BASED_CONTROLS, l1_get(VMCS_PROCESSOR_BASED_CONTROLS) | PROC_MONITOR_TRAP_FLAG);
	for (u32 i = 0; i < 4; i++) {
		u64 rip = l1_get(VMCS_GUEST_RIP);

		if (i % 2)
			l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, EVENT_NMI);
		scene_enter();
		own_init();
		assert_true(model_in_l2());
		*processor_field(VMCS_GUEST_RIP) += 3;
		own_init();
		expect_monitor_trap();
		assert_true(l1_get(VMCS_GUEST_RIP) == rip + 3);
	}
	l1_set(VMCS_PROCESSOR_BASED_CONTROLS, l1_get(VMCS_PROCESSOR_BASED_CONTROLS) & ~(u64)PROC_MONITOR_TRAP_FLAG);
	scene_enter();
	*processor_field(VMCS_GUEST_RIP) += 3;
	own_init();
	assert_true(model_in_l2());
	scene_exit_to_l1(EXIT_CPUID, 0);
}

/* Expect: also where L1 has injected it. */
static void an_own_init_and_a_pending_monitor_trap(void **state)
{
	(void)state;
	play();
	round_trips(5);
	l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, INTERRUPTION_VALID | (u64)INTERRUPTION_OTHER_EVENT << 8);
	model.cpu.own_init_until = SENT;
	processor.init_pending = true;
	assert_int_equal(l1_vmresume().outcome, L1_EXITED);
	expect_monitor_trap();
}

/* Expect: neither reset nor held back for L1, in root operation and outside. */
static void an_own_init_in_l1(void **state)
{
	(void)state;
	play();
	model.cpu.own_init_until = SENT;
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(model.vcpu.nested->waiting, 0);
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(model.vcpu.nested->waiting, WAITING_INIT);
	assert_true(model_boot(&scene.hardware, false));
	model.cpu.own_init_until = SENT;
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(scene_running(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(scene_running(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_WAIT_FOR_SIPI);
	assert_true(model.cpu.waits_for_sipi);
	assert_true(model_exit_for(EXIT_SIPI, 0x12));
	assert_false(model.cpu.waits_for_sipi);
}

/* Expect: after a stop an INIT is L0's for a moment; when that is over, without one, it is L1's. */
static void an_init_long_after_the_stop_is_l1s(void **state)
{
	(void)state;
	play();
	scene_enter();
	model.cpu.own_init_until = SENT;
	stop_leave(&model.cpu);
	assert_true(model.cpu.own_init_until != SENT && model.cpu.own_init_until > rdtsc());
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_true(model_in_l2());
	model.cpu.own_init_until = rdtsc();
	scene_exit_to_l1(EXIT_INIT_SIGNAL, 0);
}

/* Expect: the one that L0 has sent has come: L1's own behind it is L1's, also at once after the stop. */
static void one_init_for_one_stop(void **state)
{
	(void)state;
	play();
	for (u32 i = 0; i < 3; i++) {
		scene_enter();
		stop_reasons |= STOP_WANTED;
		stop_note_init(&model.cpu);
		assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
		assert_true(model_in_l2() && stops.in_l2);
		assert_int_equal(stops.count, i + 1);
		scene_exit_to_l1(EXIT_INIT_SIGNAL, 0);
	}
}

/* Expect: the same where it comes at the entry after the stop, as it was blocked before. */
static void one_init_after_the_stop(void **state)
{
	(void)state;
	play();
	scene_enter();
	stop_note_init(&model.cpu);
	stop_leave(&model.cpu);
	assert_true(model.cpu.own_init_until < STOP_INIT_IS_SENT);
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_true(model_in_l2());
	scene_exit_to_l1(EXIT_INIT_SIGNAL, 0);
}

/* Expect: asked twice: all are L0's during the stop, and for a moment after it. */
static void two_inits_for_one_stop(void **state)
{
	(void)state;
	for (u32 early = 0; early < 2; early++) {
		play();
		scene_enter();
		stop_note_init(&model.cpu);
		if (early)
			stop_leave(&model.cpu); /* the first is awaited when the second is sent */
		stop_note_init(&model.cpu);
		for (u32 i = 1; i <= 4; i++) {
			if (i < 3)
				stop_reasons |= STOP_WANTED;
			assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
			assert_true(model_in_l2());
			assert_int_equal(stops.count, i < 3 ? i : 2);
		}
		assert_true(model.cpu.own_init_until > rdtsc() && model.cpu.own_init_until <= rdtsc() + WINDOW + 1);
		model.cpu.own_init_until = rdtsc() | 1;
		scene_exit_to_l1(EXIT_INIT_SIGNAL, 0);
	}
}

/* Expect: an answer that comes before it is asked again makes the second the only one. */
static void the_second_after_the_first_has_come(void **state)
{
	(void)state;
	play();
	scene_enter();
	stop_note_init(&model.cpu);
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	stop_note_init(&model.cpu);
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_true(model_in_l2());
	scene_exit_to_l1(EXIT_INIT_SIGNAL, 0);
}

/* Expect: L1's INIT, which waits for L2 to run, comes all the same, and the stop sees nothing that is bent for it. */
static void l1s_own_waits_meanwhile(void **state)
{
	(void)state;
	play();
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(model.vcpu.nested->waiting, WAITING_INIT);
	processor.init_pending = true;
	model.cpu.own_init_until = SENT;
	stop_reasons |= STOP_WANTED;
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_INIT_SIGNAL);
	assert_false(processor.init_pending || stops.bent);
	assert_true(stops.count != 0);
}

/* Expect: one that L1 was sent long ago, and that has waited for L2, is L1's also in the moment after a stop. */
static void one_that_has_waited_is_l1s(void **state)
{
	static const u64 marks[] = { SENT, 0 };

	(void)state;
	for (u32 i = 0; i < array_size(marks); i++) {
		play();
		assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
		assert_int_equal(model.vcpu.nested->waiting, WAITING_INIT);
		model.cpu.own_init_until = marks[i] ? marks[i] : rdtsc() + WINDOW / 2;
		assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
		assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_INIT_SIGNAL);
		assert_int_equal(model.vcpu.nested->waiting, 0);
	}
}

/* Expect: one that L0 has sent and that never came, as L1 had disabled the APIC, is not waited for at any time later. */
static void an_init_that_never_came(void **state)
{
	(void)state;
	play();
	model.cpu.own_init_until = SENT;
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_true(model_exit_for(EXIT_RDMSR, 0));
	assert_true(model.cpu.own_init_until <= rdtsc() + WINDOW);
	/* In the wait-for-SIPI state it may come after the SIPI. */
	assert_true(model_boot(&scene.hardware, false));
	model.machine->stop_point = spend_stop;
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_true(model.cpu.waits_for_sipi);
	model.cpu.own_init_until = SENT;
	stop_leave(&model.cpu);
	assert_true(model.cpu.own_init_until == SENT);
	assert_true(model_exit_for(EXIT_SIPI, 0x12));
	assert_true(model.cpu.own_init_until != SENT && model.cpu.own_init_until > rdtsc());
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(scene_running(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
}

/* Expect: a TSC that L1 has set back since the stop does not make L1's INITs L0's for hours. */
static void a_tsc_that_was_set_back(void **state)
{
	(void)state;
	play();
	scene_enter();
	model.cpu.own_init_until = rdtsc() + 100 * WINDOW;
	scene_exit_to_l1(EXIT_INIT_SIGNAL, 0);
}

/* Expect: an NMI that came while the processor stood still is L2's afterwards. */
static void an_nmi_during_the_stop(void **state)
{
	(void)state;
	play();
	scene_enter();
	stop_reasons |= STOP_WANTED;
	model.cpu.own_init_until = SENT;
	model.cpu.nmi_pending = 1;
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(stops.count, 1);
	assert_int_equal(processor.injected, EVENT_NMI);
}

/* --- the stop ------------------------------------------------------------------------ */

static void history(bool stopped, u64 values[VMCS_FIELD_COUNT])
{
	play();
	for (u32 i = 0; i < 8; i++) {
		scene_enter();
		if (stopped)
			stop_reasons |= STOP_WANTED;
		scene_exit_to_l1(EXIT_CPUID, 0);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
		if (stopped && i % 2)
			stop_reasons |= STOP_WANTED;
	}
	assert_int_equal(stops.count == 0, !stopped);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		values[i] = vmcs_field_exists(&vmcs_fields[i], &model.vcpu.nested->offered) ? l1_get(vmcs_fields[i].field) : 0;
}

/* Expect: with a stop at every exit, none of which is quick then, L1 reads what it reads without. */
static void a_stop_changes_nothing(void **state)
{
	static u64 with[VMCS_FIELD_COUNT], without[VMCS_FIELD_COUNT];

	(void)state;
	history(false, without);
	history(true, with);
	assert_memory_equal(with, without, sizeof(with));
}

/* --- the key -------------------------------------------------------------------------- */

static void play_with_key(void)
{
	model_monitor_key = KEY;
	play();
	model_monitor_key = 0;
	memset(model.uart, 0, sizeof(model.uart));
	model.uart[UART_LINE_STATUS] = LINE_STATUS_BYTE;
	model.uart[UART_DATA] = KEY;
	model.vcpu.regs.gpr[REG_RAX] = 0x1122334455667788;
}

static const struct model_exit *access(u16 port, u64 bits)
{
	static struct model_exit exit;

	exit = (struct model_exit){ .reason = EXIT_IO_INSTRUCTION, .length = 1, .qualification = (u64)port << 16 | bits };
	return &exit;
}

static u64 al(u8 value)
{
	return UINT64_C(0x1122334455667700) | value;
}

/* Expect: one stop, behind the instruction, and the byte that came next. */
static void a_key_that_l1_reads(void **state)
{
	u64 rip;

	(void)state;
	play_with_key();
	rip = scene_running(VMCS_GUEST_RIP);
	stops.next = 'n';
	assert_true(model_exit(access(MODEL_UART, IN_AL)));
	assert_int_equal(stops.count, 1);
	assert_true(stops.rip == rip + 1 && scene_running(VMCS_GUEST_RIP) == rip + 1);
	assert_true(model.vcpu.regs.gpr[REG_RAX] == al('n'));
	assert_true(model_exit(access(MODEL_UART, IN_AL)));
	assert_int_equal(stops.count, 1);
}

static void a_key_that_l2_reads(void **state)
{
	(void)state;
	play_with_key();
	scene_enter();
	assert_true(model_exit(access(MODEL_UART, IN_AL)));
	assert_true(model_in_l2() && stops.in_l2);
	assert_int_equal(stops.count, 1);
	assert_true(model.vcpu.regs.gpr[REG_RAX] == al(SERIAL_INSTEAD));
}

/* Expect: where L1 wants its L2's accesses for itself, they are, whatever comes in. */
static void a_port_that_l1_intercepts(void **state)
{
	(void)state;
	play_with_key();
	*((u8 *)l1_pointer(IO_BITMAP) + MODEL_UART / 8) |= 1u << MODEL_UART % 8;
	scene_enter();
	assert_true(model_exit(access(MODEL_UART, IN_AL)));
	assert_false(model_in_l2());
	assert_int_equal(stops.count, 0);
}

static void a_guest_writes(void **state)
{
	(void)state;
	play_with_key();
	assert_true(model_exit(access(MODEL_UART, 0)));
	assert_int_equal(model.uart[UART_DATA], 0x88);
	assert_true(model_exit(access(MODEL_UART + UART_MODEM_CONTROL, 0)));
	assert_int_equal(model.uart[UART_MODEM_CONTROL], 0x88);
	assert_int_equal(stops.count, 0);
}

/* Expect: while the registers are the monitor's, an access waits, and is made afterwards. */
static void a_guest_writes_during_a_stop(void **state)
{
	u64 rip;

	(void)state;
	play_with_key();
	model.uart[UART_LINE_CONTROL] = 3;
	rip = scene_running(VMCS_GUEST_RIP);
	stop_reasons |= STOP_WANTED;
	assert_true(model_exit(access(MODEL_UART + UART_LINE_CONTROL, 0)));
	assert_int_equal(stops.count, 1);
	assert_int_equal(stops.line_control, 3);
	assert_true(scene_running(VMCS_GUEST_RIP) == rip);
	assert_true(model_exit(access(MODEL_UART + UART_LINE_CONTROL, 0)));
	assert_int_equal(model.uart[UART_LINE_CONTROL], 0x88);
	assert_true(scene_running(VMCS_GUEST_RIP) == rip + 1);
}

/* Expect: the instruction is the guest's own from then on, in L1 and in L2, and the key is nobody's. */
static void given_up(u64 bits, bool in_l2)
{
	const struct model_exit *exit = access(MODEL_UART, bits);
	u64 rip;

	play_with_key();
	if (in_l2)
		scene_enter();
	rip = scene_running(VMCS_GUEST_RIP);
	assert_true(sleep_guard_exits(model.machine->io_bitmaps, MODEL_UART, 1));
	assert_true(model_exit(exit));
	assert_false(sleep_guard_exits(model.machine->io_bitmaps, MODEL_UART, 4));
	assert_true(scene_running(VMCS_GUEST_RIP) == rip);
	for (u32 i = 0; i < 2 && guest_can_exit(exit, 0); i++)
		assert_true(model_exit(exit));
	assert_false(guest_can_exit(exit, 0));
	assert_true(model_in_l2() == in_l2 && scene_running(VMCS_GUEST_RIP) == rip);
	assert_int_equal(stops.count, 0);
}

static void other_accesses_are_the_guests_own(void **state)
{
	(void)state;
	for (u32 in_l2 = 0; in_l2 < 2; in_l2++) {
		given_up(IN_AL | IS_STRING, in_l2);
		given_up(IS_STRING, in_l2);
		given_up(IN_AL | 1, in_l2);
		given_up(3, in_l2);
	}
}

/* Expect: at an exit that takes the long way, when it has lain there for a while. */
static void a_key_that_nobody_reads(void **state)
{
	(void)state;
	play_with_key();
	for (u32 i = 0; i < 3000000 && stops.count == 0; i++)
		handle_serial_look();
	assert_int_equal(stops.count, 0);
	assert_true(stop_is_wanted());
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_int_equal(stops.count, 1);
	assert_false(stop_is_wanted());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_own_init_in_l2),
		cmocka_unit_test(an_own_init_and_the_monitor_trap),
		cmocka_unit_test(an_own_init_and_a_pending_monitor_trap),
		cmocka_unit_test(an_own_init_in_l1),
		cmocka_unit_test(an_init_long_after_the_stop_is_l1s),
		cmocka_unit_test(one_init_for_one_stop),
		cmocka_unit_test(one_init_after_the_stop),
		cmocka_unit_test(two_inits_for_one_stop),
		cmocka_unit_test(the_second_after_the_first_has_come),
		cmocka_unit_test(l1s_own_waits_meanwhile),
		cmocka_unit_test(one_that_has_waited_is_l1s),
		cmocka_unit_test(an_init_that_never_came),
		cmocka_unit_test(a_tsc_that_was_set_back),
		cmocka_unit_test(an_nmi_during_the_stop),
		cmocka_unit_test(a_stop_changes_nothing),
		cmocka_unit_test(a_key_that_l1_reads),
		cmocka_unit_test(a_key_that_l2_reads),
		cmocka_unit_test(a_port_that_l1_intercepts),
		cmocka_unit_test(a_guest_writes),
		cmocka_unit_test(a_guest_writes_during_a_stop),
		cmocka_unit_test(other_accesses_are_the_guests_own),
		cmocka_unit_test(a_key_that_nobody_reads),
	};

	return SCENE_RUN_BOTH("path.stop", tests);
}
