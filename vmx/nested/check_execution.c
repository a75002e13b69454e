/* SPDX-License-Identifier: MIT */
/*
 * Checks on the VM-execution control fields, in the SDM's order. Controls that
 * L1 is not offered fail as reserved bits, so rules about features to come are
 * here already and cost nothing. SDM "VM-Execution Control Fields". Pure.
 */
#include "vmx/nested/check_common.h"
#include "vmx/nested/vm_functions.h"

#define TPR_THRESHOLD_VALUE BITS(3, 0)
#define VIRTUAL_APIC_TPR 0x80

#define EPTP_MEMORY_TYPE BITS(2, 0)
#define EPTP_WALK_LENGTH BITS(5, 3)	/* less 1 */
#define EPTP_ACCESSED_DIRTY BIT(6)
#define EPTP_RESERVED BITS(11, 7)
#define MEMORY_TYPE_UC 0
#define MEMORY_TYPE_WB 6

static bool cr3_targets(const struct entry_context *context, maybe_unused u32 which)
{
	return get(context, VMCS_CR3_TARGET_COUNT) <= field_get(context->caps->misc, VMX_MISC_CR3_TARGETS);
}

static bool io_bitmap(const struct entry_context *context, u32 which)
{
	return !has(context, WORD_PROC, PROC_USE_IO_BITMAPS) ||
	       is_physical_page(context, get_below(context, VMCS_IO_BITMAP_A_ADDRESS, which));
}

static bool msr_bitmap(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC, PROC_USE_MSR_BITMAPS) || is_physical_page(context, get(context, VMCS_MSR_BITMAP_ADDRESS));
}

static bool virtual_apic(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC, PROC_USE_TPR_SHADOW) ||
	       is_physical_page(context, get(context, VMCS_VIRTUAL_APIC_ADDRESS));
}

static bool tpr_threshold_reserved(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC, PROC_USE_TPR_SHADOW) || has(context, WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY) ||
	       (get(context, VMCS_TPR_THRESHOLD) & ~TPR_THRESHOLD_VALUE) == 0;
}

/* The page is L1's memory and may change before hardware looks: hardware's refusal is then the one that counts. */
static bool tpr_threshold_below_vtpr(const struct entry_context *context, maybe_unused u32 which)
{
	u8 vtpr;

	if (!has(context, WORD_PROC, PROC_USE_TPR_SHADOW) || has(context, WORD_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES) ||
	    has(context, WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY))
		return true;
	l1_read(context->memory, l1_gpa(get(context, VMCS_VIRTUAL_APIC_ADDRESS) + VIRTUAL_APIC_TPR), &vtpr, sizeof(vtpr));
	return (get(context, VMCS_TPR_THRESHOLD) & TPR_THRESHOLD_VALUE) <= (u64)(vtpr >> 4);
}

static bool virtual_nmis(const struct entry_context *context, maybe_unused u32 which)
{
	return has(context, WORD_PIN, PIN_NMI_EXITING) || !has(context, WORD_PIN, PIN_VIRTUAL_NMIS);
}

static bool nmi_window(const struct entry_context *context, maybe_unused u32 which)
{
	return has(context, WORD_PIN, PIN_VIRTUAL_NMIS) || !has(context, WORD_PROC, PROC_NMI_WINDOW_EXITING);
}

static bool apic_access(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES) ||
	       is_physical_page(context, get(context, VMCS_APIC_ACCESS_ADDRESS));
}

/* `which`: a secondary control that wants the TPR shadow. */
static bool with_tpr_shadow(const struct entry_context *context, u32 which)
{
	return has(context, WORD_PROC, PROC_USE_TPR_SHADOW) || !has(context, WORD_PROC2, which);
}

static bool x2apic_alone(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC2, PROC2_VIRTUALIZE_X2APIC_MODE | PROC2_VIRTUALIZE_APIC_ACCESSES);
}

static bool delivery_with_exiting(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY) ||
	       has(context, WORD_PIN, PIN_EXTERNAL_INTERRUPT_EXITING);
}

static bool posts(const struct entry_context *context)
{
	return has(context, WORD_PIN, PIN_PROCESS_POSTED_INTERRUPTS);
}

static bool posted_with_delivery(const struct entry_context *context, maybe_unused u32 which)
{
	return !posts(context) || has(context, WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY);
}

static bool posted_with_acknowledge(const struct entry_context *context, maybe_unused u32 which)
{
	return !posts(context) || has(context, WORD_EXIT, EXIT_ACKNOWLEDGE_INTERRUPT);
}

static bool posted_vector(const struct entry_context *context, maybe_unused u32 which)
{
	return !posts(context) || get(context, VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR) <= UINT8_MAX;
}

static bool posted_descriptor(const struct entry_context *context, maybe_unused u32 which)
{
	u64 address = get(context, VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS);

	return !posts(context) || ((address & BITS(5, 0)) == 0 && is_physical(context, address));
}

static bool vpid(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC2, PROC2_ENABLE_VPID) || get(context, VMCS_VPID) != 0;
}

/* The rules on an EPTP, one by one. */
enum eptp_part { EPTP_PART_TYPE, EPTP_PART_LEVELS, EPTP_PART_FLAGS, EPTP_PART_RESERVED, EPTP_PART_COUNT };

static bool is_eptp_part_valid(const struct vmx_caps *caps, u64 eptp, enum eptp_part part)
{
	u64 type = eptp & EPTP_MEMORY_TYPE, levels = field_get(eptp, EPTP_WALK_LENGTH) + 1;

	switch (part) {
	case EPTP_PART_TYPE:
		return (type == MEMORY_TYPE_UC && (caps->ept_vpid & EPT_CAP_UNCACHEABLE) != 0) ||
		       (type == MEMORY_TYPE_WB && (caps->ept_vpid & EPT_CAP_WRITE_BACK) != 0);
	case EPTP_PART_LEVELS:
		return (levels == 4 && (caps->ept_vpid & EPT_CAP_4_LEVEL) != 0) ||
		       (levels == 5 && (caps->ept_vpid & EPT_CAP_5_LEVEL) != 0);
	case EPTP_PART_FLAGS:
		return (eptp & EPTP_ACCESSED_DIRTY) == 0 || (caps->ept_vpid & EPT_CAP_ACCESSED_DIRTY) != 0;
	case EPTP_PART_RESERVED:
	case EPTP_PART_COUNT:
		break;
	}
	return (eptp & EPTP_RESERVED) == 0 && (eptp >> caps->physical_address_bits) == 0;
}

bool check_is_eptp_valid(const struct vmx_caps *caps, u64 eptp)
{
	for (enum eptp_part part = 0; part < EPTP_PART_COUNT; part++)
		if (!is_eptp_part_valid(caps, eptp, part))
			return false;
	return true;
}

/* `which`: enum eptp_part. */
static bool ept_pointer(const struct entry_context *context, u32 which)
{
	return !has(context, WORD_PROC2, PROC2_ENABLE_EPT) ||
	       is_eptp_part_valid(context->caps, get(context, VMCS_EPT_POINTER), (enum eptp_part)which);
}

/* `which`: a secondary control that wants EPT. */
static bool with_ept(const struct entry_context *context, u32 which)
{
	return has(context, WORD_PROC2, PROC2_ENABLE_EPT) || !has(context, WORD_PROC2, which);
}

static bool pml_address(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC2, PROC2_ENABLE_PML) || is_physical_page(context, get(context, VMCS_PML_ADDRESS));
}

static bool sub_page_pointer(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC2, PROC2_SUB_PAGE_WRITE_PERMISSIONS) ||
	       is_physical_page(context, get(context, VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER));
}

static bool vm_functions(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS) ||
	       (get(context, VMCS_VM_FUNCTION_CONTROLS) & ~context->caps->vmfunc) == 0;
}

static bool switches_eptp(const struct entry_context *context)
{
	return has(context, WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS) &&
	       (get(context, VMCS_VM_FUNCTION_CONTROLS) & VM_FUNCTION_EPTP_SWITCHING) != 0;
}

static bool eptp_switching_with_ept(const struct entry_context *context, maybe_unused u32 which)
{
	return !switches_eptp(context) || has(context, WORD_PROC2, PROC2_ENABLE_EPT);
}

static bool eptp_list(const struct entry_context *context, maybe_unused u32 which)
{
	return !switches_eptp(context) || is_physical_page(context, get(context, VMCS_EPTP_LIST_ADDRESS));
}

static bool shadow_bitmap(const struct entry_context *context, u32 which)
{
	return !has(context, WORD_PROC2, PROC2_VMCS_SHADOWING) ||
	       is_physical_page(context, get_below(context, VMCS_VMREAD_BITMAP_ADDRESS, which));
}

static bool virtualization_exception(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC2, PROC2_EPT_VIOLATION_VE) ||
	       is_physical_page(context, get(context, VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS));
}

static bool tsc_multiplier(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_PROC2, PROC2_USE_TSC_SCALING) || get(context, VMCS_TSC_MULTIPLIER) != 0;
}

static const struct entry_check checks[] = {
	CHECK_OF(100, check_required_are_set, WORD_PIN, PIN_BASED_CONTROLS, "pin-based controls: a bit that must be 1 is 0"),
	CHECK_OF(101, check_reserved_are_clear, WORD_PIN, PIN_BASED_CONTROLS,
		 "pin-based controls: a bit is 1 that is reserved or not offered"),
	CHECK_OF(102, check_required_are_set, WORD_PROC, PROCESSOR_BASED_CONTROLS, "primary controls: a bit that must be 1 is 0"),
	CHECK_OF(103, check_reserved_are_clear, WORD_PROC, PROCESSOR_BASED_CONTROLS,
		 "primary controls: a bit is 1 that is reserved or not offered"),
	CHECK_OF(104, check_required_are_set, WORD_PROC2, SECONDARY_PROCESSOR_BASED_CONTROLS,
		 "secondary controls: a bit that must be 1 is 0"),
	CHECK_OF(105, check_reserved_are_clear, WORD_PROC2, SECONDARY_PROCESSOR_BASED_CONTROLS,
		 "secondary controls: a bit is 1 that is reserved or not offered"),
	CHECK(106, cr3_targets, CR3_TARGET_COUNT, "CR3-target count: more than IA32_VMX_MISC says"),
	CHECK_OF(107, io_bitmap, 0, IO_BITMAP_A_ADDRESS, "I/O bitmap A: not page aligned, or beyond the physical-address width"),
	CHECK_OF(108, io_bitmap, 1, IO_BITMAP_B_ADDRESS, "I/O bitmap B: not page aligned, or beyond the physical-address width"),
	CHECK(109, msr_bitmap, MSR_BITMAP_ADDRESS, "MSR bitmap: not page aligned, or beyond the physical-address width"),
	CHECK(110, virtual_apic, VIRTUAL_APIC_ADDRESS, "virtual-APIC address: not page aligned, or beyond the physical-address width"),
	CHECK(111, tpr_threshold_reserved, TPR_THRESHOLD, "TPR threshold: bits 31:4 are not 0"),
	CHECK(112, tpr_threshold_below_vtpr, TPR_THRESHOLD, "TPR threshold: greater than bits 7:4 of VTPR"),
	CHECK(113, virtual_nmis, PIN_BASED_CONTROLS, "virtual NMIs without NMI exiting"),
	CHECK(114, nmi_window, PROCESSOR_BASED_CONTROLS, "NMI-window exiting without virtual NMIs"),
	CHECK(115, apic_access, APIC_ACCESS_ADDRESS, "APIC-access address: not page aligned, or beyond the physical-address width"),
	CHECK_OF(116, with_tpr_shadow, CONTROL_MASK(PROC2, VIRTUALIZE_X2APIC_MODE), SECONDARY_PROCESSOR_BASED_CONTROLS,
		 "virtualize x2APIC mode without TPR shadow"),
	CHECK_OF(117, with_tpr_shadow, CONTROL_MASK(PROC2, APIC_REGISTER_VIRTUALIZATION), SECONDARY_PROCESSOR_BASED_CONTROLS,
		 "APIC-register virtualization without TPR shadow"),
	CHECK_OF(118, with_tpr_shadow, CONTROL_MASK(PROC2, VIRTUAL_INTERRUPT_DELIVERY), SECONDARY_PROCESSOR_BASED_CONTROLS,
		 "virtual-interrupt delivery without TPR shadow"),
	CHECK(119, x2apic_alone, SECONDARY_PROCESSOR_BASED_CONTROLS,
	      "virtualize x2APIC mode together with virtualize APIC accesses"),
	CHECK(120, delivery_with_exiting, PIN_BASED_CONTROLS, "virtual-interrupt delivery without external-interrupt exiting"),
	CHECK(121, posted_with_delivery, PIN_BASED_CONTROLS, "posted interrupts without virtual-interrupt delivery"),
	CHECK(122, posted_with_acknowledge, EXIT_CONTROLS, "posted interrupts without acknowledge interrupt on exit"),
	CHECK(123, posted_vector, POSTED_INTERRUPT_NOTIFICATION_VECTOR, "posted-interrupt notification vector: above 255"),
	CHECK(124, posted_descriptor, POSTED_INTERRUPT_DESCRIPTOR_ADDRESS,
	      "posted-interrupt descriptor: not 64-byte aligned, or beyond the physical-address width"),
	CHECK(125, vpid, VPID, "VPID: 0 with VPID enabled"),
	CHECK_OF(126, ept_pointer, EPTP_PART_TYPE, EPT_POINTER, "EPT pointer: the memory type in bits 2:0 is not offered"),
	CHECK_OF(127, ept_pointer, EPTP_PART_LEVELS, EPT_POINTER, "EPT pointer: the walk length in bits 5:3 is not offered"),
	CHECK_OF(128, ept_pointer, EPTP_PART_FLAGS, EPT_POINTER, "EPT pointer: accessed and dirty flags, bit 6, are not offered"),
	CHECK_OF(129, ept_pointer, EPTP_PART_RESERVED, EPT_POINTER,
		 "EPT pointer: a reserved bit of 11:7, or beyond the physical-address width"),
	CHECK_OF(130, with_ept, CONTROL_MASK(PROC2, ENABLE_PML), SECONDARY_PROCESSOR_BASED_CONTROLS, "PML without EPT"),
	CHECK(131, pml_address, PML_ADDRESS, "PML address: not page aligned, or beyond the physical-address width"),
	CHECK_OF(132, with_ept, CONTROL_MASK(PROC2, UNRESTRICTED_GUEST), SECONDARY_PROCESSOR_BASED_CONTROLS,
		 "unrestricted guest without EPT"),
	CHECK_OF(133, with_ept, CONTROL_MASK(PROC2, MODE_BASED_EXECUTE), SECONDARY_PROCESSOR_BASED_CONTROLS,
		 "mode-based execute control for EPT without EPT"),
	CHECK_OF(134, with_ept, CONTROL_MASK(PROC2, SUB_PAGE_WRITE_PERMISSIONS), SECONDARY_PROCESSOR_BASED_CONTROLS,
		 "sub-page write permissions for EPT without EPT"),
	CHECK(135, sub_page_pointer, SUB_PAGE_PERMISSION_TABLE_POINTER,
	      "sub-page-permission-table pointer: not page aligned, or beyond the physical-address width"),
	CHECK(136, vm_functions, VM_FUNCTION_CONTROLS, "VM-function controls: a reserved bit is 1"),
	CHECK(137, eptp_switching_with_ept, VM_FUNCTION_CONTROLS, "EPTP switching without EPT"),
	CHECK(138, eptp_list, EPTP_LIST_ADDRESS, "EPTP list: not page aligned, or beyond the physical-address width"),
	CHECK_OF(139, shadow_bitmap, 0, VMREAD_BITMAP_ADDRESS, "VMREAD bitmap: not page aligned, or beyond the physical-address width"),
	CHECK_OF(140, shadow_bitmap, 1, VMWRITE_BITMAP_ADDRESS, "VMWRITE bitmap: not page aligned, or beyond the physical-address width"),
	CHECK(141, virtualization_exception, VIRTUALIZATION_EXCEPTION_ADDRESS,
	      "virtualization-exception information: not page aligned, or beyond the physical-address width"),
	CHECK(142, tsc_multiplier, TSC_MULTIPLIER, "TSC multiplier: 0 with TSC scaling"),
};

static_assert(VMCS_INDEX_IO_BITMAP_B_ADDRESS == VMCS_INDEX_IO_BITMAP_A_ADDRESS + 1, "io_bitmap counts rows");
static_assert(VMCS_INDEX_VMWRITE_BITMAP_ADDRESS == VMCS_INDEX_VMREAD_BITMAP_ADDRESS + 1, "shadow_bitmap counts rows");

const struct entry_section check_execution_section = SECTION(REFUSAL_CONTROLS, "VM-Execution Control Fields", checks);
