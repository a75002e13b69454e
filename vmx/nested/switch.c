/* SPDX-License-Identifier: MIT */
/*
 * Between L1 and L2: the only nested file that changes what hardware runs. It
 * reads like the SDM: "VM Entries", then "VM Exits". All decisions are taken by
 * the pure files; this one fetches, applies and keeps count.
 */

#include "arch/ops.h"
#include "arch/x86.h"
#include "drivers/console.h"
#include "mm/phys.h"
#include "vmx/events.h"
#include "vmx/msr_bitmap.h"
#include "vmx/nested/check.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/msr_store.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/sync.h"

/* --- writing what differs ----------------------------------------------------- */

static void write_field02(struct nested_slot *slot, vmcs_field field, u64 value)
{
	vmcs_write(&slot->vmcs02, field, value);
	image_set(&slot->written02, field, value);
}

static void write_rows(struct nested *nested, struct nested_slot *slot, const u16 *rows, u16 row_count)
{
	const struct vmcs_image *image = &slot->image02;
	struct vmcs_image *written = &slot->written02;

	for (u16 i = 0; i < row_count; i++) {
		u16 row = rows[i];

		if (slot->written_valid && written->value[row] == image->value[row])
			continue;
		/* What vmcs12 has of the rare guest fields is older than what vmcs02 has. */
		if (slot->rare_in_02 && nested->is_rare[row])
			continue;
		vmcs_write(&slot->vmcs02, vmcs_fields[row].field, image->value[row]);
		written->value[row] = image->value[row];
	}
}

/* Only what an exit-free change can have touched, unless L1 touched more. */
static void merge_and_write(struct nested *nested, struct nested_slot *slot, const struct merge_input *input)
{
	if (slot->written_valid && !slot->dirty) {
		merge_again(&slot->image02, input);
		write_rows(nested, slot, nested->hot_rows, nested->hot_count);
		return;
	}
	merge(&slot->image02, input);
	write_rows(nested, slot, nested->rows02, nested->row02_count);
	slot->written_valid = true;
	slot->dirty = false;
}

/* --- VM entry: checks ----------------------------------------------------------- */

static void report_refusal(const struct entry_failure *failure)
{
	count(COUNTER_ENTRY_REFUSALS);
	log_info("VM entry refused: %s (%s = 0x%lx) - SDM \"%s\"", failure->rule,
		 vmcs_fields[failure->field.index].name, failure->value, failure->section);
}

static struct entry_context entry_context(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	return (struct entry_context){
		.vmcs12 = nested->current->vmcs12,
		.caps = &nested->offered,
		.memory = nested->memory,
		.vmcs12_address = l1_gpa(nested->current->address),
		.l1_in_long_mode = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_IA32_EFER) & EFER_LMA,
		.l1_cr4 = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_CR4),
	};
}

/* An entry that fails after the controls and host state passed: an exit without L2 having run. */
static struct insn_result fail_entry(struct vcpu *vcpu, u32 basic, u64 qualification)
{
	struct vm_exit exit = {
		.reason = basic | EXIT_REASON_ENTRY_FAILURE,
		.basic = (u16)basic,
		.entry_failure = true,
		.qualification = qualification,
	};

	vcpu->nested->state = NESTED_IN_L2;
	switch_leave_l2(vcpu, &exit);
	return insn_done();
}

/* The PDPTEs that MOV to CR3 would load. SDM "PDPTE Registers". */
static void read_pdptes(const struct nested *nested, u64 cr3, u64 pdpte[4])
{
	for (u64 i = 0; i < 4; i++)
		pdpte[i] = l1_read64(nested->memory, l1_gpa((cr3 & BITS(31, 5)) + 8 * i));
}

/* --- VM entry: what hardware is given --------------------------------------------- */

/* Reads the lists once; an entry that must be refused is made one that hardware refuses at that place. */
static void fetch_list(struct nested *nested, struct msr_entry *list, u64 address, u32 count, bool at_exit)
{
	bool x2apic = (rdmsr(IA32_APIC_BASE) & BIT(10)) != 0;
	u32 refused;

	msr_list_read(nested->memory, l1_gpa(address), count, list);
	refused = msr_list_refused_load(list, count, at_exit, x2apic);
	for (u32 i = 0; !refused && i < count; i++)
		if (msr_hides_block(nested->memory, list[i].index, list[i].value))
			refused = i + 1;
	if (refused)
		list[refused - 1] = (struct msr_entry){ .index = IA32_FS_BASE };
	nested->mtrrs_loaded |= msr_list_touches_mtrrs(list, count);
}

static void fetch_lists(struct nested *nested, const struct vmcs12 *vmcs12)
{
	u32 entry = (u32)vmcs12_get(vmcs12, VMCS_ENTRY_MSR_LOAD_COUNT);

	if (entry)
		fetch_list(nested, nested->entry_load, vmcs12_get(vmcs12, VMCS_ENTRY_MSR_LOAD_ADDRESS), entry, false);
}

/*
 * L1's bitmap, and L0's bits on top. Always a copy: from L1's own page, L2 could take
 * L0's bits away while it runs, if L1 lets it write there.
 */
static void merge_msr_bitmap(const struct nested *nested, const struct vmcs12 *vmcs12)
{
	if (!vmcs12_has(vmcs12, WORD_PROC, PROC_USE_MSR_BITMAPS))
		return;
	l1_read(nested->memory, l1_gpa(vmcs12_get(vmcs12, VMCS_MSR_BITMAP_ADDRESS)), nested->msr_bitmap02, MSR_BITMAP_BYTES);
	for (u32 i = 0; i < nested->msr_word_count; i++)
		nested->msr_bitmap02[nested->msr_words[i]] |= nested->msr_bitmap01[nested->msr_words[i]];
}

static u64 eptp02(struct vcpu *vcpu, const struct vmcs12 *vmcs12)
{
	if (!vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_EPT))
		return vcpu->machine->eptp01;
	return ept02_eptp(&vcpu->nested->ept02, vmcs12_get(vmcs12, VMCS_EPT_POINTER));
}

/* vmcs01 is current: L1's state that L2 inherits. */
static struct merge_l1_state l1_state(const struct vcpu *vcpu)
{
	const struct vmcs *v = &vcpu->vmcs01;
	bool has_pat = vcpu->nested->exists[VMCS_INDEX_GUEST_IA32_PAT];

	return (struct merge_l1_state){
		.efer = vmcs_read(v, VMCS_GUEST_IA32_EFER),
		.pat = has_pat ? vmcs_read(v, VMCS_GUEST_IA32_PAT) : 0,
		.dr7 = vmcs_read(v, VMCS_GUEST_DR7),
		.debugctl = vmcs_read(v, VMCS_GUEST_IA32_DEBUGCTL),
	};
}

static void build_vmcs02(struct vcpu *vcpu, const u64 *pdpte)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	struct merge_input input = {
		.vmcs12 = slot->vmcs12,
		.image01 = &nested->image01,
		.memory = nested->memory,
		.l1 = l1_state(vcpu),
		.eptp02 = eptp02(vcpu, slot->vmcs12),
		.msr_bitmap02 = phys_of(nested->msr_bitmap02),
		.entry_msr_load = phys_of(nested->entry_load),
		.vpid02 = merge_vpid(slot->vmcs12),
		.pdpte = pdpte,
	};

	count(COUNTER_VMCS02_BUILDS);
	fetch_lists(nested, slot->vmcs12);
	merge_msr_bitmap(nested, slot->vmcs12);
	vmcs_load(&slot->vmcs02);
	merge_and_write(nested, slot, &input);
	/* These are of L1's memory, not of vmcs12, and count at each entry. */
	for (u16 i = 0; pdpte && i < 4; i++)
		write_field02(slot, vmcs_fields[VMCS_INDEX_GUEST_PDPTE0 + i].field, pdpte[i]);
}

/* Two VPIDs of L1 share a tag (merge_vpid02): whoever comes second must not see the other's translations. */
static void flush_shared_vpid(const struct nested_slot *slot)
{
	static const u16 shared[] = { 1, 0xffff };
	u64 vpid12 = vmcs12_get(slot->vmcs12, VMCS_VPID);

	if (merge_vpid(slot->vmcs12) && (vpid12 == shared[0] || vpid12 == shared[1]))
		(void)invvpid(INVVPID_SINGLE, merge_vpid02((u16)vpid12), 0);
}

static void flush_ept02(struct nested *nested)
{
	if (!nested->ept02.flush_needed)
		return;
	nested->ept02.flush_needed = false;
	(void)invept(INVEPT_ALL, 0);
}

static struct insn_result check_controls_and_host(struct nested_slot *slot, const struct entry_context *context)
{
	struct entry_failure failure;

	if (check_is_remembered(&slot->memo, context))
		return insn_ok();
	if (!check_controls(context, &failure)) {
		report_refusal(&failure);
		return insn_fail(true, VMERR_CONTROLS);
	}
	if (!check_host(context, &failure)) {
		report_refusal(&failure);
		return insn_fail(true, VMERR_HOST_STATE);
	}
	check_remember(&slot->memo, context);
	return insn_ok();
}

/*
 * With the rare fields still in vmcs02, guest state is the processor's to check:
 * it gets L1's state as it is. What it never sees is checked here.
 */
static bool guest_state_passes(const struct nested_slot *slot, const struct entry_context *context,
			       struct entry_failure *failure)
{
	return slot->rare_in_02 ? check_link_pointer(context, failure) : check_guest(context, failure);
}

struct insn_result switch_enter_l2(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	struct entry_context context;
	struct entry_failure failure;
	struct insn_result result;
	bool pae;
	u64 pdpte[4];

	shadow_pull(vcpu, slot);
	context = entry_context(vcpu);
	result = check_controls_and_host(slot, &context);
	if (result.outcome != INSN_OK)
		return result;
	if (!guest_state_passes(slot, &context, &failure)) {
		report_refusal(&failure);
		return fail_entry(vcpu, EXIT_INVALID_GUEST_STATE, failure.qualification);
	}
	/* Without EPT12 they come from memory, but vmcs02 has EPT: hardware takes them from the VMCS. */
	pae = check_uses_pae_paging(slot->vmcs12) && !vmcs12_has(slot->vmcs12, WORD_PROC2, PROC2_ENABLE_EPT);
	if (pae) {
		read_pdptes(nested, vmcs12_get(slot->vmcs12, VMCS_GUEST_CR3), pdpte);
		if (!check_pdptes(&nested->offered, pdpte)) {
			report_refusal(&(struct entry_failure){ "a PDPTE in memory has a reserved bit set", VMCS_GUEST_CR3,
				vmcs12_get(slot->vmcs12, VMCS_GUEST_CR3),
				"Checks on Guest Page-Directory-Pointer-Table Entries", ENTRY_FAIL_PDPTE });
			return fail_entry(vcpu, EXIT_INVALID_GUEST_STATE, ENTRY_FAIL_PDPTE);
		}
	}
	slot->last_used = ++nested->clock;
	build_vmcs02(vcpu, pae ? pdpte : NULL);
	flush_shared_vpid(slot);
	flush_ept02(nested);
	nested->state = NESTED_IN_L2;
	vcpu->running = &slot->vmcs02;
	return insn_done();
}

/* --- an exit of L2 ------------------------------------------------------ */

/* What an entry does once must not be done again: MSR list, performance counters. */
static void drop_once_only(struct nested_slot *slot)
{
	u64 entry = image_get(&slot->written02, VMCS_ENTRY_CONTROLS);

	if (image_get(&slot->written02, VMCS_ENTRY_MSR_LOAD_COUNT))
		write_field02(slot, VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	if (entry & ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL) {
		entry = vmcs_read(&slot->vmcs02, VMCS_ENTRY_CONTROLS); /* the mode may be another than was written */
		write_field02(slot, VMCS_ENTRY_CONTROLS, entry & ~(u64)ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL);
	}
}

/* SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields": the valid bit goes. */
void switch_note_exit(struct vcpu *vcpu)
{
	struct vmcs_image *written = &vcpu->nested->current->written02;

	image_set(written, VMCS_ENTRY_INTERRUPTION_INFORMATION,
		  image_get(written, VMCS_ENTRY_INTERRUPTION_INFORMATION) & ~INTERRUPTION_VALID);
}

void switch_prepare_resume(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	drop_once_only(nested->current);
	flush_ept02(nested);
}

/* --- VM exit ------------------------------------------------------------------------- */

static bool row_exists(const struct nested *nested, vmcs_field field)
{
	return nested->exists[field.index];
}

/* Of an unrestricted guest the exit has put LMA into vmcs02's "IA-32e mode guest", too. */
static void note_mode(struct vmcs_image *written)
{
	u64 entry = image_get(written, VMCS_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST;

	if (!(image_get(written, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_UNRESTRICTED_GUEST))
		return;
	if (image_get(written, VMCS_GUEST_IA32_EFER) & EFER_LMA)
		entry |= ENTRY_IA32E_MODE_GUEST;
	image_set(written, VMCS_ENTRY_CONTROLS, entry);
}

/* SDM "Saving Guest State". The rare fields stay where they are. */
static void save_guest(struct nested *nested, struct nested_slot *slot)
{
	for (u32 i = 0; i < sync_hot_count; i++) {
		vmcs_field field = sync_hot_fields[i];

		if (row_exists(nested, field))
			image_set(&slot->written02, field, vmcs_read(&slot->vmcs02, field));
	}
	note_mode(&slot->written02);
	sync_guest(slot->vmcs12, &slot->written02);
	slot->rare_in_02 = true;
}

/* SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields". */
static void record_exit(struct nested *nested, struct nested_slot *slot, const struct vm_exit *exit)
{
	static const vmcs_field information[] = {
		VMCS_FIELD(EXIT_INTERRUPTION_ERROR_CODE), VMCS_FIELD(IDT_VECTORING_INFORMATION),
		VMCS_FIELD(IDT_VECTORING_ERROR_CODE), VMCS_FIELD(EXIT_INSTRUCTION_LENGTH),
		VMCS_FIELD(EXIT_INSTRUCTION_INFORMATION), VMCS_FIELD(GUEST_LINEAR_ADDRESS),
		VMCS_FIELD(GUEST_PHYSICAL_ADDRESS), VMCS_FIELD(IO_RCX), VMCS_FIELD(IO_RSI), VMCS_FIELD(IO_RDI),
		VMCS_FIELD(IO_RIP),
	};
	struct vmcs12 *vmcs12 = slot->vmcs12;
	u64 injection;

	for (u32 i = 0; i < array_size(information); i++)
		if (row_exists(nested, information[i]))
			vmcs12_set(vmcs12, information[i], vmcs_read(&slot->vmcs02, information[i]));
	vmcs12_set(vmcs12, VMCS_EXIT_INTERRUPTION_INFORMATION, exit->interruption_information);
	injection = vmcs12_get(vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION) & ~INTERRUPTION_VALID;
	vmcs12_set(vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, injection);
	vmcs12->launch_state = LAUNCH_STATE_LAUNCHED;
}

/*
 * NMI blocking after the exit: an NMI exit sets it, others leave it as it was in
 * L2; with virtual NMIs L2 had none. SDM "Updating Non-Register State".
 */
static bool nmi_blocking_after(const struct vmcs12 *vmcs12, const struct vm_exit *exit)
{
	if (exit->basic == EXIT_EXCEPTION_OR_NMI && interruption_is_nmi(exit->interruption_information))
		return true;
	if (vmcs12_has(vmcs12, WORD_PIN, PIN_VIRTUAL_NMIS))
		return false;
	return (vmcs12_get(vmcs12, VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI) != 0;
}

/* What L1 inherits from L2; after a failed entry, in which L2 never ran, from itself. vmcs01 is current. */
static struct sync_l2_state l2_state(const struct vcpu *vcpu, const struct nested_slot *slot, const struct vm_exit *exit)
{
	struct merge_l1_state l1;

	if (exit->entry_failure) {
		l1 = l1_state(vcpu);
		return (struct sync_l2_state){ vmcs_read(&vcpu->vmcs01, VMCS_GUEST_CR0), l1.efer, l1.pat, false };
	}
	return (struct sync_l2_state){
		.cr0 = image_get(&slot->written02, VMCS_GUEST_CR0),
		.efer = image_get(&slot->written02, VMCS_GUEST_IA32_EFER),
		.pat = image_get(&slot->written02, VMCS_GUEST_IA32_PAT),
		.nmi_blocking = nmi_blocking_after(slot->vmcs12, exit),
	};
}

/* The first entry to L1 loads its list on hardware, which also finds what is wrong with it. */
static void arrange_exit_load(struct vcpu *vcpu, const struct vmcs12 *vmcs12)
{
	struct nested *nested = vcpu->nested;
	u32 count12 = (u32)vmcs12_get(vmcs12, VMCS_EXIT_MSR_LOAD_COUNT);

	if (!count12)
		return;
	fetch_list(nested, nested->exit_load, vmcs12_get(vmcs12, VMCS_EXIT_MSR_LOAD_ADDRESS), count12, true);
	nested->exit_load_count = count12;
	vmcs_write(&vcpu->vmcs01, VMCS_ENTRY_MSR_LOAD_ADDRESS, phys_of(nested->exit_load).value);
	vmcs_write(&vcpu->vmcs01, VMCS_ENTRY_MSR_LOAD_COUNT, count12);
}

/* SDM "Checking and Loading Host Page-Directory-Pointer-Table Entries": a bad one is a VMX abort. */
static void load_l1_pdptes(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	u64 pdpte[4];

	read_pdptes(nested, image_get(&nested->image01, VMCS_GUEST_CR3), pdpte);
	if (!check_pdptes(&nested->offered, pdpte))
		msr_vmx_abort(vcpu, ABORT_HOST_PDPTE);
	for (u16 i = 0; i < 4; i++)
		vmcs_write(&vcpu->vmcs01, vmcs_fields[VMCS_INDEX_GUEST_PDPTE0 + i].field, pdpte[i]);
}

/* SDM "Loading Host State". vmcs01 is current. */
static void load_l1(struct vcpu *vcpu, const struct vmcs12 *vmcs12, const struct sync_l2_state *l2)
{
	struct nested *nested = vcpu->nested;

	sync_load_host(&nested->image01, vmcs12, l2);
	for (u32 i = 0; i < sync_host_count; i++)
		if (row_exists(nested, sync_host_fields[i]))
			vmcs_write(&vcpu->vmcs01, sync_host_fields[i], image_get(&nested->image01, sync_host_fields[i]));
	if (!vmcs12_has(vmcs12, WORD_EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE) &&
	    (image_get(&nested->image01, VMCS_GUEST_CR4) & CR4_PAE))
		load_l1_pdptes(vcpu);
	if (vmcs12_has(vmcs12, WORD_EXIT, EXIT_LOAD_IA32_PERF_GLOBAL_CTRL))
		(void)wrmsr_safe(IA32_PERF_GLOBAL_CTRL, vmcs12_get(vmcs12, VMCS_HOST_IA32_PERF_GLOBAL_CTRL));
	/* An exit without VPIDs drops what was cached for VPID 0, which is where L1 lives in its own eyes. */
	if (!vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_VPID) && caps_allow(nested->hardware, WORD_PROC2, PROC2_ENABLE_VPID))
		(void)invvpid(INVVPID_SINGLE, VPID01, 0);
}

void switch_leave_l2(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	struct sync_l2_state l2;

	if (!exit->entry_failure) {
		save_guest(nested, slot);
		record_exit(nested, slot, exit);
		msr_store_list(vcpu, slot);
	}
	vmcs12_set(slot->vmcs12, VMCS_EXIT_REASON, exit->reason);
	vmcs12_set(slot->vmcs12, VMCS_EXIT_QUALIFICATION, exit->qualification);
	nested->nmi_window02 = false; /* the next merge puts the controls right */
	vcpu->running = &vcpu->vmcs01;
	nested->state = NESTED_ROOT_CURRENT;
	vmcs_load(&vcpu->vmcs01);
	l2 = l2_state(vcpu, slot, exit);
	load_l1(vcpu, slot->vmcs12, &l2);
	arrange_exit_load(vcpu, slot->vmcs12);
	shadow_push(vcpu, slot);
	count(COUNTER_REFLECTED);
}

void switch_leave_for_event(struct vcpu *vcpu, u32 information, u32 error_code)
{
	const struct vm_exit exit = {
		.reason = EXIT_EXCEPTION_OR_NMI,
		.basic = EXIT_EXCEPTION_OR_NMI,
		.interruption_information = information,
	};
	struct nested_slot *slot = vcpu->nested->current;
	u64 injection = vmcs_read(vcpu->running, VMCS_ENTRY_INTERRUPTION_INFORMATION);
	u64 injection_error_code = vmcs_read(vcpu->running, VMCS_ENTRY_EXCEPTION_ERROR_CODE);

	switch_leave_l2(vcpu, &exit);
	/* vmcs02 tells of the exit before; what was about to be injected was being delivered. */
	vmcs12_set(slot->vmcs12, VMCS_EXIT_INTERRUPTION_ERROR_CODE, error_code);
	vmcs12_set(slot->vmcs12, VMCS_IDT_VECTORING_INFORMATION, injection & INTERRUPTION_VALID ? injection : 0);
	vmcs12_set(slot->vmcs12, VMCS_IDT_VECTORING_ERROR_CODE, injection_error_code);
	shadow_push(vcpu, slot);
}

/* vmcs01 is current. Usually something in memory changed since the checks passed; they can name it now. */
static void explain_vmfail(struct vcpu *vcpu, u64 error)
{
	const struct entry_context context = entry_context(vcpu);
	struct entry_failure failure;

	check_forget(&vcpu->nested->current->memo);
	if (!check_controls(&context, &failure) || !check_host(&context, &failure)) {
		report_refusal(&failure);
		return;
	}
	count(COUNTER_ENTRY_REFUSALS);
	log_info("VM entry refused by the processor, error %lu: a check that Testudo lacks", error);
}

struct insn_result switch_unwind_entry(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	u64 error = vmcs_read(&nested->current->vmcs02, VMCS_VM_INSTRUCTION_ERROR);

	vcpu->running = &vcpu->vmcs01;
	nested->state = NESTED_ROOT_CURRENT;
	vmcs_load(&vcpu->vmcs01);
	explain_vmfail(vcpu, error);
	return insn_fail(true, error == VMERR_HOST_STATE ? VMERR_HOST_STATE : VMERR_CONTROLS);
}

void switch_explain_refusal(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested_slot *slot = vcpu->nested->current;
	struct entry_context context;
	struct entry_failure failure;

	if (exit->basic == EXIT_MSR_LOADING) {
		log_info("VM entry refused: VM-entry MSR-load list, entry %lu - SDM \"Loading MSRs\"", exit->qualification);
		count(COUNTER_ENTRY_REFUSALS);
		return;
	}
	slots_fetch_rare(vcpu, slot);
	vmcs_load(&vcpu->vmcs01);
	context = entry_context(vcpu);
	if (!check_guest(&context, &failure)) {
		report_refusal(&failure);
	} else {
		log_info("VM entry refused by the processor: guest state, qualification %lu: a check that Testudo lacks",
			 exit->qualification);
		count(COUNTER_ENTRY_REFUSALS);
	}
	vmcs_load(vcpu->running);
}
