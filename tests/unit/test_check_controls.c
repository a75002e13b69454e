/* SPDX-License-Identifier: MIT */
/*
 * VM entry's checks on VM-execution, VM-exit and VM-entry controls: each row
 * breaks one rule of a valid vmcs12, and every rule has a row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "tests/unit/refusals.h"

#define SECONDARY(name) WITH(SECONDARY_PROCESSOR_BASED_CONTROLS, CONTROL_MASK(PROC2, name))
#define PRIMARY(name) WITH(PROCESSOR_BASED_CONTROLS, CONTROL_MASK(PROC, name))
#define PIN(name) WITH(PIN_BASED_CONTROLS, CONTROL_MASK(PIN, name))
#define EXIT(name) WITH(EXIT_CONTROLS, CONTROL_MASK(EXIT, name))
#define NO_SECONDARY(name) WITHOUT(SECONDARY_PROCESSOR_BASED_CONTROLS, CONTROL_MASK(PROC2, name))
#define POSTS PIN(PROCESS_POSTED_INTERRUPTS), PIN(EXTERNAL_INTERRUPT_EXITING)
#define DELIVERS SECONDARY(VIRTUAL_INTERRUPT_DELIVERY), PRIMARY(USE_TPR_SHADOW)
#define INJECT(value) TO(ENTRY_INTERRUPTION_INFORMATION, value)
#define BEYOND (UINT64_C(1) << BUILDER_PHYSICAL_BITS)

static const struct refusal refusals[] = {
	/* pin-based and processor-based controls */
	{ "a_pin_based_bit_that_must_be_1_is_0", BUILD_LONG, { WITHOUT(PIN_BASED_CONTROLS, 2) },
	  "pin-based controls: a bit that must be 1 is 0", 0 },
	{ "a_reserved_pin_based_bit_is_1", BUILD_LONG, { WITH(PIN_BASED_CONTROLS, 1u << 20) },
	  "pin-based controls: a bit is 1 that is reserved or not offered", 0 },
	{ "a_primary_bit_that_must_be_1_is_0", BUILD_LONG, { WITHOUT(PROCESSOR_BASED_CONTROLS, 2) },
	  "primary controls: a bit that must be 1 is 0", 0 },
	{ "tertiary_controls_are_not_offered", BUILD_LONG, { PRIMARY(ACTIVATE_TERTIARY_CONTROLS) },
	  "primary controls: a bit is 1 that is reserved or not offered", 0 },
	{ "a_secondary_control_that_is_not_offered", BUILD_LONG, { SECONDARY(ENABLE_PCONFIG) },
	  "secondary controls: a bit is 1 that is reserved or not offered", 0 },
	{ "secondary_controls_are_ignored_unless_activated", BUILD_LONG_NO_EPT,
	  { TO(SECONDARY_PROCESSOR_BASED_CONTROLS, UINT32_MAX), TO(VPID, 0), TO(EPT_POINTER, UINT64_MAX) }, NULL, 0 },
	{ "four_cr3_targets_are_accepted", BUILD_LONG, { TO(CR3_TARGET_COUNT, 4) }, NULL, 0 },
	{ "five_cr3_targets_are_too_many", BUILD_LONG, { TO(CR3_TARGET_COUNT, 5) },
	  "CR3-target count: more than IA32_VMX_MISC says", 0 },

	/* addresses */
	{ "io_bitmap_a_is_not_aligned", BUILD_LONG, { PRIMARY(USE_IO_BITMAPS), TO(IO_BITMAP_A_ADDRESS, 0x800) },
	  "I/O bitmap A: not page aligned, or beyond the physical-address width", 0 },
	{ "io_bitmap_b_is_beyond_the_width", BUILD_LONG, { PRIMARY(USE_IO_BITMAPS), TO(IO_BITMAP_B_ADDRESS, BEYOND) },
	  "I/O bitmap B: not page aligned, or beyond the physical-address width", 0 },
	{ "io_bitmaps_that_are_off_are_not_looked_at", BUILD_LONG, { TO(IO_BITMAP_A_ADDRESS, 1) }, NULL, 0 },
	{ "msr_bitmap_is_not_aligned", BUILD_LONG, { PRIMARY(USE_MSR_BITMAPS), TO(MSR_BITMAP_ADDRESS, 8) },
	  "MSR bitmap: not page aligned, or beyond the physical-address width", 0 },
	{ "msr_bitmap_by_the_rules", BUILD_LONG, { PRIMARY(USE_MSR_BITMAPS), TO(MSR_BITMAP_ADDRESS, 0x70000) }, NULL, 0 },
	{ "msr_bitmap_that_is_off_is_not_looked_at", BUILD_LONG, { TO(MSR_BITMAP_ADDRESS, 8) }, NULL, 0 },
	{ "virtual_apic_page_is_beyond_the_width", BUILD_LONG, { PRIMARY(USE_TPR_SHADOW), TO(VIRTUAL_APIC_ADDRESS, BEYOND) },
	  "virtual-APIC address: not page aligned, or beyond the physical-address width", 0 },
	{ "apic_access_page_is_not_aligned", BUILD_LONG, { SECONDARY(VIRTUALIZE_APIC_ACCESSES), TO(APIC_ACCESS_ADDRESS, 0x10) },
	  "APIC-access address: not page aligned, or beyond the physical-address width", 0 },

	/* TPR */
	{ "tpr_threshold_of_16", BUILD_LONG, { PRIMARY(USE_TPR_SHADOW), TO(TPR_THRESHOLD, 16) },
	  "TPR threshold: bits 31:4 are not 0", 0 },
	{ "tpr_threshold_of_16_with_interrupt_delivery", BUILD_LONG,
	  { DELIVERS, PIN(EXTERNAL_INTERRUPT_EXITING), TO(TPR_THRESHOLD, 16) }, NULL, 0 },
	{ "tpr_threshold_equal_to_vtpr", BUILD_LONG, { PRIMARY(USE_TPR_SHADOW), TO(TPR_THRESHOLD, 5) }, NULL, 0 },
	{ "tpr_threshold_above_vtpr", BUILD_LONG, { PRIMARY(USE_TPR_SHADOW), TO(TPR_THRESHOLD, 6) },
	  "TPR threshold: greater than bits 7:4 of VTPR", 0 },
	{ "tpr_threshold_above_vtpr_with_apic_accesses", BUILD_LONG,
	  { PRIMARY(USE_TPR_SHADOW), SECONDARY(VIRTUALIZE_APIC_ACCESSES), TO(TPR_THRESHOLD, 6) }, NULL, 0 },

	/* combinations */
	{ "virtual_nmis_without_nmi_exiting", BUILD_LONG, { PIN(VIRTUAL_NMIS) }, "virtual NMIs without NMI exiting", 0 },
	{ "nmi_window_without_virtual_nmis", BUILD_LONG, { PIN(NMI_EXITING), PRIMARY(NMI_WINDOW_EXITING) },
	  "NMI-window exiting without virtual NMIs", 0 },
	{ "nmi_window_with_virtual_nmis", BUILD_LONG, { PIN(NMI_EXITING), PIN(VIRTUAL_NMIS), PRIMARY(NMI_WINDOW_EXITING) },
	  NULL, 0 },
	{ "x2apic_mode_without_tpr_shadow", BUILD_LONG, { SECONDARY(VIRTUALIZE_X2APIC_MODE) },
	  "virtualize x2APIC mode without TPR shadow", 0 },
	{ "register_virtualization_without_tpr_shadow", BUILD_LONG, { SECONDARY(APIC_REGISTER_VIRTUALIZATION) },
	  "APIC-register virtualization without TPR shadow", 0 },
	{ "interrupt_delivery_without_tpr_shadow", BUILD_LONG, { SECONDARY(VIRTUAL_INTERRUPT_DELIVERY) },
	  "virtual-interrupt delivery without TPR shadow", 0 },
	{ "x2apic_mode_with_apic_accesses", BUILD_LONG,
	  { PRIMARY(USE_TPR_SHADOW), SECONDARY(VIRTUALIZE_X2APIC_MODE), SECONDARY(VIRTUALIZE_APIC_ACCESSES) },
	  "virtualize x2APIC mode together with virtualize APIC accesses", 0 },
	{ "interrupt_delivery_without_exiting", BUILD_LONG, { DELIVERS },
	  "virtual-interrupt delivery without external-interrupt exiting", 0 },
	{ "posted_interrupts_without_delivery", BUILD_LONG, { POSTS, EXIT(ACKNOWLEDGE_INTERRUPT) },
	  "posted interrupts without virtual-interrupt delivery", 0 },
	{ "posted_interrupts_without_acknowledge", BUILD_LONG, { POSTS, DELIVERS },
	  "posted interrupts without acknowledge interrupt on exit", 0 },
	{ "posted_interrupts_by_the_rules", BUILD_LONG, { POSTS, DELIVERS, EXIT(ACKNOWLEDGE_INTERRUPT) }, NULL, 0 },
	{ "vpid_0", BUILD_LONG, { TO(VPID, 0) }, "VPID: 0 with VPID enabled", 0 },
	{ "tsc_multiplier_0", BUILD_LONG, { SECONDARY(USE_TSC_SCALING), TO(TSC_MULTIPLIER, 0) },
	  "TSC multiplier: 0 with TSC scaling", 0 },
	{ "tsc_multiplier_by_the_rules", BUILD_LONG, { SECONDARY(USE_TSC_SCALING), TO(TSC_MULTIPLIER, 1) }, NULL, 0 },

	/* EPT */
	{ "ept_memory_type_is_reserved", BUILD_LONG, { WITH(EPT_POINTER, 7) },
	  "EPT pointer: the memory type in bits 2:0 is not offered", 0 },
	{ "ept_of_five_levels_is_not_offered", BUILD_LONG, { TO(EPT_POINTER, 0x40000 | 4 << 3 | 6) },
	  "EPT pointer: the walk length in bits 5:3 is not offered", 0 },
	{ "ept_pointer_has_a_reserved_bit", BUILD_LONG, { WITH(EPT_POINTER, 0x80) },
	  "EPT pointer: a reserved bit of 11:7, or beyond the physical-address width", 0 },
	{ "ept_pointer_is_beyond_the_width", BUILD_LONG, { WITH(EPT_POINTER, BEYOND) },
	  "EPT pointer: a reserved bit of 11:7, or beyond the physical-address width", 0 },
	{ "ept_pointer_may_be_uncacheable_without_flags", BUILD_LONG, { TO(EPT_POINTER, 0x40000 | 3 << 3) }, NULL, 0 },
	{ "unrestricted_guest_without_ept", BUILD_LONG, { NO_SECONDARY(ENABLE_EPT), SECONDARY(UNRESTRICTED_GUEST) },
	  "unrestricted guest without EPT", 0 },

	/* what is not offered yet: on a processor whose L1 is offered all */
	{ "pml_without_ept", BUILD_EVERYTHING, { NO_SECONDARY(ENABLE_EPT), SECONDARY(ENABLE_PML) }, "PML without EPT", 0 },
	{ "pml_address_is_not_aligned", BUILD_EVERYTHING, { SECONDARY(ENABLE_PML), TO(PML_ADDRESS, 1) },
	  "PML address: not page aligned, or beyond the physical-address width", 0 },
	{ "pml_by_the_rules", BUILD_EVERYTHING, { SECONDARY(ENABLE_PML), TO(PML_ADDRESS, 0x70000) }, NULL, 0 },
	{ "mode_based_execute_without_ept", BUILD_EVERYTHING, { NO_SECONDARY(ENABLE_EPT), SECONDARY(MODE_BASED_EXECUTE) },
	  "mode-based execute control for EPT without EPT", 0 },
	{ "sub_page_permissions_without_ept", BUILD_EVERYTHING,
	  { NO_SECONDARY(ENABLE_EPT), SECONDARY(SUB_PAGE_WRITE_PERMISSIONS) },
	  "sub-page write permissions for EPT without EPT", 0 },
	{ "sub_page_table_is_not_aligned", BUILD_EVERYTHING,
	  { SECONDARY(SUB_PAGE_WRITE_PERMISSIONS), TO(SUB_PAGE_PERMISSION_TABLE_POINTER, 1) },
	  "sub-page-permission-table pointer: not page aligned, or beyond the physical-address width", 0 },
	{ "sub_page_table_by_the_rules", BUILD_EVERYTHING,
	  { SECONDARY(SUB_PAGE_WRITE_PERMISSIONS), TO(SUB_PAGE_PERMISSION_TABLE_POINTER, 0x70000) }, NULL, 0 },
	{ "vm_function_63_is_reserved", BUILD_EVERYTHING,
	  { SECONDARY(ENABLE_VM_FUNCTIONS), TO(VM_FUNCTION_CONTROLS, 1ull << 63) },
	  "VM-function controls: a reserved bit is 1", 0 },
	{ "eptp_switching_without_ept", BUILD_EVERYTHING,
	  { SECONDARY(ENABLE_VM_FUNCTIONS), NO_SECONDARY(ENABLE_EPT), TO(VM_FUNCTION_CONTROLS, 1) },
	  "EPTP switching without EPT", 0 },
	{ "eptp_list_is_not_aligned", BUILD_EVERYTHING,
	  { SECONDARY(ENABLE_VM_FUNCTIONS), TO(VM_FUNCTION_CONTROLS, 1), TO(EPTP_LIST_ADDRESS, 8) },
	  "EPTP list: not page aligned, or beyond the physical-address width", 0 },
	{ "eptp_list_by_the_rules", BUILD_EVERYTHING,
	  { SECONDARY(ENABLE_VM_FUNCTIONS), TO(VM_FUNCTION_CONTROLS, 1), TO(EPTP_LIST_ADDRESS, 0x70000) }, NULL, 0 },
	{ "vm_functions_without_one_of_them", BUILD_EVERYTHING, { SECONDARY(ENABLE_VM_FUNCTIONS), TO(EPTP_LIST_ADDRESS, 8) }, NULL, 0 },
	{ "vmread_bitmap_is_not_aligned", BUILD_EVERYTHING, { SECONDARY(VMCS_SHADOWING), TO(VMREAD_BITMAP_ADDRESS, 8) },
	  "VMREAD bitmap: not page aligned, or beyond the physical-address width", 0 },
	{ "vmwrite_bitmap_is_beyond_the_width", BUILD_EVERYTHING,
	  { SECONDARY(VMCS_SHADOWING), TO(VMWRITE_BITMAP_ADDRESS, BEYOND) },
	  "VMWRITE bitmap: not page aligned, or beyond the physical-address width", 0 },
	{ "virtualization_exception_area_is_not_aligned", BUILD_EVERYTHING,
	  { SECONDARY(EPT_VIOLATION_VE), TO(VIRTUALIZATION_EXCEPTION_ADDRESS, 8) },
	  "virtualization-exception information: not page aligned, or beyond the physical-address width", 0 },
	{ "virtualization_exception_area_by_the_rules", BUILD_EVERYTHING,
	  { SECONDARY(EPT_VIOLATION_VE), TO(VIRTUALIZATION_EXCEPTION_ADDRESS, 0x70000) }, NULL, 0 },

	/* VM-exit controls */
	{ "an_exit_bit_that_must_be_1_is_0", BUILD_LONG, { WITHOUT(EXIT_CONTROLS, 1) },
	  "VM-exit controls: a bit that must be 1 is 0", 0 },
	{ "clearing_bndcfgs_is_not_offered", BUILD_LONG, { EXIT(CLEAR_IA32_BNDCFGS) },
	  "VM-exit controls: a bit is 1 that is reserved or not offered", 0 },
	{ "timer_is_saved_but_not_activated", BUILD_LONG, { EXIT(SAVE_PREEMPTION_TIMER) },
	  "save VMX-preemption timer value without the timer being activated", 0 },
	{ "timer_is_saved_and_activated", BUILD_LONG, { EXIT(SAVE_PREEMPTION_TIMER), PIN(ACTIVATE_PREEMPTION_TIMER) },
	  NULL, 0 },
	{ "exit_store_area_is_not_aligned", BUILD_LONG, { TO(EXIT_MSR_STORE_COUNT, 1), TO(EXIT_MSR_STORE_ADDRESS, 8) },
	  "VM-exit MSR-store area: not 16-byte aligned, or beyond the physical-address width", 0 },
	{ "exit_store_area_ends_beyond_the_width", BUILD_LONG,
	  { TO(EXIT_MSR_STORE_COUNT, 2), TO(EXIT_MSR_STORE_ADDRESS, BEYOND - 16) },
	  "VM-exit MSR-store area: not 16-byte aligned, or beyond the physical-address width", 0 },
	{ "exit_store_area_ends_with_the_width", BUILD_LONG,
	  { TO(EXIT_MSR_STORE_COUNT, 1), TO(EXIT_MSR_STORE_ADDRESS, BEYOND - 16) },
	  NULL, 0 },
	{ "an_empty_area_may_be_anywhere", BUILD_LONG,
	  { TO(EXIT_MSR_STORE_ADDRESS, 1), TO(ENTRY_MSR_LOAD_ADDRESS, UINT64_MAX) }, NULL, 0 },
	{ "exit_store_list_of_513", BUILD_LONG, { TO(EXIT_MSR_STORE_COUNT, 513) },
	  "VM-exit MSR-store count: more than IA32_VMX_MISC recommends", 0 },
	{ "exit_load_area_is_beyond_the_width", BUILD_LONG, { TO(EXIT_MSR_LOAD_COUNT, 1), TO(EXIT_MSR_LOAD_ADDRESS, BEYOND) },
	  "VM-exit MSR-load area: not 16-byte aligned, or beyond the physical-address width", 0 },
	{ "exit_load_list_of_4_billion", BUILD_LONG, { TO(EXIT_MSR_LOAD_COUNT, UINT32_MAX) },
	  "VM-exit MSR-load count: more than IA32_VMX_MISC recommends", 0 },

	/* VM-entry controls */
	{ "an_entry_bit_that_must_be_1_is_0", BUILD_LONG, { WITHOUT(ENTRY_CONTROLS, 1) },
	  "VM-entry controls: a bit that must be 1 is 0", 0 },
	{ "entry_to_smm_is_not_offered", BUILD_LONG, { WITH(ENTRY_CONTROLS, CONTROL_MASK(ENTRY, ENTRY_TO_SMM)) },
	  "VM-entry controls: a bit is 1 that is reserved or not offered", 0 },
	{ "event_of_reserved_type", BUILD_LONG, { INJECT(0x80000120) }, "injected event: interruption type 1 is reserved", 0 },
	{ "an_event_that_is_not_valid_is_not_looked_at", BUILD_LONG, { INJECT(0x7fffffff) }, NULL, 0 },
	{ "nmi_with_another_vector", BUILD_LONG, { INJECT(0x80000203) },
	  "injected event: an NMI whose vector is not 2", 0 },
	{ "exception_with_vector_32", BUILD_LONG, { INJECT(0x80000320) },
	  "injected event: a hardware exception whose vector is above 31", 0 },
	{ "other_event_with_vector_1", BUILD_LONG, { INJECT(0x80000701) },
	  "injected event: type other event with a vector that is not 0", 0 },
	{ "pending_mtf", BUILD_LONG, { INJECT(0x80000700) }, NULL, 0 },
	{ "general_protection_without_error_code", BUILD_LONG, { INJECT(0x8000030d) },
	  "injected event: no error code with an exception that has one", 0 },
	{ "general_protection_with_error_code", BUILD_LONG, { INJECT(0x80000b0d), TO(ENTRY_EXCEPTION_ERROR_CODE, 0xffff) },
	  NULL, 0 },
	{ "debug_exception_with_error_code", BUILD_LONG, { INJECT(0x80000b01) },
	  "injected event: an error code with an exception that has none", 0 },
	{ "external_interrupt_with_error_code", BUILD_LONG, { INJECT(0x8000080d) },
	  "injected event: an error code with what is no hardware exception", 0 },
	{ "general_protection_with_error_code_in_real_mode", BUILD_REAL, { INJECT(0x80000b0d) },
	  "injected event: an error code in real mode", 0 },
	{ "general_protection_in_real_mode", BUILD_REAL, { INJECT(0x8000030d) }, NULL, 0 },
	{ "error_code_in_protected_mode_of_an_unrestricted_guest", BUILD_REAL,
	  { WITH(GUEST_CR0, CR0_PE), INJECT(0x80000b0d) }, NULL, 0 },
	{ "control_protection_with_error_code", BUILD_LONG, { INJECT(0x80000b15) }, NULL, 0 },
	{ "control_protection_without_error_code", BUILD_LONG, { INJECT(0x80000315) },
	  "injected event: no error code with an exception that has one", 0 },
	{ "an_event_that_is_not_valid_may_be_anything", BUILD_LONG,
	  { INJECT(0x7ffffcff), TO(ENTRY_EXCEPTION_ERROR_CODE, UINT32_MAX), TO(ENTRY_INSTRUCTION_LENGTH, 99) }, NULL, 0 },
	{ "event_with_a_reserved_bit", BUILD_LONG, { INJECT(0x80001020) }, "injected event: bits 30:12 are not 0", 0 },
	{ "error_code_of_17_bits", BUILD_LONG, { INJECT(0x80000b0d), TO(ENTRY_EXCEPTION_ERROR_CODE, 0x10000) },
	  "injected event: bits 31:16 of the error code are not 0", 0 },
	{ "software_interrupt_of_16_bytes", BUILD_LONG, { INJECT(0x80000480), TO(ENTRY_INSTRUCTION_LENGTH, 16) },
	  "injected software event: instruction length above 15, or 0 where that is not offered", 0 },
	{ "software_interrupt_of_0_bytes_where_offered", BUILD_LONG, { INJECT(0x80000480) }, NULL, 0 },
	{ "entry_load_area_is_not_aligned", BUILD_LONG, { TO(ENTRY_MSR_LOAD_COUNT, 1), TO(ENTRY_MSR_LOAD_ADDRESS, 8) },
	  "VM-entry MSR-load area: not 16-byte aligned, or beyond the physical-address width", 0 },
	{ "entry_load_list_of_512", BUILD_LONG, { TO(ENTRY_MSR_LOAD_COUNT, 512) }, NULL, 0 },
	{ "entry_load_list_of_513", BUILD_LONG, { TO(ENTRY_MSR_LOAD_COUNT, 513) },
	  "VM-entry MSR-load count: more than IA32_VMX_MISC recommends", 0 },

	/* the rest of posted interrupts needs a sixth change: see below */
};

static void run(void **state)
{
	refusal_run(*state, check_controls);
}

/* A valid vmcs12 that posts interrupts. */
static void build_posting(struct builder *builder)
{
	builder_init(builder, BUILD_LONG);
	builder->vmcs12.fields.value[VMCS_INDEX_PIN_BASED_CONTROLS] |= PIN_PROCESS_POSTED_INTERRUPTS | PIN_EXTERNAL_INTERRUPT_EXITING;
	builder->vmcs12.fields.value[VMCS_INDEX_PROCESSOR_BASED_CONTROLS] |= PROC_USE_TPR_SHADOW;
	builder->vmcs12.fields.value[VMCS_INDEX_SECONDARY_PROCESSOR_BASED_CONTROLS] |= PROC2_VIRTUAL_INTERRUPT_DELIVERY;
	builder->vmcs12.fields.value[VMCS_INDEX_EXIT_CONTROLS] |= EXIT_ACKNOWLEDGE_INTERRUPT;
}

#define RULE_VECTOR "posted-interrupt notification vector: above 255"
#define RULE_DESCRIPTOR "posted-interrupt descriptor: not 64-byte aligned, or beyond the physical-address width"
#define RULE_SECONDARY "secondary controls: a bit that must be 1 is 0"

static void posted_interrupt_vector_and_descriptor_are_checked(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	build_posting(&builder);
	assert_true(check_controls(&builder.context, &failure));
	vmcs12_set(&builder.vmcs12, VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR, 256);
	assert_false(check_controls(&builder.context, &failure));
	assert_string_equal(failure.rule, RULE_VECTOR);

	build_posting(&builder);
	vmcs12_set(&builder.vmcs12, VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, 0x20);
	assert_false(check_controls(&builder.context, &failure));
	assert_string_equal(failure.rule, RULE_DESCRIPTOR);
	vmcs12_set(&builder.vmcs12, VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, BEYOND);
	assert_false(check_controls(&builder.context, &failure));
	assert_string_equal(failure.rule, RULE_DESCRIPTOR);
}

static void a_secondary_bit_that_must_be_1_is_0(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	builder.offered.control[WORD_PROC2].must_be_1 = PROC2_ENABLE_RDTSCP;
	assert_false(check_controls(&builder.context, &failure));
	assert_string_equal(failure.rule, RULE_SECONDARY);
}

static void zero_length_software_events_need_the_capability(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	builder.offered.misc &= ~VMX_MISC_INJECT_ZERO_LENGTH;
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000603);
	assert_false(check_controls(&builder.context, &failure));
	assert_string_equal(failure.rule, "injected software event: instruction length above 15, or 0 where that is not offered");
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INSTRUCTION_LENGTH, 1);
	assert_true(check_controls(&builder.context, &failure));
}

static void any_error_code_is_accepted_where_the_processor_says_so(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	builder.offered.basic |= VMX_BASIC_ANY_ERROR_CODE;
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000b01);
	assert_true(check_controls(&builder.context, &failure));
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000820);
	assert_false(check_controls(&builder.context, &failure));
}

/* Expect: vector 21 has an error code where CR4.CET exists, and is like any other where not. */
static void control_protection_goes_by_cet(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	builder.offered.cr4_fixed1 &= ~CR4_CET;
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000315);
	assert_true(check_controls(&builder.context, &failure));
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000b15);
	assert_false(check_controls(&builder.context, &failure));
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000b0d);
	assert_true(check_controls(&builder.context, &failure));
}

#define RULE_OTHER_EVENT "injected event: type other event without the monitor trap flag offered"

static void other_events_need_the_monitor_trap_flag(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	builder.offered.control[WORD_PROC].may_be_1 &= ~PROC_MONITOR_TRAP_FLAG;
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000700);
	assert_false(check_controls(&builder.context, &failure));
	assert_string_equal(failure.rule, RULE_OTHER_EVENT);
}

#define RULE_EPT_FLAGS "EPT pointer: accessed and dirty flags, bit 6, are not offered"

static void accessed_and_dirty_flags_need_the_capability(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	builder.offered.ept_vpid &= ~EPT_CAP_ACCESSED_DIRTY;
	assert_false(check_controls(&builder.context, &failure));
	assert_string_equal(failure.rule, RULE_EPT_FLAGS);
	vmcs12_set(&builder.vmcs12, VMCS_EPT_POINTER, 0x40000 | 6 | 3 << 3);
	assert_true(check_controls(&builder.context, &failure));
}

static void valid_controls_are_accepted(void **state)
{
	(void)state;
	refusals_accept_valid(check_controls);
}

static void every_rule_has_a_case_that_breaks_it(void **state)
{
	static const char *const others[] = { RULE_VECTOR, RULE_DESCRIPTOR, RULE_SECONDARY, RULE_OTHER_EVENT, RULE_EPT_FLAGS };
	struct refusal all[array_size(refusals) + array_size(others)];

	(void)state;
	memcpy(all, refusals, sizeof(refusals));
	for (u32 i = 0; i < array_size(others); i++)
		all[array_size(refusals) + i] = (struct refusal){ .rule = others[i] };
	refusals_cover(all, array_size(all), &check_execution_section);
	refusals_cover(all, array_size(all), &check_exit_section);
	refusals_cover(all, array_size(all), &check_entry_section);
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(posted_interrupt_vector_and_descriptor_are_checked),
	cmocka_unit_test(a_secondary_bit_that_must_be_1_is_0),
	cmocka_unit_test(zero_length_software_events_need_the_capability),
	cmocka_unit_test(any_error_code_is_accepted_where_the_processor_says_so),
	cmocka_unit_test(control_protection_goes_by_cet),
	cmocka_unit_test(other_events_need_the_monitor_trap_flag),
	cmocka_unit_test(accessed_and_dirty_flags_need_the_capability),
	cmocka_unit_test(valid_controls_are_accepted),
	cmocka_unit_test(every_rule_has_a_case_that_breaks_it),
};

int main(void)
{
	struct CMUnitTest tests[array_size(refusals) + array_size(others)];

	for (u32 i = 0; i < array_size(refusals); i++)
		tests[i] = (struct CMUnitTest){ .name = refusals[i].name, .test_func = run,
						.initial_state = (void *)(uintptr_t)&refusals[i] };
	memcpy(&tests[array_size(refusals)], others, sizeof(others));
	return cmocka_run_group_tests_name("check_controls", tests, NULL, NULL);
}
