/* SPDX-License-Identifier: MIT */
/*
 * L1's VMREAD and VMWRITE that exit, in the common case: a field that L1 is offered and whose value vmcs12 has, between two
 * registers. No call stands before the last one, so no register is saved. In doubt nothing is changed and
 * vmx/handle_vmcs.c decides, which knows every case.
 */

#include "vmx/handle_quick.h"

#include "vmx/handle_vmx.h"
#include "vmx/nested/nested.h"
#include "vmx/handle_quick_insn.h"

/*
 * Is this a field that L1 may access, and vmcs12 the place where its value is? Fields of a VMCS that L1 has made a shadow
 * VMCS may be newer in hardware's. `row` is one more than the row.
 */
static always_inline bool is_at_hand(const struct nested *nested, const struct nested_slot *slot, u64 encoding, bool write, u32 *row)
{
	if (encoding & ~VMCS_ENCODING_BITS) {
		*row = 0;
		return false;
	}
	*row = vmcs_rows[VMCS_PLACE(encoding)];
	return !(nested->kept_back[write][*row] & (slot->whereabouts | KEPT_ALWAYS | KEPT_SOFT)) && !slot_is_shadow(slot);
}

/* Can shadow_learn() learn from it? Not from one that was asked for at this time already, nor while the VMCS is being set up. */
static always_inline bool teaches(const struct nested *nested, const struct nested_slot *slot, u32 row, bool write)
{
	return slot->set.asked[row - 1] != nested->clock && nested->may_open[row - 1] >= (write ? SHADOW_RW : SHADOW_RO) &&
	       slot->vmcs12->launch_state == LAUNCH_STATE_LAUNCHED;
}

/* Is there more to do than to change or tell vmcs12's value? */
static always_inline bool matters(const struct nested *nested, const struct nested_slot *slot, u32 row, bool write)
{
	if (slot->set.open[row - 1] != SHADOW_NO)
		return write;
	return teaches(nested, slot, row, write);
}

static noinline u64 learn(struct vcpu *vcpu, u32 row)
{
	shadow_learn(vcpu, vcpu->nested->current, &vmcs_fields[row - 1], false);
	return quick_resume(vcpu);
}

static noinline u64 note_written(struct vcpu *vcpu, u32 row)
{
	handle_field_written(vcpu, &vmcs_fields[row - 1]);
	return quick_resume(vcpu);
}

/* The value is there: what else a VMREAD does, or a VMWRITE. Last of all, as both may call. */
static always_inline u64 end(struct vcpu *vcpu, struct nested_slot *slot, u32 row, bool write)
{
	if (write) {
		check_forget(&slot->memo);
		slot->dirty = true;
		slot->quick.ready = false;
	}
	count(write ? COUNTER_VMWRITE_EXITS : COUNTER_VMREAD_EXITS);
	if (unlikely(matters(vcpu->nested, slot, row, write)))
		return write ? note_written(vcpu, row) : learn(vcpu, row);
	return quick_resume(vcpu);
}

static always_inline u64 read_value(const struct vmcs_image *values, u32 row, u64 encoding)
{
	return values->value[row - 1] >> (encoding & 1) * 32;
}

static always_inline void write_value(struct vmcs_image *values, u32 row, u64 encoding, u64 value)
{
	static const u64 masks[] = {
		[WIDTH_16] = UINT16_MAX, [WIDTH_32] = UINT32_MAX, [WIDTH_64] = UINT64_MAX, [WIDTH_NATURAL] = UINT64_MAX,
	};
	u64 *field = &values->value[row - 1];

	if (unlikely(encoding & 1))
		value = (u32)*field | value << 32;
	*field = value & masks[vmcs_encoding_width((u32)encoding)];
}

/* Where such a field is without VMCS shadowing in the processor: in `soft`, once L1 uses it often. NULL: out of reach. */
static always_inline struct vmcs_image *values_without_shadowing(const struct nested *nested, struct nested_slot *slot, u32 row, bool write)
{
	u16 kept = nested->kept_back[write][row];

	if (!(kept & KEPT_SOFT))
		return NULL;
	if (slot->set.open[row - 1] >= (write ? SHADOW_RW : SHADOW_RO))
		return &slot->soft;
	return kept & (slot->whereabouts | KEPT_ALWAYS) ? NULL : &slot->vmcs12->fields;
}

static always_inline u64 end_without_shadowing(struct vcpu *vcpu, struct nested_slot *slot, const struct vmcs_image *values, u32 row,
					       bool write)
{
	if (values != &slot->soft)
		return end(vcpu, slot, row, write);
	count(write ? COUNTER_VMWRITE_EXITS : COUNTER_VMREAD_EXITS);
	return quick_resume(vcpu);
}

/* The rest of it without VMCS shadowing in the processor, where nothing that may be in `soft` is at hand. */
static always_inline u64 access_soft(struct vcpu *vcpu, struct nested_slot *slot, struct quick *quick, u32 row, bool write)
{
	u64 *operand = &vcpu->regs.gpr[field_get(quick->information, INFO_REG1)];
	u64 encoding = vcpu->regs.gpr[field_get(quick->information, INFO_REG2)];
	struct vmcs_image *values = values_without_shadowing(vcpu->nested, slot, row, write);

	if (!values)
		return quick_decline(quick->reads);
	if (write)
		write_value(values, row, encoding, *operand);
	else
		*operand = read_value(values, row, encoding);
	quick_succeed(vcpu, quick);
	count((enum counter)(COUNTER_BY_REASON_L1 + (write ? EXIT_VMWRITE : EXIT_VMREAD)));
	return end_without_shadowing(vcpu, slot, values, row, write);
}

static always_inline u64 access(struct vcpu *vcpu, u64 registers, bool write)
{
	const u32 reason = write ? EXIT_VMWRITE : EXIT_VMREAD;
	struct quick quick = { .reads = 0 };
	struct nested_slot *slot = vcpu->nested->current;
	u32 row, operand, field;

	quick.information = (u32)quick_read(vcpu, &quick, VMCS_EXIT_INSTRUCTION_INFORMATION);
	if (unlikely(!(quick.information & INFO_IS_REGISTER)))
		return handle_quick_operands(vcpu, reason, registers, quick.information);
	operand = (u32)field_get(quick.information, INFO_REG1);
	field = (u32)field_get(quick.information, INFO_REG2);
	if (unlikely(!bit_is_set(registers, operand) || !bit_is_set(registers, field)))
		return quick_out_of_reach(registers);
	if (unlikely(vcpu->nested->state != NESTED_ROOT_CURRENT))
		return quick_decline(1);
	if (unlikely(!quick_is_permitted(vcpu, &quick)))
		return quick_decline(quick.reads);
	if (unlikely(!is_at_hand(vcpu->nested, slot, vcpu->regs.gpr[field], write, &row)))
		return access_soft(vcpu, slot, &quick, row, write);
	if (write)
		write_value(&slot->vmcs12->fields, row, vcpu->regs.gpr[field], vcpu->regs.gpr[operand]);
	else
		vcpu->regs.gpr[operand] = read_value(&slot->vmcs12->fields, row, vcpu->regs.gpr[field]);
	quick_succeed(vcpu, &quick);
	count((enum counter)(COUNTER_BY_REASON_L1 + reason));
	return end(vcpu, slot, row, write);
}

u64 handle_quick_vmread(struct vcpu *vcpu, u64 registers)
{
	return access(vcpu, registers, false);
}

u64 handle_quick_vmwrite(struct vcpu *vcpu, u64 registers)
{
	return access(vcpu, registers, true);
}

/* For operands in memory: where the field is, or NULL. */
static always_inline struct vmcs_image *values_of(const struct vcpu *vcpu, u64 encoding, bool write, u32 *row)
{
	struct nested_slot *slot = vcpu->nested->current;

	if (!slot)
		return NULL;
	if (is_at_hand(vcpu->nested, slot, encoding, write, row))
		return &slot->vmcs12->fields;
	return values_without_shadowing(vcpu->nested, slot, *row, write);
}

bool handle_quick_read_field(struct vcpu *vcpu, u64 encoding, u64 *value)
{
	u32 row;
	struct vmcs_image *values = values_of(vcpu, encoding, false, &row);

	if (!values)
		return false;
	*value = read_value(values, row, encoding);
	(void)end_without_shadowing(vcpu, vcpu->nested->current, values, row, false);
	return true;
}

bool handle_quick_write_field(struct vcpu *vcpu, u64 encoding, u64 value)
{
	u32 row;
	struct vmcs_image *values = values_of(vcpu, encoding, true, &row);

	if (!values)
		return false;
	write_value(values, row, encoding, value);
	(void)end_without_shadowing(vcpu, vcpu->nested->current, values, row, true);
	return true;
}
