/* SPDX-License-Identifier: MIT */
/* Fetching and storing the operands of L1's VMX instructions. vmcs01 is current. */

#include "vmx/vmx_operand.h"

#include "arch/ops.h"
#include "arch/x86.h"
#include "mm/guest_walk.h"
#include "vmx/breakpoints.h"
#include "vmx/emulate.h"
#include "vmx/nested/nested.h"

/* What L1 reads of a control register of which L0 owns some bits. */
static u64 visible(u64 value, u64 mask, u64 shadow)
{
	return (value & ~mask) | (shadow & mask);
}

static bool in_64bit_mode(const struct vcpu *vcpu)
{
	return (vmcs_read(vcpu->running, VMCS_GUEST_IA32_EFER) & EFER_LMA) &&
	       (vmcs_read(vcpu->running, VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L);
}

struct insn_mode operand_mode(const struct vcpu *vcpu)
{
	const struct vmcs *v = &vcpu->vmcs01;

	return (struct insn_mode){
		.cr0 = visible(vmcs_read(v, VMCS_GUEST_CR0), vmcs_read(v, VMCS_CR0_GUEST_HOST_MASK), vmcs_read(v, VMCS_CR0_READ_SHADOW)),
		.cr4 = visible(vmcs_read(v, VMCS_GUEST_CR4), vmcs_read(v, VMCS_CR4_GUEST_HOST_MASK), vmcs_read(v, VMCS_CR4_READ_SHADOW)),
		.rflags = vmcs_read(v, VMCS_GUEST_RFLAGS),
		.efer = vmcs_read(v, VMCS_GUEST_IA32_EFER),
		.cs_l = vmcs_read(v, VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L,
		.cpl = emulate_cpl(vcpu),
		.in_vmx_operation = vcpu->nested->state != NESTED_OUTSIDE,
	};
}

struct insn_info operand_info(const struct vcpu *vcpu)
{
	return insn_info_decode((u32)vmcs_read(vcpu->running, VMCS_EXIT_INSTRUCTION_INFORMATION));
}

u32 operand_size(const struct vcpu *vcpu)
{
	return in_64bit_mode(vcpu) ? 8 : 4;
}

u64 operand_register(const struct vcpu *vcpu, u8 number)
{
	u64 value = number == REG_RSP ? vmcs_read(vcpu->running, VMCS_GUEST_RSP) : vcpu->regs.gpr[number];

	return in_64bit_mode(vcpu) ? value : (u32)value;
}

void operand_set_register(struct vcpu *vcpu, u8 number, u64 value)
{
	if (!in_64bit_mode(vcpu))
		value = (u32)value;
	if (number == REG_RSP)
		vmcs_write(&vcpu->vmcs01, VMCS_GUEST_RSP, value);
	else
		vcpu->regs.gpr[number] = value;
}

static struct segment_state read_segment(const struct vcpu *vcpu, u8 segment)
{
	const struct vmcs *v = &vcpu->vmcs01;

	return (struct segment_state){
		.base = vmcs_read(v, vmcs_fields[VMCS_INDEX_GUEST_ES_BASE + segment].field),
		.limit = (u32)vmcs_read(v, vmcs_fields[VMCS_INDEX_GUEST_ES_LIMIT + segment].field),
		.access_rights = (u32)vmcs_read(v, vmcs_fields[VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS + segment].field),
	};
}

/* Which addresses carry metadata: 0, or the highest bit that counts. SDM "Linear-Address Masking". */
static void set_address_masking(const struct vmcs *v, struct insn_context *context)
{
	u64 cr3 = vmcs_read(v, VMCS_GUEST_CR3), cr4 = vmcs_read(v, VMCS_GUEST_CR4);

	context->linear_address_bits = cr4 & CR4_LA57 ? 57 : 48;
	if (cr4 & CR4_LAM_SUP)
		context->supervisor_sign_bit = (u8)(context->linear_address_bits - 1);
	if (cr3 & (CR3_LAM_U57 | CR3_LAM_U48))
		context->user_sign_bit = cr3 & CR3_LAM_U57 ? 56 : 47;
}

static struct operand_address operand_address(struct vcpu *vcpu, const struct vm_exit *exit, u32 size, bool write)
{
	const struct insn_info info = operand_info(vcpu);
	struct insn_context context;
	u64 gpr[REG_COUNT];

	for (u32 i = 0; i < REG_COUNT; i++)
		gpr[i] = vcpu->regs.gpr[i];
	gpr[REG_RSP] = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_RSP);
	context = (struct insn_context){
		.gpr = gpr,
		.segment = read_segment(vcpu, info.segment),
		.mode_64bit = in_64bit_mode(vcpu),
	};
	set_address_masking(&vcpu->vmcs01, &context);
	return insn_effective_address(&info, exit->qualification, &context, size, write);
}

/*
 * L1's rights by protection key, which no VM exit changes. RDPKRU takes CR4.PKE, which L0 sets
 * for that one instruction: none of L0's pages is a user page.
 */
static void read_keys(struct guest_paging *pages)
{
	u64 value;

	if (pages->cr4 & CR4_PKE) {
		write_cr4(read_cr4() | CR4_PKE);
		pages->pkru = rdpkru();
		write_cr4(read_cr4() & ~CR4_PKE);
	}
	if ((pages->cr4 & CR4_PKS) && rdmsr_safe(IA32_PKRS, &value))
		pages->pkrs = (u32)value;
}

static struct guest_paging paging(const struct vcpu *vcpu)
{
	const struct vmcs *v = &vcpu->vmcs01;
	const struct insn_mode mode = operand_mode(vcpu);
	struct guest_paging pages = {
		.cr0 = mode.cr0,
		.cr3 = vmcs_read(v, VMCS_GUEST_CR3),
		.cr4 = mode.cr4,
		.efer = mode.efer,
		.rflags = mode.rflags,
		.pdpte = { vmcs_read(v, VMCS_GUEST_PDPTE0), vmcs_read(v, VMCS_GUEST_PDPTE1),
			   vmcs_read(v, VMCS_GUEST_PDPTE2), vmcs_read(v, VMCS_GUEST_PDPTE3) },
		.cpl = mode.cpl,
		.physical_address_bits = vcpu->machine->memory.physical_address_bits,
		.pages_1g = vcpu->machine->pages_1g,
	};

	read_keys(&pages);
	return pages;
}

/* L1's data breakpoints see the operand, too: a trap, due after the instruction. */
static void note_breakpoints(const struct vcpu *vcpu, gva_t linear, u32 size, bool write)
{
	const struct vmcs *v = &vcpu->vmcs01;
	struct breakpoints breakpoints = { .dr7 = vmcs_read(v, VMCS_GUEST_DR7) };
	u64 hit;

	if (likely(!(breakpoints.dr7 & DR7_ENABLES)))
		return;
	breakpoints.address[0] = read_dr0();
	breakpoints.address[1] = read_dr1();
	breakpoints.address[2] = read_dr2();
	breakpoints.address[3] = read_dr3();
	hit = breakpoints_hit(&breakpoints, linear.value, size, write);
	if (hit)
		vmcs_write(v, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, vmcs_read(v, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | hit);
}

static struct insn_result fault_result(u8 vector, u32 error_code, u64 cr2)
{
	return (struct insn_result){ .outcome = INSN_FAULT, .vector = vector, .error_code = error_code, .cr2 = cr2 };
}

struct insn_result operand_read(struct vcpu *vcpu, const struct vm_exit *exit, void *to, u32 size)
{
	struct operand_address address = operand_address(vcpu, exit, size, false);
	struct guest_paging pages = paging(vcpu);
	struct guest_fault fault;

	if (address.faulted)
		return insn_fault(address.vector);
	if (!guest_copy_in(vcpu->nested->memory, &pages, address.linear, to, size, &fault))
		return fault_result(fault.vector, fault.error_code, fault.cr2);
	note_breakpoints(vcpu, address.linear, size, false);
	return insn_ok();
}

struct insn_result operand_write(struct vcpu *vcpu, const struct vm_exit *exit, const void *from, u32 size)
{
	struct operand_address address = operand_address(vcpu, exit, size, true);
	struct guest_paging pages = paging(vcpu);
	struct guest_fault fault;

	if (address.faulted)
		return insn_fault(address.vector);
	if (!guest_copy_out(vcpu->nested->memory, &pages, address.linear, from, size, &fault))
		return fault_result(fault.vector, fault.error_code, fault.cr2);
	note_breakpoints(vcpu, address.linear, size, true);
	return insn_ok();
}
