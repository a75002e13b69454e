/* SPDX-License-Identifier: MIT */
/*
 * L1's VMX instructions and CPUID in the common case: nothing traps or blocks, VMX instructions come from 64-bit mode at
 * CPL 0, their operand is on a supervisor page, and they succeed. In doubt nothing is changed and the
 * handlers of the long way decide, which know every case. VMREAD and VMWRITE between registers are in handle_quick_fields.c.
 */

#include "vmx/handle_quick.h"

#include "arch/ops.h"
#include "vmx/breakpoints.h"
#include "vmx/handle_cpuid.h"
#include "vmx/handle_vmx.h"
#include "vmx/nested/nested.h"
#include "vmx/handle_quick_insn.h"

/* Instructions by the reason of their exit: those with 16 bytes in memory, and those that write there. */
#define BY_DESCRIPTOR (BIT(EXIT_INVEPT) | BIT(EXIT_INVVPID))
#define WRITERS (BIT(EXIT_VMREAD) | BIT(EXIT_VMPTRST))

/* --- memory operands ------------------------------------------------------------------ */

/*
 * Linear addresses that are canonical without metadata are what linear-address masking makes of them. FS and GS, with
 * their bases, and RSP, whose value is not in `regs`, are the long way's.
 */
static inline bool linear_address(const struct vcpu *vcpu, struct quick *quick, u32 size, u64 *linear)
{
	u32 information = quick->information;
	u64 base = field_get(information, INFO_BASE), index = field_get(information, INFO_INDEX);
	u64 address = quick_read(vcpu, quick, VMCS_EXIT_QUALIFICATION);

	if (field_get(information, INFO_ADDRESS_SIZE) != 2 || field_get(information, INFO_SEGMENT) >= SEGMENT_FS)
		return false;
	if (!(information & INFO_NO_BASE))
		address += base == REG_RSP ? quick_read(vcpu, quick, VMCS_GUEST_RSP) : vcpu->regs.gpr[base];
	if (!(information & INFO_NO_INDEX))
		address += vcpu->regs.gpr[index] << (information & INFO_SCALE);
	*linear = address;
	return is_canonical(address, 48) && (address & PAGE_MASK) + size <= PAGE_SIZE;
}

/* The page was walked last by other tables, or not at all. */
static noinline u8 *walk_anew(const struct vcpu *vcpu, struct guest_walk_memo *memo, u64 linear, u64 cr3, u64 cr4, u64 efer)
{
	const struct guest_paging paging = {
		.cr3 = cr3,
		.cr4 = cr4,
		.efer = efer,
		.physical_address_bits = vcpu->machine->memory.physical_address_bits,
		.pages_1g = vcpu->machine->pages_1g,
	};

	guest_walk_remember(vcpu->nested->memory, &paging, gva(linear), memo);
	return memo->target;
}

/* The operand where L0 sees it, or NULL. */
static inline u8 *memory_operand(const struct vcpu *vcpu, struct quick *quick, u32 size, bool write)
{
	struct guest_walk_memo *memo;
	u64 linear, cr3, cr4;
	u8 *target;

	if (!linear_address(vcpu, quick, size, &linear) || (quick_read(vcpu, quick, VMCS_GUEST_DR7) & DR7_ENABLES))
		return NULL;
	cr3 = quick_read(vcpu, quick, VMCS_GUEST_CR3);
	cr4 = quick_read(vcpu, quick, VMCS_GUEST_CR4);
	memo = &vcpu->nested->operands[linear / PAGE_SIZE % NESTED_OPERANDS];
	target = memo->target;
	if (unlikely(memo->page != (linear & ~PAGE_MASK) || memo->cr3 != cr3 || memo->cr4 != cr4 || memo->efer != quick->efer || !target ||
		     !guest_walk_holds(memo))) {
		target = walk_anew(vcpu, memo, linear, cr3, cr4, quick->efer);
		if (!target)
			return NULL;
	}
	return memo->writable || !write ? target + (linear & PAGE_MASK) : NULL;
}

/* Operands need not be aligned. Each is read or written once, for L1 may be changing it. */
static inline u64 load(const u8 *from)
{
	u64 value;

	__builtin_memcpy(&value, from, sizeof(value));
	return value;
}

static inline void store(u8 *to, u64 value)
{
	__builtin_memcpy(to, &value, sizeof(value));
}

/* --- VMREAD, VMWRITE with an operand in memory ------------------------------------------ */

/* RSP is in the VMCS. */
static u64 *second_operand(struct vcpu *vcpu, const struct quick *quick)
{
	u64 number = field_get(quick->information, INFO_REG2);

	return number == REG_RSP ? NULL : &vcpu->regs.gpr[number];
}

static bool quick_vmread(struct vcpu *vcpu, const struct quick *quick, u8 *to)
{
	const u64 *encoding = second_operand(vcpu, quick);
	u64 value;

	if (!encoding || !handle_quick_read_field(vcpu, *encoding, &value))
		return false;
	store(to, value);
	return true;
}

static bool quick_vmwrite(struct vcpu *vcpu, const struct quick *quick, const u8 *from)
{
	const u64 *encoding = second_operand(vcpu, quick);

	return encoding && handle_quick_write_field(vcpu, *encoding, load(from));
}

/* --- VMPTRLD, VMCLEAR, INVEPT, INVVPID ---------------------------------------------------- */

static bool quick_vmptrst(const struct vcpu *vcpu, u8 *to)
{
	const struct nested_slot *slot = vcpu->nested->current;

	store(to, slot ? slot->address : NO_ADDRESS);
	return true;
}

typedef struct insn_result of_descriptor(struct vcpu *vcpu, u64 type, const u64 descriptor[2]);

static bool quick_invalidation(struct vcpu *vcpu, const struct quick *quick, const u8 *from, of_descriptor *function)
{
	const u64 *type = second_operand(vcpu, quick);
	const u64 descriptor[2] = { load(from), load(from + sizeof(u64)) };

	return type && function(vcpu, *type, descriptor).outcome == INSN_OK;
}

static inline bool carry_out(struct vcpu *vcpu, const struct quick *quick, u32 reason, u8 *operand)
{
	if (likely(reason == EXIT_VMPTRLD))
		return handle_vmptrld_of(vcpu, load(operand)).outcome == INSN_OK;
	switch (reason) {
	case EXIT_VMREAD:
		return quick_vmread(vcpu, quick, operand);
	case EXIT_VMWRITE:
		return quick_vmwrite(vcpu, quick, operand);
	case EXIT_VMPTRST:
		return quick_vmptrst(vcpu, operand);
	case EXIT_VMCLEAR:
		return handle_vmclear_of(vcpu, load(operand)).outcome == INSN_OK;
	case EXIT_INVEPT:
		return quick_invalidation(vcpu, quick, operand, handle_invept_of);
	case EXIT_INVVPID:
		return quick_invalidation(vcpu, quick, operand, handle_invvpid_of);
	default:
		return false;
	}
}

/* Registers are there: a function of its own, for the frame that it needs. */
static noinline u64 carry_out_if_plain(struct vcpu *vcpu, u32 reason, u32 information)
{
	struct quick quick = { .information = information, .reads = 1 };
	u32 size;
	u8 *operand;

	if (vcpu->nested->state == NESTED_OUTSIDE || !quick_is_permitted(vcpu, &quick))
		return quick_decline(quick.reads);
	size = bit_is_set(BY_DESCRIPTOR, reason) ? 2 * sizeof(u64) : sizeof(u64);
	operand = memory_operand(vcpu, &quick, size, bit_is_set(WRITERS, reason));
	if (!operand || !carry_out(vcpu, &quick, reason, operand))
		return quick_decline(quick.reads);
	quick_succeed(vcpu, &quick);
	count_exit_reason(false, reason);
	return quick_resume(vcpu);
}

/* Registers that the operands name. */
static inline u64 registers_of(u32 information, u32 reason)
{
	u64 named = 0;

	if (!(information & INFO_NO_BASE))
		named |= BIT(field_get(information, INFO_BASE));
	if (!(information & INFO_NO_INDEX))
		named |= BIT(field_get(information, INFO_INDEX));
	if (bit_is_set(BY_DESCRIPTOR | BIT(EXIT_VMREAD) | BIT(EXIT_VMWRITE), reason))
		named |= BIT(field_get(information, INFO_REG2));
	return named;
}

u64 handle_quick_operands(struct vcpu *vcpu, u32 reason, u64 registers, u32 information)
{
	if (registers == QUICK_FIRST && (registers_of(information, reason) & ~(registers | BIT(REG_RSP))))
		return quick_out_of_reach(registers);
	return carry_out_if_plain(vcpu, reason, information);
}

u64 handle_quick_insn(struct vcpu *vcpu, u32 reason, u64 registers)
{
	u32 information = (u32)vmcs_read_known(&vcpu->vmcs01, VMCS_EXIT_INSTRUCTION_INFORMATION);

	return handle_quick_operands(vcpu, reason, registers, information);
}

/* --- CPUID ------------------------------------------------------------------------------------ */

/* The leaves that most ask for, without a call. */
static inline void answer(struct vcpu *vcpu)
{
	u64 *gpr = vcpu->regs.gpr;
	u32 leaf = (u32)gpr[REG_RAX];
	struct cpuid_result result;

	if (!handle_cpuid_is_plain(leaf)) {
		handle_cpuid_answer(vcpu);
		return;
	}
	result = cpuid(leaf, (u32)gpr[REG_RCX]);
	gpr[REG_RAX] = result.eax;
	gpr[REG_RBX] = result.ebx;
	gpr[REG_RCX] = result.ecx;
	gpr[REG_RDX] = result.edx;
}

/* RIP wraps outside 64-bit mode, and does not in it: where it matters, the long way asks which it is. */
u64 handle_quick_cpuid(struct vcpu *vcpu)
{
	struct quick quick = { .reads = 0 };
	bool is_plain = quick_is_plain(vcpu, &quick);
	u64 rip, next = quick_next_rip(vcpu, &quick, &rip);

	if (!is_plain || (rip ^ next) >> 32 != 0)
		return quick_decline(quick.reads);
	vmcs_write_known(&vcpu->vmcs01, VMCS_GUEST_RIP, next);
	count((enum counter)(COUNTER_BY_REASON_L1 + EXIT_CPUID));
	count_many(COUNTER_VMREADS, quick.reads + 1);
	count(COUNTER_VMWRITES);
	answer(vcpu);
	return QUICK_RBX;
}
