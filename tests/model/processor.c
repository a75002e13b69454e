/* SPDX-License-Identifier: MIT */
/*
 * VMCS regions, and VMX instructions upon them: see tests/model/processor.h. SDM
 * "VMX Instruction Reference". VM entries and exits are in tests/model/entry.c.
 */
#include "tests/model/processor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/ept.h"
#include "mm/phys.h"

struct processor processor;

noreturn void broken_rule(const char *rule, const char *file, int line)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, rule);
	abort();
}

struct model_region *processor_region(u64 address)
{
	for (u32 i = 0; i < MODEL_REGIONS; i++)
		if (processor.regions[i].address == address)
			return &processor.regions[i];
	return NULL;
}

static struct model_region *region_at(u64 address)
{
	struct model_region *region = processor_region(address);

	if (region)
		return region;
	region = processor_region(0);
	require(region != NULL);
	memset(region, 0, sizeof(*region));
	region->address = address;
	return region;
}

static bool is_region(u64 address)
{
	return address != 0 && !(address & PAGE_MASK) && phys_to_ptr(hpa(address)) != NULL;
}

enum vmx_result vmclear(const u64 *address)
{
	struct model_region *region;

	if (!is_region(*address))
		return VMX_FAIL_INVALID;
	region = region_at(*address);
	region->launched = region->active = false;
	if (processor.current == region)
		processor.current = NULL;
	return VMX_OK;
}

enum vmx_result vmptrld(const u64 *address)
{
	struct model_region *region;
	u32 word;

	if (!is_region(*address))
		return VMX_FAIL_INVALID;
	word = *(const u32 *)phys_to_ptr(hpa(*address));
	if ((word & ~VMCS_SHADOW_INDICATOR) != field_get(processor.caps.basic, VMX_BASIC_REVISION))
		return VMX_FAIL_INVALID;
	if ((word & VMCS_SHADOW_INDICATOR) && !caps_allow(&processor.caps, WORD_PROC2, PROC2_VMCS_SHADOWING))
		return VMX_FAIL_INVALID;
	region = region_at(*address);
	region->shadow = (word & VMCS_SHADOW_INDICATOR) != 0;
	region->active = true;
	processor.current = region;
	return VMX_OK;
}

u64 *processor_field(vmcs_field field)
{
	require(processor.current != NULL);
	return &processor.current->fields.value[field.index];
}

static const struct vmcs_field_info *existing(u64 encoding)
{
	const struct vmcs_field_info *info = vmcs_lookup(encoding);

	return info && vmcs_field_exists(info, &processor.caps) ? info : NULL;
}

bool vmread_failed(u64 encoding, u64 *value)
{
	const struct vmcs_field_info *info = existing(encoding);

	processor.vmreads++;
	if (!processor.current || !info)
		return true;
	*value = *processor_field(info->field);
	if (encoding & 1)
		*value >>= 32;
	return false;
}

bool vmwrite_failed(u64 encoding, u64 value)
{
	const struct vmcs_field_info *info = existing(encoding);
	u64 *field;

	if (!processor.current || !info)
		return true;
	if (vmcs_encoding_type((u32)encoding) == TYPE_READ_ONLY && !(processor.caps.misc & VMX_MISC_VMWRITE_ANY_FIELD))
		return true;
	field = processor_field(info->field);
	if (encoding & 1)
		value = (*field & UINT32_MAX) | value << 32;
	*field = value & vmcs_width_mask(info->field.encoding);
	return false;
}

enum vmx_result invept(u64 type, u64 eptp)
{
	u64 needed = type == INVEPT_SINGLE ? EPT_CAP_INVEPT_SINGLE : type == INVEPT_ALL ? EPT_CAP_INVEPT_ALL : 0;

	if (!needed || !(processor.caps.ept_vpid & needed))
		return VMX_FAIL_VALID;
	tlb_invept(&processor.tlb, type, eptp & EPTP_ADDRESS);
	if (type == INVEPT_SINGLE)
		model_flush(&processor.guest_physical, eptp);
	else
		memset(&processor.guest_physical, 0, sizeof(processor.guest_physical));
	return VMX_OK;
}

enum vmx_result invvpid(u64 type, u16 vpid, u64 address)
{
	if (type > 3 || !(processor.caps.ept_vpid & BIT(40 + type)) || (vpid == 0 && type != INVVPID_ALL))
		return VMX_FAIL_VALID;
	tlb_invvpid(&processor.tlb, type, vpid, address & ~PAGE_MASK);
	return VMX_OK;
}
