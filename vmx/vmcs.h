/* SPDX-License-Identifier: MIT */
/*
 * VMCS regions: which is current, which is launched, and access to the fields
 * of the current one. The handle says which VMCS is meant; debug builds assert
 * that it is the one loaded. A VMREAD or VMWRITE that fails is our bug.
 */
#pragma once

#include "arch/percpu.h"
#include "arch/vmx_ops.h"
#include "mm/addr.h"
#include "vmx/counters.h"
#include "vmx/vmcs_field.h"

struct vmcs {
	hpa_t address;
	const char *name;	/* for people: "vmcs01" */
	bool launched;		/* the launch state of SDM "Launch State": VMRESUME, not VMLAUNCH */
};

/* SDM "Format of the VMCS Region", bit 31 of the first word. */
#define VMCS_SHADOW_INDICATOR UINT32_C(0x80000000)

/*
 * Makes `page` (one page of L0's block) a VMCS region of this revision
 * (| VMCS_SHADOW_INDICATOR) and clears it.
 */
void vmcs_init(struct vmcs *vmcs, void *page, u32 revision, const char *name);

/* VMCLEAR: the launch state is clear, no VMCS of it is current. */
void vmcs_clear(struct vmcs *vmcs);

/* VMPTRLD, unless it is current on this CPU already. */
void vmcs_load(const struct vmcs *vmcs);

/* For failures that are our bug: panics naming the field. */
noreturn void vmcs_access_failed(const struct vmcs *vmcs, u32 encoding, bool write);
noreturn void vmcs_load_failed(const struct vmcs *vmcs);
noreturn void vmcs_not_current(const struct vmcs *vmcs);

static inline bool vmcs_is_current(const struct vmcs *vmcs)
{
	return percpu()->current_vmcs == vmcs;
}

static inline u64 vmcs_read(const struct vmcs *vmcs, vmcs_field field)
{
	u64 value;

#ifdef TESTUDO_DEBUG
	if (!vmcs_is_current(vmcs))
		vmcs_not_current(vmcs);
#endif
	count(COUNTER_VMREADS);
	if (unlikely(vmread_failed(field.encoding, &value)))
		vmcs_access_failed(vmcs, field.encoding, false);
	return value;
}

static inline void vmcs_write(const struct vmcs *vmcs, vmcs_field field, u64 value)
{
#ifdef TESTUDO_DEBUG
	if (!vmcs_is_current(vmcs))
		vmcs_not_current(vmcs);
#endif
	count(COUNTER_VMWRITES);
	if (unlikely(vmwrite_failed(field.encoding, value)))
		vmcs_access_failed(vmcs, field.encoding, true);
}

/*
 * For the hottest paths (vmx/nested/quick_*.c), which count by themselves and name only fields
 * that exist: bring-up has seen to that.
 */
static inline u64 vmcs_read_known(const struct vmcs *vmcs, vmcs_field field)
{
	u64 value;
#ifdef TESTUDO_DEBUG
	if (!vmcs_is_current(vmcs))
		vmcs_not_current(vmcs);
	if (vmread_failed(field.encoding, &value))
		vmcs_access_failed(vmcs, field.encoding, false);
#else
	(void)vmcs;
	(void)vmread_failed(field.encoding, &value);
#endif
	return value;
}

static inline void vmcs_write_known(const struct vmcs *vmcs, vmcs_field field, u64 value)
{
#ifdef TESTUDO_DEBUG
	if (!vmcs_is_current(vmcs))
		vmcs_not_current(vmcs);
	if (vmwrite_failed(field.encoding, value))
		vmcs_access_failed(vmcs, field.encoding, true);
#else
	(void)vmcs;
	vmwrite_known(field.encoding, value);
#endif
}

/* VMPTRLD of one that is not current; VMCLEAR of a shadow VMCS that is, before another is loaded. */
static inline void vmcs_switch(const struct vmcs *vmcs)
{
	if (unlikely(vmptrld_failed(&vmcs->address.value)))
		vmcs_load_failed(vmcs);
	percpu_set_current_vmcs(vmcs);
}

/* The same until the next vmcs_switch(): which VMCS is current is not noted meanwhile, but for those who assert it. */
static inline void vmcs_switch_briefly(const struct vmcs *vmcs)
{
	if (unlikely(vmptrld_failed(&vmcs->address.value)))
		vmcs_load_failed(vmcs);
#ifdef TESTUDO_DEBUG
	percpu_set_current_vmcs(vmcs);
#endif
}

static inline void vmcs_clear_shadow(const struct vmcs *vmcs)
{
	if (unlikely(vmclear_failed(&vmcs->address.value)))
		vmcs_load_failed(vmcs);
}

/* For dumps: false instead of a panic when the field does not exist here. */
bool vmcs_try_read(vmcs_field field, u64 *value);
