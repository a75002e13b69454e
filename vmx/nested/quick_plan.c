/* SPDX-License-Identifier: MIT */
/* See vmx/nested/quick_plan.h. In doubt a vmcs12 goes the long way. */

#include "vmx/nested/quick_plan.h"

#include "arch/string.h"
#include "arch/x86.h"

/* Exit controls that load or save what no VMCS of L0's carries (vmx/nested/switch_protection.c). */
#define SLOW_EXIT (EXIT_LOAD_CET_STATE | EXIT_LOAD_PKRS | EXIT_CLEAR_UINV | EXIT_LOAD_IA32_PERF_GLOBAL_CTRL | \
		   EXIT_SAVE_IA32_PERF_GLOBAL_CTRL)
/* A 64-bit L1 whose L2's debug registers are loaded and saved. */
#define NEEDED_EXIT (EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_SAVE_DEBUG_CONTROLS)

const vmcs_field quick_watched[QUICK_WATCHED] = {
	VMCS_FIELD(CR4_READ_SHADOW), VMCS_FIELD(GUEST_IA32_PAT), VMCS_FIELD(GUEST_IA32_DEBUGCTL),
	VMCS_FIELD(GUEST_IA32_SYSENTER_CS), VMCS_FIELD(GUEST_IA32_SYSENTER_ESP), VMCS_FIELD(GUEST_IA32_SYSENTER_EIP),
	VMCS_FIELD(GUEST_LDTR_SELECTOR), VMCS_FIELD(GUEST_LDTR_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_TR_SELECTOR), VMCS_FIELD(GUEST_TR_BASE), VMCS_FIELD(GUEST_TR_LIMIT), VMCS_FIELD(GUEST_TR_ACCESS_RIGHTS),
	VMCS_FIELD(GUEST_GDTR_BASE), VMCS_FIELD(GUEST_GDTR_LIMIT), VMCS_FIELD(GUEST_IDTR_BASE), VMCS_FIELD(GUEST_IDTR_LIMIT),
};

bool quick_plan_has_same_watched(const struct quick_plan *plan, const struct quick_plan *other)
{
	for (u32 i = 0; i < QUICK_WATCHED; i++)
		if (image_get(&plan->host01, quick_watched[i]) != image_get(&other->host01, quick_watched[i]))
			return false;
	return true;
}

static bool has_msr_lists(const struct vmcs12 *vmcs12)
{
	return vmcs12_get(vmcs12, VMCS_ENTRY_MSR_LOAD_COUNT) || vmcs12_get(vmcs12, VMCS_EXIT_MSR_LOAD_COUNT) ||
	       vmcs12_get(vmcs12, VMCS_EXIT_MSR_STORE_COUNT);
}

/* What exits save and entries replace is in vmcs12 alone once L1 has entered: quick_settle() would come too late if that fails. */
static bool saves_what_entries_replace(u32 exit, u32 entry)
{
	return ((exit & EXIT_SAVE_IA32_EFER) && !(entry & ENTRY_LOAD_IA32_EFER)) ||
	       ((exit & EXIT_SAVE_IA32_PAT) && !(entry & ENTRY_LOAD_IA32_PAT));
}

bool quick_plan_is_possible(const struct vmcs12 *vmcs12)
{
	u32 exit = vmcs12_control(vmcs12, WORD_EXIT), entry = vmcs12_control(vmcs12, WORD_ENTRY);

	if ((exit & SLOW_EXIT) || (exit & NEEDED_EXIT) != NEEDED_EXIT)
		return false;
	if (!(entry & ENTRY_LOAD_DEBUG_CONTROLS) || (entry & ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL) || has_msr_lists(vmcs12) ||
	    saves_what_entries_replace(exit, entry))
		return false;
	/* What a link pointer leads to is L1's memory, looked at by each entry: switch_refresh_shadow() does, for VMCS shadowing. */
	if (vmcs12_get(vmcs12, VMCS_VMCS_LINK_POINTER) != ~UINT64_C(0) && !vmcs12_has(vmcs12, WORD_PROC2, PROC2_VMCS_SHADOWING))
		return false;
	/* Without EPT12 a guest in PAE paging takes its PDPTEs from memory at each entry. */
	return vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_EPT) && !vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_PML) &&
	       !vmcs12_has(vmcs12, WORD_PROC2, PROC2_SUB_PAGE_WRITE_PERMISSIONS);
}

static u8 source(const struct vmcs12 *vmcs12, u32 load, u32 save)
{
	if (!(vmcs12_control(vmcs12, WORD_ENTRY) & load))
		return QUICK_FROM_L1;
	return vmcs12_control(vmcs12, WORD_EXIT) & save ? QUICK_FROM_L2 : QUICK_FROM_VMCS12;
}

static u16 loads(const struct vmcs_image *host01)
{
	int usable = (image_get(host01, VMCS_GUEST_SS_SELECTOR) != 0) + (image_get(host01, VMCS_GUEST_DS_SELECTOR) != 0) +
		     (image_get(host01, VMCS_GUEST_ES_SELECTOR) != 0);

	return (u16)(QUICK_LOADS + 2 * usable);
}

void quick_plan_make(struct quick_plan *plan, const struct vmcs12 *vmcs12)
{
	const struct sync_l2_state nothing = { 0 };
	u32 exit = vmcs12_control(vmcs12, WORD_EXIT), pin = vmcs12_control(vmcs12, WORD_PIN);

	plan->efer = source(vmcs12, ENTRY_LOAD_IA32_EFER, EXIT_SAVE_IA32_EFER);
	plan->pat = source(vmcs12, ENTRY_LOAD_IA32_PAT, EXIT_SAVE_IA32_PAT);
	plan->keeps_efer = !(exit & EXIT_LOAD_IA32_EFER);
	plan->keeps_pat = !(exit & EXIT_LOAD_IA32_PAT);
	plan->keeps_nmi_blocking = !(pin & PIN_VIRTUAL_NMIS);
	plan->reloads_timer = (pin & PIN_ACTIVATE_PREEMPTION_TIMER) && !(exit & EXIT_SAVE_PREEMPTION_TIMER);
	plan->shadows = vmcs12_has(vmcs12, WORD_PROC2, PROC2_VMCS_SHADOWING);
	plan->flushes_vpid0 = !vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_VPID);
	sync_load_host(&plan->host01, vmcs12, &nothing);
	plan->keeps = plan->efer != QUICK_FROM_L2 || plan->pat != QUICK_FROM_L2 || plan->keeps_efer || plan->keeps_pat ||
		      plan->reloads_timer || plan->flushes_vpid0;
	plan->leave_writes = loads(&plan->host01);
	plan->none_is_null = plan->leave_writes == QUICK_LOADS + 6;
}

u64 quick_plan_efer01(const struct quick_plan *plan)
{
	return plan->keeps_efer ? plan->l2_efer | EFER_LMA | EFER_LME : image_get(&plan->host01, VMCS_GUEST_IA32_EFER);
}

/* L1 may change its PAT without an exit, so what depends on that is looked at each time. */
bool quick_plan_is_steady(const struct quick_plan *plan, const struct vmcs12 *vmcs12)
{
	u64 efer02 = quick_value(plan->efer, plan->l2_efer, vmcs12_get(vmcs12, VMCS_GUEST_IA32_EFER), plan->l1_efer);
	u64 pat02 = quick_value(plan->pat, plan->l2_pat, vmcs12_get(vmcs12, VMCS_GUEST_IA32_PAT), plan->l1_pat);

	if (plan->keeps_pat || plan->pat == QUICK_FROM_L1 || plan->flushes_vpid0)
		return false;
	return efer02 == plan->l2_efer && pat02 == plan->l2_pat && quick_plan_efer01(plan) == plan->l1_efer;
}

/* Does an exit save this field, or record it? Conditions as in sync_guest(). */
static bool is_saved(const struct vmcs12 *vmcs12, vmcs_field field)
{
	u32 exit = vmcs12_control(vmcs12, WORD_EXIT);

	switch (field.index) {
	case VMCS_INDEX_GUEST_IA32_EFER:
		return exit & EXIT_SAVE_IA32_EFER;
	case VMCS_INDEX_GUEST_IA32_PAT:
		return exit & EXIT_SAVE_IA32_PAT;
	case VMCS_INDEX_PREEMPTION_TIMER_VALUE:
		return exit & EXIT_SAVE_PREEMPTION_TIMER;
	case VMCS_INDEX_GUEST_INTERRUPT_STATUS:
		return vmcs12_has(vmcs12, WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY);
	case VMCS_INDEX_GUEST_SMBASE:
	case VMCS_INDEX_GUEST_IA32_PERF_GLOBAL_CTRL:
		return false;
	default:
		return vmcs_fields[field.index].class == CLASS_GUEST || vmcs_fields[field.index].class == CLASS_INFO;
	}
}

/* Does vmcs02 have it as it is in vmcs12, and the processor judge it? What an event's injection needs besides is checked at the entry. */
static bool is_passed(const struct vmcs12 *vmcs12, vmcs_field field)
{
	switch (field.index) {
	case VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION:
	case VMCS_INDEX_ENTRY_EXCEPTION_ERROR_CODE:
	case VMCS_INDEX_ENTRY_INSTRUCTION_LENGTH:
	case VMCS_INDEX_EXCEPTION_BITMAP:
	case VMCS_INDEX_CR0_GUEST_HOST_MASK:
	case VMCS_INDEX_CR0_READ_SHADOW:
	case VMCS_INDEX_CR4_READ_SHADOW:
		return true;
	case VMCS_INDEX_PREEMPTION_TIMER_VALUE:	/* otherwise L0's heartbeat may be there */
		return vmcs12_has(vmcs12, WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER);
	case VMCS_INDEX_GUEST_IA32_EFER:	/* the plan's */
	case VMCS_INDEX_GUEST_IA32_PAT:
	case VMCS_INDEX_GUEST_SMBASE:
	case VMCS_INDEX_GUEST_IA32_PERF_GLOBAL_CTRL:
		return false;
	default:
		return vmcs_fields[field.index].class == CLASS_GUEST;
	}
}

void quick_plan_lists(struct quick_plan *plan, const struct vmcs12 *vmcs12, const vmcs_field *reads, u16 read_count,
		      const vmcs_field *writes, u16 write_count)
{
	plan->save_count = plan->pull_count = plan->watch_count = 0;
	for (u16 i = 0; i < read_count; i++)
		if (is_saved(vmcs12, reads[i]))
			plan->save[plan->save_count++] = reads[i];
	for (u16 i = 0; i < write_count; i++)
		if (is_passed(vmcs12, writes[i]))
			plan->pull[plan->pull_count++] = writes[i];
		else
			plan->watch[plan->watch_count++] = writes[i];
	plan->leave_reads = (u16)(3 + plan->save_count + (plan->keeps ? 2 : 0));
	plan->enter_reads = (u16)(5 + (plan->soft ? 0 : plan->pull_count + plan->watch_count));
}

/* --- exits ---------------------------------------------------------------------------- */

/* Default1 bits make none of these controls 0: what was never worked out is not taken for known. */
static void decide_owners(struct quick_plan *plan, const struct reflect_question *question)
{
	const u32 now[3] = {
		vmcs12_control(question->vmcs12, WORD_PIN), vmcs12_control(question->vmcs12, WORD_PROC),
		vmcs12_control(question->vmcs12, WORD_PROC2),
	};

	if (memcmp(plan->standing_for, now, sizeof(now)) != 0) {
		memcpy(plan->standing_for, now, sizeof(now));
		for (u32 reason = 0; reason < EXIT_REASON_COUNT; reason++)
			plan->standing[reason] = (u8)reflect_standing(question, reason);
		plan->standing[EXIT_INIT_SIGNAL] = OWNER_L0;	/* not quick: it may be L0's own (vmx/stop.h) */
	}
	memcpy(plan->owners, plan->standing, sizeof(plan->owners));
}

void quick_plan_begin(struct quick_plan *plan, const struct reflect_question *question, const struct l1_memory *memory)
{
	const struct vmcs12 *vmcs12 = question->vmcs12;

	decide_owners(plan, question);
	plan->msr_bitmap12 = l1_look(memory, l1_gpa(vmcs12_get(vmcs12, VMCS_MSR_BITMAP_ADDRESS)));
	plan->io_bitmaps12[0] = l1_look(memory, l1_gpa(vmcs12_get(vmcs12, VMCS_IO_BITMAP_A_ADDRESS)));
	plan->io_bitmaps12[1] = l1_look(memory, l1_gpa(vmcs12_get(vmcs12, VMCS_IO_BITMAP_B_ADDRESS)));
	if (!plan->msr_bitmap12)
		plan->owners[EXIT_RDMSR] = plan->owners[EXIT_WRMSR] = OWNER_UNDECIDED;
	if (!plan->io_bitmaps12[0] || !plan->io_bitmaps12[1])
		plan->owners[EXIT_IO_INSTRUCTION] = OWNER_UNDECIDED;
	plan->unused = false;
	plan->entered = true;
}

void quick_plan_end(struct quick_plan *plan)
{
	plan->ready = false;
	if (!plan->entered)
		return;
	plan->entered = false;
	memset(plan->owners, OWNER_L0, sizeof(plan->owners));
}
