/* SPDX-License-Identifier: MIT */
/* The monitor's answers, letter by letter: decoded fields, walks of tables, registers, counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "monitor/show_counts.h"
#include "monitor/show_ept.h"
#include "monitor/show_fields.h"
#include "monitor/show_state.h"
#include "monitor/show_vmcs.h"
#include "tests/fake/collect.h"
#include "tests/fake/phys.h"
#include "mm/phys.h"
#include "vmx/controls.h"
#include "vmx/events.h"
#include "vmx/insn_info.h"
#include "vmx/nested/check_common.h"
#include "vmx/nested/ept12_walk.h"

static struct collect out;
static struct view view;

static int fresh(void **state)
{
	(void)state;
	memset(&view, 0, sizeof(view));
	view.name = "12";
	view.what = "vmcs12";
	collect_begin(&out);
	return 0;
}

/* --- fields ------------------------------------------------------------------------------ */

static void give(vmcs_field field, u64 value)
{
	view.has[field.index] = true;
	image_set(&view.image, field, value);
}

/* Expect: the line of that field. */
static void means(vmcs_field field, u64 value, const char *expected)
{
	(void)fresh(NULL);
	give(field, value);
	assert_true(show_vmcs(&out.out, &view, NULL));
	assert_memory_equal(out.text, "vmcs12\n", 7);
	assert_string_equal(out.text + 7, expected);
}

static void values_have_the_width_of_their_field(void **state)
{
	(void)state;
	means(VMCS_VPID, 1, "0000 VPID                                             0001\n");
	means(VMCS_TPR_THRESHOLD, 0x12, "401c TPR_THRESHOLD                                00000012\n");
	means(VMCS_TSC_OFFSET, 0x12, "2010 TSC_OFFSET                           0000000000000012\n");
	means(VMCS_GUEST_RIP, UINT64_MAX, "681e GUEST_RIP                            ffffffffffffffff\n");
}

/* Expect: lines are broken between names, and no name is lost. */
static void control_bits_are_named(void **state)
{
	u32 named = 0;

	(void)state;
	means(VMCS_PIN_BASED_CONTROLS, 0x29,
	      "4000 PIN_BASED_CONTROLS                           00000029 EXTERNAL_INTERRUPT_EXITING NMI_EXITING\n"
	      "      VIRTUAL_NMIS\n");
	means(VMCS_ENTRY_CONTROLS, 0x11ff,
	      "4012 ENTRY_CONTROLS                               000011ff LOAD_DEBUG_CONTROLS reserved:0x11fb\n");
	means(VMCS_ENTRY_CONTROLS, 0, "4012 ENTRY_CONTROLS                               00000000\n");
	(void)fresh(state);
	give(VMCS_PROCESSOR_BASED_CONTROLS, UINT32_MAX);
	assert_true(show_vmcs(&out.out, &view, NULL));
	for (u32 i = 0; i < controls_count; i++)
		if (controls[i].word == WORD_PROC) {
			assert_non_null(strstr(out.text, controls[i].name + strlen("PROC_")));
			named++;
		}
	assert_true(named > 20);
	assert_true(collect_width(&out) <= OUT_COLUMNS);
}

static void registers_have_named_bits(void **state)
{
	(void)state;
	means(VMCS_GUEST_CR0, CR0_PE | CR0_PG, "6800 GUEST_CR0                            0000000080000001 PE PG\n");
	means(VMCS_HOST_CR4, CR4_VMXE | CR4_OSXMMEXCPT,
	      "6c04 HOST_CR4                             0000000000002400 OSXMMEXCPT VMXE\n");
	means(VMCS_GUEST_IA32_EFER, EFER_LMA | EFER_LME,
	      "2806 GUEST_IA32_EFER                      0000000000000500 LME LMA\n");
	means(VMCS_GUEST_RFLAGS, 0x202, "6820 GUEST_RFLAGS                         0000000000000202 IF\n");
	means(VMCS_EXCEPTION_BITMAP, 0x4002, "4004 EXCEPTION_BITMAP                             00004002 #DB #PF\n");
	means(VMCS_GUEST_INTERRUPTIBILITY_STATE, 9, "4824 GUEST_INTERRUPTIBILITY_STATE                 00000009 STI NMI\n");
}

static void events_are_told(void **state)
{
	(void)state;
	means(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000b0e,
	      "4016 ENTRY_INTERRUPTION_INFORMATION               80000b0e hardware exception 14 with error code\n");
	means(VMCS_EXIT_INTERRUPTION_INFORMATION, 0x80001202,
	      "4404 EXIT_INTERRUPTION_INFORMATION                80001202 NMI 2 NMI unblocking\n");
	means(VMCS_IDT_VECTORING_INFORMATION, 0x80000020,
	      "4408 IDT_VECTORING_INFORMATION                    80000020 external interrupt 32\n");
	means(VMCS_IDT_VECTORING_INFORMATION, 0x80000501,
	      "4408 IDT_VECTORING_INFORMATION                    80000501 privileged software exception 1\n");
	means(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000100,
	      "4016 ENTRY_INTERRUPTION_INFORMATION               80000100 reserved type 0\n");
	means(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000700,
	      "4016 ENTRY_INTERRUPTION_INFORMATION               80000700 other event 0\n");
	means(VMCS_IDT_VECTORING_INFORMATION, 0xb0e, "4408 IDT_VECTORING_INFORMATION                    00000b0e\n");
}

static void other_fields_are_told(void **state)
{
	(void)state;
	means(VMCS_EXIT_REASON, 0x80000021, "4402 EXIT_REASON                                  80000021 INVALID_GUEST_STATE ENTRY_FAIL\n");
	means(VMCS_EXIT_REASON, 0xffff, "4402 EXIT_REASON                                  0000ffff UNKNOWN\n");
	means(VMCS_GUEST_ACTIVITY_STATE, 3, "4826 GUEST_ACTIVITY_STATE                         00000003 wait for SIPI\n");
	means(VMCS_GUEST_ACTIVITY_STATE, 4, "4826 GUEST_ACTIVITY_STATE                         00000004 no such state\n");
	means(VMCS_EPT_POINTER, 0x5e, "201a EPT_POINTER                          000000000000005e WB, 4 levels A/D\n");
	means(VMCS_EPT_POINTER, 0x23, "201a EPT_POINTER                          0000000000000023 reserved, 5 levels\n");
	means(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b,
	      "4816 GUEST_CS_ACCESS_RIGHTS                       0000a09b code type 11, DPL 0, P L G\n");
	means(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b, "4822 GUEST_TR_ACCESS_RIGHTS                       0000008b system type 11, DPL 0, P\n");
	means(VMCS_GUEST_SS_ACCESS_RIGHTS, 0x1c0f3, "4818 GUEST_SS_ACCESS_RIGHTS                       0001c0f3 unusable\n");
	means(VMCS_VM_INSTRUCTION_ERROR, 7,
	      "4400 VM_INSTRUCTION_ERROR                         00000007 VM entry with invalid controls\n");
	means(VMCS_VM_INSTRUCTION_ERROR, 8,
	      "4400 VM_INSTRUCTION_ERROR                         00000008 VM entry with invalid host state\n");
	means(VMCS_VM_INSTRUCTION_ERROR, 0, "4400 VM_INSTRUCTION_ERROR                         00000000\n");
}

/* Expect: every field with any value, in lines that are not too long. */
static void no_field_breaks_the_line(void **state)
{
	static const u64 values[] = { 0, 1, 0x80000000, 0x55555555, 0xaaaaaaaa, UINT32_MAX, UINT64_MAX };

	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		for (u32 j = 0; j < array_size(values); j++) {
			(void)fresh(state);
			give(vmcs_fields[i].field, values[j] & vmcs_width_mask(vmcs_fields[i].field.encoding));
			assert_true(show_vmcs(&out.out, &view, NULL));
			assert_non_null(strstr(out.text, vmcs_fields[i].name));
			assert_true(collect_width(&out) <= OUT_COLUMNS);
		}
}

static void differences_name_the_bits_of_each(void **state)
{
	static struct view other;

	(void)state;
	give(VMCS_PIN_BASED_CONTROLS, 0x9);
	give(VMCS_GUEST_RIP, 1);
	give(VMCS_VPID, 1);
	other = view;
	other.name = "02";
	other.what = "vmcs02";
	image_set(&other.image, VMCS_PIN_BASED_CONTROLS, 0x28);
	image_set(&other.image, VMCS_GUEST_RIP, 2);
	other.has[VMCS_INDEX_GUEST_RSP] = true;
	assert_true(show_diff(&out.out, &view, &other, NULL));
	assert_string_equal(out.text,
		"vmcs12\n"
		"vmcs02\n"
		"field                                                   12               02\n"
		"4000 PIN_BASED_CONTROLS                           00000009         00000028\n"
		"      only 12: EXTERNAL_INTERRUPT_EXITING\n"
		"      only 02: VIRTUAL_NMIS\n"
		"681e GUEST_RIP                            0000000000000001 0000000000000002\n");
}

/* --- EPT ----------------------------------------------------------------------------------- */

static const struct l1_memory memory = {
	.hidden_base = { FAKE_BLOCK_BASE }, .hidden_size = FAKE_BLOCK_SIZE, .scratch = { FAKE_BLOCK_BASE }, .physical_address_bits = 40,
};

static bool read_entry(const void *context, u64 address, u64 *entry)
{
	const u64 *pointer = phys_to_ptr(hpa(address));

	(void)context;
	if (pointer)
		*entry = *pointer;
	return pointer != NULL;
}

static struct ept_view tables(u64 eptp)
{
	return (struct ept_view){ .eptp = eptp, .rules = { .has_2m = true, .has_1g = true, .physical_address_bits = 40 },
				  .to = "physical", .read = read_entry };
}

static u64 *table(u64 number)
{
	return phys_to_ptr(hpa(number * PAGE_SIZE));
}

static struct ept_end walk(const struct ept_view *ept, u64 address)
{
	struct ept_end end;

	collect_begin(&out);
	assert_true(show_ept(&out.out, ept, address, &end));
	assert_true(collect_width(&out) <= OUT_COLUMNS);
	return end;
}

static void five_levels_with_flags_and_modes(void **state)
{
	struct ept_view ept = tables(0x1000 | 6 | 4 << 3 | 1 << 6);
	struct ept_end end;

	(void)state;
	fake_memory_reset();
	ept.rules.mode_based = true;
	table(1)[1] = 0x2107;
	table(2)[0] = 0x3507;
	table(3)[2] = 0x40000785;
	end = walk(&ept, UINT64_C(1) << 48 | UINT64_C(2) << 30 | 0x123);
	assert_true(end.is_mapped && end.address == 0x40000123);
	assert_string_equal(out.text,
		"EPTP 0000000000001066: tables at 0000000000001000, WB, 5 levels, accessed and dirty flags\n"
		"PML5E at 0000000000001008: 0000000000002107  RWX- A\n"
		"PML4E at 0000000000002000: 0000000000003507  RWXU A\n"
		"PDPTE at 0000000000003010: 0000000040000785  R-XU A D UC 1 GB page\n"
		"physical 0000000040000123 R-X- UC 1 GB page\n");
}

static void what_is_wrong_with_an_entry_is_told(void **state)
{
	static const struct { u64 entry; const char *why; } bad[] = {
		{ 2, "misconfigured: writable, and not readable\n" },
		{ 4, "misconfigured: executable only: not offered\n" },
		{ UINT64_C(0x10000000007), "misconfigured: address beyond the physical width\n" },
		{ 0x1017, "misconfigured: reserved memory type\n" },
	};
	struct ept_view ept = tables(0x1000 | 6 | 3 << 3);

	(void)state;
	fake_memory_reset();
	table(1)[0] = 0x2007;
	table(2)[0] = 0x3007;
	table(3)[0] = 0x4007;
	for (u32 i = 0; i < array_size(bad); i++) {
		table(4)[0] = bad[i].entry;
		assert_false(walk(&ept, 0).is_mapped);
		assert_non_null(strstr(out.text, bad[i].why));
		assert_non_null(strstr(out.text, "\nmisconfigured: an access is an EPT misconfiguration\n"));
	}
	table(3)[0] = 0x40f7;
	assert_false(walk(&ept, 0).is_mapped);
	assert_non_null(strstr(out.text, "misconfigured: reserved bits are set\n"));
	table(3)[0] = 0x4007;
	ept.rules.execute_only = true;
	table(4)[0] = 0x7074;
	assert_true(walk(&ept, 0).is_mapped);
	assert_non_null(strstr(out.text, "0000000000007074  --X WB, PAT ignored 4 KB page\n"));
}

/* Expect: an end, and words. */
static void wild_pointers_are_harmless(void **state)
{
	static const struct { u64 eptp, address; const char *text; } wild[] = {
		{ 0, 0, "no processor has tables of 1 levels\n" }, { 0x38, 0, "no processor has tables of 8 levels\n" },
		{ 0x28, 0, "no processor has tables of 6 levels\n" }, { UINT64_MAX, 0, "no processor has tables of 8 levels\n" },
		{ UINT64_C(0xfffffffff001e), 0, "there is no memory at 000fffffffff0000, where the next entry should be\n" },
		{ 0x101e, UINT64_MAX, "no level translates the upper bits" }, { 0x1026, UINT64_MAX, "no level translates the upper bits" },
		{ 0x101e, UINT64_C(1) << 48, "no level translates the upper bits" },
		{ 0x101e, (UINT64_C(1) << 48) - 1, "no memory at" },
	};

	(void)state;
	fake_memory_reset();
	table(1)[511] = UINT64_C(0xfffffff007);
	for (u32 i = 0; i < array_size(wild); i++) {
		struct ept_view ept = tables(wild[i].eptp);

		assert_false(walk(&ept, wild[i].address).is_mapped);
		assert_non_null(strstr(out.text, wild[i].text));
	}
}

/* Expect: the same end as the walk that L0 goes by, for any tables. */
static void it_ends_where_l0_ends(void **state)
{
	static const u64 flags[] = { 7, 7, 7, 3, 1, 5, 0x37, 0xb7, 0xb5, 0x87, 2, 4, 0, 0x17, 0x407, 0x403 };
	u32 mapped = 0, bad = 0;

	(void)state;
	srandom(7);
	for (u32 round = 0; round < 400; round++) {
		struct ept_view ept = tables(0x1000 | 6 | 3 << 3);

		fake_memory_reset();
		ept.rules.execute_only = round & 1;
		ept.rules.mode_based = round & 2;
		for (u32 i = 1; i < 6; i++)
			for (u32 j = 0; j < 4; j++)
				table(i)[j] = (u64)(random() % 6 + 1) << 12 | flags[(u64)random() % array_size(flags)];
		for (u64 i = 0; i < 64; i++) {
			u64 address = (i & 3) << 12 | (i >> 2 & 3) << 21 | (i >> 4 & 3) << 30 | 0x10;
			struct ept12_walk expected = ept12_walk(&memory, &ept.rules, ept.eptp, l2_gpa(address));
			struct ept_end end = walk(&ept, address);

			assert_int_equal(end.is_mapped, expected.outcome == EPT12_TRANSLATED);
			if (end.is_mapped)
				assert_true(end.address == expected.address.value);
			assert_int_equal(strstr(out.text, "an access is an EPT misconf") != NULL, expected.outcome == EPT12_MISCONFIGURED);
			mapped += end.is_mapped;
			bad += expected.outcome == EPT12_MISCONFIGURED;
		}
	}
	assert_true(mapped > 100 && bad > 100);
}

/* --- states ---------------------------------------------------------------------------------- */

static void give_running(u64 cr0, u64 rflags, u64 efer, u64 cs_rights, u64 activity)
{
	(void)fresh(NULL);
	give(VMCS_GUEST_CR0, cr0);
	give(VMCS_GUEST_RFLAGS, rflags);
	give(VMCS_GUEST_IA32_EFER, efer);
	give(VMCS_GUEST_CS_ACCESS_RIGHTS, cs_rights);
	give(VMCS_GUEST_CS_SELECTOR, 0x10);
	give(VMCS_GUEST_SS_ACCESS_RIGHTS, 0x60);
	give(VMCS_GUEST_RIP, 0xabc);
	give(VMCS_GUEST_ACTIVITY_STATE, activity);
}

static void a_processor_has_a_mode_and_an_activity(void **state)
{
	const struct state outside = { .cpu = 3, .apic_id = 6 };

	(void)state;
	give_running(0, 2, 0, 0, ACTIVITY_WAIT_FOR_SIPI);
	assert_true(show_cpu(&out.out, &outside, &view, false));
	assert_string_equal(out.text, "  CPU 3   APIC 6   L1 real mode, CPL 3, 0010:abc, waits for SIPI\n");
	give_running(CR0_PE, RFLAGS_VM, 0, 0, ACTIVITY_HLT);
	assert_true(show_cpu(&out.out, &outside, &view, true));
	assert_string_equal(out.text, "* CPU 3   APIC 6   L1 virtual-8086, CPL 3, 0010:abc, HLT\n");
	give_running(CR0_PE, 2, EFER_LMA, ACCESS_RIGHTS_L, ACTIVITY_SHUTDOWN);
	assert_true(show_cpu(&out.out, &outside, &view, true));
	assert_string_equal(out.text, "* CPU 3   APIC 6   L1 64-bit, CPL 3, 0010:abc, shutdown\n");
	give_running(CR0_PE, 2, 0, ACCESS_RIGHTS_L, 4);
	assert_true(show_cpu(&out.out, &outside, &view, true));
	assert_string_equal(out.text, "* CPU 3   APIC 6   L1 16-bit, CPL 3, 0010:abc, no such activity state\n");
	give_running(CR0_PE, 2, EFER_LMA, ACCESS_RIGHTS_DB, 0);
	assert_true(show_cpu(&out.out, &(struct state){ .in_l2 = true, .has_current = true, .vmcs12 = 0x5000 }, &view, true));
	assert_string_equal(out.text, "* CPU 0   APIC 0   L2 32-bit, CPL 3, 0010:abc vmcs12 5000\n");
}

static void where_tells_of_aborts_and_many_vmcss(void **state)
{
	struct state s = { .in_vmx = true, .has_current = true, .vmcs12 = 0x5000, .vmxon_pointer = 0x4000, .other_count = 8,
			   .others = { UINT64_MAX, UINT64_MAX, 1, 2, 3, 4, 5, UINT64_MAX } };

	(void)state;
	give_running(CR0_PE, 2, EFER_LMA, ACCESS_RIGHTS_L, 0);
	give(VMCS_PROCESSOR_BASED_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	give(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_ENABLE_EPT | PROC2_ENABLE_VPID);
	give(VMCS_VPID, 9);
	give(VMCS_EPT_POINTER, 0x701e);
	give(VMCS_EXIT_REASON, 30);
	give(VMCS_GUEST_CR3, 0x1000);
	assert_true(show_where(&out.out, &s, &view, &view));
	assert_string_equal(out.text,
		"CPU 0 runs L1: 64-bit, CPL 3, 0010:abc, CR3 1000, last exit IO_INSTRUCTION\n"
		"L1 is in VMX root operation, VMXON region 4000, current VMCS 5000, clear\n"
		"vmcs12: EPTP 701e, VPID 9\n"
		"other active VMCSs of L1's: ffffffffffffffff ffffffffffffffff 1 2 3 4 5 ffffffffffffffff\n");
	collect_begin(&out);
	s = (struct state){ .is_aborted = true };
	assert_true(show_where(&out.out, &s, &view, &view));
	assert_non_null(strstr(out.text, "\nL1 came to a VMX abort: this processor stands still until a reset\n"));
}

/* --- counts ------------------------------------------------------------------------------------ */

static void exits_are_summed(void **state)
{
	static struct exit_counts counts;

	(void)state;
	counts.l1[10] = 5;
	counts.l1[79] = 1;
	counts.l2[10] = 7;
	counts.l2[48] = 2;
	counts.kept[10] = 1;
	counts.kept[48] = 2;
	counts.ept02_fills = 2;
	assert_true(show_exits(&out.out, &counts));
	assert_string_equal(out.text,
		"exits                                 of L1            of L2       kept by L0      given to L1\n"
		" 10 CPUID                                 5                7                1                6\n"
		" 48 EPT_VIOLATION                         0                2                2                0\n"
		" 79 all others                            1                0                0                0\n"
		"in all                                    6                9                3                6\n"
		"EPT02 was filled 2 times; 0 VM entries of L1's were refused\n");
}

/* Expect: its sentence and the title, for each rule that there is. */
static void every_rule_has_its_sentence(void **state)
{
	static struct refusal_log log;
	const struct entry_section *section;
	u32 times, rules = 0;

	for (u32 i = 0; i <= check_order_count; i++) {
		section = i < check_order_count ? check_order[i] : &check_left_to_processor_section;
		for (u32 j = 0; j < section->count; j++, rules++) {
			struct entry_failure failure = { .number = section->checks[j].number, .result = section->result,
							 .field = section->checks[j].field, .value = 0xabc };

			(void)fresh(state);
			memset(&log, 0, sizeof(log));
			(void)refusal_note(&log, &failure, 0x5000, 0x77, &times);
			assert_true(show_refusals(&out.out, &log));
			assert_null(strstr(out.text, "a rule without a sentence"));
			assert_memory_equal(out.text, "TSC 77, VMCS 5000: ", 19);
			assert_true(collect_width(&out) <= OUT_COLUMNS);
		}
	}
	assert_true(rules > 100);
	for (u32 i = 0; i < refusal_others_count; i++) {
		(void)fresh(state);
		memset(&log, 0, sizeof(log));
		(void)refusal_note(&log, &refusal_others[i], 0x5000, 0x77, &times);
		assert_true(show_refusals(&out.out, &log));
		assert_null(strstr(out.text, "a rule without a sentence"));
	}
}

static void the_last_refusals_are_told(void **state)
{
	static struct refusal_log log;
	struct entry_failure failure = refusal_other(RULE_MSR_LOAD, 2, 2);
	u32 times, lines = 0;

	(void)state;
	for (u32 i = 0; i < 40; i++)
		(void)refusal_note(&log, &failure, 0x5000, i, &times);
	assert_true(show_refusals(&out.out, &log));
	assert_memory_equal(out.text, "TSC 27, VMCS 5000: VM-entry MSR-load area: the entry of this number may not be loaded\n", 84);
	for (const char *at = out.text; (at = strstr(at, "TSC ")) != NULL; at++)
		lines++;
	assert_int_equal(lines, REFUSAL_RECORDS);
	assert_non_null(strstr(out.text, "\n40 in all, the last one first\n"));
	/* A number of no rule, a field that is none. */
	log.record[39 % REFUSAL_RECORDS].rule = 999;
	log.record[39 % REFUSAL_RECORDS].field = 0xffff;
	collect_begin(&out);
	assert_true(show_refusals(&out.out, &log));
	assert_memory_equal(out.text, "TSC 27, VMCS 5000: a rule without a sentence (field = 0x2), ", 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(values_have_the_width_of_their_field, fresh),
		cmocka_unit_test_setup(control_bits_are_named, fresh),
		cmocka_unit_test_setup(registers_have_named_bits, fresh),
		cmocka_unit_test_setup(events_are_told, fresh),
		cmocka_unit_test_setup(other_fields_are_told, fresh),
		cmocka_unit_test_setup(no_field_breaks_the_line, fresh),
		cmocka_unit_test_setup(differences_name_the_bits_of_each, fresh),
		cmocka_unit_test_setup(five_levels_with_flags_and_modes, fresh),
		cmocka_unit_test_setup(what_is_wrong_with_an_entry_is_told, fresh),
		cmocka_unit_test_setup(wild_pointers_are_harmless, fresh),
		cmocka_unit_test_setup(it_ends_where_l0_ends, fresh),
		cmocka_unit_test_setup(a_processor_has_a_mode_and_an_activity, fresh),
		cmocka_unit_test_setup(where_tells_of_aborts_and_many_vmcss, fresh),
		cmocka_unit_test_setup(exits_are_summed, fresh),
		cmocka_unit_test_setup(every_rule_has_its_sentence, fresh),
		cmocka_unit_test_setup(the_last_refusals_are_told, fresh),
	};

	return cmocka_run_group_tests_name("monitor_show", tests, NULL, NULL);
}
