/* SPDX-License-Identifier: MIT */
/*
 * Checks on guest state that is not in registers: activity, interruptibility,
 * pending debug exceptions, the link pointer, and the PDPTEs. SDM "Checks on
 * Guest Non-Register State" and the section after it. Pure.
 */
#include "vmx/events.h"
#include "vmx/nested/check_common.h"
#include "vmx/nested/check_protection.h"

#define INTERRUPTIBILITY_SHADOWS (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)
#define LINK_POINTER_NONE UINT64_MAX
#define REVISION_SHADOW BIT(31)
#define PDPTE_P BIT(0)
#define PDPTE_RESERVED (BITS(8, 5) | BITS(2, 1))

static u64 activity(const struct entry_context *context)
{
	return get(context, VMCS_GUEST_ACTIVITY_STATE);
}

static u64 interruptibility(const struct entry_context *context)
{
	return get(context, VMCS_GUEST_INTERRUPTIBILITY_STATE);
}

static u64 information(const struct entry_context *context)
{
	return get(context, VMCS_ENTRY_INTERRUPTION_INFORMATION);
}

static bool injects(const struct entry_context *context, enum interruption_type type)
{
	return (information(context) & INTERRUPTION_VALID) != 0 && interruption_type(information(context)) == type;
}

/* --- activity state ---------------------------------------------------------- */

static bool activity_supported(const struct entry_context *context, maybe_unused u32 which)
{
	switch (activity(context)) {
	case ACTIVITY_ACTIVE:
		return true;
	case ACTIVITY_HLT:
		return (context->caps->misc & VMX_MISC_ACTIVITY_HLT) != 0;
	case ACTIVITY_SHUTDOWN:
		return (context->caps->misc & VMX_MISC_ACTIVITY_SHUTDOWN) != 0;
	case ACTIVITY_WAIT_FOR_SIPI:
		return (context->caps->misc & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI) != 0;
	default:
		return false;
	}
}

static bool hlt_privilege(const struct entry_context *context, maybe_unused u32 which)
{
	return activity(context) != ACTIVITY_HLT || (get(context, VMCS_GUEST_SS_ACCESS_RIGHTS) & ACCESS_RIGHTS_DPL) == 0;
}

static bool active_when_blocking(const struct entry_context *context, maybe_unused u32 which)
{
	return activity(context) == ACTIVITY_ACTIVE || (interruptibility(context) & INTERRUPTIBILITY_SHADOWS) == 0;
}

static bool wakes_from_hlt(u64 event)
{
	u64 vector = event & INTERRUPTION_VECTOR;

	switch (interruption_type(event)) {
	case INTERRUPTION_EXTERNAL:
	case INTERRUPTION_NMI:
		return true;
	case INTERRUPTION_HARDWARE_EXCEPTION:
		return vector == VECTOR_DB || vector == VECTOR_MC;
	case INTERRUPTION_OTHER_EVENT:
		return vector == 0;
	case INTERRUPTION_SOFTWARE_INTERRUPT:
	case INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION:
	case INTERRUPTION_SOFTWARE_EXCEPTION:
		break;
	}
	return false;
}

static bool event_fits_activity(const struct entry_context *context, maybe_unused u32 which)
{
	u64 event = information(context);

	if ((event & INTERRUPTION_VALID) == 0)
		return true;
	switch (activity(context)) {
	case ACTIVITY_ACTIVE:
		return true;
	case ACTIVITY_HLT:
		return wakes_from_hlt(event);
	case ACTIVITY_SHUTDOWN:
		return interruption_type(event) == INTERRUPTION_NMI ||
		       (interruption_type(event) == INTERRUPTION_HARDWARE_EXCEPTION &&
			(event & INTERRUPTION_VECTOR) == VECTOR_MC);
	default:
		return false;
	}
}

/* --- interruptibility --------------------------------------------------------- */

static bool interruptibility_reserved(const struct entry_context *context, maybe_unused u32 which)
{
	return (interruptibility(context) & ~context->caps->interruptibility_valid) == 0;
}

static bool one_shadow(const struct entry_context *context, maybe_unused u32 which)
{
	return (interruptibility(context) & INTERRUPTIBILITY_SHADOWS) != INTERRUPTIBILITY_SHADOWS;
}

static bool sti_with_if(const struct entry_context *context, maybe_unused u32 which)
{
	return (interruptibility(context) & INTERRUPTIBILITY_STI) == 0 || (get(context, VMCS_GUEST_RFLAGS) & RFLAGS_IF) != 0;
}

static bool interrupt_unblocked(const struct entry_context *context, maybe_unused u32 which)
{
	return !injects(context, INTERRUPTION_EXTERNAL) || (interruptibility(context) & INTERRUPTIBILITY_SHADOWS) == 0;
}

static bool nmi_not_after_mov_ss(const struct entry_context *context, maybe_unused u32 which)
{
	return !injects(context, INTERRUPTION_NMI) || (interruptibility(context) & INTERRUPTIBILITY_MOV_SS) == 0;
}

static bool not_in_smm(const struct entry_context *context, maybe_unused u32 which)
{
	return (interruptibility(context) & INTERRUPTIBILITY_SMI) == 0;
}

static bool nmi_unblocked(const struct entry_context *context, maybe_unused u32 which)
{
	return !injects(context, INTERRUPTION_NMI) || !has(context, WORD_PIN, PIN_VIRTUAL_NMIS) ||
	       (interruptibility(context) & INTERRUPTIBILITY_NMI) == 0;
}

static bool enclave_not_after_mov_ss(const struct entry_context *context, maybe_unused u32 which)
{
	const u64 both = INTERRUPTIBILITY_ENCLAVE | INTERRUPTIBILITY_MOV_SS;

	return (interruptibility(context) & both) != both;
}

/* --- pending debug exceptions -------------------------------------------------- */

static u64 pending_debug(const struct entry_context *context)
{
	return get(context, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS);
}

static bool pending_debug_reserved(const struct entry_context *context, maybe_unused u32 which)
{
	return (pending_debug(context) & ~context->caps->pending_debug_valid) == 0;
}

static bool pending_single_step(const struct entry_context *context, maybe_unused u32 which)
{
	bool steps = (get(context, VMCS_GUEST_RFLAGS) & RFLAGS_TF) != 0 &&
		     (get(context, VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF) == 0;

	if ((interruptibility(context) & INTERRUPTIBILITY_SHADOWS) == 0 && activity(context) != ACTIVITY_HLT)
		return true;
	return ((pending_debug(context) & PENDING_DEBUG_BS) != 0) == steps;
}

static bool pending_rtm(const struct entry_context *context, maybe_unused u32 which)
{
	if ((pending_debug(context) & PENDING_DEBUG_RTM) == 0)
		return true;
	return pending_debug(context) == (PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED_BREAKPOINT) &&
	       (interruptibility(context) & INTERRUPTIBILITY_MOV_SS) == 0;
}

/* --- VMCS link pointer ---------------------------------------------------------- */

static u64 link_pointer(const struct entry_context *context)
{
	return get(context, VMCS_VMCS_LINK_POINTER);
}

static bool link_page(const struct entry_context *context, maybe_unused u32 which)
{
	return link_pointer(context) == LINK_POINTER_NONE || is_physical_page(context, link_pointer(context));
}

static bool link_revision(const struct entry_context *context, maybe_unused u32 which)
{
	u64 expected = field_get(context->caps->basic, VMX_BASIC_REVISION);
	u32 revision;

	if (link_pointer(context) == LINK_POINTER_NONE)
		return true;
	if (has(context, WORD_PROC2, PROC2_VMCS_SHADOWING))
		expected |= REVISION_SHADOW;
	l1_read(context->memory, l1_gpa(link_pointer(context)), &revision, sizeof(revision));
	return revision == expected;
}

static bool link_not_current(const struct entry_context *context, maybe_unused u32 which)
{
	return link_pointer(context) != context->vmcs12_address.value;
}

static const struct entry_check non_register_checks[] = {
	CHECK(460, activity_supported, GUEST_ACTIVITY_STATE, "guest activity state: not one that IA32_VMX_MISC offers"),
	CHECK(461, hlt_privilege, GUEST_ACTIVITY_STATE, "guest activity state: HLT with SS's DPL not 0"),
	CHECK(462, active_when_blocking, GUEST_ACTIVITY_STATE, "guest activity state: not active with blocking by STI or MOV SS"),
	CHECK(463, event_fits_activity, GUEST_ACTIVITY_STATE, "guest activity state: it blocks the injected event"),
	CHECK(464, interruptibility_reserved, GUEST_INTERRUPTIBILITY_STATE, "guest interruptibility: a reserved bit is 1"),
	CHECK(465, one_shadow, GUEST_INTERRUPTIBILITY_STATE, "guest interruptibility: blocking by STI and by MOV SS at once"),
	CHECK(466, sti_with_if, GUEST_INTERRUPTIBILITY_STATE, "guest interruptibility: blocking by STI with RFLAGS.IF 0"),
	CHECK(467, interrupt_unblocked, GUEST_INTERRUPTIBILITY_STATE,
	      "guest interruptibility: blocking by STI or MOV SS while an external interrupt is injected"),
	CHECK(468, nmi_not_after_mov_ss, GUEST_INTERRUPTIBILITY_STATE,
	      "guest interruptibility: blocking by MOV SS while an NMI is injected"),
	CHECK(469, not_in_smm, GUEST_INTERRUPTIBILITY_STATE, "guest interruptibility: blocking by SMI outside SMM"),
	CHECK(470, nmi_unblocked, GUEST_INTERRUPTIBILITY_STATE,
	      "guest interruptibility: blocking by NMI while a virtual NMI is injected"),
	CHECK(471, enclave_not_after_mov_ss, GUEST_INTERRUPTIBILITY_STATE,
	      "guest interruptibility: enclave interruption with blocking by MOV SS"),
	CHECK(472, pending_debug_reserved, GUEST_PENDING_DEBUG_EXCEPTIONS, "guest pending debug exceptions: a reserved bit is 1"),
	CHECK(473, pending_single_step, GUEST_PENDING_DEBUG_EXCEPTIONS,
	      "guest pending debug exceptions: BS does not fit RFLAGS.TF and BTF"),
	CHECK(474, pending_rtm, GUEST_PENDING_DEBUG_EXCEPTIONS,
	      "guest pending debug exceptions: RTM with other causes or with MOV SS"),
	CHECK(475, check_guest_uinv, GUEST_UINV, "guest UINV: bits 15:8 are not 0"),
};

/* Apart, because hardware never sees L1's link pointer: these are asked at every entry. */
static const struct entry_check link_pointer_checks[] = {
	CHECK_QUALIFIED(480, link_page, VMCS_LINK_POINTER, "VMCS link pointer: not page aligned, or beyond the physical-address width",
			ENTRY_FAIL_LINK_POINTER),
	CHECK_QUALIFIED(481, link_revision, VMCS_LINK_POINTER,
			"VMCS link pointer: the region has another revision or shadow-VMCS indicator",
			ENTRY_FAIL_LINK_POINTER),
	CHECK_QUALIFIED(482, link_not_current, VMCS_LINK_POINTER,
	      "VMCS link pointer: it is the current VMCS", ENTRY_FAIL_LINK_POINTER),
};

/* --- PDPTEs ----------------------------------------------------------------------- */

/* SDM "PDPTE Registers": reserved bits count only in a present entry. */
static bool is_pdpte_valid(const struct vmx_caps *caps, u64 pdpte)
{
	return (pdpte & PDPTE_P) == 0 || ((pdpte & PDPTE_RESERVED) == 0 && (pdpte >> caps->physical_address_bits) == 0);
}

bool check_pdptes(const struct vmx_caps *caps, const u64 pdpte[4])
{
	for (u32 i = 0; i < 4; i++)
		if (!is_pdpte_valid(caps, pdpte[i]))
			return false;
	return true;
}

bool check_uses_pae_paging(const struct vmcs12 *vmcs12)
{
	return (vmcs12_get(vmcs12, VMCS_GUEST_CR0) & CR0_PG) != 0 && (vmcs12_get(vmcs12, VMCS_GUEST_CR4) & CR4_PAE) != 0 &&
	       !vmcs12_has(vmcs12, WORD_ENTRY, ENTRY_IA32E_MODE_GUEST);
}

/* Without EPT they are in memory at CR3: whoever loads them from there asks check_pdptes. */
static bool pdpte(const struct entry_context *context, u32 which)
{
	return !has(context, WORD_PROC2, PROC2_ENABLE_EPT) || !check_uses_pae_paging(context->vmcs12) ||
	       is_pdpte_valid(context->caps, get_below(context, VMCS_GUEST_PDPTE0, which));
}

static_assert(VMCS_INDEX_GUEST_PDPTE3 == VMCS_INDEX_GUEST_PDPTE0 + 3, "PDPTEs are counted by rows");

#define PDPTE_CHECK(one) \
	CHECK_WHOLE(490 + (one), pdpte, one, GUEST_PDPTE##one, "guest PDPTE" #one ": present with a reserved bit that is 1", \
		    ENTRY_FAIL_PDPTE)

static const struct entry_check pdpte_checks[] = { PDPTE_CHECK(0), PDPTE_CHECK(1), PDPTE_CHECK(2), PDPTE_CHECK(3) };

const struct entry_section check_guest_non_register_section =
	SECTION(REFUSAL_GUEST, "Checks on Guest Non-Register State", non_register_checks);
const struct entry_section check_link_pointer_section =
	SECTION(REFUSAL_GUEST, "Checks on Guest Non-Register State", link_pointer_checks);
const struct entry_section check_guest_pdptes_section =
	SECTION(REFUSAL_GUEST, "Checks on Guest Page-Directory-Pointer-Table Entries", pdpte_checks);

bool check_link_pointer(const struct entry_context *context, struct entry_failure *failure)
{
	return check_section(&check_link_pointer_section, context, failure);
}

/* --- what only the processor knows -------------------------------------------------- */

/* SDM "Checks on Guest Non-Register State": a processor may require it, and others may not. */
static bool nmi_not_after_sti(const struct entry_context *context, maybe_unused u32 which)
{
	return !injects(context, INTERRUPTION_NMI) || (interruptibility(context) & INTERRUPTIBILITY_STI) == 0;
}

static const struct entry_check left_to_processor_checks[] = {
	CHECK_QUALIFIED(484, nmi_not_after_sti, GUEST_INTERRUPTIBILITY_STATE,
			"guest interruptibility: blocking by STI while an NMI is injected", ENTRY_FAIL_NMI),
};

const struct entry_section check_left_to_processor_section =
	SECTION(REFUSAL_GUEST, "Checks on Guest Non-Register State", left_to_processor_checks);

bool check_left_to_processor(const struct entry_context *context, struct entry_failure *failure)
{
	return check_section(&check_left_to_processor_section, context, failure);
}
