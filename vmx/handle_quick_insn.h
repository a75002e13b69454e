/* SPDX-License-Identifier: MIT */
/*
 * What L1's instructions with a quick way have in common (vmx/handle_quick*.c): is anything due with them but that RIP
 * moves on, may L1 execute them, which registers can be reached, and how they end. Inline, and all
 * VMREADs are counted in one go.
 */
#pragma once

#include "arch/x86.h"
#include "vmx/events.h"
#include "vmx/exit.h"
#include "vmx/insn_info.h"
#include "vmx/quick.h"

#define always_inline inline __attribute__((always_inline))

/* Registers as bits, by their numbers: those that are in `regs` at quick_handle(), and at quick_handle_all(). RSP is in the VMCS. */
#define QUICK_FIRST (BIT(REG_RAX) | BIT(REG_RCX) | BIT(REG_RDX) | BIT(REG_RSI) | BIT(REG_RDI) | BITS(REG_R11, REG_R8))
#define QUICK_EVERY (BITS(REG_R15, REG_RAX) & ~BIT(REG_RSP))

/* The instruction at hand, and how many VMREADs it took to know it; the reason of the exit is counted by whoever carries it out. */
struct quick {
	u64 rflags, efer;
	u32 information;
	u32 reads;
};

static always_inline u64 quick_read(const struct vcpu *vcpu, struct quick *quick, vmcs_field field)
{
	quick->reads++;
	return vmcs_read_known(&vcpu->vmcs01, field);
}

static always_inline u64 quick_resume(const struct vcpu *vcpu)
{
	return (u64)(uintptr_t)&vcpu->regs;
}

/* The long way, after so many VMREADs. */
static noinline maybe_unused u64 quick_decline(u32 reads)
{
	count_many(COUNTER_VMREADS, reads);
	return QUICK_NO;
}

/* An operand is in a register that is out of reach: the reason and the operands have been read. */
static always_inline u64 quick_out_of_reach(u64 registers)
{
	if (registers != QUICK_FIRST)
		return quick_decline(1);
	(void)quick_decline(2);
	return QUICK_ALL;
}

/* Is nothing due with it but that RIP moves on (vmx/emulate.c, emulate_advance)? */
static always_inline bool quick_is_plain(const struct vcpu *vcpu, struct quick *quick)
{
	const u64 one_instruction = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS;
	u64 blocking = quick_read(vcpu, quick, VMCS_GUEST_INTERRUPTIBILITY_STATE) & one_instruction;

	quick->rflags = quick_read(vcpu, quick, VMCS_GUEST_RFLAGS);
	return (blocking | (quick->rflags & RFLAGS_TF)) == 0;
}

/*
 * The same for a VMX instruction, which L1 may execute besides. One that exits is not undefined where it stands, and above
 * all not in compatibility mode, so that IA-32e mode is 64-bit mode. The privilege level counts after that. SDM "VMREAD",
 * and its like. What has to be known is read before any of it is judged: then it is a constant number of VMREADs.
 */
static always_inline bool quick_is_permitted(const struct vcpu *vcpu, struct quick *quick)
{
	bool is_plain = quick_is_plain(vcpu, quick);
	u64 cpl = quick_read(vcpu, quick, VMCS_GUEST_SS_ACCESS_RIGHTS) & ACCESS_RIGHTS_DPL;

	quick->efer = quick_read(vcpu, quick, VMCS_GUEST_IA32_EFER);
	return is_plain && cpl == 0 && (quick->efer & EFER_LMA);
}

/* Where L1 goes on; and where it was. */
static always_inline u64 quick_next_rip(const struct vcpu *vcpu, struct quick *quick, u64 *rip)
{
	*rip = quick_read(vcpu, quick, VMCS_GUEST_RIP);
	return *rip + quick_read(vcpu, quick, VMCS_EXIT_INSTRUCTION_LENGTH);
}

/* VMsucceed. SDM "Conventions". */
static always_inline void quick_succeed(const struct vcpu *vcpu, struct quick *quick)
{
	const u64 status = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;
	u64 rip;

	vmcs_write_known(&vcpu->vmcs01, VMCS_GUEST_RIP, quick_next_rip(vcpu, quick, &rip));
	count_many(COUNTER_VMREADS, quick->reads + 1);
	count(COUNTER_VMWRITES);
	if (quick->rflags & status) {
		vmcs_write_known(&vcpu->vmcs01, VMCS_GUEST_RFLAGS, quick->rflags & ~status);
		count(COUNTER_VMWRITES);
	}
}
