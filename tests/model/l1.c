/* SPDX-License-Identifier: MIT */
/*
 * L1's VMX instructions, as the processor sees them: an exit with its instruction
 * information, or a VMREAD or VMWRITE that goes to the shadow VMCS without one. SDM
 * "Information for VM Exits Due to Instruction Execution".
 */
#include <string.h>

#include "arch/x86.h"
#include "mm/phys.h"
#include "tests/model/model.h"
#include "vmx/insn_info.h"

/* A 64-bit memory operand at a displacement, DS; the register operand is RBX. */
#define MEMORY_OPERAND (2u << 7 | 3u << 15 | 1u << 22 | 1u << 27 | (u32)REG_RBX << 28)
/* Register operands: RCX, and RBX for the field. */
#define REGISTER_OPERAND ((u32)REG_RCX << 3 | 1u << 10 | (u32)REG_RBX << 28)
#define LENGTH 4

void *l1_pointer(u64 address)
{
	return phys_to_ptr(hpa(address));
}

/* What L1 sees after the instruction. */
static struct l1_result outcome(u64 rip_before)
{
	const u64 status = RFLAGS_CF | RFLAGS_ZF;
	u64 flags;

	if (model.ended)
		return (struct l1_result){ .outcome = L1_ENDED };
	if (model_in_l2())
		return (struct l1_result){ .outcome = L1_IN_L2 };
	if ((processor.injected & INTERRUPTION_VALID) && !interruption_is_nmi(processor.injected))
		return (struct l1_result){ .outcome = L1_FAULT, .vector = (u8)processor.injected,
					   .error = processor.injected_error_code };
	if (*processor_field(VMCS_GUEST_RIP) != rip_before + LENGTH)
		return (struct l1_result){ .outcome = L1_EXITED };
	flags = *processor_field(VMCS_GUEST_RFLAGS) & status;
	require(flags != status);
	if (flags & RFLAGS_CF)
		return (struct l1_result){ .outcome = L1_FAIL_INVALID };
	if (flags & RFLAGS_ZF)
		return (struct l1_result){ .outcome = L1_FAIL_VALID,
			.error = (u32)vmcs12_get(model.vcpu.nested->current->vmcs12, VMCS_VM_INSTRUCTION_ERROR) };
	return (struct l1_result){ .outcome = L1_OK };
}

/*
 * Is the instruction undefined where L1 stands? That comes before the exit, but for VMCALL. SDM "VMREAD", and its like; protected
 * mode is given.
 */
static bool is_undefined(u32 reason)
{
	return reason != EXIT_VMCALL && (*processor_field(VMCS_GUEST_IA32_EFER) & EFER_LMA) &&
	       !(*processor_field(VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L);
}

static struct l1_result execute(u32 reason, u32 information)
{
	struct model_exit exit = { .reason = reason, .length = LENGTH, .instruction_information = information };
	u64 rip;

	if (model.ended)
		return (struct l1_result){ .outcome = L1_ENDED };
	require(!model_in_l2() && processor.in_guest);
	if (is_undefined(reason))
		return (struct l1_result){ .outcome = L1_FAULT, .vector = VECTOR_UD };
	rip = *processor_field(VMCS_GUEST_RIP);
	if (!(information & 1u << 10))
		exit.qualification = L1_OPERAND;
	(void)model_exit(&exit);
	return outcome(rip);
}

static struct l1_result with_pointer(u32 reason, u64 pointer)
{
	memcpy(l1_pointer(L1_OPERAND), &pointer, sizeof(pointer));
	return execute(reason, MEMORY_OPERAND);
}

struct l1_result l1_vmxon(u64 pointer)
{
	/* L1 sets CR4.VMXE first, which L0 owns: the shadow has it. */
	*processor_field(VMCS_CR4_READ_SHADOW) |= CR4_VMXE;
	return with_pointer(EXIT_VMXON, pointer);
}

struct l1_result l1_vmxoff(void)
{
	return execute(EXIT_VMXOFF, 0);
}

struct l1_result l1_vmclear(u64 pointer)
{
	return with_pointer(EXIT_VMCLEAR, pointer);
}

struct l1_result l1_vmptrld(u64 pointer)
{
	return with_pointer(EXIT_VMPTRLD, pointer);
}

struct l1_result l1_vmptrst(u64 *pointer)
{
	struct l1_result result = execute(EXIT_VMPTRST, MEMORY_OPERAND);

	memcpy(pointer, l1_pointer(L1_OPERAND), sizeof(*pointer));
	return result;
}

/* --- VMREAD, VMWRITE ---------------------------------------------------------------- */

static bool bitmap_has(vmcs_field bitmap, u64 encoding)
{
	const u8 *bits = phys_to_ptr(hpa(*processor_field(bitmap)));

	return bits[encoding / 8] >> encoding % 8 & 1;
}

/* Without an exit? SDM "VMREAD", "VMWRITE": then the shadow VMCS is what they work on. */
static bool is_shadowed(vmcs_field bitmap, u64 encoding)
{
	u64 proc2 = *processor_field(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS);

	return (proc2 & PROC2_VMCS_SHADOWING) && encoding < 0x8000 && !bitmap_has(bitmap, encoding);
}

/* The shadow VMCS is what the link pointer names. */
static bool access_shadow(u64 encoding, u64 *value, bool write)
{
	struct model_region *ordinary = processor.current;
	bool failed;

	processor.current = processor_region(*processor_field(VMCS_VMCS_LINK_POINTER));
	require(processor.current && processor.current->shadow);
	failed = write ? vmwrite_failed(encoding, *value) : vmread_failed(encoding, value);
	processor.current = ordinary;
	return failed;
}

/* The faults of the instruction, which come without an exit too. SDM "VMREAD", "VMWRITE". */
static u8 fault_without_exit(void)
{
	u64 ss = *processor_field(VMCS_GUEST_SS_ACCESS_RIGHTS);

	if (is_undefined(EXIT_VMREAD))
		return VECTOR_UD;
	return ss & BITS(6, 5) ? VECTOR_GP : 0;
}

/* Shadowed fields are such as the processor has. */
static struct l1_result done_by_shadow(u64 encoding, u64 *value, bool write)
{
	u8 vector = fault_without_exit();

	if (vector)
		return (struct l1_result){ .outcome = L1_FAULT, .vector = vector };
	if (*processor_field(VMCS_VMCS_LINK_POINTER) == NO_ADDRESS) {
		*processor_field(VMCS_GUEST_RIP) += LENGTH;
		return (struct l1_result){ .outcome = L1_FAIL_INVALID };
	}
	if (access_shadow(encoding, value, write))
		broken_rule("a field that is shadowed can be accessed", __FILE__, __LINE__);
	*processor_field(VMCS_GUEST_RIP) += LENGTH;
	return (struct l1_result){ .outcome = L1_OK };
}

struct l1_result l1_vmread(u64 encoding, u64 *value)
{
	struct l1_result result;

	if (!model.ended && is_shadowed(VMCS_VMREAD_BITMAP_ADDRESS, encoding))
		return done_by_shadow(encoding, value, false);
	model.vcpu.regs.gpr[REG_RBX] = encoding;
	result = execute(EXIT_VMREAD, REGISTER_OPERAND);
	if (result.outcome == L1_OK)
		*value = model.vcpu.regs.gpr[REG_RCX];
	return result;
}

struct l1_result l1_vmwrite(u64 encoding, u64 value)
{
	if (!model.ended && is_shadowed(VMCS_VMWRITE_BITMAP_ADDRESS, encoding))
		return done_by_shadow(encoding, &value, true);
	model.vcpu.regs.gpr[REG_RBX] = encoding;
	model.vcpu.regs.gpr[REG_RCX] = value;
	return execute(EXIT_VMWRITE, REGISTER_OPERAND);
}

struct l1_result l1_vmread_to_memory(u64 encoding, u64 *value)
{
	struct l1_result result;

	if (!model.ended && is_shadowed(VMCS_VMREAD_BITMAP_ADDRESS, encoding))
		return done_by_shadow(encoding, value, false);
	model.vcpu.regs.gpr[REG_RBX] = encoding;
	result = execute(EXIT_VMREAD, MEMORY_OPERAND);
	memcpy(value, l1_pointer(L1_OPERAND), sizeof(*value));
	return result;
}

struct l1_result l1_vmwrite_from_memory(u64 encoding, u64 value)
{
	if (!model.ended && is_shadowed(VMCS_VMWRITE_BITMAP_ADDRESS, encoding))
		return done_by_shadow(encoding, &value, true);
	model.vcpu.regs.gpr[REG_RBX] = encoding;
	return with_pointer(EXIT_VMWRITE, value);
}

/* --- entries and invalidations -------------------------------------------------------- */

struct l1_result l1_vmlaunch(void)
{
	return execute(EXIT_VMLAUNCH, 0);
}

struct l1_result l1_vmresume(void)
{
	return execute(EXIT_VMRESUME, 0);
}

struct l1_result l1_vmcall(void)
{
	return execute(EXIT_VMCALL, 0);
}

static struct l1_result invalidate(u32 reason, u64 type, u64 first, u64 second)
{
	const u64 descriptor[2] = { first, second };

	model.vcpu.regs.gpr[REG_RBX] = type;
	memcpy(l1_pointer(L1_OPERAND), descriptor, sizeof(descriptor));
	return execute(reason, MEMORY_OPERAND);
}

struct l1_result l1_invept(u64 type, u64 eptp, u64 reserved)
{
	return invalidate(EXIT_INVEPT, type, eptp, reserved);
}

struct l1_result l1_invvpid(u64 type, u64 vpid, u64 address)
{
	return invalidate(EXIT_INVVPID, type, vpid, address);
}

/* --- setting up ------------------------------------------------------------------------ */

void l1_make_region(u64 address)
{
	u32 revision = VMCS12_REVISION;
	void *region = l1_pointer(address);

	memset(region, 0, PAGE_SIZE);
	memcpy(region, &revision, sizeof(revision));
}

void l1_write_all(const struct vmcs12 *vmcs12)
{
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_fields[i].class != CLASS_INFO && insn_field(&model.vcpu.nested->offered, vmcs_fields[i].field.encoding))
			(void)l1_vmwrite(vmcs_fields[i].field.encoding, vmcs12->fields.value[i]);
}

void l1_start(u32 n, const struct vmcs12 *vmcs12)
{
	l1_make_region(L1_VMXON);
	l1_make_region(L1_REGION(n));
	if (model.vcpu.nested->state == NESTED_OUTSIDE)
		require(l1_vmxon(L1_VMXON).outcome == L1_OK);
	require(l1_vmptrld(L1_REGION(n)).outcome == L1_OK);
	l1_write_all(vmcs12);
}
