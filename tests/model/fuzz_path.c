/* SPDX-License-Identifier: MIT */
/*
 * The whole path: bytes choose a processor, a vmcs12 and what L1, L2 and the machine do,
 * step by step, and L0 itself runs on the model: checks, merge, entry, exits, sync. Judged by
 * tests/model/oracles.c at each entry and exit, by a second account of L1's VMCSs (what L1 wrote
 * and what the SDM says that exits save), and by what L1 may expect of its TLB.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "arch/vmx_ops.h"
#include "arch/x86.h"
#include "tests/model/guest.h"
#include "tests/model/look_hands.h"
#include "tests/model/oracles.h"
#include "tests/unit/merge_world.h"
#include "vmx/stop.h"
#include "vmx/trace_exits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGIONS 11		/* more than there are slots */
#define MAX_STEPS 60
#define EPT12 UINT64_C(0x40000)	/* where the builder's EPTP has its tables */
#define MSR_AREA UINT64_C(0x90000)
#define BITMAPS UINT64_C(0xa0000)

static const uint8_t *bytes;
static size_t left;

static u8 take8(void)
{
	if (!left)
		return 0;
	left--;
	return *bytes++;
}

static u64 take(u32 count)
{
	u64 value = 0;

	for (u32 i = 0; i < count; i++)
		value |= (u64)take8() << 8 * i;
	return value;
}

/* --- L1's VMCSs, as L1 may know them --------------------------------------------------- */

static struct {
	bool known;
	bool launched;
	struct vmcs12 vmcs12;
} account[REGIONS];
static int current;
static bool kept;	/* L1 has done nothing that the account does not know */

static struct vmcs12 *mine(void)
{
	return &account[current].vmcs12;
}

static bool is_offered(u32 row)
{
	return insn_field(&model.vcpu.nested->offered, vmcs_fields[row].field.encoding) != NULL;
}

/* Rows that only L1's VMWRITE and the saving of guest state change. */
static bool is_accounted(u32 row)
{
	static const u16 others[] = { VMCS_INDEX_ENTRY_CONTROLS, VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION };

	if (vmcs_fields[row].class == CLASS_INFO || !is_offered(row))
		return false;
	for (u32 i = 0; i < array_size(others); i++)
		if (others[i] == row)
			return false;
	return true;
}

/* What L0 may change itself before it gives an exit to L1: with events of its own, or an emulated instruction. */
static bool is_changed_by_l0(u32 row)
{
	return row == VMCS_INDEX_GUEST_RFLAGS || row == VMCS_INDEX_GUEST_INTERRUPTIBILITY_STATE ||
	       row == VMCS_INDEX_GUEST_PENDING_DEBUG_EXCEPTIONS || row == VMCS_INDEX_PREEMPTION_TIMER_VALUE;
}

/* L2 exited to L1: SDM "Saving Guest State". */
static void account_exit(void)
{
	struct vmcs12 before;

	if (!kept)
		return;
	before = *mine();
	guest_note_switch(&before);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (is_offered(i) && merge_world_is_saved(&before, &vmcs_fields[i]))
			mine()->fields.value[i] = is_changed_by_l0(i) ? vmcs12_get(model.vcpu.nested->current->vmcs12, vmcs_fields[i].field)
								      : oracles_exit_state.value[i];
	mine()->fields.value[VMCS_INDEX_ENTRY_CONTROLS] = vmcs12_get(model.vcpu.nested->current->vmcs12, VMCS_ENTRY_CONTROLS);
	mine()->fields.value[VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION] &= ~INTERRUPTION_VALID;
}

static void check_row(u32 row)
{
	u64 value = 0;

	if (!kept || current < 0 || model.ended || model_in_l2() || !is_accounted(row))
		return;
	if (l1_vmread(vmcs_fields[row].field.encoding, &value).outcome != L1_OK)
		return;
	if (value != vmcs12_get(mine(), vmcs_fields[row].field))
		fprintf(stderr, "%s is 0x%lx, not 0x%lx\n", vmcs_fields[row].name, value, mine()->fields.value[row]);
	require(value == vmcs12_get(mine(), vmcs_fields[row].field));
}

/* --- L1's steps ------------------------------------------------------------------------- */

static u64 some_address(void)
{
	static const u64 places[] = { 0, 0x1000, EPT12, MSR_AREA, BITMAPS, 0x10000, FAKE_BLOCK_BASE, FAKE_BLOCK_BASE + 0x5000,
				      FAKE_MEMORY_SIZE - 0x1000, FAKE_MEMORY_SIZE, 0xffffff000, 0x10000000000 };

	return places[take8() % array_size(places)] + (take8() & 3) * PAGE_SIZE;
}

static bool holds_address(vmcs_field field)
{
	return vmcs_encoding_width(field.encoding) == WIDTH_64 && vmcs_encoding_type(field.encoding) == TYPE_CONTROL;
}

/* A value near the one that is there. */
static u64 some_value(u32 row, u64 old)
{
	switch (take8() & 7) {
	case 0:
		return take(8);
	case 1:
	case 2:
		return old ^ UINT64_C(1) << (take8() & 63);
	case 3:
		return old + take8();
	case 4:
		return take8();
	case 5:
		return holds_address(vmcs_fields[row].field) ? some_address() : old | take(2);
	case 6:
		return account[take8() % REGIONS].vmcs12.fields.value[row];
	default:
		return 0;
	}
}

static void write_row(u32 row, u64 value)
{
	vmcs_field field = vmcs_fields[row].field;

	if (current < 0 || model.ended || model_in_l2() || vmcs_fields[row].class == CLASS_INFO)
		return;
	if (l1_vmwrite(field.encoding, value).outcome == L1_OK)
		vmcs12_set(mine(), field, value & vmcs_width_mask(field.encoding));
}

/* One control, which a value for a field chosen among all seldom comes to. */
static void flip_control(void)
{
	u32 n = take8() % controls_count;
	vmcs_field field = control_fields[controls[n].word];

	if (current >= 0)
		write_row(field.index, vmcs12_get(mine(), field) ^ UINT64_C(1) << controls[n].bit);
}

static void use_region(u32 n)
{
	struct l1_result result = l1_vmptrld(L1_REGION(n));

	if (result.outcome == L1_OK)
		current = (int)n;
}

static void clear_region(u32 n)
{
	if (l1_vmclear(L1_REGION(n)).outcome != L1_OK)
		return;
	account[n].launched = false;
	if (current == (int)n)
		current = -1;
}

static void enter(void)
{
	struct l1_result result;
	struct vmcs12 wanted;
	bool launched;
	u64 exits;

	if (current < 0)
		return;
	exits = oracles_exits;
	launched = account[current].launched;
	wanted = *mine();
	/* Hardware may refuse, for reasons of its own. */
	if (take8() % 16 == 0)
		processor.refuse_with = take8() & 1 ? VMERR_CONTROLS : VMERR_HOST_STATE;
	else if (take8() % 16 == 0)
		processor.fail_with = take8() & 1 ? EXIT_MACHINE_CHECK_ENTRY : EXIT_INVALID_GUEST_STATE;
	result = launched ? l1_vmresume() : l1_vmlaunch();
	if (result.outcome != L1_IN_L2) {
		processor.refuse_with = processor.fail_with = 0;
		/* It may have entered and left at once. */
		if (model.ended || model.vcpu.nested->state != NESTED_ROOT_CURRENT)
			return;
		if (result.outcome == L1_EXITED && !(l1_get(VMCS_EXIT_REASON) & EXIT_REASON_ENTRY_FAILURE)) {
			account[current].launched = true;
			guest_note_switch(&wanted);
			if (oracles_exits == exits) /* L0 left before L2 ran: it has what it was given */
				oracles_exit_state = processor_region(model.vcpu.nested->current->vmcs02.address.value)->fields;
			account_exit();
		}
		return;
	}
	account[current].launched = true;
	guest_note_switch(&wanted);
}

static void write_memory(void)
{
	static const u64 eptes[] = { 7, 0x37, 0xb7, 0xf7, 0x200007, 0x2000b7, 0x41007, 0x42007, 0x43007, FAKE_BLOCK_BASE | 0x37,
				     FAKE_BLOCK_BASE | 0xb7, 0, 1, 2, 4, 0x33 };
	static const u32 msrs[] = { IA32_PAT, IA32_EFER, IA32_LSTAR, IA32_FS_BASE, IA32_APIC_BASE, IA32_MTRR_DEF_TYPE, 0x1234567,
				    IA32_VMX_BASIC, IA32_FEATURE_CONTROL, IA32_KERNEL_GS_BASE, IA32_X2APIC_FIRST, IA32_SYSENTER_ESP };
	u64 value = take(2), *at;
	struct msr_entry *entry;

	switch (take8() & 3) {
	case 0:		/* EPT12: four tables */
		at = l1_pointer(EPT12 + (value & 3) * PAGE_SIZE);
		at[(value >> 2 & 7) + (value & 0x8000 ? 0 : 1) * (value >> 5 & 1)] = eptes[take8() % array_size(eptes)];
		break;
	case 1:		/* lists of MSRs */
		entry = (struct msr_entry *)l1_pointer(MSR_AREA) + (value & 3);
		*entry = (struct msr_entry){ .index = msrs[take8() % array_size(msrs)], .value = take(2) };
		break;
	case 2:		/* bitmaps */
		((u8 *)l1_pointer(BITMAPS + (value & 0x3fff)))[0] = take8();
		break;
	default:	/* a region, which L1 should not write; not its revision, so that it stays of use */
		if (take8() & 7)
			break;
		kept = false;
		((u8 *)l1_pointer(L1_REGION(take8() % REGIONS)))[4 + (value & 0xff)] = take8();
		break;
	}
}

static void invalidate(void)
{
	static const u16 vpids[] = { 1, 2, 3, 0xffff, 0xfffe, 0 };
	u64 type = take8() & 3, eptp = current >= 0 ? vmcs12_get(mine(), VMCS_EPT_POINTER) : EPT12 | 0x5e;
	u16 vpid = vpids[take8() % array_size(vpids)];
	u32 page = take8() % GUEST_PAGES;

	if (take8() & 1) {
		if (l1_invept(type, eptp, 0).outcome == L1_OK)
			guest_note_invept(type, eptp);
	} else if (l1_invvpid(type, vpid, guest_linear(page)).outcome == L1_OK) {
		guest_note_invvpid(type, vpid, page);
	}
}

/* --- exits --------------------------------------------------------------------------------- */

/* What WRMSR and MOV to CR0 take, and nothing else, can be there: L1 inherits it. */
static u64 possible(u32 row, u64 value)
{
	static const u64 pats[] = { 0x0007040600070406, 0x0606060606060606, 0x0105040600070406, 0 };

	switch (row) {
	case VMCS_INDEX_GUEST_IA32_PAT:
		return pats[value % array_size(pats)];
	case VMCS_INDEX_GUEST_IA32_EFER:
		value &= processor.caps.efer_valid & ~(EFER_LMA | EFER_LME);
		return value & 1 ? value | EFER_LMA | EFER_LME : value;
	case VMCS_INDEX_GUEST_CR0:
		return (value & ~(BITS(63, 32) | BITS(28, 19) | BIT(17) | BITS(15, 6) | CR0_NW)) | CR0_NE | CR0_ET;
	default:
		return value;
	}
}

/* A timer counts down. */
static u64 left_by_l2(vmcs_field field, u64 value)
{
	u64 before = *processor_field(field);

	return field.index == VMCS_INDEX_PREEMPTION_TIMER_VALUE && value > before ? before : value;
}

/* L2 has run: its registers are others. Seldom such that entry would refuse them. */
static void change_guest(void)
{
	static const vmcs_field tame[] = {
		VMCS_FIELD(GUEST_RSP), VMCS_FIELD(GUEST_ES_BASE), VMCS_FIELD(GUEST_GDTR_BASE), VMCS_FIELD(GUEST_IA32_SYSENTER_ESP),
		VMCS_FIELD(PREEMPTION_TIMER_VALUE), VMCS_FIELD(GUEST_CR3), VMCS_FIELD(GUEST_INTERRUPT_STATUS),
	};
	u8 how = take8();

	for (u32 i = 0; i < array_size(tame); i++)
		if (how & 1u << i && vmcs_field_exists(&vmcs_fields[tame[i].index], &processor.caps))
			*processor_field(tame[i]) = left_by_l2(tame[i], (take(2) << 8) & vmcs_width_mask(tame[i].encoding));
	if (how & 0x80) {
		u32 row = take8() % VMCS_FIELD_COUNT;

		if (vmcs_fields[row].class == CLASS_GUEST && merge_world_is_saved(model.vcpu.nested->current->vmcs12, &vmcs_fields[row]))
			processor.current->fields.value[row] = possible(row, take(8) & vmcs_width_mask(vmcs_fields[row].field.encoding));
	}
}

/* Instructions are not executed while an event is delivered. SDM "Information for VM Exits That Occur During Event Delivery". */
static bool comes_in_delivery(u32 reason)
{
	return reason == EXIT_EXCEPTION_OR_NMI || reason == EXIT_TASK_SWITCH || reason == EXIT_APIC_ACCESS;
}

static void exit_somehow(void)
{
	static const u32 msrs[] = { IA32_PAT, IA32_EFER, IA32_LSTAR, IA32_APIC_BASE, IA32_VMX_BASIC, IA32_FEATURE_CONTROL, 0x1234567,
				    IA32_MTRR_PHYSBASE0, IA32_MTRR_DEF_TYPE, IA32_RTIT_FIRST, 0xc0001234, IA32_VMX_VMFUNC };
	struct model_exit exit = { .reason = take8() % EXIT_REASON_COUNT, .length = 2 };
	u64 *gpr = model.vcpu.regs.gpr;
	bool was_in_l2 = model_in_l2();

	exit.qualification = take8() & 1 ? take(4) : (take8() & 1 ? 0x4050000 | take8() : take8());
	if (exit.reason == EXIT_EXCEPTION_OR_NMI)
		exit.interruption_information = (u32)INTERRUPTION_VALID | (take8() & 1 ? 0x202u : 0x300u | (take8() & 31u));
	if (take8() % 8 == 0 && comes_in_delivery(exit.reason))
		exit.vectoring_information = (u32)INTERRUPTION_VALID | (u32)((take8() & 1 ? 0x202 : 0x300 | (take8() & 31)));
	exit.instruction_information = (u32)take(4);
	gpr[REG_RCX] = msrs[take8() % array_size(msrs)];
	gpr[REG_RAX] = take(2);
	gpr[REG_RDX] = 0;
	gpr[REG_RBX] = take8();
	if (!guest_can_exit(&exit, (u32)gpr[REG_RCX]))
		return;
	if (was_in_l2)
		change_guest();
	else if ((exit.reason >= EXIT_VMCLEAR && exit.reason <= EXIT_VMXON) || exit.reason == EXIT_INVEPT || exit.reason == EXIT_INVVPID)
		kept = false;	/* a VMX instruction with any operands */
	(void)model_exit(&exit);
	if (model.ended)
		return;
	if (was_in_l2 && !model_in_l2())
		account_exit();
}

/* --- the whole -------------------------------------------------------------------------------- */

static void choose_processor(struct vmx_caps *caps, u8 choice)
{
	if (choice & 1)
		caps->control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
	if (choice & 2)
		caps->control[WORD_PIN].may_be_1 &= ~PIN_ACTIVATE_PREEMPTION_TIMER;
	if (choice & 4)
		caps->control[WORD_PROC2].may_be_1 &= ~PROC2_ENABLE_VPID;
	if (choice & 8)
		caps->ept_vpid &= ~(EPT_CAP_ACCESSED_DIRTY | EPT_CAP_EXECUTE_ONLY);
}

static void end_stop(struct vcpu *vcpu)
{
	(void)vcpu;
	stop_end();
}

static void fill_memory(void)
{
	u64 *pml4 = l1_pointer(EPT12), *pdpt = l1_pointer(EPT12 + 0x1000), *pd = l1_pointer(EPT12 + 0x2000);
	u64 *pt = l1_pointer(EPT12 + 0x3000);

	pml4[0] = (EPT12 + 0x1000) | 7;
	pdpt[0] = (EPT12 + 0x2000) | 7;
	pd[0] = 0xb7;
	pd[1] = (EPT12 + 0x3000) | 7;
	for (u64 i = 0; i < GUEST_PAGES; i++)
		pt[i] = (0x200000 + i * PAGE_SIZE) | 0x37;
	((u8 *)l1_pointer(BUILDER_VIRTUAL_APIC))[0x80] = 0x50;
	l1_make_region(L1_VMXON);
}

static void step(void)
{
	u8 what = take8();

	if (*processor_field(VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_WAIT_FOR_SIPI)
		what = 15;
	switch (what & 15) {
	case 0:
	case 1:
	case 2: {
		u32 row = take8() % VMCS_FIELD_COUNT;

		write_row(row, some_value(row, current < 0 ? 0 : mine()->fields.value[row]));
		break;
	}
	case 3:
		check_row(take8() % VMCS_FIELD_COUNT);
		break;
	case 4:
		write_memory();
		break;
	case 5:
		(void)guest_edit(take8() % GUEST_PAGES, UINT64_C(0x200000) + (take8() & 15) * PAGE_SIZE);
		break;
	case 6:
		model.cpu.nmi_pending = 1;
		break;
	case 7:
	case 8: {
		bool was_in_l2 = model_in_l2();

		if (kept && !guest_access(take8() % GUEST_PAGES, 1) && !model.ended && was_in_l2 && !model_in_l2())
			account_exit();
		break;
	}
	default:
		if (model_in_l2() || (what & 15) > 13) {
			exit_somehow();
		} else if ((what & 15) < 12) {
			enter();
		} else {
			switch (take8() & 7) {
			case 0:
			case 1:
				use_region(take8() % REGIONS);
				break;
			case 2:
				clear_region(take8() % REGIONS);
				break;
			case 3:
				write_row(VMCS_INDEX_VPID, take8() & 1 ? 0xffff : take8() & 3);
				break;
			case 7:
				flip_control();
				break;
			default:
				invalidate();
				break;
			}
		}
	}
}

static void look(u32 number)
{
	static const char *const commands[] = { "vmcs 12", "diff 12 02", "where", "ept 02 0", "regs", "ept 12 1000", "vmcs 01" };

	(void)hands_command(commands[number % array_size(commands)]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct builder builder;
	u8 choice, kind;

	bytes = data;
	left = size;
	if (size < 8)
		return 0;
	choice = take8();
	kind = take8();
	builder_init(&builder, (enum builder_kind)(kind % BUILD_KIND_COUNT));
	/* Never VMX itself, which is row 0. */
	model_hide = kind >> 6 == 2 ? take(4) & ~UINT64_C(1) : 0;
	vmcs12_set(&builder.vmcs12, VMCS_HOST_CR3, L1_PAGING);
	choose_processor(&builder.hardware, choice);
	model_monitor_key = choice & 32 ? 0x1d : 0;
	require(model_boot(&builder.hardware, choice & 16));
	model.machine->stop_point = end_stop;
	/* Every fourth input is traced, which must change nothing for the oracles. */
	if (size % 4 == 3) {
		model.handoff.trace_kilobytes = 8;
		require(trace_prepare(&model.vcpu));
	}
	memset(account, 0, sizeof(account));
	current = -1;
	kept = true;
	fill_memory();
	guest_accesses_begin();
	require(l1_vmxon(L1_VMXON).outcome == L1_OK);
	for (u32 n = 0; n < REGIONS; n++) {
		memcpy(l1_pointer(L1_REGION(n)), &builder.vmcs12, PAGE_SIZE);
		account[n].vmcs12 = builder.vmcs12;
	}
	use_region(0);
	hands_begin();
	for (u32 i = 0; i < MAX_STEPS && left && !model.ended; i++) {
		step();
		/* The monitor looks at every eighth, and changes nothing. */
		if (size % 8 == 5 && !model.ended)
			look(i);
	}
	for (u32 i = choice >> 5; i < VMCS_FIELD_COUNT && *processor_field(VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_ACTIVE; i += 8)
		check_row(i);
	return 0;
}
