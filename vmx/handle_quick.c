/* SPDX-License-Identifier: MIT */
/*
 * L1's VMX instructions and CPUID in the common case: nothing traps or blocks, VMX instructions come from 64-bit mode at
 * CPL 0, their operand is a register or on a supervisor page, and they succeed. In doubt nothing is changed and
 * the handlers of the long way decide, which know every case.
 */

#include "vmx/handle_quick.h"

#include "arch/ops.h"
#include "arch/x86.h"
#include "vmx/breakpoints.h"
#include "vmx/events.h"
#include "vmx/exit.h"
#include "vmx/handle_cpuid.h"
#include "vmx/handle_vmx.h"
#include "vmx/insn_info.h"
#include "vmx/nested/nested.h"
#include "vmx/quick.h"

/* The instruction at hand, and how many VMREADs it took to know it. */
struct quick {
	u64 next_rip, rflags;
	u64 efer;
	u32 information;
	u32 reads;
};

static inline u64 get(const struct vcpu *vcpu, struct quick *quick, vmcs_field field)
{
	quick->reads++;
	return vmcs_read_known(&vcpu->vmcs01, field);
}

static inline void count_exit(const struct quick *quick, u32 reason, u32 writes)
{
	count_exit_reason(false, reason);
	count_many(COUNTER_VMREADS, quick->reads);
	count_many(COUNTER_VMWRITES, writes);
}

/* --- before and after the instruction --------------------------------------------- */

/*
 * Is nothing due with it but that RIP moves on (vmx/emulate.c, emulate_advance)? RIP wraps outside 64-bit mode, and does
 * not in it: where it matters, the long way asks which it is.
 */
static inline bool is_plain(const struct vcpu *vcpu, struct quick *quick)
{
	const u64 one_instruction = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS;
	u64 rip = get(vcpu, quick, VMCS_GUEST_RIP);

	quick->next_rip = rip + get(vcpu, quick, VMCS_EXIT_INSTRUCTION_LENGTH);
	quick->rflags = get(vcpu, quick, VMCS_GUEST_RFLAGS);
	return (rip ^ quick->next_rip) >> 32 == 0 && (quick->rflags & RFLAGS_TF) == 0 &&
	       (get(vcpu, quick, VMCS_GUEST_INTERRUPTIBILITY_STATE) & one_instruction) == 0;
}

/* In 64-bit mode CR0.PE is set and RFLAGS.VM clear: no VMX instruction is undefined. */
static inline bool is_64bit_kernel(const struct vcpu *vcpu, struct quick *quick)
{
	quick->efer = get(vcpu, quick, VMCS_GUEST_IA32_EFER);
	return (quick->efer & EFER_LMA) && (get(vcpu, quick, VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L) &&
	       (get(vcpu, quick, VMCS_GUEST_SS_ACCESS_RIGHTS) & ACCESS_RIGHTS_DPL) == 0;
}

/* VMsucceed. SDM "Conventions". */
static void succeed(struct vcpu *vcpu, const struct quick *quick, u32 reason)
{
	const u64 status = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;
	u32 writes = 1;

	vmcs_write_known(&vcpu->vmcs01, VMCS_GUEST_RIP, quick->next_rip);
	if (quick->rflags & status) {
		vmcs_write_known(&vcpu->vmcs01, VMCS_GUEST_RFLAGS, quick->rflags & ~status);
		writes++;
	}
	count_exit(quick, reason, writes);
}

/* --- memory operands ------------------------------------------------------------------ */

/*
 * Linear addresses that are canonical without metadata are what linear-address masking makes of them. FS and GS, with
 * their bases, and RSP, whose value is not in `regs`, are the long way's.
 */
static inline bool linear_address(const struct vcpu *vcpu, struct quick *quick, u32 size, u64 *linear)
{
	u32 information = quick->information;
	u64 base = field_get(information, INFO_BASE), index = field_get(information, INFO_INDEX);
	u64 address = get(vcpu, quick, VMCS_EXIT_QUALIFICATION);

	if (field_get(information, INFO_ADDRESS_SIZE) != 2 || field_get(information, INFO_SEGMENT) >= SEGMENT_FS)
		return false;
	if (!(information & INFO_NO_BASE))
		address += base == REG_RSP ? get(vcpu, quick, VMCS_GUEST_RSP) : vcpu->regs.gpr[base];
	if (!(information & INFO_NO_INDEX))
		address += vcpu->regs.gpr[index] << (information & INFO_SCALE);
	*linear = address;
	return is_canonical(address, 48) && (address & PAGE_MASK) + size <= PAGE_SIZE;
}

/* The page was walked last by other tables, or not at all. */
static noinline void walk_anew(const struct vcpu *vcpu, struct guest_walk_memo *memo, u64 linear, u64 cr3, u64 cr4, u64 efer)
{
	const struct guest_paging paging = {
		.cr3 = cr3,
		.cr4 = cr4,
		.efer = efer,
		.physical_address_bits = vcpu->machine->memory.physical_address_bits,
		.pages_1g = vcpu->machine->pages_1g,
	};

	guest_walk_remember(vcpu->nested->memory, &paging, gva(linear), memo);
}

/* The operand where L0 sees it, or NULL. */
static inline u8 *memory_operand(const struct vcpu *vcpu, struct quick *quick, u32 size, bool write)
{
	struct guest_walk_memo *memo;
	u64 linear, cr3, cr4;

	if (!linear_address(vcpu, quick, size, &linear) || (get(vcpu, quick, VMCS_GUEST_DR7) & DR7_ENABLES))
		return NULL;
	cr3 = get(vcpu, quick, VMCS_GUEST_CR3);
	cr4 = get(vcpu, quick, VMCS_GUEST_CR4);
	memo = &vcpu->nested->operands[linear / PAGE_SIZE % NESTED_OPERANDS];
	if (unlikely(memo->page != (linear & ~PAGE_MASK) || memo->cr3 != cr3 || memo->cr4 != cr4 || memo->efer != quick->efer ||
		     !memo->target || !guest_walk_holds(memo)))
		walk_anew(vcpu, memo, linear, cr3, cr4, quick->efer);
	return memo->target && (memo->writable || !write) ? memo->target + (linear & PAGE_MASK) : NULL;
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

/* --- VMREAD, VMWRITE ------------------------------------------------------------------- */

/* RSP is in the VMCS. */
static u64 *register_operand(struct vcpu *vcpu, u64 number)
{
	return number == REG_RSP ? NULL : &vcpu->regs.gpr[number];
}

/*
 * Is this field what it would be if the last exit had taken the long way (slot->deferred)? Exits change no host state, and of
 * controls the two; what is still to be saved depends on others, so L1 does not write them before.
 */
static bool is_settled(const struct nested_slot *slot, const struct vmcs_field_info *info, bool write)
{
	u16 row = info->field.index;

	if (likely(!slot->deferred) || vmcs_encoding_type(info->field.encoding) == TYPE_HOST)
		return true;
	return vmcs_encoding_type(info->field.encoding) == TYPE_CONTROL && !write && row != VMCS_INDEX_ENTRY_CONTROLS &&
	       row != VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION;
}

/* The field that the instruction names, if L1 is offered it, and vmcs12 has its value. */
static const struct vmcs_field_info *named_field(struct vcpu *vcpu, const struct quick *quick, bool write, u64 *encoding)
{
	const struct nested *nested = vcpu->nested;
	const struct nested_slot *slot = nested->current;
	const u64 *operand = register_operand(vcpu, field_get(quick->information, INFO_REG2));
	const struct vmcs_field_info *info;

	if (!operand || !slot || slot_is_shadow(slot))
		return NULL;
	*encoding = *operand;
	info = vmcs_lookup(*encoding);
	if (!info || !nested->offers[info->field.index] || (slot->rare_in_02 && nested->is_rare[info->field.index]) ||
	    !is_settled(slot, info, write))
		return NULL;
	return info;
}

static bool quick_vmread(struct vcpu *vcpu, const struct quick *quick, u8 *to)
{
	u64 encoding, value;
	const struct vmcs_field_info *info = named_field(vcpu, quick, false, &encoding);

	if (!info)
		return false;
	value = vmcs12_get(vcpu->nested->current->vmcs12, info->field);
	store(to, encoding & 1 ? value >> 32 : value);
	count(COUNTER_VMREAD_EXITS);
	shadow_learn(vcpu, vcpu->nested->current, info, false);
	return true;
}

/* Rare fields come home before a control changes that decides about them; and some fields only some processors can write. */
static bool is_written_the_long_way(const struct nested_slot *slot, const struct vmcs_field_info *info)
{
	return (slot->rare_in_02 && handle_decides_about_rare(info)) || vmcs_encoding_type(info->field.encoding) == TYPE_READ_ONLY;
}

static bool quick_vmwrite(struct vcpu *vcpu, const struct quick *quick, const u8 *from)
{
	u64 encoding, value;
	const struct vmcs_field_info *info = named_field(vcpu, quick, true, &encoding);
	struct vmcs12 *vmcs12;

	if (!info || is_written_the_long_way(vcpu->nested->current, info))
		return false;
	vmcs12 = vcpu->nested->current->vmcs12;
	value = load(from);
	if (encoding & 1)
		value = (u32)vmcs12_get(vmcs12, info->field) | value << 32;
	vmcs12_set(vmcs12, info->field, value & vmcs_width_mask(info->field.encoding));
	count(COUNTER_VMWRITE_EXITS);
	handle_field_written(vcpu, info);
	return true;
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
	const u64 *type = register_operand(vcpu, field_get(quick->information, INFO_REG2));
	const u64 descriptor[2] = { load(from), load(from + sizeof(u64)) };

	return type && function(vcpu, *type, descriptor).outcome == INSN_OK;
}

/* A register, of VMREAD and VMWRITE alone; or memory, with the size and direction that the instruction has. */
static inline u8 *operand_of(struct vcpu *vcpu, struct quick *quick, u32 reason)
{
	bool is_descriptor = reason == EXIT_INVEPT || reason == EXIT_INVVPID;

	if (quick->information & INFO_IS_REGISTER)
		return (u8 *)register_operand(vcpu, field_get(quick->information, INFO_REG1));
	return memory_operand(vcpu, quick, is_descriptor ? 2 * sizeof(u64) : sizeof(u64), reason == EXIT_VMREAD || reason == EXIT_VMPTRST);
}

static inline bool carry_out(struct vcpu *vcpu, const struct quick *quick, u32 reason, u8 *operand)
{
	switch (reason) {
	case EXIT_VMREAD:
		return quick_vmread(vcpu, quick, operand);
	case EXIT_VMWRITE:
		return quick_vmwrite(vcpu, quick, operand);
	case EXIT_VMPTRLD:
		return handle_vmptrld_of(vcpu, load(operand)).outcome == INSN_OK;
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

bool handle_quick_insn(struct vcpu *vcpu, u32 reason)
{
	struct quick quick = { .reads = 2 }; /* the reason of the exit, before and after all registers were stored */
	u8 *operand;

	if (vcpu->nested->state != NESTED_OUTSIDE && is_plain(vcpu, &quick) && is_64bit_kernel(vcpu, &quick)) {
		quick.information = (u32)get(vcpu, &quick, VMCS_EXIT_INSTRUCTION_INFORMATION);
		operand = operand_of(vcpu, &quick, reason);
		if (operand && carry_out(vcpu, &quick, reason, operand)) {
			succeed(vcpu, &quick, reason);
			return true;
		}
	}
	count_many(COUNTER_VMREADS, quick.reads);
	return false;
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

u64 handle_quick_cpuid(struct vcpu *vcpu)
{
	struct quick quick = { .reads = 1 };

	if (!is_plain(vcpu, &quick)) {
		count_many(COUNTER_VMREADS, quick.reads);
		return QUICK_NO;
	}
	vmcs_write_known(&vcpu->vmcs01, VMCS_GUEST_RIP, quick.next_rip);
	count((enum counter)(COUNTER_BY_REASON_L1 + EXIT_CPUID));
	count_many(COUNTER_VMREADS, quick.reads);
	count(COUNTER_VMWRITES);
	answer(vcpu);
	return QUICK_RBX;
}
