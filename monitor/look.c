/* SPDX-License-Identifier: MIT */
/*
 * Views of a stopped processor. vmcs12 is in several places at once (vmx/nested/nested.h, struct nested_slot): what brings
 * it home when L1 clears it does so here for a copy of the slot.
 */
#include "monitor/look.h"

#include "arch/ops.h"
#include "boot/handoff.h"
#include "mm/phys.h"
#include "vmx/nested/insn.h"
#include "vmx/nested/quick_switch.h"

/* --- nothing is counted -------------------------------------------------------------- */

struct saved_counters {
	u64 counter[COUNTER_COUNT];
};

static void save_counters(struct saved_counters *saved)
{
	for (u32 i = 0; i < COUNTER_COUNT; i++)
		saved->counter[i] = percpu()->counter[i];
}

static void restore_counters(const struct saved_counters *saved)
{
	for (u32 i = 0; i < COUNTER_COUNT; i++)
		percpu()->counter[i] = saved->counter[i];
}

/* --- VMCSs --------------------------------------------------------------------------- */

static void read_hardware(const struct vcpu *vcpu, const struct vmcs *vmcs, struct view *view)
{
	vmcs_load(vmcs);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		view->has[i] = vcpu->nested->exists[i] && vmcs_try_read(vmcs_fields[i].field, &view->image.value[i]);
	vmcs_load(vcpu->running);
}

/*
 * While L2 runs, its state as an exit would save it now, and what the last exit has told L1, so far as that is still known:
 * exits that L0 has kept to itself since have overwritten the rest.
 */
static void bring_home_running(struct vcpu *vcpu, const struct nested_slot *original, struct nested_slot *copy)
{
	copy->deferred = true;
	quick_settle(vcpu, copy);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_encoding_type(vmcs_fields[i].field.encoding) == TYPE_READ_ONLY &&
		    (!original->deferred || original->set.open[i] != SHADOW_NO))
			copy->vmcs12->fields.value[i] = original->vmcs12->fields.value[i];
}

/* As bring_home() and bring_home_shadow() of vmx/nested/slots.c, without the last step. */
static void bring_home(struct vcpu *vcpu, const struct nested_slot *original, struct nested_slot *copy)
{
	if (slot_is_shadow(copy)) {
		shadow_fetch(vcpu, copy);
		return;
	}
	quick_settle(vcpu, copy);
	if (copy->whole)
		shadow_pull(vcpu, copy);
	slots_fetch_rare(vcpu, copy);
	if (!nested_in_l2(vcpu))
		return;
	bring_home_running(vcpu, original, copy);
	slots_fetch_rare(vcpu, copy);
}

static void look_12(struct monitor *monitor, struct vcpu *vcpu, struct view *view)
{
	const struct nested_slot *slot = vcpu->nested->current;

	monitor->slot = *slot;
	monitor->vmcs12 = *slot->vmcs12;
	monitor->slot.vmcs12 = &monitor->vmcs12;
	bring_home(vcpu, slot, &monitor->slot);
	vmcs_load(vcpu->running);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		view->has[i] = insn_field(&vcpu->nested->offered, vmcs_fields[i].field.encoding) != NULL;
	view->image = monitor->vmcs12.fields;
}

static const char *why_none(const struct nested *nested)
{
	return nested->state == NESTED_OUTSIDE ? "L1 is not in VMX operation" : "L1 has no current VMCS";
}

static const char *look_at(struct monitor *monitor, struct vcpu *vcpu, enum look_which which, struct view *view)
{
	const struct nested_slot *slot = vcpu->nested->current;

	if (which == LOOK_01) {
		view->name = "01";
		view->what = "vmcs01, with which L1 runs";
		read_hardware(vcpu, &vcpu->vmcs01, view);
		return NULL;
	}
	if (!slot)
		return why_none(vcpu->nested);
	if (which == LOOK_02 && !slot->written_valid)
		return "L1 has not entered its current VMCS: there is no vmcs02 yet";
	if (which == LOOK_02) {
		view->name = "02";
		view->what = "vmcs02, with which L2 runs";
		read_hardware(vcpu, &slot->vmcs02, view);
		return NULL;
	}
	view->name = "12";
	view->what = nested_in_l2(vcpu) ? "vmcs12, L1's VMCS; the state of L2, which runs, is of this moment" :
					  "vmcs12, L1's VMCS as L1 sees it";
	look_12(monitor, vcpu, view);
	return NULL;
}

const char *look_vmcs(struct monitor *monitor, struct vcpu *vcpu, enum look_which which, struct view *view)
{
	struct saved_counters saved;
	const char *why;

	save_counters(&saved);
	why = look_at(monitor, vcpu, which, view);
	restore_counters(&saved);
	return why;
}

void look_running(struct monitor *monitor, struct vcpu *vcpu, struct view *view)
{
	(void)look_vmcs(monitor, vcpu, nested_in_l2(vcpu) ? LOOK_02 : LOOK_01, view);
}

/* --- the rest ------------------------------------------------------------------------ */

struct state look_state(const struct vcpu *vcpu)
{
	const struct nested *nested = vcpu->nested;
	u32 cpu = vcpu->cpu->index;
	struct state state = {
		.cpu = cpu, .apic_id = vcpu->machine->handoff->cpus[cpu].apic_id, .in_l2 = nested_in_l2(vcpu),
		.in_vmx = nested->state != NESTED_OUTSIDE, .has_current = nested->current != NULL,
		.is_aborted = nested->slow & SLOW_ABORTED, .vmxon_pointer = nested->vmxon_pointer,
	};

	static_assert(array_size(state.others) >= NESTED_SLOTS, "all of them");
	if (nested->current) {
		state.vmcs12 = nested->current->address;
		/* L0 notes it at the first exit. */
		state.is_launched = state.in_l2 || nested->current->vmcs12->launch_state == LAUNCH_STATE_LAUNCHED;
	}
	for (u32 i = 0; i < NESTED_SLOTS; i++)
		if (nested->slots[i].address != NO_ADDRESS && &nested->slots[i] != nested->current)
			state.others[state.other_count++] = nested->slots[i].address;
	return state;
}

struct live_registers look_registers(const struct vcpu *vcpu)
{
	struct live_registers live = {
		.cr2 = read_cr2(), .dr = { read_dr0(), read_dr1(), read_dr2(), read_dr3() }, .dr6 = read_dr6(),
	};

	static_assert(array_size(live.gpr) == REG_COUNT, "all of them");
	for (u32 i = 0; i < REG_COUNT; i++)
		live.gpr[i] = vcpu->regs.gpr[i];
	return live;
}

void look_counts(struct vcpu *vcpu, struct exit_counts *counts)
{
	static_assert(SHOW_REASONS == COUNTED_EXIT_REASONS, "one for each");
	quick_count(vcpu);
	for (u32 i = 0; i < COUNTED_EXIT_REASONS; i++) {
		counts->l1[i] = counter_value(COUNTER_BY_REASON_L1 + i);
		counts->l2[i] = counter_value(COUNTER_BY_REASON_L2 + i);
		counts->kept[i] = counter_value(COUNTER_KEPT + i);
	}
	counts->ept02_fills = counter_value(COUNTER_EPT02_FILLS);
	counts->refusals = counter_value(COUNTER_ENTRY_REFUSALS);
}

/* --- tables -------------------------------------------------------------------------- */

static bool read_l1(const void *context, u64 address, u64 *entry)
{
	const struct l1_memory *memory = context;

	if (!l1_look(memory, l1_gpa(address)))
		return false;
	*entry = l1_read64(memory, l1_gpa(address));
	return true;
}

static bool read_own(const void *context, u64 address, u64 *entry)
{
	const u64 *pointer = phys_to_ptr(hpa(address));

	(void)context;
	if (!pointer)
		return false;
	*entry = __atomic_load_n(pointer, __ATOMIC_RELAXED);
	return true;
}

/* A secondary control counts only where they are activated. */
static bool has_secondary(const struct view *vmcs, u32 control)
{
	return (view_get(vmcs, VMCS_PROCESSOR_BASED_CONTROLS) & PROC_ACTIVATE_SECONDARY_CONTROLS) &&
	       (view_get(vmcs, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & control);
}

const char *look_ept(const struct vcpu *vcpu, enum look_which which, const struct view *vmcs, struct ept_view *ept)
{
	const struct nested *nested = vcpu->nested;
	u64 able = (which == LOOK_12 ? &nested->offered : nested->hardware)->ept_vpid;

	if (!has_secondary(vmcs, PROC2_ENABLE_EPT))
		return "EPT is off in vmcs12: what L2 takes for physical addresses are L1's";
	*ept = (struct ept_view){
		.eptp = view_get(vmcs, VMCS_EPT_POINTER),
		.rules = {
			.execute_only = (able & EPT_CAP_EXECUTE_ONLY) != 0, .has_2m = (able & EPT_CAP_2M) != 0,
			.has_1g = (able & EPT_CAP_1G) != 0, .physical_address_bits = nested->memory->physical_address_bits,
			.mode_based = has_secondary(vmcs, PROC2_MODE_BASED_EXECUTE),
		},
		.to = which == LOOK_12 ? "L1 physical" : "physical",
		.read = which == LOOK_12 ? read_l1 : read_own,
		.context = nested->memory,
	};
	return NULL;
}
