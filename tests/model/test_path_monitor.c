/* SPDX-License-Identifier: MIT */
/*
 * The monitor's commands on L1 and L2 as they run: what it shows of vmcs12 is what L1's VMREAD gives, wherever L0 keeps it, and
 * nothing is otherwise afterwards.
 */
#include <string.h>

#include "monitor/look.h"
#include "tests/model/look_hands.h"
#include "tests/model/scene.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/trace_exits.h"

#define ROUNDS 6
#define BITMAP UINT64_C(0xa0000)
#define EPT12 UINT64_C(0xb0000)		/* four tables */

/* L1 whose L2s take the quick way after a while, with an MSR bitmap of zeros. */
static void play(enum builder_kind kind)
{
	scene_begin(kind);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_IA32_EFER | EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_PAT |
		      EXIT_LOAD_IA32_PAT, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_EFER | ENTRY_LOAD_IA32_PAT, 0);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_play();
	hands_begin();
}

static const char *say(const char *line)
{
	assert_true(hands_command(line));
	return hands.answer.text;
}

static void answers(const char *line, const char *expected)
{
	if (!strstr(say(line), expected))
		fail_msg("%s: \"%s\" is not in:\n%s", line, expected, hands.answer.text);
}

static void is_silent_of(const char *line, const char *unexpected)
{
	if (strstr(say(line), unexpected))
		fail_msg("%s: \"%s\" is in:\n%s", line, unexpected, hands.answer.text);
}

/* Expect: every field that L1 is offered, as its VMREAD gives it right after. */
static void shows_what_l1_reads(void)
{
	static struct view view;
	u32 fields = 0;

	assert_null(look_vmcs(&hands.monitor, &model.vcpu, LOOK_12, &view));
	/* Before a VMREAD fails. */
	assert_true(view_get(&view, VMCS_VM_INSTRUCTION_ERROR) == l1_get(VMCS_VM_INSTRUCTION_ERROR));
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u64 value;

		if (l1_vmread(vmcs_fields[i].field.encoding, &value).outcome != L1_OK) {
			assert_false(view.has[i]);
			continue;
		}
		fields++;
		if (i == VMCS_INDEX_VM_INSTRUCTION_ERROR)
			continue;
		if (!view.has[i] || view.image.value[i] != value)
			fail_msg("%s: %lx is shown, and L1 reads %lx", vmcs_fields[i].name, (unsigned long)view.image.value[i],
				 (unsigned long)value);
	}
	assert_true(fields > 100);
}

static const char *const all_commands[] = {
	"help", "help vmcs", "cpus", "cpu 0", "where", "vmcs 12", "vmcs 02", "vmcs 01", "vmcs 12 rip", "diff 12 02", "diff 12 01",
	"diff 02 01", "exits", "ept 12 1000", "ept 02 1000", "ept 01 1000", "ept 12 ffffffffffffffff", "mem 1000 40", "mem! 1000",
	"regs", "log", "refusals", "trace dump", "vmcs 12 nothing", "nonsense", "", "c", "continue",
};

static void say_everything(void)
{
	for (u32 i = 0; i < array_size(all_commands); i++)
		(void)hands_command(all_commands[i]);
}

/* --- vmcs12 ---------------------------------------------------------------------------- */

/* L1 has written all of it, some of it, or none since the last exit; the exit was quick or not. */
static void vmcs12_is_what_l1_reads(void **state)
{
	(void)state;
	play(BUILD_LONG);
	shows_what_l1_reads();
	for (u64 i = 0; i < ROUNDS; i++) {
		scene_enter();
		*processor_field(VMCS_GUEST_RSP) = 0x1000 + i;
		*processor_field(VMCS_GUEST_FS_BASE) = 0x2000 + i;
		*processor_field(VMCS_GUEST_LDTR_LIMIT) = 0x3000 + i;
		scene_exit_to_l1(EXIT_CPUID, i);
		l1_set(VMCS_GUEST_RIP, 0x4000 + i);
		l1_set(VMCS_CR0_READ_SHADOW, 0x80000001 + i);
		if (i == 2 || i == 5)
			shows_what_l1_reads();
	}
}

/* What it reads is not learned from here: only the quick ways have changed what is where. */
static void it_is_so_right_after_a_quick_exit(void **state)
{
	(void)state;
	play(BUILD_LONG);
	for (u64 i = 0; i < ROUNDS; i++) {
		scene_enter();
		*processor_field(VMCS_GUEST_GS_BASE) = 0x2000 + i;
		assert_true(model_exit_for(EXIT_CPUID, i));
	}
	assert_true(model.vcpu.nested->current->deferred);
	shows_what_l1_reads();
}

static void it_is_so_of_every_kind_of_guest(void **state)
{
	(void)state;
	for (enum builder_kind kind = 0; kind < BUILD_KIND_COUNT; kind++) {
		if (kind == BUILD_32_BIT_HOST)
			continue; /* the model's L1 is not */
		play(kind);
		shows_what_l1_reads();
		scene_enter();
		scene_exit_to_l1(EXIT_VMCALL, 0);
		shows_what_l1_reads();
	}
}

/* Expect: L2's own state of now; of exits what L1 was told by the last one, not by those that L0 has kept. */
static void while_l2_runs_its_state_is_of_now(void **state)
{
	(void)state;
	play(BUILD_LONG);
	for (u64 i = 0; i < ROUNDS; i++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0x77);
	}
	scene_enter();
	*processor_field(VMCS_GUEST_RIP) = 0x123456;
	*processor_field(VMCS_GUEST_FS_BASE) = 0xabcdef;
	scene_exit_to_l0();
	answers("vmcs 12 guest_rip", "000000000012345");
	answers("vmcs 12 guest_fs_base", "0000000000abcdef");
	answers("vmcs 12 exit_reason", "CPUID");
	answers("vmcs 12 exit_qualification", "0000000000000077");
	answers("vmcs 02 exit_reason", "RDMSR");
	answers("vmcs 12 4402", "of this moment");
}

/* A VMCS that L1 has made a shadow VMCS: hardware's has what is newer. */
static void a_shadow_vmcs_is_shown_too(void **state)
{
	const u64 region = L1_REGION(7);

	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	hands_begin();
	l1_make_region(region);
	*(u32 *)l1_pointer(region) |= VMCS12_SHADOW_INDICATOR;
	if (l1_vmptrld(region).outcome != L1_OK) {
		assert_true(scene_is_soft);	/* it is not offered then */
		return;
	}
	l1_set(VMCS_GUEST_RSP, 0x987654);
	l1_set(VMCS_GUEST_ES_BASE, 0x3333);
	answers("vmcs 12 guest_rsp", "0000000000987654");
	answers("vmcs 12 guest_es_base", "0000000000003333");
	shows_what_l1_reads();
}

/* --- nothing is otherwise --------------------------------------------------------------- */

static void play_and_count(bool look, u64 counters[COUNTER_END], u64 fields[VMCS_FIELD_COUNT])
{
	play(BUILD_LONG);
	for (u64 i = 0; i < ROUNDS; i++) {
		scene_enter();
		if (look)
			say_everything();
		if (i % 2)
			scene_exit_to_l0();
		if (look)
			say_everything();
		scene_exit_to_l1(EXIT_CPUID, i);
		if (look)
			say_everything();
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
		if (look)
			say_everything();
	}
	quick_count(&model.vcpu);
	for (u32 i = 0; i < COUNTER_END; i++)
		counters[i] = counter_value(i);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		fields[i] = l1_get(vmcs_fields[i].field);
}

/* Expect: exits go the ways that they would have gone, by L0's counts of everything; L1 reads the same at the end. */
static void looking_changes_nothing(void **state)
{
	static u64 without[COUNTER_END], with[COUNTER_END], read_without[VMCS_FIELD_COUNT], read_with[VMCS_FIELD_COUNT];

	(void)state;
	play_and_count(false, without, read_without);
	play_and_count(true, with, read_with);
	for (u32 i = 0; i < COUNTER_END; i++)
		if (with[i] != without[i])
			fail_msg("counter %u: %lu and %lu", i, (unsigned long)without[i], (unsigned long)with[i]);
	assert_memory_equal(read_without, read_with, sizeof(read_with));
}

/* --- what is told --------------------------------------------------------------------------- */

static void where_l1_stands(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	assert_true(model_boot(&scene.hardware, false));
	hands_begin();
	answers("where", "CPU 0 runs L1: 64-bit, CPL 0, 0008:400000");
	answers("where", "not in VMX operation");
	answers("vmcs 12", "L1 is not in VMX operation");
	answers("vmcs 02", "L1 is not in VMX operation");
	answers("diff 01 12", "L1 is not in VMX operation");
	answers("ept 12 0", "L1 is not in VMX operation");
	*(u32 *)l1_pointer(L1_VMXON) = VMCS12_REVISION;
	assert_int_equal(l1_vmxon(L1_VMXON).outcome, L1_OK);
	answers("where", "in VMX root operation, VMXON region 6000, without a current VMCS");
	answers("vmcs 12", "no current VMCS");
}

static void where_l2_stands(void **state)
{
	(void)state;
	play(BUILD_LONG);
	answers("where", "in VMX root operation, VMXON region 6000, current VMCS 800000, clear");
	answers("vmcs 02", "there is no vmcs02 yet");
	scene_enter();
	answers("where", "CPU 0 runs L2: 64-bit");
	answers("where", "in VMX non-root operation, VMXON region 6000, current VMCS 800000, launched\n");
	answers("where", "vmcs12: EPTP ");
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_make_region(L1_REGION(3));
	assert_int_equal(l1_vmptrld(L1_REGION(3)).outcome, L1_OK);
	answers("where", "current VMCS 803000, clear");
	answers("where", "vmcs12: no EPT");
	answers("where", "other active VMCSs of L1's: 800000\n");
	answers("vmcs 02", "there is no vmcs02 yet");
}

static void processors_are_listed(void **state)
{
	(void)state;
	play(BUILD_LONG);
	model.handoff.cpu_count = 2;
	scene_enter();
	answers("cpus", "* CPU 0   APIC 0   L2 64-bit, CPL 0, ");
	answers("cpus", "\nCPU 1: waits for SIPI\n");
	answers("cpu 1", "CPU 1: waits for SIPI\n");
	answers("where", "CPU 1: waits for SIPI\n");
	answers("cpu 0", "* CPU 0 ");
	answers("cpu 2", "CPUs are numbered from 0 to 1");
	answers("cpu -1", "CPUs are numbered from 0 to 1");
	answers("cpu", "usage: cpu N");
}

static void fields_are_found_by_name_and_encoding(void **state)
{
	(void)state;
	play(BUILD_LONG);
	scene_enter();
	answers("vmcs 12 GUEST_rip", "681e GUEST_RIP ");
	answers("vmcs 02 0x681e", "681e GUEST_RIP ");
	is_silent_of("vmcs 02 681e", "GUEST_RSP");
	answers("vmcs 01 secondary", " ENABLE_EPT ");
	answers("vmcs 12 xyz", "no field with \"xyz\" in its name, or as its encoding\n");
	answers("vmcs 21", "usage: vmcs 12|02|01 [PATTERN]");
	answers("vmcs", "usage: vmcs 12|02|01 [PATTERN]");
	answers("vmcs 12 a b", "usage: vmcs 12|02|01 [PATTERN]");
	/* What L1 is not offered is nothing that it could read. */
	is_silent_of("vmcs 12", "TERTIARY");
}

static void differences_are_shown(void **state)
{
	(void)state;
	play(BUILD_LONG);
	scene_enter();
	answers("diff 12 02 host_rip", "6c16 HOST_RIP ");
	answers("diff 12 02 guest_r", "no difference with \"guest_r\"");
	answers("diff 12 12", "no difference\n");
	answers("diff 02 12 host_cr0", "6c00 HOST_CR0                             0000000080010031 0000000080010021\n      only 02: ET\n");
	answers("diff 12 03", "usage: diff ");
}

static void memory_is_shown_as_l1_has_it(void **state)
{
	(void)state;
	play(BUILD_LONG);
	model.handoff.range_count = 2;
	model.handoff.ranges[0] = (struct handoff_range){ .base = 0, .size = 0x2000, .type = 7 };
	model.handoff.ranges[1] = (struct handoff_range){ .base = 0x2000, .size = 0x1000, .type = 2 };
	memcpy(l1_pointer(0x1ff0), "Testudo\x7f\n\x80~ ...", 16);
	answers("mem 1ff0 32", "0000000000001ff0  54 65 73 74 75 64 6f 7f  0a 80 7e 20 2e 2e 2e 00  |Testudo...~ ....|\n");
	answers("mem 1ff0 3", "0000000000001ff0  54 65 73                                          |Tes|\n");
	answers("mem 2fff 2", "not all of that is RAM");
	answers("mem! 2fff 2", "0000000000002fff  00 00");
	/* L0's own memory: the scratch page. */
	memcpy(phys_to_ptr(hpa(FAKE_MEMORY_SIZE - 0x800)), "secret", 6);
	answers("mem 3fff800 10", "0000000003fff800  00 00 00 00 00 00");
	answers("mem ffffffffffffff", "physical addresses have 40 bits here");
	answers("mem! ffffffffffffffff 2", "physical addresses have 40 bits here");
	answers("mem 0 0", "usage: mem ADDRESS [COUNT]");
	answers("mem 0 10000000", "usage: mem ADDRESS [COUNT]");
	answers("mem g", "usage: mem ADDRESS [COUNT]");
	answers("mem! g", "usage: mem! ADDRESS [COUNT]");
}

/* L1's tables for L2: 4 KB at 0x1000, 2 MB at 0x200000, a wild one at 1 GB, L0's memory at 2 GB. */
static void make_ept12(void)
{
	u64 *pml4 = l1_pointer(EPT12), *pdpt = l1_pointer(EPT12 + 0x1000), *pd = l1_pointer(EPT12 + 0x2000);
	u64 *pt = l1_pointer(EPT12 + 0x3000);

	pml4[0] = (EPT12 + 0x1000) | 7;
	pdpt[0] = (EPT12 + 0x2000) | 7;
	pdpt[1] = UINT64_C(0xfffffff000) | 7;
	pdpt[2] = FAKE_BLOCK_BASE | 7;
	pd[0] = (EPT12 + 0x3000) | 7;
	pd[1] = 0x600000 | 0xb5;
	pd[2] = 0x600000 | 0x82;
	pt[1] = 0x7000 | 0x37;
	pt[2] = FAKE_BLOCK_BASE | 0x37;
}

static void begin_with_ept12(void)
{
	scene_begin(BUILD_LONG);
	scene_set(VMCS_EPT_POINTER, EPT12 | 6 | 3 << 3);
	scene_play();
	make_ept12();
	hands_begin();
}

static void a_walk_is_shown_level_by_level(void **state)
{
	(void)state;
	begin_with_ept12();
	answers("ept 12 1234", "EPTP 00000000000b001e: tables at 00000000000b0000, WB, 4 levels\n"
		"PML4E at 00000000000b0000: 00000000000b1007  RWX\n"
		"PDPTE at 00000000000b1000: 00000000000b2007  RWX\n"
		"PDE   at 00000000000b2000: 00000000000b3007  RWX\n"
		"PTE   at 00000000000b3008: 0000000000007037  RWX WB 4 KB page\n"
		"L1 physical 0000000000007234 RWX WB 4 KB page\n");
	answers("ept 12 0x234567", "\nL1 physical 0000000000634567 R-X WB 2 MB page\n");
	answers("ept 12 3000", ": 0000000000000000  not present\nnot present: an access is an EPT violation\n");
	answers("ept 12 400000", "misconfigured: writable, and not readable\nmisconfigured: an access is an EPT misconfiguration\n");
	answers("ept 12 1000000000000", "no level translates the upper bits");
	answers("ept 12 40000000", "there is no memory at 000000fffffff000");
	answers("ept 12 80000000", "not present");	/* the scratch page has zeros */
	answers("ept 12 2000", "L1 physical 0000000003000000 RWX WB 4 KB page\nmemory of Testudo's is there");
	answers("ept 12 x", "usage: ept 12|02|01 ADDRESS");
	answers("ept 13 0", "usage: ept 12|02|01 ADDRESS");
	answers("ept 02 0", "there is no vmcs02 yet");
	answers("ept 01 1234", "\nphysical 0000000000001234 RWX ");
}

static void ept02_has_what_l2_came_to(void **state)
{
	(void)state;
	begin_with_ept12();
	scene_enter();
	answers("ept 02 1234", "not present: an access is an EPT violation");
	assert_true(model_exit(&(struct model_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = 1, .physical = 0x1234 }));
	assert_true(model_in_l2());
	answers("ept 02 1234", "\nphysical 0000000000007234 RWX WB 4 KB page\n");
}

static void without_ept_there_is_no_walk(void **state)
{
	(void)state;
	play(BUILD_LONG_NO_EPT);
	answers("ept 12 0", "EPT is off in vmcs12");
	answers("where", "vmcs12: no EPT, VPID 0");
	scene_enter();
	answers("ept 02 1234", "\nphysical 0000000000001234 RWX ");
}

static void exits_have_owners(void **state)
{
	(void)state;
	play(BUILD_LONG);
	for (u32 i = 0; i < 3; i++) {
		scene_enter();
		scene_exit_to_l0();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	answers("exits", " 10 CPUID                                 0                3                0                3\n");
	answers("exits", " 31 RDMSR                                 0                3                3                0\n");
	/* What a bitmap of vmcs02's has learned from is quick. */
	model.vcpu.regs.gpr[REG_RCX] = IA32_LSTAR;
	scene_enter();
	assert_true(model_exit_for(EXIT_RDMSR, 0) && model_in_l2());
	answers("exits", " 31 RDMSR                                 0                4                4                0\n");
}

static void refusals_are_told_with_their_rule(void **state)
{
	(void)state;
	play(BUILD_LONG);
	answers("refusals", "no VM entry of L1's was refused");
	l1_set(VMCS_GUEST_RFLAGS, 0);
	(void)l1_vmlaunch();
	answers("refusals", "(GUEST_RFLAGS = 0x0),\n      exit reason 33, qualification 0x0, SDM");
	answers("refusals", "VMCS 800000:");
	answers("refusals", "\n1 in all, the last one first\n");
	processor.refuse_with = VMERR_CONTROLS;
	l1_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	(void)l1_vmlaunch();
	answers("refusals", "VMfail 7, SDM");
	answers("refusals", "\n2 in all, the last one first\n");
}

static void registers_are_shown(void **state)
{
	(void)state;
	play(BUILD_LONG);
	model.vcpu.regs.gpr[REG_R15] = UINT64_C(0xfedcba9876543210);
	scene_enter();
	*processor_field(VMCS_GUEST_RSP) = 0x5550;
	answers("regs", "R15 fedcba9876543210");
	answers("regs", "RSP 0000000000005550");
	answers("regs", "\nEFER   ");
	answers("regs", "\nCS   ");
	answers("regs", "\nTR   ");
}

static void the_trace_can_be_turned(void **state)
{
	bool answered;

	(void)state;
	play(BUILD_LONG);
	answers("trace on", "CPU 0 has no trace ring");
	answers("trace dump", "CPU 0 has no trace ring");
	answers("trace", "usage: trace on|off|dump");
	answers("trace of", "usage: trace on|off|dump");
	model.handoff.trace_kilobytes = 8;
	assert_true(trace_prepare(&model.vcpu));
	trace_stop(&model.vcpu);
	/* This one changes something, and is meant to. */
	collect_begin(&hands.answer);
	answered = monitor_command(&hands.monitor, (char[]){ "trace on" });
	assert_true(answered && trace_is_on(&model.vcpu));
	assert_non_null(strstr(hands.answer.text, "CPU 0: trace is on\n"));
	scene_enter();
	answers("trace dump", "trace 0 2 ");
	answered = monitor_command(&hands.monitor, (char[]){ "trace off" });
	assert_true(answered && !trace_is_on(&model.vcpu));
}

static void the_log_level_can_be_set(void **state)
{
	(void)state;
	play(BUILD_LONG);
	answers("log debug", "");
	answers("log", "the level is debug");
	answers("log loud", "usage: log [quiet|info|debug|trace]");
	answers("log info", "");
	answers("log", "the level is info");
}

/* --- lines ------------------------------------------------------------------------------------ */

static void lines_are_answered_in_words(void **state)
{
	(void)state;
	play(BUILD_LONG);
	assert_string_equal(say(""), "");
	assert_string_equal(say("  \t "), "");
	answers("xyzzy", "there is no command \"xyzzy\": help lists them");
	answers("re", "\"re\" may be any of: regs refusals reboot\n");
	answers("ref", "no VM entry");
	answers("CP", "\"CP\" may be any of: cpus cpu\n");
	answers("help", "A beginning of a name will do.");
	answers("help ep", "  ept      12|02|01 ADDRESS             the way through EPT tables, level by level\n");
	answers("help q", "there is no command \"q\"");
	answers("where now", "usage: where\n");
	assert_false(hands_command("continue"));
	assert_false(hands_command("cont"));
	assert_true(hands_command("continue 1"));
	assert_false(hands.was_reset);
	assert_true(hands_command("reboot"));
	assert_true(hands.was_reset);
}

/* Expect: after Ctrl-C no more is written, whatever the command. */
static void every_answer_can_be_broken_off(void **state)
{
	(void)state;
	play(BUILD_LONG);
	model.handoff.trace_kilobytes = 8;
	assert_true(trace_prepare(&model.vcpu));
	model.handoff.cpu_count = 5;
	scene_enter();
	for (u32 i = 0; i < array_size(all_commands); i++)
		for (u32 patience = 1; patience < 20; patience++) {
			char line[EDIT_SIZE];

			strcpy(line, all_commands[i]);
			collect_begin(&hands.answer);
			hands.answer.patience = patience;
			(void)monitor_command(&hands.monitor, line);
			if (hands.answer.too_late)
				fail_msg("%s: %u more", all_commands[i], hands.answer.too_late);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmcs12_is_what_l1_reads),
		cmocka_unit_test(it_is_so_right_after_a_quick_exit),
		cmocka_unit_test(it_is_so_of_every_kind_of_guest),
		cmocka_unit_test(while_l2_runs_its_state_is_of_now),
		cmocka_unit_test(a_shadow_vmcs_is_shown_too),
		cmocka_unit_test(looking_changes_nothing),
		cmocka_unit_test(where_l1_stands),
		cmocka_unit_test(where_l2_stands),
		cmocka_unit_test(processors_are_listed),
		cmocka_unit_test(fields_are_found_by_name_and_encoding),
		cmocka_unit_test(differences_are_shown),
		cmocka_unit_test(memory_is_shown_as_l1_has_it),
		cmocka_unit_test(a_walk_is_shown_level_by_level),
		cmocka_unit_test(ept02_has_what_l2_came_to),
		cmocka_unit_test(without_ept_there_is_no_walk),
		cmocka_unit_test(exits_have_owners),
		cmocka_unit_test(refusals_are_told_with_their_rule),
		cmocka_unit_test(registers_are_shown),
		cmocka_unit_test(the_trace_can_be_turned),
		cmocka_unit_test(the_log_level_can_be_set),
		cmocka_unit_test(lines_are_answered_in_words),
		cmocka_unit_test(every_answer_can_be_broken_off),
	};

	return SCENE_RUN_BOTH("monitor", tests);
}
