/* SPDX-License-Identifier: MIT */
/*
 * What a panic tells about the guest: its registers and every field of the
 * current VMCS by name.
 */
#pragma once

/* A panic_dumper. Reads through VMREAD; must not be called outside VMX operation. */
void vcpu_dump(void);
