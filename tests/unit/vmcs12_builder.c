/* SPDX-License-Identifier: MIT */
/*
 * The valid starting points of the entry-check tests: a processor with every
 * control, and vmcs12s for the modes a guest can be in.
 */
#include "arch/x86.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/caps12.h"

/* Controls that must be 1 by the TRUE capability MSRs of recent processors. */
static const u32 required[CONTROL_WORD_COUNT] = {
	[WORD_PIN] = 0x00000016, [WORD_PROC] = 0x04006172, [WORD_EXIT] = 0x00036dfb, [WORD_ENTRY] = 0x000011fb,
};

void builder_hardware(struct vmx_caps *caps)
{
	*caps = (struct vmx_caps){
		.basic = 0x12 | field_put(0x400, VMX_BASIC_REGION_SIZE) | field_put(6, VMX_BASIC_MEMORY_TYPE) |
			 VMX_BASIC_INS_OUTS_INFORMATION | VMX_BASIC_TRUE_CONTROLS | VMX_BASIC_DUAL_MONITOR,
		.misc = 5 | VMX_MISC_STORES_LMA | VMX_MISC_ACTIVITY_HLT | VMX_MISC_ACTIVITY_SHUTDOWN |
			VMX_MISC_ACTIVITY_WAIT_FOR_SIPI | VMX_MISC_PT_IN_VMX | field_put(4, VMX_MISC_CR3_TARGETS) |
			VMX_MISC_VMWRITE_ANY_FIELD | VMX_MISC_INJECT_ZERO_LENGTH | BIT(28) | BIT(15),
		.cr0_fixed0 = CR0_PG | CR0_NE | CR0_PE,
		.cr0_fixed1 = UINT32_MAX,
		.cr4_fixed0 = CR4_VMXE,
		.cr4_fixed1 = 0x003727ff | CR4_LA57 | CR4_CET,
		.vmcs_enum = 0x2e,
		.ept_vpid = EPT_CAP_EXECUTE_ONLY | EPT_CAP_4_LEVEL | EPT_CAP_UNCACHEABLE | EPT_CAP_WRITE_BACK | EPT_CAP_2M |
			    EPT_CAP_1G | EPT_CAP_INVEPT | EPT_CAP_ACCESSED_DIRTY | EPT_CAP_ADVANCED_EXIT_INFORMATION |
			    EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL | BIT(23) | VPID_CAP_INVVPID | VPID_CAP_INVVPID_ADDRESS |
			    VPID_CAP_INVVPID_SINGLE | VPID_CAP_INVVPID_ALL | VPID_CAP_INVVPID_SINGLE_RETAINING_GLOBALS,
		.vmfunc = 1,
		.physical_address_bits = BUILDER_PHYSICAL_BITS,
		.linear_address_bits = 57,
		.efer_valid = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
		.debugctl_valid = 0x3,
		.interruptibility_valid = 0x1f,
		.pending_debug_valid = 0x1500f,
		.perf_global_ctrl_valid = 0x70000000f,
		.s_cet_valid = ~(u64)BITS(9, 6),
	};
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++)
		caps->control[word] = (struct allowed){ required[word], required[word] };
	for (u32 i = 0; i < controls_count; i++)
		caps->control[controls[i].word].may_be_1 |= UINT32_C(1) << controls[i].bit;
}

static void set(struct builder *builder, vmcs_field field, u64 value)
{
	vmcs12_set(&builder->vmcs12, field, value);
}

static void set_rows(struct builder *builder, vmcs_field first, u32 count, u64 value)
{
	for (u32 i = 0; i < count; i++)
		builder->vmcs12.fields.value[first.index + i] = value;
}

static void build_controls(struct builder *builder)
{
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++)
		set(builder, control_fields[word], required[word]);
	set(builder, VMCS_PROCESSOR_BASED_CONTROLS, required[WORD_PROC] | PROC_ACTIVATE_SECONDARY_CONTROLS);
	set(builder, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_ENABLE_EPT | PROC2_ENABLE_VPID);
	set(builder, VMCS_EXIT_CONTROLS, required[WORD_EXIT] | EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_LOAD_IA32_EFER);
	set(builder, VMCS_ENTRY_CONTROLS, required[WORD_ENTRY] | ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_EFER);
	set(builder, VMCS_VPID, 1);
	set(builder, VMCS_EPT_POINTER, 0x40000 | 6 | 3 << 3 | BIT(6));
	set(builder, VMCS_VMCS_LINK_POINTER, UINT64_MAX);
	set(builder, VMCS_VIRTUAL_APIC_ADDRESS, BUILDER_VIRTUAL_APIC);
	set(builder, VMCS_TSC_MULTIPLIER, BIT(48));
}

static void build_host(struct builder *builder)
{
	set(builder, VMCS_HOST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_PE);
	set(builder, VMCS_HOST_CR3, 0x50000);
	set(builder, VMCS_HOST_CR4, CR4_VMXE | CR4_PAE);
	set(builder, VMCS_HOST_IA32_EFER, EFER_LMA | EFER_LME);
	set(builder, VMCS_HOST_IA32_PAT, UINT64_C(0x0007040600070406));
	set_rows(builder, VMCS_HOST_ES_SELECTOR, 7, 0x10);
	set(builder, VMCS_HOST_RIP, UINT64_C(0xffffffff81000000));
	set(builder, VMCS_HOST_RSP, UINT64_C(0xffffffff82000000));
	set(builder, VMCS_HOST_GS_BASE, UINT64_C(0xffff888000000000));
}

static void build_guest_long(struct builder *builder)
{
	set(builder, VMCS_ENTRY_CONTROLS, vmcs12_control(&builder->vmcs12, WORD_ENTRY) | ENTRY_IA32E_MODE_GUEST);
	set(builder, VMCS_GUEST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_PE);
	set(builder, VMCS_GUEST_CR3, 0x60000);
	set(builder, VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE);
	set(builder, VMCS_GUEST_IA32_EFER, EFER_LMA | EFER_LME);
	set(builder, VMCS_GUEST_IA32_PAT, UINT64_C(0x0007040600070406));
	set(builder, VMCS_GUEST_DR7, DR7_FIXED);
	set_rows(builder, VMCS_GUEST_ES_SELECTOR, 6, 0x10);
	set_rows(builder, VMCS_GUEST_ES_LIMIT, 6, UINT32_MAX);
	set_rows(builder, VMCS_GUEST_ES_ACCESS_RIGHTS, 6, 0xc093);
	set(builder, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
	set(builder, VMCS_GUEST_TR_SELECTOR, 0x18);
	set(builder, VMCS_GUEST_TR_LIMIT, 0x67);
	set(builder, VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b);
	set(builder, VMCS_GUEST_LDTR_SELECTOR, 0x28);
	set(builder, VMCS_GUEST_LDTR_LIMIT, 0xfff);
	set(builder, VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82);
	set(builder, VMCS_GUEST_GDTR_LIMIT, 0xffff);
	set(builder, VMCS_GUEST_IDTR_LIMIT, 0xfff);
	set(builder, VMCS_GUEST_RIP, UINT64_C(0xffffffff81000000));
	set(builder, VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
}

/* From the 64-bit guest to one outside IA-32e mode. */
static void leave_long_mode(struct builder *builder)
{
	set(builder, VMCS_ENTRY_CONTROLS, vmcs12_control(&builder->vmcs12, WORD_ENTRY) & ~ENTRY_IA32E_MODE_GUEST);
	set(builder, VMCS_GUEST_IA32_EFER, 0);
	set(builder, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	set(builder, VMCS_GUEST_RIP, 0x1000);
}

static void build_v8086(struct builder *builder)
{
	leave_long_mode(builder);
	set(builder, VMCS_GUEST_CR4, CR4_VMXE);
	set(builder, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_VM);
	set_rows(builder, VMCS_GUEST_ES_SELECTOR, 6, 0x1234);
	set_rows(builder, VMCS_GUEST_ES_BASE, 6, 0x12340);
	set_rows(builder, VMCS_GUEST_ES_LIMIT, 6, 0xffff);
	set_rows(builder, VMCS_GUEST_ES_ACCESS_RIGHTS, 6, 0xf3);
}

static void build_real(struct builder *builder)
{
	leave_long_mode(builder);
	set(builder, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS,
	    PROC2_ENABLE_EPT | PROC2_ENABLE_VPID | PROC2_UNRESTRICTED_GUEST);
	set(builder, VMCS_GUEST_CR0, CR0_NE);
	set(builder, VMCS_GUEST_CR4, CR4_VMXE);
	set_rows(builder, VMCS_GUEST_ES_SELECTOR, 6, 0x1233);
	set_rows(builder, VMCS_GUEST_ES_BASE, 6, 0x12330);
	set_rows(builder, VMCS_GUEST_ES_LIMIT, 6, 0xffff);
	set_rows(builder, VMCS_GUEST_ES_ACCESS_RIGHTS, 6, 0x93);
}

static void build_32_bit_host(struct builder *builder)
{
	leave_long_mode(builder);
	builder->context.l1_in_long_mode = false;
	set(builder, VMCS_EXIT_CONTROLS, vmcs12_control(&builder->vmcs12, WORD_EXIT) & ~EXIT_HOST_ADDRESS_SPACE_SIZE);
	set(builder, VMCS_HOST_IA32_EFER, 0);
	set(builder, VMCS_HOST_RIP, 0x2000);
}

static void fill_arena(void)
{
	u32 shadow = VMCS12_REVISION | UINT32_C(1) << 31, region = VMCS12_REVISION, other = VMCS12_REVISION + 1;

	fake_memory_reset();
	*(u32 *)phys_to_ptr(hpa(BUILDER_SHADOW)) = shadow;
	*(u32 *)phys_to_ptr(hpa(BUILDER_REGION)) = region;
	*(u32 *)phys_to_ptr(hpa(BUILDER_VMCS12)) = region;
	*(u32 *)phys_to_ptr(hpa(BUILDER_OTHER)) = other;
	((u8 *)phys_to_ptr(hpa(BUILDER_VIRTUAL_APIC)))[0x80] = 0x50;
}

void builder_init(struct builder *builder, enum builder_kind kind)
{
	*builder = (struct builder){
		.memory = { .hidden_base = hpa(FAKE_BLOCK_BASE), .hidden_size = FAKE_BLOCK_SIZE,
			    .scratch = hpa(FAKE_BLOCK_BASE), .physical_address_bits = BUILDER_PHYSICAL_BITS },
		.context = { .vmcs12_address = l1_gpa(BUILDER_VMCS12), .l1_in_long_mode = true },
	};
	builder_hardware(&builder->hardware);
	caps12_derive(&builder->offered, &builder->hardware);
	builder->context.vmcs12 = &builder->vmcs12;
	builder->context.caps = &builder->offered;
	builder->context.memory = &builder->memory;
	builder->vmcs12.revision = VMCS12_REVISION;
	fill_arena();
	build_controls(builder);
	build_host(builder);
	build_guest_long(builder);

	switch (kind) {
	case BUILD_LONG:
	case BUILD_KIND_COUNT:
		break;
	case BUILD_LONG_NO_EPT:
		set(builder, VMCS_PROCESSOR_BASED_CONTROLS, required[WORD_PROC]);
		break;
	case BUILD_EVERYTHING:
		builder->offered = builder->hardware;
		builder->offered.basic = (builder->offered.basic & ~VMX_BASIC_REVISION) | VMCS12_REVISION;
		break;
	case BUILD_PAE:
		leave_long_mode(builder);
		break;
	case BUILD_V8086:
		build_v8086(builder);
		break;
	case BUILD_REAL:
		build_real(builder);
		break;
	case BUILD_32_BIT_HOST:
		build_32_bit_host(builder);
		break;
	}
}
