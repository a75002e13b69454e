/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions with their outcome decoded, SDM "Conventions": CF is
 * VMfailInvalid, ZF is VMfailValid and the error number is in the VMCS.
 */
#include "tests/guests/lib/vmx_ops.h"

#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/traps.h"

/*
 * The flags are fetched by SETcc: clang 14 merges two flag outputs of one
 * statement into one.
 */
static u32 outcome(u8 carry, u8 zero)
{
	u64 error = 0;

	if (carry)
		return OUTCOME_FAIL_INVALID;
	if (!zero)
		return OUTCOME_OK;
	__asm__ volatile("vmread %1, %0" : "=r"(error) : "r"((u64)VM_INSTRUCTION_ERROR) : "cc");
	return OUTCOME_FAIL_VALID | (u32)error;
}

#define VMX_OP(name, a, b, text, ...)                                           \
	u32 name(u64 a, u64 b)                                                  \
	{                                                                       \
		u8 carry, zero;                                                 \
										\
		(void)a;                                                        \
		(void)b;                                                        \
		__asm__ volatile(text "\n\tsetc %[carry]\n\tsetz %[zero]"       \
				 : [carry] "=&r"(carry), [zero] "=&r"(zero)     \
				 : __VA_ARGS__                                  \
				 : "cc", "memory");                             \
		return outcome(carry, zero);                                    \
	}

VMX_OP(op_vmxon, pointer, unused, "vmxon (%[p])", [p] "r"(pointer))
VMX_OP(op_vmxoff, a, b, "vmxoff", )
VMX_OP(op_vmclear, pointer, unused, "vmclear (%[p])", [p] "r"(pointer))
VMX_OP(op_vmptrld, pointer, unused, "vmptrld (%[p])", [p] "r"(pointer))
VMX_OP(op_vmptrst, pointer, unused, "vmptrst (%[p])", [p] "r"(pointer))
VMX_OP(op_vmread_memory, field, to, "vmread %[f], (%[t])", [f] "r"(field), [t] "r"(to))
VMX_OP(op_vmwrite, field, value, "vmwrite %[v], %[f]", [f] "r"(field), [v] "r"(value))
VMX_OP(op_vmwrite_memory, field, from, "vmwrite (%[m]), %[f]", [f] "r"(field), [m] "r"(from))
VMX_OP(op_vmlaunch, a, b, "vmlaunch", )
VMX_OP(op_vmresume, a, b, "vmresume", )
VMX_OP(op_invept, type, descriptor, "invept (%[d]), %[t]", [d] "r"(descriptor), [t] "r"(type))
VMX_OP(op_invvpid, type, descriptor, "invvpid (%[d]), %[t]", [d] "r"(descriptor), [t] "r"(type))
VMX_OP(op_vmcall, a, b, "vmcall", )
VMX_OP(op_vmfunc, function, unused, "vmfunc", "a"(function), "c"(0ull))

u32 op_vmread(u64 field, u64 value_address)
{
	u8 carry, zero;
	u64 value = *(u64 *)value_address;

	__asm__ volatile("vmread %[f], %[v]\n\tsetc %[carry]\n\tsetz %[zero]"
			 : [carry] "=&r"(carry), [zero] "=&r"(zero), [v] "+&r"(value)
			 : [f] "r"(field)
			 : "cc", "memory");
	*(u64 *)value_address = value;
	return outcome(carry, zero);
}

u32 attempt(vmx_op op, u64 a, u64 b)
{
	struct guard guard;
	u32 result;

	if (guard_enter(&guard)) {
		cpu_this()->last_error_code = guard.error_code;
		return OUTCOME_EXCEPTION | guard.vector;
	}
	result = op(a, b);
	guard_leave(&guard);
	return result;
}

u32 attempt_error_code(void)
{
	return cpu_this()->last_error_code;
}

u64 vmread(enum vmcs_field field)
{
	u64 value = 0;
	u32 result = op_vmread(field, (u64)&value);

	if (result != OUTCOME_OK)
		scenario_abort("vmread %x: %o", field, result);
	return value;
}

void vmwrite(enum vmcs_field field, u64 value)
{
	u32 result = op_vmwrite(field, value);

	if (result != OUTCOME_OK)
		scenario_abort("vmwrite %x: %o", field, result);
}

void vmptrld(u64 pa)
{
	u32 result = op_vmptrld((u64)&pa, 0);

	if (result != OUTCOME_OK)
		scenario_abort("vmptrld: %o", result);
}

void vmclear(u64 pa)
{
	u32 result = op_vmclear((u64)&pa, 0);

	if (result != OUTCOME_OK)
		scenario_abort("vmclear: %o", result);
}

void invept(u64 type, u64 eptp)
{
	struct descriptor128 descriptor = { eptp, 0 };
	u32 result = op_invept(type, (u64)&descriptor);

	if (result != OUTCOME_OK)
		scenario_abort("invept: %o", result);
}

void invvpid(u64 type, u16 vpid, u64 address)
{
	struct descriptor128 descriptor = { vpid, address };
	u32 result = op_invvpid(type, (u64)&descriptor);

	if (result != OUTCOME_OK)
		scenario_abort("invvpid: %o", result);
}
