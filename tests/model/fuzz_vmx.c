/* SPDX-License-Identifier: MIT */
/*
 * Sequences of L1's VMX instructions, with edits of its memory and changes of privilege between
 * them, against a small reference of the architecture that knows of no slots, caches and shadow
 * VMCSs: how each instruction ends, with which error, and what VMREAD gives. SDM "VMX
 * Instruction Reference".
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "arch/vmx_ops.h"
#include "arch/x86.h"
#include "tests/model/model.h"
#include "tests/unit/vmcs12_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGIONS 11		/* more than L0 has slots */
#define MAX_STEPS 200
#define NONE (-1)

static const uint8_t *bytes;
static size_t left;

static u8 take8(void)
{
	if (!left)
		return 0;
	left--;
	return *bytes++;
}

static u64 take64(void)
{
	u64 value = 0;

	for (u32 i = 0; i < 8; i++)
		value |= (u64)take8() << 8 * i;
	return value;
}

/* --- the reference -------------------------------------------------------------------- */

enum mode { KERNEL, USER, COMPATIBILITY };

struct reference_region {
	u32 revision;			/* in memory */
	bool active;			/* VMPTRLD since the last VMCLEAR */
	bool launched;
	bool known[VMCS_FIELD_COUNT];	/* false: exits or failures have written the field */
	u64 value[VMCS_FIELD_COUNT];
};

static struct {
	bool in_vmx;
	enum mode mode;
	int current;
	struct reference_region region[REGIONS];
} reference;

static const struct vmx_caps *offered(void)
{
	return &model.vcpu.nested->offered;
}

static struct l1_result ok(void)
{
	return (struct l1_result){ .outcome = L1_OK };
}

static struct l1_result fault(u8 vector)
{
	return (struct l1_result){ .outcome = L1_FAULT, .vector = vector };
}

/* SDM "Conventions", VMfail. The error number is in the current VMCS, as any field. */
static struct l1_result fail(u32 error)
{
	if (reference.current == NONE)
		return (struct l1_result){ .outcome = L1_FAIL_INVALID };
	return (struct l1_result){ .outcome = L1_FAIL_VALID, .error = error };
}

/* What comes before all operands. False: `result` is how it ends. */
static bool may_execute(bool vmxon, struct l1_result *result)
{
	if (reference.mode == COMPATIBILITY || (!vmxon && !reference.in_vmx))
		*result = fault(VECTOR_UD);
	else if (reference.mode == USER)
		*result = fault(VECTOR_GP);
	else
		return true;
	return false;
}

/* --- judging ------------------------------------------------------------------------------ */

static void judge(const char *what, struct l1_result is, struct l1_result should)
{
	bool same = is.outcome == should.outcome && (is.outcome != L1_FAULT || is.vector == should.vector) &&
		    (is.outcome != L1_FAIL_VALID || is.error == should.error);

	if (!same)
		fprintf(stderr, "%s ends with %d, vector %u, error %u, not with %d, %u, %u\n", what, is.outcome, is.vector, is.error,
			should.outcome, should.vector, should.error);
	require(same);
	require(model.vcpu.nested->state == NESTED_OUTSIDE ? !reference.in_vmx : reference.in_vmx);
	if (should.outcome == L1_FAIL_VALID) {
		struct reference_region *region = &reference.region[reference.current];

		region->known[VMCS_INDEX_VM_INSTRUCTION_ERROR] = true;
		region->value[VMCS_INDEX_VM_INSTRUCTION_ERROR] = should.error;
	}
}

/* --- operands -------------------------------------------------------------------------------- */

struct pointer {
	u64 address;
	int region;		/* or NONE */
};

static struct pointer some_pointer(void)
{
	static const u64 bad[] = { L1_REGION(0) + 8, 0x10000000000, ~UINT64_C(0), 0xfff };
	u8 byte = take8();

	if (byte < 8)
		return (struct pointer){ bad[byte & 3], NONE };
	if (byte < 24)
		return (struct pointer){ L1_VMXON, NONE };
	return (struct pointer){ L1_REGION(byte % REGIONS), byte % REGIONS };
}

static bool is_page(u64 address)
{
	return !(address & 0xfff) && !(address >> BUILDER_PHYSICAL_BITS);
}

/* --- the instructions ---------------------------------------------------------------------- */

static void vmxon_step(void)
{
	struct pointer pointer = some_pointer();
	u32 revision = pointer.region == NONE ? VMCS12_REVISION : reference.region[pointer.region].revision;
	struct l1_result should;

	/* A region that is in use makes a poor VMXON region: SDM says what not to do, not what happens. */
	if (pointer.region != NONE)
		pointer = (struct pointer){ L1_VMXON, NONE }, revision = VMCS12_REVISION;
	if (may_execute(true, &should)) {
		if (reference.in_vmx)
			should = fail(VMERR_VMXON_IN_ROOT);
		else if (!is_page(pointer.address) || revision != VMCS12_REVISION)
			should = (struct l1_result){ .outcome = L1_FAIL_INVALID };
		else
			should = ok();
	}
	if (should.outcome == L1_OK)
		reference.in_vmx = true;
	judge("VMXON", l1_vmxon(pointer.address), should);
}

static void vmxoff_step(void)
{
	struct l1_result should;

	if (may_execute(false, &should)) {
		should = ok();
		reference.in_vmx = false;
		reference.current = NONE;
	}
	judge("VMXOFF", l1_vmxoff(), should);
}

static void vmclear_step(void)
{
	struct pointer pointer = some_pointer();
	struct l1_result should;

	if (may_execute(false, &should)) {
		if (!is_page(pointer.address)) {
			should = fail(VMERR_VMCLEAR_ADDRESS);
		} else if (pointer.address == L1_VMXON) {
			should = fail(VMERR_VMCLEAR_VMXON_POINTER);
		} else {
			struct reference_region *region = &reference.region[pointer.region];

			should = ok();
			region->launched = region->active = false;
			if (reference.current == pointer.region)
				reference.current = NONE;
		}
	}
	judge("VMCLEAR", l1_vmclear(pointer.address), should);
}

static bool is_revision(u32 revision)
{
	bool shadow = revision >> 31;

	return (revision & 0x7fffffff) == VMCS12_REVISION && (!shadow || caps_allow(offered(), WORD_PROC2, PROC2_VMCS_SHADOWING));
}

static void vmptrld_step(void)
{
	struct pointer pointer = some_pointer();
	struct l1_result should;

	if (may_execute(false, &should)) {
		if (!is_page(pointer.address)) {
			should = fail(VMERR_VMPTRLD_ADDRESS);
		} else if (pointer.address == L1_VMXON) {
			should = fail(VMERR_VMPTRLD_VMXON_POINTER);
		} else if (!is_revision(reference.region[pointer.region].revision)) {
			should = fail(VMERR_VMPTRLD_REVISION);
		} else {
			should = ok();
			reference.current = pointer.region;
			reference.region[pointer.region].active = true;
		}
	}
	judge("VMPTRLD", l1_vmptrld(pointer.address), should);
}

static void vmptrst_step(void)
{
	struct l1_result should;
	u64 pointer;

	if (may_execute(false, &should))
		should = ok();
	judge("VMPTRST", l1_vmptrst(&pointer), should);
	if (should.outcome == L1_OK)
		require(pointer == (reference.current == NONE ? NO_ADDRESS : L1_REGION((u64)reference.current)));
}

/* A field by its row, its high half, or nonsense. */
static u64 some_encoding(void)
{
	u8 how = take8();
	u64 encoding = vmcs_fields[take8() % VMCS_FIELD_COUNT].field.encoding;

	if ((how & 7) == 0)
		return encoding + 1;
	if ((how & 31) == 1)
		return encoding | UINT64_C(1) << (how & 0x80 ? 32 : 15);
	if ((how & 31) == 2)
		return take64();
	return encoding;
}

/* The row that L1 may name by it, or NULL. SDM "Field Encoding in VMCS". */
static const struct vmcs_field_info *named(u64 encoding)
{
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u32 full = vmcs_fields[i].field.encoding;
		bool high = (full >> 13 & 3) == 1 && encoding == full + 1;

		if ((encoding == full || high) && vmcs_fields[i].class != CLASS_ABSENT && vmcs_field_exists(&vmcs_fields[i], offered()))
			return &vmcs_fields[i];
	}
	return NULL;
}

static void vmread_step(void)
{
	u64 encoding = some_encoding(), value = 0;
	const struct vmcs_field_info *info = named(encoding);
	bool to_memory = take8() & 1;
	struct l1_result should, is;

	if (may_execute(false, &should)) {
		if (reference.current == NONE)
			should = fail(0);
		else
			should = info ? ok() : fail(VMERR_UNSUPPORTED_FIELD);
	}
	is = to_memory ? l1_vmread_to_memory(encoding, &value) : l1_vmread(encoding, &value);
	judge("VMREAD", is, should);
	if (should.outcome == L1_OK && reference.region[reference.current].known[info->field.index]) {
		u64 whole = reference.region[reference.current].value[info->field.index];

		require(value == (encoding & 1 ? whole >> 32 : whole));
	}
}

/* L1 keeps its own state after exits sound, so that it can go on; and lists whose failure would end the machine empty. */
static bool is_written(const struct vmcs_field_info *info)
{
	return info->class != CLASS_HOST && info->field.index != VMCS_INDEX_EXIT_CONTROLS &&
	       info->field.index != VMCS_INDEX_EXIT_MSR_LOAD_COUNT && info->field.index != VMCS_INDEX_EXIT_MSR_STORE_COUNT;
}

static void vmwrite_step(void)
{
	u64 encoding = some_encoding(), value = take8() & 1 ? take64() : take8();
	const struct vmcs_field_info *info = named(encoding);
	bool from_memory = take8() & 1;
	struct l1_result should;
	struct reference_region *region;

	if (info && !is_written(info))
		return;
	if (may_execute(false, &should)) {
		if (reference.current == NONE)
			should = fail(0);
		else if (!info)
			should = fail(VMERR_UNSUPPORTED_FIELD);
		else if ((encoding >> 10 & 3) == TYPE_READ_ONLY && !(offered()->misc & VMX_MISC_VMWRITE_ANY_FIELD))
			should = fail(VMERR_READ_ONLY_FIELD);
		else
			should = ok();
	}
	judge("VMWRITE", from_memory ? l1_vmwrite_from_memory(encoding, value) : l1_vmwrite(encoding, value), should);
	if (should.outcome != L1_OK)
		return;
	region = &reference.region[reference.current];
	if (encoding & 1)
		region->value[info->field.index] = (region->value[info->field.index] & UINT32_MAX) | value << 32;
	else
		region->value[info->field.index] = value & vmcs_width_mask(info->field.encoding);
	region->known[info->field.index] |= !(encoding & 1);
}

/* L2 exits at once; its registers and what the exit tells are no longer what L1 wrote. */
static void come_back(struct reference_region *region, bool ran)
{
	reference.mode = KERNEL;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_fields[i].class == CLASS_GUEST || vmcs_fields[i].class == CLASS_INFO || i == VMCS_INDEX_ENTRY_CONTROLS ||
		    i == VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION)
			region->known[i] = false;
	region->launched |= ran;
}

static void enter_step(bool launch)
{
	struct l1_result should, is;
	struct reference_region *region = reference.current == NONE ? NULL : &reference.region[reference.current];
	bool decided = !may_execute(false, &should);

	if (!decided) {
		decided = true;
		if (!region || region->revision >> 31)
			should = (struct l1_result){ .outcome = L1_FAIL_INVALID };
		else if (launch && region->launched)
			should = fail(VMERR_VMLAUNCH_NOT_CLEAR);
		else if (!launch && !region->launched)
			should = fail(VMERR_VMRESUME_NOT_LAUNCHED);
		else
			decided = false;
	}
	is = launch ? l1_vmlaunch() : l1_vmresume();
	if (decided) {
		judge(launch ? "VMLAUNCH" : "VMRESUME", is, should);
		return;
	}
	/* What entry makes of the fields is not this fuzzer's business. */
	if (is.outcome == L1_FAIL_VALID) {
		require(is.error == VMERR_CONTROLS || is.error == VMERR_HOST_STATE);
		region->known[VMCS_INDEX_VM_INSTRUCTION_ERROR] = false;
		return;
	}
	require(is.outcome == L1_IN_L2 || is.outcome == L1_EXITED);
	if (is.outcome == L1_IN_L2) {
		if (*processor_field(VMCS_GUEST_ACTIVITY_STATE) == ACTIVITY_WAIT_FOR_SIPI)
			(void)model_exit_for(EXIT_SIPI, 0);
		else
			(void)model_exit_for(EXIT_CPUID, 0);
		come_back(region, true);
		return;
	}
	come_back(region, !(vmcs12_get(model.vcpu.nested->current->vmcs12, VMCS_EXIT_REASON) & EXIT_REASON_ENTRY_FAILURE));
}

static void invept_step(void)
{
	u64 type = take8() % 5, eptp = take8() & 1 ? 0x4005e : take64(), reserved = take8() & 7 ? 0 : 1;
	bool valid = (eptp & 7) == 6 || (eptp & 7) == 0;
	struct l1_result should;

	valid = valid && (eptp >> 3 & 7) == 3 && !(eptp & BITS(11, 7)) && !(eptp >> BUILDER_PHYSICAL_BITS);
	if (eptp != 0x4005e && valid)
		return;	/* 5-level walks and the like are the checks' own tests */
	if (may_execute(false, &should))
		should = (type == 1 && valid && !reserved) || (type == 2 && !reserved) ? ok() : fail(VMERR_INVALIDATION_OPERAND);
	if (type == 1 && !valid && (eptp >> 3 & 7) == 4)
		return;
	judge("INVEPT", l1_invept(type, eptp, reserved), should);
}

static void invvpid_step(void)
{
	u64 type = take8() % 6, vpid = take8() & 1 ? take8() : (u64)take8() << 12, address = take8() & 3 ? 0x1000 : UINT64_C(1) << 60;
	bool bad = type > 3 || vpid > 0xffff || (type != 2 && vpid == 0) || (type == 0 && address != 0x1000);
	struct l1_result should;

	if (may_execute(false, &should))
		should = bad ? fail(VMERR_INVALIDATION_OPERAND) : ok();
	judge("INVVPID", l1_invvpid(type, vpid, address), should);
}

/* --- between the instructions --------------------------------------------------------------- */

static void mode_step(void)
{
	reference.mode = take8() & 3 ? KERNEL : take8() & 1 ? USER : COMPATIBILITY;
	*processor_field(VMCS_GUEST_RIP) = 0x400000;
	*processor_field(VMCS_GUEST_SS_ACCESS_RIGHTS) = reference.mode == USER ? 0xc0f3 : 0xc093;
	*processor_field(VMCS_GUEST_CS_ACCESS_RIGHTS) = reference.mode == USER ? 0xa0fb : reference.mode == KERNEL ? 0xa09b : 0xc09b;
}

/* Only regions that are not active are L1's to write. */
static void memory_step(void)
{
	static const u32 revisions[] = { VMCS12_REVISION, VMCS12_REVISION | VMCS_SHADOW_INDICATOR, VMCS12_REVISION + 1 };
	u32 n = take8() % REGIONS;
	struct reference_region *region = &reference.region[n];

	if (region->active)
		return;
	region->revision = revisions[take8() % 3];
	memcpy(l1_pointer(L1_REGION(n)), &region->revision, sizeof(region->revision));
}

static void step(void)
{
	switch (take8() % 16) {
	case 0: vmxon_step(); break;
	case 1: vmxoff_step(); break;
	case 2: vmclear_step(); break;
	case 3: case 4: vmptrld_step(); break;
	case 5: vmptrst_step(); break;
	case 6: case 7: vmread_step(); break;
	case 8: case 9: vmwrite_step(); break;
	case 10: enter_step(true); break;
	case 11: enter_step(false); break;
	case 12: invept_step(); break;
	case 13: invvpid_step(); break;
	case 14: mode_step(); break;
	default: memory_step(); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct builder builder;

	bytes = data;
	left = size;
	if (size < 2)
		return 0;
	builder_init(&builder, BUILD_LONG);
	vmcs12_set(&builder.vmcs12, VMCS_HOST_CR3, L1_PAGING);
	if (take8() & 1)
		builder.hardware.control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
	require(model_boot(&builder.hardware, false));
	memset(&reference, 0, sizeof(reference));
	reference.current = NONE;
	l1_make_region(L1_VMXON);
	for (u32 n = 0; n < REGIONS; n++) {
		struct reference_region *region = &reference.region[n];

		memcpy(l1_pointer(L1_REGION(n)), &builder.vmcs12, PAGE_SIZE);
		region->revision = VMCS12_REVISION;
		for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
			region->value[i] = builder.vmcs12.fields.value[i];
			region->known[i] = true;
		}
	}
	for (u32 i = 0; i < MAX_STEPS && left && !model.ended; i++)
		step();
	return 0;
}
