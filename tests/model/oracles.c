/* SPDX-License-Identifier: MIT */
/* See tests/model/oracles.h. Each rule is a function; the sentence above it is the rule. */
#include "tests/model/oracles.h"

#include <string.h>

#include "arch/x86.h"
#include "mm/ept.h"
#include "mm/phys.h"
#include "tests/model/model.h"
#include "tests/unit/ept_model.h"
#include "vmx/sleep_guard.h"

static struct nested *nested;
static const struct nested_slot *slot;
static bool first_entry;	/* after L1's VMLAUNCH or VMRESUME: what vmcs12 says counts */

static u64 get(vmcs_field field)
{
	return *processor_field(field);
}

static u64 get12(vmcs_field field)
{
	return vmcs12_get(slot->vmcs12, field);
}

/* --- state machine ---------------------------------------------------------------- */

/* Where L1 stands, what is current and what runs agree. */
static void require_state(const struct vcpu *vcpu)
{
	bool in_l2 = nested->state == NESTED_IN_L2;

	require((nested->current != NULL) == (nested->state == NESTED_ROOT_CURRENT || in_l2));
	require(vcpu->running == (in_l2 ? &nested->current->vmcs02 : &vcpu->vmcs01));
	require((nested->vmxon_pointer == NO_ADDRESS) == (nested->state == NESTED_OUTSIDE));
	for (u32 i = 0; i < NESTED_SLOTS; i++) {
		u64 address = nested->slots[i].address;

		require(nested->state != NESTED_OUTSIDE || address == NO_ADDRESS);
		require(address == NO_ADDRESS || slots_find(nested, address) == &nested->slots[i]);
	}
	require(!nested->current || slots_find(nested, nested->current->address) == nested->current);
}

/* --- controls --------------------------------------------------------------------- */

/* Bits that L0 sets for a while, or for all L2s, beyond L1's wishes. */
static const u32 set_by_l0[CONTROL_WORD_COUNT] = {
	[WORD_PIN] = CONTROL_MASK(PIN, NMI_EXITING) | CONTROL_MASK(PIN, VIRTUAL_NMIS) | CONTROL_MASK(PIN, ACTIVATE_PREEMPTION_TIMER),
	[WORD_PROC] = CONTROL_MASK(PROC, NMI_WINDOW_EXITING) | CONTROL_MASK(PROC, USE_IO_BITMAPS) |
		      CONTROL_MASK(PROC, CR8_LOAD_EXITING),
	[WORD_EXIT] = CONTROL_MASK(EXIT, SAVE_PREEMPTION_TIMER),
};

/* Bits that L0 takes away for a while. */
static const u32 cleared_by_l0[CONTROL_WORD_COUNT] = {
	[WORD_PROC] = CONTROL_MASK(PROC, MONITOR_TRAP_FLAG) | CONTROL_MASK(PROC, USE_IO_BITMAPS),
	[WORD_ENTRY] = CONTROL_MASK(ENTRY, LOAD_IA32_PERF_GLOBAL_CTRL) | CONTROL_MASK(ENTRY, IA32E_MODE_GUEST),
};

/* L0's required controls survive, L1's are there, and nothing else is. */
static void require_controls(void)
{
	for (u32 i = 0; i < controls_count; i++) {
		enum control_word word = (enum control_word)controls[i].word;
		u32 mask = UINT32_C(1) << controls[i].bit;
		bool on02 = get(control_fields[word]) & mask, on01 = image_get(&nested->image01, control_fields[word]) & mask;
		bool on12 = vmcs12_has(slot->vmcs12, word, mask);

		if (controls[i].need == NEED_MUST && controls[i].merge != MERGE_L1)
			require(on02);
		if (on02 && !on12 && !(set_by_l0[word] & mask))
			require(on01 && controls[i].merge != MERGE_L1 && controls[i].merge != MERGE_OFF);
		if (controls[i].merge == MERGE_L1 && on12 && !(cleared_by_l0[word] & mask))
			require(on02);
	}
}

/* --- addresses -------------------------------------------------------------------- */

static bool is_address(const struct vmcs_field_info *info)
{
	return vmcs_encoding_width(info->field.encoding) == WIDTH_64 && vmcs_encoding_type(info->field.encoding) == TYPE_CONTROL &&
	       (strstr(info->name, "_ADDRESS") || strstr(info->name, "POINTER"));
}

static bool is_within(u64 address, const void *first, u64 bytes)
{
	return first && address >= phys_of(first).value && address < phys_of(first).value + bytes;
}

/* L0's own page for this field of vmcs02, which hardware only reads, or that L0 reads after it. */
static bool is_own_page(u16 field, u64 address)
{
	switch (field) {
	case VMCS_INDEX_MSR_BITMAP_ADDRESS:
		return is_within(address, slot->msr02.content, MSR_BITMAP_BYTES);
	case VMCS_INDEX_IO_BITMAP_A_ADDRESS:
	case VMCS_INDEX_IO_BITMAP_B_ADDRESS:
		return is_within(address, nested->io_bitmaps01, IO_BITMAP_BYTES) ||
		       is_within(address, slot->io02.content, IO_BITMAP_BYTES);
	case VMCS_INDEX_ENTRY_MSR_LOAD_ADDRESS:
		return is_within(address, nested->entry_load, 1);
	case VMCS_INDEX_VMREAD_BITMAP_ADDRESS:
		return is_within(address, nested->vmread02.content, 1);
	case VMCS_INDEX_VMWRITE_BITMAP_ADDRESS:
		return is_within(address, nested->vmwrite02.content, 1);
	case VMCS_INDEX_EPT_POINTER:
		return address == model.machine->eptp01 || is_within(address, nested->ept02.pool, nested->ept02.pages * PAGE_SIZE);
	case VMCS_INDEX_SUB_PAGE_PERMISSION_TABLE_POINTER:
		return is_within(address, nested->ept02.pool, nested->ept02.pages * PAGE_SIZE);
	default:
		return false;
	}
}

static bool is_hidden(u64 address)
{
	return address >= FAKE_BLOCK_BASE && address < FAKE_BLOCK_BASE + FAKE_BLOCK_SIZE &&
	       align_down(address, PAGE_SIZE) != model.machine->memory.scratch.value;
}

/* No address in vmcs02 leads into L0's block, but to pages that L0 keeps for just that. */
static void require_addresses(void)
{
	bool shadows = get(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_VMCS_SHADOWING;

	for (u16 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (is_address(&vmcs_fields[i]) && is_hidden(processor.current->fields.value[i]))
			require(is_own_page(i, processor.current->fields.value[i]));
	require(shadows || get(VMCS_VMCS_LINK_POINTER) == NO_ADDRESS);
}

/* --- VMCS shadowing ------------------------------------------------------------------ */

/* What L2 reaches without an exit is the shadow VMCS of the slot that holds L1's, and in it only what L1 is offered. */
static void require_shadowing(void)
{
	u64 link = get(VMCS_VMCS_LINK_POINTER);
	const struct nested_slot *linked = NULL;

	if (!(get(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_VMCS_SHADOWING))
		return;
	for (u32 i = 0; i < FIELD_SET_WORDS; i++) {
		require((nested->vmread02.content[field_set_place(i)] | nested->served.word[i]) == ~UINT64_C(0));
		require((nested->vmwrite02.content[field_set_place(i)] | nested->served.word[i]) == ~UINT64_C(0));
	}
	if (link == NO_ADDRESS)
		return;
	for (u32 i = 0; i < NESTED_SLOTS; i++)
		if (nested->slots[i].shadow.address.value == link)
			linked = &nested->slots[i];
	require(linked && linked != slot && slot_is_shadow(linked) && linked->whole);
	require(linked->address == vmcs12_get(slot->vmcs12, VMCS_VMCS_LINK_POINTER));
}

/* --- bitmaps and lists -------------------------------------------------------------- */

/* No bit is clear that L0 needs; nor, at an entry by L1, one that L1's page has set. */
static void require_bitmap(const u64 *used, const u64 *own, u32 words, vmcs_field page12)
{
	const u64 *l1 = l1_look(nested->memory, l1_gpa(get12(page12)));

	for (u32 i = 0; i < words; i++) {
		require((used[i] & own[i]) == own[i]);
		require(!first_entry || !l1 || (used[i] & l1[i]) == l1[i]);
	}
}

/* Whatever L1's bitmaps say, accesses that L0 must see exit; and hardware reads no bitmap of L1's. */
static void require_bitmaps(void)
{
	u64 proc = get(VMCS_PROCESSOR_BASED_CONTROLS), page_a = get(VMCS_IO_BITMAP_A_ADDRESS);
	const u64 *used;

	if (proc & PROC_USE_MSR_BITMAPS) {
		require(get(VMCS_MSR_BITMAP_ADDRESS) == phys_of(slot->msr02.content).value);
		require_bitmap(slot->msr02.content, nested->msr_bitmap01, MSR_BITMAP_WORDS, VMCS_MSR_BITMAP_ADDRESS);
	}
	if (!nested->io_bitmaps01)
		return;
	require(proc & (PROC_USE_IO_BITMAPS | PROC_UNCONDITIONAL_IO_EXITING));
	if (!(proc & PROC_USE_IO_BITMAPS))
		return;
	require(get(VMCS_IO_BITMAP_B_ADDRESS) == page_a + PAGE_SIZE);
	used = phys_to_ptr(hpa(page_a));
	if (!vmcs12_has(slot->vmcs12, WORD_PROC, PROC_USE_IO_BITMAPS)) {
		require(used == nested->io_bitmaps01);
		return;
	}
	require(used == slot->io02.content);
	require_bitmap(used, nested->io_bitmaps01, BITMAP02_PAGE_WORDS, VMCS_IO_BITMAP_A_ADDRESS);
	require_bitmap(used + BITMAP02_PAGE_WORDS, nested->io_bitmaps01 + BITMAP02_PAGE_WORDS, BITMAP02_PAGE_WORDS,
		       VMCS_IO_BITMAP_B_ADDRESS);
}

/* Hardware reads the entry list from L0's copy, and nothing in it uncovers L0's block. */
static void require_list(void)
{
	if (!get(VMCS_ENTRY_MSR_LOAD_COUNT))
		return;
	require(get(VMCS_ENTRY_MSR_LOAD_COUNT) <= MSR_LIST_MAX);
	for (u32 i = 0; i < get(VMCS_ENTRY_MSR_LOAD_COUNT); i++)
		require(!msr_hides_block(nested->memory, nested->entry_load[i].index, nested->entry_load[i].value));
}

/* --- vmcs02, vmcs01 ----------------------------------------------------------------- */

/* An exit finds L0: its host state is the same everywhere. */
static void require_host(const struct vcpu *vcpu)
{
	const struct model_region *own = processor_region(vcpu->vmcs01.address.value);

	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_fields[i].class == CLASS_HOST)
			require(processor.current->fields.value[i] == own->fields.value[i]);
}

static void require_translation(void)
{
	u64 vpid = get(VMCS_VPID);
	bool uses = get(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_ENABLE_VPID;

	require(!uses || vpid != VPID01);
	require(vmcs12_has(slot->vmcs12, WORD_PROC2, PROC2_ENABLE_EPT) ==
		(get(VMCS_EPT_POINTER) != model.machine->eptp01));
	require(!nested->ept02.flush_needed);
	model_audit(&nested->ept02);
}

/* Guest state of vmcs12 is what L2 runs with; what vmcs02 has newer is no business of vmcs12's. */
static void require_guest(void)
{
	static const u16 computed[] = {
		VMCS_INDEX_GUEST_IA32_EFER, VMCS_INDEX_GUEST_IA32_PAT, VMCS_INDEX_GUEST_DR7, VMCS_INDEX_GUEST_IA32_DEBUGCTL,
		VMCS_INDEX_GUEST_PDPTE0, VMCS_INDEX_GUEST_PDPTE1, VMCS_INDEX_GUEST_PDPTE2, VMCS_INDEX_GUEST_PDPTE3,
		VMCS_INDEX_GUEST_INTERRUPTIBILITY_STATE, VMCS_INDEX_PREEMPTION_TIMER_VALUE, VMCS_INDEX_GUEST_PENDING_DEBUG_EXCEPTIONS,
	};

	for (u16 i = 0; i < VMCS_FIELD_COUNT; i++) {
		bool skip = vmcs_fields[i].class != CLASS_GUEST || !nested->exists[i] || (nested->is_rare[i] && slot->rare_in_02);

		for (u32 j = 0; j < array_size(computed); j++)
			skip |= computed[j] == i;
		if (!skip)
			require(processor.current->fields.value[i] == slot->vmcs12->fields.value[i]);
	}
	/* L1's value is nothing for L0's heartbeat: it would not come, or come at once, and again. */
	if (model.machine->heartbeat && !vmcs12_has(slot->vmcs12, WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER) && !nested->immediate.armed)
		require(get(VMCS_PREEMPTION_TIMER_VALUE) <= model.machine->heartbeat);
}

/* Whose exits are is remembered from one entry to the next: it has to be what vmcs12 says now, and L1's bitmaps where it has them. */
static void require_owners(void)
{
	const struct reflect_question question = { .vmcs12 = slot->vmcs12, .watches_ports = nested->question.watches_ports };
	const struct quick_plan *plan = &slot->quick;

	for (u32 reason = 0; reason < EXIT_REASON_COUNT; reason++) {
		/* INIT may be L0's own: vmx/stop.h. */
		u8 now = reason == EXIT_INIT_SIGNAL ? OWNER_L0 : (u8)reflect_standing(&question, reason);

		if (plan->entered)
			require(plan->owners[reason] == now || (now == OWNER_BITMAPS && plan->owners[reason] == OWNER_UNDECIDED));
		else
			require(plan->owners[reason] == OWNER_L0 || (reason == EXIT_EPT_VIOLATION && now == OWNER_EPT12));
	}
	if (!plan->entered)
		return;
	if (plan->owners[EXIT_RDMSR] == OWNER_BITMAPS)
		require(plan->msr_bitmap12 == l1_look(nested->memory, l1_gpa(get12(VMCS_MSR_BITMAP_ADDRESS))));
	if (plan->owners[EXIT_IO_INSTRUCTION] == OWNER_BITMAPS)
		require(plan->io_bitmaps12[0] == l1_look(nested->memory, l1_gpa(get12(VMCS_IO_BITMAP_A_ADDRESS))) &&
			plan->io_bitmaps12[1] == l1_look(nested->memory, l1_gpa(get12(VMCS_IO_BITMAP_B_ADDRESS))));
}

static void require_vmcs02(const struct vcpu *vcpu)
{
	slot = nested->current;
	require(processor.current == processor_region(slot->vmcs02.address.value));
	require_controls();
	require_addresses();
	require_bitmaps();
	require_shadowing();
	require_list();
	require_host(vcpu);
	require_translation();
	require_owners();
	if (first_entry)
		require_guest();
}

static void require_vmcs01(const struct vcpu *vcpu)
{
	u64 link = get(VMCS_VMCS_LINK_POINTER);

	require(processor.current == processor_region(vcpu->vmcs01.address.value));
	for (u32 i = 0; i < controls_count; i++)
		if (controls[i].need == NEED_MUST)
			require(get(control_fields[controls[i].word]) & UINT32_C(1) << controls[i].bit);
	require(get(VMCS_EPT_POINTER) == model.machine->eptp01);
	require(!(get(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_ENABLE_VPID) || get(VMCS_VPID) == VPID01);
	require(get(VMCS_MSR_BITMAP_ADDRESS) ==
		(nested->watch.is_on ? nested->watch.msr_bitmap.value : phys_of(model.machine->msr_bitmap).value));
	require(!(get(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_DESCRIPTOR_TABLE_EXITING) == !nested->watch.is_on);
	require(link == NO_ADDRESS || (nested->current && link == nested->current->shadow.address.value));
	require(!get(VMCS_ENTRY_MSR_LOAD_COUNT) || get(VMCS_ENTRY_MSR_LOAD_ADDRESS) == phys_of(nested->exit_load).value);
}

void oracles_at_entry(void)
{
	const struct vcpu *vcpu = &model.vcpu;

	nested = vcpu->nested;
	require_state(vcpu);
	if (nested->state == NESTED_IN_L2)
		require_vmcs02(vcpu);
	else
		require_vmcs01(vcpu);
	first_entry = false;
}

/* --- around an exit ------------------------------------------------------------------- */

struct vmcs_image oracles_exit_state;
u64 oracles_exits;
static u64 reflected_before;

/* Quick exits are counted later: quick_count(). */
static u64 reflected(void)
{
	u64 count = model.cpu.counter[COUNTER_REFLECTED];

	for (u32 i = 0; i < NESTED_SLOTS; i++)
		count += nested->slots[i].quick.leaves;
	return count;
}

bool oracles_l1_is_new(void)
{
	return reflected() != reflected_before;
}

void oracles_before_exit(const struct vcpu *vcpu)
{
	nested = vcpu->nested;
	reflected_before = reflected();
	first_entry = false;
	if (nested_in_l2(vcpu)) {
		oracles_exit_state = processor.current->fields;
		oracles_exits++;
	}
}

/* SDM "Loading Host Segment and Descriptor-Table Registers". */
static void require_l1_segments(bool long_mode)
{
	static const u16 null_allowed[] = { 0, 2, 3, 4, 5 };

	require(get(VMCS_GUEST_CS_SELECTOR) == get12(VMCS_HOST_CS_SELECTOR) && get(VMCS_GUEST_CS_BASE) == 0);
	require(get(VMCS_GUEST_CS_ACCESS_RIGHTS) == (long_mode ? 0xa09b : 0xc09b) && get(VMCS_GUEST_CS_LIMIT) == UINT32_MAX);
	for (u32 i = 0; i < array_size(null_allowed); i++) {
		const u64 *guest = processor.current->fields.value, *host = slot->vmcs12->fields.value;
		u16 number = null_allowed[i];
		bool unusable = guest[VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS + number] >> 16 & 1;

		require(guest[VMCS_INDEX_GUEST_ES_SELECTOR + number] == host[VMCS_INDEX_HOST_ES_SELECTOR + number]);
		require(unusable == !host[VMCS_INDEX_HOST_ES_SELECTOR + number]);
	}
	require(get(VMCS_GUEST_FS_BASE) == get12(VMCS_HOST_FS_BASE) && get(VMCS_GUEST_GS_BASE) == get12(VMCS_HOST_GS_BASE));
	require(get(VMCS_GUEST_TR_SELECTOR) == get12(VMCS_HOST_TR_SELECTOR) && get(VMCS_GUEST_TR_BASE) == get12(VMCS_HOST_TR_BASE));
	require(get(VMCS_GUEST_TR_ACCESS_RIGHTS) == 0x8b && get(VMCS_GUEST_TR_LIMIT) == 0x67);
	require(get(VMCS_GUEST_LDTR_ACCESS_RIGHTS) >> 16 & 1);
	require(get(VMCS_GUEST_GDTR_BASE) == get12(VMCS_HOST_GDTR_BASE) && get(VMCS_GUEST_GDTR_LIMIT) == 0xffff);
	require(get(VMCS_GUEST_IDTR_BASE) == get12(VMCS_HOST_IDTR_BASE) && get(VMCS_GUEST_IDTR_LIMIT) == 0xffff);
}

/* SDM "Loading Host Control Registers, Debug Registers, MSRs" and what follows it. */
static void require_l1_state(void)
{
	const u64 kept = CR0_ET | CR0_NW | CR0_CD | BITS(63, 32) | BITS(28, 19) | BIT(17) | BITS(15, 6);
	bool long_mode = vmcs12_has(slot->vmcs12, WORD_EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE);
	u64 cr4 = get12(VMCS_HOST_CR4) | (long_mode ? CR4_PAE : 0);

	require(get(VMCS_GUEST_RIP) == get12(VMCS_HOST_RIP) && get(VMCS_GUEST_RSP) == get12(VMCS_HOST_RSP));
	require(get(VMCS_GUEST_RFLAGS) == RFLAGS_FIXED && get(VMCS_GUEST_CR3) == get12(VMCS_HOST_CR3));
	require(((get(VMCS_GUEST_CR0) ^ get12(VMCS_HOST_CR0)) & ~kept) == 0 && get(VMCS_GUEST_CR4) == cr4);
	require(get(VMCS_GUEST_DR7) == DR7_FIXED && get(VMCS_GUEST_IA32_DEBUGCTL) == 0);
	require(get(VMCS_GUEST_IA32_SYSENTER_CS) == get12(VMCS_HOST_IA32_SYSENTER_CS));
	require(get(VMCS_GUEST_IA32_SYSENTER_ESP) == get12(VMCS_HOST_IA32_SYSENTER_ESP));
	require(get(VMCS_GUEST_IA32_SYSENTER_EIP) == get12(VMCS_HOST_IA32_SYSENTER_EIP));
	require((get(VMCS_GUEST_IA32_EFER) & (EFER_LMA | EFER_LME)) == (long_mode ? EFER_LMA | EFER_LME : 0));
	if (vmcs12_has(slot->vmcs12, WORD_EXIT, EXIT_LOAD_IA32_EFER))
		require(get(VMCS_GUEST_IA32_EFER) == get12(VMCS_HOST_IA32_EFER));
	if (vmcs12_has(slot->vmcs12, WORD_EXIT, EXIT_LOAD_IA32_PAT))
		require(get(VMCS_GUEST_IA32_PAT) == get12(VMCS_HOST_IA32_PAT));
	require(!(get(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST) == !long_mode);
	require(get(VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_ACTIVE && get(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) == 0);
	require(!(get(VMCS_GUEST_INTERRUPTIBILITY_STATE) & ~INTERRUPTIBILITY_NMI));
	require(!(get(VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID));
	require_l1_segments(long_mode);
}

void oracles_after_exit(const struct vcpu *vcpu, const struct vm_exit *exit)
{
	require_state(vcpu);
	if (reflected() != reflected_before) {
		slot = nested->current;
		require_l1_state();
	}
	first_entry = nested_in_l2(vcpu) && (exit->basic == EXIT_VMLAUNCH || exit->basic == EXIT_VMRESUME) && !exit->entry_failure;
}
