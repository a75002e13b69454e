/* SPDX-License-Identifier: MIT */
/*
 * A processor's VMX capabilities, decoded from its MSRs: a struct, so that
 * tests can make any processor. SDM Appendix "VMX Capability Reporting
 * Facility". Pure.
 */
#pragma once

#include "arch/bits.h"
#include "vmx/controls.h"

/* SDM "Reserved Controls and Default Settings": the TRUE MSRs where they exist. */
struct allowed {
	u32 must_be_1;		/* allowed 0-settings: a 1 here must be 1 */
	u32 may_be_1;		/* allowed 1-settings */
};

struct vmx_caps {
	u64 basic;		/* IA32_VMX_BASIC */
	u64 misc;		/* IA32_VMX_MISC */
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 vmcs_enum;		/* IA32_VMX_VMCS_ENUM */
	u64 ept_vpid;		/* IA32_VMX_EPT_VPID_CAP */
	u64 vmfunc;		/* IA32_VMX_VMFUNC */
	struct allowed control[CONTROL_WORD_COUNT];

	u8 physical_address_bits;	/* CPUID.80000008H:EAX[7:0] */
	u8 linear_address_bits;		/* 48, or 57 with CR4.LA57 possible */
	u64 efer_valid;			/* bits of IA32_EFER that are not reserved */
	u64 debugctl_valid;		/* of IA32_DEBUGCTL */
	u64 s_cet_valid;		/* bits that may be 1 in IA32_S_CET */
	u64 perf_global_ctrl_valid;	/* of IA32_PERF_GLOBAL_CTRL */
	u64 interruptibility_valid;	/* of the guest's interruptibility state */
	u64 pending_debug_valid;	/* of the guest's pending debug exceptions */
};

/* IA32_VMX_BASIC. SDM "Basic VMX Information". */
#define VMX_BASIC_REVISION BITS(30, 0)
#define VMX_BASIC_REGION_SIZE BITS(44, 32)
#define VMX_BASIC_32_BIT_ADDRESSES BIT(48)
#define VMX_BASIC_DUAL_MONITOR BIT(49)
#define VMX_BASIC_MEMORY_TYPE BITS(53, 50)
#define VMX_BASIC_INS_OUTS_INFORMATION BIT(54)
#define VMX_BASIC_TRUE_CONTROLS BIT(55)
#define VMX_BASIC_ANY_ERROR_CODE BIT(56)

/* IA32_VMX_MISC. SDM "Miscellaneous Data". */
#define VMX_MISC_TIMER_SHIFT BITS(4, 0)
#define VMX_MISC_STORES_LMA BIT(5)
#define VMX_MISC_ACTIVITY_HLT BIT(6)
#define VMX_MISC_ACTIVITY_SHUTDOWN BIT(7)
#define VMX_MISC_ACTIVITY_WAIT_FOR_SIPI BIT(8)
#define VMX_MISC_PT_IN_VMX BIT(14)
#define VMX_MISC_CR3_TARGETS BITS(24, 16)
#define VMX_MISC_MSR_LIST_SIZE BITS(27, 25)
#define VMX_MISC_VMWRITE_ANY_FIELD BIT(29)
#define VMX_MISC_INJECT_ZERO_LENGTH BIT(30)

/* IA32_VMX_EPT_VPID_CAP. SDM "VPID and EPT Capabilities". */
#define EPT_CAP_EXECUTE_ONLY BIT(0)
#define EPT_CAP_4_LEVEL BIT(6)
#define EPT_CAP_5_LEVEL BIT(7)
#define EPT_CAP_UNCACHEABLE BIT(8)
#define EPT_CAP_WRITE_BACK BIT(14)
#define EPT_CAP_2M BIT(16)
#define EPT_CAP_1G BIT(17)
#define EPT_CAP_INVEPT BIT(20)
#define EPT_CAP_ACCESSED_DIRTY BIT(21)
#define EPT_CAP_ADVANCED_EXIT_INFORMATION BIT(22)
#define EPT_CAP_INVEPT_SINGLE BIT(25)
#define EPT_CAP_INVEPT_ALL BIT(26)
#define VPID_CAP_INVVPID BIT(32)
#define VPID_CAP_INVVPID_ADDRESS BIT(40)
#define VPID_CAP_INVVPID_SINGLE BIT(41)
#define VPID_CAP_INVVPID_ALL BIT(42)
#define VPID_CAP_INVVPID_SINGLE_RETAINING_GLOBALS BIT(43)

/* May every bit of `mask` be 1 in that control word? */
static inline bool caps_allow(const struct vmx_caps *caps, enum control_word word, u32 mask)
{
	return (caps->control[word].may_be_1 & mask) == mask;
}

/* How many entries an MSR list may have: SDM "Miscellaneous Data", bits 27:25. */
u32 caps_msr_list_limit(const struct vmx_caps *caps);

/* Reads one MSR; `caps_decode` takes it as an argument so that it stays pure. */
typedef u64 caps_rdmsr(void *context, u32 msr);

/* Fills the VMX part of `caps` from the capability MSRs. */
void caps_decode(struct vmx_caps *caps, caps_rdmsr *rdmsr, void *context);

/* The first control that L0 must have and `hardware` lacks, or NULL. */
const struct control_info *caps_missing_for_l0(const struct vmx_caps *hardware);

/* A control word for vmcs01: what L0 must have and wants, within what is allowed. */
u32 caps_l0_controls(const struct vmx_caps *hardware, enum control_word word);
