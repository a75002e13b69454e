/* SPDX-License-Identifier: MIT */
/*
 * Error 7: SDM "Checks on VMX Controls". One wrong thing at a time.
 */
#include "tests/guests/insn/entry.h"

#include "tests/guests/lib/memory.h"

#define EXIT_CLEAR_LBR_CTL BIT(26)

static bool has_secondary(void)
{
	return proc_offers(PROC_ACTIVATE_SECONDARY_CONTROLS);
}

/* No bit of these controls is reserved any more, but hardly a processor has this one. */
static bool lacks_clear_lbr(void)
{
	return !exit_offers(EXIT_CLEAR_LBR_CTL);
}

static bool has_tpr_shadow(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW);
}

static bool has_virtual_nmis(void)
{
	return pin_offers(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
}

static bool has_apic_accesses(void)
{
	return proc2_offers(PROC2_VIRTUALIZE_APIC_ACCESSES);
}

static bool has_x2apic(void)
{
	return has_tpr_shadow() && proc2_offers(PROC2_VIRTUALIZE_X2APIC_MODE);
}

static bool has_vpid(void)
{
	return proc2_offers(PROC2_ENABLE_VPID);
}

static bool has_unrestricted(void)
{
	return proc2_offers(PROC2_UNRESTRICTED_GUEST);
}

static bool has_timer(void)
{
	return pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER) &&
	       exit_offers(EXIT_SAVE_PREEMPTION_TIMER);
}

static bool has_apic_registers(void)
{
	return has_tpr_shadow() && proc2_offers(PROC2_APIC_REGISTER_VIRTUALIZATION);
}

static bool has_interrupt_delivery(void)
{
	return has_tpr_shadow() && proc2_offers(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
}

#define BEYOND BEYOND_PHYSICAL_WIDTH
#define EVENT(bits) PUT(VM_ENTRY_INTERRUPTION_INFORMATION, EVENT_VALID | (bits))
#define EVENT_WITH_ERROR(bits, code)                                             \
	{ { VM_ENTRY_INTERRUPTION_INFORMATION, ~0ull, EVENT_VALID | (bits) },    \
	  { VM_ENTRY_EXCEPTION_ERROR_CODE, ~0ull, code } }
#define EVENT_WITH_LENGTH(bits, length)                                          \
	{ { VM_ENTRY_INTERRUPTION_INFORMATION, ~0ull, EVENT_VALID | (bits) },    \
	  { VM_ENTRY_INSTRUCTION_LENGTH, ~0ull, length } }
#define SECONDARY(bits) SET(SECONDARY_CONTROLS, bits)
#define PROC(bits) { PROCESSOR_BASED_CONTROLS, 0, bits }
#define PROC2(bits) { SECONDARY_CONTROLS, 0, bits }

static const struct entry_case words[] = {
	{ "control.pin_default1_clear", CLEAR(PIN_BASED_CONTROLS, BIT(1)), ERROR_CONTROLS, NULL, 100 },
	{ "control.pin_reserved_set", SET(PIN_BASED_CONTROLS, BIT(31)), ERROR_CONTROLS, NULL, 101 },
	{ "control.proc_default1_clear", CLEAR(PROCESSOR_BASED_CONTROLS, BIT(1)), ERROR_CONTROLS, NULL, 102 },
	{ "control.proc_reserved_set", SET(PROCESSOR_BASED_CONTROLS, BIT(0)), ERROR_CONTROLS, NULL, 103 },
	{ "control.secondary_reserved_set", SECONDARY(BIT(31)), ERROR_CONTROLS, has_secondary, 105 },
	{ "control.exit_default1_clear", CLEAR(VM_EXIT_CONTROLS, BIT(0)), ERROR_CONTROLS, NULL, 200 },
	{ "control.exit_reserved_set", SET(VM_EXIT_CONTROLS, EXIT_CLEAR_LBR_CTL), ERROR_CONTROLS,
	  lacks_clear_lbr, 201 },
	{ "control.entry_default1_clear", CLEAR(VM_ENTRY_CONTROLS, BIT(0)), ERROR_CONTROLS, NULL, 220 },
	{ "control.entry_reserved_set", SET(VM_ENTRY_CONTROLS, BIT(31)), ERROR_CONTROLS, NULL, 221 },
	{ "control.cr3_target_count", PUT(CR3_TARGET_COUNT, 0x1ff), ERROR_CONTROLS, NULL, 106 },
	{ "control.virtual_nmis_alone", { { PIN_BASED_CONTROLS, PIN_NMI_EXITING, PIN_VIRTUAL_NMIS } },
	  ERROR_CONTROLS, has_virtual_nmis, 113 },
	{ "control.nmi_window_without_virtual_nmis",
	  { PROC(PROC_NMI_WINDOW_EXITING) }, ERROR_CONTROLS, has_virtual_nmis, 114 },
	{ "control.save_timer_without_timer",
	  { { PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER, 0 },
	    { VM_EXIT_CONTROLS, 0, EXIT_SAVE_PREEMPTION_TIMER } }, ERROR_CONTROLS, has_timer, 202 },
	{ "control.vpid_0", { PROC2(PROC2_ENABLE_VPID), { VIRTUAL_PROCESSOR_IDENTIFIER, ~0ull, 0 } },
	  ERROR_CONTROLS, has_vpid, 125 },
	{ "control.unrestricted_without_ept",
	  { { SECONDARY_CONTROLS, PROC2_ENABLE_EPT, PROC2_UNRESTRICTED_GUEST } },
	  ERROR_CONTROLS, has_unrestricted, 132 },
};

static const struct entry_case addresses[] = {
	{ "control.io_bitmap_a_misaligned", { PROC(PROC_USE_IO_BITMAPS), { IO_BITMAP_A, 0, 8 } },
	  ERROR_CONTROLS, NULL, 107 },
	{ "control.io_bitmap_b_misaligned", { PROC(PROC_USE_IO_BITMAPS), { IO_BITMAP_B, 0, 0x800 } },
	  ERROR_CONTROLS, NULL, 108 },
	{ "control.io_bitmap_beyond", { PROC(PROC_USE_IO_BITMAPS), { IO_BITMAP_B, 0, BEYOND } },
	  ERROR_CONTROLS, NULL, 108 },
	{ "control.msr_bitmap_misaligned", SET(MSR_BITMAP, 1), ERROR_CONTROLS, NULL, 109 },
	{ "control.msr_bitmap_beyond", SET(MSR_BITMAP, BEYOND), ERROR_CONTROLS, NULL, 109 },
	{ "control.eptp_memory_type", { { EPT_POINTER, 7, 2 } }, ERROR_CONTROLS, NULL, 126 },
	{ "control.eptp_walk_length", { { EPT_POINTER, 0x38, 2 << 3 } }, ERROR_CONTROLS, NULL, 127 },
	{ "control.eptp_reserved", SET(EPT_POINTER, BIT(11)), ERROR_CONTROLS, NULL, 129 },
	{ "control.eptp_beyond", SET(EPT_POINTER, BEYOND), ERROR_CONTROLS, NULL, 129 },
	{ "control.store_list_misaligned",
	  { { VM_EXIT_MSR_STORE_COUNT, ~0ull, 1 }, { VM_EXIT_MSR_STORE_ADDRESS, ~0ull, 0x1008 } },
	  ERROR_CONTROLS, NULL, 203 },
	{ "control.store_list_beyond",
	  { { VM_EXIT_MSR_STORE_COUNT, ~0ull, 1 }, { VM_EXIT_MSR_STORE_ADDRESS, ~0ull, BEYOND } },
	  ERROR_CONTROLS, NULL, 203 },
	{ "control.exit_load_list_misaligned",
	  { { VM_EXIT_MSR_LOAD_COUNT, ~0ull, 1 }, { VM_EXIT_MSR_LOAD_ADDRESS, ~0ull, 0x1001 } },
	  ERROR_CONTROLS, NULL, 205 },
	{ "control.exit_load_list_beyond",
	  { { VM_EXIT_MSR_LOAD_COUNT, ~0ull, 1 }, { VM_EXIT_MSR_LOAD_ADDRESS, ~0ull, BEYOND } },
	  ERROR_CONTROLS, NULL, 205 },
	{ "control.entry_load_list_misaligned",
	  { { VM_ENTRY_MSR_LOAD_COUNT, ~0ull, 1 }, { VM_ENTRY_MSR_LOAD_ADDRESS, ~0ull, 0x1008 } },
	  ERROR_CONTROLS, NULL, 234 },
	{ "control.entry_load_list_beyond",
	  { { VM_ENTRY_MSR_LOAD_COUNT, ~0ull, 1 }, { VM_ENTRY_MSR_LOAD_ADDRESS, ~0ull, BEYOND } },
	  ERROR_CONTROLS, NULL, 234 },
};

static const struct entry_case apic[] = {
	{ "control.virtual_apic_misaligned",
	  { PROC(PROC_USE_TPR_SHADOW), { VIRTUAL_APIC_ADDRESS, 0, 0x10 } }, ERROR_CONTROLS,
	  has_tpr_shadow, 110 },
	{ "control.virtual_apic_beyond",
	  { PROC(PROC_USE_TPR_SHADOW), { VIRTUAL_APIC_ADDRESS, 0, BEYOND } }, ERROR_CONTROLS,
	  has_tpr_shadow, 110 },
	{ "control.tpr_threshold_reserved",
	  { PROC(PROC_USE_TPR_SHADOW), { TPR_THRESHOLD, ~0ull, 0x10 } }, ERROR_CONTROLS,
	  has_tpr_shadow, 111 },
	{ "control.tpr_threshold_above_vtpr",
	  { PROC(PROC_USE_TPR_SHADOW), { TPR_THRESHOLD, ~0ull, 1 } }, ERROR_CONTROLS,
	  has_tpr_shadow, 112 },
	{ "control.x2apic_without_tpr_shadow", { PROC2(PROC2_VIRTUALIZE_X2APIC_MODE) },
	  ERROR_CONTROLS, has_x2apic, 116 },
	{ "control.apic_registers_without_tpr_shadow", { PROC2(PROC2_APIC_REGISTER_VIRTUALIZATION) },
	  ERROR_CONTROLS, has_apic_registers, 117 },
	{ "control.interrupt_delivery_without_external_interrupt_exiting",
	  { PROC(PROC_USE_TPR_SHADOW), PROC2(PROC2_VIRTUAL_INTERRUPT_DELIVERY) },
	  ERROR_CONTROLS, has_interrupt_delivery, 120 },
	{ "control.apic_access_misaligned",
	  { PROC2(PROC2_VIRTUALIZE_APIC_ACCESSES), { APIC_ACCESS_ADDRESS, ~0ull, 0x1004 } },
	  ERROR_CONTROLS, has_apic_accesses, 115 },
	{ "control.apic_access_beyond",
	  { PROC2(PROC2_VIRTUALIZE_APIC_ACCESSES), { APIC_ACCESS_ADDRESS, ~0ull, BEYOND } },
	  ERROR_CONTROLS, has_apic_accesses, 115 },
	{ "control.apic_accesses_with_x2apic",
	  { PROC(PROC_USE_TPR_SHADOW),
	    PROC2(PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUALIZE_X2APIC_MODE) },
	  ERROR_CONTROLS, has_x2apic, 119 },
};

static const struct entry_case events[] = {
	{ "event.type_reserved", EVENT(1u << 8 | 32), ERROR_CONTROLS, NULL, 222 },
	{ "event.nmi_vector_3", EVENT(EVENT_NMI | 3), ERROR_CONTROLS, NULL, 224 },
	{ "event.exception_vector_32", EVENT(EVENT_HARDWARE_EXCEPTION | 32), ERROR_CONTROLS, NULL, 225 },
	{ "event.other_vector_1", EVENT(EVENT_OTHER | 1), ERROR_CONTROLS, NULL, 226 },
	{ "event.reserved_bit_12", EVENT(EVENT_EXTERNAL_INTERRUPT | 32 | BIT(12)), ERROR_CONTROLS, NULL, 231 },
	{ "event.reserved_bit_30", EVENT(EVENT_EXTERNAL_INTERRUPT | 32 | BIT(30)), ERROR_CONTROLS, NULL, 231 },
	{ "event.error_code_on_interrupt", EVENT(EVENT_EXTERNAL_INTERRUPT | EVENT_ERROR_CODE | 32),
	  ERROR_CONTROLS, NULL, 227 },
	{ "event.error_code_on_ud", EVENT(EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | 6),
	  ERROR_CONTROLS, NULL, 229 },
	{ "event.no_error_code_on_gp", EVENT(EVENT_HARDWARE_EXCEPTION | 13), ERROR_CONTROLS, NULL, 230 },
	{ "event.error_code_bit_16",
	  EVENT_WITH_ERROR(EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | 13, BIT(16)),
	  ERROR_CONTROLS, NULL, 232 },
	{ "event.software_length_16", EVENT_WITH_LENGTH(EVENT_SOFTWARE_INTERRUPT | 0x80, 16),
	  ERROR_CONTROLS, NULL, 233 },
	{ "event.software_exception_length_17", EVENT_WITH_LENGTH(EVENT_SOFTWARE_EXCEPTION | 3, 17),
	  ERROR_CONTROLS, NULL, 233 },
	{ "event.not_valid_is_not_checked", PUT(VM_ENTRY_INTERRUPTION_INFORMATION, 0x7fffffff),
	  ENTERED, NULL, 0 },
};

void group_entry_controls(void)
{
	struct vm *vm = vm_create(l2_done);

	vmwrite(IO_BITMAP_A, (u64)page_alloc());
	vmwrite(IO_BITMAP_B, (u64)page_alloc());
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)page_alloc());
	vmwrite(TPR_THRESHOLD, 0);
	entry_cases(vm, "control.words_restored", words, ARRAY_SIZE(words));
	entry_cases(vm, "control.addresses_restored", addresses, ARRAY_SIZE(addresses));
	entry_cases(vm, "control.apic_restored", apic, ARRAY_SIZE(apic));
	entry_cases(vm, "event.restored", events, ARRAY_SIZE(events));
	say("complete");
}
