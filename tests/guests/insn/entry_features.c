/* SPDX-License-Identifier: MIT */
/*
 * Error 7: rules on controls that not every processor has; a few of error 8 with
 * them. SDM "Checks on VMX Controls".
 */
#include "tests/guests/insn/entry.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define PROC2_ENABLE_VM_FUNCTIONS BIT(13)
#define PROC2_VMCS_SHADOWING BIT(14)
#define PROC2_EPT_VIOLATION_VE BIT(18)
#define PROC2_MODE_BASED_EXECUTE BIT(22)
#define PROC2_SUB_PAGE_WRITE_PERMISSIONS BIT(23)
#define VMFUNC_EPTP_SWITCHING BIT(0)
#define SUB_PAGE_PERMISSION_TABLE_POINTER 0x2030
#define CR4_CET BIT(23)

static bool has_interrupt_delivery(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW) && proc2_offers(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
}

static bool has_posted_interrupts(void)
{
	return has_interrupt_delivery() && pin_offers(PIN_PROCESS_POSTED_INTERRUPTS | PIN_EXTERNAL_INTERRUPT_EXITING);
}

static bool has_pml(void)
{
	return proc2_offers(PROC2_ENABLE_PML);
}

static bool has_mode_based_execute(void)
{
	return proc2_offers(PROC2_MODE_BASED_EXECUTE);
}

static bool has_sub_page_permissions(void)
{
	return proc2_offers(PROC2_SUB_PAGE_WRITE_PERMISSIONS);
}

static bool has_vm_functions(void)
{
	return proc2_offers(PROC2_ENABLE_VM_FUNCTIONS);
}

static bool has_eptp_switching(void)
{
	return has_vm_functions() && (rdmsr(IA32_VMX_VMFUNC) & VMFUNC_EPTP_SWITCHING);
}

static bool has_vmcs_shadowing(void)
{
	return proc2_offers(PROC2_VMCS_SHADOWING);
}

static bool has_virtualization_exceptions(void)
{
	return proc2_offers(PROC2_EPT_VIOLATION_VE);
}

static bool has_tsc_scaling(void)
{
	return proc2_offers(PROC2_USE_TSC_SCALING) && proc_offers(PROC_USE_TSC_OFFSETTING);
}

static bool has_unrestricted(void)
{
	return proc2_offers(PROC2_UNRESTRICTED_GUEST);
}

static bool has_cet(void)
{
	return rdmsr(IA32_VMX_CR4_FIXED1) & CR4_CET;
}

static bool loads_perf(void)
{
	return exit_offers(EXIT_LOAD_IA32_PERF_GLOBAL_CTRL);
}

#define PROC2(bits) { SECONDARY_CONTROLS, 0, bits }
#define WITHOUT_EPT(bits) { { SECONDARY_CONTROLS, PROC2_ENABLE_EPT, bits } }
#define POSTS { PIN_BASED_CONTROLS, 0, PIN_PROCESS_POSTED_INTERRUPTS | PIN_EXTERNAL_INTERRUPT_EXITING }
#define TPR_SHADOW { PROCESSOR_BASED_CONTROLS, 0, PROC_USE_TPR_SHADOW }
#define DELIVERS PROC2(PROC2_VIRTUAL_INTERRUPT_DELIVERY)
#define ACKNOWLEDGES { VM_EXIT_CONTROLS, 0, EXIT_ACKNOWLEDGE_INTERRUPT }

static const struct entry_case apic[] = {
	{ "feature.delivery_without_tpr_shadow", { DELIVERS }, ERROR_CONTROLS, has_interrupt_delivery, 118 },
	{ "feature.posting_without_delivery", { POSTS, ACKNOWLEDGES }, ERROR_CONTROLS, has_posted_interrupts, 121 },
	{ "feature.posting_without_acknowledge", { POSTS, TPR_SHADOW, DELIVERS, { VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT, 0 } },
	  ERROR_CONTROLS, has_posted_interrupts, 122 },
	{ "feature.posting_vector_256",
	  { POSTS, TPR_SHADOW, DELIVERS, ACKNOWLEDGES, { POSTED_INTERRUPT_NOTIFICATION_VECTOR, ~0ull, 0x100 } }, ERROR_CONTROLS,
	  has_posted_interrupts, 123 },
	{ "feature.posting_descriptor_misaligned",
	  { POSTS, TPR_SHADOW, DELIVERS, ACKNOWLEDGES, { POSTED_INTERRUPT_DESCRIPTOR, ~0ull, 0x1020 } }, ERROR_CONTROLS,
	  has_posted_interrupts, 124 },
};

static const struct entry_case ept[] = {
	{ "feature.pml_without_ept", WITHOUT_EPT(PROC2_ENABLE_PML), ERROR_CONTROLS, has_pml, 130 },
	{ "feature.pml_misaligned", { PROC2(PROC2_ENABLE_PML), { PML_ADDRESS, ~0ull, 0x1008 } }, ERROR_CONTROLS, has_pml, 131 },
	{ "feature.mode_based_execute_without_ept", WITHOUT_EPT(PROC2_MODE_BASED_EXECUTE), ERROR_CONTROLS, has_mode_based_execute, 133 },
	{ "feature.sub_pages_without_ept", WITHOUT_EPT(PROC2_SUB_PAGE_WRITE_PERMISSIONS), ERROR_CONTROLS, has_sub_page_permissions, 134 },
	{ "feature.sub_page_table_misaligned",
	  { PROC2(PROC2_SUB_PAGE_WRITE_PERMISSIONS), { SUB_PAGE_PERMISSION_TABLE_POINTER, ~0ull, 0x1008 } }, ERROR_CONTROLS,
	  has_sub_page_permissions, 135 },
	{ "feature.vm_function_63", { PROC2(PROC2_ENABLE_VM_FUNCTIONS), { VM_FUNCTION_CONTROLS, ~0ull, BIT(63) } }, ERROR_CONTROLS,
	  has_vm_functions, 136 },
	{ "feature.eptp_switching_without_ept",
	  { { SECONDARY_CONTROLS, PROC2_ENABLE_EPT, PROC2_ENABLE_VM_FUNCTIONS }, { VM_FUNCTION_CONTROLS, ~0ull, VMFUNC_EPTP_SWITCHING } },
	  ERROR_CONTROLS, has_eptp_switching, 137 },
	{ "feature.eptp_list_misaligned",
	  { PROC2(PROC2_ENABLE_VM_FUNCTIONS), { VM_FUNCTION_CONTROLS, ~0ull, VMFUNC_EPTP_SWITCHING }, { EPTP_LIST_ADDRESS, ~0ull, 8 } },
	  ERROR_CONTROLS, has_eptp_switching, 138 },
	{ "feature.vmread_bitmap_misaligned", { PROC2(PROC2_VMCS_SHADOWING), { VMREAD_BITMAP_ADDRESS, ~0ull, 8 } }, ERROR_CONTROLS,
	  has_vmcs_shadowing, 139 },
	{ "feature.vmwrite_bitmap_beyond",
	  { PROC2(PROC2_VMCS_SHADOWING), { VMWRITE_BITMAP_ADDRESS, ~0ull, BEYOND_PHYSICAL_WIDTH } }, ERROR_CONTROLS, has_vmcs_shadowing,
	  140 },
	{ "feature.virtualization_exception_misaligned",
	  { PROC2(PROC2_EPT_VIOLATION_VE), { VIRTUALIZATION_EXCEPTION_ADDRESS, ~0ull, 0x1008 } }, ERROR_CONTROLS,
	  has_virtualization_exceptions, 141 },
	{ "feature.tsc_multiplier_0",
	  { { PROCESSOR_BASED_CONTROLS, 0, PROC_USE_TSC_OFFSETTING }, PROC2(PROC2_USE_TSC_SCALING), { TSC_MULTIPLIER, ~0ull, 0 } },
	  ERROR_CONTROLS, has_tsc_scaling, 142 },
};

static const struct entry_case others[] = {
	{ "feature.error_code_in_real_mode",
	  { PROC2(PROC2_UNRESTRICTED_GUEST), { GUEST_CR0, CR0_PE | CR0_PG, 0 }, { VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST, 0 },
	    { VM_ENTRY_INTERRUPTION_INFORMATION, ~0ull, EVENT_VALID | EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | 13 } },
	  ERROR_CONTROLS, has_unrestricted, 228 },
	{ "feature.host_cet_without_wp", { { HOST_CR4, 0, CR4_CET }, { HOST_CR0, CR0_WP, 0 } }, ERROR_HOST, has_cet, 304 },
	{ "feature.host_perf_global_ctrl_reserved",
	  { { VM_EXIT_CONTROLS, 0, EXIT_LOAD_IA32_PERF_GLOBAL_CTRL }, { HOST_IA32_PERF_GLOBAL_CTRL, ~0ull, BIT(63) } }, ERROR_HOST,
	  loads_perf, 308 },
};

void group_entry_features(void)
{
	struct vm *vm = vm_create(l2_done);
	struct entry_case itself = { "feature.link_pointer_to_itself", PUT(VMCS_LINK_POINTER, vm->vmcs), EXIT_GUEST(4), NULL, 482 };

	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)page_alloc());
	entry_cases(vm, "feature.apic_restored", apic, ARRAY_SIZE(apic));
	entry_cases(vm, "feature.ept_restored", ept, ARRAY_SIZE(ept));
	entry_cases(vm, "feature.others_restored", others, ARRAY_SIZE(others));
	entry_cases(vm, "feature.link_pointer_restored", &itself, 1);
	say("complete");
}
