/* SPDX-License-Identifier: MIT */
/*
 * CPUID of L1: the processor's answers, but for what depends on L1's CR4, what
 * is not offered, and L0's own leaves (docs/cpuid.md).
 */

#include "vmx/handle_cpuid.h"

#include "arch/ops.h"
#include "arch/version.h"
#include "arch/x86.h"
#include "boot/handoff.h"
#include "vmx/counters.h"
#include "vmx/emulate.h"
#include "vmx/exits.h"
#include "vmx/insn_info.h"
#include "vmx/nested/caps12.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/trace_exits.h"

#define LEAF_PROCESSOR_TRACE 0x14
#define LEAF_SIGNATURE 0x40000000
#define LEAF_FEATURES 0x40000001
#define LEAF_COUNTERS 0x40000002
#define LEAF_EXITS 0x40000003
#define LEAF_REFUSALS 0x40000004
#define LEAF_REFUSAL_PLACES 0x40000005
#define LEAF_TRACE TRACE_CPUID_LEAF
#define LEAF_LAST LEAF_TRACE
#define LEAF_EXTENDED_FEATURES 0x80000001

#define CPUID1_ECX_VMX BIT(5)
#define CPUID1_ECX_SMX BIT(6)
#define CPUID1_ECX_OSXSAVE BIT(27)
#define CPUID7_EBX_PROCESSOR_TRACE BIT(25)
#define CPUID7_ECX_OSPKE BIT(4)
#define CPUID80000001_EDX_SYSCALL BIT(11)

static struct cpuid_result of_u64(u64 first, u64 second)
{
	return (struct cpuid_result){ (u32)first, (u32)(first >> 32), (u32)second, (u32)(second >> 32) };
}

static struct cpuid_result signature(void)
{
	/* "Testudo L0  " */
	return (struct cpuid_result){ LEAF_LAST, 0x74736554, 0x206f6475, 0x2020304c };
}

/* What of a record fits into four registers; the rest is the next leaf's. */
static struct cpuid_result refusal(const struct trace_record *record)
{
	if (!record)
		return (struct cpuid_result){ 0 };
	return (struct cpuid_result){ .eax = record->rule | (u32)record->result << 16, .ebx = record->field,
				      .ecx = (u32)record->value, .edx = (u32)(record->value >> 32) };
}

static struct cpuid_result refusal_place(const struct trace_record *record)
{
	return record ? of_u64(record->vmcs, record->tsc) : (struct cpuid_result){ 0 };
}

static struct cpuid_result exit_counts(u32 reason)
{
	if (reason >= COUNTED_EXIT_REASONS)
		return (struct cpuid_result){ 0 };
	return of_u64(counter_value(COUNTER_BY_REASON_L1 + reason), counter_value(COUNTER_BY_REASON_L2 + reason));
}

static struct cpuid_result trace_piece(const struct vcpu *vcpu, u32 number)
{
	u64 piece[2];

	trace_ring_piece(&vcpu->trace.ring, number, piece);
	return of_u64(piece[0], piece[1]);
}

static struct cpuid_result own_leaf(struct vcpu *vcpu, u32 leaf, u32 subleaf)
{
	switch (leaf) {
	case LEAF_SIGNATURE:
		return signature();
	case LEAF_FEATURES:
		return (struct cpuid_result){ TESTUDO_VERSION, vcpu->nested->shadowing, COUNTER_COUNT, EXIT_REASON_COUNT };
	case LEAF_COUNTERS: {
		u64 value;

		quick_count(vcpu);
		value = subleaf < COUNTER_COUNT ? counter_value(subleaf) : 0;
		return (struct cpuid_result){ .eax = (u32)value, .edx = (u32)(value >> 32) };
	}
	case LEAF_REFUSALS:
		return refusal(refusal_recent(&vcpu->nested->refusals, subleaf));
	case LEAF_REFUSAL_PLACES:
		return refusal_place(refusal_recent(&vcpu->nested->refusals, subleaf));
	case LEAF_TRACE:
		return trace_piece(vcpu, subleaf);
	default:
		return exit_counts(subleaf);
	}
}

static u32 replace(u32 word, u64 mask, bool on)
{
	return on ? word | (u32)mask : word & ~(u32)mask;
}

static bool in_64bit_mode(const struct vcpu *vcpu)
{
	return (vmcs_read(vcpu->running, VMCS_GUEST_IA32_EFER) & EFER_LMA) &&
	       (vmcs_read(vcpu->running, VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L);
}

static struct cpuid_result processor_leaf(const struct vcpu *vcpu, u32 leaf, u32 subleaf)
{
	struct cpuid_result result = cpuid(leaf, subleaf);

	if (leaf == 1) {
		result.ecx = replace(result.ecx, CPUID1_ECX_VMX, caps12_has_vmx(&vcpu->nested->offered));
		result.ecx = replace(result.ecx, CPUID1_ECX_SMX, false);
		result.ecx = replace(result.ecx, CPUID1_ECX_OSXSAVE, vmcs_read(vcpu->running, VMCS_GUEST_CR4) & CR4_OSXSAVE);
	} else if (leaf == 7 && subleaf == 0) {
		result.ebx = replace(result.ebx, CPUID7_EBX_PROCESSOR_TRACE, false);
		result.ecx = replace(result.ecx, CPUID7_ECX_OSPKE, vmcs_read(vcpu->running, VMCS_GUEST_CR4) & CR4_PKE);
	} else if (leaf == LEAF_EXTENDED_FEATURES && !in_64bit_mode(vcpu)) {
		/* L0 asks in 64-bit mode, the only one where the processor tells of SYSCALL. SDM "CPUID-CPU Identification". */
		result.edx = replace(result.edx, CPUID80000001_EDX_SYSCALL, false);
	} else if (leaf == LEAF_PROCESSOR_TRACE) {
		result = (struct cpuid_result){ 0 };
	}
	return result;
}

void handle_cpuid_answer(struct vcpu *vcpu)
{
	u64 *gpr = vcpu->regs.gpr;
	u32 leaf = (u32)gpr[REG_RAX], subleaf = (u32)gpr[REG_RCX];
	struct cpuid_result result;

	if (leaf - LEAF_SIGNATURE <= LEAF_LAST - LEAF_SIGNATURE && vcpu->machine->handoff->show_cpuid_leaves)
		result = own_leaf(vcpu, leaf, subleaf);
	else
		result = processor_leaf(vcpu, leaf, subleaf);
	gpr[REG_RAX] = result.eax;
	gpr[REG_RBX] = result.ebx;
	gpr[REG_RCX] = result.ecx;
	gpr[REG_RDX] = result.edx;
}

void handle_cpuid(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	handle_cpuid_answer(vcpu);
	emulate_advance(vcpu);
}
