/* SPDX-License-Identifier: MIT */
/* Virtualization exceptions of L2: see virtualization_exception.h. */

#include "vmx/nested/virtualization_exception.h"

#include "arch/x86.h"
#include "mm/ept.h"
#include "vmx/exit.h"

/* SDM "Virtualization-Exception Information". */
struct information_area {
	u32 reason;
	u32 busy;		/* 0 when software is ready for the next one */
	u64 qualification, linear, physical;
	u16 eptp_index;
};

#define AREA_BYTES (offsetof(struct information_area, eptp_index) + sizeof(u16))

static_assert(AREA_BYTES == 34, "as the SDM lays it out");

#define BUSY UINT32_C(0xffffffff)

bool virtualization_exception(const struct vmcs12 *vmcs12, const struct l1_memory *memory,
			      const struct convertible_violation *violation)
{
	l1_gpa_t area = l1_gpa(vmcs12_get(vmcs12, VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS));
	struct information_area information = {
		.reason = EXIT_EPT_VIOLATION,
		.busy = BUSY,
		.qualification = violation->qualification,
		.linear = violation->linear,
		.physical = violation->physical,
		.eptp_index = (u16)vmcs12_get(vmcs12, VMCS_EPTP_INDEX),
	};
	u32 busy;

	if (!vmcs12_has(vmcs12, WORD_PROC2, PROC2_EPT_VIOLATION_VE) || (violation->entry & EPT_SUPPRESS_VE) ||
	    !(violation->cr0 & CR0_PE) || violation->vectoring)
		return false;
	l1_read(memory, l1_gpa(area.value + offsetof(struct information_area, busy)), &busy, sizeof(busy));
	if (busy)
		return false;
	l1_write(memory, area, &information, AREA_BYTES);
	return true;
}
