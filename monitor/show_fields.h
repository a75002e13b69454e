/* SPDX-License-Identifier: MIT */
/* What values of VMCS fields say, in words. Pure. */
#pragma once

#include "monitor/out.h"
#include "vmx/vmcs_field.h"

/* Adds it; nothing where the number says all. */
void show_meaning(struct out_wrap *wrap, const struct vmcs_field_info *info, u64 value);

/* Does each bit of the field mean something by itself? */
bool show_is_bits(const struct vmcs_field_info *info);

/* The same of EFER, CR0 and so on, which L1 has outside of its VMCS, too: the name is that of a field that has the same bits. */
void show_bits(struct out_wrap *wrap, vmcs_field alike, u64 value);

/* Of SDM's memory types: "WB", or "reserved". */
const char *show_memory_type(u64 type);
/* Of access rights: "16-bit", "32-bit" or "64-bit"; needs EFER.LMA for the last. */
const char *show_code_size(u64 access_rights, bool is_long_mode);
