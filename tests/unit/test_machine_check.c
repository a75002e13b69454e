/* SPDX-License-Identifier: MIT */
/*
 * The machine check: which MSRs are read, and what is said of each lack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/bits.h"
#include "arch/x86.h"
#include "boot/uefi/machine_check.h"
#include "vmx/controls.h"

#define ALL_CONTROLS (UINT64_C(0xffffffff) << 32)
#define EPT_GOOD (BIT(6) | BIT(14) | BIT(16) | BIT(20) | BIT(21) | BIT(25) | BIT(26))
#define BASIC_GOOD (UINT64_C(6) << 50 | BIT(55) | 4)

/* A processor to read: registers by number, and which MSRs were asked for. */
static struct {
	bool vmx, nx, pages_1g, hypervisor;
	const char *vendor, *signature;
	u64 basic, proc, proc2, ept_vpid;
	u32 asked[16];
	unsigned int asked_count;
} cpu;

static struct machine good(void)
{
	return (struct machine){
		.vendor = "GenuineIntel", .has_vmx = true, .has_nx = true,
		.basic = BASIC_GOOD,
		.pin = ALL_CONTROLS, .proc = ALL_CONTROLS, .exit = ALL_CONTROLS, .entry = ALL_CONTROLS, .proc2 = ALL_CONTROLS,
		.ept_vpid = EPT_GOOD,
	};
}

static u32 word(const char *text, unsigned int i)
{
	u32 value;

	memcpy(&value, text + 4 * i, 4);
	return value;
}

static struct cpuid_result fake_cpuid(void *context, u32 leaf, u32 subleaf)
{
	(void)context;
	(void)subleaf;
	switch (leaf) {
	case 0:
		return (struct cpuid_result){ 1, word(cpu.vendor, 0), word(cpu.vendor, 2), word(cpu.vendor, 1) };
	case 1:
		return (struct cpuid_result){ .ecx = (cpu.vmx ? 1u << 5 : 0) | (cpu.hypervisor ? 1u << 31 : 0) };
	case 0x40000000:
		return (struct cpuid_result){ 0x40000001, word(cpu.signature, 0), word(cpu.signature, 1), word(cpu.signature, 2) };
	case 0x80000000:
		return (struct cpuid_result){ .eax = 0x80000008 };
	case 0x80000001:
		return (struct cpuid_result){ .edx = (cpu.nx ? 1u << 20 : 0) | (cpu.pages_1g ? 1u << 26 : 0) };
	default:
		return (struct cpuid_result){ 0 };
	}
}

static u64 fake_rdmsr(void *context, u32 msr)
{
	(void)context;
	assert_true(cpu.asked_count < 16);
	cpu.asked[cpu.asked_count++] = msr;
	switch (msr) {
	case IA32_VMX_BASIC:
		return cpu.basic;
	case IA32_VMX_PROCBASED_CTLS:
	case IA32_VMX_TRUE_PROCBASED_CTLS:
		return cpu.proc;
	case IA32_VMX_PROCBASED_CTLS2:
		return cpu.proc2;
	case IA32_VMX_EPT_VPID_CAP:
		return cpu.ept_vpid;
	default:
		return ALL_CONTROLS | 0x55;
	}
}

static int fresh(void **state)
{
	(void)state;
	memset(&cpu, 0, sizeof(cpu));
	cpu.vmx = cpu.nx = true;
	cpu.vendor = "GenuineIntel";
	cpu.signature = "            ";
	cpu.basic = BASIC_GOOD;
	cpu.proc = cpu.proc2 = ALL_CONTROLS;
	cpu.ept_vpid = EPT_GOOD;
	return 0;
}

static struct machine read_machine(void)
{
	static const struct machine_reader reader = { fake_cpuid, fake_rdmsr, NULL };
	struct machine machine = { 0 };

	machine_read(&machine, &reader);
	return machine;
}

static bool was_asked(u32 msr)
{
	for (unsigned int i = 0; i < cpu.asked_count; i++)
		if (cpu.asked[i] == msr)
			return true;
	return false;
}

/* Expects one fault whose three texts, in a row, contain `words`. */
static void assert_only_fault(const struct machine *machine, const char *words)
{
	struct machine_faults faults;
	char text[600];

	machine_check(machine, &faults);
	assert_int_equal(faults.count, 1);
	snprintf(text, sizeof(text), "%s: %s; %s", faults.fault[0].what, faults.fault[0].cause, faults.fault[0].cure);
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void one_gigabyte_pages_need_both_kinds_of_tables(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		cpu.asked_count = 0;
		cpu.pages_1g = i & 1;
		cpu.ept_vpid = i & 2 ? EPT_GOOD | BIT(17) : EPT_GOOD;
		assert_int_equal(read_machine().has_1g_pages, i == 3);
	}
}

static void a_good_machine_lacks_nothing(void **state)
{
	struct machine machine = good();
	struct machine_faults faults;

	(void)state;
	machine_check(&machine, &faults);
	assert_int_equal(faults.count, 0);
	machine.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
	machine_check(&machine, &faults);
	assert_int_equal(faults.count, 0);
}

/* Expect: no MSR is touched, since RDMSR of one that does not exist faults. */
static void without_vmx_no_msr_is_read(void **state)
{
	(void)state;
	cpu.vmx = false;
	read_machine();
	assert_int_equal(cpu.asked_count, 0);
}

/* Expect: the TRUE MSRs only where IA32_VMX_BASIC says that they exist. */
static void true_msrs_are_read_only_where_they_exist(void **state)
{
	(void)state;
	read_machine();
	assert_true(was_asked(IA32_VMX_TRUE_PROCBASED_CTLS));
	fresh(NULL);
	cpu.basic &= ~BIT(55);
	read_machine();
	assert_false(was_asked(IA32_VMX_TRUE_PINBASED_CTLS));
	assert_false(was_asked(IA32_VMX_TRUE_PROCBASED_CTLS));
	assert_false(was_asked(IA32_VMX_TRUE_EXIT_CTLS));
	assert_false(was_asked(IA32_VMX_TRUE_ENTRY_CTLS));
	assert_true(was_asked(IA32_VMX_PROCBASED_CTLS));
}

/* Expect: each optional MSR is read only if the control that it describes may be 1. */
static void secondary_and_ept_msrs_are_read_only_where_they_exist(void **state)
{
	(void)state;
	cpu.proc &= ~BIT(63);
	read_machine();
	assert_false(was_asked(IA32_VMX_PROCBASED_CTLS2));
	assert_false(was_asked(IA32_VMX_EPT_VPID_CAP));
	fresh(NULL);
	cpu.proc2 = 0;
	read_machine();
	assert_true(was_asked(IA32_VMX_PROCBASED_CTLS2));
	assert_false(was_asked(IA32_VMX_EPT_VPID_CAP));
	fresh(NULL);
	cpu.proc2 = BIT(32 + 5);
	read_machine();
	assert_true(was_asked(IA32_VMX_EPT_VPID_CAP));
}

static void testudo_is_recognized_without_the_hypervisor_bit(void **state)
{
	(void)state;
	cpu.signature = "Testudo L0  ";
	assert_true(read_machine().is_testudo);
	fresh(NULL);
	assert_false(read_machine().is_testudo);
}

/* Expect: the cause is told apart: TCG, another hypervisor, another maker, firmware. */
static void a_missing_vmx_has_the_cause_that_fits(void **state)
{
	static const struct {
		const char *vendor, *signature, *words;
		bool hypervisor;
	} cases[] = {
		{ "AuthenticAMD", "TCGTCGTCGTCG", "QEMU's own emulation", true },
		{ "GenuineIntel", "Testudo L0  ", "take vmx out of its setting hide", false },
		{ "GenuineIntel", "Testudo L0  ", "take vmx out of its setting hide", true },
		{ "GenuineIntel", "KVMKVMKVM\0\0\0", "nested=1", true },
		{ "AuthenticAMD", "            ", "SVM instead of VMX", false },
		{ "HygonGenuine", "            ", "SVM instead of VMX", false },
		{ "GenuineIntel", "            ", "VT-x\" in the firmware's setup", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fresh(NULL);
		cpu.vmx = false;
		cpu.vendor = cases[i].vendor;
		cpu.signature = cases[i].signature;
		cpu.hypervisor = cases[i].hypervisor;
		struct machine machine = read_machine();

		assert_only_fault(&machine, cases[i].words);
	}
}

static void feature_control_locked_without_vmx_is_named(void **state)
{
	struct machine machine = good();

	(void)state;
	machine.feature_control = FEATURE_CONTROL_LOCK;
	assert_only_fault(&machine, "locked IA32_FEATURE_CONTROL with VMX off; turn");
	machine.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_INSIDE_SMX;
	assert_only_fault(&machine, "IA32_FEATURE_CONTROL");
}

/* The capability word that machine_check uses for a control word. */
static u64 *capability(struct machine *machine, u8 control_word)
{
	u64 *const words[CONTROL_WORD_COUNT] = {
		[WORD_PIN] = &machine->pin, [WORD_PROC] = &machine->proc, [WORD_PROC2] = &machine->proc2,
		[WORD_EXIT] = &machine->exit, [WORD_ENTRY] = &machine->entry,
	};

	return words[control_word];
}

/* Expect: without any one of them there is a fault, and without any other control there is none. */
static void exactly_the_controls_that_l0_must_have_are_required(void **state)
{
	(void)state;
	for (u32 i = 0; i < controls_count; i++) {
		struct machine machine = good();
		struct machine_faults faults;

		*capability(&machine, controls[i].word) &= ~BIT(32 + controls[i].bit);
		machine_check(&machine, &faults);
		if ((faults.count != 0) != (controls[i].need == NEED_MUST))
			fail_msg("%s: %u faults", controls[i].name, faults.count);
	}
}

static void each_ept_capability_is_named(void **state)
{
	static const struct {
		unsigned int bit;
		const char *words;
	} cases[] = { { 6, "4 levels" }, { 14, "write-back" }, { 16, "2 MB pages" }, { 20, "INVEPT" }, { 26, "INVEPT of all" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine machine = good();

		machine.ept_vpid &= ~BIT(cases[i].bit);
		assert_only_fault(&machine, cases[i].words);
	}
}

/* Expect: on a machine without EPT its capabilities are not complained about too. */
static void without_ept_its_details_are_not_listed(void **state)
{
	struct machine machine = good();

	(void)state;
	machine.proc2 &= ~BIT(33);
	machine.ept_vpid = 0;
	assert_only_fault(&machine, "extended page tables");
}

static void other_lacks_are_named(void **state)
{
	struct machine machine = good();

	(void)state;
	machine.has_nx = false;
	assert_only_fault(&machine, "no-execute");
	machine = good();
	machine.cr4 = CR4_LA57;
	assert_only_fault(&machine, "5-level paging");
	machine = good();
	machine.basic &= ~BIT(55);
	assert_only_fault(&machine, "TRUE capability MSRs");
	machine = good();
	machine.basic |= BIT(48);
	assert_only_fault(&machine, "32-bit addresses");
	machine = good();
	machine.basic &= ~BITS(53, 50);
	assert_only_fault(&machine, "write-back");
}

/* Expect: the advice fits a virtual machine. */
static void under_a_hypervisor_the_advice_is_for_the_hypervisor(void **state)
{
	struct machine machine = good();

	(void)state;
	machine.proc2 &= ~BIT(32 + 7);
	assert_only_fault(&machine, "too old");
	machine.has_hypervisor = true;
	assert_only_fault(&machine, "the hypervisor that this machine runs under");
}

/* SDM "Miscellaneous Data": bit 8 is the activity state wait-for-SIPI. Without VMX nothing is known of it. */
static void without_wait_for_sipi_there_is_one_processor(void **state)
{
	struct machine machine = good();

	(void)state;
	machine.misc = ~BIT(8);
	assert_int_equal(machine_processors(&machine, 256), 1);
	assert_int_equal(machine_processors(&machine, 1), 1);
	machine.misc = BIT(8);
	assert_int_equal(machine_processors(&machine, 256), 256);
	machine = (struct machine){ 0 };
	assert_int_equal(machine_processors(&machine, 3), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_good_machine_lacks_nothing, fresh),
		cmocka_unit_test_setup(one_gigabyte_pages_need_both_kinds_of_tables, fresh),
		cmocka_unit_test_setup(without_vmx_no_msr_is_read, fresh),
		cmocka_unit_test_setup(true_msrs_are_read_only_where_they_exist, fresh),
		cmocka_unit_test_setup(secondary_and_ept_msrs_are_read_only_where_they_exist, fresh),
		cmocka_unit_test_setup(testudo_is_recognized_without_the_hypervisor_bit, fresh),
		cmocka_unit_test_setup(a_missing_vmx_has_the_cause_that_fits, fresh),
		cmocka_unit_test_setup(feature_control_locked_without_vmx_is_named, fresh),
		cmocka_unit_test_setup(exactly_the_controls_that_l0_must_have_are_required, fresh),
		cmocka_unit_test_setup(each_ept_capability_is_named, fresh),
		cmocka_unit_test_setup(without_ept_its_details_are_not_listed, fresh),
		cmocka_unit_test_setup(other_lacks_are_named, fresh),
		cmocka_unit_test_setup(under_a_hypervisor_the_advice_is_for_the_hypervisor, fresh),
		cmocka_unit_test(without_wait_for_sipi_there_is_one_processor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
